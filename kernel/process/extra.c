// SPDX-License-Identifier: GPL-2.0-only
/* Ops that cases lack, through the functions that their callers in the kernel use. */
#include <linux/iommu.h>
#include <linux/slab.h>
#include <linux/vfio.h>

#include "fake/fake.h"
#include "internal.h"
#include "memory.h"
#include "promises.h"

/* A user of a device in the kernel, besides VFIO. */
struct holder {
	struct iommu_domain *domain;
	struct iommu_group *group; /* the group that it has claimed */
	bool by_group;
	bool by_device;
};
static struct holder holders[HARNESS_DEVICES];
/* One user may own devices of a group together. Whoever claims a group by itself is another. */
static char owner_of_devices;
static const struct harness_extra_op *op;
/* Devices that joined a group while a user had it: they were never on its default domain. */
static bool joined_late[HARNESS_DEVICES];

int host_attach_fails(const struct fake_domain *domain, u8 device)
{
	const struct core_group group = core_group(fake_devices[device].dev->iommu_group);
	const bool cores = !fake_is_owned(&domain->domain) ||
			   &domain->domain == group.blocking_domain;

	/*
	 * The core relies on drivers in four ways: a driver always accepts a device back on a
	 * domain that it was on, never fails a device's first attach, never fails a deferred
	 * attach to the default domain, and never fails to take a device to a domain of the core
	 * that it was never on, since it joined its group while that had a user.
	 */
	if (!fake_devices[device].hw)
		joined_late[device] = group.owned;
	if (!fake_devices[device].hw || test_bit(device, domain->accepted) ||
	    (cores && joined_late[device]) ||
	    (!fake_is_owned(&domain->domain) &&
	     fake_machine.drivers[machine_driver_of(device)].deferred))
		return 0;
	return host_strikes(HARNESS_ARM_ATTACH) ? -ENOMEM : 0;
}

/* --- VFIO --- */

static long dma_rw(void)
{
	static u8 buffer[2 * PAGE_SIZE];

	if (ops_container(op->a) < 0)
		return HARNESS_NOT_POSSIBLE;
	return driver_rw(op->a, op->iova, buffer, op->count % sizeof(buffer) + 1, op->flags & 1);
}

/* --- users in the kernel --- */

/* What the core promises its users, besides what the caller sees. */
static void expect(bool holds, const char *otherwise)
{
	if (!holds)
		memory_complain(otherwise);
}

static int devices_of(struct iommu_group *group)
{
	int count = 0;

	for (int i = 0; i < fake_machine.devices_count; i++)
		count += device_at(i) && device_at(i)->iommu_group == group;
	return count;
}

/* Whether a user in the kernel has put the group on a domain of its own. */
static bool is_attached(struct iommu_group *group)
{
	for (int i = 0; i < fake_machine.devices_count; i++)
		if (holders[i].domain && device_at(i) && device_at(i)->iommu_group == group)
			return true;
	return false;
}

static long detach(struct device *dev, struct holder *holder)
{
	struct fake_domain *domain;
	struct core_group after;

	if (!holder->domain)
		return HARNESS_NOT_POSSIBLE;
	/* ABSTRACTION: a driver does not notice that a device has joined; iommu_detach_device() WARNs. */
	if (holder->by_group || devices_of(dev->iommu_group) != 1)
		iommu_detach_group(holder->domain, dev->iommu_group);
	else
		iommu_detach_device(holder->domain, dev);
	after = core_group(dev->iommu_group);
	expect(after.domain == (after.owned ? after.blocking_domain : after.default_domain),
	       "a group that is detached is not on its default or blocking domain");
	/* The user of the domain does not unmap first. */
	domain = fake_domain_of(holder->domain);
	table_free(domain->table, false);
	domain->table = table_new();
	iommu_domain_free(holder->domain);
	holder->domain = NULL;
	return 0;
}

static void expect_released(struct core_group before, struct core_group after, bool by_device)
{
	if (by_device && before.owner_cnt > 1) {
		expect(after.owned && after.owner_cnt == before.owner_cnt - 1,
		       "a release by one of several devices does not leave the group to the others");
		return;
	}
	expect(!after.owned && !after.owner_cnt && after.domain == after.default_domain,
	       "a group that is released is not on its default domain without an owner");
}

