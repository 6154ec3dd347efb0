// SPDX-License-Identifier: Apache-2.0
#include "src/explore/shape.h"

#include <algorithm>

#include "src/explore/list_ops.h"

namespace iommucheck::explore {
namespace {

constexpr auto kPlatform = static_cast<size_t>(Bus::kPlatform);
constexpr auto kPci = static_cast<size_t>(Bus::kPci);

constexpr uint8_t ClaimBit(Claim claim) {
  return static_cast<uint8_t>(1U << static_cast<unsigned>(claim));
}

// Of a claim that is open.
constexpr uint8_t kNone = ClaimBit(Claim::kNone);
constexpr uint8_t kStrict = ClaimBit(Claim::kStrict);
constexpr uint8_t kOwnOk = ClaimBit(Claim::kOwnOk);
constexpr uint8_t kSkip = ClaimBit(Claim::kSkip);
constexpr uint8_t kIgnore = ClaimBit(Claim::kIgnore);
constexpr uint8_t kStore = ClaimBit(Claim::kStore);

Claim PlainestClaim(uint8_t values) {
  for (Claim claim : {Claim::kStrict, Claim::kNone, Claim::kOwnOk, Claim::kSkip, Claim::kIgnore})
    if ((values & ClaimBit(claim)) != 0) return claim;
  return Claim::kStore;
}

}  // namespace

Values AllValues(const Shape& shape) {
  Values values{};
  for (size_t i = 0; i < shape.open.size(); ++i)
    values[i] = static_cast<uint8_t>((1U << shape.open[i].values) - 1U);
  return values;
}

void Decide(const Shape& shape, size_t open, uint8_t values, Topology& t) {
  const OpenAttribute& o = shape.open[open];
  const bool set = (values & 1U) == 0;
  // In the order of Attribute. The shape has the plain values.
  constexpr std::array kDriverFlags = {&Driver::claims_once,     &Driver::unwinds,
                                       &Driver::clears,          &Driver::default_domains,
                                       &Driver::instance_groups, &Driver::coherent};
  switch (o.attribute) {
    case Attribute::kClaimPlatform:
      t.drivers[o.owner].claims[kPlatform] = PlainestClaim(values);
      return;
    case Attribute::kClaimPci:
      t.drivers[o.owner].claims[kPci] = PlainestClaim(values);
      return;
    case Attribute::kFwnode:
      t.instances[o.owner].fwnode = set;
      return;
    case Attribute::kOwnTable: {
      Instance& instance = t.instances[o.owner];
      instance.table = set ? shape.extra_table : t.drivers[instance.driver].table;
      return;
    }
    case Attribute::kNotEnforcing:
      t.instances[o.owner].enforces_coherency = !set;
      return;
    default: {
      const auto flag = kDriverFlags[static_cast<size_t>(o.attribute) -
                                     static_cast<size_t>(Attribute::kClaimsOnce)];
      t.drivers[o.owner].*flag = shape.topology.drivers[o.owner].*flag != set;
    }
  }
}

bool Allowed(const Shape& shape, const KernelProfile& kernel, const Values& values) {
  std::array<unsigned, kMaxDrivers> may_claim;  // bit per bus
  may_claim.fill(0);
  unsigned own_table = 0;  // bit per driver
  bool any_claims = false;
  for (size_t i = 0; i < shape.open.size(); ++i) {
    const OpenAttribute& open = shape.open[i];
    if (open.attribute == Attribute::kOwnTable && values[i] == 2)
      own_table |= 1U << shape.topology.instances[open.owner].driver;
    const bool platform = open.attribute == Attribute::kClaimPlatform;
    if (!platform && open.attribute != Attribute::kClaimPci) continue;
    any_claims = true;
    if (values[i] != kNone) may_claim[open.owner] |= platform ? 1U : 2U;
  }
  if (kernel.has(Rule::kAssumeTablesNotShared) && (own_table & (own_table - 1)) != 0) return false;
  if (!any_claims || !kernel.has(Rule::kAssumeDriversCompeteForABus)) return true;
  for (DriverId a = 0; a < shape.topology.drivers_count; ++a)
    for (DriverId b = 0; b < a; ++b)
      if ((may_claim[a] & may_claim[b]) == 0) return false;
  return true;
}

// Looks for the first read of one op. It goes through what the op reads in the order in which the
// kernel does, so that a value that is decided can make the rest needless.
struct Reads::Finder {
  const Reads& reads;
  const KernelProfile& kernel;
  const Topology& t;
  const State& state;
  const Values& values;
  std::optional<Read> found{};

