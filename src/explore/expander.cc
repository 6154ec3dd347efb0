// SPDX-License-Identifier: Apache-2.0
#include "src/explore/expander.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "src/explore/explore.h"

namespace iommucheck::explore {
namespace {

// With so many steps left, StepsToGo() leaves out no state that one of them comes to, and every
// kind of step is taken.
constexpr int kNoneLeftOut = 5;

bool HasFwnode(const Topology& t, const Device& device) {
  return std::ranges::any_of(device.masters,
                             [&](InstanceId i) { return i != kNoId && t.instances[i].fwnode; });
}

int LiveGroups(const State& state) {
  int live = 0;
  for (GroupId g = 0; g < state.groups_end; ++g) live += state.groups[g].live ? 1 : 0;
  return live;
}

// The drivers that a domain or a device can be of by now: loaded once, and still in a slot, on the
// list, behind a device or in a domain.
int DriversAbout(const Topology& t, const State& state) {
  unsigned about = 0;
  for (const DriverId d : state.bus_ops)
    if (d != kNoId) about |= 1U << d;
  for (uint8_t n = 0; n < state.registered_count; ++n)
    about |= 1U << t.instances[state.registered[n]].driver;
  for (DeviceId d = 0; d < t.devices_count; ++d)
    if (const InstanceId i = state.devices[d].instance; i != kNoId)
      about |= 1U << t.instances[i].driver;
  for (DomainId d = 0; d < state.domains_end; ++d)
    if (state.domains[d].type != DomainType::kFree) about |= 1U << state.domains[d].driver;
  return std::popcount(about);
}

// No run violates the property in fewer steps from here. A violation is between two drivers, and
// each one that is not about takes a register, which may be what violates no-cross-driver-attach.
// To reuse a domain, a group must be on it and another group be attached: each takes a
// set-container that it has not had yet, and the container a set-iommu; and a group or a driver
// that is not there yet takes a step that is neither.
int StepsToGo(Property property, const Topology& t, const State& state) {
  const int drivers = DriversAbout(t, state);
  if (property == Property::kNoCrossDriverAttach) return std::max(1, 2 - drivers);
  std::array<int, kMaxContainers> contained{};
  int groups = 0;
  for (GroupId g = 0; g < state.groups_end; ++g) {
    groups += state.groups[g].live ? 1 : 0;
    if (const ContainerId c = state.groups[g].container; c != kNoId) ++contained[c];
  }
  int steps = 3;
  for (size_t c = 0; c < contained.size(); ++c)
    steps = std::min(steps, state.containers[c].iommu ? 1 : 3 - std::min(2, contained[c]));
  return steps + (drivers < 2 || groups < 2 ? 1 : 0);
}

// Whether an op of the kind can be the one that violates the property.
bool CanViolate(Property property, OpKind kind, bool two_drivers) {
  if (property == Property::kNoCrossDriverAttach) return two_drivers || kind == OpKind::kRegister;
  return kind == OpKind::kSetContainer || kind == OpKind::kSetIommu;
}

}  // namespace

std::vector<Twins> FindTwins(const Shape& shape) {
  const Topology& t = shape.topology;
  std::array<bool, kMaxInstances> named{};
  for (DeviceId d = 0; d < t.devices_count; ++d)
    for (InstanceId m : t.devices[d].masters)
      if (m != kNoId) named[m] = true;
  std::vector<Twins> all;
  for (InstanceId j = 1; j < t.instances_count; ++j)
    for (InstanceId i = 0; i < j; ++i) {
      if (named[i] || named[j] || t.instances[i] != t.instances[j] ||
          t.drivers[t.instances[i].driver].accepts_foreign)
        continue;
      Twins& twins = all.emplace_back(Twins{i, j, {}});
      for (uint8_t a = 0; a < shape.open.size(); ++a)
        for (uint8_t b = 0; b < shape.open.size(); ++b)
          if (shape.open[a].what >= Attribute::kFwnode && shape.open[a].of == i &&
              shape.open[b].of == j && shape.open[a].what == shape.open[b].what)
            twins.open.emplace_back(a, b);
      break;
    }
  return all;
}

void ListOps(const Topology& t, const State& state, int containers, std::vector<Op>& ops) {
  ops.clear();
  const auto add = [&](OpKind kind, uint8_t a, uint8_t b = 0) { ops.push_back({kind, a, b, {}}); };
  unsigned registered = 0;
  for (uint8_t n = 0; n < state.registered_count; ++n) registered |= 1U << state.registered[n];
  for (InstanceId i = 0; i < t.instances_count; ++i)
    add((registered >> i & 1U) != 0 ? OpKind::kUnregister : OpKind::kRegister, i);
  for (DeviceId d = 0; d < t.devices_count; ++d) {
    const bool present = state.devices[d].present;
    add(present ? OpKind::kRemove : OpKind::kAdd, d);
    if (present && HasFwnode(t, t.devices[d])) add(OpKind::kConfigure, d);
  }
  for (GroupId g = 0; g < state.groups_end; ++g) {
    if (!state.groups[g].live) continue;
    if (state.groups[g].container != kNoId) {
      add(OpKind::kUnsetContainer, g);
      continue;
    }
    bool empty_named = false;
    for (ContainerId c = 0; c < containers; ++c) {
      const bool empty = state.containers[c].groups == kNoId;
      if (!empty || !empty_named) add(OpKind::kSetContainer, g, c);
      empty_named |= empty;
    }
  }
  for (ContainerId c = 0; c < containers; ++c)
    if (state.containers[c].groups != kNoId && !state.containers[c].iommu)
      add(OpKind::kSetIommu, c);
}

Expander::Expander(const Searched& searched)
    : searched_(searched),
      plain_(searched.shape.topology),
      parts_(searched.kernel, searched.shape, searched.values),
      reads_(searched.kernel, searched.shape),
      topology_(searched.shape.topology),
      values_(AllValues(searched.shape)),
      recent_(searched.tables ? kRecent : 1, StateKey{{~uint64_t{0}, ~uint64_t{0}}}) {
  const bool fwnode_era = searched.kernel.era == Era::kFwnode;
  with_globals_ = !fwnode_era || parts_.packer().order_kept();
  sets_in_full_ = fwnode_era && (!searched.kernel.has(Rule::kAllocByDevice) ||
                                 !searched.kernel.has(Rule::kType1EnforceCoherency));
  instances_in_full_ = !fwnode_era || parts_.packer().order_kept();
}

void Expander::AddRoot(const Topology& at_boot) {
  at_ = searched_.seen.end();  // a root is its own parent
  const Parts::Encoded root = parts_.Encode(InitialState(at_boot), values_);
  Keep(root);
  Flush();
}

uint64_t Expander::most() const {
  const Topology& t = plain_;
  return kPending + t.instances_count + 2U * t.devices_count + kMaxGroups + kMaxContainers;
}

void Expander::TellBytes() {
  constexpr uint64_t kSetIommuEntry = 2 * sizeof(StateKey) + 1;
  bytes_ = row_numbers_.bytes() + domain_row_numbers_.bytes() + rows_.size() * sizeof(Row) +
           part_ops_.size() * sizeof(PartOp) + effects_.size() * sizeof(Effect) +
           set_iommu_.capacity() * kSetIommuEntry;
}

bool Expander::Expand(uint32_t n, int depth) {
  at_ = n;
  key_ = searched_.seen.KeyAt(n);
  unpacked_ = false;
  left_ = searched_.max_steps == kUnbounded ? kUnbounded : searched_.max_steps - depth;
  const uint64_t before = transitions_;
  const bool violated = TakeAll();
  if (searched_.alike) transitions_ = before + (transitions_ - before) * parts_.OrbitOf(key_);
  return violated;
}

bool Expander::TakeAll() {
  if (searched_.tables && left_ >= kNoneLeftOut && parts_.splits() && !Parts::IsWhole(key_))
    return ByParts();
  return InFull();
}

// --- every step in full ---

void Expander::Unpack() {
  if (unpacked_) return;
  unpacked_ = true;
  parts_.Decode(key_, from_, values_);
  for (size_t i = 0; i < searched_.shape.open.size(); ++i)
    Decide(searched_.shape, i, values_[i], topology_);
}

bool Expander::InFull() {
  Unpack();
  ListOps(topology_, from_, searched_.shape.containers, ops_);
  const bool last = left_ == 1;
  const bool two_drivers = last && DriversAbout(topology_, from_) >= 2;
  for (const Op& op : ops_) {
    if (Second(op)) continue;
    if (last && !CanViolate(searched_.property, op.kind, two_drivers))
      cut_ = true;
    else if (Take(op))
      return true;
  }
  return false;
}

// The second of two alike instances waits for the first.
bool Expander::Second(const Op& op) const {
  if (op.kind != OpKind::kRegister) return false;
  const auto* const end = from_.registered.begin() + from_.registered_count;
  return std::ranges::any_of(searched_.twins, [&](const Twins& t) {
    return t.second == op.a && std::find(from_.registered.begin(), end, t.first) == end &&
           std::ranges::all_of(t.open, [&](const auto& pair) {
             return values_[pair.first] == values_[pair.second];
           });
  });
}

// Takes a step, once for each answer to what it asks for. True: one violates the property.
bool Expander::Take(const Op& op) {
  const auto asked = reads_.First(topology_, op, from_, values_);
  if (!asked) return TakeDecided(op) == Took::kViolated;
  const uint8_t left = values_[asked->open];
  bool violated = false;
  for (const uint8_t one_class : asked->classes) {
    values_[asked->open] = left & one_class;
    if (values_[asked->open] == 0) continue;
    Decide(searched_.shape, asked->open, values_[asked->open], topology_);
    if (!Allowed(searched_.shape, searched_.kernel, values_)) continue;
    violated = Take(op);
    // The machine stays as it is decided.
    if (violated) return true;
  }
  values_[asked->open] = left;
  Decide(searched_.shape, asked->open, left, topology_);
  return false;
}

Expander::Took Expander::TakeDecided(const Op& op) {
  CopyState(from_, topology_.devices_count, state_);
  if (Step(searched_.kernel, topology_, op, state_, events_).outcome != Outcome::kDone)
    return Took::kNot;
  if (LiveGroups(state_) > searched_.shape.max_groups) return Took::kNot;
  ++transitions_;
  if (FindViolation(searched_.property, events_) != nullptr) return Took::kViolated;
  // From here no violation is within the steps that are left. Where there is no bound, and for
  // the counts of states, every state is kept.
  if (left_ != kUnbounded && StepsToGo(searched_.property, topology_, state_) > left_ - 1) {
    cut_ = true;
    return Took::kLeft;
  }
  to_ = parts_.Encode(state_, values_);
  Keep(to_);
  return Took::kDone;
}

void Expander::Keep(const Parts::Encoded& to) {
  if (!to.whole) return Put(to.key);
  names_matter_ |= searched_.alike;
  if (!to.is_new) return;
  searched_.seen.Append(to.key, at_);
  ++states_;
}

// A state is looked for in the index some states later, when what Prefetch() asked for is there.
void Expander::Put(StateKey key) {
  if (searched_.alike) key = parts_.Canonical(key);
  const uint64_t hash = HashOf(key);
  // Steps of which the order does not matter come to one state within a few states.
  StateKey& recent = recent_[hash & (recent_.size() - 1)];
  if (recent == key) return;
  recent = key;
  searched_.seen.Prefetch(hash);
  pending_[put_ % kPending] = {key, hash, at_};
  if (put_ >= added_ + kPending / 2)
    searched_.seen.PrefetchEntry(pending_[(put_ - kPending / 2) % kPending].hash);
  if (++put_ == added_ + kPending) Add();
}

void Expander::Add() {
  const Pending& oldest = pending_[added_++ % kPending];
  if (searched_.seen.Add(oldest.key, oldest.hash, oldest.parent, spare_))
    states_ += searched_.alike ? parts_.OrbitOf(oldest.key) : 1;
}

void Expander::Flush() {
  while (added_ < put_) Add();
}

// --- by parts ---

Op Expander::InstanceOp(InstanceId instance) const {
  const auto* const end = from_.registered.begin() + from_.registered_count;
  const bool registered = std::find(from_.registered.begin(), end, instance) != end;
  return {registered ? OpKind::kUnregister : OpKind::kRegister, instance, 0, {}};
}

bool Expander::ByParts() {
  split_ = parts_.SplitOf(key_);
  const size_t clusters = parts_.clusters().size();
  for (size_t k = 0; k < clusters; ++k) now_[k] = RowOf(k);
  if (TakeInstances()) return true;
  for (size_t k = 0; k < clusters; ++k)
    if (TakeOps(k, 0, rows_[now_[k]].device_ops)) return true;
  for (size_t k = 0; k < clusters; ++k) {
    const int first = rows_[now_[k]].device_ops;
    if (TakeOps(k, first, first + rows_[now_[k]].group_ops)) return true;
  }
  return TakeSetIommu();
}

bool Expander::TakeInstances() {
  if (instances_in_full_) {
    Unpack();
    for (InstanceId i = 0; i < plain_.instances_count; ++i)
      if (const Op op = InstanceOp(i); !Second(op) && Take(op)) return true;
    return false;
  }
  const uint32_t global_row = GlobalRow();
  for (InstanceId i = 0; i < plain_.instances_count; ++i)
    if (TakeInstance(i, global_row)) return true;
  return false;
}

bool Expander::TakeInstance(InstanceId instance, uint32_t global_row) {
  using enum Effect::Kind;
  if (effects_[global_row + instance].kind == kNot) return false;
  StateKey to = key_;
  bool in_full = effects_[global_row + instance].kind == kInFull;
  bool is_not = false;
  for (size_t k = 0; k < parts_.clusters().size() && !in_full; ++k) {
    const uint32_t at = rows_[now_[k]].effects + instance;
    if (effects_[at].kind == kUnknown) LearnInstance(k, instance, global_row);
    const Effect& effect = effects_[at];
    in_full |= effect.kind == kInFull;
    is_not |= effect.kind == kNot;
    parts_.cluster_field(k).Change(to, effect.cluster);
  }
  // Clusters that do not agree, too.
  in_full |= effects_[global_row + instance].kind == kInFull;
  if (in_full) {
    Unpack();
    return Take(InstanceOp(instance));
  }
  if (is_not) return false;
  ++transitions_;
  parts_.globals_field().Change(to, effects_[global_row + instance].globals);
  if (to != key_) Put(to);
  return false;
}

// The effects of instances' ops on globals, by their value.
uint32_t Expander::GlobalRow() {
  using enum Effect::Kind;
  const uint32_t globals = split_.globals;
  if (globals >= global_rows_.size()) global_rows_.resize(globals + 1, Memo::kNone);
  uint32_t& row = global_rows_[globals];
  if (row != Memo::kNone) return row;
  row = static_cast<uint32_t>(effects_.size());
  effects_.resize(effects_.size() + plain_.instances_count);
  Unpack();
  for (InstanceId i = 0; i < plain_.instances_count; ++i)
    if (Second(InstanceOp(i))) effects_[row + i].kind = kNot;
  return row;
}

void Expander::LearnInstance(size_t k, InstanceId instance, uint32_t global_row) {
  Unpack();
  Effect global;
  const Effect effect = InstanceEffect(k, InstanceOp(instance), global);
  effects_[rows_[now_[k]].effects + instance] = effect;
  if (effect.kind != Effect::Kind::kMoves && effect.kind != Effect::Kind::kSame) return;
  Effect& known = effects_[global_row + instance];
  if (known.kind == Effect::Kind::kUnknown)
    known = global;
  else if (known.globals != global.globals)
    known.kind = Effect::Kind::kInFull;
}

Expander::Effect Expander::InstanceEffect(size_t k, const Op& op, Effect& global) {
  using enum Effect::Kind;
  Isolate(k);
  const std::optional<StateKey> before = parts_.TrySplit(alone_, values_);
  const StepResult result = Step(searched_.kernel, plain_, op, alone_, events_);
  if (result.outcome != Outcome::kDone) return {.kind = kNot};
  if (result.error != 0 || FindViolation(searched_.property, events_) != nullptr || !before)
    return {.kind = kInFull};
  const std::optional<StateKey> after = parts_.TrySplit(alone_, values_);
  if (!after) return {.kind = kInFull};
  const Split from = parts_.SplitOf(*before);
  const Split to = parts_.SplitOf(*after);
  const auto change = static_cast<uint16_t>(from.clusters[k] ^ to.clusters[k]);
  const bool in_container = from.list != 0;
  if (from.domains != to.domains || from.list != to.list || (in_container && change != 0))
    return {.kind = kInFull};
  global = {.kind = kMoves, .globals = from.globals ^ to.globals};
  return {.kind = change == 0 ? kSame : kMoves, .cluster = change};
}

// alone_: the state without the other clusters' devices. The container's domains stay.
void Expander::Isolate(size_t k) {
  alone_ = from_;
  State& s = alone_;
  s.listed.fill(kNoId);
  s.listed_count = 0;
  for (uint8_t n = 0; n < from_.listed_count; ++n)
    if (parts_.cluster_of(from_.listed[n]) == k) s.listed[s.listed_count++] = from_.listed[n];
  uint64_t mine = 0;  // groups
  for (DeviceId d = 0; d < plain_.devices_count; ++d) {
    if (parts_.cluster_of(d) != k) s.devices[d] = {};
    if (s.devices[d].group != kNoId) mine |= uint64_t{1} << s.devices[d].group;
  }
  GroupId* link = &s.containers[0].groups;
  for (GroupId g = from_.containers[0].groups; g != kNoId; g = from_.groups[g].next_in_container)
    if ((mine >> g & 1U) != 0) {
      *link = g;
      link = &s.groups[g].next_in_container;
    }
  *link = kNoId;
  for (GroupId g = 0; g < s.groups_end; ++g)
    if ((mine >> g & 1U) == 0) s.groups[g] = {};
}

uint32_t Expander::RowOf(size_t k) {
  const uint64_t key = uint64_t{split_.globals} << 32U | uint64_t{split_.clusters[k]} << 8U | k;
  const uint32_t known = row_numbers_.Find(key);
  if (known != Memo::kNone) return known;
  const uint32_t row = MakeRow(k);
  row_numbers_.Insert(key, row);
  return row;
}

void Expander::AddOp(Row& row, OpKind kind, DeviceId device, Effect::Kind effect) {
  part_ops_.push_back({kind, device});
  effects_.push_back({.kind = effect});
  row.by_domains |= effect == Effect::Kind::kByDomains;
}

uint32_t Expander::MakeRow(size_t k) {
  using enum Effect::Kind;
  Unpack();
  Row row{.effects = static_cast<uint32_t>(effects_.size()),
          .ops = static_cast<uint32_t>(part_ops_.size())};
  effects_.resize(effects_.size() + plain_.instances_count);
  uint64_t in_container = 0;  // groups, a bit each
  for (const DeviceId d : parts_.clusters()[k])
    if (const GroupId g = from_.devices[d].group; g != kNoId && from_.groups[g].container != kNoId)
      in_container |= uint64_t{1} << g;
  const auto by_domains = (in_container & (in_container - 1)) == 0 ? kByDomains : kInFull;
  for (const DeviceId d : parts_.clusters()[k]) {
    const DeviceState& device = from_.devices[d];
    const bool grouped = device.group != kNoId;
    const auto may_join = !grouped && in_container != 0 ? kInFull : kUnknown;
    if (!device.present) {
      AddOp(row, OpKind::kAdd, d, may_join);
      continue;
    }
    const bool leaves = grouped && from_.groups[device.group].container != kNoId;
    AddOp(row, OpKind::kRemove, d, leaves ? by_domains : kUnknown);
    if (HasFwnode(plain_, plain_.devices[d])) AddOp(row, OpKind::kConfigure, d, may_join);
  }
  row.device_ops = static_cast<uint8_t>(part_ops_.size() - row.ops);
  uint64_t done = 0;
  for (const DeviceId d : parts_.clusters()[k]) {
    const GroupId g = from_.devices[d].group;
    if (g == kNoId || (done >> g & 1U) != 0) continue;
    done |= uint64_t{1} << g;
    if (from_.groups[g].container != kNoId)
      AddOp(row, OpKind::kUnsetContainer, d, by_domains);
    else
      AddOp(row, OpKind::kSetContainer, d, sets_in_full_ ? kInFull : by_domains);
  }
  row.group_ops = static_cast<uint8_t>(part_ops_.size() - row.ops - row.device_ops);
  rows_.push_back(row);
  return static_cast<uint32_t>(rows_.size() - 1);
}

// Where the effects are of a row's ops on these domains.
uint32_t Expander::DomainRow(size_t k, const Row& row, unsigned place) {
  const uint64_t globals = with_globals_ ? split_.globals : 0;
  const uint64_t key = globals << 43U | uint64_t{split_.domains} << 26U | place << 20U |
                       uint64_t{split_.clusters[k]} << 4U | k;
  const uint32_t known = domain_row_numbers_.Find(key);
  if (known != Memo::kNone) return known;
  const auto effects = static_cast<uint32_t>(effects_.size());
  effects_.resize(effects_.size() + row.device_ops + row.group_ops);
  domain_row_numbers_.Insert(key, effects);
  return effects;
}

// The row's ops from one to before another.
bool Expander::TakeOps(size_t k, int from, int to) {
  using enum Effect::Kind;
  const Row row = rows_[now_[k]];
  uint32_t by_domains = Memo::kNone;
  for (int n = from; n < to; ++n) {
    uint32_t at = row.effects + plain_.instances_count + static_cast<uint32_t>(n);
    const PartOp op = part_ops_[row.ops + static_cast<uint32_t>(n)];
    const bool by_row = effects_[at].kind != kByDomains;
    if (!by_row) {
      if (by_domains == Memo::kNone) by_domains = DomainRow(k, row, PlaceOf(k));
      at = by_domains + static_cast<uint32_t>(n);
    }
    switch (effects_[at].kind) {
      case kNot:
        break;
      case kSame:
        ++transitions_;
        break;
      case kMoves:
        ++transitions_;
        Move(k, op, effects_[at]);
        break;
      case kUnknown:
      case kByDomains:
      case kInFull:
        if (Learn(k, op, !by_row, at)) return true;
        break;
    }
  }
  return false;
}

void Expander::Move(size_t k, const PartOp& op, const Effect& effect) {
  StateKey to = key_;
  parts_.cluster_field(k).Change(to, effect.cluster);
  parts_.globals_field().Change(to, effect.globals);
  parts_.domains_field().Change(to, effect.domains);
  if (effect.list == Effect::List::kPush)
    parts_.list_field().Change(to, split_.list ^ Push(op.device));
  else if (effect.list == Effect::List::kDrop)
    parts_.list_field().Change(to, split_.list ^ Drop(op.device));
  Put(to);
}

// The list with one more group, and without one. There is always room: a longer one is not split,
// and what is not split is not learnt.
uint64_t Expander::Push(DeviceId first) const {
  return split_.list << static_cast<unsigned>(parts_.list_width()) | (first + 1U);
}

// Where a group of the cluster is in the list, from 1 on; 0: nowhere. Of more than one, where the
// first is: the others' places do not follow, and such a cluster is left to the model.
unsigned Expander::PlaceOf(size_t k) const {
  const auto width = static_cast<unsigned>(parts_.list_width());
  unsigned place = 1;
  for (uint64_t left = split_.list; left != 0; left >>= width, ++place)
    if (parts_.cluster_of(static_cast<DeviceId>((left & ((uint64_t{1} << width) - 1)) - 1)) == k)
      return place;
  return 0;
}

uint64_t Expander::Drop(DeviceId first) const {
  const auto width = static_cast<unsigned>(parts_.list_width());
  const uint64_t mask = (uint64_t{1} << width) - 1;
  for (unsigned at = 0; split_.list >> at != 0; at += width)
    if ((split_.list >> at & mask) == first + 1U)
      return (split_.list >> at >> width << at) | (split_.list & ((uint64_t{1} << at) - 1));
  return split_.list;
}

// Takes the step in full, and remembers what it did if it was not known. True: it violates the
// property.
bool Expander::Learn(size_t k, const PartOp& op, bool by_domains, uint32_t effect) {
  Unpack();
  const bool of_group = op.kind == OpKind::kSetContainer || op.kind == OpKind::kUnsetContainer;
  const uint8_t a = of_group ? from_.devices[op.device].group : op.device;
  switch (TakeDecided({op.kind, a, 0, {}})) {
    case Took::kViolated:
      return true;
    case Took::kNot:
      effects_[effect].kind = Effect::Kind::kNot;
      return false;
    case Took::kLeft:
      return false;
    case Took::kDone:
      if (effects_[effect].kind == Effect::Kind::kUnknown)
        effects_[effect] = EffectOf(k, op, by_domains);
      return false;
  }
  return false;
}

// Of the step that was taken in full.
Expander::Effect Expander::EffectOf(size_t k, const PartOp& op, bool by_domains) const {
  using enum Effect::Kind;
  if (to_.whole) return {.kind = kInFull};
  if (to_.key == key_) return {.kind = kSame};
  const Split to = parts_.SplitOf(to_.key);
  Effect effect{.kind = kMoves,
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
    return {.kind = kInFull};
  for (size_t other = 0; other < parts_.clusters().size(); ++other)
    if (other != k && to.clusters[other] != split_.clusters[other]) return {.kind = kInFull};
  const bool domains_change = effect.domains != 0 || effect.list != Effect::List::kSame;
  if (!by_domains && domains_change) return {.kind = kInFull};
  if (by_domains && !with_globals_ && effect.globals != 0) return {.kind = kInFull};
  return effect;
}

bool Expander::HasIommu() {
  if (split_.domains >= has_iommu_.size()) has_iommu_.resize(split_.domains + 1);
  std::optional<bool>& known = has_iommu_[split_.domains];
  if (known) return *known;
  Unpack();
  known = from_.containers[0].iommu;
  return *known;
}

bool Expander::TakeSetIommu() {
  if (split_.list == 0 || HasIommu()) return false;
  // What it reads.
  StateKey part;
  parts_.list_field().Change(part, split_.list);
  parts_.domains_field().Change(part, split_.domains);
  if (with_globals_) parts_.globals_field().Change(part, split_.globals);
  const auto width = static_cast<unsigned>(parts_.list_width());
  StateKey clusters;  // of the container's groups, all bits
  for (uint64_t left = split_.list; left != 0; left >>= width) {
    const auto first = static_cast<DeviceId>((left & ((uint64_t{1} << width) - 1)) - 1);
    const Field& field = parts_.cluster_field(parts_.cluster_of(first));
    clusters.words[field.word] |= ((uint64_t{1} << field.width) - 1) << field.shift;
  }
  for (size_t w = 0; w < part.words.size(); ++w) part.words[w] |= key_.words[w] & clusters.words[w];
  static constexpr StateKey kInFull{{~uint64_t{0}, ~uint64_t{0}}};
  const auto known = set_iommu_.find(part);
  if (known != set_iommu_.end() && known->second != kInFull) {
    ++transitions_;
    StateKey to = key_;
    to ^= known->second;
    Put(to);
    return false;
  }
  Unpack();
  const Took took = TakeDecided({OpKind::kSetIommu, 0, 0, {}});
  if (took == Took::kViolated) return true;
  StateKey change = kInFull;
  if (took == Took::kDone && !to_.whole && !sets_in_full_ && to_.key != key_) {
    change = to_.key;
    change ^= key_;
    const Split to = parts_.SplitOf(to_.key);
    StateKey others = change;
    for (size_t w = 0; w < others.words.size(); ++w) others.words[w] &= ~clusters.words[w];
    parts_.domains_field().Change(others, split_.domains ^ to.domains);
    if (others != StateKey{}) change = kInFull;
  }
  set_iommu_.insert_or_assign(part, change);
  return false;
}

}  // namespace iommucheck::explore
