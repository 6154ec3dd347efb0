/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real kernel code in this process. The interface is plain C data, without kernel types. A build of
 * one kernel tree (./dev kernel) is a shared object that exports harness_open(). Programs that load
 * it play cases:
 *
 *   begin(machine)  op(op) op(op) ...  end(&end)  finish(&leaks)
 *   begin(machine)  op(op) extra->op(op) ...  extra->judge()  finish(&leaks)
 *
 * The ops of `extra` are those that cases lack. finish() tears everything down with the kernel's
 * own code, so that the next begin() finds a clean kernel. Calls are appended to one buffer that
 * begin() empties. Not thread safe; one user for each loaded library.
 */
#ifndef IOMMUCHECK_KERNEL_HARNESS_H
#define IOMMUCHECK_KERNEL_HARNESS_H

/* Kernel headers define these types, and there is no stdint.h. */
#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdint.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Changes whenever a struct below changes. */
#define HARNESS_VERSION 13

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
  HARNESS_PLATFORM = 0, /* the numbers of these two buses */
  HARNESS_PCI = 1,
  HARNESS_BUSES = 6,  /* platform, pci, amba, fsl-mc, host1x, cdx, as in model/topology.h */
  HARNESS_WARNS = 16, /* places that are recorded; warns() counts all */
  HARNESS_NONE = 0xff,
  HARNESS_NO_DOMAIN = 0xffff,
};

/*
 * The address of page 0 of a case, for IOVA and user memory alike. The last page of a case is the
 * last page of the address space, so that a range that wraps around in the case wraps in the
 * kernel, too.
 */
#define HARNESS_PAGE_0 (0ull - HARNESS_PAGES * 4096ull)

/* Features of the tree, found by probes at build time. */
enum {
  HARNESS_BUS_OPS = 1 << 0,         /* bus_type.iommu_ops */
  HARNESS_DOMAIN_OWNER = 1 << 1,    /* iommu_domain.owner */
  HARNESS_ALLOC_BY_DEV = 1 << 2,    /* iommu_paging_domain_alloc() */
  HARNESS_DETACH_DEV = 1 << 3,      /* iommu_domain_ops.detach_dev */
  HARNESS_DMA_CONFIGURE = 1 << 4,   /* probe calls bus->dma_configure() */
  HARNESS_REATTACH = 1 << 5,        /* __iommu_attach_group() goes back to the old domain */
  HARNESS_DEFER_UNSET = 1 << 6,     /* iommu_device_use_default_domain() may return -EPROBE_DEFER */
  HARNESS_PASID = 1 << 7,           /* iommu_attach_device_pasid() */
  HARNESS_IDENTITY_DOMAIN = 1 << 8, /* iommu_ops.identity_domain */
  HARNESS_RESETS = 1 << 9,          /* pci_dev_reset_iommu_prepare() */
  HARNESS_ROLLBACK_FAILING = 1 << 10, /* the device that fails to attach is set back, too */
  HARNESS_MAP_IOMMU_ID = 1 << 11,     /* of_map_iommu_id() */
  HARNESS_BUS_SET_IOMMU = 1 << 12,    /* drivers claim buses by bus_set_iommu() */
  HARNESS_OPS_PER_DRIVER = 1 << 13,   /* domain->ops is the driver's iommu_ops */
  HARNESS_DMA_OWNER = 1 << 14,        /* iommu_group_claim_dma_owner() */
  HARNESS_SAME_BUS = 1 << 15,         /* vfio_bus_type() in vfio_iommu_type1.c */
  HARNESS_UPDATE_VADDR = 1 << 16,     /* VFIO_DMA_MAP_FLAG_VADDR */
  HARNESS_SET_PLATFORM_DMA = 1 << 17, /* iommu_ops.set_platform_dma_ops */
};

/* Like Claim in model/topology.h, in this order. */
enum harness_claim {
  HARNESS_CLAIM_NONE,
  HARNESS_CLAIM_STRICT,
  HARNESS_CLAIM_OWN_OK,
  HARNESS_CLAIM_SKIP,
  HARNESS_CLAIM_IGNORE,
  HARNESS_CLAIM_STORE,
};

