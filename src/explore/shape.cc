// SPDX-License-Identifier: Apache-2.0
#include "src/explore/shape.h"

#include <algorithm>

namespace iommucheck::explore {
namespace {

constexpr auto kPlatform = static_cast<size_t>(Bus::kPlatform);
constexpr auto kPci = static_cast<size_t>(Bus::kPci);

bool IsRegistered(const State& state, InstanceId instance) {
  const auto* const end = state.registered.begin() + state.registered_count;
  return std::find(state.registered.begin(), end, instance) != end;
}

}  // namespace

void Decide(const Shape& shape, size_t open, uint8_t value, Topology& t) {
  const Open& o = shape.open[open];
  const bool set = value != 0;
  switch (o.what) {
    case Attribute::kClaims:
      t.drivers[o.of].claims[kPlatform] = static_cast<Claim>(value / 6);
      t.drivers[o.of].claims[kPci] = static_cast<Claim>(value % 6);
      return;
    case Attribute::kClaimsOnce:
      t.drivers[o.of].claims_once = set;
      return;
    case Attribute::kUnwinds:
      t.drivers[o.of].unwinds = set;
      return;
    case Attribute::kClears:
      t.drivers[o.of].clears = set;
      return;
    case Attribute::kNoDefaultDomain:
      t.drivers[o.of].default_domains = !set;
      return;
    case Attribute::kInstanceGroups:
      t.drivers[o.of].instance_groups = set;
      return;
    case Attribute::kNotCoherent:
      t.drivers[o.of].coherent = !set;
      return;
    case Attribute::kFwnode:
      t.instances[o.of].fwnode = set;
      return;
    case Attribute::kOwnTable: {
      Instance& instance = t.instances[o.of];
      instance.table = set ? shape.extra_table : t.drivers[instance.driver].table;
      return;
    }
    case Attribute::kNotEnforcing:
      t.instances[o.of].enforces_coherency = !set;
      return;
  }
}

bool Allowed(const Shape& shape, const KernelProfile& kernel, const Topology& t,
             const Values& values) {
  std::array<unsigned, kMaxDrivers> claimed;  // bit per bus
  claimed.fill(~0U);
  unsigned own_table = 0;  // bit per driver
  for (size_t i = 0; i < shape.open.size(); ++i) {
    const Open& open = shape.open[i];
    if (values[i] == 0) continue;
    if (open.what == Attribute::kOwnTable && values[i] > 1)
      own_table |= 1U << t.instances[open.of].driver;
    if (open.what != Attribute::kClaims) continue;
    const auto& claims = t.drivers[open.of].claims;
    claimed[open.of] = (claims[kPlatform] != Claim::kNone ? 1U : 0U) |
                       (claims[kPci] != Claim::kNone ? 2U : 0U);
  }
  if (kernel.has(Rule::kAssumeTablesNotShared) && (own_table & (own_table - 1)) != 0) return false;
  if (!kernel.has(Rule::kAssumeDriversCompeteForABus)) return true;
  for (DriverId a = 0; a < t.drivers_count; ++a)
    for (DriverId b = 0; b < a; ++b)
      if ((claimed[a] & claimed[b]) == 0) return false;
  return true;
}

// One question. What it asks for comes in the order in which the kernel asks, so that an answer
// can make the rest needless.
struct Reads::Asker {
  const Reads& reads;
  const KernelProfile& kernel;
  const Topology& t;
  const State& state;
  const Values& values;
  std::optional<size_t> found{};

  // True: the attribute is decided, or not open.
  bool Ask(Attribute what, uint8_t of) {
    if (found) return false;
    const uint8_t index = reads.index_[static_cast<size_t>(what)][of];
    if (index == kNoId || values[index] != 0) return true;
    found = index;
    return false;
  }
  [[nodiscard]] bool bus_slots() const { return kernel.era == Era::kBusSlots; }

  // probe_device() of the driver may take a device, and its device_group() be called.
  void AskProbeBy(DriverId driver) {
    bool serves = t.drivers[driver].accepts_foreign;
    for (DeviceId d = 0; d < t.devices_count; ++d)
      for (InstanceId m : t.devices[d].masters)
        serves |= m != kNoId && t.instances[m].driver == driver;
    if (!serves) return;
    Ask(Attribute::kInstanceGroups, driver);
    if (kernel.era != Era::kFwnode) Ask(Attribute::kNoDefaultDomain, driver);
  }
  void AskProbeByAnyRegistered() {
    for (uint8_t n = 0; n < state.registered_count; ++n)
      AskProbeBy(t.instances[state.registered[n]].driver);
  }

