// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fake IOMMU drivers, instances and devices; the ops of a case on them, by the kernel's own entry
 * points; and what the kernel asks of the drivers, written down.
 */
#include "harness.h"

#include <linux/iommu.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/vfio.h>

#include "drivers/vfio/vfio.h"
#include "internal.h"
#include "memory.h"
#include "tree.h"
#ifdef HARNESS_HAVE_IOMMU_PRIV
#include "drivers/iommu/iommu-priv.h"
#endif

#ifdef HARNESS_HAVE_AMBA
extern struct bus_type amba_bustype;
#endif
#ifdef HARNESS_HAVE_FSL_MC
extern struct bus_type fsl_mc_bus_type;
#endif
#ifdef HARNESS_HAVE_HOST1X
extern struct bus_type host1x_context_device_bus_type;
#endif
#ifdef HARNESS_HAVE_CDX
extern struct bus_type cdx_bus_type;
#endif

struct fake_instance {
	struct iommu_device iommu;
	struct device hwdev;
	struct fwnode_handle fwnode;
	struct iommu_group *group; /* shared out, where the kernel does not hold it for the driver */
	bool registered;
};

struct fake_device {
	struct pci_dev pci; /* of other buses, too; only .dev is theirs */
	unsigned long aliases[BITS_TO_LONGS(256)];
	struct fake_domain *hw;
	u8 instance;
	bool present;
	bool attached; /* since it was probed: nothing is deferred any more */
};

struct fake_domain {
	struct iommu_domain domain;
	struct fake_domain *next;
	u16 number;
	u8 driver;
	u8 instance; /* bound to it by the first attach */
	bool coherent; /* enforce_cache_coherency() said yes */
	struct page_table *table;
	DECLARE_BITMAP(accepted, HARNESS_DEVICES); /* devices that have been on it */
};

/* The group layer's part of a group that is in a container. */
struct fake_group {
	struct vfio_group vfio;
	struct fake_group *next;
	int id;
	int container;
};

static struct harness_machine machine;
static struct fake_instance instances[HARNESS_INSTANCES];
static struct fake_device devices[HARNESS_DEVICES];
static struct vfio_container *containers[HARNESS_CONTAINERS];
static struct fake_group *groups;
static struct fake_domain *domains;
#if !__has_feature(address_sanitizer)
static struct fake_domain *freed;
#endif
static struct pci_bus root_bus;

/* The drivers' ops, by address: a driver that comes to a freed address finds another's there. */
static struct iommu_ops ops[HARNESS_DRIVERS];
static struct iommu_domain_ops tables[HARNESS_TABLES];
static u8 loaded[HARNESS_DRIVERS]; /* the driver at an address */

static const struct harness_op *op;
static u8 fault_hits[HARNESS_FAULTS];
static u32 op_calls; /* those before the op */
static unsigned int allocations; /* of the op */
static unsigned int mallocs;
static unsigned int maps;
static unsigned int pins;
static unsigned int attaches;
static struct {
	struct fake_domain *domain;
	unsigned long end;
	size_t pgsize;
} core_map; /* the last chunk that the core mapped by itself in the op */
static u16 held_pins; /* after the op before */
static u16 held_locked;
static u16 domain_numbers;
static int live_domains;

static struct harness_call *calls;
static u32 calls_count;
static u32 calls_room;
static struct harness_warn warns[HARNESS_WARNS];
static u32 warns_count;
static int warns_total;
static int objects_at_rest;
static int references_at_rest[HARNESS_REFERENCES];
static bool tearing_down;
static bool finished;

static const void *const buses[HARNESS_BUSES] = {
	&platform_bus_type,
	&pci_bus_type,
#ifdef HARNESS_HAVE_AMBA
	[2] = &amba_bustype,
#endif
#ifdef HARNESS_HAVE_FSL_MC
	[3] = &fsl_mc_bus_type,
#endif
#ifdef HARNESS_HAVE_HOST1X
	[4] = &host1x_context_device_bus_type,
#endif
#ifdef HARNESS_HAVE_CDX
	[5] = &cdx_bus_type,
#endif
};

/* --- what is written down --- */

static struct harness_call *record(u8 kind)
{
	struct harness_call *call;

	if (calls_count == calls_room) {
		calls_room = calls_room ? 2 * calls_room : 1024;
		calls = host_grow(calls, calls_room * sizeof(*calls));
	}
	call = &calls[calls_count];
	/* What the teardown does is nobody's trace. */
	if (!tearing_down)
		calls_count++;
	*call = (struct harness_call){
		.kind = kind,
		.driver = HARNESS_NONE,
		.table = HARNESS_NONE,
		.instance = HARNESS_NONE,
		.device = HARNESS_NONE,
		.domain = HARNESS_NO_DOMAIN,
		.device_driver = HARNESS_NONE,
	};
	return call;
}

/* Chunks of one iommu_map() or iommu_unmap() are one call, and so is what goes on where it ended. */
static void record_pages(u8 kind, u16 domain, unsigned long iova, unsigned long size)
{
	const u8 first = (iova - HARNESS_PAGE_0) >> PAGE_SHIFT;
	struct harness_call *call = calls_count > op_calls ? &calls[calls_count - 1] : NULL;

	if (!machine.paged || !size || iova < HARNESS_PAGE_0)
		return;
	if (!call || tearing_down || call->kind != kind || call->domain != domain ||
	    call->first + call->count != first) {
		call = record(kind);
		call->domain = domain;
		call->first = first;
	}
	call->count += size >> PAGE_SHIFT;
}

/* What user space holds: its pages that are pinned, and those that are accounted to it. */
static void record_held(void)
{
	const u16 pinned = memory_pins();
	const u16 locked = current->mm->locked_vm;
	struct harness_call *call;

	if (!machine.paged || (pinned == held_pins && locked == held_locked))
		return;
	call = record(HARNESS_HELD);
	call->pins = held_pins = pinned;
	call->locked = held_locked = locked;
}

