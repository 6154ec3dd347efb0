// SPDX-License-Identifier: GPL-2.0-only
/* Buses and devices for the kernel code. */
#include <linux/notifier.h>
#include <linux/pci.h>
#include <linux/platform_device.h>

#include "fake/fake.h"
#include "internal.h"

#ifdef HARNESS_HAVE_ATTACH_COUNTS /* It is in drivers/base/base.h then. */
int device_driver_attach(struct device_driver *driver, struct device *dev);
#endif

enum { DEVFNS = 256, DEVICE_NUMBERS = 32, FUNCTIONS = 8, NOTIFIERS = 256 };

static struct {
	struct pci_dev pci; /* also used for devices of other buses, which need only .dev */
	DECLARE_BITMAP(aliases, DEVFNS);
	char name[16];
} devices[HARNESS_DEVICES];
static struct device_node firmware_node; /* of whatever describes devices */
static struct device host_parent = { .of_node = &firmware_node };
static struct device host_bridge = { .parent = &host_parent };
static struct pci_bus root_bus;
static struct pci_bus buses_below[HARNESS_DEVICES];
struct module *host_module = &shim_module;

/* --- buses --- */

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

void devices_make_buses(void)
{
	struct bus_type *const others[] = { &amba_bustype, &fsl_mc_bus_type,
					    &host1x_context_device_bus_type, &cdx_bus_type };

	for (int i = 0; i < ARRAY_SIZE(others); i++) {
		const char *name = others[i]->name;

		*others[i] = platform_bus_type;
		others[i]->name = name;
	}
}

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

void devices_notify(unsigned long action, struct device *dev)
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

/* --- PCI: the root bus, and one below each bridge; lay_out() numbers the functions --- */

/*
 * search.c and pci.c are the tree's. ABSTRACTION: nobody scans the buses, so that make_device()
 * writes what probe.c would find out; quirks.c is not there, so that no device has ACS, an alias or
 * an IOMMU of its own by a quirk; nothing but the words of ACS can be read from the config space.
 */
REPLACES(struct device *, bus_find_device, const void *bus, struct device *start, const void *data,
	 int (*match)(struct device *, const void *))
{
	struct device *dev = start;

	while ((dev = next_on(bus, dev)))
		if (match(dev, data))
			return get_device(dev);
	return NULL;
}

enum { ACS_AT = 0x100, ATS_AT = 0x140, REQUIRED = PCI_ACS_SV | PCI_ACS_RR | PCI_ACS_CR | PCI_ACS_UF };

/* A device without ACS in the case can do all but one thing of it, so that the kernel must look. */
static int read_config(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 *value)
{
	struct pci_dev *dev;

	list_for_each_entry(dev, &bus->devices, bus_list)
		if (dev->devfn == devfn)
			break;
	if (list_entry_is_head(dev, &bus->devices, bus_list))
		return PCIBIOS_DEVICE_NOT_FOUND;
	if (where == ACS_AT + PCI_ACS_CAP)
		*value = REQUIRED | PCI_ACS_DT;
	else if (where == ACS_AT + PCI_ACS_CTRL)
		*value = fake_machine.devices[host_index(&dev->dev)].acs ? REQUIRED :
									   REQUIRED & ~PCI_ACS_CR;
	else
		host_die("pci_read_config", "a register that is not there");
	return PCIBIOS_SUCCESSFUL;
}
/* ABSTRACTION: what firmware or the command line switched off stays off: nothing can be written. */
static int write_config(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 value)
{
	return PCIBIOS_SUCCESSFUL;
}
static struct pci_ops config_space = { .read = read_config, .write = write_config };

/* quirks.c */
int pci_dev_specific_acs_enabled(struct pci_dev *dev, u16 acs_flags)
{
	return -ENOTTY;
}
int pci_dev_specific_enable_acs(struct pci_dev *dev)
{
	return -ENOTTY;
}

#ifndef HARNESS_HAVE_RESETS
bool pci_ats_supported(struct pci_dev *pdev)
{
	return fake_machine.devices[host_index(&pdev->dev)].ats;
}
#endif

