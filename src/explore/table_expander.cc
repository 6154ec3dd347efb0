// SPDX-License-Identifier: Apache-2.0
#include "src/explore/table_expander.h"

#include <algorithm>

namespace iommucheck::explore {

TableExpander::TableExpander(const SearchContext& context, StateCodec& codec, NextStates& next,
                             ThreadCounts& counts, ModelExpander& model)
    : context_(context),
      codec_(codec),
      next_(next),
      counts_(counts),
      model_(model),
      topology_(context.shape.topology),
      with_globals_(context.kernel.era != Era::kFwnode || codec.packer().order_kept()),
      sets_by_model_(context.kernel.era == Era::kFwnode &&
                     (!context.kernel.has(Rule::kAllocByDevice) ||
                      !context.kernel.has(Rule::kType1EnforceCoherency))),
      instances_by_model_(with_globals_) {}

uint64_t TableExpander::bytes() const {
  constexpr uint64_t kSetIommuEntry = 2 * sizeof(StateKey) + 1;
  return rows_by_value_.bytes() + domain_rows_.bytes() + rows_.size() * sizeof(Row) +
         ops_.size() * sizeof(ClusterOp) + effects_.size() * sizeof(Effect) +
         set_iommu_.capacity() * kSetIommuEntry;
}

// The op on an instance that is possible.
Op TableExpander::InstanceOp(InstanceId instance) {
  const State& from = model_.from();
  const auto* const end = from.registered.begin() + from.registered_count;
  const bool registered = std::find(from.registered.begin(), end, instance) != end;
  return {registered ? OpKind::kUnregister : OpKind::kRegister, instance, 0, {}};
}

bool TableExpander::TakeAll(const StateKey& key) {
  key_ = key;
  transitions_ = 0;
  const bool violated = TakeEach();
  counts_.transitions += transitions_;
  return violated;
}

bool TableExpander::TakeEach() {
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

bool TableExpander::TakeInstances() {
  if (instances_by_model_) {
    for (InstanceId i = 0; i < topology_.instances_count; ++i)
      if (const Op op = InstanceOp(i); !model_.WaitsForAlike(op) && model_.Take(op)) return true;
    return false;
  }
  const uint32_t global_row = GlobalRow();
  for (InstanceId i = 0; i < topology_.instances_count; ++i)
    if (TakeInstance(i, global_row)) return true;
  return false;
}

bool TableExpander::TakeInstance(InstanceId instance, uint32_t global_row) {
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
    codec_.cluster_field(k).Change(to, effect.cluster);
  }
  // LearnInstance() has found that clusters do not agree about globals.
  by_model |= effects_[global_row + instance].kind == kAskModel;
  if (by_model) return model_.Take(InstanceOp(instance));
  if (is_not) return false;
  ++transitions_;
  codec_.globals_field().Change(to, effects_[global_row + instance].globals);
  if (to != key_) next_.Add(to);
  return false;
}

// The index of the effects of ops on instances on globals with this value.
uint32_t TableExpander::GlobalRow() {
  using enum Effect::Kind;
  const uint32_t globals = split_.globals;
  if (globals >= global_rows_.size()) global_rows_.resize(globals + 1, NumberMap::kNone);
  uint32_t& row = global_rows_[globals];
  if (row != NumberMap::kNone) return row;
  row = static_cast<uint32_t>(effects_.size());
  effects_.resize(effects_.size() + topology_.instances_count);
  for (InstanceId i = 0; i < topology_.instances_count; ++i)
    if (model_.WaitsForAlike(InstanceOp(i))) effects_[row + i].kind = kNotPossible;
  return row;
}

void TableExpander::LearnInstance(size_t k, InstanceId instance, uint32_t global_row) {
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

TableExpander::Effect TableExpander::InstanceEffect(size_t k, const Op& op, Effect& global) {
  using enum Effect::Kind;
  Isolate(k);
  const std::optional<StateKey> before = codec_.TrySplit(alone_, model_.values());
  const StepResult result = Step(context_.kernel, topology_, op, alone_, events_);
  if (result.outcome != Outcome::kDone) return {.kind = kNotPossible};
  if (result.error != 0 || FindViolation(context_.property, events_) != nullptr || !before)
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

// alone_: the state without the other clusters' devices. The container's domains stay.
void TableExpander::Isolate(size_t k) {
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
}

uint32_t TableExpander::RowOf(size_t k) {
  const uint64_t key = uint64_t{split_.globals} << 32U | uint64_t{split_.clusters[k]} << 8U | k;
  const uint32_t known = rows_by_value_.Find(key);
  if (known != NumberMap::kNone) return known;
  const uint32_t row = MakeRow(k);
  rows_by_value_.Insert(key, row);
  return row;
}

void TableExpander::AddOp(OpKind kind, DeviceId device, Effect::Kind effect) {
  ops_.push_back({kind, device});
  effects_.push_back({.kind = effect});
}

uint32_t TableExpander::MakeRow(size_t k) {
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
  rows_.push_back(row);
  return static_cast<uint32_t>(rows_.size() - 1);
}

// The index of the effects of a row's ops where the container has these domains. `place`:
// PlaceOf().
uint32_t TableExpander::DomainRow(size_t k, const Row& row, unsigned place) {
  const uint64_t globals = with_globals_ ? split_.globals : 0;
  const uint64_t key = globals << 43U | uint64_t{split_.domains} << 26U | place << 20U |
                       uint64_t{split_.clusters[k]} << 4U | k;
  const uint32_t known = domain_rows_.Find(key);
  if (known != NumberMap::kNone) return known;
  const auto effects = static_cast<uint32_t>(effects_.size());
  effects_.resize(effects_.size() + row.device_ops + row.group_ops);
  domain_rows_.Insert(key, effects);
  return effects;
}

// Takes the row's ops from one up to, and without, another.
bool TableExpander::TakeOps(size_t k, int from, int to) {
  using enum Effect::Kind;
  const Row row = rows_[row_of_[k]];
  uint32_t by_domains = NumberMap::kNone;
  for (int n = from; n < to; ++n) {
    uint32_t at = row.effects + topology_.instances_count + static_cast<uint32_t>(n);
    const ClusterOp op = ops_[row.ops + static_cast<uint32_t>(n)];
    const bool by_row = effects_[at].kind != kByDomains;
    if (!by_row) {
      if (by_domains == NumberMap::kNone) by_domains = DomainRow(k, row, PlaceOf(k));
      at = by_domains + static_cast<uint32_t>(n);
    }
    switch (effects_[at].kind) {
      case kNotPossible:
        break;
      case kSame:
        ++transitions_;
        break;
      case kChanges:
        ++transitions_;
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

void TableExpander::Change(size_t k, const ClusterOp& op, const Effect& effect) {
  StateKey to = key_;
  codec_.cluster_field(k).Change(to, effect.cluster);
  codec_.globals_field().Change(to, effect.globals);
  codec_.domains_field().Change(to, effect.domains);
  if (effect.list == Effect::List::kPush)
    codec_.list_field().Change(to, split_.list ^ Push(op.device));
  else if (effect.list == Effect::List::kDrop)
    codec_.list_field().Change(to, split_.list ^ Drop(op.device));
  next_.Add(to);
}

// The first entry of a list of groups.
DeviceId TableExpander::Listed(uint64_t list) const {
  const uint64_t mask = (uint64_t{1} << static_cast<unsigned>(codec_.list_width())) - 1;
  return static_cast<DeviceId>((list & mask) - 1);
}

// The list with one more group. There is always room: a state with a longer list is not split, and
// only effects between split states are remembered.
uint64_t TableExpander::Push(DeviceId first) const {
  return split_.list << static_cast<unsigned>(codec_.list_width()) | (first + 1U);
}

// Where the first group of the cluster is in the list, from 1 on; 0: nowhere. Where others would be
// does not follow from it; a cluster with several groups in the list is left to the model.
unsigned TableExpander::PlaceOf(size_t k) const {
  const auto width = static_cast<unsigned>(codec_.list_width());
  unsigned place = 1;
  for (uint64_t left = split_.list; left != 0; left >>= width, ++place)
    if (codec_.cluster_of(Listed(left)) == k) return place;
  return 0;
}

// The list without one group.
uint64_t TableExpander::Drop(DeviceId first) const {
  const auto width = static_cast<unsigned>(codec_.list_width());
  const uint64_t mask = (uint64_t{1} << width) - 1;
  for (unsigned at = 0; split_.list >> at != 0; at += width)
    if ((split_.list >> at & mask) == first + 1U)
      return (split_.list >> at >> width << at) | (split_.list & ((uint64_t{1} << at) - 1));
  return split_.list;
}

// Has the model take the op, and remembers the effect if it was not known. True: it violates the
// property.
bool TableExpander::Learn(size_t k, const ClusterOp& op, bool by_domains, uint32_t effect) {
  using enum ModelExpander::Taken;
  const bool of_group = op.kind == OpKind::kSetContainer || op.kind == OpKind::kUnsetContainer;
  const uint8_t a = of_group ? model_.from().devices[op.device].group : op.device;
  switch (model_.TakeDecided({op.kind, a, 0, {}})) {
    case kViolated:
      return true;
    case kNotPossible:
      effects_[effect].kind = Effect::Kind::kNotPossible;
      return false;
    case kPruned:
      return false;
    case kKept:
      if (effects_[effect].kind == Effect::Kind::kUnknown)
        effects_[effect] = EffectOf(k, op, by_domains);
      return false;
  }
  return false;
}

// The effect of the step that the model has just taken.
TableExpander::Effect TableExpander::EffectOf(size_t k, const ClusterOp& op,
                                              bool by_domains) const {
  using enum Effect::Kind;
  if (model_.result().whole) return {.kind = kAskModel};
  if (model_.result().key == key_) return {.kind = kSame};
  const Split to = codec_.SplitOf(model_.result().key);
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

bool TableExpander::HasIommu() {
  if (split_.domains >= has_iommu_.size()) has_iommu_.resize(split_.domains + 1);
  std::optional<bool>& known = has_iommu_[split_.domains];
  if (known) return *known;
  known = model_.from().containers[0].iommu;
  return *known;
}

bool TableExpander::TakeSetIommu() {
  if (split_.list == 0 || HasIommu()) return false;
  StateKey part;  // all that it reads
  codec_.list_field().Change(part, split_.list);
  codec_.domains_field().Change(part, split_.domains);
  if (with_globals_) codec_.globals_field().Change(part, split_.globals);
  const auto width = static_cast<unsigned>(codec_.list_width());
  StateKey clusters;  // all bits of the fields of the clusters of the container's groups
  for (uint64_t left = split_.list; left != 0; left >>= width) {
    const Field& field = codec_.cluster_field(codec_.cluster_of(Listed(left)));
    clusters.words[field.word] |= ((uint64_t{1} << field.width) - 1) << field.shift;
  }
  for (size_t w = 0; w < part.words.size(); ++w) part.words[w] |= key_.words[w] & clusters.words[w];
  static constexpr StateKey kAskModel{{~uint64_t{0}, ~uint64_t{0}}};
  const auto known = set_iommu_.find(part);
  if (known != set_iommu_.end() && known->second != kAskModel) {
    ++transitions_;
    StateKey to = key_;
    to ^= known->second;
    next_.Add(to);
    return false;
  }
  const auto taken = model_.TakeDecided({OpKind::kSetIommu, 0, 0, {}});
  if (taken == ModelExpander::Taken::kViolated) return true;
  StateKey change = kAskModel;
  if (taken == ModelExpander::Taken::kKept && !model_.result().whole && !sets_by_model_ &&
      model_.result().key != key_) {
    change = model_.result().key;
    change ^= key_;
    const Split to = codec_.SplitOf(model_.result().key);
    StateKey others = change;
    for (size_t w = 0; w < others.words.size(); ++w) others.words[w] &= ~clusters.words[w];
    codec_.domains_field().Change(others, split_.domains ^ to.domains);
    if (others != StateKey{}) change = kAskModel;
  }
  set_iommu_.insert_or_assign(part, change);
  return false;
}

}  // namespace iommucheck::explore
