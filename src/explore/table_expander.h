// SPDX-License-Identifier: Apache-2.0
//
// Takes the steps from a split state (state_codec.h) from tables. Most steps read and write few
// parts of a state. What the model made of these is remembered, and where the next state has the
// same parts the model is not asked again.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "src/explore/model_expander.h"
#include "src/explore/next_states.h"
#include "src/explore/number_map.h"
#include "src/explore/search_context.h"
#include "src/explore/state_codec.h"

namespace iommucheck::explore {

// Which parts a step reads is declared here, not measured; tests/explore_test.cc compares searches
// with and without tables.
//
//   step                           reads                       writes
//   add, configure                 globals, cluster            globals, cluster
//   remove, group in no container  globals, cluster            globals, cluster
//   remove, group in a container   cluster, domains, place     cluster, domains, list [globals]
//                                  in the list [globals]
//   set-, unset-container          as the line above           as the line above
//   set-iommu                      list, domains, their clusters [globals]  domains, clusters
//   register, unregister           globals, each cluster       globals, each cluster by itself
//
// [globals]: where drivers are found by the bus, or globals have the order of devices. Left to the
// model are: a device that may join a group that is in a container; whatever changes a cluster with
// a group in a container when an instance comes or goes; set-container and set-iommu on kernels
// that ask all devices of a bus for their driver (6.8 to 6.10); register and unregister where they
// claim buses or the order of devices matters; and each step that refuses a device on a walk, since
// that ends the walk.
class TableExpander {
 public:
  TableExpander(const SearchContext& context, StateCodec& codec, NextStates& next,
                ThreadCounts& counts, ModelExpander& model);

  // Takes every step from the state, which `model` was started with. True: one violates the
  // property.
  bool TakeAll(const StateKey& key);
  [[nodiscard]] uint64_t bytes() const;

 private:
  // The effect of an op on states with certain parts.
  struct Effect {
    enum class Kind : uint8_t {
      kUnknown,  // the model has not been asked yet
      kNotPossible,
      kSame,       // the op is possible and changes nothing
      kChanges,    // it changes the parts as below
      kByDomains,  // it depends on the container's domains, too: DomainRow() has the effect
      kAskModel    // the model takes the op each time
    };
    enum class List : uint8_t { kSame, kPush, kDrop };
    Kind kind = Kind::kUnknown;
    List list = List::kSame;
    // The old value xor the new one.
    uint16_t cluster = 0;
    uint32_t domains = 0;
    uint32_t globals = 0;
  };
  // An op on a device, or on the group of which the device is the first.
  struct ClusterOp {
    OpKind kind;
    DeviceId device;
  };
  // The table of a cluster with one value: indices of the effects, first those of the op on each
  // instance, then those of the cluster's own ops; and of these ops, on devices, then on groups.
  struct Row {
    uint32_t effects = 0;
    uint32_t ops = 0;
    uint8_t device_ops = 0;
    uint8_t group_ops = 0;
  };

  bool TakeEach();
  bool TakeInstances();
  bool TakeInstance(InstanceId instance, uint32_t global_row);
  bool TakeOps(size_t k, int from, int to);
  bool TakeSetIommu();
  bool HasIommu();
  uint32_t RowOf(size_t k);
  uint32_t MakeRow(size_t k);
  void AddOp(OpKind kind, DeviceId device, Effect::Kind effect);
  uint32_t GlobalRow();
  uint32_t DomainRow(size_t k, const Row& row, unsigned place);
  [[nodiscard]] unsigned PlaceOf(size_t k) const;
  void Change(size_t k, const ClusterOp& op, const Effect& effect);
  bool Learn(size_t k, const ClusterOp& op, bool by_domains, uint32_t effect);
  [[nodiscard]] Effect EffectOf(size_t k, const ClusterOp& op, bool by_domains) const;
  void LearnInstance(size_t k, InstanceId instance, uint32_t global_row);
  Effect InstanceEffect(size_t k, const Op& op, Effect& global);
  void Isolate(size_t k);
  [[nodiscard]] Op InstanceOp(InstanceId instance);
  [[nodiscard]] uint64_t Push(DeviceId first) const;
  [[nodiscard]] uint64_t Drop(DeviceId first) const;
  [[nodiscard]] DeviceId Listed(uint64_t list) const;

  const SearchContext& context_;
  StateCodec& codec_;
  NextStates& next_;
  ThreadCounts& counts_;
  ModelExpander& model_;
  const Topology& topology_;

  const bool with_globals_;                      // [globals] above
  const bool sets_by_model_;                     // the model takes set-container and set-iommu
  const bool instances_by_model_;                // and register and unregister
  StateKey key_;                                 // of the state that steps are taken from
  uint64_t transitions_ = 0;                     // from it that the tables took
  Split split_;                                  // its parts
  std::array<uint32_t, kMaxClusters> row_of_{};  // by cluster: index in rows_
  NumberMap rows_by_value_;
  NumberMap domain_rows_;
  std::vector<uint32_t> global_rows_;  // by value of globals
  std::vector<Row> rows_;
  std::vector<ClusterOp> ops_;
  std::vector<Effect> effects_;
  struct HashKey {
    size_t operator()(const StateKey& key) const { return HashOf(key); }
  };
  // By list, domains and the clusters of the list: the old state xor the new one.
  absl::flat_hash_map<StateKey, StateKey, HashKey> set_iommu_;
  std::vector<std::optional<bool>> has_iommu_;  // by value of domains
  State alone_;                                 // see Isolate()
  std::vector<Event> events_;
};

}  // namespace iommucheck::explore
