// SPDX-License-Identifier: GPL-2.0-only
/* Ops that cases lack, by the entry points that their callers in the kernel use. */
#include "ioctl.h"

#include <linux/capability.h>
#include <linux/iommu.h>
#include <linux/pci.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/vfio.h>

#include "drivers/vfio/vfio.h"
#include "harness.h"
#include "internal.h"
#include "memory.h"
#include "tree.h"

enum { PINS = 16, PIN_PAGES = 32, BUFFER = 16384 };

/* An mdev: a device without an IOMMU whose driver pins pages by itself. */
struct emulated {
	struct device dev;
	struct vfio_device vdev;
	struct vfio_group vfio;
	struct {
		u64 iova;
		u32 pages;
	} pins[PINS];
	u8 container;
	bool open;
	bool registered;
};

/* A driver of a device, or a user in the kernel, beside VFIO. */
struct holder {
	struct iommu_domain *domain;
	struct iommu_group *group; /* claimed */
	bool bound;
	bool by_group;
	bool by_device;
};

static struct harness_shape shape;
static struct emulated emulated[HARNESS_EMULATED];
static struct holder holders[HARNESS_DEVICES];
static const struct harness_ioctl_op *op;
static unsigned int fail_attach;
static bool memory_moved;

/* What user space passes, and what it gets. */
static struct {
	u8 argument[512];
	u8 bitmap[BUFFER];
} user_memory;

/* --- the shape of drivers and machine --- */

void ioctl_shape_domain(struct iommu_domain *domain, int driver)
{
	static const unsigned long sizes[] = {
		SZ_4K,          SZ_4K | SZ_2M,   SZ_4K | SZ_64K,
		SZ_1K | SZ_4K,  SZ_4K | SZ_1G, SZ_4K | SZ_16K | SZ_2M,
	};

	domain->pgsize_bitmap = sizes[shape.page_sizes % ARRAY_SIZE(sizes)];
	if (shape.aperture == 1 || (shape.aperture == 2 && driver == 1))
		domain->geometry.aperture_end = U32_MAX;
	if (shape.aperture == 3)
		domain->geometry.aperture_start = SZ_1M;
}

int ioctl_splits_pages(void)
{
	return !shape.whole_large_pages;
}

static void add_region(struct list_head *list, phys_addr_t start, size_t length,
		       enum iommu_resv_type type)
{
	struct iommu_resv_region *region =
		iommu_alloc_resv_region(start, length, IOMMU_READ | IOMMU_WRITE, type, GFP_KERNEL);

	if (region)
		list_add_tail(&region->list, list);
}

void ioctl_resv_regions(struct device *dev, struct list_head *list)
{
	const bool odd = harness_index(dev) & 1;

	switch (shape.regions) {
	case 1:
		add_region(list, 0xfee00000, SZ_1M, IOMMU_RESV_MSI);
		break;
	case 2:
		add_region(list, odd ? 0x8000000 : 0x108000, odd ? SZ_1M : SZ_4K, IOMMU_RESV_SW_MSI);
		add_region(list, 0x200000, SZ_16K, IOMMU_RESV_RESERVED);
		break;
	case 3:
		add_region(list, 0x104000, SZ_8K,
			   odd ? IOMMU_RESV_DIRECT : IOMMU_RESV_DIRECT_RELAXABLE);
		add_region(list, 0x106000, SZ_4K, IOMMU_RESV_RESERVED);
		break;
	}
}

bool capable(int cap)
{
	const struct harness_machine *machine = harness_machine();

	if (cap != CAP_IPC_LOCK)
		return true;
	return machine->paged ? machine->settings.memlock == HARNESS_NONE : shape.may_lock;
}

long shim_isolated_msi(struct device *dev) __asm__("msi_device_has_isolated_msi");
long shim_isolated_msi(struct device *dev)
{
	const struct harness_machine *machine = harness_machine();

	return machine->paged ? machine->instances[harness_instance(dev)].isolates_msi :
				!shape.no_isolated_msi;
}
/* Of a paged machine the devices are asked. */
long irq_domain_check_msi_remap(void)
{
	return !harness_machine()->paged && !shape.no_isolated_msi;
}

bool device_is_bound(struct device *dev)
{
	return holders[harness_index(dev)].bound || harness_in_container(dev);
}

