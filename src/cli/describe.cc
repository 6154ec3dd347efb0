// SPDX-License-Identifier: Apache-2.0
//
// The command line, as the completions of a shell and as the source of the man page. All are printed
// from what the commands have said of themselves, so that none can lag behind.
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "model/properties.h"
#include "src/case/spelling.h"
#include "src/cli/colour.h"
#include "src/cli/commands.h"
#include "src/cli/usage.h"
#include "src/tool/provenance.h"

namespace iommucheck::cli {
namespace {

std::vector<const CLI::App*> Commands(const CLI::App& app) {
  const std::vector<const CLI::App*> all = app.get_subcommands(nullptr);
  return {all.begin(), all.end()};
}

// Those of every command, such as --color; not those that stand alone.
std::vector<const CLI::Option*> CommonOptions(const CLI::App& app) {
  std::vector<const CLI::Option*> options;
  for (const CLI::Option* option : app.get_options())
    if (option != app.get_help_ptr() && option != app.get_version_ptr()) options.push_back(option);
  return options;
}

// What may follow a command.
std::vector<const CLI::Option*> OptionsOf(const CLI::App& app, const CLI::App& command) {
  const std::vector<const CLI::Option*> own = command.get_options();
  std::vector<const CLI::Option*> options(own.begin(), own.end());
  for (const CLI::Option* option : CommonOptions(app)) options.push_back(option);
  return options;
}

// "--kernel", or the name of a positional.
std::string NameOf(const CLI::Option& option) {
  return option.get_positional() ? option.get_name(true) : "--" + option.get_lnames().front();
}

bool TakesValue(const CLI::Option& option) { return option.get_items_expected_max() != 0; }

template <typename Rows, typename F>
std::string Joined(const Rows& rows, F name) {
  return absl::StrJoin(rows, " ", [&](std::string* out, const auto& row) {
    absl::StrAppend(out, std::string(name(row)));
  });
}

// Words that can stand for a value, as a variable of the shell.
struct WordList {
  const char* variable;
  std::string words;
};
const std::vector<WordList>& WordLists() {
  static const std::vector<WordList> kLists = {
      {"iommucheck_encoded", Joined(kEncodedProperties, PropertyName)},
      {"iommucheck_properties", Joined(kProperties, PropertyName)},
      {"iommucheck_kernels", Joined(kKernelVersions, VersionName)},
      {"iommucheck_rules", Joined(AllRules(), [](const RuleInfo& rule) { return rule.id; })},
      {"iommucheck_when", absl::StrJoin(kColourWhen, " ")}};
  return kLists;
}

// The variable whose words can stand for the option's value; "" where it is a number, a file or free.
std::string WordsOf(const CLI::Option& option) {
  const std::string name = NameOf(option);
  if (name == "PROPERTY") return "$iommucheck_encoded";
  if (name == "--property") return "$iommucheck_properties";
  if (name == "--kernel") return "$iommucheck_kernels";
  if (name == "--color") return "$iommucheck_when";
  if (name == "--drop" || name == "--add") return "$iommucheck_rules";
  return "";
}

// For all three shells.
std::string Quoted(const std::string& text) {
  return "'" + absl::StrReplaceAll(text, {{"'", "’"}, {"\n", " "}}) + "'";
}

// A line each that sets the variables.
std::string Variables(const char* set, const char* is) {
  std::string out;
  for (const WordList& list : WordLists())
    absl::StrAppend(&out, set, list.variable, is, Quoted(list.words), "\n");
  return out;
}

std::string Bash(const CLI::App& app) {
  std::string options;
  std::string values;
  for (const CLI::App* command : Commands(app)) {
    std::string names;
    for (const CLI::Option* option : OptionsOf(app, *command)) {
      if (!option->get_positional()) absl::StrAppend(&names, " ", NameOf(*option));
      const std::string words = WordsOf(*option);
      if (words.empty()) continue;
      // A positional is the first word after the command.
      const std::string before = option->get_positional() ? command->get_name() : NameOf(*option);
      absl::StrAppend(&values, "    ", command->get_name(), ":", before, ") words=", words,
                      " ;;\n");
    }
    absl::StrAppend(&options, "    ", command->get_name(), ") words=", Quoted(names.substr(1)),
                    " ;;\n");
  }
  return absl::StrCat(
      "# Completion of iommucheck for bash.\n", Variables("", "="),
      "_iommucheck() {\n"
      "  local now=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words=''\n"
      "  COMPREPLY=()\n"
      "  if ((COMP_CWORD == 1)); then\n"
      "    mapfile -t COMPREPLY < <(compgen -W ",
      Quoted("--help --version " + Joined(Commands(app), [](auto* c) { return c->get_name(); })),
      " -- \"$now\")\n"
      "    return\n"
      "  fi\n"
      "  case ${COMP_WORDS[1]}:$before in\n",
      values,
      "  esac\n"
      "  if [[ $now == -* ]]; then\n"
      "    case ${COMP_WORDS[1]} in\n",
      options,
      "    esac\n"
      "  fi\n"
      "  if [[ -n $words ]]; then\n"
      "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$now\")\n"
      "  else\n"
      "    mapfile -t COMPREPLY < <(compgen -f -- \"$now\")\n"
      "  fi\n"
      "}\n"
      "complete -o filenames -F _iommucheck iommucheck\n");
}

// In zsh's arguments, brackets and colons separate.
std::string ForZsh(const std::string& text) {
  return absl::StrReplaceAll(text, {{"[", "("}, {"]", ")"}, {":", " -"}});
}

std::string Zsh(const CLI::App& app) {
  std::string commands;
  std::string cases;
  for (const CLI::App* command : Commands(app)) {
    absl::StrAppend(&commands, "    ",
                    Quoted(command->get_name() + ":" + ForZsh(command->get_description())), "\n");
    absl::StrAppend(&cases, "  ", command->get_name(), ") _arguments");
    for (const CLI::Option* option : OptionsOf(app, *command)) {
      const std::string words = WordsOf(*option);
      const std::string value =
          words.empty() ? ":value:_files" : absl::StrCat(":value:(", words, ")");
      const std::string text =
          option->get_positional()
              ? (words.empty() ? std::string("*:file:_files") : absl::StrCat("1", value))
              : absl::StrCat(option->get_items_expected_max() > 1 ? "*" : "", NameOf(*option), "[",
                             ForZsh(option->get_description()), "]",
                             TakesValue(*option) ? value : "");
      // In double quotes, for the variables.
      absl::StrAppend(&cases, " \\\n    \"", text, "\"");
    }
    absl::StrAppend(&cases, " ;;\n");
  }
  return absl::StrCat("#compdef iommucheck\n", Variables("local ", "="),
                      "if ((CURRENT == 2)); then\n"
                      "  local -a commands=(\n",
                      commands,
                      "  )\n"
                      "  _describe command commands\n"
                      "  return\n"
                      "fi\n"
                      "shift words\n"
                      "((CURRENT -= 1))\n"
                      "case $words[1] in\n",
                      cases, "esac\n");
}

std::string Fish(const CLI::App& app) {
  std::string out = "# Completion of iommucheck for fish.\n" + Variables("set -g ", " ");
  for (const CLI::App* command : Commands(app)) {
    absl::StrAppend(&out, "complete -c iommucheck -n __fish_use_subcommand -f -a ",
                    command->get_name(), " -d ", Quoted(command->get_description()), "\n");
    for (const CLI::Option* option : OptionsOf(app, *command)) {
      const std::string words = WordsOf(*option);
      if (option->get_positional() && words.empty()) continue;
      absl::StrAppend(&out, "complete -c iommucheck -n '__fish_seen_subcommand_from ",
                      command->get_name(), "'");
      if (!option->get_positional())
        absl::StrAppend(&out, " -l ", option->get_lnames().front(), " -d ",
                        Quoted(option->get_description()));
      if (!words.empty()) {
        absl::StrAppend(&out, option->get_positional() ? " -f -a \"" : " -x -a \"", words, "\"");
      } else if (TakesValue(*option)) {
        absl::StrAppend(&out, " -r");
      }
      absl::StrAppend(&out, "\n");
    }
  }
  return out;
}

// scdoc's own signs.
std::string ForScdoc(const std::string& text) {
  return absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"_", "\\_"}, {"*", "\\*"}, {"\n", " "}});
}

