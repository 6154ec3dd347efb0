// SPDX-License-Identifier: Apache-2.0
//
// Every step from a state, as one thread of a search takes them.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "model/properties.h"
#include "model/step.h"
#include "src/explore/memo.h"
#include "src/explore/parts.h"
#include "src/explore/seen.h"
#include "src/explore/shape.h"

namespace iommucheck::explore {

// The ops that can do something in a state. Those that are left out are not possible, or only give
// -EINVAL. Of the containers without groups, which no step can tell apart, one is named.
void ListOps(const Topology& topology, const State& state, int containers, std::vector<Op>& ops);

// Two instances of a driver that no device is behind and no run can tell apart yet.
struct Twins {
  InstanceId first;
  InstanceId second;
  std::vector<std::pair<uint8_t, uint8_t>> open;  // the same attribute of both
};
std::vector<Twins> FindTwins(const Shape& shape);

// What all threads of a search have in common.
struct Searched {
  const KernelProfile& kernel;
  const Property property;
  const Shape& shape;
  const int max_steps;
  const bool tables;  // false: every step is the model's
  const bool alike;   // one state stands for all that differ in the names of alike devices
  Seen& seen;
  PartValues& values;
  const std::vector<Twins> twins;
};

// In a split state (src/explore/parts.h) most steps read and write few parts: what the model made
// of them is remembered, and the next state that is the same in these is not stepped through again.
// Which parts a step reads is declared here, not measured; tests/explore_test.cc compares searches
// with and without.
//
//   step                           reads                       writes
//   add, configure                 globals, cluster            globals, cluster
//   remove, group in no container  globals, cluster            globals, cluster
//   remove, group in a container   cluster, domains, place     cluster, domains, list [globals]
//                                  in the list [globals]
//   set-, unset-container          the same                    the same
//   set-iommu                      list, domains, their clusters [globals]  domains, clusters
//   register, unregister           globals, each cluster       globals, each cluster by itself
//
// [globals]: where drivers are found by the bus, or globals have the order of devices. Left to the
// model are: a device that may join a group that is in a container; whatever changes a cluster with
// a group in a container when an instance comes or goes; set-container and set-iommu on kernels
// that ask all devices of a bus for their driver (6.8 to 6.10); register and unregister where they
// claim buses or the order of devices matters; and each step that refuses a device on a walk, since
// that ends the walk.
class Expander {
 public:
  explicit Expander(const Searched& searched);

  // Takes every step from a state that is `depth` steps from boot. True: one violates the property.
  bool Expand(uint32_t n, int depth);
  // New states are added a few at a time, at the latest here.
  void Flush();
  // To be called when all threads are done.
  void Settle() { searched_.seen.Settle(spare_); }
  // The most states that Expand() can add to the index of a search, with those before it.
  [[nodiscard]] uint64_t most() const;

  void AddRoot(const Topology& at_boot);
  [[nodiscard]] Parts& parts() { return parts_; }
  [[nodiscard]] const Topology& topology() const { return topology_; }
  [[nodiscard]] uint64_t transitions() const { return transitions_; }
  // Those that were new, with all that a state stands for.
  [[nodiscard]] uint64_t states() const { return states_; }
  // A state is of no kind of which it is known what it stands for.
  [[nodiscard]] bool names_matter() const { return names_matter_; }
  [[nodiscard]] bool cut() const { return cut_; }  // some states within the bound were left out
  // What its tables took when TellBytes() was last called; any thread may ask.
  [[nodiscard]] uint64_t bytes() const { return bytes_; }
  void TellBytes();

