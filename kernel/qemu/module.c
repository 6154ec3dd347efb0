// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fake IOMMU drivers and fake devices for a kernel that has no IOMMU of its own. A case is told
 * through /dev/iommucheck, a line a write(), and the calls of the drivers are read from it. The
 * drivers are those of kernel/fake; the lines are those of src/conform/script.cc.
 *
 * One process uses it at a time, and calls of the core come from that process, so there is no lock.
 */
#include <linux/iommu.h>
#include <linux/kprobes.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/property.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>

#include "fake.h"

#define PCI_DOMAIN 0x10
#define PCI_BUS 1

static struct harness_machine told; /* so far; boot makes it fake_machine */
static int devfns[HARNESS_DEVICES];
static struct vfio_device *vfio[HARNESS_DEVICES];
static int vfio_groups[HARNESS_DEVICES]; /* that VFIO had the device in */
static bool vfio_held[HARNESS_DEVICES]; /* groups whose devices VFIO has */
static struct harness_op op; /* its faults alone */
static int faults_count;
static struct pci_bus *pci_root;
static int (*probe_device_again)(struct device *dev);
struct module *host_module = THIS_MODULE;

/* --- what a read() gives --- */

static char log_text[1 << 16];
static size_t log_length;

static __printf(1, 2) void note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_length += vscnprintf(log_text + log_length, sizeof(log_text) - log_length, format,
				 args);
	va_end(args);
}

static int id_of(u8 id)
{
	return id == HARNESS_NONE ? -1 : id;
}

static void note_call(const struct harness_call *call)
{
	const int domain = call->domain == HARNESS_NO_DOMAIN ? -1 : call->domain;

	switch (call->kind) {
	case HARNESS_PROBE:
		note("probe %d %d\n", call->device, call->instance);
		break;
	case HARNESS_ALLOC:
		note("alloc %d %d %d %d %d\n", domain, call->driver, id_of(call->table),
		     id_of(call->device), call->error);
		break;
	case HARNESS_ATTACH:
		note("attach %d %d %d\n", domain, call->device, call->error);
		break;
	case HARNESS_DETACH:
		note("detach %d %d\n", domain, call->device);
		break;
	case HARNESS_FREE:
		note("free %d\n", domain);
		break;
	case HARNESS_RELEASE:
		note("release %d\n", call->device);
		break;
	}
}

static void note_calls(void)
{
	u32 count, i;
	const struct harness_call *calls = calls_get(&count);

	for (i = 0; i < count; i++)
		note_call(&calls[i]);
	calls_clear();
}

/* --- what fake.h wants of its host --- */

int host_index(struct device *dev)
{
	int i;

	for (i = 0; i < fake_machine.devices_count; i++) {
		struct fake_device *d = &fake_devices[i];

		/* pci_scan_single_device() has it probed before it returns it. */
		if (!d->dev && d->present && dev_is_pci(dev) && to_pci_dev(dev)->bus == pci_root &&
		    to_pci_dev(dev)->devfn == devfns[i])
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

int host_describe(struct device *dev, u8 instance)
{
	struct fake_instance *i = &fake_instances[instance];
#ifdef HARNESS_HAVE_FWSPEC_OPS
	if (!i->registered)
		return -EPROBE_DEFER;
	/*
	 * iommu_fwspec_free() of these kernels puts the fwnode, whose reference iommu_fwspec_init()
	 * takes only if it is of a device tree.
	 */
	if (!dev_iommu_fwspec_get(dev))
		fwnode_handle_get(i->fwnode);
	return iommu_fwspec_init(dev, i->fwnode, i->iommu.ops);
#else
	return iommu_fwspec_init(dev, i->fwnode);
#endif
}

void host_undescribe(struct device *dev, bool had_iommu)
{
#ifndef HARNESS_HAVE_FWSPEC_OPS
	iommu_fwspec_free(dev);
#endif
}

int host_probe(struct device *dev)
{
	return probe_device_again(dev);
}

void host_releases(struct device *dev)
{
}

int host_attach_fails(const struct fake_domain *domain, u8 device)
{
	return 0;
}

/* No device walks these: what is mapped is not kept. */
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

unsigned long table_phys(const struct page_table *table, unsigned long iova)
{
	return 0;
}

/* --- fake devices --- */

/* A host bridge of ours, the way other host drivers make one, with functions that have no more than
 * a configuration header: no capabilities, so no isolation between the functions of a slot. */
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
		if (is_pci(i) && fake_devices[i].present && devfns[i] == devfn)
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

/* Before the core's own notifier, which probes: gives a function its alias, as a quirk would. */
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
			set_bit(devfns[fake_machine.devices[index].alias], mask);
		to_pci_dev(dev)->dma_alias_mask = mask;
	}
	return NOTIFY_OK;
}

