// SPDX-License-Identifier: Apache-2.0
//
// States as keys of a fixed length, in which a step changes few bits.
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
#include "src/explore/seen.h"

namespace iommucheck::explore {

inline constexpr int kMaxClusters = 16;

// A plain state by its parts. A cluster is the devices that can come to share groups; its part is
// these and their groups with default and blocking domains. `globals` is what is of no device,
// `domains` the container's list of domains and which of them each group is on, each a number of
// what it stands for; `list` is the container's groups, newest first, each as one more than the
// first of its devices.
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

// What the keys of one search stand for, for all its threads.
struct PartValues {
  void Clear();
  [[nodiscard]] uint64_t bytes() const;

  Interner globals;
  Interner domains;
  std::array<Interner, kMaxClusters> clusters;
  std::mutex whole_mutex;
  KeySet whole;
};

// Two states have one key exactly if Packer gives them one. A state is split if the shape allows
// it, no group is without devices, and every pointer at a domain is one of those that Split has
// room for; any other, and one with a value that is one too many for its field, is packed as a
// whole (Packer), and its key says where. Each thread has its own Parts; they share the values.
class Parts {
 public:
  Parts(const KernelProfile& kernel, const Shape& shape, PartValues& values);

  // Whether any state of the shape is split: no attribute is open, there is one container, no group
  // belongs to an instance, groups do not run out, and the parts fit.
  [[nodiscard]] bool splits() const { return splits_; }
  [[nodiscard]] int words() const { return words_; }

  struct Encoded {
    StateKey key;
    bool whole = false;
    bool is_new = false;  // if whole: nobody had it before
  };
  // nullopt: the state is none that is split.
  std::optional<StateKey> TrySplit(const State& state, const Values& values);
  Encoded Encode(const State& state, const Values& values);
  // As Packer::Unpack(): `state` must be blank or come from here or from a step after it.
  void Decode(const StateKey& key, State& state, Values& values);

  [[nodiscard]] static bool IsWhole(const StateKey& key) { return (key.words[0] & 1U) != 0; }
  [[nodiscard]] Split SplitOf(const StateKey& key) const;

  // Devices that are alike in all, each alone in its cluster, and of which no order is kept: no
  // step can tell which is which, so states that differ in their names only have the same runs up
  // to them. Canonical() names them in the order of the list, then by the numbers of their parts;
  // OrbitOf() is how many states Canonical() gives this one for.
  [[nodiscard]] bool has_alike() const { return splits_ && !alike_.empty(); }
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
  Field Place(int width, std::array<int, 2>& used);

  Packer packer_;
  PartValues& values_;
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
  std::array<uint8_t, kMaxClusters> values_of_{};  // which of PartValues::clusters
  std::vector<std::vector<uint8_t>> alike_;        // clusters, at least two each
  std::array<uint8_t, kMaxDevices> alike_of_{};    // index in alike_, by device; kNoId: none
  Key key_;
};

}  // namespace iommucheck::explore
