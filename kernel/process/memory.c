// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts the pins of each page, and the bytes of it that fake IOMMUs map. VFIO must never leave a
 * page that a device can reach and that nobody pins.
 */
#include <linux/mm.h>
#include <linux/mm_types.h>
#include <linux/pgtable.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "fake/fake.h"
#include "internal.h"
#include "memory.h"

static unsigned int pins[MEMORY_FRAMES];
static unsigned int write_pins[MEMORY_FRAMES]; /* those of them that let somebody write */
static unsigned long mapped_bytes[MEMORY_FRAMES]; /* in tables whose pages must be pinned */
int memory_pins;
const char *memory_complaint;
static bool register_faulted[MEMORY_HOLE - MEMORY_REGISTERS];

void memory_complain(const char *what)
{
	if (!memory_complaint)
		memory_complaint = what;
}

void host_complain(const char *what)
{
	memory_complain(what);
}

void memory_begin(void)
{
	memset(pins, 0, sizeof(pins));
	memset(write_pins, 0, sizeof(write_pins));
	memset(mapped_bytes, 0, sizeof(mapped_bytes));
	memset(register_faulted, 0, sizeof(register_faulted));
	memory_pins = 0;
	memory_complaint = NULL;
}

/* --- the process's addresses --- */

/* After all pages, so that pfn_valid() is false, as it is for registers. */
static const unsigned long first_register = 0x100000;

static long page_number(unsigned long vaddr)
{
	if (vaddr >= MEMORY_NEVER_WRITTEN && vaddr < MEMORY_NEVER_WRITTEN + HARNESS_PAGES * PAGE_SIZE)
		return MEMORY_REGISTERS - 1;
	/* User memory of a case is the first frames, under a second address. */
	if (vaddr >= HARNESS_PAGE_0)
		return (vaddr - HARNESS_PAGE_0) >> PAGE_SHIFT;
	if (vaddr < MEMORY_START || vaddr >= MEMORY_START + MEMORY_END * PAGE_SIZE)
		return -1;
	return (vaddr - MEMORY_START) >> PAGE_SHIFT;
}

/* -1: there is no page frame. */
static int frame_at(unsigned long vaddr)
{
	const long n = page_number(vaddr);

	if (n < 0 || n >= MEMORY_REGISTERS - 1)
		return -1;
	return n < MEMORY_SCATTERED ? n : n * 37 % MEMORY_FRAMES;
}

static long register_at(unsigned long vaddr)
{
	const long n = page_number(vaddr);

	return n >= MEMORY_REGISTERS && n < MEMORY_HOLE ? n - MEMORY_REGISTERS : -1;
}

static bool is_zero_address(unsigned long vaddr)
{
	return page_number(vaddr) == MEMORY_REGISTERS - 1;
}
static bool is_read_only(unsigned long vaddr)
{
	return page_number(vaddr) == MEMORY_REGISTERS - 2 || is_zero_address(vaddr);
}

unsigned long memory_phys(unsigned long vaddr)
{
	const int frame = frame_at(vaddr);
	const long reg = register_at(vaddr);

	if (is_zero_address(vaddr))
		return PFN_PHYS(MEMORY_ZERO_FRAME) + (vaddr & ~PAGE_MASK);
	if (frame >= 0)
		return PFN_PHYS(MEMORY_FIRST_FRAME + frame) + (vaddr & ~PAGE_MASK);
	return reg < 0 ? 0 : ((first_register + reg) << PAGE_SHIFT) + (vaddr & ~PAGE_MASK);
}

/* gup.c does not count pins of the zero page from 6.5 on, and in stable series that have this. */
#ifdef HARNESS_HAVE_ZERO_UNPINNED
enum { counts_zero_page = 0 };
#else
enum { counts_zero_page = 1 };
#endif

/*
 * Only what comes after the fifth argument depends on the version. ABSTRACTION: from 6.2 on whoever
 * pins private memory for long gets a page of his own (gup_must_unshare()); here it is the zero page.
 */
