// SPDX-License-Identifier: GPL-2.0-only
/*
 * What ACPI says of a machine: an IORT and a VIOT, made of the case, for iort.c and viot.c to read. A
 * machine has one of them; here the VIOT describes every other device of those that it can describe,
 * which are PCI functions and platform devices with a single master, and the IORT all others, so that
 * the cases try both. The kernel looks into the IORT first.
 *
 * An IOMMU is an SMMUv3 of the IORT and a virtio-iommu of the VIOT, in memory at UNIT_AT. A platform
 * device of the VIOT is in memory at DEVICE_AT. A PCI function has an ID for each of its masters, as in
 * firmware_for_each_master().
 */
#include "acpi.h"

#include <linux/pci.h>
#include <linux/platform_device.h>

#include "fake/fake.h"
#include "internal.h"

enum { UNIT_AT = 0x10000, DEVICE_AT = 0x1000000, PAGE = 0x1000, NAME = 8 };

const struct fwnode_operations acpi_device_fwnode_ops;
const struct fwnode_operations acpi_static_fwnode_ops;

static struct acpi_device units[HARNESS_INSTANCES];
static struct acpi_device companions[HARNESS_DEVICES];

static struct table {
	union {
		struct acpi_table_header header;
		struct acpi_table_iort iort;
#ifdef HARNESS_HAVE_VIOT
		struct acpi_table_viot viot;
#endif
		char bytes[16384];
	};
} iort, viot;

/* Adds `size` zero bytes to the end. */
static void *extend(struct table *table, size_t size)
{
	void *at = table->bytes + table->header.length;

	if (table->header.length + size > sizeof(table->bytes))
		host_die("acpi", "the table of a machine has no room for it");
	memset(at, 0, size);
	table->header.length += size;
	return at;
}

static void begin_table(struct table *table, size_t size)
{
	table->header.length = 0;
	extend(table, size);
	table->header.length = size;
}

static int masters_of(int device)
{
	int count = 0;

	while (firmware_master(device, count) != HARNESS_NONE)
		count++;
	return count;
}

static bool is_pci(int device)
{
	return fake_machine.devices[device].bus == HARNESS_PCI;
}

static bool is_in_viot(int device)
{
#ifdef HARNESS_HAVE_VIOT
	return device % 2 == 1 && masters_of(device) == 1 &&
	       (is_pci(device) || fake_machine.devices[device].bus == HARNESS_PLATFORM);
#else
	return false;
#endif
}

static bool is_in_iort(int device)
{
	return fake_machine.devices[device].kind == HARNESS_REAL && !is_in_viot(device) &&
	       masters_of(device) > 0;
}

/* --- the IORT --- */

static const size_t node_data = offsetof(struct acpi_iort_node, node_data);
static u32 smmus[HARNESS_INSTANCES]; /* where their nodes are */

/* The ID mappings of a node follow it. */
static struct acpi_iort_node *add_node(u8 type, size_t data, u32 mappings)
{
	struct acpi_iort_node *node = extend(
		&iort, node_data + data + mappings * sizeof(struct acpi_iort_id_mapping));

	node->type = type;
	node->length = (char *)iort.bytes + iort.header.length - (char *)node;
	node->mapping_count = mappings;
	node->mapping_offset = mappings ? node_data + data : 0;
	iort.iort.node_count++;
	return node;
}

/* All masters of a device, from the n-th mapping of the node on; returns how many there are. */
static int map_masters(struct acpi_iort_node *node, int n, int device, u32 flags)
{
	struct acpi_iort_id_mapping *map = (void *)((char *)node + node->mapping_offset);
	int count;

	for (count = 0; count < masters_of(device); count++)
		map[n + count] = (struct acpi_iort_id_mapping){
			.input_base = firmware_id(device, count),
			.output_base = device,
			.output_reference = smmus[firmware_master(device, count)],
			.flags = flags,
		};
	return count;
}

static void add_named_component(int device)
{
	struct acpi_iort_node *node =
		add_node(ACPI_IORT_NODE_NAMED_COMPONENT,
			 offsetof(struct acpi_iort_named_component, device_name) + NAME,
			 masters_of(device));
	struct acpi_iort_named_component *component = (void *)node->node_data;

	snprintf(component->device_name, NAME, "\\D%d", device);
	map_masters(node, 0, device, ACPI_IORT_ID_SINGLE_MAPPING);
}

static void add_root_complex(void)
{
	struct acpi_iort_node *node;
	int mappings = 0;

	for (int i = 0; i < fake_machine.devices_count; i++)
		if (is_in_iort(i) && is_pci(i))
			mappings += masters_of(i);
	node = add_node(ACPI_IORT_NODE_PCI_ROOT_COMPLEX, sizeof(struct acpi_iort_root_complex),
			mappings);
	mappings = 0;
	for (int i = 0; i < fake_machine.devices_count; i++)
		if (is_in_iort(i) && is_pci(i))
			mappings += map_masters(node, mappings, i, 0);
}

