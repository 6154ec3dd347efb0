// SPDX-License-Identifier: GPL-2.0-only
/* Fake devices on the real buses, VFIO's part of them, and the host of the fake drivers. */
#include <linux/iommu.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/property.h>
#include <linux/slab.h>
#include <linux/vfio.h>

#include "fake.h"
#include "module.h"

#define PCI_DOMAIN 0x10

int booted_devfns[HARNESS_DEVICES];
static struct vfio_device *vfio[HARNESS_DEVICES];
static int vfio_groups[HARNESS_DEVICES]; /* the group in which VFIO had the device */
static struct pci_bus *pci_root;
static int (*probe_device_again)(struct device *dev);
struct module *host_module = THIS_MODULE;

/* --- functions that fake.h needs from its host --- */

int host_index(struct device *dev)
{
	for (int i = 0; i < fake_machine.devices_count; i++) {
		struct fake_device *d = &fake_devices[i];

		/* pci_scan_single_device() probes the device before it returns it. */
		if (!d->dev && d->present && dev_is_pci(dev) && to_pci_dev(dev)->bus == pci_root &&
		    to_pci_dev(dev)->devfn == booted_devfns[i])
			d->dev = dev;
		if (d->dev == dev)
			return i;
	}
	return -1;
}

void *host_alloc(unsigned long bytes)
{
	return kzalloc(bytes, GFP_KERNEL | __GFP_NOFAIL);
}

void *host_grow(void *old, unsigned long bytes)
{
	void *grown = krealloc(old, bytes, GFP_KERNEL);

	BUG_ON(!grown);
	return grown;
}

void host_releases(struct device *dev)
{
}

int host_attach_fails(const struct fake_domain *domain, u8 device)
{
	return 0;
}

int host_strikes(int arm)
{
	return 0;
}

void host_complain(const char *what)
{
	WARN(1, "%s\n", what);
}

/* No device uses these tables, so mappings are not stored. */
struct page_table *table_new(void)
{
	return NULL;
}

void table_free(struct page_table *table, int owned)
{
}

int table_map(struct page_table *table, unsigned long iova, unsigned long phys,
	      unsigned long pgsize, unsigned long count, int owned, unsigned long *mapped)
{
	*mapped = pgsize * count;
	return 0;
}

unsigned long table_unmap(struct page_table *table, unsigned long iova, unsigned long size,
			  int owned, int splits)
{
	return size;
}

void table_writes(unsigned long phys, unsigned long size)
{
}

void table_sync(struct page_table *table, unsigned long start, unsigned long last)
{
}

int table_show(struct page_table *table, unsigned long iova, unsigned long size)
{
	return 0;
}

unsigned long table_phys(const struct page_table *table, unsigned long iova)
{
	return 0;
}

/* --- firmware --- */

static void free_dev_iommu(struct device *dev)
{
	iommu_fwspec_free(dev);
	kfree(dev->iommu);
	dev->iommu = NULL;
}

static int describe(struct device *dev, const struct fake_instance *i)
{
#ifdef HARNESS_HAVE_FWSPEC_OPS
	const struct iommu_ops *ops = i->registered ? i->iommu.ops : NULL;
	int ret;

	if (!ops && fake_machine.firmware == HARNESS_ACPI)
		return -EPROBE_DEFER;
	/*
	 * iommu_fwspec_free() of these kernels drops a reference to the fwnode that
	 * iommu_fwspec_init() takes only for fwnodes of a device tree.
	 */
	if (!dev_iommu_fwspec_get(dev))
		fwnode_handle_get(i->fwnode);
	ret = iommu_fwspec_init(dev, i->fwnode, ops);
	return ret || ops ? ret : -EPROBE_DEFER;
#else
	return iommu_fwspec_init(dev, i->fwnode);
#endif
}

