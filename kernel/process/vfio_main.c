// SPDX-License-Identifier: GPL-2.0-only
/* The tree's drivers/vfio/vfio_main.c, unmodified. In 6.1 it has the groups, too. */
#include <linux/module.h>

/* Counts references to the module. */
#undef THIS_MODULE
#define THIS_MODULE (&shim_module)

#include "internal.h"

#include "drivers/vfio/vfio_main.c"

void vfio_start(void)
{
	if (vfio_init())
		host_die("drivers/vfio/vfio_main.c", "initcall failed");
	vfio_noiommu = true;
}
