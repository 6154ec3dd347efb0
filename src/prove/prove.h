// SPDX-License-Identifier: Apache-2.0
//
// Proofs for machines of every size: an inductive invariant of src/prove/system.h that contains the
// property. docs/solver.md says what that proves. The only folder that includes Z3.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/properties.h"
#include "src/prove/lemma.h"

namespace iommucheck::prove {

struct Proof {
  bool proved = false;
  bool known = true;             // false: the solver gave up, or the budget is used up
  std::string reason;            // not proved: why, and which action breaks the property
  std::vector<Lemma> invariant;  // proved: what was needed, the property first
  int candidates = 0;            // lemmas that it was looked for among
  uint64_t resources = 0;        // solver resources (Z3 rlimit) used
  int checks = 0;                // solver calls
};

// Looks for an invariant among Candidates(). `budget`: solver resources; 0: no limit.
absl::StatusOr<Proof> Prove(Property property, const KernelFamily& kernel, uint64_t budget);

// Whether these lemmas are inductive and imply the property.
absl::StatusOr<Proof> CheckInvariant(Property property, const KernelFamily& kernel,
                                     const std::vector<Lemma>& lemmas, uint64_t budget);

// A verification condition: unsatisfiable where the proof is right.
struct Condition {
  std::string name;  // of a file
  std::string smt2;
};
// All that make the lemmas a proof: they hold at boot, every action keeps them, they imply the
// property.
std::vector<Condition> ConditionsOf(Property property, const KernelFamily& kernel,
                                    const std::vector<Lemma>& lemmas);

// The version of Z3 that this process runs with, such as "4.8.12".
std::string Z3Version();

}  // namespace iommucheck::prove