static bool is_on(const struct harness_device *device, u8 bridge)
{
	return device->bus == HARNESS_PCI && device->kind == HARNESS_REAL && device->below == bridge;
}

/* Whether the kernel may take another function of the same device number for one with no ACS. */
static bool needs_number(const struct harness_device *device)
{
	return device->bridge != HARNESS_ENDPOINT || device->below != HARNESS_NONE;
}

/*
 * Numbers the functions of the bus below a bridge, HARNESS_NONE: of the root bus. Functions of one
 * slot of the case share a device number, some have one of their own, all others get the numbers
 * that remain. Returns NULL, or why there is no room.
 */
static const char *lay_out_bus(const struct harness_machine *m, u8 bridge,
			       u8 devfn[HARNESS_DEVICES])
{
	bool taken[DEVFNS] = {};
	u8 number[DEVFNS];         /* device number of each slot; DEVICE_NUMBERS: none yet */
	u8 functions[DEVFNS] = {}; /* count of each slot so far */
	u8 numbers = 0;
	unsigned int next = 0;

	memset(number, DEVICE_NUMBERS, sizeof(number));
	for (int i = 0; i < m->devices_count; i++) {
		const u8 slot = m->devices[i].slot;

		if (!is_on(&m->devices[i], bridge) || (!slot && !needs_number(&m->devices[i])))
			continue;
		if (!slot || number[slot] == DEVICE_NUMBERS) {
			if (numbers == DEVICE_NUMBERS)
				return "more than 32 slots of a bus have PCI functions";
			number[slot] = numbers++;
		}
		if (slot && functions[slot] == FUNCTIONS)
			return "a PCI device has no more than 8 functions";
		devfn[i] = PCI_DEVFN(number[slot], slot ? functions[slot]++ : 0);
		taken[devfn[i]] = true;
	}
	for (int i = 0; i < m->devices_count; i++) {
		const struct harness_device *device = &m->devices[i];

		if (!is_on(device, bridge) || device->slot || needs_number(device))
			continue;
		while (taken[next])
			next++;
		devfn[i] = next;
		taken[next] = true;
	}
	return NULL;
}

