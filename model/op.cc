// SPDX-License-Identifier: Apache-2.0
#include "model/op.h"

#include "model/state.h"

namespace iommucheck {

std::string_view OpName(OpKind kind) {
  switch (kind) {
    case OpKind::kRegister:
      return "register";
    case OpKind::kUnregister:
      return "unregister";
    case OpKind::kAdd:
      return "add";
    case OpKind::kRemove:
      return "remove";
    case OpKind::kConfigure:
      return "configure";
    case OpKind::kSetContainer:
      return "set-container";
    case OpKind::kSetIommu:
      return "set-iommu";
    case OpKind::kUnsetContainer:
      return "unset-container";
  }
  return "";
}

absl::Status Validate(const Op& op, const Topology& t) {
  const auto need = [](bool ok, const char* why) {
    return ok ? absl::OkStatus() : absl::InvalidArgumentError(why);
  };
  for (const Fault& fault : op.faults) {
    if (fault.kind == Fault::Kind::kNone) continue;
    if (fault.error == 0 || fault.count == 0)
      return absl::InvalidArgumentError("a fault has an errno and a count from 1");
    if (fault.kind == Fault::Kind::kAlloc && fault.target == 0)
      return absl::InvalidArgumentError("allocations count from 1");
    if (fault.kind != Fault::Kind::kAlloc && fault.target >= t.devices_count)
      return absl::InvalidArgumentError("a fault names a device out of range");
  }
  switch (op.kind) {
    case OpKind::kRegister:
    case OpKind::kUnregister:
      return need(op.a < t.instances_count, "instance out of range");
    case OpKind::kAdd:
    case OpKind::kRemove:
    case OpKind::kConfigure:
      return need(op.a < t.devices_count, "device out of range");
    case OpKind::kSetContainer:
      return need(op.a < kMaxGroups && op.b < kMaxContainers, "group or container out of range");
    case OpKind::kSetIommu:
      return need(op.a < kMaxContainers, "container out of range");
    case OpKind::kUnsetContainer:
      return need(op.a < kMaxGroups, "group out of range");
  }
  return absl::InvalidArgumentError("no such op");
}

}  // namespace iommucheck
