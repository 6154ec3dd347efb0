// SPDX-License-Identifier: Apache-2.0
#include "fuzz/feedback.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace iommucheck::fuzzing {
namespace {

constexpr size_t kCounters = 1U << 11U;
// libFuzzer finds them by the name of the section, and clears them before each input. Counters that
// two things share cost a little feedback, and nothing else.
__attribute__((section("__libfuzzer_extra_counters"))) std::array<uint8_t, kCounters> counters;

void Note(uint64_t what) {
  uint8_t& counter = counters[(what * 0x9e3779b97f4a7c15U) >> 53U];
  if (counter < 255) ++counter;
}
static_assert(kCounters == 1U << (64U - 53U));

constexpr uint64_t kResult = 1;
constexpr uint64_t kRefusal = 2;
constexpr uint64_t kSharing = 3;

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

}  // namespace

void NoteStep(const Op& op, const StepResult& result, std::span<const Event> events) {
  Note(ResultWord(op, result));
  for (const Event& e : events)
    if (e.kind == Event::Kind::kRefused) Note(RefusalWord(op, e));
}

void NoteEnd(const State& state) { Note(SharingWord(state)); }

void AddTerms(const Op& op, const StepResult& result, std::span<const Event> events, Terms& terms) {
  terms.results.insert(ResultWord(op, result));
  for (const Event& e : events)
    if (e.kind == Event::Kind::kRefused) terms.refusals.insert(RefusalWord(op, e));
}

void AddEnd(const State& state, Terms& terms) { terms.sharings.insert(SharingWord(state)); }

}  // namespace iommucheck::fuzzing
