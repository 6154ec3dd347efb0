// SPDX-License-Identifier: Apache-2.0
#include "fuzz/options.h"

#include <CLI/CLI.hpp>
#include <cstdio>

namespace iommucheck::fuzzing {

std::optional<int> ReadOptions(int argc, char** argv, const std::vector<Option>& options,
                               const std::string& others,
                               const std::function<std::string(const std::string&)>& take) {
  constexpr int kUsage = 2;
  CLI::App app;
  std::vector<std::string> rest;
  for (const Option& option : options) {
    if (bool* const* const flag = std::get_if<bool*>(&option.value))
      app.add_flag("--" + option.name, **flag);
    else if (uint64_t* const* const number = std::get_if<uint64_t*>(&option.value))
      app.add_option("--" + option.name, **number);
    else if (std::string* const* const text = std::get_if<std::string*>(&option.value))
      app.add_option("--" + option.name, **text);
    else
      // One value each time: what follows is another argument.
      app.add_option("--" + option.name, *std::get<std::vector<std::string>*>(option.value))
          ->expected(1)
          ->take_all();
  }
  app.add_option(others, rest);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  for (const std::string& argument : rest) {
    const std::string wrong = take(argument);
    if (wrong.empty()) continue;
    std::fprintf(stderr, "%s: %s\n", argv[0], wrong.c_str());
    return kUsage;
  }
  return std::nullopt;
}

}  // namespace iommucheck::fuzzing
