// SPDX-License-Identifier: GPL-2.0-only
/* The iommu_ops of all drivers. The machine and the faults decide how each callback ends. */
#include "fake.h"

#include <linux/of.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/slab.h>

int fake_probed_again;
int fake_released_unserved;
static unsigned int registrations;

/* The drivers' ops, by address: a driver loaded at a freed address reuses the ops there. */
static struct iommu_ops ops[HARNESS_DRIVERS];
static u8 loaded[HARNESS_DRIVERS]; /* the driver at each address */

const struct iommu_ops *driver_ops(u8 driver)
{
	return &ops[fake_machine.drivers[driver].address];
}

/* --- PASIDs --- */

#ifdef HARNESS_HAVE_PASID
static bool pasids_after_alloc;

#ifdef HARNESS_HAVE_REMOVE_DEV_PASID
static void remove_dev_pasid(struct device *dev)
{
	domains_unset_pasid(dev);
}

void fake_has_pasids(bool has)
{
}
#else
static int block_dev_pasid(struct iommu_domain *domain, struct device *dev)
{
	domains_unset_pasid(dev);
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

/* --- allocating domains --- */

static struct iommu_domain *alloc(u8 driver, struct device *dev)
{
	struct iommu_domain *domain = domains_alloc(driver, dev);

#ifdef HARNESS_HAVE_PASID
	if (domain && pasids_after_alloc)
		fake_has_pasids(true);
#endif
	return domain;
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
	if (fake_machine.drivers[machine_driver_of(index)].release_domain &&
	    fake_devices[index].attached &&
	    (!fake_devices[index].hw || !fake_devices[index].hw->releases))
		host_complain("a device is released on another domain than its driver's");
	calls_add(HARNESS_RELEASE)->device = index;
	host_releases(dev);
	fake_devices[index].hw = NULL;
	fake_devices[index].attached = false;
	fake_devices[index].finalized = 0;
	fake_devices[index].instance = HARNESS_NONE;
}

static void probe_finalize(struct device *dev)
{
	fake_devices[host_index(dev)].finalized++;
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
#ifdef HARNESS_HAVE_CAP_ENFORCE
	if (cap == IOMMU_CAP_ENFORCE_CACHE_COHERENCY)
		return fake_machine.drivers[driver].snoops;
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

#ifdef HARNESS_HAVE_DEV_FEATURES
/* Devices have one feature. */
static int change_feature(struct device *dev, enum iommu_dev_features feature)
{
	return feature == IOMMU_DEV_FEAT_SVA ? 0 : -EINVAL;
}
#define FEATURES .dev_enable_feat = change_feature, .dev_disable_feat = change_feature,
#else
#define FEATURES
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

#define OPS(n)                                  \
	[n] = {                                 \
		.capable = capable_##n,         \
		.probe_device = probe_##n,      \
		.release_device = release_device, \
		.probe_finalize = probe_finalize, \
		.device_group = device_group,   \
		.get_resv_regions = resv_regions, \
		.of_xlate = (void *)of_xlate,   \
		.is_attach_deferred = attach_deferred, \
		.def_domain_type = def_domain_type, \
		PASID                           \
		FEATURES                        \
		PGSIZE                          \
		PUT_RESV                        \
		ALLOC_PAGING(n)                 \
		ALLOC_TYPE(n),                  \
	}
static const struct iommu_ops new_ops[HARNESS_DRIVERS] = {
	OPS(0), OPS(1), OPS(2), OPS(3), OPS(4), OPS(5), OPS(6), OPS(7),
};

/* --- ops --- */

void fake_begin(const struct harness_machine *machine)
{
	machine_begin(machine);
	domains_begin();
	fake_probed_again = 0;
	fake_released_unserved = 0;
	calls_clear();
	registrations = 0;
}

void fake_begin_op(const struct harness_op *op)
{
	domains_begin_op();
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

int fake_register(u8 i)
{
	const u8 driver = fake_machine.instances[i].driver;
	const u8 address = fake_machine.drivers[driver].address;
	struct fake_instance *fake = &fake_instances[i];
	int ret;

	loaded[address] = driver;
	ops[address] = new_ops[address];
	ops[address].owner = host_module;
	domains_give(&ops[address], driver);
	fake->iommu = (struct iommu_device){ .fwnode = fake->fwnode, .dev = fake->iommu.dev };
	fake->registered = ++registrations;
#ifdef HARNESS_HAVE_DEVICE_SET_OPS
	__iommu_device_set_ops(&fake->iommu, &ops[address]);
	ret = iommu_device_register(&fake->iommu);
#else
	ret = iommu_device_register(&fake->iommu, &ops[address], NULL);
#endif
	if (ret) {
		forget_registration(fake);
		return ret;
	}
	ret = claims_take(driver);
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
	claims_clear(fake_machine.instances[i].driver);
}
