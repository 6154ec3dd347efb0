// SPDX-License-Identifier: Apache-2.0
//
// One step that firmware, a driver, the admin or user space takes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "model/topology.h"

namespace iommucheck {

enum class OpKind : uint8_t {
  kRegister,        // a: instance. The driver probes it: iommu_device_register() and, up to and
                    //    including 6.0, the driver's bus_set_iommu() claims
  kUnregister,      // a: instance. The driver removes it
  kAdd,             // a: device. device_add(): the bus notifier probes it
  kRemove,          // a: device. device_del(): unbound from VFIO, then released
  kConfigure,       // a: device. A driver binds: dma_configure() applies the firmware description
  kSetContainer,    // a: group, b: container. VFIO_GROUP_SET_CONTAINER
  kSetIommu,        // a: container. VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU
  kUnsetContainer,  // a: group. VFIO_GROUP_UNSET_CONTAINER
  // User space.
  kOpen,       // a: group. open("/dev/vfio/N"); kUnprivileged
  kClose,      // a: group. User space drops the last reference to that file
  kGetDevice,  // a: device. VFIO_GROUP_GET_DEVICE_FD by its group; kUnprivileged
  kPutDevice,  // a: device. User space closes that file
  kMap,        // a: container, at, vaddr. VFIO_IOMMU_MAP_DMA; kRead, kWrite, kVaddr, kZeroPage
  kUnmap,      // a: container, at. VFIO_IOMMU_UNMAP_DMA; kVaddr, kAll
  // Drivers of devices.
  kPin,          // a: emulated device, at. vfio_pin_pages(); kWrite
  kUnpin,        // a: emulated device, at. vfio_unpin_pages()
  kBind,         // a: device. VFIO unbinds, and a driver that uses the DMA API binds
  kUnbind,       // a: device. That driver unbinds, and VFIO binds again
  kDma,          // a: device. Its kernel driver's first mapping: iommu_deferred_attach()
  kAttachPasid,  // a, b: devices. iommu_attach_device_pasid() of a's PASID 1 to b's domain
  kDetachPasid,  // a: device. iommu_detach_device_pasid()
  kReset,        // a: device. pci_dev_reset_iommu_prepare()
  kResetDone,    // a: device. pci_dev_reset_iommu_done()
};
inline constexpr int kOpKindCount = static_cast<int>(OpKind::kResetDone) + 1;

// EPROBE_DEFER of include/linux/errno.h, which user space's errno.h does not have.
inline constexpr int kEProbeDefer = 517;

// The type that VFIO_SET_IOMMU asks for: b of kSetIommu. Two backends are loaded: type1, which knows
// the first three, and the one without an IOMMU, which knows kNoIommu. None knows kUnknownIommu.
enum class IommuType : uint8_t { kType1v2, kType1, kNesting, kNoIommu, kUnknownIommu };
inline constexpr int kIommuTypeCount = static_cast<int>(IommuType::kUnknownIommu) + 1;
inline constexpr std::array<std::string_view, kIommuTypeCount> kIommuTypeNames = {
    "type1v2", "type1", "nesting", "noiommu", "unknown"};
inline std::string_view IommuTypeName(IommuType type) {
  return kIommuTypeNames[static_cast<size_t>(type)];
}

// A range of pages of an address space.
struct Pages {
  uint8_t first = 0;
  uint8_t count = 0;
  friend bool operator==(const Pages&, const Pages&) = default;
};
// One bit per page; pages after the last of the address space are left out.
uint64_t MaskOf(Pages pages);
uint64_t MaskOf(const Region& region);
uint64_t ApertureOf(const Instance& instance);  // of the domains that are bound to it

// Flags of an op.
inline constexpr uint8_t kUnprivileged = 1;  // by a user without CAP_SYS_RAWIO
inline constexpr uint8_t kRead = 1;          // VFIO_DMA_MAP_FLAG_READ
inline constexpr uint8_t kWrite = 2;         // VFIO_DMA_MAP_FLAG_WRITE; kPin: IOMMU_WRITE
inline constexpr uint8_t kVaddr = 4;         // VFIO_DMA_(UN)MAP_FLAG_VADDR
inline constexpr uint8_t kAll = 8;           // VFIO_DMA_UNMAP_FLAG_ALL
inline constexpr uint8_t kZeroPage = 16;     // without kWrite: never written, so the zero page

// An operand is the number of one of these.
enum class Operand : uint8_t { kNone, kInstance, kDevice, kGroup, kContainer, kIommuType };
inline constexpr int kOperandCount = static_cast<int>(Operand::kIommuType) + 1;

std::string_view OperandWord(Operand operand);  // "device"; its key in JSON

struct OpFlag {
  std::string_view word;
  uint8_t bit;
};

struct Kernel;  // model/kernel.h

// One row for each op (model/ops.cc). All code that reads, prints, plays, draws or refuses ops asks
// the row.
struct OpInfo {
  enum Trait : uint8_t {
    kHasPages = 1,            // Op::at
    kHasVaddr = 2,            // Op::vaddr
    kMayLeaveAssumption = 4,  // may break an assumption about steps
    kEncoded = 8,             // solver, proofs and explorer know it
    kInProcess = 16,          // real kernel code in a process can play it
    kBooted = 32,             // a kernel that was booted can play it
  };
  OpKind kind;
  std::string_view word;  // in a case
  uint8_t code;           // in the binary form; no other op has it
  uint8_t weight;         // how often generators draw it, relative to the other ops
  Operand a;
  uint8_t traits;
  // Why no kernel, driver or admin can take the op now; nullptr: it is possible.
  const char* (*cannot)(const Kernel&);
  int (*apply)(Kernel&);            // takes the op: 0 or a negative errno
  std::span<const OpFlag> flags{};  // in the order of a case
  Operand b = Operand::kNone;
  std::string_view b_key{};  // of b in JSON

