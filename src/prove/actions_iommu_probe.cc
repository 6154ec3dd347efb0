// SPDX-License-Identifier: Apache-2.0
//
// iommu_device_register(), bus_set_iommu(), probe_device() and release.
#include "src/prove/actions.h"

namespace iommucheck::prove::actions {
namespace {

Formula GroupEmpty() { return ForAll({any_d}, !Holds(kInGroup, {any_d, g})); }

// It is empty, and nothing holds it.
Formula GroupUnheld() {
  return GroupEmpty() && ForAll({any_c}, !Holds(kInContainer, {g, any_c})) &&
         ForAll({any_i}, !Holds(kInstanceGroup, {any_i, g}));
}

// And it has no domains left.
Formula GroupUnused() {
  return GroupUnheld() && ForAll({any_x}, !Holds(kDefaultDomain, {g, any_x}) &&
                                              !Holds(kBlockingDomain, {g, any_x}) &&
                                              !Holds(kType1Domain, {g, any_x}));
}

}  // namespace

Formula System::AddressFree() const {
  if (has(Rule::kAssumeAddressNotReused)) return {};
  const Formula same = Equal(DriverOf(any_i), DriverOf(i));
  const Formula at_address = SameOps(DriverOf(any_i), DriverOf(i));
  return ForAll({any_i}, Implies(Holds(kRegistered, {any_i}) && at_address, same)) &&
         ForAll({any_d, any_i}, Implies(Holds(kServedBy, {any_d, any_i}) && at_address, same));
}

Formula System::MayReplace(Term bus, std::optional<Term> ops) const {
  if (!has(Rule::kAssumeBusOpsNotReplaced)) return {};
  const Formula unused =
      ForAll({any_d, any_i}, !(Holds(kServedBy, {any_d, any_i}) && Equal(BusOf(any_d), bus)));
  Formula unchanged = !Holds(kBusOps, {bus, any_r});
  if (ops) unchanged = unchanged || Equal(any_r, *ops);
  return unused || ForAll({any_r}, unchanged);
}

void System::Registration() {
  const Term platform = Term::Platform();
  const Formula unlisted = !Holds(kRegistered, {i}) && AddressFree();
  const Update list = Add(kRegistered, {i});
  if (WritesEverySlot(kernel_.profile.era)) {
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
  if (sets_up_groups())
    Put(kEmptyGroup, "a group without devices loses its domains", {g}, GroupEmpty(),
        {Remove(kDefaultDomain, {g, std::nullopt}), Remove(kBlockingDomain, {g, std::nullopt})});
  else
    Put(kFreeGroup, "iommu_group_release", {g}, GroupUnheld(),
        {Remove(kDefaultDomain, {g, std::nullopt}), Remove(kBlockingDomain, {g, std::nullopt}),
         Remove(kType1Domain, {g, std::nullopt})});
}

}  // namespace iommucheck::prove::actions
