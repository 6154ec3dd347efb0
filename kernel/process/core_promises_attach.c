// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the core promises about attaching groups, devices and PASIDs, and who owns them.
 */
#include "core_promises.h"

#ifdef CORE_PROMISES
/* --- attaching --- */

static void attaching(void)
{
	struct iommu_domain *domain = domain_for(PLAIN);
	struct iommu_domain *other = domain_for(NARROW);
	static struct iommu_domain_ops without;
	static struct iommu_ops foreign;

	HOLDS(iommu_get_domain_for_dev(device(PLAIN)) == default_of(PLAIN));
	HOLDS(iommu_get_dma_domain(device(PLAIN)) == default_of(PLAIN));
	IS(iommu_attach_device(domain, device(PLAIN)), 0);
	HOLDS(iommu_get_domain_for_dev(device(PLAIN)) == domain);
	HOLDS(fake_devices[PLAIN].hw == fake_domain_of(domain));
	IS(iommu_attach_device(other, device(PLAIN)), -EBUSY);
	IS(iommu_attach_group(other, group_of(PLAIN)), -EBUSY);
	WARNS(1, iommu_detach_device(other, device(PLAIN)));
	HOLDS(domain_of(PLAIN) == domain);
	WARNS(0, iommu_detach_device(domain, device(PLAIN)));
	HOLDS(domain_of(PLAIN) == default_of(PLAIN));

	/* A device of a larger group is not attached alone. */
	IS(iommu_attach_device(other, device(TWIN)), -EINVAL);
	IS(iommu_attach_group(other, group_of(TWIN)), 0);
	WARNS(1, iommu_detach_device(other, device(TWIN)));
	HOLDS(domain_of(TWIN) == other);
	iommu_detach_group(other, group_of(TWIN));
	HOLDS(domain_of(TWIN) == default_of(TWIN));

	/* Of another driver, without the callback, or refused. */
	foreign = *ops_of(PLAIN);
	domain->owner = &foreign;
	IS(iommu_attach_group(domain, group_of(PLAIN)), -EINVAL);
	domain->owner = ops_of(PLAIN);
	without = *domain->ops;
	without.attach_dev = NULL;
	domain->ops = &without;
	IS(iommu_attach_group(domain, group_of(PLAIN)), -ENODEV);
	without = *ops_of(PLAIN)->default_domain_ops;
	HOLDS(domain_of(PLAIN) == default_of(PLAIN));
	fail(HARNESS_FAIL_ATTACH, PLAIN, 1, ENOMEM);
	IS(iommu_attach_group(domain, group_of(PLAIN)), -ENOMEM);
	fail_nothing();
	HOLDS(domain_of(PLAIN) == default_of(PLAIN));
	iommu_domain_free(domain);
	iommu_domain_free(other);
}

/* One device is refused: all are where they were. */
static void failing_attaches(void)
{
	struct iommu_domain *domain = domain_for(NARROW);
	struct fake_domain *before = fake_domain_of(default_of(NARROW));

	fail(HARNESS_FAIL_ATTACH, TWIN, 1, ENOMEM);
	WARNS(0, IS(iommu_attach_group(domain, group_of(NARROW)), -ENOMEM));
	HOLDS(fake_devices[NARROW].hw == before && fake_devices[TWIN].hw == before);
	HOLDS(domain_of(NARROW) == &before->domain);

	/* And the way back, too: the device that cannot go back is blocked, if the group can be. */
	IS(iommu_group_claim_dma_owner(group_of(NARROW), domain), 0);
	struct iommu_domain *blocking = core_group(group_of(NARROW)).blocking_domain;
	IS(iommu_attach_group(domain, group_of(NARROW)), 0);
	fail(HARNESS_FAIL_ATTACH, NARROW, 1, ENOMEM);
	WARNS(1, iommu_detach_group(domain, group_of(NARROW)));
	HOLDS(domain_of(NARROW) == blocking);
	HOLDS(fake_devices[TWIN].hw == fake_domain_of(blocking));
	fail_nothing();
	IS(iommu_attach_group(domain, group_of(NARROW)), 0);
	fail(HARNESS_FAIL_ATTACH, NARROW, 1, ENOMEM);
	WARNS(1, iommu_group_release_dma_owner(group_of(NARROW)));
	HOLDS(fake_devices[NARROW].hw == fake_domain_of(blocking));
	HOLDS(fake_devices[TWIN].hw == before);
	HOLDS(domain_of(NARROW) == &before->domain);
	fail_nothing();
	IS(core_group(group_of(NARROW)).owner_cnt, 0);
	iommu_domain_free(domain);
}

