// SPDX-License-Identifier: Apache-2.0
#include "src/smt/solver.h"

#include <algorithm>
#include <cadical.hpp>
#include <limits>
#include <stdexcept>

#include "src/smt/query.h"
#include "src/tool/stop.h"

namespace iommucheck::smt {
namespace {

using Kind = Circuit::Gate::Kind;

constexpr uint32_t kNodesBetweenLooks = 1U << 12U;

// Return values of solve(), which are the exit statuses of SAT solvers.
constexpr int kSatisfiable = 10;
constexpr int kUnsatisfiable = 20;

}  // namespace

struct Solver::Engine {
  struct StopWhenTold : CaDiCaL::Terminator {
    bool terminate() override { return tool::Stopped(); }
  };

  // CaDiCaL says nothing of its conflicts but the clauses that it learns from them.
  struct CountLearned : CaDiCaL::Learner {
    bool learning(int /*size*/) override {
      ++learned;
      return false;
    }
    void learn(int /*literal*/) override {}
    uint64_t learned = 0;
  };

  StopWhenTold stop;  // outlives the solver, as does the next
  CountLearned counter;
  CaDiCaL::Solver solver;
};

Solver::Solver(const Circuit& circuit, uint64_t budget)
    : circuit_(circuit), budget_(budget), engine_(std::make_unique<Engine>()) {
  CaDiCaL::Solver& solver = engine_->solver;
  solver.set("quiet", 1);
  solver.connect_terminator(&engine_->stop);
  solver.connect_learner(&engine_->counter);
}

Solver::~Solver() = default;

uint64_t Solver::resources() const {
  return clauses_ + kResourcesAConflict * engine_->counter.learned;
}

int Solver::Literal(Bit bit) {
  const int variable = variables_[bit.node()];
  return bit.negated() ? -variable : variable;
}

void Solver::Clause(std::initializer_list<int> literals) {
  for (const int literal : literals) engine_->solver.add(literal);
  engine_->solver.add(0);
  ++clauses_;
}

// Variables and clauses for the node and all below it. Depth first with a stack: cones are deep.
// cnf.cc translates gates, too: that a certificate checks this translation wants another one.
void Solver::Define(uint32_t root) {
  variables_.resize(circuit_.gates().size());
  todo_.assign(1, root);
  while (!todo_.empty()) {
    const uint32_t node = todo_.back();
    if (node % kNodesBetweenLooks == 0) tool::ThrowIfStopped();
    const Circuit::Gate& gate = circuit_.gates()[node];
    const size_t waiting = todo_.size();
    if (variables_[node] == 0 && gate.kind != Kind::kInput) {
      for (uint32_t operand : {gate.a >> 1U, gate.b >> 1U, gate.c >> 1U})
        if (operand != 0 && variables_[operand] == 0) todo_.push_back(operand);
    }
    if (todo_.size() > waiting) continue;
    todo_.pop_back();
    if (variables_[node] != 0) continue;
    const int out = variables_[node] = ++last_variable_;
    const auto literal = [&](uint32_t l) { return Literal(Bit(nullptr, l)); };
    if (gate.kind == Kind::kAnd) {
      const int a = literal(gate.a);
      const int b = literal(gate.b);
      Clause({-out, a});
      Clause({-out, b});
      Clause({out, -a, -b});
    }
    if (gate.kind == Kind::kIte) {
      const int a = literal(gate.a);
      const int b = literal(gate.b);
      const int c = literal(gate.c);
      Clause({-out, -a, b});
      Clause({-out, a, c});
      Clause({out, -a, -b});
      Clause({out, a, -c});
    }
  }
}

void Solver::Assert(Bit bit) {
  asserted_.push_back(bit);
  if (bit.is_true()) return;
  if (bit.is_false()) return Clause({});
  Define(bit.node());
  Clause({Literal(bit)});
}

Solver::Answer Solver::Check(const std::vector<Bit>& assumptions) {
  assumed_.clear();
  for (const Bit& bit : assumptions) {
    if (bit.is_false()) {
      assumed_.clear();
      return Answer::kUnsat;
    }
    if (bit.is_true()) continue;
    Define(bit.node());
    assumed_.push_back(bit);
  }
  if (budget_ != 0 && resources() >= budget_) {
    reason_ = "the budget is used up";
    return Answer::kUnknown;
  }
  const auto stopped = [this] {
    if (tool::Stopped()) reason_ = tool::StopReason();
    return tool::Stopped();
  };
  if (stopped()) return Answer::kUnknown;
  CaDiCaL::Solver& solver = engine_->solver;
  for (const Bit& bit : assumed_) solver.assume(Literal(bit));
  if (budget_ != 0) {
    constexpr auto kMost = static_cast<uint64_t>(std::numeric_limits<int>::max());
    const uint64_t conflicts = (budget_ - resources()) / kResourcesAConflict + 1;
    solver.limit("conflicts", static_cast<int>(std::min(conflicts, kMost)));
  }
  ++checks_;
  const int status = solver.solve();
  if (status == kUnsatisfiable) return Answer::kUnsat;
  if (status == kSatisfiable) {
    ReadModel();
    MustHold(asserted_);
    MustHold(assumed_);
    return Answer::kSat;
  }
  if (!stopped()) reason_ = "the budget is used up";
  return Answer::kUnknown;
}

std::vector<Bit> Solver::Core() {
  std::vector<Bit> core;
  for (const Bit& bit : assumed_)
    if (engine_->solver.failed(Literal(bit))) core.push_back(bit);
  return core;
}

void Solver::ReadModel() {
  model_.assign(variables_.size(), false);
  for (uint32_t node = 0; node < variables_.size(); ++node)
    if (circuit_.gates()[node].kind == Kind::kInput && variables_[node] != 0)
      model_[node] = engine_->solver.val(variables_[node]) > 0;
  evaluated_ = 0;
}

void Solver::MustHold(const std::vector<Bit>& bits) {
  for (const Bit& bit : bits)
    if (!Value(bit)) throw std::logic_error("CaDiCaL's model does not fulfil the circuit");
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

std::string CadicalVersion() { return CaDiCaL::Solver::version(); }

}  // namespace iommucheck::smt
