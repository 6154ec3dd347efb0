/* SPDX-License-Identifier: GPL-2.0-only */
/* The memory of the one process, which VFIO pins, and the pages that fake IOMMUs map. */
#ifndef IOMMUCHECK_KERNEL_MEMORY_H
#define IOMMUCHECK_KERNEL_MEMORY_H

/*
 * The layout of the process's addresses, in pages: frames in order, frames scattered over memory, a
 * device's registers (VM_PFNMAP), and a hole at the end. The last of the scattered frames is the zero
 * page, which is reserved, and the one before it can be read only.
 */
#define MEMORY_START 0x10000000ul
enum {
  MEMORY_FRAMES = 1024,
  MEMORY_SCATTERED = 1024,
  MEMORY_REGISTERS = 1536,
  MEMORY_HOLE = 1664,
  MEMORY_END = 2048,
};

/* The frames are the pages of the kernel from this page frame number on. */
enum { MEMORY_FIRST_FRAME = 1024, MEMORY_ZERO_FRAME = MEMORY_FIRST_FRAME + MEMORY_FRAMES };

/* Below the addresses of cases: as many pages that nobody has written to. All are the zero page. */
#define MEMORY_NEVER_WRITTEN (HARNESS_PAGE_0 - 2 * HARNESS_PAGES * 4096ull)

struct page_table;

/* User space puts the arguments of its ioctls here; copies from and to this memory are real. */
struct user_memory {
  unsigned char argument[512];
  unsigned char bitmap[16384];
  unsigned char read_only[64];
};
extern struct user_memory memory_user;

void memory_begin(void);
/* 0: there is no such address. */
unsigned long memory_phys(unsigned long vaddr);
/* The first thing that went wrong since memory_begin(), or NULL. */
extern const char* memory_complaint;
void memory_complain(const char* what);
extern int memory_pins;

/* Which pages of a case (HARNESS_PAGE_0 and after) the table maps, a bit each. */
unsigned long long table_pages(const struct page_table* table);
unsigned long table_bytes(const struct page_table* table);
/* Complains if devices do not see all that is mapped. */
void table_judge(const struct page_table* table);
/* Whether devices may still use what was unmapped. */
int table_is_stale(const struct page_table* table);
/* How it was mapped, call by call in the order of IOVA: "4K*2 2M*1 ". */
void table_describe(const struct page_table* table, char* to, unsigned long size);

/* Flags of user space that is newer than the kernel: no header of 5.10 has them. */
#ifndef VFIO_DMA_MAP_FLAG_VADDR
#define VFIO_DMA_MAP_FLAG_VADDR (1 << 2)
#define VFIO_DMA_UNMAP_FLAG_ALL (1 << 1)
#define VFIO_DMA_UNMAP_FLAG_VADDR (1 << 2)
#endif

#endif
