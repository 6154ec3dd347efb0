// SPDX-License-Identifier: Apache-2.0
#include "model/events.h"

#include <array>

#include "model/table.h"

namespace iommucheck {
namespace {

template <typename Kind>
struct Row {
  Kind kind;
  std::string_view name;
};

constexpr std::array<Row<Oops>, kOopsCount> kOopses = {{
    {Oops::kNullPointer, "NULL pointer"},
    {Oops::kUseAfterFree, "use after free"},
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
    {kRemovePasid, "iommu_remove_dev_pasid"},
}};

static_assert(IsIndexedBy(&Row<Oops>::kind, kOopses));
static_assert(IsIndexedBy(&Row<Event::Kind>::kind, kEvents));

}  // namespace

std::string_view OopsName(Oops oops) { return kOopses[static_cast<size_t>(oops)].name; }
std::string_view EventName(Event::Kind kind) { return kEvents[static_cast<size_t>(kind)].name; }

}  // namespace iommucheck