REPLACES(long, pin_user_pages_remote, struct mm_struct *mm, unsigned long start,
	 unsigned long count, unsigned int flags, struct page **pages)
{
	const int fault = fault_of_next(HARNESS_FAIL_PIN);
	long done;

	if (fault)
		return fault;
	for (done = 0; done < count; done++) {
		const unsigned long vaddr = start + done * PAGE_SIZE;
		const int frame = frame_at(vaddr);

		if (host_strikes(HARNESS_ARM_PIN))
			return done ? done : -ENOMEM;
		if (flags & FOLL_WRITE && is_read_only(vaddr))
			break;
		if (is_zero_address(vaddr)) {
			pages[done] = pfn_to_page(MEMORY_ZERO_FRAME);
			memory_pins += counts_zero_page;
			continue;
		}
		if (frame < 0)
			break;
		pages[done] = pfn_to_page(MEMORY_FIRST_FRAME + frame);
		pins[frame]++;
		write_pins[frame] += flags & FOLL_WRITE ? 1 : 0;
		memory_pins++;
	}
	return done ? done : -EFAULT;
}

static void unpin(struct page *page, bool dirty)
{
	const unsigned long frame = page_to_pfn(page) - MEMORY_FIRST_FRAME;

	if (page_to_pfn(page) == MEMORY_ZERO_FRAME) {
		memory_pins -= counts_zero_page;
		return;
	}
	if (frame >= MEMORY_FRAMES || !pins[frame]) {
		memory_complain("a page is unpinned that is not pinned");
		return;
	}
	if (dirty ? !write_pins[frame] : pins[frame] == write_pins[frame])
		memory_complain("a page is unpinned as dirty that nobody could write, or the reverse");
	else
		write_pins[frame] -= dirty;
	memory_pins--;
	if (!--pins[frame] && mapped_bytes[frame])
		memory_complain("a page is unpinned that a domain still maps");
}
void unpin_user_page(struct page *page)
{
	unpin(page, false);
}
void unpin_user_pages_dirty_lock(struct page **pages, unsigned long count, bool dirty)
{
	for (unsigned long i = 0; i < count; i++)
		unpin(pages[i], dirty);
}

void unpin_user_page_range_dirty_lock(struct page *page, unsigned long count, bool dirty)
{
	unsigned long i;

	for (i = 0; i < count; i++)
		unpin(page + i, dirty);
}

static struct vm_area_struct registers;
static struct vm_area_struct *find_registers(unsigned long vaddr)
{
	registers.vm_start = MEMORY_START + MEMORY_REGISTERS * PAGE_SIZE;
	registers.vm_end = MEMORY_START + MEMORY_HOLE * PAGE_SIZE;
	*(unsigned long *)&registers.vm_flags = VM_PFNMAP | VM_IO;
	return register_at(vaddr) < 0 ? NULL : &registers;
}
/* vma_lookup() calls this in the end; up to and including 6.0 the other. */
void *mtree_load(struct maple_tree *tree, unsigned long vaddr)
{
	return find_registers(vaddr);
}
struct vm_area_struct *find_vma(struct mm_struct *mm, unsigned long vaddr)
{
	return find_registers(vaddr);
}

/*
 * Every second page of registers is not in the page table at first; for every eighth,
 * fixup_user_fault() drops the lock.
 */
static bool register_present(unsigned long vaddr)
{
	const long n = register_at(vaddr);

	return n >= 0 && (!(n & 1) || register_faulted[n]);
}
int fixup_user_fault(struct mm_struct *mm, unsigned long vaddr, unsigned int flags, bool *unlocked)
{
	const long n = register_at(vaddr);

	if (n < 0)
		return -EFAULT;
	register_faulted[n] = true;
	*unlocked = (n & 7) == 7;
	return 0;
}
static bool register_writable(unsigned long vaddr)
{
	return (register_at(vaddr) & 15) != 12;
}

#ifdef HARNESS_HAVE_FOLLOW_PFNMAP
int follow_pfnmap_start(struct follow_pfnmap_args *args)
{
	if (!register_present(args->address))
		return -EINVAL;
	args->pfn = first_register + register_at(args->address);
	args->writable = register_writable(args->address);
#ifdef HARNESS_HAVE_PFNMAP_MASK
	args->addr_mask = PAGE_MASK; /* each is in a page table entry of its own */
#endif
	return 0;
}
void follow_pfnmap_end(struct follow_pfnmap_args *args)
{
}
#else
static spinlock_t page_table_lock;
static pte_t entry;
int follow_pte(struct mm_struct *mm, unsigned long vaddr, pte_t **pte, spinlock_t **lock)
{
	if (!register_present(vaddr))
		return -EINVAL;
	entry = pfn_pte(first_register + register_at(vaddr), PAGE_SHARED);
	if (!register_writable(vaddr))
		entry = pte_wrprotect(entry);
	spin_lock(&page_table_lock);
	*pte = &entry;
	*lock = &page_table_lock;
	return 0;
}
#endif

