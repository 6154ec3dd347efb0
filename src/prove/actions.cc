// SPDX-License-Identifier: Apache-2.0
#include "src/prove/actions.h"

#include <utility>

namespace iommucheck::prove::actions {

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
  const Formula both_use = Holds(kMayUse, {any_r, any_t}) && Holds(kMayUse, {any_s, any_u});
  if (has(Rule::kAssumeTablesNotShared))
    axioms.push_back(ForAll({any_r, any_s, any_t}, Implies(Holds(kMayUse, {any_r, any_t}) &&
                                                               Holds(kMayUse, {any_s, any_t}),
                                                           Equal(any_r, any_s))));
  if (!has(Rule::kAssumeAddressNotReused)) {
    const auto same = [](Variable one, Variable two) { return Holds(kSameAddress, {one, two}); };
    axioms.push_back(ForAll({any_r}, same(any_r, any_r)));
    axioms.push_back(ForAll({any_r, any_s}, Implies(same(any_r, any_s), same(any_s, any_r))));
    axioms.push_back(ForAll({any_r, any_s, any_q},
                            Implies(same(any_r, any_s) && same(any_s, any_q), same(any_r, any_q))));
    axioms.push_back(ForAll({any_t}, Holds(kSameTable, {any_t, any_t})));
    if (has(Rule::kAssumeTablesNotShared))
      axioms.push_back(
          ForAll({any_r, any_s, any_t, any_u},
                 Implies(both_use && Holds(kSameTable, {any_t, any_u}), same(any_r, any_s))));
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

}  // namespace iommucheck::prove::actions
