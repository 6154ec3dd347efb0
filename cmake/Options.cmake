# SPDX-License-Identifier: Apache-2.0
# Warnings and sanitizers for our own code, as one target; CMAKE_CXX_FLAGS is left to the user.
add_library(iommucheck_options INTERFACE)
target_compile_options(iommucheck_options INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wno-missing-field-initializers
  -Wnon-virtual-dtor -Woverloaded-virtual)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # False alarms of g++ 12 on std::string (GCC bug 105651).
  target_compile_options(iommucheck_options INTERFACE -Wno-restrict)
endif()
option(IOMMUCHECK_WERROR "Warnings are errors" ON)
if(IOMMUCHECK_WERROR)
  target_compile_options(iommucheck_options INTERFACE -Werror)
endif()

option(IOMMUCHECK_SANITIZE "AddressSanitizer and UndefinedBehaviorSanitizer" OFF)
if(IOMMUCHECK_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()
