// SPDX-License-Identifier: Apache-2.0
#include "src/smt/machine_query.h"

#include <algorithm>
#include <exception>
#include <iterator>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "model/step.h"
#include "src/case/engine_error.h"
#include "src/smt/machine_space.h"
#include "src/smt/size_search.h"
#include "src/smt/solver.h"
#include "src/smt/unrolling.h"
#include "src/tool/stop.h"

namespace iommucheck::smt {
namespace {

using Answer = Solver::Answer;

// Devices of a circuit; with more it takes too long to be of use.
constexpr size_t kMaxEncodedDevices = 20;
// Runs of one circuit that the model refutes on the devices that the circuit chose.
constexpr int kMaxTries = 32;

// A group of each device before a step, as bits of the circuit.
using GroupBits = std::vector<Bits>;

// A run that the solver found, with devices and groups as the circuit numbers them.
struct FoundRun {
  std::vector<Op> ops;
  std::vector<DeviceId> devices;         // the machine's, by the circuit's; kNoId: none
  std::vector<std::vector<int>> groups;  // before each step, by device: its group, -1 for none
};

// The run that a model of the solver chooses.
FoundRun ReadRun(const MachineSpace& space, const std::vector<GroupBits>& groups,
                 const Value& value) {
  FoundRun run{.ops = space.Ops(value), .devices = space.Devices(value), .groups = {}};
  for (const GroupBits& before : groups) {
    std::vector<int>& numbers = run.groups.emplace_back();
    for (const Bits& group : before) numbers.push_back(IndexOf(group, value));
  }
  return run;
}

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
        parts_(property, kernel_, topology_, proved, whole_devices) {
    for (DeviceId d = 0; d < topology_.devices_count; ++d) all_.insert(d);
    result_.whole = parts_.whole();
  }
  // The result of Run() so far.
  [[nodiscard]] const MachineResult& known() const { return result_; }

  MachineResult Run() {
    Deepen(
        property_, bounds_, "on this machine", [this](int steps) { return FindAt(steps); },
        result_.query);
    return result_;
  }

 private:
  // The model's answer to a run of the solver.
  enum class Ruling : uint8_t {
    kViolates,   // the property is violated on all of the machine
    kNot,        // not even on the devices that the circuit chose
    kRefuted,    // only there; the devices that refute it are in every part from now on
    kUnsettled,  // only there, though the devices that refute it are in the part
  };

  // A run of so many steps. A violation of no-cross-driver-attach is by a domain of the device's
  // own cluster, or a reuse of another's, which takes more steps and leaves fewer spare ones.
  Answer FindAt(int steps) {
    if (property_ == Property::kNoCrossDriverAttach) {
      const Answer answer = FindIn(Origin::kOneCluster, property_, steps);
      if (answer != Answer::kUnsat) return answer;
      if (!parts_.ClustersAreApart()) return FindIn(Origin::kTwoClusters, property_, steps);
    }
    if (steps < StepsNeeded(Property::kNoCrossDriverReuse)) return Answer::kUnsat;
    return FindIn(Origin::kTwoClusters, Property::kNoCrossDriverReuse, steps);
  }

  // Begins again as long as a refuted run adds devices to the parts.
  Answer FindIn(Origin origin, Property property, int steps) {
    for (;;)
      if (const std::optional<Answer> answer = TryParts(origin, property, steps)) return *answer;
  }

  // Every part once, up to one that violates the property. Nothing: as TryPart().
  std::optional<Answer> TryParts(Origin origin, Property property, int steps) {
    for (const MachinePart& part : parts_.Parts(origin))
      for (const OpKinds& spare : SpareKinds(steps - StepsNeeded(property), kMaxWholeDevices)) {
        const std::optional<Answer> answer =
            TryPart(part, {.property = property, .steps = steps, .spare = spare});
        if (answer != Answer::kUnsat) return answer;
      }
    return Answer::kUnsat;
  }

