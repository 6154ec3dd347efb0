// SPDX-License-Identifier: Apache-2.0
//
// Real kernel code (./dev kernel) where the model has no say: mappings, ioctls, devices without an
// IOMMU, users in the kernel, failures of memory, pins and maps. Nothing predicts the results; the
// judges are the sanitizer, what is left when all is torn down, the WARNs, and that every page that
// a device can reach is the one that was asked for, and is pinned.
//
//   byte 0     the machine and how warm it is      byte 1, 2   the shape of its drivers
//   6 bytes    each op: kind, a, b, c, d, failure
//
// Environment:
//   IOMMUCHECK_KERNEL_BUILD=build/kernel/linux-source-6.12   the build of ./dev kernel
//   IOMMUCHECK_TRACE=1      prints each op and what it gives
//   IOMMUCHECK_FINDINGS=1   does not keep out what docs/findings.md knows
#include <dlfcn.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>

#include "kernel/harness.h"
#include "kernel/ioctl.h"

namespace {

using std::size_t;
using std::uint32_t;
using std::uint64_t;
using std::uint8_t;

constexpr size_t kHeader = 3;
constexpr size_t kRecord = 6;
constexpr size_t kMaxOps = 24;
constexpr uint8_t kDevices = 7;
constexpr uint64_t kLongest = uint64_t{1} << 30;

struct Kernel {
  const harness* real = nullptr;
  const harness_ioctl* io = nullptr;
  bool trace = false;
  bool findings = false;
};

[[noreturn]] void Fail(const char* sentence, const char* detail) {
  std::fprintf(stderr, "kernel_ioctl: %s%s%s\n", sentence, *detail == 0 ? "" : ": ", detail);
  if (std::getenv("IOMMUCHECK_TRACE") == nullptr)
    std::fputs("kernel_ioctl: IOMMUCHECK_TRACE=1 prints the ops of the input\n", stderr);
  std::fflush(stderr);
  std::abort();
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
    const auto open_io =
        reinterpret_cast<harness_ioctl_open_fn>(dlsym(library, "harness_ioctl_open"));
    Kernel found;
    if (open != nullptr) found.real = open(HARNESS_VERSION, 0);
    if (found.real == nullptr || open_io == nullptr)
      Fail("the build is of another version, run ./dev kernel", path.c_str());
    found.io = open_io();
    found.trace = std::getenv("IOMMUCHECK_TRACE") != nullptr;
    found.findings = std::getenv("IOMMUCHECK_FINDINGS") != nullptr;
    return found;
  }();
  return kernel;
}

// Two PCI devices in a slot, an alias, platform devices, and one that comes later. Whatever shares
// a group is behind one driver: what else happens is the model's business.
harness_machine MachineOf(uint8_t start) {
  const uint8_t mix = start >> 3 & 3;
  harness_machine m{};
  m.drivers_count = 2;
  m.instances_count = 3;
  m.devices_count = kDevices;
  for (uint8_t table = 0; table < HARNESS_TABLES; ++table) m.table_address[table] = table;
  for (uint8_t d = 0; d < 2; ++d) {
    m.drivers[d].address = d;
    // Two drivers that share a table: what they map is told apart by the owner alone.
    m.drivers[d].table = mix == 2 ? 0 : d;
    m.drivers[d].default_domains = (start & 0x20) == 0;
    m.drivers[d].coherent = 1;
    m.drivers[d].same_instance = (start & 0x80) != 0;
    m.drivers[d].refuses_foreign = 1;
  }
  m.drivers[0].instance_groups = mix == 3;
  const uint8_t second = mix == 0 ? 0 : 1;
  const uint8_t driver_of[] = {0, second, 0};
  for (uint8_t i = 0; i < 3; ++i)
    m.instances[i] = {.driver = driver_of[i],
                      .fwnode = 1,
                      .table = m.drivers[driver_of[i]].table,
                      .enforces_coherency = static_cast<uint8_t>((start & 0x40) == 0 || i == 0)};
  struct Place {
    uint8_t bus, instance, slot, alias, absent;
  };
  constexpr uint8_t kNo = HARNESS_NONE;
  constexpr std::array<Place, kDevices> kPlaces = {{{1, 0, 1, kNo, 0},
                                                    {1, 0, 1, kNo, 0},
                                                    {1, 1, 0, kNo, 0},
                                                    {0, 1, 0, kNo, 0},
                                                    {0, 0, 0, kNo, 0},
                                                    {1, 2, 0, kNo, 0},
                                                    {1, 2, 0, 5, 1}}};
  for (uint8_t d = 0; d < kDevices; ++d) {
    const Place& place = kPlaces[d];
    m.devices[d] = {.bus = place.bus,
                    .masters = {place.instance, kNo},
                    .alias = place.alias,
                    .slot = place.slot,
                    .absent = place.absent};
  }
  return m;
}

