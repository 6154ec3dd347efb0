// SPDX-License-Identifier: Apache-2.0
#include "src/conform/machine_rules.h"

namespace iommucheck::conform {
namespace {

// The rules that are about the machine and its drivers.
RuleSet MachineRules() {
  RuleSet rules = RuleSet()
                      .add(Rule::kFirmwareDtXorAcpi)
                      .add(Rule::kDriverSnoopChecked)
                      .add(Rule::kDriverAttachKeepsOld)
                      .add(Rule::kDriverEinvalOnly);
  for (const RuleInfo& info : AllRules())
    if (info.kind == RuleKind::kAssumption) rules.add(info.rule);
  return rules;
}

}  // namespace

KernelSpec WithAssumptionsOf(KernelSpec built, const KernelSpec& c) {
  static const RuleSet kMachines = MachineRules();
  built.dropped = built.dropped | (c.dropped & kMachines);
  built.added = built.added | (c.added & kMachines);
  // Before enforce_cache_coherency() no driver knows which domains enforce it.
  if (built.version < KernelVersion::kV5_19) built.added.drop(Rule::kDriverSnoopChecked);
  return built;
}

KernelSpec WithoutAssumptions(KernelSpec kernel) {
  const KernelProfile profile = ProfileOf(kernel.version);
  for (const RuleInfo& info : AllRules()) {
    if (info.kind != RuleKind::kAssumption) continue;
    kernel.added.drop(info.rule);
    if (profile.has(info.rule)) kernel.dropped.add(info.rule);
  }
  return kernel;
}

bool IsOfOtherFirmware(const Topology& topology, const Driver& driver) {
  return driver.firmware != Firmware::kAny && topology.firmware != Firmware::kAny &&
         driver.firmware != topology.firmware;
}

}  // namespace iommucheck::conform
