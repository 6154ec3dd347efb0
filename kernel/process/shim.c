// SPDX-License-Identifier: GPL-2.0-only
/* The rest of the kernel, for the real files. The part without kernel types is host.c. */
#include <linux/capability.h>
#include <linux/device.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "fake/fake.h"
#include "internal.h"
#include "memory.h"

const int shim_mutex_words = sizeof(struct mutex) / sizeof(long);
const int shim_semaphore_words = sizeof(struct rw_semaphore) / sizeof(long);

/* --- the tasks: the one of cases, and another that only ops besides those of cases have --- */

enum { TASKS = 2 }; /* with an mm; a third is the kernel's */
#define MM { .mm_users = ATOMIC_INIT(1), .mm_count = ATOMIC_INIT(1) }
static struct mm_struct mms[TASKS] = { MM, MM };
static struct signal_struct signals = {
	.rlim = { [0 ... RLIM_NLIMITS - 1] = { RLIM_INFINITY, RLIM_INFINITY } },
};
#define TASK(i)                          \
	{                                \
		.mm = &mms[i],           \
		.signal = &signals,      \
		.group_leader = &tasks[i], \
		.usage = REFCOUNT_INIT(1), \
	}
static struct task_struct tasks[TASKS + 1] = { TASK(0), TASK(1), { .signal = &signals } };
struct task_struct *harness_current = &tasks[0];

void shim_run_task(int i)
{
	harness_current = &tasks[i];
}

/* Its mm stays as long as somebody holds it; nobody uses it any more. */
static bool gone[TASKS];
void shim_end_task(int i)
{
	gone[i] = true;
	atomic_set(&mms[i].mm_users, 0);
	mms[i].locked_vm = 0;
}

unsigned long shim_locked(void)
{
	return mms[0].locked_vm + mms[1].locked_vm;
}
#ifndef CONFIG_THREAD_INFO_IN_TASK
struct thread_info harness_thread_info;
#endif

/* --- data that the kernel code refers to --- */

typeof(kmalloc_caches) kmalloc_caches;
struct page *mem_map;
unsigned long max_mapnr;
unsigned long shim_zero_pfn __asm__("zero_pfn") = MEMORY_ZERO_FRAME;
unsigned long shim_zero_page_pfn __asm__("zero_page_pfn"); /* its name from 7.0 on */
unsigned long task_size = 1ul << 47;
int signals_enabled;
struct kobject *kernel_kobj;
const struct kernel_param_ops param_ops_bool;
const struct kernel_param_ops param_ops_uint;

/* --- caches: the code needs only their size and constructor --- */

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

/* --- pages: numbers without memory --- */

/* For alloc_pages(); after these come the frames of the process. */
enum { PAGES = MEMORY_FIRST_FRAME };
static struct page pages[PAGES + MEMORY_FRAMES + 1];
static bool page_taken[PAGES];

static struct page *pages_alloc(unsigned int order)
{
	unsigned int count = 1u << order;
	unsigned int n;

