// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fake IOMMU drivers and fake devices for a kernel without an IOMMU. A process writes a case to
 * /dev/iommucheck, one line for each write(), and reads the calls of the drivers from it. The
 * drivers are those of kernel/fake; the lines are those of src/conform/script.cc, and those that
 * src/conform/trace_parse.cc reads.
 *
 * One process uses the device at a time, and the core makes its calls in that process, so there is
 * no lock.
 */
#include <linux/iommu.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/property.h>
#include <linux/uaccess.h>

#include "fake.h"
#include "module.h"

static struct harness_machine told; /* what was written so far; boot() makes it fake_machine */
static bool vfio_held[HARNESS_DEVICES]; /* by group: VFIO has its devices */
static struct harness_op op; /* only its faults are used */
static int faults_count;

/* --- the text of a read() --- */

static char log_text[1 << 16];
static size_t log_length;

static __printf(1, 2) void note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_length += vscnprintf(log_text + log_length, sizeof(log_text) - log_length, format,
				 args);
	va_end(args);
}

/* All calls have the same fields. As signed numbers, none is -1. */
static void note_calls(void)
{
	static const char *const words[] = {
		[HARNESS_PROBE] = "probe",   [HARNESS_ALLOC] = "alloc", [HARNESS_ATTACH] = "attach",
		[HARNESS_DETACH] = "detach", [HARNESS_FREE] = "free",   [HARNESS_RELEASE] = "release",
	};
	u32 count;
	const struct harness_call *call = calls_get(&count);

	for (; count; count--, call++)
		if (call->kind < ARRAY_SIZE(words))
			note("%s %d %d %d %d %d %d\n", words[call->kind], (s16)call->domain,
			     (s8)call->driver, (s8)call->table, (s8)call->instance,
			     (s8)call->device, call->error);
	calls_clear();
}

/* After an op: clears the faults, and gives VFIO the devices that have joined its groups. */
static void settle(void)
{
	memset(&op, 0, sizeof(op));
	faults_count = 0;
	fake_begin_op(&op);
	for (int g = 0; g < HARNESS_DEVICES; g++)
		if (vfio_held[g])
			booted_bind(g);
}

/* Removes the machine of the case before, through functions of the core. */
static void reset(void)
{
	calls_recorded = false;
	memset(vfio_held, 0, sizeof(vfio_held));
	settle();
	for (int i = 0; i < fake_machine.devices_count; i++)
		if (fake_devices[i].dev) {
			booted_forget_firmware(i);
			booted_remove(i);
		}
	for (int i = 0; i < fake_machine.instances_count; i++) {
		if (fake_instances[i].registered)
			fake_unregister(i);
		iommu_device_sysfs_remove(&fake_instances[i].iommu);
		if (fake_instances[i].fwnode)
			fwnode_remove_software_node(fake_instances[i].fwnode);
	}
#ifdef HARNESS_HAVE_BUS_OPS
	/* These kernels never take a bus from its driver, but each case must be like a new boot. */
	platform_bus_type.iommu_ops = NULL;
	pci_bus_type.iommu_ops = NULL;
#endif
	fake_forget_domains();
	memset(&told, 0, sizeof(told));
	fake_begin(&told);
	log_length = 0;
}

static int boot(void)
{
	int i, ret;

	fake_begin(&told);
	for (i = 0; i < told.instances_count; i++) {
		struct fake_instance *instance = &fake_instances[i];

		ret = iommu_device_sysfs_add(&instance->iommu, NULL, NULL, "iommucheck%d", i);
		if (ret)
			return ret;
		if (!told.instances[i].fwnode)
			continue;
		instance->fwnode = fwnode_create_software_node(NULL, NULL);
		if (IS_ERR(instance->fwnode))
			return PTR_ERR(instance->fwnode);
	}
	for (i = 0; i < told.devices_count; i++)
		if (!told.devices[i].absent) {
			ret = booted_add(i);
			if (ret)
				return ret;
		}
	fake_begin_op(&op);
	calls_recorded = true;
	return 0;
}

static void report_end(void)
{
	note_calls();
	for (int i = 0; i < fake_machine.devices_count; i++) {
		struct iommu_domain *domain;

		if (booted_group_id(i) < 0)
			continue;
		/* The memory of freed domains is still there, so the core may still return one. */
		domain = iommu_get_domain_for_dev(fake_devices[i].dev);
		note("group %d %d %d\n", i, booted_group_id(i),
		     domain ? fake_domain_of(domain)->number : -1);
	}
	note("domains %d\n", fake_domains_count);
}

/* --- /dev/iommucheck --- */

#define IN_RANGE(i, count) ((i) >= 0 && (i) < (count))

static int add_driver(const int *v)
{
	if (told.drivers_count == HARNESS_DRIVERS || !IN_RANGE(v[0], HARNESS_DRIVERS) ||
	    !IN_RANGE(v[1], HARNESS_TABLES) || !IN_RANGE(v[2], HARNESS_TABLES))
		return -EINVAL;
	told.table_address[v[1]] = v[2];
	told.drivers[told.drivers_count++] = (struct harness_driver){
		.address = v[0],
		.table = v[1],
		.coherent = v[3],
		.default_domains = v[4],
		.same_instance = v[5],
		.refuses_foreign = v[6],
		.instance_groups = v[7],
		.accepts_foreign = v[8],
	};
	return 0;
}

