// SPDX-License-Identifier: GPL-2.0-only
/* A driver that gives its devices to VFIO, as vfio-pci and drivers of mediated devices do. */
#include <linux/anon_inodes.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/interval_tree.h>
#include <linux/iommu.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vfio.h>
#ifdef HARNESS_HAVE_MIGRATION
#include <linux/iova_bitmap.h>
#endif

#include "fake/fake.h"
#include "internal.h"
#include "memory.h"

struct driven {
	struct vfio_device vdev;
	int index;
#ifndef HARNESS_HAVE_REGISTER_EMULATED
	struct iommu_group *group;
#endif
#ifndef HARNESS_HAVE_DMA_UNMAP
	struct notifier_block unmaps;
#endif
};
static struct driven *driven[HARNESS_DEVICES];
static const struct driver_calls *calls;

static int index_of(struct vfio_device *vdev)
{
	return container_of(vdev, struct driven, vdev)->index;
}

static bool is_real(int i)
{
	return fake_machine.devices[i].kind == HARNESS_REAL;
}

/* --- which function of the kernel takes what --- */

/* Up to and including 5.18 a device is named by its struct device. */
#ifdef HARNESS_HAVE_PIN_BY_DEV
#define PINNER(i) fake_devices[i].dev
#else
#define PINNER(i) (&driven[i]->vdev)
#endif

#ifdef HARNESS_HAVE_PIN_PFNS
/* Up to and including 5.19 the pages of a pin may be anywhere. */
static void numbers_of(unsigned long iova, int count, unsigned long *numbers)
{
	for (int n = 0; n < count; n++)
		numbers[n] = (iova >> PAGE_SHIFT) + n;
}

int driver_pin(int i, unsigned long iova, int count, int write)
{
	unsigned long numbers[HARNESS_PAGES + 1];
	unsigned long frames[HARNESS_PAGES + 1];

	numbers_of(iova, count, numbers);
	return vfio_pin_pages(PINNER(i), numbers, count,
			      write ? IOMMU_READ | IOMMU_WRITE : IOMMU_READ, frames);
}

void driver_unpin(int i, unsigned long iova, int count)
{
	unsigned long numbers[HARNESS_PAGES + 1];

	numbers_of(iova, count, numbers);
	vfio_unpin_pages(PINNER(i), numbers, count);
}
#else
int driver_pin(int i, unsigned long iova, int count, int write)
{
	struct page *pages[HARNESS_PAGES + 1];

	return vfio_pin_pages(PINNER(i), iova, count,
			      write ? IOMMU_READ | IOMMU_WRITE : IOMMU_READ, pages);
}

void driver_unpin(int i, unsigned long iova, int count)
{
	vfio_unpin_pages(PINNER(i), iova, count);
}
#endif

#ifdef HARNESS_HAVE_RW_BY_GROUP
int driver_rw(int i, unsigned long iova, void *data, unsigned long size, int write)
{
	struct vfio_group *group = vfio_group_get_external_user_from_dev(fake_devices[i].dev);
	int ret;

	if (IS_ERR_OR_NULL(group))
		return group ? PTR_ERR(group) : -ENODEV;
	ret = vfio_dma_rw(group, iova, data, size, write);
	vfio_group_put_external_user(group);
	return ret;
}
#else
int driver_rw(int i, unsigned long iova, void *data, unsigned long size, int write)
{
	return vfio_dma_rw(&driven[i]->vdev, iova, data, size, write);
}
#endif

/* --- the driver's callbacks --- */

/* Up to and including 5.19 the driver of an emulated device asks to be told of unmaps. */
#ifdef HARNESS_HAVE_DMA_UNMAP
static void dma_unmap(struct vfio_device *vdev, u64 iova, u64 length)
{
	calls->unmaps(index_of(vdev), iova, length);
}
#define TOLD_OF_UNMAPS .dma_unmap = dma_unmap

