// SPDX-License-Identifier: Apache-2.0
#include "src/conform/harness.h"

#include <dlfcn.h>

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace iommucheck::conform {
namespace {

static_assert(int{HARNESS_DRIVERS} == kMaxDrivers && int{HARNESS_TABLES} == kMaxTables);
static_assert(int{HARNESS_INSTANCES} == kMaxInstances && int{HARNESS_DEVICES} == kMaxDevices);
static_assert(int{HARNESS_CONTAINERS} == kMaxContainers && int{HARNESS_MASTERS} == kMaxMasters);
static_assert(int{HARNESS_FAULTS} == kMaxFaults && int{HARNESS_BUSES} == kBusCount);
static_assert(int{HARNESS_NONE} == kNoId && int{HARNESS_NO_DOMAIN} == Call::kNoDomain);
static_assert(int{HARNESS_UNSET_CONTAINER} == static_cast<int>(OpKind::kUnsetContainer));
static_assert(int{HARNESS_FAIL_PROBE} == static_cast<int>(Fault::Kind::kProbe));
static_assert(int{HARNESS_RELEASE} == static_cast<int>(Call::Kind::kRelease));

bool OtherFirmware(const Topology& topology, const Driver& driver) {
  return driver.firmware != Firmware::kAny && topology.firmware != Firmware::kAny &&
         driver.firmware != topology.firmware;
}

// A driver at another's address has its own table where the other's was.
uint8_t TableAddress(const Topology& topology, TableId table) {
  for (const Driver& driver : topology.drivers)
    if (driver.table == table && driver.address != kNoId &&
        &driver < &topology.drivers[topology.drivers_count])
      return topology.drivers[driver.address].table;
  return table;
}

}  // namespace

harness_machine MachineOf(const Topology& topology, const KernelProfile& kernel) {
  harness_machine m{};
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
    };
  }
  for (InstanceId i = 0; i < topology.instances_count; ++i) {
    const Instance& instance = topology.instances[i];
    m.instances[i] = {instance.driver, instance.fwnode, instance.table,
                      instance.enforces_coherency};
  }
  for (DeviceId d = 0; d < topology.devices_count; ++d) {
    const Device& device = topology.devices[d];
    m.devices[d] = {static_cast<uint8_t>(device.bus),
                    {device.masters[0], device.masters[1]},
                    device.alias,
                    device.slot,
                    device.absent};
  }
  return m;
}

harness_op OpOf(const Op& op) {
  harness_op out{.kind = static_cast<uint8_t>(op.kind), .a = op.a, .b = op.b};
  for (size_t i = 0; i < op.faults.size(); ++i) {
    const Fault& fault = op.faults[i];
    out.faults[i] = {static_cast<uint8_t>(fault.kind), fault.target, fault.count, fault.error};
  }
  return out;
}

Call CallOf(const harness_call& call) {
  return {.kind = static_cast<Call::Kind>(call.kind),
          .driver = call.kind == HARNESS_ALLOC ? call.driver : kNoId,
          .table = call.table,
          .instance = call.instance,
          .device = call.device,
          .domain = call.domain,
          .error = call.error};
}

void SetEnd(const Topology& topology, const harness_end& end, Trace& trace) {
  SetSharing(
      topology.devices_count, [&end](int dev) { return end.group[dev]; },
      [&end](int dev) { return end.domain[dev]; }, trace);
  trace.domains = end.domains;
  trace.warns = end.warns;
}

bool IsTheMachines(const RuleInfo& info) {
  return info.kind == RuleKind::kAssumption || info.rule == Rule::kFirmwareDtXorAcpi;
}

KernelSpec WithAssumptionsOf(KernelSpec built, const KernelSpec& c) {
  for (const RuleInfo& info : AllRules()) {
    if (!IsTheMachines(info)) continue;
    if (c.dropped.has(info.rule)) built.dropped.add(info.rule);
    if (c.added.has(info.rule)) built.added.add(info.rule);
  }
  return built;
}

