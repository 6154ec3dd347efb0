// SPDX-License-Identifier: GPL-2.0-only
/* What the real files find instead of the rest of the kernel, where that has kernel types. */
#include <linux/device.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "harness.h"
#include "internal.h"
#include "memory.h"
#include "tree.h"

/* --- the one task --- */

static struct mm_struct mm = { .mm_users = ATOMIC_INIT(1), .mm_count = ATOMIC_INIT(1) };
static struct signal_struct signals = {
	.rlim = { [0 ... RLIM_NLIMITS - 1] = { RLIM_INFINITY, RLIM_INFINITY } },
};
static struct task_struct task = {
	.mm = &mm,
	.signal = &signals,
	.group_leader = &task,
	.usage = REFCOUNT_INIT(1),
};
struct task_struct *harness_current = &task;
#ifndef CONFIG_THREAD_INFO_IN_TASK
struct thread_info harness_thread_info;
#endif

/* --- data that the kernel code refers to --- */

typeof(platform_bus_type) platform_bus_type = { .name = "platform" };
typeof(pci_bus_type) pci_bus_type = { .name = "pci" };
/* Their headers want more of the architecture than UML has; iommu.c wants the address alone. */
#ifdef HARNESS_HAVE_AMBA
struct bus_type amba_bustype = { .name = "amba" };
#endif
#ifdef HARNESS_HAVE_FSL_MC
struct bus_type fsl_mc_bus_type = { .name = "fsl-mc" };
#endif
#ifdef HARNESS_HAVE_HOST1X
struct bus_type host1x_context_device_bus_type = { .name = "host1x" };
#endif
#ifdef HARNESS_HAVE_CDX
struct bus_type cdx_bus_type = { .name = "cdx" };
#endif

typeof(kmalloc_caches) kmalloc_caches;
struct page *mem_map;
unsigned long max_mapnr;
unsigned long zero_pfn;
unsigned long task_size = 1ul << 47;
int signals_enabled;
struct kobject *kernel_kobj;
const struct kernel_param_ops param_ops_bool;
const struct kernel_param_ops param_ops_uint;

/* --- caches: only for their size and constructor --- */

void *host_cache_create(unsigned long size, void (*ctor)(void *));
#ifdef HARNESS_HAVE_CACHE_ARGS
struct kmem_cache *__kmem_cache_create_args(const char *name, unsigned int size,
					    struct kmem_cache_args *args, slab_flags_t flags)
{
	return host_cache_create(size, args->ctor);
}
#else
struct kmem_cache *kmem_cache_create(const char *name, unsigned int size, unsigned int align,
				     slab_flags_t flags, void (*ctor)(void *))
{
	return host_cache_create(size, ctor);
}
#endif

/* --- pages: numbers, behind which there is no memory --- */

enum { PAGES = 1024 }; /* for alloc_pages(); behind them those of the process */
static struct page pages[PAGES + MEMORY_FRAMES];
static bool page_taken[PAGES];

static struct page *pages_alloc(unsigned int order)
{
	unsigned int count = 1u << order;
	unsigned int i;
	unsigned int n;

	if (host_refuses())
		return NULL;

	/* A page at 0 would look like none to iommu_iova_to_phys(). */
	for (i = count; i + count <= PAGES; i += count) {
		for (n = 0; n < count && !page_taken[i + n]; n++)
			;
		if (n < count)
			continue;
		memset(&page_taken[i], true, count);
		host_objects++;
		return &pages[i];
	}
	host_die("alloc_pages", "out of pages");
}
struct page *shim_alloc_pages(gfp_t gfp, unsigned int order) __asm__("__alloc_pages");
struct page *shim_alloc_pages(gfp_t gfp, unsigned int order)
{
	return pages_alloc(order);
}
struct page *shim_alloc_pages_noprof(gfp_t gfp, unsigned int order) __asm__("__alloc_pages_noprof");
struct page *shim_alloc_pages_noprof(gfp_t gfp, unsigned int order)
{
	return pages_alloc(order);
}
void __free_pages(struct page *page, unsigned int order)
{
	memset(&page_taken[page - pages], false, 1u << order);
	host_objects--;
}

struct page *shim_frame(unsigned int frame)
{
	return &pages[PAGES + frame];
}
int shim_frame_of(const struct page *page)
{
	const long n = page - &pages[PAGES];

	return n >= 0 && n < MEMORY_FRAMES ? n : -1;
}
unsigned long shim_frame_phys(unsigned int frame)
{
	return (PAGES + frame) * PAGE_SIZE;
}

/* --- devices --- */

