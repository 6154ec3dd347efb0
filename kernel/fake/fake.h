/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A fake IOMMU driver, as many times as a machine has drivers. Two hosts compile it: the process
 * (kernel/process), and a module of a booted kernel (kernel/qemu). The machine, its ops and the
 * calls that are written down are those of harness.h; docs/model.md says what a driver does.
 *
 * driver.c calls machine.c, faults.c and calls.c, which do not call each other. All of them call
 * the few functions at the end, which the host supplies.
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
	struct fwnode_handle *fwnode; /* the host's, where the instance has one */
	struct iommu_group *group; /* shared out, where the kernel does not hold it for the driver */
	unsigned int registered; /* 0: it is not; else the earlier, the smaller */
};

struct fake_device {
	struct device *dev; /* the host's */
	struct fake_domain *hw;
	u8 instance;
	bool present;
	bool attached; /* since it was probed: nothing is deferred any more */
};

struct fake_domain {
	struct iommu_domain domain;
	struct fake_domain *next;
	u16 number;
	u8 driver;
	u8 instance; /* bound to it by the first attach */
	bool coherent; /* enforce_cache_coherency() said yes */
	struct page_table *table;
	DECLARE_BITMAP(accepted, HARNESS_DEVICES); /* devices that have been on it */
};

/* --- calls.c: calls of the drivers, written down --- */

struct harness_call *calls_add(u8 kind);
/* Of the pages that a case has; others are not written down. */
void calls_add_pages(u8 kind, u16 domain, unsigned long iova, unsigned long size);
/* Since the last calls_clear(). */
const struct harness_call *calls_get(u32 *count);
void calls_clear(void);
void calls_record(bool on);
void calls_begin_op(void);

/* --- faults.c: calls that fail in an op --- */

void faults_begin_op(const struct harness_op *op); /* NULL: nothing does */
/* The errno that the op's faults give to this call, or 0. */
int fault_of(u8 kind, u8 target);
/* Of the next call of its kind; `target` is its number in the op. None fails after the 255th. */
int fault_of_next(u8 kind);
/* Of the op that attaches a PASID: set_dev_pasid() fails as attach_dev() of the device would. */
int fault_of_pasid(u8 device);

/* --- machine.c --- */

extern struct harness_machine fake_machine;
extern struct fake_instance fake_instances[HARNESS_INSTANCES];
extern struct fake_device fake_devices[HARNESS_DEVICES];
/* The devices that are there, in the order in which they came. */
extern u8 fake_listed[HARNESS_DEVICES];
extern int fake_listed_count;

void machine_begin(const struct harness_machine *machine);
void machine_list(u8 device);
void machine_unlist(u8 device);
/* The driver that serves it, or HARNESS_NONE. */
u8 machine_driver_of(u8 device);

/* --- driver.c --- */

extern struct fake_domain *fake_domains; /* that live, newest first */
extern int fake_domains_count;

void fake_begin(const struct harness_machine *machine);
void fake_begin_op(const struct harness_op *op); /* NULL: one without faults */
/* Frees the memory of freed domains: until then nothing else comes to lie there. */
void fake_forget_domains(void);
struct fake_domain *fake_domain_of(struct iommu_domain *domain);
/* Its user maps pages of VFIO's, which must be pinned. Others map what the core wants. */
bool fake_is_owned(const struct iommu_domain *domain);
int fake_register(u8 instance);
void fake_unregister(u8 instance);
int fake_configure(u8 device);

/* --- what the host supplies --- */

extern struct module *host_module; /* of the drivers */
/* Which of fake_devices[] it is. -1: none of them. */
int host_index(struct device *dev);
void *host_alloc(unsigned long bytes); /* zeroed, and never refused */
void *host_grow(void *old, unsigned long bytes); /* never refused */
/* As firmware code, before a probe: one of the masters' fwnodes; and the way back if one fails. */
int host_describe(struct device *dev, u8 instance);
void host_undescribe(struct device *dev, bool had_iommu);
int host_probe(struct device *dev); /* iommu_probe_device() */
void host_releases(struct device *dev);
/* A failure of attach_dev() that no fault of the op asks for: an errno, or 0. */
int host_attach_fails(const struct fake_domain *domain, u8 device);

/*
 * The page table of a domain. `owned`: the pages that it maps are to be pinned. `splits`: a large
 * page can be unmapped in part; else it goes as a whole.
 */
struct page_table *table_new(void);
void table_free(struct page_table *table, int owned);
int table_map(struct page_table *table, unsigned long iova, unsigned long phys,
	      unsigned long pgsize, unsigned long count, int owned, unsigned long *mapped);
unsigned long table_unmap(struct page_table *table, unsigned long iova, unsigned long size,
			  int owned, int splits);
unsigned long table_phys(const struct page_table *table, unsigned long iova);

#endif
