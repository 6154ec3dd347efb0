// SPDX-License-Identifier: Apache-2.0
#include "src/explore/packer.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <optional>

namespace iommucheck::explore {
namespace {

// Which of its masters a device's fwspec or instance is.
unsigned MasterCode(const Device& device, InstanceId instance) {
  if (instance == kNoId) return 0;
  return device.masters[0] == instance ? 1U : 2U;
}

// Counts of references are not packed, since they follow from the rest.
void CountReferences(State& state, uint8_t devices) {
  for (DeviceId d = 0; d < devices; ++d)
    if (const DomainId hw = state.devices[d].hw; hw != kNoId) ++state.domains[hw].refs;
  for (GroupId g = 0; g < state.groups_end; ++g)
    if (const DomainId on = state.groups[g].domain; on != kNoId) ++state.domains[on].refs;
}

uint64_t Bit(DeviceId device) { return uint64_t{1} << device; }

unsigned Registered(const State& state) {
  unsigned registered = 0;
  for (uint8_t n = 0; n < state.registered_count; ++n) registered |= 1U << state.registered[n];
  return registered;
}

// The domains that a pointer in a part can be at, by its code: none, and those of the group.
std::array<DomainId, 4> OwnDomains(const GroupState& g, DomainId type1) {
  return {kNoId, g.default_domain, g.blocking_domain, type1};
}

std::optional<unsigned> CodeOf(const GroupState& g, DomainId domain) {
  const auto own = OwnDomains(g, g.container == kNoId ? kNoId : g.vfio_domain);
  const auto* const it = std::ranges::find(own, domain);
  if (it == own.end()) return std::nullopt;
  return static_cast<unsigned>(it - own.begin());
}

// A pointer of a group in UnpackCluster(), to be resolved when the container's domains are there.
constexpr DomainId kType1Later = 0xfe;
static_assert(kMaxDomains < kType1Later);

// The first device of each group that has one, by group.
std::array<DeviceId, kMaxGroups> FirstDevices(const State& state, uint8_t devices) {
  std::array<DeviceId, kMaxGroups> first;
  first.fill(kNoId);
  for (DeviceId d = devices; d-- > 0;)
    if (const GroupId g = state.devices[d].group; g != kNoId) first[g] = d;
  return first;
}

}  // namespace

Packer::Packer(const KernelProfile& kernel, const Shape& shape)
    : topology_(shape.topology),
      open_(shape.open),
      containers_(static_cast<uint8_t>(shape.containers)),
      fwnode_era_(kernel.era == Era::kFwnode),
      owners_(kernel.has(Rule::kCoreDmaOwner)),
      binds_(kernel.has(Rule::kDriverSameInstance)),
      tables_(kernel.has(Rule::kType1SameOps) && !kernel.has(Rule::kAllocOpsPerDriver)),
      coherency_(kernel.has(Rule::kType1SameCoherency)),
      notifiers_(kernel.era == Era::kBusSlots),
      device_bits_(Width(topology_.devices_count)),
      instance_bits_(Width(topology_.instances_count)),
      driver_bits_(Width(topology_.drivers_count)),
      table_bits_(Width(topology_.tables_count)),
      group_bits_(Width(shape.max_groups)) {
  const auto bit = [](Bus bus) { return 1U << static_cast<unsigned>(bus); };
  unsigned buses = 0;
  open_fwnode_.fill(kNoId);
  for (size_t i = 0; i < open_.size(); ++i) {
    const Attribute attribute = open_[i].attribute;
    instance_groups_ |= attribute == Attribute::kInstanceGroups;
    if (attribute == Attribute::kFwnode) open_fwnode_[open_[i].owner] = static_cast<uint8_t>(i);
    // Either bus may come to be claimed.
    if (attribute == Attribute::kClaimPlatform || attribute == Attribute::kClaimPci)
      buses |= bit(Bus::kPlatform) | bit(Bus::kPci);
  }
  for (DriverId d = 0; d < topology_.drivers_count; ++d) {
    const Driver& driver = topology_.drivers[d];
    any_accepts_foreign_ |= driver.accepts_foreign;
    plain_instance_groups_ |= driver.instance_groups;
    binds_ |= driver.same_instance;
    for (unsigned bus = 0; bus < kBusCount; ++bus)
      if (notifiers_ && driver.claims[bus] != Claim::kNone) buses |= 1U << bus;
  }
  instance_groups_ |= plain_instance_groups_;
  for (InstanceId i = 0; i < topology_.instances_count; ++i)
    any_fwnode_ |= topology_.instances[i].fwnode;
  // register.single_driver asks the slot of platform.
  if (WritesEverySlot(kernel.era)) buses |= bit(Bus::kPlatform);

  std::array<BusDevices, kBusCount> of_bus{};
  for (DeviceId d = 0; d < topology_.devices_count; ++d) {
    buses |= bit(topology_.devices[d].bus);
    BusDevices& bus = of_bus[static_cast<size_t>(topology_.devices[d].bus)];
    for (DeviceId other = 0; other < d; ++other) bus.related |= topology_.related(d, other);
    bus.all |= Bit(d);
  }
  for (uint8_t bus = 0; bus < kBusCount; ++bus) {
    if (of_bus[bus].all != 0) bus_devices_.push_back(of_bus[bus]);
    if (!fwnode_era_ && (buses >> bus & 1U) != 0) buses_.push_back(bus);
  }
}

// A group is there before its first device, and its domain may refuse the device, which ends the
// walk. A group that is made in a walk gets its default domain from the driver of its device, and
// no attach_dev refuses that: without groups to join, every order of a bus's devices does the same.
bool Packer::InstanceGroupsLeft(const Values& values) const {
  if (!instance_groups_ || plain_instance_groups_) return plain_instance_groups_;
  for (size_t i = 0; i < open_.size(); ++i)
    if (open_[i].attribute == Attribute::kInstanceGroups && (values[i] & 2U) != 0) return true;
  return false;
}

// Whether the place of a registered instance on the list can matter.
bool Packer::InOrder(InstanceId instance, const Values& values) const {
  if (any_accepts_foreign_) return true;
  if (!fwnode_era_) return false;
  const uint8_t open = open_fwnode_[instance];
  // Of an instance that is registered it is known.
  return open == kNoId ? !topology_.instances[instance].fwnode : values[open] == 1;
}

void Packer::NumberGroups(const State& state) {
  new_groups_.Clear(state.groups_end);
  new_containers_.Clear(kMaxContainers);
  for (DeviceId d = 0; d < topology_.devices_count; ++d) new_groups_.See(state.devices[d].group);
  if (instance_groups_)
    for (InstanceId i = 0; i < topology_.instances_count; ++i)
      new_groups_.See(state.instance_group[i]);
  for (uint8_t n = 0; n < new_groups_.count; ++n)
    new_containers_.See(state.groups[new_groups_.seen[n]].container);
  for (ContainerId c = 0; c < containers_; ++c)
    if (state.containers[c].groups != kNoId) new_containers_.See(c);
  for (uint8_t n = 0; n < new_containers_.count; ++n)
    for (GroupId g = state.containers[new_containers_.seen[n]].groups; g != kNoId;
         g = state.groups[g].next_in_container)
      new_groups_.See(g);
}

void Packer::PutLoose(BitWriter& out, const DomainState& d) const {
  out.Put(d.driver, driver_bits_);
  if (binds_) out.Put(OrNone(d.instance), instance_bits_);
  if (d.type != DomainType::kPaging) return;
  if (tables_) out.Put(d.table, table_bits_);
  if (coherency_) out.Flag(d.coherent);
}

DomainId Packer::GetLoose(BitReader& in, DomainType type, State& state) const {
  DomainState& d = state.domains[state.domains_end];
  d.type = type;
  d.driver = in.Get(driver_bits_);
  if (binds_) d.instance = FromOrNone(in.Get(instance_bits_));
  if (type == DomainType::kPaging) {
    d.table = tables_ ? in.Get(table_bits_) : 0;
    d.coherent = coherency_ && in.Flag();
  }
  return state.domains_end++;
}

// A domain is packed in full where it is met first, as its number from then on. The number needs
// as many bits as there are domains by then.
void Packer::PutDomain(BitWriter& out, const State& state, DomainId domain) {
  const int bits = Width(domains_count_ + 1);
  if (domain == kNoId) return out.Put(0, bits);
  uint8_t& number = new_domain_[domain];
  if (number != kNoId) return out.Put(number + 1U, bits);
  out.Put(domains_count_ + 1U, bits);
  number = domains_count_++;
  out.Put(static_cast<unsigned>(state.domains[domain].type) - 1U, 2);
  PutLoose(out, state.domains[domain]);
}

DomainId Packer::GetDomain(BitReader& in, State& state) const {
  const DomainId number = FromOrNone(in.Get(Width(state.domains_end + 1)));
  if (number == kNoId || number < state.domains_end) return number;
  return GetLoose(in, static_cast<DomainType>(in.Get(2) + 1), state);
}

// All that belongs to no device: the values left, the slots of buses, iommu_device_list.
void Packer::PutGlobals(BitWriter& out, const State& state, const Values& values) const {
  for (size_t i = 0; i < open_.size(); ++i) out.Put(values[i], open_[i].values);
  for (const uint8_t bus : buses_) out.Put(OrNone(state.bus_ops[bus]), driver_bits_);
  if (notifiers_)
    // One is as good as more: without faults the second one comes to what the first came to.
    for (const uint8_t bus : buses_) out.Flag(state.bus_notifiers[bus] != 0);
  out.Put(Registered(state), topology_.instances_count);
  for (uint8_t n = 0; n < state.registered_count; ++n)
    if (InOrder(state.registered[n], values)) out.Put(state.registered[n], instance_bits_);
}

void Packer::GetGlobals(BitReader& in, State& state, Values& values) const {
  for (size_t i = 0; i < open_.size(); ++i) values[i] = in.Get(open_[i].values);
  for (const uint8_t bus : buses_) state.bus_ops[bus] = FromOrNone(in.Get(driver_bits_));
  if (notifiers_)
    for (const uint8_t bus : buses_) state.bus_notifiers[bus] = in.Flag() ? 1 : 0;

  unsigned registered = 0;
  for (int i = 0; i < topology_.instances_count; ++i) registered |= (in.Flag() ? 1U : 0U) << i;
  for (const bool in_order : {true, false})
    for (InstanceId i = 0; i < topology_.instances_count; ++i)
      if ((registered >> i & 1U) != 0 && InOrder(i, values) == in_order)
        state.registered[state.registered_count++] = in_order ? in.Get(instance_bits_) : i;
}

uint64_t Packer::Present(const State& state) const {
  uint64_t present = 0;
  for (DeviceId d = 0; d < topology_.devices_count; ++d)
    if (state.devices[d].present) present |= Bit(d);
  return present;
}

void Packer::PutListed(BitWriter& out, const State& state, const Values& values) const {
  // By bus, the place of the next device among the devices that are left.
  const bool instance_groups_left = InstanceGroupsLeft(values);
  for (const BusDevices& bus : bus_devices_) {
    if (!bus.related && !instance_groups_left) continue;
    uint64_t left = bus.all & Present(state);
    for (uint8_t n = 0; n < state.listed_count; ++n) {
      const uint64_t bit = Bit(state.listed[n]);
      if ((bus.all & bit) == 0) continue;
      out.Put(static_cast<unsigned>(std::popcount(left & (bit - 1))),
              Width(std::popcount(left) - 1));
      left ^= bit;
    }
  }
}

void Packer::GetListed(BitReader& in, State& state, const Values& values) const {
  const bool instance_groups_left = InstanceGroupsLeft(values);
  for (const BusDevices& bus : bus_devices_)
    for (uint64_t left = bus.all & Present(state); left != 0;) {
      uint8_t place = 0;
      if (bus.related || instance_groups_left) place = in.Get(Width(std::popcount(left) - 1));
      uint64_t rest = left;
      for (; place > 0; --place) rest &= rest - 1;
      const auto next = static_cast<DeviceId>(std::countr_zero(rest));
      state.listed[state.listed_count++] = next;
      left ^= Bit(next);
    }
}

// `group`: 0 for none, or one more than its number; a new one has the number `groups`, which is how
// many came before. Returns whether the device is in a group.
bool Packer::PutDevice(BitWriter& out, const State& state, DeviceId d, unsigned group,
                       uint8_t& groups) const {
  const DeviceState& device = state.devices[d];
  const Device& of = topology_.devices[d];
  out.Flag(device.present);
  if (!device.present) return false;
  if (any_fwnode_) out.Put(MasterCode(of, device.fwspec), 2);
  out.Put(group, Width(groups + 1));
  if (group == 0) return false;
  groups = std::max(groups, static_cast<uint8_t>(group));
  if (any_accepts_foreign_)
    out.Put(device.instance, instance_bits_);
  else
    out.Flag(of.masters[1] == device.instance);
  return true;
}

// `base`: the number of the first group.
bool Packer::GetDevice(BitReader& in, DeviceId d, GroupId base, State& state) const {
  DeviceState& device = state.devices[d];
  const Device& of = topology_.devices[d];
  device.present = in.Flag();
  if (!device.present) return false;
  if (any_fwnode_)
    if (const uint8_t code = in.Get(2); code != 0) device.fwspec = of.masters[code - 1U];
  device.iommu = device.fwspec != kNoId;
  const uint8_t group = in.Get(Width(state.groups_end - base + 1));
  if (group == 0) return false;
  device.group = static_cast<GroupId>(base + group - 1);
  GroupState& g = state.groups[device.group];
  if (device.group == state.groups_end) {
    ++state.groups_end;
    g.live = true;
    g.devices = d;
  }
  device.instance = any_accepts_foreign_ ? in.Get(instance_bits_) : of.masters[in.Get(1)];
  device.iommu = true;
  return true;
}

// The order of a group's devices, if it has several.
void Packer::GetMembers(BitReader& in, uint8_t members, GroupState& g, State& state) const {
  DeviceId* link = &g.devices;
  for (uint8_t m = 0; members > 1 && m < members; ++m) {
    *link = in.Get(device_bits_);
    link = &state.devices[*link].next;
  }
}

void Packer::Pack(const State& state, const Values& values, Key& key) {
  NumberGroups(state);
  std::fill_n(new_domain_.begin(), state.domains_end, kNoId);
  domains_count_ = 0;
  BitWriter out(key);
  PutGlobals(out, state, values);
  uint8_t seen = 0;
  std::array<uint8_t, kMaxGroups> members{};
  for (DeviceId d = 0; d < topology_.devices_count; ++d) {
    const DeviceState& device = state.devices[d];
    if (!PutDevice(out, state, d, new_groups_.CodeOf(device.group), seen)) continue;
    ++members[new_groups_.number[device.group]];
    PutDomain(out, state, device.hw);
  }
  for (DeviceId d = 0; d < topology_.devices_count; ++d) {
    const GroupId group = state.devices[d].vfio_in;
    out.Flag(group != kNoId);
    if (group != kNoId) out.Put(new_groups_.number[group], group_bits_);
  }
  PutListed(out, state, values);
  const unsigned registered = Registered(state);
  for (InstanceId i = 0; instance_groups_ && i < topology_.instances_count; ++i)
    if ((registered >> i & 1U) != 0)
      out.Put(new_groups_.CodeOf(state.instance_group[i]), group_bits_);
  out.Put(new_groups_.count, group_bits_);
  std::array<uint8_t, kMaxContainers> contained{};
  for (uint8_t n = 0; n < new_groups_.count; ++n) {
    const GroupState& g = state.groups[new_groups_.seen[n]];
    if (members[n] > 1)
      for (DeviceId d = g.devices; d != kNoId; d = state.devices[d].next) out.Put(d, device_bits_);
    // No kernel driver binds, so that the owner's count follows from the owner.
    assert(g.owner_cnt == (g.owner ? 1 : 0));
    if (owners_) out.Flag(g.owner);
    const unsigned container = new_containers_.CodeOf(g.container);
    if (container != 0) ++contained[container - 1];
    out.Put(container, Width(containers_));
    PutDomain(out, state, g.domain);
    PutDomain(out, state, g.default_domain);
    if (owners_) PutDomain(out, state, g.blocking_domain);
    if (g.container != kNoId) PutDomain(out, state, g.vfio_domain);
  }
  for (uint8_t n = 0; n < new_containers_.count; ++n) {
    const ContainerState& c = state.containers[new_containers_.seen[n]];
    if (contained[n] > 1)
      for (GroupId g = c.groups; g != kNoId; g = state.groups[g].next_in_container)
        out.Put(new_groups_.number[g], group_bits_);
    out.Flag(c.iommu);
    for (DomainId d = c.domains; d != kNoId; d = state.domains[d].next) PutDomain(out, state, d);
    PutDomain(out, state, kNoId);
  }
  out.Finish();
}

void Packer::Unpack(std::span<const uint32_t> key, State& state, Values& values) const {
  Blank(state);
  BitReader in(key);
  GetGlobals(in, state, values);
  std::array<uint8_t, kMaxGroups> members{};
  for (DeviceId d = 0; d < topology_.devices_count; ++d) {
    if (!GetDevice(in, d, 0, state)) continue;
    ++members[state.devices[d].group];
    state.devices[d].hw = GetDomain(in, state);
  }
  for (DeviceId d = 0; d < topology_.devices_count; ++d)
    if (in.Flag()) state.devices[d].vfio_in = in.Get(group_bits_);
  GetListed(in, state, values);
  const unsigned registered = Registered(state);
  for (InstanceId i = 0; instance_groups_ && i < topology_.instances_count; ++i)
    if ((registered >> i & 1U) != 0) state.instance_group[i] = FromOrNone(in.Get(group_bits_));
  state.groups_end = in.Get(group_bits_);
  std::array<uint8_t, kMaxContainers> contained{};
  std::array<GroupId, kMaxContainers> last_contained{};
  for (GroupId n = 0; n < state.groups_end; ++n) {
    GroupState& g = state.groups[n];
    GetMembers(in, members[n], g, state);
    g.live = true;
    g.owner = owners_ && in.Flag();
    g.owner_cnt = g.owner ? 1 : 0;
    g.container = FromOrNone(in.Get(Width(containers_)));
    if (g.container != kNoId) {
      last_contained[g.container] = n;
      ++contained[g.container];
    }
    g.domain = GetDomain(in, state);
    g.default_domain = GetDomain(in, state);
    if (owners_) g.blocking_domain = GetDomain(in, state);
    if (g.container != kNoId) g.vfio_domain = GetDomain(in, state);
  }
  for (ContainerId n = 0; n < containers_ && contained[n] > 0; ++n) {
    ContainerState& c = state.containers[n];
    if (contained[n] == 1) c.groups = last_contained[n];
    if (contained[n] > 1) {
      GroupId* link = &c.groups;
      for (uint8_t m = 0; m < contained[n]; ++m) {
        *link = in.Get(group_bits_);
        link = &state.groups[*link].next_in_container;
      }
    }
    c.iommu = in.Flag();
    DomainId* link = &c.domains;
    for (DomainId d = GetDomain(in, state); d != kNoId; d = GetDomain(in, state)) {
      *link = d;
      link = &state.domains[d].next;
    }
  }
  CountReferences(state, topology_.devices_count);
}

// --- by parts ---

bool Packer::order_kept() const {
  return instance_groups_ ||
         std::ranges::any_of(bus_devices_, [](const BusDevices& bus) { return bus.related; });
}

int Packer::PackContainer(const State& state, std::span<DeviceId> list, Key& key) {
  constexpr int kMostDomains = 15;
  const ContainerState& c = state.containers[0];
  const auto first = FirstDevices(state, topology_.devices_count);
  BitWriter out(key);
  std::array<uint8_t, kMaxDomains> number;  // by domain, from 1 on
  std::fill_n(number.begin(), state.domains_end, uint8_t{0});
  int groups = 0;
  for (DeviceId d = 0; d < topology_.devices_count; ++d)
    if (state.devices[d].vfio_in != kNoId) return -1;
  for (GroupId g = c.groups; g != kNoId; g = state.groups[g].next_in_container) {
    if (first[g] == kNoId) return -1;
    list[static_cast<size_t>(groups++)] = first[g];
  }
  if (groups > 0) {
    out.Put(static_cast<unsigned>(groups), device_bits_);
    out.Flag(c.iommu);
    int domains = 0;
    for (DomainId d = c.domains; d != kNoId; d = state.domains[d].next) {
      if (++domains > kMostDomains || state.domains[d].type != DomainType::kPaging) return -1;
      number[d] = static_cast<uint8_t>(domains);
    }
    out.Put(static_cast<unsigned>(domains), 4);
    for (DomainId d = c.domains; d != kNoId; d = state.domains[d].next)
      PutLoose(out, state.domains[d]);
  }
  for (GroupId g = c.groups; g != kNoId; g = state.groups[g].next_in_container) {
    const DomainId domain = state.groups[g].vfio_domain;
    if (domain != kNoId && number[domain] == 0) return -1;
    out.Put(domain == kNoId ? 0U : number[domain], 4);
  }
  out.Finish();
  return groups;
}

bool Packer::PackCluster(const State& state, std::span<const DeviceId> cluster, Key& key) const {
  BitWriter out(key);
  std::array<GroupId, kMaxDevices> groups;  // of the cluster, in the order of devices
  std::array<uint8_t, kMaxDevices> members{};
  uint8_t count = 0;
  for (const DeviceId d : cluster) {
    const GroupId group = state.devices[d].group;
    const auto n = static_cast<uint8_t>(std::find(groups.begin(), groups.begin() + count, group) -
                                        groups.begin());
    groups[n] = group;
    if (!PutDevice(out, state, d, group == kNoId ? 0U : n + 1U, count)) continue;
    ++members[n];
    const auto hw = CodeOf(state.groups[group], state.devices[d].hw);
    if (!hw) return false;
    out.Put(*hw, 2);
  }
  for (uint8_t n = 0; n < count; ++n) {
    const GroupState& g = state.groups[groups[n]];
    if (members[n] > 1)
      for (DeviceId d = g.devices; d != kNoId; d = state.devices[d].next) out.Put(d, device_bits_);
    const auto domain = CodeOf(g, g.domain);
    const DomainId defaults = g.default_domain;
    const DomainId blocking = g.blocking_domain;
    if (!domain || (defaults != kNoId && state.domains[defaults].type != DomainType::kDefault) ||
        (blocking != kNoId && state.domains[blocking].type != DomainType::kBlocking))
      return false;
    if (owners_) out.Flag(g.owner);
    out.Flag(g.container != kNoId);
    out.Put(*domain, 2);
    out.Flag(defaults != kNoId);
    if (defaults != kNoId) PutLoose(out, state.domains[defaults]);
    if (!owners_) continue;
    out.Flag(blocking != kNoId);
    if (blocking != kNoId) PutLoose(out, state.domains[blocking]);
  }
  out.Finish();
  return true;
}

void Packer::PackGlobals(const State& state, const Values& values, Key& key) const {
  BitWriter out(key);
  PutGlobals(out, state, values);
  if (order_kept()) {
    for (DeviceId d = 0; d < topology_.devices_count; ++d) out.Flag(state.devices[d].present);
    PutListed(out, state, values);
  }
  out.Finish();
}

void Packer::Blank(State& state) const {
  const int devices = topology_.devices_count;
  state.bus_ops.fill(kNoId);
  state.listed_count = 0;
  std::fill_n(state.listed.begin(), devices, kNoId);
  state.registered_count = 0;
  state.registered.fill(kNoId);
  state.instance_group.fill(kNoId);
  state.containers.fill({});
  std::fill_n(state.devices.begin(), devices, DeviceState());
  std::fill_n(state.groups.begin(), state.groups_end, GroupState());
  std::fill_n(state.domains.begin(), state.domains_end, DomainState());
  state.groups_end = 0;
  state.domains_end = 0;
}

void Packer::UnpackCluster(std::span<const uint32_t> key, std::span<const DeviceId> cluster,
                           State& state) const {
  BitReader in(key);
  const uint8_t base = state.groups_end;
  std::array<uint8_t, kMaxDevices> members{};
  std::array<uint8_t, kMaxDevices> hw{};  // codes of OwnDomains(), by device
  for (const DeviceId d : cluster) {
    if (!GetDevice(in, d, base, state)) continue;
    ++members[state.devices[d].group - base];
    hw[d] = in.Get(2);
  }
  for (GroupId n = base; n < state.groups_end; ++n) {
    GroupState& g = state.groups[n];
    GetMembers(in, members[n - base], g, state);
    g.owner = owners_ && in.Flag();
    g.owner_cnt = g.owner ? 1 : 0;
    if (in.Flag()) g.container = 0;
    const uint8_t domain = in.Get(2);
    if (in.Flag()) g.default_domain = GetLoose(in, DomainType::kDefault, state);
    if (owners_ && in.Flag()) g.blocking_domain = GetLoose(in, DomainType::kBlocking, state);
    const auto own = OwnDomains(g, kType1Later);
    g.domain = own[domain];
    for (DeviceId d = g.devices; d != kNoId; d = state.devices[d].next)
      state.devices[d].hw = own[hw[d]];
  }
}

void Packer::UnpackGlobals(std::span<const uint32_t> key, State& state, Values& values) const {
  BitReader in(key);
  GetGlobals(in, state, values);
  if (order_kept())
    for (DeviceId d = 0; d < topology_.devices_count; ++d) in.Flag();  // the clusters say it, too
  GetListed(in, state, values);
}

void Packer::UnpackContainer(std::span<const uint32_t> key, std::span<const DeviceId> list,
                             State& state) const {
  BitReader in(key);
  ContainerState& c = state.containers[0];
  GroupId* link = &c.groups;
  for (const DeviceId d : list) {
    *link = state.devices[d].group;
    link = &state.groups[*link].next_in_container;
  }
  const DomainId before = state.domains_end;  // the list's first has this number
  if (!list.empty()) {
    in.Get(device_bits_);  // how many groups
    c.iommu = in.Flag();
    const uint8_t domains = in.Get(4);
    for (uint8_t n = 0; n < domains; ++n) {
      const DomainId d = GetLoose(in, DomainType::kPaging, state);
      if (n + 1 < domains) state.domains[d].next = static_cast<DomainId>(d + 1);
    }
    if (domains > 0) c.domains = before;
    for (const DeviceId d : list) {
      GroupState& g = state.groups[state.devices[d].group];
      if (const uint8_t number = in.Get(4); number != 0)
        g.vfio_domain = static_cast<DomainId>(before + number - 1);
      if (g.domain == kType1Later) g.domain = g.vfio_domain;
      for (DeviceId m = g.devices; m != kNoId; m = state.devices[m].next)
        if (state.devices[m].hw == kType1Later) state.devices[m].hw = g.vfio_domain;
    }
  }
  CountReferences(state, topology_.devices_count);
}

void CopyState(const State& from, int devices, State& to) {
  to.bus_ops = from.bus_ops;
  to.bus_notifiers = from.bus_notifiers;
  to.listed_count = from.listed_count;
  std::copy_n(from.listed.begin(), devices, to.listed.begin());
  to.registered_count = from.registered_count;
  to.registered = from.registered;
  to.instance_group = from.instance_group;
  to.containers = from.containers;
  std::copy_n(from.devices.begin(), devices, to.devices.begin());
  // Beyond the ends both are blank.
  std::copy_n(from.groups.begin(), std::max(from.groups_end, to.groups_end), to.groups.begin());
  std::copy_n(from.domains.begin(), std::max(from.domains_end, to.domains_end), to.domains.begin());
  to.groups_end = from.groups_end;
  to.domains_end = from.domains_end;
}

}  // namespace iommucheck::explore
