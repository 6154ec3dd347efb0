// SPDX-License-Identifier: GPL-2.0-only
/* The tree's drivers/acpi/arm64/iort.c, unmodified. The table is in acpi_tables.c. */
#include "acpi.h"

#include <linux/dma-map-ops.h>
#include <linux/iommu.h>
#include <linux/pci.h>
#include <linux/platform_device.h>

#include "internal.h"

/* As for of_iommu.c: a case says of which IOMMUs a function is a master, and not by which alias. */
#define pci_for_each_dma_alias firmware_for_each_master
/* ABSTRACTION: a device's fwnode is a node of a device tree, by which its bus asks firmware. */
#undef ACPI_COMPANION
#define ACPI_COMPANION(dev) acpi_tables_device(dev)
#define acpi_os_free(name) ((void)(name)) /* acpi_get_name() allocates none */

#ifndef HARNESS_HAVE_ACPI_CONFIGURE
#include "said.h"
#endif

#include "drivers/acpi/arm64/iort.c"

#ifndef HARNESS_HAVE_ACPI_CONFIGURE
/* Up to and including 5.13 this is all that ACPI says of the IOMMUs of a device. */
int acpi_configure(struct device *dev)
{
	said = 0;
	return errno_of(iort_iommu_configure_id(dev, NULL));
}
#endif

/*
 * ABSTRACTION: acpi_iort_init() would make a platform device of each SMMU as well. A case has
 * instances of its own.
 */
void iort_begin(struct acpi_table_header *table)
{
	iort_table = table;
	INIT_LIST_HEAD(&iort_fwnode_list); /* whatever a case left that ended in an oops */
}

void iort_add_unit(struct acpi_iort_node *node, struct fwnode_handle *fwnode)
{
	iort_set_fwnode(node, fwnode);
}

void iort_end(void)
{
	while (!list_empty(&iort_fwnode_list))
		iort_delete_fwnode(list_first_entry(&iort_fwnode_list, struct iort_fwnode, list)
					   ->iort_node);
	iort_table = NULL;
}