static void close_device(struct vfio_device *vdev)
{
	calls->closes(index_of(vdev));
}
#else
static int told_of_unmap(struct notifier_block *block, unsigned long action, void *data)
{
	const struct vfio_iommu_type1_dma_unmap *unmap = data;

	if (action == VFIO_IOMMU_NOTIFY_DMA_UNMAP)
		calls->unmaps(container_of(block, struct driven, unmaps)->index, unmap->iova,
			      unmap->size);
	return NOTIFY_OK;
}

static int open_emulated(struct vfio_device *vdev)
{
	struct driven *d = container_of(vdev, struct driven, vdev);
	unsigned long events = VFIO_IOMMU_NOTIFY_DMA_UNMAP;

	d->unmaps.notifier_call = told_of_unmap;
	return vfio_register_notifier(PINNER(d->index), VFIO_IOMMU_NOTIFY, &events, &d->unmaps);
}
#define TOLD_OF_UNMAPS OPEN_DEVICE = (void *)open_emulated

static void close_device(struct vfio_device *vdev)
{
	struct driven *d = container_of(vdev, struct driven, vdev);

	calls->closes(d->index);
	if (!is_real(d->index))
		vfio_unregister_notifier(PINNER(d->index), VFIO_IOMMU_NOTIFY, &d->unmaps);
}
#endif

/* --- what user space may ask of an open device --- */

/* Each call of the driver says that it was made. */
enum { SAYS_IOCTL = 1001, SAYS_READ, SAYS_WRITE, SAYS_MMAP, SAYS_FEATURE };

static long ioctl(struct vfio_device *vdev, unsigned int command, unsigned long argument)
{
	return SAYS_IOCTL;
}
static ssize_t read(struct vfio_device *vdev, char __user *to, size_t count, loff_t *at)
{
	return SAYS_READ;
}
static ssize_t write(struct vfio_device *vdev, const char __user *from, size_t count, loff_t *at)
{
	return SAYS_WRITE;
}
static int mmap(struct vfio_device *vdev, struct vm_area_struct *vma)
{
	return SAYS_MMAP;
}
static void request(struct vfio_device *vdev, unsigned int count)
{
	driver_requests++;
}
unsigned int driver_requests;

#ifdef HARNESS_HAVE_MIGRATION
static int device_feature(struct vfio_device *vdev, u32 flags, void __user *argument, size_t size)
{
	return SAYS_FEATURE;
}

/* Migration: a device has a state, and data to send while it stops. */
static enum vfio_device_mig_state state;
static struct file *set_state(struct vfio_device *vdev, enum vfio_device_mig_state next)
{
	static const struct file_operations data_fops;

	if (next == VFIO_DEVICE_STATE_ERROR)
		return ERR_PTR(-EIO);
	state = next;
	return next == VFIO_DEVICE_STATE_STOP_COPY ?
		       anon_inode_getfile("data", &data_fops, NULL, 0) :
		       NULL;
}
static int get_state(struct vfio_device *vdev, enum vfio_device_mig_state *is)
{
	if (state == VFIO_DEVICE_STATE_RESUMING)
		return -EIO;
	*is = state;
	return 0;
}
static int get_data_size(struct vfio_device *vdev, unsigned long *size)
{
	if (state == VFIO_DEVICE_STATE_RESUMING)
		return -EIO;
	*size = 4711;
	return 0;
}
static const struct vfio_migration_ops migration = { set_state, get_state, get_data_size };

/* A log of DMA: a device logs at most three ranges, in pages of 64K or more. */
struct driver_log driver_log;
static int log_start(struct vfio_device *vdev, struct rb_root_cached *ranges, u32 count, u64 *page_size)
{
	struct interval_tree_node *node;

	if (*page_size == SZ_2M)
		return -EOPNOTSUPP;
	if (count > DRIVER_RANGES)
		return -E2BIG;
	driver_log = (struct driver_log){ .started = 1 };
	for (node = interval_tree_iter_first(ranges, 0, ULONG_MAX); node;
	     node = interval_tree_iter_next(node, 0, ULONG_MAX)) {
		driver_log.start[driver_log.ranges] = node->start;
		driver_log.last[driver_log.ranges++] = node->last;
	}
	*page_size = max_t(u64, *page_size, SZ_64K);
	return 0;
}
static int log_stop(struct vfio_device *vdev)
{
	driver_log.started = 0;
	driver_log.stops++;
	return 0;
}
static int log_read(struct vfio_device *vdev, unsigned long iova, unsigned long length,
		    struct iova_bitmap *dirty)
{
	driver_log.read_iova = iova;
	driver_log.read_length = length;
	return driver_log.started ? 0 : -EINVAL;
}
static const struct vfio_log_ops logging = { log_start, log_stop, log_read };

