// SPDX-License-Identifier: Apache-2.0
//
// iommucheck: can this kernel, with this patch, on some machine that could exist, attach a domain
// of one IOMMU driver to a device behind another?
#include <cxxabi.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <optional>
#include <string_view>
#include <typeinfo>

#include "src/case/engine_error.h"
#include "src/case/spelling.h"
#include "src/cli/colour.h"
#include "src/cli/commands.h"
#include "src/cli/usage.h"
#include "src/report/text.h"
#include "src/tool/provenance.h"
#include "src/tool/stop.h"

namespace {

using namespace iommucheck::cli;

// CLI11 says only that a subcommand is required; say which one may have been meant.
bool MisspeltCommand(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return false;
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands(nullptr)) names.push_back(command->get_name());
  if (std::ranges::find(names, std::string(argv[1])) != names.end()) return false;
  std::cerr << "iommucheck: expected a command, found " << iommucheck::Quote(argv[1])
            << iommucheck::DidYouMean(argv[1], names) << "\n"
            << "try: iommucheck --help\n";
  return true;
}

int Run(int argc, char** argv) {
  CLI::App app(
      "Can this kernel, with this patch, on some machine, attach a domain that one "
      "IOMMU driver allocated to a device behind another?",
      "iommucheck");
  app.set_version_flag("--version", iommucheck::report::ToolName());
  app.formatter(std::make_shared<iommucheck::cli::HelpFormatter>());
  app.require_subcommand(1);
  // Control characters of arguments are shown as text, not sent to the terminal.
  app.failure_message([](const CLI::App* command, const CLI::Error& e) {
    const std::string message = CLI::FailureMessage::simple(command, e);
    std::string lines;
    for (const std::string_view line : iommucheck::SplitLines(message))
      lines += (lines.empty() ? "" : "\n") + iommucheck::Printable(line);
    return lines;
  });
  app.footer(
      "Exit status: 0 holds, none or ok, 1 violated or an outcome differs,\n"
      "2 usage, or output that cannot be written, 3 unknown (budget, stopped,\n"
      "part of a system missing), 4 iommucheck is wrong, 5 input not valid.");
  std::string colour = kColourWhen.front();
  app.add_option("--color", colour, "verdicts in colour: auto (on a terminal), always or never")
      ->type_name("WHEN")
      ->check(OneOf("auto, always or never", kColourWhen));
  app.fallthrough();  // also behind a command
  std::optional<ColouredLines> coloured;
  app.parse_complete_callback([&] {
    if (WantsColour(colour)) coloured.emplace(std::cout);
  });
  Session session;
  for (AddCommand* add : {AddQuery,   AddGuards,  AddDiff,       AddCheckCertificate,
                          AddExplore, AddMerge,   AddReplay,     AddMinimize,
                          AddJudge,   AddCheck,   AddSurvey,     AddPairs,
                          AddConform, AddKernels, AddProperties, AddConvert,
                          AddExport,  AddReport,  AddReview,     AddTour,
                          AddDescribe})
    add(app, session);
  if (MisspeltCommand(app, argc, argv)) return kUsage;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ExtrasError& e) {
    std::cerr << "iommucheck: " << ExtrasText(app) << "\n"
              << "Run with --help for more information.\n";
    return kUsage;
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? kOk : kUsage;
  } catch (const std::exception& e) {
    session.Fail(iommucheck::EngineError(e));
  }
  return session.exit;
}

// When memory runs out, Z3 throws from a destructor, which ends the process. The answer is unknown
// then; iommucheck is not wrong. This function allocates nothing.
[[noreturn]] void OnTerminate() {
  const std::type_info* const type = abi::__cxa_current_exception_type();
  const std::string_view name = type == nullptr ? "" : type->name();
  if (name.find("out_of_memory") == std::string_view::npos &&
      name.find("bad_alloc") == std::string_view::npos)
    std::abort();
  constexpr std::string_view kSaid = "iommucheck: unknown: out of memory\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kSaid.data(), kSaid.size());
  _exit(kUnknown);
}

}  // namespace

// NOLINTNEXTLINE(bugprone-exception-escape): OnTerminate() says what it was
int main(int argc, char** argv) {
  std::set_terminate(OnTerminate);
  KeepStandardStreams();
  iommucheck::tool::SetCommandLine(argc, argv);
  iommucheck::tool::WatchSignals();
  int exit = Run(argc, argv);
  Progress("");
  // An answer that could not be written is an error, whatever the answer was.
  if (const absl::Status s = FlushOutput(); !s.ok()) {
    Session session;
    session.Fail(s);
    exit = session.exit;
  }
  return exit;
}
