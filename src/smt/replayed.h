// SPDX-License-Identifier: Apache-2.0
//
// The solver's replay of a case beside the model's run of it.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "src/case/encoded.h"
#include "src/case/run.h"
#include "src/smt/query.h"

namespace iommucheck {

inline DomainId Type1Of(const State& s, DeviceId dev) {
  const GroupId group = s.devices[dev].group;
  return group == kNoId ? kNoId : s.groups[group].vfio_domain;
}

// In what the replay differs from the run; "": in nothing. Precondition: the replay is supported, and
// the machine is encoded.
inline std::string ReplayDiffersIn(const Case& c, const Run& run, const smt::Replay& replay) {
  std::vector<int> errors;
  for (const PlayedStep& step : run.steps)
    if (step.result.outcome == Outcome::kDone) errors.push_back(step.result.error);
  if (replay.errors != errors) return "its errnos";
  if (replay.possible != run.complete) return "what is possible";
  if (!run.complete)
    return replay.impossible_at == static_cast<int>(run.steps.size()) ? "" : "the last op";
  for (const Property p : kEncodedProperties)
    if (replay.violated[static_cast<size_t>(p)] != (run.of(p).at != 0))
      return std::string(PropertyName(p));
  const State& s = run.final_state();
  for (DeviceId a = 0; a < c.topology.devices_count; ++a) {
    if (replay.device_driver[a] != DriverOfDevice(c, s, a)) return absl::StrCat("driver of ", a);
    if (replay.device_hw_driver[a] != DriverOfHardware(s, a)) return absl::StrCat("domain of ", a);
    if ((replay.device_vfio[a] == kNoId) != (Type1Of(s, a) == kNoId))
      return absl::StrCat("type1 domain of ", a);
    for (DeviceId b = 0; b < a; ++b)
      if ((replay.device_vfio[a] == replay.device_vfio[b]) != (Type1Of(s, a) == Type1Of(s, b)))
        return absl::StrCat("type1 domains of ", a, " and ", b);
  }
  return "";
}

}  // namespace iommucheck
