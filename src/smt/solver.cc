// SPDX-License-Identifier: Apache-2.0
#include "src/smt/solver.h"

#include <limits>
#include <new>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/case/engine_error.h"
#include "src/smt/query.h"

namespace iommucheck::smt {
namespace {

using Kind = Circuit::Gate::Kind;

constexpr uint32_t kNodesBetweenLooks = 1U << 12U;

uint64_t ResourceCount(const z3::solver& solver) {
  const z3::stats statistics = solver.statistics();
  for (unsigned i = 0; i < statistics.size(); ++i)
    if (statistics.key(i) == "rlimit count") return statistics.uint_value(i);
  return 0;
}

}  // namespace

Solver::Solver(const Circuit& circuit, Use use, uint64_t budget)
    : circuit_(circuit),
      budget_(budget),
      solver_(use == Use::kOnce ? z3::tactic(context_, "sat").mk_solver()
                                : z3::solver(context_, "QF_FD")),
      owned_(context_),
      interruptible_([this] { context_.interrupt(); }) {
  z3::params params(context_);
  params.set("random_seed", 0U);
  // Simplifying between restarts costs more than it saves on checks of a second.
  for (const char* pass : {"asymm_branch", "elim_vars", "probing", "scc", "subsumption"})
    params.set(pass, false);
  solver_.set(params);
}

z3::expr Solver::Literal(Bit bit) {
  if (bit.is_constant()) return context_.bool_val(bit.is_true());
  const z3::expr positive(context_, expressions_[bit.node()]);
  return bit.negated() ? !positive : positive;
}

// A Boolean of the node's own that equals the expression.
void Solver::Name(uint32_t node, const z3::expr& value) {
  const z3::expr variable = context_.bool_const(absl::StrFormat("n%d", node).c_str());
  solver_.add(variable == value);
  Keep(node, variable);
  named_[node] = true;
}

void Solver::Keep(uint32_t node, const z3::expr& value) {
  owned_.push_back(value);
  expressions_[node] = value;
}

void Solver::NameWhenUsed(Bit bit) {
  if (bit.is_constant()) return;
  wanted_.resize(circuit_.gates().size());
  wanted_[bit.node()] = true;
}

// Expressions for the node and all below it. Depth first with a stack: cones are deep.
void Solver::Define(uint32_t root) {
  const size_t size = circuit_.gates().size();
  expressions_.resize(size, nullptr);
  named_.resize(size);
  wanted_.resize(size);
  todo_.assign(1, root);
  while (!todo_.empty()) {
    const uint32_t node = todo_.back();
    if (node % kNodesBetweenLooks == 0) tool::ThrowIfStopped();
    const Circuit::Gate& gate = circuit_.gates()[node];
    const size_t waiting = todo_.size();
    if (expressions_[node] == nullptr && gate.kind != Kind::kInput) {
      for (uint32_t operand : {gate.a >> 1U, gate.b >> 1U, gate.c >> 1U})
        if (operand != 0 && expressions_[operand] == nullptr) todo_.push_back(operand);
    }
    if (todo_.size() > waiting) continue;
    todo_.pop_back();
    if (expressions_[node] != nullptr) continue;
    const auto literal = [&](uint32_t l) { return Literal(Bit(nullptr, l)); };
    switch (gate.kind) {
      case Kind::kConstant:
        break;
      case Kind::kInput:
        Keep(node, context_.bool_const(absl::StrFormat("n%d", node).c_str()));
        named_[node] = true;
        break;
      case Kind::kAnd:
        Keep(node, literal(gate.a) && literal(gate.b));
        break;
      case Kind::kIte:
        Keep(node, z3::ite(literal(gate.a), literal(gate.b), literal(gate.c)));
        break;
    }
    if (wanted_[node] && !named_[node]) Name(node, literal(node << 1U));
  }
}

void Solver::Assert(Bit bit) {
  asserted_.push_back(bit);
  if (!bit.is_constant()) Define(bit.node());
  solver_.add(Literal(bit));
}

Solver::Answer Solver::Check(const std::vector<Bit>& assumptions) {
  z3::expr_vector literals(context_);
  assumed_.clear();
  for (const Bit& bit : assumptions) {
    if (bit.is_false()) {
      assumed_.clear();
      return Answer::kUnsat;
    }
    if (bit.is_true()) continue;
    NameWhenUsed(bit);
    Define(bit.node());
    if (!named_[bit.node()]) Name(bit.node(), Literal(Bit(nullptr, bit.node() << 1U)));
    literals.push_back(Literal(bit));
    assumed_.push_back(bit);
  }
  if (budget_ != 0) {
    if (resources_ >= budget_) {
      reason_ = "the budget is used up";
      return Answer::kUnknown;
    }
    z3::params params(context_);
    params.set("rlimit", static_cast<unsigned>(std::min<uint64_t>(
                             budget_ - resources_, std::numeric_limits<unsigned>::max())));
    solver_.set(params);
  }
  const auto stopped = [this] {
    if (tool::Stopped()) reason_ = tool::StopReason();
    return tool::Stopped();
  };
  if (stopped()) return Answer::kUnknown;
  ++checks_;
  const z3::check_result answer = solver_.check(literals);
  resources_ = ResourceCount(solver_);
  if (answer == z3::unsat) return Answer::kUnsat;
  if (answer == z3::sat) ReadModel();
  // An interrupt leaves a model that is not whole.
  if (stopped()) return Answer::kUnknown;
  if (answer == z3::sat) return Answer::kSat;
  if (SaysOutOfMemory(solver_.reason_unknown())) throw std::bad_alloc();
  reason_ =
      budget_ != 0 && resources_ >= budget_ ? "the budget is used up" : solver_.reason_unknown();
  return Answer::kUnknown;
}

std::vector<Bit> Solver::Core() {
  std::vector<Bit> core;
  const z3::expr_vector literals = solver_.unsat_core();
  for (const Bit& bit : assumed_)
    for (const z3::expr& literal : literals)
      if (z3::eq(literal, Literal(bit))) core.push_back(bit);
  return core;
}

void Solver::ReadModel() {
  const z3::model model = solver_.get_model();
  model_.assign(expressions_.size(), false);
  for (uint32_t node = 0; node < expressions_.size(); ++node)
    if (circuit_.gates()[node].kind == Kind::kInput && expressions_[node] != nullptr)
      model_[node] = model.eval(z3::expr(context_, expressions_[node])).is_true();
  evaluated_ = 0;
}

// Gates come after their operands, so that one pass in order evaluates them, also gates that were
// made after the check.
bool Solver::Value(Bit bit) {
  if (bit.is_constant()) return bit.is_true();
  model_.resize(circuit_.gates().size(), false);
  const auto value = [&](uint32_t literal) {
    return model_[literal >> 1U] != ((literal & 1U) != 0);
  };
  for (; evaluated_ < model_.size(); ++evaluated_) {
    const Circuit::Gate& gate = circuit_.gates()[evaluated_];
    if (gate.kind == Kind::kConstant) model_[evaluated_] = true;
    if (gate.kind == Kind::kAnd) model_[evaluated_] = value(gate.a) && value(gate.b);
    if (gate.kind == Kind::kIte) model_[evaluated_] = value(gate.a) ? value(gate.b) : value(gate.c);
  }
  return value(bit.literal());
}

std::string Z3Version() {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned build = 0;
  unsigned revision = 0;
  Z3_get_version(&major, &minor, &build, &revision);
  return absl::StrCat(major, ".", minor, ".", build);
}

}  // namespace iommucheck::smt
