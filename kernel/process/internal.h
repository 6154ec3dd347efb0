/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The functions by which the files of the process call each other. Each file calls those before it
 * in this list, and none after it: host, kernel/fake, shim, memory, the four real files, firmware,
 * devices, groups, ops, extra, harness. The functions that kernel/fake needs from its host are in host,
 * memory, devices and extra. This header needs neither kernel nor libc headers.
 */
#ifndef IOMMUCHECK_KERNEL_INTERNAL_H
#define IOMMUCHECK_KERNEL_INTERNAL_H

#include "harness.h"

struct iommu_group;
struct iommu_domain;
struct device;
struct vfio_group;
struct vfio_container;
struct vfio_iommu_driver_ops;
struct device_node;
struct pci_dev;
struct module;

/* Defines a function of the kernel whose prototype depends on the version. */
#define REPLACES(type, symbol, ...)                              \
	type shim_##symbol(__VA_ARGS__) __asm__(#symbol);        \
	type shim_##symbol(__VA_ARGS__)

/* host.c: libc, no kernel header */
extern int host_objects; /* live heap objects of kernel code */
extern int host_locks;   /* held locks */
/* By enum harness_arm: the n-th call from now on fails, once; 0: none. */
extern unsigned int host_armed[HARNESS_ARMS];
int host_strikes(int arm); /* whether this call fails */
void host_disarm(void);
extern int host_catches_oops; /* otherwise the sanitizer or the shell gets the signal */
void host_die(const char *what, const char *name) __attribute__((noreturn));
/* Returns the result of `run`, or HARNESS_OOPS if it caught an oops. */
int host_guard(int (*run)(void));
void *host_grow(void *old, unsigned long bytes);
void host_drop(void *old); /* frees the result of host_grow() */
void *host_alloc(unsigned long bytes); /* never fails */
int host_empty_quarantine(void); /* returns how many freed objects were written to */

/* shim.c: replaces the rest of the kernel */
void shim_init(void);
int shim_references(int kind); /* taken and not dropped */
void shim_run_task(int i); /* 0: the one of cases, or 1: calls the kernel from now on */
unsigned long shim_locked(void); /* pages that all tasks have locked */
extern struct module shim_module; /* of the drivers and of type1 */
void shim_begin(void);
void shim_end(void); /* WARNs do not count any more */
extern int shim_warns_total;
const struct harness_warn *shim_warns(unsigned int *places);

/* iommu_core.c, of_iommu.c, vfio_type1.c, vfio_container.c: reach into the real files */
void core_init(void);
struct core_group {
	struct iommu_domain *domain;
	struct iommu_domain *default_domain;
	int owner_cnt;
	int owned;
	struct iommu_domain *blocking_domain;
};
struct core_group core_group(struct iommu_group *group); /* of NULL: all zero */
void core_dev_iommu_free(struct device *dev);
/* The files of a group in sysfs. */
int core_store_type(struct iommu_group *group, const char *type);
void core_show(struct iommu_group *group, char *page);
void core_forget_pasids(struct iommu_group *group);
int of_configure(struct device *dev, struct device_node *node); /* of_iommu_configure() */
void type1_init(void);
void type1_parameters(int unsafe_interrupts, unsigned int entries);
/* Complains of mappings that are wrong. */
void type1_judge(void *iommu_data, int memory_moved);
unsigned long type1_locked(void *iommu_data);
int type1_is_pinned(void *iommu_data, unsigned long iova); /* by an emulated device's driver */
void container_init(void);
struct vfio_container *container_open(void);
void container_close(struct vfio_container *container);
long container_ioctl(struct vfio_container *container, unsigned int command, unsigned long argument);
/* NULL: the container has no backend yet. */
const struct vfio_iommu_driver_ops *container_backend(struct vfio_container *container,
                                                      void **data);
/* firmware.c: what describes the devices */
void firmware_begin(void);
int firmware_configure(struct device *dev); /* bus->dma_configure() */
/* Like pci_for_each_dma_alias(): the number of each master in place of an alias. */
int firmware_for_each_master(struct pci_dev *dev,
			     int (*fn)(struct pci_dev *, unsigned short, void *), void *data);

/* devices.c: buses and devices, as the kernel sees them */
const char *devices_misfit(const struct harness_machine *machine); /* NULL: the machine fits */
unsigned int devices_buses(void); /* a bit for each bus that the kernel has */
void devices_begin(void);
void devices_end(void);
void devices_add(int i);
void devices_remove(int i);
struct device *device_at(int i); /* NULL: it is not present */
int device_is_emulated(int i);
struct iommu_group *devices_group(int id); /* if anything holds it; NULL: nothing does */

/* groups.c: groups that are open, or in containers */
void groups_begin(void);
void groups_end(void);
/* The VFIO group with a number; NULL: it is neither open nor in a container. */
struct vfio_group *group_open_of_id(int id);
/* The VFIO group of a device, or with a number; NULL: it is in no container. */
struct vfio_group *group_of_device(struct device *dev);
struct vfio_group *group_of_id(int id);
int group_container(struct vfio_group *group); /* the container's number; -1: none */
_Bool group_is_open(struct vfio_group *group); /* by group_open() */
void group_open(int id, struct iommu_group *iommu_group, int emulated);
void group_close(struct vfio_group *group); /* takes it out of its container */
long group_enter(int id, struct iommu_group *iommu_group, int emulated, int container);
void group_leave(struct vfio_group *group);
struct vfio_container *container_at(int i); /* opens it if needed */
const struct vfio_iommu_driver_ops *container_type1(int i, void **data); /* NULL: no backend yet */
long container_call(int i, unsigned int command, const void *argument);
void groups_judge(void);

/* ops.c: the ops of a case */
void ops_begin(void);
int ops_play(const struct harness_op *op);
void ops_end(void);
int ops_is_bound(int i); /* whether a driver that uses the DMA API is bound */
int ops_container(int i); /* of an emulated device that is open; otherwise -1 */
/* Pages that drivers of the container's emulated devices have pinned, a bit each. */
unsigned long long ops_pinned(unsigned char container);

/* extra.c: ops that cases lack */
void extra_begin(void);
void extra_before(const struct harness_op *op);
void extra_end(void);
const struct harness_extra *extra_interface(void);

#endif
