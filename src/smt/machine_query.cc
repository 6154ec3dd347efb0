// SPDX-License-Identifier: Apache-2.0
#include "src/smt/machine_query.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "src/case/engine_error.h"
#include "src/smt/machine_space.h"
#include "src/smt/size_search.h"
#include "src/smt/smt2.h"
#include "src/smt/solver.h"
#include "src/smt/unrolling.h"
#include "src/tool/progress.h"
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

// The run that a model of the solver chooses.
FoundRun ReadRun(const MachineSpace& space, const std::vector<GroupBits>& groups,
                 const RunSpace::Value& value) {
  FoundRun run{.ops = space.Ops(value), .devices = space.Devices(value), .groups = {}};
  for (const GroupBits& before : groups) {
    std::vector<int>& numbers = run.groups.emplace_back();
    for (const Bits& group : before) {
      numbers.push_back(-1);
      for (size_t g = 0; g < group.size(); ++g)
        if (value(group[g])) numbers.back() = static_cast<int>(g);
    }
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
  MachineResult Run();
  // What Run() has found so far.
  [[nodiscard]] const MachineResult& known() const { return result_; }

 private:
  // What the model says of a run.
  enum class Ruling : uint8_t {
    kViolates,   // the property is violated on all of the machine
    kNot,        // not even on the devices that the circuit chose
    kRefuted,    // only there; the devices that refute it are in every part from now on
    kUnsettled,  // only there, though the devices that refute it are in the part
  };

  Answer FindAt(int steps);
  Answer FindIn(Origin origin, Property property, int steps);
  std::optional<Answer> TryParts(Origin origin, Property property, int steps);
  std::optional<Answer> TryPart(const MachinePart& part, const Runs& runs);
  Ruling Judge(const FoundRun& run);
  void KeepCase(const std::vector<Op>& ops);

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

// A run of so many steps. A violation of no-cross-driver-attach is by a domain of the device's own
// cluster, or a reuse of another's, which takes more steps and leaves fewer spare ones.
Answer MachineSearch::FindAt(int steps) {
  if (property_ == Property::kNoCrossDriverAttach) {
    const Answer answer = FindIn(Origin::kOneCluster, property_, steps);
    if (answer != Answer::kUnsat) return answer;
    if (!parts_.ClustersAreApart()) return FindIn(Origin::kTwoClusters, property_, steps);
  }
  if (steps < StepsNeeded(Property::kNoCrossDriverReuse)) return Answer::kUnsat;
  return FindIn(Origin::kTwoClusters, Property::kNoCrossDriverReuse, steps);
}

// Begins again as long as a refuted run adds devices to the parts.
Answer MachineSearch::FindIn(Origin origin, Property property, int steps) {
  for (;;)
    if (const std::optional<Answer> answer = TryParts(origin, property, steps)) return *answer;
}

// Every part once, up to one that violates the property. Nothing: as TryPart().
std::optional<Answer> MachineSearch::TryParts(Origin origin, Property property, int steps) {
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
std::optional<Answer> MachineSearch::TryPart(const MachinePart& part, const Runs& runs) {
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
  Encoder encoder(SymbolicProfile(kernel_), space.topology(), space.sizes(), space.layout());
  Solver solver(space.circuit(), Solver::Use::kOnce,
                bounds_.budget == 0 ? 0 : bounds_.budget - query.resources);
  for (Bit constraint : space.constraints()) solver.Assert(constraint);
  Bit violated = false;
  std::vector<GroupBits> groups;
  for (int step = 0; step < runs.steps; ++step) {
    GroupBits& before = groups.emplace_back();
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
    const RunSpace::Value value = [&](Bit bit) { return solver.Value(bit); };
    ruling = Judge(ReadRun(space, groups, value));
    if (ruling == Ruling::kNot) solver.Assert(~space.SameAs(value));
  }
  if (want_smt2_) query.smt2 = ToSmt2(space, solver.asserted(), {violated});
  query.resources += solver.resources();
  query.checks += solver.checks();
  if (answer == Answer::kUnknown) return unknown(solver.reason());
  if (answer == Answer::kUnsat || ruling == Ruling::kViolates) return answer;
  if (ruling == Ruling::kNot) return unknown("the order of the devices has a say");
  if (ruling == Ruling::kUnsettled) return unknown("what refutes a run is in it already");
  return std::nullopt;
}

// Plays the run on the machine. Where the order of the circuit's devices is the machine's, the
// machine with these devices alone must agree with the solver.
MachineSearch::Ruling MachineSearch::Judge(const FoundRun& run) {
  if (const auto ops = PlayOn(kernel_, topology_, all_, run, property_)) {
    KeepCase(*ops);
    return Ruling::kViolates;
  }
  ++result_.refuted;
  std::vector<DeviceId> devices = run.devices;
  std::erase(devices, kNoId);
  const DeviceSet used(devices.begin(), devices.end());
  if (!PlayOn(kernel_, topology_, used, run, property_)) {
    if (std::ranges::is_sorted(devices))
      throw std::logic_error("the model does not take the solver's run");
    return Ruling::kNot;
  }
  const auto refutes = [&](const DeviceSet& present) {
    return !PlayOn(kernel_, topology_, present, run, property_);
  };
  return parts_.Keep(parts_.FewestRefuting(refutes, used), used) ? Ruling::kRefuted
                                                                 : Ruling::kUnsettled;
}

void MachineSearch::KeepCase(const std::vector<Op>& ops) {
  Case& found = result_.query.found;
  found = machine_;
  found.ops.clear();
  for (const Op& op : ops) found.ops.push_back({.op = op, .expected = std::nullopt, .comment = ""});
  found.expectations = {{.kind = Expectation::Kind::kViolated,
                         .property = property_,
                         .at = static_cast<int>(ops.size())}};
  Normalize(found);
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
