// SPDX-License-Identifier: Apache-2.0
#include "fuzz/type1_cases.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>

namespace iommucheck::fuzzing {
namespace {

constexpr int kInstances = 3;

}  // namespace

const DecodedCase& Type1Cases::Next() {
  case_.topology = {};
  case_.kernel = {};
  case_.ops_count = 0;
  MakeMachine();
  SetUp();
  const int more = 1 + Below(24);
  for (int i = 0; i < more && case_.ops_count < kMaxDecodedOps; ++i)
    case_.ops[static_cast<size_t>(case_.ops_count++)] = AnyOp();
  return case_;
}

void Type1Cases::MakeInstance(Instance& instance) {
  instance.driver = OneIn(3) ? 1 : 0;
  instance.fwnode = true;
  instance.table = instance.driver;
  instance.enforces_coherency = !OneIn(4);
  instance.isolates_msi = !OneIn(8);
  if (OneIn(3)) {
    instance.aperture_first = OneIn(2) ? Below(8) : uint8_t{0};
    instance.aperture_last = static_cast<uint8_t>(kLastPage - Below(16));
  }
  static constexpr std::array<uint8_t, 6> kSizes = {1, 1, 3, 2, 5, 4};
  if (OneIn(3)) instance.page_sizes = kSizes[Below(kSizes.size())];
}

void Type1Cases::MakeDevice(Device& device) {
  if (OneIn(4)) {
    device.kind = DeviceKind::kEmulated;
    device.bus = Bus::kPlatform;
    return;
  }
  device.bus = OneIn(2) ? Bus::kPci : Bus::kPlatform;
  device.masters[0] = Below(kInstances);
  if (OneIn(3)) device.slot = 1;
  if (OneIn(8)) device.default_type = OneIn(2) ? DefaultType::kIdentity : DefaultType::kDma;
  for (int i = 0; i < kMaxRegions && OneIn(4); ++i) {
    Region& region = device.regions[static_cast<size_t>(i)];
    region.type = static_cast<Region::Type>(1 + Below(5));
    region.first = Below(16);
    region.last = static_cast<uint8_t>(std::min<int>(region.first + Below(4), kLastPage));
  }
}

void Type1Cases::MakeMachine() {
  Topology& t = case_.topology;
  t.settings.passthrough = OneIn(8);
  t.settings.unsafe_interrupts = OneIn(4);
  if (OneIn(4)) t.settings.dma_entries = static_cast<uint8_t>(1 + Below(3));
  if (OneIn(3)) t.settings.memlock = Below(24);
  t.drivers_count = t.tables_count = 2;
  for (uint8_t d = 0; d < 2; ++d) {
    Driver& driver = t.drivers[d];
    driver.table = d;
    driver.same_instance = OneIn(3);
    driver.refuses_foreign = OneIn(3);
    driver.deferred = OneIn(8);
    driver.nesting = OneIn(2);
    driver.static_identity = OneIn(6);
    driver.checks_snoop = OneIn(4);
    driver.drops_old = OneIn(8);
    if (OneIn(8)) driver.mismatch_errno = ENXIO;
  }
  t.instances_count = kInstances;
  for (Instance& instance : std::span(t.instances).first(kInstances)) MakeInstance(instance);
  t.devices_count = static_cast<uint8_t>(2 + Below(4));
  for (Device& device : std::span(t.devices).first(t.devices_count)) MakeDevice(device);
}

void Type1Cases::Add(OpKind kind, int a, int b) {
  case_.ops[static_cast<size_t>(case_.ops_count++)] = {
      .kind = kind, .a = static_cast<uint8_t>(a), .b = static_cast<uint8_t>(b)};
}

// Instances, devices, and one container with the groups of half of the devices.
void Type1Cases::SetUp() {
  const Topology& t = case_.topology;
  for (int i = 0; i < t.instances_count; ++i) Add(OpKind::kRegister, i);
  for (int dev = 0; dev < t.devices_count; ++dev)
    if (t.devices[static_cast<size_t>(dev)].kind == DeviceKind::kReal) Add(OpKind::kConfigure, dev);
  const int groups = t.devices_count;
  for (int n = 0; n < 1 + Below(groups); ++n) Add(OpKind::kSetContainer, Below(groups), 0);
  Add(OpKind::kSetIommu, 0, OneIn(3) ? Below(3) : 0);
  for (int dev = 0; dev < t.devices_count; ++dev)
    if (OneIn(2)) Add(OpKind::kGetDevice, dev);
}

Pages Type1Cases::AnyPages() {
  const uint8_t first = OneIn(8) ? Below(kPages) : Below(24);
  return {first, OneIn(8) ? Below(kPages + 1) : static_cast<uint8_t>(1 + Below(6))};
}

Fault Type1Cases::AnyFault() {
  switch (Below(7)) {
    case 6:
      return {Fault::Kind::kAttachCall, static_cast<uint8_t>(1 + Below(6)), 1, EIO};
    case 0:
      return {Fault::Kind::kAttach, Below(case_.topology.devices_count),
              static_cast<uint8_t>(1 + Below(3)), EIO};
    case 1:
      return {Fault::Kind::kAlloc, static_cast<uint8_t>(1 + Below(3)), 1, ENOMEM};
    case 2:
      return {Fault::Kind::kMap, static_cast<uint8_t>(1 + Below(4)), 1, EBUSY};
    case 3:
      return {Fault::Kind::kPin, static_cast<uint8_t>(1 + Below(4)), 1, EFAULT};
    default:
      return {Fault::Kind::kMalloc, static_cast<uint8_t>(1 + Below(8)), 1, ENOMEM};
  }
}

Op Type1Cases::AnyOp() {
  static constexpr std::array kKinds = {OpKind::kMap,
                                        OpKind::kMap,
                                        OpKind::kMap,
                                        OpKind::kMap,
                                        OpKind::kMap,
                                        OpKind::kMap,
                                        OpKind::kUnmap,
                                        OpKind::kUnmap,
                                        OpKind::kUnmap,
                                        OpKind::kPin,
                                        OpKind::kPin,
                                        OpKind::kPin,
                                        OpKind::kUnpin,
                                        OpKind::kGetDevice,
                                        OpKind::kGetDevice,
                                        OpKind::kPutDevice,
                                        OpKind::kSetContainer,
                                        OpKind::kSetContainer,
                                        OpKind::kUnsetContainer,
                                        OpKind::kUnsetContainer,
                                        OpKind::kSetIommu,
                                        OpKind::kBind,
                                        OpKind::kUnbind,
                                        OpKind::kDma,
                                        OpKind::kAttachPasid,
                                        OpKind::kDetachPasid,
                                        OpKind::kRemove,
                                        OpKind::kAdd,
                                        OpKind::kRegister,
                                        OpKind::kUnregister,
                                        OpKind::kConfigure};
  const Topology& t = case_.topology;
  Op op{.kind = kKinds[Below(kKinds.size())]};
  if (OneIn(6)) op.faults[0] = AnyFault();
  switch (op.kind) {
    case OpKind::kRegister:
    case OpKind::kUnregister:
      op.a = Below(t.instances_count);
      break;
    case OpKind::kMap:
      op.a = OneIn(8) ? uint8_t{1} : uint8_t{0};
      op.at = AnyPages();
      op.vaddr = OneIn(8) ? Below(kPages) : Below(24);
      op.flags = OneIn(8) ? Below(8) : static_cast<uint8_t>(1 + Below(3));
      break;
    case OpKind::kUnmap:
      op.a = OneIn(8) ? uint8_t{1} : uint8_t{0};
      op.at = AnyPages();
      if (OneIn(4)) op.flags = static_cast<uint8_t>(4 * (1 + Below(3)));
      if ((op.flags & kAll) != 0 && !OneIn(8)) op.at = {};
      break;
    case OpKind::kPin:
    case OpKind::kUnpin:
      op.at = AnyPages();
      if (op.kind == OpKind::kPin && OneIn(2)) op.flags = kWrite;
      op.a = Below(t.devices_count);
      break;
    case OpKind::kSetContainer:
      op.a = Below(t.devices_count);
      op.b = OneIn(4) ? uint8_t{1} : uint8_t{0};
      break;
    case OpKind::kUnsetContainer:
      op.a = Below(t.devices_count);
      break;
    case OpKind::kSetIommu:
      op.a = OneIn(4) ? uint8_t{1} : uint8_t{0};
      op.b = Below(kIommuTypeCount);
      break;
    case OpKind::kAttachPasid:
      op.b = Below(t.devices_count);
      [[fallthrough]];
    default:
      op.a = Below(t.devices_count);
      break;
  }
  return op;
}

}  // namespace iommucheck::fuzzing
