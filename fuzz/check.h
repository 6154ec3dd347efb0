// SPDX-License-Identifier: Apache-2.0
//
// One check of kernel_checks.h: a machine, calls on it, and what is wrong.
#pragma once

#include <linux/vfio.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "kernel/harness.h"

namespace iommucheck::fuzzing {

constexpr uint64_t kPage = 0x1000;
constexpr uint64_t kBase = 0x100000;  // IOVA of the mappings
constexpr uint8_t kNo = HARNESS_NONE;
// Devices: two behind an instance each, of which the second has an aperture, one in the second's group,
// and an emulated one.
enum DeviceOf : uint8_t { kPlain, kNarrow, kTwin, kEmulated, kDevices };
// What the driver of a device returns: to an ioctl, and then to read, write, mmap and a feature.
constexpr int kSaysIoctl = 1001;
constexpr uint64_t kNarrowStart = 0x80000;
constexpr uint64_t kNarrowEnd = 0xffffffff;

struct DirtyArgument {
  uint32_t argsz, flags;
  uint64_t iova, size, page_size, bytes, bitmap;
};

class Check {
 public:
  // `change` may change the machine before it boots.
  using Change = void (*)(harness_machine&);
  explicit Check(const harness& real, Change change = nullptr) : real_(real), extra_(*real.extra) {
    Begin(change);
  }

  [[nodiscard]] std::string End() {
    if (const char* wrong = extra_.judge()) Fail(wrong, 1, 0);
    harness_leaks leaks{};
    Is("finish", real_.finish(&leaks), 0);
    Is("domains left", leaks.domains, 0);
    Is("objects left", leaks.objects, 0);
    Is("pins left", leaks.pins, 0);
    Is("pages locked", leaks.locked, 0);
    Is("locks held", leaks.locks, 0);
    Is("memory written after it was freed", leaks.written, 0);
    for (const int left : leaks.references) Is("references left", left, 0);
    uint32_t places = 0;
    const harness_warn* const warns = real_.warns(&places);
    for (uint32_t i = 0; i < places; ++i)
      Fail(absl::StrCat("WARN in ", warns[i].function), warns[i].count, 0);
    return wrong_;
  }

  void Is(std::string_view what, int64_t is, int64_t expected) {
    if (is != expected) Fail(what, is, expected);
  }
  // As Is(); kernels differ in the errno.
  void IsEither(std::string_view what, int64_t is, int64_t expected, int64_t other) {
    if (is != other) Is(what, is, expected);
  }

  int Case(uint8_t kind, uint8_t a, uint8_t b = 0) {
    const harness_op op{.kind = kind, .a = a, .b = b};
    return real_.op(&op);
  }
  int Pages(const harness_op& op) { return real_.op(&op); }
  // The group of a device enters container 0.
  int Enter(uint8_t device) {
    harness_end end{};
    real_.end(&end);
    return Case(HARNESS_SET_CONTAINER, static_cast<uint8_t>(end.group[device]), 0);
  }
  int Leave(uint8_t device) {
    harness_end end{};
    real_.end(&end);
    return Case(HARNESS_UNSET_CONTAINER, static_cast<uint8_t>(end.group[device]));
  }
  void OpenContainer(uint8_t device, uint8_t type = VFIO_TYPE1v2_IOMMU) {
    Is("enter", Enter(device), 0);
    Is("set-iommu", Case(HARNESS_SET_IOMMU, 0, type), 0);
  }