bool ioctl_attach_deferred(struct device *dev)
{
	return shape.deferred;
}

/* A default domain whose first attach has waited may not fail it either. */
int ioctl_fail_attach(int is_default)
{
	if (is_default && shape.deferred)
		return 0;
	return fail_attach && !--fail_attach ? -ENOMEM : 0;
}

/* --- capability chains of GET_INFO --- */

/* ABSTRACTION: vfio_main.c's capability chain: each is written behind the one before. */
struct vfio_info_cap_header *vfio_info_cap_add(struct vfio_info_cap *caps, size_t size, u16 id,
					       u16 version)
{
	const size_t room = ALIGN(size, sizeof(u64));
	struct vfio_info_cap_header *header;
	void *grown = krealloc(caps->buf, caps->size + room, GFP_KERNEL);
	u32 at;

	if (!grown) {
		kfree(caps->buf);
		*caps = (struct vfio_info_cap){};
		return ERR_PTR(-ENOMEM);
	}
	caps->buf = grown;
	header = grown + caps->size;
	memset(header, 0, room);
	header->id = id;
	header->version = version;
	for (at = 0; ((struct vfio_info_cap_header *)(grown + at))->next;)
		at = ((struct vfio_info_cap_header *)(grown + at))->next;
	if (caps->size)
		((struct vfio_info_cap_header *)(grown + at))->next = caps->size;
	caps->size += room;
	return header;
}
int vfio_info_add_capability(struct vfio_info_cap *caps, struct vfio_info_cap_header *cap,
			     size_t size)
{
	struct vfio_info_cap_header *header = vfio_info_cap_add(caps, size, cap->id, cap->version);

	if (IS_ERR(header))
		return PTR_ERR(header);
	memcpy(header + 1, cap + 1, size - sizeof(*cap));
	return 0;
}
void vfio_info_cap_shift(struct vfio_info_cap *caps, size_t offset)
{
	u32 at = 0;
	u32 next;

	do {
		struct vfio_info_cap_header *header = (void *)caps->buf + at;

		next = header->next;
		if (next)
			header->next = next + offset;
		at = next;
	} while (next);
}

/* --- user copies --- */

/* How many bytes of user memory from there on are there; -1: no user memory, copy as it is. */
static long user_room(const void *p)
{
	const unsigned long at = (unsigned long)p;
	const unsigned long start = (unsigned long)&user_memory;
	const unsigned long hole = MEMORY_START + MEMORY_HOLE * PAGE_SIZE;

	if (at >= start && at < start + sizeof(user_memory))
		return start + sizeof(user_memory) - at;
	if (at >= MEMORY_START && at < MEMORY_START + MEMORY_END * PAGE_SIZE)
		return at < hole ? hole - at : 0;
	return -1;
}
static bool has_memory(const void *p)
{
	return (unsigned long)p >= MEMORY_START + MEMORY_END * PAGE_SIZE;
}
unsigned long raw_copy_from_user(void *to, const void *from, unsigned long count)
{
	const long room = user_room(from);

	if (room < 0 || count > room)
		return count;
	if (has_memory(from))
		memcpy(to, from, count);
	else
		memset(to, 0, count);
	return 0;
}
unsigned long raw_copy_to_user(void *to, const void *from, unsigned long count)
{
	const long room = user_room(to);

	if (room < 0 || count > room)
		return count;
	if (has_memory(to))
		memcpy(to, from, count);
	return 0;
}

/* --- ioctls --- */

static long container_call(unsigned int command, void *argument)
{
	return container_ioctl(harness_container(op->container), command, (unsigned long)argument);
}

static long do_map(void)
{
	struct vfio_iommu_type1_dma_map *map = (void *)user_memory.argument;
	long ret;

	*map = (struct vfio_iommu_type1_dma_map){
		.argsz = sizeof(*map),
		.flags = op->flags,
		.vaddr = op->vaddr,
		.iova = op->iova,
		.size = op->size,
	};
	ret = container_call(VFIO_IOMMU_MAP_DMA, map);
	if (!ret && op->flags & VFIO_DMA_MAP_FLAG_VADDR)
		memory_moved = true;
	return ret;
}

