// SPDX-License-Identifier: GPL-2.0-only
/*
 * PCI: the root bus and one below each bridge, what their functions are, and their config space. The
 * devices of other buses lie in the same memory.
 */
#include <linux/pci.h>

#include "fake/fake.h"
#include "internal.h"

enum { DEVFNS = 256, DEVICE_NUMBERS = 32, FUNCTIONS = 8 };

static struct {
	struct pci_dev pci; /* also used for devices of other buses, which need only .dev */
	DECLARE_BITMAP(aliases, DEVFNS);
	char name[16];
} functions[HARNESS_DEVICES];
static u8 devfns[HARNESS_DEVICES];
static struct device host_bridge;
static struct pci_bus root_bus;
static struct pci_bus buses_below[HARNESS_DEVICES];

int host_index(struct device *dev)
{
	return container_of(dev, typeof(functions[0]), pci.dev) - functions;
}

/*
 * search.c and pci.c are the tree's. ABSTRACTION: nobody scans the buses, so that functions_wire()
 * writes what probe.c would find out; quirks.c is not there, so that no device has ACS, an alias or
 * an IOMMU of its own by a quirk; nothing but the words of ACS can be read from the config space.
 */
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

const char *functions_misfit(const struct harness_machine *m)
{
	u8 devfn[HARNESS_DEVICES];

	return lay_out(m, devfn);
}

static void make_bus(struct pci_bus *bus, u8 number)
{
	memset(bus, 0, sizeof(*bus));
	INIT_LIST_HEAD(&bus->devices);
	bus->number = number;
	bus->ops = &config_space;
}

void functions_begin(struct device *parent)
{
	memset(devfns, 0, sizeof(devfns));
	lay_out(&fake_machine, devfns);
	make_bus(&root_bus, 0);
	root_bus.bridge = &host_bridge;
	host_bridge.parent = parent;
	host_bridge.kobj.state_initialized = true;
	kref_init(&host_bridge.kobj.kref);
}

struct device *functions_make(int i)
{
	struct pci_dev *pci = &functions[i].pci;

	memset(&functions[i], 0, sizeof(functions[i]));
	snprintf(functions[i].name, sizeof(functions[i].name), "device%d", i);
	pci->dev.kobj.name = functions[i].name;
	return &pci->dev;
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

void functions_wire(int i)
{
	const struct harness_device *device = &fake_machine.devices[i];
	struct pci_dev *pci = &functions[i].pci;
	const int type = express_type(device);

	pci->bus = device->below == HARNESS_NONE ? &root_bus : &buses_below[device->below];
	pci->multifunction = device->slot != 0;
	pci->devfn = devfns[i];
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

void functions_alias(int i, int other)
{
	__set_bit(devfns[other], functions[i].aliases);
	functions[i].pci.dma_alias_mask = functions[i].aliases;
}

void functions_list(int i, int there)
{
	struct pci_dev *pci = &functions[i].pci;

	if (!pci->bus)
		return;
	if (there)
		list_add_tail(&pci->bus_list, &pci->bus->devices);
	else
		list_del(&pci->bus_list);
}
