// SPDX-License-Identifier: GPL-2.0-only
/* Buses and devices for the kernel code. */
#include <linux/notifier.h>
#include <linux/pci.h>
#include <linux/platform_device.h>

#include "fake/fake.h"
#include "internal.h"

enum { DEVFNS = 256, DEVICE_NUMBERS = 32, FUNCTIONS = 8, NOTIFIERS = 256 };

static struct {
	struct pci_dev pci; /* also used for devices of other buses, which need only .dev */
	DECLARE_BITMAP(aliases, DEVFNS);
	char name[16];
} devices[HARNESS_DEVICES];
static struct pci_bus root_bus;
struct module *host_module = &shim_module;

/* --- buses --- */

/*
 * A driver that binds calls dma_configure(), and ops.c stands for that; from 6.15 on the core calls
 * it in a probe, too.
 */
#define BUS(n) { .name = n, .dma_configure = firmware_configure }
typeof(platform_bus_type) platform_bus_type = BUS("platform");
typeof(pci_bus_type) pci_bus_type = BUS("pci");
/* Their headers need more of the architecture than UML has; iommu.c uses only the addresses. */
struct bus_type amba_bustype = BUS("amba");
struct bus_type fsl_mc_bus_type = BUS("fsl-mc");
struct bus_type host1x_context_device_bus_type = BUS("host1x");
struct bus_type cdx_bus_type = BUS("cdx");
/* Buses that no IOMMU driver knows. */
struct bus_type mdev_bus_type = { .name = "mdev" };
static struct bus_type bare_bus_type = { .name = "bare" };

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

unsigned int devices_buses(void)
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

int devices_notifiers(void)
{
	return notifiers_count;
}

/* Those of one initcall are in one allocation. */
void devices_forget_notifiers(int keep)
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

/* The kernel keeps notifiers and slots for ever, but the next case is a new boot. */
static void forget_buses(void)
{
	while (notifiers_count)
		kfree(notifiers[--notifiers_count].block);
	for (int i = 0; i < HARNESS_BUSES; i++)
		((struct bus_type *)buses[i].type)->iommu_ops = NULL;
}

/*
 * iommu-sysfs.c. ABSTRACTION: the memory of an instance that has unregistered is freed, and this is
 * the one reader that notices.
 */