#ifdef HARNESS_HAVE_REPLACE_DOMAIN
/* A domain is replaced in one step. */
static void replacing(void)
{
	struct iommu_domain *one = domain_for(NARROW);
	struct iommu_domain *two = domain_for(NARROW);
	struct iommu_group *group = group_of(NARROW);

	IS(iommu_group_replace_domain(group, NULL), -EINVAL);
	IS(iommu_attach_group(one, group), 0);
	IS(iommu_group_replace_domain(group, two), 0);
	HOLDS(domain_of(NARROW) == two);
	HOLDS(fake_devices[TWIN].hw == fake_domain_of(two));
	IS(iommu_group_replace_domain(group, two), 0);
	fail(HARNESS_FAIL_ATTACH, TWIN, 1, ENOMEM);
	IS(iommu_group_replace_domain(group, one), -ENOMEM);
	fail_nothing();
	HOLDS(domain_of(NARROW) == two);
	HOLDS(fake_devices[NARROW].hw == fake_domain_of(two));
	iommu_detach_group(two, group);
	iommu_domain_free(one);
	iommu_domain_free(two);
}
#define LACKS_REPLACING NULL
#else
static void replacing(void)
{
}
#define LACKS_REPLACING "iommu_group_replace_domain()"
#endif

static long handle_is(struct iommu_group *group, int pasid, unsigned int type,
		      struct iommu_attach_handle *handle)
{
	struct iommu_attach_handle *is = iommu_attach_handle_get(group, pasid, type);

	return is == handle ? 0 : IS_ERR(is) ? PTR_ERR(is) : 1;
}

static void handles(void)
{
	struct iommu_domain *one = domain_for(NARROW);
	struct iommu_domain *two = domain_for(NARROW);
	struct iommu_group *group = group_of(NARROW);
	struct iommu_attach_handle first = {};
	struct iommu_attach_handle second = {};

	IS(handle_is(group, IOMMU_NO_PASID, 0, NULL), -ENOENT);
	fail(HARNESS_FAIL_ATTACH, TWIN, 1, ENOMEM);
	IS(iommu_attach_group_handle(one, group, &first), -ENOMEM);
	fail_nothing();
	IS(handle_is(group, IOMMU_NO_PASID, 0, NULL), -ENOENT);

	IS(iommu_attach_group_handle(one, group, &first), 0);
	HOLDS(first.domain == one && domain_of(NARROW) == one);
	IS(handle_is(group, IOMMU_NO_PASID, 0, &first), 0);
	IS(handle_is(group, IOMMU_NO_PASID, IOMMU_DOMAIN_UNMANAGED, &first), 0);
	IS(handle_is(group, IOMMU_NO_PASID, IOMMU_DOMAIN_DMA, &first), -EBUSY);
	IS(iommu_attach_group_handle(two, group, &second), -EBUSY);
	HOLDS(domain_of(NARROW) == one);

	IS(iommu_replace_group_handle(group, NULL, &second), -EINVAL);
	IS(iommu_replace_group_handle(group, two, &second), 0);
	HOLDS(second.domain == two && domain_of(NARROW) == two);
	IS(handle_is(group, IOMMU_NO_PASID, 0, &second), 0);
	fail(HARNESS_FAIL_ATTACH, TWIN, 1, ENOMEM);
	IS(iommu_replace_group_handle(group, one, &first), -ENOMEM);
	fail_nothing();
	HOLDS(domain_of(NARROW) == two);
	IS(handle_is(group, IOMMU_NO_PASID, 0, &second), 0);
	iommu_detach_group_handle(two, group);
	IS(handle_is(group, IOMMU_NO_PASID, 0, NULL), -ENOENT);
	HOLDS(domain_of(NARROW) == default_of(NARROW));
	/* Nothing of it keeps a user from the group. */
	IS(iommu_group_claim_dma_owner(group, one), 0);
	iommu_group_release_dma_owner(group);
	fail(HARNESS_FAIL_ATTACH, TWIN, 1, ENOMEM);
	IS(iommu_replace_group_handle(group, one, &first), -ENOMEM);
	fail_nothing();
	IS(handle_is(group, IOMMU_NO_PASID, 0, NULL), -ENOENT);
	IS(iommu_group_claim_dma_owner(group, one), 0);
	iommu_group_release_dma_owner(group);
	iommu_domain_free(one);
	iommu_domain_free(two);
}