void harness_warned(const char *function, const char *file, int line)
{
	u32 i;

	if (tearing_down)
		return;
	warns_total++;
	for (i = 0; i < warns_count; i++)
		if (warns[i].file == file && warns[i].line == line) {
			warns[i].count++;
			return;
		}
	if (warns_count < HARNESS_WARNS)
		warns[warns_count++] = (struct harness_warn){ function, file, line, 1 };
}

/* The errno that the op's faults give to this call, or 0. */
static int inject(u8 kind, u8 target)
{
	int i;

	for (i = 0; op && i < HARNESS_FAULTS; i++) {
		const struct harness_fault *fault = &op->faults[i];

		if (fault->kind != kind || fault->target != target)
			continue;
		if (kind == HARNESS_FAIL_ATTACH && fault->count != 255 &&
		    fault_hits[i] >= fault->count)
			continue;
		fault_hits[i]++;
		return -fault->error;
	}
	return 0;
}

/* The n-th call of its kind in the op. Those behind the 255th do not fail. */
static int inject_nth(u8 kind, unsigned int *count)
{
	return inject(kind, *count < 255 ? ++*count : 0);
}

int harness_malloc_fails(const char *function)
{
	/* Without memory it unmaps the slow way, to the same effect. */
	return strcmp(function, "unmap_unpin_fast") && inject_nth(HARNESS_FAIL_MALLOC, &mallocs);
}
int harness_map_fails(void)
{
	return inject_nth(HARNESS_FAIL_MAP, &maps);
}
int harness_pin_fails(void)
{
	return inject_nth(HARNESS_FAIL_PIN, &pins);
}

/* --- fake drivers --- */

static struct fake_device *to_fake(struct device *dev)
{
	return container_of(dev, struct fake_device, pci.dev);
}
static u8 index_of(struct device *dev)
{
	return to_fake(dev) - devices;
}
static u8 driver_of(const struct fake_device *dev)
{
	return dev->instance == HARNESS_NONE ? HARNESS_NONE :
					       machine.instances[dev->instance].driver;
}

/* What the model knows of a domain that no device has been attached to. */
static void shape_as_unbound(struct iommu_domain *domain)
{
	domain->pgsize_bitmap = PAGE_SIZE;
	domain->geometry.aperture_start = HARNESS_PAGE_0;
}

static void shape_as_bound(struct iommu_domain *domain, const struct harness_instance *instance)
{
	domain->pgsize_bitmap = (unsigned long)instance->page_sizes << PAGE_SHIFT;
	domain->geometry.aperture_start = HARNESS_PAGE_0 + instance->aperture_first * PAGE_SIZE;
	domain->geometry.aperture_end =
		HARNESS_PAGE_0 + instance->aperture_last * PAGE_SIZE + (PAGE_SIZE - 1);
}

static struct iommu_domain *alloc(u8 driver, struct device *dev)
{
	u8 table = machine.drivers[driver].table;
	struct harness_call *call = record(HARNESS_ALLOC);
	struct fake_domain *domain;

	if (dev)
		table = machine.instances[to_fake(dev)->instance].table;
	call->driver = driver;
	call->table = table;
#ifdef HARNESS_HAVE_ALLOC_PAGING
	/* For an identity domain: the core names no device, and the instance may have its own. */
	if (!dev)
		call->table = HARNESS_NONE;
#endif
	call->device = dev ? index_of(dev) : HARNESS_NONE;
	if (inject(HARNESS_FAIL_ALLOC, ++allocations)) {
		call->error = -ENOMEM;
		return NULL;
	}
	domain = host_alloc(sizeof(*domain));
	domain->domain.ops = &tables[machine.table_address[table]];
	domain->domain.geometry.aperture_end = ~(dma_addr_t)0;
	if (machine.paged)
		shape_as_unbound(&domain->domain);
	else
		ioctl_shape_domain(&domain->domain, driver);
	domain->table = table_new();
	domain->domain.geometry.force_aperture = true;
	domain->driver = driver;
	domain->instance = HARNESS_NONE;
	domain->number = domain_numbers++;
	domain->next = domains;
	domains = domain;
	live_domains++;
	call->domain = domain->number;
	return &domain->domain;
}

/* What its user maps: pages of VFIO's, that must be pinned. Others map what the core wants. */
static bool owned(const struct iommu_domain *domain)
{
	return domain->type == IOMMU_DOMAIN_UNMANAGED;
}

static struct fake_domain *to_domain(struct iommu_domain *domain)
{
	return container_of(domain, struct fake_domain, domain);
}

/* The driver's one identity domain, which was never allocated. */
static bool is_static(const struct fake_domain *domain)
{
	return domain->number == HARNESS_NO_DOMAIN;
}

static void free_domain(struct iommu_domain *domain)
{
	struct fake_domain *fake = to_domain(domain);
	struct fake_domain **link = &domains;

	record(HARNESS_FREE)->domain = fake->number;
	while (*link != fake)
		link = &(*link)->next;
	*link = fake->next;
	live_domains--;
	table_free(fake->table, owned(domain));
	fake->table = NULL;
#if __has_feature(address_sanitizer)
	kfree(fake);
#else
	/*
	 * To 6.1 a group may go on pointing here. Until the case ends nothing else comes to lie at
	 * the address, so that the trace does not depend on the allocator.
	 */
	fake->next = freed;
	freed = fake;
#endif
}

/* What attach_dev() finds incompatible. */
static int check_compatible(const struct fake_domain *domain, const struct fake_device *device)
{
	const struct harness_driver *driver = &machine.drivers[domain->driver];

	if (driver->checks_snoop && domain->coherent &&
	    !machine.instances[device->instance].enforces_coherency)
		return -EINVAL;
	if ((driver->same_instance && domain->instance != HARNESS_NONE &&
	     domain->instance != device->instance) ||
	    (driver->refuses_foreign && domain->driver != driver_of(device)))
		return driver->mismatch_errno ? -driver->mismatch_errno : -EINVAL;
	return 0;
}