/* drivers/iommu/iommufd/iova_bitmap.c. ABSTRACTION: the bitmap of user space stays as it is. */
struct iova_bitmap {
	unsigned long iova;
	unsigned long length;
};
struct iova_bitmap *iova_bitmap_alloc(unsigned long iova, size_t length, unsigned long page_size,
				      u64 __user *data)
{
	struct iova_bitmap *bitmap = kzalloc(sizeof(*bitmap), GFP_KERNEL);

	if (!bitmap)
		return ERR_PTR(-ENOMEM);
	*bitmap = (struct iova_bitmap){ iova, length };
	return bitmap;
}
void iova_bitmap_free(struct iova_bitmap *bitmap)
{
	kfree(bitmap);
}
int iova_bitmap_for_each(struct iova_bitmap *bitmap, void *opaque, iova_bitmap_fn_t fn)
{
	return fn(bitmap, bitmap->iova, bitmap->length, opaque);
}

static void may_migrate(struct vfio_device *vdev)
{
	state = VFIO_DEVICE_STATE_RUNNING;
	driver_log = (struct driver_log){};
	if (!fake_machine.devices[index_of(vdev)].migrates)
		return;
	vdev->migration_flags = VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P;
	vdev->mig_ops = &migration;
	vdev->log_ops = &logging;
}
#define FEATURES .device_feature = device_feature,
#else
static void may_migrate(struct vfio_device *vdev)
{
}
#define FEATURES
#endif

long driver_call(int fd, int kind, unsigned int command, void *argument)
{
	struct file *file = file_at(fd);
	loff_t at = 0;

	switch (kind) {
	case HARNESS_READ_FILE:
		return file->f_op->read(file, argument, 1, &at);
	case HARNESS_WRITE_FILE:
		return file->f_op->write(file, argument, 1, &at);
	case HARNESS_MMAP:
		return file->f_op->mmap(file, NULL);
	}
	return file_ioctl(fd, command, (unsigned long)argument);
}

struct vfio_device *driver_device(int i)
{
	return driven[i] ? &driven[i]->vdev : NULL;
}

/* In 5.10 these are told of the driver's data, which is the same address here. */
#ifdef HARNESS_HAVE_OPEN_BY_DATA
#define OPEN_DEVICE .open
#define CLOSE_DEVICE .release
#else
#define OPEN_DEVICE .open_device
#define CLOSE_DEVICE .close_device
#endif
#ifdef HARNESS_HAVE_FREE_DEVICE
#define RELEASE .release = vfio_free_device,
#else
#define RELEASE
#endif
#define OF_BOTH .name = "harness", CLOSE_DEVICE = (void *)close_device, RELEASE
static const struct vfio_device_ops emulated_ops = { OF_BOTH TOLD_OF_UNMAPS };
#ifdef HARNESS_HAVE_OPEN_BY_DATA
static int open_real(void *data)
{
	return 0;
}
static const struct vfio_device_ops device_ops = { OF_BOTH OPEN_DEVICE = open_real };
#else
#define CALLS .ioctl = ioctl, .read = read, .write = write, .mmap = mmap, .request = request, FEATURES
static const struct vfio_device_ops device_ops = { OF_BOTH CALLS };
#endif
/* A device behind an IOMMU whose driver pins what the device writes. */
#ifdef HARNESS_HAVE_MIGRATION
static const struct vfio_device_ops pinning_ops = { OF_BOTH CALLS TOLD_OF_UNMAPS };
static bool pins(int i)
{
	return fake_machine.devices[i].migrates;
}
#else
#define pinning_ops device_ops
static bool pins(int i)
{
	return false;
}
#endif