// A term and its text, as scdoc wants them.
std::string Entry(const std::string& term, const std::string& text) {
  return absl::StrCat("*", ForScdoc(term), "*\n\t", ForScdoc(text), "\n\n");
}

std::string Scdoc(const CLI::App& app) {
  std::string out = absl::StrCat(
      "iommucheck(1) \"\" \"", tool::Release(), "\"\n\n# NAME\n\n",
      "iommucheck - which machines break the domain checks of the Linux IOMMU core and of VFIO\n\n",
      "# SYNOPSIS\n\n*iommucheck* _COMMAND_ [_OPTIONS_]\n\n# DESCRIPTION\n\n",
      ForScdoc(app.get_description()), "\n\n# COMMANDS\n\n");
  for (const CLI::App* command : Commands(app)) {
    std::string usage = command->get_name();
    for (const CLI::Option* option : command->get_options())
      if (option->get_positional()) absl::StrAppend(&usage, " ", NameOf(*option));
    absl::StrAppend(&out, "## ", ForScdoc(usage), "\n\n", ForScdoc(command->get_description()),
                    "\n\n");
    for (const CLI::Option* option : command->get_options()) {
      const std::string value =
          option->get_positional() ? "" : HelpFormatter().make_option_opts(option);
      absl::StrAppend(&out, Entry(NameOf(*option) + value, option->get_description()));
    }
    absl::StrAppend(&out, ForScdoc(command->get_footer()), "\n\n");
  }
  absl::StrAppend(&out, "# OPTIONS OF ALL COMMANDS\n\n");
  for (const CLI::Option* option : CommonOptions(app))
    absl::StrAppend(&out, Entry(NameOf(*option) + HelpFormatter().make_option_opts(option),
                                option->get_description()));
  absl::StrAppend(&out, "# EXIT STATUS\n\n", ForScdoc(app.get_footer()), "\n\n");
  return out;
}

struct Form {
  const char* name;
  std::string (*print)(const CLI::App& app);
};
constexpr Form kForms[] = {{"bash", Bash}, {"zsh", Zsh}, {"fish", Fish}, {"scdoc", Scdoc}};

}  // namespace

void AddDescribe(CLI::App& app, Session& /*session*/) {
  auto* command = app.add_subcommand(
      "describe", "This command line, as completions of a shell or as the source of the man page");
  auto form = std::make_shared<std::string>();
  std::vector<std::string> names;
  for (const Form& each : kForms) names.emplace_back(each.name);
  command->add_option("--to", *form, "bash, zsh or fish; scdoc: the man page")
      ->required()
      ->type_name("FORM")
      ->check(OneOf("a form", names));
  command->footer("Example: iommucheck describe --to bash > /etc/bash_completion.d/iommucheck");
  command->callback([form, &app] {
    for (const Form& each : kForms)
      if (*form == each.name) std::cout << each.print(app);
  });
}

}  // namespace iommucheck::cli