static int attach_dev(struct iommu_domain *domain, struct device *dev)
{
	struct fake_domain *fake = to_domain(domain);
	struct fake_device *device = to_fake(dev);
	struct harness_call *call = record(HARNESS_ATTACH);
	int ret = inject(HARNESS_FAIL_ATTACH, index_of(dev));

	if (!ret)
		ret = inject_nth(HARNESS_FAIL_ATTACH_CALL, &attaches);
	/*
	 * A driver takes a device back to where it was, and never fails a device's first attach:
	 * the core relies on both.
	 */
	if (!ret && device->hw && !test_bit(index_of(dev), fake->accepted))
		ret = ioctl_fail_attach(!owned(domain));
	if (!ret)
		ret = check_compatible(fake, device);
	call->domain = fake->number;
	call->driver = fake->driver;
	call->device = index_of(dev);
	call->device_driver = driver_of(device);
	call->error = ret;
	if (ret) {
		if (machine.drivers[fake->driver].drops_old)
			device->hw = NULL;
		return ret;
	}
	device->hw = fake;
	device->attached = true;
	__set_bit(index_of(dev), fake->accepted);
	if (fake->instance != HARNESS_NONE || is_static(fake))
		return 0;
	fake->instance = device->instance;
	if (machine.paged)
		shape_as_bound(domain, &machine.instances[device->instance]);
	return 0;
}

#ifdef HARNESS_HAVE_DETACH_DEV
static void detach_dev(struct iommu_domain *domain, struct device *dev)
{
	struct harness_call *call = record(HARNESS_DETACH);

	call->domain = to_domain(domain)->number;
	call->device = index_of(dev);
	to_fake(dev)->hw = NULL;
}
#endif

/*
 * Whether an iommu_map() by the core fails: asked of its first chunk. One goes on where the last
 * ended, with pages of another size. Type1's are asked where type1 calls it.
 */
static int core_map_fails(struct fake_domain *domain, unsigned long iova, size_t pgsize,
			  size_t count)
{
	const bool goes_on = domain == core_map.domain && iova == core_map.end &&
			     pgsize != core_map.pgsize;
	const int ret = goes_on ? 0 : harness_map_fails();

	core_map.domain = ret ? NULL : domain;
	core_map.end = iova + pgsize * count;
	core_map.pgsize = pgsize;
	return ret;
}

static int map_pages(struct iommu_domain *domain, unsigned long iova, phys_addr_t paddr,
		     size_t pgsize, size_t pgcount, int prot, gfp_t gfp, size_t *mapped)
{
	struct fake_domain *fake = to_domain(domain);
	size_t at;
	int ret = 0;

	*mapped = 0;
	if (machine.paged) {
		if (!owned(domain))
			ret = core_map_fails(fake, iova, pgsize, pgcount);
		if (ret)
			return ret;
		/* What is mapped already is replaced. */
		for (at = 0; at < pgsize * pgcount; at += PAGE_SIZE)
			table_unmap(fake->table, iova + at, PAGE_SIZE, owned(domain), true);
	}
	ret = table_map(fake->table, iova, paddr, pgsize, pgcount, owned(domain), mapped);
	record_pages(HARNESS_MAPPED, fake->number, iova, *mapped);
	return ret;
}
static size_t unmap_pages(struct iommu_domain *domain, unsigned long iova, size_t pgsize,
			  size_t pgcount, struct iommu_iotlb_gather *gather)
{
	struct fake_domain *fake = to_domain(domain);
	const size_t done = table_unmap(fake->table, iova, pgsize * pgcount, owned(domain),
					ioctl_splits_pages());

	record_pages(HARNESS_UNMAPPED, fake->number, iova, done);
	return done;
}
static phys_addr_t iova_to_phys(struct iommu_domain *domain, dma_addr_t iova)
{
	return table_phys(to_domain(domain)->table, iova);
}
#ifdef HARNESS_HAVE_ENABLE_NESTING
static int enable_nesting(struct iommu_domain *domain)
{
	return !machine.paged || machine.drivers[to_domain(domain)->driver].nesting ? 0 : -EINVAL;
}
#endif

void harness_unmap_all(struct iommu_domain *domain)
{
	struct page_table **table = &to_domain(domain)->table;

	table_free(*table, false);
	*table = table_new();
}

unsigned long harness_mapped(struct iommu_domain *domain)
{
	return table_bytes(to_domain(domain)->table);
}

/* Every device that is on the domain must be behind an instance that can. */
static bool enforce_cache_coherency(struct iommu_domain *domain)
{
	int i;

	for (i = 0; i < machine.devices_count; i++)
		if (devices[i].hw == to_domain(domain) && devices[i].instance != HARNESS_NONE &&
		    !machine.instances[devices[i].instance].enforces_coherency)
			return false;
	to_domain(domain)->coherent = true;
	return true;
}

int iommu_get_msi_cookie(struct iommu_domain *domain, dma_addr_t base)
{
	if (machine.paged)
		record(HARNESS_COOKIE)->domain = to_domain(domain)->number;
	return 0;
}

static void resv_regions(struct device *dev, struct list_head *list)
{
	static const enum iommu_resv_type types[] = {
		[HARNESS_DIRECT] = IOMMU_RESV_DIRECT,
		[HARNESS_DIRECT_RELAXABLE] = IOMMU_RESV_DIRECT_RELAXABLE,
		[HARNESS_RESERVED] = IOMMU_RESV_RESERVED,
		[HARNESS_MSI] = IOMMU_RESV_MSI,
		[HARNESS_SW_MSI] = IOMMU_RESV_SW_MSI,
	};
	int i;

	if (!machine.paged) {
		ioctl_resv_regions(dev, list);
		return;
	}
	for (i = 0; i < HARNESS_REGIONS; i++) {
		const struct harness_region *region = &machine.devices[index_of(dev)].regions[i];

		if (region->type != HARNESS_NO_REGION)
			list_add_tail(&iommu_alloc_resv_region(
					       HARNESS_PAGE_0 + region->first * PAGE_SIZE,
					       (region->last - region->first + 1) * PAGE_SIZE,
					       IOMMU_READ | IOMMU_WRITE, types[region->type],
					       GFP_KERNEL)->list,
				      list);
	}
}

