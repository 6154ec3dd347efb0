// SPDX-License-Identifier: GPL-2.0-only
/* The tree's drivers/iommu/iommu.c, unmodified, and access to its private parts. */
#include "drivers/iommu/iommu.c"

#include "internal.h"

void core_init(void)
{
	/* core_initcall(), then subsys_initcall() */
	if (iommu_init() || iommu_subsys_init())
		host_die("drivers/iommu/iommu.c", "initcalls failed");
}

struct core_group core_group(struct iommu_group *group)
{
	if (!group)
		return (struct core_group){};
#ifdef HARNESS_HAVE_DMA_OWNER
	return (struct core_group){ group->domain, group->default_domain, group->owner_cnt,
				    group->owner != NULL, group->blocking_domain };
#else
	return (struct core_group){ group->domain, group->default_domain, 0, 0, NULL };
#endif
}

void core_dev_iommu_free(struct device *dev)
{
	dev_iommu_free(dev);
}

struct kobject *core_folder(struct iommu_group *group)
{
	return &group->kobj;
}

struct kobject *core_devices_folder(struct iommu_group *group)
{
	return group->devices_kobj;
}

#ifdef HARNESS_HAVE_PASID_HANDLE
int core_parameter(const char *name, char *value)
{
	return strcmp(name, "iommu.strict") ? iommu_set_def_domain_type(value) :
					      iommu_dma_setup(value);
}

int core_starts(void)
{
	return iommu_subsys_init();
}

void core_forget_parameters(void)
{
	iommu_cmd_line = 0;
}
#endif

/* When a group is freed, the attachments of its PASIDs go with it. */
void core_forget_pasids(struct iommu_group *group)
{
#ifdef HARNESS_HAVE_PASID
	xa_destroy(&group->pasid_array);
#endif
}

bool core_keep_number(int id)
{
	return ida_alloc_range(&iommu_group_ida, id, id, GFP_KERNEL) == id;
}

void core_give_number(int id)
{
	ida_free(&iommu_group_ida, id);
}
