// SPDX-License-Identifier: Apache-2.0
//
// Packs states into short strings of bits that are equal where no run can tell the states apart.
// The bits are in words of four bytes, with zeros after the last one.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "model/rules.h"
#include "model/state.h"
#include "src/explore/shape.h"

namespace iommucheck::explore {

// Long enough for a state of a machine of every capacity of the model.
inline constexpr int kMaxKeyWords = 288;

struct Key {
  std::array<uint32_t, kMaxKeyWords> words;
  int size = 0;
  [[nodiscard]] std::span<const uint32_t> span() const {
    return {words.data(), static_cast<size_t>(size)};
  }
};

// How many bits the numbers 0 to `largest` take.
inline int Width(int largest) {
  return static_cast<int>(std::bit_width(static_cast<unsigned>(largest)));
}

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
inline unsigned OrNone(uint8_t id) { return id == kNoId ? 0U : id + 1U; }
inline uint8_t FromOrNone(uint8_t code) {
  return code == 0 ? kNoId : static_cast<uint8_t>(code - 1);
}

// New numbers for groups or containers, in the order in which they are seen.
struct Numbering {
  std::array<uint8_t, kMaxGroups> number{};  // by old number; kNoId: not seen yet
  std::array<uint8_t, kMaxGroups> seen{};    // old numbers, by new number
  uint8_t count = 0;
  void Clear(int old_numbers) {
    std::fill_n(number.begin(), old_numbers, kNoId);
    count = 0;
  }
  void See(uint8_t old) {
    if (old == kNoId || number[old] != kNoId) return;
    number[old] = count;
    seen[count++] = old;
  }
  // 0 for none, or one more than the new number.
  [[nodiscard]] unsigned CodeOf(uint8_t old) const { return old == kNoId ? 0U : number[old] + 1U; }
};

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
  // In this order: from a state without groups and domains each cluster, then the rest.
  void Blank(State& state) const;
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
  bool PutDevice(BitWriter& out, const State& state, DeviceId d, unsigned group,
                 uint8_t& groups) const;
  bool GetDevice(BitReader& in, DeviceId d, GroupId base, State& state) const;
  void GetMembers(BitReader& in, uint8_t members, GroupState& g, State& state) const;
  // A domain that is packed by itself.
  void PutLoose(BitWriter& out, const DomainState& domain) const;
  DomainId GetLoose(BitReader& in, DomainType type, State& state) const;
  void PutGlobals(BitWriter& out, const State& state, const Values& values) const;
  void GetGlobals(BitReader& in, State& state, Values& values) const;
  // The order of the devices that are present, where it matters.
  void PutListed(BitWriter& out, const State& state, const Values& values) const;
  void GetListed(BitReader& in, State& state, const Values& values) const;
  [[nodiscard]] uint64_t Present(const State& state) const;
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
  std::vector<uint8_t> buses_;  // whose slot matters
  const uint8_t containers_;
  // Which parts there are, and how many bits a number takes.
  bool fwnode_era_;
  bool owners_;
  bool any_fwnode_ = false;
  bool any_accepts_foreign_ = false;
  bool binds_;      // attach_dev looks at the instance that a domain is bound to
  bool tables_;     // type1 compares tables
  bool coherency_;  // type1 compares coherency
  bool notifiers_;
  bool instance_groups_ = false;        // of some driver, or left open
  bool plain_instance_groups_ = false;  // of some driver
  int device_bits_;
  int instance_bits_;
  int driver_bits_;
  int table_bits_;
  int group_bits_;
  std::array<uint8_t, kMaxInstances> open_fwnode_{};  // index of an open fwnode, or kNoId

  Numbering new_groups_;
  Numbering new_containers_;
  std::array<DomainId, kMaxDomains> new_domain_{};
  uint8_t domains_count_ = 0;
};

// Copies a state onto one that differs from it only in fields that a step can change.
void CopyState(const State& from, int devices, State& to);

}  // namespace iommucheck::explore
