// SPDX-License-Identifier: Apache-2.0
#include "src/smt/solver.h"

#include <limits>

#include "absl/strings/str_format.h"

namespace iommucheck::smt {
namespace {

using Kind = Circuit::Gate::Kind;

uint64_t ResourceCount(const z3::solver& solver) {
  const z3::stats statistics = solver.statistics();
  for (unsigned i = 0; i < statistics.size(); ++i)
    if (statistics.key(i) == "rlimit count") return statistics.uint_value(i);
  return 0;
}

}  // namespace

Solver::Solver(const Circuit& circuit, uint64_t budget)
    : circuit_(circuit), budget_(budget), solver_(context_, "QF_FD"), owned_(context_) {
  z3::params params(context_);
  params.set("random_seed", 0U);
  solver_.set(params);
}

bool Solver::Defined(uint32_t node) const {
  return node < variables_.size() && variables_[node] != nullptr;
}

z3::expr Solver::Literal(Bit bit) {
  if (bit.is_constant()) return context_.bool_val(bit.is_true());
  const z3::expr variable(context_, variables_[bit.node()]);
  return bit.negated() ? !variable : variable;
}

void Solver::AddClause(std::initializer_list<Bit> literals) {
  std::array<Z3_ast, 4> args{};
  z3::expr_vector keep(context_);
  unsigned count = 0;
  for (const Bit& literal : literals) {
    keep.push_back(Literal(literal));
    args[count++] = keep.back();
  }
  solver_.add(z3::expr(context_, Z3_mk_or(context_, count, args.data())));
}

// Clauses for the node and all below it. Depth first with a stack: cones are deep.
void Solver::Define(uint32_t root) {
  variables_.resize(circuit_.gates().size(), nullptr);
  todo_.assign(1, root);
  while (!todo_.empty()) {
    const uint32_t node = todo_.back();
    if (node == 0 || variables_[node] != nullptr) {
      todo_.pop_back();
      continue;
    }
    const Circuit::Gate& gate = circuit_.gates()[node];
    bool ready = true;
    if (gate.kind != Kind::kInput) {
      for (uint32_t child : {gate.a >> 1U, gate.b >> 1U, gate.c >> 1U}) {
        if (child == 0 || variables_[child] != nullptr) continue;
        todo_.push_back(child);
        ready = false;
      }
    }
    if (!ready) continue;
    todo_.pop_back();
    const z3::expr variable = context_.bool_const(absl::StrFormat("n%d", node).c_str());
    owned_.push_back(variable);
    variables_[node] = variable;
    const auto literal = [&](uint32_t l) { return Bit(nullptr, l); };
    const Bit out = literal(node << 1U);
    const Bit a = literal(gate.a);
    const Bit b = literal(gate.b);
    const Bit c = literal(gate.c);
    if (gate.kind == Kind::kAnd) {
      AddClause({~out, a});
      AddClause({~out, b});
      AddClause({out, ~a, ~b});
    } else if (gate.kind == Kind::kIte) {
      AddClause({~a, ~b, out});
      AddClause({~a, b, ~out});
      AddClause({a, ~c, out});
      AddClause({a, c, ~out});
    }
  }
}

void Solver::Assert(Bit bit) {
  asserted_.push_back(bit);
  if (!bit.is_constant()) Define(bit.node());
  solver_.add(Literal(bit));
}

Solver::Answer Solver::Check(const std::vector<Bit>& assumptions) {
  z3::expr_vector literals(context_);
  for (const Bit& bit : assumptions) {
    if (bit.is_false()) return Answer::kUnsat;
    if (bit.is_true()) continue;
    Define(bit.node());
    literals.push_back(Literal(bit));
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
  ++checks_;
  const z3::check_result answer = solver_.check(literals);
  resources_ = ResourceCount(solver_);
  if (answer == z3::unsat) return Answer::kUnsat;
  if (answer == z3::sat) {
    ReadModel();
    return Answer::kSat;
  }
  reason_ = budget_ != 0 && resources_ >= budget_ ? "the budget is used up"
                                                  : solver_.reason_unknown();
  return Answer::kUnknown;
}

void Solver::ReadModel() {
  const z3::model model = solver_.get_model();
  model_.assign(variables_.size(), false);
  for (uint32_t node = 0; node < variables_.size(); ++node)
    if (circuit_.gates()[node].kind == Kind::kInput && Defined(node))
      model_[node] = model.eval(z3::expr(context_, variables_[node])).is_true();
  evaluated_ = 0;
}

// Gates come after their operands, so that one pass in order evaluates them; those that were made
// after the check, too.
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
    if (gate.kind == Kind::kIte)
      model_[evaluated_] = value(gate.a) ? value(gate.b) : value(gate.c);
  }
  return value(bit.literal());
}

}  // namespace iommucheck::smt
