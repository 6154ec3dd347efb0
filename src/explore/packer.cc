// SPDX-License-Identifier: Apache-2.0
#include "src/explore/packer.h"

#include <algorithm>
#include <bit>

namespace iommucheck::explore {
namespace {

// How many bits the numbers 0 to `largest` take.
int Width(int largest) { return std::bit_width(static_cast<unsigned>(largest)); }

class BitWriter {
 public:
  explicit BitWriter(Key& key) : key_(key) { key_.size = 0; }
  void Put(unsigned value, int bits) {
    pending_ |= uint64_t{value} << filled_;
    filled_ += bits;
    if (filled_ < 32) return;
    key_.words[static_cast<size_t>(key_.size++)] = static_cast<uint32_t>(pending_);
    pending_ >>= 32U;
    filled_ -= 32;
  }
  void Flag(bool value) { Put(value ? 1 : 0, 1); }
  void Finish() {
    if (filled_ > 0) key_.words[static_cast<size_t>(key_.size++)] = static_cast<uint32_t>(pending_);
  }

 private:
  Key& key_;
  uint64_t pending_ = 0;
  int filled_ = 0;
};

class BitReader {
 public:
  explicit BitReader(std::span<const uint32_t> words) : words_(words) {}
  uint8_t Get(int bits) {
    if (filled_ < bits) {
      pending_ |= uint64_t{words_[at_++]} << filled_;
      filled_ += 32;
    }
    const auto value = static_cast<uint8_t>(pending_ & ((1U << bits) - 1U));
    pending_ >>= bits;
    filled_ -= bits;
    return value;
  }
  bool Flag() { return Get(1) != 0; }

