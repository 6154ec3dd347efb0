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

/* Where the caller gets the ops, it is told of no error but -EPROBE_DEFER. */
#ifdef HARNESS_HAVE_OF_RETURNS_OPS
static int said;
#undef dev_dbg
#define dev_dbg(dev, format, error) (said = (error))
#endif

#include "drivers/iommu/of_iommu.c"

int of_configure(struct device *dev, struct device_node *node)
{
#ifdef HARNESS_HAVE_OF_RETURNS_OPS
	const struct iommu_ops *ops;

	said = 0;
	ops = of_iommu_configure(dev, node, NULL);
	return IS_ERR(ops) ? PTR_ERR(ops) : said;
#else
	return of_iommu_configure(dev, node, NULL);
#endif
}