static bool is_described(struct device *dev)
{
	const struct iommu_fwspec *fwspec = dev_iommu_fwspec_get(dev);
#ifdef HARNESS_HAVE_FWSPEC_OPS
	if (fwspec && !fwspec->ops) {
		iommu_fwspec_free(dev);
		return false;
	}
#endif
	return fwspec;
}

/*
 * ABSTRACTION: of_iommu_configure(), or acpi_iommu_configure_id() up to and including 6.12: Debian's
 * x86 kernels have no device tree, and the tables of the machine name no IOMMU. kernel/process has
 * the real code of both.
 */
int booted_configure(int index)
{
	struct device *dev = fake_devices[index].dev;
	const u8 *masters = fake_machine.devices[index].masters;
#ifndef HARNESS_HAVE_FWSPEC_OPS
	const bool had_iommu = dev->iommu;
#endif
	int ret = 0;

	if (is_described(dev))
		return 0;
	for (int n = 0; !ret && n < HARNESS_MASTERS; n++)
		if (masters[n] != HARNESS_NONE && fake_instances[masters[n]].fwnode)
			ret = describe(dev, &fake_instances[masters[n]]);
#ifndef HARNESS_HAVE_FWSPEC_OPS
	if (ret && fake_machine.firmware != HARNESS_ACPI) {
		if (had_iommu)
			iommu_fwspec_free(dev);
		else if (dev->iommu)
			free_dev_iommu(dev);
	}
#endif
	/* The VIOT, which is looked up after an IORT that fails, does not know the device. */
	if (ret && ret != -EPROBE_DEFER && fake_machine.firmware == HARNESS_ACPI)
		return -ENODEV;
	return ret || dev->iommu_group ? ret : probe_device_again(dev);
}

/* --- devices --- */

/*
 * Our own host bridge, made in the same way as by other host drivers. Its functions have only a
 * configuration header: no capabilities, so no isolation between the functions of a slot.
 */
static struct pci_sysdata sysdata = { .domain = PCI_DOMAIN, .node = NUMA_NO_NODE };
static struct resource busn = { .name = "iommucheck", .end = 0, .flags = IORESOURCE_BUS };

static bool is_pci(int index)
{
	return fake_machine.devices[index].bus == PCI_BUS;
}

static int config_read(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 *value)
{
	u8 header[64] = { 0xf0, 0xff, 0x01, 0x00, [0x0b] = 0xff };
	int i;

	*value = ~0;
	for (i = 0; i < fake_machine.devices_count; i++)
		if (is_pci(i) && fake_devices[i].present && booted_devfns[i] == devfn)
			break;
	if (i == fake_machine.devices_count)
		return PCIBIOS_DEVICE_NOT_FOUND;
	header[PCI_HEADER_TYPE] = fake_machine.devices[i].slot ? 0x80 : 0;
	*value = 0;
	if (where + size <= sizeof(header))
		memcpy(value, header + where, size);
	return PCIBIOS_SUCCESSFUL;
}

static int config_write(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 value)
{
	return PCIBIOS_SUCCESSFUL;
}

static struct pci_ops config_ops = { .read = config_read, .write = config_write };

/* Runs before the core's notifier, which probes: gives a function its alias, as a quirk would. */
static int pci_notified(struct notifier_block *nb, unsigned long action, void *data)
{
	struct device *dev = data;
	int index;

	index = action == BUS_NOTIFY_ADD_DEVICE ? host_index(dev) : -1;
	if (index < 0)
		return NOTIFY_DONE;
	if (fake_machine.devices[index].alias != HARNESS_NONE) {
		unsigned long *mask = bitmap_zalloc(256, GFP_KERNEL);

		if (mask)
			set_bit(booted_devfns[fake_machine.devices[index].alias], mask);
		to_pci_dev(dev)->dma_alias_mask = mask;
	}
	return NOTIFY_OK;
}

static struct notifier_block pci_notifier = { .notifier_call = pci_notified, .priority = 1 };

