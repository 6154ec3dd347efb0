// SPDX-License-Identifier: Apache-2.0
#include "src/conform/lockstep.h"

#include <algorithm>

#include "src/conform/compare.h"
#include "src/conform/findings.h"

namespace iommucheck::conform {
void Lockstep::Begin(const harness& real, const Topology& topology, const KernelProfile& kernel) {
  library_ = &real;
  topology_ = &topology;
  kernel_ = kernel;
  taken_.clear();
  before_oops_ = spent_ = false;
  finding_ = nullptr;
  leaks_ = {};
  state_ = InitialState(topology);
  before_ = state_;
  model_run_.Begin(kernel);
  real_run_.Begin(real, topology, kernel, real_);
}

bool Lockstep::Take(const Op& op) {
  // Most ops that are tried are not possible, and leave the state as it is: it is copied after others.
  const StepResult expected = Step(kernel_, *topology_, op, state_, events_);
  if (expected.outcome != Outcome::kDone) return true;
  if (WhyNotPlayed(op, library_->features) != nullptr) {
    state_ = before_;
    return true;
  }
  // What is undefined, the compiler decides, and in builds for mutants and fuzzers otherwise.
  if (std::ranges::any_of(events_, [this](const Event& e) {
        return e.kind == Event::Kind::kOops && (!plays_oopses_ || e.oops == Oops::kUndefined);
      })) {
    state_ = before_;
    before_oops_ = true;
    return false;
  }
  finding_ = FindingBefore(*topology_, before_, events_, sanitized_);
  if (finding_ == nullptr && !kernel_.has(Rule::kType1FgspInList))
    finding_ = FindingOfTrial(*topology_, before_, events_);
  if (finding_ == nullptr && !kernel_.has(Rule::kType1UnmapInOrder))
    finding_ = FindingOfUnmap(before_, op);
  if (finding_ == nullptr && kernel_.has(Rule::kVfioViable))
    finding_ = FindingOfBind(*topology_, before_, op);
  if (finding_ != nullptr) {
    state_ = before_;
    return false;
  }
  before_ = state_;
  taken_.push_back(op);
  model_run_.Step(expected, events_, state_);
  if (real_run_.Take(op) != RealRun::Outcome::kDone || real_.steps.back() != model_.steps.back())
    return false;
  finding_ = FindingAfter(op, expected.error, state_, model_.CallsOf(model_.steps.size() - 1));
  return finding_ == nullptr;
}

Lockstep::Verdict Lockstep::End(bool promised) {
  model_run_.End(*topology_, state_);
  if (real_.oops()) {
    spent_ = true;
    return Agree(model_, real_) ? Verdict::kAgree : Verdict::kDiffer;
  }
  real_run_.End();
  Verdict verdict = Agree(model_, real_) ? Verdict::kAgree : Verdict::kDiffer;
  if (real_run_.cross_driver() && promised) verdict = Verdict::kCrossDriver;
  if (library_->finish(&leaks_) == HARNESS_OOPS)
    verdict = Verdict::kOops;
  else if (verdict == Verdict::kAgree && Leaks())
    verdict = Verdict::kLeak;
  spent_ = verdict != Verdict::kAgree;
  return verdict;
}

bool Lockstep::Leaks() const {
  bool pins = false;
  if (finding_ == nullptr && (state_.pins != 0 || state_.zero_pins != 0 || state_.locked_vm != 0 ||
                              leaks_.pins != 0 || leaks_.locked != 0)) {
    const HeldMemory held = HeldAfterTeardown(kernel_, *topology_, state_);
    pins = held != HeldMemory{.pins = static_cast<uint32_t>(leaks_.pins),
                              .locked = static_cast<uint32_t>(leaks_.locked)};
  }
  const bool lost = finding_ != nullptr && IsNeverUnmapped(taken_.back(), 0);
  const bool objects = leaks_.objects > (lost ? leaks_.pins : 0);
  return leaks_.domains != 0 || objects || leaks_.locks != 0 || leaks_.written != 0 ||
         std::ranges::any_of(leaks_.references, [](int left) { return left != 0; }) || pins;
}

}  // namespace iommucheck::conform
