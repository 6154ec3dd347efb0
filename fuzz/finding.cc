// SPDX-License-Identifier: Apache-2.0
#include "fuzz/finding.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "src/tool/provenance.h"

namespace iommucheck::fuzzing {
namespace {

// "v6.12.y" as "v6-12-y"
std::string WithoutVersionDots(std::string_view what) {
  std::string text(what);
  for (size_t i = 1; i + 1 < text.size(); ++i)
    if (text[i] == '.' && absl::ascii_isdigit(static_cast<unsigned char>(text[i - 1])))
      text[i] = '-';
  return text;
}

}  // namespace

std::string AssertionLine(std::string_view what, const std::source_location& where) {
  const std::string_view path = where.file_name();
  return absl::StrCat(program_invocation_short_name, ": ",
                      std::string(path.substr(path.rfind('/') + 1)), ":", where.line(),
                      ": Assertion `", WithoutVersionDots(what), "' failed.");
}

void Fail(std::string_view what, std::string_view report, const std::source_location& where) {
  std::fprintf(stderr, "%s\n%.*s\n", AssertionLine(what, where).c_str(),
               static_cast<int>(report.size()), report.data());
  std::fflush(stderr);
  std::abort();
}

void SetTarget(int argc, const char* const* argv) {
  tool::SetCommandLine(argc, argv, program_invocation_short_name);
}

std::string ReproduceText() {
  std::string variables;
  for (const char* variable :
       {"IOMMUCHECK_KERNEL", "IOMMUCHECK_PROPERTY", "IOMMUCHECK_DROP", "IOMMUCHECK_KERNEL_BUILD"})
    if (const char* value = std::getenv(variable))
      absl::StrAppend(&variables, variable, "=", value, " ");
  return absl::StrCat("input:   run it again as: ", variables, program_invocation_short_name,
                      " INPUT\ncommand: ", tool::CommandLine(), "\ntool:    ", tool::Build(), "\n");
}

}  // namespace iommucheck::fuzzing
