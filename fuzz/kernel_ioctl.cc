// SPDX-License-Identifier: Apache-2.0
//
// Real kernel code (./dev kernel) in situations that cases lack: every ioctl with any argument,
// scattered memory, large pages, dirty pages, users in the kernel, sysfs, failures inside of a
// call. Nothing predicts the results. A run fails by the sanitizer, by resources left after the
// teardown, by WARNs, or if a page that a device can reach is not the one that was mapped, or is
// not pinned.
//
// It is one file, since its parts share one thing: the run, which decodes an op, calls the harness,
// keeps what should be mapped and pinned by then, and checks that. Each op needs all four at hand.
//
//   byte 0     the machine and how warm it is      byte 1, 2   its drivers and instances
//   6 bytes    each op: kind, a, b, c, d, failure
//
// Environment:
//   IOMMUCHECK_KERNEL_BUILD=build/kernel/linux-source-6.12   the build of ./dev kernel
//   IOMMUCHECK_TRACE=1      prints each op and its result; a failure prints those of its input
//   IOMMUCHECK_FINDINGS=1   does not avoid the findings of docs/findings.md
#include <dlfcn.h>
#include <linux/vfio.h>

#include <algorithm>
#include <array>
#include <bit>
#include <bitset>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>

#include "absl/strings/str_cat.h"
#include "fuzz/call_log.h"
#include "fuzz/deaths.h"
#include "fuzz/finding.h"
#include "kernel/harness.h"

namespace {

using iommucheck::fuzzing::LoggedCall;
using std::size_t;
using std::uint32_t;
using std::uint64_t;
using std::uint8_t;

constexpr size_t kHeader = 3;
constexpr size_t kRecord = 6;
constexpr size_t kMaxOps = 24;
constexpr uint8_t kInstances = 3;
constexpr uint8_t kReal = 7;  // devices behind an IOMMU
constexpr uint8_t kDevices = kReal + 2;
constexpr uint64_t kLongest = uint64_t{1} << 30;

struct Kernel {
  const harness* real = nullptr;
  const harness_extra* extra = nullptr;
  bool trace = false;
  bool findings = false;
};

// Of the current input; static, so that it allocates nothing.
iommucheck::fuzzing::CallLog call_log;

void Print(const LoggedCall& call) { std::fputs(iommucheck::fuzzing::Text(call).c_str(), stderr); }

void PrintInput() {
  std::fputs(call_log.Report().c_str(), stderr);
  std::fflush(stderr);
}

const char* kernel_name = "a kernel";  // "linux-source-6.12 6.12.117-1", once it is loaded

[[noreturn]] void Fail(const char* sentence, const char* detail) {
  const std::string what =
      *detail == 0 ? std::string(sentence) : absl::StrCat(sentence, ": ", detail);
  iommucheck::fuzzing::LeaveDeathsUnreported();
  const std::string name = kernel_name;
  iommucheck::fuzzing::Fail(
      absl::StrCat(what, ", in ", call_log.LastOp(), " on ", name.substr(0, name.find(' '))),
      absl::StrCat(call_log.Report(), "kernel:  ", name, "\n", iommucheck::fuzzing::ReproduceText(),
                   "SUMMARY: iommucheck: kernel_ioctl: ", what));
}

const Kernel& TheKernel() {
  static const Kernel kernel = [] {
    const char* const build = std::getenv("IOMMUCHECK_KERNEL_BUILD");
    const std::string path = std::string(build == nullptr ? "." : build) + "/" IOMMUCHECK_LIBRARY;
    void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      std::fprintf(stderr,
                   "%s\nkernel_ioctl: IOMMUCHECK_KERNEL_BUILD must name a build of ./dev kernel\n",
                   dlerror());
      std::exit(77);
    }
    const auto open = reinterpret_cast<harness_open_fn>(dlsym(library, "harness_open"));
    Kernel found;
    found.findings = std::getenv("IOMMUCHECK_FINDINGS") != nullptr;
    if (open != nullptr)
      found.real = open(HARNESS_VERSION, found.findings ? HARNESS_COOKIE_FAILS : 0);
    if (found.real == nullptr)
      Fail("the build is of another version, run ./dev kernel", path.c_str());
    kernel_name = found.real->name;
    found.extra = found.real->extra;
    found.trace = std::getenv("IOMMUCHECK_TRACE") != nullptr;
    return found;
  }();
  return kernel;
}

