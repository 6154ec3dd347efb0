// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/status.h"
#include "src/report/answer.h"

namespace iommucheck::report {

// Gives a bounded answer its certificate; other answers have none. Errors: as
// certificate::Certify(), where the conflicts of each formula are limited by the question's budget.
absl::Status Certify(Answer& answer);

}  // namespace iommucheck::report
