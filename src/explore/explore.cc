// SPDX-License-Identifier: Apache-2.0
#include "src/explore/explore.h"

#include <algorithm>
#include <deque>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "model/state.h"
#include "model/step.h"
#include "src/explore/compact.h"

namespace iommucheck::explore {
namespace {

using StateNumber = uint32_t;
constexpr size_t kBlockBytes = size_t{1} << 20;

// All states that were seen, in the order they were found, each with the step that found it.
class Seen {
 public:
  // Returns whether the state is new.
  bool Add(std::string_view bytes, StateNumber parent, const Op& op) {
    const auto it = index_.find(bytes);
    if (it != index_.end()) return false;
    const auto number = static_cast<StateNumber>(entries_.size());
    Block& block = BlockFor(bytes.size());
    entries_.push_back(
        {block.data() + block.size(), static_cast<uint16_t>(bytes.size()), op.kind, op.a, parent});
    block.insert(block.end(), bytes.begin(), bytes.end());
    index_.insert(number);
    return true;
  }

  [[nodiscard]] size_t size() const { return entries_.size(); }
  [[nodiscard]] std::string_view BytesOf(StateNumber n) const {
    return {entries_[n].bytes, entries_[n].length};
  }
  [[nodiscard]] StateNumber ParentOf(StateNumber n) const { return entries_[n].parent; }
  [[nodiscard]] Op OpOf(StateNumber n) const { return {entries_[n].kind, entries_[n].a, 0, {}}; }

 private:
  struct Entry {
    const char* bytes;
    uint16_t length;
    OpKind kind;
    uint8_t a;
    StateNumber parent;
  };
  using Block = std::vector<char>;

  // The set holds numbers; it hashes and compares the bytes that they stand for.
  struct Hash {
    using is_transparent = void;
    const Seen* seen;
    size_t operator()(std::string_view bytes) const {
      return absl::Hash<absl::string_view>()(absl::string_view(bytes.data(), bytes.size()));
    }
    size_t operator()(StateNumber n) const { return (*this)(seen->BytesOf(n)); }
  };
  struct Equal {
    using is_transparent = void;
    const Seen* seen;
    bool operator()(StateNumber a, StateNumber b) const { return a == b; }
    bool operator()(StateNumber a, std::string_view b) const { return seen->BytesOf(a) == b; }
    bool operator()(std::string_view a, StateNumber b) const { return seen->BytesOf(b) == a; }
  };

  // Blocks never grow beyond what they reserved, so that bytes stay where they are.
  Block& BlockFor(size_t size) {
    if (blocks_.empty() || blocks_.back().capacity() - blocks_.back().size() < size) {
      blocks_.emplace_back();
      blocks_.back().reserve(kBlockBytes);
    }
    return blocks_.back();
  }

  std::deque<Block> blocks_;
  std::vector<Entry> entries_;
  absl::flat_hash_set<StateNumber, Hash, Equal> index_{0, Hash{this}, Equal{this}};
};

bool HasFwnode(const Topology& t, const Device& device) {
  return std::ranges::any_of(device.masters,
                             [&](InstanceId i) { return i != kNoId && t.instances[i].fwnode; });
}

// The ops that can do something. Those that are left out are not possible, or only give -EINVAL.
void ListOps(const Topology& t, const State& state, std::vector<Op>& ops) {
  ops.clear();
  const auto add = [&](OpKind kind, uint8_t a) { ops.push_back({kind, a, 0, {}}); };
  const auto* const registered_end = state.registered.begin() + state.registered_count;
  for (InstanceId i = 0; i < t.instances_count; ++i) {
    const bool is_registered =
        std::find(state.registered.begin(), registered_end, i) != registered_end;
    add(is_registered ? OpKind::kUnregister : OpKind::kRegister, i);
  }
  for (DeviceId d = 0; d < t.devices_count; ++d) {
    const bool present = state.devices[d].present;
    add(present ? OpKind::kRemove : OpKind::kAdd, d);
    if (present && HasFwnode(t, t.devices[d])) add(OpKind::kConfigure, d);
  }
  for (GroupId g = 0; g < state.groups_end; ++g) {
    if (!state.groups[g].live) continue;
    const bool in_container = state.groups[g].container != kNoId;
    add(in_container ? OpKind::kUnsetContainer : OpKind::kSetContainer, g);
  }
  if (state.containers[0].groups != kNoId && !state.containers[0].iommu) add(OpKind::kSetIommu, 0);
}

bool NamesGroup(const Op& op) {
  return op.kind == OpKind::kSetContainer || op.kind == OpKind::kUnsetContainer;
}

class Explorer {
 public:
  Explorer(const Case& machine, Property property)
      : machine_(machine),
        topology_(machine.topology),
        profile_(ProfileOf(machine.kernel)),
        property_(property),
        compactor_(machine.topology) {}