struct Place {
  uint8_t bus, instance, slot, alias, absent;
};
constexpr uint8_t kNo = HARNESS_NONE;
constexpr std::array<Place, kReal> kPlaces = {{{1, 0, 1, kNo, 0},
                                               {1, 0, 1, kNo, 0},
                                               {1, 1, 0, kNo, 0},
                                               {0, 1, 0, kNo, 0},
                                               {0, 0, 0, kNo, 0},
                                               {1, 2, 0, kNo, 0},
                                               {1, 2, 0, 5, 1}}};

// The first entry is for devices with even numbers, the second for odd ones.
using Regions = std::array<harness_region, HARNESS_REGIONS>;
constexpr Regions kRegions[4][2] = {
    {},
    {{{{HARNESS_MSI, 0xfee00000, 0x100000}}}, {{{HARNESS_MSI, 0xfee00000, 0x100000}}}},
    {{{{HARNESS_SW_MSI, 0x108000, 0x1000}, {HARNESS_RESERVED, 0x200000, 0x4000}}},
     {{{HARNESS_SW_MSI, 0x8000000, 0x100000}, {HARNESS_RESERVED, 0x200000, 0x4000}}}},
    {{{{HARNESS_DIRECT_RELAXABLE, 0x104000, 0x2000}, {HARNESS_RESERVED, 0x106000, 0x1000}}},
     {{{HARNESS_DIRECT, 0x104000, 0x2000}, {HARNESS_RESERVED, 0x106000, 0x1000}}}},
};

harness_driver DriverOf(uint8_t start, uint8_t one, uint8_t two, uint8_t d) {
  const int mix = start >> 3 & 3;
  return {.address = d,
          // Two drivers that share a table: only the owner distinguishes their domains.
          .table = mix == 2 ? uint8_t{0} : d,
          .same_instance = (start & 0x80) != 0,
          .refuses_foreign = 1,
          .instance_groups = mix == 3 && d == 0,
          .default_domains = (start & 0x20) == 0,
          .coherent = 1,
          // With deferral the first attach comes late, and the core does not expect it to fail.
          .deferred = (two & 0x80) != 0 && (start & 0x80) == 0,
          .nesting = 1,
          .whole_pages = (one & 8) != 0};
}

harness_instance InstanceOf(uint8_t start, uint8_t one, uint8_t two, uint8_t i) {
  constexpr std::array<uint64_t, 6> kPageSizes = {0x1000, 0x201000,   0x11000,
                                                  0x1400, 0x40001000, 0x205000};
  const int mix = start >> 3 & 3;
  const int aperture = one >> 4 & 3;  // 1: 32 bits, 2: 32 bits for driver 1 alone, 3: from 1 MiB on
  const bool second = i == 1 && mix != 0;
  return {.driver = second,
          .fwnode = 1,
          .table = second && mix != 2,
          .enforces_coherency = (start & 0x40) == 0 || i == 0,
          .isolates_msi = (two & 7) != 1 && (two & 7) != 2,
          .aperture_start = aperture == 3 ? uint64_t{0x100000} : 0,
          .aperture_end = aperture == 1 || (aperture == 2 && second) ? 0xffffffff : ~uint64_t{0},
          .page_sizes = kPageSizes[(one & 7) % kPageSizes.size()]};
}

// Two PCI devices in a slot, an alias, platform devices, one that is added later, and two without
// an IOMMU. Devices that share a group are behind one driver: other machines are tested against the
// model.
harness_machine MachineOf(uint8_t start, uint8_t one, uint8_t two) {
  harness_machine m{.settings = {.unsafe_interrupts = (two & 7) == 2,
                                 .dma_entries = (two >> 4 & 7) == 1 ? uint8_t{4} : uint8_t{255},
                                 .memlock = (two & 8) != 0 ? kNo : uint8_t{200}},
                    .drivers_count = 2,
                    .instances_count = kInstances,
                    .devices_count = kDevices};
  for (uint8_t table = 0; table < HARNESS_TABLES; ++table) m.table_address[table] = table;
  for (uint8_t d = 0; d < 2; ++d) m.drivers[d] = DriverOf(start, one, two, d);
  for (uint8_t i = 0; i < kInstances; ++i) m.instances[i] = InstanceOf(start, one, two, i);
  for (uint8_t d = 0; d < kReal; ++d) {
    const Place& place = kPlaces[d];
    m.devices[d] = {.bus = place.bus,
                    .masters = {place.instance, kNo},
                    .alias = place.alias,
                    .slot = place.slot,
                    .below = kNo,
                    .absent = place.absent};
    std::ranges::copy(kRegions[one >> 6][d & 1], m.devices[d].regions);
  }
  for (uint8_t d = kReal; d < kDevices; ++d)
    m.devices[d] = {.masters = {kNo, kNo}, .alias = kNo, .below = kNo, .kind = HARNESS_MDEV};
  return m;
}

