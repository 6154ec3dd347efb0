// SPDX-License-Identifier: GPL-2.0-only
/* The drivers that bind to devices: VFIO's, and one that uses the DMA API. */
#include <linux/pci.h>
#include <linux/platform_device.h>

#include "fake/fake.h"
#include "internal.h"

#ifdef HARNESS_HAVE_ATTACH_COUNTS /* It is in drivers/base/base.h then. */
int device_driver_attach(struct device_driver *driver, struct device *dev);
#endif

/*
 * The tree's dd.c, pci-driver.c and platform.c. ABSTRACTION: the other buses are like platform; a
 * machine has an op of its own for what firmware says (`configure`), so that dma_configure() of a
 * driver that binds does not hear of it.
 */
static struct {
	int (*probe)(int i);
	void (*remove)(int i);
	struct pci_driver pci;
	struct platform_driver other; /* on all other buses */
} drivers[DRIVERS];
static bool binds;

static int driver_of(struct device *dev)
{
	int n = 0;

	while (dev->driver != &drivers[n].pci.driver && dev->driver != &drivers[n].other.driver)
		n++;
	return n;
}

static int probe(struct device *dev)
{
	return drivers[driver_of(dev)].probe(host_index(dev));
}
static int probe_pci(struct pci_dev *dev, const struct pci_device_id *id)
{
	return probe(&dev->dev);
}
static int probe_platform(struct platform_device *dev)
{
	return probe(&dev->dev);
}
static int remove(struct device *dev)
{
	drivers[driver_of(dev)].remove(host_index(dev));
	return 0;
}
static void remove_pci(struct pci_dev *dev)
{
	remove(&dev->dev);
}
static int remove_platform(struct platform_device *dev)
{
	return remove(&dev->dev);
}

static void make_driver(struct device_driver *driver)
{
	driver->name = "harness";
	driver->owner = &shim_module;
	binding_make_driver(driver);
}

void drivers_make(enum drivers_driver n, int (*to_probe)(int i), void (*to_remove)(int i))
{
	static const struct pci_device_id any[] = { { PCI_DEVICE(PCI_ANY_ID, PCI_ANY_ID) }, {} };
	struct pci_driver *pci = &drivers[n].pci;
	struct platform_driver *other = &drivers[n].other;

	drivers[n].probe = to_probe;
	drivers[n].remove = to_remove;
	*pci = (struct pci_driver){ .id_table = any, .probe = probe_pci, .remove = remove_pci };
	INIT_LIST_HEAD(&pci->dynids.list);
	*other = (struct platform_driver){ .probe = probe_platform, .remove = (void *)remove_platform };
	/* Buses without a probe() of their own, of emulated devices. */
	other->driver.probe = probe;
	other->driver.remove = (void *)remove;
	make_driver(&pci->driver);
	make_driver(&other->driver);
#ifdef HARNESS_HAVE_DMA_OWNER
	pci->driver_managed_dma = other->driver_managed_dma = n == DRIVERS_VFIO;
#endif
}

int drivers_attach(int i, enum drivers_driver n)
{
	struct device *dev = fake_devices[i].dev;
	struct device_driver *driver = dev->bus == &pci_bus_type ? &drivers[n].pci.driver :
								   &drivers[n].other.driver;
	int ret;

	driver->bus = dev->bus;
	binds = true;
	ret = device_driver_attach(driver, dev);
	binds = false;
#ifdef HARNESS_HAVE_ATTACH_COUNTS /* In 5.10 it returns how many devices are bound. */
	ret = ret > 0 ? 0 : ret ?: -ENODEV;
#endif
	return ret;
}

void drivers_detach(int i)
{
	device_release_driver(fake_devices[i].dev);
}

/* drivers/of/device.c. ABSTRACTION: it is called for a machine with ACPI, too. */
int of_dma_configure_id(struct device *dev, struct device_node *node, bool force, const u32 *id)
{
	return binds ? 0 : firmware_configure(dev);
}

const char *dev_driver_string(const struct device *dev)
{
	return dev->driver ? dev->driver->name : dev->bus->name;
}
