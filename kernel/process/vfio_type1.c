// SPDX-License-Identifier: GPL-2.0-only
/* The tree's drivers/vfio/vfio_iommu_type1.c, unmodified, and access to its private parts. */
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/vfio.h>

#include "fake/fake.h"
#include "internal.h"

/* The case's faults can make type1's own allocations, and its calls of iommu_map(), fail. */
static void *type1_alloc(size_t size, const char *function)
{
	/* If this one failed, type1 would unmap the slow way, to the same effect: not counted. */
	if (strcmp(function, "unmap_unpin_fast") && fault_of_next(HARNESS_FAIL_MALLOC))
		return NULL;
	return kzalloc(size, GFP_KERNEL);
}
/* Counts references to the module. */
#undef THIS_MODULE
#define THIS_MODULE (&shim_module)
#undef kzalloc
#undef kmalloc
#define kzalloc(size, gfp) type1_alloc(size, __func__)
#define kmalloc(size, gfp) type1_alloc(size, __func__)
#define iommu_map(...) (fault_of_next(HARNESS_FAIL_MAP) ?: (iommu_map)(__VA_ARGS__))

#include "drivers/vfio/vfio_iommu_type1.c"

#include "memory.h"

void type1_init(void)
{
	if (vfio_iommu_type1_init())
		host_die("drivers/vfio/vfio_iommu_type1.c", "initcall failed");
}

void type1_parameters(int unsafe_interrupts, unsigned int entries, int small_pages)
{
	disable_hugepages = small_pages;
	allow_unsafe_interrupts = unsafe_interrupts;
	dma_entry_limit = entries;
}

void type1_judge(void *iommu_data, int memory_moved)
{
	struct vfio_iommu *iommu = iommu_data;
	struct vfio_domain *domain;
	unsigned long bytes = 0;
	struct rb_node *n;

	for (n = rb_first(&iommu->dma_list); n; n = rb_next(n)) {
		const struct vfio_dma *dma = rb_entry(n, struct vfio_dma, node);
		size_t at;

		if (!dma->iommu_mapped || list_empty(&iommu->domain_list))
			continue;
		bytes += dma->size;
		for (at = 0; at < dma->size; at += PAGE_SIZE) {
			phys_addr_t wanted = memory_moved ? 0 : memory_phys(dma->vaddr + at);

			list_for_each_entry(domain, &iommu->domain_list, next) {
				phys_addr_t phys =
					iommu_iova_to_phys(domain->domain, dma->iova + at);

				if (!wanted)
					wanted = phys;
				if (!phys)
					memory_complain("a domain lacks a mapping of its container");
				else if (phys != wanted)
					memory_complain("a domain maps another page than was asked for");
			}
		}
	}
	list_for_each_entry(domain, &iommu->domain_list, next)
		if (table_bytes(fake_domain_of(domain->domain)->table) != bytes)
			memory_complain("a domain maps more than its container has mapped");
}

int type1_is_pinned(void *iommu_data, unsigned long iova)
{
	struct vfio_dma *dma = vfio_find_dma(iommu_data, iova, 1);

	return dma && vfio_find_vpfn(dma, iova);
}

#ifdef HARNESS_HAVE_LOCKED_VM
unsigned long type1_locked(void *iommu_data)
{
	struct vfio_iommu *iommu = iommu_data;
	unsigned long pages = 0;
	struct rb_node *n;

	for (n = rb_first(&iommu->dma_list); n; n = rb_next(n))
		pages += rb_entry(n, struct vfio_dma, node)->locked_vm;
	return pages;
}
#else
/* Mappings do not count what they lock. */
unsigned long type1_locked(void *iommu_data)
{
	return 0;
}
#endif