uint64_t Iova(uint8_t byte) {
  constexpr uint64_t kBases[] = {0x100000,   0x200000,           0,          0xfedf8000,
                                 0xffff0000, 0xfffffffffffe0000, 0x40000000, 0x103800};
  return kBases[byte >> 5] + (uint64_t{byte} & 31) * 0x1000;
}
uint64_t Size(uint8_t byte) {
  constexpr uint64_t kSizes[] = {0x200000,
                                 0x400000,
                                 uint64_t{600} * 0x1000,
                                 uint64_t{513} * 0x1000,
                                 0x10000,
                                 0x4000,
                                 0,
                                 0x800,
                                 uint64_t{1} << 30,
                                 0xfff,
                                 uint64_t{1} << 40,
                                 uint64_t{1} << 63,
                                 ~uint64_t{0},
                                 0x201000,
                                 0x1000,
                                 0x1000};
  if (byte >= 128) return kSizes[byte & 15];
  return ((uint64_t{byte} & 31) + 1) * 0x1000 << (byte >> 5);
}

// The ops of an input: ops of a case, some of them only for emulated devices, ops that cases lack,
// ioctls of a container, and a mapping that another task takes over; ioctl 0 means any command. An op's weight is the number of
// its rows. A byte of the input is an index into the table, so new rows come last.
enum class Of : uint8_t { kCase, kEmulated, kExtra, kIoctl, kHandOver };
using enum Of;
struct Kind {
  Of of;
  uint32_t code;
};
constexpr Kind kKinds[] = {
    {kCase, HARNESS_SET_CONTAINER},
    {kCase, HARNESS_SET_CONTAINER},
    {kCase, HARNESS_UNSET_CONTAINER},
    {kCase, HARNESS_REGISTER},
    {kCase, HARNESS_ADD},
    {kCase, HARNESS_REMOVE},
    {kCase, HARNESS_CONFIGURE},
    {kIoctl, VFIO_IOMMU_MAP_DMA},
    {kIoctl, VFIO_IOMMU_MAP_DMA},
    {kIoctl, VFIO_IOMMU_MAP_DMA},
    {kIoctl, VFIO_IOMMU_UNMAP_DMA},
    {kIoctl, VFIO_IOMMU_UNMAP_DMA},
    {kIoctl, VFIO_IOMMU_GET_INFO},
    {kExtra, HARNESS_EXTRA_EXTENSION},
    {kIoctl, VFIO_IOMMU_DIRTY_PAGES},
    {kIoctl, VFIO_IOMMU_DIRTY_PAGES},
    {kCase, HARNESS_SET_IOMMU},
    {kIoctl, 0},
    {kEmulated, HARNESS_SET_CONTAINER},
    {kEmulated, HARNESS_UNSET_CONTAINER},
    {kEmulated, HARNESS_PIN},
    {kEmulated, HARNESS_UNPIN},
    {kExtra, HARNESS_EXTRA_DMA_RW},
    {kCase, HARNESS_BIND},
    {kCase, HARNESS_UNBIND},
    {kExtra, HARNESS_EXTRA_CLAIM},
    {kExtra, HARNESS_EXTRA_RELEASE},
    {kExtra, HARNESS_EXTRA_ATTACH},
    {kExtra, HARNESS_EXTRA_DETACH},
    {kExtra, HARNESS_EXTRA_KERNEL_MAP},
    {kExtra, HARNESS_EXTRA_KERNEL_UNMAP},
    {kExtra, HARNESS_EXTRA_STORE_TYPE},
    {kExtra, HARNESS_EXTRA_SHOW},
    {kCase, HARNESS_UNREGISTER},
    {kCase, HARNESS_MAP},
    {kCase, HARNESS_MAP},
    {kCase, HARNESS_UNMAP},
    {kCase, HARNESS_GET_DEVICE},
    {kCase, HARNESS_PUT_DEVICE},
    {kExtra, HARNESS_EXTRA_TASK},
    {kHandOver, 0},
};