static int def_domain_type(struct device *dev)
{
	static const int types[] = { 0, IOMMU_DOMAIN_IDENTITY, IOMMU_DOMAIN_DMA };

	return machine.paged ? types[machine.devices[index_of(dev)].default_type] : 0;
}

static bool attach_deferred(struct device *dev)
{
	if (!machine.paged)
		return ioctl_attach_deferred(dev);
	return machine.drivers[driver_of(to_fake(dev))].deferred && !to_fake(dev)->attached;
}

#ifdef HARNESS_HAVE_PASID
static int set_dev_pasid(struct iommu_domain *domain, struct device *dev)
{
	return op && op->a == index_of(dev) ? inject(HARNESS_FAIL_ATTACH, op->a) : 0;
}
static void remove_dev_pasid(void)
{
}
#endif

/* Firmware put the device behind the instance, and the driver can see it. */
static bool accepts(struct device *dev, u8 instance, u8 driver)
{
	struct iommu_fwspec *fwspec = dev_iommu_fwspec_get(dev);

	if (machine.instances[instance].driver != driver || !instances[instance].registered)
		return false;
	return !machine.instances[instance].fwnode ||
	       (fwspec && fwspec->iommu_fwnode == &instances[instance].fwnode);
}

static u8 find_instance(struct device *dev, u8 driver)
{
	const struct harness_device *device = &machine.devices[index_of(dev)];
	struct iommu_device *first = NULL;
	int i;

	for (i = 0; i < HARNESS_MASTERS; i++)
		if (device->masters[i] != HARNESS_NONE && accepts(dev, device->masters[i], driver))
			return device->masters[i];
	if (!machine.drivers[driver].accepts_foreign)
		return HARNESS_NONE;
	first = core_first_instance(&ops[machine.drivers[driver].address]);
	return first ? container_of(first, struct fake_instance, iommu) - instances : HARNESS_NONE;
}

static struct iommu_device *probe_device(u8 driver, struct device *dev)
{
	int ret = inject(HARNESS_FAIL_PROBE, index_of(dev));
	struct harness_call *call;
	u8 instance;

	if (ret)
		return ERR_PTR(ret);
	instance = find_instance(dev, driver);
	if (instance == HARNESS_NONE)
		return ERR_PTR(-ENODEV);
	to_fake(dev)->instance = instance;
	call = record(HARNESS_PROBE);
	call->device = index_of(dev);
	call->instance = instance;
	return &instances[instance].iommu;
}

static int count_devices(const struct iommu_group *group)
{
	int count = 0;
	int i;

	for (i = 0; i < machine.devices_count; i++)
		count += devices[i].pci.dev.iommu_group == group;
	return count;
}

static void release_device(struct device *dev)
{
	record(HARNESS_RELEASE)->device = index_of(dev);
	if (count_devices(dev->iommu_group) == 1)
		core_forget_pasids(dev->iommu_group);
	to_fake(dev)->hw = NULL;
	to_fake(dev)->attached = false;
	to_fake(dev)->instance = HARNESS_NONE;
}

/* The devices that are there, in the order in which they came. */
static u8 listed[HARNESS_DEVICES];
static int listed_count;

/* As drivers that know who sends a stream id: the group of the first device with the same. */
static struct iommu_group *stream_group(struct device *dev)
{
	const struct harness_device *device = &machine.devices[index_of(dev)];
	int at;

	for (at = 0; device->slot && at < listed_count; at++) {
		const struct harness_device *other = &machine.devices[listed[at]];
		struct iommu_group *group = devices[listed[at]].pci.dev.iommu_group;

		if (other->bus == device->bus && other->slot == device->slot && group)
			return iommu_group_ref_get(group);
	}
	return generic_device_group(dev);
}

static struct iommu_group *device_group(struct device *dev)
{
	if (!machine.drivers[driver_of(to_fake(dev))].instance_groups)
		return dev_is_pci(dev) ? pci_device_group(dev) : stream_group(dev);
#ifdef HARNESS_HAVE_SINGLE_GROUP
	return generic_single_device_group(dev);
#else
	/* What drivers did by themselves before. */
	struct fake_instance *instance = &instances[to_fake(dev)->instance];

	if (!instance->group) {
		struct iommu_group *group = iommu_group_alloc();

		if (IS_ERR(group))
			return group;
		instance->group = group;
	}
	return iommu_group_ref_get(instance->group);
#endif
}

static bool answers_capable(u8 driver, struct device *dev, enum iommu_cap cap)
{
#ifdef HARNESS_HAVE_CAP_INTR_REMAP
	if (cap == IOMMU_CAP_INTR_REMAP && machine.paged && dev)
		return machine.instances[to_fake(dev)->instance].isolates_msi;
#endif
	return cap == IOMMU_CAP_CACHE_COHERENCY && machine.drivers[driver].coherent;
}

#ifdef HARNESS_HAVE_CAPABLE_BY_DEV
#define CAPABLE_DEV struct device *dev,
#define CAPABLE_OF dev
#else
#define CAPABLE_DEV
#define CAPABLE_OF NULL
#endif

static struct iommu_domain *alloc_of_type(u8 driver, unsigned int type)
{
	/* As most drivers: no blocking domain by type, the core makes an empty one. */
	if (type == IOMMU_DOMAIN_BLOCKED || (type == IOMMU_DOMAIN_IDENTITY && !machine.paged))
		return NULL;
#ifndef HARNESS_HAVE_ALLOC_PAGING
	if (type != IOMMU_DOMAIN_UNMANAGED && !machine.drivers[driver].default_domains)
		return NULL;
#endif
	return alloc(driver, NULL);
}

