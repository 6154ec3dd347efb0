// SPDX-License-Identifier: GPL-2.0-only
/* The ops of a case: the actions of machine, firmware, user space and device drivers. */
#include <linux/iommu.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/vfio.h>

#include "drivers/vfio/vfio.h"
#include "fake/fake.h"
#include "internal.h"
#include "memory.h"

#ifdef HARNESS_HAVE_USE_CONTAINER
#define use_container(vdev) vfio_group_use_container((vdev)->group)
#define unuse_container(vdev) vfio_group_unuse_container((vdev)->group)
#define pin_pages vfio_device_container_pin_pages
#define unpin_pages vfio_device_container_unpin_pages
#else
#define use_container vfio_device_assign_container
#define unuse_container vfio_device_unassign_container
#define pin_pages vfio_pin_pages
#define unpin_pages vfio_unpin_pages
#endif

enum bound { BOUND_VFIO, BOUND_DRIVER, BOUND_NOBODY }; /* like BoundTo in model/state.h */

struct driven {
	enum bound bound;
	bool open;
	int container; /* valid while it is open */
	/* While it is in no IOMMU group: the open one in which VFIO has it still. */
	struct vfio_group *stays;
	struct vfio_device vdev;
};
static struct driven driven[HARNESS_DEVICES];
/* Pages that drivers of emulated devices have pinned. */
static u64 pinned[HARNESS_CONTAINERS];

static u64 iova_of(u8 page)
{
	return HARNESS_PAGE_0 + page * PAGE_SIZE;
}

/* Whether VFIO registered the device. It asks IOMMU_CAP_CACHE_COHERENCY if there is an IOMMU. */
static bool is_vfios(int i)
{
	return driven[i].bound == BOUND_VFIO &&
	       (device_is_emulated(i) ||
		device_iommu_capable(device_at(i), IOMMU_CAP_CACHE_COHERENCY));
}

int ops_is_bound(int i)
{
	return driven[i].bound == BOUND_DRIVER;
}

bool device_is_bound(struct device *dev)
{
	return ops_is_bound(host_index(dev)) || group_of_device(dev);
}

