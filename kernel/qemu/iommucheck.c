// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fake IOMMU drivers and fake devices for a kernel that has no IOMMU of its own. What they are is
 * told through /dev/iommucheck, a line a write(); what the core makes of them is read from it.
 * The machine and the ops are those of a case file (docs/recording.md has the lines).
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

#define MAX_DRIVERS 8
#define MAX_TABLES 16
#define MAX_INSTANCES 16
#define MAX_DEVICES 64
#define MAX_FAULTS 2
#define MAX_MASTERS 2
#define EVERY_ATTACH 255
#define PCI_DOMAIN 0x10

struct fake_driver {
	int slot; /* of ops[], where its iommu_ops lie */
	int table; /* what the case calls it */
	int table_at; /* of tables[], where it lies */
	int coherent, default_domains, same_instance, refuses_foreign, instance_groups,
		accepts_foreign;
};

struct fake_instance {
	struct iommu_device iommu;
	int driver;
	int table, table_at; /* likewise */
	int enforces_coherency;
	struct fwnode_handle *fwnode;
	struct iommu_group *group;
	int registered; /* 0: not, else the earlier the smaller */
};

struct fake_domain {
	struct iommu_domain domain;
	struct list_head list;
	int number;
	int driver;
	int instance; /* bound by the first attach, -1: not yet */
	bool freed;
};

struct fake_device {
	bool pci;
	int devfn, multifunction, alias, present;
	int masters[MAX_MASTERS];
	struct device *dev;
	int instance; /* that probed it, -1: none */
	struct fake_domain *hw;
	struct vfio_device *vfio;
	int vfio_group;
};

struct fault {
	char kind; /* a: attach, d: domain allocation, p: probe */
	int target, count, error, hits;
};

static struct fake_driver drivers[MAX_DRIVERS];
static struct fake_instance instances[MAX_INSTANCES];
static struct fake_device devices[MAX_DEVICES];
static struct fault faults[MAX_FAULTS];
static int drivers_count, instances_count, devices_count, faults_count;
static int allocations; /* of the op */
static int numbered, live; /* domains of the case */
static int registrations;
static LIST_HEAD(domains); /* also freed ones, so that the core may look at them */
static bool vfio_held[MAX_DEVICES]; /* groups whose devices VFIO has */
static int driver_at[MAX_DRIVERS]; /* the driver whose iommu_ops lie in the slot */
static struct iommu_ops ops[MAX_DRIVERS];
static struct iommu_domain_ops tables[MAX_TABLES];
static struct pci_bus *pci_root;
static int (*probe_device_again)(struct device *dev);

/* --- what is told --- */

static char log_text[1 << 16];
static size_t log_length;
static bool recording;

static __printf(1, 2) void note(const char *format, ...)
{
	va_list args;

	if (!recording)
		return;
	va_start(args, format);
	log_length += vscnprintf(log_text + log_length, sizeof(log_text) - log_length, format,
				 args);
	va_end(args);
}

static struct fault *strike(char kind, int target)
{
	int i;

	for (i = 0; i < faults_count; i++) {
		struct fault *f = &faults[i];

		if (f->kind != kind || f->target != target)
			continue;
		if (kind == 'a' && f->count != EVERY_ATTACH && f->hits >= f->count)
			continue;
		f->hits++;
		return f;
	}
	return NULL;
}

/* --- the fake iommu_ops --- */

static int device_index(struct device *dev)
{
	int i;

	for (i = 0; i < devices_count; i++) {
		struct fake_device *d = &devices[i];

		if (d->dev == dev)
			return i;
		/* pci_scan_single_device() has it probed before it returns it. */
		if (d->pci && d->present && dev_is_pci(dev) && to_pci_dev(dev)->bus == pci_root &&
		    to_pci_dev(dev)->devfn == d->devfn)
			return i;
	}
	return -1;
}

static struct fake_domain *to_fake(struct iommu_domain *domain)
{
	return container_of(domain, struct fake_domain, domain);
}

