// SPDX-License-Identifier: Apache-2.0
//
// `iommucheck diff`: the smallest cases that only one of two kernels allows, replayed on both.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "src/report/answer.h"

namespace iommucheck::report {

struct DiffQuestion {
  Property property = Property::kNoCrossDriverReuse;
  std::array<KernelSpec, 2> kernels;
  smt::Bounds bounds;
  bool bounded = false;  // do not try to prove anything for every size
};

// The cases that violate the property on kernel `allows` and not on the other.
struct Direction {
  int allows = 0;
  Verdict verdict = Verdict::kUnknown;  // kViolated: there is one
  bool every_size = false;              // kHolds: there is none of any size
  smt::QueryResult result{};
  // kViolated: the model's runs of result.found on `allows`, which violates the property at the
  // end, and on the other, which does not violate it; that one may end early.
  Run allowed{};
  Run refused{};
};

struct Diff {
  DiffQuestion question;
  bool same_rules = false;                       // the model cannot tell the two kernels apart
  std::array<std::optional<Answer>, 2> alone{};  // about each kernel; none where they are the same
  std::array<Direction, 2> directions{};
  // Where a kernel has rules that are dropped or added: the two without them.
  std::shared_ptr<const Diff> before{};
  uint64_t resources = 0;  // of solver and proofs
  int checks = 0;

  [[nodiscard]] Verdict verdict() const;
  [[nodiscard]] bool every_size() const;  // kHolds: none of any size, either way
};

// First asks about each kernel, then for the smallest case on which they differ, for each of them
// that violates the property; then the same about the kernels without what a patch changes. The budget
// is for all of that. Errors: as Ask().
absl::StatusOr<Diff> AskDiff(const DiffQuestion& question);

// Searches for the cases that violate the property on kernel `allows` of the question and not on
// the other one. `alone` is the answer about that kernel; `budget` takes the place of the
// question's.
absl::StatusOr<Direction> AskDirection(const DiffQuestion& question, int allows,
                                       const Answer& alone, uint64_t budget);

// The case of a direction on the kernel that does not violate the property.
Case RefusedCase(const DiffQuestion& question, const Direction& direction);

// The first op that has another result on the refusing kernel, or that a rule refuses only there.
std::string PartingLine(const Diff& diff, const Direction& direction);

std::string DiffText(const Diff& diff);
std::string DiffJson(const Diff& diff);

}  // namespace iommucheck::report
