// SPDX-License-Identifier: GPL-2.0-only
/* What user space and the drivers of devices do in a case: its ops behind unset-container. */
#include <linux/iommu.h>
#include <linux/slab.h>
#include <linux/vfio.h>

#include "drivers/vfio/vfio.h"
#include "harness.h"
#include "internal.h"
#include "ioctl.h"
#include "tree.h"

enum bound { BOUND_VFIO, BOUND_DRIVER, BOUND_NOBODY }; /* as BoundTo in model/state.h */

struct driven {
	enum bound bound;
	bool open;
	int container; /* while it is open */
	struct vfio_device vdev;
};
static struct driven driven[HARNESS_DEVICES];
/* Pages that drivers of emulated devices have pinned. */
static u64 pinned[HARNESS_CONTAINERS];

static bool is_emulated(int i)
{
	return harness_machine()->devices[i].kind != HARNESS_REAL;
}

static u64 iova_of(u8 page)
{
	return HARNESS_PAGE_0 + page * PAGE_SIZE;
}

/* VFIO registered the device: it asks IOMMU_CAP_CACHE_COHERENCY of those with an IOMMU. */
int user_is_vfios(int i)
{
	return driven[i].bound == BOUND_VFIO &&
	       (is_emulated(i) ||
		device_iommu_capable(harness_device(i), IOMMU_CAP_CACHE_COHERENCY));
}

/*
 * ABSTRACTION: vfio_device_remove_group() of vfio_main.c, or group.c: the driver is unbound first,
 * and the last device of a group takes the group out of its container.
 */
static void leave_vfio(int i)
{
	struct device *dev = harness_device(i);
	int other;

	if (driven[i].bound != BOUND_VFIO)
		return;
	for (other = 0; other < harness_machine()->devices_count; other++)
		if (other != i && harness_device(other) && driven[other].bound == BOUND_VFIO &&
		    harness_device(other)->iommu_group == dev->iommu_group)
			return;
	/* One that its IOMMU let go keeps the group that it was opened in. */
	for (other = 0; other < HARNESS_DEVICES; other++)
		if (driven[other].open && driven[other].vdev.group == harness_vfio_group(dev))
			return;
	harness_leave_container(dev);
}

static void unuse(int i)
{
	if (driven[i].bound == BOUND_DRIVER && !is_emulated(i))
		iommu_device_unuse_default_domain(harness_device(i));
	driven[i].bound = BOUND_VFIO;
}

void user_removing(int i)
{
	leave_vfio(i);
	unuse(i);
}

/* ABSTRACTION: vfio_noiommu_group_alloc() of group.c, for emulated devices. */
void user_join_fake_group(int i)
{
	struct iommu_group *group = iommu_group_alloc();

	iommu_group_add_device(group, harness_device(i));
	iommu_group_put(group);
}

/* --- user space --- */

static long map(const struct harness_op *op)
{
	u32 flags = 0;

	if (op->flags & HARNESS_READ)
		flags |= VFIO_DMA_MAP_FLAG_READ;
	if (op->flags & HARNESS_WRITE)
		flags |= VFIO_DMA_MAP_FLAG_WRITE;
	if (op->flags & HARNESS_VADDR)
		flags |= VFIO_DMA_MAP_FLAG_VADDR;
	return ioctl_play(&(struct harness_ioctl_op){
		.kind = HARNESS_IO_MAP,
		.container = op->a,
		.flags = flags,
		.iova = iova_of(op->first),
		.size = op->count * PAGE_SIZE,
		.vaddr = iova_of(op->vaddr),
	});
}

static long unmap(const struct harness_op *op)
{
	/* All that there is has no address. */
	const bool all = op->flags & HARNESS_ALL && !op->first && !op->count;
	u32 flags = 0;

	if (op->flags & HARNESS_ALL)
		flags |= VFIO_DMA_UNMAP_FLAG_ALL;
	if (op->flags & HARNESS_VADDR)
		flags |= VFIO_DMA_UNMAP_FLAG_VADDR;
	return ioctl_play(&(struct harness_ioctl_op){
		.kind = HARNESS_IO_UNMAP,
		.container = op->a,
		.flags = flags,
		.iova = all ? 0 : iova_of(op->first),
		.size = op->count * PAGE_SIZE,
	});
}

/* --- emulated devices --- */

static void unpin(struct vfio_device *vdev, int container, u64 pages)
{
	int page;

	for (page = 0; page < HARNESS_PAGES; page++)
		if (pages >> page & 1)
			container_unpin(vdev, iova_of(page), 1);
	pinned[container] &= ~pages;
}

static u64 pages_of(u64 iova, u64 size)
{
	u64 pages = 0;
	int page;

	for (page = 0; page < HARNESS_PAGES; page++)
		if (iova_of(page) - iova < size)
			pages |= 1ull << page;
	return pages;
}

static int container_of_vdev(struct vfio_device *vdev)
{
	return container_of(vdev, struct driven, vdev)->container;
}

/* The contract of dma_unmap(): whoever pinned them, pages of the mapping are let go of. */
static void dma_unmap(struct vfio_device *vdev, u64 iova, u64 length)
{
	const int container = container_of_vdev(vdev);

	unpin(vdev, container, pinned[container] & pages_of(iova, length));
}
static const struct vfio_device_ops emulated_ops = { .dma_unmap = dma_unmap };
static const struct vfio_device_ops device_ops;

/*
 * ABSTRACTION: vfio_group_ioctl_get_device_fd() and what opens the device, as far as it is about
 * the group's container.
 */
