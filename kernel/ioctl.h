/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the real code can do and the model cannot: mappings, ioctls, devices without an IOMMU, users
 * in the kernel, sysfs. Beside the cases of harness.h, on the same machine:
 *
 *   shape(shape)  harness.begin(machine)  arm(..) op(..) / harness.op(..) ...
 *   judge()  harness.finish(&leaks)  judge()
 *
 * begin() forgets what was before, and finish() undoes what ops did before it tears down the rest.
 */
#ifndef IOMMUCHECK_KERNEL_IOCTL_H
#define IOMMUCHECK_KERNEL_IOCTL_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdint.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

enum { HARNESS_EMULATED = 2, HARNESS_USERS = 4 };

/* What the machine is like where the model makes no difference. All zero: as for the model. */
struct harness_shape {
  uint8_t page_sizes;        /* 0 to 5: 4K; +2M; +64K; 1K+4K; 4K+1G; 4K+16K+2M */
  uint8_t whole_large_pages; /* unmapping a part of a large page unmaps it all */
  uint8_t aperture;          /* 0: 64 bit; 1: 32 bit; 2: as 1 for driver 1 only; 3: from 1 MiB on */
  uint8_t regions;           /* reserved: 0 none, 1 MSI, 2 software MSI, 3 direct and relaxable */
  uint8_t no_isolated_msi;
  uint8_t unsafe_interrupts; /* the module's allow_unsafe_interrupts */
  uint8_t may_lock;          /* CAP_IPC_LOCK */
  uint8_t few_mappings;      /* dma_entry_limit is 4 */
  uint8_t deferred;          /* as after a crash: devices wait with their first attach */
};

enum harness_arm {
  HARNESS_ARM_NONE,
  HARNESS_ARM_ALLOC,  /* the n-th allocation of kernel memory is refused */
  HARNESS_ARM_MAP,    /* the n-th map_pages() stops half-way with -ENOMEM */
  HARNESS_ARM_PIN,    /* the n-th page cannot be pinned */
  HARNESS_ARM_ATTACH, /* the n-th attach_dev() is refused with -ENOMEM */
  HARNESS_ARM_LOCK,   /* RLIMIT_MEMLOCK is n pages */
};

enum harness_ioctl_kind {
  HARNESS_IO_MAP,             /* container, flags, iova, size, vaddr */
  HARNESS_IO_UNMAP,           /* container, flags, iova, size; bitmap of `count` bytes */
  HARNESS_IO_INFO,            /* container, count: argsz */
  HARNESS_IO_CHECK_EXTENSION, /* container, count */
  HARNESS_IO_DIRTY,           /* container, flags, iova, size; bitmap of `count` bytes */
  HARNESS_IO_SET_IOMMU,       /* container, count: the type */
  HARNESS_IO_RAW,             /* container, count: command, flags: argsz */
  HARNESS_IO_EMULATED_OPEN,   /* a: device, container */
  HARNESS_IO_EMULATED_CLOSE,  /* a */
  HARNESS_IO_PIN,             /* a, iova, count pages, flags: IOMMU_READ, IOMMU_WRITE */
  HARNESS_IO_UNPIN,           /* a, iova, count pages */
  HARNESS_IO_DMA_RW,          /* a, iova, count bytes, flags: write */
  HARNESS_IO_BIND,            /* a: device, a driver that uses the DMA API */
  HARNESS_IO_UNBIND,          /* a */
  HARNESS_IO_CLAIM,           /* a: device, by another owner; flags: by device, not by group */
  HARNESS_IO_RELEASE,         /* a */
  HARNESS_IO_ATTACH,          /* a: device, by a user in the kernel; flags: by group */
  HARNESS_IO_DETACH,          /* a */
  HARNESS_IO_KERNEL_MAP,      /* a: device, iova, size, vaddr: physical address */
  HARNESS_IO_KERNEL_UNMAP,    /* a, iova, size */
  HARNESS_IO_STORE_TYPE,      /* a: device, count: 0 to 4: identity, DMA, DMA-FQ, auto, other */
  HARNESS_IO_SHOW,            /* a: device */
  HARNESS_IO_UNREGISTER,      /* a: instance; not while one of its devices is in use */
  HARNESS_IO_KINDS,
};

struct harness_ioctl_op {
  uint8_t kind;
  uint8_t container;
  uint8_t a;
  uint32_t flags;
  uint32_t count;
  uint64_t iova;
  uint64_t size;
  uint64_t vaddr;
};

struct harness_ioctl {
  uint64_t memory; /* where the process's memory starts; kernel/memory.h lays it out */
  uint32_t memory_pages;
  void (*shape)(const struct harness_shape* shape);
  /* For the next op, of either interface. */
  void (*arm)(uint8_t arm, uint8_t nth);
  /* As harness.op(). */
  int (*op)(const struct harness_ioctl_op* op);
  /* NULL, or what is wrong now; after finish(), what is left, too. */
  const char* (*judge)(void);
};

typedef const struct harness_ioctl* (*harness_ioctl_open_fn)(void);
/* After harness_open(). */
const struct harness_ioctl* harness_ioctl_open(void);

#ifdef __cplusplus
}
#endif

#endif