int ops_container(int i)
{
	return driven[i].open && device_is_emulated(i) ? driven[i].container : -1;
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

/* The group that is open or in a container and in which VFIO has the device, or NULL. */
static struct vfio_group *vfios_group(int i)
{
	struct device *dev = device_at(i);

	if (!dev || driven[i].bound != BOUND_VFIO)
		return NULL;
	return dev->iommu_group ? group_open_of_id(iommu_group_id(dev->iommu_group)) :
				  driven[i].stays;
}

/* VFIO is not told that an IOMMU lets a device go. */
static long do_unregister(u8 i)
{
	struct vfio_group *had[HARNESS_DEVICES] = {};

	if (!fake_instances[i].registered)
		return HARNESS_NOT_POSSIBLE;
	for (int dev = 0; dev < fake_machine.devices_count; dev++)
		if (device_at(dev) && device_at(dev)->iommu_group && is_vfios(dev))
			had[dev] = vfios_group(dev);
	fake_unregister(i);
	for (int dev = 0; dev < fake_machine.devices_count; dev++)
		if (had[dev] && !device_at(dev)->iommu_group)
			driven[dev].stays = group_is_open(had[dev]) ? had[dev] : NULL;
	return 0;
}

/*
 * ABSTRACTION: vfio_device_remove_group() of vfio_main.c, or group.c: the driver is unbound first,
 * and the last device of a group takes the group out of its container.
 */
static void leave_vfio(int i)
{
	struct vfio_group *group = vfios_group(i);

	driven[i].stays = NULL;
	if (!group || group_container(group) < 0)
		return;
	for (int other = 0; other < fake_machine.devices_count; other++)
		if (other != i && vfios_group(other) == group)
			return;
	/* An open device that its IOMMU released keeps the group that it was opened in. */
	for (int other = 0; other < HARNESS_DEVICES; other++)
		if (driven[other].open && driven[other].vdev.group == group)
			return;
	group_leave(group);
}

static void unuse(int i)
{
	if (driven[i].bound == BOUND_DRIVER && !device_is_emulated(i))
		iommu_device_unuse_default_domain(device_at(i));
	driven[i].bound = BOUND_VFIO;
}

static long do_remove(int i)
{
	leave_vfio(i);
	unuse(i);
	devices_remove(i);
	return 0;
}

/* --- groups --- */

/* The group with this number, if anything holds it. */
static struct iommu_group *find_group(int id)
{
	struct vfio_group *group = group_open_of_id(id);

	return group ? group->iommu_group : devices_group(id);
}

/* Whether VFIO has a device in the group. */
static bool has_vfio_device(u8 id)
{
	struct vfio_group *group = group_open_of_id(id);

	for (int i = 0; i < fake_machine.devices_count; i++) {
		struct iommu_group *of = fake_devices[i].dev->iommu_group;

		if (of ? iommu_group_id(of) == id && is_vfios(i) : group && driven[i].stays == group)
			return true;
	}
	return false;
}

static bool is_emulated_group(u8 id)
{
	for (int i = 0; i < fake_machine.devices_count; i++)
		if (device_is_emulated(i) && fake_devices[i].dev->iommu_group &&
		    iommu_group_id(fake_devices[i].dev->iommu_group) == id)
			return true;
	return false;
}

/* ABSTRACTION: vfio_group_fops_open(). A group in a container is open. */
static long open_group(u8 id)
{
	struct iommu_group *iommu_group = find_group(id);

	if (!iommu_group)
		return HARNESS_NOT_POSSIBLE;
	if (!has_vfio_device(id))
		return -ENOENT;
	if (group_open_of_id(id))
		return -EBUSY;
	group_open(id, iommu_group, is_emulated_group(id));
	return 0;
}

/* ABSTRACTION: vfio_group_fops_release(). */
static long close_group(u8 id)
{
	struct vfio_group *group = group_open_of_id(id);

	if (!group || (group_container(group) >= 0 && group->container_users != 1))
		return HARNESS_NOT_POSSIBLE;
	for (int i = 0; i < HARNESS_DEVICES; i++)
		if (driven[i].stays == group)
			driven[i].stays = NULL;
	group_close(group);
	return 0;
}

/*
 * ABSTRACTION: the code before vfio_container_attach_group() in __vfio_register_dev() and
 * vfio_group_ioctl_set_container(): the open of /dev/vfio/N and the tests of the ioctl. Without a
 * device of VFIO's there is no file to open, and group->iommu_group of an open one is NULL.
 */
static long set_container(u8 id, u8 container)
{
	struct iommu_group *iommu_group = find_group(id);

	if (!iommu_group)
		return HARNESS_NOT_POSSIBLE;
	if (group_of_id(id))
		return -EINVAL;
	if (!has_vfio_device(id))
		return group_open_of_id(id) ? -ENODEV : -ENOENT;
	return group_enter(id, iommu_group, is_emulated_group(id), container);
}

/* ABSTRACTION: vfio_group_ioctl_unset_container(). */
static long unset_container(u8 id)
{
	struct vfio_group *group = group_of_id(id);

	if (!group && !find_group(id))
		return HARNESS_NOT_POSSIBLE;
	if (!group)
		return group_open_of_id(id) || has_vfio_device(id) ? -EINVAL : -ENOENT;
	if (group->container_users != 1)
		return -EBUSY;
	group_leave(group);
	return 0;
}

/* --- user space --- */

static long map(const struct harness_op *op)
{
	struct vfio_iommu_type1_dma_map *map = (void *)memory_user.argument;

	*map = (struct vfio_iommu_type1_dma_map){
		.argsz = sizeof(*map),
		.flags = (op->flags & HARNESS_READ ? VFIO_DMA_MAP_FLAG_READ : 0) |
			 (op->flags & HARNESS_WRITE ? VFIO_DMA_MAP_FLAG_WRITE : 0) |
			 (op->flags & HARNESS_VADDR ? VFIO_DMA_MAP_FLAG_VADDR : 0),
		.vaddr = iova_of(op->vaddr),
		.iova = iova_of(op->first),
		.size = op->count * PAGE_SIZE,
	};
	return container_call(op->a, VFIO_IOMMU_MAP_DMA, map);
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

static void unpin(struct driven *d, u64 pages)
{
	for (int page = 0; page < HARNESS_PAGES; page++)
		if (pages >> page & 1)
			unpin_pages(&d->vdev, iova_of(page), 1);
	pinned[d->container] &= ~pages;
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
static void dma_unmap(struct vfio_device *vdev, u64 iova, u64 length)
{
	struct driven *d = container_of(vdev, struct driven, vdev);

	unpin(d, pinned[d->container] & pages_of(iova, length));
}
static const struct vfio_device_ops emulated_ops = { .dma_unmap = dma_unmap };
static const struct vfio_device_ops device_ops;

/*
 * ABSTRACTION: vfio_group_ioctl_get_device_fd() and the open of the device, only the parts about
 * the group's container.
 */
static long open_device(int i)
{
	struct driven *d = &driven[i];
	struct vfio_group *group = group_of_device(device_at(i));
	long ret;

	if (!is_vfios(i))
		return -ENODEV;
	if (!group)
		return -EINVAL;
	d->vdev.group = group;
	d->vdev.ops = device_is_emulated(i) ? &emulated_ops : &device_ops;
	mutex_lock(&group->group_lock);
	ret = use_container(&d->vdev);
	mutex_unlock(&group->group_lock);
	if (ret)
		return ret;
	vfio_device_container_register(&d->vdev);
	d->container = group_container(group);
	d->open = true;
	return 0;
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
static long close_device(struct driven *d)
{
	d->open = false;
	if (!emulated_is_open(d->container))
		unpin(d, pinned[d->container]);
	vfio_device_container_unregister(&d->vdev);
	unuse_container(&d->vdev);
	return 0;
}

/* A driver that pins a page twice drops the second reference. */
static long do_pin(struct driven *d, const struct harness_op *op)
{
	const u64 pages = pages_of(iova_of(op->first), op->count * PAGE_SIZE);
	const u64 had = pinned[d->container] & pages;
	struct page *frames[HARNESS_PAGES + 1];
	const int prot = op->flags & HARNESS_WRITE ? IOMMU_READ | IOMMU_WRITE : IOMMU_READ;
	/* vfio_pin_pages() of vfio_main.c tests the count. */
	const long ret = op->count ? pin_pages(&d->vdev, iova_of(op->first), op->count, prot,
					       frames) : -EINVAL;

	if (ret <= 0)
		return ret;
	unpin(d, had);
	pinned[d->container] |= pages;
	return 0;
}

static long do_unpin(struct driven *d, const struct harness_op *op)
{
	void *data;
	int page;

	unpin_pages(&d->vdev, iova_of(op->first), op->count);
	/* The kernel stops at the first page that is not mapped: ask it what is still pinned. */
	container_type1(d->container, &data);
	for (page = 0; page < HARNESS_PAGES; page++)
		if (!type1_is_pinned(data, iova_of(page)))
			pinned[d->container] &= ~(1ull << page);
	return 0;
}

/* --- drivers that use the DMA API, PASIDs --- */

static long bind(int i)
{
	int ret;

	leave_vfio(i);
	driven[i].bound = BOUND_NOBODY;
	ret = device_is_emulated(i) ? 0 : iommu_device_use_default_domain(device_at(i));
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
static long reset(struct device *dev)
{
	int ret;

	if (!dev_is_pci(dev))
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
	if (!dev_is_pci(dev))
		return HARNESS_NOT_POSSIBLE;
	give_pasids(dev->iommu_group);
	fake_has_pasids(true);
	pci_dev_reset_iommu_done(to_pci_dev(dev));
	fake_has_pasids(false);
	return 0;
}
#endif

int ops_play(const struct harness_op *op)
{
	struct driven *d = &driven[op->a];

	switch (op->kind) {
	case HARNESS_REGISTER:
		return do_register(op->a);
	case HARNESS_UNREGISTER:
		return do_unregister(op->a);
	case HARNESS_ADD:
		if (fake_devices[op->a].present)
			return HARNESS_NOT_POSSIBLE;
		devices_add(op->a);
		return 0;
	case HARNESS_SET_CONTAINER:
		return set_container(op->a, op->b);
	case HARNESS_SET_IOMMU:
		return container_ioctl(container_at(op->a), VFIO_SET_IOMMU, op->b);
	case HARNESS_UNSET_CONTAINER:
		return unset_container(op->a);
	case HARNESS_OPEN:
		return open_group(op->a);
	case HARNESS_CLOSE:
		return close_group(op->a);
	case HARNESS_MAP:
		return map(op);
	case HARNESS_UNMAP:
		return unmap(op);
	}
	if (op->a >= fake_machine.devices_count || !device_at(op->a))
		return HARNESS_NOT_POSSIBLE;
	switch (op->kind) {
	case HARNESS_REMOVE:
		return do_remove(op->a);
	case HARNESS_CONFIGURE:
		return firmware_configure(device_at(op->a));
	case HARNESS_GET_DEVICE:
		return d->open ? HARNESS_NOT_POSSIBLE : open_device(op->a);
	case HARNESS_PUT_DEVICE:
		return d->open ? close_device(d) : HARNESS_NOT_POSSIBLE;
	case HARNESS_PIN:
		return d->open ? do_pin(d, op) : HARNESS_NOT_POSSIBLE;
	case HARNESS_UNPIN:
		return d->open ? do_unpin(d, op) : HARNESS_NOT_POSSIBLE;
	case HARNESS_BIND:
		return d->open || ops_is_bound(op->a) ? HARNESS_NOT_POSSIBLE : bind(op->a);
	case HARNESS_UNBIND:
		unuse(op->a);
		return 0;
	case HARNESS_DMA:
		return dma(device_at(op->a));
#ifdef HARNESS_HAVE_PASID
	case HARNESS_ATTACH_PASID:
		return attach_pasid(device_at(op->a), device_at(op->b));
	case HARNESS_DETACH_PASID:
		return detach_pasid(device_at(op->a));
#endif
#ifdef HARNESS_HAVE_RESETS
	case HARNESS_RESET:
		return reset(device_at(op->a));
	case HARNESS_RESET_DONE:
		return reset_done(device_at(op->a));
#endif
	}
	return HARNESS_NOT_POSSIBLE;
}

void ops_begin(void)
{
	memset(driven, 0, sizeof(driven));
	memset(pinned, 0, sizeof(pinned));
}

void ops_end(void)
{
	for (int i = 0; i < HARNESS_DEVICES; i++)
		if (driven[i].open)
			close_device(&driven[i]);
}
