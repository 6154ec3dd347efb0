// SPDX-License-Identifier: GPL-2.0-only
/* Containers, and the groups in them, in place of the part of group.c that calls container.c. */
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vfio.h>

#include "drivers/vfio/vfio.h"
#include "fake/fake.h"
#include "internal.h"
#include "memory.h"

struct fake_group {
	struct vfio_group vfio;
	int id;
	int container;
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

struct vfio_group *group_of_id(int id)
{
	return id < ARRAY_SIZE(groups) && groups[id] ? &groups[id]->vfio : NULL;
}

struct vfio_group *group_of_device(struct device *dev)
{
	return dev->iommu_group ? group_of_id(iommu_group_id(dev->iommu_group)) : NULL;
}

int group_container(struct vfio_group *group)
{
	return container_of(group, struct fake_group, vfio)->container;
}

long group_enter(int id, struct iommu_group *iommu_group, int emulated, int container)
{
#ifdef HARNESS_HAVE_F_COUNT
	static struct file opened = { .f_count = ATOMIC_LONG_INIT(1) };
#else
	static struct file opened; /* file_ref_t: 0 is one reference */
#endif
	struct fake_group *group = host_alloc(sizeof(*group));
	long ret;

	group->id = id;
	group->container = container;
	group->vfio.type = emulated ? VFIO_EMULATED_IOMMU : VFIO_IOMMU;
	group->vfio.opened_file = &opened;
	group->vfio.iommu_group = iommu_group_ref_get(iommu_group);
	mutex_init(&group->vfio.group_lock);
	ret = vfio_container_attach_group(container_at(container), &group->vfio);
	if (ret) {
		iommu_group_put(iommu_group);
		kfree(group);
		return ret;
	}
	groups[id] = group;
	return 0;
}

void group_leave(struct vfio_group *vfio)
{
	struct fake_group *group = container_of(vfio, struct fake_group, vfio);

	vfio_group_detach_container(vfio);
	iommu_group_put(vfio->iommu_group);
	groups[group->id] = NULL;
	kfree(group);
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
	if (locked != current->mm->locked_vm)
		memory_complain("the pages that mappings lock are not those of the mm");
}

void groups_end(void)
{
	for (int i = 0; i < ARRAY_SIZE(groups); i++)
		if (groups[i])
			group_leave(&groups[i]->vfio);
	for (int i = 0; i < HARNESS_CONTAINERS; i++) {
		if (containers[i])
			container_close(containers[i]);
		containers[i] = NULL;
	}
}