/* The callbacks that are not told whose they are, once for each address. */
#define ADDRESS(n)                                                              \
	static struct iommu_domain *alloc_type_##n(unsigned int type)           \
	{                                                                       \
		return alloc_of_type(loaded[n], type);                          \
	}                                                                       \
	static struct iommu_domain *alloc_paging_##n(struct device *dev)        \
	{                                                                       \
		return alloc(loaded[n], dev);                                   \
	}                                                                       \
	static struct iommu_device *probe_##n(struct device *dev)               \
	{                                                                       \
		return probe_device(loaded[n], dev);                            \
	}                                                                       \
	static bool capable_##n(CAPABLE_DEV enum iommu_cap cap)                 \
	{                                                                       \
		return answers_capable(loaded[n], CAPABLE_OF, cap);             \
	}
ADDRESS(0)
ADDRESS(1)
ADDRESS(2)
ADDRESS(3)
ADDRESS(4)
ADDRESS(5)
ADDRESS(6)
ADDRESS(7)

static const struct iommu_domain_ops identity_table = {
	.attach_dev = attach_dev,
#ifdef HARNESS_HAVE_PASID
	.set_dev_pasid = (void *)set_dev_pasid,
#endif
};
static struct fake_domain identities[HARNESS_DRIVERS];

/* The driver's identity domain that nobody allocates. */
static void set_identity(struct iommu_ops *ops, u8 driver)
{
#ifdef HARNESS_HAVE_IDENTITY_DOMAIN
	struct fake_domain *identity = &identities[driver];

	if (!machine.paged || !machine.drivers[driver].static_identity)
		return;
	identity->domain.type = IOMMU_DOMAIN_IDENTITY;
	identity->domain.ops = &identity_table;
	identity->driver = driver;
	identity->instance = HARNESS_NONE;
	identity->number = HARNESS_NO_DOMAIN;
	ops->identity_domain = &identity->domain;
#endif
}

#ifdef HARNESS_HAVE_ALLOC_PAGING
#define ALLOC(n) .domain_alloc_paging = alloc_paging_##n, .domain_alloc = alloc_type_##n
#else
#define ALLOC(n) .domain_alloc = alloc_type_##n
#endif
#ifdef HARNESS_HAVE_PASID
#define PASID .remove_dev_pasid = (void *)remove_dev_pasid,
#else
#define PASID
#endif
#define OPS(n)                                  \
	[n] = {                                 \
		.owner = &shim_module,          \
		.capable = capable_##n,         \
		.probe_device = probe_##n,      \
		.release_device = release_device, \
		.device_group = device_group,   \
		.get_resv_regions = resv_regions, \
		.is_attach_deferred = attach_deferred, \
		.def_domain_type = def_domain_type, \
		PASID                           \
		.pgsize_bitmap = PAGE_SIZE,     \
		ALLOC(n),                       \
	}
static const struct iommu_ops new_ops[HARNESS_DRIVERS] = {
	OPS(0), OPS(1), OPS(2), OPS(3), OPS(4), OPS(5), OPS(6), OPS(7),
};
static const struct iommu_domain_ops new_table = {
	.attach_dev = attach_dev,
#ifdef HARNESS_HAVE_DETACH_DEV
	.detach_dev = detach_dev,
#endif
	.map_pages = map_pages,
	.unmap_pages = unmap_pages,
	.iova_to_phys = iova_to_phys,
#ifdef HARNESS_HAVE_ENABLE_NESTING
	.enable_nesting = enable_nesting,
#endif
	.enforce_cache_coherency = enforce_cache_coherency,
#ifdef HARNESS_HAVE_PASID
	.set_dev_pasid = (void *)set_dev_pasid,
#endif
	.free = free_domain,
};

/* --- devices, as the shim's buses see them --- */

static void list_device(u8 i)
{
	listed[listed_count++] = i;
}

static void unlist_device(u8 i)
{
	int at = 0;

	while (listed[at] != i)
		at++;
	memmove(listed + at, listed + at + 1, --listed_count - at);
}

static int place_after(struct device *dev)
{
	int at = 0;

	while (dev && listed[at++] != index_of(dev))
		;
	return at;
}

int shim_each_device(const void *bus, struct device *after, void *data,
		     int (*fn)(struct device *, void *))
{
	int at = place_after(after);
	int ret = 0;

	for (; !ret && at < listed_count; at++) {
		struct device *dev = &devices[listed[at]].pci.dev;

		if (dev->bus == bus)
			ret = fn(dev, data);
	}
	return ret;
}

struct device *shim_next_pci(struct device *from)
{
	int at = place_after(from);

	for (; at < listed_count; at++)
		if (dev_is_pci(&devices[listed[at]].pci.dev))
			return &devices[listed[at]].pci.dev;
	return NULL;
}

int shim_pci_isolated(struct device *dev)
{
	return machine.devices[index_of(dev)].slot == 0;
}

/*
 * Where the PCI functions lie: those that share a slot are the functions of one device number,
 * all others fill what is left. NULL, or why there is no room.
 */
static const char *lay_out(const struct harness_machine *m, u8 devfn[HARNESS_DEVICES])
{
	bool taken[256] = {};
	u8 number[256];    /* device number of a slot, 32: none yet */
	u8 functions[256]; /* of a slot so far */
	u8 numbers = 0;
	unsigned int next = 0;
	int i;

	memset(number, 32, sizeof(number));
	memset(functions, 0, sizeof(functions));
	for (i = 0; i < m->devices_count; i++) {
		const u8 slot = m->devices[i].slot;

		if (m->devices[i].bus != 1 || !slot)
			continue;
		if (number[slot] == 32) {
			if (numbers == 32)
				return "more than 32 slots are shared by PCI functions";
			number[slot] = numbers++;
		}
		if (functions[slot] == 8)
			return "a PCI device has no more than 8 functions";
		devfn[i] = PCI_DEVFN(number[slot], functions[slot]++);
		taken[devfn[i]] = true;
	}
	for (i = 0; i < m->devices_count; i++) {
		if (m->devices[i].bus != 1 || m->devices[i].slot)
			continue;
		while (taken[next])
			next++;
		devfn[i] = next;
		taken[next] = true;
	}
	return NULL;
}