int booted_add(int index)
{
	struct fake_device *d = &fake_devices[index];
	struct platform_device *pdev;
	int ret;

	machine_list(index);
	if (is_pci(index)) {
		struct pci_dev *found;

		pci_lock_rescan_remove();
		found = pci_scan_single_device(pci_root, booted_devfns[index]);
		pci_unlock_rescan_remove();
		return found ? 0 : -ENODEV;
	}
	pdev = platform_device_alloc("iommucheck-device", index);
	if (!pdev)
		return -ENOMEM;
	d->dev = &pdev->dev;
	ret = platform_device_add(pdev);
	if (ret) {
		d->dev = NULL;
		platform_device_put(pdev);
	}
	return ret;
}

static void release_vfio(int index)
{
	if (!vfio[index])
		return;
	vfio_unregister_group_dev(vfio[index]);
	vfio_put_device(vfio[index]);
	vfio[index] = NULL;
}

void booted_remove(int index)
{
	struct fake_device *d = &fake_devices[index];

	release_vfio(index);
	if (is_pci(index)) {
		pci_lock_rescan_remove();
		pci_stop_and_remove_bus_device(to_pci_dev(d->dev));
		pci_unlock_rescan_remove();
	} else {
		platform_device_unregister(to_platform_device(d->dev));
	}
	d->dev = NULL;
	machine_unlist(index);
}

int booted_group_id(int index)
{
	struct device *dev = fake_devices[index].dev;

	return dev && dev->iommu_group ? iommu_group_id(dev->iommu_group) : -1;
}

/*
 * Kernels that have fwspec ops oops in iommu_release_device() for a device that has a fwspec and
 * was never probed. A case may die of it; the cleanup between cases must not.
 */
void booted_forget_firmware(int index)
{
#ifdef HARNESS_HAVE_FWSPEC_OPS
	struct device *dev = fake_devices[index].dev;

	if (dev->iommu && !dev->iommu->iommu_dev)
		free_dev_iommu(dev);
#endif
}

/* --- VFIO: devices need only be registered --- */

static const struct vfio_device_ops vfio_ops = {
	.name = "iommucheck",
#ifdef HARNESS_HAVE_VFIO_FREE_DEVICE
	.release = vfio_free_device,
#endif
};

struct fake_vfio {
	struct vfio_device vdev;
};

/* Skips a device that VFIO refuses: if all are refused, there is no /dev/vfio/N. */
void booted_bind(int group)
{
	for (int i = 0; i < fake_machine.devices_count; i++) {
		struct fake_vfio *v;

		if (vfio[i] || booted_group_id(i) != group)
			continue;
		v = vfio_alloc_device(fake_vfio, vdev, fake_devices[i].dev, &vfio_ops);
		if (IS_ERR(v))
			continue;
		if (vfio_register_group_dev(&v->vdev)) {
			vfio_put_device(&v->vdev);
			continue;
		}
		vfio[i] = &v->vdev;
		vfio_groups[i] = group;
	}
}

void booted_unbind(int group)
{
	for (int i = 0; i < fake_machine.devices_count; i++)
		if (vfio[i] && vfio_groups[i] == group)
			release_vfio(i);
}

/* --- start of the module --- */

int booted_init(void)
{
	/* Firmware code calls iommu_probe_device(), but it is not exported to modules. */
	struct kprobe where = { .symbol_name = "iommu_probe_device" };
	LIST_HEAD(resources);
	int ret = register_kprobe(&where);

	if (ret)
		return ret;
	probe_device_again = (void *)where.addr;
	unregister_kprobe(&where);

	ret = bus_register_notifier(&pci_bus_type, &pci_notifier);
	if (ret)
		return ret;
	pci_add_resource(&resources, &busn);
	pci_lock_rescan_remove();
	pci_root = pci_create_root_bus(NULL, 0, &config_ops, &sysdata, &resources);
	pci_unlock_rescan_remove();
	if (pci_root)
		return 0;
	bus_unregister_notifier(&pci_bus_type, &pci_notifier);
	return -ENOMEM;
}