static long do_unmap(void)
{
	struct vfio_iommu_type1_dma_unmap *unmap = (void *)user_memory.argument;
	struct vfio_bitmap *bitmap = (void *)unmap->data;

	*unmap = (struct vfio_iommu_type1_dma_unmap){
		.argsz = sizeof(*unmap),
		.flags = op->flags,
		.iova = op->iova,
		.size = op->size,
	};
	if (op->flags & VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP) {
		unmap->argsz += sizeof(*bitmap);
		*bitmap = (struct vfio_bitmap){
			.pgsize = op->vaddr,
			.size = op->count,
			.data = (void *)user_memory.bitmap,
		};
	}
	return container_call(VFIO_IOMMU_UNMAP_DMA, unmap);
}

static long do_dirty(void)
{
	struct vfio_iommu_type1_dirty_bitmap *dirty = (void *)user_memory.argument;
	struct vfio_iommu_type1_dirty_bitmap_get *get = (void *)dirty->data;

	*dirty = (struct vfio_iommu_type1_dirty_bitmap){
		.argsz = sizeof(*dirty) + sizeof(*get),
		.flags = op->flags,
	};
	*get = (struct vfio_iommu_type1_dirty_bitmap_get){
		.iova = op->iova,
		.size = op->size,
		.bitmap = { .pgsize = op->vaddr,
			    .size = op->count,
			    .data = (void *)user_memory.bitmap },
	};
	return container_call(VFIO_IOMMU_DIRTY_PAGES, dirty);
}

static long do_info(void)
{
	struct vfio_iommu_type1_info *info = (void *)user_memory.argument;

	*info = (struct vfio_iommu_type1_info){ .argsz = op->count };
	return container_call(VFIO_IOMMU_GET_INFO, info);
}

static long do_raw(void)
{
	memset(user_memory.argument, 0, sizeof(user_memory.argument));
	*(u32 *)user_memory.argument = op->flags;
	return container_call(op->count, user_memory.argument);
}

/* --- emulated devices --- */

static const struct vfio_iommu_driver_ops *backend(const struct emulated *e, void **data)
{
	return container_backend(harness_container(e->container), data);
}

static void unpin(struct emulated *e, int i)
{
	void *data;
	const struct vfio_iommu_driver_ops *type1 = backend(e, &data);

	if (type1)
		type1->unpin_pages(data, e->pins[i].iova, e->pins[i].pages);
	e->pins[i].pages = 0;
}

/* The contract of dma_unmap(): let go of all that is pinned in the range. */
static void dma_unmap(struct vfio_device *vdev, u64 iova, u64 length)
{
	struct emulated *e = container_of(vdev, struct emulated, vdev);
	int i;

	for (i = 0; i < PINS; i++)
		if (e->pins[i].pages && e->pins[i].iova <= iova + (length - 1) &&
		    iova <= e->pins[i].iova + (e->pins[i].pages * PAGE_SIZE - 1))
			unpin(e, i);
}
static const struct vfio_device_ops emulated_ops = { .dma_unmap = dma_unmap };

/* A device is opened when its container has an IOMMU backend: that may be later. */
static const struct vfio_iommu_driver_ops *opened(struct emulated *e, void **data)
{
	const struct vfio_iommu_driver_ops *type1 = e->open ? backend(e, data) : NULL;

	if (type1 && !e->registered) {
		type1->register_device(*data, &e->vdev);
		e->registered = true;
	}
	return type1;
}

static long emulated_open(struct emulated *e)
{
	struct iommu_group *group;
	long ret;

	if (e->open)
		return HARNESS_NOT_POSSIBLE;
	memset(e, 0, sizeof(*e));
	e->dev.kobj.name = "mdev";
	e->vdev.ops = &emulated_ops;
	e->container = op->container;
	/* ABSTRACTION: vfio_noiommu_group_alloc() of group.c, for emulated devices. */
	group = iommu_group_alloc();
	if (IS_ERR(group))
		return PTR_ERR(group);
	ret = iommu_group_add_device(group, &e->dev);
	if (ret) {
		iommu_group_put(group);
		return ret;
	}
	e->vfio.type = VFIO_EMULATED_IOMMU;
	e->vfio.iommu_group = group;
	mutex_init(&e->vfio.group_lock);
	ret = vfio_container_attach_group(harness_container(e->container), &e->vfio);
	if (ret) {
		iommu_group_remove_device(&e->dev);
		iommu_group_put(group);
		return ret;
	}
	e->open = true;
	return 0;
}

