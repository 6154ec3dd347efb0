// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gives kernel code memory and strings, and answers calls whose result does not matter here. It
 * includes no kernel header, so that changed prototypes in other versions do not matter.
 */
#include <malloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "mutate/mutant.h"

int host_objects;
int host_locks;
unsigned int host_armed[HARNESS_ARMS];
int host_goes_on;
int host_catches_oops;

void host_die(const char *what, const char *name)
{
	fprintf(stderr, "kernel harness: %s: %s\n", what, name);
	abort();
}

static void *must(void *p)
{
	if (!p)
		host_die("libc", "out of memory");
	return p;
}

/* --- the kernel's heap --- */

/*
 * Without ASan, this heap finds most of the mistakes that ASan would. An object lies between a head
 * and a tail that nobody may write to. A freed object keeps its place until the case ends, filled
 * with bytes that are no valid address, so that any pointer read from it is a wild one.
 */
#if __has_feature(address_sanitizer)

void *host_alloc(unsigned long bytes)
{
	host_objects++;
	return must(calloc(1, bytes ? bytes : 1));
}

static void object_free(void *p)
{
	free(p);
}

static unsigned long object_size(void *p)
{
	return malloc_usable_size(p);
}

int host_empty_quarantine(void)
{
	return 0;
}

#else

struct object {
	unsigned long size;
	unsigned long state;
	struct object *next; /* the next freed object */
	unsigned long unused; /* aligns the object after it as malloc() does */
};
static const unsigned long object_lives = 0x6c6976655f6f626aul;
static const unsigned long object_is_freed = 0x66726565646f626aul;
static const unsigned char freed_byte = 0x6b;
static struct object *quarantine;

void *host_alloc(unsigned long bytes)
{
	struct object *object = must(calloc(1, sizeof(*object) + bytes + sizeof(object_lives)));

	object->size = bytes;
	object->state = object_lives;
	memcpy((char *)(object + 1) + bytes, &object_lives, sizeof(object_lives));
	host_objects++;
	return object + 1;
}

static void object_free(void *p)
{
	struct object *object = (struct object *)p - 1;

	if (object->state == object_is_freed)
		host_die("kfree", "the kernel frees memory twice");
	if (object->state != object_lives)
		host_die("kfree",
			 "the kernel frees memory that it did not allocate, or wrote before it");
	if (memcmp((char *)p + object->size, &object_lives, sizeof(object_lives)))
		host_die("kfree", "the kernel wrote beyond the end of the memory that it frees");
	memset(p, freed_byte, object->size);
	object->state = object_is_freed;
	object->next = quarantine;
	quarantine = object;
}

static unsigned long object_size(void *p)
{
	return ((struct object *)p - 1)->size;
}

/* Returns how many objects were written to after they were freed. */
int host_empty_quarantine(void)
{
	int written = 0;

	while (quarantine) {
		struct object *object = quarantine;
		const unsigned char *bytes = (const unsigned char *)(object + 1);

		written += object->size && (bytes[0] != freed_byte ||
					    memcmp(bytes, bytes + 1, object->size - 1));
		quarantine = object->next;
		free(object);
	}
	return written;
}

#endif

int host_strikes(int arm)
{
	if (!host_armed[arm])
		return 0;
	if (host_armed[arm] == 1 && host_goes_on)
		return 1;
	return !--host_armed[arm];
}

void host_disarm(void)
{
	memset(host_armed, 0, sizeof(host_armed));
	host_goes_on = 0;
}

/* For allocations of the kernel. kvmalloc()'s limit is INT_MAX; no test needs a tenth of it. */
static void *kernel_alloc(unsigned long bytes)
{
	return bytes > 64ul << 20 || host_strikes(HARNESS_ARM_ALLOC) ? NULL : host_alloc(bytes);
}

static void host_free(void *p)
{
	/* ZERO_SIZE_PTR is 16. */
	if ((unsigned long)p <= 16)
		return;
	host_objects--;
	object_free(p);
}

void *host_grow(void *old, unsigned long bytes)
{
	return must(realloc(old, bytes));
}

void host_drop(void *old)
{
	free(old);
}

