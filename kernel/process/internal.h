/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The functions by which the files of the process call each other. Each file calls those before it
 * in this list, and none after it: host, kernel/fake, shim, memory, sysfs, files, events, the real
 * files (which call what replaces the rest of the kernel wherever that is), firmware, functions,
 * buses, drivers, devices, vfio_driver, groups, ops, promises, core_promises_*, vfio_promises,
 * promise_list, extra, harness. The functions that kernel/fake needs from its host are in host, memory,
 * functions, buses, devices and extra. This header needs neither kernel nor libc headers.
 */
#ifndef IOMMUCHECK_KERNEL_INTERNAL_H
#define IOMMUCHECK_KERNEL_INTERNAL_H

#include "harness.h"

struct iommu_group;
struct iommu_domain;
struct device;
struct vfio_iommu_driver_ops;
struct device_node;
struct pci_dev;
struct module;
struct kobject;

/* Defines a function of the kernel whose prototype depends on the version. */
#define REPLACES(type, symbol, ...)                              \
	type shim_##symbol(__VA_ARGS__) __asm__(#symbol);        \
	type shim_##symbol(__VA_ARGS__)

/* host.c: libc, no kernel header */
extern int host_objects; /* live heap objects of kernel code */
extern int host_locks;   /* held locks */
/* By enum harness_arm: the n-th call from now on fails, once; 0: none. */
extern unsigned int host_armed[HARNESS_ARMS];
extern int host_goes_on; /* after that call all others fail, too */
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

/*
 * sysfs.c: folders are known by their kobjects. Reading gives how many bytes the file has, or an errno;
 * writing 0 or an errno.
 */
extern int sysfs_entries; /* files, folders and links that are there */
_Bool sysfs_has(const struct kobject *in, const char *name);
long sysfs_read(struct kobject *in, const char *name, char *page);
long sysfs_write(struct kobject *in, const char *name, const char *text);
void sysfs_unlink_iommu(struct device *dev);

/* shim.c: replaces the rest of the kernel */
extern const int shim_mutex_words; /* of struct mutex and struct rw_semaphore, which host.c fills */
extern const int shim_semaphore_words;
void shim_init(void);
int shim_references(int kind); /* taken and not dropped */
void shim_run_task(int i); /* 0: the one of cases, or 1: calls the kernel from now on */
void shim_end_task(int i);
unsigned long shim_locked(void); /* pages that all tasks have locked */
extern struct module shim_module; /* of the drivers and of type1 */
extern _Bool shim_module_goes; /* nobody gets another reference to a module */
void shim_begin(void);
void shim_end(void); /* WARNs do not count any more */
extern _Bool shim_cookie_fails; /* iommu_get_msi_cookie() may */
extern _Bool shim_unprivileged; /* the user has no CAP_SYS_RAWIO */
extern int shim_warns_total;
int shim_catch_warns(_Bool on); /* from now on they count apart; returns how many did until now */
const struct harness_warn *shim_warns(unsigned int *places);

/*
 * files.c: the system calls of user space. A name is that of a node below /dev, such as "vfio/7"; a
 * descriptor is negative if it is an errno. `answers` is what user space does when the kernel waits
 * for it.
 */
void files_begin(void (*answers)(void));
_Bool files_waited(void); /* whether the kernel has waited since the last call of this */
int file_open(const char *name);
long file_ioctl(int fd, unsigned int command, unsigned long argument);
void file_close(int fd);
void *file_private(int fd); /* file->private_data */
struct file;
struct file *file_at(int fd);

/* events.c: notifier chains, work that is done later, waiting */
void events_work(void); /* does the work */

/* iommu_core.c, of_iommu.c, vfio_*.c: reach into the real files */
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
struct kobject *core_folder(struct iommu_group *group); /* in sysfs */
struct kobject *core_devices_folder(struct iommu_group *group);
void core_forget_pasids(struct iommu_group *group);
/* Boot parameters, and the initcall that goes by them. */
int core_parameter(const char *name, char *value);
int core_starts(void);
void core_forget_parameters(void);
/* Keeps the number of a group that is gone from new groups; false: another has it. */
_Bool core_keep_number(int id);
void core_give_number(int id);
int of_configure(struct device *dev, struct device_node *node); /* of_iommu_configure() */
int acpi_configure(struct device *dev); /* acpi_iommu_configure_id() */
void type1_init(void);
void type1_parameters(int unsafe_interrupts, unsigned int entries, int small_pages);
/* Complains of mappings that are wrong. */
void type1_judge(void *iommu_data, int memory_moved);
unsigned long type1_locked(void *iommu_data);
int type1_is_pinned(void *iommu_data, unsigned long iova); /* by an emulated device's driver */
void vfio_noiommu_allowed(_Bool allowed); /* devices without an IOMMU */
void vfio_start(void); /* the initcalls of VFIO but for type1 */
/* Of the container with this descriptor; NULL: it has no backend yet. */
const struct vfio_iommu_driver_ops *container_backend(int fd, void **data);

/*
 * vfio_driver.c: a driver that registers devices with VFIO, by the functions and the struct
 * vfio_device_ops that this kernel has. `i` is the number of a device that is there.
 */
