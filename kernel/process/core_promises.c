// SPDX-License-Identifier: GPL-2.0-only
/*
 * What drivers/iommu/iommu.c promises to IOMMU drivers and to users in the kernel: its exported
 * functions, call by call, on the machine of fuzz/kernel_checks.cc. Of that, device 0 (PLAIN) is alone
 * behind instance 0; devices 1 and 2 (NARROW, TWIN) share a group behind instance 1; device 3
 * (EMULATED) has a group without an IOMMU.
 */
#include <linux/iommu.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "fake/fake.h"
#include "internal.h"
#include "memory.h"
#include "promises.h"

#if defined(HARNESS_HAVE_PASID_HANDLE) && defined(HARNESS_HAVE_PROBE_LOCK)
#include <linux/of.h>
#include "iommu-priv.h"

enum { PLAIN, NARROW, TWIN, EMULATED };
enum { PHYS = 0x40000000 }; /* apart from the frames of the process, which must be pinned */

static struct device *device(int i)
{
	return fake_devices[i].dev;
}
static struct iommu_group *group_of(int i)
{
	return device(i)->iommu_group;
}
static struct iommu_domain *domain_for(int i)
{
	return iommu_paging_domain_alloc(device(i));
}
static struct iommu_ops *ops_of(int i)
{
	return (void *)device(i)->iommu->iommu_dev->ops;
}
static struct iommu_domain *domain_of(int i)
{
	return core_group(group_of(i)).domain;
}
static struct iommu_domain *default_of(int i)
{
	return core_group(group_of(i)).default_domain;
}
static unsigned long bytes(struct iommu_domain *domain)
{
	return table_bytes(fake_domain_of(domain)->table);
}
/* The fault strikes the n-th call of its kind from now on. */
static void fail(u8 kind, u8 target, u8 count, u8 error)
{
	static struct harness_op op;

	op.faults[0] = (struct harness_fault){ kind, target, count, error };
	fake_begin_op(&op);
}
static void fail_nothing(void)
{
	fake_begin_op(NULL);
}
static long no_domain(const struct iommu_domain *domain)
{
	return PTR_ERR_OR_ZERO(domain);
}

/* --- groups --- */

static int visits;
static int visit(struct device *dev, void *stop_at)
{
	visits = visits * 10 + host_index(dev);
	return dev == stop_at ? 7 : 0;
}

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

/* --- mapping --- */

static int map(struct iommu_domain *domain, unsigned long iova, unsigned long phys, size_t size)
{
	return iommu_map(domain, iova, phys, size, IOMMU_READ | IOMMU_WRITE, GFP_KERNEL);
}

/* The sizes of the pages of a mapping, as the driver was asked to make them: "4K*2 2M*1". */
static long pages_are(struct iommu_domain *domain, const char *expected)
{
	char found[256];

	table_describe(fake_domain_of(domain)->table, found, sizeof(found));
	return strcmp(found, expected);
}

