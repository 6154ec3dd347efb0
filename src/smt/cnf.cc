// SPDX-License-Identifier: Apache-2.0
#include "src/smt/cnf.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "src/smt/search_space.h"
#include "src/smt/unrolling.h"

namespace iommucheck::smt {
namespace {

struct Asserted {
  Bit bit;
  std::string what;
};

// Tseitin's translation: a variable for each gate that the asserted bits depend on.
Cnf Translate(const RunSpace& space, const std::vector<Asserted>& asserted) {
  using GateKind = Circuit::Gate::Kind;
  std::vector<Bit> bits;
  bits.reserve(asserted.size());
  for (const Asserted& a : asserted) bits.push_back(a.bit);
  const std::vector<bool> cone = space.circuit().ConeOf(bits);
  Cnf cnf;
  std::vector<int> variable(cone.size());  // by node
  const auto literal = [&](uint32_t l) {
    return (l & 1U) != 0 ? -variable[l >> 1U] : variable[l >> 1U];
  };
  const auto define = [&](std::string name, const std::vector<std::vector<int>>& clauses) {
    cnf.variables.push_back(std::move(name));
    cnf.definitions.insert(cnf.definitions.end(), clauses.begin(), clauses.end());
  };
  for (uint32_t node = 1; node < cone.size(); ++node) {
    if (!cone[node]) continue;
    const Circuit::Gate& gate = space.circuit().gates()[node];
    const int out = variable[node] = static_cast<int>(cnf.variables.size()) + 1;
    const int a = literal(gate.a);
    const int b = literal(gate.b);
    const int c = literal(gate.c);
    if (gate.kind == GateKind::kInput) define(space.name(node), {});
    if (gate.kind == GateKind::kAnd)
      define(absl::StrCat("and ", a, " ", b), {{-out, a}, {-out, b}, {out, -a, -b}});
    if (gate.kind == GateKind::kIte)
      define(absl::StrCat("if ", a, " then ", b, " else ", c),
             {{-out, -a, b}, {-out, a, c}, {out, -a, -b}, {out, a, -c}});
  }
  for (const Asserted& a : asserted) cnf.assertions.push_back({literal(a.bit.literal()), a.what});
  return cnf;
}

}  // namespace

bool FactsAreAsserted(Property property) { return property == Property::kNoCrossDriverAttach; }

Cnf CnfOf(Property property, const KernelSpec& kernel, int devices, int steps) {
  const RuleSet rules = ProfileOf(kernel).rules;
  SearchSpace space(kernel, rules, devices,
                    {.property = property, .steps = steps, .spare = OpKinds().set()});
  Unrolling runs(space, space.kernel());
  std::vector<Asserted> asserted;
  const auto add = [&](Bit bit, std::string what) {
    if (!bit.is_true()) asserted.push_back({bit, std::move(what)});
  };
  for (const RuleInfo& info : AllRules())
    if (rules.has(info.rule)) add(space.kernel().has(info.rule), "the kernel has the rule");
  for (Bit bit : space.constraints()) add(bit, "the machine is of the space");
  for (int step = 1; step <= steps; ++step)
    for (const auto& [bit, why, fact] : runs.NextStep())
      if (!fact || FactsAreAsserted(property))
        add(bit, absl::StrCat("step ", step, ": ", std::string(why)));
  add(runs.violated(), absl::StrCat("step ", steps, ": the property is violated"));
  return Translate(space, asserted);
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
