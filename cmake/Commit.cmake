# SPDX-License-Identifier: Apache-2.0
# The commit of a build, for reports. As a script (cmake -P) it rewrites OUTPUT if the commit has
# changed: 12 hex digits, with a + if files differ from it; "unknown" outside of git.
if(CMAKE_SCRIPT_MODE_FILE)
  set(commit unknown)
  find_program(git git)
  if(git)
    execute_process(COMMAND ${git} rev-parse --short=12 HEAD WORKING_DIRECTORY ${SOURCE}
                    OUTPUT_VARIABLE head ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE
                    RESULT_VARIABLE failed)
    if(NOT failed)
      execute_process(COMMAND ${git} diff --quiet HEAD WORKING_DIRECTORY ${SOURCE}
                      ERROR_QUIET RESULT_VARIABLE differs)
      set(commit ${head})
      if(differs)
        string(APPEND commit +)
      endif()
    endif()
  endif()
  file(CONFIGURE OUTPUT ${OUTPUT} CONTENT "#define IOMMUCHECK_COMMIT \"${commit}\"\n")
  return()
endif()

# iommucheck_commit(TARGET): TARGET can include "commit.inc", which has IOMMUCHECK_COMMIT.
set(iommucheck_commit_script ${CMAKE_CURRENT_LIST_FILE})
function(iommucheck_commit target)
  set(output ${CMAKE_BINARY_DIR}/generated/commit.inc)
  add_custom_target(${target}_commit BYPRODUCTS ${output}
    COMMAND ${CMAKE_COMMAND} -DSOURCE=${CMAKE_SOURCE_DIR} -DOUTPUT=${output}
            -P ${iommucheck_commit_script} VERBATIM)
  add_dependencies(${target} ${target}_commit)
  target_include_directories(${target} PRIVATE ${CMAKE_BINARY_DIR}/generated)
endfunction()
