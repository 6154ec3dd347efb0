// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the core promises about groups and domains: who is in a group, what a domain of a driver
 * has.
 */
#include "core_promises.h"

#ifdef CORE_PROMISES
/* --- groups --- */

static int released;
static void release_data(void *data)
{
	released += data == &released;
}

static void groups(void)
{
	struct iommu_group *group = group_of(NARROW);

	HOLDS(iommu_group_get(device(TWIN)) == group);
	iommu_group_put(group);
	HOLDS(iommu_group_ref_get(group) == group);
	iommu_group_put(group);
	iommu_group_put(NULL);
	HOLDS(group != group_of(PLAIN) && group == group_of(TWIN));
	HOLDS(iommu_group_id(group) != iommu_group_id(group_of(PLAIN)));

	visits = 0;
	IS(iommu_group_for_each_dev(group, NULL, visit), 0);
	IS(visits, 12);
	visits = 0;
	IS(iommu_group_for_each_dev(group, device(NARROW), visit), 7);
	IS(visits, 1);

	IS(iommu_group_has_isolated_msi(group), 1);
	fake_machine.instances[1].isolates_msi = 0;
	IS(iommu_group_has_isolated_msi(group), 0);
	IS(iommu_group_has_isolated_msi(group_of(PLAIN)), 1);

	IS(iommu_group_dma_owner_claimed(group), 0);
	IS(iommu_group_claim_dma_owner(group, group), 0);
	IS(iommu_group_dma_owner_claimed(group), 1);
	iommu_group_release_dma_owner(group);
	IS(iommu_group_dma_owner_claimed(group), 0);
}

static long alloc_and_put(void)
{
	struct iommu_group *group = iommu_group_alloc();

	if (IS_ERR(group))
		return PTR_ERR(group);
	iommu_group_put(group);
	return 0;
}

static long name_is(struct iommu_group *group, const char *name)
{
	char page[PAGE_SIZE] = {};
	const long size = sysfs_read(core_folder(group), "name", page);

	return size < 0 ? size : strcmp(page, name);
}

static long set_name(struct iommu_group *group, const char *name)
{
	const long ret = iommu_group_set_name(group, name);

	if (!ret)
		iommu_group_set_name(group, NULL);
	return ret;
}

/* Groups that a driver of devices without an IOMMU makes. */
static void made_groups(void)
{
	struct iommu_group *group = iommu_group_alloc();
	struct iommu_group *other = iommu_group_alloc();

	HOLDS(iommu_group_id(group) != iommu_group_id(other));
	iommu_group_put(other);
	FAILS_UNTIL_0(HARNESS_ARM_ALLOC, -ENOMEM, alloc_and_put());
	FAILS_UNTIL_0(HARNESS_ARM_SYSFS, -ENOMEM, alloc_and_put());
	HOLDS(sysfs_has(core_folder(group), "devices"));
	HOLDS(sysfs_has(core_folder(group), "type"));

	released = 0;
	iommu_group_set_iommudata(group, &released, release_data);
	HOLDS(iommu_group_get_iommudata(group) == &released);

	FAILS_UNTIL_0(HARNESS_ARM_ALLOC, -ENOMEM, set_name(group, "one"));
	FAILS_UNTIL_0(HARNESS_ARM_SYSFS, -ENOMEM, set_name(group, "one"));
	IS(name_is(group, ""), -ENOENT);
	IS(iommu_group_set_name(group, "one"), 0);
	IS(name_is(group, "one\n"), 0);
	IS(iommu_group_set_name(group, "other"), 0);
	IS(name_is(group, "other\n"), 0);
	IS(iommu_group_set_name(group, NULL), 0);
	IS(name_is(group, ""), -ENOENT);
	IS(iommu_group_set_name(group, "last"), 0);

	IS(released, 0);
	iommu_group_put(group);
	IS(released, 1);
}

