// SPDX-License-Identifier: Apache-2.0
//
// Model and encoding give the same for every run that both know. What is not encoded is left out of
// the input: attributes, ops, flags, faults, and changes of rules. A run takes some ten times as
// long as one of the model alone, so this target is for a slow lane of its own.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "fuzz/feedback.h"
#include "fuzz/finding.h"
#include "fuzz/fuzzing.h"
#include "src/case/bytes.h"
#include "src/case/encoded.h"
#include "src/case/repair.h"
#include "src/smt/replayed.h"

namespace {

using namespace iommucheck;

// What a query asks about: see smt::Query().
constexpr int kDevices = 4;
constexpr int kOps = 24;

void KeepEncoded(DecodedCase& c) {
  const RuleSet encoded = EncodedRules();
  c.kernel.added = c.kernel.added & encoded;
  c.kernel.dropped = c.kernel.dropped & encoded;
  c.topology = EncodedPart(c.topology);
  Repair(c.topology, ProfileOf(c.kernel).rules);
  int kept = 0;
  for (int i = 0; i < c.ops_count && kept < kOps; ++i) {
    Op op = c.ops[i];
    op.flags = 0;
    op.faults = {};
    if (InfoOf(op.kind).b == Operand::kIommuType) op.b = 0;
    if (IsEncoded(op)) c.ops[kept++] = op;
  }
  c.ops_count = kept;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzzing::NoteInput(data, size);
  static DecodedCase decoded;
  DecodeBytes({data, size}, decoded);
  KeepEncoded(decoded);
  if (decoded.topology.devices_count > kDevices) return -1;
  fuzzing::NoteRun(decoded, ProfileOf(decoded.kernel));
  const Case c = ToCase(decoded);
  const Run run = Play(c);
  if (run.steps.empty() && run.outside) return -1;
  const absl::StatusOr<smt::Replay> replay = smt::ReplayInSolver(c);
  const auto report = [&] {
    return absl::StrCat(PrintCase(Asserted(c, run)), "\n", fuzzing::ReproduceText());
  };
  const std::string on = absl::StrCat(" on ", std::string(VersionName(c.kernel.version)));
  if (!replay.ok()) fuzzing::Fail("the solver plays every encoded case" + on, report());
  if (!replay->supported) return -1;
  const std::string differs = ReplayDiffersIn(c, run, *replay);
  // Which device it is about says nothing about the kind of difference.
  if (!differs.empty())
    fuzzing::Fail(absl::StrCat("model and encoding agree in ",
                               differs.substr(0, differs.find_first_of("0123456789")), on),
                  absl::StrCat("they differ in ", differs, "\n\n", report()));
  return 0;
}
