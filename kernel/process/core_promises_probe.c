// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the core promises about how devices come to their drivers: probes, instances and what
 * firmware says.
 */
#include "core_promises.h"

#ifdef CORE_PROMISES
/* --- probing --- */

static long probe_again(int i)
{
	devices_remove(i);
	devices_add(i);
	return device(i)->iommu_group ? 0 : -ENOMEM;
}

static int modules(void)
{
	return shim_references(HARNESS_REF_MODULE);
}

/* Where struct device says whether its DMA goes through its IOMMU. */
#ifdef HARNESS_HAVE_DMA_IOMMU
#define HAS_DMA_OPS(i, expected) IS(device(i)->dma_iommu, expected)
#else
#define HAS_DMA_OPS(i, expected)
#endif

static void probing(void)
{
	const int before = modules();

	IS(fake_devices[PLAIN].finalized, 1);
	IS(fake_devices[NARROW].finalized, 1);
	IS(fake_devices[TWIN].finalized, 1);
	HAS_DMA_OPS(PLAIN, 1);
	HAS_DMA_OPS(TWIN, 1);
	HOLDS(sysfs_has(&device(PLAIN)->kobj, "iommu"));
	HOLDS(sysfs_has(&device(PLAIN)->kobj, "iommu_group"));
	IS(store_type(NARROW, "identity"), 0);
	HAS_DMA_OPS(TWIN, 0);
	HAS_DMA_OPS(NARROW, 0);
	IS(store_type(NARROW, "DMA"), 0);
	HAS_DMA_OPS(TWIN, 1);

	devices_remove(PLAIN);
	HOLDS(!device(PLAIN)->iommu_group && !device(PLAIN)->iommu);
	HOLDS(!sysfs_has(&device(PLAIN)->kobj, "iommu"));
	HOLDS(!sysfs_has(&device(PLAIN)->kobj, "iommu_group"));
	HAS_DMA_OPS(PLAIN, 0);
	IS(modules(), before - 1);
	IS(fake_domains_count, 1);
	devices_add(PLAIN);
	IS(fake_devices[PLAIN].finalized, 1);
	HAS_DMA_OPS(PLAIN, 1);
	IS(modules(), before);

	/* Removing one of two. */
	devices_remove(NARROW);
	HOLDS(group_of(TWIN) && default_of(TWIN));
	HOLDS(domain_of(TWIN) == default_of(TWIN));
	devices_add(NARROW);
	HOLDS(group_of(NARROW) == group_of(TWIN));
	HOLDS(fake_devices[NARROW].hw == fake_domain_of(default_of(TWIN)));

	/* A device that comes is on the domain of its group. */
	IS(iommu_group_claim_dma_owner(group_of(TWIN), device(TWIN)), 0);
	devices_remove(NARROW);
	devices_add(NARROW);
	HOLDS(fake_devices[NARROW].hw ==
	      fake_domain_of(core_group(group_of(TWIN)).blocking_domain));
	iommu_group_release_dma_owner(group_of(TWIN));
	HOLDS(fake_devices[NARROW].hw == fake_domain_of(default_of(TWIN)));
}

/* The device comes while the n-th call of a kind fails; n from 1 on, until none does. Returns n. */
static int probes_until_done(int arm)
{
	int n;

	for (n = 1; n < 40; n++) {
		devices_remove(PLAIN);
		host_armed[arm] = n;
		devices_add(PLAIN);
		const bool done = host_armed[arm];
		host_disarm();
		if (done)
			break;
		HOLDS(!device(PLAIN)->iommu_group && !device(PLAIN)->iommu);
		HOLDS(!sysfs_has(&device(PLAIN)->kobj, "iommu"));
		HOLDS(!sysfs_has(&device(PLAIN)->kobj, "iommu_group"));
		IS(fake_domains_count, 1);
	}
	HOLDS(device(PLAIN)->iommu_group);
	return n;
}

/* A probe that fails leaves nothing. */
static void failing_probes(void)
{
	set_regions(PLAIN, REGION(HARNESS_NO_REGION, 0, 0), REGION(HARNESS_NO_REGION, 0, 0));
	HOLDS(probes_until_done(HARNESS_ARM_ALLOC) > 3);
	HOLDS(probes_until_done(HARNESS_ARM_SYSFS) > 5);

	/* The driver's module goes. */
	devices_remove(PLAIN);
	shim_module_goes = true;
	devices_add(PLAIN);
	shim_module_goes = false;
	HOLDS(!device(PLAIN)->iommu_group && !device(PLAIN)->iommu);
	devices_remove(PLAIN);
	devices_add(PLAIN);
	HOLDS(device(PLAIN)->iommu_group);

	/* A device that does not get on its domain. */
	devices_remove(TWIN);
	fail(HARNESS_FAIL_ATTACH, TWIN, 1, ENOMEM);
	devices_add(TWIN);
	fail_nothing();
	HOLDS(!device(TWIN)->iommu_group && device(NARROW)->iommu_group);
	visits = 0;
	iommu_group_for_each_dev(group_of(NARROW), NULL, visit);
	IS(visits, NARROW);
	devices_remove(TWIN);
	devices_add(TWIN);
	HOLDS(group_of(TWIN) == group_of(NARROW));
}

