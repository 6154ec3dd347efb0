// SPDX-License-Identifier: Apache-2.0
//
// One step of the model: state and op in, next state, errno and events out.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

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

enum class Outcome : uint8_t {
  kDone,         // the kernel took the step; see `error`
  kNotPossible,  // no kernel, driver or admin can take it in this state
  kOutside,      // an assumption says that it does not happen; see `assumption`
};

struct StepResult {
  Outcome outcome = Outcome::kDone;
  int error = 0;  // 0 or a negative errno, what the caller of the op sees
  Rule assumption{};
  const char* why = "";  // kNotPossible: the reason
  uint8_t struck = 0;    // bit per fault of the op: some call has failed by it
};

// Takes one step in place. `events` is cleared first and then filled; keep one vector and no step
// allocates. When the outcome is not kDone, the state is as it was.
// Preconditions: Validate() passes for the topology and the op, and the state came from
// InitialState() and Step() with the same topology.
StepResult Step(const KernelProfile& kernel, const Topology& topology, const Op& op, State& state,
                std::vector<Event>& events);

}  // namespace iommucheck