static void make_device(int i, u8 devfn)
{
	struct fake_device *dev = &devices[i];
	const struct harness_device *device = &machine.devices[i];

	memset(dev, 0, sizeof(*dev));
	dev->pci.dev.kobj.name = "device";
	/* Of the bus of emulated devices the IOMMU core knows nothing. */
	dev->pci.dev.bus = device->kind == HARNESS_REAL ? (void *)buses[device->bus] : NULL;
	dev->instance = HARNESS_NONE;
	dev->present = !device->absent;
	if (dev->present)
		list_device(i);
	if (device->bus != 1 || device->kind != HARNESS_REAL)
		return;
	dev->pci.bus = &root_bus;
	dev->pci.devfn = devfn;
	dev->pci.multifunction = device->slot != 0;
}

/* --- ops --- */

static int do_register(u8 i)
{
	const struct harness_instance *instance = &machine.instances[i];
	struct fake_instance *fake = &instances[i];
	const u8 address = machine.drivers[instance->driver].address;
	int ret;

	if (fake->registered)
		return HARNESS_NOT_POSSIBLE;
	/*
	 * ABSTRACTION: whether a platform device of the instance exists to be probed is up to the
	 * firmware that describes the machine; no code of iommu.c decides it.
	 */
	if (machine.drivers[instance->driver].other_firmware)
		return -ENODEV;
	loaded[address] = instance->driver;
	ops[address] = new_ops[address];
	ops[address].default_domain_ops =
		&tables[machine.table_address[machine.drivers[instance->driver].table]];
	set_identity(&ops[address], instance->driver);
	memset(&fake->iommu, 0, sizeof(fake->iommu));
	memset(&fake->hwdev, 0, sizeof(fake->hwdev));
	fake->hwdev.fwnode = &fake->fwnode;
	fake->registered = true;
	ret = iommu_device_register(&fake->iommu, &ops[address],
				    instance->fwnode ? &fake->hwdev : NULL);
	if (!ret)
		return 0;
	fake->registered = false;
	if (fake->group)
		iommu_group_put(fake->group);
	fake->group = NULL;
	return ret;
}

static int do_unregister(u8 i)
{
	struct fake_instance *fake = &instances[i];

	if (!fake->registered)
		return HARNESS_NOT_POSSIBLE;
	iommu_device_unregister(&fake->iommu);
	fake->registered = false;
	if (fake->group)
		iommu_group_put(fake->group);
	fake->group = NULL;
	return 0;
}

static int do_add(u8 i)
{
	struct fake_device *dev = &devices[i];

	if (dev->present)
		return HARNESS_NOT_POSSIBLE;
	dev->present = true;
	list_device(i);
	if (machine.devices[i].kind != HARNESS_REAL) {
		user_join_fake_group(i);
		return 0;
	}
	shim_notify(dev->pci.dev.bus, BUS_NOTIFY_ADD_DEVICE, &dev->pci.dev);
	return 0;
}

static struct fake_group *find_group(int id)
{
	struct fake_group *group;

	for (group = groups; group; group = group->next)
		if (group->id == id)
			return group;
	return NULL;
}

static int do_unset_container(struct fake_group *group)
{
	struct fake_group **link = &groups;

	vfio_group_detach_container(&group->vfio);
	iommu_group_put(group->vfio.iommu_group);
	while (*link != group)
		link = &(*link)->next;
	*link = group->next;
	kfree(group);
	return 0;
}

static int do_remove(u8 i)
{
	struct fake_device *dev = &devices[i];

	if (!dev->present)
		return HARNESS_NOT_POSSIBLE;
	ioctl_removing(&dev->pci.dev);
	user_removing(i);
	unlist_device(i);
	if (machine.devices[i].kind != HARNESS_REAL)
		iommu_group_remove_device(&dev->pci.dev);
	else
		shim_notify(dev->pci.dev.bus, BUS_NOTIFY_REMOVED_DEVICE, &dev->pci.dev);
	dev->present = false;
	return 0;
}

/*
 * ABSTRACTION: of_iommu_configure() and viot_iommu_configure() as far as they call iommu.c: each
 * master's fwnode in order, and the probe.
 */
static int apply_firmware(struct device *dev)
{
	const struct harness_device *device = &machine.devices[index_of(dev)];
	const bool had_iommu = dev->iommu;
	int ret = 0;
	int i;

	if (dev_iommu_fwspec_get(dev))
		return 0;
	for (i = 0; !ret && i < HARNESS_MASTERS; i++) {
		const u8 master = device->masters[i];

		if (master == HARNESS_NONE || !machine.instances[master].fwnode)
			continue;
#ifdef HARNESS_HAVE_FWSPEC_OPS
		const struct iommu_ops *found = iommu_ops_from_fwnode(&instances[master].fwnode);

		ret = found ? iommu_fwspec_init(dev, &instances[master].fwnode, found) :
			      -EPROBE_DEFER;
#else
		ret = iommu_fwspec_init(dev, &instances[master].fwnode);
#endif
	}
#ifdef HARNESS_HAVE_FREE_ON_ERROR
	if (ret && had_iommu)
		iommu_fwspec_free(dev);
	else if (ret && dev->iommu)
		core_dev_iommu_free(dev);
#endif
	return ret;
}

static int do_configure(u8 i)
{
	struct device *dev = &devices[i].pci.dev;
	int ret;

	if (!devices[i].present)
		return HARNESS_NOT_POSSIBLE;
	ret = apply_firmware(dev);
	if (ret || dev->iommu_group)
		return ret;
	return iommu_probe_device(dev);
}

/* The group of the number, wherever something holds it. */
static struct iommu_group *group_of(int id)
{
	struct fake_group *group = find_group(id);
	int i;

	if (group)
		return group->vfio.iommu_group;
	for (i = 0; i < machine.devices_count; i++)
		if (devices[i].pci.dev.iommu_group &&
		    iommu_group_id(devices[i].pci.dev.iommu_group) == id)
			return devices[i].pci.dev.iommu_group;
	for (i = 0; i < machine.instances_count; i++) {
#ifdef HARNESS_HAVE_SINGLE_GROUP
		struct iommu_group *shared = instances[i].iommu.singleton_group;
#else
		struct iommu_group *shared = instances[i].group;
#endif
		if (instances[i].registered && shared && iommu_group_id(shared) == id)
			return shared;
	}
	return NULL;
}

