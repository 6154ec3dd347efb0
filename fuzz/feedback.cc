// SPDX-License-Identifier: Apache-2.0
#include "fuzz/feedback.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <vector>

namespace iommucheck::fuzzing {
namespace {

constexpr size_t kCounters = 1U << 12U;
// libFuzzer finds them by the name of the section, and clears them before each input. Counters that
// two things share cost a little feedback, and nothing else.
__attribute__((section("__libfuzzer_extra_counters"))) std::array<uint8_t, kCounters> counters;

void Note(uint64_t what) {
  uint8_t& counter = counters[(what * 0x9e3779b97f4a7c15U) >> 52U];
  if (counter < 255) ++counter;
}
static_assert(kCounters == 1U << (64U - 52U));

constexpr uint64_t kResult = 1;
constexpr uint64_t kRefusal = 2;
constexpr uint64_t kSharing = 3;
constexpr uint64_t kCall = 4;
constexpr uint64_t kContainer = 5;
constexpr uint64_t kMissed = 6;
constexpr uint64_t kProbed = 7;
constexpr uint64_t kGone = 8;

uint64_t Word(uint64_t sort, uint64_t a, uint64_t b, uint64_t c) {
  return ((sort * 256 + a) * 1024 + b) * 1024 + c;
}

uint64_t ResultWord(const Op& op, const StepResult& result) {
  return Word(kResult, static_cast<uint64_t>(op.kind), static_cast<uint64_t>(-result.error),
              result.struck);
}

uint64_t RefusalWord(const Op& op, const Event& e) {
  return Word(kRefusal, static_cast<uint64_t>(op.kind), static_cast<uint64_t>(e.rule),
              static_cast<uint64_t>(-e.error));
}

// By domain that groups share: how many do, and their containers.
uint64_t SharingWord(const State& state) {
  std::array<uint8_t, kMaxDomains> groups{};
  for (const GroupState& group : std::span(state.groups).first(state.groups_end))
    if (group.domain != kNoId) ++groups[group.domain];
  uint64_t pattern = 0;
  for (DomainId d = 0; d < state.domains_end; ++d)
    if (groups[d] != 0)
      pattern += uint64_t{1} << (8U * static_cast<unsigned>(std::min<int>(groups[d], 8) - 1));
  return Word(kSharing, 0, 0, 0) ^ (pattern * 31);
}

// What a call of a driver gave, and whether it is that of the device.
uint64_t CallWord(const Op& op, const Event& e) {
  return Word(kCall, static_cast<uint64_t>(op.kind), static_cast<uint64_t>(e.kind), e.error) * 2 +
         (e.driver == e.device_driver ? 1U : 0U);
}

// How many drivers and tables serve the groups of a container, on how many domains.
uint64_t ContainerWord(const Topology& topology, const State& state, const ContainerState& c) {
  uint64_t drivers = 0;
  uint64_t tables = 0;
  uint64_t groups = 0;
  for (GroupId g = c.groups; g != kNoId; g = state.groups[g].next_in_container) {
    ++groups;
    const DeviceId dev = state.groups[g].devices;
    if (dev == kNoId || state.devices[dev].instance == kNoId) continue;
    const Instance& instance = topology.instances[state.devices[dev].instance];
    drivers |= uint64_t{1} << instance.driver % 64U;
    tables |= uint64_t{1} << instance.table % 64U;
  }
  uint64_t domains = 0;
  for (DomainId d = c.domains; d != kNoId; d = state.domains[d].next) ++domains;
  return Word(kContainer, groups * 2 + (c.iommu ? 1U : 0U),
              static_cast<uint64_t>(std::popcount(drivers)) * 8 + std::popcount(tables), domains);
}

// A driver serves a device that firmware has put behind another one.
bool IsForeign(const Topology& topology, const Event& e) {
  const unsigned drivers = topology.drivers_of(e.device);
  return drivers != 0 && (drivers >> e.device_driver & 1U) == 0;
}

// A container has a domain of a driver that is not loaded any more; 2: and another one is loaded at its
// address.
uint64_t GoneWord(const Topology& topology, const State& state, const ContainerState& c) {
  uint64_t gone = 0;
  for (DomainId d = c.domains; d != kNoId; d = state.domains[d].next) {
    const DriverId driver = state.domains[d].driver;
    uint64_t here = 1;
    for (const InstanceId i : std::span(state.registered).first(state.registered_count)) {
      const DriverId loaded = topology.instances[i].driver;
      if (loaded == driver) here = 0;
      if (loaded != driver && topology.ops_address(loaded) == topology.ops_address(driver))
        here = 2;
    }
    gone = std::max(gone, here);
  }
  return gone == 0 ? 0 : Word(kGone, gone, 0, 0);
}

}  // namespace

void NoteStep(const StepView& v) {
  Note(ResultWord(v.op, v.result));
  for (const Event& e : v.events) {
    Note(e.kind == Event::Kind::kRefused ? RefusalWord(v.op, e) : CallWord(v.op, e));
    if (e.kind == Event::Kind::kProbe)
      Note(Word(kProbed, static_cast<uint64_t>(v.op.kind), IsForeign(v.topology, e) ? 1 : 0, 0));
  }
  if (v.op.kind == OpKind::kRegister || v.op.kind == OpKind::kUnregister)
    for (const ContainerState& c : v.after.containers)
      if (const uint64_t gone = GoneWord(v.topology, v.after, c); gone != 0) Note(gone);
  if (v.op.kind != OpKind::kSetContainer && v.op.kind != OpKind::kSetIommu) return;
  for (const ContainerState& c : v.after.containers)
    if (c.groups != kNoId) Note(ContainerWord(v.topology, v.after, c));
}

void NoteEnd(const State& state) { Note(SharingWord(state)); }

void NoteMissed(Rule rule, Property property) {
  Note(Word(kMissed, 0, static_cast<uint64_t>(rule), static_cast<uint64_t>(property)));
}

void NoteRun(const DecodedCase& c, const KernelProfile& profile) {
  static std::vector<Event> events = RoomForEvents();
  State state = InitialState(c.topology);
  for (const Op& op : std::span(c.ops).first(static_cast<size_t>(c.ops_count))) {
    const StepResult result = Step(profile, c.topology, op, state, events);
    if (result.outcome == Outcome::kDone) NoteStep({c.topology, op, result, state, state, events});
  }
  NoteEnd(state);
}

void AddTerms(const Op& op, const StepResult& result, std::span<const Event> events, Terms& terms) {
  terms.results.insert(ResultWord(op, result));
  for (const Event& e : events)
    if (e.kind == Event::Kind::kRefused) terms.refusals.insert(RefusalWord(op, e));
}

void AddEnd(const State& state, Terms& terms) { terms.sharings.insert(SharingWord(state)); }

}  // namespace iommucheck::fuzzing
