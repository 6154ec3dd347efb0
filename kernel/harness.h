/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real kernel code in this process, behind plain C data: no kernel type crosses this line. A build
 * of one kernel tree (./dev kernel) is a shared object that exports harness_open(). Whoever loads
 * it plays cases:
 *
 *   begin(machine)  op(op) op(op) ...  end(&end)  finish(&leaks)
 *
 * finish() tears everything down by the kernel's own paths, so that the next begin() finds a clean
 * kernel. Calls append to one buffer that begin() empties. Not thread safe; one user a load.
 */
#ifndef IOMMUCHECK_KERNEL_HARNESS_H
#define IOMMUCHECK_KERNEL_HARNESS_H

/* Kernel headers have these types, and no stdint.h. */
#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdint.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Changes with any struct below. */
#define HARNESS_VERSION 4

enum {
  HARNESS_DRIVERS = 8,
  HARNESS_TABLES = 16,
  HARNESS_INSTANCES = 16,
  HARNESS_DEVICES = 64,
  HARNESS_CONTAINERS = 4,
  HARNESS_MASTERS = 2,
  HARNESS_REGIONS = 2,
  HARNESS_PAGES = 64,
  HARNESS_DOMAINS = 192,
  HARNESS_FAULTS = 2,
  HARNESS_BUSES = 6,
  HARNESS_WARNS = 16, /* places that are kept; more are counted */
  HARNESS_NONE = 0xff,
  HARNESS_NO_DOMAIN = 0xffff,
};

/* platform, pci, amba, fsl-mc, host1x, cdx, as in model/topology.h */

/*
 * Page 0 of the addresses that a case has, of IOVA and of user memory alike. The last page is the
 * last that there is, so that what wraps around in the case does so in the kernel.
 */
#define HARNESS_PAGE_0 (0ull - HARNESS_PAGES * 4096ull)

/* Features of the tree, by probes at build time. */
enum {
  HARNESS_BUS_OPS = 1 << 0,         /* bus_type.iommu_ops */
  HARNESS_DOMAIN_OWNER = 1 << 1,    /* iommu_domain.owner */
  HARNESS_ALLOC_BY_DEV = 1 << 2,    /* iommu_paging_domain_alloc() */
  HARNESS_DETACH_DEV = 1 << 3,      /* iommu_domain_ops.detach_dev */
  HARNESS_DMA_CONFIGURE = 1 << 4,   /* probe applies the firmware description */
  HARNESS_REATTACH = 1 << 5,        /* __iommu_attach_group() goes back to the old domain */
  HARNESS_DEFER_UNSET = 1 << 6,     /* iommu_device_use_default_domain() says -EPROBE_DEFER */
  HARNESS_PASID = 1 << 7,           /* iommu_attach_device_pasid() */
  HARNESS_IDENTITY_DOMAIN = 1 << 8, /* iommu_ops.identity_domain */
};

struct harness_driver {
  uint8_t address;        /* which storage its iommu_ops lie in: a driver's number */
  uint8_t table;          /* default_domain_ops */
  uint8_t other_firmware; /* the platform layer never probes it: register is -ENODEV */
  uint8_t same_instance;  /* attach_dev refuses a domain of another instance */
  uint8_t refuses_foreign;
  uint8_t instance_groups;
  uint8_t default_domains; /* asked for a DMA domain by type, it gives one */
  uint8_t coherent;
  uint8_t accepts_foreign;
  uint8_t deferred;
  uint8_t nesting;
  uint8_t static_identity;
  uint8_t checks_snoop; /* attach_dev refuses a coherent domain behind one that is not */
  uint8_t drops_old;
  uint8_t mismatch_errno; /* 0: EINVAL */
  uint8_t whole_pages;    /* a large page is unmapped whole; never so in a case */
};

struct harness_instance {
  uint8_t driver;
  uint8_t fwnode;
  uint8_t table;
  uint8_t enforces_coherency;
  uint8_t isolates_msi;
  /* Of a domain that is bound to the instance; before, its pages are of 4K and lie anywhere. */
  uint64_t aperture_start;
  uint64_t aperture_end; /* included */
  uint64_t page_sizes;   /* bit n: 2^n bytes */
};

