// SPDX-License-Identifier: GPL-2.0-only
/* Domains: the callbacks by which the core attaches devices to them and maps pages in them. */
#include "fake.h"

#include <linux/slab.h>

struct fake_domain *fake_domains;
int fake_domains_count;
#if !__has_feature(address_sanitizer)
static struct fake_domain *freed;
#endif
static u16 domain_numbers;

#ifdef HARNESS_HAVE_DOMAIN_OPS
static struct iommu_domain_ops tables[HARNESS_TABLES];
#endif

static struct {
	struct fake_domain *domain;
	unsigned long end;
	size_t pgsize;
} core_map; /* the last chunk that the core itself mapped in this op */

/* --- domains --- */

struct fake_domain *fake_domain_of(struct iommu_domain *domain)
{
	return container_of(domain, struct fake_domain, domain);
}

bool fake_is_owned(const struct iommu_domain *domain)
{
	return domain->type == IOMMU_DOMAIN_UNMANAGED;
}

struct iommu_domain *domains_alloc(u8 driver, struct device *dev)
{
	const int index = dev ? host_index(dev) : -1;
	u8 table = fake_machine.drivers[driver].table;
	struct harness_call *call = calls_add(HARNESS_ALLOC);
	struct fake_domain *domain;

	if (dev)
		table = fake_machine.instances[fake_devices[index].instance].table;
	call->driver = driver;
	call->table = table;
#ifdef HARNESS_HAVE_ALLOC_PAGING
	/*
	 * This allocates an identity domain: the core names no device, and the instance may have
	 * its own table.
	 */
	if (!dev)
		call->table = HARNESS_NONE;
#endif
	call->device = dev ? index : HARNESS_NONE;
	if (fault_of_next(HARNESS_FAIL_ALLOC)) {
		call->error = -ENOMEM;
		return NULL;
	}
	domain = host_alloc(sizeof(*domain));
#ifdef HARNESS_HAVE_DOMAIN_OPS
	domain->domain.ops = &tables[fake_machine.table_address[table]];
#endif
	domain->domain.pgsize_bitmap = PAGE_SIZE;
	domain->domain.geometry.aperture_end = ~(dma_addr_t)0;
	domain->domain.geometry.force_aperture = true;
	domain->table = table_new();
	domain->driver = driver;
	domain->instance = HARNESS_NONE;
	domain->number = domain_numbers++;
	domain->next = fake_domains;
	fake_domains = domain;
	fake_domains_count++;
	call->domain = domain->number;
	return &domain->domain;
}

static void free_domain(struct iommu_domain *domain)
{
	struct fake_domain *fake = fake_domain_of(domain);
	struct fake_domain **link = &fake_domains;

	calls_add(HARNESS_FREE)->domain = fake->number;
	while (*link != fake)
		link = &(*link)->next;
	*link = fake->next;
	fake_domains_count--;
	table_free(fake->table, fake_is_owned(domain));
	fake->table = NULL;
#if __has_feature(address_sanitizer)
	kfree(fake);
#else
	/*
	 * Up to and including 6.1 a group may still point at the domain. Its memory is not reused
	 * until the case ends, so that the trace does not depend on the allocator.
	 */
	fake->next = freed;
	freed = fake;
#endif
}

void fake_forget_domains(void)
{
#if !__has_feature(address_sanitizer)
	while (freed) {
		struct fake_domain *next = freed->next;

		kfree(freed);
		freed = next;
	}
#endif
}

/* --- attaching --- */

/* The errno of attach_dev() for a domain that is incompatible with the device, or 0. */
static int check_compatible(const struct fake_domain *domain, u8 device)
{
	const struct harness_driver *driver = &fake_machine.drivers[domain->driver];
	const u8 instance = fake_devices[device].instance;
	const u8 other = machine_driver_of(device);

	if (driver->checks_snoop && domain->coherent &&
	    !fake_machine.instances[instance].enforces_coherency)
		return -EINVAL;
	if ((driver->same_instance && domain->instance != HARNESS_NONE &&
	     domain->instance != instance) ||
	    (driver->refuses_foreign &&
	     (other == HARNESS_NONE || driver->address != fake_machine.drivers[other].address)))
		return driver->mismatch_errno ? -driver->mismatch_errno : -EINVAL;
	return 0;
}

