// SPDX-License-Identifier: Apache-2.0
#include "src/conform/trace.h"

#include <algorithm>
#include <bit>

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
  has_mapped = false;
  mapped.clear();
  has_groups = false;
  groups.fill({});
}

std::span<const Call> Trace::CallsOf(size_t step) const {
  const size_t begin = step == 0 ? 0 : steps[step - 1].calls_end;
  return std::span(calls).subspan(begin, steps[step].calls_end - begin);
}

Pages TakeRange(uint64_t& pages) {
  const int first = std::countr_zero(pages);
  const Pages range = {static_cast<uint8_t>(first),
                       static_cast<uint8_t>(std::countr_one(pages >> first))};
  pages &= ~MaskOf(range);
  return range;
}

void SetGroups(std::span<const DeviceEnd> devices, Trace& trace) {
  const auto first = [devices](const auto& is_alike) {
    return static_cast<DeviceId>(std::ranges::find_if(devices, is_alike) - devices.begin());
  };
  for (size_t dev = 0; dev < devices.size(); ++dev) {
    const DeviceEnd& d = devices[dev];
    if (d.group < 0) continue;
    trace.group[dev] = first([&d](const DeviceEnd& other) { return other.group == d.group; });
    if (trace.has_groups && trace.group[dev] == dev) trace.groups[dev] = d.state;
    const auto same_domain = [&d](const DeviceEnd& other) {
      return other.group >= 0 && other.state.domain == d.state.domain;
    };
    // A domain with one group is not shared, whatever the size of that group.
    const bool shared = std::ranges::any_of(devices, [&](const DeviceEnd& other) {
      return other.group != d.group && same_domain(other);
    });
    if (d.state.domain >= 0 && shared) trace.share[dev] = first(same_domain);
  }
}

}  // namespace iommucheck::conform
