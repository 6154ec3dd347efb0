// SPDX-License-Identifier: Apache-2.0
#include "src/case/encoded.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "absl/strings/str_format.h"
#include "src/case/spelling.h"

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

}  // namespace

std::optional<Property> FindEncodedProperty(std::string_view name) {
  const std::optional<Property> property = FindProperty(name);
  return property && IsEncoded(*property) ? property : std::nullopt;
}

std::span<const Promise> EncodedPromises() {
  static const std::vector<Promise> kPromises = [] {
    std::vector<Promise> promises;
    std::ranges::copy_if(Promises(), std::back_inserter(promises),
                         [](const Promise& promise) { return IsEncoded(promise.property); });
    return promises;
  }();
  return kPromises;
}

RuleSet EncodedRules() {
  RuleSet rules;
  for (const RuleInfo& info : EncodedRuleInfos()) rules.add(info.rule);
  return rules;
}

std::span<const RuleInfo> EncodedRuleInfos() {
  static const std::vector<RuleInfo> kInfos = [] {
    std::vector<RuleInfo> infos;
    std::ranges::copy_if(AllRules(), std::back_inserter(infos),
                         [](const RuleInfo& info) { return info.encoded; });
    return infos;
  }();
  return kInfos;
}

bool IsEncoded(const Op& op) {
  const bool kind = static_cast<int>(op.kind) < kEncodedOpCount && op.flags == 0;
  const bool type = op.kind != OpKind::kSetIommu || op.b == 0;
  return kind && type && std::ranges::all_of(op.faults, [](const Fault& fault) {
           return fault.kind <= Fault::Kind::kProbe;
         });
}

Topology EncodedPart(Topology topology) {
  topology.settings = {};
  for (Driver& driver : topology.drivers) driver = Encoded(driver);
  for (Instance& instance : topology.instances) instance = Encoded(instance);
  for (Device& device : topology.devices) device = Encoded(device);
  return topology;
}

absl::Status CheckEncoded(const KernelSpec& kernel) {
  for (const RuleInfo& info : AllRules()) {
    if (IsEncoded(info.rule)) continue;
    const bool dropped = kernel.dropped.has(info.rule);
    if (!dropped && !kernel.added.has(info.rule)) continue;
    return absl::InvalidArgumentError(absl::StrFormat(
        "expected a rule that is encoded, found %s, which is in the model alone; replay and judge "
        "%s it, by the kernel line of a case",
        Quote(info.id), dropped ? "drop" : "add"));
  }
  return absl::OkStatus();
}

absl::Status CheckEncoded(const Topology& t, const Names& names) {
  const Topology plain = EncodedPart(t);
  const auto outside = [](const std::string& what) {
    return absl::InvalidArgumentError(
        "expected a machine that is encoded, found what is in the model alone: " + what);
  };
  if (t.settings != plain.settings) return outside("settings");
  for (int i = 0; i < t.drivers_count; ++i)
    if (t.drivers[i] != plain.drivers[i])
      return outside("attributes of driver " + names.drivers[i]);
  for (int i = 0; i < t.instances_count; ++i)
    if (t.instances[i] != plain.instances[i])
      return outside("attributes of instance " + names.instances[i]);
  for (int i = 0; i < t.devices_count; ++i)
    if (t.devices[i] != plain.devices[i])
      return outside("attributes of device " + names.devices[i]);
  return absl::OkStatus();
}

bool IsEncoded(const Topology& topology) { return topology == EncodedPart(topology); }

}  // namespace iommucheck
