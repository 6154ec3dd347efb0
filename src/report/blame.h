// SPDX-License-Identifier: Apache-2.0
//
// Whether a violation is a patch's: the same question of the kernel without what it takes away and
// adds.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "src/report/answer.h"
#include "src/report/json_parts.h"

namespace iommucheck::report {

// The kernel without the checks and mechanisms that it is asked to drop and to add; nothing where
// these are none. Assumptions are about machines and people, not of the patch: they stay.
std::optional<KernelSpec> WithoutPatch(const KernelSpec& kernel);

// Gives an answer about a patched kernel its `change`; other answers have none. Errors: as Ask().
absl::Status AskChange(Answer& answer);

// Whether a violation is the patch's: "yes" where the kernel asked about violates the property and
// the one without the patch was not found to, within the same bounds; "no" where both do, or
// neither is found to; "unknown" where one of them is.
const char* BecauseOf(Verdict after, Verdict before);

// What there is to say of the change, in a few lines.
std::string ChangeText(const Answer& answer);
// The first two lines: what is said of the kernel without the patch, proved or not, and whose the
// violation is.
std::string BeforeText(const KernelSpec& before, const std::string& verdict, Verdict after_is,
                       Verdict before_is, bool proved);

// The same, and the assumptions that were not made, in an answer's JSON.
void AddChange(const Answer& answer, Json& out);

}  // namespace iommucheck::report
