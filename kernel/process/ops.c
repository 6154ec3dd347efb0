// SPDX-License-Identifier: GPL-2.0-only
/* The ops of a case: the actions of machine, firmware, user space and device drivers. */
#include <linux/iommu.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/vfio.h>

#include "fake/fake.h"
#include "internal.h"
#include "memory.h"

enum bound { BOUND_VFIO, BOUND_DRIVER, BOUND_NOBODY }; /* like BoundTo in model/state.h */

static enum bound bound[HARNESS_DEVICES];
/* Pages that drivers of emulated devices have pinned. */
static u64 pinned[HARNESS_CONTAINERS];

static u64 iova_of(u8 page)
{
	return HARNESS_PAGE_0 + page * PAGE_SIZE;
}

int ops_is_bound(int i)
{
	return bound[i] == BOUND_DRIVER;
}

int ops_container(int i)
{
	return device_is_emulated(i) ? groups_open_in(i) : -1;
}

u64 ops_pinned(u8 container)
{
	return pinned[container];
}

/* --- the machine --- */

static long do_register(u8 i)
{
	const struct harness_instance *instance = &fake_machine.instances[i];

	if (fake_instances[i].registered)
		return HARNESS_NOT_POSSIBLE;
	/*
	 * ABSTRACTION: the firmware that describes the machine decides whether there is a platform
	 * device of the instance to probe; no code of iommu.c does.
	 */
	if (fake_machine.drivers[instance->driver].other_firmware)
		return -ENODEV;
	return fake_register(i);
}

static long do_unregister(u8 i)
{
	if (!fake_instances[i].registered)
		return HARNESS_NOT_POSSIBLE;
	fake_unregister(i);
	return 0;
}

static long do_add(int i)
{
	if (fake_devices[i].present)
		return HARNESS_NOT_POSSIBLE;
	devices_add(i);
	groups_device_comes(i);
	return 0;
}

/* Whatever driver the device has unbinds. Returns HARNESS_BLOCKS if it waits for user space. */
static long leave_driver(int i)
{
	const bool waited = groups_device_goes(i);

	if (bound[i] == BOUND_DRIVER)
		drivers_detach(i);
	bound[i] = BOUND_NOBODY;
	return waited ? HARNESS_BLOCKS : 0;
}

static long do_remove(int i)
{
	const long ret = leave_driver(i);

	bound[i] = BOUND_VFIO;
	devices_remove(i);
	return ret;
}

/* --- user space --- */

/* Which mappings are of memory that was never written, by their first page. */
static u64 never_written[HARNESS_CONTAINERS];

static long map(const struct harness_op *op)
{
	struct vfio_iommu_type1_dma_map *map = (void *)memory_user.argument;
	const u64 bit = 1ull << op->first % HARNESS_PAGES;
	/* A user who writes to memory, or whose devices do, has pages of his own. */
	const bool is_zero = op->flags & HARNESS_VADDR ?
				     never_written[op->a] & bit :
				     op->flags & HARNESS_ZERO_PAGE && !(op->flags & HARNESS_WRITE);
	/* What wraps does so at the end of the address space. */
	const bool wraps = op->vaddr + op->count > HARNESS_PAGES;
	long ret;

	*map = (struct vfio_iommu_type1_dma_map){
		.argsz = sizeof(*map),
		.flags = (op->flags & HARNESS_READ ? VFIO_DMA_MAP_FLAG_READ : 0) |
			 (op->flags & HARNESS_WRITE ? VFIO_DMA_MAP_FLAG_WRITE : 0) |
			 (op->flags & HARNESS_VADDR ? VFIO_DMA_MAP_FLAG_VADDR : 0),
		.vaddr = is_zero && !wraps ? MEMORY_NEVER_WRITTEN + op->vaddr * PAGE_SIZE :
					     iova_of(op->vaddr),
		.iova = iova_of(op->first),
		.size = op->count * PAGE_SIZE,
	};
	ret = container_call(op->a, VFIO_IOMMU_MAP_DMA, map);
	if (!ret)
		never_written[op->a] = (never_written[op->a] & ~bit) | (is_zero ? bit : 0);
	return ret;
}

static long unmap(const struct harness_op *op)
{
	struct vfio_iommu_type1_dma_unmap *unmap = (void *)memory_user.argument;
	/* Unmapping everything needs no address. */
	const bool all = op->flags & HARNESS_ALL && !op->first && !op->count;

	*unmap = (struct vfio_iommu_type1_dma_unmap){
		.argsz = sizeof(*unmap),
		.flags = (op->flags & HARNESS_ALL ? VFIO_DMA_UNMAP_FLAG_ALL : 0) |
			 (op->flags & HARNESS_VADDR ? VFIO_DMA_UNMAP_FLAG_VADDR : 0),
		.iova = all ? 0 : iova_of(op->first),
		.size = op->count * PAGE_SIZE,
	};
	return container_call(op->a, VFIO_IOMMU_UNMAP_DMA, unmap);
}

/* --- emulated devices --- */

