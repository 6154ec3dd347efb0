// SPDX-License-Identifier: GPL-2.0-only
/* A driver that gives its devices to VFIO, as vfio-pci and drivers of mediated devices do. */
#include <linux/device.h>
#include <linux/slab.h>
#include <linux/vfio.h>

#include "fake/fake.h"
#include "internal.h"
#include "memory.h"

struct driven {
	struct vfio_device vdev;
	int index;
};
static struct driven *driven[HARNESS_DEVICES];
static const struct driver_calls *calls;
static struct device_driver driver = { .name = "harness" };

static int index_of(struct vfio_device *vdev)
{
	return container_of(vdev, struct driven, vdev)->index;
}

static void close_device(struct vfio_device *vdev)
{
	calls->closes(index_of(vdev));
}

static void dma_unmap(struct vfio_device *vdev, u64 iova, u64 length)
{
	calls->unmaps(index_of(vdev), iova, length);
}

#define OF_BOTH                        \
	.name = "harness",             \
	.close_device = close_device,  \
	RELEASE
#ifdef HARNESS_HAVE_FREE_DEVICE
#define RELEASE .release = vfio_free_device,
#else
#define RELEASE
#endif
static const struct vfio_device_ops emulated_ops = { OF_BOTH .dma_unmap = dma_unmap };
static const struct vfio_device_ops device_ops = { OF_BOTH };

void driver_begin(const struct driver_calls *of)
{
	calls = of;
	driver.owner = &shim_module;
	memset(driven, 0, sizeof(driven));
}

static int register_device(int i, struct vfio_device *vdev)
{
	return fake_machine.devices[i].kind == HARNESS_MDEV ?
		       vfio_register_emulated_iommu_dev(vdev) :
		       vfio_register_group_dev(vdev);
}

int driver_bind(int i)
{
	const bool emulated = fake_machine.devices[i].kind == HARNESS_MDEV;
	struct driven *d = vfio_alloc_device(driven, vdev, fake_devices[i].dev,
					     emulated ? &emulated_ops : &device_ops);
	int ret;

	if (IS_ERR(d))
		return PTR_ERR(d);
	d->index = i;
	ret = register_device(i, &d->vdev);
	if (ret)
		vfio_put_device(&d->vdev);
	else
		driven[i] = d;
	return ret;
}

void driver_unbind(int i)
{
	struct driven *d = driven[i];

	vfio_unregister_group_dev(&d->vdev);
	driven[i] = NULL;
	vfio_put_device(&d->vdev);
}

int driver_open(int i, int group)
{
	struct device *dev = fake_devices[i].dev;
	int fd;

	snprintf(memory_user.argument, sizeof(memory_user.argument), "%s", dev_name(dev));
	dev->driver = &driver;
	fd = file_ioctl(group, VFIO_GROUP_GET_DEVICE_FD, (unsigned long)memory_user.argument);
	dev->driver = NULL;
	return fd;
}

void driver_close(int i, int fd)
{
	struct device *dev = fake_devices[i].dev;

	dev->driver = &driver;
	file_close(fd);
	dev->driver = NULL;
}

int driver_pin(int i, unsigned long iova, int count, int write)
{
	struct page *pages[HARNESS_PAGES + 1];

	return vfio_pin_pages(&driven[i]->vdev, iova, count,
			      write ? IOMMU_READ | IOMMU_WRITE : IOMMU_READ, pages);
}

void driver_unpin(int i, unsigned long iova, int count)
{
	vfio_unpin_pages(&driven[i]->vdev, iova, count);
}

int driver_rw(int i, unsigned long iova, void *data, unsigned long size, int write)
{
	return vfio_dma_rw(&driven[i]->vdev, iova, data, size, write);
}