static long emulated_close(struct emulated *e)
{
	void *data;
	const struct vfio_iommu_driver_ops *type1;
	int i;

	if (!e->open)
		return HARNESS_NOT_POSSIBLE;
	type1 = backend(e, &data);
	/* The contract of vfio_pin_pages(): pins are gone before the device is closed. */
	for (i = 0; i < PINS; i++)
		if (e->pins[i].pages)
			unpin(e, i);
	if (e->registered)
		type1->unregister_device(data, &e->vdev);
	vfio_group_detach_container(&e->vfio);
	iommu_group_remove_device(&e->dev);
	iommu_group_put(e->vfio.iommu_group);
	e->open = false;
	return 0;
}

static long emulated_pin(struct emulated *e)
{
	struct page *pages[PIN_PAGES];
	void *data;
	const struct vfio_iommu_driver_ops *type1 = opened(e, &data);
	const u32 count = op->count % PIN_PAGES + 1;
	long ret;
	int i;

	for (i = 0; i < PINS && e->pins[i].pages; i++)
		;
	if (!type1 || i == PINS)
		return HARNESS_NOT_POSSIBLE;
	ret = type1->pin_pages(data, e->vfio.iommu_group, op->iova, count, op->flags & 3, pages);
	if (ret <= 0)
		return ret;
	e->pins[i].iova = op->iova;
	e->pins[i].pages = ret;
	return 0;
}

/* Of what it pinned, the range that starts there. */
static long emulated_unpin(struct emulated *e)
{
	int i;

	for (i = 0; i < PINS; i++)
		if (e->open && e->pins[i].pages && e->pins[i].iova == op->iova) {
			unpin(e, i);
			return 0;
		}
	return HARNESS_NOT_POSSIBLE;
}

static long emulated_rw(struct emulated *e)
{
	static u8 buffer[2 * PAGE_SIZE];
	void *data;
	const struct vfio_iommu_driver_ops *type1 = opened(e, &data);

	if (!type1)
		return HARNESS_NOT_POSSIBLE;
	return type1->dma_rw(data, op->iova, buffer, op->count % sizeof(buffer) + 1, op->flags & 1);
}

/* --- users in the kernel --- */

static long detach(struct device *dev, struct holder *holder)
{
	if (!holder->domain)
		return HARNESS_NOT_POSSIBLE;
	if (holder->by_group)
		iommu_detach_group(holder->domain, dev->iommu_group);
	else
		iommu_detach_device(holder->domain, dev);
	harness_unmap_all(holder->domain);
	iommu_domain_free(holder->domain);
	holder->domain = NULL;
	return 0;
}

static long unbind(struct device *dev, struct holder *holder)
{
	if (!holder->bound)
		return HARNESS_NOT_POSSIBLE;
	/* A driver that goes lets go of what it attached. */
	if (holder->domain)
		detach(dev, holder);
	iommu_device_unuse_default_domain(dev);
	holder->bound = false;
	return 0;
}

static long release(struct device *dev, struct holder *holder)
{
	if (!holder->group)
		return HARNESS_NOT_POSSIBLE;
	if (holder->domain)
		detach(dev, holder);
#ifdef HARNESS_HAVE_DEVICE_CLAIM
	if (holder->by_device)
		iommu_device_release_dma_owner(dev);
	else
#endif
		iommu_group_release_dma_owner(holder->group);
	iommu_group_put(holder->group);
	holder->group = NULL;
	return 0;
}

static long claim(struct device *dev, struct holder *holder)
{
	struct iommu_group *group;
	long ret;

	if (holder->group || holder->bound)
		return HARNESS_NOT_POSSIBLE;
	group = iommu_group_get(dev);
	if (!group)
		return HARNESS_NOT_POSSIBLE;
#ifdef HARNESS_HAVE_DEVICE_CLAIM
	holder->by_device = op->flags & 1;
	if (holder->by_device)
		ret = iommu_device_claim_dma_owner(dev, &holders[0]);
	else
#endif
		ret = iommu_group_claim_dma_owner(group, holder);
	if (ret)
		iommu_group_put(group);
	else
		holder->group = group;
	return ret;
}