 private:
  std::span<const uint32_t> words_;
  size_t at_ = 0;
  uint64_t pending_ = 0;
  int filled_ = 0;
};

// Numbers with kNoId: one more than the number, and 0.
unsigned OrNone(uint8_t id) { return id == kNoId ? 0U : id + 1U; }
uint8_t FromOrNone(uint8_t code) { return code == 0 ? kNoId : static_cast<uint8_t>(code - 1); }

// Which of its masters a device's fwspec or instance is.
unsigned MasterCode(const Device& device, InstanceId instance) {
  if (instance == kNoId) return 0;
  return device.masters[0] == instance ? 1U : 2U;
}

// What follows from the rest is not packed.
void CountReferences(State& state, int devices) {
  for (int d = 0; d < devices; ++d)
    if (const DomainId hw = state.devices[static_cast<size_t>(d)].hw; hw != kNoId)
      ++state.domains[hw].refs;
  for (GroupId g = 0; g < state.groups_end; ++g)
    if (const DomainId domain = state.groups[g].domain; domain != kNoId)
      ++state.domains[domain].refs;
}

// Back to a state without groups and domains.
void Blank(State& state, int devices) {
  state.bus_ops.fill(kNoId);
  state.registered_count = 0;
  state.registered.fill(kNoId);
  state.instance_group.fill(kNoId);
  state.containers[0] = {};
  for (int d = 0; d < devices; ++d) state.devices[static_cast<size_t>(d)] = {};
  for (GroupId g = 0; g < state.groups_end; ++g) state.groups[g] = {};
  for (DomainId d = 0; d < state.domains_end; ++d) state.domains[d] = {};
  state.groups_end = 0;
  state.domains_end = 0;
}

}  // namespace

Packer::Packer(const KernelProfile& kernel, const Shape& shape)
    : topology_(shape.topology),
      open_(shape.open),
      single_driver_(kernel.era == Era::kSingleDriver),
      fwnode_era_(kernel.era == Era::kFwnode),
      owners_(kernel.has(Rule::kCoreDmaOwner)),
      any_fwnode_(false),
      any_accepts_foreign_(false),
      binds_(kernel.has(Rule::kDriverSameInstance)),
      tables_(kernel.has(Rule::kType1SameOps) && !kernel.has(Rule::kAllocOpsPerDriver)),
      coherency_(kernel.has(Rule::kType1SameCoherency)),
      notifiers_(kernel.era == Era::kBusSlots),
      instance_groups_(false),
      device_bits_(Width(topology_.devices_count)),
      instance_bits_(Width(topology_.instances_count)),
      driver_bits_(Width(topology_.drivers_count)),
      table_bits_(Width(topology_.tables_count)),
      group_bits_(Width(shape.max_groups)) {
  open_fwnode_.fill(kNoId);
  for (size_t i = 0; i < open_.size(); ++i) {
    open_bits_[i] = open_[i].values;
    if (open_[i].what == Attribute::kInstanceGroups) instance_groups_ = true;
    if (open_[i].what == Attribute::kFwnode) open_fwnode_[open_[i].of] = static_cast<uint8_t>(i);
    // Either bus may come to be claimed.
    if (open_[i].what == Attribute::kClaimPlatform || open_[i].what == Attribute::kClaimPci)
      buses_ |=
          1U << static_cast<unsigned>(Bus::kPlatform) | 1U << static_cast<unsigned>(Bus::kPci);
  }
  for (DriverId d = 0; d < topology_.drivers_count; ++d) {
    const Driver& driver = topology_.drivers[d];
    any_accepts_foreign_ |= driver.accepts_foreign;
    instance_groups_ |= driver.instance_groups;
    binds_ |= driver.same_instance;
    for (unsigned bus = 0; bus < kBusCount; ++bus)
      if (notifiers_ && driver.claims[bus] != Claim::kNone) buses_ |= 1U << bus;
  }
  for (InstanceId i = 0; i < topology_.instances_count; ++i)
    any_fwnode_ |= topology_.instances[i].fwnode;
  for (DeviceId d = 0; d < topology_.devices_count; ++d)
    buses_ |= 1U << static_cast<unsigned>(topology_.devices[d].bus);
  // register.single_driver asks the slot of platform.
  if (single_driver_) buses_ |= 1U << static_cast<unsigned>(Bus::kPlatform);
  if (fwnode_era_) buses_ = 0;
}

// Whether the place of a registered instance on the list can matter.
bool Packer::InOrder(InstanceId instance, const Values& values) const {
  if (any_accepts_foreign_) return true;
  if (!fwnode_era_) return false;
  const uint8_t open = open_fwnode_[instance];
  // Of an instance that is registered it is known.
  return open == kNoId ? !topology_.instances[instance].fwnode : values[open] == 1;
}

void Packer::SeeGroup(GroupId group) {
  if (group == kNoId || new_group_[group] != kNoId) return;
  new_group_[group] = groups_count_;
  groups_[groups_count_++] = group;
}

void Packer::NumberGroups(const State& state) {
  std::fill_n(new_group_.begin(), state.groups_end, kNoId);
  groups_count_ = 0;
  for (DeviceId d = 0; d < topology_.devices_count; ++d) SeeGroup(state.devices[d].group);
  if (instance_groups_)
    for (InstanceId i = 0; i < topology_.instances_count; ++i) SeeGroup(state.instance_group[i]);
  for (GroupId g = state.containers[0].groups; g != kNoId; g = state.groups[g].next_in_container)
    SeeGroup(g);
}

// A domain is packed in full where it is met first, as its number from then on. The number needs
// as many bits as there are domains by then.
template <typename Bits>
void Packer::PutDomain(Bits& out, const State& state, DomainId domain) {
  const int bits = Width(domains_count_ + 1);
  if (domain == kNoId) return out.Put(0, bits);
  uint8_t& number = new_domain_[domain];
  if (number != kNoId) return out.Put(number + 1U, bits);
  out.Put(domains_count_ + 1U, bits);
  number = domains_count_++;
  const DomainState& d = state.domains[domain];
  out.Put(static_cast<unsigned>(d.type) - 1U, 2);
  out.Put(d.driver, driver_bits_);
  if (binds_) out.Put(OrNone(d.instance), instance_bits_);
  if (d.type != DomainType::kPaging) return;
  if (tables_) out.Put(d.table, table_bits_);
  if (coherency_) out.Flag(d.coherent);
}

template <typename Bits>
DomainId Packer::GetDomain(Bits& in, State& state) const {
  const DomainId number = FromOrNone(in.Get(Width(state.domains_end + 1)));
  if (number == kNoId || number < state.domains_end) return number;
  DomainState& d = state.domains[state.domains_end++];
  d.type = static_cast<DomainType>(in.Get(2) + 1);
  d.driver = in.Get(driver_bits_);
  if (binds_) d.instance = FromOrNone(in.Get(instance_bits_));
  if (d.type != DomainType::kPaging) return number;
  d.table = tables_ ? in.Get(table_bits_) : 0;
  d.coherent = coherency_ && in.Flag();
  return number;
}

void Packer::Pack(const State& state, const Values& values, Key& key) {
  NumberGroups(state);
  std::fill_n(new_domain_.begin(), state.domains_end, kNoId);
  domains_count_ = 0;
  BitWriter out(key);
  for (size_t i = 0; i < open_.size(); ++i) out.Put(values[i], open_bits_[i]);
  for (unsigned buses = buses_; buses != 0; buses &= buses - 1)
    out.Put(OrNone(state.bus_ops[static_cast<size_t>(std::countr_zero(buses))]), driver_bits_);
  if (notifiers_)
    for (unsigned buses = buses_; buses != 0; buses &= buses - 1)
      out.Flag((state.bus_notifier >> static_cast<unsigned>(std::countr_zero(buses)) & 1U) != 0);

  unsigned registered = 0;
  for (uint8_t n = 0; n < state.registered_count; ++n) registered |= 1U << state.registered[n];
  out.Put(registered, topology_.instances_count);
  for (uint8_t n = 0; n < state.registered_count; ++n)
    if (InOrder(state.registered[n], values)) out.Put(state.registered[n], instance_bits_);

  uint8_t seen = 0;
  std::array<uint8_t, kMaxGroups> members{};
  for (DeviceId d = 0; d < topology_.devices_count; ++d) {
    const DeviceState& device = state.devices[d];
    const Device& of = topology_.devices[d];
    out.Flag(device.present);
    if (!device.present) continue;
    if (any_fwnode_) out.Put(MasterCode(of, device.fwspec), 2);
    // The group, or that there is none; a new one has the next number.
    const unsigned group = device.group == kNoId ? 0U : new_group_[device.group] + 1U;
    out.Put(group, Width(seen + 1));
    if (group == 0) continue;
    seen = std::max(seen, static_cast<uint8_t>(group));
    ++members[group - 1];
    if (any_accepts_foreign_)
      out.Put(device.instance, instance_bits_);
    else
      out.Flag(of.masters[1] == device.instance);
    PutDomain(out, state, device.hw);
  }
  if (instance_groups_)
    for (InstanceId i = 0; i < topology_.instances_count; ++i)
      if ((registered >> i & 1U) != 0) {
        const GroupId group = state.instance_group[i];
        out.Put(group == kNoId ? 0U : new_group_[group] + 1U, group_bits_);
      }
  out.Put(groups_count_, group_bits_);
  uint8_t contained = 0;
  for (uint8_t n = 0; n < groups_count_; ++n) {
    const GroupState& g = state.groups[groups_[n]];
    if (members[n] > 1)
      for (DeviceId d = g.devices; d != kNoId; d = state.devices[d].next) out.Put(d, device_bits_);
    if (owners_) out.Flag(g.owner);
    out.Flag(g.container != kNoId);
    contained = static_cast<uint8_t>(contained + (g.container != kNoId ? 1 : 0));
    PutDomain(out, state, g.domain);
    PutDomain(out, state, g.default_domain);
    if (owners_) PutDomain(out, state, g.blocking_domain);
    if (g.container != kNoId) PutDomain(out, state, g.vfio_domain);
  }
  const ContainerState& c = state.containers[0];
  if (contained > 1)
    for (GroupId g = c.groups; g != kNoId; g = state.groups[g].next_in_container)
      out.Put(new_group_[g], group_bits_);
  if (contained > 0) {
    out.Flag(c.iommu);
    for (DomainId d = c.domains; d != kNoId; d = state.domains[d].next) PutDomain(out, state, d);
    PutDomain(out, state, kNoId);
  }
  out.Finish();
}

void Packer::Unpack(std::span<const uint32_t> key, State& state, Values& values) const {
  Blank(state, topology_.devices_count);
  BitReader in(key);
  for (size_t i = 0; i < open_.size(); ++i) values[i] = in.Get(open_bits_[i]);
  for (unsigned buses = buses_; buses != 0; buses &= buses - 1)
    state.bus_ops[static_cast<size_t>(std::countr_zero(buses))] = FromOrNone(in.Get(driver_bits_));
  state.bus_notifier = 0;
  if (notifiers_)
    for (unsigned buses = buses_; buses != 0; buses &= buses - 1)
      if (in.Flag())
        state.bus_notifier = static_cast<uint8_t>(
            state.bus_notifier | 1U << static_cast<unsigned>(std::countr_zero(buses)));

  unsigned registered = 0;
  for (int i = 0; i < topology_.instances_count; ++i) registered |= (in.Flag() ? 1U : 0U) << i;
  uint8_t others = 0;
  for (InstanceId i = 0; i < topology_.instances_count; ++i)
    if ((registered >> i & 1U) != 0) {
      if (InOrder(i, values))
        state.registered[state.registered_count++] = in.Get(instance_bits_);
      else
        ++others;
    }
  if (others > 0)
    for (InstanceId i = 0; i < topology_.instances_count; ++i)
      if ((registered >> i & 1U) != 0 && !InOrder(i, values))
        state.registered[state.registered_count++] = i;

  uint8_t seen = 0;
  std::array<uint8_t, kMaxGroups> members{};
  for (DeviceId d = 0; d < topology_.devices_count; ++d) {
    DeviceState& device = state.devices[d];
    const Device& of = topology_.devices[d];
    device.present = in.Flag();
    if (!device.present) continue;
    if (any_fwnode_)
      if (const uint8_t code = in.Get(2); code != 0) device.fwspec = of.masters[code - 1U];
    device.group = FromOrNone(in.Get(Width(seen + 1)));
    if (device.group == kNoId) continue;
    seen = std::max(seen, static_cast<uint8_t>(device.group + 1));
    if (++members[device.group] == 1) state.groups[device.group].devices = d;
    device.instance = any_accepts_foreign_ ? in.Get(instance_bits_) : of.masters[in.Get(1)];
    device.hw = GetDomain(in, state);
  }
  if (instance_groups_)
    for (InstanceId i = 0; i < topology_.instances_count; ++i)
      if ((registered >> i & 1U) != 0) state.instance_group[i] = FromOrNone(in.Get(group_bits_));
  state.groups_end = in.Get(group_bits_);
  uint8_t contained = 0;
  GroupId last_contained = kNoId;
  for (GroupId n = 0; n < state.groups_end; ++n) {
    GroupState& g = state.groups[n];
    if (members[n] > 1) {
      DeviceId* link = &g.devices;
      for (uint8_t m = 0; m < members[n]; ++m) {
        *link = in.Get(device_bits_);
        link = &state.devices[*link].next;
      }
    }
    g.live = true;
    g.owner = owners_ && in.Flag();
    if (in.Flag()) {
      g.container = 0;
      last_contained = n;
      ++contained;
    }
    g.domain = GetDomain(in, state);
    g.default_domain = GetDomain(in, state);
    if (owners_) g.blocking_domain = GetDomain(in, state);
    if (g.container != kNoId) g.vfio_domain = GetDomain(in, state);
  }
  ContainerState& c = state.containers[0];
  if (contained == 1) c.groups = last_contained;
  if (contained > 1) {
    GroupId* link = &c.groups;
    for (uint8_t m = 0; m < contained; ++m) {
      *link = in.Get(group_bits_);
      link = &state.groups[*link].next_in_container;
    }
  }
  if (contained > 0) {
    c.iommu = in.Flag();
    DomainId* link = &c.domains;
    for (DomainId d = GetDomain(in, state); d != kNoId; d = GetDomain(in, state)) {
      *link = d;
      link = &state.domains[d].next;
    }
  }
  CountReferences(state, topology_.devices_count);
}

void CopyState(const State& from, int devices, State& to) {
  to.bus_ops = from.bus_ops;
  to.bus_notifier = from.bus_notifier;
  to.registered_count = from.registered_count;
  to.registered = from.registered;
  to.instance_group = from.instance_group;
  to.containers[0] = from.containers[0];
  std::copy_n(from.devices.begin(), devices, to.devices.begin());
  // Beyond the ends both are blank.
  std::copy_n(from.groups.begin(), std::max(from.groups_end, to.groups_end), to.groups.begin());
  std::copy_n(from.domains.begin(), std::max(from.domains_end, to.domains_end), to.domains.begin());
  to.groups_end = from.groups_end;
  to.domains_end = from.domains_end;
}

}  // namespace iommucheck::explore
