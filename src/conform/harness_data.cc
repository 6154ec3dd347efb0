// SPDX-License-Identifier: Apache-2.0
#include "src/conform/harness_data.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <span>

#include "model/attributes.h"
#include "model/state.h"

namespace iommucheck::conform {
namespace {

static_assert(int{HARNESS_DRIVERS} == kMaxDrivers && int{HARNESS_TABLES} == kMaxTables);
static_assert(int{HARNESS_INSTANCES} == kMaxInstances && int{HARNESS_DEVICES} == kMaxDevices);
static_assert(int{HARNESS_CONTAINERS} == kMaxContainers && int{HARNESS_MASTERS} == kMaxMasters);
static_assert(int{HARNESS_FAULTS} == kMaxFaults && int{HARNESS_BUSES} == kBusCount);
static_assert(int{HARNESS_NONE} == kNoId && int{HARNESS_NO_DOMAIN} == Call::kNoDomain);
static_assert(int{HARNESS_REGIONS} == kMaxRegions && int{HARNESS_PAGES} == kPages);
static_assert(int{HARNESS_DOMAINS} == kMaxDomains && int{HARNESS_NONE} == kNoLimit);
static_assert(int{HARNESS_DETACH_PASID} == static_cast<int>(OpKind::kDetachPasid));
static_assert(int{HARNESS_FAIL_ATTACH_CALL} == static_cast<int>(Fault::Kind::kAttachCall));
static_assert(int{HARNESS_HELD} == static_cast<int>(Call::Kind::kHeld));
static_assert(int{HARNESS_SW_MSI} == static_cast<int>(Region::Type::kSwMsi));
static_assert(int{HARNESS_MDEV} == static_cast<int>(DeviceKind::kEmulated));
static_assert(int{HARNESS_TYPE_DMA} == static_cast<int>(DefaultType::kDma));
static_assert(int{HARNESS_READ} == kRead && int{HARNESS_WRITE} == kWrite);
static_assert(int{HARNESS_VADDR} == kVaddr && int{HARNESS_ALL} == kAll);

bool OtherFirmware(const Topology& topology, const Driver& driver) {
  return driver.firmware != Firmware::kAny && topology.firmware != Firmware::kAny &&
         driver.firmware != topology.firmware;
}

// The table of a driver at another's address lies where the other's table was.
uint8_t TableAddress(const Topology& topology, TableId table) {
  for (const Driver& driver : topology.drivers)
    if (driver.table == table && driver.address != kNoId &&
        &driver < &topology.drivers[topology.drivers_count])
      return topology.drivers[driver.address].table;
  return table;
}

// As in include/uapi/linux/vfio.h.
uint8_t TypeOf(IommuType type) {
  switch (type) {
    case IommuType::kType1v2:
      return 3;
    case IommuType::kType1:
      return 1;
    case IommuType::kNesting:
      return 6;
    case IommuType::kNoIommu:
      return 8;
    case IommuType::kUnknownIommu:
      break;
  }
  return 99;
}

constexpr uint64_t kPageSize = 4096;

uint64_t AddressOf(int page) { return HARNESS_PAGE_0 + static_cast<uint64_t>(page) * kPageSize; }

}  // namespace

harness_machine MachineOf(const Topology& topology, const KernelProfile& kernel) {
  harness_machine m{};
  m.settings = {.passthrough = topology.settings.passthrough,
                .unsafe_interrupts = topology.settings.unsafe_interrupts,
                .dma_entries = topology.settings.dma_entries,
                .memlock = topology.settings.memlock};
  m.drivers_count = topology.drivers_count;
  m.instances_count = topology.instances_count;
  m.devices_count = topology.devices_count;
  for (TableId table = 0; table < kMaxTables; ++table)
    m.table_address[table] = TableAddress(topology, table);
  const bool picky = kernel.has(Rule::kDriverSameInstance);
  for (DriverId d = 0; d < topology.drivers_count; ++d) {
    const Driver& driver = topology.drivers[d];
    m.drivers[d] = {
        .address = topology.ops_address(d),
        .table = driver.table,
        .other_firmware = kernel.has(Rule::kFirmwareDtXorAcpi) && OtherFirmware(topology, driver),
        .same_instance = picky || driver.same_instance,
        .refuses_foreign = picky || driver.refuses_foreign,
        .instance_groups = driver.instance_groups,
        .default_domains = driver.default_domains,
        .coherent = driver.coherent,
        .accepts_foreign = driver.accepts_foreign,
        .deferred = driver.deferred,
        .nesting = driver.nesting,
        .static_identity = driver.static_identity,
        .checks_snoop = driver.checks_snoop && kernel.has(Rule::kDriverSnoopChecked),
        .drops_old = driver.drops_old && !kernel.has(Rule::kDriverAttachKeepsOld),
        .mismatch_errno = kernel.has(Rule::kDriverEinvalOnly) ? uint8_t{0} : driver.mismatch_errno,
    };
  }
  for (InstanceId i = 0; i < topology.instances_count; ++i) {
    const Instance& instance = topology.instances[i];
    m.instances[i] = {instance.driver,
                      instance.fwnode,
                      instance.table,
                      instance.enforces_coherency,
                      instance.isolates_msi,
                      AddressOf(instance.aperture_first),
                      AddressOf(instance.aperture_last + 1) - 1,
                      uint64_t{instance.page_sizes} * kPageSize};
  }
  for (DeviceId d = 0; d < topology.devices_count; ++d) {
    const Device& device = topology.devices[d];
    m.devices[d] = {static_cast<uint8_t>(device.bus),
                    {device.masters[0], device.masters[1]},
                    device.alias,
                    device.slot,
                    device.absent,
                    static_cast<uint8_t>(device.kind),
                    static_cast<uint8_t>(device.default_type),
                    {}};
    for (size_t n = 0; n < kMaxRegions; ++n) {
      const Region& region = device.regions[n];
      m.devices[d].regions[n] = {static_cast<uint8_t>(region.type), AddressOf(region.first),
                                 (region.last - region.first + 1) * kPageSize};
    }
  }
  return m;
}

harness_op OpOf(const Op& op) {
  harness_op out{.kind = static_cast<uint8_t>(op.kind),
                 .a = op.a,
                 .b = op.kind == OpKind::kSetIommu ? TypeOf(static_cast<IommuType>(op.b)) : op.b,
                 .first = op.at.first,
                 .count = op.at.count,
                 .vaddr = op.vaddr,
                 .flags = op.flags,
                 .faults = {}};
  for (size_t i = 0; i < op.faults.size(); ++i) {
    const Fault& fault = op.faults[i];
    out.faults[i] = {static_cast<uint8_t>(fault.kind), fault.target, fault.count, fault.error};
  }
  return out;
}

const char* WhyNotPlayed(const Topology& topology) {
  int smallest = 1;  // the largest of the smallest pages of the IOMMUs
  for (const Instance& i : std::span(topology.instances).first(topology.instances_count))
    smallest = std::max(smallest, 1 << std::countr_zero(i.page_sizes));
  for (const AttributeInfo& attribute : AllAttributes()) {
    if (attribute.played != AttributeInfo::Played::kModelAlone) continue;
    for (int n = 0; n < CountOf(topology, attribute.owner); ++n)
      if (!IsPlain(attribute, EntryOf(topology, attribute.owner, n)))
        return "only the model has such a machine (devices without an IOMMU are group.c's, which "
               "is not built)";
  }
  // iommu_create_device_direct_mappings(): `addr <= end; addr += pg_size` never ends there.
  for (const Device& device : std::span(topology.devices).first(topology.devices_count))
    for (const Region& region : device.regions)
      if ((region.type == Region::Type::kDirect || region.type == Region::Type::kDirectRelaxable) &&
          region.last + 2 * smallest >= kPages)
        return "a direct region at the end of the address space makes the kernel loop";
  return nullptr;
}

const char* WhyNotPlayed(const Op& op, uint32_t features) {
  if (!InfoOf(op.kind).is(OpInfo::kInProcess))
    return "only the model has such an op (group.c's files and resets are not built)";
  switch (op.kind) {
    case OpKind::kAttachPasid:
    case OpKind::kDetachPasid:
      return (features & HARNESS_PASID) != 0 ? nullptr : "the kernel's PASIDs are amd_iommu's";
    case OpKind::kMap:
      return (op.flags & kZeroPage) != 0 ? "there is no zero page" : nullptr;
    default:
      return nullptr;
  }
}

Call CallOf(const harness_call& call) {
  return {.kind = static_cast<Call::Kind>(call.kind),
          .driver = call.kind == HARNESS_ALLOC ? call.driver : kNoId,
          .table = call.table,
          .instance = call.instance,
          .device = call.device,
          .domain = call.domain,
          .error = call.error,
          .pages = {call.first, call.count},
          .pins = call.pins,
          .locked = call.locked};
}

void SetEnd(const Topology& topology, const harness_end& end, Trace& trace) {
  SetSharing(
      topology.devices_count, [&end](int dev) { return end.group[dev]; },
      [&end](int dev) { return end.domain[dev]; }, trace);
  const auto end_of = [&end](int dev) {
    return GroupEnd{.domain = static_cast<int16_t>(end.domain[dev]),
                    .default_domain = static_cast<int16_t>(end.default_domain[dev]),
                    .owner_cnt = static_cast<int16_t>(end.owner_cnt[dev]),
                    .owned = end.owned[dev] != 0};
  };
  trace.has_groups = true;
  SetGroups(topology.devices_count, end_of, trace);
  trace.domains = end.domains;
  trace.warns = end.warns;
  for (const harness_mapped& m : std::span(end.mapped, end.mapped_count))
    trace.mapped.push_back({m.domain, m.pages});
  std::ranges::sort(trace.mapped, {}, &Mapped::domain);
}

}  // namespace iommucheck::conform
