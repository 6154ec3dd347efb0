// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files: devices of a class with their nodes in /dev, char devices, descriptors, completions. Of
 * drivers/base/core.c, fs/char_dev.c, fs/file_table.c, fs/anon_inodes.c, fs/libfs.c, all that VFIO
 * needs of them, for the one process. A file that loses its last reference is released when the
 * system call ends, as the kernel does.
 */
#include <linux/anon_inodes.h>
#include <linux/cdev.h>
#include <linux/completion.h>
#include <linux/device.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "internal.h"

enum { NODES = 256, DESCRIPTORS = 512 };

/* --- nodes in /dev --- */

static struct node {
	char name[32];
	dev_t devt;
	const struct file_operations *fops; /* of a misc device; otherwise a cdev has them */
} nodes[NODES];
static int nodes_count;

static struct node *find_node(const char *name)
{
	for (int i = 0; i < nodes_count; i++)
		if (!strcmp(nodes[i].name, name))
			return &nodes[i];
	return NULL;
}

static int add_node(const char *name, dev_t devt, const struct file_operations *fops)
{
	struct node *node;

	if (find_node(name))
		return -EEXIST;
	if (nodes_count == NODES || strlen(name) >= sizeof(node->name))
		host_die("/dev", "there is no room for the node");
	node = &nodes[nodes_count++];
	strcpy(node->name, name);
	node->devt = devt;
	node->fops = fops;
	return 0;
}

static void remove_node(dev_t devt)
{
	for (int i = 0; i < nodes_count; i++)
		if (nodes[i].devt == devt && !nodes[i].fops)
			nodes[i--] = nodes[--nodes_count];
}

int misc_register(struct miscdevice *misc)
{
	return add_node(misc->nodename ?: misc->name, MKDEV(10, misc->minor), misc->fops);
}
void misc_deregister(struct miscdevice *misc)
{
	host_die("misc_deregister", "no module is unloaded here");
}

/* --- classes and their devices --- */

static void release_device(struct kobject *kobj)
{
	struct device *dev = kobj_to_dev(kobj);

	dev->release(dev);
}
static const struct kobj_type device_type = { .release = release_device };

void device_initialize(struct device *dev)
{
	kobject_init(&dev->kobj, (void *)&device_type);
}

int dev_set_name(struct device *dev, const char *format, ...)
{
	va_list args;
	int ret;

	va_start(args, format);
	ret = kobject_set_name_vargs(&dev->kobj, format, args);
	va_end(args);
	return ret;
}

/* devtmpfs_create_node() */
static int create_node(struct device *dev)
{
	umode_t mode = 0;
	char *name = dev->class->devnode ? dev->class->devnode(dev, &mode) : NULL;
	const int ret = add_node(name ?: dev_name(dev), dev->devt, NULL);

	kfree(name);
	return ret;
}

int device_add(struct device *dev)
{
	const int ret = dev->devt ? create_node(dev) : 0;

	if (!ret)
		get_device(dev->parent);
	return ret;
}

void device_del(struct device *dev)
{
	if (dev->devt)
		remove_node(dev->devt);
	put_device(dev->parent);
}

static struct class *make_class(const char *name)
{
	struct class *class = kzalloc(sizeof(*class), GFP_KERNEL);

	class->name = name;
	return class;
}
REPLACES(struct class *, class_create, const char *name)
{
	return make_class(name);
}
/* Up to and including 6.3. */
REPLACES(struct class *, __class_create, struct module *owner, const char *name)
{
	return make_class(name);
}
REPLACES(int, class_register, const struct class *class)
{
	return 0;
}

/* Up to and including 5.15. */
#ifdef HARNESS_HAVE_DEVICE_CREATE
static LIST_HEAD(created);
static struct created {
	struct device dev;
	struct list_head next;
} *of_device(dev_t devt)
{
	struct created *c;

	list_for_each_entry(c, &created, next)
		if (c->dev.devt == devt)
			return c;
	host_die("device_destroy", "there is no such device");
}

static void free_created(struct device *dev)
{
	kfree(container_of(dev, struct created, dev));
}

struct device *device_create(struct class *class, struct device *parent, dev_t devt, void *data,
			     const char *format, ...)
{
	struct created *c = kzalloc(sizeof(*c), GFP_KERNEL);
	va_list args;
	int ret;

	if (!c)
		return ERR_PTR(-ENOMEM);
	device_initialize(&c->dev);
	c->dev.devt = devt;
	c->dev.class = class;
	c->dev.release = free_created;
	va_start(args, format);
	ret = kobject_set_name_vargs(&c->dev.kobj, format, args);
	va_end(args);
	if (!ret)
		ret = device_add(&c->dev);
	if (ret) {
		put_device(&c->dev);
		return ERR_PTR(ret);
	}
	list_add(&c->next, &created);
	return &c->dev;
}