  [[nodiscard]] constexpr bool is(Trait trait) const { return (traits & trait) != 0; }
  [[nodiscard]] constexpr uint8_t flag_bits() const {
    uint8_t bits = 0;
    for (const OpFlag& flag : flags) bits = static_cast<uint8_t>(bits | flag.bit);
    return bits;
  }
};
// In the order of OpKind.
extern const std::array<OpInfo, kOpKindCount> kOps;
inline std::span<const OpInfo> AllOps() { return kOps; }
inline const OpInfo& InfoOf(OpKind kind) { return kOps[static_cast<size_t>(kind)]; }
std::optional<OpKind> FindOp(std::string_view word);

// A fault makes a call of a driver or an allocator fail while the kernel takes the op.
struct Fault {
  enum class Kind : uint8_t {
    kNone,
    kAttach,      // the first `count` attach_dev() calls for device `target` fail
    kAlloc,       // the `target`-th domain allocation of the op fails, counted from 1
    kProbe,       // probe_device() for device `target` fails
    kMalloc,      // the `target`-th allocation that type1 makes for itself, counted from 1
    kMap,         // the `target`-th iommu_map() of the op, counted from 1
    kPin,         // the `target`-th pin of user memory of the op, counted from 1
    kAttachCall,  // the `target`-th attach_dev() call of the op, whichever device it is for
    kDriver,      // probe() of the driver that binds to device `target` fails
  };
  Kind kind = Kind::kNone;
  uint8_t target = 0;
  uint8_t count = 1;  // kAttach only; 255: every call
  uint8_t error = 0;  // a positive errno; allocations fail as ENOMEM where the kernel sees an errno
  friend bool operator==(const Fault&, const Fault&) = default;
};
inline constexpr uint8_t kEveryAttach = 255;  // Fault::count of every call

// One row for each kind of fault: `fail=WORD:TARGET[:ERRNO[:COUNT]]` in a case.
struct FaultInfo {
  Fault::Kind kind;
  std::string_view word{};
  bool of_device =
      false;              // the target is a device; otherwise it is the n-th call of the op, from 1
  std::string_view of{};  // the thing that is counted then: "an allocation", "a call"
  bool has_errno = false;   // otherwise the errno is ENOMEM
  bool has_count = false;   // may fail several calls for the device
  bool encoded = false;     // solver, proofs and explorer know it
  uint8_t swept_error = 0;  // `replay --sweep` makes counted calls fail with it
};
inline constexpr int kFaultKindCount = static_cast<int>(Fault::Kind::kDriver);
// Without kNone, in the order of Fault::Kind.
extern const std::array<FaultInfo, kFaultKindCount + 1> kFaults;
inline std::span<const FaultInfo> AllFaults() { return std::span(kFaults).subspan(1); }
inline const FaultInfo& InfoOf(Fault::Kind kind) { return kFaults[static_cast<size_t>(kind)]; }
inline bool NamesDevice(const Fault& fault) { return InfoOf(fault.kind).of_device; }
inline constexpr int kMaxFaults = 2;

struct Op {
  OpKind kind = OpKind::kRegister;
  uint8_t a = 0;
  uint8_t b = 0;
  Pages at{};         // IOVA
  uint8_t vaddr = 0;  // the first page of user memory; Pages::count is that of `at`
  uint8_t flags = 0;
  std::array<Fault, kMaxFaults> faults{};
  friend bool operator==(const Op&, const Op&) = default;
};

// OK if the op names only things that the topology has and its faults are well formed.
absl::Status Validate(const Op& op, const Topology& topology);

}  // namespace iommucheck
