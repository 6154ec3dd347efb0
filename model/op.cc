// SPDX-License-Identifier: Apache-2.0
#include "model/op.h"

#include <algorithm>

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
    case OpKind::kOpen:
      return "open";
    case OpKind::kClose:
      return "close";
    case OpKind::kGetDevice:
      return "get-device";
    case OpKind::kPutDevice:
      return "put-device";
    case OpKind::kMap:
      return "map";
    case OpKind::kUnmap:
      return "unmap";
    case OpKind::kPin:
      return "pin";
    case OpKind::kUnpin:
      return "unpin";
    case OpKind::kBind:
      return "bind";
    case OpKind::kUnbind:
      return "unbind";
    case OpKind::kDma:
      return "dma";
    case OpKind::kAttachPasid:
      return "attach-pasid";
    case OpKind::kDetachPasid:
      return "detach-pasid";
    case OpKind::kReset:
      return "reset";
    case OpKind::kResetDone:
      return "reset-done";
  }
  return "";
}

std::string_view IommuTypeName(IommuType type) {
  switch (type) {
    case IommuType::kType1v2:
      return "type1v2";
    case IommuType::kType1:
      return "type1";
    case IommuType::kNesting:
      return "nesting";
    case IommuType::kNoIommu:
      return "noiommu";
    case IommuType::kUnknownIommu:
      return "unknown";
  }
  return "";
}

std::string_view FaultName(Fault::Kind kind) {
  switch (kind) {
    case Fault::Kind::kNone:
      return "";
    case Fault::Kind::kAttach:
      return "attach";
    case Fault::Kind::kAlloc:
      return "alloc";
    case Fault::Kind::kProbe:
      return "probe";
    case Fault::Kind::kMalloc:
      return "malloc";
    case Fault::Kind::kMap:
      return "map";
    case Fault::Kind::kPin:
      return "pin";
    case Fault::Kind::kAttachCall:
      return "attach-call";
  }
  return "";
}

uint64_t MaskOf(Pages pages) {
  if (pages.count == 0 || pages.first >= kPages) return 0;
  const int count = std::min<int>(pages.count, kPages - pages.first);
  return (~uint64_t{0} >> (kPages - count)) << pages.first;
}

uint8_t FlagsOf(OpKind kind) {
  switch (kind) {
    case OpKind::kOpen:
    case OpKind::kSetContainer:
    case OpKind::kSetIommu:
    case OpKind::kGetDevice:
      return kUnprivileged;
    case OpKind::kMap:
      return kRead | kWrite | kVaddr | kZeroPage;
    case OpKind::kUnmap:
      return kVaddr | kAll;
    case OpKind::kPin:
      return kWrite;
    default:
      return 0;
  }
}

absl::Status Validate(const Op& op, const Topology& t) {
  const auto need = [](bool ok, const char* why) {
    return ok ? absl::OkStatus() : absl::InvalidArgumentError(why);
  };
  for (const Fault& fault : op.faults) {
    if (fault.kind == Fault::Kind::kNone) continue;
    if (fault.error == 0 || fault.count == 0)
      return absl::InvalidArgumentError("a fault has an errno and a count from 1");
    const bool of_device = fault.kind == Fault::Kind::kAttach || fault.kind == Fault::Kind::kProbe;
    if (!of_device && fault.target == 0)
      return absl::InvalidArgumentError("calls that fail count from 1");
    if (of_device && fault.target >= t.devices_count)
      return absl::InvalidArgumentError("a fault names a device out of range");
  }
  if ((op.flags & ~FlagsOf(op.kind)) != 0)
    return absl::InvalidArgumentError("the op has no such flag");
  if (op.at.first >= kPages || op.at.count > kPages || op.vaddr >= kPages)
    return absl::InvalidArgumentError("pages out of range");
  switch (op.kind) {
    case OpKind::kRegister:
    case OpKind::kUnregister:
      return need(op.a < t.instances_count, "instance out of range");
    case OpKind::kAdd:
    case OpKind::kRemove:
    case OpKind::kConfigure:
    case OpKind::kGetDevice:
    case OpKind::kPutDevice:
    case OpKind::kPin:
    case OpKind::kUnpin:
    case OpKind::kBind:
    case OpKind::kUnbind:
    case OpKind::kDma:
    case OpKind::kDetachPasid:
    case OpKind::kReset:
    case OpKind::kResetDone:
      return need(op.a < t.devices_count, "device out of range");
    case OpKind::kAttachPasid:
      return need(op.a < t.devices_count && op.b < t.devices_count, "device out of range");
    case OpKind::kSetContainer:
      return need(op.a < kMaxGroups && op.b < kMaxContainers, "group or container out of range");
    case OpKind::kSetIommu:
      return need(op.a < kMaxContainers && op.b < kIommuTypeCount,
                  "container or type of IOMMU out of range");
    case OpKind::kMap:
    case OpKind::kUnmap:
      return need(op.a < kMaxContainers, "container out of range");
    case OpKind::kUnsetContainer:
    case OpKind::kOpen:
    case OpKind::kClose:
      return need(op.a < kMaxGroups, "group out of range");
  }
  return absl::InvalidArgumentError("no such op");
}

}  // namespace iommucheck