/* --- binding --- */

#ifdef HARNESS_HAVE_ALLOC_DEVICE
static struct driven *make(struct device *dev, const struct vfio_device_ops *ops)
{
	return vfio_alloc_device(driven, vdev, dev, ops);
}
static void drop(struct driven *d)
{
	vfio_put_device(&d->vdev);
}
#else
static struct driven *make(struct device *dev, const struct vfio_device_ops *ops)
{
	struct driven *d = kzalloc(sizeof(*d), GFP_KERNEL);

#ifdef HARNESS_HAVE_OPEN_BY_DATA
	vfio_init_group_dev(&d->vdev, dev, ops, &d->vdev);
#else
	vfio_init_group_dev(&d->vdev, dev, ops);
#endif
	return d;
}
static void drop(struct driven *d)
{
#ifndef HARNESS_HAVE_OPEN_BY_DATA
	vfio_uninit_group_dev(&d->vdev);
#endif
	kfree(d);
}
#endif

#ifdef HARNESS_HAVE_REGISTER_EMULATED
static int register_device(int i, struct driven *d)
{
	return fake_machine.devices[i].kind == HARNESS_MDEV ?
		       vfio_register_emulated_iommu_dev(&d->vdev) :
		       vfio_register_group_dev(&d->vdev);
}
static void unregister_device(int i, struct driven *d)
{
	vfio_unregister_group_dev(&d->vdev);
}
#else
/* Up to and including 5.15 a driver of devices without an IOMMU makes a group for each. */
static struct iommu_group *make_group(int i)
{
	struct device *dev = fake_devices[i].dev;
	struct iommu_group *group;

	if (fake_machine.devices[i].kind != HARNESS_MDEV)
		return vfio_iommu_group_get(dev);
	group = iommu_group_alloc(); /* mdev_attach_iommu() */
	iommu_group_add_device(group, dev);
	return group;
}
static void drop_group(int i, struct iommu_group *group)
{
	struct device *dev = fake_devices[i].dev;

	if (fake_machine.devices[i].kind != HARNESS_MDEV) {
		vfio_iommu_group_put(group, dev);
		return;
	}
	iommu_group_remove_device(dev); /* mdev_detach_iommu() */
	iommu_group_put(group);
}
static int register_device(int i, struct driven *d)
{
	int ret;

	d->group = make_group(i);
	if (!d->group)
		return -EINVAL;
	ret = vfio_register_group_dev(&d->vdev);
	if (ret)
		drop_group(i, d->group);
	return ret;
}
static void unregister_device(int i, struct driven *d)
{
	vfio_unregister_group_dev(&d->vdev);
	drop_group(i, d->group);
}
#endif

static int probe(int i)
{
	const bool emulated = fake_machine.devices[i].kind == HARNESS_MDEV;
	struct driven *d = make(fake_devices[i].dev, emulated ? &emulated_ops :
						     pins(i)  ? &pinning_ops :
								&device_ops);
	int ret;

	if (IS_ERR(d))
		return PTR_ERR(d);
	d->index = i;
	may_migrate(&d->vdev);
	ret = register_device(i, d);
	if (ret)
		drop(d);
	else
		driven[i] = d;
	return ret;
}

static void remove(int i)
{
	struct driven *d = driven[i];

	unregister_device(i, d);
	driven[i] = NULL;
	drop(d);
}

void driver_begin(const struct driver_calls *of)
{
	calls = of;
	memset(driven, 0, sizeof(driven));
	driver_requests = 0;
	drivers_make(DRIVERS_VFIO, probe, remove);
}

int driver_bind(int i)
{
	return drivers_attach(i, DRIVERS_VFIO);
}

void driver_unbind(int i)
{
	drivers_detach(i);
}

int driver_open(int i, int group)
{
	snprintf(memory_user.argument, sizeof(memory_user.argument), "%s",
		 dev_name(fake_devices[i].dev));
	return file_ioctl(group, VFIO_GROUP_GET_DEVICE_FD, (unsigned long)memory_user.argument);
}

void driver_close(int i, int fd)
{
	file_close(fd);
}
