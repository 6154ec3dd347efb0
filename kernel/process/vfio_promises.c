// SPDX-License-Identifier: GPL-2.0-only
/*
 * What drivers/vfio/ promises to the drivers of devices and to KVM: its exported functions, call by
 * call, on the machine of core_promises.h.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/interval_tree.h>
#include <linux/iommu.h>
#include <linux/slab.h>
#include <linux/vfio.h>

#include "fake/fake.h"
#include "internal.h"
#include "memory.h"
#include "promises.h"

#ifdef HARNESS_HAVE_MIGRATION

enum { PLAIN, NARROW, TWIN, EMULATED };

static struct device *device(int i)
{
	return fake_devices[i].dev;
}

/* --- devices and their sets --- */

static struct vfio_device_ops bare_ops = { .name = "bare" };
static int init_result;
static int init(struct vfio_device *vdev)
{
	return init_result;
}
static int inits_released;
static void release(struct vfio_device *vdev)
{
	inits_released++;
}

static struct vfio_device *make_for(struct device *dev, const struct vfio_device_ops *ops)
{
	return _vfio_alloc_device(sizeof(struct vfio_device), dev, ops);
}

static long make_and_put(void)
{
	struct vfio_device *vdev = make_for(device(PLAIN), &bare_ops);

	if (IS_ERR(vdev))
		return PTR_ERR(vdev);
	vfio_put_device(vdev);
	return 0;
}

static void made_devices(void)
{
	WARNS(1, IS(PTR_ERR_OR_ZERO(_vfio_alloc_device(sizeof(struct vfio_device) - 1, device(PLAIN),
						      &bare_ops)), -EINVAL));
	FAILS_UNTIL_0(HARNESS_ARM_ALLOC, -ENOMEM, make_and_put());
	bare_ops.init = init;
	bare_ops.release = release;
	init_result = -EIO;
	inits_released = 0;
	IS(PTR_ERR_OR_ZERO(make_for(device(PLAIN), &bare_ops)), -EIO);
	IS(inits_released, 0);
	init_result = 0;
	struct vfio_device *one = make_for(device(PLAIN), &bare_ops);
	struct vfio_device *two = make_for(device(PLAIN), &bare_ops);
	IS(one->index == two->index, 0);
	HOLDS(one->dev == device(PLAIN) && one->ops == &bare_ops);
	vfio_put_device(one);
	IS(inits_released, 1);
	vfio_put_device(two);
	IS(inits_released, 2);
	bare_ops = (struct vfio_device_ops){ .name = "bare" };
}

static void sets(void)
{
	struct vfio_device *one = make_for(device(PLAIN), &bare_ops);
	struct vfio_device *two = make_for(device(NARROW), &bare_ops);
	struct vfio_device *three = make_for(device(TWIN), &bare_ops);

	WARNS(1, IS(vfio_assign_device_set(one, NULL), -EINVAL));
	HOLDS(!one->dev_set);
	for (int n = 1; n <= 2; n++) {
		const int objects = host_objects;

		host_armed[HARNESS_ARM_ALLOC] = n;
		host_goes_on = 1;
		IS(vfio_assign_device_set(three, three), -ENOMEM);
		host_disarm();
		IS(host_objects, objects);
		HOLDS(!three->dev_set);
	}
	IS(vfio_assign_device_set(one, one), 0);
	IS(vfio_assign_device_set(two, one), 0);
	IS(vfio_assign_device_set(three, three), 0);
	HOLDS(one->dev_set == two->dev_set && one->dev_set != three->dev_set);
	HOLDS(one->dev_set->set_id == one);
	mutex_lock(&one->dev_set->lock);
	HOLDS(vfio_find_device_in_devset(one->dev_set, device(NARROW)) == two);
	HOLDS(vfio_find_device_in_devset(one->dev_set, device(PLAIN)) == one);
	HOLDS(!vfio_find_device_in_devset(one->dev_set, device(TWIN)));
	IS(vfio_device_set_open_count(one->dev_set), 0);
	one->open_count = 2;
	two->open_count = 3;
	IS(vfio_device_set_open_count(one->dev_set), 5);
	one->open_count = two->open_count = 0;
	mutex_unlock(&one->dev_set->lock);
	vfio_put_device(one);
	mutex_lock(&two->dev_set->lock);
	HOLDS(!vfio_find_device_in_devset(two->dev_set, device(PLAIN)));
	HOLDS(vfio_find_device_in_devset(two->dev_set, device(NARROW)) == two);
	mutex_unlock(&two->dev_set->lock);
	vfio_put_device(two);
	vfio_put_device(three);
}

