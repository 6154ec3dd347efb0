// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tree's drivers/vfio/vfio_main.c, unmodified. In 6.1 it has the groups, too. Up to and including
 * 6.0 it has all of VFIO but the backends, up to and including 5.19 by the name of vfio.c.
 */
#include <linux/module.h>

/* Counts references to the module. */
#undef THIS_MODULE
#define THIS_MODULE (&shim_module)

#include "internal.h"

#ifdef HARNESS_WHOLE_FILE
#include HARNESS_WHOLE_FILE

const struct vfio_iommu_driver_ops *container_backend(int fd, void **data)
{
	const struct vfio_container *container = file_private(fd);

	if (!container->iommu_driver)
		return NULL;
	*data = container->iommu_data;
	return container->iommu_driver->ops;
}
#define vfio_noiommu noiommu
#else
#include "drivers/vfio/vfio_main.c"
#endif

void vfio_noiommu_allowed(bool allowed)
{
	vfio_noiommu = allowed;
}

void vfio_start(void)
{
	if (vfio_init())
		host_die("drivers/vfio/vfio_main.c", "initcall failed");
	vfio_noiommu = true;
}
