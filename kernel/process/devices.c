// SPDX-License-Identifier: GPL-2.0-only
/* The devices of a case, which come and go, and what the core asks of them. */
#include <linux/notifier.h>
#include <linux/pci.h>

#include "fake/fake.h"
#include "internal.h"

static struct device_node firmware_node; /* of whatever describes devices */
static struct device host_parent = { .of_node = &firmware_node };
struct module *host_module = &shim_module;

const char *devices_misfit(const struct harness_machine *m)
{
	return buses_misfit(m) ?: functions_misfit(m);
}

struct device *device_at(int i)
{
	return i < fake_machine.devices_count && fake_devices[i].present ? fake_devices[i].dev : NULL;
}

int device_is_emulated(int i)
{
	return fake_machine.devices[i].kind != HARNESS_REAL;
}

/* Between device_add() and device_del(). */
static void list_device(int i, bool there)
{
	binding_list_device(fake_devices[i].dev, there);
	functions_list(i, there);
}

static void make_device(int i)
{
	const struct harness_device *device = &fake_machine.devices[i];
	struct device *dev = functions_make(i);

	mutex_init(&dev->mutex);
	fake_devices[i].dev = dev;
	binding_make_device(dev, i);
	/* The IOMMU core does not see the bus of emulated devices; up to and including 5.15 VFIO does. */
	if (device->kind != HARNESS_REAL) {
		dev->bus = (void *)(device->kind == HARNESS_MDEV ? &mdev_bus_type : &bare_bus_type);
		return;
	}
	dev->bus = (void *)buses_at(device->bus);
	if (device->bus == HARNESS_PCI)
		functions_wire(i);
	else
		dev->fwnode = &firmware_node.fwnode;
}

void devices_begin(void)
{
	const struct harness_machine *m = &fake_machine;

#ifdef HARNESS_HAVE_BUS_SET_IOMMU
	buses_freed_are_wild = true;
#endif
	functions_begin(&host_parent);
	fwnode_init(&firmware_node.fwnode, &of_fwnode_ops);
	firmware_begin();
	for (int i = 0; i < m->devices_count; i++)
		make_device(i);
	for (int i = 0; i < m->devices_count; i++) {
		const struct harness_device *device = &m->devices[i];

		if (device->alias != HARNESS_NONE && device->kind == HARNESS_REAL)
			functions_alias(i, device->alias);
		if (!device->absent) {
			machine_list(i);
			list_device(i, true);
		}
	}
}

void devices_add(int i)
{
	struct device *dev = fake_devices[i].dev;

	machine_list(i);
	list_device(i, true);
	if (!device_is_emulated(i))
		buses_notify(BUS_NOTIFY_ADD_DEVICE, dev);
}

/*
 * ABSTRACTION: a device that is served leaves its group also where its bus has no notifier; in the
 * kernel the group keeps a pointer to it. What firmware said of it goes, too; the kernel leaks that.
 */
static void remove_unnoticed(struct device *dev)
{
#ifdef HARNESS_HAVE_BUS_SET_IOMMU
	if (fake_machine.devices[host_index(dev)].kind == HARNESS_REAL && dev->iommu_group)
		iommu_release_device(dev);
	if (dev->iommu)
		core_dev_iommu_free(dev);
#endif
}

void devices_remove(int i)
{
	struct device *dev = fake_devices[i].dev;

	machine_unlist(i);
	list_device(i, false);
	if (!device_is_emulated(i)) {
		buses_notify(BUS_NOTIFY_REMOVED_DEVICE, dev);
		remove_unnoticed(dev);
	}
}

/*
 * Before 6.8 a device that firmware has described and no driver serves cannot be removed without an
 * oops (docs/findings.md). Cases may remove one; the teardown of a case must not.
 */
static void forget_firmware(struct device *dev)
{
#ifdef HARNESS_HAVE_BUS_OPS
	if (dev->iommu && !dev->iommu->iommu_dev)
		core_dev_iommu_free(dev);
#endif
#ifdef HARNESS_HAVE_BUS_SET_IOMMU
	/* There need be no notifier, and the slot may be another's. */
	if (dev->iommu) {
		dev->bus->iommu_ops = dev->iommu->iommu_dev->ops;
		iommu_release_device(dev);
	}
#endif
}

void devices_end(void)
{
#ifdef HARNESS_HAVE_BUS_SET_IOMMU
	buses_freed_are_wild = false;
#endif
	for (int i = 0; i < fake_machine.devices_count; i++) {
		if (!fake_devices[i].present)
			continue;
		drivers_detach(i);
		forget_firmware(fake_devices[i].dev);
		devices_remove(i);
	}
	for (int i = 0; i < fake_machine.instances_count; i++)
		if (fake_instances[i].registered)
			fake_unregister(i);
	fake_forget_domains();
	firmware_end();
	buses_end();
}

struct iommu_group *devices_group(int id)
{
	for (int i = 0; i < fake_machine.devices_count; i++) {
		struct iommu_group *group = fake_devices[i].dev->iommu_group;

		if (group && iommu_group_id(group) == id)
			return group;
	}
	for (int i = 0; i < fake_machine.instances_count; i++) {
#ifdef HARNESS_HAVE_SINGLE_GROUP
		struct iommu_group *shared = fake_instances[i].iommu.singleton_group;
#else
		struct iommu_group *shared = fake_instances[i].group;
#endif
		if (fake_instances[i].registered && shared && iommu_group_id(shared) == id)
			return shared;
	}
	return NULL;
}

/* --- functions for the drivers --- */

void host_releases(struct device *dev)
{
	int count = 0;

	for (int i = 0; i < fake_machine.devices_count; i++)
		count += fake_devices[i].dev->iommu_group == dev->iommu_group;
	/* A probe that fails may never have come to a group. */
	if (dev->iommu_group && count == 1)
		core_forget_pasids(dev->iommu_group);
}

/* dma-iommu.c, where the core calls it. */
#ifdef HARNESS_HAVE_DMA_IOMMU
REPLACES(void, iommu_setup_dma_ops, struct device *dev)
{
	dev->dma_iommu = iommu_get_domain_for_dev(dev)->type & __IOMMU_DOMAIN_DMA_API;
}
#else
REPLACES(void, iommu_setup_dma_ops, void)
{
}
#endif

/* Firmware properties of devices: there are none, but the number of bits of PASIDs. */
REPLACES(int, device_property_read_u32_array, const struct device *dev, const char *name, u32 *values,
	 size_t count)
{
	const u8 bits = fake_machine.devices[host_index((void *)dev)].pasid_bits;

	if (strcmp(name, "pasid-num-bits") || !bits)
		return -EINVAL;
	*values = bits;
	return 0;
}

REPLACES(long, msi_device_has_isolated_msi, struct device *dev)
{
	return fake_machine.instances[fake_devices[host_index(dev)].instance].isolates_msi;
}
/* Kernels that call this also ask each device (IOMMU_CAP_INTR_REMAP); that answer decides. */
long irq_domain_check_msi_remap(void)
{
	return 0;
}