static struct notifier_block pci_notifier = { .notifier_call = pci_notified, .priority = 1 };

static int add_device(int index)
{
	struct fake_device *d = &fake_devices[index];
	struct platform_device *pdev;
	int ret;

	machine_list(index);
	if (is_pci(index)) {
		struct pci_dev *found;

		pci_lock_rescan_remove();
		found = pci_scan_single_device(pci_root, devfns[index]);
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

static void remove_device(int index)
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

static int group_of(int index)
{
	struct device *dev = fake_devices[index].dev;

	return dev && dev->iommu_group ? iommu_group_id(dev->iommu_group) : -1;
}

/* --- VFIO: devices need no more than to be registered --- */

#ifdef HARNESS_HAVE_VFIO_FREE_DEVICE
static void vfio_released(struct vfio_device *vdev)
{
	vfio_free_device(vdev);
}
#endif

static const struct vfio_device_ops vfio_ops = {
	.name = "iommucheck",
#ifdef HARNESS_HAVE_VFIO_FREE_DEVICE
	.release = vfio_released,
#endif
};

struct fake_vfio {
	struct vfio_device vdev;
};

/* A device that VFIO refuses is left out: without any there is no /dev/vfio/N. */
static void bind_group(int group)
{
	int i;

	for (i = 0; i < fake_machine.devices_count; i++) {
		struct fake_vfio *v;

		if (vfio[i] || group_of(i) != group)
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

static void unbind_group(int group)
{
	int i;

	for (i = 0; i < fake_machine.devices_count; i++)
		if (vfio[i] && vfio_groups[i] == group)
			release_vfio(i);
}

/* After an op: nothing fails any more, and VFIO has the late comers of its groups, too. */
static void settle(void)
{
	int g;

	memset(&op, 0, sizeof(op));
	faults_count = 0;
	fake_begin_op(&op);
	for (g = 0; g < HARNESS_DEVICES; g++)
		if (vfio_held[g])
			bind_group(g);
}

/*
 * Kernels that have fwspec ops oops in iommu_release_device() for a device that has a fwspec and was
 * never probed. A case may die of it; the way from case to case must not.
 */
static void forget_firmware(struct device *dev)
{
#ifdef HARNESS_HAVE_FWSPEC_OPS
	if (dev->iommu && !dev->iommu->iommu_dev) {
		iommu_fwspec_free(dev);
		kfree(dev->iommu);
		dev->iommu = NULL;
	}
#endif
}

/* The machine of the case before goes, by the ways of the core. */
static void reset(void)
{
	int i;

	calls_record(false);
	memset(vfio_held, 0, sizeof(vfio_held));
	settle();
	for (i = 0; i < fake_machine.devices_count; i++)
		if (fake_devices[i].dev) {
			forget_firmware(fake_devices[i].dev);
			remove_device(i);
		}
	for (i = 0; i < fake_machine.instances_count; i++) {
		if (fake_instances[i].registered)
			fake_unregister(i);
		iommu_device_sysfs_remove(&fake_instances[i].iommu);
		if (fake_instances[i].fwnode)
			fwnode_remove_software_node(fake_instances[i].fwnode);
	}
#ifdef HARNESS_HAVE_BUS_OPS
	/* Those kernels never take a bus from its driver: each case is a boot of its own. */
	platform_bus_type.iommu_ops = NULL;
	pci_bus_type.iommu_ops = NULL;
#endif
	fake_forget_domains();
	memset(&told, 0, sizeof(told));
	fake_begin(&told);
	log_length = 0;
}

static int boot(void)
{
	int i, ret;

	fake_begin(&told);
	for (i = 0; i < told.instances_count; i++) {
		struct fake_instance *instance = &fake_instances[i];

		ret = iommu_device_sysfs_add(&instance->iommu, NULL, NULL, "iommucheck%d", i);
		if (ret)
			return ret;
		if (!told.instances[i].fwnode)
			continue;
		instance->fwnode = fwnode_create_software_node(NULL, NULL);
		if (IS_ERR(instance->fwnode))
			return PTR_ERR(instance->fwnode);
	}
	for (i = 0; i < told.devices_count; i++)
		if (!told.devices[i].absent) {
			ret = add_device(i);
			if (ret)
				return ret;
		}
	fake_begin_op(&op);
	calls_record(true);
	return 0;
}

static void report_end(void)
{
	int i;

	note_calls();
	for (i = 0; i < fake_machine.devices_count; i++) {
		struct iommu_domain *domain;

		if (group_of(i) < 0)
			continue;
		/* Freed ones are still there, so that the core may look at them. */
		domain = iommu_get_domain_for_dev(fake_devices[i].dev);
		note("group %d %d %d\n", i, group_of(i),
		     domain ? fake_domain_of(domain)->number : -1);
	}
	note("domains %d\n", fake_domains_count);
}

/* --- /dev/iommucheck --- */

#define IN_RANGE(i, count) ((i) >= 0 && (i) < (count))

static int add_driver(const int *v)
{
	if (told.drivers_count == HARNESS_DRIVERS || !IN_RANGE(v[0], HARNESS_DRIVERS) ||
	    !IN_RANGE(v[1], HARNESS_TABLES) || !IN_RANGE(v[2], HARNESS_TABLES))
		return -EINVAL;
	told.table_address[v[1]] = v[2];
	told.drivers[told.drivers_count++] = (struct harness_driver){
		.address = v[0],
		.table = v[1],
		.coherent = v[3],
		.default_domains = v[4],
		.same_instance = v[5],
		.refuses_foreign = v[6],
		.instance_groups = v[7],
		.accepts_foreign = v[8],
	};
	return 0;
}

static int add_instance(const int *v)
{
	if (told.instances_count == HARNESS_INSTANCES || !IN_RANGE(v[0], told.drivers_count) ||
	    !IN_RANGE(v[2], HARNESS_TABLES) || !IN_RANGE(v[3], HARNESS_TABLES))
		return -EINVAL;
	told.table_address[v[2]] = v[3];
	told.instances[told.instances_count++] = (struct harness_instance){
		.driver = v[0],
		.fwnode = v[1],
		.table = v[2],
		.enforces_coherency = v[4],
		.isolates_msi = true,
		.aperture_end = (1ULL << 48) - 1,
		.page_sizes = SZ_4K | SZ_2M,
	};
	return 0;
}

static int describe_device(const int *v)
{
	if (told.devices_count == HARNESS_DEVICES || v[3] >= HARNESS_DEVICES ||
	    v[5] >= told.instances_count || v[6] >= told.instances_count)
		return -EINVAL;
	devfns[told.devices_count] = v[1];
	/* HARNESS_NONE is -1 here. Functions that share a slot tell it by their devfn. */
	told.devices[told.devices_count++] = (struct harness_device){
		.bus = v[0] ? PCI_BUS : 0,
		.slot = v[2],
		.alias = v[3],
		.absent = !v[4],
		.masters = { v[5], v[6] },
	};
	return 0;
}

static int add_fault(u8 kind, const int *v)
{
	if (faults_count == HARNESS_FAULTS)
		return -EINVAL;
	op.faults[faults_count++] = (struct harness_fault){
		.kind = kind, .target = v[0], .count = v[1], .error = v[2],
	};
	return 0;
}

static int command(const char *word, const int *v)
{
	const bool instance = IN_RANGE(v[0], fake_machine.instances_count);
	const bool device = IN_RANGE(v[0], fake_machine.devices_count);

	if (!strcmp(word, "reset"))
		return reset(), 0;
	if (!strcmp(word, "driver"))
		return add_driver(v);
	if (!strcmp(word, "instance"))
		return add_instance(v);
	if (!strcmp(word, "device"))
		return describe_device(v);
	if (!strcmp(word, "boot"))
		return boot();
	if (!strcmp(word, "fail-attach"))
		return add_fault(HARNESS_FAIL_ATTACH, v);
	if (!strcmp(word, "fail-alloc"))
		return add_fault(HARNESS_FAIL_ALLOC, v);
	if (!strcmp(word, "fail-probe"))
		return add_fault(HARNESS_FAIL_PROBE, v);
	if (!strcmp(word, "register") && instance)
		return fake_register(v[0]);
	if (!strcmp(word, "unregister") && instance)
		return fake_unregister(v[0]), 0;
	if (!strcmp(word, "add") && device)
		return add_device(v[0]);
	if (!strcmp(word, "remove") && device)
		return remove_device(v[0]), 0;
	if (!strcmp(word, "configure") && device && fake_devices[v[0]].dev)
		return fake_configure(v[0]);
	if (!strcmp(word, "bind") && IN_RANGE(v[0], HARNESS_DEVICES))
		return vfio_held[v[0]] = true, bind_group(v[0]), 0;
	if (!strcmp(word, "unbind") && IN_RANGE(v[0], HARNESS_DEVICES))
		return vfio_held[v[0]] = false, unbind_group(v[0]), 0;
	if (!strcmp(word, "settle"))
		return settle(), 0;
	if (!strcmp(word, "end"))
		return report_end(), 0;
	return -ENOTTY;
}

static ssize_t fake_write(struct file *file, const char __user *text, size_t size, loff_t *at)
{
	char line[128], word[16];
	int v[9] = {};
	int ret;

	if (size >= sizeof(line))
		return -E2BIG;
	if (copy_from_user(line, text, size))
		return -EFAULT;
	line[size] = 0;
	if (sscanf(line, "%15s %d %d %d %d %d %d %d %d %d", word, &v[0], &v[1], &v[2], &v[3], &v[4],
		   &v[5], &v[6], &v[7], &v[8]) < 1)
		return -ENOTTY;
	ret = command(word, v);
	return ret ? ret : size;
}

/* Gives what was noted since the last read. */
static ssize_t fake_read(struct file *file, char __user *text, size_t size, loff_t *at)
{
	size_t length;

	note_calls();
	length = min(size, log_length);
	if (copy_to_user(text, log_text, length))
		return -EFAULT;
	log_length = 0;
	return length;
}

static const struct file_operations fake_fops = {
	.owner = THIS_MODULE,
	.read = fake_read,
	.write = fake_write,
};

static struct miscdevice fake_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "iommucheck",
	.fops = &fake_fops,
};

static int __init fake_init(void)
{
	/* iommu_probe_device() is not exported, and firmware code calls it. */
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
	if (!pci_root) {
		bus_unregister_notifier(&pci_bus_type, &pci_notifier);
		return -ENOMEM;
	}
	return misc_register(&fake_misc);
}

/* There is no way out: the machine is switched off when the cases are played. */
module_init(fake_init);
MODULE_DESCRIPTION("Fake IOMMU drivers and devices that play the cases of iommucheck");
MODULE_LICENSE("GPL");