static int fake_attach_dev(struct iommu_domain *domain, struct device *dev)
{
	struct fake_domain *d = to_fake(domain);
	int index = device_index(dev);
	struct fake_device *fake;
	struct fault *f;
	int ret = 0;

	if (WARN_ON(index < 0))
		return -ENODEV;
	fake = &devices[index];
	f = strike('a', index);
	if (f)
		ret = -f->error;
	else if (drivers[d->driver].same_instance && d->instance >= 0 &&
		 d->instance != fake->instance)
		ret = -EINVAL;
	else if (drivers[d->driver].refuses_foreign &&
		 (fake->instance < 0 || instances[fake->instance].driver != d->driver))
		ret = -EINVAL;
	note("attach %d %d %d\n", d->number, index, ret);
	if (ret)
		return ret;
	fake->hw = d;
	if (d->instance < 0)
		d->instance = fake->instance;
	return 0;
}

#ifdef HAVE_DETACH_DEV
static void fake_detach_dev(struct iommu_domain *domain, struct device *dev)
{
	int index = device_index(dev);

	if (WARN_ON(index < 0))
		return;
	note("detach %d %d\n", to_fake(domain)->number, index);
	devices[index].hw = NULL;
}
#endif

static int fake_map_pages(struct iommu_domain *domain, unsigned long iova, phys_addr_t paddr,
			  size_t pgsize, size_t pgcount, int prot, gfp_t gfp, size_t *mapped)
{
	*mapped = pgsize * pgcount;
	return 0;
}

static size_t fake_unmap_pages(struct iommu_domain *domain, unsigned long iova, size_t pgsize,
			       size_t pgcount, struct iommu_iotlb_gather *gather)
{
	return pgsize * pgcount;
}

static phys_addr_t fake_iova_to_phys(struct iommu_domain *domain, dma_addr_t iova)
{
	return 0;
}

static bool fake_enforce_cache_coherency(struct iommu_domain *domain)
{
	int i;

	for (i = 0; i < devices_count; i++)
		if (devices[i].hw == to_fake(domain) && devices[i].instance >= 0 &&
		    !instances[devices[i].instance].enforces_coherency)
			return false;
	return true;
}

static void fake_domain_free(struct iommu_domain *domain)
{
	struct fake_domain *d = to_fake(domain);

	note("free %d\n", d->number);
	d->freed = true;
	live--;
}

static struct iommu_domain *alloc_domain(int slot, struct device *dev)
{
	int driver = driver_at[slot];
	int index = dev ? device_index(dev) : -1;
	/* Without a device the core takes the driver's default_domain_ops. */
	struct fake_instance *i = index >= 0 && devices[index].instance >= 0 ?
					  &instances[devices[index].instance] :
					  NULL;
	int table = i ? i->table : drivers[driver].table;
	struct fake_domain *d;

	if (strike('d', ++allocations)) {
		note("alloc -1 %d %d %d %d\n", driver, table, index, -ENOMEM);
		return NULL;
	}
	d = kzalloc(sizeof(*d), GFP_KERNEL);
	if (!d)
		return NULL;
	d->number = numbered++;
	d->driver = driver;
	d->instance = -1;
	if (i)
		d->domain.ops = &tables[i->table_at];
	d->domain.pgsize_bitmap = SZ_4K | SZ_2M;
	d->domain.geometry.aperture_end = (1ULL << 48) - 1;
	d->domain.geometry.force_aperture = true;
	list_add_tail(&d->list, &domains);
	live++;
	note("alloc %d %d %d %d 0\n", d->number, driver, table, index);
	return &d->domain;
}

#ifndef HAVE_DOMAIN_ALLOC_PAGING
/* Most drivers have no blocking domains; then the core asks again, for an unmanaged one. */
static struct iommu_domain *alloc_domain_of_type(int slot, unsigned int type)
{
	if (type == IOMMU_DOMAIN_UNMANAGED ||
	    (type == IOMMU_DOMAIN_DMA && drivers[driver_at[slot]].default_domains))
		return alloc_domain(slot, NULL);
	return NULL;
}
#endif

static bool accepts(int index, int instance, int driver)
{
	struct fake_instance *i = &instances[instance];
	struct iommu_fwspec *fwspec = dev_iommu_fwspec_get(devices[index].dev);

	if (i->driver != driver || !i->registered)
		return false;
	return !i->fwnode || (fwspec && fwspec->iommu_fwnode == i->fwnode);
}

