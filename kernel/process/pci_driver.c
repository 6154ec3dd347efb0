// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tree's drivers/pci/pci-driver.c, unmodified: pci_bus_type. It is compiled with CONFIG_OF, which
 * ARCH=um does not have, so that it asks the firmware of a machine.
 */
#include "drivers/pci/pci-driver.c"
