/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A fake IOMMU driver, in as many copies as a machine has drivers. Two hosts compile it: the
 * process (kernel/process), and a module of a booted kernel (kernel/qemu). harness.h defines the
 * machine, its ops and the recorded calls; docs/model.md describes how a driver behaves.
 *
 * driver.c calls claims.c and domains.c; all three call machine.c, faults.c and calls.c, which do not
 * call each other. All of them call the few functions at the end, which the host supplies.
 */
#ifndef IOMMUCHECK_KERNEL_FAKE_H
#define IOMMUCHECK_KERNEL_FAKE_H

#include <linux/bitmap.h>
#include <linux/device.h>
#include <linux/iommu.h>

#include "harness.h"

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

struct page_table;

struct fake_instance {
	struct iommu_device iommu;
	struct fwnode_handle *fwnode; /* the host makes it if the instance has one */
	struct iommu_group *group; /* its devices share it, if the kernel does not hold it */
	unsigned int registered; /* 0: not registered; else counts up with each registration */
};

struct fake_device {
	struct device *dev; /* the host makes it */
	struct fake_domain *hw;
	u8 instance;
	bool present;
	bool attached; /* since the last probe: attach is not deferred any more */
	u8 finalized; /* calls of probe_finalize() since then */
	struct fake_domain *pasid; /* of the one PASID */
};

struct fake_domain {
	struct iommu_domain domain;
	struct fake_domain *next;
	u16 number;
	u8 driver;
	u8 instance; /* bound to it by the first attach */
	bool coherent; /* enforce_cache_coherency() has succeeded */
	struct page_table *table;
	unsigned int flushes; /* calls of flush_iotlb_all() */
	unsigned long quirks; /* of set_pgtable_quirks() */
	bool releases; /* the static domain of a driver, on which its devices are released */
	DECLARE_BITMAP(accepted, HARNESS_DEVICES); /* devices that have been on it */
};

/* --- calls.c: records the calls of the drivers --- */

struct harness_call *calls_add(u8 kind);
/* Records pages that a case has; ignores other pages. */
void calls_add_pages(u8 kind, u16 domain, unsigned long iova, unsigned long size);
/* All calls since the last calls_clear(). */
const struct harness_call *calls_get(u32 *count);
void calls_clear(void);
extern bool calls_recorded; /* otherwise calls_add() keeps none */
void calls_begin_op(void);

/* --- faults.c: calls that fail in an op --- */

void faults_begin_op(const struct harness_op *op); /* NULL: no call fails */
/* The errno with which the op's faults make this call fail, or 0. */
int fault_of(u8 kind, u8 target);
/* As above, for a fault whose target is the number of a call, up to 255: this is the next call. */
int fault_of_next(u8 kind);

/* --- machine.c --- */

extern struct harness_machine fake_machine;
extern struct fake_instance fake_instances[HARNESS_INSTANCES];
extern struct fake_device fake_devices[HARNESS_DEVICES];
/* The devices that are present, in the order in which they were added. */
extern u8 fake_listed[HARNESS_DEVICES];
extern int fake_listed_count;

void machine_begin(const struct harness_machine *machine);
void machine_list(u8 device);
void machine_unlist(u8 device);
/* The driver that serves the device, or HARNESS_NONE. */
u8 machine_driver_of(u8 device);

/* --- domains.c --- */

extern struct fake_domain *fake_domains; /* all that are not freed, newest first */
extern int fake_domains_count;

void domains_begin(void);
void domains_begin_op(void);
/* Sets what the driver's ops say of domains. */
void domains_give(struct iommu_ops *ops, u8 driver);
/* `dev` is NULL where the core names no device. */
struct iommu_domain *domains_alloc(u8 driver, struct device *dev);
void domains_unset_pasid(struct device *dev);
/* Frees the memory of freed domains; until then it is not reused. */
void fake_forget_domains(void);
struct fake_domain *fake_domain_of(struct iommu_domain *domain);
/* Whether a user like VFIO maps pages in it, which must be pinned. The core maps any pages. */
bool fake_is_owned(const struct iommu_domain *domain);

/* --- claims.c --- */

int claims_take(u8 driver);
void claims_clear(u8 driver);

/* --- driver.c, which claims.c asks for the ops alone --- */

const struct iommu_ops *driver_ops(u8 driver);
/* Probes of devices that were served already: each keeps a reference to the driver's module. */
extern int fake_probed_again;
/* Releases of devices that are not served: each drops a reference that nobody took. */
extern int fake_released_unserved;

void fake_begin(const struct harness_machine *machine);
void fake_begin_op(const struct harness_op *op); /* NULL: an op without faults */
int fake_register(u8 instance);
void fake_unregister(u8 instance);
/*
 * The core takes a PASID off by ops->blocked_domain if there is no ops->remove_dev_pasid(). Drivers
 * have that domain only while this is on: otherwise groups would be blocked by it, too, and not by
 * an empty domain.
 */
void fake_has_pasids(bool has);
/* From the next allocation of a domain on: a reset blocks the device first, then its PASIDs. */
void fake_has_pasids_after_alloc(void);

/* --- what the host supplies --- */

extern struct module *host_module; /* the module of the drivers */
#ifdef HARNESS_HAVE_BUS_SET_IOMMU
struct bus_type *host_bus(u8 bus); /* by its number in a machine; NULL: this kernel lacks it */
#endif
/* The index in fake_devices[]; -1: none of them. */
int host_index(struct device *dev);
void *host_alloc(unsigned long bytes); /* zeroed; never fails */
void *host_grow(void *old, unsigned long bytes); /* never fails */
void host_releases(struct device *dev);
int host_strikes(int arm); /* whether this call fails, by enum harness_arm */
void host_complain(const char *what); /* of the core, which breaks a promise to drivers */
/* An errno if attach_dev() must fail though no fault of the op says so, or 0. */
int host_attach_fails(const struct fake_domain *domain, u8 device);

/*
 * The page table of a domain. `owned`: the pages that it maps must be pinned. `splits`: a part of a
 * large page can be unmapped; otherwise the whole page goes.
 */
struct page_table *table_new(void);
void table_free(struct page_table *table, int owned);
int table_map(struct page_table *table, unsigned long iova, unsigned long phys,
	      unsigned long pgsize, unsigned long count, int owned, unsigned long *mapped);
unsigned long table_unmap(struct page_table *table, unsigned long iova, unsigned long size,
			  int owned, int splits);
/* A device may write there. */
void table_writes(unsigned long phys, unsigned long size);
/* What was unmapped from `start` to `last` is out of the TLBs. */
void table_sync(struct page_table *table, unsigned long start, unsigned long last);
/* Devices see what was mapped there; or an errno. */
int table_show(struct page_table *table, unsigned long iova, unsigned long size);
unsigned long table_phys(const struct page_table *table, unsigned long iova);

#endif
