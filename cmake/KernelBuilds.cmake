# SPDX-License-Identifier: Apache-2.0
# The builds of ./dev kernel that tests use, and the ops that no build plays: group files need
# group.c, which is not built; resets are not driven; PASIDs of 6.1 need amd_iommu's code.
set(kernel_builds 6.1 6.12)
set(kernel_never_6.1 "open close attach-pasid detach-pasid reset reset-done")
set(kernel_never_6.12 "open close reset reset-done")

# kernel_build(VERSION): sets the variable `build` to the folder of the build.
function(kernel_build version)
  set(build ${CMAKE_SOURCE_DIR}/build/kernel/linux-source-${version} PARENT_SCOPE)
endfunction()
