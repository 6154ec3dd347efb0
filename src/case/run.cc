// SPDX-License-Identifier: Apache-2.0
#include "src/case/run.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/case/encoded.h"

namespace iommucheck {
namespace {

std::string DriverName(const Case& c, DriverId driver) {
  return driver == kNoId ? "none" : c.names.drivers[driver];
}

DriverId DriverOfGroup(const State& s, GroupId group) {
  const DomainId d = s.groups[group].domain;
  return d == kNoId ? kNoId : s.domains[d].driver;
}

std::string Sharing(const State& s, GroupId a, GroupId b) {
  const DomainId x = s.groups[a].vfio_domain;
  const DomainId y = s.groups[b].vfio_domain;
  if (x == kNoId || y == kNoId) return "not both attached";
  return x == y ? "on one domain" : "on two domains";
}

// Describes what the run has instead, or returns nothing if the expectation is met.
std::optional<std::string> Unmet(const Case& c, const Run& run, const Expectation& e) {
  const State& s = run.final_state();
  using enum Expectation::Kind;
  switch (e.kind) {
    case kViolated: {
      const int at = run.of(e.property).at;
      if (at == 0) return "it is not";
      if (e.at != 0 && at != e.at) return absl::StrFormat("it is, at %d", at);
      return std::nullopt;
    }
    case kHolds: {
      const int at = run.of(e.property).at;
      if (at != 0) return absl::StrFormat("it is violated at %d", at);
      return std::nullopt;
    }
    case kOutside:
      if (!run.outside) return "the run leaves no assumption";
      if (*run.outside != e.rule)
        return absl::StrFormat("the run leaves %s", InfoOf(*run.outside).id);
      return std::nullopt;
    case kDeviceDriver:
    case kDeviceDomain:
    case kGroupDomain: {
      const DriverId driver = e.kind == kDeviceDriver   ? DriverOfDevice(c, s, e.a)
                              : e.kind == kDeviceDomain ? DriverOfHardware(s, e.a)
                                                        : DriverOfGroup(s, e.a);
      if (driver == e.b) return std::nullopt;
      return absl::StrFormat("it is %s", DriverName(c, driver));
    }
    case kShares:
    case kApart: {
      const std::string sharing = Sharing(s, e.a, e.b);
      if (sharing == (e.kind == kShares ? "on one domain" : "on two domains")) return std::nullopt;
      return absl::StrFormat("they are %s", sharing);
    }
  }
  return std::nullopt;
}

std::string Wanted(const Case& c, const Expectation& e) {
  using enum Expectation::Kind;
  switch (e.kind) {
    case kViolated:
      return absl::StrFormat("%s violated%s", PropertyName(e.property),
                             e.at == 0 ? "" : absl::StrFormat(" at %d", e.at));
    case kHolds:
      return absl::StrFormat("%s to hold", PropertyName(e.property));
    case kOutside:
      return absl::StrFormat("a run outside %s", InfoOf(e.rule).id);
    case kDeviceDriver:
      return absl::StrFormat("device %s to be served by %s", c.names.devices[e.a],
                             DriverName(c, e.b));
    case kDeviceDomain:
      return absl::StrFormat("device %s to be on a domain of %s", c.names.devices[e.a],
                             DriverName(c, e.b));
    case kGroupDomain:
      return absl::StrFormat("group %d to be on a domain of %s", e.a, DriverName(c, e.b));
    case kShares:
      return absl::StrFormat("groups %d and %d on one domain", e.a, e.b);
    case kApart:
      return absl::StrFormat("groups %d and %d on two domains", e.a, e.b);
  }
  return "";
}

std::string ResultName(const StepResult& result) {
  switch (result.outcome) {
    case Outcome::kDone:
      return ErrnoName(result.error);
    case Outcome::kNotPossible:
      return absl::StrFormat("not possible: %s", result.why);
    case Outcome::kOutside:
      return absl::StrFormat("outside %s", InfoOf(result.assumption).id);
  }
  return "";
}

// Adds the properties that the step at `at` is the first to violate.
void Judge(const StepView& view, int at, Run& run) {
  for (Property p : kProperties) {
    FirstViolation& first = run.violations[static_cast<size_t>(p)];
    if (first.at != 0) continue;
    const std::optional<Violation> found = FindViolation(p, view);
    if (!found) continue;
    first = {.at = at, .what = *found};
    if (found->event != nullptr) first.event = *found->event;
    first.what.event = nullptr;
  }
}

bool ExpectsOutside(const Case& c) {
  return std::ranges::count(c.expectations, Expectation::Kind::kOutside, &Expectation::kind) != 0;
}

}  // namespace

DriverId DriverOfDevice(const Case& c, const State& s, DeviceId dev) {
  const InstanceId i = s.devices[dev].instance;
  return i == kNoId ? kNoId : c.topology.instances[i].driver;
}

DriverId DriverOfHardware(const State& s, DeviceId dev) {
  const DomainId d = s.devices[dev].hw;
  return d == kNoId ? kNoId : s.domains[d].driver;
}

Run Play(const Case& c) {
  const KernelProfile kernel = ProfileOf(c.kernel);
  Run run{.initial = InitialState(c.topology)};
  run.outside = BrokenAssumption(c.topology, kernel.rules);
  if (run.outside) return run;
  State state = run.initial;
  for (const CaseOp& op : c.ops) {
    PlayedStep step;
    step.result = Step(kernel, c.topology, op.op, state, step.events);
    step.after = state;
    const int at = static_cast<int>(run.steps.size()) + 1;
    if (step.result.outcome == Outcome::kDone)
      Judge({.topology = c.topology,
             .op = op.op,
             .result = step.result,
             .before = run.final_state(),
             .after = step.after,
             .events = step.events},
            at, run);
    run.steps.push_back(std::move(step));
    if (run.steps.back().result.outcome == Outcome::kDone) continue;
    if (run.steps.back().result.outcome == Outcome::kOutside)
      run.outside = run.steps.back().result.assumption;
    return run;
  }
  run.complete = true;
  return run;
}

bool AssertsNothing(const Case& c) {
  return c.expectations.empty() &&
         std::ranges::none_of(c.ops, [](const CaseOp& op) { return op.expected.has_value(); });
}

std::vector<Assertion> AssertionsOf(const Case& c, const Run& run) {
  std::vector<Assertion> out;
  for (size_t i = 0; i < run.steps.size(); ++i) {
    const StepResult& result = run.steps[i].result;
    const std::optional<int>& expected = c.ops[i].expected;
    const bool done = result.outcome == Outcome::kDone;
    if (done && !expected) continue;
    if (result.outcome == Outcome::kOutside && ExpectsOutside(c)) continue;
    const std::string op = PrintOp(c.ops[i].op, c.names);
    const std::string wanted = expected ? ErrnoName(*expected) : "a possible op";
    Assertion assertion{.what = absl::StrCat(op, " -> ", wanted),
                        .line = c.ops[i].line,
                        .op = static_cast<int>(i) + 1};
    if (!done || *expected != result.error)
      assertion.problem =
          absl::StrFormat("op %d, %s: expected %s, got %s", i + 1, op, wanted, ResultName(result));
    out.push_back(std::move(assertion));
  }
  if (run.outside && !ExpectsOutside(c) && run.steps.empty())
    out.push_back(
        {.what = "the machine is within the assumptions",
         .problem = absl::StrFormat("the machine is outside %s", InfoOf(*run.outside).id)});
  for (const Expectation& e : c.expectations) {
    Assertion assertion{.what = PrintExpectation(e, c.names), .line = e.line};
    using enum Expectation::Kind;
    if (e.kind == kViolated || e.kind == kHolds) assertion.property = e.property;
    if (const auto found = Unmet(c, run, e))
      assertion.problem = absl::StrFormat("expected %s, but %s", Wanted(c, e), *found);
    out.push_back(std::move(assertion));
  }
  return out;
}

std::vector<std::string> ProblemsOf(const std::vector<Assertion>& assertions,
                                    std::string_view file) {
  std::vector<std::string> out;
  for (const Assertion& assertion : assertions) {
    if (assertion.problem.empty()) continue;
    std::string place(file);
    if (!place.empty() && assertion.line.number != 0)
      absl::StrAppend(&place, ":", assertion.line.number);
    out.push_back(absl::StrCat(place, place.empty() ? "" : ": ", assertion.problem));
  }
  return out;
}

std::vector<std::string> Mismatches(const Case& c, const Run& run, std::string_view file) {
  return ProblemsOf(AssertionsOf(c, run), file);
}

std::vector<Property> Violated(const Case& c, const Run& run) {
  std::vector<Property> violated;
  for (Property p : kProperties)
    if (run.of(p).at != 0 && (IsPromised(c.kernel.version, p) || IsEncoded(p)))
      violated.push_back(p);
  return violated;
}

Case Asserted(Case c, const Run& run, const std::vector<Property>& about) {
  size_t taken = run.steps.size();
  if (taken != 0 && run.steps.back().result.outcome == Outcome::kNotPossible) --taken;
  c.ops.resize(taken);
  c.expectations.clear();
  for (size_t i = 0; i < taken; ++i) {
    const StepResult& result = run.steps[i].result;
    c.ops[i].expected =
        result.outcome == Outcome::kDone ? std::optional(result.error) : std::nullopt;
  }
  using enum Expectation::Kind;
  for (Property p : about)
    c.expectations.push_back(
        {.kind = run.of(p).at != 0 ? kViolated : kHolds, .property = p, .at = run.of(p).at});
  if (run.outside) c.expectations.push_back({.kind = kOutside, .rule = *run.outside});
  return c;
}

Case Asserted(Case c, const Run& run) {
  const std::vector<Property> about = Violated(c, run);
  return Asserted(std::move(c), run, about);
}

}  // namespace iommucheck
