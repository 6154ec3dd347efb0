// SPDX-License-Identifier: Apache-2.0
#include "fuzz/cases.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "src/case/bytes.h"

namespace iommucheck::fuzzing {
namespace {

bool ReadOne(const std::filesystem::path& path, GivenCases& given) {
  std::ifstream in(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  absl::StatusOr<Case> c = ParseCase(text, path.string());
  if (!in || !c.ok()) return false;
  if (const auto bytes = EncodeBytes(*c); bytes.ok()) given.inputs.push_back(*bytes);
  given.cases.emplace_back(path.filename().string(), *std::move(c));
  return true;
}

}  // namespace

std::vector<Op> OpsOf(const Case& c) {
  std::vector<Op> ops;
  ops.reserve(c.ops.size());
  for (const CaseOp& op : c.ops) ops.push_back(op.op);
  return ops;
}

bool ReadCases(const std::filesystem::path& path, GivenCases& given) {
  if (!std::filesystem::is_directory(path)) return ReadOne(path, given);
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(path))
    if (entry.path().extension() == ".case") files.push_back(entry.path());
  std::ranges::sort(files);
  return std::ranges::all_of(files, [&](const auto& file) { return ReadOne(file, given); });
}

}  // namespace iommucheck::fuzzing
