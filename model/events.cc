// SPDX-License-Identifier: Apache-2.0
#include "model/events.h"

#include <array>

namespace iommucheck {
namespace {

template <typename Kind>
struct Row {
  Kind kind;
  std::string_view name;
};

constexpr std::array<Row<Oops>, kOopsCount> kOopses = {{
    {Oops::kNullPointer, "NULL pointer"},
    {Oops::kBug, "BUG_ON"},
    {Oops::kListCorruption, "list corruption"},
    {Oops::kEmptyList, "an empty list's head taken for an entry"},
    {Oops::kUndefined, "undefined result"},
    {Oops::kEndlessLoop, "endless loop"},
}};

using enum Event::Kind;
constexpr std::array<Row<Event::Kind>, kEventKindCount> kEvents = {{
    {kAttachGroup, "vfio_iommu_type1_attach_group"},
    {kProbe, "probe_device"},
    {kRelease, "release_device"},
    {kAlloc, "domain_alloc"},
    {kFree, "iommu_domain_free"},
    {kAttachDev, "attach_dev"},
    {kDetachDev, "detach_dev"},
    {kRefused, "refused"},
    {kWarn, "WARN"},
    {kOops, "oops"},
    {kWait, "waits"},
    {kMap, "iommu_map"},
    {kUnmap, "iommu_unmap"},
    {kPin, "pin"},
    {kUnpin, "unpin"},
    {kMsiCookie, "iommu_get_msi_cookie"},
    {kAttachPasid, "set_dev_pasid"},
}};

template <typename Rows>
constexpr bool InOrder(const Rows& rows) {
  for (size_t i = 0; i < rows.size(); ++i)
    if (static_cast<size_t>(rows[i].kind) != i) return false;
  return true;
}
static_assert(InOrder(kOopses) && InOrder(kEvents), "both are indexed by their kinds");

}  // namespace

std::string_view OopsName(Oops oops) { return kOopses[static_cast<size_t>(oops)].name; }
std::string_view EventName(Event::Kind kind) { return kEvents[static_cast<size_t>(kind)].name; }

}  // namespace iommucheck