void *__kmalloc(unsigned long size) { return kernel_alloc(size); }
void *__kmalloc_noprof(unsigned long size) { return kernel_alloc(size); }
void *__kmalloc_node(unsigned long size) { return kernel_alloc(size); }
void *__kmalloc_node_noprof(unsigned long size) { return kernel_alloc(size); }
void *kvmalloc_node(unsigned long size) { return kernel_alloc(size); }
void *__kvmalloc_node_noprof(unsigned long size) { return kernel_alloc(size); }
void *kmalloc_trace(void *cache, unsigned flags, unsigned long size)
{
	return kernel_alloc(size);
}
void *__kmalloc_cache_noprof(void *cache, unsigned flags, unsigned long size)
{
	return kernel_alloc(size);
}
void kfree(void *p) { host_free(p); }
void kvfree(void *p) { host_free(p); }
void kfree_const(void *p) { host_free(p); }
static void *host_realloc(void *p, unsigned long size)
{
	void *grown = kernel_alloc(size);

	if ((unsigned long)p <= 16 || !grown)
		return grown;
	memcpy(grown, p, object_size(p) < size ? object_size(p) : size);
	host_free(p);
	return grown;
}
void *krealloc(void *p, unsigned long size) { return host_realloc(p, size); }
void *krealloc_noprof(void *p, unsigned long size) { return host_realloc(p, size); }
void *krealloc_node_align_noprof(void *p, unsigned long size) { return host_realloc(p, size); }
void *kmemdup(const void *p, unsigned long size)
{
	void *copy = kernel_alloc(size);

	return copy ? memcpy(copy, p, size) : NULL;
}
char *kstrdup(const char *s)
{
	char *copy = s ? kernel_alloc(strlen(s) + 1) : NULL;

	return copy ? strcpy(copy, s) : NULL;
}
char *kstrdup_const(const char *s) { return kstrdup(s); }
char *kvasprintf_const(unsigned flags, const char *format, va_list args)
{
	char text[256];

	vsnprintf(text, sizeof(text), format, args);
	return kstrdup(text);
}
char *kasprintf(unsigned flags, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = kvasprintf_const(flags, format, args);
	va_end(args);
	return text;
}

/* A cache of objects: only the radix tree's nodes, whose constructor sets up a list head. */
struct host_cache {
	unsigned long size;
	void (*ctor)(void *);
};
void *host_cache_create(unsigned long size, void (*ctor)(void *))
{
	struct host_cache *cache = must(calloc(1, sizeof(*cache)));

	cache->size = size;
	cache->ctor = ctor;
	return cache;
}
static void *cache_alloc(struct host_cache *cache)
{
	void *p = kernel_alloc(cache->size);

	if (p && cache->ctor)
		cache->ctor(p);
	return p;
}
void *kmem_cache_alloc(void *cache) { return cache_alloc(cache); }
void *kmem_cache_alloc_noprof(void *cache) { return cache_alloc(cache); }
void *kmem_cache_alloc_lru(void *cache) { return cache_alloc(cache); }
void *kmem_cache_alloc_lru_noprof(void *cache) { return cache_alloc(cache); }
void kmem_cache_free(void *cache, void *p) { host_free(p); }

static unsigned long page_alloc(unsigned order)
{
	unsigned long bytes = 4096ul << order;

	if (host_strikes(HARNESS_ARM_ALLOC))
		return 0;
	host_objects++;
	return (unsigned long)memset(must(aligned_alloc(4096, bytes)), 0, bytes);
}
unsigned long __get_free_pages(unsigned gfp, unsigned order) { return page_alloc(order); }
unsigned long get_free_pages_noprof(unsigned gfp, unsigned order) { return page_alloc(order); }
void free_pages(unsigned long p)
{
	host_objects--;
	free((void *)p);
}

/* --- strings that libc lacks --- */

char *strreplace(char *s, char from, char to)
{
	for (char *p = s; *p; p++)
		if (*p == from)
			*p = to;
	return s;
}

/* Dies if a file in sysfs would be longer than a page. */
int sysfs_emit_at(char *page, int at, const char *format, ...)
{
	va_list args;
	int count;

	va_start(args, format);
	count = vsnprintf(page + at, 4096 - at, format, args);
	va_end(args);
	if (count >= 4096 - at)
		host_die("sysfs_emit_at", "the kernel writes more than a page into a file of sysfs");
	return count;
}
int sysfs_emit(char *page, const char *format, ...)
{
	va_list args;
	int count;

	va_start(args, format);
	count = vsnprintf(page, 4096, format, args);
	va_end(args);
	return count;
}
int match_string(const char *const *strings, unsigned long count, const char *wanted)
{
	for (unsigned long i = 0; i < count && strings[i]; i++)
		if (!strcmp(strings[i], wanted))
			return i;
	return -22;
}
/* A newline at the end does not matter. */
int sysfs_streq(const char *a, const char *b)
{
	const unsigned long size = strcspn(a, "\n");

	return size == strcspn(b, "\n") && !strncmp(a, b, size);
}

/* --- spin locks: nothing else runs, and whoever holds one must not sleep --- */

enum { SPINS = 8 };
static const void *spins[SPINS];
static int spins_held;

