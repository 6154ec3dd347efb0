# SPDX-License-Identifier: Apache-2.0
# iommucheck_model_hash(TARGET): gives TARGET a generated header, model_hash.inc, with the first 16
# hex digits of the SHA-256 of model and encodings. It is recomputed if one of their files changes,
# and rewritten only if the hash changes. As a script: -DOUT=FILE -DROOT=FOLDER -P this file.
set(IOMMUCHECK_HASHED_FOLDERS model src/case src/explore src/prove src/smt)

if(CMAKE_SCRIPT_MODE_FILE)
  set(all "")
  foreach(folder ${IOMMUCHECK_HASHED_FOLDERS})
    file(GLOB files RELATIVE ${ROOT} ${ROOT}/${folder}/*.cc ${ROOT}/${folder}/*.h)
    list(SORT files)
    foreach(file ${files})
      file(SHA256 ${ROOT}/${file} hash)
      string(APPEND all "${file} ${hash}\n")
    endforeach()
  endforeach()
  string(SHA256 hash "${all}")
  string(SUBSTRING ${hash} 0 16 hash)
  file(CONFIGURE OUTPUT ${OUT} CONTENT "\"@hash@\"\n" @ONLY)
  return()
endif()

set(IOMMUCHECK_MODEL_HASH_SCRIPT ${CMAKE_CURRENT_LIST_FILE})
function(iommucheck_model_hash target)
  set(files "")
  foreach(folder ${IOMMUCHECK_HASHED_FOLDERS})
    file(GLOB in_folder CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.cc
                                          ${CMAKE_SOURCE_DIR}/${folder}/*.h)
    list(APPEND files ${in_folder})
  endforeach()
  set(header ${CMAKE_BINARY_DIR}/model_hash/model_hash.inc)
  add_custom_command(
    OUTPUT ${header}
    COMMAND ${CMAKE_COMMAND} -DOUT=${header} -DROOT=${CMAKE_SOURCE_DIR}
            -P ${IOMMUCHECK_MODEL_HASH_SCRIPT}
    DEPENDS ${files} ${IOMMUCHECK_MODEL_HASH_SCRIPT}
    COMMENT "Hashing model and encodings"
    VERBATIM)
  target_sources(${target} PRIVATE ${header})
  target_include_directories(${target} PRIVATE ${CMAKE_BINARY_DIR}/model_hash)
endfunction()
