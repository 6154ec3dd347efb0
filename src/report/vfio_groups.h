// SPDX-License-Identifier: Apache-2.0
//
// For the admin of a system: what a kernel does to its IOMMUs when it boots, and which of its groups
// VFIO takes. Each group is played in the model by itself, with all IOMMUs of the machine.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "src/import/import.h"
#include "src/report/json.h"

namespace iommucheck::report {

// What a call comes to.
struct Refusal {
  int error = 0;       // negative errno; 0: it is allowed
  std::string call{};  // "VFIO_SET_IOMMU"
  std::optional<Rule> rule{};
  std::string why{};  // a sentence; empty: allowed
  friend bool operator==(const Refusal&, const Refusal&) = default;
};

struct GroupOnKernel {
  int group = -1;
  std::vector<std::string> devices{};
  bool served = false;    // it has an IOMMU on this kernel
  std::string unknown{};  // why nothing is known of it; empty: it is known
  Refusal handed_over{};  // with all of its devices in VFIO's hands
  // The devices that have a driver of the kernel's now, and that driver, where others of the group
  // could go to VFIO; and what VFIO says of these while they stay.
  std::vector<std::pair<std::string, std::string>> stay{};
  Refusal while_they_stay{};
};

// A driver some of whose IOMMUs do not come up.
struct Unregistered {
  std::string driver;
  int instances = 0;
  Refusal refusal;  // of the first of them
};

struct VfioOnKernel {
  KernelSpec kernel;
  std::vector<Unregistered> refused{};
  std::vector<GroupOnKernel> groups{};  // by number
  std::vector<std::string> ungrouped{};
  std::vector<std::string> taken{};  // what is taken for granted: sentences
};

// `whole`: the system with all devices that fit, as the kernel has it.
VfioOnKernel VfioOn(const import::System& whole, const import::VfioFacts& facts,
                    const KernelSpec& kernel);

// Two fields, "boot" and "vfio"; empty where the system has neither IOMMUs nor groups.
std::string VfioText(const VfioOnKernel& vfio);
Json VfioJson(const VfioOnKernel& vfio);
// One table, groups by kernels: the errno of each. Groups that are alike share a row, in which they
// have their numbers, or their first devices.
std::string VfioTableText(const std::vector<VfioOnKernel>& kernels, bool by_number);

}  // namespace iommucheck::report
