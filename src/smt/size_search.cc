// SPDX-License-Identifier: Apache-2.0
#include "src/smt/size_search.h"

#include <algorithm>

#include "src/smt/smt2.h"

namespace iommucheck::smt {

// What the steps to spare can be, in parts that make a circuit each, the plainest first. With one
// to spare a circuit for each kind is faster than one for all, the more so the more devices there
// are.
std::vector<OpKinds> SpareKinds(int spare, int devices) {
  if (spare == 0) return {OpKinds()};
  if (spare > 1 || devices == 1) return {OpKinds().set()};
  if (devices == 2) {
    const auto leave = OpKinds()
                           .set(static_cast<size_t>(OpKind::kRemove))
                           .set(static_cast<size_t>(OpKind::kUnregister));
    return {~leave, leave};
  }
  std::vector<OpKinds> parts;
  for (OpKind kind : kPlainFirst) parts.push_back(OpKinds().set(static_cast<size_t>(kind)));
  return parts;
}

SizeSearch::SizeSearch(const KernelSpec& kernel, RuleSet open, int devices, const Runs& runs,
                       Solver::Use use, uint64_t budget)
    : property_(runs.property),
      open_(open),
      space_(kernel, open, devices, runs),
      encoder_(space_.kernel(), space_.topology(), space_.sizes()),
      solver_(space_.circuit(), use, budget) {
  if (runs.refusing)
    refusing_.emplace(SymbolicProfile(ProfileOf(*runs.refusing)), space_.topology(),
                      space_.sizes());
  const auto nodes = static_cast<uint32_t>(space_.circuit().gates().size());
  for (uint32_t node = 1; node < nodes; ++node)
    solver_.NameWhenUsed(Bit(&space_.circuit(), node << 1U));
  for (Bit constraint : space_.constraints()) solver_.Assert(constraint);
  for (int step = 0; step < runs.steps; ++step) NextStep();
  if (runs.taken) solver_.Assert(~refusing_ended_);
}

void SizeSearch::NextStep() {
  std::vector<Bit> constraints = {~violated_};
  if (property_ == Property::kNoCrossDriverAttach) {
    const std::vector<Bit> facts = encoder_.InvariantsWhileAttachHolds();
    constraints.insert(constraints.end(), facts.begin(), facts.end());
  }
  const SymbolicOp op = space_.NextOp(constraints);
  const StepBits step = encoder_.Step(op);
  // A smallest run has no step that changes nothing.
  const Bit futile = refusing_ ? step.futile & NextStepOfRefusing(op, constraints) : step.futile;
  for (Bit excluded : {step.impossible, step.outside, step.out_of_groups, step.reorders, futile})
    constraints.push_back(~excluded);
  for (Bit fact : encoder_.Invariants()) constraints.push_back(fact);
  for (Bit bit : encoder_.state().AllBits()) solver_.NameWhenUsed(bit);
  for (Bit constraint : constraints)
    if (!constraint.is_true()) solver_.Assert(constraint);
  violated_ = step.violated[static_cast<size_t>(property_)];
}

// Takes the step on the refusing kernel, too. Whether it surely changes nothing there.
Bit SizeSearch::NextStepOfRefusing(const SymbolicOp& op, std::vector<Bit>& constraints) {
  const auto unless_ended = [&](Bit fact) { constraints.push_back(refusing_ended_ | fact); };
  if (property_ == Property::kNoCrossDriverAttach)
    for (Bit fact : refusing_->InvariantsWhileAttachHolds()) unless_ended(fact);
  const StepBits step = refusing_->Step(op);
  const Bit ended_before = refusing_ended_;
  refusing_ended_ |= step.impossible | step.outside;
  unless_ended(~step.violated[static_cast<size_t>(property_)]);
  unless_ended(~step.out_of_groups);
  for (Bit fact : refusing_->Invariants()) unless_ended(fact);
  for (Bit bit : refusing_->state().AllBits()) solver_.NameWhenUsed(bit);
  solver_.NameWhenUsed(refusing_ended_);
  return ended_before | (~refusing_ended_ & step.futile);
}

SizeSearch::Answer SizeSearch::Violated(RuleSet kept) {
  std::vector<Bit> assumptions = {violated_};
  for (const RuleInfo& info : AllRules())
    if (open_.has(info.rule) && kept.has(info.rule))
      assumptions.push_back(space_.kernel().has(info.rule));
  return Check(assumptions);
}

std::string SizeSearch::LastCheck() {
  return ToSmt2(space_, solver_.asserted(), last_assumptions_);
}

RuleSet SizeSearch::Core() {
  const std::vector<Bit> core = solver_.Core();
  RuleSet rules;
  for (const RuleInfo& info : AllRules())
    if (open_.has(info.rule) &&
        std::ranges::find(core, space_.kernel().has(info.rule)) != core.end())
      rules.add(info.rule);
  return rules;
}

SizeSearch::Answer SizeSearch::Check(const std::vector<Bit>& assumptions) {
  last_assumptions_ = assumptions;
  return solver_.Check(assumptions);
}

Case SizeSearch::Found() {
  Case c = space_.Decode(Model());
  c.expectations.push_back({.kind = Expectation::Kind::kViolated,
                            .property = property_,
                            .at = static_cast<int>(c.ops.size())});
  return c;
}

// Fixes one preference after another that a case of this size can meet. Unknown: the budget ended
// before the last one.
SizeSearch::Answer SizeSearch::MakePlain(std::vector<Bit> fixed) {
  auto all = Answer::kSat;
  for (Bit preference : space_.Preferences()) {
    if (preference.is_constant()) continue;
    fixed.push_back(preference);
    // A check that fails keeps the model of the last one that did not.
    if (solver_.Value(preference)) continue;
    const Answer answer = Check(fixed);
    if (answer != Answer::kSat) fixed.pop_back();
    if (answer == Answer::kUnknown) all = answer;
  }
  last_assumptions_ = fixed;
  return all;
}

Case SizeSearch::Plainest() {
  MakePlain({violated_});
  return Found();
}

}  // namespace iommucheck::smt
