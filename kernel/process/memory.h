/* SPDX-License-Identifier: GPL-2.0-only */
/* The memory of the one process, which VFIO pins, and the pages that fake IOMMUs map. */
#ifndef IOMMUCHECK_KERNEL_MEMORY_H
#define IOMMUCHECK_KERNEL_MEMORY_H

/*
 * The layout of the process's addresses, in pages: frames in order, frames scattered over memory, a
 * device's registers (VM_PFNMAP), and a hole at the end.
 */
#define MEMORY_START 0x10000000ul
enum {
  MEMORY_FRAMES = 1024,
  MEMORY_SCATTERED = 1024,
  MEMORY_REGISTERS = 1536,
  MEMORY_HOLE = 1664,
  MEMORY_END = 2048,
};

struct page_table;
struct page;

/* shim.c: the struct page of a frame */
struct page* shim_frame(unsigned int frame);
int shim_frame_of(const struct page* page); /* -1: it is none of these */
unsigned long shim_frame_phys(unsigned int frame);

/* User space puts the arguments of its ioctls here; copies from and to this memory are real. */
struct user_memory {
  unsigned char argument[512];
  unsigned char bitmap[16384];
};
extern struct user_memory memory_user;

void memory_begin(void);
/* 0: there is no such address. */
unsigned long memory_phys(unsigned long vaddr);
/* The first thing that went wrong since memory_begin(), or NULL. */
const char* memory_complaint(void);
void memory_complain(const char* what);
int memory_pins(void);
/* The n-th pin or map from now on fails, once; 0: none fails. */
void memory_fail_pin(unsigned int nth);
void memory_fail_map(unsigned int nth);

/* Which pages of a case (HARNESS_PAGE_0 and after) the table maps, a bit each. */
unsigned long long table_pages(const struct page_table* table);
unsigned long table_bytes(const struct page_table* table);

#endif