  // The op reads the attribute. True: the values left are of one class, or it is not open.
  bool ReadAttribute(Attribute what, uint8_t of, const std::array<uint8_t, 6>& classes = {1, 2}) {
    if (found) return false;
    const uint8_t index = reads.index_[static_cast<size_t>(what)][of];
    if (index == kNoId) return true;
    for (const uint8_t c : classes)
      if ((values[index] & c) == values[index]) return true;
    found = Read{index, classes};
    return false;
  }
  [[nodiscard]] bool bus_slots() const { return kernel.era == Era::kBusSlots; }

  // probe_device() of the driver may take the device, so that its device_group() is called.
  // `joins`: an instance that is about to register.
  void ReadProbe(DeviceId dev, DriverId driver, InstanceId joins = kNoId) {
    if (state.devices[dev].group != kNoId) return;
    bool takes = t.drivers[driver].accepts_foreign;
    for (InstanceId m : t.devices[dev].masters)
      takes |=
          m != kNoId && t.instances[m].driver == driver && (m == joins || IsRegistered(state, m));
    if (!takes) return;
    ReadAttribute(Attribute::kInstanceGroups, driver);
    if (kernel.era != Era::kFwnode) ReadAttribute(Attribute::kNoDefaultDomain, driver);
    // iommu_setup_default_domain() of 6.6 asks the slot of the bus of the group's first device.
    if (kernel.era == Era::kGroupSetup)
      for (const DriverId slot : state.bus_ops)
        if (slot != kNoId) ReadAttribute(Attribute::kNoDefaultDomain, slot);
  }
  void ReadWalk(Bus bus, DriverId driver, InstanceId joins) {
    for (DeviceId d = 0; d < t.devices_count; ++d)
      if (t.devices[d].bus == bus && state.devices[d].present) ReadProbe(d, driver, joins);
  }
  void ReadProbeByAny(DeviceId dev, InstanceId joins = kNoId) {
    if (joins != kNoId) ReadProbe(dev, t.instances[joins].driver, joins);
    for (uint8_t n = 0; n < state.registered_count; ++n)
      ReadProbe(dev, t.instances[state.registered[n]].driver, joins);
  }

