// SPDX-License-Identifier: GPL-2.0-only
/* The tree's drivers/acpi/scan.c, unmodified, for acpi_iommu_configure_id(). */
#include "acpi.h"

#include <linux/device.h>

#include "internal.h"

/* Up to and including 6.8 the caller is told of no error but -EPROBE_DEFER. */
static int said;
#undef dev_dbg
#define dev_dbg(dev, format, ...) (said = (int)(long)(0, ##__VA_ARGS__))

#include "drivers/acpi/scan.c"

int acpi_configure(struct device *dev)
{
	int ret;
#ifdef HARNESS_HAVE_OF_RETURNS_OPS
	const struct iommu_ops *ops;

	said = 0;
	ops = acpi_iommu_configure_id(dev, NULL);
	ret = PTR_ERR_OR_ZERO(ops);
#else
	said = 0;
	ret = acpi_iommu_configure_id(dev, NULL);
#endif
	return said ?: ret;
}
