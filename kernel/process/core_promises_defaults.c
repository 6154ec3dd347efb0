// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the core promises about the domain that a group is on of itself: its type, by driver, sysfs
 * and command line, and the reserved regions that it maps.
 */
#include "core_promises.h"

#ifdef CORE_PROMISES
/* --- default domains --- */

static long type_is(int i, const char *type)
{
	char page[PAGE_SIZE] = {};
	const long size = sysfs_read(core_folder(group_of(i)), "type", page);

	return size < 0 ? size : strcmp(page, type);
}
/* The instance goes and comes, and its devices with it. */
static int again(int instance)
{
	fake_unregister(instance);
	return fake_register(instance);
}

static void default_types(void)
{
	static const struct {
		unsigned int type;
		const char *name;
	} types[] = {
		{ IOMMU_DOMAIN_BLOCKED, "blocked\n" }, { IOMMU_DOMAIN_IDENTITY, "identity\n" },
		{ IOMMU_DOMAIN_UNMANAGED, "unmanaged\n" }, { IOMMU_DOMAIN_DMA_FQ, "DMA-FQ\n" },
		{ IOMMU_DOMAIN_PLATFORM, "unknown\n" }, { IOMMU_DOMAIN_DMA, "DMA\n" },
	};

	for (int i = 0; i < ARRAY_SIZE(types); i++) {
		default_of(PLAIN)->type = types[i].type;
		IS(type_is(PLAIN, types[i].name), 0);
	}

	/* What drivers want of a device; if they do not agree on a group, identity. */
	static const struct {
		u8 narrow, twin;
		const char *name;
		int other; /* of a change to identity, which may be refused */
	} wants[] = {
		{ HARNESS_ANY_TYPE, HARNESS_ANY_TYPE, "DMA\n", 0 },
		{ HARNESS_TYPE_IDENTITY, HARNESS_ANY_TYPE, "identity\n", 0 },
		{ HARNESS_ANY_TYPE, HARNESS_TYPE_IDENTITY, "identity\n", 0 },
		{ HARNESS_TYPE_DMA, HARNESS_ANY_TYPE, "DMA\n", -EINVAL },
		{ HARNESS_TYPE_DMA, HARNESS_TYPE_IDENTITY, "identity\n", 0 },
		{ HARNESS_TYPE_IDENTITY, HARNESS_TYPE_DMA, "identity\n", 0 },
		{ HARNESS_TYPE_DMA, HARNESS_TYPE_DMA, "DMA\n", -EINVAL },
	};
	for (int i = 0; i < ARRAY_SIZE(wants); i++) {
		fake_machine.devices[NARROW].default_type = wants[i].narrow;
		fake_machine.devices[TWIN].default_type = wants[i].twin;
		IS(again(1), 0);
		IS(type_is(NARROW, wants[i].name), 0);
		IS(store_type(NARROW, "identity"), wants[i].other);
		HOLDS(domain_of(NARROW) == default_of(NARROW));
	}
	fake_machine.devices[NARROW].default_type = HARNESS_ANY_TYPE;
	fake_machine.devices[TWIN].default_type = HARNESS_ANY_TYPE;
	ops_of(NARROW)->def_domain_type = NULL;
	IS(store_type(NARROW, "DMA"), 0);
	IS(type_is(NARROW, "DMA\n"), 0);

	/* A device that is not trusted has DMA, or is not served. */
	to_pci_dev(device(TWIN))->untrusted = 1;
	IS(again(1), 0);
	IS(type_is(TWIN, "DMA\n"), 0);
	IS(store_type(TWIN, "identity"), -EINVAL);
	IS(store_type(TWIN, "auto"), 0);
	fake_machine.devices[NARROW].default_type = HARNESS_TYPE_IDENTITY;
	IS(again(1), -EINVAL);
	HOLDS(!group_of(NARROW));
	fake_machine.devices[NARROW].default_type = HARNESS_TYPE_DMA;
	IS(fake_register(1), 0);
	IS(type_is(TWIN, "DMA\n"), 0);
	to_pci_dev(device(TWIN))->untrusted = 0;
}

