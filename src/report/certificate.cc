// SPDX-License-Identifier: Apache-2.0
#include "src/report/certificate.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "src/case/json_text.h"
#include "src/case/kernel.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

// A certificate that is not verified says nothing about the kernel.
Verdict VerdictOf(const certificate::Checked& checked) {
  return checked.failure.empty() ? Verdict::kHolds : Verdict::kUnknown;
}

Size VerifiedSize(const certificate::Checked& checked) {
  if (!checked.failure.empty()) return {};
  return {.devices = checked.claim.devices, .steps = checked.claim.steps};
}

std::string VerdictLineOf(const certificate::Checked& checked) {
  const certificate::Claim& claim = checked.claim;
  return VerdictLine(claim.property, claim.kernel, VerdictName(VerdictOf(checked), false),
                     SizeScope(VerifiedSize(checked)));
}

}  // namespace

absl::Status Certify(Answer& answer) {
  const Question& q = answer.question;
  if (answer.result.verdict != Verdict::kHolds || HoldsForEverySize(answer))
    return absl::OkStatus();
  // A limit of 0 is none.
  const uint64_t budget = q.bounds.budget;
  const uint64_t conflicts =
      budget == 0 ? 0 : std::max<uint64_t>(budget / smt::kResourcesAConflict, 1);
  absl::StatusOr<certificate::Certificate> certificate =
      certificate::Certify({.property = q.property,
                            .kernel = q.kernel,
                            .devices = answer.result.proved_devices,
                            .steps = answer.result.proved_steps},
                           conflicts);
  if (!certificate.ok()) return certificate.status();
  answer.certificate = *std::move(certificate);
  return absl::OkStatus();
}

std::string RunsText(const std::string& label, const std::vector<certificate::ProvedRuns>& runs) {
  std::vector<std::string> lines;
  for (const certificate::ProvedRuns& proved : runs) {
    const std::vector<std::string> rules = RuleIds(proved.rules);
    lines.push_back(absl::StrFormat(
        "%d steps: %d clauses have no model; the proof uses %d of them, and of the rules %s",
        proved.steps, proved.clauses, proved.core,
        rules.empty() ? "none" : absl::StrJoin(rules, ", ")));
  }
  return Fields(label, lines);
}

std::string CheckedText(const certificate::Checked& checked) {
  const certificate::Claim& claim = checked.claim;
  std::string out = Field("query", std::string(PropertyName(claim.property)));
  out += Field("kernel", KernelName(claim.kernel)) + ToolText();
  out += Field("claim", absl::StrFormat("none up to %s (docs/solver.md)",
                                        SizeText({claim.devices, claim.steps})));
  const std::string last = VerdictLineOf(checked) + "\n";
  if (!checked.failure.empty())
    return out + Field("verdict", "NOT VERIFIED") + Field("reason", checked.failure) + last;
  return out + Field("verdict", "verified") + RunsText("checked", checked.runs) + last;
}

std::string CheckedJson(const certificate::Checked& checked) {
  const certificate::Claim& claim = checked.claim;
  const bool verified = checked.failure.empty();
  Json out = Head("check-certificate", VerdictName(VerdictOf(checked), false),
                  VerifiedSize(checked), claim.kernel);
  out["property"] = PropertyName(claim.property);
  out["claim"] = {{"devices", claim.devices}, {"steps", claim.steps}};
  out["replayed"] = false;
  if (!verified) out["reason"] = checked.failure;
  if (verified) out["certificate"] = RunsJson(checked.runs);
  out["stats"] = {{"runs", checked.runs.size()}};
  out["verdict_line"] = VerdictLineOf(checked);
  return JsonText(out);
}

Json RunsJson(const std::vector<certificate::ProvedRuns>& runs) {
  Json out = Json::array();
  for (const certificate::ProvedRuns& proved : runs)
    out.push_back({{"steps", proved.steps},
                   {"variables", proved.variables},
                   {"clauses", proved.clauses},
                   {"core_clauses", proved.core},
                   {"core_rules", RuleIds(proved.rules)}});
  return out;
}

}  // namespace iommucheck::report
