// SPDX-License-Identifier: Apache-2.0
//
// The encoding on a concrete case: all bits are constants, and no solver is needed.
#include <algorithm>
#include <string>

#include "src/case/encoded.h"
#include "src/smt/encoder.h"
#include "src/smt/query.h"

namespace iommucheck::smt {
namespace {

// Beyond these a replay takes too long to be of use.
constexpr int kMaxReplayDevices = 16;

uint8_t IndexOf(const Bits& code) {
  return static_cast<uint8_t>(IndexOf(code, &Bit::is_true));  // -1 is kNoId
}

// No more groups live at once than there are devices, sharing instances and groups in containers.
Sizes SizesOf(const Case& c) {
  int contained = 0;
  for (const CaseOp& op : c.ops) contained += op.op.kind == OpKind::kSetContainer ? 1 : 0;
  const Topology& t = c.topology;
  const int groups = std::min(kMaxGroups, t.devices_count + t.instances_count + contained);
  return {.drivers = t.drivers_count,
          .tables = t.tables_count,
          .instances = t.instances_count,
          .devices = t.devices_count,
          .groups = groups,
          .type1 = std::min(groups, contained),
          .containers = kMaxContainers};
}

std::string Unsupported(const Case& c) {
  if (c.topology.devices_count > kMaxReplayDevices) return "more than 16 devices";
  for (const CaseOp& op : c.ops)
    for (const Fault& fault : op.op.faults)
      if (fault.kind != Fault::Kind::kNone) return "an injected fault";
  for (const CaseOp& op : c.ops)
    if (!IsEncoded(op.op)) return "an op that is not encoded";
  return "";
}

void ReadFinalState(const SymbolicState& state, Replay& replay) {
  for (const SymbolicDeviceState& device : state.devices) {
    replay.device_driver.push_back(IndexOf(device.driver));
    replay.device_hw_driver.push_back(IndexOf(device.hw));
    const uint8_t group = IndexOf(device.group);
    replay.device_vfio.push_back(group == kNoId ? kNoId : IndexOf(state.groups[group].type1));
  }
}

}  // namespace

absl::StatusOr<Replay> ReplayInSolver(const Case& c) {
  Replay replay;
  replay.reason = Unsupported(c);
  replay.supported = replay.reason.empty();
  if (!replay.supported) return replay;
  const KernelProfile kernel = ProfileOf(c.kernel);
  if (BreaksAssumption(c.topology, kernel.rules)) {
    replay.possible = false;
    return replay;
  }
  const Sizes sizes = SizesOf(c);
  Encoder encoder(SymbolicProfile(kernel), FromTopology(c.topology), sizes);
  for (size_t n = 0; n < c.ops.size(); ++n) {
    const StepBits step = encoder.Step(ConstantOp(c.ops[n].op, sizes));
    if (step.impossible.is_true() || step.outside.is_true()) {
      replay.possible = false;
      replay.impossible_at = static_cast<int>(n) + 1;
      return replay;
    }
    if (step.out_of_groups.is_true()) {
      replay.supported = false;
      replay.reason = "more groups at once than the model has";
      return replay;
    }
    for (Bit fact : encoder.Invariants())
      if (!fact.is_true()) return absl::InternalError("an invariant of the encoding does not hold");
    replay.errors.push_back(step.result.Constant());
    for (int p = 0; p < kEncodedPropertyCount; ++p)
      replay.violated[p] |= step.violated[p].is_true();
    if (replay.violated[static_cast<int>(Property::kNoCrossDriverAttach)]) continue;
    for (Bit fact : encoder.InvariantsWhileAttachHolds())
      if (!fact.is_true())
        return absl::InternalError("an invariant while no attach is foreign does not hold");
  }
  ReadFinalState(encoder.state(), replay);
  return replay;
}

}  // namespace iommucheck::smt
