// SPDX-License-Identifier: Apache-2.0
//
// Once it is warm, the attach target allocates nothing: an allocation takes as long as a step.
#include <cxxabi.h>
#include <execinfo.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <new>

#include "fuzz/case_mutator.h"
#include "src/case/bytes.h"
#include "tests/given.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
// NOLINTBEGIN(bugprone-reserved-identifier): the names are those of ASan and of glibc.
// Of ASan, whose malloc() cannot be replaced. g++ comes without its header.
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*malloc)(const volatile void*,
                                                                        size_t),
                                                         void (*free)(const volatile void*));

namespace {

bool watched = false;
int allocations = 0;
std::array<void*, 24> place;  // the calls that led to the first
int depth = 0;

void NoteAllocation() {
  if (!watched) return;
  watched = false;
  if (allocations++ == 0) depth = backtrace(place.data(), place.size());
  watched = true;
}

}  // namespace

// Every allocation of the program, those of operator new among them, comes here.
#ifndef __SANITIZE_ADDRESS__
extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* memory, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
// NOLINTEND(bugprone-reserved-identifier)

void* malloc(size_t size) {
  NoteAllocation();
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  NoteAllocation();
  return __libc_calloc(count, size);
}
void* realloc(void* memory, size_t size) {
  NoteAllocation();
  return __libc_realloc(memory, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  NoteAllocation();
  return __libc_memalign(alignment, size);
}
}
#endif

namespace iommucheck {
namespace {

using Bytes = std::vector<uint8_t>;

std::string PlaceOfTheFirst() {
  std::string text;
  char** const names = backtrace_symbols(place.data(), depth);
  for (int i = 0; i < depth; ++i) {
    // FILE(NAME+OFFSET) [ADDRESS]
    const std::string line = names[i];
    const size_t from = line.find('(') + 1;
    const std::string name = line.substr(from, line.find('+', from) - from);
    char* const plain = abi::__cxa_demangle(name.c_str(), nullptr, nullptr, nullptr);
    text += "  " + (plain != nullptr ? plain : line) + "\n";
    std::free(plain);
  }
  std::free(static_cast<void*>(names));
  return text;
}

class Allocations : public testing::Test {
 protected:
  static void SetUpTestSuite() {
#ifdef __SANITIZE_ADDRESS__
    ASSERT_NE(
        __sanitizer_install_malloc_and_free_hooks(
            [](const volatile void*, size_t) { NoteAllocation(); }, [](const volatile void*) {}),
        0);
#endif
    for (const NamedCase& named : CorpusCases())
      if (const absl::StatusOr<Bytes> bytes = EncodeBytes(named.c); bytes.ok())
        seeds.push_back(*bytes);
    ASSERT_GT(seeds.size(), 100);
  }

  void SetUp() override {
    allocations = 0;
    depth = backtrace(place.data(), place.size());  // it allocates when it is first called
  }
  void TearDown() override {
    EXPECT_EQ(allocations, 0) << "the first of them:\n" << PlaceOfTheFirst();
  }

  static inline std::vector<Bytes> seeds;
};

// Inputs that the target's own mutator makes of the corpus, one from the other.
constexpr int kWarm = 20'000;
constexpr int kMeasured = 20'000;
constexpr size_t kMaxSize = 481;  // of fuzz/attach.options

TEST_F(Allocations, AreSeen) {
  watched = true;
  ::operator delete(::operator new(1));
  watched = false;
  EXPECT_EQ(allocations, 1);
  EXPECT_NE(PlaceOfTheFirst().find("operator new(unsigned long)"), std::string::npos)
      << PlaceOfTheFirst();
  allocations = 0;
}

TEST_F(Allocations, NoneInTheSteadyState) {
  for (const Bytes& seed : seeds) LLVMFuzzerTestOneInput(seed.data(), seed.size());
  Bytes input;
  for (int n = 0; n < kWarm + kMeasured; ++n) {
    input = seeds[static_cast<size_t>(n) % seeds.size()];
    size_t size = std::min(input.size(), kMaxSize);
    input.resize(kMaxSize);
    watched = n >= kWarm;
    size = fuzzing::MutateCase(input.data(), size, kMaxSize, static_cast<unsigned>(n),
                               fuzzing::Scope::kWhole);
    LLVMFuzzerTestOneInput(input.data(), size);
    watched = false;
  }
}

}  // namespace
}  // namespace iommucheck
