// SPDX-License-Identifier: GPL-2.0-only
/* The iommu_ops of all drivers. The machine and the faults decide how each callback ends. */
#include "fake.h"

#include <linux/of.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/slab.h>

struct fake_domain *fake_domains;
int fake_domains_count;
int fake_probed_again;
int fake_released_unserved;
#if !__has_feature(address_sanitizer)
static struct fake_domain *freed;
#endif
static u16 domain_numbers;
static unsigned int registrations;

/* The drivers' ops, by address: a driver loaded at a freed address reuses the ops there. */
static struct iommu_ops ops[HARNESS_DRIVERS];
#ifdef HARNESS_HAVE_DOMAIN_OPS
static struct iommu_domain_ops tables[HARNESS_TABLES];
#endif
static u8 loaded[HARNESS_DRIVERS]; /* the driver at each address */

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

static bool pasids_after_alloc;

static struct iommu_domain *alloc(u8 driver, struct device *dev)
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
	if (pasids_after_alloc)
		fake_has_pasids(true);
	fake_domains_count++;
	call->domain = domain->number;
	return &domain->domain;
}

#ifndef HARNESS_HAVE_ALLOC_IDENTITY
static struct iommu_domain *alloc_of_type(u8 driver, unsigned int type)
{
	/* Like most drivers, has no blocking domain by type; the core then makes an empty one. */
	if (type == IOMMU_DOMAIN_BLOCKED)
		return NULL;
#ifndef HARNESS_HAVE_ALLOC_PAGING
	if (type != IOMMU_DOMAIN_UNMANAGED && !fake_machine.drivers[driver].default_domains)
		return NULL;
#endif
	return alloc(driver, NULL);
}
#endif

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

	if (driver->checks_snoop && domain->coherent &&
	    !fake_machine.instances[instance].enforces_coherency)
		return -EINVAL;
	if ((driver->same_instance && domain->instance != HARNESS_NONE &&
	     domain->instance != instance) ||
	    (driver->refuses_foreign && domain->driver != machine_driver_of(device)))
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
	device->hw = fake;
	device->attached = true;
	__set_bit(index, fake->accepted);
	/* A static identity domain, which has no number, is bound to no instance. */
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

/* Which PASID is no question: a case has one. Nor is the old domain, which later kernels name. */
#ifdef HARNESS_HAVE_PASID
static int set_dev_pasid(struct iommu_domain *domain, struct device *dev)
{
	const int index = host_index(dev);
	struct harness_call *call = calls_add(HARNESS_SET_PASID);

	call->domain = fake_domain_of(domain)->number;
	call->device = index;
	call->error = fault_of(HARNESS_FAIL_ATTACH, index);
	return call->error;
}

#ifdef HARNESS_HAVE_REMOVE_DEV_PASID
static void remove_dev_pasid(void)
{
}

void fake_has_pasids(bool has)
{
}
#else
static int block_dev_pasid(void)
{
	return 0;
}
static const struct iommu_domain_ops block_table = {
	.set_dev_pasid = (void *)block_dev_pasid,
};
static struct iommu_domain block_domain = {
	.type = IOMMU_DOMAIN_BLOCKED,
	.ops = &block_table,
};

void fake_has_pasids(bool has)
{
	int i;

	for (i = 0; i < HARNESS_DRIVERS; i++)
		ops[i].blocked_domain = has ? &block_domain : NULL;
	pasids_after_alloc = false;
}
#endif

void fake_has_pasids_after_alloc(void)
{
	pasids_after_alloc = true;
}
#endif

#ifdef HARNESS_HAVE_DOMAIN_OPS
#define DEFERRED_DOMAIN
#else
#define DEFERRED_DOMAIN struct iommu_domain *domain,
#endif

static bool attach_deferred(DEFERRED_DOMAIN struct device *dev)
{
	const int index = host_index(dev);

	return fake_machine.drivers[machine_driver_of(index)].deferred &&
	       !fake_devices[index].attached;
}

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
	calls_add_pages(HARNESS_MAPPED, fake->number, iova, *mapped);
	return ret;
}

static size_t unmap_pages(struct iommu_domain *domain, unsigned long iova, size_t pgsize,
			  size_t pgcount, struct iommu_iotlb_gather *gather)
{
	struct fake_domain *fake = fake_domain_of(domain);
	const size_t done = table_unmap(fake->table, iova, pgsize * pgcount, fake_is_owned(domain),
					!fake_machine.drivers[fake->driver].whole_pages);

	calls_add_pages(HARNESS_UNMAPPED, fake->number, iova, done);
	return done;
}