/* A group of devices that no IOMMU driver serves. */
static void devices_without_iommu(void)
{
	static struct device devices[3];
	struct iommu_group *group = iommu_group_alloc();
	static const char *const names[] = { "same", "same.0", "same.1" };

	memset(devices, 0, sizeof(devices));
	for (int i = 0; i < 3; i++) {
		devices[i].kobj.name = "same";
		IS(iommu_group_add_device(group, &devices[i]), 0);
		HOLDS(devices[i].iommu_group == group);
		HOLDS(sysfs_has(&devices[i].kobj, "iommu_group"));
		HOLDS(sysfs_has(core_devices_folder(group), names[i]));
	}
	iommu_group_remove_device(&devices[1]);
	HOLDS(!devices[1].iommu_group);
	HOLDS(!sysfs_has(&devices[1].kobj, "iommu_group"));
	HOLDS(!sysfs_has(core_devices_folder(group), names[1]));
	HOLDS(sysfs_has(core_devices_folder(group), names[2]));
	iommu_group_remove_device(&devices[1]);
	FAILS_UNTIL_0(HARNESS_ARM_ALLOC, -ENOMEM,
		      iommu_group_add_device(group, &devices[1]) ?:
			      (iommu_group_remove_device(&devices[1]), 0));
	FAILS_UNTIL_0(HARNESS_ARM_SYSFS, -ENOMEM,
		      iommu_group_add_device(group, &devices[1]) ?:
			      (iommu_group_remove_device(&devices[1]), 0));

	/* Nobody translates for them. */
	LIST_HEAD(regions);
	IS(iommu_get_group_resv_regions(group, &regions), 0);
	HOLDS(list_empty(&regions));
	struct iommu_domain *domain = domain_for(PLAIN);
	IS(iommu_attach_group(domain, group), -EINVAL);
	IS(iommu_attach_device(domain, &devices[0]), -EINVAL);
	IS(iommu_attach_device(domain, &devices[1]), -ENODEV);
#ifdef HARNESS_HAVE_REMOVE_DEV_PASID
	/* Later kernels ask the driver first. */
	IS(iommu_attach_device_pasid(domain, &devices[1], 1, NULL), -ENODEV);
	IS(iommu_attach_device_pasid(domain, &devices[0], 1, NULL), -EINVAL);
#endif
	iommu_detach_device(domain, &devices[1]);
	HOLDS(!iommu_get_domain_for_dev(&devices[1]));
	iommu_domain_free(domain);
	IS(no_domain(iommu_paging_domain_alloc(&devices[0])), -ENODEV);
	IS(device_iommu_capable(&devices[0], IOMMU_CAP_CACHE_COHERENCY), 0);
	IS(iommu_device_claim_dma_owner(&devices[1], group), -ENODEV);
	IS(iommu_device_use_default_domain(&devices[1]), 0);
	iommu_device_unuse_default_domain(&devices[1]);
	IS(iommu_deferred_attach(&devices[1], NULL), 0);
	iommu_group_remove_device(&devices[0]);
	iommu_group_remove_device(&devices[2]);
	iommu_group_put(group);
}

/* --- domains --- */

static void domains(void)
{
	struct iommu_ops *ops = ops_of(PLAIN);
	struct iommu_domain *domain = domain_for(PLAIN);
	const int count = fake_domains_count;

	IS(no_domain(domain), 0);
	IS(domain->type, IOMMU_DOMAIN_UNMANAGED);
	HOLDS(domain->owner == ops);
#ifdef HARNESS_HAVE_ENABLE_NESTING
	IS(iommu_enable_nesting(domain), -EINVAL);
	fake_machine.drivers[0].nesting = 1;
	IS(iommu_enable_nesting(domain), 0);
	IS(iommu_enable_nesting(default_of(PLAIN)), -EINVAL);
#endif
	iommu_domain_free(domain);
	IS(fake_domains_count, count - 1);

	fail(HARNESS_FAIL_ALLOC, 1, 1, ENOMEM);
	IS(no_domain(domain_for(PLAIN)), -ENOMEM);
	fail_nothing();
	IS(device_iommu_capable(device(PLAIN), IOMMU_CAP_CACHE_COHERENCY), 1);
	IS(device_iommu_capable(device(PLAIN), IOMMU_CAP_NOEXEC), 0);
	ops->capable = NULL;
	IS(device_iommu_capable(device(PLAIN), IOMMU_CAP_CACHE_COHERENCY), 0);

	/* What a driver does not say of its domains comes from its ops. */
	const struct iommu_domain_ops *table = ops->default_domain_ops;
	static struct iommu_domain_ops without;
	without = *table;
#ifdef HARNESS_HAVE_ENABLE_NESTING
	without.enable_nesting = NULL;
#endif
#ifdef HARNESS_HAVE_PGTABLE_QUIRKS
	domain = domain_for(PLAIN);
	IS(iommu_set_pgtable_quirks(domain, 5), 0);
	IS(fake_domain_of(domain)->quirks, 5);
	domain->ops = &without;
	without.set_pgtable_quirks = NULL;
	IS(iommu_set_pgtable_quirks(domain, 5), -EINVAL);
#ifdef HARNESS_HAVE_ENABLE_NESTING
	IS(iommu_enable_nesting(domain), -EINVAL);
#endif
	domain->ops = table;
	iommu_domain_free(domain);
	IS(iommu_set_pgtable_quirks(default_of(PLAIN), 5), -EINVAL);
#endif
#ifndef HARNESS_HAVE_ALLOC_IDENTITY
	ops->domain_alloc_paging = NULL;
	domain = domain_for(PLAIN);
	IS(no_domain(domain), 0);
	IS(domain->type, IOMMU_DOMAIN_UNMANAGED);
	iommu_domain_free(domain);
	ops->domain_alloc = NULL;
	IS(no_domain(domain_for(PLAIN)), -EOPNOTSUPP);
#endif
}

