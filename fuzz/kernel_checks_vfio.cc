// SPDX-License-Identifier: Apache-2.0
//
// What user space is promised about groups and devices, and about containers when something fails.
#include <linux/vfio.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <span>
#include <string_view>

#include "fuzz/check.h"

namespace iommucheck::fuzzing {
namespace {

// --- groups ---

void GroupFlagsAre(Check& c, std::string_view what, uint8_t device, uint32_t flags) {
  c.Is(what, c.Group(device, VFIO_GROUP_GET_STATUS, vfio_group_status{.argsz = 8}), 0);
  c.Is(what, c.Output<uint32_t>(4), flags);
}

void Groups(Check& c) {
  constexpr uint32_t kViable = VFIO_GROUP_FLAGS_VIABLE;
  GroupFlagsAre(c, "free", kPlain, kViable);
  c.Is("argsz", c.Group(kPlain, VFIO_GROUP_GET_STATUS, vfio_group_status{.argsz = 7}), -EINVAL);
  c.Is("unknown", c.Group(kPlain, _IO(VFIO_TYPE, VFIO_BASE + 30), uint64_t{0}), -ENOTTY);
  c.Is("no descriptor", c.Group(kPlain, VFIO_GROUP_SET_CONTAINER, int32_t{77}), -EBADF);
  // The group's own file is open while it is asked.
  c.IsEither("no container", c.Group(kPlain, VFIO_GROUP_SET_CONTAINER, int32_t{0}), -EBADFD,
             -EINVAL);
  c.Is("in none", c.Group(kPlain, VFIO_GROUP_UNSET_CONTAINER, uint64_t{0}), -EINVAL);
  c.Is("enter", c.Enter(kPlain), 0);
  GroupFlagsAre(c, "in a container", kPlain, kViable | VFIO_GROUP_FLAGS_CONTAINER_SET);
  c.Is("a second time", c.Enter(kPlain), -EINVAL);
  c.Is("bind", c.Case(HARNESS_BIND, kTwin), 0);
  GroupFlagsAre(c, "another driver", kNarrow, 0);
  c.Is("enter with another driver", c.Enter(kNarrow), -EPERM);
  c.Is("unbind", c.Case(HARNESS_UNBIND, kTwin), 0);
  GroupFlagsAre(c, "after that", kNarrow, kViable);
  c.Is("enter", c.Enter(kNarrow), 0);
  c.Is("bind under a user", c.Case(HARNESS_BIND, kTwin), -EBUSY);
  c.Is("leave", c.Leave(kNarrow), 0);
  c.Is("leave", c.Leave(kPlain), 0);
  GroupFlagsAre(c, "free again", kPlain, kViable);
}

uint8_t GroupOf(Check& c, uint8_t device) {
  return static_cast<uint8_t>(c.EndState().group[device]);
}

void Opens(Check& c) {
  const uint8_t group = GroupOf(c, kPlain);
  c.Is("open", c.Case(HARNESS_OPEN, group), 0);
  c.Is("a second time", c.Case(HARNESS_OPEN, group), -EBUSY);
  c.Is("enter", c.Enter(kPlain), 0);
  c.Is("close", c.Case(HARNESS_CLOSE, group), 0);
  c.Is("open again", c.Case(HARNESS_OPEN, group), 0);
  c.Is("it has left", c.Group(kPlain, VFIO_GROUP_UNSET_CONTAINER, uint64_t{0}), -EINVAL);
  c.Is("close", c.Case(HARNESS_CLOSE, group), 0);
}

// --- groups without an IOMMU ---

void OneWithout(harness_machine& m) {
  m.devices[kTwin] = {.masters = {kNo, kNo}, .alias = kNo, .below = kNo, .kind = HARNESS_NOIOMMU};
}

int Unprivileged(Check& c, uint8_t kind, uint8_t a, uint8_t b = 0) {
  return c.Pages({.kind = kind, .a = a, .b = b, .flags = HARNESS_UNPRIVILEGED});
}

void WithoutIommu(Check& c) {
  const uint8_t group = GroupOf(c, kTwin);
  GroupFlagsAre(c, "free", kTwin, VFIO_GROUP_FLAGS_VIABLE);
  c.FileIs(kTwin, "name", "vfio-noiommu\n");
  c.Is("name is not written", c.WriteFile(kTwin, "name", "other"), -EACCES);
  c.FileIs(kTwin, "type", "unknown\n");
  c.FileIs(kTwin, "reserved_regions", "");
  c.Is("no type to change", c.WriteFile(kTwin, "type", "DMA"), -EINVAL);
  c.Is("open without privilege", Unprivileged(c, HARNESS_OPEN, group), -EPERM);
  c.Is("open", c.Case(HARNESS_OPEN, group), 0);
  c.Is("enter without privilege", Unprivileged(c, HARNESS_SET_CONTAINER, group), -EPERM);
  c.Is("enter", c.Enter(kTwin), 0);
  // The two sorts do not mix.
  c.Is("another with an IOMMU", c.Enter(kPlain), -EPERM);
  for (const uint32_t type : {VFIO_TYPE1_IOMMU, VFIO_TYPE1v2_IOMMU, VFIO_UNMAP_ALL})
    c.Is("extension", c.Extension(type), 0);
  c.Is("extension", c.Extension(VFIO_NOIOMMU_IOMMU), 1);
  c.Is("type1", c.Case(HARNESS_SET_IOMMU, 0, VFIO_TYPE1v2_IOMMU), -ENODEV);
  c.Is("without privilege", Unprivileged(c, HARNESS_SET_IOMMU, 0, VFIO_NOIOMMU_IOMMU), -EPERM);
  c.Is("set-iommu", c.Case(HARNESS_SET_IOMMU, 0, VFIO_NOIOMMU_IOMMU), 0);
  c.Is("set-iommu again", c.Case(HARNESS_SET_IOMMU, 0, VFIO_NOIOMMU_IOMMU), -EINVAL);
  c.Is("extension", c.Extension(VFIO_NOIOMMU_IOMMU), 1);
  c.Is("extension", c.Extension(VFIO_TYPE1v2_IOMMU), 0);
  c.Is("map", c.Map(kBase, kPage), -ENOTTY);
  c.Is("device without privilege", Unprivileged(c, HARNESS_GET_DEVICE, kTwin), -EPERM);
  c.Is("device", c.Case(HARNESS_GET_DEVICE, kTwin), 0);
  c.Is("ioctl", c.Device(kTwin, VFIO_DEVICE_RESET, uint64_t{0}), kSaysIoctl);
  c.Is("put-device", c.Case(HARNESS_PUT_DEVICE, kTwin), 0);
  c.Is("leave", c.Leave(kTwin), 0);
  c.Is("close", c.Case(HARNESS_CLOSE, group), 0);
  c.OpenContainer(kPlain);
  c.Is("one without an IOMMU", c.Enter(kTwin), -EPERM);
  c.Is("extension", c.Extension(VFIO_NOIOMMU_IOMMU), 0);
}

// --- devices ---

using Name = std::array<char, 40>;

void Devices(Check& c) {
  constexpr Name kNameOfPlain = {"device0"};
  constexpr Name kUnknown = {"device9"};
  c.Is("enter", c.Enter(kPlain), 0);
  c.Is("before set-iommu", c.Case(HARNESS_GET_DEVICE, kPlain), -EINVAL);
  c.Is("set-iommu", c.Case(HARNESS_SET_IOMMU, 0, VFIO_TYPE1v2_IOMMU), 0);
  c.Is("unknown", c.Group(kPlain, VFIO_GROUP_GET_DEVICE_FD, kUnknown), -ENODEV);
  const int fd = c.Group(kPlain, VFIO_GROUP_GET_DEVICE_FD, kNameOfPlain);
  if (fd < 0) c.Fail("device", fd, 0);
  c.Is("open twice", c.Case(HARNESS_GET_DEVICE, kPlain), 0);
  c.Is("leave with a device", c.Leave(kPlain), -EBUSY);
  c.Is("close one", c.Extra({.kind = HARNESS_EXTRA_CLOSE, .count = static_cast<uint32_t>(fd)}), 0);
  c.Is("leave with one left", c.Leave(kPlain), -EBUSY);
  c.Is("ioctl", c.Device(kPlain, VFIO_DEVICE_GET_INFO, uint64_t{0}), kSaysIoctl);
  c.Is("read", c.DeviceFile(kPlain, HARNESS_READ_FILE), kSaysIoctl + 1);
  c.Is("write", c.DeviceFile(kPlain, HARNESS_WRITE_FILE), kSaysIoctl + 2);
  c.Is("mmap", c.DeviceFile(kPlain, HARNESS_MMAP), kSaysIoctl + 3);
  c.Is("put-device", c.Case(HARNESS_PUT_DEVICE, kPlain), 0);
  c.Is("leave", c.Leave(kPlain), 0);
  // What a driver does not have.
  c.OpenContainer(kEmulated);
  c.Is("device", c.Case(HARNESS_GET_DEVICE, kEmulated), 0);
  c.Is("ioctl", c.Device(kEmulated, VFIO_DEVICE_GET_INFO, uint64_t{0}), -EINVAL);
  for (const uint32_t call : {HARNESS_READ_FILE, HARNESS_WRITE_FILE, HARNESS_MMAP})
    c.Is("file", c.DeviceFile(kEmulated, call), -EINVAL);
  c.Is("put-device", c.Case(HARNESS_PUT_DEVICE, kEmulated), 0);
}

// A device that is opened, in each place in which memory is short.
void DevicesInShort(Check& c) {
  c.OpenContainer(kPlain);
  c.FailsUntil0("device", HARNESS_ARM_ALLOC, -ENOMEM,
                [&c] { return c.Case(HARNESS_GET_DEVICE, kPlain); });
  c.Is("put-device", c.Case(HARNESS_PUT_DEVICE, kPlain), 0);
}

// --- what a device says of itself: VFIO_DEVICE_FEATURE ---

constexpr uint32_t kGet = VFIO_DEVICE_FEATURE_GET;
constexpr uint32_t kSet = VFIO_DEVICE_FEATURE_SET;
constexpr uint32_t kProbe = VFIO_DEVICE_FEATURE_PROBE;
constexpr uint32_t kDataSize =
    9;  // VFIO_DEVICE_FEATURE_MIG_DATA_SIZE, which libc's headers may lack

template <typename Data>
int Feature(Check& c, uint32_t flags, const Data& data, int short_by = 0) {
  struct {
    uint32_t argsz;  // struct vfio_device_feature
    uint32_t flags;
    Data data;
  } argument{.argsz = static_cast<uint32_t>(8 + sizeof(Data)) - static_cast<uint32_t>(short_by),
             .flags = flags,
             .data = data};
  return c.Device(kPlain, VFIO_DEVICE_FEATURE, argument);
}

void OneMigrates(harness_machine& m) { m.devices[kPlain].migrates = 1; }

bool HasFeatures(Check& c) {
  c.OpenContainer(kPlain);
  c.Is("device", c.Case(HARNESS_GET_DEVICE, kPlain), 0);
  // Before 6.2 the driver of the harness has none.
  return Feature(c, VFIO_DEVICE_FEATURE_MIGRATION | kProbe | kGet, uint64_t{0}) == 0;
}

void Features(Check& c) {
  if (!HasFeatures(c)) return;
  constexpr uint32_t kOther = 60;  // of the driver
  c.Is("argsz", c.Device(kPlain, VFIO_DEVICE_FEATURE, (std::array<uint32_t, 2>{7, 0})), -EINVAL);
  c.Is("flags", Feature(c, kOther | 1U << 19, uint64_t{0}), -EINVAL);
  c.Is("get and set", Feature(c, kOther | kGet | kSet, uint64_t{0}), -EINVAL);
  c.Is("probe of both", Feature(c, kOther | kGet | kSet | kProbe, uint64_t{0}), kSaysIoctl + 4);
  c.Is("of the driver", Feature(c, kOther | kGet, uint64_t{0}), kSaysIoctl + 4);
}

void NoFeatures(Check& c) {
  c.OpenContainer(kPlain);
  c.Is("device", c.Case(HARNESS_GET_DEVICE, kPlain), 0);
  for (const uint32_t feature : std::initializer_list<uint32_t>{
           VFIO_DEVICE_FEATURE_MIGRATION, VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
           VFIO_DEVICE_FEATURE_DMA_LOGGING_START, VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP,
           VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT, kDataSize})
    c.Is("feature", Feature(c, feature | kProbe | kGet, uint64_t{0}), -ENOTTY);
}

void Migration(Check& c) {
  if (!HasFeatures(c)) return;
  constexpr uint32_t kMigration = VFIO_DEVICE_FEATURE_MIGRATION;
  constexpr uint32_t kState = VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE;
  c.Is("set", Feature(c, kMigration | kSet, uint64_t{0}), -EINVAL);
  c.Is("probe of set", Feature(c, kMigration | kProbe | kSet, uint64_t{0}), -EINVAL);
  c.Is("short", Feature(c, kMigration | kGet, uint64_t{0}, 1), -EINVAL);
  c.Is("get", Feature(c, kMigration | kGet, uint64_t{0}), 0);
  c.Is("flags", c.Output<int64_t>(8), VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P);

  c.Is("size: set", Feature(c, kDataSize | kSet, uint64_t{0}), -EINVAL);
  c.Is("size: short", Feature(c, kDataSize | kGet, uint64_t{0}, 1), -EINVAL);
  c.Is("size", Feature(c, kDataSize | kGet, uint64_t{0}), 0);
  c.Is("size", c.Output<int64_t>(8), 4711);

  using State = vfio_device_feature_mig_state;
  const auto state = [&c](uint32_t how, uint32_t next) {
    return Feature(c, kState | how, State{.device_state = next, .data_fd = 5});
  };
  const auto is = [&](std::string_view what, uint32_t expected) {
    c.Is(what, state(kGet, 99), 0);
    c.Is(what, c.Output<uint32_t>(8), expected);
    c.Is(what, c.Output<int32_t>(12), -1);
  };
  c.Is("probe", state(kProbe | kGet | kSet, 0), 0);
  c.Is("short", Feature(c, kState | kGet, State{}, 1), -EINVAL);
  is("at first", VFIO_DEVICE_STATE_RUNNING);
  c.Is("stop", state(kSet, VFIO_DEVICE_STATE_STOP), 0);
  c.Is("no data", c.Output<int32_t>(12), -1);
  is("stopped", VFIO_DEVICE_STATE_STOP);
  c.Is("error", state(kSet, VFIO_DEVICE_STATE_ERROR), -EIO);
  c.Is("no data", c.Output<int32_t>(12), -1);
  is("as before", VFIO_DEVICE_STATE_STOP);
  c.Is("copy", state(kSet, VFIO_DEVICE_STATE_STOP_COPY), 0);
  const auto data = c.Output<int32_t>(12);
  if (data < 0) c.Fail("data", data, 0);
  c.Is("close", c.Extra({.kind = HARNESS_EXTRA_CLOSE, .count = static_cast<uint32_t>(data)}), 0);
  c.Is("resume", state(kSet, VFIO_DEVICE_STATE_RESUMING), 0);
  c.Is("get fails", state(kGet, 0), -EIO);
  c.Is("size fails", Feature(c, kDataSize | kGet, uint64_t{0}), -EIO);
}

void Logging(Check& c) {
  if (!HasFeatures(c)) return;
  constexpr uint32_t kStart = VFIO_DEVICE_FEATURE_DMA_LOGGING_START;
  constexpr uint32_t kStop = VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP;
  constexpr uint32_t kReport = VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT;
  using Control = vfio_device_feature_dma_logging_control;
  using Range = vfio_device_feature_dma_logging_range;
  using Report = vfio_device_feature_dma_logging_report;
  const uint64_t room = c.extra().bitmap;
  const auto start = [&](std::initializer_list<Range> ranges, uint64_t page = kPage,
                         uint32_t more = 0) {
    std::memcpy(Check::Memory(room), ranges.begin(), ranges.size() * sizeof(Range));
    return Feature(c, kStart | kSet,
                   Control{.page_size = page,
                           .num_ranges = static_cast<uint32_t>(ranges.size()) + more,
                           .ranges = room});
  };
  const auto report = [&c, room](uint64_t iova, uint64_t length, uint64_t page) {
    return Feature(c, kReport | kGet,
                   Report{.iova = iova, .length = length, .page_size = page, .bitmap = room});
  };
  c.Is("report before start", report(kBase, kPage, kPage), -EINVAL);
  c.Is("get", Feature(c, kStart | kGet, Control{}), -EINVAL);
  c.Is("probe", Feature(c, kStart | kProbe | kSet, Control{}), 0);
  c.Is("short", Feature(c, kStart | kSet, Control{}, 1), -EINVAL);
  c.Is("no range", start({}), -EINVAL);
  c.Is("ranges of more than a page", start({}, kPage, 257), -E2BIG);
  c.Is("ranges of a page", start({{kBase, kPage}}, kPage, 255), -EINVAL);  // all zero, they overlap
  c.Is("iova", start({{kBase + 1, kPage}}), -EINVAL);
  c.Is("length", start({{kBase, kPage + 1}}), -EINVAL);
  c.Is("overflow", start({{0 - kPage, 2 * kPage}}), -EOVERFLOW);
  c.Is("overlap", start({{kBase, 2 * kPage}, {kBase + kPage, kPage}}), -EINVAL);
  c.Is("the driver's limit",
       start({{0, kPage}, {kPage, kPage}, {kBase, kPage}, {2 * kBase, kPage}}), -E2BIG);
  c.Is("the driver refuses", start({{0, 1 << 21}}, 1 << 21), -EOPNOTSUPP);
  c.Is("adjacent", start({{kBase + kPage, kPage}, {kBase, kPage}}), 0);
  c.Is("page size", c.Output<int64_t>(8), 0x10000);
  c.FailsUntil0("start", HARNESS_ARM_ALLOC, -ENOMEM, [&] { return start({{kBase, kPage}}); });
  Control nowhere{.page_size = kPage, .num_ranges = 1, .ranges = c.extra().memory + 1700 * kPage};
  c.Is("no memory", Feature(c, kStart | kSet, nowhere), -EFAULT);

  c.Is("report", report(kBase, 2 * kPage, kPage), 0);
  c.Is("report of large pages", report(kBase, 2 * kPage, 1 << 21), 0);
  c.Is("small pages", report(kBase, kPage, kPage / 2), -EINVAL);
  c.Is("no page size", report(kBase, kPage, 3 * kPage), -EINVAL);
  c.Is("overflow", report(0 - kPage, 2 * kPage, kPage), -EOVERFLOW);
  c.Is("set", Feature(c, kReport | kSet, Report{}), -EINVAL);
  c.Is("short", Feature(c, kReport | kGet, Report{}, 1), -EINVAL);
  c.FailsUntil0("report", HARNESS_ARM_ALLOC, -ENOMEM,
                [&] { return report(kBase, 2 * kPage, kPage); });
  c.Is("stop: get", Feature(c, kStop | kGet, uint64_t{0}), -EINVAL);
  c.Is("stop", c.Device(kPlain, VFIO_DEVICE_FEATURE, (std::array<uint32_t, 2>{8, kStop | kSet})),
       0);
  c.Is("report after stop", report(kBase, kPage, kPage), -EINVAL);
}

// Every feature, with an argument that is nowhere or cannot be written.
void BadFeatures(Check& c) {
  if (!HasFeatures(c)) return;
  const auto feature = [&c](uint32_t flags, uint32_t where) {
    const std::array<uint32_t, 10> argument{40, flags};
    return c.OnFile(HARNESS_EXTRA_DEVICE, kPlain, where, VFIO_DEVICE_FEATURE, argument);
  };
  c.Is("nowhere", feature(VFIO_DEVICE_FEATURE_MIGRATION | kGet, HARNESS_NOWHERE), -EFAULT);
  for (const uint32_t f : std::initializer_list<uint32_t>{
           VFIO_DEVICE_FEATURE_MIGRATION, VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, kDataSize})
    c.Is("read-only", feature(f | kGet, HARNESS_READ_ONLY), -EFAULT);
  // Data that cannot be given to the user are closed again.
  const std::array<uint32_t, 4> copy{16, VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE | kSet,
                                     VFIO_DEVICE_STATE_STOP_COPY};
  c.Is("data", c.OnFile(HARNESS_EXTRA_DEVICE, kPlain, HARNESS_READ_ONLY, VFIO_DEVICE_FEATURE, copy),
       -EFAULT);
  // A log whose page size cannot be given is stopped again.
  const vfio_device_feature_dma_logging_range range{kBase, kPage};
  std::memcpy(Check::Memory(c.extra().bitmap), &range, sizeof(range));
  const struct {
    uint32_t argsz, flags;
    uint64_t page_size;
    uint32_t num_ranges, reserved;
    uint64_t ranges;
  } start{32, VFIO_DEVICE_FEATURE_DMA_LOGGING_START | kSet, kPage, 1, 0, c.extra().bitmap};
  c.Is("log", c.OnFile(HARNESS_EXTRA_DEVICE, kPlain, HARNESS_READ_ONLY, VFIO_DEVICE_FEATURE, start),
       -EFAULT);
  const struct {
    uint32_t argsz, flags;
    uint64_t iova, length, page_size, bitmap;
  } report{
      40, VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT | kGet, kBase, kPage, kPage, c.extra().bitmap};
  c.Is("report", c.Device(kPlain, VFIO_DEVICE_FEATURE, report), -EINVAL);
}

// The type of a group is the administrator's.
void TypesOfGroups(Check& c) {
  c.FileIs(kPlain, "type", "DMA\n");
  c.Is("without privilege", c.WriteFile(kPlain, "type", "identity", HARNESS_EXTRA_UNPRIVILEGED),
       -EACCES);
  c.FileIs(kPlain, "type", "DMA\n");
  c.Is("with it", c.WriteFile(kPlain, "type", "identity\n"), 0);
  c.FileIs(kPlain, "type", "identity\n");
  c.Is("regions are not written", c.WriteFile(kPlain, "reserved_regions", "0"), -EACCES);
  c.Is("there is no name", c.ReadFile(kPlain, "name"), -ENOENT);
}

// --- containers, when something fails ---

// A group enters, and a backend is set, in each place in which memory is short.
void ContainersInShort(Check& c) {
  const auto enter = [&c](uint8_t device) { return [&c, device] { return c.Enter(device); }; };
  c.Is("enter", c.Enter(kPlain), 0);
  c.FailsUntil0("set-iommu", HARNESS_ARM_ALLOC, -ENOMEM,
                [&c] { return c.Case(HARNESS_SET_IOMMU, 0, VFIO_TYPE1v2_IOMMU); });
  c.Is("map", c.Map(kBase, kPage), 0);
  c.FailsUntil0("another group", HARNESS_ARM_ALLOC, -ENOMEM, enter(kNarrow));
  c.Is("map of what the first allows alone", c.Map(kNarrowEnd + 1, kPage), -EINVAL);
  c.FailsUntil0("an emulated one", HARNESS_ARM_ALLOC, -ENOMEM, enter(kEmulated));
  c.FailsUntil0("map", HARNESS_ARM_ALLOC, -ENOMEM, [&c] { return c.Map(2 * kBase, kPage); });
  c.Is("start", c.Dirty(VFIO_IOMMU_DIRTY_PAGES_FLAG_START), 0);
  c.FailsUntil0("map with a bitmap", HARNESS_ARM_ALLOC, -ENOMEM,
                [&c] { return c.Map(3 * kBase, kPage); });
  c.Is("stop", c.Dirty(VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP), 0);
  c.FailsUntil0("start", HARNESS_ARM_ALLOC, -ENOMEM,
                [&c] { return c.Dirty(VFIO_IOMMU_DIRTY_PAGES_FLAG_START); });
  c.DirtyIs("all", kBase, kPage, 1);
}

constexpr NamedCheck kChecks[] = {{"groups of user space", Groups},
                                  {"opens", Opens},
                                  {"without an IOMMU", WithoutIommu, OneWithout},
                                  {"devices", Devices},
                                  {"devices in short", DevicesInShort},
                                  {"device features", Features, OneMigrates},
                                  {"no device features", NoFeatures},
                                  {"migration", Migration, OneMigrates},
                                  {"logging", Logging, OneMigrates},
                                  {"bad features", BadFeatures, OneMigrates},
                                  {"types of groups", TypesOfGroups},
                                  {"containers in short", ContainersInShort}};

}  // namespace

std::span<const NamedCheck> VfioChecks() { return kChecks; }

}  // namespace iommucheck::fuzzing
