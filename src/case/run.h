// SPDX-License-Identifier: Apache-2.0
//
// Plays a case in the model, and compares the run with the outcome that the case expects.
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
  Violation what{};  // without its event
  std::optional<Event> event{};
};

struct Run {
  State initial;
  std::vector<PlayedStep> steps{};  // ends at the first op that is not possible or outside
  std::array<FirstViolation, kPropertyCount> violations{};
  std::optional<Rule> outside{};  // the assumption that the machine or an op breaks
  bool complete = false;          // every op was taken

  [[nodiscard]] const State& final_state() const {
    return steps.empty() ? initial : steps.back().after;
  }
  // The state before the step; steps count from 0.
  [[nodiscard]] const State& before(size_t step) const {
    return step == 0 ? initial : steps[step - 1].after;
  }
  [[nodiscard]] const FirstViolation& of(Property property) const {
    return violations[static_cast<size_t>(property)];
  }
};

// The driver that serves a device, and the driver of the domain that its hardware points at; kNoId:
// none.
DriverId DriverOfDevice(const Case& c, const State& s, DeviceId dev);
DriverId DriverOfHardware(const State& s, DeviceId dev);

// Precondition: the case passes Validate(), as parsed cases do.
Run Play(const Case& c);

// Whether the case expects nothing, so that every run meets it: no op has an outcome, and there is
// no `expect`.
bool AssertsNothing(const Case& c);
inline constexpr const char* kAssertsNothing = "asserts nothing: no -> and no expect";

// One thing that a case, or a claim, says about its outcome.
struct Assertion {
  std::string what;  // as it is said: "set-iommu c0 -> ok", "expect shares 0 1"
  SourceLine line{};
  std::string problem{};               // one sentence; "": it is as said
  int op = 0;                          // 1-based, of an op; else 0
  std::optional<Property> property{};  // of an expectation about one
};
// What the case says about its ops, as far as the run went, and its expectations. That each op is
// possible, and the machine within the assumptions, is said by every case: these are listed where
// they are not so.
std::vector<Assertion> AssertionsOf(const Case& c, const Run& run);

// The problems, a line each. `file` is the file that was read: each line begins with "FILE:LINE: ",
// or "FILE: " if the file was not text; with neither if there is no file.
std::vector<std::string> ProblemsOf(const std::vector<Assertion>& assertions,
                                    std::string_view file = {});
// The problems of a run of the case.
std::vector<std::string> Mismatches(const Case& c, const Run& run, std::string_view file = {});

// The promises of the case's kernel that the run breaks, and all other properties it violates that
// the solver and the explorer know.
std::vector<Property> Violated(const Case& c, const Run& run);

// The case with everything that the run showed written down as expected: each op's errno, the
// verdict on the properties in `about`, and an assumption that the run broke. An op that is not
// possible is left out, and so are the ops after it. Every case that a search, a fuzzer or a test
// prints was made by this function, so that judging the case tests what it was found for.
Case Asserted(Case c, const Run& run, const std::vector<Property>& about);
// As above, about the properties that the run violates.
Case Asserted(Case c, const Run& run);

}  // namespace iommucheck