 private:
  enum class Took : uint8_t { kNot, kLeft, kDone, kViolated };
  struct Effect {
    enum class Kind : uint8_t { kUnknown, kNot, kSame, kMoves, kByDomains, kInFull };
    enum class List : uint8_t { kSame, kPush, kDrop };
    Kind kind = Kind::kUnknown;
    List list = List::kSame;
    // The old value xor the new one.
    uint16_t cluster = 0;
    uint32_t domains = 0;
    uint32_t globals = 0;
  };
  struct PartOp {
    OpKind kind;
    DeviceId device;  // or the first one of the group
  };
  // What a cluster of a value does in each step: effects of the instances' ops, then its own.
  struct Row {
    uint32_t effects = 0;
    uint32_t ops = 0;
    uint8_t device_ops = 0;
    uint8_t group_ops = 0;
    bool by_domains = false;
  };
  struct Pending {
    StateKey key;
    uint64_t hash;
    uint32_t parent;
  };

  // --- every step in full ---
  bool TakeAll();
  bool InFull();
  void Unpack();
  [[nodiscard]] bool Second(const Op& op) const;
  bool Take(const Op& op);
  Took TakeDecided(const Op& op);
  void Keep(const Parts::Encoded& to);
  void Put(StateKey key);
  void Add();

  // --- by parts ---
  bool ByParts();
  bool TakeInstances();
  bool TakeInstance(InstanceId instance, uint32_t global_row);
  bool TakeOps(size_t k, int from, int to);
  bool TakePartOp(size_t k, int n);
  bool TakeSetIommu();
  bool HasIommu();
  uint32_t RowOf(size_t k);
  uint32_t MakeRow(size_t k);
  void AddOp(Row& row, OpKind kind, DeviceId device, Effect::Kind effect);
  uint32_t GlobalRow();
  uint32_t DomainRow(size_t k, const Row& row, unsigned place);
  [[nodiscard]] unsigned PlaceOf(size_t k) const;
  void Move(size_t k, const PartOp& op, const Effect& effect);
  bool Learn(size_t k, const PartOp& op, bool by_domains, uint32_t effect);
  [[nodiscard]] Effect EffectOf(size_t k, const PartOp& op, bool by_domains) const;
  void LearnInstance(size_t k, InstanceId instance, uint32_t global_row);
  Effect InstanceEffect(size_t k, const Op& op, Effect& global);
  void Isolate(size_t k);
  [[nodiscard]] Op InstanceOp(InstanceId instance) const;
  [[nodiscard]] uint64_t Push(DeviceId first) const;
  [[nodiscard]] uint64_t Drop(DeviceId first) const;

  const Searched& searched_;
  const Topology& plain_;
  Parts parts_;
  const Reads reads_;
  Topology topology_;  // with what is decided in the state that is being expanded
  Values values_;      // those left in it
  State from_;
  State state_;
  std::vector<Op> ops_;
  std::vector<Event> events_;
  Parts::Encoded to_;  // of the last step taken

  uint32_t at_ = 0;
  StateKey key_;
  int left_ = 0;  // steps
  bool unpacked_ = false;
  uint64_t transitions_ = 0;
  uint64_t states_ = 0;
  bool names_matter_ = false;
  bool cut_ = false;

  static constexpr size_t kPending = 64;
  std::array<Pending, kPending> pending_;
  uint64_t put_ = 0;
  uint64_t added_ = 0;
  static constexpr size_t kRecent = 1U << 10;
  std::vector<StateKey> recent_;
  uint32_t spare_ = 0;

  // Tables.
  bool with_globals_;
  bool sets_in_full_;
  bool instances_in_full_;
  Split split_;
  std::array<uint32_t, kMaxClusters> now_{};  // rows of the state that is being expanded
  Memo row_numbers_;
  Memo domain_row_numbers_;
  std::vector<uint32_t> global_rows_;
  std::vector<Row> rows_;
  std::vector<PartOp> part_ops_;
  std::vector<Effect> effects_;
  struct HashKey {
    size_t operator()(const StateKey& key) const { return HashOf(key); }
  };
  // By list, domains and the clusters of the list: the old state xor the new one.
  absl::flat_hash_map<StateKey, StateKey, HashKey> set_iommu_;
  std::vector<std::optional<bool>> has_iommu_;  // by domains
  State alone_;
  std::atomic<uint64_t> bytes_ = 0;
};

}  // namespace iommucheck::explore