  int Extra(const harness_extra_op& op) { return extra_.op(&op); }
  template <typename Argument>
  int Ioctl(uint32_t command, const Argument& argument) {
    harness_extra_op op{.kind = HARNESS_EXTRA_IOCTL, .count = command};
    static_assert(sizeof(argument) <= sizeof(op.argument));
    std::memcpy(op.argument, &argument, sizeof(argument));
    return Extra(op);
  }
  int Extension(uint32_t extension) {
    return Extra({.kind = HARNESS_EXTRA_EXTENSION, .count = extension});
  }
  int Map(uint64_t iova, uint64_t size, uint32_t flags = 3, uint32_t argsz = 32,
          uint64_t vaddr_offset = 0) {
    return Ioctl(VFIO_IOMMU_MAP_DMA, vfio_iommu_type1_dma_map{.argsz = argsz,
                                                              .flags = flags,
                                                              .vaddr = extra_.memory + vaddr_offset,
                                                              .iova = iova,
                                                              .size = size});
  }
  int Unmap(uint64_t iova, uint64_t size, uint32_t flags = 0, uint32_t argsz = 24) {
    return Ioctl(VFIO_IOMMU_UNMAP_DMA,
                 DirtyArgument{.argsz = argsz, .flags = flags, .iova = iova, .size = size});
  }
  // The result, and how much was unmapped.
  void Unmaps(std::string_view what, uint64_t iova, uint64_t size, uint32_t flags,
              uint64_t unmapped) {
    Is(what, Unmap(iova, size, flags), 0);
    Is(absl::StrCat(std::string(what), ": size"), Output<int64_t>(16),
       static_cast<int64_t>(unmapped));
  }
  // A bitmap of which each bit is what a call must not touch.
  int Dirty(uint32_t flags, const DirtyArgument& range = {}, uint32_t argsz = 48) {
    DirtyArgument argument = range;
    argument.argsz = argsz;
    argument.flags = flags;
    if (argument.bitmap == 0) argument.bitmap = extra_.bitmap;
    return Ioctl(VFIO_IOMMU_DIRTY_PAGES, argument);
  }
  [[nodiscard]] static DirtyArgument Range(uint64_t iova, uint64_t size) {
    return {.iova = iova, .size = size, .page_size = kPage, .bytes = 64};
  }
  void ClearBitmap() { std::memset(Memory(extra_.bitmap), 0, 64); }
  void DirtyIs(std::string_view what, uint64_t iova, uint64_t size, uint64_t expected) {
    ClearBitmap();
    Is(what, Dirty(VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP, Range(iova, size)), 0);
    BitmapIs(what, expected);
  }
  void BitmapIs(std::string_view what, uint64_t expected) {
    std::array<uint64_t, 8> words{};
    std::memcpy(words.data(), Memory(extra_.bitmap), sizeof(words));
    Is(absl::StrCat(std::string(what), ": bitmap"), static_cast<int64_t>(words[0]),
       static_cast<int64_t>(expected));
    Is(absl::StrCat(std::string(what), ": next word"), static_cast<int64_t>(words[1]), 0);
  }

  template <typename T>
  [[nodiscard]] T Output(size_t at) const {
    T value;
    std::memcpy(&value, static_cast<const char*>(Memory(extra_.argument)) + at, sizeof(value));
    return value;
  }
  [[nodiscard]] std::string OutputText() const {
    return static_cast<const char*>(Memory(extra_.argument));
  }
  [[nodiscard]] const harness_extra& extra() const { return extra_; }
  void Fail(std::string_view what, int64_t is, int64_t expected) {
    absl::StrAppend(&wrong_, std::string(what), ": expected ", expected, ", found ", is, "\n");
  }

  // The n-th call of this kind fails, n from 1 on, until `call` returns 0.
  template <typename Call>
  void FailsUntil0(std::string_view what, uint8_t arm, int error, const Call& call) {
    uint8_t n = 1;
    int ret = 0;
    for (; n < 40; ++n) {
      extra_.arm(arm, n);
      ret = call();
      if (ret == 0) break;
      Is(what, ret, error);
    }
    Is(what, ret, 0);
    if (n == 1) Fail(absl::StrCat(std::string(what), ": nothing fails"), 0, error);
  }
  // As above, where some of these calls may fail without harm: `undo` follows a success.
  template <typename Call, typename Undo>
  void MayFail(std::string_view what, uint8_t arm, int error, const Call& call, const Undo& undo) {
    bool failed = false;
    for (uint8_t n = 1; n < 12; ++n) {
      extra_.arm(arm, n);
      const int ret = call();
      extra_.arm(HARNESS_ARM_NONE, 0);
      if (ret == 0) {
        undo();
        continue;
      }
      failed = true;
      Is(what, ret, error);
    }
    Is(what, call(), 0);
    if (!failed) Fail(absl::StrCat(std::string(what), ": nothing fails"), 0, error);
  }
  // How many domains the core gave a cookie for MSIs.
  [[nodiscard]] int Cookies() const {
    uint32_t count = 0;
    const harness_call* const calls = real_.calls(&count);
    int cookies = 0;
    for (uint32_t i = 0; i < count; ++i) cookies += calls[i].kind == HARNESS_COOKIE ? 1 : 0;
    return cookies;
  }
  [[nodiscard]] harness_end EndState() const {
    harness_end end{};
    real_.end(&end);
    return end;
  }
  // An ioctl of the file of the device's group, and a call of the open device's.
  template <typename Argument>
  int Group(uint8_t device, uint32_t command, const Argument& argument) {
    return OnFile(HARNESS_EXTRA_GROUP, device, HARNESS_IOCTL, command, argument);
  }
  template <typename Argument>
  int Device(uint8_t device, uint32_t command, const Argument& argument) {
    return OnFile(HARNESS_EXTRA_DEVICE, device, HARNESS_IOCTL, command, argument);
  }
  int DeviceFile(uint8_t device, uint32_t call) {
    return OnFile(HARNESS_EXTRA_DEVICE, device, call, 0, uint64_t{0});
  }
  template <typename Argument>
  int OnFile(uint8_t kind, uint8_t device, uint32_t flags, uint32_t command,
             const Argument& argument) {
    harness_extra_op op{.kind = kind, .a = device, .flags = flags, .count = command};
    static_assert(sizeof(argument) <= sizeof(op.argument));
    std::memcpy(op.argument, &argument, sizeof(argument));
    return Extra(op);
  }
  // A file of the device's group in sysfs; the second: what is written to it.
  int ReadFile(uint8_t device, std::string_view name) {
    harness_extra_op op{.kind = HARNESS_EXTRA_FILE, .a = device};
    std::memcpy(op.argument, name.data(), name.size());
    return Extra(op);
  }
  int WriteFile(uint8_t device, std::string_view name, std::string_view text, uint32_t flags = 0) {
    harness_extra_op op{
        .kind = HARNESS_EXTRA_FILE, .a = device, .flags = HARNESS_FILE_WRITE | flags};
    std::memcpy(op.argument, name.data(), name.size());
    std::memcpy(reinterpret_cast<char*>(op.argument) + name.size() + 1, text.data(), text.size());
    return Extra(op);
  }
  void FileIs(uint8_t device, std::string_view name, const std::string& expected) {
    Is(absl::StrCat("reading ", std::string(name)), ReadFile(device, name), 0);
    if (OutputText() != expected)
      Fail(absl::StrCat(std::string(name), " says ", OutputText()), 0, 1);
  }
  // NOLINTNEXTLINE(performance-no-int-to-ptr): a number that stood in an answer of the kernel
  static void* Memory(uint64_t address) { return reinterpret_cast<void*>(address); }