struct driver_calls {
	/* The contract of dma_unmap(): the pages must not be pinned any more. */
	void (*unmaps)(int i, unsigned long iova, unsigned long length);
	void (*closes)(int i); /* the last file of the device is closed */
};
void driver_begin(const struct driver_calls *calls);
int driver_bind(int i);    /* registers the device: 0 or an errno */
void driver_unbind(int i); /* unregisters it, and waits until nobody uses it */
int driver_open(int i, int group_fd); /* VFIO_GROUP_GET_DEVICE_FD: a descriptor or an errno */
void driver_close(int i, int fd);
extern unsigned int driver_requests; /* by the kernel, to give a device back */
enum { DRIVER_RANGES = 3 };
/* The log of DMA of devices that migrate. */
extern struct driver_log {
	int started;
	int stops;
	int ranges;
	unsigned long start[DRIVER_RANGES];
	unsigned long last[DRIVER_RANGES];
	unsigned long read_iova;
	unsigned long read_length;
} driver_log;
long driver_call(int fd, int kind, unsigned int command, void *argument);
struct vfio_device;
struct vfio_device *driver_device(int i);
int driver_pin(int i, unsigned long iova, int count, int write); /* pages, or an errno */
void driver_unpin(int i, unsigned long iova, int count);
int driver_rw(int i, unsigned long iova, void *data, unsigned long size, int write);

/*
 * firmware.c: what describes the devices. The n-th master of a device, HARNESS_NONE if it has fewer, has
 * an ID of its own.
 */
void firmware_begin(void);
void firmware_end(void);
unsigned char firmware_master(int device, unsigned int n);
unsigned short firmware_id(int device, unsigned int n);
int firmware_configure(struct device *dev); /* bus->dma_configure() */
/* Like pci_for_each_dma_alias(): the ID of each master in place of an alias. */
int firmware_for_each_master(struct pci_dev *dev,
			     int (*fn)(struct pci_dev *, unsigned short, void *), void *data);

/* acpi_tables.c */
struct fwnode_handle;
void acpi_tables_begin(void);
void acpi_tables_end(void);
struct fwnode_handle *acpi_tables_unit(int instance);

/* driver_core.c */
struct device_driver;
void binding_make_device(struct device *dev, int i);
void binding_list_device(struct device *dev, int there); /* between device_add() and device_del() */
void binding_make_driver(struct device_driver *driver);

/* functions.c: PCI, and the memory of all devices */
struct pci_bus;
const char *functions_misfit(const struct harness_machine *machine); /* NULL: there is room */
void functions_begin(struct device *parent); /* of the host bridge */
struct device *functions_make(int i); /* on no bus yet */
void functions_wire(int i); /* into PCI */
void functions_alias(int i, int other);
void functions_list(int i, int there); /* on its bus; no function of PCI: nothing */

/* buses.c */
extern struct bus_type mdev_bus_type; /* no IOMMU driver knows these two */
extern struct bus_type bare_bus_type;
extern int buses_freed_are_wild; /* an instance that has unregistered is freed memory */
void buses_make(void);
void buses_end(void);
const void *buses_at(int bus); /* the bus_type, by the number of a case */
unsigned int buses_there(void); /* a bit for each bus that the kernel has */
const char *buses_misfit(const struct harness_machine *machine); /* NULL: the machine fits */
void buses_notify(unsigned long action, struct device *dev); /* the notifiers of its bus */
int buses_notifiers(void);
void buses_forget_notifiers(int keep);

/* drivers.c: a driver, on whichever bus the device is */
enum drivers_driver { DRIVERS_VFIO, DRIVERS_DMA_API, DRIVERS };
void drivers_make(enum drivers_driver driver, int (*probe)(int i), void (*remove)(int i));
int drivers_attach(int i, enum drivers_driver driver); /* device_driver_attach() */
void drivers_detach(int i); /* device_release_driver(): from the driver that it has, if any */

/* devices.c */
const char *devices_misfit(const struct harness_machine *machine); /* NULL: the machine fits */
void devices_begin(void);
void devices_end(void);
void devices_add(int i);
void devices_remove(int i);
struct device *device_at(int i); /* NULL: it is not present */
int device_is_emulated(int i);
struct iommu_group *devices_group(int id); /* if anything holds it; NULL: nothing does */

/* groups.c: what user space has open, by the numbers of a case, and when VFIO's driver is bound */
void groups_begin(const struct driver_calls *calls);
void groups_end(void);
void groups_device_comes(int i); /* no other driver has the device */
_Bool groups_device_goes(int i); /* whether this waits for user space */
void groups_after_op(void);
_Bool groups_exists(int id);
long groups_open(int id);
_Bool groups_can_close(int id);
void groups_close(int id);
long groups_set_container(int id, int container);
long groups_unset_container(int id);
/* An ioctl of the file of the device's group, and a call of the device's, with an argument in user memory. */
long groups_call(int i, unsigned int command, void *argument);
long groups_device_call(int i, int kind, unsigned int command, void *argument); /* enum harness_device_call */
long groups_get_device(int i);
void groups_put_device(int i);
int groups_open_in(int i); /* the container of a device that is open; otherwise -1 */
int groups_was_open_in(int i); /* the same of a device that is being closed */
int container_fd(int i); /* opens the container if needed */
const struct vfio_iommu_driver_ops *container_type1(int i, void **data); /* NULL: no backend yet */
long container_ioctl(int i, unsigned int command, unsigned long argument);
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

/* 5.10 has no function for it. */
#ifndef HARNESS_HAVE_FWNODE_INIT
#define fwnode_init(node, operations) ((node)->ops = (operations))
#endif

#endif