static bool freed_are_wild;
static void unlink(struct iommu_device *iommu)
{
	struct fake_instance *instance = container_of(iommu, struct fake_instance, iommu);

	if (iommu && freed_are_wild && !instance->registered)
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

static void notify(unsigned long action, struct device *dev)
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

/* --- PCI: one root bus; lay_out() numbers the functions --- */

struct pci_dev *pci_get_device(unsigned int vendor, unsigned int device, struct pci_dev *from)
{
	struct device *next = next_on(&pci_bus_type, from ? &from->dev : NULL);

	return next ? to_pci_dev(next) : NULL;
}
void pci_dev_put(struct pci_dev *dev)
{
}

static bool aliases(struct pci_dev *dev, struct pci_dev *other)
{
	return dev->dma_alias_mask && test_bit(other->devfn, dev->dma_alias_mask);
}
bool pci_devs_are_dma_aliases(struct pci_dev *dev1, struct pci_dev *dev2)
{
	return aliases(dev1, dev2) || aliases(dev2, dev1);
}

int pci_for_each_dma_alias(struct pci_dev *pdev, int (*fn)(struct pci_dev *, u16, void *),
			   void *data)
{
	int ret = fn(pdev, pci_dev_id(pdev), data);

	for (unsigned int devfn = 0; !ret && pdev->dma_alias_mask && devfn < DEVFNS; devfn++)
		if (test_bit(devfn, pdev->dma_alias_mask))
			ret = fn(pdev, PCI_DEVID(pdev->bus->number, devfn), data);
	return ret;
}

bool pci_ats_supported(struct pci_dev *pdev)
{
	return fake_machine.devices[host_index(&pdev->dev)].ats;
}

bool pci_acs_enabled(struct pci_dev *pdev, u16 flags)
{
	return fake_machine.devices[host_index(&pdev->dev)].slot == 0;
}
/* The kernel asks this only about bridges, and there are none. */
bool pci_acs_path_enabled(struct pci_dev *start, struct pci_dev *end, u16 flags)
{
	return true;
}

/*
 * Numbers the PCI functions: functions of one slot of the case share a device number, all others
 * get the numbers that remain. Returns NULL, or why there is no room.
 */
static const char *lay_out(const struct harness_machine *m, u8 devfn[HARNESS_DEVICES])
{
	bool taken[DEVFNS] = {};
	u8 number[DEVFNS];         /* device number of each slot; DEVICE_NUMBERS: none yet */
	u8 functions[DEVFNS] = {}; /* count of each slot so far */
	u8 numbers = 0;
	unsigned int next = 0;

	memset(number, DEVICE_NUMBERS, sizeof(number));
	for (int i = 0; i < m->devices_count; i++) {
		const u8 slot = m->devices[i].slot;

		if (m->devices[i].bus != HARNESS_PCI || !slot)
			continue;
		if (number[slot] == DEVICE_NUMBERS) {
			if (numbers == DEVICE_NUMBERS)
				return "more than 32 slots are shared by PCI functions";
			number[slot] = numbers++;
		}
		if (functions[slot] == FUNCTIONS)
			return "a PCI device has no more than 8 functions";
		devfn[i] = PCI_DEVFN(number[slot], functions[slot]++);
		taken[devfn[i]] = true;
	}
	for (int i = 0; i < m->devices_count; i++) {
		if (m->devices[i].bus != HARNESS_PCI || m->devices[i].slot)
			continue;
		while (taken[next])
			next++;
		devfn[i] = next;
		taken[next] = true;
	}
	return NULL;
}

const char *devices_misfit(const struct harness_machine *m)
{
	static char no_bus[64];
	u8 devfn[HARNESS_DEVICES];

	for (int i = 0; i < m->devices_count; i++) {
		const u8 bus = m->devices[i].bus;

		if (m->devices[i].kind != HARNESS_REAL || buses[bus].there)
			continue;
		snprintf(no_bus, sizeof(no_bus), "the kernel's iommu_buses[] has no %s",
			 buses[bus].type->name);
		return no_bus;
	}
	return lay_out(m, devfn);
}

/* --- devices --- */

int host_index(struct device *dev)
{
	return container_of(dev, typeof(devices[0]), pci.dev) - devices;
}

struct device *device_at(int i)
{
	return i < fake_machine.devices_count && fake_devices[i].present ? fake_devices[i].dev : NULL;
}

int device_is_emulated(int i)
{
	return fake_machine.devices[i].kind != HARNESS_REAL;
}

static void make_device(int i, u8 devfn)
{
	const struct harness_device *device = &fake_machine.devices[i];
	struct pci_dev *pci = &devices[i].pci;

	memset(&devices[i], 0, sizeof(devices[i]));
	snprintf(devices[i].name, sizeof(devices[i].name), "device%d", i);
	pci->dev.kobj.name = devices[i].name;
	mutex_init(&pci->dev.mutex);
	fake_devices[i].dev = &pci->dev;
	/* The IOMMU core does not see the bus of emulated devices; up to and including 5.15 VFIO does. */
	if (device->kind != HARNESS_REAL) {
		pci->dev.bus = (void *)(device->kind == HARNESS_MDEV ? &mdev_bus_type :
								       &bare_bus_type);
		return;
	}
	pci->dev.bus = (void *)buses[device->bus].type;
	if (device->bus != HARNESS_PCI)
		return;
	pci->bus = &root_bus;
	pci->devfn = devfn;
	pci->multifunction = device->slot != 0;
}

void devices_begin(void)
{
	const struct harness_machine *m = &fake_machine;
	u8 devfn[HARNESS_DEVICES] = {};

#ifdef HARNESS_HAVE_BUS_SET_IOMMU
	freed_are_wild = true;
#endif
	lay_out(m, devfn);
	firmware_begin();
	for (int i = 0; i < m->devices_count; i++)
		make_device(i, devfn[i]);
	for (int i = 0; i < m->devices_count; i++) {
		const struct harness_device *device = &m->devices[i];

		if (device->alias != HARNESS_NONE && device->kind == HARNESS_REAL) {
			__set_bit(devfn[device->alias], devices[i].aliases);
			devices[i].pci.dma_alias_mask = devices[i].aliases;
		}
		if (!device->absent)
			machine_list(i);
	}
}

void devices_add(int i)
{
	struct device *dev = fake_devices[i].dev;

	machine_list(i);
	if (!device_is_emulated(i))
		notify(BUS_NOTIFY_ADD_DEVICE, dev);
}

void devices_bind(int i, struct device_driver *driver)
{
	fake_devices[i].dev->driver = driver;
	notify(BUS_NOTIFY_BIND_DRIVER, fake_devices[i].dev);
}

void devices_bound(int i, int success)
{
	if (success)
		notify(BUS_NOTIFY_BOUND_DRIVER, fake_devices[i].dev);
	else
		fake_devices[i].dev->driver = NULL;
}

void devices_unbind(int i)
{
	notify(BUS_NOTIFY_UNBIND_DRIVER, fake_devices[i].dev);
}

void devices_unbound(int i)
{
	fake_devices[i].dev->driver = NULL;
	notify(BUS_NOTIFY_UNBOUND_DRIVER, fake_devices[i].dev);
}

/*
 * ABSTRACTION: a device that is served leaves its group also where its bus has no notifier; in the
 * kernel the group keeps a pointer to it. What firmware said of it goes, too; the kernel leaks that.
 */
static void remove_unnoticed(struct device *dev)
{
#ifdef HARNESS_HAVE_BUS_SET_IOMMU
	if (fake_machine.devices[host_index(dev)].kind == HARNESS_REAL && dev->iommu_group)
		iommu_release_device(dev);
	if (dev->iommu)
		core_dev_iommu_free(dev);
#endif
}

void devices_remove(int i)
{
	struct device *dev = fake_devices[i].dev;

	machine_unlist(i);
	if (!device_is_emulated(i)) {
		notify(BUS_NOTIFY_REMOVED_DEVICE, dev);
		remove_unnoticed(dev);
	}
}

/*
 * Before 6.8 a device that firmware has described and no driver serves cannot be removed without an
 * oops (docs/findings.md). Cases may remove one; the teardown of a case must not.
 */
static void forget_firmware(struct device *dev)
{
#ifdef HARNESS_HAVE_BUS_OPS
	if (dev->iommu && !dev->iommu->iommu_dev)
		core_dev_iommu_free(dev);
#endif
#ifdef HARNESS_HAVE_BUS_SET_IOMMU
	/* There need be no notifier, and the slot may be another's. */
	if (dev->iommu) {
		dev->bus->iommu_ops = dev->iommu->iommu_dev->ops;
		iommu_release_device(dev);
	}
#endif
}

void devices_end(void)
{
#ifdef HARNESS_HAVE_BUS_SET_IOMMU
	freed_are_wild = false;
#endif
	for (int i = 0; i < fake_machine.devices_count; i++) {
		if (!fake_devices[i].present)
			continue;
		forget_firmware(fake_devices[i].dev);
		devices_remove(i);
	}
	for (int i = 0; i < fake_machine.instances_count; i++)
		if (fake_instances[i].registered)
			fake_unregister(i);
	fake_forget_domains();
#ifdef HARNESS_HAVE_BUS_SET_IOMMU
	forget_buses();
#elif defined(HARNESS_HAVE_BUS_OPS)
	/* The kernel keeps them for ever, but the next case is a new boot. */
	for (int i = 0; i < HARNESS_BUSES; i++)
		((struct bus_type *)buses[i].type)->iommu_ops = NULL;
#endif
}

struct iommu_group *devices_group(int id)
{
	for (int i = 0; i < fake_machine.devices_count; i++) {
		struct iommu_group *group = fake_devices[i].dev->iommu_group;

		if (group && iommu_group_id(group) == id)
			return group;
	}
	for (int i = 0; i < fake_machine.instances_count; i++) {
#ifdef HARNESS_HAVE_SINGLE_GROUP
		struct iommu_group *shared = fake_instances[i].iommu.singleton_group;
#else
		struct iommu_group *shared = fake_instances[i].group;
#endif
		if (fake_instances[i].registered && shared && iommu_group_id(shared) == id)
			return shared;
	}
	return NULL;
}

/* --- functions for the drivers --- */

void host_releases(struct device *dev)
{
	int count = 0;

	for (int i = 0; i < fake_machine.devices_count; i++)
		count += fake_devices[i].dev->iommu_group == dev->iommu_group;
	/* A probe that fails may never have come to a group. */
	if (dev->iommu_group && count == 1)
		core_forget_pasids(dev->iommu_group);
}

/* dma-iommu.c, where the core calls it. */
#ifdef HARNESS_HAVE_DMA_IOMMU
REPLACES(void, iommu_setup_dma_ops, struct device *dev)
{
	dev->dma_iommu = iommu_get_domain_for_dev(dev)->type & __IOMMU_DOMAIN_DMA_API;
}
#else
REPLACES(void, iommu_setup_dma_ops, void)
{
}
#endif

/* Firmware properties of devices: there are none, but the number of bits of PASIDs. */
REPLACES(int, device_property_read_u32_array, const struct device *dev, const char *name, u32 *values,
	 size_t count)
{
	const u8 bits = fake_machine.devices[host_index((void *)dev)].pasid_bits;

	if (strcmp(name, "pasid-num-bits") || !bits)
		return -EINVAL;
	*values = bits;
	return 0;
}

REPLACES(long, msi_device_has_isolated_msi, struct device *dev)
{
	return fake_machine.instances[fake_devices[host_index(dev)].instance].isolates_msi;
}
/* Kernels that call this also ask each device (IOMMU_CAP_INTR_REMAP); that answer decides. */
long irq_domain_check_msi_remap(void)
{
	return 0;
}
