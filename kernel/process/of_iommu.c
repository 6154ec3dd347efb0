// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tree's drivers/iommu/of_iommu.c, unmodified. It is compiled with CONFIG_OF, which ARCH=um
 * does not have; the device tree is in firmware.c.
 */
#include <linux/fsl/mc.h>
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/msi.h>
#include <linux/of.h>
#include <linux/of_iommu.h>
#include <linux/of_pci.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "internal.h"

/*
 * ABSTRACTION: a machine says which IOMMUs a PCI function is behind, and not by which of its
 * aliases: of_iommu.c sees an alias for each of them. iommu.c sees the aliases of the machine.
 */
#define pci_for_each_dma_alias firmware_for_each_master

#ifdef HARNESS_HAVE_OF_RETURNS_OPS
#include "said.h"
#endif

#include "drivers/iommu/of_iommu.c"

int of_configure(struct device *dev, struct device_node *node)
{
#ifdef HARNESS_HAVE_OF_RETURNS_OPS
	said = 0;
	return errno_of(of_iommu_configure(dev, node, NULL));
#else
	return of_iommu_configure(dev, node, NULL);
#endif
}
