/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ops that cases lack: any ioctl of a container, scattered memory, dirty pages, owners and users of
 * groups in the kernel, sysfs, failures inside of a call. They can be mixed with the ops of
 * harness.h, on the same machine:
 *
 *   harness.begin(machine)  harness.op(..) / arm(..) op(..) ...  judge()  harness.finish(&leaks)
 *
 * begin() also resets the state of these ops, and finish() undoes what they did before the rest of
 * the teardown.
 */
#ifndef IOMMUCHECK_KERNEL_EXTRA_H
#define IOMMUCHECK_KERNEL_EXTRA_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdint.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

enum harness_arm {
  HARNESS_ARM_NONE,
  HARNESS_ARM_ALLOC,  /* the n-th allocation of kernel memory fails */
  HARNESS_ARM_MAP,    /* the n-th map_pages() stops half-way with -ENOMEM */
  HARNESS_ARM_PIN,    /* the n-th page cannot be pinned */
  HARNESS_ARM_ATTACH, /* the n-th attach_dev() that may fail returns -ENOMEM */
};

enum harness_extra_kind {
  HARNESS_EXTRA_IOCTL,        /* container, count: command, argument */
  HARNESS_EXTRA_EXTENSION,    /* container, count: VFIO_CHECK_EXTENSION */
  HARNESS_EXTRA_DMA_RW,       /* a: emulated device, open; iova, count bytes, flags: write */
  HARNESS_EXTRA_CLAIM,        /* a: device, by another owner; flags: by device, not by group */
  HARNESS_EXTRA_RELEASE,      /* a */
  HARNESS_EXTRA_ATTACH,       /* a: device, by a user in the kernel; flags: by group */
  HARNESS_EXTRA_DETACH,       /* a */
  HARNESS_EXTRA_KERNEL_MAP,   /* a: device, iova, size, paddr, flags: IOMMU_READ, IOMMU_WRITE */
  HARNESS_EXTRA_KERNEL_UNMAP, /* a, iova, size */
  HARNESS_EXTRA_STORE_TYPE,   /* a: device, count: 0 to 4: identity, DMA, DMA-FQ, auto, other */
  HARNESS_EXTRA_SHOW,         /* a: device */
  HARNESS_EXTRA_KINDS,
};

struct harness_extra_op {
  uint8_t kind;
  uint8_t container;
  uint8_t a;
  uint32_t flags;
  uint32_t count;
  uint64_t iova;
  uint64_t size;
  uint64_t paddr;
  uint64_t argument[6]; /* the memory that the ioctl's pointer points at; zero after it */
};

struct harness_extra {
  uint64_t memory; /* start of the process's memory; for its layout see kernel/process/memory.h */
  uint64_t bitmap; /* where user space has room for dirty bitmaps */
  /* Applies to the next op of either interface. */
  void (*arm)(uint8_t arm, uint8_t nth);
  /* Returns like harness.op(). */
  int (*op)(const struct harness_extra_op* op);
  /* Bit per page of a case that the drivers of the container's emulated devices have pinned. */
  uint64_t (*pinned)(uint8_t container);
  /* NULL, or a description of what is wrong now. */
  const char* (*judge)(void);
};

typedef const struct harness_extra* (*harness_extra_open_fn)(void);
/* Call this after harness_open(). */
const struct harness_extra* harness_extra_open(void);

#ifdef __cplusplus
}
#endif

#endif