static void unpin(int i, int container, u64 pages)
{
	for (int page = 0; page < HARNESS_PAGES; page++)
		if (pages >> page & 1)
			driver_unpin(i, iova_of(page), 1);
	pinned[container] &= ~pages;
}

static u64 pages_of(u64 iova, u64 size)
{
	u64 pages = 0;

	for (int page = 0; page < HARNESS_PAGES; page++)
		if (iova_of(page) - iova < size)
			pages |= 1ull << page;
	return pages;
}

/* The contract of dma_unmap(): unpin the mapping's pages, no matter which device pinned them. */
static void unmaps(int i, unsigned long iova, unsigned long length)
{
	const int container = groups_open_in(i);

	unpin(i, container, pinned[container] & pages_of(iova, length));
}

static bool emulated_is_open(int container)
{
	for (int i = 0; i < HARNESS_DEVICES; i++)
		if (ops_container(i) == container)
			return true;
	return false;
}

/*
 * The contract of vfio_pin_pages(): the pins are gone before the container's last emulated device
 * is closed.
 */
static void closes(int i)
{
	const int container = groups_was_open_in(i);

	if (device_is_emulated(i) && !emulated_is_open(container))
		unpin(i, container, pinned[container]);
}

/* A driver that pins a page twice drops the second reference. */
static long do_pin(int i, const struct harness_op *op)
{
	const int container = groups_open_in(i);
	const u64 pages = pages_of(iova_of(op->first), op->count * PAGE_SIZE);
	const u64 had = pinned[container] & pages;
	const long ret = driver_pin(i, iova_of(op->first), op->count, op->flags & HARNESS_WRITE);

	if (ret <= 0)
		return ret;
	unpin(i, container, had);
	pinned[container] |= pages;
	return 0;
}

static long do_unpin(int i, const struct harness_op *op)
{
	const int container = groups_open_in(i);
	void *data;
	int page;

	driver_unpin(i, iova_of(op->first), op->count);
	/* The kernel stops at the first page that is not mapped: ask it what is still pinned. */
	container_type1(container, &data);
	for (page = 0; page < HARNESS_PAGES; page++)
		if (!type1_is_pinned(data, iova_of(page)))
			pinned[container] &= ~(1ull << page);
	return 0;
}

/* --- drivers that use the DMA API, PASIDs --- */

static int probe(int i)
{
	return fault_of(HARNESS_FAIL_DRIVER, i);
}
static void remove(int i)
{
}

static long bind(int i)
{
	const long waited = leave_driver(i);
	const int ret = drivers_attach(i, DRIVERS_DMA_API);

	if (ret)
		return ret;
	bound[i] = BOUND_DRIVER;
	return waited;
}

static long do_unbind(int i)
{
	if (bound[i] != BOUND_VFIO) {
		leave_driver(i);
		groups_device_comes(i);
	}
	bound[i] = BOUND_VFIO;
	return 0;
}

#ifndef HARNESS_HAVE_DEFERRED_ATTACH
/*
 * ABSTRACTION: in 5.10 it is in dma-iommu.c, which the harness lacks, and asks whether this is
 * a kdump kernel. Drivers here defer only then.
 */
static int iommu_deferred_attach(struct device *dev, struct iommu_domain *domain)
{
	return domain->ops->is_attach_deferred(domain, dev) ? iommu_attach_device(domain, dev) : 0;
}
#endif

static long dma(struct device *dev)
{
	struct iommu_domain *domain = dev->iommu_group ? iommu_get_dma_domain(dev) : NULL;

	return domain ? iommu_deferred_attach(dev, domain) : 0;
}

#ifdef HARNESS_HAVE_PASID
enum { PASID = 1 };

#ifdef HARNESS_HAVE_PASID_HANDLE
#define NO_HANDLE , NULL
#else
#define NO_HANDLE
#endif

/* Every device has PASIDs, also one that joined the group later; no probe says how many. */
static void give_pasids(struct iommu_group *group)
{
	for (int i = 0; i < HARNESS_DEVICES; i++) {
		struct device *other = device_at(i);

		if (other && other->iommu && other->iommu_group == group)
			other->iommu->max_pasids = PASID + 1;
	}
}

static long attach_pasid(struct device *dev, struct device *of)
{
	struct iommu_domain *domain = core_group(of->iommu_group).domain;
	int ret;

	give_pasids(dev->iommu_group);
	fake_has_pasids(true);
	ret = iommu_attach_device_pasid(domain, dev, PASID NO_HANDLE);
	fake_has_pasids(false);
	/* The driver of the device knows the domain; nothing else here uses this pointer. */
	if (!ret)
		iommu_group_set_iommudata(dev->iommu_group, domain, NULL);
	return ret;
}

static long detach_pasid(struct device *dev)
{
	struct iommu_domain *domain = iommu_group_get_iommudata(dev->iommu_group);

	give_pasids(dev->iommu_group);
	fake_has_pasids(true);
	iommu_detach_device_pasid(domain, dev, PASID);
	fake_has_pasids(false);
	return 0;
}
#endif

