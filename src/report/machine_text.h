// SPDX-License-Identifier: Apache-2.0
//
// `iommucheck query --on` in print.
#pragma once

#include <string>
#include <vector>

#include "src/report/machine.h"

namespace iommucheck::report {

// "a violation is between two drivers, and ..", "11 lemmas, for every machine that ..", or why
// there is no proof.
std::string ProofText(const MachineAnswer& answer);

// One after the other; the JSON of the worst, which names the verdicts of the others.
std::string MachineAnswersText(const std::vector<MachineAnswer>& answers,
                               const std::string& next = "");
std::string MachineAnswersJson(const std::vector<MachineAnswer>& answers);

}  // namespace iommucheck::report