void device_destroy(struct class *class, dev_t devt)
{
	struct created *c = of_device(devt);

	list_del(&c->next);
	device_del(&c->dev);
	put_device(&c->dev);
}
#endif

/* --- char devices --- */

static LIST_HEAD(cdevs);
static unsigned int majors = 200;

REPLACES(int, alloc_chrdev_region, dev_t *devt, unsigned int first, unsigned int count,
	 const char *name)
{
	*devt = MKDEV(majors++, first);
	return 0;
}

static void release_cdev(struct kobject *kobj)
{
	kobject_put(kobj->parent);
}
static const struct kobj_type cdev_type = { .release = release_cdev };

void cdev_init(struct cdev *cdev, const struct file_operations *fops)
{
	memset(cdev, 0, sizeof(*cdev));
	kobject_init(&cdev->kobj, (void *)&cdev_type);
	cdev->ops = fops;
}

int cdev_add(struct cdev *cdev, dev_t devt, unsigned int count)
{
	cdev->dev = devt;
	cdev->count = count;
	kobject_get(cdev->kobj.parent);
	list_add(&cdev->list, &cdevs);
	return 0;
}

void cdev_del(struct cdev *cdev)
{
	list_del(&cdev->list);
	kobject_put(&cdev->kobj);
}

int cdev_device_add(struct cdev *cdev, struct device *dev)
{
	int ret;

	if (dev->devt) {
		cdev->kobj.parent = &dev->kobj;
		cdev_add(cdev, dev->devt, 1);
	}
	ret = device_add(dev);
	if (ret && dev->devt)
		cdev_del(cdev);
	return ret;
}

void cdev_device_del(struct cdev *cdev, struct device *dev)
{
	device_del(dev);
	if (dev->devt)
		cdev_del(cdev);
}

static struct cdev *find_cdev(dev_t devt)
{
	struct cdev *cdev;

	list_for_each_entry(cdev, &cdevs, list)
		if (devt >= cdev->dev && devt - cdev->dev < cdev->count)
			return cdev;
	return NULL;
}

/* --- files --- */

struct opened {
	struct file file;
	struct inode inode;
	struct cdev *cdev;
	struct opened *next; /* the next that is to be released */
};
static struct opened *unreferenced;

#ifdef HARNESS_HAVE_F_COUNT
static void first_reference(struct file *file)
{
	atomic_long_set(&file->f_count, 1);
}
static bool drop_reference(struct file *file)
{
	return atomic_long_dec_and_test(&file->f_count);
}
#else
bool __file_ref_put(file_ref_t *ref, unsigned long count)
{
	if (count != FILE_REF_NOREF)
		host_die("fput", "a file is put that nobody holds");
	return true;
}
static void first_reference(struct file *file)
{
	file_ref_init(&file->f_ref, 1);
}
static bool drop_reference(struct file *file)
{
	return file_ref_put(&file->f_ref);
}
#endif

static struct opened *make_file(const struct file_operations *fops, void *data)
{
	struct opened *opened = kzalloc(sizeof(*opened), GFP_KERNEL);

	if (!opened)
		return NULL;
	try_module_get(fops->owner);
	first_reference(&opened->file);
	opened->file.f_op = fops;
	opened->file.f_inode = &opened->inode;
	opened->file.private_data = data;
	return opened;
}

static void free_file(struct opened *opened)
{
	module_put(opened->file.f_op->owner);
	if (opened->cdev) {
		module_put(opened->cdev->owner);
		kobject_put(&opened->cdev->kobj);
	}
	kfree(opened);
}

void fput(struct file *file)
{
	struct opened *opened = container_of(file, struct opened, file);

	if (!drop_reference(file))
		return;
	opened->next = unreferenced;
	unreferenced = opened;
}

static void end_of_call(void)
{
	while (unreferenced) {
		struct opened *opened = unreferenced;

		unreferenced = opened->next;
		if (opened->file.f_op->release)
			opened->file.f_op->release(&opened->inode, &opened->file);
		free_file(opened);
	}
}

static struct file *make_anon_file(const struct file_operations *fops, void *data)
{
	struct opened *opened = make_file(fops, data);

	return opened ? &opened->file : ERR_PTR(-ENOMEM);
}
struct file *anon_inode_getfile(const char *name, const struct file_operations *fops, void *data,
				int flags)
{
	return make_anon_file(fops, data);
}
REPLACES(struct file *, anon_inode_getfile_fmode, const char *name,
	 const struct file_operations *fops, void *data, int flags, fmode_t mode)
{
	return make_anon_file(fops, data);
}

/* --- descriptors --- */

static struct file *descriptors[DESCRIPTORS];
static bool taken[DESCRIPTORS];

