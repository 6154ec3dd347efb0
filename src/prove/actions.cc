// SPDX-License-Identifier: Apache-2.0
#include "src/prove/actions.h"

#include <algorithm>
#include <utility>

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

namespace actions {

std::vector<Variable> Formals(Relation relation) {
  std::vector<Variable> formals;
  for (Sort sort : InfoOf(relation).arguments)
    formals.push_back(V(sort, 40 + static_cast<int>(formals.size())));
  return formals;
}

Formula Matches(const std::vector<Variable>& formals, const Tuple& tuple) {
  Formula all;
  for (size_t n = 0; n < formals.size(); ++n)
    if (const std::optional<Term>& term = tuple[n]; term) all = all && Equal(formals[n], *term);
  return all;
}

Formula Member(Relation relation, const std::vector<Variable>& formals) {
  return Holds(relation, {formals.begin(), formals.end()});
}

Update Add(Relation relation, const Tuple& tuple) {
  const std::vector<Variable> formals = Formals(relation);
  return {relation, formals, Member(relation, formals) || Matches(formals, tuple)};
}

Update Remove(Relation relation, const Tuple& tuple) {
  const std::vector<Variable> formals = Formals(relation);
  return {relation, formals, Member(relation, formals) && !Matches(formals, tuple)};
}

Update Set(Relation relation, Term key, Term value) {
  const std::vector<Variable> formals = Formals(relation);
  const Formula is_key = Matches(formals, {key, std::nullopt});
  return {relation, formals,
          (Member(relation, formals) && !is_key) || Matches(formals, {key, value})};
}

Formula System::SameOps(Term one, Term two) const {
  return has(Rule::kAssumeAddressNotReused) ? Equal(one, two) : Holds(kSameAddress, {one, two});
}

Formula System::SameTable(Term one, Term two) const {
  return has(Rule::kAssumeAddressNotReused) ? Equal(one, two) : Holds(kSameTable, {one, two});
}

Formula System::Serves() { return Holds(kInGroup, {d, g}) && Holds(kServedBy, {d, i}); }

void System::Put(ActionKind kind, std::string_view name, std::vector<Variable> parameters,
                 Formula guard, std::vector<Update> updates) {
  actions_.push_back({kind, name, std::move(parameters), std::move(guard), std::move(updates)});
}

// The order is that in which a proof names them.
std::vector<Action> System::Actions() {
  Registration();
  Probing();
  Domains();
  Type1();
  Attaching();
  AttachingType1();
  Detaching();
  Containers();
  return std::move(actions_);
}

std::vector<Formula> System::Axioms() {
  const Formula related = Holds(kRelated, {any_d, any_d2});
  std::vector<Formula> axioms = {
      ForAll({any_d, any_d2}, Implies(related, Holds(kRelated, {any_d2, any_d}))),
      ForAll({any_d, any_d2}, Implies(related, Equal(BusOf(any_d), BusOf(any_d2)))),
      ForAll({any_x}, Holds(kMayUse, {OwnerOf(any_x), TableOf(any_x)})),
  };
  const auto both_use = [](Variable one, Variable two) {
    return Holds(kMayUse, {any_r, one}) && Holds(kMayUse, {any_s, two});
  };
  if (has(Rule::kAssumeTablesNotShared))
    axioms.push_back(
        ForAll({any_r, any_s, any_t}, Implies(both_use(any_t, any_t), Equal(any_r, any_s))));
  if (!has(Rule::kAssumeAddressNotReused)) {
    const auto same = [](Variable one, Variable two) { return Holds(kSameAddress, {one, two}); };
    axioms.push_back(ForAll({any_r}, same(any_r, any_r)));
    axioms.push_back(ForAll({any_r, any_s}, Implies(same(any_r, any_s), same(any_s, any_r))));
    axioms.push_back(ForAll({any_r, any_s, any_q},
                            Implies(same(any_r, any_s) && same(any_s, any_q), same(any_r, any_q))));
    axioms.push_back(ForAll({any_t}, Holds(kSameTable, {any_t, any_t})));
    if (has(Rule::kAssumeTablesNotShared))
      axioms.push_back(ForAll({any_r, any_s, any_t, any_u},
                              Implies(both_use(any_t, any_u) && Holds(kSameTable, {any_t, any_u}),
                                      same(any_r, any_s))));
  }
  if (has(Rule::kAssumeHomogeneousGroups)) {
    const Formula one = Equal(DriverOf(any_i), DriverOf(any_i2));
    const Formula behind = Holds(kBehind, {any_d, any_i});
    axioms.push_back(ForAll({any_d, any_d2, any_i, any_i2},
                            Implies(related && behind && Holds(kBehind, {any_d2, any_i2}), one)));
    axioms.push_back(ForAll({any_d, any_d2, any_i, any_i2},
                            Implies(related && behind && Holds(kBehind, {any_d, any_i2}), one)));
  }
  return axioms;
}

}  // namespace actions
}  // namespace iommucheck::prove
