// SPDX-License-Identifier: Apache-2.0
//
// Facts that hold in every state by construction. They are asserted, since the solver finds them
// slowly; a replay tests them.
#include "src/smt/encoder.h"

namespace iommucheck::smt {
namespace {

Bit AtMostOne(const Bits& code) {
  Bit one = true;
  Bit some = false;
  for (const Bit& bit : code) {
    one &= ~(some & bit);
    some |= bit;
  }
  return one;
}

}  // namespace

std::vector<Bit> Encoder::Invariants() const {
  std::vector<Bit> facts;
  for (const Order* order :
       {&state_.registration, &state_.joining, &state_.in_container, &state_.allocation})
    for (Bit fact : order->Transitive()) facts.push_back(fact);
  for (const Bits& slot : state_.bus_ops) facts.push_back(AtMostOne(slot));
  for (int d = 0; d < sizes_.devices; ++d) {
    const SymbolicDeviceState& device = state_.devices[d];
    for (const Bits* code :
         {&device.instance, &device.driver, &device.fwspec, &device.group, &device.vfio_in})
      facts.push_back(AtMostOne(*code));
    for (int g = 0; g < sizes_.groups; ++g)
      facts.push_back(~device.vfio_in[g] | Any(state_.groups[g].container));
    facts.push_back(Same(Any(device.group), Any(device.instance)));
    facts.push_back(~Any(device.group) | device.present);
    for (int i = 0; i < sizes_.instances; ++i) {
      const int driver = topology_.instances[i].driver;
      facts.push_back(~device.instance[i] | device.driver[driver]);
      Bit master = false;
      for (const Bits& listed : topology_.devices[d].masters) master |= listed[i];
      facts.push_back(~device.fwspec[i] | master);
      facts.push_back(~device.instance[i] | master | topology_.drivers[driver].accepts_foreign);
      if (kernel_.era() != Era::kBusSlots)
        facts.push_back(~device.instance[i] | state_.registered[i]);
    }
  }
  for (const SymbolicType1& slot : state_.type1) facts.push_back(AtMostOne(slot.domain.driver));
  for (int g = 0; g < sizes_.groups; ++g) GroupInvariants(g, facts);
  return facts;
}

// A device that joins a group is attached to its current domain or its default one, and a group
// that changes domains attaches each of its devices; where no attach is refused or foreign, the
// domains that a group has are of the driver that serves its devices.
std::vector<Bit> Encoder::InvariantsWhileAttachHolds() const {
  std::vector<Bit> facts;
  if (can_refuse_) return facts;
  // Up to and including 6.6 a group whose first devices are of a driver without default domains is
  // on no domain. Where a device of another driver joins it, the group takes that driver's default
  // domain without attaching the first devices to it.
  Bit some_lack_default_domains = false;
  for (int r = 0; r < sizes_.drivers && !fwnode_era(); ++r)
    some_lack_default_domains |= ~topology_.drivers[r].default_domains;
  for (const SymbolicDeviceState& device : state_.devices)
    for (int r = 0; r < sizes_.drivers; ++r) {
      facts.push_back(~device.hw[r] | device.driver[r]);
      for (int g = 0; g < sizes_.groups; ++g) {
        const SymbolicGroup& group = state_.groups[g];
        Bit of_driver =
            group.domain.driver[r] & ~(some_lack_default_domains & group.domain.is_default);
        // Up to and including 6.1 a default domain may be allocated for a group that is on another,
        // and in 6.6 a group that is on none may keep a blocking domain.
        if (fwnode_era()) of_driver |= group.default_domain.driver[r];
        if (fwnode_era()) of_driver |= group.blocking_domain.driver[r];
        facts.push_back(~device.group[g] | ~of_driver | device.driver[r]);
      }
    }
  if (!fwnode_era()) return facts;
  // From 6.8 a group with devices is always on a domain, so that its devices are of one driver, and
  // an instance that shares out a group shares it with devices of its driver.
  for (const SymbolicDeviceState& device : state_.devices)
    for (int g = 0; g < sizes_.groups; ++g) {
      facts.push_back(~device.group[g] | Any(state_.groups[g].domain.driver));
      for (int i = 0; i < sizes_.instances; ++i)
        facts.push_back(~device.group[g] | ~state_.shared_group[i][g] |
                        device.driver[topology_.instances[i].driver]);
    }
  return facts;
}

void Encoder::GroupInvariants(int g, std::vector<Bit>& facts) const {
  const SymbolicGroup& group = state_.groups[g];
  Bits kinds = group.domain.type1;
  for (Bit kind : {group.domain.is_default, group.domain.is_blocking, group.domain.is_freed})
    kinds.push_back(kind);
  facts.push_back(AtMostOne(kinds));
  for (const Bits* code : {&group.domain.driver, &group.default_domain.driver,
                           &group.blocking_domain.driver, &group.type1, &group.container})
    facts.push_back(AtMostOne(*code));
  facts.push_back(Same(Any(kinds), Any(group.domain.driver)));
  facts.push_back(~group.domain.is_default | Any(group.default_domain.driver));
  facts.push_back(~group.domain.is_blocking | Any(group.blocking_domain.driver));
  facts.push_back(Same(Any(group.type1), Meet(group.container, state_.container_iommu)));
  for (int x = 0; x < sizes_.type1; ++x) {
    facts.push_back(~group.type1[x] | Any(state_.type1[x].domain.driver));
    if (!can_refuse_) facts.push_back(~group.domain.type1[x] | group.type1[x]);
  }
  if (can_refuse_) return;
  // The driver that goes along with the pointer is that of the domain pointed at.
  for (int r = 0; r < sizes_.drivers; ++r) {
    const Bit driver = ~group.domain.driver[r];
    facts.push_back(driver | ~group.domain.is_default | group.default_domain.driver[r]);
    facts.push_back(driver | ~group.domain.is_blocking | group.blocking_domain.driver[r]);
    for (int x = 0; x < sizes_.type1; ++x)
      facts.push_back(driver | ~group.domain.type1[x] | state_.type1[x].domain.driver[r]);
  }
  if (!sets_up_groups()) return;
  Bit members = false;
  for (const SymbolicDeviceState& device : state_.devices) members |= device.group[g];
  for (const Bits* domain :
       {&group.domain.driver, &group.default_domain.driver, &group.blocking_domain.driver})
    facts.push_back(~Any(*domain) | members);
}

}  // namespace iommucheck::smt
