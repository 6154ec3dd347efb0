// SPDX-License-Identifier: Apache-2.0
#include "fuzz/finding.h"

#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigprocmask()
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "fuzz/durable.h"
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

std::string_view input;

// Waits until both files are written. The engine's clock must not take that for a slow input.
void PutIntoInbox(const std::string& inbox, const std::string& text) {
  sigset_t clock;
  sigemptyset(&clock);
  sigaddset(&clock, SIGALRM);
  sigprocmask(SIG_BLOCK, &clock, nullptr);
  const std::string name = absl::StrCat(inbox, "/", HashOf(absl::StrCat(text, std::string(input))));
  // The input comes last: where it is, the report is, too.
  const auto put = [&] {
    const std::string wrong = WriteDurably(name + ".txt", text);
    return wrong.empty() ? WriteDurably(name + ".input", input) : wrong;
  };
  for (std::string wrong = put(), said; !wrong.empty(); wrong = put()) {
    if (wrong != said) std::fprintf(stderr, "a finding waits for its files: %s\n", wrong.c_str());
    said = wrong;
    sleep(1);
  }
}

}  // namespace

void NoteInput(const uint8_t* data, size_t size) {
  input = {reinterpret_cast<const char*>(data), size};
}

std::string AssertionLine(std::string_view what, const std::source_location& where) {
  const std::string_view path = where.file_name();
  return absl::StrCat(program_invocation_short_name, ": ",
                      std::string(path.substr(path.rfind('/') + 1)), ":", where.line(),
                      ": Assertion `", WithoutVersionDots(what), "' failed.");
}

void Fail(std::string_view what, std::string_view report, const std::source_location& where) {
  const std::string text =
      absl::StrCat(AssertionLine(what, where), "\n", std::string(report), "\n");
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
  if (const char* inbox = std::getenv("IOMMUCHECK_INBOX")) {
    PutIntoInbox(inbox, text);
    constexpr int kFound = 1;
    std::_Exit(kFound);
  }
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