static void maps(void)
{
	struct iommu_domain *domain = domain_for(PLAIN);

	domain->pgsize_bitmap = SZ_4K | SZ_2M | SZ_1G;
	IS(map(domain, 0x1001, PHYS, SZ_4K), -EINVAL);
	IS(map(domain, 0x1000, PHYS + 1, SZ_4K), -EINVAL);
	IS(map(domain, 0x1000, PHYS, SZ_4K + 1), -EINVAL);
	WARNS(1, IS(iommu_map(domain, 0x1000, PHYS, SZ_4K, IOMMU_READ, __GFP_DMA), -EINVAL));
	WARNS(1, IS(iommu_map(domain, 0x1000, PHYS, SZ_4K, IOMMU_READ, __GFP_HIGHMEM), -EINVAL));
	IS(bytes(domain), 0);

	IS(map(domain, 0x1000, PHYS + 0x5000, SZ_4K), 0);
	IS(iommu_iova_to_phys(domain, 0x1000), PHYS + 0x5000);
	IS(iommu_iova_to_phys(domain, 0x1234), PHYS + 0x5234);
	IS(iommu_iova_to_phys(domain, 0x2000), 0);
	IS(iommu_unmap(domain, 0x1001, SZ_4K), 0);
	IS(iommu_unmap(domain, 0x1000, SZ_4K + 1), 0);
	IS(iommu_unmap(domain, 0x1000, SZ_4K), SZ_4K);
	IS(iommu_unmap(domain, 0x1000, SZ_4K), 0);

	/* Pages as large as the addresses and the size allow, and as few calls. */
	IS(map(domain, SZ_2M - SZ_4K, PHYS + SZ_2M - SZ_4K, 2 * SZ_2M + 3 * SZ_4K), 0);
	IS(pages_are(domain, "4K*1 2M*2 4K*2 "), 0);
	IS(iommu_unmap(domain, SZ_2M - SZ_4K, 2 * SZ_2M + 3 * SZ_4K), 2 * SZ_2M + 3 * SZ_4K);
	IS(map(domain, SZ_2M, PHYS + SZ_4K, 2 * SZ_2M), 0);
	IS(pages_are(domain, "4K*1024 "), 0);
	IS(iommu_unmap(domain, SZ_2M, 2 * SZ_2M), 2 * SZ_2M);
	IS(map(domain, SZ_2M, PHYS, 2 * SZ_2M), 0);
	IS(pages_are(domain, "2M*2 "), 0);
	IS(iommu_unmap(domain, SZ_2M, 2 * SZ_2M), 2 * SZ_2M);
	IS(map(domain, SZ_1G - SZ_2M, SZ_1G - SZ_2M, SZ_1G + SZ_2M), 0);
	IS(pages_are(domain, "2M*1 1G*1 "), 0);
	IS(iommu_unmap(domain, SZ_1G - SZ_2M, SZ_1G + SZ_2M), SZ_1G + SZ_2M);
	IS(map(domain, SZ_1G - SZ_2M, SZ_1G - SZ_2M, SZ_1G), 0);
	IS(pages_are(domain, "2M*512 "), 0);
	IS(iommu_unmap(domain, SZ_1G - SZ_2M, SZ_1G), SZ_1G);
	IS(map(domain, 0, 0x80000000, SZ_2M - SZ_4K), 0);
	IS(pages_are(domain, "4K*511 "), 0);
	/* As far as there is something. */
	IS(iommu_unmap(domain, 0, SZ_2M), SZ_2M - SZ_4K);
	IS(map(domain, SZ_2M - SZ_4K, PHYS + SZ_2M - SZ_4K, SZ_2M), 0);
	IS(pages_are(domain, "4K*512 "), 0);
	IS(iommu_unmap(domain, SZ_2M - SZ_4K, SZ_2M), SZ_2M);
	IS(map(domain, SZ_2M, PHYS + SZ_2M, SZ_2M), 0);
	IS(iommu_unmap(domain, SZ_2M, SZ_4K), SZ_4K);
	IS(iommu_unmap(domain, SZ_2M, 2 * SZ_2M), 0);
	IS(iommu_unmap(domain, SZ_2M + SZ_4K, SZ_2M - SZ_4K), SZ_2M - SZ_4K);
	IS(bytes(domain), 0);
	iommu_domain_free(domain);
}