  // Whether one of the runs on the part violates the property on the machine; keeps the case.
  // Nothing: the devices that refute a run were added to every part.
  std::optional<Answer> TryPart(const MachinePart& part, const Runs& runs) {
    QueryResult& query = result_.query;
    const auto unknown = [&](std::string reason) {
      query.reason = std::move(reason);
      return Answer::kUnknown;
    };
    if (bounds_.budget != 0 && query.resources >= bounds_.budget)
      return unknown("the budget is used up");
    MachineSpace space(kernel_, topology_, part.slots, part.drivers, runs);
    query.proved_devices = std::max(query.proved_devices, space.sizes().devices);
    if (static_cast<size_t>(space.sizes().devices) > kMaxEncodedDevices)
      return unknown(absl::StrFormat("%d devices must stand for the machine, more than %d",
                                     space.sizes().devices, kMaxEncodedDevices));
    Unrolling unrolling(space, SymbolicProfile(kernel_), space.layout());
    Solver solver(space.circuit(), BudgetLeft(bounds_.budget, query.resources));
    for (Bit constraint : space.constraints()) solver.Assert(constraint);
    std::vector<GroupBits> groups;
    for (int step = 0; step < runs.steps; ++step) {
      GroupBits& before = groups.emplace_back();
      for (const SymbolicDeviceState& device : unrolling.state().devices)
        before.push_back(device.group);
      for (const Constraint& constraint : unrolling.NextStep()) solver.Assert(constraint.bit);
    }
    const Bit violated = unrolling.violated();
    auto ruling = Ruling::kNot;
    auto answer = Answer::kSat;
    for (int tries = 0; tries < kMaxTries && ruling == Ruling::kNot; ++tries) {
      answer = solver.Check({violated});
      if (answer != Answer::kSat) break;
      const Value value = [&](Bit bit) { return solver.Value(bit); };
      ruling = Judge(ReadRun(space, groups, value));
      if (ruling == Ruling::kNot) solver.Assert(~space.SameAs(value));
    }
    if (want_smt2_) query.smt2 = space.ToSmt2(solver.asserted(), {violated});
    query.resources += solver.resources();
    query.checks += solver.checks();
    if (answer == Answer::kUnknown) return unknown(solver.reason());
    if (answer == Answer::kUnsat || ruling == Ruling::kViolates) return answer;
    if (ruling == Ruling::kNot) return unknown("the order of the devices has a say");
    if (ruling == Ruling::kUnsettled) return unknown("what refutes a run is in it already");
    return std::nullopt;
  }

  // Plays the run in the model, on the machine with these devices only. Gives the ops up to the one
  // that violates the property, with the machine's own numbers if `devices` are all; nothing if
  // none does.
  [[nodiscard]] std::optional<std::vector<Op>> PlayOn(const DeviceSet& devices,
                                                      const FoundRun& run) const {
    const bool all = devices.size() == topology_.devices_count;
    const Topology t = all ? topology_ : Only(topology_, devices);
    const auto number = [&](DeviceId d) {
      return all ? d : static_cast<DeviceId>(std::distance(devices.begin(), devices.find(d)));
    };
    State state = InitialState(t);
    std::vector<Event> events;
    std::vector<Op> ops;
    // By the circuit's number of a group. One that has lost its devices keeps the last entry.
    std::map<int, GroupId> group_of;
    for (size_t n = 0; n < run.ops.size(); ++n) {
      Op op = run.ops[n];
      for (size_t d = 0; d < run.devices.size(); ++d)
        if (run.groups[n][d] >= 0)
          group_of[run.groups[n][d]] = state.devices[number(run.devices[d])].group;
      if (InfoOf(op.kind).a == Operand::kDevice) op.a = number(run.devices[op.a]);
      if (InfoOf(op.kind).a == Operand::kGroup) {
        const auto at = group_of.find(op.a);
        if (at == group_of.end() || at->second == kNoId) return std::nullopt;
        op.a = at->second;
      }
      if (!Validate(op, t).ok() || Step(kernel_, t, op, state, events).outcome != Outcome::kDone)
        return std::nullopt;
      ops.push_back(op);
      if (FindViolation(property_, events) != nullptr) return ops;
    }
    return std::nullopt;
  }

  // Plays the run on the machine. Where the order of the circuit's devices is the machine's, the
  // machine with these devices alone must agree with the solver.
  Ruling Judge(const FoundRun& run) {
    if (const auto ops = PlayOn(all_, run)) {
      KeepCase(*ops);
      return Ruling::kViolates;
    }
    ++result_.refuted;
    std::vector<DeviceId> devices = run.devices;
    std::erase(devices, kNoId);
    const DeviceSet used(devices.begin(), devices.end());
    if (!PlayOn(used, run)) {
      if (std::ranges::is_sorted(devices))
        throw std::logic_error("the model does not take the solver's run");
      return Ruling::kNot;
    }
    const auto refutes = [&](const DeviceSet& present) { return !PlayOn(present, run); };
    return parts_.Keep(parts_.FewestRefuting(refutes, used), used) ? Ruling::kRefuted
                                                                   : Ruling::kUnsettled;
  }

  void KeepCase(const std::vector<Op>& ops) {
    Case& found = result_.query.found;
    found = machine_;
    found.ops.clear();
    for (const Op& op : ops)
      found.ops.push_back({.op = op, .expected = std::nullopt, .comment = ""});
    found.expectations = {{.kind = Expectation::Kind::kViolated,
                           .property = property_,
                           .at = static_cast<int>(ops.size())}};
    Normalize(found);
  }

  const Property property_;
  const Case& machine_;
  const Topology& topology_;
  const KernelProfile kernel_;
  const Bounds bounds_;
  const bool want_smt2_;
  MachineParts parts_;
  DeviceSet all_;
  MachineResult result_;
};

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