static long register_and_unregister(struct device *dev)
{
	struct vfio_device *vdev = make_for(dev, &bare_ops);
	long ret;

	if (IS_ERR(vdev))
		return PTR_ERR(vdev);
	ret = vfio_register_group_dev(vdev);
	if (!ret)
		vfio_unregister_group_dev(vdev);
	vfio_put_device(vdev);
	return ret;
}

static void registering(void)
{
	static struct device nobody = { .kobj.name = "nobody" };
	struct vfio_device *vdev;
	struct vfio_device *twin;
	char name[32];

	snprintf(name, sizeof(name), "vfio/%d", iommu_group_id(device(PLAIN)->iommu_group));
	FAILS_UNTIL_0(HARNESS_ARM_ALLOC, -ENOMEM, register_and_unregister(device(PLAIN)));
	IS(file_open(name), -ENOENT);
	fake_machine.drivers[0].coherent = 0;
	IS(register_and_unregister(device(PLAIN)), -EINVAL);
	IS(file_open(name), -ENOENT);
	fake_machine.drivers[0].coherent = 1;
	/* A second device of a group finds it; the same device does not register twice. */
	vdev = make_for(device(NARROW), &bare_ops);
	twin = make_for(device(TWIN), &bare_ops);
	IS(vfio_register_group_dev(vdev), 0);
	IS(vfio_register_group_dev(twin), 0);
	HOLDS(vdev->group == twin->group);
	WARNS(1, IS(register_and_unregister(device(NARROW)), -EINVAL));
	vfio_unregister_group_dev(vdev);
	IS(register_and_unregister(device(NARROW)), 0);
	vfio_put_device(vdev);
	vfio_unregister_group_dev(twin);
	vfio_put_device(twin);
	/* A device without an IOMMU, in a kernel that lets it. */
	memset(&nobody, 0, sizeof(nobody));
	nobody.kobj.name = "nobody";
	FAILS_UNTIL_0(HARNESS_ARM_SYSFS, -ENOMEM, register_and_unregister(&nobody));
	FAILS_UNTIL_0(HARNESS_ARM_ALLOC, -ENOMEM, register_and_unregister(&nobody));
	HOLDS(!nobody.iommu_group);
	vdev = make_for(&nobody, &bare_ops);
	IS(vfio_register_group_dev(vdev), 0);
	HOLDS(sysfs_has(core_folder(nobody.iommu_group), "name"));
	vfio_unregister_group_dev(vdev);
	vfio_put_device(vdev);
	vfio_noiommu_allowed(false);
	IS(register_and_unregister(&nobody), -EINVAL);
	vfio_noiommu_allowed(true);
}

static void closed_devices(void)
{
	struct vfio_device *vdev = driver_device(EMULATED);
	struct page *pages[2];
	char data[8] = {};

	WARNS(2, IS(vfio_pin_pages(vdev, HARNESS_PAGE_0, 1, IOMMU_READ, pages), -EINVAL));
	WARNS(2, vfio_unpin_pages(vdev, HARNESS_PAGE_0, 1));
	WARNS(1, IS(vfio_dma_rw(vdev, HARNESS_PAGE_0, data, sizeof(data), false), -EINVAL));
}

/* --- migration: every arc that the states have --- */

static long next_state(struct vfio_device *vdev, u32 flags, int from, int to)
{
	enum vfio_device_mig_state next = 99;
	int ret;

	vdev->migration_flags = flags;
	ret = vfio_mig_get_next_state(vdev, from, to, &next);
	return ret ?: (int)next;
}