#ifdef HARNESS_HAVE_RESETS
/* The bus of a device without an IOMMU is one that the core does not see. */
static bool is_pci(struct device *dev)
{
	const struct harness_device *device = &fake_machine.devices[host_index(dev)];

	return device->bus == HARNESS_PCI && device->kind != HARNESS_MDEV;
}

static long reset(struct device *dev)
{
	int ret;

	if (!is_pci(dev))
		return HARNESS_NOT_POSSIBLE;
	give_pasids(dev->iommu_group);
	if (core_group(dev->iommu_group).blocking_domain)
		fake_has_pasids(true);
	else
		fake_has_pasids_after_alloc();
	ret = pci_dev_reset_iommu_prepare(to_pci_dev(dev));
	fake_has_pasids(false);
	return ret;
}

static long reset_done(struct device *dev)
{
	if (!is_pci(dev))
		return HARNESS_NOT_POSSIBLE;
	give_pasids(dev->iommu_group);
	fake_has_pasids(true);
	pci_dev_reset_iommu_done(to_pci_dev(dev));
	fake_has_pasids(false);
	return 0;
}
#endif

/* Ops of groups and containers. */
static long play_group(const struct harness_op *op)
{
	if (!groups_exists(op->a))
		return HARNESS_NOT_POSSIBLE;
	switch (op->kind) {
	case HARNESS_SET_CONTAINER:
		return groups_set_container(op->a, op->b);
	case HARNESS_UNSET_CONTAINER:
		return groups_unset_container(op->a);
	case HARNESS_OPEN:
		return groups_open(op->a);
	}
	if (!groups_can_close(op->a))
		return HARNESS_NOT_POSSIBLE;
	groups_close(op->a);
	return 0;
}

/* Ops of a device that is there. */
static long play_device(const struct harness_op *op)
{
	const int i = op->a;
	const bool open = groups_open_in(i) >= 0;

	switch (op->kind) {
	case HARNESS_REMOVE:
		return do_remove(i);
	case HARNESS_CONFIGURE:
		return firmware_configure(device_at(i));
	case HARNESS_GET_DEVICE:
		return open || !device_at(i)->iommu_group ? HARNESS_NOT_POSSIBLE :
							    groups_get_device(i);
	case HARNESS_PUT_DEVICE:
		if (!open)
			return HARNESS_NOT_POSSIBLE;
		groups_put_device(i);
		return 0;
	case HARNESS_PIN:
		return open ? do_pin(i, op) : HARNESS_NOT_POSSIBLE;
	case HARNESS_UNPIN:
		return open ? do_unpin(i, op) : HARNESS_NOT_POSSIBLE;
	case HARNESS_BIND:
		return ops_is_bound(i) ? HARNESS_NOT_POSSIBLE : bind(i);
	case HARNESS_UNBIND:
		return do_unbind(i);
	case HARNESS_DMA:
		return dma(device_at(i));
#ifdef HARNESS_HAVE_PASID
	case HARNESS_ATTACH_PASID:
		return attach_pasid(device_at(i), device_at(op->b));
	case HARNESS_DETACH_PASID:
		return detach_pasid(device_at(i));
#endif
#ifdef HARNESS_HAVE_RESETS
	case HARNESS_RESET:
		return reset(device_at(i));
	case HARNESS_RESET_DONE:
		return reset_done(device_at(i));
#endif
	}
	return HARNESS_NOT_POSSIBLE;
}

static long play(const struct harness_op *op)
{
	switch (op->kind) {
	case HARNESS_REGISTER:
		return do_register(op->a);
	case HARNESS_UNREGISTER:
		return do_unregister(op->a);
	case HARNESS_ADD:
		return do_add(op->a);
	case HARNESS_SET_CONTAINER:
	case HARNESS_UNSET_CONTAINER:
	case HARNESS_OPEN:
	case HARNESS_CLOSE:
		return play_group(op);
	case HARNESS_SET_IOMMU:
		return container_ioctl(op->a, VFIO_SET_IOMMU, op->b);
	case HARNESS_MAP:
		return map(op);
	case HARNESS_UNMAP:
		return unmap(op);
	}
	if (op->a >= fake_machine.devices_count || !device_at(op->a))
		return HARNESS_NOT_POSSIBLE;
	return play_device(op);
}

static bool is_unprivileged(const struct harness_op *op)
{
	switch (op->kind) {
	case HARNESS_OPEN:
	case HARNESS_SET_CONTAINER:
	case HARNESS_SET_IOMMU:
	case HARNESS_GET_DEVICE:
		return op->flags & HARNESS_UNPRIVILEGED;
	}
	return false;
}

int ops_play(const struct harness_op *op)
{
	long ret;

	shim_unprivileged = is_unprivileged(op);
	ret = play(op);
	shim_unprivileged = false;
	events_work();
	groups_after_op();
	return ret;
}

void ops_begin(void)
{
	static const struct driver_calls calls = { unmaps, closes };

	memset(bound, 0, sizeof(bound));
	memset(pinned, 0, sizeof(pinned));
	memset(never_written, 0, sizeof(never_written));
	drivers_make(DRIVERS_DMA_API, probe, remove);
	groups_begin(&calls);
}
