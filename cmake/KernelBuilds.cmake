# SPDX-License-Identifier: Apache-2.0
# The builds of ./dev kernel that tests use, and the ops that a build does not play: PASIDs up to 6.1
# need the code of amd_iommu, and the core of all but the newest has no part in resets.
set(kernel_builds 5.10 6.1 6.12 newest)
set(kernel_recorded 6.1 6.12) # booted, and their traces kept (docs/recording.md)
set(kernel_never_5.10 "attach-pasid detach-pasid reset reset-done")
set(kernel_never_6.1 "attach-pasid detach-pasid reset reset-done")
set(kernel_never_6.12 "reset reset-done")
set(kernel_never_newest "")
# The machines of kernel_ioctl and kernel_checks have drivers that claim no bus, and so no devices
# in these kernels.
set(kernel_claims_buses 5.10)
# Its profile, where corpus/answers/known.txt has differences.
set(kernel_profile_5.10 v5.10.y)

# kernel_build(VERSION): sets the variable `build` to the folder of the build, `package` to its name.
# The newest has that name whatever its version is.
function(kernel_build version)
  if(version STREQUAL newest)
    set(package newest)
  else()
    set(package linux-source-${version})
  endif()
  set(package ${package} PARENT_SCOPE)
  set(build ${CMAKE_SOURCE_DIR}/build/kernel/${package} PARENT_SCOPE)
endfunction()
