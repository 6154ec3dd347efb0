# SPDX-License-Identifier: Apache-2.0
# Fuzz targets for any engine: $LIB_FUZZING_ENGINE if it is set; otherwise libFuzzer if
# IOMMUCHECK_FUZZ is on and the compiler has it; otherwise a plain main that replays files and
# folders.
option(IOMMUCHECK_FUZZ "Link fuzz targets with libFuzzer (clang)" OFF)
if(IOMMUCHECK_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# add_fuzz_target(NAME LIBRARIES...): builds fuzz/NAME.cc.
function(add_fuzz_target name)
  add_executable(${name} ${name}.cc)
  target_link_libraries(${name} PRIVATE ${ARGN} iommucheck_options)
  if(DEFINED ENV{LIB_FUZZING_ENGINE})
    target_link_libraries(${name} PRIVATE $ENV{LIB_FUZZING_ENGINE})
  elseif(IOMMUCHECK_FUZZ)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  else()
    target_sources(${name} PRIVATE replay_main.cc mutator.cc mutator.h options.cc options.h)
    target_link_libraries(${name} PRIVATE CLI11::CLI11)
    target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  endif()
endfunction()
