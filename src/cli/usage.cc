// SPDX-License-Identifier: Apache-2.0
#include "src/cli/usage.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "src/case/spelling.h"
#include "src/report/text.h"

namespace iommucheck::cli {
namespace {

// Those of the terminal, as far as lines stay easy to read; 80 where there is none.
size_t HelpColumns() {
  constexpr size_t kUsual = 80;
  constexpr size_t kLeast = 50;
  constexpr size_t kMost = 100;
  winsize size{};
  if (isatty(STDOUT_FILENO) == 0 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 ||
      size.ws_col == 0)
    return kUsual;
  return std::clamp<size_t>(size.ws_col, kLeast, kMost);
}

// The options that an argument may have been meant for, with their dashes.
std::vector<std::string> OptionNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

// The command on the command line; if there is none, the tool.
const CLI::App& Asked(const CLI::App& app) {
  const std::vector<CLI::App*> commands = app.get_subcommands();
  return commands.empty() ? app : *commands.front();
}

// Wraps each line by itself.
std::string Wrapped(const std::string& text) {
  std::string out;
  for (const absl::string_view line : absl::StrSplit(text, '\n'))
    absl::StrAppend(&out, absl::StrJoin(report::Wrap(std::string(line), HelpColumns()), "\n"),
                    "\n");
  return out;
}

}  // namespace

std::string HelpFormatter::Entry(const std::string& name, const std::string& text) const {
  const size_t indent = get_column_width();
  std::string head = "  " + name;
  const bool fits = head.size() + 2 <= indent;
  if (fits) head.resize(indent, ' ');
  std::string out = fits ? head : head + "\n" + std::string(indent, ' ');
  out += absl::StrJoin(report::Wrap(text, HelpColumns() - indent), "\n" + std::string(indent, ' '));
  return out.substr(0, out.find_last_not_of(' ') + 1) + "\n";
}

std::string HelpFormatter::make_option(const CLI::Option* option, bool is_positional) const {
  const std::string name = make_option_name(option, is_positional);
  std::string text = make_option_desc(option);
  if (!option->get_default_str().empty())
    absl::StrAppend(&text, " (", option->get_default_str(), ")");
  if (option->get_required() && !is_positional) text += "; required";
  return Entry(is_positional ? name : name + make_option_opts(option), text);
}

std::string HelpFormatter::make_option_opts(const CLI::Option* option) const {
  if (option->get_type_size() == 0) return "";
  std::string type = option->get_type_name();
  // Only a name in capitals, such as FILE: what the validators say is in the errors.
  type = type.substr(0, type.find_first_of(": "));
  return type.empty() ? "" : " " + type;
}

std::string HelpFormatter::make_subcommand(const CLI::App* command) const {
  return Entry(command->get_name(), command->get_description());
}

std::string HelpFormatter::make_description(const CLI::App* app) const {
  return Wrapped(app->get_description());
}

std::string HelpFormatter::make_footer(const CLI::App* app) const {
  return Wrapped(app->get_footer());
}

std::string ExtrasText(const CLI::App& app) {
  const CLI::App& asked = Asked(app);
  std::vector<std::string> extras = app.remaining();
  for (const std::string& extra : asked.remaining()) extras.push_back(extra);
  std::vector<std::string> texts;
  texts.reserve(extras.size());
  for (const std::string& extra : extras)
    texts.push_back(Quote(extra) + (extra.starts_with("-") ? DidYouMean(extra, OptionNames(asked))
                                                           : std::string()));
  return absl::StrCat("not expected: ", absl::StrJoin(texts, ", "));
}

CLI::Validator OneOf(const std::string& what, const std::vector<std::string>& names) {
  return {[what, names](std::string& value) {
            if (std::ranges::find(names, value) != names.end()) return std::string();
            return absl::StrCat("expected ", what, ", found ", Quote(value),
                                DidYouMean(value, names));
          },
          ""};
}

}  // namespace iommucheck::cli
