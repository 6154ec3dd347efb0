// SPDX-License-Identifier: Apache-2.0
//
// The events of a step: the actions of the kernel that properties, traces and people read.
#pragma once

#include <cstdint>
#include <string_view>

#include "model/op.h"
#include "model/rules.h"
#include "model/state.h"
#include "model/topology.h"

namespace iommucheck {

// How the kernel fails: it cannot go on, or its further behaviour is undefined.
enum class Oops : uint8_t {
  kNullPointer,     // it dereferences NULL
  kUseAfterFree,    // it reads what was freed
  kBug,             // BUG_ON()
  kListCorruption,  // it would add an entry to a second list
  kEmptyList,       // it uses the head of an empty list as an entry
  kUndefined,       // a result that C or the hardware does not define
  kEndlessLoop,     // it does not return
};
inline constexpr int kOopsCount = static_cast<int>(Oops::kEndlessLoop) + 1;
// "NULL pointer", "BUG_ON"
std::string_view OopsName(Oops oops);

// One action of the kernel in a step. A step's events are in order. Properties read nothing but
// these and the states.
struct Event {
  enum class Kind : uint8_t {
    kAttachGroup,  // vfio_iommu_type1_attach_group(group) begins
    kProbe,        // `driver` serves the device from now on, in `group`
    kRelease,      // no driver serves the device any longer
    kAlloc,        // `driver` allocates a domain of `table`, for `device` where the core names
                   // one; with an `error` there is no domain
    kFree,         // domain freed
    kAttachDev,    // domain->ops->attach_dev(domain, device) returns `error`
    kDetachDev,    // domain->ops->detach_dev(domain, device) (up to and including 6.1)
    kRefused,      // `rule` refuses with `error` (0: it makes the kernel take the other branch)
    kWarn,         // a WARN of the kernel fires in `where`
    kOops,         // the kernel fails in `where`, in the way that `oops` says
    kWait,         // the kernel waits in `where` for another call of the user
    kMap,          // iommu_map(domain, pages) returns `error`; by the attach of `group`, if any
    kUnmap,        // iommu_unmap(domain, pages)
    kPin,          // the kernel pins pages of user memory; result in `error`
    kUnpin,        // the kernel unpins them
    kMsiCookie,    // iommu_get_msi_cookie(domain) returns `error`
    kAttachPasid,  // domain->ops->set_dev_pasid(domain, device) returns `error`
    kRemovePasid,  // iommu_remove_dev_pasid(device): the domain leaves its PASID
  };
  Kind kind;
  uint8_t error = 0;  // positive errno
  DeviceId device = kNoId;
  GroupId group = kNoId;
  DomainId domain = kNoId;
  DomainType type = DomainType::kFree;
  DriverId driver = kNoId;         // driver of the domain
  TableId table = kNoId;           // table of the domain allocated
  DriverId device_driver = kNoId;  // driver of the device
  InstanceId instance = kNoId;     // kProbe: the instance that serves the device from now on
  Rule rule{};
  Oops oops{};
  Pages pages{};  // kMap, kUnmap: of IOVA; kPin, kUnpin: of user memory
  const char* where = "";
};
inline constexpr int kEventKindCount = static_cast<int>(Event::Kind::kRemovePasid) + 1;
// The function that the kernel calls, or the event: "attach_dev", "WARN"
std::string_view EventName(Event::Kind kind);

}  // namespace iommucheck
