# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` and the package have: the program, its man page and completions, and the data
# that it looks for beside itself (tool::InstalledData()).
include(GNUInstallDirs)
# Only what is installed need be built for it.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)

find_program(scdoc scdoc)
set(described)
# describe(FORM FILE FOLDER [FILTER...]): installs `iommucheck describe --to FORM` as FOLDER/FILE.
function(describe form file folder)
  set(output ${CMAKE_BINARY_DIR}/described/${file})
  set(filter)
  if(ARGN)
    set(filter "|" ${ARGN})
  endif()
  add_custom_command(OUTPUT ${output} DEPENDS iommucheck
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/described
    COMMAND iommucheck describe --to ${form} ${filter} > ${output})
  set(described ${described} ${output} PARENT_SCOPE)
  install(FILES ${output} DESTINATION ${CMAKE_INSTALL_DATADIR}/${folder})
endfunction()
describe(bash iommucheck bash-completion/completions)
describe(zsh _iommucheck zsh/vendor-completions)
describe(fish iommucheck.fish fish/vendor_completions.d)
if(scdoc)
  describe(scdoc iommucheck.1 man/man1 ${scdoc})
else()
  message(STATUS "No scdoc: the man page is left out")
endif()
add_custom_target(iommucheck_described ALL DEPENDS ${described})

install(TARGETS iommucheck)
install(DIRECTORY corpus/bugs corpus/claims corpus/litmus corpus/systems
        DESTINATION ${CMAKE_INSTALL_DATADIR}/iommucheck/corpus)
install(FILES docs/case.schema.json docs/output.schema.json data/drivers.json
        DESTINATION ${CMAKE_INSTALL_DATADIR}/iommucheck)
install(DIRECTORY data/systems DESTINATION ${CMAKE_INSTALL_DATADIR}/iommucheck/data)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md")
install(FILES README.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME iommucheck)
set(CPACK_PACKAGE_CONTACT "The authors of iommucheck")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_STRIP_FILES ON)
include(CPack)