// struct vfio_iommu_type1_dma_unmap and vfio_iommu_type1_dirty_bitmap, each with its trailing data.
struct RangeArgument {
  uint32_t argsz, flags;
  uint64_t iova, size, page_size, bytes, bitmap;
};

constexpr uint32_t kMapFlags[] = {3, 3, 3, 1, 2, 4, 0, 7};
constexpr uint32_t kArgumentSizes[] = {16, 24, 40, 88, 512, 4, 0, 120};

class Player {
 public:
  using Record = std::span<const uint8_t, kRecord>;

  Player(const Kernel& kernel, const harness_machine& machine)
      : kernel_(kernel), machine_(machine) {}

  // Each level adds to the one before, and is itself a possible start.
  void WarmUp(uint8_t level) {
    if (level == 0) return;
    for (uint8_t i = 0; i < kInstances; ++i) Case(HARNESS_REGISTER, i);
    for (uint8_t d = 0; d < kReal; ++d) Case(HARNESS_CONFIGURE, d);
    if (level == 1) return;
    if (level == 6) SetContainer(kReal, 0);
    SetContainer(level == 3 ? 2 : 0, 0);
    Case(HARNESS_SET_IOMMU, 0, level == 3 ? VFIO_TYPE1_IOMMU : VFIO_TYPE1v2_IOMMU);
    if (level == 2) return;
    Map(0, 3, 0x100000, 0x4000, kernel_.extra->memory);
    if (level == 5 || level == 7) SetContainer(4, 0);
    if (level == 7) Range(VFIO_IOMMU_DIRTY_PAGES, 0, {.flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_START});
  }

  void Play(Record r) {
    const Kind kind = kKinds[r[0] % std::size(kKinds)];
    const uint8_t arm = r[5] >> 5;
    const uint8_t nth = r[5] & 31;
    if (nth != 0 && (kernel_.findings || !IsFinding(kind, arm))) {
      const LoggedCall& call = call_log.Add(
          {.kind = LoggedCall::Kind::kArm, .op = {.a = arm, .b = nth}, .extra = {}, .ret = 0});
      kernel_.extra->arm(arm, nth);
      if (kernel_.trace) Print(call);
    }
    switch (kind.of) {
      case kCase:
        PlayCase(static_cast<uint8_t>(kind.code), r);
        break;
      case kEmulated:
        PlayEmulated(static_cast<uint8_t>(kind.code), kReal + (r[1] & 1), r);
        break;
      case kExtra:
        PlayExtra(static_cast<uint8_t>(kind.code), r);
        break;
      case kIoctl:
        PlayIoctl(kind.code, r[1] & 1, r);
        break;
      case kHandOver:
        HandOver(r);
        break;
    }
    kernel_.extra->arm(HARNESS_ARM_NONE, 0);
  }

 private:
  // --- one call of the interface ---