static phys_addr_t iova_to_phys(struct iommu_domain *domain, dma_addr_t iova)
{
	return table_phys(fake_domain_of(domain)->table, iova);
}

#ifndef HARNESS_HAVE_MAP_PAGES
/* Before 5.13 the core calls these for each page. */
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

#ifdef HARNESS_HAVE_ENABLE_NESTING
static int enable_nesting(struct iommu_domain *domain)
{
	return fake_machine.drivers[fake_domain_of(domain)->driver].nesting ? 0 : -EINVAL;
}
#endif

#ifdef HARNESS_HAVE_RESV_GFP
#define RESV_GFP , GFP_KERNEL
#else
#define RESV_GFP
#endif

static void resv_regions(struct device *dev, struct list_head *list)
{
	static const enum iommu_resv_type types[] = {
		[HARNESS_DIRECT] = IOMMU_RESV_DIRECT,
		[HARNESS_DIRECT_RELAXABLE] = IOMMU_RESV_DIRECT_RELAXABLE,
		[HARNESS_RESERVED] = IOMMU_RESV_RESERVED,
		[HARNESS_MSI] = IOMMU_RESV_MSI,
		[HARNESS_SW_MSI] = IOMMU_RESV_SW_MSI,
	};
	const struct harness_device *device = &fake_machine.devices[host_index(dev)];

	for (int i = 0; i < HARNESS_REGIONS; i++) {
		const struct harness_region *region = &device->regions[i];
		struct iommu_resv_region *resv;

		if (region->type == HARNESS_NO_REGION)
			continue;
		resv = iommu_alloc_resv_region(region->start, region->length,
					       IOMMU_READ | IOMMU_WRITE,
					       types[region->type] RESV_GFP);
		if (resv)
			list_add_tail(&resv->list, list);
	}
}

/* --- probing --- */

/* From firmware to the driver: the cells that a device tree has after the IOMMU's name. */
static int of_xlate(struct device *dev, struct of_phandle_args *args)
{
	return iommu_fwspec_add_ids(dev, args->args, args->args_count);
}

/* Whether firmware put the device behind the instance, and the driver can see this. */
static bool accepts(struct device *dev, u8 instance, u8 driver)
{
	const struct fake_instance *fake = &fake_instances[instance];
	struct iommu_fwspec *fwspec = dev_iommu_fwspec_get(dev);

	if (fake_machine.instances[instance].driver != driver || !fake->registered)
		return false;
	if (!fake->fwnode)
		return true;
#ifdef HARNESS_HAVE_FWSPEC_OPS
	/* Like arm_smmu_probe_device(); drivers without the test lack what their of_xlate() sets. */
	if (fwspec && !fwspec->ops)
		return false;
#endif
	return fwspec && fwspec->iommu_fwnode == fake->fwnode;
}

static u8 first_registered(u8 driver)
{
	u8 first = HARNESS_NONE;

	for (int i = 0; i < fake_machine.instances_count; i++)
		if (fake_machine.instances[i].driver == driver && fake_instances[i].registered &&
		    (first == HARNESS_NONE ||
		     fake_instances[i].registered < fake_instances[first].registered))
			first = i;
	return first;
}

static u8 find_instance(struct device *dev, u8 driver)
{
	const u8 *masters = fake_machine.devices[host_index(dev)].masters;

	for (int i = 0; i < HARNESS_MASTERS; i++)
		if (masters[i] != HARNESS_NONE && accepts(dev, masters[i], driver))
			return masters[i];
	return fake_machine.drivers[driver].accepts_foreign ? first_registered(driver) :
							      HARNESS_NONE;
}

static struct iommu_device *probe_device(u8 driver, struct device *dev)
{
	const int index = host_index(dev);
	struct harness_call *call;
	u8 instance;
	int ret;

	if (index < 0)
		return ERR_PTR(-ENODEV);
	ret = fault_of(HARNESS_FAIL_PROBE, index);
	if (ret)
		return ERR_PTR(ret);
	instance = find_instance(dev, driver);
	if (instance == HARNESS_NONE)
		return ERR_PTR(-ENODEV);
	fake_probed_again += fake_devices[index].instance != HARNESS_NONE;
	fake_devices[index].instance = instance;
	call = calls_add(HARNESS_PROBE);
	call->device = index;
	call->instance = instance;
	return &fake_instances[instance].iommu;
}

