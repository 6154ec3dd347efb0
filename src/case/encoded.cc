// SPDX-License-Identifier: Apache-2.0
#include "src/case/encoded.h"

#include <algorithm>
#include <span>

namespace iommucheck {
namespace {

// As it is where all that is not encoded has its default.
Driver Encoded(Driver driver) {
  const Driver plain;
  driver.deferred = plain.deferred;
  driver.nesting = plain.nesting;
  driver.static_identity = plain.static_identity;
  driver.checks_snoop = plain.checks_snoop;
  driver.drops_old = plain.drops_old;
  driver.mismatch_errno = plain.mismatch_errno;
  return driver;
}

Instance Encoded(Instance instance) {
  const Instance plain;
  instance.isolates_msi = plain.isolates_msi;
  instance.aperture_first = plain.aperture_first;
  instance.aperture_last = plain.aperture_last;
  instance.page_sizes = plain.page_sizes;
  return instance;
}

Device Encoded(Device device) {
  const Device plain;
  device.kind = plain.kind;
  device.default_type = plain.default_type;
  device.regions = plain.regions;
  return device;
}

template <typename T, size_t n>
bool AllEncoded(const std::array<T, n>& entries, int count) {
  return std::ranges::all_of(std::span(entries).first(static_cast<size_t>(count)),
                             [](const T& entry) { return entry == Encoded(entry); });
}

}  // namespace

std::span<const Promise> EncodedPromises() {
  return Promises().first(size_t{kEncodedPropertyCount} * kKernelVersionCount);
}

RuleSet EncodedRules() {
  RuleSet rules;
  for (int i = 0; i < kEncodedRuleCount; ++i) rules.add(static_cast<Rule>(i));
  return rules;
}

bool IsEncoded(const Op& op) {
  const bool kind = static_cast<int>(op.kind) < kEncodedOpCount && op.flags == 0;
  const bool type = op.kind != OpKind::kSetIommu || op.b == 0;
  return kind && type && std::ranges::all_of(op.faults, [](const Fault& fault) {
           return fault.kind <= Fault::Kind::kProbe;
         });
}

bool IsEncoded(const Topology& topology) {
  return topology.settings == Settings{} && AllEncoded(topology.drivers, topology.drivers_count) &&
         AllEncoded(topology.instances, topology.instances_count) &&
         AllEncoded(topology.devices, topology.devices_count);
}

}  // namespace iommucheck