/* A driver that attaches a device when it is first used. */
static void deferred_attach(void)
{
	fake_unregister(0);
	fake_machine.drivers[0].deferred = 1;
	IS(fake_register(0), 0);
	HOLDS(device(PLAIN)->iommu->attach_deferred);
	HOLDS(!fake_devices[PLAIN].hw);
	IS(iommu_deferred_attach(device(PLAIN), default_of(PLAIN)), 0);
	HOLDS(fake_devices[PLAIN].hw == fake_domain_of(default_of(PLAIN)));
	HOLDS(!device(PLAIN)->iommu->attach_deferred);
	fake_devices[PLAIN].hw = NULL;
	IS(iommu_deferred_attach(device(PLAIN), default_of(PLAIN)), 0);
	HOLDS(!fake_devices[PLAIN].hw);
	/* A user's domain does not wait. */
	fake_unregister(0);
	IS(fake_register(0), 0);
	struct iommu_domain *domain = domain_for(PLAIN);
	IS(iommu_attach_group(domain, group_of(PLAIN)), 0);
	HOLDS(fake_devices[PLAIN].hw == fake_domain_of(domain));
	HOLDS(!device(PLAIN)->iommu->attach_deferred);
	iommu_detach_group(domain, group_of(PLAIN));
	HOLDS(fake_devices[PLAIN].hw == fake_domain_of(default_of(PLAIN)));
	iommu_domain_free(domain);
}

/* --- owners --- */

static void owners(void)
{
	struct iommu_group *group = group_of(NARROW);

	WARNS(1, IS(iommu_group_claim_dma_owner(group, NULL), -EINVAL));
	WARNS(1, IS(iommu_device_claim_dma_owner(device(TWIN), NULL), -EINVAL));
	WARNS(1, iommu_group_release_dma_owner(group));
	WARNS(1, iommu_device_release_dma_owner(device(TWIN)));
	WARNS(1, iommu_device_unuse_default_domain(device(TWIN)));
	IS(core_group(group).owner_cnt, 0);

	/* Drivers that use the default domain, and owners, exclude each other. */
	IS(iommu_device_use_default_domain(device(NARROW)), 0);
	IS(iommu_device_use_default_domain(device(TWIN)), 0);
	IS(core_group(group).owner_cnt, 2);
	IS(iommu_group_claim_dma_owner(group, group), -EPERM);
	IS(iommu_device_claim_dma_owner(device(TWIN), group), -EPERM);
	iommu_device_unuse_default_domain(device(TWIN));
	IS(iommu_group_claim_dma_owner(group, group), -EPERM);
	iommu_device_unuse_default_domain(device(NARROW));
	IS(iommu_device_claim_dma_owner(device(TWIN), group), 0);
	IS(iommu_device_use_default_domain(device(NARROW)), -EBUSY);
	IS(iommu_device_claim_dma_owner(device(NARROW), group), 0);
	IS(iommu_device_claim_dma_owner(device(NARROW), device(NARROW)), -EPERM);
	IS(iommu_group_claim_dma_owner(group, group), -EPERM);
	iommu_device_release_dma_owner(device(NARROW));
	IS(core_group(group).owner_cnt, 1);
	HOLDS(core_group(group).owned);
	HOLDS(domain_of(NARROW) == core_group(group).blocking_domain);
	iommu_device_release_dma_owner(device(TWIN));
	IS(core_group(group).owner_cnt, 0);
	HOLDS(!core_group(group).owned);
	HOLDS(domain_of(NARROW) == default_of(NARROW));
	IS(iommu_device_use_default_domain(device(NARROW)), 0);
	/* A driver whose domain is attached is not disturbed. */
	struct iommu_domain *domain = domain_for(NARROW);
	IS(iommu_attach_group(domain, group), 0);
	IS(iommu_device_use_default_domain(device(TWIN)), -EBUSY);
	iommu_detach_group(domain, group);
	iommu_device_unuse_default_domain(device(NARROW));
	IS(iommu_attach_group(domain, group), 0);
	IS(iommu_group_claim_dma_owner(group, group), -EBUSY);
	IS(iommu_device_claim_dma_owner(device(TWIN), group), -EBUSY);
	IS(core_group(group).owner_cnt, 0);
	iommu_detach_group(domain, group);
	iommu_domain_free(domain);

	/* A claim that fails leaves nothing. */
	fail(HARNESS_FAIL_ATTACH, TWIN, 1, ENOMEM);
	IS(iommu_device_claim_dma_owner(device(TWIN), group), -ENOMEM);
	fail_nothing();
	IS(core_group(group).owner_cnt, 0);
	HOLDS(!core_group(group).owned);
	IS(iommu_device_use_default_domain(device(TWIN)), 0);
	iommu_device_unuse_default_domain(device(TWIN));
}