static void release_device(struct device *dev)
{
	const int index = host_index(dev);

	/* Up to and including 5.15 the core asks the driver that has the slot. */
	if (fake_devices[index].instance == HARNESS_NONE) {
		fake_released_unserved++;
		return;
	}
	calls_add(HARNESS_RELEASE)->device = index;
	host_releases(dev);
	fake_devices[index].hw = NULL;
	fake_devices[index].attached = false;
	fake_devices[index].instance = HARNESS_NONE;
}

/* Like drivers that know which devices send a stream id: the group of the first of these. */
static struct iommu_group *stream_group(struct device *dev)
{
	const struct harness_device *device = &fake_machine.devices[host_index(dev)];

	for (int at = 0; device->slot && at < fake_listed_count; at++) {
		const struct harness_device *other = &fake_machine.devices[fake_listed[at]];
		const struct device *listed = fake_devices[fake_listed[at]].dev;

		if (other->bus == device->bus && other->slot == device->slot && listed->iommu_group)
			return iommu_group_ref_get(listed->iommu_group);
	}
	return generic_device_group(dev);
}

static struct iommu_group *instance_group(struct device *dev)
{
#ifdef HARNESS_HAVE_SINGLE_GROUP
	return generic_single_device_group(dev);
#else
	/* In kernels without that function, drivers did the same themselves. */
	struct fake_instance *instance = &fake_instances[fake_devices[host_index(dev)].instance];

	if (!instance->group) {
		struct iommu_group *group = iommu_group_alloc();

		if (IS_ERR(group))
			return group;
		instance->group = group;
	}
	return iommu_group_ref_get(instance->group);
#endif
}

static struct iommu_group *device_group(struct device *dev)
{
	if (fake_machine.drivers[machine_driver_of(host_index(dev))].instance_groups)
		return instance_group(dev);
	return dev_is_pci(dev) ? pci_device_group(dev) : stream_group(dev);
}

static int def_domain_type(struct device *dev)
{
	static const int types[] = { 0, IOMMU_DOMAIN_IDENTITY, IOMMU_DOMAIN_DMA };

	return types[fake_machine.devices[host_index(dev)].default_type];
}

#ifdef HARNESS_HAVE_CAP_INTR_REMAP
/* Of the device's instance; where the driver is told of no device, of all instances. */
static bool remaps_interrupts(u8 driver, struct device *dev)
{
	if (dev)
		return fake_machine.instances[fake_devices[host_index(dev)].instance].isolates_msi;
	for (int i = 0; i < fake_machine.instances_count; i++)
		if (fake_machine.instances[i].driver == driver &&
		    !fake_machine.instances[i].isolates_msi)
			return false;
	return true;
}
#endif

static bool answers_capable(u8 driver, struct device *dev, enum iommu_cap cap)
{
#ifdef HARNESS_HAVE_CAP_INTR_REMAP
	if (cap == IOMMU_CAP_INTR_REMAP)
		return remaps_interrupts(driver, dev);
#endif
	return cap == IOMMU_CAP_CACHE_COHERENCY && fake_machine.drivers[driver].coherent;
}

/* --- the tables of callbacks --- */

#ifdef HARNESS_HAVE_CAPABLE_BY_DEV
#define CAPABLE_DEV struct device *dev,
#define CAPABLE_OF dev
#else
#define CAPABLE_DEV
#define CAPABLE_OF NULL
#endif
/* From 6.13 on the core asks for an identity domain, and for no other type. */
#ifdef HARNESS_HAVE_ALLOC_IDENTITY
static struct iommu_domain *alloc_identity(struct device *dev)
{
	return alloc(machine_driver_of(host_index(dev)), NULL) ?: ERR_PTR(-ENOMEM);
}
#define DEFINE_ALLOC_TYPE(n)
#define ALLOC_TYPE(n) .domain_alloc_identity = alloc_identity
#else
#define DEFINE_ALLOC_TYPE(n)                                                    \
	static struct iommu_domain *alloc_type_##n(unsigned int type)           \
	{                                                                       \
		return alloc_of_type(loaded[n], type);                          \
	}
#define ALLOC_TYPE(n) .domain_alloc = alloc_type_##n
#endif
#ifdef HARNESS_HAVE_ALLOC_PAGING
/* In 6.8 the core may name no device. */
#define DEFINE_ALLOC_PAGING(n)                                                  \
	static struct iommu_domain *alloc_paging_##n(struct device *dev)        \
	{                                                                       \
		return alloc(loaded[n], dev);                                   \
	}