/* iommu_attach_device() is for who is bound or owns the group. */
static long attach(struct device *dev, struct holder *holder)
{
	struct iommu_domain *domain;
	long ret;

	if (!(holder->bound || holder->group) || !dev->iommu_group)
		return HARNESS_NOT_POSSIBLE;
#ifdef HARNESS_HAVE_ALLOC_BY_DEV
	domain = iommu_paging_domain_alloc(dev);
	if (IS_ERR(domain))
		return PTR_ERR(domain);
#else
	domain = iommu_domain_alloc(dev->bus);
	if (!domain)
		return -ENOMEM;
#endif
	ret = op->flags & 1 ? iommu_attach_group(domain, dev->iommu_group) :
			       iommu_attach_device(domain, dev);
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
	unsigned long at;

	if (!holder->domain || op->size > SZ_16M)
		return HARNESS_NOT_POSSIBLE;
	/* To map what is mapped is the caller's mistake. */
	for (at = 0; at < op->size; at += SZ_1K)
		if (iommu_iova_to_phys(holder->domain, op->iova + at))
			return HARNESS_NOT_POSSIBLE;
	/* Away from the process's frames, which VFIO alone maps. */
	return iommu_map(holder->domain, op->iova, 0x40000000 + (op->vaddr & (SZ_1G - 1)), op->size,
#ifdef HARNESS_HAVE_MAP_GFP
			 prot, GFP_KERNEL);
#else
			 prot);
#endif
}

static long kernel_unmap(struct holder *holder)
{
	if (!holder->domain)
		return HARNESS_NOT_POSSIBLE;
	iommu_unmap(holder->domain, op->iova, op->size);
	return 0;
}

static long show(struct iommu_group *group)
{
	char *page = host_alloc(PAGE_SIZE);

	core_show(group, page);
	kfree(page);
	return 0;
}

/* What goes before the device does: its driver, and who owns its group by it. */
void ioctl_removing(struct device *dev)
{
	struct holder *holder = &holders[harness_index(dev)];

	unbind(dev, holder);
	release(dev, holder);
}

/* A driver is not unloaded under a device that is in use: its module, and device links, see to it. */
static long unregister(void)
{
	int i;

	for (i = 0; i < HARNESS_DEVICES; i++) {
		struct device *dev = harness_device(i);

		if (dev && harness_instance(dev) == op->a &&
		    (holders[i].bound || holders[i].group || harness_in_container(dev)))
			return HARNESS_NOT_POSSIBLE;
	}
	return harness_unregister(op->a);
}

static long of_device(void)
{
	static const char *const types[] = { "identity", "DMA", "DMA-FQ", "auto", "other" };
	struct device *dev = harness_device(op->a);
	struct holder *holder = &holders[op->a];

	if (!dev)
		return HARNESS_NOT_POSSIBLE;
	switch (op->kind) {
	case HARNESS_IO_BIND: {
		long ret;

		/* One driver a device, and VFIO's is one. */
		if (holder->bound || holder->group || harness_in_container(dev))
			return HARNESS_NOT_POSSIBLE;
		ret = iommu_device_use_default_domain(dev);
		holder->bound = !ret && dev->iommu_group;
		return ret;
	}
	case HARNESS_IO_UNBIND:
		return unbind(dev, holder);
	case HARNESS_IO_CLAIM:
		return claim(dev, holder);
	case HARNESS_IO_RELEASE:
		return release(dev, holder);
	case HARNESS_IO_ATTACH:
		return attach(dev, holder);
	case HARNESS_IO_DETACH:
		return detach(dev, holder);
	case HARNESS_IO_KERNEL_MAP:
		return kernel_map(holder);
	case HARNESS_IO_KERNEL_UNMAP:
		return kernel_unmap(holder);
	}
	if (!dev->iommu_group)
		return HARNESS_NOT_POSSIBLE;
	if (op->kind == HARNESS_IO_SHOW)
		return show(dev->iommu_group);
	return core_store_type(dev->iommu_group, types[op->count % ARRAY_SIZE(types)]);
}