void shim_spin_lock(const void *lock)
{
	for (int i = 0; i < spins_held; i++)
		if (spins[i] == lock)
			host_die("spin_lock", "the kernel takes a lock that it already holds");
	if (spins_held == SPINS)
		host_die("spin_lock", "the kernel holds too many locks");
	spins[spins_held++] = lock;
	host_locks++;
}
void shim_spin_unlock(const void *lock)
{
	int at = spins_held;

	while (at && spins[at - 1] != lock)
		at--;
	if (!at)
		host_die("spin_unlock", "the kernel releases a lock that it does not hold");
	spins[at - 1] = spins[--spins_held];
	host_locks--;
}
static void may_sleep(const char *function)
{
	if (spins_held)
		host_die(function, "the kernel sleeps with a spin lock");
}

/* --- locks: one thread, so a lock that is taken twice is a deadlock --- */

/*
 * The last words of a lock are those that wait, and nobody does. A lock that was made at run time has its
 * class, the name of its variable, and a mark there. One that the compiler made is its own class; where
 * those that wait are a list, it points at itself, so that a lock that nobody has made is noticed. Where
 * a mutex has no room for the mark, it has none.
 */
static const long lock_is_made = 0x6b636f6c2065626cl;
static void make_lock(long *lock, int words, const char *class)
{
	memset(lock, 0, words * sizeof(*lock));
	if (words < 3)
		return;
	lock[words - 2] = (long)class;
	lock[words - 1] = lock_is_made;
}
static const char *class_of(const long *lock, int words, int list, const char *function)
{
	if (words >= 3 && lock[words - 1] == lock_is_made)
		return (const char *)lock[words - 2];
	if (words >= list && !lock[words - 2] && !lock[words - 1])
		host_die(function, "the kernel takes a lock that nobody has made");
	return NULL;
}

/* Two locks that are taken in either order would be a deadlock, if two threads did so. */
enum { HELD = 16, ORDERS = 256 };
static struct {
	const long *lock;
	const char *class; /* NULL: it has none */
} held[HELD];
static int held_count;
static struct {
	const char *first;
	const char *second;
} orders[ORDERS];
static int orders_count;

/* docs/findings.md */
static int is_finding(const char *class)
{
	return !strcmp(class, "&iommu->device_list_lock");
}
static void note_order(const char *first, const char *second, const char *function)
{
	if (!first || !second || first == second || is_finding(first) || is_finding(second))
		return;
	for (int i = 0; i < orders_count; i++) {
		if (orders[i].first == first && orders[i].second == second)
			return;
		if (orders[i].first == second && orders[i].second == first)
			host_die(function, "the kernel takes two locks in either order");
	}
	if (orders_count < ORDERS) {
		orders[orders_count].first = first;
		orders[orders_count++].second = second;
	}
}
static void note_taken(const long *lock, const char *class, const char *function)
{

	for (int i = 0; i < held_count; i++)
		note_order(held[i].class, class, function);
	if (held_count == HELD)
		host_die(function, "the kernel holds too many locks");
	held[held_count].lock = lock;
	held[held_count++].class = class;
	host_locks++;
}
static void note_given_back(const long *lock)
{
	int at = held_count;

	while (at && held[at - 1].lock != lock)
		at--;
	if (at)
		held[at - 1] = held[--held_count];
	host_locks--;
}

void __mutex_init(long *lock, const char *name) { make_lock(lock, shim_mutex_words, name); }
/* Its name from 7.0 on. */
void mutex_init_generic(long *lock) { make_lock(lock, shim_mutex_words, NULL); }
void mutex_lock(long *lock)
{
	may_sleep("mutex_lock");
	if (*lock)
		host_die("mutex_lock", "the kernel takes a lock that it already holds");
	note_taken(lock, class_of(lock, shim_mutex_words, 3, "mutex_lock"), "mutex_lock");
	*lock = 1;
}
void mutex_unlock(long *lock)
{
	if (!*lock)
		host_die("mutex_unlock", "the kernel releases a lock that it does not hold");
	*lock = 0;
	note_given_back(lock);
}
void __init_rwsem(long *sem, const char *name) { make_lock(sem, shim_semaphore_words, name); }
void down_read(long *sem)
{
	may_sleep("down_read");
	if (*sem < 0)
		host_die("down_read", "the kernel takes a semaphore that it already holds");
	note_taken(sem, class_of(sem, shim_semaphore_words, 4, "down_read"), "down_read");
	++*sem;
}
void up_read(long *sem)
{
	if (*sem <= 0)
		host_die("up_read", "the kernel releases a semaphore that it does not hold");
	--*sem;
	note_given_back(sem);
}
void down_write(long *sem)
{
	may_sleep("down_write");
	if (*sem)
		host_die("down_write", "the kernel takes a semaphore that it already holds");
	note_taken(sem, class_of(sem, shim_semaphore_words, 4, "down_write"), "down_write");
	*sem = -1;
}
int down_write_killable(long *sem)
{
	down_write(sem);
	return 0;
}
void up_write(long *sem)
{
	if (*sem >= 0)
		host_die("up_write", "the kernel releases a semaphore that it does not hold");
	*sem = 0;
	note_given_back(sem);
}

