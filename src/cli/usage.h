// SPDX-License-Identifier: Apache-2.0
//
// The messages of CLI11 in this tool's form: help as wide as the terminal, and unknown arguments in
// their order, with the option or command that may have been meant.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace iommucheck::cli {

// Wraps what it prints, and leaves out what only CLI11 wants to know.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(26); }
  std::string make_option(const CLI::Option* option, bool is_positional) const override;
  std::string make_option_opts(const CLI::Option* option) const override;
  std::string make_subcommand(const CLI::App* command) const override;
  std::string make_description(const CLI::App* app) const override;
  std::string make_footer(const CLI::App* app) const override;

 private:
  [[nodiscard]] std::string Entry(const std::string& name, const std::string& text) const;
};

// "expected no '--step'; did you mean --steps?" of what is left over.
std::string ExtrasText(const CLI::App& app);

// Of a value that is one of a list.
CLI::Validator OneOf(const std::string& what, const std::vector<std::string>& names);

}  // namespace iommucheck::cli
