// SPDX-License-Identifier: Apache-2.0
#include "fuzz/mutator.h"

#include <algorithm>
#include <fstream>
#include <iterator>

namespace iommucheck::fuzzing {
namespace {

constexpr size_t kMaxGeneratedSize = 4096;

}  // namespace

std::string ReadInputs(const std::filesystem::path& path, std::vector<Bytes>& inputs) {
  std::vector<std::filesystem::path> files;
  if (std::filesystem::is_directory(path)) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path))
      if (entry.is_regular_file()) files.push_back(entry.path());
    std::ranges::sort(files);
  } else {
    files.push_back(path);
  }
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    if (!in) return "cannot read " + file.string();
    inputs.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return "";
}

const Bytes& Mutator::Next() {
  current_ = AnyInput();
  for (size_t n = 1 + Below(8); n > 0; --n) MutateOnce();
  if (current_.size() > kMaxGeneratedSize) current_.resize(kMaxGeneratedSize);
  return current_;
}

const Bytes& Mutator::AnyInput() {
  static const Bytes kEmpty;
  return inputs_.empty() ? kEmpty : inputs_[Below(inputs_.size())];
}

void Mutator::MutateOnce() {
  if (current_.empty()) return Insert();
  switch (Below(6)) {
    case 0:
      current_[Below(current_.size())] = static_cast<uint8_t>(words_());
      break;
    case 1:
      current_[Below(current_.size())] = static_cast<uint8_t>(Below(8));
      break;
    case 2:
      current_[Below(current_.size())] ^= static_cast<uint8_t>(1U << Below(8));
      break;
    case 3:
      Erase();
      break;
    case 4:
      Insert();
      break;
    default:
      Splice();
      break;
  }
}

void Mutator::Erase() {
  const size_t from = Below(current_.size());
  const size_t length = 1 + Below(std::min<size_t>(current_.size() - from, 16));
  current_.erase(current_.begin() + static_cast<std::ptrdiff_t>(from),
                 current_.begin() + static_cast<std::ptrdiff_t>(from + length));
}

// Small bytes half of the time, as in most formats.
void Mutator::Insert() {
  Bytes added(1 + Below(64));
  const bool small = Below(2) == 0;
  for (uint8_t& byte : added) byte = static_cast<uint8_t>(Below(small ? 8 : 256));
  current_.insert(current_.begin() + static_cast<std::ptrdiff_t>(Place()), added.begin(),
                  added.end());
}

void Mutator::Splice() {
  const Bytes& other = AnyInput();
  if (other.empty()) return;
  const size_t from = Below(other.size());
  const size_t length = 1 + Below(std::min<size_t>(other.size() - from, 128));
  const Bytes part(other.begin() + static_cast<std::ptrdiff_t>(from),
                   other.begin() + static_cast<std::ptrdiff_t>(from + length));
  current_.insert(current_.begin() + static_cast<std::ptrdiff_t>(Place()), part.begin(),
                  part.end());
}

}  // namespace iommucheck::fuzzing
