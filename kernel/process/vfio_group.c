// SPDX-License-Identifier: GPL-2.0-only
/* The tree's drivers/vfio/group.c, unmodified. */
#include <linux/module.h>

#include "internal.h"

/* Counts references to the module. */
#undef THIS_MODULE
#define THIS_MODULE (&shim_module)

#include "drivers/vfio/group.c"
