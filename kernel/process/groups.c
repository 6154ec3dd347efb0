// SPDX-License-Identifier: GPL-2.0-only
/*
 * What user space has open: containers, groups, devices. And when VFIO's driver has a device.
 *
 * ABSTRACTION: VFIO's driver binds to the devices of a group just before an op needs the group's
 * file, and to those that join it while it is open. It unbinds from them when user space has closed
 * the file. Devices that need no IOMMU are bound as long as they are there and no other driver has
 * them. What happens in groups that nobody has open while VFIO's driver is bound is lost.
 */
#include <linux/iommu.h>
#include <linux/sched.h>
#include <linux/vfio.h>

#include "fake/fake.h"
#include "internal.h"
#include "memory.h"

enum { NONE = -1, GROUPS = 256 /* ops have a byte for a group's number */ };

static struct user_group {
	short fd;              /* of /dev/vfio/N */
	signed char container; /* the number of the container that it is in */
	bool opened;           /* by an `open`; otherwise by the op that needed it */
	bool noiommu;          /* the file is /dev/vfio/noiommu-N */
	bool dead;             /* all devices have left VFIO since, and no other will be in this group */
	bool number_kept;
} groups[GROUPS];
static const struct user_group closed = { .fd = NONE, .container = NONE };
static struct user_device {
	bool vfios;    /* no other driver has it */
	int group;     /* in which VFIO's driver has registered it; NONE: that is not bound */
	int fd;
	int container; /* of the group when the device was opened */
} devices[HARNESS_DEVICES];
static int containers[HARNESS_CONTAINERS];
static bool memory_moved; /* addresses of mappings no longer match the pinned pages */
static int dead; /* groups */
static int leaving = NONE; /* the device from which VFIO's driver unbinds */

static bool is_real(int i)
{
	return fake_machine.devices[i].kind == HARNESS_REAL;
}

/* Whether VFIO's driver is bound. */
static bool has_driver(int i)
{
	return devices[i].group != NONE;
}

static int group_of(int i)
{
	const struct device *dev = device_at(i);

	return dev && dev->iommu_group ? iommu_group_id(dev->iommu_group) : NONE;
}

/* --- VFIO's driver --- */

/* This is not part of the op, so its allocations do not fail. */
static void bind(int i)
{
	const unsigned int fail = host_armed[HARNESS_ARM_ALLOC];
	const unsigned int fail_sysfs = host_armed[HARNESS_ARM_SYSFS];

	host_armed[HARNESS_ARM_ALLOC] = host_armed[HARNESS_ARM_SYSFS] = 0;
	if (!driver_bind(i))
		devices[i].group = group_of(i);
	host_armed[HARNESS_ARM_ALLOC] = fail;
	host_armed[HARNESS_ARM_SYSFS] = fail_sysfs;
}

static void unbind(int i)
{
	leaving = i;
	driver_unbind(i);
	leaving = NONE;
	devices[i].group = NONE;
}

/* The user that the kernel waits for closes the device. */
static void answer(void)
{
	if (leaving != NONE && devices[leaving].fd != NONE)
		groups_put_device(leaving);
}

static void bind_all(int id)
{
	for (int i = 0; i < fake_machine.devices_count; i++)
		if (devices[i].vfios && !has_driver(i) && group_of(i) == id)
			bind(i);
}

static void unbind_all(int id)
{
	for (int i = 0; i < fake_machine.devices_count; i++)
		if (has_driver(i) && is_real(i) && devices[i].group == id)
			unbind(i);
}

static int count_bound(int id)
{
	int count = 0;

	for (int i = 0; i < fake_machine.devices_count; i++)
		count += has_driver(i) && devices[i].group == id;
	return count;
}

void groups_device_comes(int i)
{
	devices[i].vfios = true;
	if (!is_real(i))
		bind(i);
}

