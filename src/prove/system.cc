// SPDX-License-Identifier: Apache-2.0
#include "src/prove/system.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace iommucheck::prove {
namespace {

using enum Relation;
using enum ActionKind;

constexpr Variable V(Sort sort, int id) { return {sort, static_cast<uint8_t>(id)}; }

// The things that an action is about; ids 0 to 9. Bound variables have ids from 10, the tuples of
// updates from 40.
constexpr Variable d = V(Sort::kDevice, 0);
constexpr Variable other = V(Sort::kDevice, 1);
constexpr Variable g = V(Sort::kGroup, 0);
constexpr Variable other_group = V(Sort::kGroup, 1);
constexpr Variable i = V(Sort::kInstance, 0);
constexpr Variable other_instance = V(Sort::kInstance, 1);
constexpr Variable x = V(Sort::kDomain, 0);
constexpr Variable fresh = V(Sort::kDomain, 1);
constexpr Variable b = V(Sort::kBus, 0);
constexpr Variable r = V(Sort::kDriver, 0);
constexpr Variable c = V(Sort::kContainer, 0);

constexpr Variable any_d = V(Sort::kDevice, 10);
constexpr Variable any_d2 = V(Sort::kDevice, 11);
constexpr Variable any_i = V(Sort::kInstance, 10);
constexpr Variable any_i2 = V(Sort::kInstance, 11);
constexpr Variable any_g = V(Sort::kGroup, 10);
constexpr Variable any_x = V(Sort::kDomain, 10);
constexpr Variable any_c = V(Sort::kContainer, 10);
constexpr Variable any_r = V(Sort::kDriver, 10);
constexpr Variable any_s = V(Sort::kDriver, 11);
constexpr Variable any_q = V(Sort::kDriver, 12);
constexpr Variable any_t = V(Sort::kTable, 10);
constexpr Variable any_u = V(Sort::kTable, 11);

Term BusOf(Variable device) { return {Function::kBus, device}; }
Term DriverOf(Variable instance) { return {Function::kDriver, instance}; }
Term OwnerOf(Variable domain) { return {Function::kOwner, domain}; }
Term TableOf(Variable domain) { return {Function::kTable, domain}; }

// --- updates ---

using Tuple = std::vector<std::optional<Term>>;  // nullopt: whatever

std::vector<Variable> Formals(Relation relation) {
  std::vector<Variable> formals;
  for (Sort sort : InfoOf(relation).arguments)
    formals.push_back(V(sort, 40 + static_cast<int>(formals.size())));
  return formals;
}

Formula Matches(const std::vector<Variable>& formals, const Tuple& tuple) {
  Formula all;
  for (size_t n = 0; n < formals.size(); ++n)
    if (tuple[n]) all = all && Equal(formals[n], *tuple[n]);
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

// relation(key, value) and no other value.
Update Set(Relation relation, Term key, Term value) {
  const std::vector<Variable> formals = Formals(relation);
  const Formula is_key = Matches(formals, {key, std::nullopt});
  return {relation, formals,
          (Member(relation, formals) && !is_key) || Matches(formals, {key, value})};
}

// --- guards ---

class System {
 public:
  explicit System(const KernelFamily& kernel) : kernel_(kernel) {}

  std::vector<Action> Actions() {
    Registration();
    Probing();
    Domains();
    Type1();
    Attaching();
    return std::move(actions_);
  }

  std::vector<Formula> Axioms();

 private:
  [[nodiscard]] bool has(Rule rule) const { return kernel_.has(rule); }
  [[nodiscard]] bool may_have(Rule rule) const { return kernel_.may_have(rule); }
  [[nodiscard]] bool fwnode_era() const { return kernel_.profile.era == Era::kFwnode; }

  // A comparison of pointers to ops.
  [[nodiscard]] Formula SameOps(Term one, Term two) const {
    return has(Rule::kAssumeAddressNotReused) ? Equal(one, two) : Holds(kSameAddress, {one, two});
  }
  [[nodiscard]] Formula SameTable(Term one, Term two) const {
    return has(Rule::kAssumeAddressNotReused) ? Equal(one, two) : Holds(kSameTable, {one, two});
  }

  // No other driver is loaded at the address of the instance's.
  [[nodiscard]] Formula AddressFree() const {
    if (has(Rule::kAssumeAddressNotReused)) return {};
    const Formula same = Equal(DriverOf(any_i), DriverOf(i));
    const Formula at_address = SameOps(DriverOf(any_i), DriverOf(i));
    return ForAll({any_i}, Implies(Holds(kRegistered, {any_i}) && at_address, same)) &&
           ForAll({any_d, any_i}, Implies(Holds(kServedBy, {any_d, any_i}) && at_address, same));
  }

  // assume.bus_ops_not_replaced, for a slot that becomes `ops`, or NULL.
  [[nodiscard]] Formula MayReplace(Term bus, std::optional<Term> ops) const {
    if (!has(Rule::kAssumeBusOpsNotReplaced)) return {};
    const Formula unused =
        ForAll({any_d, any_i}, !(Holds(kServedBy, {any_d, any_i}) && Equal(BusOf(any_d), bus)));
    Formula unchanged = !Holds(kBusOps, {bus, any_r});
    if (ops) unchanged = unchanged || Equal(any_r, *ops);
    return unused || ForAll({any_r}, unchanged);
  }

  // Nothing is in the group, holds it, or is left of it.
  [[nodiscard]] static Formula GroupUnused() {
    return GroupUnheld() && ForAll({any_x}, !Holds(kDefaultDomain, {g, any_x}) &&
                                                !Holds(kBlockingDomain, {g, any_x}) &&
                                                !Holds(kType1Domain, {g, any_x}));
  }
  [[nodiscard]] static Formula GroupUnheld() {
    return GroupEmpty() && ForAll({any_c}, !Holds(kInContainer, {g, any_c})) &&
           ForAll({any_i}, !Holds(kInstanceGroup, {any_i, g}));
  }
  [[nodiscard]] static Formula GroupEmpty() {
    return ForAll({any_d}, !Holds(kInGroup, {any_d, g}));
  }

  // The device is in the group and the instance serves it.
  [[nodiscard]] static Formula Serves() {
    return Holds(kInGroup, {d, g}) && Holds(kServedBy, {d, i});
  }

  // attach_dev() of the domain may succeed for the device.
  [[nodiscard]] Formula MayAttach() const {
    Formula guard = Serves();
    if (has(Rule::kCoreOwnerEvery)) guard = guard && SameOps(OwnerOf(x), DriverOf(i));
    if (has(Rule::kDriverSameInstance)) guard = guard && Equal(OwnerOf(x), DriverOf(i));
    return guard;
  }

  void Put(ActionKind kind, std::string_view name, std::vector<Variable> parameters, Formula guard,
           std::vector<Update> updates) {
    actions_.push_back({kind, name, std::move(parameters), std::move(guard), std::move(updates)});
  }

  void Registration();
  void Probing();
  void Probe(ActionKind kind, std::string_view name, std::vector<Variable> parameters,
             const Formula& group);
  void Domains();
  [[nodiscard]] Formula SameDomainOps(Variable one, Variable two) const;
  void AllocType1ByBus(const Formula& guard, const std::vector<Update>& put_up);
  void Type1();
  void Attaching();

  const KernelFamily& kernel_;
  std::vector<Action> actions_;
};

void System::Registration() {
  const Term platform = Term::Platform();
  const Formula unlisted = !Holds(kRegistered, {i}) && AddressFree();
  const Update list = Add(kRegistered, {i});
  if (kernel_.profile.era == Era::kSingleDriver) {
    Formula guard = unlisted && MayReplace(platform, DriverOf(i));
    if (has(Rule::kRegisterSingleDriver))
      guard = guard && ForAll({any_r}, Implies(Holds(kBusOps, {platform, any_r}),
                                               SameOps(any_r, DriverOf(i))));
    Put(kRegister, "iommu_device_register", {i}, guard,
        {list, Set(kBusOps, platform, DriverOf(i))});
    // The platform bus is the first of the walk, and its slot stays while the others are walked.
    Put(kClaimBus, "iommu_device_register, ops of a bus", {b, i},
        Holds(kRegistered, {i}) && Holds(kBusOps, {platform, DriverOf(i)}) &&
            MayReplace(b, DriverOf(i)),
        {Set(kBusOps, b, DriverOf(i))});
    if (!has(Rule::kRegisterStickyOps))
      Put(kClearBusOps, "iommu_device_unregister, ops of a bus", {b}, MayReplace(b, std::nullopt),
          {Remove(kBusOps, {b, std::nullopt})});
  } else {
    Put(kRegister, "iommu_device_register", {i}, unlisted, {list});
  }
  if (kernel_.profile.era == Era::kBusSlots) {
    Formula claim = Holds(kRegistered, {i}) && MayReplace(b, DriverOf(i));
    Put(kStoreBusOps, "a driver writes bus->iommu_ops", {b, i}, claim,
        {Set(kBusOps, b, DriverOf(i))});
    if (has(Rule::kBusOneOps)) claim = claim && ForAll({any_r}, !Holds(kBusOps, {b, any_r}));
    Put(kClaimBus, "bus_set_iommu", {b, i}, claim, {Set(kBusOps, b, DriverOf(i))});
    Put(kClearBusOps, "bus_set_iommu(bus, NULL)", {b}, MayReplace(b, std::nullopt),
        {Remove(kBusOps, {b, std::nullopt})});
  }
  if (!fwnode_era() && !has(Rule::kAssumeAddressNotReused))
    Put(kAdoptBusOps, "a driver is loaded at an address that a bus slot holds", {b, r, i},
        Holds(kBusOps, {b, r}) && SameOps(r, DriverOf(i)) && AddressFree(),
        {Set(kBusOps, b, DriverOf(i))});

  // Or iommu_device_register() fails. From 6.1 its devices are released first.
  Formula gone = Holds(kRegistered, {i});
  if (kernel_.profile.era != Era::kBusSlots)
    gone = gone && ForAll({any_d}, !Holds(kServedBy, {any_d, i}));
  Put(kUnregister, "iommu_device_unregister", {i}, gone,
      {Remove(kRegistered, {i}), Remove(kInstanceGroup, {i, std::nullopt})});
}

void System::Probe(ActionKind kind, std::string_view name, std::vector<Variable> parameters,
                   const Formula& group) {
  Formula guard = ForAll({any_g}, !Holds(kInGroup, {d, any_g})) &&
                  ForAll({any_i}, !Holds(kServedBy, {d, any_i})) &&
                  ForAll({any_x}, !Holds(kAttached, {d, any_x}) && !Holds(kReused, {d, any_x})) &&
                  Holds(kRegistered, {i});
  if (!fwnode_era()) guard = guard && Holds(kBusOps, {BusOf(d), DriverOf(i)});
  if (has(Rule::kAssumeProbeRejectsForeign)) guard = guard && Holds(kBehind, {d, i});
  if (has(Rule::kAssumeNoHotAddWhenAttached))
    guard = guard && ForAll({any_c}, !Holds(kInContainer, {g, any_c}));
  Put(kind, name, std::move(parameters), guard && group,
      {Add(kServedBy, {d, i}), Add(kInGroup, {d, g})});
}

void System::Probing() {
  const Formula shares = Holds(kPerInstanceGroups, {DriverOf(i)});
  Put(kShareGroup, "device_group, an instance's own", {i, g},
      shares && Holds(kRegistered, {i}) && GroupUnused() &&
          ForAll({any_g}, !Holds(kInstanceGroup, {i, any_g})),
      {Add(kInstanceGroup, {i, g})});
  Probe(kProbeInstanceGroup, "probe_device, group of the instance", {d, g, i},
        Holds(kInstanceGroup, {i, g}) && shares);
  Probe(kProbeNewGroup, "probe_device, new group", {d, g, i}, GroupUnused() && !shares);
  Probe(kProbeRelated, "probe_device, group of a related device", {d, g, i, other, other_instance},
        Holds(kRelated, {d, other}) && Holds(kInGroup, {other, g}) &&
            Holds(kServedBy, {other, other_instance}) && !shares);

  Put(kRelease, "iommu_release_device", {d}, {},
      {Remove(kServedBy, {d, std::nullopt}), Remove(kInGroup, {d, std::nullopt}),
       Remove(kAttached, {d, std::nullopt}), Remove(kReused, {d, std::nullopt})});
  if (fwnode_era())
    Put(kEmptyGroup, "a group without devices loses its domains", {g}, GroupEmpty(),
        {Remove(kDefaultDomain, {g, std::nullopt}), Remove(kBlockingDomain, {g, std::nullopt})});
  else
    Put(kFreeGroup, "iommu_group_release", {g}, GroupUnheld(),
        {Remove(kDefaultDomain, {g, std::nullopt}), Remove(kBlockingDomain, {g, std::nullopt}),
         Remove(kType1Domain, {g, std::nullopt})});
}

void System::Domains() {
  Formula guard = Serves() && !Holds(kAllocated, {x});
  guard = guard &&
          (fwnode_era() ? Equal(OwnerOf(x), DriverOf(i)) : Holds(kBusOps, {BusOf(d), OwnerOf(x)}));
  Put(kAllocDefault, "iommu_group_alloc_default_domain", {d, g, i, x}, guard,
      {Add(kAllocated, {x}), Add(kDefaultDomain, {g, x})});
  if (may_have(Rule::kCoreDmaOwner))
    Put(kAllocBlocking, "iommu_group_claim_dma_owner, blocking domain", {d, g, i, x}, guard,
        {Add(kAllocated, {x}), Add(kBlockingDomain, {g, x})});
}

// domain->ops of the two are equal.
Formula System::SameDomainOps(Variable one, Variable two) const {
  const Formula drivers = SameOps(OwnerOf(one), OwnerOf(two));
  if (has(Rule::kAllocOpsPerDriver)) return drivers;
  const Formula tables = SameTable(TableOf(one), TableOf(two));
  return may_have(Rule::kAllocOpsPerDriver) ? drivers || tables : tables;
}

// iommu_domain_alloc() of the bus of the group's first device.
void System::AllocType1ByBus(const Formula& guard, const std::vector<Update>& put_up) {
  constexpr std::string_view kName = "vfio_iommu_type1_attach_group, new domain by bus";
  if (!fwnode_era())
    return Put(kAllocType1ByBus, kName, {d, g, i, x},
               guard && Holds(kBusOps, {BusOf(d), OwnerOf(x)}), put_up);
  Formula first_of_bus = guard && Holds(kServedBy, {other, other_instance}) &&
                         Equal(BusOf(other), BusOf(d)) &&
                         Equal(OwnerOf(x), DriverOf(other_instance));
  if (has(Rule::kAllocBusUnique))
    first_of_bus = first_of_bus &&
                   ForAll({any_d, any_i},
                          Implies(Holds(kServedBy, {any_d, any_i}) && Equal(BusOf(any_d), BusOf(d)),
                                  SameOps(DriverOf(any_i), OwnerOf(x))));
  Put(kAllocType1ByBus, kName, {d, g, i, x, other, other_instance}, first_of_bus, put_up);
}

void System::Type1() {
  Put(kBeginType1Attach, "vfio_iommu_type1_attach_group begins", {}, {},
      {Add(kAttaching, {}), Remove(kFresh, {std::nullopt})});

  // The device stands for the first of the group.
  Formula passes = Serves();
  if (has(Rule::kCoreOwnerFirst)) passes = passes && SameOps(OwnerOf(x), DriverOf(i));
  if (has(Rule::kType1SameBus))
    passes = passes && ForAll({any_d, any_d2},
                              Implies(Holds(kInGroup, {any_d, g}) && Holds(kInGroup, {any_d2, g}),
                                      Equal(BusOf(any_d), BusOf(any_d2))));

  const Formula fresh_domain = passes && !Holds(kAllocated, {x});
  const std::vector<Update> put_up = {Add(kAllocated, {x}), Add(kFresh, {x}),
                                      Add(kType1Domain, {g, x})};
  if (may_have(Rule::kAllocByDevice))
    Put(kAllocType1, "vfio_iommu_type1_attach_group, new domain", {d, g, i, x},
        fresh_domain && Equal(OwnerOf(x), DriverOf(i)), put_up);
  if (!has(Rule::kAllocByDevice)) AllocType1ByBus(fresh_domain, put_up);

  Formula tried = passes && Holds(kType1Domain, {g, fresh}) && Holds(kFresh, {fresh}) &&
                  Holds(kType1Domain, {other_group, x}) && Holds(kInContainer, {other_group, c});
  if (has(Rule::kType1SameOps)) tried = tried && SameDomainOps(x, fresh);
  Put(kTryType1, "vfio_iommu_type1_attach_group, existing domain",
      {d, g, i, x, fresh, other_group, c}, tried, {Add(kType1Domain, {g, x})});
  Put(kLeaveType1, "vfio_iommu_type1_detach_group", {g, x}, {}, {Remove(kType1Domain, {g, x})});
  Put(kReturn, "the step ends", {}, {}, {Remove(kAttaching, {})});
}

void System::Attaching() {
  const Update attached = Set(kAttached, d, x);
  Put(kAttachDefault, "attach_dev, default domain", {d, g, i, x},
      MayAttach() && Holds(kDefaultDomain, {g, x}), {attached});
  if (may_have(Rule::kCoreDmaOwner))
    Put(kAttachBlocking, "attach_dev, blocking domain", {d, g, i, x},
        MayAttach() && Holds(kBlockingDomain, {g, x}), {attached});
  const std::vector<Variable> formals = Formals(kReused);
  const Update reused = {
      kReused, formals,
      Member(kReused, formals) ||
          (Matches(formals, {d, x}) && Holds(kAttaching, {}) && !Holds(kFresh, {x}))};
  Put(kAttachType1, "attach_dev, type1 domain", {d, g, i, x},
      MayAttach() && Holds(kType1Domain, {g, x}), {attached, reused});
  if (!fwnode_era()) Put(kDetach, "detach_dev", {d}, {}, {Remove(kAttached, {d, std::nullopt})});

  Put(kEnterContainer, "VFIO_GROUP_SET_CONTAINER", {g, c},
      ForAll({any_c}, !Holds(kInContainer, {g, any_c})), {Add(kInContainer, {g, c})});
  Put(kLeaveContainer, "VFIO_GROUP_UNSET_CONTAINER", {g, c}, {}, {Remove(kInContainer, {g, c})});
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

}  // namespace

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
  return RenameVariables(lemma, [](Variable v) { return Term(V(v.sort, v.id + kLemmaVariables)); });
}

std::vector<Action> ActionsOf(const KernelFamily& kernel) { return System(kernel).Actions(); }
std::vector<Formula> AxiomsOf(const KernelFamily& kernel) { return System(kernel).Axioms(); }

}  // namespace iommucheck::prove
