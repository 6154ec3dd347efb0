// SPDX-License-Identifier: Apache-2.0
//
// Every kernel without each of its rules, one after the other: each of their states is consistent.
// The corpus comes to have an input for each rule and each property that notices its absence, which
// the engine gets as coverage. Which rules nobody notices is what ./dev mutate counts.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "absl/strings/str_cat.h"
#include "fuzz/feedback.h"
#include "fuzz/finding.h"
#include "fuzz/player.h"
#include "model/rules.h"
#include "src/case/bytes.h"
#include "src/case/case.h"
#include "src/case/repair.h"
#include "src/case/run.h"

namespace {

using namespace iommucheck;

[[noreturn]] void FailWithout(const DecodedCase& c, const RuleInfo* dropped, const char* broken) {
  Case found = ToCase(c);
  if (dropped != nullptr)
    ProfileOf(c.kernel.version).has(dropped->rule) ? found.kernel.dropped.add(dropped->rule)
                                                   : found.kernel.added.drop(dropped->rule);
  const std::string on =
      absl::StrCat(" on ", std::string(VersionName(c.kernel.version)),
                   dropped == nullptr ? "" : absl::StrCat(" without ", std::string(dropped->id)));
  fuzzing::Fail(
      absl::StrCat("each state is consistent", on),
      absl::StrCat("the model's state is none: ", broken, on, "\n\n",
                   PrintCase(Asserted(found, Play(found))), "\n", fuzzing::ReproduceText()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzzing::NoteInput(data, size);
  static DecodedCase c;
  static fuzzing::Player player;
  DecodeBytes({data, size}, c);
  const KernelProfile whole = ProfileOf(c.kernel);
  Repair(c.topology, whole.rules);
  fuzzing::NoteRun(c, whole);
  const std::span ops = std::span(c.ops).first(static_cast<size_t>(c.ops_count));
  const fuzzing::PropertySet violated = player.Violated(whole, c.topology, ops);
  if (player.broken() != nullptr) FailWithout(c, nullptr, player.broken());
  for (const RuleInfo& info : AllRules()) {
    if (info.kind == RuleKind::kAssumption || !whole.has(info.rule)) continue;
    KernelProfile mutant = whole;
    mutant.rules.drop(info.rule);
    const fuzzing::PropertySet more = player.Violated(mutant, c.topology, ops) & ~violated;
    if (player.broken() != nullptr) FailWithout(c, &info, player.broken());
    for (Property p : kProperties)
      if ((more >> static_cast<unsigned>(p) & 1U) != 0) fuzzing::NoteMissed(info.rule, p);
  }
  return 0;
}
