// SPDX-License-Identifier: Apache-2.0
//
// A query about runs of one length in clauses, for SAT solvers and checkers of their proofs.
#pragma once

#include <string>
#include <vector>

#include "model/properties.h"
#include "model/rules.h"

namespace iommucheck::smt {

// Literals are as in DIMACS: variables from 1, negative where negated.
struct Cnf {
  // An asserted bit, a clause of one literal; 0: no literal, where the bit is constant false. The
  // first ones say which rules the kernel has; the variables of these are "rule.ID".
  struct Assertion {
    int literal = 0;
    std::string what;
  };
  std::vector<Assertion> assertions;
  std::vector<std::string> variables;         // what the variable is: an input's name, or a gate
  std::vector<std::vector<int>> definitions;  // of the gates
};

// Whether the facts of src/smt/invariants.cc are asserted, too: only where SAT solvers need many
// times longer without them.
bool FactsAreAsserted(Property property);

// Satisfiable if on some machine of up to so many devices some run of so many steps violates the
// property at its last step, and not before.
Cnf CnfOf(Property property, const KernelSpec& kernel, int devices, int steps);

// The assertions are the first clauses, in their order.
std::string ToDimacs(const Cnf& cnf);
// A line a variable, then a line an assertion.
std::string ToMap(const Cnf& cnf);

}  // namespace iommucheck::smt