static int first_registered(int driver)
{
	int found = -1, i;

	for (i = 0; i < instances_count; i++)
		if (instances[i].driver == driver && instances[i].registered &&
		    (found < 0 || instances[i].registered < instances[found].registered))
			found = i;
	return found;
}

static struct iommu_device *probe(int slot, struct device *dev)
{
	int driver = driver_at[slot];
	int index = device_index(dev);
	int found = -1, m;
	struct fault *f;

	if (index < 0)
		return ERR_PTR(-ENODEV);
	devices[index].dev = dev;
	f = strike('p', index);
	if (f)
		return ERR_PTR(-f->error);
	for (m = 0; m < MAX_MASTERS && found < 0; m++)
		if (devices[index].masters[m] >= 0 &&
		    accepts(index, devices[index].masters[m], driver))
			found = devices[index].masters[m];
	if (found < 0 && drivers[driver].accepts_foreign)
		found = first_registered(driver);
	if (found < 0)
		return ERR_PTR(-ENODEV);
	devices[index].instance = found;
	note("probe %d %d\n", index, found);
	return &instances[found].iommu;
}

static void fake_release_device(struct device *dev)
{
	int index = device_index(dev);

	if (WARN_ON(index < 0))
		return;
	note("release %d\n", index);
	devices[index].instance = -1;
	devices[index].hw = NULL;
}

static struct iommu_group *fake_device_group(struct device *dev)
{
	struct fake_instance *i = &instances[devices[device_index(dev)].instance];

	if (drivers[i->driver].instance_groups) {
		if (!i->group) {
			struct iommu_group *group = iommu_group_alloc();

			if (IS_ERR(group))
				return group;
			i->group = group;
		}
		return iommu_group_ref_get(i->group);
	}
	return dev_is_pci(dev) ? pci_device_group(dev) : generic_device_group(dev);
}

static bool fake_capable(struct device *dev, enum iommu_cap cap)
{
	int index = device_index(dev);

	if (cap != IOMMU_CAP_CACHE_COHERENCY)
		return true;
	return index >= 0 && devices[index].instance >= 0 &&
	       drivers[instances[devices[index].instance].driver].coherent;
}

/* Callbacks without a device do not say which ops they were called by. */
#ifdef HAVE_DOMAIN_ALLOC_PAGING
#define ALLOC_OP(n)                                                                          \
	static struct iommu_domain *alloc_##n(struct device *dev)                             \
	{                                                                                      \
		return alloc_domain(n, dev);                                                   \
	}
#define SET_ALLOC_OP(n) ops[n].domain_alloc_paging = alloc_##n
#else
#define ALLOC_OP(n)                                                                          \
	static struct iommu_domain *alloc_##n(unsigned int type)                              \
	{                                                                                      \
		return alloc_domain_of_type(n, type);                                          \
	}
#define SET_ALLOC_OP(n) ops[n].domain_alloc = alloc_##n
#endif
#define SLOT_OPS(n)                                                                          \
	ALLOC_OP(n)                                                                            \
	static struct iommu_device *probe_##n(struct device *dev)                             \
	{                                                                                      \
		return probe(n, dev);                                                          \
	}
#define SET_SLOT_OPS(n) (SET_ALLOC_OP(n), ops[n].probe_device = probe_##n)
SLOT_OPS(0) SLOT_OPS(1) SLOT_OPS(2) SLOT_OPS(3) SLOT_OPS(4) SLOT_OPS(5) SLOT_OPS(6) SLOT_OPS(7)

static void init_ops(void)
{
	int i;

	for (i = 0; i < MAX_TABLES; i++)
		tables[i] = (struct iommu_domain_ops){
			.attach_dev = fake_attach_dev,
#ifdef HAVE_DETACH_DEV
			.detach_dev = fake_detach_dev,
#endif
			.map_pages = fake_map_pages,
			.unmap_pages = fake_unmap_pages,
			.iova_to_phys = fake_iova_to_phys,
			.enforce_cache_coherency = fake_enforce_cache_coherency,
			.free = fake_domain_free,
		};
	for (i = 0; i < MAX_DRIVERS; i++)
		ops[i] = (struct iommu_ops){
			.capable = fake_capable,
			.release_device = fake_release_device,
			.device_group = fake_device_group,
			.pgsize_bitmap = SZ_4K | SZ_2M,
			.owner = THIS_MODULE,
		};
	SET_SLOT_OPS(0), SET_SLOT_OPS(1), SET_SLOT_OPS(2), SET_SLOT_OPS(3);
	SET_SLOT_OPS(4), SET_SLOT_OPS(5), SET_SLOT_OPS(6), SET_SLOT_OPS(7);
}