struct harness_driver {
  uint8_t address;        /* which storage has its iommu_ops: a driver's number */
  uint8_t table;          /* default_domain_ops */
  uint8_t other_firmware; /* firmware never reports it: register returns -ENODEV */
  uint8_t same_instance;  /* attach_dev refuses a domain of another instance */
  uint8_t refuses_foreign;
  uint8_t instance_groups;
  uint8_t default_domains; /* allocates a DMA domain if asked for one by type */
  uint8_t coherent;
  uint8_t accepts_foreign;
  uint8_t deferred;
  uint8_t nesting;
  uint8_t static_identity;
  uint8_t checks_snoop; /* attach_dev compares coherency of domain and instance */
  uint8_t drops_old;
  uint8_t mismatch_errno; /* 0: EINVAL */
  /* Never in a case. */
  uint8_t whole_pages;    /* only whole large pages can be unmapped */
  uint8_t release_domain; /* a static domain, on which the core must release its devices */
  uint8_t default_domain; /* a static domain, which is the default one of its groups */
  uint8_t snoops;         /* IOMMU_CAP_ENFORCE_CACHE_COHERENCY, where the kernel asks */
  /* Up to and including 6.0: what it does to the buses when an instance comes or goes. */
  uint8_t claims[HARNESS_BUSES]; /* enum harness_claim */
  uint8_t claim_order[HARNESS_BUSES];
  uint8_t claims_once;
  uint8_t unwinds;
  uint8_t clears;
};

struct harness_instance {
  uint8_t driver;
  uint8_t fwnode;
  uint8_t table;
  uint8_t enforces_coherency;
  uint8_t isolates_msi;
  /* Of domains that are bound to the instance. Unbound ones map pages of 4K at any address. */
  uint64_t aperture_start;
  uint64_t aperture_end; /* the last address */
  uint64_t page_sizes;   /* bit n: 2^n bytes */
};

/* Like Firmware, Region::Type, DeviceKind, DefaultType and Bridge in model/topology.h, in this order. */
enum harness_firmware { HARNESS_ANY_FIRMWARE, HARNESS_ACPI, HARNESS_DEVICE_TREE };
enum harness_region_type {
  HARNESS_NO_REGION,
  HARNESS_DIRECT,
  HARNESS_DIRECT_RELAXABLE,
  HARNESS_RESERVED,
  HARNESS_MSI,
  HARNESS_SW_MSI,
};
enum harness_device_kind { HARNESS_REAL, HARNESS_MDEV, HARNESS_NOIOMMU };
enum harness_default_type { HARNESS_ANY_TYPE, HARNESS_TYPE_IDENTITY, HARNESS_TYPE_DMA };

enum harness_bridge {
  HARNESS_ENDPOINT,
  HARNESS_ROOT_PORT,
  HARNESS_UPSTREAM,
  HARNESS_DOWNSTREAM,
  HARNESS_PCIE_TO_PCI,
  HARNESS_PCI_TO_PCIE,
  HARNESS_PCI_TO_PCI,
};

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
  uint8_t bridge; /* enum harness_bridge */
  uint8_t below;  /* the bridge; HARNESS_NONE: on the root bus */
  uint8_t acs;
  uint8_t absent;
  uint8_t kind;
  uint8_t default_type;
  uint8_t ats; /* pci_ats_supported() */
  /* Never in a case. */
  uint8_t migrates;   /* its VFIO driver has migration, logs DMA, and may pin */
  uint8_t pasid_bits; /* what firmware says of it; 0: nothing */
  struct harness_region regions[HARNESS_REGIONS];
};

struct harness_settings {
  uint8_t passthrough;
  uint8_t unsafe_interrupts;
  uint8_t dma_entries;
  uint8_t memlock;     /* pages; HARNESS_NONE: CAP_IPC_LOCK */
  uint8_t small_pages; /* disable_hugepages of type1; never in a case */
};

struct harness_machine {
  struct harness_settings settings;
  uint8_t firmware; /* what describes the devices; HARNESS_ANY_FIRMWARE: a device tree */
  uint8_t drivers_count;
  uint8_t instances_count;
  uint8_t devices_count;
  uint8_t table_address[HARNESS_TABLES]; /* tables at one address have the same number */
  struct harness_driver drivers[HARNESS_DRIVERS];
  struct harness_instance instances[HARNESS_INSTANCES];
  struct harness_device devices[HARNESS_DEVICES];
};

/* Like OpKind and Fault in model/op.h, in the same order. */
enum harness_op_kind {
  HARNESS_REGISTER,
  HARNESS_UNREGISTER,
  HARNESS_ADD,
  HARNESS_REMOVE,
  HARNESS_CONFIGURE,
  HARNESS_SET_CONTAINER,
  HARNESS_SET_IOMMU,
  HARNESS_UNSET_CONTAINER,
  HARNESS_OPEN,
  HARNESS_CLOSE,
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
  HARNESS_RESET,
  HARNESS_RESET_DONE,
};
/* Flags of an op, as in model/op.h. */
enum {
  HARNESS_UNPRIVILEGED = 1, /* of ops of users without CAP_SYS_RAWIO */
  HARNESS_READ = 1,
  HARNESS_WRITE = 2,
  HARNESS_VADDR = 4,
  HARNESS_ALL = 8,
  HARNESS_ZERO_PAGE = 16, /* without HARNESS_WRITE: memory that was never written */
};
enum harness_fault_kind {
  HARNESS_NO_FAULT,
  HARNESS_FAIL_ATTACH,
  HARNESS_FAIL_ALLOC,
  HARNESS_FAIL_PROBE,
  HARNESS_FAIL_MALLOC,      /* type1's own allocations */
  HARNESS_FAIL_MAP,         /* iommu_map() */
  HARNESS_FAIL_PIN,         /* pin_user_pages_remote() */
  HARNESS_FAIL_ATTACH_CALL, /* the n-th attach_dev() that HARNESS_FAIL_ATTACH lets through */
  HARNESS_FAIL_DRIVER,      /* probe() of the driver that binds */
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
  uint8_t b;     /* set-iommu: the type, as in VFIO_SET_IOMMU */
  uint8_t first; /* pages of IOVA */
  uint8_t count;
  uint8_t vaddr; /* page of user memory */
  uint8_t flags;
  struct harness_fault faults[HARNESS_FAULTS];
};

