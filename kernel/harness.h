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
#define HARNESS_VERSION 1

enum {
  HARNESS_DRIVERS = 8,
  HARNESS_TABLES = 16,
  HARNESS_INSTANCES = 16,
  HARNESS_DEVICES = 64,
  HARNESS_CONTAINERS = 4,
  HARNESS_MASTERS = 2,
  HARNESS_FAULTS = 2,
  HARNESS_BUSES = 6,
  HARNESS_WARNS = 16, /* places that are kept; more are counted */
  HARNESS_NONE = 0xff,
  HARNESS_NO_DOMAIN = 0xffff,
};

/* platform, pci, amba, fsl-mc, host1x, cdx, as in model/topology.h */

/* What the tree has, by probes at build time. */
enum {
  HARNESS_BUS_OPS = 1 << 0,       /* bus_type.iommu_ops */
  HARNESS_DOMAIN_OWNER = 1 << 1,  /* iommu_domain.owner */
  HARNESS_ALLOC_BY_DEV = 1 << 2,  /* iommu_paging_domain_alloc() */
  HARNESS_DETACH_DEV = 1 << 3,    /* iommu_domain_ops.detach_dev */
  HARNESS_DMA_CONFIGURE = 1 << 4, /* probe applies the firmware description */
  HARNESS_REATTACH = 1 << 5,      /* __iommu_attach_group() goes back to the old domain */
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
};

struct harness_instance {
  uint8_t driver;
  uint8_t fwnode;
  uint8_t table;
  uint8_t enforces_coherency;
};

struct harness_device {
  uint8_t bus;
  uint8_t masters[HARNESS_MASTERS];
  uint8_t alias;
  uint8_t slot;
  uint8_t absent;
};

struct harness_machine {
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
};
enum harness_fault_kind { HARNESS_NO_FAULT, HARNESS_FAIL_ATTACH, HARNESS_FAIL_ALLOC, HARNESS_FAIL_PROBE };
struct harness_fault {
  uint8_t kind;
  uint8_t target;
  uint8_t count; /* 255: every call */
  uint8_t error;
};
struct harness_op {
  uint8_t kind;
  uint8_t a;
  uint8_t b;
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
};

struct harness_warn {
  const char *function;
  const char *file;
  int line;
  int count;
};

/* Where the machine is, asked before finish(). */
struct harness_end {
  int32_t group[HARNESS_DEVICES];  /* iommu_group_id(), -1: none */
  int32_t domain[HARNESS_DEVICES]; /* number of group->domain, -1: none */
  int domains;
  int warns;
};

/* What is left after the teardown; all zero in a sound kernel. */
struct harness_leaks {
  int domains;
  int objects; /* kmalloc, kmem_cache, pages */
  int locks;   /* mutexes and semaphores held */
};

/* op() and finish() say so where the kernel dereferenced a wild pointer and HARNESS_CATCH_OOPS was
 * given. Locks are then held and lists half-written: this load of the library is of no more use,
 * and its user is to dlclose() and load it again. */
#define HARNESS_OOPS (-100000)
/* There is no such group, instance or device, or it is not in a state for the op: the model's
 * "not possible". Nothing was done. */
#define HARNESS_NOT_POSSIBLE (-100001)

struct harness {
  const char *name;     /* "linux-source-6.12 6.12.117-1" */
  const char *flavour;  /* "plain" or "fuzz" */
  uint32_t features;
  uint32_t buses; /* bit per bus that iommu_buses[] has */

  /* NULL, or why the machine cannot be built here, such as a bus that the kernel has not. */
  const char *(*fits)(const struct harness_machine *machine);
  void (*begin)(const struct harness_machine *machine);
  /* 0 or a negative errno, as the caller of the op sees it. */
  int (*op)(const struct harness_op *op);
  /* All calls since begin(). Valid until the next op() or begin(). */
  const struct harness_call *(*calls)(uint32_t *count);
  /* WARNs since begin(), by place. */
  const struct harness_warn *(*warns)(uint32_t *count);
  void (*end)(struct harness_end *end);
  int (*finish)(struct harness_leaks *leaks);
};

/* Catch SIGSEGV and SIGBUS in kernel code, instead of leaving them to the sanitizer or the shell. */
#define HARNESS_CATCH_OOPS 1U

/* NULL if the version is another. Initialises the kernel code once. */
typedef const struct harness *(*harness_open_fn)(uint32_t version, uint32_t flags);
const struct harness *harness_open(uint32_t version, uint32_t flags);

#ifdef __cplusplus
}
#endif

#endif