static void states(void)
{
	struct vfio_device *vdev = make_for(device(PLAIN), &bare_ops);
	const u32 stop_copy = VFIO_MIGRATION_STOP_COPY;
	const u32 p2p = stop_copy | VFIO_MIGRATION_P2P;
	const u32 pre_copy = stop_copy | VFIO_MIGRATION_PRE_COPY;
	const u32 all = p2p | VFIO_MIGRATION_PRE_COPY;
	static const int known = VFIO_DEVICE_STATE_PRE_COPY_P2P;
	enum {
		ERROR = VFIO_DEVICE_STATE_ERROR,
		STOP = VFIO_DEVICE_STATE_STOP,
		RUNNING = VFIO_DEVICE_STATE_RUNNING,
		COPY = VFIO_DEVICE_STATE_STOP_COPY,
		RESUMING = VFIO_DEVICE_STATE_RESUMING,
		P2P = VFIO_DEVICE_STATE_RUNNING_P2P,
		PRE = VFIO_DEVICE_STATE_PRE_COPY,
		PRE_P2P = VFIO_DEVICE_STATE_PRE_COPY_P2P,
	};

	IS(next_state(vdev, stop_copy, STOP, RUNNING), RUNNING);
	IS(next_state(vdev, stop_copy, RUNNING, STOP), STOP);
	IS(next_state(vdev, stop_copy, RUNNING, COPY), STOP);
	IS(next_state(vdev, stop_copy, STOP, COPY), COPY);
	IS(next_state(vdev, stop_copy, RESUMING, RUNNING), STOP);
	IS(next_state(vdev, stop_copy, RUNNING, RESUMING), STOP);
	IS(next_state(vdev, p2p, STOP, RUNNING), P2P);
	IS(next_state(vdev, p2p, RUNNING, STOP), P2P);
	IS(next_state(vdev, p2p, P2P, STOP), STOP);
	IS(next_state(vdev, p2p, RUNNING, P2P), P2P);
	IS(next_state(vdev, pre_copy, RUNNING, PRE), PRE);
	IS(next_state(vdev, pre_copy, PRE, COPY), COPY);
	IS(next_state(vdev, pre_copy, STOP, PRE), RUNNING);
	IS(next_state(vdev, pre_copy, PRE, STOP), RUNNING);
	IS(next_state(vdev, all, PRE, COPY), PRE_P2P);
	IS(next_state(vdev, all, PRE_P2P, COPY), COPY);
	IS(next_state(vdev, all, P2P, PRE_P2P), PRE_P2P);
	IS(next_state(vdev, all, STOP, PRE), P2P);
	/* States that the device does not have, and arcs that there are not. */
	IS(next_state(vdev, stop_copy, RUNNING, P2P), -EINVAL);
	IS(next_state(vdev, stop_copy, RUNNING, PRE), -EINVAL);
	IS(next_state(vdev, p2p, RUNNING, PRE), -EINVAL);
	IS(next_state(vdev, pre_copy, RUNNING, PRE_P2P), -EINVAL);
	IS(next_state(vdev, all, COPY, PRE), -EINVAL);
	IS(next_state(vdev, all, COPY, PRE_P2P), -EINVAL);
	IS(next_state(vdev, all, RUNNING, known + 1), -EINVAL);
	IS(next_state(vdev, all, STOP, ERROR), -EINVAL);
	WARNS(1, IS(next_state(vdev, all, ERROR, STOP), -EINVAL));
	WARNS(1, IS(next_state(vdev, all, known + 1, STOP), -EINVAL));
	WARNS(1, IS(next_state(vdev, stop_copy, P2P, STOP), -EINVAL));
	vfio_put_device(vdev);
}

/* --- ranges of DMA logs --- */