  int Case(const harness_op& op) {
    LoggedCall& call = call_log.Add(
        {.kind = LoggedCall::Kind::kCase, .op = op, .extra = {}, .ret = LoggedCall::kUnderWay});
    call.ret = kernel_.real->op(&call.op);
    if (kernel_.trace) Print(call);
    return call.ret;
  }
  int Case(uint8_t kind, uint8_t a, uint8_t b = 0) {
    return Case(harness_op{.kind = kind, .a = a, .b = b});
  }
  int Extra(const harness_extra_op& op) {
    LoggedCall& call = call_log.Add(
        {.kind = LoggedCall::Kind::kExtra, .op = {}, .extra = op, .ret = LoggedCall::kUnderWay});
    call.ret = kernel_.extra->op(&call.extra);
    if (kernel_.trace) Print(call);
    return call.ret;
  }
  template <typename Argument>
  void Ioctl(uint32_t command, uint8_t container, const Argument& argument) {
    harness_extra_op op{.kind = HARNESS_EXTRA_IOCTL, .container = container, .count = command};
    static_assert(sizeof(argument) <= sizeof(op.argument));
    std::memcpy(op.argument, &argument, sizeof(argument));
    Extra(op);
  }
  void Map(uint8_t container, uint32_t flags, uint64_t iova, uint64_t size, uint64_t vaddr) {
    // vfio_unmap_unpin() never unmaps a mapping that ends at the top of the address space.
    if (!kernel_.findings && iova + size == 0) size -= 0x1000;
    // vfio_iommu_replay() unwinds page by page even what it never mapped.
    if (!kernel_.findings && size > kLongest) size = kLongest;
    if ((flags & VFIO_DMA_MAP_FLAG_VADDR) == 0) mapped_ = {container, iova, size};
    Ioctl(VFIO_IOMMU_MAP_DMA, container,
          vfio_iommu_type1_dma_map{.argsz = sizeof(vfio_iommu_type1_dma_map),
                                   .flags = flags,
                                   .vaddr = vaddr,
                                   .iova = iova,
                                   .size = size});
  }
  void Range(uint32_t command, uint8_t container, RangeArgument range) {
    const bool has_bitmap = command == VFIO_IOMMU_DIRTY_PAGES ||
                            (range.flags & VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP) != 0;
    range.argsz = has_bitmap ? sizeof(range) : sizeof(vfio_iommu_type1_dma_unmap);
    range.bitmap = kernel_.extra->bitmap;
    Ioctl(command, container, range);
  }

  // --- preconditions of some ops ---

  // Failures that docs/findings.md describes.
  static bool IsFinding(Kind kind, uint8_t arm) {
    // vfio_iommu_type1_get_info() loses the capabilities so far when it fails to add one.
    return kind.of == kIoctl && (kind.code == VFIO_IOMMU_GET_INFO || kind.code == 0) &&
           arm == HARNESS_ARM_ALLOC;
  }

  const harness_end& End() {
    kernel_.real->end(&end_);
    return end_;
  }
  int GroupOf(uint8_t device) { return End().group[device]; }

  // A driver is not unloaded while one of its devices is in use: its module's reference count and
  // device links prevent this.
  bool IsInUse(uint8_t instance) {
    const harness_end& end = End();
    for (uint8_t d = 0; d < kReal; ++d)
      if (kPlaces[d].instance == instance && end.group[d] >= 0 &&
          (end.owner_cnt[d] != 0 || end.owned[d] != 0 || end.domain[d] != end.default_domain[d]))
        return true;
    return false;
  }

  void SetContainer(uint8_t device, uint8_t container) {
    const int group = GroupOf(device);
    if (group < 0) return;
    if (Case(HARNESS_SET_CONTAINER, static_cast<uint8_t>(group), container) == 0 && device >= kReal)
      container_[device - kReal] = container;
  }
  void UnsetContainer(uint8_t device) {
    const int group = GroupOf(device);
    if (group >= 0) Case(HARNESS_UNSET_CONTAINER, static_cast<uint8_t>(group));
  }
  // An emulated device can be opened only once its container has an IOMMU backend, perhaps later.
  bool Open(uint8_t device) {
    if (!open_[device]) open_[device] = Case(HARNESS_GET_DEVICE, device) == 0;
    return open_[device];
  }
  void Close(uint8_t device) {
    if (open_[device]) Case(HARNESS_PUT_DEVICE, device);
    open_[device] = false;
  }

  // --- the ops of an input ---

  void PlayCase(uint8_t kind, Record r) {
    constexpr uint8_t kTypes[] = {3, 1, 6, 3, 3, 1, 2, 8};
    const uint8_t device = r[1] % kReal;
    const uint8_t instance = r[1] % kInstances;
    switch (kind) {
      case HARNESS_REGISTER:
        Case(kind, instance);
        break;
      case HARNESS_UNREGISTER:
        if (!IsInUse(instance)) Case(kind, instance);
        break;
      case HARNESS_SET_CONTAINER:
        SetContainer(device, r[2] & 1);
        break;
      case HARNESS_UNSET_CONTAINER:
        UnsetContainer(device);
        break;
      case HARNESS_SET_IOMMU:
        Case(kind, r[1] & 1, kTypes[r[1] >> 2 & 7]);
        break;
      case HARNESS_MAP:
      case HARNESS_UNMAP:
        Case(OfPages(kind, r[1] & 1, r));
        break;
      case HARNESS_GET_DEVICE:
        Open(device);
        break;
      case HARNESS_PUT_DEVICE:
        Close(device);
        break;
      case HARNESS_BIND:
        // iommu_device_use_default_domain() does not count a device without a group.
        if (kernel_.findings || GroupOf(device) >= 0) Case(kind, device);
        break;
      case HARNESS_ADD:
        // A device with a direct region that joins a group of user space cannot be blocked later.
        if (kernel_.findings || machine_.devices[device].regions[0].type != HARNESS_DIRECT)
          Case(kind, device);
        break;
      case HARNESS_REMOVE:
        Close(device);
        // In 6.1 the removal of a device that waits for its IOMMU is an oops.
        if (kernel_.findings || GroupOf(device) >= 0 ||
            (kernel_.real->features & HARNESS_BUS_OPS) == 0)
          Case(kind, device);
        break;
      default:
        Case(kind, device);
        break;
    }
  }

