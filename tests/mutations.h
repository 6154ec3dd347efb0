// SPDX-License-Identifier: Apache-2.0
//
// The list of fuzz/mutations.cmake: rules without which a kernel's promise does not hold.
#pragma once

#include <utility>

#include "absl/strings/str_join.h"
#include "tests/given.h"

namespace iommucheck {

struct Mutation {
  std::string text;
  KernelVersion version;
  RuleSet dropped;
  Property property;
};

inline std::vector<Mutation> ReadMutations() {
  // NOLINTBEGIN(bugprone-unchecked-optional-access): value() throws, and the test fails
  std::vector<Mutation> mutations;
  for (const std::string& line : Split(ReadWhole(kSource / "fuzz/mutations.cmake"))) {
    if (!line.starts_with("expect_trap(")) continue;
    const std::vector<std::string> words = Split(line.substr(12, line.size() - 13), ' ');
    Mutation mutation{.text = absl::StrJoin(words, " "),
                      .version = FindVersion(words.at(0)).value(),
                      .property = FindProperty(words.at(2)).value()};
    for (const std::string& rule : Split(words.at(1), ','))
      mutation.dropped.add(FindRule(rule).value());
    mutations.push_back(std::move(mutation));
  }
  // NOLINTEND(bugprone-unchecked-optional-access)
  return mutations;
}

}  // namespace iommucheck