/* Where the type of all groups, which boot parameters set, cannot be had. */
static void fallbacks(void)
{
	iommu_set_default_passthrough(false);
	HOLDS(iommu_default_passthrough());
	IS(again(0), 0);
	IS(type_is(PLAIN, "identity\n"), 0);
	IS(store_type(PLAIN, "DMA"), 0);
	IS(store_type(PLAIN, "auto"), 0);
	IS(type_is(PLAIN, "identity\n"), 0);
	fake_unregister(0);
	fail(HARNESS_FAIL_ALLOC, 1, 1, ENOMEM);
	IS(fake_register(0), 0);
	fail_nothing();
	IS(type_is(PLAIN, "DMA\n"), 0);
	/* Both of them: the first two allocations. */
	fake_unregister(0);
	static const struct harness_op none = { .faults = { { HARNESS_FAIL_ALLOC, 1, 1, ENOMEM },
							    { HARNESS_FAIL_ALLOC, 2, 1, ENOMEM } } };
	fake_begin_op(&none);
	IS(fake_register(0), -ENOMEM);
	fail_nothing();
	HOLDS(!group_of(PLAIN));
	iommu_set_default_translated(false);
	HOLDS(!iommu_default_passthrough());
	fail(HARNESS_FAIL_ALLOC, 1, 1, ENOMEM);
	IS(fake_register(0), -EINVAL);
	fail_nothing();
	IS(fake_register(0), 0);
	IS(type_is(PLAIN, "DMA\n"), 0);
	struct iommu_domain *before = default_of(PLAIN);
	fail(HARNESS_FAIL_ALLOC, 1, 1, ENOMEM);
	IS(store_type(PLAIN, "identity"), -ENOMEM);
	fail_nothing();
	HOLDS(default_of(PLAIN) == before && domain_of(PLAIN) == before);
	const int count = fake_domains_count;
	IS(store_type(PLAIN, "DMA"), 0);
	HOLDS(default_of(PLAIN) == before);
	fail(HARNESS_FAIL_ATTACH, PLAIN, 1, ENOMEM);
	IS(store_type(PLAIN, "identity"), -ENOMEM);
	fail_nothing();
	HOLDS(default_of(PLAIN) == before && domain_of(PLAIN) == before);
	IS(fake_domains_count, count);
	IS(store_type(PLAIN, "identity"), 0);
	IS(fake_domains_count, count);
	/* A group without a default domain has no type to change. */
	default_of(PLAIN)->type = IOMMU_DOMAIN_IDENTITY;
	IS(store_type(PLAIN, "DMA\n"), 0);
	IS(store_type(PLAIN, "DMA-FQ\n"), 0);
	IS(store_type(PLAIN, "other\n"), -EINVAL);
}

static void static_identity(void)
{
	fake_machine.drivers[0].static_identity = 1;
	IS(again(0), 0);
	IS(store_type(PLAIN, "identity"), 0);
	HOLDS(default_of(PLAIN) == ops_of(PLAIN)->identity_domain);
	IS(fake_devices[PLAIN].hw->number, HARNESS_NO_DOMAIN);
	IS(store_type(PLAIN, "DMA"), 0);
	HOLDS(default_of(PLAIN) != ops_of(PLAIN)->identity_domain);
}

#ifdef HARNESS_HAVE_DEFAULT_DOMAIN
/* A driver that names the default domain of all its groups. */
static void default_domain(void)
{
	fake_machine.drivers[0].default_domain = 1;
	IS(again(0), 0);
	HOLDS(default_of(PLAIN) == ops_of(PLAIN)->default_domain);
	HOLDS(domain_of(PLAIN) == default_of(PLAIN));
	IS(store_type(PLAIN, "DMA"), -EINVAL);
	IS(store_type(PLAIN, "auto"), 0);
	HOLDS(default_of(PLAIN) == ops_of(PLAIN)->default_domain);
	struct iommu_domain *domain = domain_for(PLAIN);
	IS(iommu_attach_group(domain, group_of(PLAIN)), 0);
	iommu_detach_group(domain, group_of(PLAIN));
	HOLDS(domain_of(PLAIN) == ops_of(PLAIN)->default_domain);
	iommu_domain_free(domain);
}
#define LACKS_DEFAULT NULL
#else
static void default_domain(void)
{
}
#define LACKS_DEFAULT "a default domain of the driver"
#endif

#ifdef HARNESS_HAVE_RELEASE_DOMAIN
/* A driver that names the domain on which its devices are released. */
static void release_domain(void)
{
	fake_unregister(0);
	fake_machine.drivers[0].release_domain = 1;
	IS(fake_register(0), 0);
	devices_remove(PLAIN);
	devices_add(PLAIN);
	devices_remove(TWIN);
	devices_add(TWIN);
	fake_unregister(1);
	fake_unregister(0);
	/* A device that was never attached is not attached to be released. */
	fake_machine.drivers[0].deferred = 1;
	IS(fake_register(0), 0);
	devices_remove(PLAIN);
	devices_add(PLAIN);
	IS(iommu_deferred_attach(device(PLAIN), default_of(PLAIN)), 0);
	devices_remove(PLAIN);
	devices_add(PLAIN);
	HOLDS(!memory_complaint);
}
#define LACKS_RELEASE NULL
#else
static void release_domain(void)
{
}
#define LACKS_RELEASE "a release domain of the driver"
#endif

