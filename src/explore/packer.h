// SPDX-License-Identifier: Apache-2.0
//
// States as short bit strings, equal where no run can tell the states apart.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "model/rules.h"
#include "model/state.h"
#include "src/explore/shape.h"

namespace iommucheck::explore {

// Long enough for a state of a machine of every capacity of the model.
inline constexpr int kMaxKeyWords = 256;

// The bits of a state, in units of four bytes, zeros after the last.
struct Key {
  std::array<uint32_t, kMaxKeyWords> words;
  int size = 0;
  [[nodiscard]] std::span<const uint32_t> span() const {
    return {words.data(), static_cast<size_t>(size)};
  }
};

// The model hands out the lowest free number for a group or a domain, follows them as links and
// compares them for equality; it never asks which of two is lower. So states that are equal up to
// these numbers have the same runs, and one stands for all: the one in which groups and domains
// are numbered in the order in which devices, groups and containers lead to them.
//
// Left out is what no step reads on this kernel and machine, too: the order of iommu_device_list
// but for what iommu_ops_from_fwnode() and a driver that accepts any device look for; the slots of
// buses that have no device and no claim; which instance a domain is bound to where no attach_dev
// tests it; tables and coherency of domains that type1 never compares. tests/explore_test.cc plays
// states and what they unpack to side by side.
class Packer {
 public:
  Packer(const KernelProfile& kernel, const Shape& shape);

  // Packs a state with container c0 only, and the values left for the shape's open attributes.
  void Pack(const State& state, const Values& values, Key& key);
  // A state of which Pack() gave the key, in the numbering above. `state` must be blank or come
  // from Unpack() or from a step after it: only what can be used is written.
  void Unpack(std::span<const uint32_t> key, State& state, Values& values) const;

  // The number that the last Pack() gave to a group of its state; kNoId: no such group.
  [[nodiscard]] GroupId NewGroup(GroupId group) const {
    return group == kNoId ? kNoId : new_group_[group];
  }

 private:
  void NumberGroups(const State& state);
  void SeeGroup(GroupId group);
  template <typename Bits>
  void PutDomain(Bits& out, const State& state, DomainId domain);
  template <typename Bits>
  DomainId GetDomain(Bits& in, State& state) const;
  [[nodiscard]] bool InOrder(InstanceId instance, const Values& values) const;

  const Topology topology_;
  const std::vector<Open> open_;
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
  bool instance_groups_;
  unsigned buses_ = 0;  // bit per bus whose slot matters
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
  uint8_t groups_count_ = 0;
  uint8_t domains_count_ = 0;
};

// Copies a state onto one that differs from it in what a step can change only.
void CopyState(const State& from, int devices, State& to);

}  // namespace iommucheck::explore