/* Without a blocking domain there is no claim. */
static void failing_claims(void)
{
	fail(HARNESS_FAIL_ALLOC, 1, 1, ENOMEM);
	IS(iommu_group_claim_dma_owner(group_of(PLAIN), device(PLAIN)), -ENOMEM);
	fail_nothing();
	IS(core_group(group_of(PLAIN)).owner_cnt, 0);
	HOLDS(!core_group(group_of(PLAIN)).owned);
	IS(iommu_group_claim_dma_owner(group_of(PLAIN), device(PLAIN)), 0);
	struct iommu_domain *blocking = core_group(group_of(PLAIN)).blocking_domain;
	HOLDS(blocking && bytes(blocking) == 0);
	iommu_group_release_dma_owner(group_of(PLAIN));
	const int count = fake_domains_count;
	IS(iommu_group_claim_dma_owner(group_of(PLAIN), device(PLAIN)), 0);
	IS(fake_domains_count, count);
	iommu_group_release_dma_owner(group_of(PLAIN));
}

/* --- PASIDs --- */

static void give_pasids(int narrow, int twin)
{
	device(NARROW)->iommu->max_pasids = narrow;
	device(TWIN)->iommu->max_pasids = twin;
}

static void pasids(void)
{
	struct iommu_domain *domain = domain_for(NARROW);
	struct iommu_group *group = group_of(NARROW);
	struct iommu_attach_handle handle = {};
	static struct iommu_domain_ops without;
	static struct iommu_ops foreign;

	fake_has_pasids(true);
	give_pasids(8, 8);
	IS(iommu_attach_device_pasid(domain, device(NARROW), IOMMU_NO_PASID, NULL), -EINVAL);
	IS(iommu_attach_device_pasid(domain, device(NARROW), 8, NULL), -EINVAL);
	give_pasids(8, 4);
	IS(iommu_attach_device_pasid(domain, device(NARROW), 4, NULL), -EINVAL);
	foreign = *ops_of(NARROW);
	domain->owner = &foreign;
	IS(iommu_attach_device_pasid(domain, device(NARROW), 3, NULL), -EINVAL);
	domain->owner = ops_of(NARROW);
	without = *domain->ops;
	without.set_dev_pasid = NULL;
	domain->ops = &without;
	IS(iommu_attach_device_pasid(domain, device(NARROW), 3, NULL), -EOPNOTSUPP);
	domain->ops = ops_of(NARROW)->default_domain_ops;
	IS(handle_is(group, 3, 0, NULL), -ENOENT);

	IS(iommu_attach_device_pasid(domain, device(NARROW), 3, &handle), 0);
	HOLDS(handle.domain == domain);
	IS(handle_is(group, 3, 0, &handle), 0);
	IS(handle_is(group, 2, 0, NULL), -ENOENT);
	HOLDS(fake_devices[NARROW].pasid == fake_domain_of(domain));
	HOLDS(fake_devices[TWIN].pasid == fake_domain_of(domain));
	IS(iommu_attach_device_pasid(domain, device(TWIN), 3, NULL), -EBUSY);
	/* Whoever has PASIDs on needs the group for itself. */
	IS(iommu_group_claim_dma_owner(group, domain), -EBUSY);
	IS(iommu_device_claim_dma_owner(device(TWIN), domain), -EBUSY);
	iommu_detach_device_pasid(domain, device(NARROW), 3);
	HOLDS(!fake_devices[NARROW].pasid && !fake_devices[TWIN].pasid);
	IS(handle_is(group, 3, 0, NULL), -ENOENT);
	IS(iommu_group_claim_dma_owner(group, domain), 0);
	iommu_group_release_dma_owner(group);

	IS(iommu_device_use_default_domain(device(NARROW)), 0);
	IS(iommu_attach_device_pasid(domain, device(NARROW), 3, &handle), 0);
	IS(iommu_device_use_default_domain(device(TWIN)), -EBUSY);
	WARNS(1, iommu_device_unuse_default_domain(device(NARROW)));
	iommu_detach_device_pasid(domain, device(NARROW), 3);
	iommu_device_unuse_default_domain(device(NARROW));
	IS(core_group(group).owner_cnt, 0);
	IS(iommu_group_claim_dma_owner(group, domain), 0);
	IS(iommu_attach_device_pasid(domain, device(NARROW), 3, &handle), 0);
	WARNS(1, iommu_group_release_dma_owner(group));
	iommu_detach_device_pasid(domain, device(NARROW), 3);
	WARNS(0, iommu_group_release_dma_owner(group));

	/* A device without PASIDs is left alone; so is one after the one that fails. */
	give_pasids(0, 8);
	IS(iommu_attach_device_pasid(domain, device(TWIN), 7, NULL), 0);
	HOLDS(!fake_devices[NARROW].pasid && fake_devices[TWIN].pasid);
	iommu_detach_device_pasid(domain, device(TWIN), 7);
	HOLDS(!fake_devices[TWIN].pasid);
	give_pasids(8, 8);
	for (int n = 1; n <= 2; n++) {
		host_armed[HARNESS_ARM_PASID] = n;
		IS(iommu_attach_device_pasid(domain, device(NARROW), 3, &handle), -ENOMEM);
		HOLDS(!fake_devices[NARROW].pasid && !fake_devices[TWIN].pasid);
		IS(handle_is(group, 3, 0, NULL), -ENOENT);
	}
	host_armed[HARNESS_ARM_ALLOC] = 1;
	host_goes_on = 1;
	IS(iommu_attach_device_pasid(domain, device(NARROW), 3, &handle), -ENOMEM);
	host_disarm();
	HOLDS(!fake_devices[NARROW].pasid);
	give_pasids(0, 8);
	host_armed[HARNESS_ARM_PASID] = 1;
	IS(iommu_attach_device_pasid(domain, device(TWIN), 3, &handle), -ENOMEM);
	IS(iommu_group_claim_dma_owner(group, domain), 0);
	iommu_group_release_dma_owner(group);
	fake_has_pasids(false);
	iommu_domain_free(domain);
}

