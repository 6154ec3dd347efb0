// SPDX-License-Identifier: Apache-2.0
//
// The command lines of targets and tools without a fuzzing engine.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace iommucheck::fuzzing {

// --NAME=VALUE, or --NAME for a flag. A list takes the option several times.
struct Option {
  std::string name;
  std::variant<uint64_t*, std::string*, std::vector<std::string>*, bool*> value;
};

// Sets the values of the options, and gives each other argument to `take`, which returns what is wrong
// with it, or "". Returns the exit status of a program that must end here, and has said why.
std::optional<int> ReadOptions(int argc, char** argv, const std::vector<Option>& options,
                               const std::string& others,
                               const std::function<std::string(const std::string&)>& take);

}  // namespace iommucheck::fuzzing