  ExploreResult Run(int max_steps, uint64_t max_states) {
    if (const auto broken = BrokenAssumption(topology_, profile_.rules)) {
      result_.reason = absl::StrCat("the machine is outside of ", std::string(InfoOf(*broken).id),
                                    ", which is assumed");
      result_.verdict = Verdict::kHolds;
      return std::move(result_);
    }
    Search(max_steps, std::min(max_states, kMaxStates));
    result_.states = seen_.size();
    return std::move(result_);
  }

 private:
  void Search(int max_steps, uint64_t max_states) {
    compactor_.Encode(InitialState(topology_), bytes_);
    seen_.Add(bytes_, 0, {});
    size_t next = 0;
    while (result_.depth < max_steps) {
      const size_t level_end = seen_.size();
      for (; next < level_end; ++next) {
        if (Expand(static_cast<StateNumber>(next))) return;
        if (seen_.size() <= max_states) continue;
        result_.reason =
            absl::StrCat("more than ", max_states, " states within ", result_.depth + 1, " steps");
        return;
      }
      ++result_.depth;
      result_.every_depth = seen_.size() == level_end;
      if (result_.every_depth) break;
    }
    result_.verdict = Verdict::kHolds;
  }

  // Takes every step from a state. True: one violates the property.
  bool Expand(StateNumber number) {
    const State from = compactor_.Decode(seen_.BytesOf(number));
    ListOps(topology_, from, ops_);
    for (const Op& op : ops_) {
      state_ = from;
      if (Step(profile_, topology_, op, state_, events_).outcome != Outcome::kDone) continue;
      ++result_.transitions;
      if (FindViolation(property_, events_) != nullptr) {
        WriteCase(number, op);
        return true;
      }
      compactor_.Encode(state_, bytes_);
      seen_.Add(bytes_, number, op);
    }
    return false;
  }

  void WriteCase(StateNumber number, const Op& last) {
    std::vector<Op> ops = {last};
    for (; number != 0; number = seen_.ParentOf(number)) ops.push_back(seen_.OpOf(number));
    std::ranges::reverse(ops);
    Case& found = result_.found;
    found.kernel = machine_.kernel;
    found.topology = topology_;
    found.names = machine_.names;
    State state = InitialState(topology_);
    for (Op op : ops) {
      compactor_.Encode(state, bytes_);
      if (NamesGroup(op)) op.a = OldGroup(op.a);
      const StepResult step = Step(profile_, topology_, op, state, events_);
      found.ops.push_back({op, step.error, ""});
    }
    Expectation violated;
    violated.kind = Expectation::Kind::kViolated;
    violated.property = property_;
    violated.at = static_cast<int>(ops.size());
    found.expectations.push_back(violated);
    result_.verdict = Verdict::kViolated;
  }

  // The group that the last Encode() gave this number.
  [[nodiscard]] GroupId OldGroup(GroupId new_number) const {
    GroupId g = 0;
    while (compactor_.NewGroup(g) != new_number) ++g;
    return g;
  }

  const Case& machine_;
  const Topology& topology_;
  const KernelProfile profile_;
  const Property property_;
  Compactor compactor_;
  Seen seen_;
  ExploreResult result_;
  // Kept from step to step, so that no step allocates.
  State state_;
  std::string bytes_;
  std::vector<Op> ops_;
  std::vector<Event> events_;
};

}  // namespace

ExploreResult ExploreMachine(const Case& machine, Property property, int max_steps,
                             uint64_t max_states) {
  return Explorer(machine, property).Run(max_steps, max_states);
}

}  // namespace iommucheck::explore