int get_unused_fd_flags(unsigned int flags)
{
	for (int fd = 0; fd < DESCRIPTORS; fd++)
		if (!taken[fd]) {
			taken[fd] = true;
			return fd;
		}
	return -EMFILE;
}
void put_unused_fd(unsigned int fd)
{
	taken[fd] = false;
}
void fd_install(unsigned int fd, struct file *file)
{
	descriptors[fd] = file;
}

static struct file *file_of(unsigned int fd)
{
	return fd < DESCRIPTORS ? descriptors[fd] : NULL;
}

/* The one thread of the process holds the descriptor; nobody has to count. */
#ifdef HARNESS_HAVE_FDGET
struct fd fdget(unsigned int fd)
{
	return (struct fd){ (unsigned long)file_of(fd) };
}
#else
unsigned long __fdget(unsigned int fd)
{
	return (unsigned long)file_of(fd);
}
#endif

/* chrdev_open(), misc_open() */
static long open_file(struct opened *opened, const struct node *node)
{
	opened->inode.i_rdev = node->devt;
	opened->inode.i_cdev = opened->cdev;
	return opened->file.f_op->open(&opened->inode, &opened->file);
}

int file_open(const char *name)
{
	const struct node *node = find_node(name);
	struct cdev *cdev = node && !node->fops ? find_cdev(node->devt) : NULL;
	struct opened *opened;
	int fd;
	long ret;

	if (!node)
		return -ENOENT;
	if (!node->fops && !cdev)
		return -ENXIO;
	opened = make_file(node->fops ?: cdev->ops, NULL);
	if (!opened)
		return -ENOMEM;
	if (cdev) {
		try_module_get(cdev->owner);
		kobject_get(&cdev->kobj);
	}
	opened->cdev = cdev;
	ret = open_file(opened, node);
	fd = ret ? ret : get_unused_fd_flags(0);
	if (fd < 0)
		free_file(opened);
	else
		fd_install(fd, &opened->file);
	end_of_call();
	return fd;
}

long file_ioctl(int fd, unsigned int command, unsigned long argument)
{
	struct file *file = file_of(fd);
	long ret;

	if (!file)
		return -EBADF;
	ret = file->f_op->unlocked_ioctl(file, command, argument);
	end_of_call();
	return ret;
}

void file_close(int fd)
{
	struct file *file = file_of(fd);

	descriptors[fd] = NULL;
	taken[fd] = false;
	fput(file);
	end_of_call();
}

void *file_private(int fd)
{
	return file_of(fd)->private_data;
}

struct file *file_at(int fd)
{
	return file_of(fd);
}

/* --- inodes of a file system that nobody sees --- */

int simple_pin_fs(struct file_system_type *type, struct vfsmount **mount, int *count)
{
	if (!*mount)
		*mount = kzalloc(sizeof(**mount), GFP_KERNEL);
	if (!*mount)
		return -ENOMEM;
	++*count;
	return 0;
}
void simple_release_fs(struct vfsmount **mount, int *count)
{
	if (--*count)
		return;
	kfree(*mount);
	*mount = NULL;
}
struct inode *alloc_anon_inode(struct super_block *super)
{
	struct inode *inode = kzalloc(sizeof(*inode), GFP_KERNEL);

	if (!inode)
		return ERR_PTR(-ENOMEM);
	inode->i_mapping = &inode->i_data;
	return inode;
}
void iput(struct inode *inode)
{
	kfree(inode);
}

/* --- waiting: nothing happens at the same time, so the user answers now or never --- */

static void (*user_answers)(void);
static bool waited;

void files_begin(void (*answers)(void))
{
	user_answers = answers;
	waited = false;
}

bool files_waited(void)
{
	const bool has = waited;

	waited = false;
	return has;
}

static void wait(void)
{
	waited = true;
	user_answers();
}

void complete(struct completion *completion)
{
	completion->done++;
}
bool try_wait_for_completion(struct completion *completion)
{
	if (!completion->done)
		return false;
	completion->done--;
	return true;
}
static long wait_for(struct completion *completion)
{
	if (!completion->done)
		wait();
	if (!try_wait_for_completion(completion))
		host_die("wait_for_completion", "the kernel waits, and nobody can end this");
	return 1;
}
unsigned long wait_for_completion_timeout(struct completion *completion, unsigned long timeout)
{
	return wait_for(completion);
}
long wait_for_completion_interruptible_timeout(struct completion *completion,
					       unsigned long timeout)
{
	return wait_for(completion);
}

/* --- strings of user space --- */

char *strndup_user(const char __user *from, long most)
{
	long length = 0;
	char byte;
	char *copy;

	do {
		if (length == most)
			return ERR_PTR(-EINVAL);
		if (copy_from_user(&byte, from + length++, 1))
			return ERR_PTR(-EFAULT);
	} while (byte);
	copy = kmalloc(length, GFP_KERNEL);
	if (!copy)
		return ERR_PTR(-ENOMEM);
	return copy_from_user(copy, from, length) ? ERR_PTR(-EFAULT) : copy;
}
