// SPDX-License-Identifier: Apache-2.0
//
// The tables of ops and of faults.
#include <algorithm>
#include <cerrno>

#include "model/op.h"
#include "model/state.h"

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
constexpr uint8_t kModelAlone = 0;
constexpr uint8_t kLeaves = OpInfo::kMayLeaveAssumption;
constexpr uint8_t kAt = OpInfo::kHasPages;
constexpr uint8_t kMemory = OpInfo::kHasVaddr;

// Columns: op, word, code, weight; first operand, second, key of the second in JSON; traits; flags;
// functions.
}  // namespace

constexpr std::array<OpInfo, kOpKindCount> kOps = {{
    {kRegister, "register", 0, 3, kInstance, kNone, "", kEverywhere | kLeaves, kNoFlags,
     CannotRegister, Register},
    {kUnregister, "unregister", 1, 1, kInstance, kNone, "", kEverywhere | kLeaves, kNoFlags,
     CannotUnregister, Unregister},
    {kAdd, "add", 2, 1, kDevice, kNone, "", kEverywhere | kLeaves, kNoFlags, CannotAdd, Add},
    {kRemove, "remove", 3, 1, kDevice, kNone, "", kEverywhere, kNoFlags, CannotRemove, Remove},
    {kConfigure, "configure", 4, 3, kDevice, kNone, "", kEverywhere | kLeaves, kNoFlags,
     CannotConfigure, Configure},
    {kSetContainer, "set-container", 5, 4, kGroup, kContainer, "container", kEverywhere, kOfUser,
     CannotSetContainer, SetContainer},
    {kSetIommu, "set-iommu", 6, 2, kContainer, kIommuType, "type", kEverywhere, kOfUser,
     CannotSetIommu, SetIommu},
    {kUnsetContainer, "unset-container", 7, 2, kGroup, kNone, "", kEverywhere, kNoFlags,
     CannotUnsetContainer, UnsetContainer},
    {kOpen, "open", 8, 1, kGroup, kNone, "", kModelAlone, kOfUser, CannotOpen, Open},
    {kClose, "close", 9, 1, kGroup, kNone, "", kModelAlone, kNoFlags, CannotClose, Close},
    {kGetDevice, "get-device", 10, 4, kDevice, kNone, "", kProcess, kOfUser, CannotGetDevice,
     GetDevice},
    {kPutDevice, "put-device", 11, 1, kDevice, kNone, "", kProcess, kNoFlags, CannotPutDevice,
     PutDevice},
    {kMap, "map", 12, 8, kContainer, kNone, "", kProcess | kAt | kMemory, kOfMap, CannotMap, Map},
    {kUnmap, "unmap", 13, 5, kContainer, kNone, "", kProcess | kAt, kOfUnmap, CannotUnmap, Unmap},
    {kPin, "pin", 14, 5, kDevice, kNone, "", kProcess | kAt, kOfPin, CannotPin, Pin},
    {kUnpin, "unpin", 15, 2, kDevice, kNone, "", kProcess | kAt, kNoFlags, CannotUnpin, Unpin},
    {kBind, "bind", 16, 4, kDevice, kNone, "", kProcess, kNoFlags, CannotBind, Bind},
    {kUnbind, "unbind", 17, 2, kDevice, kNone, "", kProcess, kNoFlags, CannotUnbind, Unbind},
    {kDma, "dma", 18, 1, kDevice, kNone, "", kProcess, kNoFlags, CannotDeferredAttach,
     DeferredAttach},
    {kAttachPasid, "attach-pasid", 19, 3, kDevice, kDevice, "domain-of", kProcess, kNoFlags,
     CannotAttachPasid, AttachPasid},
    {kDetachPasid, "detach-pasid", 20, 1, kDevice, kNone, "", kProcess, kNoFlags, CannotDetachPasid,
     DetachPasid},
    {kReset, "reset", 21, 2, kDevice, kNone, "", kModelAlone, kNoFlags, CannotReset, Reset},
    {kResetDone, "reset-done", 22, 1, kDevice, kNone, "", kModelAlone, kNoFlags, CannotResetDone,
     ResetDone},
}};

// Columns: kind, word; whether the target is a device, and if not, the thing that is counted;
// errno; count; encoded.
constexpr std::array<FaultInfo, kFaultKindCount + 1> kFaults = {{
    {Fault::Kind::kNone, "", false, "", false, false, true},
    {Fault::Kind::kAttach, "attach", true, "", true, true, true},
    {Fault::Kind::kAlloc, "alloc", false, "an allocation", false, false, true},
    {Fault::Kind::kProbe, "probe", true, "", true, false, true},
    {Fault::Kind::kMalloc, "malloc", false, "an allocation", false, false, false},
    {Fault::Kind::kMap, "map", false, "a call", true, false, false},
    {Fault::Kind::kPin, "pin", false, "a call", true, false, false},
    {Fault::Kind::kAttachCall, "attach-call", false, "a call", true, false, false},
}};

namespace {

constexpr bool InOrder() {
  for (size_t i = 0; i < kOps.size(); ++i)
    if (static_cast<size_t>(kOps[i].kind) != i) return false;
  for (size_t i = 0; i < kFaults.size(); ++i)
    if (static_cast<size_t>(kFaults[i].kind) != i) return false;
  return true;
}
static_assert(InOrder(), "the tables are indexed by the enumerations");

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