static void failing_maps(void)
{
	struct iommu_domain *domain = domain_for(PLAIN);
	static struct iommu_domain_ops without;

	domain->pgsize_bitmap = SZ_4K | SZ_2M;
	for (int n = 1; n <= 3; n++) {
		host_armed[HARNESS_ARM_MAP] = n;
		IS(map(domain, SZ_2M - 4 * SZ_4K, PHYS + SZ_2M - 4 * SZ_4K, SZ_2M + 8 * SZ_4K), -ENOMEM);
		IS(bytes(domain), 0);
	}
#ifdef HARNESS_HAVE_SYNC_MAP_FAILS
	host_armed[HARNESS_ARM_SHOW] = 1;
	IS(map(domain, SZ_2M, PHYS, 4 * SZ_4K), -ENOMEM);
	IS(bytes(domain), 0);
#endif
	without = *domain->ops;
	domain->ops = &without;
	without.map_pages = NULL;
	WARNS(1, IS(map(domain, SZ_2M, PHYS, SZ_4K), -ENODEV));
	without = *ops_of(PLAIN)->default_domain_ops;
	without.iotlb_sync_map = NULL;
	IS(map(domain, SZ_2M, PHYS, SZ_4K), 0);
	without.unmap_pages = NULL;
	WARNS(1, IS(iommu_unmap(domain, SZ_2M, SZ_4K), 0));
	without = *ops_of(PLAIN)->default_domain_ops;
	domain->pgsize_bitmap = 0;
#ifdef HARNESS_HAVE_ENABLE_NESTING
	WARNS(1, IS(map(domain, SZ_1G, PHYS, SZ_4K), -ENODEV));
#endif
	WARNS(1, IS(iommu_unmap(domain, SZ_2M, SZ_4K), 0));
	domain->pgsize_bitmap = SZ_4K;
	IS(iommu_unmap(domain, SZ_2M, SZ_4K), SZ_4K);

	/* Domains that translate nothing. */
	domain->type = IOMMU_DOMAIN_IDENTITY;
	MAY_WARN(IS(map(domain, SZ_2M, PHYS, SZ_4K), -EINVAL));
	MAY_WARN(IS(iommu_unmap(domain, SZ_2M, SZ_4K), 0));
	IS(iommu_iova_to_phys(domain, 0x4711), 0x4711);
	domain->type = IOMMU_DOMAIN_BLOCKED;
	IS(iommu_iova_to_phys(domain, 0x4711), 0);
	domain->type = IOMMU_DOMAIN_UNMANAGED;
	iommu_domain_free(domain);
}

/* What was unmapped in a hurry stays in the TLBs until they are told. */
static void fast_unmaps(void)
{
	struct iommu_domain *domain = domain_for(PLAIN);
	struct iommu_iotlb_gather gather;

	IS(map(domain, SZ_2M, PHYS, 4 * SZ_4K), 0);
	iommu_iotlb_gather_init(&gather);
	IS(iommu_unmap_fast(domain, SZ_2M, SZ_4K, &gather), SZ_4K);
	IS(iommu_unmap_fast(domain, SZ_2M + SZ_4K, SZ_4K, &gather), SZ_4K);
	IS(table_is_stale(fake_domain_of(domain)->table), 1);
	iommu_iotlb_sync(domain, &gather);
	IS(table_is_stale(fake_domain_of(domain)->table), 0);
	IS(iommu_unmap(domain, SZ_2M + 2 * SZ_4K, SZ_4K), SZ_4K);
	IS(table_is_stale(fake_domain_of(domain)->table), 0);
	IS(iommu_unmap_fast(domain, SZ_2M + 3 * SZ_4K, SZ_4K, &gather), SZ_4K);
	iommu_flush_iotlb_all(domain);
	IS(table_is_stale(fake_domain_of(domain)->table), 0);
	iommu_domain_free(domain);
}

/* Each entry is a number of pages from a page on. */
static long map_sg(struct iommu_domain *domain, const int (*pages)[2], int count, gfp_t gfp)
{
	static struct scatterlist list[8];

	sg_init_table(list, count);
	for (int i = 0; i < count; i++) {
		sg_set_page(&list[i], pfn_to_page(pages[i][0]), pages[i][1] * PAGE_SIZE, 0);
	}
	return iommu_map_sg(domain, SZ_2M, list, count, IOMMU_READ, gfp);
}

