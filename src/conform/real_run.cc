// SPDX-License-Identifier: Apache-2.0
#include "src/conform/real_run.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "model/attributes.h"
#include "model/state.h"
#include "src/conform/machine_rules.h"

namespace iommucheck::conform {
namespace {

static_assert(int{HARNESS_DRIVERS} == kMaxDrivers && int{HARNESS_TABLES} == kMaxTables);
static_assert(int{HARNESS_INSTANCES} == kMaxInstances && int{HARNESS_DEVICES} == kMaxDevices);
static_assert(int{HARNESS_CONTAINERS} == kMaxContainers && int{HARNESS_MASTERS} == kMaxMasters);
static_assert(int{HARNESS_FAULTS} == kMaxFaults && int{HARNESS_BUSES} == kBusCount);
static_assert(int{HARNESS_NONE} == kNoId && int{HARNESS_NO_DOMAIN} == Call::kNoDomain);
static_assert(int{HARNESS_REGIONS} == kMaxRegions && int{HARNESS_PAGES} == kPages);
static_assert(int{HARNESS_DOMAINS} == kMaxDomains && int{HARNESS_NONE} == kNoLimit);
static_assert(int{HARNESS_RESET_DONE} == static_cast<int>(OpKind::kResetDone));
static_assert(int{HARNESS_FAIL_ATTACH_CALL} == static_cast<int>(Fault::Kind::kAttachCall));
static_assert(int{HARNESS_HELD} == static_cast<int>(Call::Kind::kHeld));
static_assert(int{HARNESS_SW_MSI} == static_cast<int>(Region::Type::kSwMsi));
static_assert(int{HARNESS_MDEV} == static_cast<int>(DeviceKind::kEmulated));
static_assert(int{HARNESS_NOIOMMU} == static_cast<int>(DeviceKind::kNoIommu));
static_assert(int{HARNESS_TYPE_DMA} == static_cast<int>(DefaultType::kDma));
static_assert(int{HARNESS_DEVICE_TREE} == static_cast<int>(Firmware::kDt));
static_assert(int{HARNESS_UNPRIVILEGED} == kUnprivileged);
static_assert(int{HARNESS_CLAIM_STORE} == static_cast<int>(Claim::kStore));
static_assert(int{HARNESS_READ} == kRead && int{HARNESS_WRITE} == kWrite);
static_assert(int{HARNESS_VADDR} == kVaddr && int{HARNESS_ALL} == kAll);

// The table of a driver at another's address lies where the other's table was.
uint8_t TableAddress(const Topology& topology, TableId table) {
  for (const Driver& driver : topology.drivers)
    if (driver.table == table && driver.address != kNoId &&
        &driver < &topology.drivers[topology.drivers_count])
      return topology.drivers[driver.address].table;
  return table;
}

// The numbers of the IommuTypes in include/uapi/linux/vfio.h; the kernel has no type 99.
constexpr std::array<uint8_t, kIommuTypeCount> kVfioTypes = {3, 1, 6, 8, 99};
static_assert(kVfioTypes[static_cast<size_t>(IommuType::kUnknownIommu)] == 99);

constexpr uint64_t kPageSize = 4096;

uint64_t AddressOf(int page) { return HARNESS_PAGE_0 + static_cast<uint64_t>(page) * kPageSize; }

harness_op OpOf(const Op& op) {
  harness_op out{.kind = static_cast<uint8_t>(op.kind),
                 .a = op.a,
                 .b = op.kind == OpKind::kSetIommu ? kVfioTypes[op.b] : op.b,
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

Call CallOf(const harness_call& call) {
  return {.kind = static_cast<Call::Kind>(call.kind),
          .driver = call.driver,
          .table = call.table,
          .instance = call.instance,
          .device = call.device,
          .domain = call.domain,
          .error = call.error,
          .pages = {call.first, call.count},
          .pins = call.pins,
          .locked = call.locked};
}

// The unmaps of an op in the order of their addresses, as a kernel makes them that walks its
// mappings: calls that then lie side by side are one.
void SortUnmaps(std::vector<Call>& calls, size_t begin) {
  const auto of_unmap = [](const Call& call) { return call.kind == Call::Kind::kUnmap; };
  const auto first =
      std::find_if(calls.begin() + static_cast<std::ptrdiff_t>(begin), calls.end(), of_unmap);
  const auto last = std::find_if_not(first, calls.end(), of_unmap);
  // By insertion, which keeps the order of the domains and allocates nothing.
  const auto is_before = [](const Call& a, const Call& b) { return a.pages.first < b.pages.first; };
  for (auto it = first; it != last; ++it)
    std::rotate(std::upper_bound(first, it, *it, is_before), it, it + 1);
  auto kept = first;
  for (auto it = first; it != last; ++it) {
    if (kept != first && (kept - 1)->domain == it->domain &&
        (kept - 1)->pages.first + (kept - 1)->pages.count == it->pages.first)
      (kept - 1)->pages.count = static_cast<uint8_t>((kept - 1)->pages.count + it->pages.count);
    else
      *kept++ = *it;
  }
  calls.erase(kept, last);
}

}  // namespace

harness_machine MachineOf(const Topology& topology, const KernelProfile& kernel) {
  harness_machine m{};
  m.settings = {.passthrough = topology.settings.passthrough,
                .unsafe_interrupts = topology.settings.unsafe_interrupts,
                .dma_entries = topology.settings.dma_entries,
                .memlock = topology.settings.memlock};
  m.firmware = static_cast<uint8_t>(topology.firmware);
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
        .other_firmware =
            kernel.has(Rule::kFirmwareDtXorAcpi) && IsOfOtherFirmware(topology, driver),
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
        .claims_once = driver.claims_once,
        .unwinds = driver.unwinds,
        .clears = driver.clears,
    };
    for (int n = 0; n < kBusCount; ++n) {
      m.drivers[d].claims[n] = static_cast<uint8_t>(driver.claims[n]);
      m.drivers[d].claim_order[n] = static_cast<uint8_t>(driver.claim_order[n]);
    }
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
                    static_cast<uint8_t>(device.bridge),
                    device.below,
                    device.acs,
                    device.absent,
                    static_cast<uint8_t>(device.kind),
                    static_cast<uint8_t>(device.default_type),
                    device.ats,
                    {}};
    for (size_t n = 0; n < kMaxRegions; ++n) {
      const Region& region = device.regions[n];
      m.devices[d].regions[n] = {static_cast<uint8_t>(region.type), AddressOf(region.first),
                                 (region.last - region.first + 1) * kPageSize};
    }
  }
  return m;
}

