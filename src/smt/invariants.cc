// SPDX-License-Identifier: Apache-2.0
//
// What holds in every state by construction. The solver is told, for it finds such facts slowly; a
// replay tests them.
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
  for (const Bits& slot : state_.bus_ops) facts.push_back(AtMostOne(slot));
  for (const SymbolicDeviceState& device : state_.devices) {
    for (const Bits* code : {&device.instance, &device.driver, &device.fwspec, &device.group})
      facts.push_back(AtMostOne(*code));
    facts.push_back(Same(Any(device.group), Any(device.instance)));
    facts.push_back(~Any(device.group) | device.present);
    for (int i = 0; i < sizes_.instances; ++i) {
      facts.push_back(~device.instance[i] | device.driver[topology_.instances[i].driver]);
      if (kernel_.era != Era::kBusSlots)
        facts.push_back(~device.instance[i] | state_.registered[i]);
    }
  }
  for (const SymbolicType1& slot : state_.type1) facts.push_back(AtMostOne(slot.domain.driver));
  for (int g = 0; g < sizes_.groups; ++g) GroupInvariants(g, facts);
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
}

}  // namespace iommucheck::smt
