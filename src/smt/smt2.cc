// SPDX-License-Identifier: Apache-2.0
#include "src/smt/smt2.h"

#include "absl/strings/str_cat.h"

namespace iommucheck::smt {
namespace {

using Kind = Circuit::Gate::Kind;

std::string NameOf(const Inputs& inputs, uint32_t literal) {
  const uint32_t node = literal >> 1U;
  if (node == 0) return literal == 0 ? "true" : "false";
  const std::string name = inputs.circuit().gates()[node].kind == Kind::kInput
                               ? inputs.name(node)
                               : absl::StrCat("n", node);
  return (literal & 1U) != 0 ? absl::StrCat("(not ", name, ")") : name;
}

}  // namespace

std::string ToSmt2(const Inputs& inputs, const std::vector<Bit>& asserted,
                   const std::vector<Bit>& assumptions) {
  const Circuit& circuit = inputs.circuit();
  std::vector<Bit> bits = asserted;
  bits.insert(bits.end(), assumptions.begin(), assumptions.end());
  const std::vector<bool> cone = circuit.ConeOf(bits);
  const auto name = [&](uint32_t literal) { return NameOf(inputs, literal); };
  std::string text = "(set-logic QF_UF)\n";
  for (uint32_t node = 1; node < cone.size(); ++node) {
    if (!cone[node]) continue;
    const Circuit::Gate& gate = circuit.gates()[node];
    absl::StrAppend(&text, "(declare-const ", name(node << 1U), " Bool)\n");
    // Equations, not define-fun: solvers expand those.
    if (gate.kind == Kind::kAnd)
      absl::StrAppend(&text, "(assert (= n", node, " (and ", name(gate.a), " ", name(gate.b),
                      ")))\n");
    if (gate.kind == Kind::kIte)
      absl::StrAppend(&text, "(assert (= n", node, " (ite ", name(gate.a), " ", name(gate.b), " ",
                      name(gate.c), ")))\n");
  }
  for (Bit bit : bits) absl::StrAppend(&text, "(assert ", name(bit.literal()), ")\n");
  absl::StrAppend(&text, "(check-sat)\n");
  return text;
}

}  // namespace iommucheck::smt