 private:
  void Begin(Change change) {
    harness_machine m{.settings = {.dma_entries = 5, .memlock = kNo},
                      .drivers_count = 1,
                      .instances_count = 2,
                      .devices_count = kDevices};
    for (uint8_t table = 0; table < HARNESS_TABLES; ++table) m.table_address[table] = table;
    m.drivers[0] = {.same_instance = 1, .refuses_foreign = 1, .default_domains = 1, .coherent = 1};
    for (uint8_t i = 0; i < 2; ++i)
      m.instances[i] = {.fwnode = 1,
                        .enforces_coherency = i == 0,
                        .isolates_msi = 1,
                        .aperture_start = i == 0 ? 0 : kNarrowStart,
                        .aperture_end = i == 0 ? ~uint64_t{0} : kNarrowEnd,
                        .page_sizes = kPage};
    for (uint8_t d = 0; d < kDevices; ++d) {
      const uint8_t place = d == kTwin ? uint8_t{kNarrow} : d;
      m.devices[d] = {.bus = 1, .masters = {place, kNo}, .alias = kNo, .slot = place, .below = kNo};
      m.devices[d].regions[0] = {HARNESS_MSI, 0xfee00000, 0x100000};
    }
    m.devices[kEmulated] = {
        .masters = {kNo, kNo}, .alias = kNo, .below = kNo, .kind = HARNESS_MDEV};
    if (change != nullptr) change(m);
    real_.begin(&m);
    for (uint8_t i = 0; i < 2; ++i) Is("register", Case(HARNESS_REGISTER, i), 0);
    for (uint8_t d = 0; m.instances[0].fwnode != 0 && d < kDevices; ++d)
      if (m.devices[d].kind == HARNESS_REAL) Is("configure", Case(HARNESS_CONFIGURE, d), 0);
  }

  const harness& real_;
  const harness_extra& extra_;
  std::string wrong_;
};

// The place of a capability of VFIO_IOMMU_GET_INFO; 0: it is not there.
inline size_t CapabilityAt(const Check& c, uint16_t id) {
  for (size_t at = c.Output<uint32_t>(16), n = 0; at != 0 && at < 500 && n < 8; ++n) {
    if (c.Output<uint16_t>(at) == id) return at;
    at = c.Output<uint32_t>(at + 4);
  }
  return 0;
}

// A check is a function, and the machine that it wants.
struct NamedCheck {
  const char* name;
  void (*run)(Check&);
  Check::Change change = nullptr;
};

// kernel_checks_NAME.cc
std::span<const NamedCheck> VfioChecks();
std::span<const NamedCheck> Type1Checks();

}  // namespace iommucheck::fuzzing
