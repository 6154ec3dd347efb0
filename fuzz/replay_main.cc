// SPDX-License-Identifier: Apache-2.0
//
// A main for targets that are built without a fuzzing engine.
//
//   TARGET [--rounds=N] [--seed=S] [FILE|FOLDER]...
//
// runs the target on each file once, then on N inputs made by mutating these. The same arguments
// give the same inputs everywhere.
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Bytes = std::vector<uint8_t>;

constexpr size_t kMaxGeneratedSize = 4096;

std::optional<Bytes> ReadBytes(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  return Bytes(std::istreambuf_iterator<char>(in), {});
}

// The files below a folder in the order of their names, so that a seed means the same everywhere.
std::vector<std::filesystem::path> FilesOf(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return {path};
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path))
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

// Inputs made from the given ones. Only the generator's own words are used: what the distributions
// of <random> make of them differs between libraries.
class Mutator {
 public:
  Mutator(const std::vector<Bytes>& inputs, uint64_t seed) : inputs_(inputs), words_(seed) {}

  const Bytes& Next() {
    current_ = AnyInput();
    for (size_t n = 1 + Below(8); n > 0; --n) MutateOnce();
    if (current_.size() > kMaxGeneratedSize) current_.resize(kMaxGeneratedSize);
    return current_;
  }

 private:
  size_t Below(size_t limit) { return static_cast<size_t>(words_() % limit); }
  size_t Place() { return Below(current_.size() + 1); }

  const Bytes& AnyInput() {
    static const Bytes kEmpty;
    return inputs_.empty() ? kEmpty : inputs_[Below(inputs_.size())];
  }

  void MutateOnce() {
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
      case 5:
        Splice();
        break;
    }
  }

  void Erase() {
    const size_t from = Below(current_.size());
    const size_t length = 1 + Below(std::min<size_t>(current_.size() - from, 16));
    current_.erase(current_.begin() + static_cast<std::ptrdiff_t>(from),
                   current_.begin() + static_cast<std::ptrdiff_t>(from + length));
  }

  // Small bytes half of the time: most bytes of most formats are.
  void Insert() {
    Bytes added(1 + Below(64));
    const bool small = Below(2) == 0;
    for (uint8_t& byte : added) byte = static_cast<uint8_t>(Below(small ? 8 : 256));
    current_.insert(current_.begin() + static_cast<std::ptrdiff_t>(Place()), added.begin(),
                    added.end());
  }

  void Splice() {
    const Bytes& other = AnyInput();
    if (other.empty()) return;
    const size_t from = Below(other.size());
    const size_t length = 1 + Below(std::min<size_t>(other.size() - from, 128));
    const Bytes part(other.begin() + static_cast<std::ptrdiff_t>(from),
                     other.begin() + static_cast<std::ptrdiff_t>(from + length));
    current_.insert(current_.begin() + static_cast<std::ptrdiff_t>(Place()), part.begin(),
                    part.end());
  }

  const std::vector<Bytes>& inputs_;
  std::mt19937_64 words_;
  Bytes current_;
};

// The number of "--name=N", if the argument is that.
std::optional<uint64_t> Option(std::string_view argument, std::string_view prefix) {
  if (!argument.starts_with(prefix)) return std::nullopt;
  argument.remove_prefix(prefix.size());
  uint64_t value = 0;
  const char* const end = argument.data() + argument.size();
  if (std::from_chars(argument.data(), end, value).ptr != end) return std::nullopt;
  return value;
}

int Usage(const char* program, const std::string& what) {
  std::fprintf(stderr, "%s: %s\nusage: %s [--rounds=N] [--seed=S] [FILE|FOLDER]...\n", program,
               what.c_str(), program);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t rounds = 0;
  uint64_t seed = 1;
  std::vector<Bytes> inputs;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (const auto n = Option(argument, "--rounds=")) {
      rounds = *n;
    } else if (const auto s = Option(argument, "--seed=")) {
      seed = *s;
    } else if (argument.starts_with("--")) {
      return Usage(argv[0], "no such option: " + argument);
    } else {
      for (const auto& file : FilesOf(argument)) {
        auto bytes = ReadBytes(file);
        if (!bytes) return Usage(argv[0], "cannot read " + file.string());
        inputs.push_back(std::move(*bytes));
      }
    }
  }
  for (const Bytes& input : inputs) LLVMFuzzerTestOneInput(input.data(), input.size());
  Mutator mutator(inputs, seed);
  for (uint64_t n = 0; n < rounds; ++n) {
    const Bytes& input = mutator.Next();
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  std::printf("ran %zu files and %llu generated inputs\n", inputs.size(),
              static_cast<unsigned long long>(rounds));
  return 0;
}