#ifdef HARNESS_HAVE_DMA_OWNER
static long release(struct device *dev, struct holder *holder)
{
	struct core_group before;

	if (!holder->group)
		return HARNESS_NOT_POSSIBLE;
	if (holder->domain)
		detach(dev, holder);
	before = core_group(holder->group);
#ifdef HARNESS_HAVE_DEVICE_CLAIM
	if (holder->by_device)
		iommu_device_release_dma_owner(dev);
	else
#endif
		iommu_group_release_dma_owner(holder->group);
	expect_released(before, core_group(holder->group), holder->by_device);
	iommu_group_put(holder->group);
	holder->group = NULL;
	return 0;
}

/* Devices of a group may claim it together, all for the same owner; a group has one owner. */
static void expect_claimed(struct core_group before, struct core_group after, bool together,
			   long ret)
{
	expect(after.owner_cnt == before.owner_cnt + !ret, "a claim does not count once");
	if (before.owner_cnt)
		expect(ret == (together ? 0 : -EPERM),
		       "a claim of a group in use does not return -EPERM, or, by its owner, 0");
	else if (before.domain && before.domain != before.default_domain)
		expect(ret == -EBUSY, "a claim of a group on a user's domain does not return -EBUSY");
	if (!ret)
		expect(after.owned, "a claim leaves a group without an owner");
	else
		expect(after.domain == before.domain && after.owned == before.owned,
		       "a claim that failed has changed the group");
}

static bool claimed_by_devices(struct iommu_group *group)
{
	for (int i = 0; i < HARNESS_DEVICES; i++)
		if (holders[i].group == group && holders[i].by_device)
			return true;
	return false;
}

static long claim(struct device *dev, struct holder *holder)
{
	struct iommu_group *group;
	struct core_group before;
	long ret;

	if (holder->group || ops_is_bound(op->a))
		return HARNESS_NOT_POSSIBLE;
	group = iommu_group_get(dev);
	if (!group) {
#ifdef HARNESS_HAVE_DEVICE_CLAIM
		expect(iommu_device_claim_dma_owner(dev, &owner_of_devices) == -ENODEV,
		       "a claim of a device without a group does not return -ENODEV");
#endif
		return HARNESS_NOT_POSSIBLE;
	}
	before = core_group(group);
#ifdef HARNESS_HAVE_DEVICE_CLAIM
	holder->by_device = op->flags & 1;
	if (holder->by_device)
		ret = iommu_device_claim_dma_owner(dev, &owner_of_devices);
	else
#endif
		ret = iommu_group_claim_dma_owner(group, holder);
	expect_claimed(before, core_group(group),
		       holder->by_device && claimed_by_devices(group), ret);
	if (ret)
		iommu_group_put(group);
	else
		holder->group = group;
	return ret;
}

#else
/* Groups have no owners. */
static long release(struct device *dev, struct holder *holder)
{
	return HARNESS_NOT_POSSIBLE;
}
static long claim(struct device *dev, struct holder *holder)
{
	return HARNESS_NOT_POSSIBLE;
}
#endif

/* The device whose driver's domain is attached: another than `dev` only if the caller is mistaken. */
static struct device *device_of_domain(struct device *dev)
{
#if defined(HARNESS_HAVE_DOMAIN_OWNER) && defined(HARNESS_HAVE_ALLOC_BY_DEV)
	struct device *other = device_at(op->count % fake_machine.devices_count);

	if (op->flags & 4 && other && other->iommu && other->iommu->iommu_dev)
		return other;
#endif
	return dev;
}

static void expect_attached(struct iommu_group *group, struct core_group before,
			    const struct iommu_domain *domain, bool foreign, long ret)
{
	const struct core_group after = core_group(group);

	if (!(op->flags & 1) && devices_of(group) != 1)
		expect(ret == -EINVAL, "a device of a larger group is attached alone");
	else if (before.domain && before.domain != before.default_domain &&
		 before.domain != before.blocking_domain)
		expect(ret == -EBUSY, "an attach of a group that is attached does not return -EBUSY");
	else if (foreign)
		expect(ret == -EINVAL, "an attach to a domain of another driver does not return -EINVAL");
	expect(after.domain == (ret ? before.domain : domain),
	       "an attach leaves the group on another domain than it says");
}

/*
 * iommu_attach_device() may be called only if a driver is bound or the group is claimed. Old users of
 * iommu_attach_group() do not claim.
 */
