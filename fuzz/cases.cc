// SPDX-License-Identifier: Apache-2.0
#include "fuzz/cases.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "src/case/bytes.h"

namespace iommucheck::fuzzing {
std::vector<Op> OpsOf(const Case& c) {
  std::vector<Op> ops;
  ops.reserve(c.ops.size());
  for (const CaseOp& op : c.ops) ops.push_back(op.op);
  return ops;
}

absl::StatusOr<Case> ReadCase(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (!in) return absl::InvalidArgumentError(path.string() + ": cannot be read");
  return ParseCase(text, path.string());
}

std::string ReadCases(const std::filesystem::path& path, GivenCases& given) {
  std::vector<std::filesystem::path> files = {path};
  if (std::filesystem::is_directory(path)) {
    files.clear();
    for (const auto& entry : std::filesystem::directory_iterator(path))
      if (entry.path().extension() == ".case") files.push_back(entry.path());
    std::ranges::sort(files);
  }
  for (const auto& file : files) {
    absl::StatusOr<Case> c = ReadCase(file);
    if (!c.ok()) return std::string(c.status().message());
    if (const auto bytes = EncodeBytes(*c); bytes.ok()) given.inputs.push_back(*bytes);
    given.cases.emplace_back(file.filename().string(), *std::move(c));
  }
  return "";
}

}  // namespace iommucheck::fuzzing
