// SPDX-License-Identifier: Apache-2.0
//
// `iommucheck minimize`: a case made smaller, and whether the solver knows a smaller one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "model/properties.h"
#include "src/case/case.h"
#include "src/case/run.h"
#include "src/report/verdict_line.h"

namespace iommucheck::report {

struct MinimizedCase {
  Property property{};
  Size given;  // of the case as it was
  Case found;  // expects what its run gives
  Run run;
  bool complete = true;  // false: it was stopped, and may have more to take away
  // Whether no case of this kernel that violates the property is smaller: has fewer steps, or as
  // many steps and fewer devices.
  enum class Smallest : uint8_t { kYes, kNo, kUnknown } smallest = Smallest::kUnknown;
  std::string why;  // the reason for it, a sentence
};

// The property that a case is about: the first that it expects to be violated, and is; else one that
// its kernel promises, and its run violates; else any that its run violates. nullopt: none.
std::optional<Property> ViolatedProperty(const Case& c, const Run& run);

// `budget`: solver resources for the question whether there is a smaller case; 0: no limit.
// Precondition: the run of the case violates the property. Errors: those of smt::Query().
absl::StatusOr<MinimizedCase> Minimize(const Case& c, Property property, uint64_t budget);

// A case file whose comment says the rest.
std::string MinimizedText(const MinimizedCase& minimized);
std::string MinimizedJson(const MinimizedCase& minimized);

}  // namespace iommucheck::report
