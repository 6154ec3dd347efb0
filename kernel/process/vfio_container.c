// SPDX-License-Identifier: GPL-2.0-only
/* The tree's drivers/vfio/container.c, unmodified, and access to its private parts. */
#include "drivers/vfio/container.c"

#include "internal.h"

const struct vfio_iommu_driver_ops *container_backend(int fd, void **data)
{
	const struct vfio_container *container = file_private(fd);

	if (!container->iommu_driver)
		return NULL;
	*data = container->iommu_data;
	return container->iommu_driver->ops;
}
