// SPDX-License-Identifier: GPL-2.0-only
/* The tree's drivers/acpi/viot.c, unmodified. The table is in acpi_tables.c. */
#include "acpi.h"

#include <linux/iommu.h>
#include <linux/pci.h>
#include <linux/platform_device.h>

#include "internal.h"

/* As in iort.c. */
#define pci_for_each_dma_alias firmware_for_each_master
#define platform_get_resource(pdev, type, n) acpi_tables_resource(&(pdev)->dev)

#include "drivers/acpi/viot.c"

void viot_begin(void)
{
	INIT_LIST_HEAD(&viot_iommus); /* whatever a case left that ended in an oops */
	INIT_LIST_HEAD(&viot_pci_ranges);
	INIT_LIST_HEAD(&viot_mmio_endpoints);
	acpi_viot_init();
}

static void free_endpoints(struct list_head *list)
{
	struct viot_endpoint *endpoint, *next;

	list_for_each_entry_safe(endpoint, next, list, list)
		kfree(endpoint);
	INIT_LIST_HEAD(list);
}

void viot_end(void)
{
	struct viot_iommu *iommu, *next;

	free_endpoints(&viot_pci_ranges);
	free_endpoints(&viot_mmio_endpoints);
	list_for_each_entry_safe(iommu, next, &viot_iommus, list)
		kfree(iommu);
	INIT_LIST_HEAD(&viot_iommus);
}