/* As Region::Type, DeviceKind and DefaultType in model/topology.h, in their order. */
enum harness_region_type {
  HARNESS_NO_REGION,
  HARNESS_DIRECT,
  HARNESS_DIRECT_RELAXABLE,
  HARNESS_RESERVED,
  HARNESS_MSI,
  HARNESS_SW_MSI,
};
enum harness_device_kind { HARNESS_REAL, HARNESS_MDEV };
enum harness_default_type { HARNESS_ANY_TYPE, HARNESS_TYPE_IDENTITY, HARNESS_TYPE_DMA };

struct harness_region {
  uint8_t type;
  uint64_t start;
  uint64_t length;
};

struct harness_device {
  uint8_t bus;
  uint8_t masters[HARNESS_MASTERS];
  uint8_t alias;
  uint8_t slot;
  uint8_t absent;
  uint8_t kind;
  uint8_t default_type;
  struct harness_region regions[HARNESS_REGIONS];
};

struct harness_settings {
  uint8_t passthrough;
  uint8_t unsafe_interrupts;
  uint8_t dma_entries;
  uint8_t memlock; /* pages; HARNESS_NONE: CAP_IPC_LOCK */
};

struct harness_machine {
  struct harness_settings settings;
  uint8_t drivers_count;
  uint8_t instances_count;
  uint8_t devices_count;
  uint8_t table_address[HARNESS_TABLES]; /* tables at one address have the same number */
  struct harness_driver drivers[HARNESS_DRIVERS];
  struct harness_instance instances[HARNESS_INSTANCES];
  struct harness_device devices[HARNESS_DEVICES];
};

/* As OpKind and Fault in model/op.h, in their order. */
enum harness_op_kind {
  HARNESS_REGISTER,
  HARNESS_UNREGISTER,
  HARNESS_ADD,
  HARNESS_REMOVE,
  HARNESS_CONFIGURE,
  HARNESS_SET_CONTAINER,
  HARNESS_SET_IOMMU,
  HARNESS_UNSET_CONTAINER,
  HARNESS_OPEN,  /* never possible here */
  HARNESS_CLOSE, /* never possible here */
  HARNESS_GET_DEVICE,
  HARNESS_PUT_DEVICE,
  HARNESS_MAP,
  HARNESS_UNMAP,
  HARNESS_PIN,
  HARNESS_UNPIN,
  HARNESS_BIND,
  HARNESS_UNBIND,
  HARNESS_DMA,
  HARNESS_ATTACH_PASID,
  HARNESS_DETACH_PASID,
};
/* Flags of an op, as in model/op.h. */
enum {
  HARNESS_READ = 1,
  HARNESS_WRITE = 2,
  HARNESS_VADDR = 4,
  HARNESS_ALL = 8,
};
enum harness_fault_kind {
  HARNESS_NO_FAULT,
  HARNESS_FAIL_ATTACH,
  HARNESS_FAIL_ALLOC,
  HARNESS_FAIL_PROBE,
  HARNESS_FAIL_MALLOC,      /* what vfio_iommu_type1.c asks for itself */
  HARNESS_FAIL_MAP,         /* iommu_map() */
  HARNESS_FAIL_PIN,         /* pin_user_pages_remote() */
  HARNESS_FAIL_ATTACH_CALL, /* the n-th attach_dev() that no fault of a device strikes */
};
struct harness_fault {
  uint8_t kind;
  uint8_t target;
  uint8_t count; /* 255: every call */
  uint8_t error;
};
struct harness_op {
  uint8_t kind;
  uint8_t a;
  uint8_t b;     /* set-iommu: the type, as VFIO_SET_IOMMU has it */
  uint8_t first; /* pages of IOVA */
  uint8_t count;
  uint8_t vaddr; /* page of user memory */
  uint8_t flags;
  struct harness_fault faults[HARNESS_FAULTS];
};

