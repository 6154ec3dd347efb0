// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the core promises about mapping: pages, sizes and TLBs.
 */
#include "core_promises.h"

#ifdef CORE_PROMISES
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

const struct promise core_maps_promises[] = {
	{ "maps of the core", maps },
	{ "maps of the core that fail", failing_maps },
	{ "fast unmaps", fast_unmaps },
	{ "scattered maps", scattered_maps },
	{},
};
#endif
