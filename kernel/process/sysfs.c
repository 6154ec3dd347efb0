// SPDX-License-Identifier: GPL-2.0-only
/*
 * sysfs, as far as the real files make folders, files and links in it, and user space reads and
 * writes the files of a group. A folder goes with all that is in it.
 */
#include <linux/device.h>
#include <linux/iommu.h>
#include <linux/kobject.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "internal.h"
#include "memory.h"

struct entry {
	struct entry *next;
	const struct kobject *in;
	char name[40];
	const struct attribute *file; /* NULL: a folder or a link */
};
static struct entry *entries;
int sysfs_entries;

static struct entry **find(const struct kobject *in, const char *name)
{
	struct entry **link = &entries;

	while (*link && ((*link)->in != in || strcmp((*link)->name, name)))
		link = &(*link)->next;
	return link;
}

static int add(const struct kobject *in, const char *name, const struct attribute *file)
{
	struct entry *entry;

	if (host_strikes(HARNESS_ARM_SYSFS))
		return -ENOMEM;
	if (*find(in, name))
		return -EEXIST;
	if (strlen(name) >= sizeof(entry->name))
		host_die("sysfs", "there is no room for the name");
	entry = host_grow(NULL, sizeof(*entry));
	*entry = (struct entry){ .next = entries, .in = in, .file = file };
	strcpy(entry->name, name);
	entries = entry;
	sysfs_entries++;
	return 0;
}

static int add_once(const struct kobject *in, const char *name, const struct attribute *file)
{
	const int ret = add(in, name, file);

	if (ret == -EEXIST)
		memory_complain("two things in a folder of sysfs have the same name");
	return ret;
}

static void drop(struct entry **link)
{
	struct entry *entry = *link;

	if (!entry)
		return;
	*link = entry->next;
	host_drop(entry);
	sysfs_entries--;
}

REPLACES(int, sysfs_create_dir_ns, struct kobject *kobj, const void *ns)
{
	return add_once(kobj->parent, kobject_name(kobj), NULL);
}

REPLACES(void, sysfs_remove_dir, struct kobject *kobj)
{
	struct entry **link = &entries;

	drop(find(kobj->parent, kobject_name(kobj)));
	while (*link)
		if ((*link)->in == kobj)
			drop(link);
		else
			link = &(*link)->next;
}

REPLACES(int, sysfs_create_file_ns, struct kobject *kobj, const struct attribute *file,
	 const void *ns)
{
	return add_once(kobj, file->name, file);
}

REPLACES(void, sysfs_remove_file_ns, struct kobject *kobj, const struct attribute *file,
	 const void *ns)
{
	drop(find(kobj, file->name));
}

REPLACES(int, sysfs_create_link, struct kobject *kobj, struct kobject *target, const char *name)
{
	return add_once(kobj, name, NULL);
}

REPLACES(int, sysfs_create_link_nowarn, struct kobject *kobj, struct kobject *target,
	 const char *name)
{
	return add(kobj, name, NULL);
}

REPLACES(void, sysfs_remove_link, struct kobject *kobj, const char *name)
{
	drop(find(kobj, name));
}

bool sysfs_has(const struct kobject *in, const char *name)
{
	return *find(in, name);
}

static const struct attribute *file_in(const struct kobject *in, const char *name)
{
	const struct entry *entry = *find(in, name);

	return entry ? entry->file : NULL;
}

long sysfs_read(struct kobject *in, const char *name, char *page)
{
	const struct attribute *file = file_in(in, name);

	if (!file)
		return -ENOENT;
	return file->mode & 0444 ? in->ktype->sysfs_ops->show(in, (void *)file, page) : -EACCES;
}

long sysfs_write(struct kobject *in, const char *name, const char *text)
{
	const struct attribute *file = file_in(in, name);
	const size_t size = strlen(text);
	long ret;

	if (!file)
		return -ENOENT;
	if (!(file->mode & 0222))
		return -EACCES;
	ret = in->ktype->sysfs_ops->store(in, (void *)file, text, size);
	/* A file takes all that is written, or nothing. */
	return ret < 0 ? ret : ret == size ? 0 : -EIO;
}

/* --- iommu-sysfs.c: a device shows its IOMMU --- */

REPLACES(int, iommu_device_link, struct iommu_device *iommu, struct device *dev)
{
	return add(&dev->kobj, "iommu", NULL);
}

void sysfs_unlink_iommu(struct device *dev)
{
	drop(find(&dev->kobj, "iommu"));
}