  void ReadRegister(InstanceId instance) {
    const DriverId driver = t.instances[instance].driver;
    if (kernel.era == Era::kFwnode) {
      ReadAttribute(Attribute::kFwnode, instance);
      for (DeviceId d = 0; d < t.devices_count; ++d)
        if (state.devices[d].present) ReadProbeByAny(d, instance);
      return;
    }
    if (!bus_slots()) {
      ReadWalk(Bus::kPlatform, driver, instance);
      return ReadWalk(Bus::kPci, driver, instance);
    }
    if (reads.two_instances_ && ReadAttribute(Attribute::kClaimsOnce, driver) &&
        t.drivers[driver].claims_once && OthersMissing(instance))
      return;
    if (ReadClaim(Bus::kPlatform, instance)) ReadClaim(Bus::kPci, instance);
  }
  [[nodiscard]] bool OthersMissing(InstanceId instance) const {
    bool missing = false;
    for (InstanceId i = 0; i < t.instances_count; ++i)
      missing |= i != instance && t.instances[i].driver == t.instances[instance].driver &&
                 !IsRegistered(state, i);
    return missing;
  }
  // False: the claim surely fails, and is the last.
  bool ReadClaim(Bus bus, InstanceId instance) {
    const DriverId driver = t.instances[instance].driver;
    const auto b = static_cast<size_t>(bus);
    DriverId slot = state.bus_ops[b];
    // A slot with ops at the driver's address is the driver's once it is loaded.
    if (slot != kNoId && t.ops_address(slot) == t.ops_address(driver)) slot = driver;
    if (!ReadAttribute(bus == Bus::kPci ? Attribute::kClaimPci : Attribute::kClaimPlatform, driver,
                       ClaimClasses(slot, driver)))
      return false;
    const Claim claim = t.drivers[driver].claims[b];
    const bool sets = claim == Claim::kStrict || claim == Claim::kIgnore ||
                      (claim == Claim::kOwnOk && slot != driver) ||
                      (claim == Claim::kSkip && slot == kNoId);
    const bool refused = slot != kNoId && kernel.has(Rule::kBusOneOps);
    const bool fails = sets && refused && claim != Claim::kIgnore;
    if (sets && !refused) ReadWalk(bus, driver, instance);
    if (claim == Claim::kStore) ReadWalk(bus, driver, instance);
    if (bus == Bus::kPci && t.drivers[driver].claims[kPlatform] != Claim::kNone &&
        (fails || (sets && AttachFails())))
      ReadAttribute(Attribute::kUnwinds, driver);
    return !fails;
  }
  // attach_dev may fail, and so may a walk.
  [[nodiscard]] bool AttachFails() const {
    return kernel.has(Rule::kCoreOwnerEvery) || kernel.has(Rule::kDriverSameInstance);
  }
  // The claims of a bus with this slot that do the same.
  [[nodiscard]] std::array<uint8_t, 6> ClaimClasses(DriverId slot, DriverId driver) const {
    if (slot == kNoId) {
      if (AttachFails()) return {kNone, kStrict | kOwnOk | kSkip, kIgnore, kStore};
      return {kNone, kStrict | kOwnOk | kSkip | kIgnore, kStore};
    }
    if (!kernel.has(Rule::kBusOneOps)) return {kNone, kStrict, kOwnOk, kSkip, kIgnore, kStore};
    if (slot == driver) return {kNone, kStrict, kOwnOk | kSkip | kIgnore, kStore};
    return {kNone, kStrict | kOwnOk, kSkip | kIgnore, kStore};
  }

  void ReadUnregister(InstanceId instance) {
    const DriverId driver = t.instances[instance].driver;
    for (DeviceId d = 0; d < t.devices_count && !bus_slots(); ++d)
      if (state.devices[d].instance == instance) ReadRelease(d);
    if (!bus_slots() || !ReadAttribute(Attribute::kClears, driver) || !t.drivers[driver].clears)
      return;
    constexpr uint8_t kAny = 0x3f & ~kNone;
    ReadAttribute(Attribute::kClaimPlatform, driver, {kNone, kAny});
    ReadAttribute(Attribute::kClaimPci, driver, {kNone, kAny});
  }
  void ReadHotplug(DeviceId dev) {
    if (kernel.era == Era::kFwnode) return ReadProbeByAny(dev);
    const DriverId slot = state.bus_ops[static_cast<size_t>(t.devices[dev].bus)];
    if (slot != kNoId) ReadProbe(dev, slot);
  }