#define ALLOC_PAGING(n) .domain_alloc_paging = alloc_paging_##n,
#else
#define DEFINE_ALLOC_PAGING(n)
#define ALLOC_PAGING(n)
#endif
#ifdef HARNESS_HAVE_REMOVE_DEV_PASID
#define PASID .remove_dev_pasid = (void *)remove_dev_pasid,
#else
#define PASID
#endif
#ifdef HARNESS_HAVE_OPS_PGSIZE
#define PGSIZE .pgsize_bitmap = PAGE_SIZE,
#else
#define PGSIZE
#endif

/* These callbacks are not told which driver is meant, so there is one of each for every address. */
#define ADDRESS(n)                                                              \
	DEFINE_ALLOC_TYPE(n)                                                    \
	DEFINE_ALLOC_PAGING(n)                                                  \
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

/* Up to and including 5.19 drivers name the function that frees their lists. */
#ifdef HARNESS_HAVE_PUT_RESV_REGIONS
#define PUT_RESV .put_resv_regions = generic_iommu_put_resv_regions,
#else
#define PUT_RESV
#endif

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
#else
#define NESTING
#endif
#ifdef HARNESS_HAVE_ENFORCE_COHERENCY
#define COHERENCY .enforce_cache_coherency = enforce_cache_coherency,
#else
#define COHERENCY
#endif
#define DOMAIN_CALLBACKS                        \
	.attach_dev = (void *)attach_dev,       \
	.iova_to_phys = iova_to_phys,           \
	DETACH MAPPING NESTING COHERENCY
/* Before 5.18 the callbacks of domains are in the ops of the driver. */
#ifdef HARNESS_HAVE_DOMAIN_OPS
#define OPS_OF_DOMAINS
#else
#define OPS_OF_DOMAINS DOMAIN_CALLBACKS .domain_free = free_domain,
#endif

#define OPS(n)                                  \
	[n] = {                                 \
		.capable = capable_##n,         \
		.probe_device = probe_##n,      \
		.release_device = release_device, \
		.device_group = device_group,   \
		.get_resv_regions = resv_regions, \
		.of_xlate = (void *)of_xlate,   \
		.is_attach_deferred = attach_deferred, \
		.def_domain_type = def_domain_type, \
		PASID                           \
		PGSIZE                          \
		PUT_RESV                        \
		OPS_OF_DOMAINS                  \
		ALLOC_PAGING(n)                 \
		ALLOC_TYPE(n),                  \
	}
static const struct iommu_ops new_ops[HARNESS_DRIVERS] = {
	OPS(0), OPS(1), OPS(2), OPS(3), OPS(4), OPS(5), OPS(6), OPS(7),
};
#ifdef HARNESS_HAVE_DOMAIN_OPS
static const struct iommu_domain_ops new_table = {
	DOMAIN_CALLBACKS
#ifdef HARNESS_HAVE_PASID
	.set_dev_pasid = (void *)set_dev_pasid,
#endif
	.free = free_domain,
};
#endif

#ifdef HARNESS_HAVE_IDENTITY_DOMAIN
static const struct iommu_domain_ops identity_table = {
	.attach_dev = (void *)attach_dev,
#ifdef HARNESS_HAVE_PASID
	.set_dev_pasid = (void *)set_dev_pasid,
#endif
};

/* Sets the driver's static identity domain, which nobody allocates. */
static void set_identity(struct iommu_ops *ops, u8 driver)
{
	static struct fake_domain identities[HARNESS_DRIVERS];
	struct fake_domain *identity = &identities[driver];

	if (!fake_machine.drivers[driver].static_identity)
		return;
	identity->domain.type = IOMMU_DOMAIN_IDENTITY;
	identity->domain.ops = &identity_table;
	identity->driver = driver;
	identity->instance = HARNESS_NONE;
	identity->number = HARNESS_NO_DOMAIN;
	ops->identity_domain = &identity->domain;
}
#endif

/* --- ops --- */

void fake_begin(const struct harness_machine *machine)
{
	machine_begin(machine);
	fake_domains = NULL;
	fake_domains_count = 0;
	fake_probed_again = 0;
	fake_released_unserved = 0;
#ifdef HARNESS_HAVE_DOMAIN_OPS
	for (int i = 0; i < HARNESS_TABLES; i++)
		tables[i] = new_table;
#endif
	calls_clear();
	domain_numbers = 0;
	registrations = 0;
}

void fake_begin_op(const struct harness_op *op)
{
	core_map.domain = NULL;
	calls_begin_op();
	faults_begin_op(op);
}

static void forget_registration(struct fake_instance *fake)
{
	fake->registered = 0;
	if (fake->group)
		iommu_group_put(fake->group);
	fake->group = NULL;
}

/* --- claiming buses, up to and including 6.0 --- */