/* --- reserved regions --- */

static long regions_are(int i, const char *expected)
{
	char page[PAGE_SIZE] = {};
	const long size = sysfs_read(core_folder(group_of(i)), "reserved_regions", page);

	return size < 0 ? size : strcmp(page, expected);
}

static long take_regions(int i)
{
	struct iommu_resv_region *region, *next;
	LIST_HEAD(list);
	const int ret = iommu_get_group_resv_regions(group_of(i), &list);

	list_for_each_entry_safe(region, next, &list, list)
		kfree(region);
	return ret;
}

static int freed;
static void free_region(struct device *dev, struct iommu_resv_region *region)
{
	freed += dev == device(PLAIN);
	kfree(region);
}

#define LINE(start, end, type) "0x00000000000" start " 0x00000000000" end " " type "\n"
static void regions(void)
{
	/* Sorted by their start; those of a type that overlap or touch are one. */
	set_regions(NARROW, REGION(HARNESS_RESERVED, 0x3000, 0x1000),
		    REGION(HARNESS_RESERVED, 0x1000, 0x1000));
	set_regions(TWIN, REGION(HARNESS_MSI, 0x3000, 0x1000),
		    REGION(HARNESS_DIRECT_RELAXABLE, 0x2000, 0x1000));
	IS(regions_are(NARROW, LINE("01000", "01fff", "reserved")
			       LINE("02000", "02fff", "direct-relaxable")
			       LINE("03000", "03fff", "reserved")
			       LINE("03000", "03fff", "msi")), 0);
	IS(take_regions(EMULATED), 0);
	/* The list of a device takes one allocation for each of its regions, and so does the group's. */
	for (int n = 3; n <= 8; n++) {
		const int objects = host_objects;

		host_armed[HARNESS_ARM_ALLOC] = n;
		IS(take_regions(NARROW), n == 5 || n == 6 ? 0 : -ENOMEM);
		host_disarm();
		IS(host_objects, objects);
	}
	set_regions(TWIN, REGION(HARNESS_RESERVED, 0x2000, 0x1000),
		    REGION(HARNESS_RESERVED, 0x3800, 0x1000));
	IS(regions_are(NARROW, LINE("01000", "047ff", "reserved")), 0);
	set_regions(TWIN, REGION(HARNESS_RESERVED, 0x1800, 0x400),
		    REGION(HARNESS_RESERVED, 0x5000, 0x1000));
	IS(regions_are(NARROW, LINE("01000", "01fff", "reserved")
			       LINE("03000", "03fff", "reserved")
			       LINE("05000", "05fff", "reserved")), 0);
	set_regions(TWIN, REGION(HARNESS_RESERVED, 0x800, 0x4000), REGION(HARNESS_SW_MSI, 0, 0x1000));
	IS(regions_are(NARROW, LINE("00000", "00fff", "msi") LINE("00800", "047ff", "reserved")), 0);
	set_regions(TWIN, REGION(HARNESS_RESERVED, 0x1000, 0x1000),
		    REGION(HARNESS_RESERVED, 0x4001, 0x1000));
	IS(regions_are(NARROW, LINE("01000", "01fff", "reserved")
			       LINE("03000", "03fff", "reserved")
			       LINE("04001", "05000", "reserved")), 0);

	LIST_HEAD(list);
	freed = 0;
	iommu_get_resv_regions(device(PLAIN), &list);
	struct iommu_resv_region *region = list_first_entry(&list, struct iommu_resv_region, list);
	IS(region->type, IOMMU_RESV_MSI);
	IS(region->prot, IOMMU_READ | IOMMU_WRITE);
	region->free = free_region;
	iommu_put_resv_regions(device(PLAIN), &list);
	IS(freed, 1);
	INIT_LIST_HEAD(&list);
	ops_of(PLAIN)->get_resv_regions = NULL;
	iommu_get_resv_regions(device(PLAIN), &list);
	HOLDS(list_empty(&list));
}