static const char *lay_out(const struct harness_machine *m, u8 devfn[HARNESS_DEVICES])
{
	const char *why = lay_out_bus(m, HARNESS_NONE, devfn);

	for (int i = 0; !why && i < m->devices_count; i++)
		if (m->devices[i].bridge != HARNESS_ENDPOINT)
			why = lay_out_bus(m, i, devfn);
	return why;
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

static void make_bus(struct pci_bus *bus, u8 number)
{
	memset(bus, 0, sizeof(*bus));
	INIT_LIST_HEAD(&bus->devices);
	bus->number = number;
	bus->ops = &config_space;
}

/* The type in the PCI Express capability; conventional functions have no such capability. */
static int express_type(const struct harness_device *device)
{
	static const u8 types[] = {
		[HARNESS_ENDPOINT] = PCI_EXP_TYPE_ENDPOINT,
		[HARNESS_ROOT_PORT] = PCI_EXP_TYPE_ROOT_PORT,
		[HARNESS_UPSTREAM] = PCI_EXP_TYPE_UPSTREAM,
		[HARNESS_DOWNSTREAM] = PCI_EXP_TYPE_DOWNSTREAM,
		[HARNESS_PCIE_TO_PCI] = PCI_EXP_TYPE_PCI_BRIDGE,
		[HARNESS_PCI_TO_PCIE] = PCI_EXP_TYPE_PCIE_BRIDGE,
	};

	if (device->bridge == HARNESS_ENDPOINT && device->below != HARNESS_NONE) {
		const u8 above = fake_machine.devices[device->below].bridge;

		if (above == HARNESS_PCIE_TO_PCI || above == HARNESS_PCI_TO_PCI)
			return -1;
	}
	return device->bridge == HARNESS_PCI_TO_PCI ? -1 : types[device->bridge];
}

static void make_function(int i, const struct harness_device *device, struct pci_dev *pci)
{
	const int type = express_type(device);

	pci->bus = device->below == HARNESS_NONE ? &root_bus : &buses_below[device->below];
	pci->multifunction = device->slot != 0;
	if (type >= 0) {
		pci->pcie_cap = 0x40;
		pci->pcie_flags_reg = type << 4; /* PCI_EXP_FLAGS_TYPE */
		pci->acs_cap = ACS_AT;
#ifdef HARNESS_HAVE_ACS_CAPABILITIES
		pci->acs_capabilities = REQUIRED | PCI_ACS_DT;
#endif
	}
#ifdef HARNESS_HAVE_RESETS
	pci->ats_cap = device->ats ? ATS_AT : 0;
#endif
	if (device->bridge == HARNESS_ENDPOINT)
		return;
	make_bus(&buses_below[i], i + 1);
	buses_below[i].parent = pci->bus;
	buses_below[i].self = pci;
	pci->subordinate = &buses_below[i];
}

/* Between device_add() and device_del(). */
static void list_device(int i, bool there)
{
	struct pci_dev *pci = &devices[i].pci;

	binding_list_device(&pci->dev, there);
	if (!pci->bus)
		return;
	if (there)
		list_add_tail(&pci->bus_list, &pci->bus->devices);
	else
		list_del(&pci->bus_list);
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
	binding_make_device(&pci->dev, i);
	/* The IOMMU core does not see the bus of emulated devices; up to and including 5.15 VFIO does. */
	if (device->kind != HARNESS_REAL) {
		pci->dev.bus = (void *)(device->kind == HARNESS_MDEV ? &mdev_bus_type :
								       &bare_bus_type);
		return;
	}
	pci->dev.bus = (void *)buses[device->bus].type;
	if (device->bus != HARNESS_PCI) {
		pci->dev.fwnode = &firmware_node.fwnode;
		return;
	}
	make_function(i, device, pci);
	pci->devfn = devfn;
}

void devices_begin(void)
{
	const struct harness_machine *m = &fake_machine;
	u8 devfn[HARNESS_DEVICES] = {};

#ifdef HARNESS_HAVE_BUS_SET_IOMMU
	freed_are_wild = true;
#endif
	lay_out(m, devfn);
	make_bus(&root_bus, 0);
	root_bus.bridge = &host_bridge;
	host_bridge.kobj.state_initialized = true;
	kref_init(&host_bridge.kobj.kref);
	fwnode_init(&firmware_node.fwnode, &of_fwnode_ops);
	firmware_begin();
	for (int i = 0; i < m->devices_count; i++)
		make_device(i, devfn[i]);
	for (int i = 0; i < m->devices_count; i++) {
		const struct harness_device *device = &m->devices[i];

		if (device->alias != HARNESS_NONE && device->kind == HARNESS_REAL) {
			__set_bit(devfn[device->alias], devices[i].aliases);
			devices[i].pci.dma_alias_mask = devices[i].aliases;
		}
		if (!device->absent) {
			machine_list(i);
			list_device(i, true);
		}
	}
}

void devices_add(int i)
{
	struct device *dev = fake_devices[i].dev;

	machine_list(i);
	list_device(i, true);
	if (!device_is_emulated(i))
		devices_notify(BUS_NOTIFY_ADD_DEVICE, dev);
}

/* --- drivers that bind to devices --- */

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
} drivers[DEVICES_DRIVERS];
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

void devices_driver(enum devices_driver n, int (*to_probe)(int i), void (*to_remove)(int i))
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
	pci->driver_managed_dma = other->driver_managed_dma = n == DEVICES_VFIO;
#endif
}

int devices_attach(int i, enum devices_driver n)
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

void devices_detach(int i)
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

REPLACES(int, bus_notify, struct device *dev, unsigned long action)
{
	devices_notify(action, dev);
	return 0;
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
	list_device(i, false);
	if (!device_is_emulated(i)) {
		devices_notify(BUS_NOTIFY_REMOVED_DEVICE, dev);
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
		devices_detach(i);
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