static void scattered_maps(void)
{
	struct iommu_domain *domain = domain_for(PLAIN);
	static const int apart[][2] = { { 16, 2 }, { 18, 1 }, { 32, 1 }, { 64, 3 } };
	static const int one[][2] = { { 16, 4 } };

	domain->pgsize_bitmap = SZ_4K;
	IS(map_sg(domain, apart, 4, GFP_KERNEL), 7 * SZ_4K);
	IS(pages_are(domain, "4K*3 4K*1 4K*3 "), 0);
	IS(iommu_iova_to_phys(domain, SZ_2M + 2 * SZ_4K), 18 * SZ_4K);
	IS(iommu_iova_to_phys(domain, SZ_2M + 3 * SZ_4K), 32 * SZ_4K);
	IS(iommu_iova_to_phys(domain, SZ_2M + 6 * SZ_4K), 66 * SZ_4K);
	IS(iommu_unmap(domain, SZ_2M, 7 * SZ_4K), 7 * SZ_4K);
	IS(map_sg(domain, one, 1, GFP_KERNEL), 4 * SZ_4K);
	IS(iommu_unmap(domain, SZ_2M, 4 * SZ_4K), 4 * SZ_4K);
	WARNS(1, IS(map_sg(domain, one, 1, __GFP_DMA), -EINVAL));
	IS(bytes(domain), 0);
	for (int n = 1; n <= 3; n++) {
		host_armed[HARNESS_ARM_MAP] = n;
		IS(map_sg(domain, apart, 4, GFP_KERNEL), -ENOMEM);
		IS(bytes(domain), 0);
	}
#ifdef HARNESS_HAVE_SYNC_MAP_FAILS
	host_armed[HARNESS_ARM_SHOW] = 1;
	IS(map_sg(domain, apart, 4, GFP_KERNEL), -ENOMEM);
	IS(bytes(domain), 0);
#endif
	iommu_domain_free(domain);
}

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

/* --- default domains --- */

static long type_is(int i, const char *type)
{
	char page[PAGE_SIZE] = {};
	const long size = sysfs_read(core_folder(group_of(i)), "type", page);

	return size < 0 ? size : strcmp(page, type);
}
static long store_type(int i, const char *type)
{
	return sysfs_write(core_folder(group_of(i)), "type", type);
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

static void set_regions(int i, struct harness_region one, struct harness_region two)
{
	fake_machine.devices[i].regions[0] = one;
	fake_machine.devices[i].regions[1] = two;
}

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

#define REGION(type, start, length) ((struct harness_region){ type, start, length })
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

/* --- boot parameters --- */

/* The initcall, which also asks the buses to tell it of devices; once is enough. */
static long starts(void)
{
	const int before = devices_notifiers();
	const long ret = core_starts();

	if (!ret)
		HOLDS(devices_notifiers() == 2 * before);
	devices_forget_notifiers(before);
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

#ifdef HARNESS_HAVE_REMOVE_DEV_PASID
#define LACKS_REMOVE_PASID NULL
#else
#define LACKS_REMOVE_PASID "a callback of the driver that takes a PASID off"
#endif

const struct promise core_promises[] = {
	{ "groups", groups },
	{ "groups that a driver makes", made_groups },
	{ "devices without an IOMMU", devices_without_iommu },
	{ "domains", domains },
	{ "domains of buses", domains_of_buses, LACKS_BUSES },
	{ "features", features, LACKS_FEATURES },
	{ "faults", faults },
	{ "maps of the core", maps },
	{ "maps of the core that fail", failing_maps },
	{ "fast unmaps", fast_unmaps },
	{ "scattered maps", scattered_maps },
	{ "attaching", attaching },
	{ "attaches that fail", failing_attaches },
	{ "replacing", replacing, LACKS_REPLACING },
	{ "handles", handles },
	{ "deferred attach", deferred_attach },
	{ "owners", owners },
	{ "claims that fail", failing_claims },
	{ "PASIDs", pasids, LACKS_REMOVE_PASID },
	{ "global PASIDs", global_pasids },
	{ "types of default domains", default_types },
	{ "default domains that fail", fallbacks },
	{ "static identity domain", static_identity },
	{ "default domain of the driver", default_domain, LACKS_DEFAULT },
	{ "release domain of the driver", release_domain, LACKS_RELEASE },
	{ "reserved regions", regions },
	{ "direct regions", direct_regions },
	{ "probing", probing },
	{ "probes that fail", failing_probes },
	{ "strange drivers", strange_drivers },
	{ "PASIDs of firmware", pasids_of_firmware },
	{ "fwspecs", fwspecs },
	{ "instances", instances },
	{ "groups of instances", shared_groups },
	{ "boot parameters", parameters },
	{},
};
#else
static void nothing(void)
{
}
const struct promise core_promises[] = {
	{ "the core to its drivers", nothing, "the functions of 6.11 and later" },
	{},
};
#endif