static void ranges(void)
{
	static const unsigned long bounds[][2] = { { 0, 9 }, { 20, 29 }, { 31, 39 }, { 100, 109 } };
	struct interval_tree_node nodes[4];
	struct rb_root_cached root;
	struct interval_tree_node *node;

	for (int most = 1; most <= 4; most++) {
		int count = 0;

		root = RB_ROOT_CACHED;
		for (int i = 0; i < 4; i++) {
			nodes[i] = (struct interval_tree_node){ .start = bounds[i][0],
								.last = bounds[i][1] };
			interval_tree_insert(&nodes[i], &root);
		}
		vfio_combine_iova_ranges(&root, 4, most);
		for (node = interval_tree_iter_first(&root, 0, ULONG_MAX); node;
		     node = interval_tree_iter_next(node, 0, ULONG_MAX))
			count++;
		IS(count, most);
		/* The smallest gaps go first. */
		IS(nodes[0].last, most == 1 ? 109 : most == 2 ? 39 : 9);
		if (most == 3)
			IS(nodes[1].last, 39);
		if (most > 1)
			IS(nodes[3].start, 100);
	}
	root = RB_ROOT_CACHED;
	WARNS(1, vfio_combine_iova_ranges(&root, 2, 1));
	nodes[0] = (struct interval_tree_node){ .start = 0, .last = 9 };
	interval_tree_insert(&nodes[0], &root);
	WARNS(1, vfio_combine_iova_ranges(&root, 3, 2));
	IS(nodes[0].last, 9);
}

/* --- capabilities and interrupts: helpers of drivers --- */

static void capabilities(void)
{
	struct vfio_info_cap caps = {};
	struct {
		struct vfio_info_cap_header header;
		u32 data;
	} in = { { .id = 7, .version = 3 }, 4711 }, *out;

	host_armed[HARNESS_ARM_ALLOC] = 1;
	IS(vfio_info_add_capability(&caps, &in.header, sizeof(in)), -ENOMEM);
	host_disarm();
	IS(vfio_info_add_capability(&caps, &in.header, sizeof(in)), 0);
	IS(caps.size, 16);
	in.header.id = 8;
	in.data = 4712;
	IS(vfio_info_add_capability(&caps, &in.header, sizeof(in)), 0);
	HOLDS(!IS_ERR(vfio_info_cap_add(&caps, 20, 9, 1)));
	IS(caps.size, 16 + 16 + 24);
	out = (void *)caps.buf;
	IS(out->header.id, 7);
	IS(out->header.version, 3);
	IS(out->data, 4711);
	IS(out->header.next, 16);
	out = (void *)caps.buf + 16;
	IS(out->header.id, 8);
	IS(out->data, 4712);
	IS(out->header.next, 32);
	out = (void *)caps.buf + 32;
	IS(out->header.id, 9);
	IS(out->header.next, 0);
	IS(out->data, 0);
	vfio_info_cap_shift(&caps, 24);
	out = (void *)caps.buf;
	IS(out->header.next, 16 + 24);
	out = (void *)caps.buf + 16;
	IS(out->header.next, 32 + 24);
	out = (void *)caps.buf + 32;
	IS(out->header.next, 0);
	WARNS(1, vfio_info_cap_shift(&(struct vfio_info_cap){ (void *)caps.buf + 32, 24 }, 4));
	host_armed[HARNESS_ARM_ALLOC] = 1;
	IS(PTR_ERR_OR_ZERO(vfio_info_cap_add(&caps, 20, 9, 1)), -ENOMEM);
	host_disarm();
	HOLDS(!caps.buf && !caps.size);
}

static long prepare(struct vfio_irq_set set, size_t *size)
{
	return vfio_set_irqs_validate_and_prepare(&set, 8, 3, size);
}