  void PlayEmulated(uint8_t kind, uint8_t device, Record r) {
    if (kind == HARNESS_SET_CONTAINER) {
      SetContainer(device, r[2] & 1);
    } else if (kind == HARNESS_UNSET_CONTAINER) {
      Close(device);
      UnsetContainer(device);
    } else if (Open(device)) {
      harness_op op = OfPages(kind, device, r);
      // Only pages that a driver pinned, from the first on: a driver unpins no others.
      const uint64_t pinned = kernel_.extra->pinned(container_[device - kReal]) >> op.first;
      if (kind == HARNESS_UNPIN)
        op.count = std::min(op.count, static_cast<uint8_t>(std::countr_one(pinned)));
      if (kind == HARNESS_PIN || op.count != 0) Case(op);
    }
  }

  // On the pages that cases have. The last page is a finding, see Map().
  [[nodiscard]] harness_op OfPages(uint8_t kind, uint8_t a, Record r) const {
    const uint8_t pages = kernel_.findings ? HARNESS_PAGES : HARNESS_PAGES - 1;
    harness_op op{.kind = kind, .a = a, .first = static_cast<uint8_t>(r[2] % pages)};
    op.count = std::min<uint8_t>(r[3] & 31, pages - op.first);
    op.vaddr = r[4] & 31;
    op.flags = static_cast<uint8_t>(kMapFlags[r[1] >> 2 & 3]);
    return op;
  }

  // As when a process hands its devices to the next one: it takes the addresses of all mappings
  // away, and the next one sets its own in one of them.
  void HandOver(Record r) {
    Range(VFIO_IOMMU_UNMAP_DMA, mapped_.container,
          {.flags = VFIO_DMA_UNMAP_FLAG_VADDR | VFIO_DMA_UNMAP_FLAG_ALL});
    Extra({.kind = HARNESS_EXTRA_TASK, .a = static_cast<uint8_t>(r[1] & 1)});
    Map(mapped_.container, VFIO_DMA_MAP_FLAG_VADDR, mapped_.iova, mapped_.size,
        kernel_.extra->memory + uint64_t{r[4]} * 8 * 4096);
  }

  void PlayExtra(uint8_t kind, Record r) {
    harness_extra_op op{.kind = kind,
                        .a = static_cast<uint8_t>(r[1] % kReal),
                        .flags = r[2] & 1U,
                        .count = r[3],
                        .iova = Iova(r[2]),
                        .size = Size(r[3])};
    switch (kind) {
      case HARNESS_EXTRA_EXTENSION:
        op.container = r[1] & 1;
        op.count = r[3] % 16U;
        break;
      case HARNESS_EXTRA_DMA_RW:
        op.a = kReal + (r[1] & 1);
        op.count = r[3] * 32U;
        op.flags = r[4];
        op.iova += r[4] * uint64_t{8};
        if (!Open(op.a)) return;
        break;
      case HARNESS_EXTRA_TASK:
        op.a = r[1] % kReal & 1;
        break;
      case HARNESS_EXTRA_ATTACH:
        op.flags = r[2] & 7U;
        break;
      case HARNESS_EXTRA_KERNEL_MAP:
        op.flags = kMapFlags[r[1] >> 5];
        op.paddr = uint64_t{r[4]} << 12;
        break;
      default:
        break;
    }
    Extra(op);
  }