static int attach_dev(struct iommu_domain *domain, struct device *dev)
{
	const int index = host_index(dev);
	struct fake_domain *fake = fake_domain_of(domain);
	struct fake_device *device = &fake_devices[index];
	struct harness_call *call = calls_add(HARNESS_ATTACH);
	int ret = fault_of(HARNESS_FAIL_ATTACH, index);

	if (!ret)
		ret = fault_of_next(HARNESS_FAIL_ATTACH_CALL);
	if (!ret)
		ret = host_attach_fails(fake, index);
	if (!ret)
		ret = check_compatible(fake, index);
	call->domain = fake->number;
	call->device = index;
	call->foreign = fake->driver != machine_driver_of(index);
	call->error = ret;
	if (ret) {
		if (fake_machine.drivers[fake->driver].drops_old)
			device->hw = NULL;
		return ret;
	}
	if (fake->releases && !device->attached)
		host_complain("a device whose attach was deferred is attached to be released");
	device->hw = fake;
	device->attached = true;
	__set_bit(index, fake->accepted);
	/* A static domain, which has no number, is bound to no instance. */
	if (fake->instance == HARNESS_NONE && fake->number != HARNESS_NO_DOMAIN) {
		const struct harness_instance *instance =
			&fake_machine.instances[device->instance];

		fake->instance = device->instance;
		domain->pgsize_bitmap = instance->page_sizes;
		domain->geometry.aperture_start = instance->aperture_start;
		domain->geometry.aperture_end = instance->aperture_end;
	}
	return 0;
}

#ifdef HARNESS_HAVE_DETACH_DEV
static void detach_dev(struct iommu_domain *domain, struct device *dev)
{
	struct harness_call *call = calls_add(HARNESS_DETACH);

	call->domain = fake_domain_of(domain)->number;
	call->device = host_index(dev);
	fake_devices[call->device].hw = NULL;
}
#endif

/* In 6.6 drivers without default domains have this op. A failed attach may have left no domain. */
#ifdef HARNESS_HAVE_SET_PLATFORM_DMA
static void set_platform_dma(struct device *dev)
{
	struct harness_call *call = calls_add(HARNESS_DETACH);

	call->device = host_index(dev);
	if (fake_devices[call->device].hw)
		call->domain = fake_devices[call->device].hw->number;
	fake_devices[call->device].hw = NULL;
}
#endif

/* Which PASID is no question: a case has one. Nor is the old domain, which later kernels name. */
#ifdef HARNESS_HAVE_PASID
static int set_dev_pasid(struct iommu_domain *domain, struct device *dev)
{
	const int index = host_index(dev);
	struct harness_call *call = calls_add(HARNESS_SET_PASID);

	call->domain = fake_domain_of(domain)->number;
	call->device = index;
	call->error = fault_of(HARNESS_FAIL_ATTACH, index);
	if (!call->error && host_strikes(HARNESS_ARM_PASID))
		call->error = -ENOMEM;
	if (!call->error)
		fake_devices[index].pasid = fake_domain_of(domain);
	return call->error;
}

void domains_unset_pasid(struct device *dev)
{
	struct fake_device *device = &fake_devices[host_index(dev)];

	if (!device->pasid)
		host_complain("a PASID is taken off a device that does not have it");
	device->pasid = NULL;
}
#endif

#ifdef HARNESS_HAVE_ENFORCE_COHERENCY
/* Every device on the domain must be behind an instance that can enforce it. */
static bool enforce_cache_coherency(struct iommu_domain *domain)
{
	struct fake_domain *fake = fake_domain_of(domain);

	for (int i = 0; i < fake_machine.devices_count; i++) {
		const struct fake_device *device = &fake_devices[i];

		if (device->hw == fake && device->instance != HARNESS_NONE &&
		    !fake_machine.instances[device->instance].enforces_coherency)
			return false;
	}
	fake->coherent = true;
	return true;
}
#endif

/* --- mapping --- */

/*
 * Whether an iommu_map() by the core fails; faults count its first chunk. A later chunk begins
 * where the last one ended, with another page size. For type1, vfio_type1.c asks when type1 calls
 * iommu_map().
 */
static int core_map_fails(struct fake_domain *domain, unsigned long iova, size_t pgsize,
			  size_t count)
{
	const bool goes_on = domain == core_map.domain && iova == core_map.end &&
			     pgsize != core_map.pgsize;
	const int ret = goes_on ? 0 : fault_of_next(HARNESS_FAIL_MAP);

	core_map.domain = ret ? NULL : domain;
	core_map.end = iova + pgsize * count;
	core_map.pgsize = pgsize;
	return ret;
}