  // The driver that VFIO asks for the cache coherency of a device that is served; kNoId: none.
  [[nodiscard]] DriverId AskedFor(DeviceId dev) const {
    return kernel.has(Rule::kVfioCoherencyOfBus)
               ? state.bus_ops[static_cast<size_t>(t.devices[dev].bus)]
               : t.instances[state.devices[dev].instance].driver;
  }
  // Whether VFIO has a device of a group in a container that its IOMMU lets go.
  void ReadRelease(DeviceId dev) {
    const GroupId group = state.devices[dev].group;
    if (state.groups[group].container == kNoId || !kernel.has(Rule::kVfioCacheCoherency)) return;
    if (const DriverId driver = AskedFor(dev); driver != kNoId)
      ReadAttribute(Attribute::kNotCoherent, driver);
  }
  // Whether the device is the last that VFIO has in its group: it has those of coherent drivers.
  void ReadRemove(DeviceId dev) {
    const DeviceState& device = state.devices[dev];
    const GroupId group = device.vfio_in == kNoId ? device.group : device.vfio_in;
    if (group == kNoId || state.groups[group].container == kNoId) return;
    if (!kernel.has(Rule::kVfioLeaveOnLast) && !kernel.has(Rule::kVfioWaitOnLast)) return;
    if (!kernel.has(Rule::kVfioCacheCoherency)) return;
    for (DeviceId d = state.groups[group].devices; d != kNoId; d = state.devices[d].next)
      if (const DriverId driver = AskedFor(d); driver != kNoId)
        ReadAttribute(Attribute::kNotCoherent, driver);
  }
  void ReadSetContainer(GroupId group, ContainerId container) {
    if (state.groups[group].container != kNoId) return;
    if (kernel.has(Rule::kVfioCacheCoherency))
      for (DeviceId d = state.groups[group].devices; d != kNoId; d = state.devices[d].next) {
        const DriverId driver = AskedFor(d);
        if (driver == kNoId) continue;
        if (!ReadAttribute(Attribute::kNotCoherent, driver) || t.drivers[driver].coherent) break;
      }
    if (state.containers[container].iommu) ReadType1Attach(group);
  }
  void ReadType1Attach(GroupId group) {
    for (DeviceId d = state.groups[group].devices; d != kNoId; d = state.devices[d].next) {
      ReadAttribute(Attribute::kOwnTable, state.devices[d].instance);
      ReadAttribute(Attribute::kNotEnforcing, state.devices[d].instance);
    }
    // Without type1.enforce_coherency: the driver that the bus of the first device has.
    if (kernel.has(Rule::kType1EnforceCoherency)) return;
    for (DriverId driver = 0; driver < t.drivers_count; ++driver)
      if (std::ranges::find(state.bus_ops, driver) != state.bus_ops.end() || Serves(driver))
        ReadAttribute(Attribute::kNotCoherent, driver);
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
    index_[static_cast<size_t>(shape.open[i].attribute)][shape.open[i].owner] =
        static_cast<uint8_t>(i);
}

std::optional<Read> Reads::First(const Topology& topology, const Op& op, const State& state,
                                 const Values& values) const {
  if (!has_open_) return std::nullopt;
  Finder finder{.reads = *this, .kernel = kernel_, .t = topology, .state = state, .values = values};
  // Every step may end with VFIO's driver asking for a device of a group in a container.
  if (kernel_.has(Rule::kVfioCoherencyOfBus))
    for (DriverId driver = 0; driver < topology.drivers_count; ++driver)
      finder.ReadAttribute(Attribute::kNotCoherent, driver);
  switch (op.kind) {
    case OpKind::kRegister:
      finder.ReadRegister(op.a);
      break;
    case OpKind::kUnregister:
      finder.ReadUnregister(op.a);
      break;
    case OpKind::kAdd:
    case OpKind::kConfigure:
      finder.ReadHotplug(op.a);
      break;
    case OpKind::kRemove:
      finder.ReadRemove(op.a);
      break;
    case OpKind::kSetContainer:
      finder.ReadSetContainer(op.a, op.b);
      break;
    case OpKind::kSetIommu:
      for (GroupId g = state.containers[op.a].groups; g != kNoId;
           g = state.groups[g].next_in_container)
        finder.ReadType1Attach(g);
      break;
    default:
      break;
  }
  return finder.found;
}

}  // namespace iommucheck::explore
