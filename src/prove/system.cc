// SPDX-License-Identifier: Apache-2.0
#include "src/prove/system.h"

#include <algorithm>
#include <optional>

#include "src/prove/actions.h"

namespace iommucheck::prove {

bool Action::Changes(const Formula& f) const {
  return std::ranges::any_of(updates,
                             [&](const Update& update) { return Mentions(f, update.relation); });
}

Formula Action::Before(const Formula& f) const {
  return ReplaceAtoms(f, [&](Relation relation, std::span<const Term> terms) {
    const auto it = std::ranges::find(updates, relation, &Update::relation);
    if (it == updates.end()) return std::optional<Formula>();
    return std::optional(RenameVariables(it->after, [&](Variable v) {
      const auto formal = std::ranges::find(it->formals, v);
      return formal == it->formals.end() ? Term(v) : terms[formal - it->formals.begin()];
    }));
  });
}

Formula AtBoot(const Formula& f) {
  return ReplaceAtoms(f, [](Relation relation, std::span<const Term>) {
    return IsState(relation) ? std::optional(!Formula()) : std::nullopt;
  });
}

Formula Apart(const Formula& lemma) {
  return RenameVariables(
      lemma, [](Variable v) { return Term(actions::V(v.sort, v.id + kLemmaVariables)); });
}

std::vector<Action> ActionsOf(const KernelFamily& kernel) {
  return actions::System(kernel).Actions();
}
std::vector<Formula> AxiomsOf(const KernelFamily& kernel) {
  return actions::System(kernel).Axioms();
}

}  // namespace iommucheck::prove