  void PlayIoctl(uint32_t command, uint8_t container, Record r) {
    constexpr uint32_t kUnmapFlags[] = {0, 0, 1, 2, 4, 6, 1, 8};
    constexpr uint32_t kDirtyFlags[] = {1, 2, 4, 4, 1, 3, 0, 8};
    constexpr uint32_t kBytes[] = {16384, 8, 64, 1U << 20};
    constexpr uint64_t kPageSizes[] = {4096, 4096, 1024, 16384};
    const uint8_t flags = r[1] >> 2 & 7;
    RangeArgument range{.iova = Iova(r[2]),
                        .size = Size(r[3]),
                        .page_size = kPageSizes[r[4] >> 2 & 3],
                        .bytes = kBytes[r[4] & 3]};
    switch (command) {
      case VFIO_IOMMU_MAP_DMA:
        Map(container, kMapFlags[flags], range.iova, range.size,
            kernel_.extra->memory + uint64_t{r[4]} * 8 * 4096);
        break;
      case VFIO_IOMMU_UNMAP_DMA:
        range.flags = kUnmapFlags[flags];
        if ((range.flags & VFIO_DMA_UNMAP_FLAG_ALL) != 0 && (r[4] & 64) != 0)
          range.iova = range.size = 0;
        Range(command, container, range);
        break;
      case VFIO_IOMMU_DIRTY_PAGES:
        range.flags = kDirtyFlags[flags];
        Range(command, container, range);
        break;
      default:
        // The commands of VFIO's type, and numbers near them.
        if (command == 0) command = _IO(VFIO_TYPE, VFIO_BASE + r[3] % 24);
        Ioctl(command, container, kArgumentSizes[flags]);
        break;
    }
  }

  const Kernel& kernel_;
  const harness_machine& machine_;
  std::bitset<kDevices> open_;
  std::array<uint8_t, kDevices - kReal> container_{};  // of the emulated devices
  harness_end end_{};
  struct {
    uint8_t container;
    uint64_t iova, size;
  } mapped_{};  // the last mapping that was asked for
};

void Judge(const Kernel& kernel) {
  if (const char* const wrong = kernel.extra->judge()) Fail(wrong, "");
  uint32_t count = 0;
  const harness_warn* const warns = kernel.real->warns(&count);
  for (const harness_warn& warn : std::span(warns, count)) {
    std::fprintf(stderr, "WARN in %s(), %s:%d\n", warn.function, warn.file, warn.line);
    Fail("the kernel warns", warn.function);
  }
  const harness_call* const calls = kernel.real->calls(&count);
  for (const harness_call& call : std::span(calls, count))
    if (call.kind == HARNESS_ATTACH && call.error == 0 && call.foreign != 0)
      Fail("a device is attached to a domain of another driver", "");
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  iommucheck::fuzzing::SetTarget(*argc, *argv);
  TheKernel();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < kHeader) return 0;
  iommucheck::fuzzing::NoteInput(data, size);
  static const bool armed = (iommucheck::fuzzing::ReportDeathsBy(PrintInput), true);
  (void)armed;
  call_log.Start({data, size});
  const Kernel& kernel = TheKernel();
  const harness_machine machine = MachineOf(data[0], data[1], data[2]);
  if (kernel.trace) std::fprintf(stderr, "start %#x shape %#x %#x\n", data[0], data[1], data[2]);
  kernel.real->begin(&machine);
  Player player(kernel, machine);
  player.WarmUp(data[0] & 7);
  size_t ops = 0;
  for (size_t at = kHeader; at + kRecord <= size && ops < kMaxOps; at += kRecord, ++ops)
    player.Play(std::span<const uint8_t, kRecord>(data + at, kRecord));
  Judge(kernel);
  harness_leaks leaks{};
  kernel.real->finish(&leaks);
  if (const char* const wrong = kernel.extra->judge()) Fail("after the teardown", wrong);
  if (leaks.domains != 0) Fail("domains are left after the teardown", "");
  if (leaks.locks != 0) Fail("locks are held after the teardown", "");
  if (leaks.objects != 0) Fail("memory is left after the teardown", "");
  if (leaks.written != 0) Fail("memory was written to after it was freed", "");
  if (leaks.pins != 0) Fail("pages are pinned after the teardown", "");
  if (leaks.locked != 0) Fail("pages are locked after the teardown", "");
  for (int left : leaks.references)
    if (left != 0) Fail("references are left after the teardown", "");
  call_log.Start({});
  return 0;
}
