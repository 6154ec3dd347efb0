// SPDX-License-Identifier: GPL-2.0-only
/* The tree's drivers/acpi/scan.c, unmodified, for acpi_iommu_configure_id(). */
#include "acpi.h"

#include <linux/device.h>

#include "internal.h"

/* Where the caller gets the ops, it is told of no error but -EPROBE_DEFER. */
#ifdef HARNESS_HAVE_OF_RETURNS_OPS
static int said;
#undef dev_dbg
#define dev_dbg(dev, format, ...) (said = (int)(long)(0, ##__VA_ARGS__))
#endif

#include "drivers/acpi/scan.c"

int acpi_configure(struct device *dev)
{
#ifdef HARNESS_HAVE_OF_RETURNS_OPS
	const struct iommu_ops *ops;

	said = 0;
	ops = acpi_iommu_configure_id(dev, NULL);
	return IS_ERR(ops) ? PTR_ERR(ops) : said;
#else
	return acpi_iommu_configure_id(dev, NULL);
#endif
}
