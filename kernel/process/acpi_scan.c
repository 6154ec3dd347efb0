// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tree's drivers/acpi/scan.c, unmodified, for acpi_iommu_configure_id(). It is compiled with
 * CONFIG_ACPI, which ARCH=um does not have; no layout that it shares with other files depends on
 * it. The tables are in firmware.c.
 */

/* x86's header needs more of the architecture than UML has. Of it scan.c needs no more than this. */
#define _ASM_X86_ACPI_H
extern int acpi_disabled, acpi_strict, acpi_pci_disabled;
static inline void disable_acpi(void)
{
}
static inline int acpi_has_cpu_in_madt(void)
{
	return 1;
}
void *acpi_os_ioremap(unsigned long long at, unsigned long size);
#define acpi_os_ioremap acpi_os_ioremap

#include <linux/acpi.h>
#include <linux/device.h>

#include "internal.h"

#ifdef HARNESS_HAVE_ACPI_CONFIGURE
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
#else
#include <linux/iommu.h>

int viot_iommu_configure(struct device *dev);

/*
 * ABSTRACTION: in 5.10 iort_iommu_configure_id() decides this, and the drivers of x86 by themselves.
 * Here it is as acpi_iommu_configure_id() has it later.
 */
int acpi_configure(struct device *dev)
{
	int ret;

	if (dev_iommu_fwspec_get(dev))
		return 0;
	ret = viot_iommu_configure(dev);
	if (!ret && !device_iommu_mapped(dev))
		ret = iommu_probe_device(dev);
	return ret;
}
#endif
