// SPDX-License-Identifier: Apache-2.0
//
// Whether a violation is a patch's: the question is asked again about the kernel without the rules
// that the patch takes away and adds.
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "src/report/answer.h"
#include "src/report/json.h"

namespace iommucheck::report {

// The kernel before the patch: without the checks and mechanisms that the question drops and adds.
// Nothing where there are none. Assumptions are about machines and people, not part of a patch:
// they stay.
std::optional<KernelSpec> WithoutPatch(const KernelSpec& kernel);

// Gives an answer about a patched kernel its `change`; other answers have none. Errors: as Ask().
absl::Status AskChange(Answer& answer);
// The same where the kernel before the patch has been asked about: about that one, within the same
// bounds.
absl::Status AskChange(Answer& answer, const Answer& before);

// Whether a violation is the patch's: "yes" where the kernel asked about violates the property and
// the one without the patch was not found to, within the same bounds; "no" where both do, or
// neither was found to; "unknown" where either verdict is.
const char* BecauseOf(Verdict after, Verdict before);

// All about the change of an answer, in a few lines; empty where it has none.
std::string ChangeText(const Answer& answer);
// The first two of these: the verdict on the kernel without the patch, proved or not, and whose the
// violation is.
std::string BeforeText(const KernelSpec& before, const std::string& verdict, Verdict after_is,
                       Verdict before_is, bool proved);

// Adds the change, and the assumptions that were not made, to an answer's JSON.
void AddChange(const Answer& answer, Json& out);

}  // namespace iommucheck::report
