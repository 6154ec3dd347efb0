// SPDX-License-Identifier: GPL-2.0-only
/* The buses: which there are, who hears of their devices, and in which order they list them. */
#include <linux/notifier.h>
#include <linux/pci.h>
#include <linux/platform_device.h>

#include "fake/fake.h"
#include "internal.h"

enum { NOTIFIERS = 256 };

/*
 * Their headers need more of the architecture than UML has; iommu.c uses only the addresses. What
 * they do when a driver binds is what platform does.
 */
struct bus_type amba_bustype = { .name = "amba" };
struct bus_type fsl_mc_bus_type = { .name = "fsl-mc" };
struct bus_type host1x_context_device_bus_type = { .name = "host1x" };
struct bus_type cdx_bus_type = { .name = "cdx" };
/* Buses that no IOMMU driver knows. */
struct bus_type mdev_bus_type = { .name = "mdev" };
struct bus_type bare_bus_type = { .name = "bare" };

/* Before iommu_buses[] the drivers name the buses, and all but cdx have some that does. */
#ifdef HARNESS_HAVE_BUS_SET_IOMMU
enum { NAMED_BY_DRIVERS = true };
#else
enum { NAMED_BY_DRIVERS = false };
#endif
static const struct {
	const struct bus_type *type;
	bool there; /* in iommu_buses[] of this kernel */
} buses[HARNESS_BUSES] = {
	{ &platform_bus_type, true },
	[HARNESS_PCI] = { &pci_bus_type, true },
	{ &amba_bustype, NAMED_BY_DRIVERS || IS_ENABLED(CONFIG_ARM_AMBA) },
	{ &fsl_mc_bus_type, NAMED_BY_DRIVERS || IS_ENABLED(CONFIG_FSL_MC_BUS) },
	{ &host1x_context_device_bus_type,
	  NAMED_BY_DRIVERS || IS_ENABLED(CONFIG_TEGRA_HOST1X_CONTEXT_BUS) },
	{ &cdx_bus_type, IS_ENABLED(CONFIG_CDX_BUS) },
};

void buses_make(void)
{
	struct bus_type *const others[] = { &amba_bustype, &fsl_mc_bus_type,
					    &host1x_context_device_bus_type, &cdx_bus_type };

	for (int i = 0; i < ARRAY_SIZE(others); i++) {
		const char *name = others[i]->name;

		*others[i] = platform_bus_type;
		others[i]->name = name;
	}
}

unsigned int buses_there(void)
{
	unsigned int found = 0;

	for (int i = 0; i < HARNESS_BUSES; i++)
		found |= buses[i].there << i;
	return found;
}

static struct {
	const void *bus;
	struct notifier_block *block;
} notifiers[NOTIFIERS];
static int notifiers_count;

REPLACES(int, bus_register_notifier, const void *bus, struct notifier_block *block)
{
	if (notifiers_count == NOTIFIERS)
		host_die("bus_register_notifier", "too many notifiers");
	notifiers[notifiers_count].bus = bus;
	notifiers[notifiers_count++].block = block;
	return 0;
}

int buses_notifiers(void)
{
	return notifiers_count;
}

/* Those of one initcall are in one allocation. */
void buses_forget_notifiers(int keep)
{
	if (notifiers_count > keep)
		kfree(notifiers[keep].block);
	notifiers_count = keep;
}

#ifdef HARNESS_HAVE_BUS_SET_IOMMU
struct bus_type *host_bus(u8 bus)
{
	return buses[bus].there ? (struct bus_type *)buses[bus].type : NULL;
}

REPLACES(int, bus_unregister_notifier, const void *bus, struct notifier_block *block)
{
	int at = 0;

	while (at < notifiers_count && notifiers[at].block != block)
		at++;
	if (at == notifiers_count)
		return -ENOENT;
	memmove(&notifiers[at], &notifiers[at + 1], (--notifiers_count - at) * sizeof(*notifiers));
	return 0;
}

/*
 * iommu-sysfs.c. ABSTRACTION: the memory of an instance that has unregistered is freed, and this is
 * the one reader that notices.
 */
int buses_freed_are_wild;
static void unlink(struct iommu_device *iommu)
{
	struct fake_instance *instance = container_of(iommu, struct fake_instance, iommu);

	if (iommu && buses_freed_are_wild && !instance->registered)
		*(volatile long *)NULL = 0;
}
#else
static void unlink(struct iommu_device *iommu)
{
}
#endif

REPLACES(void, iommu_device_unlink, struct iommu_device *iommu, struct device *link)
{
	unlink(iommu);
	sysfs_unlink_iommu(link);
}

#ifdef HARNESS_HAVE_MDEV_BUS
static struct device *mdev_get_iommu_device(struct device *dev)
{
	return NULL;
}

/* What type1 looks up in a module that need not be there. */
void *__symbol_get(const char *name)
{
	if (!strcmp(name, "mdev_bus_type"))
		return &mdev_bus_type;
	if (!strcmp(name, "mdev_get_iommu_device"))
		return mdev_get_iommu_device;
	host_die("__symbol_get", name);
}
void __symbol_put(const char *name)
{
}
#endif

void buses_notify(unsigned long action, struct device *dev)
{
	for (int i = 0; i < notifiers_count; i++)
		if (notifiers[i].bus == dev->bus)
			notifiers[i].block->notifier_call(notifiers[i].block, action, dev);
}

/* The next device on the bus after `after`, in the order in which they were added; NULL: none. */
static struct device *next_on(const void *bus, struct device *after)
{
	int at = 0;

	while (after && fake_listed[at++] != host_index(after))
		;
	for (; at < fake_listed_count; at++)
		if (fake_devices[fake_listed[at]].dev->bus == bus)
			return fake_devices[fake_listed[at]].dev;
	return NULL;
}

REPLACES(int, bus_for_each_dev, const void *bus, struct device *start, void *data,
	 int (*fn)(struct device *, void *))
{
	struct device *dev = start;
	int ret = 0;

	while (!ret && (dev = next_on(bus, dev)))
		ret = fn(dev, data);
	return ret;
}

REPLACES(struct device *, bus_find_device, const void *bus, struct device *start, const void *data,
	 int (*match)(struct device *, const void *))
{
	struct device *dev = start;

	while ((dev = next_on(bus, dev)))
		if (match(dev, data))
			return get_device(dev);
	return NULL;
}

const void *buses_at(int bus)
{
	return buses[bus].type;
}

const char *buses_misfit(const struct harness_machine *m)
{
	static char no_bus[64];

	for (int i = 0; i < m->devices_count; i++) {
		const u8 bus = m->devices[i].bus;

		if (m->devices[i].kind != HARNESS_REAL || buses[bus].there)
			continue;
		snprintf(no_bus, sizeof(no_bus), "the kernel's iommu_buses[] has no %s",
			 buses[bus].type->name);
		return no_bus;
	}
	return NULL;
}

/* The kernel keeps notifiers and slots for ever, but the next case is a new boot. */
void buses_end(void)
{
#ifdef HARNESS_HAVE_BUS_SET_IOMMU
	while (notifiers_count)
		kfree(notifiers[--notifiers_count].block);
#endif
#ifdef HARNESS_HAVE_BUS_OPS
	for (int i = 0; i < HARNESS_BUSES; i++)
		((struct bus_type *)buses[i].type)->iommu_ops = NULL;
#endif
}

REPLACES(int, bus_notify, struct device *dev, unsigned long action)
{
	buses_notify(action, dev);
	return 0;
}