/* --- fake devices --- */

/* A host bridge of ours, the way other host drivers make one, with functions that have no more than
 * a configuration header: no capabilities, so no isolation between the functions of a slot. */
static struct pci_sysdata sysdata = { .domain = PCI_DOMAIN, .node = NUMA_NO_NODE };
static struct resource busn = { .name = "iommucheck", .end = 0, .flags = IORESOURCE_BUS };

static int config_read(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 *value)
{
	u8 header[64] = { 0xf0, 0xff, 0x01, 0x00, [0x0b] = 0xff };
	const struct fake_device *found = NULL;
	int i;

	*value = ~0;
	for (i = 0; i < devices_count && !found; i++)
		if (devices[i].pci && devices[i].present && devices[i].devfn == devfn)
			found = &devices[i];
	if (!found)
		return PCIBIOS_DEVICE_NOT_FOUND;
	header[PCI_HEADER_TYPE] = found->multifunction ? 0x80 : 0;
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

	if (action != BUS_NOTIFY_ADD_DEVICE || to_pci_dev(dev)->bus != pci_root)
		return NOTIFY_DONE;
	index = device_index(dev);
	if (index < 0)
		return NOTIFY_DONE;
	devices[index].dev = dev;
	if (devices[index].alias >= 0) {
		unsigned long *mask = bitmap_zalloc(256, GFP_KERNEL);

		if (mask)
			set_bit(devices[devices[index].alias].devfn, mask);
		to_pci_dev(dev)->dma_alias_mask = mask;
	}
	return NOTIFY_OK;
}

static struct notifier_block pci_notifier = { .notifier_call = pci_notified, .priority = 1 };