absl::StatusOr<Harness> Harness::Load(const std::string& library, bool catch_oops) {
  Harness harness;
  harness.path_ = std::filesystem::absolute(library);
  harness.catch_oops_ = catch_oops;
  if (absl::Status s = harness.Open(); !s.ok()) return s;
  harness.name_ = harness.real_->name;
  harness.version_ = harness.FindProfile();
  return harness;
}

absl::Status Harness::Open() {
  // A new load, since the one before may be half-way through anything.
  if (handle_ != nullptr) dlclose(handle_);
  handle_ = dlopen(path_.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle_ == nullptr)
    return absl::InvalidArgumentError(
        absl::StrCat(path_, ": expected a build of ./dev kernel: ", dlerror()));
  const auto open = reinterpret_cast<harness_open_fn>(dlsym(handle_, "harness_open"));
  if (open != nullptr) real_ = open(HARNESS_VERSION, catch_oops_ ? HARNESS_CATCH_OOPS : 0);
  if (real_ == nullptr)
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: expected a harness of version %d, found another; run ./dev kernel",
                        path_, int{HARNESS_VERSION}));
  return absl::OkStatus();
}

KernelVersion Harness::FindProfile() {
  const uint32_t features = real_->features;
  if ((features & HARNESS_BUS_OPS) != 0)
    return (features & HARNESS_REATTACH) != 0 ? KernelVersion::kV6_1_y : KernelVersion::kV6_1;
  if ((features & HARNESS_ALLOC_BY_DEV) == 0) return KernelVersion::kV6_8;
  return (features & HARNESS_DMA_CONFIGURE) != 0 ? KernelVersion::kV7_1 : KernelVersion::kV6_12;
}

std::string Harness::WhyNot(const Case& c) const {
  const harness_machine machine = MachineOf(c.topology, ProfileOf(c.kernel));
  const char* why = real_->fits(&machine);
  return why == nullptr ? "" : why;
}

absl::StatusOr<Harness::Result> Harness::Play(const Case& c, size_t ops, Trace& trace) {
  const harness& real = *real_;
  const harness_machine machine = MachineOf(c.topology, ProfileOf(c.kernel));
  trace.Clear();
  Result result;
  real.begin(&machine);
  bool oops = false;
  uint32_t count = 0;
  for (size_t i = 0; i < ops && !oops; ++i) {
    const harness_op op = OpOf(c.ops[i].op);
    const int error = real.op(&op);
    if (error == HARNESS_NOT_POSSIBLE) break;
    oops = error == HARNESS_OOPS;
    real.calls(&count);
    trace.steps.push_back({oops ? -EFAULT : error, count});
  }
  const harness_call* calls = real.calls(&count);
  for (const harness_call& call : std::span(calls, count)) trace.calls.push_back(CallOf(call));
  if (oops) {
    trace.calls.push_back({.kind = Call::Kind::kOops});
    trace.steps.back().calls_end = static_cast<uint32_t>(trace.calls.size());
  } else {
    harness_end end{};
    real.end(&end);
    SetEnd(c.topology, end, trace);
  }
  const harness_warn* warns = real.warns(&count);
  for (const harness_warn& warn : std::span(warns, count))
    result.warns.push_back(absl::StrFormat("%s(), %s:%d", warn.function, warn.file, warn.line));

  harness_leaks leaks{};
  if (!oops && real.finish(&leaks) == HARNESS_OOPS) {
    result.leaks.emplace_back("the teardown dereferences a wild pointer");
    oops = true;
  }
  if (oops) {
    if (absl::Status s = Open(); !s.ok()) return s;
    return result;
  }
  const auto leak = [&result](int left, const char* what) {
    if (left != 0) result.leaks.push_back(absl::StrFormat("%d %s", left, what));
  };
  leak(leaks.domains, "domains");
  leak(leaks.objects, "heap objects");
  leak(leaks.locks, "locks");
  return result;
}

}  // namespace iommucheck::conform