static void global_pasids(void)
{
	struct device *dev = device(PLAIN);

	dev->iommu->max_pasids = 0;
	IS(iommu_alloc_global_pasid(dev), IOMMU_PASID_INVALID);
	dev->iommu->max_pasids = IOMMU_FIRST_GLOBAL_PASID + 2;
	IS(iommu_alloc_global_pasid(dev), IOMMU_FIRST_GLOBAL_PASID);
	IS(iommu_alloc_global_pasid(dev), IOMMU_FIRST_GLOBAL_PASID + 1);
	IS(iommu_alloc_global_pasid(dev), IOMMU_PASID_INVALID);
	iommu_free_global_pasid(IOMMU_FIRST_GLOBAL_PASID);
	IS(iommu_alloc_global_pasid(dev), IOMMU_FIRST_GLOBAL_PASID);
	iommu_free_global_pasid(IOMMU_FIRST_GLOBAL_PASID);
	iommu_free_global_pasid(IOMMU_FIRST_GLOBAL_PASID + 1);
	WARNS(1, iommu_free_global_pasid(IOMMU_PASID_INVALID));
}
#ifdef HARNESS_HAVE_REMOVE_DEV_PASID
#define LACKS_REMOVE_PASID NULL
#else
#define LACKS_REMOVE_PASID "a callback of the driver that takes a PASID off"
#endif

const struct promise core_attach_promises[] = {
	{ "attaching", attaching },
	{ "attaches that fail", failing_attaches },
	{ "replacing", replacing, LACKS_REPLACING },
	{ "handles", handles },
	{ "deferred attach", deferred_attach },
	{ "owners", owners },
	{ "claims that fail", failing_claims },
	{ "PASIDs", pasids, LACKS_REMOVE_PASID },
	{ "global PASIDs", global_pasids },
	{},
};
#endif