static int run_op(void *unused)
{
	struct emulated *e = &emulated[op->a % HARNESS_EMULATED];

	switch (op->kind) {
	case HARNESS_IO_MAP:
		return do_map();
	case HARNESS_IO_UNMAP:
		return do_unmap();
	case HARNESS_IO_INFO:
		return do_info();
	case HARNESS_IO_CHECK_EXTENSION:
		return container_call(VFIO_CHECK_EXTENSION, (void *)(unsigned long)op->count);
	case HARNESS_IO_DIRTY:
		return do_dirty();
	case HARNESS_IO_SET_IOMMU:
		return container_call(VFIO_SET_IOMMU, (void *)(unsigned long)op->count);
	case HARNESS_IO_RAW:
		return do_raw();
	case HARNESS_IO_EMULATED_OPEN:
		return emulated_open(e);
	case HARNESS_IO_EMULATED_CLOSE:
		return emulated_close(e);
	case HARNESS_IO_PIN:
		return emulated_pin(e);
	case HARNESS_IO_UNPIN:
		return emulated_unpin(e);
	case HARNESS_IO_DMA_RW:
		return emulated_rw(e);
	case HARNESS_IO_UNREGISTER:
		return unregister();
	default:
		return of_device();
	}
}

long ioctl_play(const struct harness_ioctl_op *next)
{
	op = next;
	return run_op(NULL);
}

/* --- the interface --- */

void ioctl_begin(void)
{
	memory_begin();
	memset(emulated, 0, sizeof(emulated));
	memset(holders, 0, sizeof(holders));
	memory_moved = false;
	ioctl_disarm();
}

void ioctl_disarm(void)
{
	host_fail_alloc = 0;
	fail_attach = 0;
	memory_fail_map(0);
	memory_fail_pin(0);
	current->signal->rlim[RLIMIT_MEMLOCK].rlim_cur = RLIM_INFINITY;
}

void ioctl_finish(void)
{
	int i;

	for (i = 0; i < HARNESS_EMULATED; i++)
		emulated_close(&emulated[i]);
	for (i = 0; i < HARNESS_DEVICES; i++)
		if (harness_device(i))
			ioctl_removing(harness_device(i));
}

static void set_shape(const struct harness_shape *wanted)
{
	shape = *wanted;
	type1_parameters(shape.unsafe_interrupts, shape.few_mappings ? 4 : U16_MAX);
}

static void arm(u8 what, u8 nth)
{
	ioctl_disarm();
	switch (what) {
	case HARNESS_ARM_ALLOC:
		host_fail_alloc = nth;
		break;
	case HARNESS_ARM_MAP:
		memory_fail_map(nth);
		break;
	case HARNESS_ARM_PIN:
		memory_fail_pin(nth);
		break;
	case HARNESS_ARM_ATTACH:
		fail_attach = nth;
		break;
	case HARNESS_ARM_LOCK:
		current->signal->rlim[RLIMIT_MEMLOCK].rlim_cur = nth * PAGE_SIZE;
		break;
	}
}

static int ioctl_op(const struct harness_ioctl_op *next)
{
	int ret;

	if (next->a >= HARNESS_DEVICES || next->container >= HARNESS_CONTAINERS)
		return HARNESS_NOT_POSSIBLE;
	op = next;
	ret = harness_guarded(run_op);
	ioctl_disarm();
	return ret;
}

static const char *judge(void)
{
	const struct task_struct *task = current;
	unsigned long locked = 0;
	int i;

	for (i = 0; i < HARNESS_CONTAINERS; i++) {
		void *data = NULL;

		if (!harness_has_container(i) ||
		    !container_backend(harness_container(i), &data))
			continue;
		type1_judge(data, memory_moved);
		locked += type1_locked(data);
	}
	if (locked != task->mm->locked_vm)
		memory_complain("the pages that mappings lock are not those of the mm");
	if (harness_is_finished()) {
		if (memory_pins())
			memory_complain("pages are pinned that nobody has");
		if (atomic_read(&task->mm->mm_users) != 1 || atomic_read(&task->mm->mm_count) != 1)
			memory_complain("references to the mm are left");
		if (refcount_read(&task->usage) != 1)
			memory_complain("references to the task are left");
	}
	return memory_complaint();
}

const struct harness_ioctl *harness_ioctl_open(void)
{
	static const struct harness_ioctl interface = {
		.memory = MEMORY_START,
		.memory_pages = MEMORY_END,
		.shape = set_shape,
		.arm = arm,
		.op = ioctl_op,
		.judge = judge,
	};

	return &interface;
}