static int map_pages(struct iommu_domain *domain, unsigned long iova, phys_addr_t paddr,
		     size_t pgsize, size_t pgcount, int prot, gfp_t gfp, size_t *mapped)
{
	struct fake_domain *fake = fake_domain_of(domain);
	const bool owned = fake_is_owned(domain);
	int ret = owned ? 0 : core_map_fails(fake, iova, pgsize, pgcount);

	*mapped = 0;
	if (ret)
		return ret;
	ret = table_map(fake->table, iova, paddr, pgsize, pgcount, owned, mapped);
	if (owned && prot & IOMMU_WRITE)
		table_writes(paddr, *mapped);
	calls_add_pages(HARNESS_MAPPED, fake->number, iova, *mapped);
	return ret;
}

static size_t unmap_pages(struct iommu_domain *domain, unsigned long iova, size_t pgsize,
			  size_t pgcount, struct iommu_iotlb_gather *gather)
{
	struct fake_domain *fake = fake_domain_of(domain);
	const size_t done = table_unmap(fake->table, iova, pgsize * pgcount, fake_is_owned(domain),
					!fake_machine.drivers[fake->driver].whole_pages);

	if (done)
		iommu_iotlb_gather_add_page(domain, gather, iova, done);
	calls_add_pages(HARNESS_UNMAPPED, fake->number, iova, done);
	return done;
}

/*
 * A device may use what its domain had mapped until the core says that this must end, and sees what
 * is new once the core says so.
 */
static void iotlb_sync(struct iommu_domain *domain, struct iommu_iotlb_gather *gather)
{
	table_sync(fake_domain_of(domain)->table, gather->start, gather->end);
}

static void flush_iotlb_all(struct iommu_domain *domain)
{
	struct fake_domain *fake = fake_domain_of(domain);

	fake->flushes++;
	table_sync(fake->table, 0, ~0ul);
}

/* In kernels in which this returns nothing, it does not fail. */
static int iotlb_sync_map(struct iommu_domain *domain, unsigned long iova, size_t size)
{
	return table_show(fake_domain_of(domain)->table, iova, size);
}

static phys_addr_t iova_to_phys(struct iommu_domain *domain, dma_addr_t iova)
{
	return table_phys(fake_domain_of(domain)->table, iova);
}

#ifndef HARNESS_HAVE_MAP_PAGES
/* In 5.10 the core calls these for each page. */
static int map(struct iommu_domain *domain, unsigned long iova, phys_addr_t paddr, size_t size,
	       int prot, gfp_t gfp)
{
	size_t mapped;

	return map_pages(domain, iova, paddr, size, 1, prot, gfp, &mapped);
}

static size_t unmap(struct iommu_domain *domain, unsigned long iova, size_t size,
		    struct iommu_iotlb_gather *gather)
{
	return unmap_pages(domain, iova, size, 1, gather);
}
#endif

#if defined(HARNESS_HAVE_ENABLE_NESTING) || defined(HARNESS_HAVE_SET_ATTR)
static int enable_nesting(struct iommu_domain *domain)
{
	return fake_machine.drivers[fake_domain_of(domain)->driver].nesting ? 0 : -EINVAL;
}
#endif

/* In 5.10 nesting is an attribute of a domain. */
#ifdef HARNESS_HAVE_SET_ATTR
static int set_attr(struct iommu_domain *domain, enum iommu_attr attr, void *data)
{
	return attr == DOMAIN_ATTR_NESTING ? enable_nesting(domain) : -ENODEV;
}
#endif

#ifdef HARNESS_HAVE_PGTABLE_QUIRKS
static int set_pgtable_quirks(struct iommu_domain *domain, unsigned long quirks)
{
	fake_domain_of(domain)->quirks = quirks;
	return 0;
}
#define QUIRKS .set_pgtable_quirks = set_pgtable_quirks,
#else
#define QUIRKS
#endif

/* --- the tables of callbacks --- */

#ifdef HARNESS_HAVE_MAP_PAGES
#define MAPPING .map_pages = map_pages, .unmap_pages = unmap_pages,
#else
#define MAPPING .map = map, .unmap = unmap,
#endif
#ifdef HARNESS_HAVE_DETACH_DEV
#define DETACH .detach_dev = detach_dev,
#else
#define DETACH
#endif
#ifdef HARNESS_HAVE_ENABLE_NESTING
#define NESTING .enable_nesting = enable_nesting,
#elif defined(HARNESS_HAVE_SET_ATTR)
#define NESTING .domain_set_attr = set_attr,
#else
#define NESTING
#endif
#ifdef HARNESS_HAVE_ENFORCE_COHERENCY
#define COHERENCY .enforce_cache_coherency = enforce_cache_coherency,
#else
#define COHERENCY
#endif
#ifdef HARNESS_HAVE_PASID
#define SET_PASID .set_dev_pasid = (void *)set_dev_pasid,
#else
#define SET_PASID
#endif
#define DOMAIN_CALLBACKS                        \
	.attach_dev = (void *)attach_dev,       \
	.iova_to_phys = iova_to_phys,           \
	.iotlb_sync = iotlb_sync,               \
	.iotlb_sync_map = (void *)iotlb_sync_map, \
	.flush_iotlb_all = flush_iotlb_all,     \
	DETACH MAPPING NESTING COHERENCY QUIRKS