const char* WhyNotPlayed(const Topology& topology) {
  int smallest = 1;  // the largest of the smallest pages of the IOMMUs
  for (const Instance& i : std::span(topology.instances).first(topology.instances_count))
    smallest = std::max(smallest, 1 << std::countr_zero(i.page_sizes));
  for (const AttributeInfo& attribute : AllAttributes()) {
    if (attribute.played != AttributeInfo::Played::kModelAlone) continue;
    for (int n = 0; n < CountOf(topology, attribute.owner); ++n)
      if (!IsPlain(attribute, EntryOf(topology, attribute.owner, n)))
        return "only the model has such a machine";
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
  if (!InfoOf(op.kind).is(OpInfo::kInProcess)) return "only the model has such an op";
  switch (op.kind) {
    case OpKind::kAttachPasid:
    case OpKind::kDetachPasid:
      return (features & HARNESS_PASID) != 0 ? nullptr : "the kernel's PASIDs are amd_iommu's";
    case OpKind::kReset:
    case OpKind::kResetDone:
      return (features & HARNESS_RESETS) != 0 ? nullptr : "the kernel's resets leave IOMMUs alone";
    default:
      return nullptr;
  }
}

void RealRun::Begin(const harness& real, const Topology& topology, const KernelProfile& kernel,
                    Trace& trace) {
  real_ = &real;
  topology_ = &topology;
  trace_ = &trace;
  cross_driver_ = false;
  seen_ = 0;
  unmaps_in_order_ = kernel.has(Rule::kType1UnmapInOrder);
  trace.Clear();
  trace.has_mapped = trace.has_groups = true;
  const harness_machine machine = MachineOf(topology, kernel);
  real.begin(&machine);
}

RealRun::Outcome RealRun::Take(const Op& op) {
  const harness_op given = OpOf(op);
  const int error = real_->op(&given);
  if (error == HARNESS_NOT_POSSIBLE) return Outcome::kNotPossible;
  uint32_t count = 0;
  const harness_call* calls = real_->calls(&count);
  // Only the last op can oops, and the harness reports this without a call.
  const size_t begin = trace_->calls.size();
  for (const harness_call& call : std::span(calls, count).subspan(std::exchange(seen_, count))) {
    trace_->calls.push_back(CallOf(call));
    cross_driver_ |= call.kind == HARNESS_ATTACH && call.error == 0 && call.foreign != 0;
  }
  if (op.kind == OpKind::kUnmap && !unmaps_in_order_) SortUnmaps(trace_->calls, begin);
  const bool oops = error == HARNESS_OOPS;
  if (oops) trace_->calls.push_back({.kind = Call::Kind::kOops});
  trace_->steps.push_back({oops ? -EFAULT : error, static_cast<uint32_t>(trace_->calls.size())});
  return oops ? Outcome::kOops : Outcome::kDone;
}

void RealRun::End() {
  harness_end end{};
  real_->end(&end);
  std::array<DeviceEnd, kMaxDevices> devices;
  for (int dev = 0; dev < topology_->devices_count; ++dev)
    devices[dev] = {end.group[dev],
                    {.domain = static_cast<int16_t>(end.domain[dev]),
                     .default_domain = static_cast<int16_t>(end.default_domain[dev]),
                     .owner_cnt = static_cast<int16_t>(end.owner_cnt[dev]),
                     .owned = end.owned[dev] != 0}};
  SetGroups(std::span(devices).first(topology_->devices_count), *trace_);
  trace_->domains = end.domains;
  trace_->warns = end.warns;
  for (const harness_mapped& m : std::span(end.mapped, end.mapped_count))
    trace_->mapped.push_back({m.domain, m.pages});
  std::ranges::sort(trace_->mapped, {}, &Mapped::domain);
}

}  // namespace iommucheck::conform