static struct iommu_group *no_group(struct device *dev)
{
	return NULL;
}
static struct iommu_group *failed_group(struct device *dev)
{
	return ERR_PTR(-EIO);
}

static void strange_drivers(void)
{
	struct iommu_ops *ops = ops_of(PLAIN);
	struct iommu_group *(*device_group)(struct device *) = ops->device_group;

	devices_remove(PLAIN);
	ops->device_group = no_group;
	WARNS(1, devices_add(PLAIN));
	HOLDS(!device(PLAIN)->iommu_group);
	devices_remove(PLAIN);
	ops->device_group = failed_group;
	WARNS(0, devices_add(PLAIN));
	HOLDS(!device(PLAIN)->iommu_group && !sysfs_has(&device(PLAIN)->kobj, "iommu"));
	devices_remove(PLAIN);
	ops->device_group = device_group;
	/* Callbacks that a driver need not have. */
	ops->is_attach_deferred = NULL;
	ops->probe_finalize = NULL;
	ops->get_resv_regions = NULL;
	fake_machine.drivers[0].deferred = 1;
	devices_add(PLAIN);
	HOLDS(device(PLAIN)->iommu_group && !device(PLAIN)->iommu->attach_deferred);
	IS(fake_devices[PLAIN].finalized, 0);
}

/* How many PASIDs a device has: what firmware says, up to what its IOMMU can. */
static void pasids_of_firmware(void)
{
	fake_machine.devices[PLAIN].pasid_bits = 4;
	fake_instances[0].iommu.max_pasids = 10;
	struct device *dev = device(PLAIN);
	const void *bus = dev->bus;
	devices_remove(PLAIN);
	devices_add(PLAIN);
	IS(dev->iommu->max_pasids, 0); /* PCI asks the device itself */
	devices_remove(PLAIN);
	dev->bus = (void *)&platform_bus_type;
	fake_machine.devices[PLAIN].bus = 0;
	devices_add(PLAIN);
	IS(dev->iommu->max_pasids, 10);
	devices_remove(PLAIN);
	fake_instances[0].iommu.max_pasids = 100;
	devices_add(PLAIN);
	IS(dev->iommu->max_pasids, 16);
	devices_remove(PLAIN);
	fake_machine.devices[PLAIN].pasid_bits = 0;
	devices_add(PLAIN);
	IS(dev->iommu->max_pasids, 0);
	devices_remove(PLAIN);
	dev->bus = (void *)bus;
	fake_machine.devices[PLAIN].bus = HARNESS_PCI;
	devices_add(PLAIN);
}

/* --- firmware --- */

static void fwspecs(void)
{
	static struct device dev;
	static const u32 ids[] = { 7, 8, 9 };
	static struct fwnode_handle nodes[2] = { { .ops = &of_fwnode_ops }, { .ops = &of_fwnode_ops } };
	struct fwnode_handle *node = &nodes[0];
	const int held = shim_references(HARNESS_REF_FWNODE);

	memset(&dev, 0, sizeof(dev));
	for (int i = 0; i < 2; i++)
		fake_instances[i].iommu.fwnode = &nodes[i];
	HOLDS(iommu_ops_from_fwnode(node) == ops_of(PLAIN));
	IS(iommu_fwspec_add_ids(&dev, ids, 1), -EINVAL);
	static struct fwnode_handle unknown;
	HOLDS(!iommu_ops_from_fwnode(&unknown));
	mutex_lock(&iommu_probe_device_lock);
	IS(iommu_fwspec_init(&dev, &unknown), -EPROBE_DEFER);
	HOLDS(!dev.iommu);
	FAILS_UNTIL_0(HARNESS_ARM_ALLOC, -ENOMEM, ({
		const int ret_init = iommu_fwspec_init(&dev, node);

		if (dev.iommu)
			core_dev_iommu_free(&dev);
		ret_init;
	}));
	IS(shim_references(HARNESS_REF_FWNODE), held);
	IS(iommu_fwspec_init(&dev, node), 0);
	IS(shim_references(HARNESS_REF_FWNODE), held + 1);
	IS(iommu_fwspec_init(&dev, node), 0);
	IS(iommu_fwspec_init(&dev, &nodes[1]), 0); /* of the same driver */
	IS(shim_references(HARNESS_REF_FWNODE), held + 1);
	HOLDS(dev_iommu_fwspec_get(&dev)->iommu_fwnode == node);
	IS(dev_iommu_fwspec_get(&dev)->num_ids, 0);
	IS(iommu_fwspec_add_ids(&dev, ids, 1), 0);
	IS(dev_iommu_fwspec_get(&dev)->num_ids, 1);
	host_armed[HARNESS_ARM_ALLOC] = 1;
	IS(iommu_fwspec_add_ids(&dev, ids + 1, 2), -ENOMEM);
	host_disarm();
	IS(dev_iommu_fwspec_get(&dev)->num_ids, 1);
	IS(iommu_fwspec_add_ids(&dev, ids + 1, 2), 0);
	IS(dev_iommu_fwspec_get(&dev)->num_ids, 3);
	for (int i = 0; i < 3; i++)
		IS(dev_iommu_fwspec_get(&dev)->ids[i], ids[i]);
	iommu_fwspec_free(&dev);
	HOLDS(!dev_iommu_fwspec_get(&dev));
	IS(shim_references(HARNESS_REF_FWNODE), held);
	iommu_fwspec_free(&dev);
	/* Another driver's instance. */
	IS(iommu_fwspec_init(&dev, node), 0);
	static struct iommu_ops others;
	const struct iommu_ops *own = fake_instances[1].iommu.ops;
	fake_instances[1].iommu.ops = &others;
	IS(iommu_fwspec_init(&dev, &nodes[1]), -EINVAL);
	fake_instances[1].iommu.ops = own;
	core_dev_iommu_free(&dev);
	IS(shim_references(HARNESS_REF_FWNODE), held);
	mutex_unlock(&iommu_probe_device_lock);
}

