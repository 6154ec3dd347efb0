// SPDX-License-Identifier: Apache-2.0
//
// Two builds of real kernel code, before and after a patch, on the same cases.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "src/case/case.h"
#include "src/conform/harness.h"
#include "src/conform/trace.h"

namespace iommucheck::review {

// What a difference means for those who rely on the kernel.
enum class Effect : uint8_t {
  kWorse,  // a domain of another driver or one freed in use, a leak, a WARN, a wild pointer, a crash
  kChanged,  // another errno, call or state: whether that is worse is for people to judge
  kBetter,   // what would be worse is gone
};
inline constexpr std::array<const char*, 3> kEffectNames = {"worse", "changed", "better"};

// What it is that differs.
enum class What : uint8_t {
  kOutcome,      // an errno, a call or the state at the end
  kCrossDriver,  // whether a device accepts a domain of another driver
  kFreed,        // whether a domain is freed that a device is still on
  kDeath,        // a wild pointer or a crash
  kWarn,
  kLeak,
};

// A kind of difference: the same for all cases that differ in this way.
struct Kind {
  Effect effect = Effect::kChanged;
  What what = What::kOutcome;
  std::string text;  // "set-iommu: taken now, was refused with -EINVAL"
  friend auto operator<=>(const Kind&, const Kind&) = default;
};

// One case on one kernel.
struct Played {
  conform::Trace trace;
  conform::Harness::Result result;
};

// How two runs of a case differ: the first errno, call or line of the end that is another; and what
// one of them alone does that no kernel should. Empty: not at all.
std::vector<Kind> KindsOf(const Case& c, const Played& before, const Played& after);

// Whether it is a leak of user memory, which the model has, too.
bool IsOfPages(const Kind& kind);

// The ops (from 0) in which a device accepts a domain that the driver of another device allocated.
std::vector<size_t> CrossDriverAttaches(const Case& c, const conform::Trace& trace);

// The ops (from 0) in which a domain is freed that a device was attached to and has not left. A device
// whose attach failed counts as on none: where it is depends on the driver.
std::vector<size_t> FreesInUse(const conform::Trace& trace);

// A case that shows a kind of difference.
struct Difference {
  Kind kind;
  Case smallest;
  Played before;
  Played after;
  uint64_t cases = 0;  // how many of those played show it
  // The assumption that the case breaks, if every case does that was kept: the kernel promises
  // nothing then.
  std::optional<Rule> outside{};
};

// The first assumption of the case's kernel that the case breaks: one of those that are on by
// default, or, for a domain of another driver and for a WARN, one with which the kernel promises that
// no device accepts such a domain.
std::optional<Rule> OutsideOf(const Case& c, const Kind& kind);

class Both {
 public:
  // Folders of ./dev kernel. The code after the patch counts the lines that it runs into files in
  // `profiles`, if its build counts them.
  static absl::StatusOr<Both> Load(const std::string& before, const std::string& after,
                                   const std::string& profiles);

  [[nodiscard]] const conform::Harness& before() const { return before_; }
  [[nodiscard]] const conform::Harness& after() const { return after_; }

  // "": both can play it.
  [[nodiscard]] std::string WhyNot(const Case& c) const;
  // Plays as many ops as are possible in the model, each kernel in a process of its own. The run after
  // the patch ends with the first op that differs: from there on the two are in different states.
  absl::StatusOr<std::array<Played, 2>> Play(const Case& c);
  // The traces of both, each to the end of what is possible.
  absl::StatusOr<std::array<conform::Trace, 2>> Traces(const Case& c);

  struct Count {
    uint64_t cases = 0;
    uint64_t ops = 0;
    uint64_t differ = 0;
    std::vector<Rule> unseen;  // where no case differs
  };
  struct Random {
    uint64_t cases = 300'000;      // 0: as many as the time allows
    std::chrono::seconds time{0};  // 0: no limit
    uint64_t seed = 1;
    // Rules of the kernel; those that make no difference to the model in any case are `Count::unseen`.
    std::vector<Rule> unseen;
    // Every second case is a mutation of one of these, which have a driver, a table, an instance and
    // a device each.
    std::vector<Case> from;
  };
  // Random cases; calls `found` with the number of each that differs, its kinds, and what was played
  // so far. The same seed gives the same cases. Ends when `found` returns false.
  using Found =
      std::function<bool(uint64_t number, const std::vector<Kind>& kinds, const Count& so_far)>;
  absl::StatusOr<Count> PlayRandom(const Random& random, const Found& found);
  // The case of this number, with the ops that are possible in the model, and end before what is
  // undefined there.
  [[nodiscard]] Case RandomCase(const Random& random, uint64_t number) const;

 private:
  Both(conform::Harness before, conform::Harness after)
      : before_(std::move(before)), after_(std::move(after)) {}

  conform::Harness before_;
  conform::Harness after_;
};

// The smallest case that shows the kind, with nothing in it that can be taken away alone. Where the
// case keeps to the assumptions of OutsideOf(), so does the smallest. Precondition: the case shows it. Errors: as Both::Play().
absl::StatusOr<Difference> Minimized(Both& both, const Case& c, const Kind& kind);

}  // namespace iommucheck::review
