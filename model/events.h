// SPDX-License-Identifier: Apache-2.0
//
// What the kernel did in a step, as properties, traces and people read it.
#pragma once

#include <cstdint>
#include <string_view>

#include "model/op.h"
#include "model/rules.h"
#include "model/state.h"
#include "model/topology.h"

namespace iommucheck {

// What the kernel does where it does not go on, or where nobody can say what it does.
enum class Oops : uint8_t {
  kNullPointer,     // it dereferences NULL
  kBug,             // BUG_ON()
  kListCorruption,  // an entry would be on two lists
  kEmptyList,       // it takes the head of an empty list for an entry
  kUndefined,       // a result that C or the hardware does not define
  kEndlessLoop,     // it does not return
};
inline constexpr int kOopsCount = static_cast<int>(Oops::kEndlessLoop) + 1;
// "NULL pointer", "BUG_ON"
std::string_view OopsName(Oops oops);

// What the kernel did on the way, in order. Properties read these and the state only.
struct Event {
  enum class Kind : uint8_t {
    kAttachGroup,  // vfio_iommu_type1_attach_group(group) begins
    kProbe,        // device is now served by `driver`, in `group`
    kRelease,      // device is no longer served
    kAlloc,        // domain of `table` allocated by `driver`, for `device` where the core names
                   // one; or `error`, and no domain
    kFree,         // domain freed
    kAttachDev,    // domain->ops->attach_dev(domain, device), result in `error`
    kDetachDev,    // domain->ops->detach_dev(domain, device) (up to 6.1)
    kRefused,      // `rule` refused, with `error` (0: it made the kernel take the other way)
    kWarn,         // a WARN of the kernel fires in `where`
    kOops,         // the kernel comes to a bad end in `where`: see `oops`
    kWait,         // the kernel waits in `where` for another call of the user
    kMap,          // iommu_map(domain, pages), result in `error`; by the attach of `group`, if any
    kUnmap,        // iommu_unmap(domain, pages)
    kPin,          // pages of user memory are pinned, result in `error`
    kUnpin,        // and let go
    kMsiCookie,    // iommu_get_msi_cookie(domain), result in `error`
    kAttachPasid,  // domain->ops->set_dev_pasid(domain, device)
  };
  Kind kind;
  uint8_t error = 0;  // positive errno
  DeviceId device = kNoId;
  GroupId group = kNoId;
  DomainId domain = kNoId;
  DomainType type = DomainType::kFree;
  DriverId driver = kNoId;         // of the domain
  TableId table = kNoId;           // of the domain allocated
  DriverId device_driver = kNoId;  // of the device
  InstanceId instance = kNoId;     // kProbe: that serves the device from now on
  Rule rule{};
  Oops oops{};
  Pages pages{};  // kMap, kUnmap: of IOVA; kPin, kUnpin: of user memory
  const char* where = "";
};
inline constexpr int kEventKindCount = static_cast<int>(Event::Kind::kAttachPasid) + 1;
// The function that is called, or what happens: "attach_dev", "WARN"
std::string_view EventName(Event::Kind kind);

}  // namespace iommucheck