#ifdef HARNESS_HAVE_DOMAIN_OPS
static const struct iommu_domain_ops new_table = {
	DOMAIN_CALLBACKS
	SET_PASID
	.free = free_domain,
};

static void give_domains(struct iommu_ops *ops, u8 driver)
{
	ops->default_domain_ops =
		&tables[fake_machine.table_address[fake_machine.drivers[driver].table]];
}
#else
/* Before 5.18 the callbacks of domains are in the ops of the driver. */
static void give_domains(struct iommu_ops *ops, u8 driver)
{
	static const struct iommu_ops callbacks = { DOMAIN_CALLBACKS };

	ops->attach_dev = callbacks.attach_dev;
	ops->detach_dev = callbacks.detach_dev;
	ops->iova_to_phys = callbacks.iova_to_phys;
	ops->iotlb_sync = callbacks.iotlb_sync;
	ops->iotlb_sync_map = callbacks.iotlb_sync_map;
	ops->flush_iotlb_all = callbacks.flush_iotlb_all;
#ifdef HARNESS_HAVE_MAP_PAGES
	ops->map_pages = callbacks.map_pages;
	ops->unmap_pages = callbacks.unmap_pages;
#else
	ops->map = callbacks.map;
	ops->unmap = callbacks.unmap;
#endif
#ifdef HARNESS_HAVE_ENABLE_NESTING
	ops->enable_nesting = callbacks.enable_nesting;
#endif
#ifdef HARNESS_HAVE_SET_ATTR
	ops->domain_set_attr = callbacks.domain_set_attr;
#endif
	ops->domain_free = free_domain;
}
#endif

/* --- static domains of a driver, which nobody allocates --- */

#ifdef HARNESS_HAVE_IDENTITY_DOMAIN
static const struct iommu_domain_ops static_table = {
	.attach_dev = (void *)attach_dev,
	SET_PASID
};

static struct iommu_domain *make_static(struct fake_domain *fake, u8 driver, unsigned int type)
{
	*fake = (struct fake_domain){
		.domain = { .type = type, .ops = &static_table },
		.driver = driver,
		.instance = HARNESS_NONE,
		.number = HARNESS_NO_DOMAIN,
	};
	return &fake->domain;
}

static void give_statics(struct iommu_ops *ops, u8 driver)
{
	static struct fake_domain identities[HARNESS_DRIVERS];
	const struct harness_driver *d = &fake_machine.drivers[driver];

	if (d->static_identity)
		ops->identity_domain =
			make_static(&identities[driver], driver, IOMMU_DOMAIN_IDENTITY);
#ifdef HARNESS_HAVE_RELEASE_DOMAIN
	static struct fake_domain releases[HARNESS_DRIVERS];

	if (d->release_domain) {
		ops->release_domain =
			make_static(&releases[driver], driver, IOMMU_DOMAIN_BLOCKED);
		releases[driver].releases = true;
	}
#endif
#ifdef HARNESS_HAVE_DEFAULT_DOMAIN
	static struct fake_domain defaults[HARNESS_DRIVERS];

	if (d->default_domain)
		ops->default_domain =
			make_static(&defaults[driver], driver, IOMMU_DOMAIN_PLATFORM);
#endif
}
#else
static void give_statics(struct iommu_ops *ops, u8 driver)
{
}
#endif

/* --- for driver.c --- */

void domains_give(struct iommu_ops *ops, u8 driver)
{
	give_domains(ops, driver);
	give_statics(ops, driver);
#ifdef HARNESS_HAVE_SET_PLATFORM_DMA
	if (!fake_machine.drivers[driver].default_domains)
		ops->set_platform_dma_ops = set_platform_dma;
#endif
}

void domains_begin(void)
{
	fake_domains = NULL;
	fake_domains_count = 0;
	domain_numbers = 0;
#ifdef HARNESS_HAVE_DOMAIN_OPS
	for (int i = 0; i < HARNESS_TABLES; i++)
		tables[i] = new_table;
#endif
}

void domains_begin_op(void)
{
	core_map.domain = NULL;
}
