// SPDX-License-Identifier: Apache-2.0
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/case/json_text.h"
#include "src/report/claim.h"
#include "src/report/json.h"

namespace iommucheck::report {
namespace {

const char* ResultName(const Judged& judged) {
  if (!judged.status.ok()) return "not-judged";
  if (judged.judgement.asserts_nothing) return "asserts-nothing";
  return judged.judgement.mismatches.empty() ? "as-written" : "differs";
}

}  // namespace

JudgeCounts CountJudged(std::span<const Judged> all) {
  JudgeCounts n;
  for (const Judged& judged : all) {
    ++(judged.status.ok() ? n.judged : n.unreadable);
    if (judged.status.ok() && !judged.judgement.mismatches.empty()) ++n.differing;
    if (judged.status.ok() && judged.judgement.asserts_nothing) ++n.asserting_nothing;
  }
  return n;
}

std::string JudgedText(const Judged& judged, bool verbose) {
  std::string out;
  for (const std::string& line : judged.judgement.mismatches) absl::StrAppend(&out, line, "\n");
  if (verbose && judged.status.ok() && judged.judgement.mismatches.empty())
    absl::StrAppend(&out, judged.path, ": ok\n");
  for (const std::string& line : judged.judgement.verdicts) absl::StrAppend(&out, line, "\n");
  return out;
}

std::string JudgeCountsText(const JudgeCounts& n) {
  std::string out = absl::StrFormat("%d judged, %d as written, %d not", n.judged,
                                    n.judged - n.differing, n.differing);
  if (n.asserting_nothing != 0)
    absl::StrAppendFormat(&out, " (%d of them by asserting nothing)", n.asserting_nothing);
  if (n.unreadable != 0) absl::StrAppendFormat(&out, "; %d could not be", n.unreadable);
  return out + "\n";
}

std::string JudgeJson(std::span<const Judged> all) {
  const JudgeCounts n = CountJudged(all);
  Json files = Json::array();
  for (const Judged& judged : all) {
    Json entry = {{"path", judged.path},
                  {"result", ResultName(judged)},
                  {"mismatches", judged.judgement.mismatches},
                  {"verdict_lines", judged.judgement.verdicts}};
    if (!judged.status.ok()) entry["error"] = std::string(judged.status.message());
    files.push_back(std::move(entry));
  }
  Json out = ToolJson("judge");
  out["judged"] = n.judged;
  out["as_written"] = n.judged - n.differing;
  out["differing"] = n.differing;
  out["asserting_nothing"] = n.asserting_nothing;
  out["not_judged"] = n.unreadable;
  out["files"] = std::move(files);
  return JsonText(out);
}

}  // namespace iommucheck::report
