// SPDX-License-Identifier: Apache-2.0
#include "src/smt/fixed_query.h"

#include <algorithm>
#include <exception>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/step.h"
#include "src/case/engine_error.h"
#include "src/smt/fixed_space.h"
#include "src/smt/size_search.h"
#include "src/smt/smt2.h"
#include "src/smt/solver.h"
#include "src/smt/unrolling.h"
#include "src/tool/progress.h"
#include "src/tool/stop.h"

namespace iommucheck::smt {
namespace {

using Answer = Solver::Answer;
using DeviceSet = std::set<DeviceId>;

// Of alike devices of a cluster so many are kept: the first founds the group.
constexpr int kOfAKind = 3;
// Devices of a circuit; beyond these it takes too long to be of use.
constexpr size_t kMaxEncodedDevices = 20;
// Runs that differ in what a circuit does not tell.
constexpr int kMaxTries = 32;

// --- the machine in parts ---

bool CanBeServed(const Topology& t, DeviceId d) {
  bool can = t.devices[d].masters[0] != kNoId;
  for (int i = 0; i < t.instances_count; ++i)
    can |= t.drivers[t.instances[i].driver].accepts_foreign;
  return can;
}

// Whether an instance may share out a group to both.
bool ShareInstance(const Topology& t, DeviceId a, DeviceId b) {
  const auto may = [&](DeviceId d, InstanceId i) {
    return t.devices[d].masters[0] == i || t.devices[d].masters[1] == i ||
           t.drivers[t.instances[i].driver].accepts_foreign;
  };
  for (InstanceId i = 0; i < t.instances_count; ++i)
    if (t.drivers[t.instances[i].driver].instance_groups && may(a, i) && may(b, i)) return true;
  return false;
}

// In the order of their first devices; without those that no driver can take.
std::vector<Cluster> ClustersOf(const Topology& t) {
  std::vector<int> number(t.devices_count);
  for (DeviceId d = 0; d < t.devices_count; ++d) {
    number[d] = d;
    for (DeviceId e = 0; e < d; ++e)
      if (number[e] != number[d] && (t.related(d, e) || ShareInstance(t, d, e))) {
        const auto [low, high] = std::minmax(number[d], number[e]);
        std::replace(number.begin(), number.begin() + d + 1, int{high}, int{low});
      }
  }
  std::map<int, Cluster> by_number;
  for (DeviceId d = 0; d < t.devices_count; ++d) by_number[number[d]].push_back(d);
  std::vector<Cluster> clusters;
  for (auto& [unused, cluster] : by_number)
    if (std::ranges::any_of(cluster, [&](DeviceId e) { return CanBeServed(t, e); }))
      clusters.push_back(std::move(cluster));
  return clusters;
}

// How a device looks to the kernel, but for which others it is related to: the instances that it is
// behind by number, or by how they look.
std::string LookOf(const Topology& t, const Device& device, bool by_number) {
  std::string look = absl::StrCat(static_cast<int>(device.bus), device.absent ? "-" : "");
  for (InstanceId i : device.masters) {
    absl::StrAppend(&look, ",", i);
    if (by_number || i == kNoId) continue;
    const Instance& instance = t.instances[i];
    look.resize(look.rfind(','));
    absl::StrAppend(&look, ",", instance.driver, instance.fwnode ? "f" : "-", instance.table,
                    instance.enforces_coherency ? "e" : "-");
  }
  return look;
}

// The cluster with no more than so many devices that look alike and have the same relations; one
// that is another's alias stays.
Cluster Reduced(const Topology& t, const Cluster& cluster) {
  std::map<std::string, int> seen;
  Cluster kept;
  for (DeviceId d : cluster) {
    const bool hub =
        std::ranges::any_of(cluster, [&](DeviceId e) { return t.devices[e].alias == d; });
    const std::string look = absl::StrCat(LookOf(t, t.devices[d], true), ";", t.devices[d].alias,
                                          ";", t.devices[d].slot);
    if (hub || ++seen[look] <= kOfAKind) kept.push_back(d);
  }
  return kept;
}

// Clusters with equal ones are of one kind.
std::string KindOf(const Topology& t, const Cluster& cluster, bool by_number) {
  std::string kind;
  std::map<std::pair<Bus, uint8_t>, int> slots;  // in the order in which they come
  for (DeviceId d : cluster) {
    const Device& device = t.devices[d];
    const auto alias = std::ranges::find(cluster, device.alias) - cluster.begin();
    const int slot =
        device.slot == 0
            ? 0
            : slots.try_emplace({device.bus, device.slot}, static_cast<int>(slots.size()) + 1)
                  .first->second;
    absl::StrAppend(&kind, LookOf(t, device, by_number), ";", device.alias == kNoId ? -1 : alias,
                    ";", slot, "|");
  }
  return kind;
}

// The machine with these devices only.
Topology Only(const Topology& t, const DeviceSet& devices) {
  Topology part = t;
  std::map<DeviceId, DeviceId> renumbered = {{kNoId, kNoId}};
  part.devices_count = 0;
  for (DeviceId d : devices) {
    renumbered[d] = part.devices_count;
    part.devices[part.devices_count++] = t.devices[d];
  }
  for (DeviceId d = 0; d < part.devices_count; ++d) {
    DeviceId& alias = part.devices[d].alias;
    alias = renumbered.contains(alias) ? renumbered[alias] : kNoId;
  }
  return part;
}

// Whether the stands can choose clusters that differ, given those that are taken.
bool CanDiffer(const std::vector<Stand>& stands, size_t from = 0, const DeviceSet& taken = {}) {
  if (from == stands.size()) return true;
  return std::ranges::any_of(stands[from].choices, [&](const Cluster& cluster) {
    if (taken.contains(cluster.front())) return false;
    DeviceSet more = taken;
    more.insert(cluster.front());
    return CanDiffer(stands, from + 1, more);
  });
}

// --- a run of a circuit, and the same run in the model ---

struct FoundRun {
  std::vector<Op> ops;            // devices and groups as the circuit numbers them
  std::vector<DeviceId> devices;  // the machine's, by the circuit's; kNoId: none
  // Before each step: the group of each device of the circuit, -1 for none.
  std::vector<std::vector<int>> groups;
};

// Plays the run on the machine with these devices. The ops up to the one that violates the
// property, with the machine's numbers if `devices` are all; nothing if none does.
std::optional<std::vector<Op>> PlayOn(const KernelProfile& kernel, const Topology& machine,
                                      const DeviceSet& devices, const FoundRun& run,
                                      Property property) {
  const bool all = devices.size() == machine.devices_count;
  const Topology t = all ? machine : Only(machine, devices);
  const auto number = [&](DeviceId d) {
    return all ? d : static_cast<DeviceId>(std::distance(devices.begin(), devices.find(d)));
  };
  State state = InitialState(t);
  std::vector<Event> events;
  std::vector<Op> ops;
  std::map<int, GroupId>
      group_of;  // the circuit's groups; a group without devices keeps its number
  for (size_t n = 0; n < run.ops.size(); ++n) {
    Op op = run.ops[n];
    for (size_t d = 0; d < run.devices.size(); ++d)
      if (run.groups[n][d] >= 0)
        group_of[run.groups[n][d]] = state.devices[number(run.devices[d])].group;
    switch (op.kind) {
      case OpKind::kAdd:
      case OpKind::kRemove:
      case OpKind::kConfigure:
        op.a = number(run.devices[op.a]);
        break;
      case OpKind::kSetContainer:
      case OpKind::kUnsetContainer: {
        const auto at = group_of.find(op.a);
        if (at == group_of.end() || at->second == kNoId) return std::nullopt;
        op.a = at->second;
        break;
      }
      default:
        break;
    }
    if (!Validate(op, t).ok() || Step(kernel, t, op, state, events).outcome != Outcome::kDone)
      return std::nullopt;
    ops.push_back(op);
    if (FindViolation(property, events) != nullptr) return ops;
  }
  return std::nullopt;
}

// --- the search ---

class MachineSearch {
 public:
  MachineSearch(Property property, const Case& machine, const Bounds& bounds, bool want_smt2,
                const Proved& proved, int whole_devices)
      : property_(property),
        machine_(machine),
        topology_(machine_.topology),
        kernel_(ProfileOf(machine.kernel)),
        bounds_(bounds),
        want_smt2_(want_smt2),
        proved_(proved),
        whole_devices_(static_cast<size_t>(whole_devices)) {
    for (DeviceId d = 0; d < topology_.devices_count; ++d) all_.insert(d);
    Divide();
  }
  MachineResult Run();
  // What Run() has found so far.
  [[nodiscard]] const MachineResult& known() const { return result_; }

