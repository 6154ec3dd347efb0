// SPDX-License-Identifier: Apache-2.0
//
// Takes the steps from a split state (state_codec.h) from tables. Most steps read and write few
// parts of a state. What the model made of these is remembered, and where the next state has the
// same parts the model is not asked again.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "src/explore/model_expander.h"
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
  TableExpander(SearchThread& thread, ModelExpander& model)
      : thread_(thread),
        codec_(thread.codec),
        layout_(codec_.layout()),
        model_(model),
        topology_(thread.context.shape.topology),
        with_globals_(kernel().era != Era::kFwnode || codec_.packer().order_kept()),
        sets_by_model_(
            kernel().era == Era::kFwnode &&
            (!kernel().has(Rule::kAllocByDevice) || !kernel().has(Rule::kType1EnforceCoherency))) {}

  // Takes every step from the state, which `model` was started with. True: one violates the
  // property.
  bool TakeAll(const StateKey& key) {
    key_ = key;
    split_ = codec_.SplitOf(key_);
    const size_t clusters = codec_.clusters().size();
    for (size_t k = 0; k < clusters; ++k) row_of_[k] = RowOf(k);
    if (TakeInstances()) return true;
    for (size_t k = 0; k < clusters; ++k)
      if (TakeOps(k, 0, rows_[row_of_[k]].device_ops)) return true;
    for (size_t k = 0; k < clusters; ++k) {
      const int first = rows_[row_of_[k]].device_ops;
      if (TakeOps(k, first, first + rows_[row_of_[k]].group_ops)) return true;
    }
    return TakeSetIommu();
  }

  [[nodiscard]] uint64_t bytes() const {
    constexpr uint64_t kSetIommuEntry = 2 * sizeof(StateKey) + 1;
    constexpr uint64_t kMapEntry = 2 * sizeof(uint64_t) + 1;
    return (rows_by_value_.capacity() + domain_rows_.capacity()) * kMapEntry +
           rows_.size() * sizeof(Row) + ops_.size() * sizeof(ClusterOp) +
           effects_.size() * sizeof(Effect) + set_iommu_.capacity() * kSetIommuEntry;
  }

 private:
  static constexpr uint32_t kNone = ~0U;

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

  [[nodiscard]] const KernelProfile& kernel() const { return thread_.context.kernel; }

  // The op on an instance that is possible.
  Op InstanceOp(InstanceId instance) {
    const bool registered = IsRegistered(model_.from(), instance);
    return {registered ? OpKind::kUnregister : OpKind::kRegister, instance, 0, {}};
  }

  bool TakeInstances() {
    if (with_globals_) {
      for (InstanceId i = 0; i < topology_.instances_count; ++i)
        if (const Op op = InstanceOp(i); !model_.WaitsForAlike(op) && model_.Take(op)) return true;
      return false;
    }
    const uint32_t global_row = GlobalRow();
    for (InstanceId i = 0; i < topology_.instances_count; ++i)
      if (TakeInstance(i, global_row)) return true;
    return false;
  }

  bool TakeInstance(InstanceId instance, uint32_t global_row) {
    using enum Effect::Kind;
    if (effects_[global_row + instance].kind == kNotPossible) return false;
    StateKey to = key_;
    bool by_model = effects_[global_row + instance].kind == kAskModel;
    bool is_not = false;
    for (size_t k = 0; k < codec_.clusters().size() && !by_model; ++k) {
      const uint32_t at = rows_[row_of_[k]].effects + instance;
      if (effects_[at].kind == kUnknown) LearnInstance(k, instance, global_row);
      const Effect& effect = effects_[at];
      by_model |= effect.kind == kAskModel;
      is_not |= effect.kind == kNotPossible;
      layout_.clusters[k].Change(to, effect.cluster);
    }
    // LearnInstance() has found that clusters do not agree about globals.
    by_model |= effects_[global_row + instance].kind == kAskModel;
    if (by_model) return model_.Take(InstanceOp(instance));
    if (is_not) return false;
    ++thread_.counts.transitions;
    layout_.globals.Change(to, effects_[global_row + instance].globals);
    if (to != key_) thread_.next.Add(to);
    return false;
  }

  // The index of the effects of ops on instances on globals with this value.
  uint32_t GlobalRow() {
    const uint32_t globals = split_.globals;
    if (globals >= global_rows_.size()) global_rows_.resize(globals + 1, kNone);
    uint32_t& row = global_rows_[globals];
    if (row != kNone) return row;
    row = static_cast<uint32_t>(effects_.size());
    effects_.resize(effects_.size() + topology_.instances_count);
    for (InstanceId i = 0; i < topology_.instances_count; ++i)
      if (model_.WaitsForAlike(InstanceOp(i))) effects_[row + i].kind = Effect::Kind::kNotPossible;
    return row;
  }

  void LearnInstance(size_t k, InstanceId instance, uint32_t global_row) {
    Effect global;
    const Effect effect = InstanceEffect(k, InstanceOp(instance), global);
    effects_[rows_[row_of_[k]].effects + instance] = effect;
    if (effect.kind != Effect::Kind::kChanges && effect.kind != Effect::Kind::kSame) return;
    Effect& known = effects_[global_row + instance];
    if (known.kind == Effect::Kind::kUnknown)
      known = global;
    else if (known.globals != global.globals)
      known.kind = Effect::Kind::kAskModel;
  }

  Effect InstanceEffect(size_t k, const Op& op, Effect& global) {
    using enum Effect::Kind;
    Isolate(k);
    const std::optional<StateKey> before = codec_.TrySplit(alone_, model_.values());
    const StepResult result = Step(kernel(), topology_, op, alone_, events_);
    if (result.outcome != Outcome::kDone) return {.kind = kNotPossible};
    if (result.error != 0 || FindViolation(thread_.context.property, events_) != nullptr || !before)
      return {.kind = kAskModel};
    const std::optional<StateKey> after = codec_.TrySplit(alone_, model_.values());
    if (!after) return {.kind = kAskModel};
    const Split from = codec_.SplitOf(*before);
    const Split to = codec_.SplitOf(*after);
    const auto change = static_cast<uint16_t>(from.clusters[k] ^ to.clusters[k]);
    const bool in_container = from.list != 0;
    if (from.domains != to.domains || from.list != to.list || (in_container && change != 0))
      return {.kind = kAskModel};
    global = {.kind = kChanges, .globals = from.globals ^ to.globals};
    return {.kind = change == 0 ? kSame : kChanges, .cluster = change};
  }

  // alone_: the state without the other clusters' devices, and what is theirs alone.
  void Isolate(size_t k) {
    const State& from = model_.from();
    alone_ = from;
    State& s = alone_;
    s.listed.fill(kNoId);
    s.listed_count = 0;
    for (uint8_t n = 0; n < from.listed_count; ++n)
      if (codec_.cluster_of(from.listed[n]) == k) s.listed[s.listed_count++] = from.listed[n];
    uint64_t mine = 0;  // groups
    for (DeviceId d = 0; d < topology_.devices_count; ++d) {
      if (codec_.cluster_of(d) != k) s.devices[d] = {};
      if (s.devices[d].group != kNoId) mine |= uint64_t{1} << s.devices[d].group;
    }
    GroupId* link = &s.containers[0].groups;
    for (GroupId g = from.containers[0].groups; g != kNoId; g = from.groups[g].next_in_container)
      if ((mine >> g & 1U) != 0) {
        *link = g;
        link = &s.groups[g].next_in_container;
      }
    *link = kNoId;
    for (GroupId g = 0; g < s.groups_end; ++g)
      if ((mine >> g & 1U) == 0) s.groups[g] = {};
    while (s.groups_end > 0 && !s.groups[s.groups_end - 1U].live) --s.groups_end;
    KeepDomainsOfGroups();
  }

  // Takes the domains from alone_ that none of its groups has and none of its devices is on.
  void KeepDomainsOfGroups() {
    State& s = alone_;
    std::array<bool, kMaxDomains + 1> kept{};  // at kMaxDomains: no domain
    const auto keep = [&kept](DomainId d) { kept[std::min<size_t>(d, kMaxDomains)] = true; };
    for (DomainState& d : std::span(s.domains).first(s.domains_end)) d.refs = 0;
    for (const GroupState& g : std::span(s.groups).first(s.groups_end)) {
      keep(g.default_domain);
      keep(g.blocking_domain);
      keep(g.vfio_domain);
      keep(g.domain);
      if (g.domain != kNoId) ++s.domains[g.domain].refs;
    }
    for (DeviceId d = 0; d < topology_.devices_count; ++d) {
      const DomainId hw = s.devices[d].hw;
      keep(hw);
      if (hw != kNoId) ++s.domains[hw].refs;
    }
    for (DomainId* link = &s.containers[0].domains; *link != kNoId;)
      if (kept[*link])
        link = &s.domains[*link].next;
      else
        *link = s.domains[*link].next;
    for (DomainId d = 0; d < s.domains_end; ++d)
      if (!kept[d]) s.domains[d] = {};
    while (s.domains_end > 0 && s.domains[s.domains_end - 1U].type == DomainType::kFree)
      --s.domains_end;
  }

  uint32_t RowOf(size_t k) {
    const uint64_t key = uint64_t{split_.globals} << 32U | uint64_t{split_.clusters[k]} << 8U | k;
    const auto [row, is_new] = rows_by_value_.try_emplace(key, rows_.size());
    if (is_new) rows_.push_back(MakeRow(k));
    return row->second;
  }

  void AddOp(OpKind kind, DeviceId device, Effect::Kind effect) {
    ops_.push_back({kind, device});
    effects_.push_back({.kind = effect});
  }

  Row MakeRow(size_t k) {
    using enum Effect::Kind;
    const State& from = model_.from();
    Row row{.effects = static_cast<uint32_t>(effects_.size()),
            .ops = static_cast<uint32_t>(ops_.size())};
    effects_.resize(effects_.size() + topology_.instances_count);
    uint64_t in_container = 0;  // groups, a bit each
    for (const DeviceId d : codec_.clusters()[k])
      if (const GroupId g = from.devices[d].group; g != kNoId && from.groups[g].container != kNoId)
        in_container |= uint64_t{1} << g;
    const auto by_domains = (in_container & (in_container - 1)) == 0 ? kByDomains : kAskModel;
    for (const DeviceId d : codec_.clusters()[k]) {
      const DeviceState& device = from.devices[d];
      const bool grouped = device.group != kNoId;
      const auto may_join = !grouped && in_container != 0 ? kAskModel : kUnknown;
      if (!device.present) {
        AddOp(OpKind::kAdd, d, may_join);
        continue;
      }
      const bool leaves = grouped && from.groups[device.group].container != kNoId;
      AddOp(OpKind::kRemove, d, leaves ? by_domains : kUnknown);
      if (HasFwnode(topology_, topology_.devices[d])) AddOp(OpKind::kConfigure, d, may_join);
    }
    row.device_ops = static_cast<uint8_t>(ops_.size() - row.ops);
    uint64_t done = 0;
    for (const DeviceId d : codec_.clusters()[k]) {
      const GroupId g = from.devices[d].group;
      if (g == kNoId || (done >> g & 1U) != 0) continue;
      done |= uint64_t{1} << g;
      if (from.groups[g].container != kNoId)
        AddOp(OpKind::kUnsetContainer, d, by_domains);
      else
        AddOp(OpKind::kSetContainer, d, sets_by_model_ ? kAskModel : by_domains);
    }
    row.group_ops = static_cast<uint8_t>(ops_.size() - row.ops - row.device_ops);
    return row;
  }

  // The index of the effects of a row's ops where the container has these domains. `place`:
  // PlaceOf().
  uint32_t DomainRow(size_t k, const Row& row, unsigned place) {
    const uint64_t globals = with_globals_ ? split_.globals : 0;
    const uint64_t key = globals << 43U | uint64_t{split_.domains} << 26U | place << 20U |
                         uint64_t{split_.clusters[k]} << 4U | k;
    const auto [effects, is_new] = domain_rows_.try_emplace(key, effects_.size());
    if (is_new) effects_.resize(effects_.size() + row.device_ops + row.group_ops);
    return effects->second;
  }

  // Takes the row's ops from one up to, and without, another.
  bool TakeOps(size_t k, int from, int to) {
    using enum Effect::Kind;
    const Row row = rows_[row_of_[k]];
    uint32_t by_domains = kNone;
    for (int n = from; n < to; ++n) {
      uint32_t at = row.effects + topology_.instances_count + static_cast<uint32_t>(n);
      const ClusterOp op = ops_[row.ops + static_cast<uint32_t>(n)];
      const bool by_row = effects_[at].kind != kByDomains;
      if (!by_row) {
        if (by_domains == kNone) by_domains = DomainRow(k, row, PlaceOf(k));
        at = by_domains + static_cast<uint32_t>(n);
      }
      switch (effects_[at].kind) {
        case kNotPossible:
          break;
        case kSame:
          ++thread_.counts.transitions;
          break;
        case kChanges:
          ++thread_.counts.transitions;
          Change(k, op, effects_[at]);
          break;
        case kUnknown:
        case kByDomains:
        case kAskModel:
          if (Learn(k, op, !by_row, at)) return true;
          break;
      }
    }
    return false;
  }

  void Change(size_t k, const ClusterOp& op, const Effect& effect) {
    StateKey to = key_;
    layout_.clusters[k].Change(to, effect.cluster);
    layout_.globals.Change(to, effect.globals);
    layout_.domains.Change(to, effect.domains);
    if (effect.list == Effect::List::kPush)
      layout_.list.Change(to, split_.list ^ Push(op.device));
    else if (effect.list == Effect::List::kDrop)
      layout_.list.Change(to, split_.list ^ Drop(op.device));
    thread_.next.Add(to);
  }

  // The list with one more group. There is always room: a state with a longer list is not split,
  // and only effects between split states are remembered.
  [[nodiscard]] uint64_t Push(DeviceId first) const {
    return split_.list << layout_.list_width | (first + 1U);
  }

  // Where the first group of the cluster is in the list, from 1 on; 0: nowhere. Where others would
  // be does not follow from it; a cluster with several groups in the list is left to the model.
  [[nodiscard]] unsigned PlaceOf(size_t k) const {
    unsigned place = 1;
    for (uint64_t left = split_.list; left != 0; left >>= layout_.list_width, ++place)
      if (codec_.cluster_of(layout_.Listed(left)) == k) return place;
    return 0;
  }

  // The list without one group.
  [[nodiscard]] uint64_t Drop(DeviceId first) const {
    const unsigned width = layout_.list_width;
    for (unsigned at = 0; split_.list >> at != 0; at += width)
      if (layout_.Listed(split_.list >> at) == first)
        return (split_.list >> at >> width << at) | (split_.list & ((uint64_t{1} << at) - 1));
    return split_.list;
  }

  // Has the model take the op, and remembers the effect if it was not known. True: it violates the
  // property.
  bool Learn(size_t k, const ClusterOp& op, bool by_domains, uint32_t effect) {
    using enum ModelExpander::Taken;
    const bool of_group = op.kind == OpKind::kSetContainer || op.kind == OpKind::kUnsetContainer;
    const uint8_t a = of_group ? model_.from().devices[op.device].group : op.device;
    const ModelExpander::Taken taken = model_.TakeDecided({op.kind, a, 0, {}});
    Effect& known = effects_[effect];
    if (taken == kNotPossible) known.kind = Effect::Kind::kNotPossible;
    if (taken == kKept && known.kind == Effect::Kind::kUnknown) known = EffectOf(k, op, by_domains);
    return taken == kViolated;
  }

  // The effect of the step that the model has just taken.
  [[nodiscard]] Effect EffectOf(size_t k, const ClusterOp& op, bool by_domains) const {
    using enum Effect::Kind;
    if (StateCodec::IsWhole(model_.result())) return {.kind = kAskModel};
    if (model_.result() == key_) return {.kind = kSame};
    const Split to = codec_.SplitOf(model_.result());
    Effect effect{.kind = kChanges,
                  .cluster = static_cast<uint16_t>(split_.clusters[k] ^ to.clusters[k]),
                  .domains = split_.domains ^ to.domains,
                  .globals = split_.globals ^ to.globals};
    if (to.list == split_.list)
      effect.list = Effect::List::kSame;
    else if (to.list == Push(op.device))
      effect.list = Effect::List::kPush;
    else if (to.list == Drop(op.device))
      effect.list = Effect::List::kDrop;
    else
      return {.kind = kAskModel};
    for (size_t other = 0; other < codec_.clusters().size(); ++other)
      if (other != k && to.clusters[other] != split_.clusters[other]) return {.kind = kAskModel};
    const bool domains_change = effect.domains != 0 || effect.list != Effect::List::kSame;
    if (!by_domains && domains_change) return {.kind = kAskModel};
    if (by_domains && !with_globals_ && effect.globals != 0) return {.kind = kAskModel};
    return effect;
  }

  bool TakeSetIommu() {
    if (split_.list == 0) return false;
    if (split_.domains >= has_iommu_.size()) has_iommu_.resize(split_.domains + 1);
    std::optional<bool>& has_iommu = has_iommu_[split_.domains];
    if (!has_iommu) has_iommu = model_.from().containers[0].iommu;
    if (*has_iommu) return false;
    StateKey writes;  // all bits of the fields of domains and of the clusters of the list
    layout_.domains.AddBits(writes);
    for (uint64_t left = split_.list; left != 0; left >>= layout_.list_width)
      layout_.clusters[codec_.cluster_of(layout_.Listed(left))].AddBits(writes);
    StateKey reads = writes;
    layout_.list.AddBits(reads);
    if (with_globals_) layout_.globals.AddBits(reads);
    const StateKey part = key_ & reads;
    static constexpr StateKey kAskModel{{~uint64_t{0}, ~uint64_t{0}}};
    const auto known = set_iommu_.find(part);
    if (known != set_iommu_.end() && known->second != kAskModel) {
      ++thread_.counts.transitions;
      thread_.next.Add(key_ ^ known->second);
      return false;
    }
    const auto taken = model_.TakeDecided({OpKind::kSetIommu, 0, 0, {}});
    if (taken == ModelExpander::Taken::kViolated) return true;
    StateKey change = kAskModel;
    const StateKey difference = model_.result() ^ key_;
    if (taken == ModelExpander::Taken::kKept && !sets_by_model_ &&
        !StateCodec::IsWhole(model_.result()) && difference != StateKey() &&
        (difference & writes) == difference)
      change = difference;
    set_iommu_.insert_or_assign(part, change);
    return false;
  }

  SearchThread& thread_;
  StateCodec& codec_;
  const Layout& layout_;  // of its keys
  ModelExpander& model_;
  const Topology& topology_;

  const bool with_globals_;   // [globals] above; the model takes register and unregister then
  const bool sets_by_model_;  // the model takes set-container and set-iommu
  StateKey key_;              // of the state that steps are taken from
  Split split_;               // its parts
  std::array<uint32_t, kMaxClusters> row_of_{};            // by cluster: index in rows_
  absl::flat_hash_map<uint64_t, uint32_t> rows_by_value_;  // see RowOf()
  absl::flat_hash_map<uint64_t, uint32_t> domain_rows_;    // see DomainRow()
  std::vector<uint32_t> global_rows_;                      // by value of globals
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
