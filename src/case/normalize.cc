// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "src/case/case.h"
#include "src/case/spelling.h"

namespace iommucheck {
namespace {

void NormalizeClaimOrder(Driver& driver) {
  const auto is_unclaimed = [&driver](Bus bus) {
    return driver.claims[static_cast<size_t>(bus)] == Claim::kNone;
  };
  auto& order = driver.claim_order;
  auto* const rest = std::ranges::remove_if(order, is_unclaimed).begin();
  std::ranges::copy_if(Driver().claim_order, rest, is_unclaimed);
}

void NormalizeOp(Op& op) {
  const OpInfo& info = InfoOf(op.kind);
  if (info.b == Operand::kNone) op.b = 0;
  if (!info.is(OpInfo::kHasPages)) op.at = {};
  if (!info.is(OpInfo::kHasVaddr)) op.vaddr = 0;
  const auto is_none = [](const Fault& fault) { return fault.kind == Fault::Kind::kNone; };
  auto& faults = op.faults;
  std::ranges::fill(std::ranges::remove_if(faults, is_none), Fault());
  for (Fault& fault : faults) {
    if (is_none(fault)) continue;
    if (!InfoOf(fault.kind).has_count) fault.count = 1;
    if (!InfoOf(fault.kind).has_errno) fault.error = kAllocError;
  }
}

void NormalizeExpectation(Expectation& e) {
  using enum Expectation::Kind;
  const bool about_property = e.kind == kViolated || e.kind == kHolds;
  if (!about_property) e.property = Property{};
  if (e.kind != kViolated) e.at = 0;
  if (e.kind != kOutside) e.rule = Rule{};
  if (about_property || e.kind == kOutside) e.a = e.b = kNoId;
}

}  // namespace

void Normalize(Case& c) {
  Topology& t = c.topology;
  std::fill(t.drivers.begin() + t.drivers_count, t.drivers.end(), Driver());
  std::fill(t.instances.begin() + t.instances_count, t.instances.end(), Instance());
  std::fill(t.devices.begin() + t.devices_count, t.devices.end(), Device());
  for (Driver& driver : t.drivers) NormalizeClaimOrder(driver);
  for (Device& device : t.devices)
    for (Region& region : device.regions)
      if (region.type == Region::Type::kNone) region = Region();
  for (CaseOp& op : c.ops) NormalizeOp(op.op);
  for (Expectation& e : c.expectations) NormalizeExpectation(e);
}

}  // namespace iommucheck
