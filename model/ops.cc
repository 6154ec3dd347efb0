// SPDX-License-Identifier: Apache-2.0
//
// The tables of ops and of faults.
#include <algorithm>
#include <cerrno>

#include "model/op.h"
#include "model/state.h"
#include "model/table.h"

namespace iommucheck {
namespace {

constexpr std::span<const OpFlag> kNoFlags;
constexpr std::array kOfUser = {OpFlag{"unprivileged", kUnprivileged}};
constexpr std::array kOfMap = {OpFlag{"read", kRead}, OpFlag{"write", kWrite},
                               OpFlag{"vaddr", kVaddr}, OpFlag{"zero-page", kZeroPage}};
constexpr std::array kOfUnmap = {OpFlag{"vaddr", kVaddr}, OpFlag{"all", kAll}};
constexpr std::array kOfPin = {OpFlag{"write", kWrite}};

}  // namespace

// The two functions of each op are side by side in the file of its subsystem.
using Cannot = const char*(const Kernel&);
using Apply = int(Kernel&);
// iommu_probe.cc
Cannot CannotRegister, CannotUnregister;
Apply Register, Unregister;
// device.cc
Cannot CannotAdd, CannotRemove, CannotConfigure, CannotBind, CannotUnbind;
Apply Add, Remove, Configure, Bind, Unbind;
// vfio_group.cc
Cannot CannotOpen, CannotClose, CannotSetContainer, CannotUnsetContainer, CannotGetDevice,
    CannotPutDevice;
Apply Open, Close, SetContainer, UnsetContainer, GetDevice, PutDevice;
// vfio_container.cc
Cannot CannotSetIommu, CannotMap, CannotUnmap, CannotPin, CannotUnpin;
Apply SetIommu, Map, Unmap, Pin, Unpin;
// iommu_owner.cc
Cannot CannotDeferredAttach, CannotAttachPasid, CannotDetachPasid, CannotReset, CannotResetDone;
Apply DeferredAttach, AttachPasid, DetachPasid, Reset, ResetDone;

namespace {

using enum OpKind;
using enum Operand;

// Who can play an op besides the model: everybody; real code in a process alone; nobody.
constexpr uint8_t kEverywhere = OpInfo::kEncoded | OpInfo::kInProcess | OpInfo::kBooted;
constexpr uint8_t kProcess = OpInfo::kInProcess;
[[maybe_unused]] constexpr uint8_t kModelAlone = 0;  // a new op, before the harness can play it
constexpr uint8_t kLeaves = OpInfo::kMayLeaveAssumption;
constexpr uint8_t kAt = OpInfo::kHasPages;
constexpr uint8_t kMemory = OpInfo::kHasVaddr;

}  // namespace

// Columns: op, word, code, weight; operand; traits; functions; flags; second operand and its key in
// JSON.
constexpr std::array<OpInfo, kOpKindCount> kOps = {{
    {kRegister, "register", 0, 3, kInstance, kEverywhere | kLeaves, CannotRegister, Register},
    {kUnregister, "unregister", 1, 1, kInstance, kEverywhere | kLeaves, CannotUnregister,
     Unregister},
    {kAdd, "add", 2, 1, kDevice, kEverywhere | kLeaves, CannotAdd, Add},
    {kRemove, "remove", 3, 1, kDevice, kEverywhere, CannotRemove, Remove},
    {kConfigure, "configure", 4, 3, kDevice, kEverywhere | kLeaves, CannotConfigure, Configure},
    {kSetContainer, "set-container", 5, 4, kGroup, kEverywhere, CannotSetContainer, SetContainer,
     kOfUser, kContainer, "container"},
    {kSetIommu, "set-iommu", 6, 2, kContainer, kEverywhere, CannotSetIommu, SetIommu, kOfUser,
     kIommuType, "type"},
    {kUnsetContainer, "unset-container", 7, 2, kGroup, kEverywhere, CannotUnsetContainer,
     UnsetContainer},
    {kOpen, "open", 8, 1, kGroup, kProcess, CannotOpen, Open, kOfUser},
    {kClose, "close", 9, 1, kGroup, kProcess, CannotClose, Close},
    {kGetDevice, "get-device", 10, 4, kDevice, kProcess, CannotGetDevice, GetDevice, kOfUser},
    {kPutDevice, "put-device", 11, 1, kDevice, kProcess, CannotPutDevice, PutDevice},
    {kMap, "map", 12, 8, kContainer, kProcess | kAt | kMemory, CannotMap, Map, kOfMap},
    {kUnmap, "unmap", 13, 5, kContainer, kProcess | kAt, CannotUnmap, Unmap, kOfUnmap},
    {kPin, "pin", 14, 5, kDevice, kProcess | kAt, CannotPin, Pin, kOfPin},
    {kUnpin, "unpin", 15, 2, kDevice, kProcess | kAt, CannotUnpin, Unpin},
    {kBind, "bind", 16, 4, kDevice, kProcess, CannotBind, Bind},
    {kUnbind, "unbind", 17, 2, kDevice, kProcess, CannotUnbind, Unbind},
    {kDma, "dma", 18, 1, kDevice, kProcess, CannotDeferredAttach, DeferredAttach},
    {kAttachPasid, "attach-pasid", 19, 3, kDevice, kProcess, CannotAttachPasid, AttachPasid,
     kNoFlags, kDevice, "domain-of"},
    {kDetachPasid, "detach-pasid", 20, 1, kDevice, kProcess, CannotDetachPasid, DetachPasid},
    {kReset, "reset", 21, 2, kDevice, kProcess, CannotReset, Reset},
    {kResetDone, "reset-done", 22, 1, kDevice, kProcess, CannotResetDone, ResetDone},
}};

namespace {

constexpr FaultInfo OfDevice(Fault::Kind kind, std::string_view word, bool has_count,
                             bool encoded) {
  return {.kind = kind,
          .word = word,
          .of_device = true,
          .has_errno = true,
          .has_count = has_count,
          .encoded = encoded};
}
constexpr FaultInfo Allocation(Fault::Kind kind, std::string_view word, bool encoded) {
  return {
      .kind = kind, .word = word, .of = "an allocation", .encoded = encoded, .swept_error = ENOMEM};
}
constexpr FaultInfo Call(Fault::Kind kind, std::string_view word, uint8_t swept_error) {
  return {
      .kind = kind, .word = word, .of = "a call", .has_errno = true, .swept_error = swept_error};
}
constexpr bool kCounted = true;
constexpr bool kEncoded = true;

}  // namespace

constexpr std::array<FaultInfo, kFaultKindCount + 1> kFaults = {{
    {.kind = Fault::Kind::kNone, .encoded = true},
    OfDevice(Fault::Kind::kAttach, "attach", kCounted, kEncoded),
    Allocation(Fault::Kind::kAlloc, "alloc", kEncoded),
    OfDevice(Fault::Kind::kProbe, "probe", !kCounted, kEncoded),
    Allocation(Fault::Kind::kMalloc, "malloc", !kEncoded),
    Call(Fault::Kind::kMap, "map", ENOMEM),
    Call(Fault::Kind::kPin, "pin", EFAULT),
    Call(Fault::Kind::kAttachCall, "attach-call", EINVAL),
    OfDevice(Fault::Kind::kDriver, "driver", !kCounted, !kEncoded),
}};

namespace {

static_assert(IsIndexedBy(&OpInfo::kind, kOps) && IsIndexedBy(&FaultInfo::kind, kFaults));

bool InRange(Operand operand, uint8_t value, const Topology& t) {
  switch (operand) {
    case kNone:
      return true;
    case kInstance:
      return value < t.instances_count;
    case kDevice:
      return value < t.devices_count;
    case kGroup:
      return value < kMaxGroups;
    case kContainer:
      return value < kMaxContainers;
    case kIommuType:
      return value < kIommuTypeCount;
  }
  return false;
}

}  // namespace

std::optional<OpKind> FindOp(std::string_view word) {
  const auto* it = std::ranges::find(kOps, word, &OpInfo::word);
  return it == kOps.end() ? std::nullopt : std::optional(it->kind);
}

std::string_view OperandWord(Operand operand) {
  constexpr std::array<std::string_view, kOperandCount> kWords = {"",      "instance",  "device",
                                                                  "group", "container", "type"};
  return kWords[static_cast<size_t>(operand)];
}

uint64_t MaskOf(Pages pages) {
  if (pages.count == 0 || pages.first >= kPages) return 0;
  const int count = std::min<int>(pages.count, kPages - pages.first);
  return (~uint64_t{0} >> (kPages - count)) << pages.first;
}

uint64_t MaskOf(const Region& region) {
  return MaskOf({region.first, static_cast<uint8_t>(region.last - region.first + 1)});
}
uint64_t ApertureOf(const Instance& instance) {
  return MaskOf({instance.aperture_first,
                 static_cast<uint8_t>(instance.aperture_last - instance.aperture_first + 1)});
}

absl::Status Validate(const Op& op, const Topology& t) {
  for (const Fault& fault : op.faults) {
    if (fault.kind == Fault::Kind::kNone) continue;
    if (fault.error == 0 || fault.count == 0)
      return absl::InvalidArgumentError("a fault has an errno and a count from 1");
    const bool of_device = InfoOf(fault.kind).of_device;
    if (!of_device && fault.target == 0)
      return absl::InvalidArgumentError("calls that fail count from 1");
    if (of_device && fault.target >= t.devices_count)
      return absl::InvalidArgumentError("a fault names a device out of range");
  }
  if (static_cast<int>(op.kind) >= kOpKindCount) return absl::InvalidArgumentError("no such op");
  const OpInfo& info = InfoOf(op.kind);
  if ((op.flags & ~info.flag_bits()) != 0)
    return absl::InvalidArgumentError("the op has no such flag");
  if (op.at.first >= kPages || op.at.count > kPages || op.vaddr >= kPages)
    return absl::InvalidArgumentError("pages out of range");
  for (const auto& [operand, value] : {std::pair(info.a, op.a), std::pair(info.b, op.b)})
    if (!InRange(operand, value, t))
      return absl::InvalidArgumentError(std::string(OperandWord(operand)) + " out of range");
  return absl::OkStatus();
}

}  // namespace iommucheck
