/* SPDX-License-Identifier: GPL-2.0-only */
/* The one process whose memory is pinned, and what fake IOMMUs translate. */
#ifndef IOMMUCHECK_KERNEL_MEMORY_H
#define IOMMUCHECK_KERNEL_MEMORY_H

/*
 * The process's addresses, by page: frames in order, frames all over the place, a device's
 * registers (VM_PFNMAP), and a hole after them.
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

/* shim.c: the frame's struct page */
struct page* shim_frame(unsigned int frame);
int shim_frame_of(const struct page* page); /* -1: none of them */
unsigned long shim_frame_phys(unsigned int frame);

/* User space keeps the arguments of its ioctls here; copies from it and to it are real. */
struct user_memory {
  unsigned char argument[512];
  unsigned char bitmap[16384];
};
extern struct user_memory memory_user;

void memory_begin(void);
/* 0: no such address. */
unsigned long memory_phys(unsigned long vaddr);
/* The first thing that went wrong since memory_begin(), or NULL. */
const char* memory_complaint(void);
void memory_complain(const char* what);
int memory_pins(void);
/* The n-th pin or map from now on fails, once; 0: none. */
void memory_fail_pin(unsigned int nth);
void memory_fail_map(unsigned int nth);

/* Of the pages of harness.h, those that it maps. */
unsigned long long table_pages(const struct page_table* table);
unsigned long table_bytes(const struct page_table* table);

#endif
