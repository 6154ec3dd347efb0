// SPDX-License-Identifier: Apache-2.0
//
// What a run gives does not depend on what it cannot: numbers of drivers and instances, the order of
// ops that have nothing in common, devices that nobody asks, assumptions that it keeps to.
#include <gtest/gtest.h>
// rapidcheck/gtest.h needs gtest before it.
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "model/attributes.h"
#include "props/generators.h"
#include "props/labels.h"
#include "src/case/run.h"

namespace iommucheck {
namespace {

// The outcome of an op as its caller sees it.
struct Seen {
  Outcome outcome;
  int error;
  friend bool operator==(const Seen&, const Seen&) = default;
};

void showValue(const Seen& seen, std::ostream& os) {
  os << static_cast<int>(seen.outcome) << '/' << ErrnoName(seen.error);
}

struct Gave {
  std::vector<Seen> ops;
  std::array<int, kPropertyCount> violated{};  // 1-based op; 0: not
};

Gave Playing(const Scenario& s) {
  const Run run = Play(ToCase(s));
  Gave gave;
  for (const PlayedStep& step : run.steps)
    gave.ops.push_back({.outcome = step.result.outcome, .error = step.result.error});
  for (const Property p : kProperties) gave.violated[static_cast<size_t>(p)] = run.of(p).at;
  return gave;
}

void ExpectSame(const Gave& a, const Gave& b) {
  RC_ASSERT(a.ops == b.ops);
  RC_ASSERT(a.violated == b.violated);
}

bool ViolatesAny(const Gave& gave) {
  return std::ranges::any_of(gave.violated, [](int at) { return at != 0; });
}

// --- numbers ---

// A random order of so many entries; `place[i]` is where entry i goes.
std::vector<uint8_t> DrawPlaces(Words& words, int count) {
  std::vector<uint8_t> place(static_cast<size_t>(count));
  std::iota(place.begin(), place.end(), uint8_t{0});
  for (size_t n = place.size(); n > 1; --n)
    std::swap(place[n - 1], place[words.Below(static_cast<int>(n))]);
  return place;
}

uint8_t PlaceOf(const std::vector<uint8_t>& place, uint8_t index) {
  return index == kNoId ? kNoId : place[index];
}

Scenario Renumbered(const Scenario& s, const std::vector<uint8_t>& drivers,
                    const std::vector<uint8_t>& instances) {
  Scenario to = s;
  for (size_t d = 0; d < drivers.size(); ++d) {
    Driver& driver = to.topology.drivers[drivers[d]];
    driver = s.topology.drivers[d];
    driver.address = PlaceOf(drivers, driver.address);
  }
  for (size_t i = 0; i < instances.size(); ++i) {
    Instance& instance = to.topology.instances[instances[i]];
    instance = s.topology.instances[i];
    instance.driver = PlaceOf(drivers, instance.driver);
  }
  for (Device& device : to.topology.devices)
    for (InstanceId& master : device.masters) master = PlaceOf(instances, master);
  for (Op& op : to.ops)
    if (InfoOf(op.kind).a == Operand::kInstance) op.a = PlaceOf(instances, op.a);
  return to;
}

RC_GTEST_PROP(ARun, DoesNotDependOnNumbersOfDriversAndInstances, (uint64_t seed)) {
  static Label moved("drivers or instances change places", 500);
  static Label violates("the run violates a property", 50);
  const Scenario s = *Scenarios(DrawAnyKernel, kWhole);
  Words words(seed);
  const std::vector<uint8_t> drivers = DrawPlaces(words, s.topology.drivers_count);
  const std::vector<uint8_t> instances = DrawPlaces(words, s.topology.instances_count);
  const Scenario other = Renumbered(s, drivers, instances);
  moved(!std::ranges::is_sorted(drivers) || !std::ranges::is_sorted(instances));
  RC_ASSERT(Validate(other.topology).ok());
  const Gave gave = Playing(s);
  violates(ViolatesAny(gave));
  ExpectSame(gave, Playing(other));
}

// --- order ---

// The groups and containers that an op of user space or of a driver of devices has to do with.
struct Touched {
  uint64_t groups = 0;
  unsigned containers = 0;
  [[nodiscard]] bool any(const Touched& other) const {
    return (groups & other.groups) != 0 || (containers & other.containers) != 0;
  }
};

// nullopt: the op may have to do with anything.
std::optional<Touched> TouchedBy(const Op& op, const State& before) {
  using enum OpKind;
  Touched touched;
  const auto add_group = [&](GroupId group) {
    if (group == kNoId) return;
    touched.groups |= uint64_t{1} << group;
    const ContainerId container = before.groups[group].container;
    if (container != kNoId) touched.containers |= 1U << container;
  };
  const OpInfo& info = InfoOf(op.kind);
  switch (op.kind) {
    case kSetContainer:
    case kSetIommu:
    case kUnsetContainer:
    case kGetDevice:
    case kPutDevice:
    case kMap:
    case kUnmap:
    case kPin:
    case kUnpin:
      break;
    default:
      return std::nullopt;
  }
  if (info.a == Operand::kGroup) add_group(op.a);
  if (info.a == Operand::kDevice) {
    if (before.devices[op.a].group == kNoId) return std::nullopt;
    add_group(before.devices[op.a].group);
  }
  if (info.a == Operand::kContainer) touched.containers |= 1U << op.a;
  if (info.b == Operand::kContainer) touched.containers |= 1U << op.b;
  return touched;
}

RC_GTEST_PROP(ARun, DoesNotDependOnTheOrderOfIndependentOps, (uint64_t seed)) {
  static Label swapped("two ops that have nothing in common change places", 50);
  Scenario s = *Scenarios(DrawAnyKernel, kWhole);
  s.topology.settings.memlock = kNoLimit;  // all containers account to one user
  const Gave gave = Playing(s);
  std::vector<std::optional<Touched>> touched;
  ForEachStep(s, [&](const StepView& step) { touched.push_back(TouchedBy(step.op, step.before)); });
  std::vector<size_t> places;
  for (size_t i = 0; i + 1 < gave.ops.size(); ++i)
    if (const auto &one = touched[i], &next = touched[i + 1]; one && next && !one->any(*next))
      places.push_back(i);
  if (!swapped(!places.empty())) return;
  const size_t at = places[seed % places.size()];
  Scenario other = s;
  std::swap(other.ops[at], other.ops[at + 1]);
  const Gave others = Playing(other);
  Gave expected = gave;
  std::swap(expected.ops[at], expected.ops[at + 1]);
  RC_ASSERT(others.ops == expected.ops);
  for (const Property p : kProperties) {
    const auto n = static_cast<size_t>(p);
    RC_ASSERT((others.violated[n] != 0) == (gave.violated[n] != 0));
  }
}

// --- more of the machine ---

bool IsClaimed(const Topology& t, Bus bus) {
  const auto drivers = std::span(t.drivers).first(t.drivers_count);
  const auto devices = std::span(t.devices).first(t.devices_count);
  return std::ranges::any_of(drivers,
                             [bus](const Driver& d) {
                               return d.accepts_foreign ||
                                      d.claims[static_cast<size_t>(bus)] != Claim::kNone;
                             }) ||
         std::ranges::any_of(devices, [bus](const Device& d) { return d.bus == bus; });
}

RC_GTEST_PROP(ARun, DoesNotDependOnADeviceThatNobodyServes, ()) {
  static Label added("the machine has room for another device", 500);
  const Scenario s = *Scenarios(DrawAnyKernel, kWhole);
  Topology t = s.topology;
  static constexpr std::array kBuses = {Bus::kPlatform, Bus::kPci,    Bus::kAmba,
                                        Bus::kFslMc,    Bus::kHost1x, Bus::kCdx};
  const auto bus = std::ranges::find_if(kBuses, [&](Bus b) { return !IsClaimed(t, b); });
  if (!added(bus != kBuses.end() && t.devices_count < kMaxDevices)) return;
  Scenario other = s;
  other.topology.devices[other.topology.devices_count++] = {.bus = *bus};
  ExpectSame(Playing(s), Playing(other));
}

// --- more assumptions ---

RC_GTEST_PROP(AnAssumption, ChangesNoRunThatKeepsToIt, (uint64_t seed)) {
  static Label kept("the run keeps to the assumption", 100);
  const Scenario s = *Scenarios(DrawAnyKernel, kWhole);
  std::vector<Rule> lacking;
  for (const RuleInfo& info : AllRules())
    // With a contract of drivers (driver.) they refuse what they took without it.
    if (info.kind == RuleKind::kAssumption && !info.id.starts_with("driver.") &&
        !ProfileOf(s.kernel).rules.has(info.rule))
      lacking.push_back(info.rule);
  if (lacking.empty()) return;
  Scenario other = s;
  other.kernel.added.add(lacking[seed % lacking.size()]);
  other.kernel.dropped.drop(lacking[seed % lacking.size()]);
  RC_LOG() << "the assumption is " << InfoOf(lacking[seed % lacking.size()]).id << '\n';
  const Gave gave = Playing(s);
  const Gave with = Playing(other);
  for (size_t i = 0; i < with.ops.size() && with.ops[i].outcome != Outcome::kOutside; ++i)
    RC_ASSERT(with.ops[i] == gave.ops[i]);
  if (kept(with.ops == gave.ops)) RC_ASSERT(with.violated == gave.violated);
}

// --- labels ---

TEST(ALabel, SaysWhenItIsTrueTooSeldom) {
  static Label rare("rare", 100);
  for (int n = 0; n < 999; ++n) rare(false);
  EXPECT_EQ(rare.TooSeldom(), "");
  rare(false);
  EXPECT_EQ(rare.TooSeldom(), "rare: true in 0 of 1000 runs, expected 100 or more");
  for (int n = 0; n < 200; ++n) rare(true);
  EXPECT_EQ(rare.TooSeldom(), "");
}

}  // namespace
}  // namespace iommucheck
