// SPDX-License-Identifier: GPL-2.0-only
/* The tree's drivers/vfio/container.c, unmodified, and access to /dev/vfio/vfio. */
#include "drivers/vfio/container.c"

#include "internal.h"

void container_init(void)
{
	if (vfio_container_init())
		host_die("drivers/vfio/container.c", "vfio_container_init() failed");
}

struct vfio_container *container_open(void)
{
	struct file file = {};

	return vfio_fops_open(NULL, &file) ? NULL : file.private_data;
}

void container_close(struct vfio_container *container)
{
	struct file file = { .private_data = container };

	vfio_fops_release(NULL, &file);
}

long container_ioctl(struct vfio_container *container, unsigned int command, unsigned long argument)
{
	struct file file = { .private_data = container };

	return vfio_fops_unl_ioctl(&file, command, argument);
}

const struct vfio_iommu_driver_ops *container_backend(struct vfio_container *container, void **data)
{
	if (!container->iommu_driver)
		return NULL;
	*data = container->iommu_data;
	return container->iommu_driver->ops;
}

#ifndef HARNESS_HAVE_USE_CONTAINER
bool vfio_assert_device_open(struct vfio_device *vdev)
{
	return true;
}
#endif
