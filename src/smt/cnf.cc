// SPDX-License-Identifier: Apache-2.0
#include "src/smt/cnf.h"

#include "absl/strings/str_cat.h"
#include "src/smt/unrolling.h"

namespace iommucheck::smt {
namespace {

using Gate = Circuit::Gate;

// Tseitin's translation: a variable for each gate that the asserted bits depend on.
class Translation {
 public:
  explicit Translation(SearchSpace& space) : space_(space) {}

  void Assert(const Constraint& constraint) {
    if (!constraint.bit.is_true())
      asserted_.push_back({constraint.bit, std::string(constraint.why)});
  }
  void Assert(const Constraint& constraint, int step) {
    const std::string why = absl::StrCat("step ", step, ": ", std::string(constraint.why));
    Assert({constraint.bit, why});
  }
  Cnf Finish();

 private:
  struct Asserted {
    Bit bit;
    std::string what;
  };
  [[nodiscard]] int Literal(uint32_t literal) const {
    return (literal & 1U) != 0 ? -variable_[literal >> 1U] : variable_[literal >> 1U];
  }
  void Define(uint32_t node);

  SearchSpace& space_;
  std::vector<Asserted> asserted_;
  std::vector<int> variable_;  // by node
  Cnf cnf_;
};

void Translation::Define(uint32_t node) {
  const Gate& gate = space_.circuit().gates()[node];
  const int out = variable_[node] = static_cast<int>(cnf_.variables.size()) + 1;
  const int a = Literal(gate.a);
  const int b = Literal(gate.b);
  const int c = Literal(gate.c);
  switch (gate.kind) {
    case Gate::Kind::kConstant:
      break;
    case Gate::Kind::kInput:
      cnf_.variables.push_back(space_.name(node));
      break;
    case Gate::Kind::kAnd:
      cnf_.variables.push_back(absl::StrCat("and ", a, " ", b));
      for (std::vector<int> clause : {std::vector{-out, a}, {-out, b}, {out, -a, -b}})
        cnf_.definitions.push_back(std::move(clause));
      break;
    case Gate::Kind::kIte:
      cnf_.variables.push_back(absl::StrCat("if ", a, " then ", b, " else ", c));
      for (std::vector<int> clause :
           {std::vector{-out, -a, b}, {-out, a, c}, {out, -a, -b}, {out, a, -c}})
        cnf_.definitions.push_back(std::move(clause));
      break;
  }
}

Cnf Translation::Finish() {
  std::vector<Bit> bits;
  for (const Asserted& asserted : asserted_) bits.push_back(asserted.bit);
  const std::vector<bool> cone = space_.circuit().ConeOf(bits);
  variable_.resize(cone.size());
  for (uint32_t node = 1; node < cone.size(); ++node)
    if (cone[node]) Define(node);
  for (const Asserted& asserted : asserted_)
    cnf_.assertions.push_back({Literal(asserted.bit.literal()), asserted.what});
  return cnf_;
}

}  // namespace

bool FactsAreAsserted(Property property) { return property == Property::kNoCrossDriverAttach; }

Cnf CnfOf(Property property, const KernelSpec& kernel, int devices, int steps) {
  const RuleSet rules = ProfileOf(kernel).rules;
  Unrolling runs(kernel, rules, devices,
                 {.property = property, .steps = steps, .spare = OpKinds().set()});
  Translation translation(runs.space());
  for (const RuleInfo& info : AllRules())
    if (rules.has(info.rule))
      translation.Assert({runs.space().kernel().has(info.rule), "the kernel has the rule"});
  for (Bit bit : runs.space().constraints())
    translation.Assert({bit, "the machine is of the space"});
  for (int step = 1; step <= steps; ++step)
    for (const Constraint& constraint : runs.NextStep())
      if (!constraint.fact || FactsAreAsserted(property)) translation.Assert(constraint, step);
  translation.Assert({runs.violated(), "the property is violated"}, steps);
  return translation.Finish();
}

std::string ToDimacs(const Cnf& cnf) {
  std::string text = absl::StrCat("p cnf ", cnf.variables.size(), " ",
                                  cnf.assertions.size() + cnf.definitions.size(), "\n");
  for (const Cnf::Assertion& assertion : cnf.assertions)
    absl::StrAppend(&text,
                    assertion.literal != 0 ? absl::StrCat(assertion.literal, " 0\n") : "0\n");
  for (const std::vector<int>& clause : cnf.definitions) {
    for (const int literal : clause) absl::StrAppend(&text, literal, " ");
    absl::StrAppend(&text, "0\n");
  }
  return text;
}

std::string ToMap(const Cnf& cnf) {
  std::string text = "# variable: an input by its name, or a gate of other variables\n";
  for (size_t i = 0; i < cnf.variables.size(); ++i)
    absl::StrAppend(&text, i + 1, " ", cnf.variables[i], "\n");
  absl::StrAppend(&text, "# asserted, in the order of the first clauses\n");
  for (const Cnf::Assertion& assertion : cnf.assertions)
    absl::StrAppend(&text, assertion.literal, " ", assertion.what, "\n");
  return text;
}

}  // namespace iommucheck::smt
