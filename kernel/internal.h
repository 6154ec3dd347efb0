/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the harness know of each other. No kernel and no libc header is needed here. */
#ifndef IOMMUCHECK_KERNEL_INTERNAL_H
#define IOMMUCHECK_KERNEL_INTERNAL_H

struct iommu_group;
struct iommu_device;
struct iommu_domain;
struct iommu_ops;
struct device;
struct vfio_group;
struct vfio_container;

/* host.c: libc, no kernel header */
extern int host_objects; /* live heap objects of kernel code */
extern int host_locks;   /* held locks */
void host_die(const char *what, const char *name) __attribute__((noreturn));
int host_guard(int (*run)(void *), void *arg, int *oops);
void *host_grow(void *old, unsigned long bytes);
void *host_alloc(unsigned long bytes);

/* shim.c: what the kernel code finds instead of the rest of the kernel */
void shim_init(void);
void shim_notify(const void *bus, unsigned long action, struct device *dev);
int shim_each_device(const void *bus, struct device *after, void *data,
                     int (*fn)(struct device *, void *));
struct device *shim_next_pci(struct device *from);
int shim_pci_isolated(struct device *dev);

/* harness.c */
void harness_warned(const char *function, const char *file, int line);

/* iommu_core.c, vfio_type1.c, vfio_container.c: reach the private parts of the real files */
void core_init(void);
struct iommu_domain *core_group_domain(struct iommu_group *group);
/* The first registered instance with these ops. */
struct iommu_device *core_first_instance(const struct iommu_ops *ops);
void core_dev_iommu_free(struct device *dev);
void type1_init(void);
void container_init(void);
struct vfio_container *container_open(void);
void container_close(struct vfio_container *container);
long container_set_iommu(struct vfio_container *container);

#endif
