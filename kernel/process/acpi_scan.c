// SPDX-License-Identifier: GPL-2.0-only
/* The tree's drivers/acpi/scan.c, unmodified, for acpi_iommu_configure_id(). */
#include "acpi.h"

#include <linux/device.h>

#include "internal.h"

#include "said.h"

#include "drivers/acpi/scan.c"

int acpi_configure(struct device *dev)
{
	said = 0;
#ifdef HARNESS_HAVE_OF_RETURNS_OPS
	return errno_of(acpi_iommu_configure_id(dev, NULL));
#else
	/* 6.8 makes -ENODEV of the errno that it says. */
	const int ret = acpi_iommu_configure_id(dev, NULL);

	return said ?: ret;
#endif
}
