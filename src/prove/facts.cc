// SPDX-License-Identifier: Apache-2.0
#include "src/prove/facts.h"

#include <algorithm>
#include <bit>
#include <span>

namespace iommucheck::prove {
namespace {

// The drivers that have an instance, as a mask.
unsigned Used(const Topology& t) {
  unsigned used = 0;
  for (InstanceId i = 0; i < t.instances_count; ++i) used |= 1U << t.instances[i].driver;
  return used;
}

bool AllRefuse(const Topology& t) {
  return std::ranges::all_of(std::span(t.drivers).first(t.drivers_count),
                             [](const Driver& d) { return d.same_instance && d.refuses_foreign; });
}

// A slot changes from ops to others or to NULL by a store over the ops of another driver, a driver
// that clears its buses or unwinds its claims, a second bus_set_iommu(), or after all devices of
// the bus were released (docs/model.md, "register").
bool KeepsSlot(const Topology& t, size_t bus) {
  int claimants = 0;
  bool stores = false;
  bool resets = false;
  for (DriverId r = 0; r < t.drivers_count; ++r) {
    const Driver& driver = t.drivers[r];
    if ((Used(t) >> r & 1U) == 0 || driver.claims[bus] == Claim::kNone) continue;
    ++claimants;
    stores |= driver.claims[bus] == Claim::kStore;
    resets |= driver.clears || driver.unwinds;
  }
  return !resets && (!stores || claimants == 1);
}

bool KeepsSlots(const KernelProfile& kernel, const Topology& t) {
  if (kernel.era != Era::kBusSlots || !kernel.has(Rule::kBusOneOps)) return false;
  if (BrokenAssumption(t, RuleSet().add(Rule::kAssumeAddressNotReused))) return false;
  return std::ranges::all_of(std::span(t.devices).first(t.devices_count), [&](const Device& d) {
    return KeepsSlot(t, static_cast<size_t>(d.bus));
  });
}

}  // namespace

RuleSet FactsOf(const KernelProfile& kernel, const Topology& machine) {
  RuleSet facts;
  const auto add = [&](Rule rule, bool fulfilled) {
    if (fulfilled && !kernel.has(rule)) facts.add(rule);
  };
  for (Rule rule : {Rule::kAssumeTablesNotShared, Rule::kAssumeAddressNotReused,
                    Rule::kAssumeProbeRejectsForeign, Rule::kAssumeHomogeneousGroups})
    add(rule, !BrokenAssumption(machine, RuleSet().add(rule)));
  add(Rule::kDriverSameInstance, AllRefuse(machine));
  add(Rule::kAssumeBusOpsNotReplaced, KeepsSlots(kernel, machine));
  return facts;
}

int DriversOf(const Topology& machine) { return std::popcount(Used(machine)); }

}  // namespace iommucheck::prove