bool groups_device_goes(int i)
{
	const int id = devices[i].group;
	struct user_group *group;

	devices[i].vfios = false;
	if (!has_driver(i))
		return false;
	group = &groups[id];
	unbind(i);
	/* Up to and including 6.0 a group stays in its container, and another device may join it. */
#ifdef HARNESS_WHOLE_FILE
	return files_waited();
#endif
	if (count_bound(id) || group->fd == NONE)
		return files_waited();
	group->container = NONE;
	group->dead = true;
	dead++;
	if (!group->opened)
		groups_close(id);
	return files_waited();
}

/* A device that its IOMMU has let go stays in the group in which VFIO's driver has registered it. */
void groups_after_op(void)
{
	for (int i = 0; i < fake_machine.devices_count; i++) {
		const int id = group_of(i);

		if (devices[i].vfios && !has_driver(i) && id != NONE && groups[id].fd != NONE &&
		    !groups[id].dead)
			bind(i);
	}
	/* ABSTRACTION: the number of a group is not given away while its file is open. */
	for (int id = 0; dead && id < GROUPS; id++)
		if (groups[id].dead && !groups[id].number_kept && !devices_group(id))
			groups[id].number_kept = core_keep_number(id);
}

/* --- files of groups --- */

/* The file keeps its name while it is open, also without a device. */
static bool is_noiommu(int id)
{
	if (groups[id].fd != NONE)
		return groups[id].noiommu;
	for (int i = 0; i < fake_machine.devices_count; i++)
		if (has_driver(i) && devices[i].group == id)
			return fake_machine.devices[i].kind == HARNESS_NOIOMMU;
	return false;
}

static int open_file(int id)
{
	char name[32];
	bool noiommu;
	int fd;

	bind_all(id);
	noiommu = is_noiommu(id);
	snprintf(name, sizeof(name), "vfio/%s%d", noiommu ? "noiommu-" : "", id);
	fd = file_open(name);
	if (fd < 0 && groups[id].fd == NONE)
		unbind_all(id);
	if (fd >= 0)
		groups[id].noiommu = noiommu;
	return fd;
}

bool groups_exists(int id)
{
	return groups[id].fd != NONE || devices_group(id);
}

/* Opens the group if nobody has. */
static int need_file(int id)
{
	const unsigned int fail = host_armed[HARNESS_ARM_ALLOC];

	if (groups[id].fd != NONE)
		return groups[id].fd;
	host_armed[HARNESS_ARM_ALLOC] = 0;
	groups[id].fd = open_file(id);
	host_armed[HARNESS_ARM_ALLOC] = fail;
	if (groups[id].fd >= 0)
		return groups[id].fd;
	const int error = groups[id].fd;

	groups[id].fd = NONE;
	return error;
}

/* What an op opened is closed when it is in no container. */
static void leave_file(int id)
{
	if (groups[id].fd != NONE && !groups[id].opened && groups[id].container == NONE)
		groups_close(id);
}

long groups_open(int id)
{
	int fd;

	if (groups[id].dead)
		groups_close(id);
	fd = open_file(id);
	if (fd < 0)
		return fd;
	/* A kernel that lets a group be opened twice: the op before is closed. */
	groups[id].fd = fd;
	groups[id].opened = true;
	return 0;
}

bool groups_can_close(int id)
{
	for (int i = 0; i < fake_machine.devices_count; i++)
		if (devices[i].fd != NONE && devices[i].group == id)
			return false;
	return groups[id].fd != NONE;
}

void groups_close(int id)
{
	const struct user_group group = groups[id];

	groups[id] = closed;
	dead -= group.dead;
	file_close(group.fd);
	if (group.number_kept)
		core_give_number(id);
	if (!group.dead)
		unbind_all(id);
}

static long group_ioctl(int fd, unsigned int command)
{
	return file_ioctl(fd, command, (unsigned long)memory_user.argument);
}

long groups_set_container(int id, int container)
{
	const int fd = need_file(id);
	long ret;

	if (fd < 0)
		return fd;
	*(int *)memory_user.argument = container_fd(container);
	ret = group_ioctl(fd, VFIO_GROUP_SET_CONTAINER);
	if (!ret)
		groups[id].container = container;
	leave_file(id);
	return ret;
}

