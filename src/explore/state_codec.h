// SPDX-License-Identifier: Apache-2.0
//
// Turns states into keys of a fixed length (StateKey) and back. Most states are split into a few
// parts, and their keys have a field for each part, so that a step changes few bits of a key.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "src/explore/key_set.h"
#include "src/explore/packer.h"
#include "src/explore/visited.h"

namespace iommucheck::explore {

inline constexpr int kMaxClusters = 16;

// A state in parts. All but `list` are indices of the part's value in PartTables.
struct Split {
  uint32_t globals = 0;  // all that belongs to no device
  uint32_t domains = 0;  // the container's list of domains, and the domain that each group is on
  uint64_t list = 0;     // the container's groups, newest first: 1 + the first device of each
  // A cluster is a set of devices that can come to share groups. Its part is these devices and
  // their groups, with default and blocking domains.
  std::array<uint16_t, kMaxClusters> clusters{};
};

// Where a part is in a key.
struct Field {
  uint8_t word = 0;
  uint8_t shift = 0;
  uint8_t width = 0;
  [[nodiscard]] uint64_t Of(const StateKey& key) const {
    return key.words[word] >> shift & ((uint64_t{1} << width) - 1);
  }
  void AddBits(StateKey& bits) const { bits.words[word] |= ((uint64_t{1} << width) - 1) << shift; }
  // `change`: the old value xor the new one.
  void Change(StateKey& key, uint64_t change) const { key.words[word] ^= change << shift; }
};

// Where the parts are in a key.
struct Layout {
  Field globals;
  Field domains;
  Field list;
  std::array<Field, kMaxClusters> clusters{};
  unsigned list_width = 0;  // bits that a group takes in the list
  // The first group of a list; `groups` >> list_width is the rest.
  [[nodiscard]] DeviceId Listed(uint64_t groups) const {
    return static_cast<DeviceId>((groups & ((uint64_t{1} << list_width) - 1)) - 1);
  }
};

// The values of parts that the keys of one search point at, for all its threads.
struct PartTables {
  void Clear();
  [[nodiscard]] uint64_t bytes() const;

  Interner globals;
  Interner domains;
  std::array<Interner, kMaxClusters> clusters;
  std::mutex whole_mutex;
  KeySet whole;
};

// Two states have the same key exactly if Packer gives them the same bits. A state can be split into
// parts if the shape allows it, every group has devices, and every pointer at a domain is one that
// Split has room for. All other states are whole, and so is a state if the values of a part have
// become too many for its field. PartTables::whole has the bits (Packer) of a whole state; its key
// is their place there. Each thread has its own codec; they share the tables.
class StateCodec {
 public:
  StateCodec(const KernelProfile& kernel, const Shape& shape, PartTables& tables);

  // Whether states of the shape can be split: no attribute is open, there is one container, no
  // group belongs to an instance, groups do not run out, and the parts fit.
  [[nodiscard]] bool splits() const { return splits_; }
  [[nodiscard]] unsigned words() const { return words_; }

  struct Encoded {
    StateKey key;
    bool is_new = false;  // if the key is whole: it has never been encoded before
  };
  // nullopt: the state cannot be split.
  std::optional<StateKey> TrySplit(const State& state, const Values& values);
  Encoded Encode(const State& state, const Values& values);
  // As Packer::Unpack(): `state` must be blank or come from here or from a step after it.
  void Decode(const StateKey& key, State& state, Values& values);

  [[nodiscard]] static bool IsWhole(const StateKey& key) { return (key.words[0] & 1U) != 0; }
  [[nodiscard]] Split SplitOf(const StateKey& key) const;

  // Devices are alike if they have the same attributes, each is alone in its cluster, and no order
  // of devices is kept. No step can tell such devices apart. States that differ only in which of
  // them is which are an orbit, and have the same runs but for that. Canonical() gives one state of
  // each orbit: alike devices come in the order of the list, then by the numbers of their parts.
  // OrbitOf() is the size of the orbit of a canonical state.
  [[nodiscard]] StateKey Canonical(const StateKey& key) const;
  [[nodiscard]] uint64_t OrbitOf(const StateKey& key) const;

  [[nodiscard]] const std::vector<std::vector<DeviceId>>& clusters() const { return clusters_; }
  [[nodiscard]] size_t cluster_of(DeviceId device) const { return cluster_of_[device]; }
  [[nodiscard]] const Layout& layout() const { return layout_; }
  [[nodiscard]] Packer& packer() { return packer_; }

 private:
  void LayOut();
  void FindAlike(const Topology& topology);
  // The next free bits of a key. If there are none, no state is split.
  Field Allocate(int width, std::array<int, 2>& used);

  Packer packer_;
  PartTables& tables_;
  bool splits_;
  unsigned words_ = 1;
  int list_length_ = 0;
  Layout layout_;
  std::vector<std::vector<DeviceId>> clusters_;
  std::array<uint8_t, kMaxDevices> cluster_of_{};
  std::array<uint8_t, kMaxClusters> table_of_{};  // index in PartTables::clusters, by cluster
  std::vector<std::vector<uint8_t>> alike_;       // sets of clusters of alike devices
  std::array<uint8_t, kMaxDevices> alike_of_{};   // index in alike_, by device; kNoId: none
  Key key_;
};

}  // namespace iommucheck::explore