static void interrupts(void)
{
	const u32 trigger = VFIO_IRQ_SET_ACTION_TRIGGER;
	const u32 none = VFIO_IRQ_SET_DATA_NONE | trigger;
	const u32 bools = VFIO_IRQ_SET_DATA_BOOL | trigger;
	const u32 events = VFIO_IRQ_SET_DATA_EVENTFD | trigger;
	const u32 least = offsetofend(struct vfio_irq_set, count);
	size_t size = 99;

	/* argsz, flags, index, start, count */
	IS(prepare((struct vfio_irq_set){ least, none, 2, 0, 8 }, &size), 0);
	IS(size, 0);
	IS(prepare((struct vfio_irq_set){ least, none, 2, 7, 1 }, NULL), 0);
	IS(prepare((struct vfio_irq_set){ least - 1, none, 2, 0, 1 }, &size), -EINVAL);
	IS(prepare((struct vfio_irq_set){ least, none, 3, 0, 1 }, &size), -EINVAL);
	IS(prepare((struct vfio_irq_set){ least, none | 1 << 12, 2, 0, 1 }, &size), -EINVAL);
	IS(prepare((struct vfio_irq_set){ least, none, 2, 8, 0 }, &size), -EINVAL);
	IS(prepare((struct vfio_irq_set){ least, none, 2, 1, 8 }, &size), -EINVAL);
	IS(prepare((struct vfio_irq_set){ least, none, 2, 2, U32_MAX - 2 }, &size), -EINVAL);
	IS(prepare((struct vfio_irq_set){ least, none, 2, 2, U32_MAX - 1 }, &size), -EINVAL);
	IS(prepare((struct vfio_irq_set){ least, trigger, 2, 0, 1 }, &size), -EINVAL);
	IS(prepare((struct vfio_irq_set){ least + 3, bools, 2, 0, 3 }, &size), 0);
	IS(size, 3);
	IS(prepare((struct vfio_irq_set){ least + 2, bools, 2, 0, 3 }, &size), -EINVAL);
	IS(prepare((struct vfio_irq_set){ least + 12, events, 2, 0, 3 }, &size), 0);
	IS(size, 12);
	IS(prepare((struct vfio_irq_set){ least + 11, events, 2, 0, 3 }, &size), -EINVAL);
	IS(size, 0);
	IS(prepare((struct vfio_irq_set){ least + 12, events, 2, 0, 3 }, NULL), -EINVAL);
	IS(prepare((struct vfio_irq_set){ least + 12, bools | events, 2, 0, 3 }, &size), -EINVAL);
}

/* --- files, as KVM sees them --- */

static void files(void)
{
	struct vfio_device *vdev = make_for(device(PLAIN), &bare_ops);
	char name[32];
	int group;
	int container;

	IS(vfio_register_group_dev(vdev), 0);
	snprintf(name, sizeof(name), "vfio/%d", iommu_group_id(device(PLAIN)->iommu_group));
	group = file_open(name);
	container = file_open("vfio/vfio");
	HOLDS(group >= 0 && container >= 0);
	HOLDS(vfio_file_is_group(file_at(group)));
	HOLDS(!vfio_file_is_group(file_at(container)));
	HOLDS(vfio_file_is_valid(file_at(group)));
	HOLDS(!vfio_file_is_valid(file_at(container)));
	HOLDS(vfio_file_has_dev(file_at(group), vdev));
	HOLDS(!vfio_file_has_dev(file_at(group), driver_device(EMULATED)));
	HOLDS(!vfio_file_has_dev(file_at(container), vdev));
	HOLDS(!vfio_file_iommu_group(file_at(group)));
	/* What is no file of VFIO keeps no device from being coherent. */
	HOLDS(!vfio_file_enforced_coherent(file_at(group)));
	HOLDS(vfio_file_enforced_coherent(file_at(container)));
	fake_machine.drivers[0].snoops = 1;
	HOLDS(vfio_file_enforced_coherent(file_at(group)));
	vfio_file_set_kvm(file_at(group), NULL);
	vfio_file_set_kvm(file_at(container), NULL);
	file_close(group);
	file_close(container);
	vfio_unregister_group_dev(vdev);
	vfio_put_device(vdev);
}

const struct promise vfio_promises[] = {
	{ "devices that a driver makes", made_devices },
	{ "sets of devices", sets },
	{ "registering", registering },
	{ "closed devices", closed_devices },
	{ "states of migration", states },
	{ "ranges of DMA logs", ranges },
	{ "capabilities", capabilities },
	{ "interrupts", interrupts },
	{ "files", files },
	{},
};
#else
static void nothing(void)
{
}
const struct promise vfio_promises[] = {
	{ "VFIO to its drivers", nothing, "the functions of 6.2 and later" },
	{},
};
#endif