/* Like conform::Call, in the same order. */
enum harness_call_kind {
  HARNESS_PROBE,
  HARNESS_ALLOC,
  HARNESS_ATTACH,
  HARNESS_DETACH,
  HARNESS_FREE,
  HARNESS_RELEASE,
  HARNESS_MAPPED,    /* pages of a case; merged with a call that ended where it begins */
  HARNESS_UNMAPPED,  /* as HARNESS_MAPPED */
  HARNESS_COOKIE,    /* iommu_get_msi_cookie() */
  HARNESS_SET_PASID, /* set_dev_pasid() */
  HARNESS_HELD,      /* pins and locked pages after the op, if they have changed */
};
struct harness_call {
  uint8_t kind;
  uint8_t driver;
  uint8_t table;
  uint8_t instance;
  uint8_t device;
  uint16_t domain;
  int16_t error;
  uint8_t foreign; /* attach: the domain is not of the driver that serves the device */
  uint8_t first;   /* mapped, unmapped: pages of IOVA */
  uint8_t count;
  uint16_t pins;   /* held: pins of user memory */
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
  uint64_t pages; /* bit per mapped page of IOVA */
};

/* The state of the machine; call end() before finish(). */
struct harness_end {
  int32_t group[HARNESS_DEVICES];          /* iommu_group_id(), -1: none */
  int32_t domain[HARNESS_DEVICES];         /* number of group->domain, -1: none */
  int32_t default_domain[HARNESS_DEVICES]; /* number of group->default_domain, -1: none */
  int32_t owner_cnt[HARNESS_DEVICES];      /* group->owner_cnt */
  uint8_t owned[HARNESS_DEVICES];          /* group->owner is set */
  int domains;
  int warns;
  uint32_t mapped_count;
  struct harness_mapped mapped[HARNESS_DOMAINS]; /* of the domains that map any, newest first */
};

/* Kinds of references: to modules (of drivers, of type1), devices, fwnodes, the mm and the task. */
enum harness_reference {
  HARNESS_REF_MODULE,
  HARNESS_REF_DEVICE,
  HARNESS_REF_FWNODE,
  HARNESS_REF_TASK,
  HARNESS_REF_SYSFS, /* files, folders and links */
  HARNESS_REFERENCES,
};
/* Resources that are left after the teardown; all zero in a correct kernel. */
struct harness_leaks {
  int domains;
  int objects; /* kmalloc, kmem_cache, pages */
  int written; /* objects that were written to after they were freed; ASan reports these itself */
  int locks;   /* mutexes and semaphores held */
  int references[HARNESS_REFERENCES]; /* negative: dropped too often */
  int pins;                           /* pins of user memory */
  int locked;                         /* mm->locked_vm */
};

/*
 * op() and finish() return this if the kernel dereferenced a wild pointer and HARNESS_CATCH_OOPS
 * was given. Locks are then held and lists half-written: this load of the library must not be used
 * any more; close it with dlclose() and load it again.
 */
#define HARNESS_OOPS (-100000)
/*
 * The group, instance or device does not exist, or is not in a state for the op: the model's "not
 * possible". Nothing was done.
 */
#define HARNESS_NOT_POSSIBLE (-100001)
/*
 * VFIO waits for user space, which has the device open. User space has closed it then, and the op
 * went on to its end.
 */
#define HARNESS_BLOCKS (-100002)

/* --- ops that cases lack: any ioctl, scattered memory, users in the kernel, sysfs, failures --- */

enum harness_arm {
  HARNESS_ARM_NONE,
  HARNESS_ARM_ALLOC,  /* the n-th allocation of kernel memory fails */
  HARNESS_ARM_MAP,    /* the n-th map_pages() stops half-way with -ENOMEM */
  HARNESS_ARM_PIN,    /* the n-th page cannot be pinned */
  HARNESS_ARM_ATTACH, /* the n-th attach_dev() that may fail returns -ENOMEM */
  HARNESS_ARM_SYSFS,  /* the n-th file, folder or link in sysfs cannot be made: -ENOMEM */
  HARNESS_ARM_SHOW,   /* the n-th iotlb_sync_map() returns -ENOMEM, where it can */
  HARNESS_ARM_PASID,  /* the n-th set_dev_pasid() returns -ENOMEM */
  HARNESS_ARMS,
};