/*
 * ABSTRACTION: __vfio_register_dev() and vfio_group_ioctl_set_container() up to
 * vfio_container_attach_group(): what opens /dev/vfio/N and what the ioctl tests first.
 */
static int do_set_container(u8 id, u8 container)
{
	struct iommu_group *iommu_group = group_of(id);
	static struct file opened = { .f_count = ATOMIC_LONG_INIT(1) };
	enum vfio_group_type type = VFIO_IOMMU;
	struct fake_group *group;
	bool viable = false;
	int count = 0;
	int ret;
	int i;

	if (!iommu_group)
		return HARNESS_NOT_POSSIBLE;
	for (i = 0; i < machine.devices_count; i++) {
		struct device *dev = &devices[i].pci.dev;

		if (dev->iommu_group != iommu_group)
			continue;
		count++;
		if (machine.devices[i].kind != HARNESS_REAL)
			type = VFIO_EMULATED_IOMMU;
		viable |= user_is_vfios(i);
	}
	if (count && !viable)
		return -ENOENT;
	if (find_group(id))
		return -EINVAL;
	if (!count)
		return -ENODEV;
	group = host_alloc(sizeof(*group));
	group->id = id;
	group->container = container;
	group->vfio.type = type;
	group->vfio.opened_file = &opened;
	group->vfio.iommu_group = iommu_group_ref_get(iommu_group);
	mutex_init(&group->vfio.group_lock);
	ret = vfio_container_attach_group(harness_container(container), &group->vfio);
	if (ret) {
		iommu_group_put(iommu_group);
		kfree(group);
		return ret;
	}
	group->next = groups;
	groups = group;
	return 0;
}

static int do_set_iommu(u8 container, u8 type)
{
	return container_set_iommu(harness_container(container), type);
}

static int run_op(void *unused)
{
	struct fake_group *group;

	switch (op->kind) {
	case HARNESS_REGISTER:
		return do_register(op->a);
	case HARNESS_UNREGISTER:
		return do_unregister(op->a);
	case HARNESS_ADD:
		return do_add(op->a);
	case HARNESS_REMOVE:
		return do_remove(op->a);
	case HARNESS_CONFIGURE:
		return do_configure(op->a);
	case HARNESS_SET_CONTAINER:
		return do_set_container(op->a, op->b);
	case HARNESS_SET_IOMMU:
		return do_set_iommu(op->a, op->b);
	case HARNESS_UNSET_CONTAINER:
		group = find_group(op->a);
		if (!group)
			return group_of(op->a) ? -EINVAL : HARNESS_NOT_POSSIBLE;
		/* vfio_group_ioctl_unset_container() */
		if (group->vfio.container_users != 1)
			return -EBUSY;
		return do_unset_container(group);
	}
	return user_play(op);
}

/* --- for ioctl.c and user.c --- */

const struct harness_machine *harness_machine(void)
{
	return &machine;
}
static struct fake_group *group_in_container(struct device *dev)
{
	return dev->iommu_group ? find_group(iommu_group_id(dev->iommu_group)) : NULL;
}
struct vfio_group *harness_vfio_group(struct device *dev)
{
	struct fake_group *group = group_in_container(dev);

	return group ? &group->vfio : NULL;
}
int harness_group_container(struct device *dev)
{
	return group_in_container(dev)->container;
}
void harness_leave_container(struct device *dev)
{
	struct fake_group *group = group_in_container(dev);

	if (group)
		do_unset_container(group);
}

int harness_index(struct device *dev)
{
	return index_of(dev);
}
struct device *harness_device(int i)
{
	return i < machine.devices_count && devices[i].present ? &devices[i].pci.dev : NULL;
}
int harness_in_container(struct device *dev)
{
	return group_in_container(dev) != NULL;
}
int harness_instance(struct device *dev)
{
	return to_fake(dev)->instance;
}
int harness_unregister(int i)
{
	return i < machine.instances_count ? do_unregister(i) : HARNESS_NOT_POSSIBLE;
}
int harness_has_container(int i)
{
	return containers[i] != NULL;
}
struct vfio_container *harness_container(int i)
{
	const unsigned int fail = host_fail_alloc;

	/* That /dev/vfio/vfio cannot be opened is no failure of the op. */
	host_fail_alloc = 0;
	if (!containers[i])
		containers[i] = container_open();
	host_fail_alloc = fail;
	return containers[i];
}
int harness_is_finished(void)
{
	return finished;
}

/* --- the interface --- */

static bool catch_oops;

int harness_guarded(int (*run)(void *))
{
	int oops;
	int ret;

	if (!catch_oops)
		return run(NULL);
	ret = host_guard(run, NULL, &oops);
	return oops ? HARNESS_OOPS : ret;
}

static const char *fits(const struct harness_machine *m)
{
	static const char *const no_bus[HARNESS_BUSES] = {
		"the kernel's iommu_buses[] has no platform", "the kernel's iommu_buses[] has no pci",
		"the kernel's iommu_buses[] has no amba",     "the kernel's iommu_buses[] has no fsl-mc",
		"the kernel's iommu_buses[] has no host1x",   "the kernel's iommu_buses[] has no cdx",
	};
	u8 devfn[HARNESS_DEVICES];
	int i;

	for (i = 0; i < m->devices_count; i++)
		if (m->devices[i].kind == HARNESS_REAL && !buses[m->devices[i].bus])
			return no_bus[m->devices[i].bus];
	return lay_out(m, devfn);
}