/* What firmware needs is mapped before its device is attached, and stays mapped. */
static void direct_regions(void)
{
	set_regions(NARROW, REGION(HARNESS_DIRECT, 0x108000, 0x3000), REGION(HARNESS_NO_REGION, 0, 0));
	set_regions(TWIN, REGION(HARNESS_DIRECT_RELAXABLE, 0x109000, 0x4000),
		    REGION(HARNESS_RESERVED, 0x200000, 0x1000));
	IS(again(1), 0);
	for (unsigned long at = 0x108000; at < 0x10d000; at += 0x1000)
		IS(iommu_iova_to_phys(default_of(NARROW), at), at);
	IS(bytes(default_of(NARROW)), 0x5000);
#ifdef HARNESS_HAVE_ENABLE_NESTING
	/* Up to and including 6.12 a driver that looks at empty entries is told of the new ones so. */
	HOLDS(fake_domain_of(default_of(NARROW))->flushes);
#endif
	HOLDS(device(NARROW)->iommu->require_direct);
	HOLDS(!device(TWIN)->iommu->require_direct);
	IS(iommu_group_claim_dma_owner(group_of(NARROW), device(NARROW)), -EINVAL);
	IS(core_group(group_of(NARROW)).owner_cnt, 0);

	/* A domain that cannot be mapped in yet is mapped after the attach; or it is not taken. */
	IS(store_type(NARROW, "identity"), 0);
	IS(bytes(default_of(NARROW)), 0);
	host_armed[HARNESS_ARM_MAP] = 1;
	IS(store_type(NARROW, "DMA"), 0);
	host_disarm();
	IS(bytes(default_of(NARROW)), 0x5000);
	IS(store_type(NARROW, "identity"), 0);
	struct iommu_domain *before = default_of(NARROW);
	const int count = fake_domains_count;
	static const struct harness_op twice = { .faults = { { HARNESS_FAIL_MAP, 1, 1, ENOMEM },
							     { HARNESS_FAIL_MAP, 3, 1, ENOMEM } } };
	fake_begin_op(&twice);
	IS(store_type(NARROW, "DMA"), -ENOMEM);
	fail_nothing();
	HOLDS(default_of(NARROW) == before && domain_of(NARROW) == before);
	HOLDS(fake_devices[TWIN].hw == fake_domain_of(before));
	IS(fake_domains_count, count);

	set_regions(NARROW, REGION(HARNESS_NO_REGION, 0, 0), REGION(HARNESS_NO_REGION, 0, 0));
	set_regions(TWIN, REGION(HARNESS_NO_REGION, 0, 0), REGION(HARNESS_NO_REGION, 0, 0));
	IS(again(1), 0);
	IS(fake_domain_of(default_of(NARROW))->flushes, 0);
	IS(iommu_group_claim_dma_owner(group_of(NARROW), device(NARROW)), 0);
	iommu_group_release_dma_owner(group_of(NARROW));
}

/* --- boot parameters --- */

/* The initcall, which also asks the buses to tell it of devices; once is enough. */
static long starts(void)
{
	const int before = buses_notifiers();
	const long ret = core_starts();

	if (!ret)
		HOLDS(buses_notifiers() == 2 * before);
	buses_forget_notifiers(before);
	return ret;
}

static void parameters(void)
{
	IS(core_parameter("iommu.passthrough", "1"), 0);
	HOLDS(iommu_default_passthrough());
	IS(core_parameter("iommu.passthrough", "0"), 0);
	HOLDS(!iommu_default_passthrough());
	IS(core_parameter("iommu.passthrough", "maybe"), -EINVAL);
	HOLDS(!iommu_default_passthrough());
	/* What the command line says, the later initcall does not change; nor what is not said. */
	IS(starts(), 0);
	HOLDS(!iommu_default_passthrough());
	IS(core_parameter("iommu.passthrough", "1"), 0);
	IS(starts(), 0);
	HOLDS(iommu_default_passthrough());
	IS(core_parameter("iommu.passthrough", "0"), 0);
	core_forget_parameters();
	iommu_set_default_passthrough(false);
	IS(starts(), 0);
	HOLDS(!iommu_default_passthrough());
	host_armed[HARNESS_ARM_ALLOC] = 1;
	IS(starts(), -ENOMEM);
	host_disarm();
	/* Groups that come after "iommu.strict=0" have a flush queue. */
	IS(core_parameter("iommu.strict", "0"), 0);
	IS(starts(), 0);
	IS(again(0), 0);
	IS(type_is(PLAIN, "DMA-FQ\n"), 0);
	iommu_set_dma_strict();
	IS(again(0), 0);
	IS(type_is(PLAIN, "DMA\n"), 0);
	iommu_set_default_passthrough(false);
	iommu_set_dma_strict();
	HOLDS(iommu_default_passthrough());
	IS(core_parameter("iommu.strict", "maybe"), -EINVAL);
	IS(core_parameter("iommu.strict", "1"), 0);
	IS(starts(), 0);
	core_forget_parameters();
	iommu_set_default_translated(false);
}

const struct promise core_defaults_promises[] = {
	{ "types of default domains", default_types },
	{ "default domains that fail", fallbacks },
	{ "static identity domain", static_identity },
	{ "default domain of the driver", default_domain, LACKS_DEFAULT },
	{ "release domain of the driver", release_domain, LACKS_RELEASE },
	{ "reserved regions", regions },
	{ "direct regions", direct_regions },
	{ "boot parameters", parameters },
	{},
};
#endif