/* None of these ever goes: that as many references are given back as were taken is what counts. */
static int references[HARNESS_REFERENCES];

struct device *get_device(struct device *dev)
{
	references[HARNESS_REF_DEVICE] += dev != NULL;
	return dev;
}
void put_device(struct device *dev)
{
	references[HARNESS_REF_DEVICE] -= dev != NULL;
}
struct fwnode_handle *shim_dev_fwnode(struct device *dev) __asm__("__dev_fwnode");
struct fwnode_handle *shim_dev_fwnode(struct device *dev)
{
	return dev->fwnode;
}
struct fwnode_handle *shim_fwnode_get(struct fwnode_handle *fwnode) __asm__("fwnode_handle_get");
struct fwnode_handle *shim_fwnode_get(struct fwnode_handle *fwnode)
{
#ifdef HARNESS_HAVE_FWNODE_GET /* else by of_node_get(), which is nothing without CONFIG_OF */
	references[HARNESS_REF_FWNODE] += fwnode != NULL;
#endif
	return fwnode;
}
/* A function up to 6.11, then one of the fwnode's operations. */
void shim_fwnode_put(struct fwnode_handle *fwnode) __asm__("fwnode_handle_put");
void shim_fwnode_put(struct fwnode_handle *fwnode)
{
#ifdef HARNESS_HAVE_FWNODE_GET
	references[HARNESS_REF_FWNODE] -= fwnode != NULL;
#endif
}

const struct fwnode_operations shim_fwnode_ops = { .put = shim_fwnode_put };

struct module shim_module;
bool try_module_get(struct module *module)
{
	references[HARNESS_REF_MODULE] += module != NULL;
	return true;
}
void __module_get(struct module *module)
{
	references[HARNESS_REF_MODULE] += module != NULL;
}
void module_put(struct module *module)
{
	references[HARNESS_REF_MODULE] -= module != NULL;
}

int shim_references(int kind)
{
	if (kind != HARNESS_REF_TASK)
		return references[kind];
	return atomic_read(&mm.mm_users) + atomic_read(&mm.mm_count) +
	       refcount_read(&task.usage);
}

enum { NOTIFIERS = 16 };
static struct {
	const void *bus;
	struct notifier_block *block;
} notifiers[NOTIFIERS];
static int notifiers_count;

int shim_bus_register_notifier(const void *bus, struct notifier_block *block)
	__asm__("bus_register_notifier");
int shim_bus_register_notifier(const void *bus, struct notifier_block *block)
{
	if (notifiers_count == NOTIFIERS)
		host_die("bus_register_notifier", "too many notifiers");
	notifiers[notifiers_count].bus = bus;
	notifiers[notifiers_count++].block = block;
	return 0;
}

void shim_notify(const void *bus, unsigned long action, struct device *dev)
{
	int i;

	for (i = 0; i < notifiers_count; i++)
		if (notifiers[i].bus == bus)
			notifiers[i].block->notifier_call(notifiers[i].block, action, dev);
}

int shim_bus_for_each_dev(const void *bus, struct device *start, void *data,
			  int (*fn)(struct device *, void *)) __asm__("bus_for_each_dev");
int shim_bus_for_each_dev(const void *bus, struct device *start, void *data,
			  int (*fn)(struct device *, void *))
{
	return shim_each_device(bus, start, data, fn);
}

/* --- PCI: one root bus, whose functions the harness lays out --- */

struct pci_dev *pci_get_device(unsigned int vendor, unsigned int device, struct pci_dev *from)
{
	struct device *next = shim_next_pci(from ? &from->dev : NULL);

	return next ? to_pci_dev(next) : NULL;
}
void pci_dev_put(struct pci_dev *dev)
{
}

enum { DEVFNS = 256 };
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
	unsigned int devfn;
	int ret = fn(pdev, pci_dev_id(pdev), data);

	for (devfn = 0; !ret && pdev->dma_alias_mask && devfn < DEVFNS; devfn++)
		if (test_bit(devfn, pdev->dma_alias_mask))
			ret = fn(pdev, PCI_DEVID(pdev->bus->number, devfn), data);
	return ret;
}

bool pci_acs_enabled(struct pci_dev *pdev, u16 flags)
{
	return shim_pci_isolated(&pdev->dev);
}
/* Only asked of bridges, and there are none. */
bool pci_acs_path_enabled(struct pci_dev *start, struct pci_dev *end, u16 flags)
{
	return true;
}

extern void radix_tree_init(void);

void shim_init(void)
{
	mem_map = pages;
	max_mapnr = PAGES + MEMORY_FRAMES;
	radix_tree_init();
}
