// SPDX-License-Identifier: Apache-2.0
//
// One case on many kernels: `iommucheck replay CASE --kernel all`.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "src/case/case.h"
#include "src/case/run.h"

namespace iommucheck::report {

// The case as a kernel plays it.
struct PlayedOn {
  Case played;  // without what the case expects on its own kernel
  Run run;
};

// The case on these kernels. The rules that the case drops and adds are dropped and added wherever a
// kernel has, or lacks, them.
std::vector<PlayedOn> PlayOn(const Case& c, std::span<const KernelVersion> versions);

// The worst of them: whether any of these kernels breaks a promise of its own.
bool BreaksPromise(std::span<const PlayedOn> played);

// A row for each op, with the rules that refuse it, then for each property that is violated
// somewhere, then for each device that some kernels leave elsewhere than others.
std::string AcrossText(const Case& c, std::span<const PlayedOn> played, const std::string& path);
std::string AcrossJson(const Case& c, std::span<const PlayedOn> played, const std::string& path);

}  // namespace iommucheck::report