/* Accounts like mm/util.c. In later kernels the task is const. */
int shim_account(struct mm_struct *mm, unsigned long count, bool inc, struct task_struct *task,
		 bool bypass) __asm__("__account_locked_vm");
int shim_account(struct mm_struct *mm, unsigned long count, bool inc, struct task_struct *task,
		 bool bypass)
{
	const unsigned long limit = task->signal->rlim[RLIMIT_MEMLOCK].rlim_cur >> PAGE_SHIFT;

	if (!inc) {
		if (count > mm->locked_vm)
			memory_complain("more pages are unlocked than are locked");
		mm->locked_vm -= count;
		return 0;
	}
	if (!bypass && mm->locked_vm + count > limit)
		return -ENOMEM;
	mm->locked_vm += count;
	return 0;
}

void kthread_use_mm(struct mm_struct *mm)
{
	if (current->mm)
		memory_complain("a thread of the kernel uses two processes' memory");
	current->mm = mm;
}
void kthread_unuse_mm(struct mm_struct *mm)
{
	if (current->mm != mm)
		memory_complain("a thread of the kernel leaves memory that it does not use");
	current->mm = NULL;
}

struct mm_struct *get_task_mm(struct task_struct *task)
{
	atomic_inc(&task->mm->mm_users); /* mmget() */
	return task->mm;
}
void mmput(struct mm_struct *mm)
{
	if (atomic_dec_and_test(&mm->mm_users))
		memory_complain("the last user of the mm is put");
}
void __mmdrop(struct mm_struct *mm)
{
	memory_complain("the last reference to the mm is dropped");
}
void __put_task_struct(struct task_struct *task)
{
	memory_complain("the last reference to the task is put");
}

/* --- user copies --- */

struct user_memory memory_user;