/* As conform::Call, in its order. */
enum harness_call_kind {
  HARNESS_PROBE,
  HARNESS_ALLOC,
  HARNESS_ATTACH,
  HARNESS_DETACH,
  HARNESS_FREE,
  HARNESS_RELEASE,
  HARNESS_MAPPED,   /* pages of a case; what goes on where the call before ended is one with it */
  HARNESS_UNMAPPED, /* likewise */
  HARNESS_COOKIE,   /* iommu_get_msi_cookie() */
  HARNESS_HELD,     /* what user space holds after the op, where it is not as before */
};
struct harness_call {
  uint8_t kind;
  uint8_t driver;
  uint8_t table;
  uint8_t instance;
  uint8_t device;
  uint16_t domain;
  int16_t error;
  /* attach: the driver that serves the device, for a judge of cross-driver attaches. */
  uint8_t device_driver;
  uint8_t first; /* mapped, unmapped: pages of IOVA */
  uint8_t count;
  uint16_t pins;   /* held: of user memory */
  uint16_t locked; /* held: mm->locked_vm */
};

struct harness_warn {
  const char* function;
  const char* file;
  int line;
  int count;
};

struct harness_mapped {
  uint16_t domain;
  uint64_t pages; /* bit per page of IOVA */
};

/* Where the machine is, asked before finish(). */
struct harness_end {
  int32_t group[HARNESS_DEVICES];          /* iommu_group_id(), -1: none */
  int32_t domain[HARNESS_DEVICES];         /* number of group->domain, -1: none */
  int32_t default_domain[HARNESS_DEVICES]; /* number of group->default_domain, -1: none */
  int32_t owner_cnt[HARNESS_DEVICES];      /* group->owner_cnt */
  uint8_t owned[HARNESS_DEVICES];          /* group->owner is set */
  int domains;
  int warns;
  uint32_t mapped_count;
  struct harness_mapped mapped[HARNESS_DOMAINS]; /* of those that map any, newest first */
};

/* References to modules (of drivers, of type1), devices, fwnodes, the mm and the task. */
enum harness_reference {
  HARNESS_REF_MODULE,
  HARNESS_REF_DEVICE,
  HARNESS_REF_FWNODE,
  HARNESS_REF_TASK,
  HARNESS_REFERENCES,
};
/* Left after the teardown; all zero in a sound kernel. */
struct harness_leaks {
  int domains;
  int objects; /* kmalloc, kmem_cache, pages */
  int written; /* objects that were written to after they were freed; ASan tells of them itself */
  int locks;   /* mutexes and semaphores held */
  int references[HARNESS_REFERENCES]; /* less than 0: dropped too often */
  int pins;                           /* of user memory */
  int locked;                         /* mm->locked_vm */
};

/* op() and finish() say so where the kernel dereferenced a wild pointer and HARNESS_CATCH_OOPS was
 * given. Locks are then held and lists half-written: this load of the library is of no more use,
 * and its user is to dlclose() and load it again. */
#define HARNESS_OOPS (-100000)
/* There is no such group, instance or device, or it is not in a state for the op: the model's
 * "not possible". Nothing was done. */
#define HARNESS_NOT_POSSIBLE (-100001)

struct harness {
  const char* name;    /* "linux-source-6.12 6.12.117-1" */
  const char* flavour; /* "plain" or "fuzz" */
  uint32_t features;
  uint32_t buses; /* bit per bus that iommu_buses[] has */

  /* NULL, or why the machine cannot be built here, such as a bus that the kernel has not. */
  const char* (*fits)(const struct harness_machine* machine);
  void (*begin)(const struct harness_machine* machine);
  /* 0 or a negative errno, as the caller of the op sees it. */
  int (*op)(const struct harness_op* op);
  /* All calls since begin(). Valid until the next op() or begin(). */
  const struct harness_call* (*calls)(uint32_t* count);
  /* WARNs since begin(), by place. */
  const struct harness_warn* (*warns)(uint32_t* count);
  void (*end)(struct harness_end* end);
  int (*finish)(struct harness_leaks* leaks);
};

/* Catch SIGSEGV and SIGBUS in kernel code, instead of leaving them to the sanitizer or the shell.
 */
#define HARNESS_CATCH_OOPS 1U

/* NULL if the version is another. Initialises the kernel code once. */
typedef const struct harness* (*harness_open_fn)(uint32_t version, uint32_t flags);
const struct harness* harness_open(uint32_t version, uint32_t flags);

#ifdef __cplusplus
}
#endif

#endif
