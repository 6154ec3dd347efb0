// SPDX-License-Identifier: GPL-2.0-only
/*
 * The firmware of a machine: the device tree that of_iommu.c reads, and the tables of ACPI
 * (acpi_tables.c). Both name the masters of a device that have a fwnode.
 */
#include <linux/of.h>
#include <linux/pci.h>

#include "fake/fake.h"
#include "internal.h"

static struct device_node iommu_nodes[HARNESS_INSTANCES];
static struct device_node device_nodes[HARNESS_DEVICES];

static bool is_acpi(void)
{
	return fake_machine.firmware == HARNESS_ACPI;
}

void firmware_begin(void)
{
	for (int i = 0; i < fake_machine.instances_count; i++) {
		fwnode_init(&iommu_nodes[i].fwnode, &of_fwnode_ops);
		fake_instances[i].fwnode = !fake_machine.instances[i].fwnode ? NULL :
					   is_acpi() ? acpi_tables_unit(i) :
						       &iommu_nodes[i].fwnode;
	}
	if (is_acpi())
		acpi_tables_begin();
}

void firmware_end(void)
{
	if (is_acpi())
		acpi_tables_end();
}

u8 firmware_master(int device, unsigned int n)
{
	for (int i = 0; i < HARNESS_MASTERS; i++) {
		const u8 master = fake_machine.devices[device].masters[i];

		if (master != HARNESS_NONE && fake_instances[master].fwnode && !n--)
			return master;
	}
	return HARNESS_NONE;
}

u16 firmware_id(int device, unsigned int n)
{
	return device * HARNESS_MASTERS + n;
}

int firmware_for_each_master(struct pci_dev *dev, int (*fn)(struct pci_dev *, u16, void *),
			     void *data)
{
	const int device = host_index(&dev->dev);
	unsigned int n = 0;
	int ret;

	do
		ret = fn(dev, firmware_id(device, n), data);
	while (!ret && firmware_master(device, ++n) != HARNESS_NONE);
	return ret;
}

/* --- the device tree --- */

/* The n-th entry of `iommus` or `iommu-map`, of one cell. An ID is that of a master. */
static struct device_node *nth_iommu(const struct device_node *device, unsigned int n, u32 *cell)
{
	const u8 master = firmware_master(device - device_nodes, n);

	if (master == HARNESS_NONE)
		return NULL;
	*cell = device - device_nodes;
	return of_node_get(&iommu_nodes[master]);
}

int __of_parse_phandle_with_args(const struct device_node *device, const char *list,
				 const char *cells, int cell_count, int n,
				 struct of_phandle_args *args)
{
	args->args_count = 1;
	args->np = nth_iommu(device, n, args->args);
	return args->np ? 0 : -ENOENT;
}

/* Up to and including 5.16; later it is inline. */
REPLACES(int, of_parse_phandle_with_args, const struct device_node *device, const char *list,
	 const char *cells, int n, struct of_phandle_args *args)
{
	return __of_parse_phandle_with_args(device, list, cells, -1, n, args);
}

REPLACES(int, of_map_id, struct device_node *device, u32 n, const char *map, const char *mask,
	 struct device_node **target, u32 *id)
{
	*target = nth_iommu(device, n % HARNESS_MASTERS, id);
	return *target ? 0 : -ENODEV;
}
/* Its name from 7.2 on. */
REPLACES(int, of_map_iommu_id, const struct device_node *device, u32 n,
	 struct of_phandle_args *args)
{
	args->args_count = 1;
	args->np = nth_iommu(device, n % HARNESS_MASTERS, args->args);
	return args->np ? 0 : -ENODEV;
}

bool of_device_is_available(const struct device_node *node)
{
	return true;
}

int firmware_configure(struct device *dev)
{
	return is_acpi() ? acpi_configure(dev) :
			   of_configure(dev, &device_nodes[host_index(dev)]);
}
