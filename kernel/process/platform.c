// SPDX-License-Identifier: GPL-2.0-only
/* The tree's drivers/base/platform.c, unmodified: platform_bus_type, and CONFIG_OF as for PCI. */
#include "drivers/base/platform.c"