  void AskRegister(InstanceId instance) {
    const DriverId driver = t.instances[instance].driver;
    if (kernel.era == Era::kFwnode) {
      Ask(Attribute::kFwnode, instance);
      AskProbeBy(driver);
      return AskProbeByAnyRegistered();
    }
    if (!bus_slots()) return AskProbeBy(driver);
    if (reads.two_instances_ && Ask(Attribute::kClaimsOnce, driver) &&
        t.drivers[driver].claims_once && OthersMissing(instance))
      return;
    if (!Ask(Attribute::kClaims, driver)) return;
    const auto& claims = t.drivers[driver].claims;
    if (claims[kPlatform] != Claim::kNone && MayFail(driver)) Ask(Attribute::kUnwinds, driver);
    if (Walks(driver, kPlatform) || Walks(driver, kPci)) AskProbeBy(driver);
  }
  [[nodiscard]] bool OthersMissing(InstanceId instance) const {
    for (InstanceId i = 0; i < t.instances_count; ++i)
      if (i != instance && t.instances[i].driver == t.instances[instance].driver &&
          !IsRegistered(state, i))
        return true;
    return false;
  }
  [[nodiscard]] bool Taken(size_t bus) const {
    return state.bus_ops[bus] != kNoId && kernel.has(Rule::kBusOneOps);
  }
  [[nodiscard]] bool Walks(DriverId driver, size_t bus) const {
    const Claim claim = t.drivers[driver].claims[bus];
    return claim != Claim::kNone && claim != Claim::kStore && !Taken(bus);
  }
  // The claim of pci, the second one, may give an error.
  [[nodiscard]] bool MayFail(DriverId driver) const {
    const Claim claim = t.drivers[driver].claims[kPci];
    if (claim != Claim::kStrict && claim != Claim::kOwnOk && claim != Claim::kSkip) return false;
    const bool attach_fails = kernel.has(Rule::kCoreOwnerEvery) ||
                              kernel.has(Rule::kDriverSameInstance);
    return Taken(kPci) || attach_fails;
  }

  void AskUnregister(InstanceId instance) {
    const DriverId driver = t.instances[instance].driver;
    if (bus_slots() && Ask(Attribute::kClears, driver) && t.drivers[driver].clears)
      Ask(Attribute::kClaims, driver);
  }
  void AskProbe(DeviceId dev) {
    if (kernel.era == Era::kFwnode) return AskProbeByAnyRegistered();
    const DriverId slot = state.bus_ops[static_cast<size_t>(t.devices[dev].bus)];
    if (slot != kNoId) AskProbeBy(slot);
  }

  void AskSetContainer(GroupId group) {
    if (state.groups[group].container != kNoId && !kernel.has(Rule::kVfioCacheCoherency)) return;
    if (kernel.has(Rule::kVfioCacheCoherency))
      for (DeviceId d = state.groups[group].devices; d != kNoId; d = state.devices[d].next) {
        const DriverId driver = t.instances[state.devices[d].instance].driver;
        if (!Ask(Attribute::kNotCoherent, driver) || t.drivers[driver].coherent) break;
      }
    if (state.containers[0].iommu) AskType1Attach(group);
  }
  void AskType1Attach(GroupId group) {
    for (DeviceId d = state.groups[group].devices; d != kNoId; d = state.devices[d].next) {
      Ask(Attribute::kOwnTable, state.devices[d].instance);
      Ask(Attribute::kNotEnforcing, state.devices[d].instance);
    }
    // Without type1.enforce_coherency: the driver that the bus of the first device has.
    if (kernel.has(Rule::kType1EnforceCoherency)) return;
    for (DriverId driver = 0; driver < t.drivers_count; ++driver)
      if (std::ranges::find(state.bus_ops, driver) != state.bus_ops.end() || Serves(driver))
        Ask(Attribute::kNotCoherent, driver);
  }
  [[nodiscard]] bool Serves(DriverId driver) const {
    return std::any_of(state.devices.begin(), state.devices.begin() + t.devices_count,
                       [&](const DeviceState& d) {
                         return d.instance != kNoId && t.instances[d.instance].driver == driver;
                       });
  }
};

Reads::Reads(const KernelProfile& kernel, const Shape& shape)
    : kernel_(kernel),
      has_open_(!shape.open.empty()),
      two_instances_(shape.topology.instances_count > shape.topology.drivers_count) {
  for (auto& row : index_) row.fill(kNoId);
  for (size_t i = 0; i < shape.open.size(); ++i)
    index_[static_cast<size_t>(shape.open[i].what)][shape.open[i].of] = static_cast<uint8_t>(i);
}

std::optional<size_t> Reads::FirstUndecided(const Topology& topology, const Op& op,
                                            const State& state, const Values& values) const {
  if (!has_open_) return std::nullopt;
  Asker asker{
      .reads = *this, .kernel = kernel_, .t = topology, .state = state, .values = values};
  switch (op.kind) {
    case OpKind::kRegister:
      asker.AskRegister(op.a);
      break;
    case OpKind::kUnregister:
      asker.AskUnregister(op.a);
      break;
    case OpKind::kAdd:
    case OpKind::kConfigure:
      asker.AskProbe(op.a);
      break;
    case OpKind::kSetContainer:
      asker.AskSetContainer(op.a);
      break;
    case OpKind::kSetIommu:
      for (GroupId g = state.containers[0].groups; g != kNoId;
           g = state.groups[g].next_in_container)
        asker.AskType1Attach(g);
      break;
    case OpKind::kRemove:
    case OpKind::kUnsetContainer:
      break;
  }
  return asker.found;
}

}  // namespace iommucheck::explore
