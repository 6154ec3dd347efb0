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
struct vfio_device;
struct vfio_iommu_driver_ops;
struct list_head;
struct module;
struct fwnode_operations;
struct page;
struct harness_machine;
struct harness_op;
struct harness_ioctl_op;

/* host.c: libc, no kernel header */
extern int host_objects; /* live heap objects of kernel code */
extern int host_locks;   /* held locks */
extern unsigned int host_fail_alloc; /* the n-th allocation from now on is refused; 0: none */
void host_die(const char *what, const char *name) __attribute__((noreturn));
int host_guard(int (*run)(void *), void *arg, int *oops);
void *host_grow(void *old, unsigned long bytes);
int host_refuses(void); /* this allocation */
void host_drop(void *old); /* what host_grow() gave */
void *host_alloc(unsigned long bytes); /* never refused */
int host_empty_quarantine(void); /* how many freed objects of it were written to */

/* shim.c: what the kernel code finds instead of the rest of the kernel */
void shim_init(void);
void shim_notify(const void *bus, unsigned long action, struct device *dev);
int shim_each_device(const void *bus, struct device *after, void *data,
                     int (*fn)(struct device *, void *));
struct device *shim_next_pci(struct device *from);
int shim_pci_isolated(struct device *dev);
int shim_references(int kind); /* taken and not given back */
extern const struct fwnode_operations shim_fwnode_ops;
extern struct module shim_module; /* of drivers, and of type1 */

/* harness.c */
void harness_warned(const char *function, const char *file, int line);
int harness_guarded(int (*run)(void *));
int harness_index(struct device *dev);
struct device *harness_device(int i); /* NULL: it is not there */
int harness_in_container(struct device *dev);
int harness_has_container(int i);
int harness_instance(struct device *dev);
int harness_unregister(int i);
struct vfio_container *harness_container(int i); /* opens it */
void harness_unmap_all(struct iommu_domain *domain);
unsigned long harness_mapped(struct iommu_domain *domain); /* bytes */
int harness_is_finished(void);
const struct harness_machine *harness_machine(void);
struct vfio_group *harness_vfio_group(struct device *dev); /* NULL: in no container */
int harness_group_container(struct device *dev);           /* its number */
void harness_leave_container(struct device *dev);
/* The errno that the op's faults give to this call, or 0. */
int harness_malloc_fails(const char *function);
int harness_map_fails(void);
int harness_pin_fails(void);

/* user.c: what user space and drivers of devices do in a case */
void user_begin(void);
int user_play(const struct harness_op *op);
void user_finish(void);
void user_removing(int i); /* the device goes: its driver lets go of it */
int user_is_vfios(int i);  /* VFIO's driver has the device */
void user_join_fake_group(int i);

/* ioctl.c: what cases lack, and ioctls */
void ioctl_begin(void);
long ioctl_play(const struct harness_ioctl_op *op);
void ioctl_disarm(void);
void ioctl_finish(void);
void ioctl_removing(struct device *dev);
void ioctl_shape_domain(struct iommu_domain *domain, int driver);
int ioctl_splits_pages(void);
int ioctl_fail_attach(int is_default);
_Bool ioctl_attach_deferred(struct device *dev);
void ioctl_resv_regions(struct device *dev, struct list_head *list);

/* iommu_core.c, vfio_type1.c, vfio_container.c: reach the private parts of the real files */
void core_init(void);
struct iommu_domain *core_group_domain(struct iommu_group *group);
struct iommu_domain *core_group_default(struct iommu_group *group);
int core_group_owner_cnt(struct iommu_group *group);
int core_group_is_owned(struct iommu_group *group);
/* The first registered instance with these ops. */
struct iommu_device *core_first_instance(const struct iommu_ops *ops);
void core_dev_iommu_free(struct device *dev);
/* The group's files in sysfs. */
int core_store_type(struct iommu_group *group, const char *type);
void core_show(struct iommu_group *group, char *page);
void core_forget_pasids(struct iommu_group *group);
void type1_init(void);
void type1_parameters(int unsafe_interrupts, unsigned int entries);
/* Complains of mappings that are not what they should be. */
void type1_judge(void *iommu_data, int memory_moved);
unsigned long type1_locked(void *iommu_data);
int type1_is_pinned(void *iommu_data, unsigned long iova); /* by an emulated device's driver */
void container_init(void);
struct vfio_container *container_open(void);
void container_close(struct vfio_container *container);
long container_set_iommu(struct vfio_container *container, unsigned int type);
long container_ioctl(struct vfio_container *container, unsigned int command, unsigned long argument);
/* NULL: it has none yet. */
const struct vfio_iommu_driver_ops *container_backend(struct vfio_container *container,
                                                      void **data);
/* As a device of the group is opened and closed. */
int container_use(struct vfio_device *vdev);
void container_unuse(struct vfio_device *vdev);
int container_pin(struct vfio_device *vdev, unsigned long iova, int count, int prot,
                  struct page **pages);
void container_unpin(struct vfio_device *vdev, unsigned long iova, int count);

#endif
