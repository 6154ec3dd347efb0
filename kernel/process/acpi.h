/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For files that are compiled with CONFIG_ACPI, which ARCH=um does not have; no layout that they share
 * with other files depends on it.
 */
#ifndef IOMMUCHECK_KERNEL_ACPI_H
#define IOMMUCHECK_KERNEL_ACPI_H

/* x86's header needs more of the architecture than UML has. Of it these files need no more than this. */
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

/* acpi_tables.c: the nodes of a machine in ACPI's namespace */
struct acpi_device *acpi_tables_device(struct device *dev);
struct resource *acpi_tables_resource(struct device *dev); /* the memory of a platform device */

/* iort.c and viot.c: read the tables, and forget them */
void iort_begin(struct acpi_table_header *table);
void iort_add_unit(struct acpi_iort_node *node, struct fwnode_handle *fwnode);
void iort_end(void);
#ifdef HARNESS_HAVE_VIOT
void viot_begin(void);
void viot_end(void);
#endif

#endif