enum harness_extra_kind {
  HARNESS_EXTRA_IOCTL,     /* container, count: command, argument */
  HARNESS_EXTRA_EXTENSION, /* container, count: VFIO_CHECK_EXTENSION */
  HARNESS_EXTRA_DMA_RW,    /* a: emulated device, open; iova, count bytes, flags: write */
  HARNESS_EXTRA_CLAIM,     /* a: device, by another owner; flags: by device, not by group */
  HARNESS_EXTRA_RELEASE,   /* a */
  /* a: device, by a user in the kernel; flags: 1 by group, 2 (with 1) without a claim, 4 to a
     domain of device `count` */
  HARNESS_EXTRA_ATTACH,
  HARNESS_EXTRA_DETACH,       /* a */
  HARNESS_EXTRA_KERNEL_MAP,   /* a: device, iova, size, paddr, flags: IOMMU_READ, IOMMU_WRITE */
  HARNESS_EXTRA_KERNEL_UNMAP, /* a, iova, size */
  HARNESS_EXTRA_STORE_TYPE,   /* a: device, count: 0 to 4: identity, DMA, DMA-FQ, auto, other */
  HARNESS_EXTRA_SHOW,         /* a: device */
  /* a: the task that calls from now on: two with an mm of their own, 2: of the kernel, without one */
  HARNESS_EXTRA_TASK,
  HARNESS_EXTRA_FILE,  /* a: device, argument: the name of a file of its group in sysfs */
  HARNESS_EXTRA_GROUP, /* a: device, count: command, argument: an ioctl of its group's file */
  HARNESS_EXTRA_CLOSE, /* a: device, count: a descriptor that such an ioctl has returned */
  HARNESS_EXTRA_GONE,  /* a: the task, with an mm of its own, that exits */
  HARNESS_EXTRA_DEVICE, /* a: device, open; flags: enum harness_device_call, count: command, argument */
  HARNESS_EXTRA_KINDS,
};

enum harness_device_call { HARNESS_IOCTL, HARNESS_READ_FILE, HARNESS_WRITE_FILE, HARNESS_MMAP };
enum {
  HARNESS_FILE_WRITE = 1,               /* what comes after the file's name */
  HARNESS_EXTRA_UNPRIVILEGED = 1 << 16, /* the user lacks CAP_SYS_ADMIN and CAP_SYS_RAWIO */
  HARNESS_NOWHERE = 1 << 17,            /* the pointer of an ioctl points at no memory, */
  HARNESS_READ_ONLY = 1 << 18,          /* or at memory that cannot be written */
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
  /* The memory of an ioctl's argument, 512 bytes, after the ioctl; after `show`, what the files say. */
  uint64_t argument;
  /* Applies to the next op of either interface. */
  void (*arm)(uint8_t arm, uint8_t nth);
  /* Returns like harness.op(). */
  int (*op)(const struct harness_extra_op* op);
  /* Bit per page of a case that the drivers of the container's emulated devices have pinned. */
  uint64_t (*pinned)(uint8_t container);
  /* NULL, or a description of what is wrong now. */
  const char* (*judge)(void);
  /*
   * What the kernel promises to its drivers, checked on the machine that begin() has made: the name of
   * the n-th promise, NULL after the last; NULL, or what this kernel lacks for it; NULL, or what is
   * wrong, line by line.
   */
  const char* (*promise)(uint32_t n);
  const char* (*lacks)(uint32_t n);
  const char* (*check)(uint32_t n);
};

struct harness {
  const char* name;    /* "linux-source-6.12 6.12.117-1" */
  const char* flavour; /* "plain" or "fuzz" */
  uint32_t features;
  uint32_t buses; /* bit per bus in iommu_buses[] */

  /* NULL, or why the machine cannot be built here, such as a bus that the kernel does not have. */
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
  const struct harness_extra* extra;
};

/*
 * Catch SIGSEGV and SIGBUS in kernel code, instead of leaving them to the sanitizer or the shell.
 */
#define HARNESS_CATCH_OOPS 1U
/* HARNESS_ARM_ALLOC strikes iommu_get_msi_cookie(), too; docs/findings.md says what comes of that. */
#define HARNESS_COOKIE_FAILS 2U

/* Returns NULL if the version differs. The first call initialises the kernel code. */
typedef const struct harness* (*harness_open_fn)(uint32_t version, uint32_t flags);
const struct harness* harness_open(uint32_t version, uint32_t flags);

#ifdef __cplusplus
}
#endif

#endif
