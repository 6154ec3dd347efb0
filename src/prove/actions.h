// SPDX-License-Identifier: Apache-2.0
//
// The actions of src/prove/system.h, as they are put together: variables, updates, guards. Each
// file has those of one subsystem and is named after the file of model/ that does the same:
//   actions_iommu_probe.cc     registration, probing, release
//   actions_iommu_domain.cc    default and blocking domains, attaching
//   actions_vfio_container.cc  groups that join and leave containers
//   actions_vfio_type1.cc      vfio_iommu_type1_attach_group
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "src/prove/system.h"

namespace iommucheck::prove::actions {

using enum Relation;
using enum ActionKind;

constexpr Variable V(Sort sort, int id) { return {sort, static_cast<uint8_t>(id)}; }

// The things that an action is about: ids 0 to 9. Bound variables have ids from 10, the tuples of
// updates from 40. Formulas are read by these short names.
// NOLINTBEGIN(readability-identifier-naming)
inline constexpr Variable d = V(Sort::kDevice, 0);
inline constexpr Variable other = V(Sort::kDevice, 1);
inline constexpr Variable g = V(Sort::kGroup, 0);
inline constexpr Variable other_group = V(Sort::kGroup, 1);
inline constexpr Variable i = V(Sort::kInstance, 0);
inline constexpr Variable other_instance = V(Sort::kInstance, 1);
inline constexpr Variable x = V(Sort::kDomain, 0);
inline constexpr Variable fresh = V(Sort::kDomain, 1);
inline constexpr Variable b = V(Sort::kBus, 0);
inline constexpr Variable r = V(Sort::kDriver, 0);
inline constexpr Variable c = V(Sort::kContainer, 0);

inline constexpr Variable any_d = V(Sort::kDevice, 10);
inline constexpr Variable any_d2 = V(Sort::kDevice, 11);
inline constexpr Variable any_i = V(Sort::kInstance, 10);
inline constexpr Variable any_i2 = V(Sort::kInstance, 11);
inline constexpr Variable any_g = V(Sort::kGroup, 10);
inline constexpr Variable any_x = V(Sort::kDomain, 10);
inline constexpr Variable any_c = V(Sort::kContainer, 10);
inline constexpr Variable any_r = V(Sort::kDriver, 10);
inline constexpr Variable any_s = V(Sort::kDriver, 11);
inline constexpr Variable any_q = V(Sort::kDriver, 12);
inline constexpr Variable any_t = V(Sort::kTable, 10);
inline constexpr Variable any_u = V(Sort::kTable, 11);
// NOLINTEND(readability-identifier-naming)

inline Term BusOf(Variable device) { return {Function::kBus, device}; }
inline Term DriverOf(Variable instance) { return {Function::kDriver, instance}; }
inline Term OwnerOf(Variable domain) { return {Function::kOwner, domain}; }
inline Term TableOf(Variable domain) { return {Function::kTable, domain}; }

// --- updates ---

using Tuple = std::vector<std::optional<Term>>;  // nullopt: any value

std::vector<Variable> Formals(Relation relation);
// Whether the formals are the tuple.
Formula Matches(const std::vector<Variable>& formals, const Tuple& tuple);
Formula Member(Relation relation, const std::vector<Variable>& formals);

Update Add(Relation relation, const Tuple& tuple);
Update Remove(Relation relation, const Tuple& tuple);
// relation(key, value) and no other value.
Update Set(Relation relation, Term key, Term value);

// The transition system of one family of kernels.
class System {
 public:
  explicit System(const KernelFamily& kernel) : kernel_(kernel) {}

  std::vector<Action> Actions();
  std::vector<Formula> Axioms();

 private:
  [[nodiscard]] bool has(Rule rule) const { return kernel_.has(rule); }
  [[nodiscard]] bool may_have(Rule rule) const { return kernel_.may_have(rule); }
  [[nodiscard]] bool fwnode_era() const { return kernel_.profile.era == Era::kFwnode; }
  [[nodiscard]] bool sets_up_groups() const { return SetsUpGroups(kernel_.profile.era); }

  // A comparison of pointers to ops.
  [[nodiscard]] Formula SameOps(Term one, Term two) const;
  [[nodiscard]] Formula SameTable(Term one, Term two) const;

  // The device is in the group and the instance serves it.
  [[nodiscard]] static Formula Serves();

  void Put(ActionKind kind, std::string_view name, std::vector<Variable> parameters, Formula guard,
           std::vector<Update> updates);

  // actions_iommu_probe.cc
  // No other driver is loaded at the address of the instance's.
  [[nodiscard]] Formula AddressFree() const;
  // assume.bus_ops_not_replaced, for a slot that becomes `ops`, or NULL.
  [[nodiscard]] Formula MayReplace(Term bus, std::optional<Term> ops) const;
  void Registration();
  void Probing();
  void Probe(ActionKind kind, std::string_view name, std::vector<Variable> parameters,
             const Formula& group);

  // actions_iommu_domain.cc
  // attach_dev() of the domain may succeed for the device.
  [[nodiscard]] Formula MayAttach() const;
  void Domains();
  void Attaching();
  void Detaching();

  // actions_vfio_container.cc
  void Containers();

  // actions_vfio_type1.cc
  [[nodiscard]] Formula SameDomainOps(Variable one, Variable two) const;
  void AllocType1ByBus(const Formula& guard, const std::vector<Update>& put_up);
  void Type1();
  void AttachingType1();

  const KernelFamily& kernel_;
  std::vector<Action> actions_;
};

}  // namespace iommucheck::prove::actions