long groups_unset_container(int id)
{
	const int fd = need_file(id);
	long ret;

	if (fd < 0)
		return fd;
	ret = group_ioctl(fd, VFIO_GROUP_UNSET_CONTAINER);
	if (!ret)
		groups[id].container = NONE;
	leave_file(id);
	return ret;
}

long groups_call(int i, unsigned int command, void *argument)
{
	const int id = group_of(i);
	const int fd = id == NONE ? -ENODEV : need_file(id);
	long ret;

	if (fd < 0)
		return fd;
	ret = file_ioctl(fd, command, (unsigned long)argument);
	leave_file(id);
	return ret;
}

/* --- devices --- */

long groups_device_call(int i, int kind, unsigned int command, void *argument)
{
	return devices[i].fd == NONE ? HARNESS_NOT_POSSIBLE :
				       driver_call(devices[i].fd, kind, command, argument);
}

long groups_get_device(int i)
{
	const int id = group_of(i);
	const int fd = need_file(id);
	int device;

	if (fd < 0)
		return fd;
	device = driver_open(i, fd);
	if (device >= 0) {
		devices[i].fd = device;
		devices[i].container = groups[id].container;
	}
	leave_file(id);
	return device < 0 ? device : 0;
}

void groups_put_device(int i)
{
	const int fd = devices[i].fd;

	devices[i].fd = NONE;
	driver_close(i, fd);
}

int groups_open_in(int i)
{
	return devices[i].fd == NONE ? NONE : devices[i].container;
}

int groups_was_open_in(int i)
{
	return devices[i].container;
}

/* --- containers --- */

int container_fd(int i)
{
	const unsigned int fail = host_armed[HARNESS_ARM_ALLOC];

	/* Opening /dev/vfio/vfio is not part of the op, so it must not fail. */
	host_armed[HARNESS_ARM_ALLOC] = 0;
	if (containers[i] == NONE)
		containers[i] = file_open("vfio/vfio");
	host_armed[HARNESS_ARM_ALLOC] = fail;
	return containers[i];
}

const struct vfio_iommu_driver_ops *container_type1(int i, void **data)
{
	return containers[i] == NONE ? NULL : container_backend(containers[i], data);
}

long container_ioctl(int i, unsigned int command, unsigned long argument)
{
	return file_ioctl(container_fd(i), command, argument);
}

long container_call(int i, unsigned int command, const void *argument)
{
	/* Where user space has no memory, the kernel maps nothing. */
	const struct vfio_iommu_type1_dma_map *map = argument;
	const long ret = container_ioctl(i, command, (unsigned long)argument);

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
#ifdef HARNESS_HAVE_LOCKED_VM /* otherwise mappings do not know */
	if (locked != shim_locked())
		memory_complain("the pages that mappings lock are not those of the mm");
#endif
}

/* --- the case --- */

void groups_begin(const struct driver_calls *calls)
{
	files_begin(answer);
	driver_begin(calls);
	for (int id = 0; id < GROUPS; id++)
		groups[id] = closed;
	for (int i = 0; i < HARNESS_DEVICES; i++)
		devices[i] = (struct user_device){ .group = NONE, .fd = NONE };
	for (int i = 0; i < HARNESS_CONTAINERS; i++)
		containers[i] = NONE;
	memory_moved = false;
	dead = 0;
	for (int i = 0; i < fake_machine.devices_count; i++)
		if (device_at(i))
			groups_device_comes(i);
}

void groups_end(void)
{
	for (int i = 0; i < fake_machine.devices_count; i++)
		if (devices[i].fd != NONE)
			groups_put_device(i);
	for (int id = 0; id < GROUPS; id++)
		if (groups[id].fd != NONE)
			groups_close(id);
	for (int i = 0; i < HARNESS_CONTAINERS; i++)
		if (containers[i] != NONE) {
			file_close(containers[i]);
			containers[i] = NONE;
		}
	for (int i = 0; i < fake_machine.devices_count; i++)
		if (has_driver(i))
			unbind(i);
}