	if (host_strikes(HARNESS_ARM_ALLOC))
		return NULL;
	/* iommu_iova_to_phys() returns 0 for "no page", so no page may be at 0. */
	for (unsigned int i = count; i + count <= PAGES; i += count) {
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
REPLACES(struct page *, __alloc_pages, gfp_t gfp, unsigned int order)
{
	return pages_alloc(order);
}
/* Its name in 5.10. */
REPLACES(struct page *, __alloc_pages_nodemask, gfp_t gfp, unsigned int order, int node,
	 nodemask_t *nodes)
{
	return pages_alloc(order);
}
REPLACES(struct page *, __alloc_pages_noprof, gfp_t gfp, unsigned int order)
{
	return pages_alloc(order);
}
void __free_pages(struct page *page, unsigned int order)
{
	memset(&page_taken[page - pages], false, 1u << order);
	host_objects--;
}

/* --- devices --- */

/*
 * The devices of a class are real objects (files.c). None of the others is ever freed; only the
 * references are counted.
 */
static int references[HARNESS_REFERENCES];

struct device *get_device(struct device *dev)
{
	if (dev && dev->kobj.state_initialized)
		kobject_get(&dev->kobj);
	else
		references[HARNESS_REF_DEVICE] += dev != NULL;
	return dev;
}
void put_device(struct device *dev)
{
	if (dev && dev->kobj.state_initialized)
		kobject_put(&dev->kobj);
	else
		references[HARNESS_REF_DEVICE] -= dev != NULL;
}
REPLACES(struct fwnode_handle *, __dev_fwnode, struct device *dev)
{
	return dev->fwnode;
}
REPLACES(struct fwnode_handle *, fwnode_handle_get, struct fwnode_handle *fwnode)
{
	return fwnode_has_op(fwnode, get) ? fwnode->ops->get(fwnode) : fwnode;
}
/* Up to and including 6.11; from 6.12 on it is inline. */
REPLACES(void, fwnode_handle_put, struct fwnode_handle *fwnode)
{
	if (fwnode_has_op(fwnode, put))
		fwnode->ops->put(fwnode);
}

REPLACES(struct device_node *, of_node_get, struct device_node *node)
{
	references[HARNESS_REF_FWNODE] += node != NULL;
	return node;
}
REPLACES(void, of_node_put, struct device_node *node)
{
	references[HARNESS_REF_FWNODE] -= node != NULL;
}
static struct fwnode_handle *of_fwnode_get(struct fwnode_handle *fwnode)
{
	references[HARNESS_REF_FWNODE]++;
	return fwnode;
}
static void of_fwnode_put(struct fwnode_handle *fwnode)
{
	references[HARNESS_REF_FWNODE]--;
}
const struct fwnode_operations of_fwnode_ops = { .get = of_fwnode_get, .put = of_fwnode_put };

struct module shim_module;
bool shim_module_goes;
bool try_module_get(struct module *module)
{
	if (shim_module_goes)
		return false;
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
	int held = 0;

	if (kind != HARNESS_REF_TASK)
		return references[kind];
	for (int i = 0; i < TASKS; i++)
		held += gone[i] + atomic_read(&mms[i].mm_users) + atomic_read(&mms[i].mm_count) +
			refcount_read(&tasks[i].usage);
	return held;
}

/* --- WARNs --- */

static struct harness_warn warns[HARNESS_WARNS];
static unsigned int warns_count;
int shim_warns_total;
static bool warns_ended;

static bool warns_caught;
static int caught;

int shim_catch_warns(bool on)
{
	const int count = caught;

	warns_caught = on;
	caught = 0;
	return count;
}

void shim_warned(const char *function, const char *file, int line)
{
	caught += warns_caught;
	if (warns_ended || warns_caught)
		return;
	shim_warns_total++;
	for (unsigned int i = 0; i < warns_count; i++)
		if (warns[i].file == file && warns[i].line == line) {
			warns[i].count++;
			return;
		}
	if (warns_count < HARNESS_WARNS)
		warns[warns_count++] = (struct harness_warn){ function, file, line, 1 };
}

/* Of mutexes and semaphores the first word is 0 when nobody holds them: see host.c. */
void shim_assert_held(const void *lock, const char *function, const char *file, int line)
{
	if (!*(const long *)lock)
		shim_warned(function, file, line);
}

const struct harness_warn *shim_warns(unsigned int *places)
{
	*places = warns_count;
	return warns;
}

/* --- functions that depend on the machine of a case --- */

bool shim_unprivileged;
bool capable(int cap)
{
	if (cap == CAP_SYS_RAWIO)
		return !shim_unprivileged;
	return cap != CAP_IPC_LOCK || fake_machine.settings.memlock == HARNESS_NONE;
}

bool shim_cookie_fails;
int iommu_get_msi_cookie(struct iommu_domain *domain, dma_addr_t base)
{
	/* It would allocate the cookie. */
	if (shim_cookie_fails && host_strikes(HARNESS_ARM_ALLOC))
		return -ENOMEM;
	calls_add(HARNESS_COOKIE)->domain = fake_domain_of(domain)->number;
	return 0;
}

extern void radix_tree_init(void);

/* Up to and including 6.0 the size of an object is that of the cache which kmalloc() chooses. */
static void make_kmalloc_caches(void)
{
#ifdef HARNESS_HAVE_KMALLOC_BY_CACHE
	for (int type = 0; type < ARRAY_SIZE(kmalloc_caches); type++)
		for (int i = 0; i < ARRAY_SIZE(kmalloc_caches[0]); i++)
			kmalloc_caches[type][i] =
				host_cache_create(i == 1 ? 96 : i == 2 ? 192 : 1ul << i, NULL);
#endif
}

void shim_init(void)
{
	make_kmalloc_caches();
	for (int i = 0; i < TASKS; i++)
		init_rwsem(&mms[i].mmap_lock);
	mem_map = pages;
	max_mapnr = PAGES + MEMORY_FRAMES + 1;
	SetPageReserved(&pages[MEMORY_ZERO_FRAME]);
	radix_tree_init();
}

void shim_begin(void)
{
	shim_run_task(0);
	for (int i = 0; i < TASKS; i++) {
		mms[i].locked_vm = 0;
		if (gone[i])
			atomic_set(&mms[i].mm_users, 1);
		gone[i] = false;
	}
	const u8 memlock = fake_machine.settings.memlock;

	warns_count = 0;
	shim_warns_total = 0;
	warns_ended = warns_caught = false;
	signals.rlim[RLIMIT_MEMLOCK].rlim_cur =
		memlock == HARNESS_NONE ? RLIM_INFINITY : memlock * PAGE_SIZE;
}

void shim_end(void)
{
	warns_ended = true;
	signals.rlim[RLIMIT_MEMLOCK].rlim_cur = RLIM_INFINITY;
}
