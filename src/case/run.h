// SPDX-License-Identifier: Apache-2.0
//
// Playing a case in the model, and judging it by the outcome that is written in it.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/properties.h"
#include "model/state.h"
#include "model/step.h"
#include "src/case/case.h"

namespace iommucheck {

struct PlayedStep {
  StepResult result;
  std::vector<Event> events;
  State after;
};

struct FirstViolation {
  int at = 0;        // 1-based op; 0: the property was not violated
  Violation what{};  // but for its event
  std::optional<Event> event{};
};

struct Run {
  State initial;
  std::vector<PlayedStep> steps{};  // ends at the first op that is not possible or outside
  std::array<FirstViolation, kPropertyCount> violations{};
  std::optional<Rule> outside{};  // the assumption that the machine or an op is outside of
  bool complete = false;          // every op was taken

  [[nodiscard]] const State& final_state() const {
    return steps.empty() ? initial : steps.back().after;
  }
  // The state that the step found, from 0.
  [[nodiscard]] const State& before(size_t step) const {
    return step == 0 ? initial : steps[step - 1].after;
  }
  [[nodiscard]] const FirstViolation& of(Property property) const {
    return violations[static_cast<size_t>(property)];
  }
};

// The driver that serves a device, and that of the domain its hardware points at; kNoId: none.
DriverId DriverOfDevice(const Case& c, const State& s, DeviceId dev);
DriverId DriverOfHardware(const State& s, DeviceId dev);

// Precondition: the case passes Validate(), as parsed cases do.
Run Play(const Case& c);

// Whether nothing is expected of the case, so that it is as written whatever happens: no op has an
// outcome, and there is no `expect`.
bool AssertsNothing(const Case& c);
inline constexpr const char* kAssertsNothing = "asserts nothing: no -> and no expect";

// One sentence for each expectation of the case that the run does not meet. Where `file` says what
// the case was read from, each begins with "FILE:LINE: ", or "FILE: " if that was no text.
std::vector<std::string> Mismatches(const Case& c, const Run& run, std::string_view file = {});

// The promises of the case's kernel that the run breaks, and whatever else it breaks that the
// solver and the explorer know.
std::vector<Property> Violated(const Case& c, const Run& run);

// The case as the run played it, with all of it written down as expected: each op's errno, what is
// said of the properties in `about`, and an assumption that the run left. An op that is not
// possible, and what follows it, is left out. Every case that a search, a fuzzer or a test prints
// has been through here, so that to judge it is to test what it was found for.
Case Asserted(Case c, const Run& run, const std::vector<Property>& about);
// The same about what is violated.
Case Asserted(Case c, const Run& run);

}  // namespace iommucheck
