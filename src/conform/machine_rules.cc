// SPDX-License-Identifier: Apache-2.0
#include "src/conform/machine_rules.h"

namespace iommucheck::conform {

KernelSpec WithAssumptionsOf(KernelSpec built, const KernelSpec& c) {
  for (const RuleInfo& info : AllRules()) {
    const bool machines =
        info.kind == RuleKind::kAssumption || info.rule == Rule::kFirmwareDtXorAcpi ||
        info.rule == Rule::kDriverSnoopChecked || info.rule == Rule::kDriverAttachKeepsOld ||
        info.rule == Rule::kDriverEinvalOnly;
    if (!machines) continue;
    if (c.dropped.has(info.rule)) built.dropped.add(info.rule);
    if (c.added.has(info.rule)) built.added.add(info.rule);
  }
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