 private:
  // What is in a circuit: one cluster of those in question; two, of which one is in question.
  enum class Part : uint8_t { kOne, kTwo };
  // What the model says of a run.
  enum class Ruling : uint8_t {
    kViolates,  // on all of the machine
    kNot,       // not even on the devices that the circuit chose
    kRefuted,   // only there; what refutes it is in the circuit from now on
    kTooMuch,   // only there, and all of that is in the circuit
  };

  void Divide();
  // What one circuit is about.
  struct Scope {
    unsigned drivers;  // that register, a bit each
    std::vector<Stand> stands;
  };
  [[nodiscard]] std::vector<Scope> Scopes(Part part) const;
  void AddScopes(Part part, DriverId a, DriverId b, std::vector<Scope>& scopes) const;
  [[nodiscard]] bool MayServe(DriverId driver, const Cluster& cluster) const;
  [[nodiscard]] bool MayAllocate(DriverId driver, const Cluster& cluster) const;
  [[nodiscard]] bool ClustersAreApart() const;
  [[nodiscard]] bool AllocatesByBus() const;
  [[nodiscard]] bool IsProved(const std::vector<Cluster>& clusters, Known what) const;
  Answer FindAt(int steps);
  Answer LookAt(Part part, Property property, int steps);
  std::optional<Answer> LookOnce(Part part, Property property, int steps);
  std::optional<Answer> Look(const Scope& scope, const Runs& runs);
  Ruling Judge(const FoundRun& run);
  bool Widen(const FoundRun& run, const DeviceSet& used);
  FoundRun Read(const FixedSpace& space, const std::vector<std::vector<Bits>>& groups,
                const FixedSpace::Value& value) const;