static void begin(const struct harness_machine *m)
{
	u8 devfn[HARNESS_DEVICES] = {};
	int i;

	machine = *m;
	lay_out(m, devfn);
	if (machine.paged) {
		type1_parameters(machine.settings.unsafe_interrupts, machine.settings.dma_entries);
		if (machine.settings.passthrough)
			iommu_set_default_passthrough(false);
		else
			iommu_set_default_translated(false);
	}
	memset(instances, 0, sizeof(instances[0]) * m->instances_count);
	for (i = 0; i < m->instances_count; i++)
		instances[i].fwnode.ops = &shim_fwnode_ops;
	memset(containers, 0, sizeof(containers));
	listed_count = 0;
	for (i = 0; i < m->devices_count; i++)
		make_device(i, devfn[i]);
	for (i = 0; i < m->devices_count; i++)
		if (m->devices[i].alias != HARNESS_NONE && m->devices[i].kind == HARNESS_REAL) {
			__set_bit(devfn[m->devices[i].alias], devices[i].aliases);
			devices[i].pci.dma_alias_mask = devices[i].aliases;
		}
	for (i = 0; i < HARNESS_TABLES; i++)
		tables[i] = new_table;
	calls_count = 0;
	warns_count = 0;
	warns_total = 0;
	domain_numbers = 0;
	held_pins = held_locked = 0;
	op_calls = 0;
	tearing_down = false;
	finished = false;
	ioctl_begin();
	objects_at_rest = host_objects;
	for (i = 0; i < HARNESS_REFERENCES; i++)
		references_at_rest[i] = shim_references(i);
	user_begin();
}

static int harness_op(const struct harness_op *next)
{
	int ret;

	op = next;
	op_calls = calls_count;
	allocations = mallocs = maps = pins = attaches = 0;
	core_map.domain = NULL;
	memset(fault_hits, 0, sizeof(fault_hits));
	if (machine.paged && machine.settings.memlock != HARNESS_NONE)
		current->signal->rlim[RLIMIT_MEMLOCK].rlim_cur =
			machine.settings.memlock * PAGE_SIZE;
	ret = harness_guarded(run_op);
	op = NULL;
	ioctl_disarm();
	if (ret != HARNESS_OOPS)
		record_held();
	return ret;
}

static const struct harness_call *get_calls(uint32_t *count)
{
	*count = calls_count;
	return calls;
}

static const struct harness_warn *get_warns(uint32_t *count)
{
	*count = warns_count;
	return warns;
}

static int number_of(const struct iommu_domain *domain)
{
	struct fake_domain *fake;

	for (fake = domains; fake; fake = fake->next)
		if (&fake->domain == domain)
			return fake->number;
	return -1;
}

static void get_end(struct harness_end *end)
{
	struct fake_domain *domain;
	int i;

	for (i = 0; i < machine.devices_count; i++) {
		struct iommu_group *group = devices[i].pci.dev.iommu_group;

		end->group[i] = group ? iommu_group_id(group) : -1;
		end->domain[i] = group ? number_of(core_group_domain(group)) : -1;
		end->default_domain[i] = group ? number_of(core_group_default(group)) : -1;
		end->owner_cnt[i] = group ? core_group_owner_cnt(group) : 0;
		end->owned[i] = group && core_group_is_owned(group);
	}
	end->domains = live_domains;
	end->warns = warns_total;
	end->mapped_count = 0;
	for (domain = domains; domain; domain = domain->next) {
		const u64 pages = table_pages(domain->table);

		if (pages && end->mapped_count < HARNESS_DOMAINS)
			end->mapped[end->mapped_count++] =
				(struct harness_mapped){ domain->number, pages };
	}
}

static int run_finish(void *unused)
{
	int i;

	ioctl_finish();
	user_finish();
	while (groups)
		do_unset_container(groups);
	for (i = 0; i < HARNESS_CONTAINERS; i++) {
		if (containers[i])
			container_close(containers[i]);
		containers[i] = NULL;
	}
	for (i = 0; i < machine.devices_count; i++) {
		struct device *dev = &devices[i].pci.dev;

		/* 6.1 oopses at the removal of such a device; docs/findings.md. */
		if (dev->iommu && !dev->iommu_group)
			core_dev_iommu_free(dev);
		if (devices[i].present)
			do_remove(i);
	}
	for (i = 0; i < machine.instances_count; i++)
		do_unregister(i);
#if !__has_feature(address_sanitizer)
	while (freed) {
		struct fake_domain *next = freed->next;

		kfree(freed);
		freed = next;
	}
#endif
#ifdef HARNESS_HAVE_BUS_OPS
	/* The kernel keeps them for good; the next case is a new boot. */
	for (i = 0; i < HARNESS_BUSES; i++)
		if (buses[i])
			((struct bus_type *)buses[i])->iommu_ops = NULL;
#endif
	return 0;
}

static int finish(struct harness_leaks *leaks)
{
	int ret;
	int i;

	tearing_down = true;
	ret = harness_guarded(run_finish);
	finished = true;
	leaks->domains = live_domains;
	leaks->objects = host_objects - objects_at_rest;
	leaks->written = host_empty_quarantine();
	leaks->locks = host_locks;
	for (i = 0; i < HARNESS_REFERENCES; i++)
		leaks->references[i] = shim_references(i) - references_at_rest[i];
	leaks->pins = memory_pins();
	leaks->locked = current->mm->locked_vm;
	return ret;
}

static struct harness interface = {
	.name = HARNESS_TREE_NAME,
	.flavour = HARNESS_FLAVOUR,
	.features = HARNESS_FEATURES,
	.fits = fits,
	.begin = begin,
	.op = harness_op,
	.calls = get_calls,
	.warns = get_warns,
	.end = get_end,
	.finish = finish,
};

const struct harness *harness_open(uint32_t version, uint32_t flags)
{
	static bool initialised;
	int i;

	if (version != HARNESS_VERSION)
		return NULL;
	catch_oops = flags & HARNESS_CATCH_OOPS;
	if (!initialised) {
		shim_init();
		core_init();
		container_init();
		type1_init();
		for (i = 0; i < HARNESS_BUSES; i++)
			interface.buses |= buses[i] ? 1u << i : 0;
		initialised = true;
	}
	return &interface;
}
