# SPDX-License-Identifier: Apache-2.0
# iommucheck_embed(TARGET FILE SYMBOL): compiles FILE into TARGET as the string
# iommucheck::embedded::SYMBOL, so that the tool needs no data folder at run time.
function(iommucheck_embed target file symbol)
  cmake_path(ABSOLUTE_PATH file BASE_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} text)
  cmake_path(GET file STEM LAST_ONLY stem)
  set(source ${CMAKE_BINARY_DIR}/embedded/${symbol}.cc)
  file(CONFIGURE OUTPUT ${source} @ONLY CONTENT [=[
#include <string_view>
namespace iommucheck::embedded {
extern const std::string_view @symbol@;
extern const std::string_view @symbol@_stem;
const std::string_view @symbol@_stem = "@stem@";
const std::string_view @symbol@ = R"embedded(@text@)embedded";
}  // namespace iommucheck::embedded
]=])
  target_sources(${target} PRIVATE ${source})
endfunction()
