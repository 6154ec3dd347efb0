/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What drivers/iommu/iommu.c promises to IOMMU drivers and to users in the kernel: its exported
 * functions, call by call, on the machine of fuzz/kernel_checks.cc. Of that, device 0 (PLAIN) is alone
 * behind instance 0; devices 1 and 2 (NARROW, TWIN) share a group behind instance 1; device 3
 * (EMULATED) has a group without an IOMMU. There is a file for each part of the core; promise_list.c
 * has their order.
 */
#ifndef IOMMUCHECK_KERNEL_CORE_PROMISES_H
#define IOMMUCHECK_KERNEL_CORE_PROMISES_H

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

/* The functions that the promises call are those of 6.11 and later. */
#if defined(HARNESS_HAVE_PASID_HANDLE) && defined(HARNESS_HAVE_PROBE_LOCK)
#define CORE_PROMISES

#include <linux/of.h>
#include "iommu-priv.h"

extern const struct promise core_groups_promises[];
extern const struct promise core_maps_promises[];
extern const struct promise core_attach_promises[];
extern const struct promise core_defaults_promises[];
extern const struct promise core_probe_promises[];

enum { PLAIN, NARROW, TWIN, EMULATED };
enum { PHYS = 0x40000000 }; /* apart from the frames of the process, which must be pinned */

static inline struct device *device(int i)
{
	return fake_devices[i].dev;
}
static inline struct iommu_group *group_of(int i)
{
	return device(i)->iommu_group;
}
static inline struct iommu_domain *domain_for(int i)
{
	return iommu_paging_domain_alloc(device(i));
}
static inline struct iommu_ops *ops_of(int i)
{
	return (void *)device(i)->iommu->iommu_dev->ops;
}
static inline struct iommu_domain *domain_of(int i)
{
	return core_group(group_of(i)).domain;
}
static inline struct iommu_domain *default_of(int i)
{
	return core_group(group_of(i)).default_domain;
}
static inline unsigned long bytes(struct iommu_domain *domain)
{
	return table_bytes(fake_domain_of(domain)->table);
}
/* The fault strikes the n-th call of its kind from now on. */
static inline void fail(u8 kind, u8 target, u8 count, u8 error)
{
	static struct harness_op op;

	op.faults[0] = (struct harness_fault){ kind, target, count, error };
	fake_begin_op(&op);
}
static inline void fail_nothing(void)
{
	fake_begin_op(NULL);
}
static inline long no_domain(const struct iommu_domain *domain)
{
	return PTR_ERR_OR_ZERO(domain);
}
/* iommu_group_for_each_dev() with visit() writes the devices as digits. */
static int visits __maybe_unused;
static inline int visit(struct device *dev, void *stop_at)
{
	visits = visits * 10 + host_index(dev);
	return dev == stop_at ? 7 : 0;
}
/* To the file in sysfs. */
static inline long store_type(int i, const char *type)
{
	return sysfs_write(core_folder(group_of(i)), "type", type);
}
/* The reserved regions of the device are these two. */
#define REGION(type, start, length) ((struct harness_region){ type, start, length })
static inline void set_regions(int i, struct harness_region one, struct harness_region two)
{
	fake_machine.devices[i].regions[0] = one;
	fake_machine.devices[i].regions[1] = two;
}

#endif
#endif
