// SPDX-License-Identifier: Apache-2.0
//
// Cases, kernels and files that tests start from. If one cannot be had, StatusOr::value() throws,
// and the test fails with the reason.
#pragma once

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "src/case/case.h"
#include "src/case/kernel.h"

namespace iommucheck {

inline const std::filesystem::path kSource = IOMMUCHECK_SOURCE_DIR;

inline constexpr Property kAttach = Property::kNoCrossDriverAttach;
inline constexpr Property kReuse = Property::kNoCrossDriverReuse;

inline Case Parsed(std::string_view text) { return ParseCase(text, "test.case").value(); }

// "v6.0,-type1.same_ops,+assume.bus_ops_not_replaced"
inline KernelSpec KernelOf(const std::string& word) { return ParseKernel(word, {}, {}).value(); }

// Why there is no value; "" if there is one.
template <typename T>
std::string MessageOf(const absl::StatusOr<T>& value) {
  return std::string(value.status().message());
}

inline std::string ReadWhole(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// The lines of a text, or its parts between other separators.
inline std::vector<std::string> Split(const std::string& text, char separator = '\n') {
  return absl::StrSplit(absl::StripSuffix(text, "\n"), separator);
}

// The folder's files with the extension, in the order of their names.
inline std::vector<std::filesystem::path> FilesWith(const std::filesystem::path& folder,
                                                    const std::string& extension) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == extension) files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

struct NamedCase {
  std::string name;  // of its file
  Case c;
};
// The cases of some folders of corpus/.
inline std::vector<NamedCase> CorpusCases(std::initializer_list<const char*> folders = {"litmus",
                                                                                        "bugs"}) {
  std::vector<NamedCase> cases;
  for (const char* folder : folders)
    for (const auto& file : FilesWith(kSource / "corpus" / folder, ".case"))
      cases.push_back({file.filename(), ParseCase(ReadWhole(file), file.string()).value()});
  return cases;
}

// The sentence as the name of a row of a parameterised test, which takes letters and digits alone.
inline std::string TestName(std::string sentence) {
  std::ranges::replace_if(
      sentence, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return sentence;
}

}  // namespace iommucheck
