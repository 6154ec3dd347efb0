// SPDX-License-Identifier: Apache-2.0
//
// The ways in which a mutant of the kernel's code can be noticed, and the inputs of each: the corpus
// and random cases in model and real code, kernel_checks, and kernel_ioctl. Input n of a detector is the
// same in each process.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fuzz/cases.h"
#include "fuzz/model_and_kernel.h"
#include "src/draw/draw.h"

namespace iommucheck::fuzzing {

enum class Detector : uint8_t { kCorpus, kChecks, kCases, kIoctl };
inline constexpr std::array kDetectorNames = {"corpus", "checks", "cases", "ioctl"};
inline constexpr size_t kDetectors = kDetectorNames.size();

// A mutant of the build is chosen by the environment before this: see kernel/mutate/mutant.h.
class Detectors {
 public:
  // Loads the library, or ends the process. `given` and `seed` are what inputs are made from.
  Detectors(const GivenCases& given, uint64_t seed);

  [[nodiscard]] size_t corpus_size() const { return corpus_.size(); }

  [[nodiscard]] size_t count_of_checks() const;

  // How the mutant was noticed; "": not by this input. The process may also die, which means that it
  // was noticed. Once kIoctl has played, the others can play no more: it does not catch wild pointers.
  std::string Play(Detector detector, uint32_t input);

  // About the last input of kCorpus or kCases: the case and both columns.
  [[nodiscard]] std::string Report() const { return both_.Report(verdict_); }

  // The places of the code, by number: 1 if it was reached. The caller may clear them. They move when
  // the library is loaded again, by Play().
  static std::span<unsigned char> reached();

 private:
  ModelAndKernel::Verdict PlayCase(Detector detector, uint32_t input);
  DecodedCase DrawnCase(uint32_t input, bool any_assumptions);
  void TakeCorpus();

  const GivenCases& given_;
  uint64_t seed_;
  ModelAndKernel& both_;
  std::vector<DecodedCase> corpus_;
  ModelAndKernel::Verdict verdict_ = ModelAndKernel::Verdict::kAgree;
};

}  // namespace iommucheck::fuzzing
