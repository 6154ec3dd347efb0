// SPDX-License-Identifier: Apache-2.0
//
// What a query asks of runs of one length, in clauses, for SAT solvers and checkers of their
// proofs.
#pragma once

#include <string>
#include <vector>

#include "model/properties.h"
#include "model/rules.h"

namespace iommucheck::smt {

// Literals are as in DIMACS: variables from 1, negative where negated.
struct Cnf {
  // What is asserted, a clause of one literal each; 0: no literal, for what is surely false. First
  // that the kernel has its rules, whose variables are "rule.ID".
  struct Assertion {
    int literal = 0;
    std::string what;
  };
  std::vector<Assertion> assertions;
  std::vector<std::string> variables;         // what the variable is: an input's name, or a gate
  std::vector<std::vector<int>> definitions;  // of the gates
};

// Whether the facts of src/smt/invariants.cc are among what is asserted: only where SAT solvers
// need many times longer without.
bool FactsAreAsserted(Property property);

// Satisfiable if on some machine of up to so many devices some run of so many steps violates the
// property at its last step, and not before.
Cnf CnfOf(Property property, const KernelSpec& kernel, int devices, int steps);

// The assertions are the first clauses, in their order.
std::string ToDimacs(const Cnf& cnf);
// A line a variable, then a line an assertion.
std::string ToMap(const Cnf& cnf);

}  // namespace iommucheck::smt