static long attach(struct device *dev, struct holder *holder)
{
	const bool claims_not = (op->flags & 3) == 3;
	struct iommu_domain *domain;
	struct core_group before;
	bool foreign;
	long ret;

	if (!(ops_is_bound(op->a) || holder->group || claims_not) || !dev->iommu_group)
		return HARNESS_NOT_POSSIBLE;
	before = core_group(dev->iommu_group);
#ifdef HARNESS_HAVE_ALLOC_BY_DEV
	domain = iommu_paging_domain_alloc(device_of_domain(dev));
	if (IS_ERR(domain))
		return PTR_ERR(domain);
#else
	domain = iommu_domain_alloc(dev->bus);
	if (!domain)
		return -ENOMEM;
#endif
	foreign = dev->iommu->iommu_dev->ops != device_of_domain(dev)->iommu->iommu_dev->ops;
	ret = op->flags & 1 ? iommu_attach_group(domain, dev->iommu_group) :
			       iommu_attach_device(domain, dev);
	expect_attached(dev->iommu_group, before, domain, foreign, ret);
	if (!ret && holder->domain)
		memory_complain("a group takes a second domain of its user");
	if (ret || holder->domain) {
		iommu_domain_free(domain);
		return ret;
	}
	holder->domain = domain;
	holder->by_group = op->flags & 1;
	return 0;
}

static long kernel_map(struct holder *holder)
{
	const int prot = op->flags & (IOMMU_READ | IOMMU_WRITE);

	if (!holder->domain || op->size > SZ_16M)
		return HARNESS_NOT_POSSIBLE;
	/* Mapping twice would be the caller's mistake. */
	for (unsigned long at = 0; at < op->size; at += SZ_1K)
		if (iommu_iova_to_phys(holder->domain, op->iova + at))
			return HARNESS_NOT_POSSIBLE;
	/* Addresses apart from the process's frames, which only VFIO maps. */
	return iommu_map(holder->domain, op->iova, 0x40000000 + (op->paddr & (SZ_1G - 1)), op->size,
#ifdef HARNESS_HAVE_MAP_GFP
			 prot, GFP_KERNEL);
#else
			 prot);
#endif
}

static long show(struct iommu_group *group)
{
	char *page = host_alloc(2 * PAGE_SIZE);
	const long type = sysfs_read(core_folder(group), "type", page);
	const long regions = sysfs_read(core_folder(group), "reserved_regions", page + type);

	memcpy(memory_user.argument, page, sizeof(memory_user.argument));
	kfree(page);
	return min(regions, 0L);
}

/* The name of a file and, after its end, what is written. */
static long use_file(struct iommu_group *group)
{
	const char *name = (const char *)op->argument;
	char *page;
	long ret;

	if (op->flags & HARNESS_FILE_WRITE)
		return sysfs_write(core_folder(group), name, name + strlen(name) + 1);
	page = host_alloc(PAGE_SIZE);
	ret = sysfs_read(core_folder(group), name, page);
	memcpy(memory_user.argument, page, sizeof(memory_user.argument));
	kfree(page);
	return min(ret, 0L);
}

static bool has_kernel_driver(struct iommu_group *group)
{
	for (int i = 0; i < fake_machine.devices_count; i++)
		if (device_at(i) && device_at(i)->iommu_group == group && ops_is_bound(i))
			return true;
	return false;
}

/* The driver of a device has mappings in the group's default domain. */
static long store_type(struct iommu_group *group)
{
	static const char *const types[] = { "identity", "DMA", "DMA-FQ", "auto", "other" };
	const struct iommu_domain *before = core_group(group).default_domain;
	const long ret = sysfs_write(core_folder(group), "type",
				     types[op->count % ARRAY_SIZE(types)]);

	if (has_kernel_driver(group) && core_group(group).default_domain != before)
		memory_complain("a group's default domain changes under a driver");
	return ret;
}

/* --- the interface --- */

static void take_argument(void)
{
	memset(memory_user.argument, 0, sizeof(memory_user.argument));
	memcpy(memory_user.argument, op->argument, sizeof(op->argument));
}

static void *argument(void)
{
	if (op->flags & HARNESS_NOWHERE)
		return (void *)(MEMORY_START + MEMORY_HOLE * PAGE_SIZE);
	if (!(op->flags & HARNESS_READ_ONLY))
		return memory_user.argument;
	return memcpy(memory_user.read_only, op->argument, sizeof(op->argument));
}

