// SPDX-License-Identifier: GPL-2.0-only
/* The tree's drivers/vfio/vfio_iommu_type1.c, unmodified, and a door to its private parts. */
#include "drivers/vfio/vfio_iommu_type1.c"

#include "internal.h"

void type1_init(void)
{
	if (vfio_iommu_type1_init())
		host_die("drivers/vfio/vfio_iommu_type1.c", "initcall failed");
}