/* There can be no reader. */
void call_rcu(void *head, void (*func)(void *)) { func(head); }

/* --- the rest of the kernel: stubs whose results do not matter --- */

#define ANSWERS_0(name) \
	long name(void) \
	{ \
		return 0; \
	}
/* Logging. Problems that matter are WARNs. */
ANSWERS_0(printk) ANSWERS_0(_printk) ANSWERS_0(_dev_err) ANSWERS_0(_dev_warn) ANSWERS_0(_dev_info)
ANSWERS_0(___ratelimit) ANSWERS_0(dump_stack) ANSWERS_0(dump_stack_lvl)
/* Of sysfs what is not in sysfs.c, and uevents. */
long sysfs_create_groups(void) { return host_strikes(HARNESS_ARM_SYSFS) ? -12 : 0; }
ANSWERS_0(sysfs_remove_groups)
ANSWERS_0(kernfs_get) ANSWERS_0(kernfs_put) ANSWERS_0(kobject_uevent)
ANSWERS_0(kobject_uevent_env)
/* Properties that the device tree of a case does not have. */
ANSWERS_0(of_find_property) ANSWERS_0(of_property_read_bool)
/* Scheduling, interrupts, per-cpu. */
ANSWERS_0(_cond_resched) ANSWERS_0(__cond_resched) ANSWERS_0(__cpuhp_setup_state) ANSWERS_0(__init_waitqueue_head)
ANSWERS_0(__init_swait_queue_head)
ANSWERS_0(__wake_up) ANSWERS_0(__local_bh_enable_ip) ANSWERS_0(block_signals)
ANSWERS_0(unblock_signals) ANSWERS_0(um_set_signals) ANSWERS_0(um_get_signals)
ANSWERS_0(set_signals) ANSWERS_0(get_signals)
/* Drivers that bind: links between devices, resources, interrupts. */
ANSWERS_0(device_links_busy) ANSWERS_0(device_links_check_suppliers)
ANSWERS_0(device_links_driver_bound) ANSWERS_0(device_links_driver_cleanup)
ANSWERS_0(device_links_no_driver) ANSWERS_0(device_add_groups) ANSWERS_0(device_remove_groups)
ANSWERS_0(device_create_file) ANSWERS_0(device_remove_file)
ANSWERS_0(devres_release_all) ANSWERS_0(pci_assign_irq) ANSWERS_0(pcibios_alloc_irq)
ANSWERS_0(pcibios_free_irq) ANSWERS_0(pci_iov_remove)
/* dma-iommu.c: cookies of default domains. */
ANSWERS_0(iommu_get_dma_cookie) ANSWERS_0(iommu_put_dma_cookie) ANSWERS_0(iommu_dma_init_fq)
long of_property_read_variable_u32_array(void) { return -22; }
/* BUG() ends here: an oops. */
void panic(const char *format) { *(volatile int *)0 = 0; }
/* No code here is in a module, so the owner test of iommu_device_register() passes. */
ANSWERS_0(is_module_address)
ANSWERS_0(add_taint)

/* --- mutants: the one that runs, and the places that were reached --- */

#ifdef HARNESS_HAS_MUTANTS
unsigned int harness_mutant;
unsigned char harness_reached[HARNESS_MUTANTS];

__attribute__((constructor)) static void choose_mutant(void)
{
	const char *number = getenv("IOMMUCHECK_MUTANT");

	harness_mutant = number ? strtoul(number, NULL, 10) : 0;
}
#endif

/* --- wild pointers --- */

static sigjmp_buf guard;
static volatile sig_atomic_t guarded;

static void on_fault(int signal)
{
	if (guarded)
		siglongjmp(guard, 1);
	/* Not in kernel code: let it fault again, with the default action. */
	struct sigaction action = { .sa_handler = SIG_DFL };

	sigaction(signal, &action, NULL);
}

int host_guard(int (*run)(void))
{
	static int installed;
	int ret;

	if (!host_catches_oops)
		return run();
	if (!installed) {
		struct sigaction action = { .sa_handler = on_fault };

		sigaction(SIGSEGV, &action, NULL);
		sigaction(SIGBUS, &action, NULL);
		installed = 1;
	}
	/* Saves the signal mask, so that a second fault is caught, too. */
	if (!sigsetjmp(guard, 0)) {
		guarded = 1;
		ret = run();
	} else {
		sigset_t set;

		sigemptyset(&set);
		sigaddset(&set, SIGSEGV);
		sigaddset(&set, SIGBUS);
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		ret = HARNESS_OOPS;
	}
	guarded = 0;
	return ret;
}