static void make_iort(void)
{
	begin_table(&iort, sizeof(struct acpi_table_iort));
	iort.iort.node_count = 0;
	iort.iort.node_offset = sizeof(struct acpi_table_iort);
	iort_begin(&iort.header);
	for (int i = 0; i < fake_machine.instances_count; i++) {
		struct acpi_iort_node *node;

		if (!fake_instances[i].fwnode)
			continue;
		smmus[i] = iort.header.length;
		node = add_node(ACPI_IORT_NODE_SMMU_V3, sizeof(struct acpi_iort_smmu_v3), 0);
		iort_add_unit(node, fake_instances[i].fwnode);
	}
	add_root_complex();
	for (int i = 0; i < fake_machine.devices_count; i++)
		if (is_in_iort(i) && !is_pci(i))
			add_named_component(i);
}

/* The only call is by iort.c, for the path of a device in the namespace. */
acpi_status acpi_get_name(acpi_handle object, u32 type, struct acpi_buffer *path)
{
	static char name[NAME];

	snprintf(name, sizeof(name), "\\D%d", (int)((struct acpi_device *)object - companions));
	path->pointer = name;
	return AE_OK;
}

/* ABSTRACTION: what a named component says of PASIDs is not read; the case says it of the device. */
int device_create_managed_software_node(struct device *dev, const struct property_entry *properties,
					const struct software_node *parent)
{
	return 0;
}

/* --- the VIOT --- */

#ifdef HARNESS_HAVE_VIOT
static u16 virtio_iommus[HARNESS_INSTANCES];

static void add_endpoint(int device)
{
	const u16 master = virtio_iommus[firmware_master(device, 0)];

	if (is_pci(device)) {
		struct acpi_viot_pci_range *range = extend(&viot, sizeof(*range));

		range->header.type = ACPI_VIOT_NODE_PCI_RANGE;
		range->header.length = sizeof(*range);
		range->endpoint_start = device;
		range->bdf_start = range->bdf_end = firmware_id(device, 0);
		range->output_node = master;
	} else {
		struct acpi_viot_mmio *mmio = extend(&viot, sizeof(*mmio));

		mmio->header.type = ACPI_VIOT_NODE_MMIO;
		mmio->header.length = sizeof(*mmio);
		mmio->endpoint = device;
		mmio->base_address = DEVICE_AT + device * PAGE;
		mmio->output_node = master;
	}
	viot.viot.node_count++;
}

static void make_viot(void)
{
	begin_table(&viot, sizeof(struct acpi_table_viot));
	viot.viot.node_count = 0;
	viot.viot.node_offset = sizeof(struct acpi_table_viot);
	for (int i = 0; i < fake_machine.instances_count; i++) {
		struct acpi_viot_virtio_iommu_mmio *unit;

		if (!fake_instances[i].fwnode)
			continue;
		virtio_iommus[i] = viot.header.length;
		unit = extend(&viot, sizeof(*unit));
		unit->header.type = ACPI_VIOT_NODE_VIRTIO_IOMMU_MMIO;
		unit->header.length = sizeof(*unit);
		unit->base_address = UNIT_AT + i * PAGE;
		viot.viot.node_count++;
	}
	for (int i = 0; i < fake_machine.devices_count; i++)
		if (fake_machine.devices[i].kind == HARNESS_REAL && is_in_viot(i))
			add_endpoint(i);
	viot_begin();
}
#endif

acpi_status acpi_get_table(acpi_string signature, u32 instance, struct acpi_table_header **table)
{
	*table = &viot.header; /* iort.c is given its own */
	return AE_OK;
}
void acpi_put_table(struct acpi_table_header *table)
{
}

struct acpi_device *acpi_resource_consumer(struct resource *memory)
{
	return &units[(memory->start - UNIT_AT) / PAGE];
}

struct resource *acpi_tables_resource(struct device *dev)
{
	static struct resource memory;

	memory.start = DEVICE_AT + host_index(dev) * PAGE;
	return &memory;
}

/* --- the namespace --- */

/* drivers/base/core.c. ABSTRACTION: no device of a case is itself an IOMMU of the VIOT. */
REPLACES(int, device_match_fwnode, struct device *dev, const void *fwnode)
{
	return 0;
}

struct acpi_device *acpi_tables_device(struct device *dev)
{
	return &companions[host_index(dev)];
}

struct fwnode_handle *acpi_tables_unit(int instance)
{
	fwnode_init(&units[instance].fwnode, &acpi_device_fwnode_ops);
	return &units[instance].fwnode;
}

void acpi_tables_begin(void)
{
	for (int i = 0; i < fake_machine.devices_count; i++)
		companions[i].handle = &companions[i];
	make_iort();
#ifdef HARNESS_HAVE_VIOT
	make_viot();
#endif
}

void acpi_tables_end(void)
{
	iort_end();
#ifdef HARNESS_HAVE_VIOT
	viot_end();
#endif
}