/* How many bytes of user memory begin there; -1: it is kernel memory, which is copied directly. */
static long user_room(const void *p)
{
	const unsigned long at = (unsigned long)p;
	const unsigned long start = (unsigned long)&memory_user;
	const unsigned long hole = MEMORY_START + MEMORY_HOLE * PAGE_SIZE;

	if (at >= start && at < start + sizeof(memory_user))
		return start + sizeof(memory_user) - at;
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
static bool is_argument_read_only(const void *p)
{
	const unsigned char *at = p;

	return at >= memory_user.read_only &&
	       at < memory_user.read_only + sizeof(memory_user.read_only);
}
/* The build fills variables that are not initialized with this byte (kernel/build.sh). */
enum { UNSET = 0xaa };
/* Whether a word of the memory was never set; user space may itself have written such a word. */
static bool never_set(const u8 *to, const u8 *from, unsigned long count)
{
	unsigned int unset = 0;

	for (unsigned long i = 0; i < count && unset < sizeof(u32); i++)
		unset = from[i] == UNSET && to[i] != UNSET ? unset + 1 : 0;
	return unset == sizeof(u32);
}

unsigned long raw_copy_to_user(void *to, const void *from, unsigned long count)
{
	const long room = user_room(to);

	if (room < 0 || count > room || is_argument_read_only(to))
		return count;
	if (!has_memory(to))
		return 0;
	if (never_set(to, from, count))
		memory_complain("the kernel gives user space memory of its stack that it never set");
	memcpy(to, from, count);
	return 0;
}

/* --- page tables --- */

struct extent {
	unsigned long iova;
	unsigned long phys;
	unsigned long size;
	unsigned long pgsize;
};
/* What is unmapped, and may still be in the TLBs: its pages must be pinned. */
struct stale {
	struct stale *next;
	unsigned long start;
	unsigned long last;
	unsigned long phys;
	unsigned long size;
};
struct page_table {
	struct extent *extents; /* sorted by iova; no two overlap */
	unsigned int count;
	unsigned int room;
	struct stale *stale;
	/* Mapped, and not yet shown to the devices. */
	unsigned long new_start;
	unsigned long new_size;
};

struct page_table *table_new(void)
{
	struct page_table *table = host_grow(NULL, sizeof(*table));

	memset(table, 0, sizeof(*table));
	return table;
}

/* Adds `size` to the mapped bytes of each frame, or subtracts it. */
static void account(unsigned long phys, unsigned long size, bool map)
{
	const unsigned long start = PFN_PHYS(MEMORY_FIRST_FRAME);
	const unsigned long end = start + MEMORY_FRAMES * PAGE_SIZE;
	unsigned long frame;
	unsigned long part;

	for (; size; phys += part, size -= part) {
		part = min(size, PAGE_SIZE - (phys & ~PAGE_MASK));
		if (phys < start || phys >= end)
			continue;
		frame = (phys - start) >> PAGE_SHIFT;
		if (map && !pins[frame])
			memory_complain("a domain maps a page that is not pinned");
		mapped_bytes[frame] += map ? part : -part;
	}
}

void table_writes(unsigned long phys, unsigned long size)
{
	const unsigned long start = PFN_PHYS(MEMORY_FIRST_FRAME);
	const unsigned long end = start + MEMORY_FRAMES * PAGE_SIZE;

	for (; size; phys += PAGE_SIZE, size -= min(size, PAGE_SIZE))
		if (phys >= start && phys < end && !write_pins[(phys - start) >> PAGE_SHIFT])
			memory_complain("a device may write to a page that is pinned to be read");
}

void table_sync(struct page_table *table, unsigned long start, unsigned long last)
{
	struct stale **link = &table->stale;

	while (*link) {
		struct stale *stale = *link;

		if (stale->start < start || stale->last > last) {
			link = &stale->next;
			continue;
		}
		account(stale->phys, stale->size, false);
		*link = stale->next;
		host_drop(stale);
	}
}

static void add_stale(struct page_table *table, unsigned long start, unsigned long last,
		      unsigned long phys, unsigned long size)
{
	struct stale *stale = host_grow(NULL, sizeof(*stale));

	*stale = (struct stale){ table->stale, start, last, phys, size };
	table->stale = stale;
}

static bool overlaps_stale(const struct page_table *table, unsigned long start, unsigned long last)
{
	for (const struct stale *stale = table->stale; stale; stale = stale->next)
		if (stale->start <= last && stale->last >= start)
			return true;
	return false;
}

int table_show(struct page_table *table, unsigned long iova, unsigned long size)
{
#ifdef HARNESS_HAVE_SYNC_MAP_FAILS
	if (host_strikes(HARNESS_ARM_SHOW))
		return -ENOMEM;
#endif
	if (iova <= table->new_start &&
	    iova + size >= table->new_start + table->new_size)
		table->new_size = 0;
	return 0;
}

static void add_new(struct page_table *table, unsigned long iova, unsigned long size)
{
	if (table->new_size && table->new_start + table->new_size != iova)
		memory_complain("a domain maps on before devices see what it has mapped");
	if (!table->new_size)
		table->new_start = iova;
	table->new_size += size;
}

void table_judge(const struct page_table *table)
{
	if (table->new_size)
		memory_complain("devices do not see what a domain has mapped");
}

void table_free(struct page_table *table, int owned)
{
	table_sync(table, 0, ~0ul);
	/* VFIO unmaps the pages of a container's last domain; it frees the others as they are. */
	for (unsigned int i = 0; owned && i < table->count; i++)
		account(table->extents[i].phys, table->extents[i].size, false);
	host_drop(table->extents);
	host_drop(table);
}

/* The first extent that ends at or after the iova. */
static unsigned int find(const struct page_table *table, unsigned long iova)
{
	unsigned int low = 0;
	unsigned int high = table->count;

	while (low < high) {
		const unsigned int middle = (low + high) / 2;
		const struct extent *e = &table->extents[middle];

		if (e->iova + (e->size - 1) < iova)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void insert(struct page_table *table, unsigned int at, struct extent extent)
{
	if (table->count == table->room) {
		table->room = table->room ? 2 * table->room : 16;
		table->extents = host_grow(table->extents, table->room * sizeof(extent));
	}
	memmove(&table->extents[at + 1], &table->extents[at],
		(table->count - at) * sizeof(extent));
	table->extents[at] = extent;
	table->count++;
}

static void erase(struct page_table *table, unsigned int at)
{
	table->count--;
	memmove(&table->extents[at], &table->extents[at + 1],
		(table->count - at) * sizeof(table->extents[0]));
}

int table_map(struct page_table *table, unsigned long iova, unsigned long phys,
	      unsigned long pgsize, unsigned long count, int owned, unsigned long *mapped)
{
	const unsigned long size = pgsize * count;
	const unsigned long last = iova + (size - 1);
	unsigned int at;
	unsigned long done = size;
	int ret = 0;

	*mapped = 0;
	if ((iova | phys) & (pgsize - 1))
		memory_complain("a driver is asked to map an address that is not aligned");
	/* The new mapping replaces the old one. */
	while ((at = find(table, iova)) < table->count && table->extents[at].iova <= last) {
		const unsigned long from = max(iova, table->extents[at].iova);

		memory_complain("a domain is asked to map what it has mapped");
		table_unmap(table, from, last - from + 1, owned, true);
	}
	/* A driver may stop half-way, and returns how far it came. */
	if (host_strikes(HARNESS_ARM_MAP)) {
		done = count / 2 * pgsize;
		ret = -ENOMEM;
	}
	if (overlaps_stale(table, iova, last))
		memory_complain("a domain maps where devices may still use what was there");
	if (done) {
		add_new(table, iova, done);
		if (owned)
			account(phys, done, true);
		insert(table, at, (struct extent){ iova, phys, done, pgsize });
	}
	*mapped = done;
	return ret;
}

unsigned long table_unmap(struct page_table *table, unsigned long iova, unsigned long size,
			  int owned, int splits)
{
	const unsigned long end = iova + size;
	const unsigned long start = iova;

	/* An unmap takes back what devices never saw. */
	if (table->new_size && start <= table->new_start)
		table->new_size = 0;
	while (iova != end && iova - start < size) {
		const unsigned int at = find(table, iova);
		struct extent old;
		unsigned long from;
		unsigned long to;

		if (at == table->count || table->extents[at].iova > iova)
			break;
		old = table->extents[at];
		from = iova - old.iova;
		to = min(old.size, end - old.iova);
		if (!splits) {
			from = rounddown(from, old.pgsize);
			to = roundup(to, old.pgsize);
		}
		erase(table, at);
		if (to < old.size)
			insert(table, at, (struct extent){ old.iova + to, old.phys + to,
							   old.size - to, old.pgsize });
		if (from)
			insert(table, at, (struct extent){ old.iova, old.phys, from, old.pgsize });
		if (owned)
			add_stale(table, iova, old.iova + to - 1, old.phys + from, to - from);
		iova = old.iova + to;
	}
	return iova - start;
}

unsigned long table_phys(const struct page_table *table, unsigned long iova)
{
	const unsigned int at = find(table, iova);

	if (at == table->count || table->extents[at].iova > iova)
		return 0;
	return table->extents[at].phys + (iova - table->extents[at].iova);
}

unsigned long long table_pages(const struct page_table *table)
{
	u64 pages = 0;

	for (unsigned int i = 0; i < HARNESS_PAGES; i++)
		/* VFIO's trial at address 0 is at page 0 of a case, too: calls_add_pages(). */
		if (table_phys(table, HARNESS_PAGE_0 + i * PAGE_SIZE) || table_phys(table, i * PAGE_SIZE))
			pages |= 1ull << i;
	return pages;
}

unsigned long table_bytes(const struct page_table *table)
{
	unsigned long bytes = 0;

	for (unsigned int i = 0; i < table->count; i++)
		bytes += table->extents[i].size;
	return bytes;
}

int table_is_stale(const struct page_table *table)
{
	return table->stale != NULL;
}

void table_describe(const struct page_table *table, char *to, unsigned long size)
{
	unsigned long used = 0;

	*to = 0;
	for (unsigned int i = 0; i < table->count && used < size; i++) {
		const struct extent *e = &table->extents[i];
		const int unit = __ffs(e->pgsize) / 10;

		used += snprintf(to + used, size - used, "%lu%c*%lu ", e->pgsize >> 10 * unit,
				 "BKMG"[unit], e->size / e->pgsize);
	}
}
