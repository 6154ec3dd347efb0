// SPDX-License-Identifier: GPL-2.0-only
/*
 * The firmware of a machine: the device tree that of_iommu.c reads, and an imitation of ACPI. Both
 * name the masters of a device that have a fwnode.
 */
#include <linux/iommu.h>
#include <linux/of.h>
#include <linux/pci.h>

#include "fake/fake.h"
#include "internal.h"
#ifdef HARNESS_HAVE_IOMMU_PRIV
#include "drivers/iommu/iommu-priv.h"
#endif

static struct device_node iommu_nodes[HARNESS_INSTANCES];
static struct device_node device_nodes[HARNESS_DEVICES];
/* The kernel's nodes of ACPI count no references. */
static const struct fwnode_operations acpi_fwnode_ops;

static bool is_acpi(void)
{
	return fake_machine.firmware == HARNESS_ACPI;
}

void firmware_begin(void)
{
	const struct fwnode_operations *ops = is_acpi() ? &acpi_fwnode_ops : &of_fwnode_ops;

	for (int i = 0; i < fake_machine.instances_count; i++) {
		fwnode_init(&iommu_nodes[i].fwnode, ops);
		fake_instances[i].fwnode =
			fake_machine.instances[i].fwnode ? &iommu_nodes[i].fwnode : NULL;
	}
}

/* The n-th instance that firmware names as a master of the device; HARNESS_NONE: there is none. */
static u8 nth_master(int device, unsigned int n)
{
	for (int i = 0; i < HARNESS_MASTERS; i++) {
		const u8 master = fake_machine.devices[device].masters[i];

		if (master != HARNESS_NONE && fake_instances[master].fwnode && !n--)
			return master;
	}
	return HARNESS_NONE;
}

/* --- the device tree --- */

/* The n-th entry of `iommus` or `iommu-map`, of one cell. */
static struct device_node *nth_iommu(const struct device_node *device, unsigned int n, u32 *cell)
{
	const u8 master = nth_master(device - device_nodes, n);

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

int firmware_for_each_master(struct pci_dev *dev, int (*fn)(struct pci_dev *, u16, void *),
			     void *data)
{
	unsigned int n = 0;
	int ret;

	do
		ret = fn(dev, n, data);
	while (!ret && nth_master(host_index(&dev->dev), ++n) != HARNESS_NONE);
	return ret;
}

REPLACES(int, of_map_id, struct device_node *device, u32 n, const char *map, const char *mask,
	 struct device_node **target, u32 *id)
{
	*target = nth_iommu(device, n, id);
	return *target ? 0 : -ENODEV;
}
/* Its name from 7.2 on. */
REPLACES(int, of_map_iommu_id, const struct device_node *device, u32 n,
	 struct of_phandle_args *args)
{
	args->args_count = 1;
	args->np = nth_iommu(device, n, args->args);
	return args->np ? 0 : -ENODEV;
}

bool of_device_is_available(const struct device_node *node)
{
	return true;
}

/* --- ACPI --- */

/* iort_iommu_xlate() and viot_dev_iommu_init(), of an IOMMU whose driver the kernel has */
static int acpi_describe(struct device *dev, u8 master)
{
	struct fwnode_handle *fwnode = fake_instances[master].fwnode;
#ifdef HARNESS_HAVE_FWSPEC_OPS
	const struct iommu_ops *ops = iommu_ops_from_fwnode(fwnode);

	return ops ? iommu_fwspec_init(dev, fwnode, ops) : -EPROBE_DEFER;
#else
	return iommu_fwspec_init(dev, fwnode);
#endif
}

/*
 * ABSTRACTION: viot.c and iort.c are not there, nor are the tables that they read: this stands for
 * both. Every fwspec that these make has ops.
 */
int viot_iommu_configure(struct device *dev)
{
	const int index = host_index(dev);
	int ret = -ENODEV;
	u8 master;

	for (int n = 0; (master = nth_master(index, n)) != HARNESS_NONE; n++) {
		ret = acpi_describe(dev, master);
		if (ret)
			break;
	}
	return ret;
}

int firmware_configure(struct device *dev)
{
	return is_acpi() ? acpi_configure(dev) :
			   of_configure(dev, &device_nodes[host_index(dev)]);
}