#ifdef HARNESS_HAVE_DOMAIN_ALLOC_BUS
static void domains_of_buses(void)
{
	struct iommu_domain *domain = iommu_domain_alloc(&pci_bus_type);

	HOLDS(domain && domain->owner == ops_of(PLAIN));
	iommu_domain_free(domain);
	HOLDS(!iommu_domain_alloc(&platform_bus_type));
	fail(HARNESS_FAIL_ALLOC, 1, 1, ENOMEM);
	HOLDS(!iommu_domain_alloc(&pci_bus_type));
	fail_nothing();
	HOLDS(iommu_present(&pci_bus_type));
	HOLDS(iommu_present(&platform_bus_type));
	HOLDS(!iommu_present(device(EMULATED)->bus));
	/* Devices of two drivers on a bus. */
	const struct iommu_ops *own = device(TWIN)->iommu->iommu_dev->ops;
	static struct iommu_ops others;
	others = *own;
	device(TWIN)->iommu->iommu_dev->ops = &others;
	device(PLAIN)->iommu->iommu_dev->ops = own;
	WARNS(1, HOLDS(!iommu_domain_alloc(&pci_bus_type)));
	device(TWIN)->iommu->iommu_dev->ops = own;
	for (int i = 0; i < 2; i++)
		fake_unregister(i);
	HOLDS(!iommu_domain_alloc(&pci_bus_type));
	HOLDS(!iommu_present(&pci_bus_type));
}
#define LACKS_BUSES NULL
#else
static void domains_of_buses(void)
{
}
#define LACKS_BUSES "iommu_domain_alloc() of a bus"
#endif

#ifdef HARNESS_HAVE_DEV_FEATURES
static void features(void)
{
	static int data;

	mutex_lock(&iommu_probe_device_lock);
	WARNS(0, dev_iommu_priv_set(device(PLAIN), &data));
	mutex_unlock(&iommu_probe_device_lock);
	HOLDS(dev_iommu_priv_get(device(PLAIN)) == &data);
	IS(iommu_dev_enable_feature(device(PLAIN), IOMMU_DEV_FEAT_SVA), 0);
	IS(iommu_dev_disable_feature(device(PLAIN), IOMMU_DEV_FEAT_SVA), 0);
	IS(iommu_dev_enable_feature(device(PLAIN), IOMMU_DEV_FEAT_IOPF), -EINVAL);
	IS(iommu_dev_disable_feature(device(PLAIN), IOMMU_DEV_FEAT_IOPF), -EINVAL);
	IS(iommu_dev_enable_feature(device(EMULATED), IOMMU_DEV_FEAT_SVA), -ENODEV);
	IS(iommu_dev_disable_feature(device(EMULATED), IOMMU_DEV_FEAT_SVA), -EBUSY);
	ops_of(PLAIN)->dev_enable_feat = NULL;
	ops_of(PLAIN)->dev_disable_feat = NULL;
	IS(iommu_dev_enable_feature(device(PLAIN), IOMMU_DEV_FEAT_SVA), -ENODEV);
	IS(iommu_dev_disable_feature(device(PLAIN), IOMMU_DEV_FEAT_SVA), -EBUSY);
}
#define LACKS_FEATURES NULL
#else
static void features(void)
{
}
#define LACKS_FEATURES "iommu_dev_enable_feature()"
#endif

static int handled;
static int handle_fault(struct iommu_domain *domain, struct device *dev, unsigned long iova,
			int flags, void *token)
{
	handled = iova == 0x5000 && flags == IOMMU_FAULT_WRITE && token == &handled;
	return -EIO;
}

static void faults(void)
{
	struct iommu_domain *domain = domain_for(PLAIN);

	IS(report_iommu_fault(domain, device(PLAIN), 0x5000, IOMMU_FAULT_WRITE), -ENOSYS);
	iommu_set_fault_handler(domain, handle_fault, &handled);
	IS(report_iommu_fault(domain, device(PLAIN), 0x5000, IOMMU_FAULT_WRITE), -EIO);
	HOLDS(handled);
	iommu_domain_free(domain);
}

const struct promise core_groups_promises[] = {
	{ "groups", groups },
	{ "groups that a driver makes", made_groups },
	{ "devices without an IOMMU", devices_without_iommu },
	{ "domains", domains },
	{ "domains of buses", domains_of_buses, LACKS_BUSES },
	{ "features", features, LACKS_FEATURES },
	{ "faults", faults },
	{},
};
#endif
