// SPDX-License-Identifier: Apache-2.0
//
// Packs states into short bit strings that are equal where no run can tell the states apart.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "model/rules.h"
#include "model/state.h"
#include "src/explore/bit_string.h"
#include "src/explore/shape.h"

namespace iommucheck::explore {

// The model hands out the lowest free number for a group or a domain, follows them as links and
// compares them for equality; it never asks which of two is lower. So states that are equal up to
// these numbers have the same runs, and one of them is packed for all: the one in which groups and
// domains are numbered in the order in which devices, groups and containers lead to them.
//
// Also left out is all that no step reads on this kernel and machine: the order of a bus's devices
// where none can join a group that is there already; the order of iommu_device_list but for the
// instances that iommu_ops_from_fwnode() and a driver that accepts any device look for; the slots
// of buses that have no device and no claim; which instance a domain is bound to where no
// attach_dev tests it; tables and coherency of domains that type1 never compares.
// tests/explore_test.cc plays states and what they unpack to side by side.
class Packer {
 public:
  Packer(const KernelProfile& kernel, const Shape& shape);

  // Packs a state that uses only the shape's containers, and the values left of the open
  // attributes.
  void Pack(const State& state, const Values& values, Key& key);
  // The state of a key, in the numbering above. `state` must be blank or come from Unpack() or from
  // a step after it: only the fields that can be in use are written.
  void Unpack(std::span<const uint32_t> key, State& state, Values& values) const;

  // Pack() and Unpack() part by part (src/explore/state_codec.h), for one container and no groups
  // of instances. Whether they refuse a state depends only on its key, and so not on its numbering.
  //
  // `list`: the first device of each of the container's groups, newest first. Returns how many;
  // -1: some group has no device, or a domain is not of the container.
  int PackContainer(const State& state, std::span<DeviceId> list, Key& key);
  // `cluster`: no group has devices of it and others. False: a pointer at a domain is none of the
  // group's own default, blocking and type1 domains.
  bool PackCluster(const State& state, std::span<const DeviceId> cluster, Key& key) const;
  void PackGlobals(const State& state, const Values& values, Key& key) const;
  // In this order: each cluster, then the rest.
  void StartUnpacking(State& state) const;
  void UnpackCluster(std::span<const uint32_t> key, std::span<const DeviceId> cluster,
                     State& state) const;
  void UnpackGlobals(std::span<const uint32_t> key, State& state, Values& values) const;
  void UnpackContainer(std::span<const uint32_t> key, std::span<const DeviceId> list,
                       State& state) const;

  // Whether groups may belong to instances.
  [[nodiscard]] bool instance_groups() const { return instance_groups_; }
  // Whether the order of devices is part of any state.
  [[nodiscard]] bool order_kept() const;

 private:
  void NumberGroups(const State& state);
  void SeeGroup(GroupId group);
  void SeeContainer(ContainerId container);
  // A domain that is packed by itself.
  void PutLoose(BitWriter& out, const DomainState& domain) const;
  DomainId GetLoose(BitReader& in, DomainType type, State& state) const;
  void PutGlobals(BitWriter& out, const State& state, const Values& values) const;
  void GetGlobals(BitReader& in, State& state, Values& values) const;
  // The order of the devices that are present, where it matters.
  void PutListed(BitWriter& out, const State& state, const Values& values, uint64_t present) const;
  void GetListed(BitReader& in, State& state, const Values& values, uint64_t present) const;
  void PutDomain(BitWriter& out, const State& state, DomainId domain);
  DomainId GetDomain(BitReader& in, State& state) const;
  [[nodiscard]] bool InOrder(InstanceId instance, const Values& values) const;
  [[nodiscard]] bool InstanceGroupsLeft(const Values& values) const;

  // The devices of a bus, a bit each.
  struct BusDevices {
    uint64_t all = 0;
    bool related = false;  // some of them
  };

  const Topology topology_;
  const std::vector<OpenAttribute> open_;
  std::vector<BusDevices> bus_devices_;
  const int containers_;
  // Which parts there are, and how many bits a number takes.
  bool single_driver_;
  bool fwnode_era_;
  bool owners_;
  bool any_fwnode_;
  bool any_accepts_foreign_;
  bool binds_;      // attach_dev looks at the instance that a domain is bound to
  bool tables_;     // type1 compares tables
  bool coherency_;  // type1 compares coherency
  bool notifiers_;
  bool instance_groups_;        // of some driver, or left open
  bool plain_instance_groups_;  // of some driver
  unsigned buses_ = 0;          // bit per bus whose slot matters
  int device_bits_;
  int instance_bits_;
  int driver_bits_;
  int table_bits_;
  int group_bits_;
  std::array<uint8_t, kMaxOpen> open_bits_{};
  std::array<uint8_t, kMaxInstances> open_fwnode_{};  // index of an open fwnode, or kNoId

  std::array<GroupId, kMaxGroups> new_group_{};
  std::array<DomainId, kMaxDomains> new_domain_{};
  std::array<GroupId, kMaxGroups> groups_{};  // old numbers, by new number
  std::array<ContainerId, kMaxContainers> new_container_{};
  std::array<ContainerId, kMaxContainers> containers_seen_{};  // old numbers, by new number
  uint8_t groups_count_ = 0;
  uint8_t containers_count_ = 0;
  uint8_t domains_count_ = 0;
};

// Copies a state onto one that differs from it only in fields that a step can change.
void CopyState(const State& from, int devices, State& to);

}  // namespace iommucheck::explore
