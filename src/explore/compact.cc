// SPDX-License-Identifier: Apache-2.0
#include "src/explore/compact.h"

namespace iommucheck::explore {
namespace {

class Writer {
 public:
  explicit Writer(std::string& bytes) : bytes_(bytes) { bytes_.clear(); }
  template <typename... Bytes>
  void Put(Bytes... values) {
    (bytes_.push_back(static_cast<char>(values)), ...);
  }

 private:
  std::string& bytes_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  uint8_t Get() { return static_cast<uint8_t>(bytes_[at_++]); }

 private:
  std::string_view bytes_;
  size_t at_ = 0;
};

// Flags beside each other in a byte.
uint8_t Flags(bool a, bool b) { return static_cast<uint8_t>((a ? 1U : 0U) | (b ? 2U : 0U)); }
bool FlagA(uint8_t flags) { return (flags & 1U) != 0; }
bool FlagB(uint8_t flags) { return (flags & 2U) != 0; }

// What Encode() leaves out, since it follows from the rest.
void CountReferences(State& state) {
  const auto count = [&](DomainId d) {
    if (d != kNoId) ++state.domains[d].refs;
  };
  for (const DeviceState& device : state.devices) count(device.hw);
  for (GroupId g = 0; g < state.groups_end; ++g) count(state.groups[g].domain);
}

}  // namespace

void Compactor::SeeGroup(GroupId group) {
  if (group == kNoId || new_group_[group] != kNoId) return;
  new_group_[group] = groups_count_;
  groups_[groups_count_++] = group;
}

void Compactor::SeeDomain(DomainId domain) {
  if (domain == kNoId || new_domain_[domain] != kNoId) return;
  new_domain_[domain] = domains_count_;
  domains_[domains_count_++] = domain;
}

void Compactor::Number(const State& state) {
  new_group_.fill(kNoId);
  new_domain_.fill(kNoId);
  groups_count_ = 0;
  domains_count_ = 0;
  for (DeviceId d = 0; d < topology_.devices_count; ++d) SeeGroup(state.devices[d].group);
  for (InstanceId i = 0; i < topology_.instances_count; ++i) SeeGroup(state.instance_group[i]);
  for (GroupId g = state.containers[0].groups; g != kNoId; g = state.groups[g].next_in_container)
    SeeGroup(g);
  for (DeviceId d = 0; d < topology_.devices_count; ++d) SeeDomain(state.devices[d].hw);
  for (uint8_t n = 0; n < groups_count_; ++n) {
    const GroupState& g = state.groups[groups_[n]];
    SeeDomain(g.domain);
    SeeDomain(g.default_domain);
    SeeDomain(g.blocking_domain);
    SeeDomain(g.vfio_domain);
  }
  for (DomainId d = state.containers[0].domains; d != kNoId; d = state.domains[d].next)
    SeeDomain(d);
}

void Compactor::Encode(const State& state, std::string& bytes) {
  Number(state);
  Writer out(bytes);
  for (const DriverId driver : state.bus_ops) out.Put(driver);
  out.Put(state.bus_notifier, state.registered_count, state.listed_count, groups_count_,
          domains_count_);
  for (uint8_t n = 0; n < state.registered_count; ++n) out.Put(state.registered[n]);
  // Each bus has a list of its own.
  for (int bus = 0; bus < kBusCount; ++bus)
    for (uint8_t n = 0; n < state.listed_count; ++n)
      if (static_cast<int>(topology_.devices[state.listed[n]].bus) == bus) out.Put(state.listed[n]);
  for (InstanceId i = 0; i < topology_.instances_count; ++i)
    out.Put(NewGroup(state.instance_group[i]));
  const ContainerState& c = state.containers[0];
  out.Put(NewGroup(c.groups), c.iommu, NewDomain(c.domains));
  for (DeviceId d = 0; d < topology_.devices_count; ++d) {
    const DeviceState& device = state.devices[d];
    out.Put(device.present, device.instance, device.fwspec, NewGroup(device.group), device.next,
            NewDomain(device.hw));
  }
  for (uint8_t n = 0; n < groups_count_; ++n) {
    const GroupState& g = state.groups[groups_[n]];
    out.Put(Flags(g.owner, g.container != kNoId), g.devices, NewDomain(g.domain),
            NewDomain(g.default_domain), NewDomain(g.blocking_domain),
            NewGroup(g.next_in_container), NewDomain(g.vfio_domain));
  }
  for (uint8_t n = 0; n < domains_count_; ++n) {
    const DomainState& d = state.domains[domains_[n]];
    out.Put(d.type, d.driver, d.table, d.instance, d.coherent, NewDomain(d.next));
  }
}

State Compactor::Decode(std::string_view bytes) const {
  Reader in(bytes);
  State state;
  for (DriverId& driver : state.bus_ops) driver = in.Get();
  state.bus_notifier = in.Get();
  state.registered_count = in.Get();
  state.listed_count = in.Get();
  state.groups_end = in.Get();
  state.domains_end = in.Get();
  for (uint8_t n = 0; n < state.registered_count; ++n) state.registered[n] = in.Get();
  for (uint8_t n = 0; n < state.listed_count; ++n) state.listed[n] = in.Get();
  for (InstanceId i = 0; i < topology_.instances_count; ++i) state.instance_group[i] = in.Get();
  ContainerState& c = state.containers[0];
  c.groups = in.Get();
  c.iommu = in.Get() != 0;
  c.domains = in.Get();
  for (DeviceId d = 0; d < topology_.devices_count; ++d) {
    DeviceState& device = state.devices[d];
    device.present = in.Get() != 0;
    device.instance = in.Get();
    device.fwspec = in.Get();
    device.group = in.Get();
    device.next = in.Get();
    device.hw = in.Get();
  }
  for (GroupId n = 0; n < state.groups_end; ++n) {
    GroupState& g = state.groups[n];
    const uint8_t flags = in.Get();
    g.live = true;
    g.owner = FlagA(flags);
    g.container = FlagB(flags) ? 0 : kNoId;
    g.devices = in.Get();
    g.domain = in.Get();
    g.default_domain = in.Get();
    g.blocking_domain = in.Get();
    g.next_in_container = in.Get();
    g.vfio_domain = in.Get();
  }
  for (DomainId n = 0; n < state.domains_end; ++n) {
    DomainState& d = state.domains[n];
    d.type = static_cast<DomainType>(in.Get());
    d.driver = in.Get();
    d.table = in.Get();
    d.instance = in.Get();
    d.coherent = in.Get() != 0;
    d.next = in.Get();
  }
  CountReferences(state);
  return state;
}

}  // namespace iommucheck::explore
