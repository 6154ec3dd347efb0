// SPDX-License-Identifier: Apache-2.0
//
// Cases that targets without a fuzzing engine start from.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "fuzz/mutator.h"
#include "src/case/case.h"

namespace iommucheck::fuzzing {

struct GivenCases {
  std::vector<std::pair<std::string, Case>> cases;  // with the names of their files
  std::vector<Bytes> inputs;                        // those of them that fit into src/case/bytes.h
};

std::vector<Op> OpsOf(const Case& c);

absl::StatusOr<Case> ReadCase(const std::filesystem::path& path);

// Adds the case of a file, or those of a folder in the order of their names. Returns what is wrong,
// or "".
std::string ReadCases(const std::filesystem::path& path, GivenCases& given);

}  // namespace iommucheck::fuzzing