static int play(void)
{
	struct device *dev = device_at(op->a);
	struct holder *holder = &holders[op->a];

	switch (op->kind) {
	case HARNESS_EXTRA_IOCTL:
		take_argument();
		return container_call(op->container, op->count, argument());
	case HARNESS_EXTRA_EXTENSION:
		return container_ioctl(op->container, VFIO_CHECK_EXTENSION, op->count);
	case HARNESS_EXTRA_DMA_RW:
		return dma_rw();
	case HARNESS_EXTRA_TASK:
		shim_run_task(op->a);
		return 0;
	case HARNESS_EXTRA_GONE:
		shim_end_task(op->a);
		return 0;
	case HARNESS_EXTRA_CLOSE:
		if (!file_at(op->count))
			return HARNESS_NOT_POSSIBLE;
		driver_close(op->a, op->count);
		return 0;
	}
	if (!dev)
		return HARNESS_NOT_POSSIBLE;
	switch (op->kind) {
	case HARNESS_EXTRA_GROUP:
		take_argument();
		return groups_call(op->a, op->count, argument());
	case HARNESS_EXTRA_DEVICE:
		take_argument();
		return groups_device_call(op->a, op->flags & 0xff, op->count, argument());
	case HARNESS_EXTRA_CLAIM:
		return claim(dev, holder);
	case HARNESS_EXTRA_RELEASE:
		return release(dev, holder);
	case HARNESS_EXTRA_ATTACH:
		return attach(dev, holder);
	case HARNESS_EXTRA_DETACH:
		return detach(dev, holder);
	case HARNESS_EXTRA_KERNEL_MAP:
		return kernel_map(holder);
	case HARNESS_EXTRA_KERNEL_UNMAP:
		if (!holder->domain)
			return HARNESS_NOT_POSSIBLE;
		iommu_unmap(holder->domain, op->iova, op->size);
		return 0;
	case HARNESS_EXTRA_STORE_TYPE:
		/* The user's domain would silently be replaced. */
		return dev->iommu_group && !is_attached(dev->iommu_group) ?
			       store_type(dev->iommu_group) :
			       HARNESS_NOT_POSSIBLE;
	case HARNESS_EXTRA_FILE:
		return dev->iommu_group ? use_file(dev->iommu_group) : HARNESS_NOT_POSSIBLE;
	case HARNESS_EXTRA_SHOW:
		return dev->iommu_group ? show(dev->iommu_group) : HARNESS_NOT_POSSIBLE;
	}
	return HARNESS_NOT_POSSIBLE;
}

void extra_begin(void)
{
	memset(holders, 0, sizeof(holders));
	memset(joined_late, 0, sizeof(joined_late));
	host_disarm();
}

/* A driver that unbinds detaches its domain. A removed device's user releases the group, too. */
void extra_before(const struct harness_op *next)
{
	struct device *dev = device_at(next->a);
	const bool goes = next->kind == HARNESS_REMOVE;

	if (!dev || !(goes || (next->kind == HARNESS_UNBIND && ops_is_bound(next->a))))
		return;
	detach(dev, &holders[next->a]);
	if (goes)
		release(dev, &holders[next->a]);
}

void extra_end(void)
{
	for (int i = 0; i < HARNESS_DEVICES; i++)
		extra_before(&(struct harness_op){ .kind = HARNESS_REMOVE, .a = i });
}

static void arm(u8 what, u8 nth)
{
	host_disarm();
	if (what < HARNESS_ARMS)
		host_armed[what] = nth;
}

static int extra_op(const struct harness_extra_op *next)
{
	int ret;

	if (next->a >= HARNESS_DEVICES || next->container >= HARNESS_CONTAINERS)
		return HARNESS_NOT_POSSIBLE;
	op = next;
	fake_begin_op(NULL);
	shim_unprivileged = op->flags & HARNESS_EXTRA_UNPRIVILEGED;
	ret = host_guard(play);
	shim_unprivileged = false;
	host_disarm();
	return ret;
}

static const char *judge(void)
{
	const struct fake_domain *domain;

	groups_judge();
	for (domain = fake_domains; domain; domain = domain->next)
		table_judge(domain->table);
	return memory_complaint;
}

const struct harness_extra *extra_interface(void)
{
	static struct harness_extra interface = {
		.memory = MEMORY_START,
		.arm = arm,
		.op = extra_op,
		.pinned = ops_pinned,
		.judge = judge,
		.promise = promises_name,
		.lacks = promises_lack,
		.check = promises_check,
	};

	interface.bitmap = (unsigned long)memory_user.bitmap;
	interface.argument = (unsigned long)memory_user.argument;
	return &interface;
}
