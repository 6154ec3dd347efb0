// SPDX-License-Identifier: Apache-2.0
//
// Which rules a patch takes away or adds: those with which the model does what the patched kernel
// does, on everything that was played.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/rules.h"
#include "src/case/case.h"
#include "src/conform/trace.h"

namespace iommucheck::review {

// A case, and what the patched kernel does in it.
struct Answered {
  Case c;
  conform::Trace after;
};

struct Explanation {
  // The smallest sets of rules that fit, all of the same size; empty: none fits.
  std::vector<KernelSpec> fits;
  // Where none fits: the set that fits the most cases that differ, and the first that it does not.
  struct Best {
    KernelSpec kernel;
    size_t cases = 0;     // of those that differ
    Case fails;           // the first that it does not fit; if `unlike`, one that does not differ
    bool unlike = false;  // it fits all that differ, and changes others, too
    std::string columns;  // the patched kernel beside the model, up to where they part
  };
  std::optional<Best> best;
  size_t tried = 0;      // sets
  size_t differing = 0;  // cases that they were held to
  size_t alike = 0;
  size_t left_out =
      0;  // cases in which the model does not do what the kernel does without the patch
};

// The rules whose function, by file and name, is one of these. The file of a rule has other names in
// other releases, so that the name of the function alone decides, where it is not the file itself.
std::vector<Rule> RulesOf(std::span<const std::string> functions);

// `differing`: cases in which the patch makes a difference; `alike`: cases in which both kernels do
// the same, and the model, too. `touched`: the rules that sets of two and three are made of.
Explanation Explain(KernelVersion version, std::span<const Answered> differing,
                    std::span<const Case> alike, std::span<const Rule> touched);

// The rules of `touched` that the version has and that make no difference to the model in any of these
// cases: a patch may take one of them away, and nobody would see it there.
std::vector<Rule> Unseen(KernelVersion version, std::span<const Case> cases,
                         std::span<const Rule> touched);

// What the model does in the case without the rule.
conform::Trace WithoutRule(const Case& c, Rule rule);

// A rule that no patch of a kernel changes: of the machine and its drivers.
bool IsOfMachine(const RuleInfo& info);

}  // namespace iommucheck::review