static long open_device(int i)
{
	struct vfio_device *vdev = &driven[i].vdev;
	struct vfio_group *group = harness_vfio_group(harness_device(i));
	long ret;

	if (!user_is_vfios(i))
		return -ENODEV;
	if (!group)
		return -EINVAL;
	vdev->group = group;
	vdev->ops = is_emulated(i) ? &emulated_ops : &device_ops;
	mutex_lock(&group->group_lock);
	ret = container_use(vdev);
	mutex_unlock(&group->group_lock);
	if (ret)
		return ret;
	vfio_device_container_register(vdev);
	driven[i].container = harness_group_container(harness_device(i));
	driven[i].open = true;
	return 0;
}

static bool emulated_is_open(int container)
{
	int i;

	for (i = 0; i < HARNESS_DEVICES; i++)
		if (driven[i].open && is_emulated(i) &&
		    container_of_vdev(&driven[i].vdev) == container)
			return true;
	return false;
}

/* The contract of vfio_pin_pages(): pins are gone before the last who may have them is closed. */
static long close_device(int i)
{
	struct vfio_device *vdev = &driven[i].vdev;
	const int container = container_of_vdev(vdev);

	driven[i].open = false;
	if (!emulated_is_open(container))
		unpin(vdev, container, pinned[container]);
	vfio_device_container_unregister(vdev);
	container_unuse(vdev);
	return 0;
}

/* A driver that is given what it has already lets go of the second reference. */
static long pin(const struct harness_op *op)
{
	struct vfio_device *vdev = &driven[op->a].vdev;
	const int container = container_of_vdev(vdev);
	const u64 pages = pages_of(iova_of(op->first), op->count * PAGE_SIZE);
	const u64 had = pinned[container] & pages;
	struct page *frames[HARNESS_PAGES + 1];
	const int prot = op->flags & HARNESS_WRITE ? IOMMU_READ | IOMMU_WRITE : IOMMU_READ;
	const long ret = container_pin(vdev, iova_of(op->first), op->count, prot, frames);

	if (ret <= 0)
		return ret;
	pinned[container] |= pages;
	unpin(vdev, container, had);
	pinned[container] |= had;
	return 0;
}

static long unpin_pages(const struct harness_op *op)
{
	struct vfio_device *vdev = &driven[op->a].vdev;
	const int container = container_of_vdev(vdev);
	void *data;
	int page;

	container_unpin(vdev, iova_of(op->first), op->count);
	/* The kernel stops at the first page that is not mapped. */
	container_backend(harness_container(container), &data);
	for (page = 0; page < HARNESS_PAGES; page++)
		if (!type1_is_pinned(data, iova_of(page)))
			pinned[container] &= ~(1ull << page);
	return 0;
}

/* --- drivers that use the DMA API, PASIDs --- */

static long bind(int i)
{
	int ret;

	leave_vfio(i);
	driven[i].bound = BOUND_NOBODY;
	ret = is_emulated(i) ? 0 : iommu_device_use_default_domain(harness_device(i));
	if (!ret)
		driven[i].bound = BOUND_DRIVER;
	return ret;
}

static long dma(struct device *dev)
{
	struct iommu_domain *domain = dev->iommu_group ? iommu_get_dma_domain(dev) : NULL;

	return domain ? iommu_deferred_attach(dev, domain) : 0;
}

#ifdef HARNESS_HAVE_PASID
enum { PASID = 1 };

static long attach_pasid(struct device *dev, struct device *of)
{
	int i;

	for (i = 0; i < HARNESS_DEVICES; i++) {
		struct device *other = harness_device(i);

		if (other && other->iommu && other->iommu_group == dev->iommu_group)
			other->iommu->max_pasids = PASID + 1;
	}
	return iommu_attach_device_pasid(core_group_domain(of->iommu_group), dev, PASID, NULL);
}
#endif

int user_play(const struct harness_op *op)
{
	switch (op->kind) {
	case HARNESS_MAP:
		return map(op);
	case HARNESS_UNMAP:
		return unmap(op);
	}
	if (op->a >= harness_machine()->devices_count || !harness_device(op->a))
		return HARNESS_NOT_POSSIBLE;
	switch (op->kind) {
	case HARNESS_GET_DEVICE:
		return driven[op->a].open ? HARNESS_NOT_POSSIBLE : open_device(op->a);
	case HARNESS_PUT_DEVICE:
		return driven[op->a].open ? close_device(op->a) : HARNESS_NOT_POSSIBLE;
	case HARNESS_PIN:
		return driven[op->a].open ? pin(op) : HARNESS_NOT_POSSIBLE;
	case HARNESS_UNPIN:
		return driven[op->a].open ? unpin_pages(op) : HARNESS_NOT_POSSIBLE;
	case HARNESS_BIND:
		return driven[op->a].open ? HARNESS_NOT_POSSIBLE : bind(op->a);
	case HARNESS_UNBIND:
		unuse(op->a);
		return 0;
	case HARNESS_DMA:
		return dma(harness_device(op->a));
#ifdef HARNESS_HAVE_PASID
	case HARNESS_ATTACH_PASID:
		return attach_pasid(harness_device(op->a), harness_device(op->b));
	case HARNESS_DETACH_PASID:
		/* The drivers under test do not look at the domain. */
		iommu_detach_device_pasid(NULL, harness_device(op->a), PASID);
		return 0;
#endif
	}
	return HARNESS_NOT_POSSIBLE;
}

void user_begin(void)
{
	int i;

	memset(driven, 0, sizeof(driven));
	memset(pinned, 0, sizeof(pinned));
	for (i = 0; i < harness_machine()->devices_count; i++)
		if (is_emulated(i) && harness_device(i))
			user_join_fake_group(i);
}

void user_finish(void)
{
	int i;

	for (i = 0; i < HARNESS_DEVICES; i++)
		if (driven[i].open)
			close_device(i);
}
