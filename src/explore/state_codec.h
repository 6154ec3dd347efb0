// SPDX-License-Identifier: Apache-2.0
//
// Turns states into keys of a fixed length (StateKey) and back. The key of most states has a field
// for each of a few parts of the state, so that a step changes few bits of it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "src/explore/interner.h"
#include "src/explore/key_set.h"
#include "src/explore/packer.h"
#include "src/explore/state_key.h"

namespace iommucheck::explore {

inline constexpr int kMaxClusters = 16;

// A state in parts, each a number: the index of the part's value in PartTables. A cluster is a set
// of devices that can come to share groups; its part is these devices and their groups with default
// and blocking domains. `globals` is all that belongs to no device, `domains` the container's list
// of domains and which of them each group is on. `list` is the container's groups, newest first,
// each as one more than the first of its devices.
struct Split {
  uint32_t globals = 0;
  uint32_t domains = 0;
  uint64_t list = 0;
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
  // `change`: the old value xor the new one.
  void Change(StateKey& key, uint64_t change) const { key.words[word] ^= change << shift; }
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

// Two states have the same key exactly if Packer gives them the same bits. A state is split into
// parts if the shape allows it, no group is without devices, and every pointer at a domain is one
// of those that Split has room for. Any other state, and one that has more values of a part than
// fit into its field, is whole: PartTables::whole has its bits (Packer), and its key says where.
// Each thread has its own codec; they share the tables.
class StateCodec {
 public:
  StateCodec(const KernelProfile& kernel, const Shape& shape, PartTables& tables);

  // Whether states of the shape can be split: no attribute is open, there is one container, no
  // group belongs to an instance, groups do not run out, and the parts fit.
  [[nodiscard]] bool splits() const { return splits_; }
  [[nodiscard]] int words() const { return words_; }

  struct Encoded {
    StateKey key;
    bool whole = false;
    bool is_new = false;  // if whole: it has never been encoded before
  };
  // nullopt: the state cannot be split.
  std::optional<StateKey> TrySplit(const State& state, const Values& values);
  Encoded Encode(const State& state, const Values& values);
  // As Packer::Unpack(): `state` must be blank or come from here or from a step after it.
  void Decode(const StateKey& key, State& state, Values& values);

  [[nodiscard]] static bool IsWhole(const StateKey& key) { return (key.words[0] & 1U) != 0; }
  [[nodiscard]] Split SplitOf(const StateKey& key) const;

  // Devices are alike if they have the same attributes, each is alone in its cluster, and no order
  // of devices is kept. No step can tell such devices apart, so that states that differ only in
  // their names (an orbit) have the same runs up to these names. Canonical() gives the one of an
  // orbit in which they are named in the order of the list, then by the numbers of their parts;
  // OrbitOf() is the size of the orbit of a canonical state.
  [[nodiscard]] StateKey Canonical(const StateKey& key) const;
  [[nodiscard]] uint64_t OrbitOf(const StateKey& key) const;

  [[nodiscard]] const std::vector<std::vector<DeviceId>>& clusters() const { return clusters_; }
  [[nodiscard]] size_t cluster_of(DeviceId device) const { return cluster_of_[device]; }
  [[nodiscard]] const Field& cluster_field(size_t k) const { return cluster_fields_[k]; }
  [[nodiscard]] const Field& globals_field() const { return globals_field_; }
  [[nodiscard]] const Field& domains_field() const { return domains_field_; }
  [[nodiscard]] const Field& list_field() const { return list_field_; }
  // Bits that a group takes in the list.
  [[nodiscard]] int list_width() const { return list_width_; }
  [[nodiscard]] Packer& packer() { return packer_; }

 private:
  void LayOut();
  void FindAlike(const Topology& topology);
  [[nodiscard]] DeviceId Listed(uint64_t list) const {
    return static_cast<DeviceId>(
        (list & ((uint64_t{1} << static_cast<unsigned>(list_width_)) - 1)) - 1);
  }
  // The next free bits of a key. If there are none, no state is split.
  Field Allocate(int width, std::array<int, 2>& used);

  Packer packer_;
  PartTables& tables_;
  bool splits_;
  int words_ = 1;
  int list_width_ = 0;
  int list_length_ = 0;
  std::vector<std::vector<DeviceId>> clusters_;
  Field globals_field_;
  Field domains_field_;
  Field list_field_;
  std::array<Field, kMaxClusters> cluster_fields_{};
  std::array<uint8_t, kMaxDevices> cluster_of_{};
  std::array<uint8_t, kMaxClusters> table_of_{};  // index in PartTables::clusters, by cluster
  std::vector<std::vector<uint8_t>> alike_;       // sets of clusters of alike devices
  std::array<uint8_t, kMaxDevices> alike_of_{};   // index in alike_, by device; kNoId: none
  Key key_;
};

}  // namespace iommucheck::explore