static int add_device(int index)
{
	struct fake_device *d = &devices[index];
	struct platform_device *pdev;
	int ret;

	d->present = 1;
	if (d->pci) {
		struct pci_dev *found;

		pci_lock_rescan_remove();
		found = pci_scan_single_device(pci_root, d->devfn);
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

static void release_vfio(struct fake_device *d)
{
	if (!d->vfio)
		return;
	vfio_unregister_group_dev(d->vfio);
	vfio_put_device(d->vfio);
	d->vfio = NULL;
}

static void remove_device(int index)
{
	struct fake_device *d = &devices[index];

	release_vfio(d);
	if (d->pci) {
		pci_lock_rescan_remove();
		pci_stop_and_remove_bus_device(to_pci_dev(d->dev));
		pci_unlock_rescan_remove();
	} else {
		platform_device_unregister(to_platform_device(d->dev));
	}
	d->dev = NULL;
	d->present = 0;
}

static int group_of(struct fake_device *d)
{
	struct iommu_group *group = d->dev ? iommu_group_get(d->dev) : NULL;
	int id = -1;

	if (group) {
		id = iommu_group_id(group);
		iommu_group_put(group);
	}
	return id;
}

/* --- VFIO: devices need no more than to be registered --- */

#ifdef HAVE_VFIO_FREE_DEVICE
static void vfio_released(struct vfio_device *vdev)
{
	vfio_free_device(vdev);
}
#endif

static const struct vfio_device_ops vfio_ops = {
	.name = "iommucheck",
#ifdef HAVE_VFIO_FREE_DEVICE
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

	for (i = 0; i < devices_count; i++) {
		struct fake_device *d = &devices[i];
		struct fake_vfio *v;

		if (d->vfio || group_of(d) != group)
			continue;
		v = vfio_alloc_device(fake_vfio, vdev, d->dev, &vfio_ops);
		if (IS_ERR(v))
			continue;
		if (vfio_register_group_dev(&v->vdev)) {
			vfio_put_device(&v->vdev);
			continue;
		}
		d->vfio = &v->vdev;
		d->vfio_group = group;
	}
}

static void unbind_group(int group)
{
	int i;

	for (i = 0; i < devices_count; i++)
		if (devices[i].vfio && devices[i].vfio_group == group)
			release_vfio(&devices[i]);
}

/* --- ops --- */

static int register_instance(int index)
{
	struct fake_instance *i = &instances[index];
	int slot = drivers[i->driver].slot;
	int ret;

	driver_at[slot] = i->driver;
	ops[slot].default_domain_ops = &tables[drivers[i->driver].table_at];
	i->iommu.fwnode = i->fwnode;
	i->registered = ++registrations;
	ret = iommu_device_register(&i->iommu, &ops[slot], NULL);
	if (ret) {
		i->registered = 0;
		iommu_group_put(i->group);
		i->group = NULL;
	}
	return ret;
}

static void unregister_instance(int index)
{
	struct fake_instance *i = &instances[index];

	iommu_device_unregister(&i->iommu);
	i->registered = 0;
	iommu_group_put(i->group);
	i->group = NULL;
}

/* What firmware code does when a driver binds (of_iommu_configure(), acpi_iommu_configure_id()). */
static int apply_firmware(struct fake_device *d)
{
	int m, ret;

	if (dev_iommu_fwspec_get(d->dev))
		return 0;
	for (m = 0; m < MAX_MASTERS; m++) {
		struct fake_instance *i = d->masters[m] < 0 ? NULL : &instances[d->masters[m]];

		if (!i || !i->fwnode)
			continue;
#ifdef FWSPEC_INIT_TAKES_OPS
		if (!i->registered)
			return -EPROBE_DEFER;
		/*
		 * iommu_fwspec_free() of these kernels puts the fwnode, whose reference
		 * iommu_fwspec_init() takes only if it is of a device tree.
		 */
		if (!dev_iommu_fwspec_get(d->dev))
			fwnode_handle_get(i->fwnode);
		ret = iommu_fwspec_init(d->dev, i->fwnode, i->iommu.ops);
		if (ret)
			return ret;
#else
		ret = iommu_fwspec_init(d->dev, i->fwnode);
		if (ret) {
			iommu_fwspec_free(d->dev);
			return ret;
		}
#endif
	}
	return 0;
}

static int configure_device(int index)
{
	struct fake_device *d = &devices[index];
	int ret = apply_firmware(d);

	if (ret || group_of(d) >= 0)
		return ret;
	return probe_device_again(d->dev);
}

/*
 * Kernels that have fwspec ops oops in iommu_release_device() for a device that has a fwspec and was
 * never probed. A case may die of it; the way from case to case must not.
 */
static void forget_firmware(struct device *dev)
{
#ifdef FWSPEC_INIT_TAKES_OPS
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
	struct fake_domain *d, *next;
	int i;

	recording = false;
	faults_count = 0;
	for (i = 0; i < devices_count; i++)
		if (devices[i].dev) {
			forget_firmware(devices[i].dev);
			remove_device(i);
		}
	for (i = 0; i < instances_count; i++) {
		struct fake_instance *instance = &instances[i];

		if (instance->registered)
			unregister_instance(i);
		iommu_device_sysfs_remove(&instance->iommu);
		if (instance->fwnode)
			fwnode_remove_software_node(instance->fwnode);
	}
#ifdef HAVE_BUS_IOMMU_OPS
	/* Those kernels never take a bus from its driver: each case is a boot of its own. */
	platform_bus_type.iommu_ops = NULL;
	pci_bus_type.iommu_ops = NULL;
#endif
	list_for_each_entry_safe(d, next, &domains, list) {
		list_del(&d->list);
		kfree(d);
	}
	drivers_count = instances_count = devices_count = 0;
	allocations = numbered = live = 0;
	log_length = 0;
	memset(instances, 0, sizeof(instances));
	memset(devices, 0, sizeof(devices));
	memset(vfio_held, 0, sizeof(vfio_held));
}

static int boot(void)
{
	int i, ret;

	for (i = 0; i < instances_count; i++) {
		struct fake_instance *instance = &instances[i];

		ret = iommu_device_sysfs_add(&instance->iommu, NULL, NULL, "iommucheck%d", i);
		if (ret)
			return ret;
		if (instance->fwnode) /* so far: that it has one */
			instance->fwnode = fwnode_create_software_node(NULL, NULL);
		if (IS_ERR(instance->fwnode))
			return PTR_ERR(instance->fwnode);
	}
	for (i = 0; i < devices_count; i++)
		if (devices[i].present) {
			ret = add_device(i);
			if (ret)
				return ret;
		}
	recording = true;
	return 0;
}

/* After an op: VFIO has the late comers of its groups, too. */
static void settle(void)
{
	int g;

	faults_count = 0;
	allocations = 0;
	for (g = 0; g < MAX_DEVICES; g++)
		if (vfio_held[g])
			bind_group(g);
}

static void report_end(void)
{
	int i;

	for (i = 0; i < devices_count; i++) {
		struct iommu_domain *domain;
		struct fake_domain *d;
		int number = -1;

		if (group_of(&devices[i]) < 0)
			continue;
		domain = iommu_get_domain_for_dev(devices[i].dev);
		list_for_each_entry(d, &domains, list)
			if (&d->domain == domain)
				number = d->number;
		note("group %d %d %d\n", i, group_of(&devices[i]), number);
	}
	note("domains %d\n", live);
}

/* --- /dev/iommucheck --- */

#define IN_RANGE(i, count) ((i) >= 0 && (i) < (count))

static int add_driver(const int *v)
{
	if (drivers_count == MAX_DRIVERS || !IN_RANGE(v[0], MAX_DRIVERS) ||
	    !IN_RANGE(v[1], MAX_TABLES) || !IN_RANGE(v[2], MAX_TABLES))
		return -EINVAL;
	drivers[drivers_count++] = (struct fake_driver){
		.slot = v[0], .table = v[1], .table_at = v[2], .coherent = v[3], .default_domains = v[4],
		.same_instance = v[5], .refuses_foreign = v[6], .instance_groups = v[7],
		.accepts_foreign = v[8],
	};
	return 0;
}

static int add_instance(const int *v)
{
	struct fake_instance *i = &instances[instances_count];

	if (instances_count == MAX_INSTANCES || !IN_RANGE(v[0], drivers_count) ||
	    !IN_RANGE(v[2], MAX_TABLES) || !IN_RANGE(v[3], MAX_TABLES))
		return -EINVAL;
	i->driver = v[0];
	i->fwnode = v[1] ? ERR_PTR(-ENOENT) : NULL;
	i->table = v[2];
	i->table_at = v[3];
	i->enforces_coherency = v[4];
	instances_count++;
	return 0;
}

static int describe_device(const int *v)
{
	struct fake_device *d = &devices[devices_count];

	if (devices_count == MAX_DEVICES || v[3] >= MAX_DEVICES || v[5] >= instances_count ||
	    v[6] >= instances_count)
		return -EINVAL;
	*d = (struct fake_device){
		.pci = v[0], .devfn = v[1], .multifunction = v[2], .alias = v[3], .present = v[4],
		.masters = { v[5], v[6] }, .instance = -1,
	};
	devices_count++;
	return 0;
}

static int add_fault(char kind, const int *v)
{
	if (faults_count == MAX_FAULTS)
		return -EINVAL;
	faults[faults_count++] = (struct fault){
		.kind = kind, .target = v[0], .count = v[1], .error = v[2],
	};
	return 0;
}

static int command(const char *word, const int *v)
{
	bool instance = IN_RANGE(v[0], instances_count);
	bool device = IN_RANGE(v[0], devices_count);

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
		return add_fault('a', v);
	if (!strcmp(word, "fail-alloc"))
		return add_fault('d', v);
	if (!strcmp(word, "fail-probe"))
		return add_fault('p', v);
	if (!strcmp(word, "register") && instance)
		return register_instance(v[0]);
	if (!strcmp(word, "unregister") && instance)
		return unregister_instance(v[0]), 0;
	if (!strcmp(word, "add") && device)
		return add_device(v[0]);
	if (!strcmp(word, "remove") && device)
		return remove_device(v[0]), 0;
	if (!strcmp(word, "configure") && device && devices[v[0]].dev)
		return configure_device(v[0]);
	if (!strcmp(word, "bind") && IN_RANGE(v[0], MAX_DEVICES))
		return vfio_held[v[0]] = true, bind_group(v[0]), 0;
	if (!strcmp(word, "unbind") && IN_RANGE(v[0], MAX_DEVICES))
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
	size_t length = min(size, log_length);

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

	init_ops();
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
