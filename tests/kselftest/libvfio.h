/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As much of selftests/vfio's libvfio as exported tests use, so that they compile and run without a
 * kernel tree: the same names and types.
 */
#ifndef LIBVFIO_H
#define LIBVFIO_H

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef uint32_t u32;
typedef uint64_t u64;

struct iommu {
	int container_fd;
};

#define MODE_VFIO_TYPE1_IOMMU "vfio_type1_iommu"
#define MODE_IOMMUFD_COMPAT_TYPE1 "iommufd_compat_type1"
#define MODE_IOMMUFD "iommufd"

#define FIXTURE_VARIANT_ADD_ALL_IOMMU_MODES() \
FIXTURE_VARIANT_ADD_IOMMU_MODE(vfio_type1_iommu); \
FIXTURE_VARIANT_ADD_IOMMU_MODE(vfio_type1v2_iommu); \
FIXTURE_VARIANT_ADD_IOMMU_MODE(iommufd_compat_type1); \
FIXTURE_VARIANT_ADD_IOMMU_MODE(iommufd_compat_type1v2); \
FIXTURE_VARIANT_ADD_IOMMU_MODE(iommufd)

static inline struct iommu *iommu_init(const char *mode)
{
	struct iommu *iommu = calloc(1, sizeof(*iommu));

	iommu->container_fd = open(strncmp(mode, "iommufd", 7) ? "/dev/vfio/vfio" : "/dev/iommu",
				   O_RDWR);
	return iommu;
}

static inline void iommu_cleanup(struct iommu *iommu)
{
	close(iommu->container_fd);
	free(iommu);
}

static inline char **vfio_selftests_get_bdfs(int *argc, char *argv[], int *nr_bdfs)
{
	*nr_bdfs = *argc - 1;
	*argc = 1;
	return argv + 1;
}

#endif
