// SPDX-License-Identifier: Apache-2.0
//
// Missing parts of a real machine, in verdicts and in print.
#pragma once

#include <string>
#include <vector>

#include "src/case/verdict.h"
#include "src/import/gap.h"
#include "src/report/json_parts.h"

namespace iommucheck::report {

// The verdict on a machine of which `found` is known: nothing holds where a part is missing, and
// what is violated on the rest stands.
inline Verdict OnWhatIsThere(Verdict found, const std::vector<import::Gap>& gaps) {
  return found == Verdict::kHolds && !gaps.empty() ? Verdict::kUnknown : found;
}

// Why it is unknown then.
inline constexpr const char* kNotAllIsThere = "not all of the machine could be read";
// "unknown: not all of the machine could be read (see 'missing'); no violation up to 6 steps on the
// rest"
std::string UnknownText(const std::string& runs);

// The field "missing", a paragraph a gap; empty where there is none.
std::string GapsText(const std::vector<import::Gap>& gaps);
// The field "assumed".
std::string AssumptionsText(const std::vector<std::string>& assumptions);
Json GapsJson(const std::vector<import::Gap>& gaps);
Json AssumptionsJson(const std::vector<std::string>& assumptions);

}  // namespace iommucheck::report