/* An instance names its node by its device. */
static void instances(void)
{
	static struct device hardware;
	static struct fwnode_handle node;
	struct iommu_device iommu = {};

	hardware.fwnode = &node;
	IS(iommu_device_register(&iommu, ops_of(PLAIN), &hardware), 0);
	HOLDS(iommu.fwnode == &node && iommu.ops == ops_of(PLAIN));
	HOLDS(iommu_ops_from_fwnode(&node) == ops_of(PLAIN));
	iommu_device_unregister(&iommu);
	HOLDS(!iommu_ops_from_fwnode(&node));
	/* The last of a driver is gone: nobody serves the devices of another. */
	HOLDS(group_of(PLAIN) && group_of(NARROW));
	fake_unregister(1);
	HOLDS(group_of(PLAIN) && !group_of(NARROW) && !group_of(TWIN));
	/* A walk over the bus that fails takes the instance back. */
	fail(HARNESS_FAIL_PROBE, TWIN, 1, ENOMEM);
	IS(fake_register(1), -ENOMEM);
	fail_nothing();
	HOLDS(!group_of(NARROW) && !group_of(TWIN));
	/* A device that no driver wants does not end it. */
	fail(HARNESS_FAIL_PROBE, NARROW, 1, ENODEV);
	IS(fake_register(1), 0);
	fail_nothing();
	HOLDS(!group_of(NARROW) && group_of(TWIN));
	/* One that joins a group which has a default domain. */
	devices_remove(NARROW);
	devices_add(NARROW);
	HOLDS(group_of(NARROW) == group_of(TWIN));
}

/* A group for all devices of an instance. */
static void shared_groups(void)
{
	fake_unregister(1);
	fake_machine.drivers[0].instance_groups = 1;
	set_regions(NARROW, REGION(HARNESS_NO_REGION, 0, 0), REGION(HARNESS_NO_REGION, 0, 0));
	set_regions(TWIN, REGION(HARNESS_NO_REGION, 0, 0), REGION(HARNESS_NO_REGION, 0, 0));
	fake_machine.devices[NARROW].slot = 11;
	fake_machine.devices[TWIN].slot = 12;
	IS(fake_register(1), 0);
	HOLDS(group_of(NARROW) == group_of(TWIN));
	HOLDS(group_of(NARROW) == fake_instances[1].iommu.singleton_group);
	devices_remove(NARROW);
	devices_remove(TWIN);
	HOLDS(fake_instances[1].iommu.singleton_group);
	devices_add(NARROW);
	devices_add(TWIN);
	fake_unregister(1);
	HOLDS(!fake_instances[1].iommu.singleton_group);
	for (int n = 1; n < 8; n++) {
		host_armed[HARNESS_ARM_ALLOC] = n;
		const int ret = fake_register(1);
		const bool done = host_armed[HARNESS_ARM_ALLOC];
		host_disarm();
		if (!ret)
			fake_unregister(1);
		if (done)
			break;
		IS(ret, -ENOMEM);
	}
}

const struct promise core_probe_promises[] = {
	{ "probing", probing },
	{ "probes that fail", failing_probes },
	{ "strange drivers", strange_drivers },
	{ "PASIDs of firmware", pasids_of_firmware },
	{ "fwspecs", fwspecs },
	{ "instances", instances },
	{ "groups of instances", shared_groups },
	{},
};
#endif