  Property property_;
  const Case& machine_;
  const Topology& topology_;
  KernelProfile kernel_;
  Bounds bounds_;
  bool want_smt2_;
  const Proved& proved_;
  size_t whole_devices_;
  DeviceSet all_;
  std::vector<Cluster> clusters_;  // of the whole machine
  std::vector<Cluster> one_;       // in question alone: one of each kind
  std::vector<Cluster> first_;     // in question with another: two of each kind
  std::vector<Cluster> second_;    // the others
  std::vector<Cluster> core_;      // always in the circuit
  bool reduce_ = true;             // leave out devices of a cluster that are alike
  MachineResult result_;
};

// Whether nothing but the container's domains goes from one cluster to another that could bring
// about a violation: no attach fails and ends a walk, no domain is allocated by the first device of
// a bus that has devices of two drivers.
bool MachineSearch::ClustersAreApart() const {
  return !AllocatesByBus() && !CanRefuse(kernel_, topology_);
}

bool MachineSearch::AllocatesByBus() const {
  return kernel_.era == Era::kFwnode && !kernel_.has(Rule::kAllocByDevice) &&
         !kernel_.has(Rule::kAllocBusUnique);
}

bool MachineSearch::IsProved(const std::vector<Cluster>& clusters, Known what) const {
  DeviceSet devices;
  for (const Cluster& cluster : clusters) devices.insert(cluster.begin(), cluster.end());
  return proved_ && proved_(Only(topology_, devices), what);
}

void MachineSearch::Divide() {
  clusters_ = ClustersOf(topology_);
  size_t devices = 0;
  for (const Cluster& cluster : clusters_) devices += cluster.size();
  result_.whole = devices <= whole_devices_;
  std::map<std::string, int> looks;
  std::map<std::string, int> kinds;
  std::vector<Cluster> safe;
  one_.clear();
  first_.clear();
  second_.clear();
  for (const Cluster& cluster : clusters_) {
    const Cluster reduced = reduce_ && !result_.whole ? Reduced(topology_, cluster) : cluster;
    const bool apart = ClustersAreApart();
    const bool proved = apart && IsProved({reduced}, Known::kHolds);
    const bool in_question = !proved && !(apart && IsProved({reduced}, Known::kHoldsButForReuse));
    if (looks[KindOf(topology_, reduced, false)]++ == 0 && in_question) one_.push_back(reduced);
    if (kinds[KindOf(topology_, reduced, true)]++ >= 2) continue;
    second_.push_back(reduced);
    (proved ? safe : first_).push_back(reduced);
  }
  // Two that are safe each for itself may not be so together.
  if (!IsProved(safe, Known::kHolds)) first_ = second_;
}

bool MachineSearch::MayServe(DriverId driver, const Cluster& cluster) const {
  for (InstanceId i = 0; i < topology_.instances_count; ++i) {
    if (topology_.instances[i].driver != driver) continue;
    if (topology_.drivers[driver].accepts_foreign) return true;
    for (DeviceId d : cluster)
      if (std::ranges::count(topology_.devices[d].masters, i) > 0) return true;
  }
  return false;
}

// Whether domains for groups of the cluster may be the driver's: it serves a device of them, or is
// in the slot of a device's bus.
bool MachineSearch::MayAllocate(DriverId driver, const Cluster& cluster) const {
  if (kernel_.era == Era::kSingleDriver || MayServe(driver, cluster)) return true;
  const auto& claims = topology_.drivers[driver].claims;
  return kernel_.era == Era::kBusSlots && std::ranges::any_of(cluster, [&](DeviceId d) {
           return claims[static_cast<size_t>(topology_.devices[d].bus)] != Claim::kNone;
         });
}

// Those of a violation between two drivers.
void MachineSearch::AddScopes(Part part, DriverId a, DriverId b, std::vector<Scope>& scopes) const {
  unsigned drivers = 1U << a | 1U << b;
  // Others that can set to NULL a slot that is not theirs.
  for (DriverId r = 0; r < topology_.drivers_count && kernel_.era == Era::kBusSlots; ++r)
    if (topology_.drivers[r].clears || topology_.drivers[r].unwinds) drivers |= 1U << r;
  const auto those = [](const std::vector<Cluster>& clusters, const auto& test) {
    Stand stand;
    std::ranges::copy_if(clusters, std::back_inserter(stand.choices), test);
    return stand;
  };
  const auto of_both = [&](const Cluster& c) {
    return (MayServe(a, c) && MayAllocate(b, c)) || (MayServe(b, c) && MayAllocate(a, c));
  };
  const auto served = [&](DriverId r) {
    return [&, r](const Cluster& c) { return MayServe(r, c); };
  };
  const auto allocated = [&](DriverId r) {
    return [&, r](const Cluster& c) { return MayAllocate(r, c); };
  };
  std::vector<std::vector<Stand>> all;
  if (part == Part::kOne) {
    all.push_back({those(one_, of_both)});
  } else if (property_ == Property::kNoCrossDriverAttach && !AllocatesByBus()) {
    // A domain for a group that another driver serves violates the property before it is reused.
    all.push_back({those(first_, served(a)), those(second_, served(b))});
    if (first_ != second_) all.push_back({those(second_, served(a)), those(first_, served(b))});
  } else {
    for (const auto& [of, by] : {std::pair(a, b), std::pair(b, a)}) {
      all.push_back({those(second_, allocated(by)), those(second_, served(of))});
      // The first device of the bus may be of a third cluster.
      if (AllocatesByBus()) all.back().push_back(all.back().back());
    }
    if (all.front() == std::vector(all.back().rbegin(), all.back().rend())) all.pop_back();
  }
  for (std::vector<Stand>& stands : all) {
    if (std::ranges::any_of(stands, [](const Stand& s) { return s.choices.empty(); })) continue;
    // All groups may be of one cluster.
    while (stands.size() > 1 && !CanDiffer(stands)) stands.pop_back();
    for (const Cluster& cluster : core_) stands.push_back({{cluster}});
    scopes.push_back({.drivers = drivers, .stands = std::move(stands)});
  }
}

std::vector<MachineSearch::Scope> MachineSearch::Scopes(Part part) const {
  std::vector<Scope> scopes;
  if (!result_.whole) {
    for (DriverId a = 0; a < topology_.drivers_count; ++a)
      for (DriverId b = a + 1; b < topology_.drivers_count; ++b) AddScopes(part, a, b, scopes);
    return scopes;
  }
  Scope all{.drivers = ~0U, .stands = {}};
  if (part == Part::kOne && !one_.empty()) all.stands.push_back({one_});
  if (part == Part::kTwo)
    for (const Cluster& cluster : clusters_) all.stands.push_back({{cluster}});
  if (!all.stands.empty()) scopes.push_back(std::move(all));
  return scopes;
}

MachineResult MachineSearch::Run() {
  QueryResult& query = result_.query;
  query.proved_steps =
      std::min(bounds_.steps, std::max(StepsNeeded(property_) - 1, bounds_.proved_steps));
  for (int steps = query.proved_steps + 1; steps <= bounds_.steps; ++steps) {
    tool::Progress(absl::StrFormat("searching %d steps on this machine; none up to %d steps", steps,
                                   query.proved_steps));
    const Answer answer = FindAt(steps);
    if (answer == Answer::kSat) query.verdict = Verdict::kViolated;
    if (answer != Answer::kUnsat) return result_;
    query.proved_steps = steps;
  }
  query.verdict = Verdict::kHolds;
  return result_;
}

// Nothing: as Look().
std::optional<Answer> MachineSearch::LookOnce(Part part, Property property, int steps) {
  for (const Scope& scope : Scopes(part))
    for (const OpKinds& spare : SpareKinds(steps - StepsNeeded(property), kMaxWholeDevices)) {
      const std::optional<Answer> answer =
          Look(scope, {.property = property, .steps = steps, .spare = spare});
      if (answer != Answer::kUnsat) return answer;
    }
  return Answer::kUnsat;
}

Answer MachineSearch::LookAt(Part part, Property property, int steps) {
  for (;;)
    if (const std::optional<Answer> answer = LookOnce(part, property, steps)) return *answer;
}

// A violation is of a domain that the device's own group has come to, or a reuse of another's,
// which takes more steps and leaves fewer to spare.
Answer MachineSearch::FindAt(int steps) {
  const bool attach = property_ == Property::kNoCrossDriverAttach;
  if (attach) {
    const Answer answer = LookAt(Part::kOne, property_, steps);
    if (answer != Answer::kUnsat) return answer;
    if (!ClustersAreApart()) return LookAt(Part::kTwo, property_, steps);
  }
  if (steps < StepsNeeded(Property::kNoCrossDriverReuse)) return Answer::kUnsat;
  return LookAt(Part::kTwo, Property::kNoCrossDriverReuse, steps);
}

FoundRun MachineSearch::Read(const FixedSpace& space, const std::vector<std::vector<Bits>>& groups,
                             const FixedSpace::Value& value) const {
  FoundRun run{.ops = space.Ops(value), .devices = space.Devices(value), .groups = {}};
  for (const std::vector<Bits>& before : groups) {
    std::vector<int>& numbers = run.groups.emplace_back();
    for (const Bits& group : before) {
      numbers.push_back(-1);
      for (size_t g = 0; g < group.size(); ++g)
        if (value(group[g])) numbers.back() = static_cast<int>(g);
    }
  }
  return run;
}

// Whether one of the runs violates the property on the machine; keeps the case. Nothing where what
// refutes a run was added to what is in every circuit.
std::optional<Answer> MachineSearch::Look(const Scope& scope, const Runs& runs) {
  QueryResult& query = result_.query;
  const auto unknown = [&](std::string reason) {
    query.reason = std::move(reason);
    return Answer::kUnknown;
  };
  if (bounds_.budget != 0 && query.resources >= bounds_.budget)
    return unknown("the budget is used up");
  FixedSpace space(kernel_, topology_, scope.stands, scope.drivers, runs);
  query.proved_devices = std::max(query.proved_devices, space.sizes().devices);
  if (static_cast<size_t>(space.sizes().devices) > kMaxEncodedDevices)
    return unknown(absl::StrFormat("%d devices must stand for the machine, more than %d",
                                   space.sizes().devices, kMaxEncodedDevices));
  Encoder encoder(SymbolicProfile(kernel_), space.topology(), space.sizes(), space.layout());
  Solver solver(space.circuit(), Solver::Use::kOnce,
                bounds_.budget == 0 ? 0 : bounds_.budget - query.resources);
  for (Bit constraint : space.constraints()) solver.Assert(constraint);
  Bit violated = false;
  std::vector<std::vector<Bits>> groups;
  for (int step = 0; step < runs.steps; ++step) {
    std::vector<Bits>& before = groups.emplace_back();
    for (const SymbolicDeviceState& device : encoder.state().devices)
      before.push_back(device.group);
    const std::vector<Constraint> constraints = NextStep(runs.property, space, encoder, violated);
    for (Bit bit : encoder.state().AllBits()) solver.NameWhenUsed(bit);
    for (const Constraint& constraint : constraints) solver.Assert(constraint.bit);
  }
  auto ruling = Ruling::kNot;
  auto answer = Answer::kSat;
  for (int tries = 0; tries < kMaxTries && ruling == Ruling::kNot; ++tries) {
    answer = solver.Check({violated});
    if (answer != Answer::kSat) break;
    const FixedSpace::Value value = [&](Bit bit) { return solver.Value(bit); };
    ruling = Judge(Read(space, groups, value));
    if (ruling == Ruling::kNot) solver.Assert(~space.SameAs(value));
  }
  if (want_smt2_) query.smt2 = ToSmt2(space, solver.asserted(), {violated});
  query.resources += solver.resources();
  query.checks += solver.checks();
  if (answer == Answer::kUnknown) return unknown(solver.reason());
  if (answer == Answer::kUnsat || ruling == Ruling::kViolates) return answer;
  if (ruling == Ruling::kNot) return unknown("the order of the devices has a say");
  if (ruling == Ruling::kTooMuch) return unknown("what refutes a run is in it already");
  return std::nullopt;
}

// The machine with the run's devices alone must agree, where they are walked as the circuit does.
MachineSearch::Ruling MachineSearch::Judge(const FoundRun& run) {
  std::vector<DeviceId> devices = run.devices;
  std::erase(devices, kNoId);
  const DeviceSet used(devices.begin(), devices.end());
  if (const auto ops = PlayOn(kernel_, topology_, all_, run, property_)) {
    Case& found = result_.query.found;
    found = machine_;
    found.ops.clear();
    for (const Op& op : *ops)
      found.ops.push_back({.op = op, .expected = std::nullopt, .comment = ""});
    found.expectations = {{.kind = Expectation::Kind::kViolated,
                           .property = property_,
                           .at = static_cast<int>(ops->size())}};
    Normalize(found);
    return Ruling::kViolates;
  }
  ++result_.refuted;
  if (!PlayOn(kernel_, topology_, used, run, property_)) {
    if (std::ranges::is_sorted(devices))
      throw std::logic_error("the model does not take the solver's run");
    return Ruling::kNot;
  }
  return Widen(run, used) ? Ruling::kRefuted : Ruling::kTooMuch;
}

// Adds a smallest set of clusters whose devices refute the run to those that are always in.
bool MachineSearch::Widen(const FoundRun& run, const DeviceSet& used) {
  DeviceSet present = all_;
  for (const Cluster& cluster : clusters_) {
    DeviceSet fewer = present;
    for (DeviceId d : cluster)
      if (!used.contains(d)) fewer.erase(d);
    if (fewer.size() < present.size() && !PlayOn(kernel_, topology_, fewer, run, property_))
      present = std::move(fewer);
  }
  bool more = false;
  for (const Cluster& cluster : clusters_) {
    const auto refutes = [&](DeviceId d) { return present.contains(d) && !used.contains(d); };
    if (std::ranges::none_of(cluster, refutes)) continue;
    // Devices like those of the run in its own cluster.
    if (std::ranges::any_of(cluster, [&](DeviceId d) { return used.contains(d); })) {
      if (!reduce_) return false;
      reduce_ = false;
      Divide();
      return true;
    }
    core_.push_back(reduce_ ? Reduced(topology_, cluster) : cluster);
    more = true;
  }
  return more;
}

}  // namespace

absl::StatusOr<MachineResult> QueryMachine(Property property, const Case& machine,
                                           const Bounds& bounds, bool want_smt2,
                                           const Proved& proved, int whole_devices) {
  if (bounds.steps < 1 || bounds.steps > kMaxBoundSteps)
    return absl::InvalidArgumentError(absl::StrFormat("steps must be 1 to %d", kMaxBoundSteps));
  std::optional<MachineSearch> search;
  try {
    return search.emplace(property, machine, bounds, want_smt2, proved, whole_devices).Run();
  } catch (const std::exception& e) {
    if (!tool::Stopped()) return EngineError(e);
    MachineResult known = search ? search->known() : MachineResult();
    known.query.reason = tool::StopReason();
    return known;
  }
}

}  // namespace iommucheck::smt
