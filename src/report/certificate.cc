// SPDX-License-Identifier: Apache-2.0
#include "src/report/certificate.h"

#include <algorithm>

namespace iommucheck::report {
namespace {

// So many of Z3's resources take about as much CPU time as a conflict of CaDiCaL.
constexpr uint64_t kResourcesAConflict = 1000;

// A limit of 0 is none.
uint64_t ConflictsFor(const Question& q) {
  return q.bounds.budget == 0 ? 0 : std::max<uint64_t>(q.bounds.budget / kResourcesAConflict, 1);
}

}  // namespace

absl::Status Certify(Answer& answer) {
  const Question& q = answer.question;
  if (answer.result.verdict != Verdict::kHolds || HoldsForEverySize(answer))
    return absl::OkStatus();
  absl::StatusOr<certificate::Certificate> certificate =
      certificate::Certify({.property = q.property,
                            .kernel = q.kernel,
                            .devices = answer.result.proved_devices,
                            .steps = answer.result.proved_steps},
                           ConflictsFor(q));
  if (!certificate.ok()) return certificate.status();
  answer.certificate = *std::move(certificate);
  return absl::OkStatus();
}

}  // namespace iommucheck::report
