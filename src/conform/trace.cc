// SPDX-License-Identifier: Apache-2.0
#include "src/conform/trace.h"

#include <algorithm>

namespace iommucheck::conform {

bool IsOfMappings(const Call& call) {
  return call.kind >= Call::Kind::kMap && call.kind <= Call::Kind::kHeld;
}

void Trace::Clear() {
  steps.clear();
  calls.clear();
  group.fill(kNoId);
  share.fill(kNoId);
  domains = 0;
  warns = 0;
  pins.reset();
  mappings.reset();
  has_mapped = false;
  mapped.clear();
  has_groups = false;
  groups.fill({});
}

std::span<const Call> Trace::CallsOf(size_t step) const {
  const size_t begin = step == 0 ? 0 : steps[step - 1].calls_end;
  return std::span(calls).subspan(begin, steps[step].calls_end - begin);
}

void SetGroups(int devices, const std::function<GroupEnd(int)>& end_of, Trace& trace) {
  for (int dev = 0; dev < devices; ++dev)
    if (trace.group[dev] == dev) trace.groups[dev] = end_of(dev);
}

void SetSharing(int devices, const std::function<int(int)>& group_of,
                const std::function<int(int)>& domain_of, Trace& trace) {
  std::array<int, kMaxDevices> group{};
  std::array<int, kMaxDevices> domain{};
  for (int dev = 0; dev < devices; ++dev) {
    group[dev] = group_of(dev);
    domain[dev] = group[dev] < 0 ? -1 : domain_of(dev);
  }
  const auto first = [devices](const std::array<int, kMaxDevices>& of, int value) {
    return static_cast<DeviceId>(std::find(of.begin(), of.begin() + devices, value) - of.begin());
  };
  for (int dev = 0; dev < devices; ++dev) {
    if (group[dev] >= 0) trace.group[dev] = first(group, group[dev]);
    if (domain[dev] < 0) continue;
    // A domain with one group is not shared, whatever the size of that group.
    bool shared = false;
    for (int other = 0; other < devices; ++other)
      shared |= domain[other] == domain[dev] && group[other] != group[dev];
    if (shared) trace.share[dev] = first(domain, domain[dev]);
  }
}

}  // namespace iommucheck::conform