static int add_instance(const int *v)
{
	if (told.instances_count == HARNESS_INSTANCES || !IN_RANGE(v[0], told.drivers_count) ||
	    !IN_RANGE(v[2], HARNESS_TABLES) || !IN_RANGE(v[3], HARNESS_TABLES))
		return -EINVAL;
	told.table_address[v[2]] = v[3];
	told.instances[told.instances_count++] = (struct harness_instance){
		.driver = v[0],
		.fwnode = v[1],
		.table = v[2],
		.enforces_coherency = v[4],
		.isolates_msi = true,
		.aperture_end = (1ULL << 48) - 1,
		.page_sizes = SZ_4K | SZ_2M,
	};
	return 0;
}

static int describe_device(const int *v)
{
	if (told.devices_count == HARNESS_DEVICES || v[3] >= HARNESS_DEVICES ||
	    v[5] >= told.instances_count || v[6] >= told.instances_count)
		return -EINVAL;
	booted_devfns[told.devices_count] = v[1];
	/* HARNESS_NONE is -1 here. For the core, functions share a slot by their devfn. */
	told.devices[told.devices_count++] = (struct harness_device){
		.bus = v[0] ? PCI_BUS : 0,
		.slot = v[2],
		.alias = v[3],
		.absent = !v[4],
		.masters = { v[5], v[6] },
	};
	return 0;
}

static int add_fault(u8 kind, const int *v)
{
	if (faults_count == HARNESS_FAULTS)
		return -EINVAL;
	op.faults[faults_count++] = (struct harness_fault){
		.kind = kind, .target = v[0], .count = v[1], .error = v[2],
	};
	return 0;
}

static int command(const char *word, const int *v)
{
	const bool instance = IN_RANGE(v[0], fake_machine.instances_count);
	const bool device = IN_RANGE(v[0], fake_machine.devices_count);

	if (!strcmp(word, "reset"))
		return reset(), 0;
	if (!strcmp(word, "firmware"))
		return told.firmware = v[0], 0;
	if (!strcmp(word, "driver"))
		return add_driver(v);
	if (!strcmp(word, "instance"))
		return add_instance(v);
	if (!strcmp(word, "device"))
		return describe_device(v);
	if (!strcmp(word, "boot"))
		return boot();
	if (!strcmp(word, "fail-attach"))
		return add_fault(HARNESS_FAIL_ATTACH, v);
	if (!strcmp(word, "fail-alloc"))
		return add_fault(HARNESS_FAIL_ALLOC, v);
	if (!strcmp(word, "fail-probe"))
		return add_fault(HARNESS_FAIL_PROBE, v);
	if (!strcmp(word, "register") && instance)
		return fake_register(v[0]);
	if (!strcmp(word, "unregister") && instance)
		return fake_unregister(v[0]), 0;
	if (!strcmp(word, "add") && device)
		return booted_add(v[0]);
	if (!strcmp(word, "remove") && device)
		return booted_remove(v[0]), 0;
	if (!strcmp(word, "configure") && device && fake_devices[v[0]].dev)
		return booted_configure(v[0]);
	if (!strcmp(word, "bind") && IN_RANGE(v[0], HARNESS_DEVICES))
		return vfio_held[v[0]] = true, booted_bind(v[0]), 0;
	if (!strcmp(word, "unbind") && IN_RANGE(v[0], HARNESS_DEVICES))
		return vfio_held[v[0]] = false, booted_unbind(v[0]), 0;
	if (!strcmp(word, "settle"))
		return settle(), 0;
	if (!strcmp(word, "end"))
		return report_end(), 0;
	return -ENOTTY;
}

static ssize_t fake_write(struct file *file, const char __user *text, size_t size, loff_t *at)
{
	char line[128], word[16];
	int v[9] = {};
	int ret;

	if (size >= sizeof(line))
		return -E2BIG;
	if (copy_from_user(line, text, size))
		return -EFAULT;
	line[size] = 0;
	if (sscanf(line, "%15s %d %d %d %d %d %d %d %d %d", word, &v[0], &v[1], &v[2], &v[3], &v[4],
		   &v[5], &v[6], &v[7], &v[8]) < 1)
		return -ENOTTY;
	ret = command(word, v);
	return ret ? ret : size;
}

/* Returns the notes since the last read. */
static ssize_t fake_read(struct file *file, char __user *text, size_t size, loff_t *at)
{
	size_t length;

	note_calls();
	length = min(size, log_length);
	if (copy_to_user(text, log_text, length))
		return -EFAULT;
	log_length = 0;
	return length;
}

static const struct file_operations fake_fops = {
	.owner = THIS_MODULE,
	.read = fake_read,
	.write = fake_write,
};

static struct miscdevice fake_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "iommucheck",
	.fops = &fake_fops,
};

static int __init fake_init(void)
{
	const int ret = booted_init();

	return ret ? ret : misc_register(&fake_misc);
}

/* No module_exit: the machine is switched off after the cases. */
module_init(fake_init);
MODULE_DESCRIPTION("Fake IOMMU drivers and devices that play the cases of iommucheck");
MODULE_LICENSE("GPL");
