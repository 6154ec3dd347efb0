// SPDX-License-Identifier: GPL-2.0-only
/*
 * Containers, and the groups that are in them or open, in place of the part of group.c that calls
 * container.c.
 */
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vfio.h>

#include "drivers/vfio/vfio.h"
#include "fake/fake.h"
#include "internal.h"
#include "memory.h"

enum { NO_CONTAINER = -1 };

struct fake_group {
	struct vfio_group vfio;
	int id;
	int container;
	bool open; /* by an `open`; otherwise as long as it is in a container */
};

/* By iommu_group_id(); ops have a byte for it. */
static struct fake_group *groups[256];
static struct vfio_container *containers[HARNESS_CONTAINERS];
static bool memory_moved; /* addresses of mappings no longer match the pinned pages */

void groups_begin(void)
{
	memset(containers, 0, sizeof(containers));
	memory_moved = false;
}

static struct fake_group *find(int id)
{
	return id < ARRAY_SIZE(groups) ? groups[id] : NULL;
}

struct vfio_group *group_open_of_id(int id)
{
	struct fake_group *group = find(id);

	return group ? &group->vfio : NULL;
}

struct vfio_group *group_of_id(int id)
{
	struct fake_group *group = find(id);

	return group && group->container != NO_CONTAINER ? &group->vfio : NULL;
}

struct vfio_group *group_of_device(struct device *dev)
{
	return dev->iommu_group ? group_of_id(iommu_group_id(dev->iommu_group)) : NULL;
}

int group_container(struct vfio_group *group)
{
	return container_of(group, struct fake_group, vfio)->container;
}

bool group_is_open(struct vfio_group *group)
{
	return container_of(group, struct fake_group, vfio)->open;
}

static struct fake_group *make(int id, struct iommu_group *iommu_group, int emulated)
{
#ifdef HARNESS_HAVE_F_COUNT
	static struct file opened = { .f_count = ATOMIC_LONG_INIT(1) };
#else
	static struct file opened; /* file_ref_t: 0 is one reference */
#endif
	struct fake_group *group = host_alloc(sizeof(*group));

	group->id = id;
	group->container = NO_CONTAINER;
	group->vfio.type = emulated ? VFIO_EMULATED_IOMMU : VFIO_IOMMU;
	group->vfio.opened_file = &opened;
	group->vfio.iommu_group = iommu_group_ref_get(iommu_group);
	mutex_init(&group->vfio.group_lock);
	groups[id] = group;
	return group;
}

static void put_unless_held(struct fake_group *group)
{
	if (group->open || group->container != NO_CONTAINER)
		return;
	iommu_group_put(group->vfio.iommu_group);
	groups[group->id] = NULL;
	kfree(group);
}

void group_open(int id, struct iommu_group *iommu_group, int emulated)
{
	make(id, iommu_group, emulated)->open = true;
}

void group_close(struct vfio_group *vfio)
{
	struct fake_group *group = container_of(vfio, struct fake_group, vfio);

	group->open = false;
	if (group->container != NO_CONTAINER)
		group_leave(vfio);
	else
		put_unless_held(group);
}

long group_enter(int id, struct iommu_group *iommu_group, int emulated, int container)
{
	struct fake_group *group = find(id);
	long ret;

	if (!group)
		group = make(id, iommu_group, emulated);
	ret = vfio_container_attach_group(container_at(container), &group->vfio);
	if (!ret)
		group->container = container;
	put_unless_held(group);
	return ret;
}

void group_leave(struct vfio_group *vfio)
{
	struct fake_group *group = container_of(vfio, struct fake_group, vfio);

	vfio_group_detach_container(vfio);
	group->container = NO_CONTAINER;
	put_unless_held(group);
}

struct vfio_container *container_at(int i)
{
	const unsigned int fail = host_armed[HARNESS_ARM_ALLOC];

	/* Opening /dev/vfio/vfio is not part of the op, so it must not fail. */
	host_armed[HARNESS_ARM_ALLOC] = 0;
	if (!containers[i])
		containers[i] = container_open();
	host_armed[HARNESS_ARM_ALLOC] = fail;
	return containers[i];
}

const struct vfio_iommu_driver_ops *container_type1(int i, void **data)
{
	return containers[i] ? container_backend(containers[i], data) : NULL;
}

long container_call(int i, unsigned int command, const void *argument)
{
	const struct vfio_iommu_type1_dma_map *map = argument;
	const long ret = container_ioctl(container_at(i), command, (unsigned long)argument);

	if (!ret && command == VFIO_IOMMU_MAP_DMA && map->flags & VFIO_DMA_MAP_FLAG_VADDR)
		memory_moved = true;
	return ret;
}

/* Complains if the pages that mappings lock are not those accounted to the mm. */
void groups_judge(void)
{
	unsigned long locked = 0;

	for (int i = 0; i < HARNESS_CONTAINERS; i++) {
		void *data;

		if (!container_type1(i, &data))
			continue;
		type1_judge(data, memory_moved);
		locked += type1_locked(data);
	}
	if (locked != shim_locked())
		memory_complain("the pages that mappings lock are not those of the mm");
}

void groups_end(void)
{
	for (int i = 0; i < ARRAY_SIZE(groups); i++)
		if (groups[i])
			group_close(&groups[i]->vfio);
	for (int i = 0; i < HARNESS_CONTAINERS; i++) {
		if (containers[i])
			container_close(containers[i]);
		containers[i] = NULL;
	}
}