harness_shape ShapeOf(uint8_t one, uint8_t two) {
  return {.page_sizes = static_cast<uint8_t>((one & 7) % 6),
          .whole_large_pages = static_cast<uint8_t>(one >> 3 & 1),
          .aperture = static_cast<uint8_t>(one >> 4 & 3),
          .regions = static_cast<uint8_t>(one >> 6 & 3),
          .no_isolated_msi = static_cast<uint8_t>((two & 7) == 1 || (two & 7) == 2),
          .unsafe_interrupts = static_cast<uint8_t>((two & 7) == 2),
          .may_lock = static_cast<uint8_t>(two >> 3 & 1),
          .few_mappings = static_cast<uint8_t>((two >> 4 & 7) == 1),
          .deferred = static_cast<uint8_t>(two >> 7)};
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

// The ops of an input. A weight is the number of times that a kind stands here.
enum : uint8_t { kRegister, kAdd, kRemove, kConfigure, kSetContainer, kUnsetContainer };
constexpr uint8_t kBase = kUnsetContainer + 1;
constexpr int kKinds[] = {
    kSetContainer,
    kSetContainer,
    kUnsetContainer,
    kRegister,
    kAdd,
    kRemove,
    kConfigure,
    kBase + HARNESS_IO_MAP,
    kBase + HARNESS_IO_MAP,
    kBase + HARNESS_IO_MAP,
    kBase + HARNESS_IO_UNMAP,
    kBase + HARNESS_IO_UNMAP,
    kBase + HARNESS_IO_INFO,
    kBase + HARNESS_IO_CHECK_EXTENSION,
    kBase + HARNESS_IO_DIRTY,
    kBase + HARNESS_IO_DIRTY,
    kBase + HARNESS_IO_SET_IOMMU,
    kBase + HARNESS_IO_RAW,
    kBase + HARNESS_IO_EMULATED_OPEN,
    kBase + HARNESS_IO_EMULATED_CLOSE,
    kBase + HARNESS_IO_PIN,
    kBase + HARNESS_IO_UNPIN,
    kBase + HARNESS_IO_DMA_RW,
    kBase + HARNESS_IO_BIND,
    kBase + HARNESS_IO_UNBIND,
    kBase + HARNESS_IO_CLAIM,
    kBase + HARNESS_IO_RELEASE,
    kBase + HARNESS_IO_ATTACH,
    kBase + HARNESS_IO_DETACH,
    kBase + HARNESS_IO_KERNEL_MAP,
    kBase + HARNESS_IO_KERNEL_UNMAP,
    kBase + HARNESS_IO_STORE_TYPE,
    kBase + HARNESS_IO_SHOW,
    kBase + HARNESS_IO_UNREGISTER,
};

class Player {
 public:
  explicit Player(const Kernel& kernel) : kernel_(kernel) {}

  int Case(uint8_t kind, uint8_t a, uint8_t b = 0) {
    const harness_op op{.kind = kind, .a = a, .b = b, .faults = {}};
    const int ret = kernel_.real->op(&op);
    if (kernel_.trace) std::fprintf(stderr, "  case op %u %u %u = %d\n", kind, a, b, ret);
    return ret;
  }
  static harness_ioctl_op Of(uint8_t kind) {
    harness_ioctl_op op{};
    op.kind = kind;
    return op;
  }
  int Io(const harness_ioctl_op& op) {
    const int ret = kernel_.io->op(&op);
    if (kernel_.trace)
      std::fprintf(stderr,
                   "  %s container %u a %u flags %#x count %u iova %#llx size %#llx vaddr %#llx"
                   " = %d\n",
                   Name(op.kind), op.container, op.a, op.flags, op.count,
                   static_cast<unsigned long long>(op.iova),
                   static_cast<unsigned long long>(op.size),
                   static_cast<unsigned long long>(op.vaddr), ret);
    return ret;
  }

  // Each step of the way is a start of its own.
  void WarmUp(uint8_t level) {
    if (level == 0) return;
    for (uint8_t i = 0; i < 3; ++i) Case(HARNESS_REGISTER, i);
    for (uint8_t d = 0; d < kDevices; ++d) Case(HARNESS_CONFIGURE, d);
    if (level == 1) return;
    if (level == 6) Io(Of(HARNESS_IO_EMULATED_OPEN));
    SetContainer(level == 3 ? 2 : 0, 0);
    harness_ioctl_op set = Of(HARNESS_IO_SET_IOMMU);
    set.count = level == 3 ? 1 : 3;
    Io(set);
    if (level == 2) return;
    harness_ioctl_op map = Of(HARNESS_IO_MAP);
    map.flags = 3;
    map.iova = 0x100000;
    map.size = 0x4000;
    map.vaddr = kernel_.io->memory;
    Io(map);
    if (level == 5 || level == 7) SetContainer(4, 0);
    harness_ioctl_op start = Of(HARNESS_IO_DIRTY);
    start.flags = 1;
    if (level == 7) Io(start);
  }

  void Play(std::span<const uint8_t, kRecord> r) {
    const int kind = kKinds[r[0] % std::size(kKinds)];
    const uint8_t device = r[1] % kDevices;
    const uint8_t failure = r[5];
    if ((failure & 31) != 0) {
      const uint8_t arm = failure >> 5;
      if (kernel_.findings || !Known(kind, arm)) {
        kernel_.io->arm(arm, failure & 31);
        if (kernel_.trace) std::fprintf(stderr, "  arm %d %d\n", arm, failure & 31);
      }
    }
    switch (kind) {
      case kRegister:
        Case(HARNESS_REGISTER, r[1] % 3);
        break;
      case kAdd:
        Case(HARNESS_ADD, device);
        break;
      case kRemove:
        Case(HARNESS_REMOVE, device);
        break;
      case kConfigure:
        Case(HARNESS_CONFIGURE, device);
        break;
      case kSetContainer:
        SetContainer(device, r[2] & 1);
        break;
      case kUnsetContainer: {
        const int group = GroupOf(device);
        if (group >= 0) Case(HARNESS_UNSET_CONTAINER, static_cast<uint8_t>(group));
        break;
      }
      default:
        Io(OpOf(static_cast<uint8_t>(kind - kBase), r));
        break;
    }
    kernel_.io->arm(HARNESS_ARM_NONE, 0);
  }

 private:
  // Failures that are findings.
  static bool Known(int kind, uint8_t arm) {
    // vfio_iommu_type1_get_info() loses the capabilities that it has when it fails to add one.
    return (kind == kBase + HARNESS_IO_INFO || kind == kBase + HARNESS_IO_RAW) &&
           arm == HARNESS_ARM_ALLOC;
  }

  static const char* Name(uint8_t kind) {
    static constexpr const char* kNames[] = {
        "map",       "unmap",      "info",   "check-extension", "dirty",  "set-iommu", "raw",
        "mdev-open", "mdev-close", "pin",    "unpin",           "dma-rw", "bind",      "unbind",
        "claim",     "release",    "attach", "detach",          "kmap",   "kunmap",    "store-type",
        "show",      "unregister"};
    static_assert(std::size(kNames) == HARNESS_IO_KINDS);
    return kNames[kind];
  }

  int GroupOf(uint8_t device) {
    harness_end end{};
    kernel_.real->end(&end);
    return end.group[device];
  }
  void SetContainer(uint8_t device, uint8_t container) {
    const int group = GroupOf(device);
    if (group >= 0) Case(HARNESS_SET_CONTAINER, static_cast<uint8_t>(group), container);
  }

  [[nodiscard]] harness_ioctl_op OpOf(uint8_t kind, std::span<const uint8_t, kRecord> r) const {
    constexpr uint32_t kMapFlags[] = {3, 3, 3, 1, 2, 4, 0, 7};
    constexpr uint32_t kUnmapFlags[] = {0, 0, 1, 2, 4, 6, 1, 8};
    constexpr uint32_t kDirtyFlags[] = {1, 2, 4, 4, 1, 3, 0, 8};
    constexpr uint32_t kBytes[] = {16384, 8, 64, 1U << 20};
    constexpr uint64_t kPageSizes[] = {4096, 4096, 1024, 16384};
    constexpr uint32_t kArgumentSizes[] = {16, 24, 40, 88, 512, 4, 0, 120};
    const uint8_t flags = r[1] >> 2 & 7;
    harness_ioctl_op op = Of(kind);
    op.container = r[1] & 1;
    op.a = r[1] % kDevices;
    op.flags = r[2];
    op.count = r[3];
    op.iova = Iova(r[2]);
    op.size = Size(r[3]);
    op.vaddr = kernel_.io->memory + uint64_t{r[4]} * 8 * 4096;
    switch (kind) {
      case HARNESS_IO_MAP:
        op.flags = kMapFlags[flags];
        // vfio_unmap_unpin() never unmaps what ends at the top of the address space.
        if (!kernel_.findings && op.iova + op.size == 0) op.size -= 0x1000;
        // vfio_iommu_replay() unwinds page by page what it never mapped.
        if (!kernel_.findings && op.size > kLongest) op.size = kLongest;
        break;
      case HARNESS_IO_UNMAP:
      case HARNESS_IO_DIRTY:
        op.flags = kind == HARNESS_IO_UNMAP ? kUnmapFlags[flags] : kDirtyFlags[flags];
        if (kind == HARNESS_IO_UNMAP && (op.flags & 2) != 0 && (r[4] & 64) != 0)
          op.iova = op.size = 0;
        op.count = kBytes[r[4] & 3];
        op.vaddr = kPageSizes[r[4] >> 2 & 3];
        break;
      case HARNESS_IO_INFO:
        op.count = kArgumentSizes[flags];
        break;
      case HARNESS_IO_CHECK_EXTENSION:
        op.count = r[3] % 16;
        break;
      case HARNESS_IO_SET_IOMMU: {
        constexpr uint32_t kTypes[] = {3, 1, 6, 3, 3, 1, 2, 8};
        op.count = kTypes[flags];
        break;
      }
      case HARNESS_IO_RAW:
        // The commands of VFIO's type and their neighbours.
        op.count = ';' << 8 | (100 + r[3] % 24);
        op.flags = kArgumentSizes[flags];
        break;
      case HARNESS_IO_EMULATED_OPEN:
        op.container = r[2] & 1;
        break;
      case HARNESS_IO_PIN:
        op.count = r[3] & 31;
        op.flags = kMapFlags[flags & 3];
        [[fallthrough]];
      case HARNESS_IO_UNPIN:
        // Drivers pin pages: the books of vfio_pin_pages_remote() are by page, too.
        op.iova &= ~uint64_t{0xfff};
        break;
      case HARNESS_IO_DMA_RW:
        op.count = r[3] * 32U;
        op.flags = r[4];
        op.iova += r[4] * uint64_t{8};
        break;
      case HARNESS_IO_KERNEL_MAP:
        op.flags = kMapFlags[r[1] >> 5];
        op.vaddr = uint64_t{r[4]} << 12;
        break;
      case HARNESS_IO_UNREGISTER:
        op.a = r[1] % 3;
        break;
      default:
        break;
    }
    if (kind == HARNESS_IO_CLAIM || kind == HARNESS_IO_ATTACH) op.flags = r[2] & 1;
    return op;
  }

  const Kernel& kernel_;
};

void Judge(const Kernel& kernel) {
  if (const char* const wrong = kernel.io->judge()) Fail(wrong, "");
  uint32_t count = 0;
  const harness_warn* const warns = kernel.real->warns(&count);
  for (const harness_warn& warn : std::span(warns, count)) {
    std::fprintf(stderr, "WARN in %s(), %s:%d\n", warn.function, warn.file, warn.line);
    Fail("the kernel warns", warn.function);
  }
  const harness_call* const calls = kernel.real->calls(&count);
  for (const harness_call& call : std::span(calls, count))
    if (call.kind == HARNESS_ATTACH && call.error == 0 && call.driver != call.device_driver)
      Fail("a device is attached to a domain of another driver", "");
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  TheKernel();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < kHeader) return 0;
  const Kernel& kernel = TheKernel();
  const harness_machine machine = MachineOf(data[0]);
  harness_shape shape = ShapeOf(data[1], data[2]);
  // The first attach comes late then, and may not fail either.
  if ((data[0] & 0x80) != 0) shape.deferred = 0;
  if (kernel.trace) std::fprintf(stderr, "start %#x shape %#x %#x\n", data[0], data[1], data[2]);
  kernel.io->shape(&shape);
  kernel.real->begin(&machine);
  Player player(kernel);
  player.WarmUp(data[0] & 7);
  size_t ops = 0;
  for (size_t at = kHeader; at + kRecord <= size && ops < kMaxOps; at += kRecord, ++ops)
    player.Play(std::span<const uint8_t, kRecord>(data + at, kRecord));
  Judge(kernel);
  harness_leaks leaks{};
  kernel.real->finish(&leaks);
  if (const char* const wrong = kernel.io->judge()) Fail("after the teardown", wrong);
  if (leaks.domains != 0) Fail("domains are left after the teardown", "");
  if (leaks.locks != 0) Fail("locks are held after the teardown", "");
  if (leaks.objects != 0) Fail("memory is left after the teardown", "");
  return 0;
}