#ifdef HARNESS_HAVE_BUS_SET_IOMMU
/* Whether firmware put the device behind a registered instance of the driver. */
static bool is_behind(u8 device, u8 driver)
{
	for (int i = 0; i < HARNESS_MASTERS; i++) {
		const u8 master = fake_machine.devices[device].masters[i];

		if (master != HARNESS_NONE && fake_machine.instances[master].driver == driver &&
		    fake_instances[master].registered)
			return true;
	}
	return false;
}

/* Like Intel's driver with the devices of the ACPI namespace; an error ends this. */
static void store(struct bus_type *bus, u8 driver)
{
	for (int at = 0; at < fake_listed_count; at++) {
		struct device *dev = fake_devices[fake_listed[at]].dev;

		if (dev->bus != bus || dev->iommu_group || !is_behind(fake_listed[at], driver))
			continue;
		bus->iommu_ops = &ops[fake_machine.drivers[driver].address];
		if (iommu_probe_device(dev))
			return;
	}
}

static int claim_bus(u8 driver, u8 number)
{
	const struct iommu_ops *own = &ops[fake_machine.drivers[driver].address];
	struct bus_type *bus = host_bus(number);

	if (!bus)
		return 0;
	switch (fake_machine.drivers[driver].claims[number]) {
	case HARNESS_CLAIM_STRICT:
		return bus_set_iommu(bus, own);
	case HARNESS_CLAIM_OWN_OK:
		return bus->iommu_ops == own ? 0 : bus_set_iommu(bus, own);
	case HARNESS_CLAIM_SKIP:
		return iommu_present(bus) ? 0 : bus_set_iommu(bus, own);
	case HARNESS_CLAIM_IGNORE:
		bus_set_iommu(bus, own);
		return 0;
	case HARNESS_CLAIM_STORE:
		store(bus, driver);
		return 0;
	}
	return 0;
}

static bool all_registered(u8 driver)
{
	for (int i = 0; i < fake_machine.instances_count; i++)
		if (fake_machine.instances[i].driver == driver && !fake_instances[i].registered)
			return false;
	return true;
}

/* Sets the first `count` buses that the driver claims to NULL. */
static void give_up_buses(u8 driver, int count)
{
	const struct harness_driver *d = &fake_machine.drivers[driver];

	for (int i = 0; i < count; i++)
		if (d->claims[d->claim_order[i]] != HARNESS_CLAIM_NONE && host_bus(d->claim_order[i]))
			bus_set_iommu(host_bus(d->claim_order[i]), NULL);
}

static int claim_buses(u8 driver)
{
	const struct harness_driver *d = &fake_machine.drivers[driver];

	if (d->claims_once && !all_registered(driver))
		return 0;
	for (int i = 0; i < HARNESS_BUSES; i++) {
		const int ret = claim_bus(driver, d->claim_order[i]);

		if (!ret)
			continue;
		if (d->unwinds)
			give_up_buses(driver, i);
		return ret;
	}
	return 0;
}

static void clear_buses(u8 driver)
{
	if (fake_machine.drivers[driver].clears)
		give_up_buses(driver, HARNESS_BUSES);
}
#else
static int claim_buses(u8 driver)
{
	return 0;
}
static void clear_buses(u8 driver)
{
}
#endif

int fake_register(u8 i)
{
	const u8 driver = fake_machine.instances[i].driver;
	const u8 address = fake_machine.drivers[driver].address;
	struct fake_instance *fake = &fake_instances[i];
	int ret;

	loaded[address] = driver;
	ops[address] = new_ops[address];
	ops[address].owner = host_module;
#ifdef HARNESS_HAVE_DOMAIN_OPS
	ops[address].default_domain_ops =
		&tables[fake_machine.table_address[fake_machine.drivers[driver].table]];
#endif
#ifdef HARNESS_HAVE_IDENTITY_DOMAIN
	set_identity(&ops[address], driver);
#endif
	fake->iommu = (struct iommu_device){ .fwnode = fake->fwnode, .dev = fake->iommu.dev };
	fake->registered = ++registrations;
	ret = iommu_device_register(&fake->iommu, &ops[address], NULL);
	if (ret) {
		forget_registration(fake);
		return ret;
	}
	ret = claim_buses(driver);
	if (ret) {
		iommu_device_unregister(&fake->iommu);
		forget_registration(fake);
	}
	return ret;
}

void fake_unregister(u8 i)
{
	iommu_device_unregister(&fake_instances[i].iommu);
	forget_registration(&fake_instances[i]);
	clear_buses(fake_machine.instances[i].driver);
}
