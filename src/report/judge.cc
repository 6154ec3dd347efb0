// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <regex>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/case/json_text.h"
#include "src/report/claim.h"
#include "src/report/json.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

bool Differs(const Judged& judged) {
  return std::ranges::any_of(judged.judgement.assertions,
                             [](const Assertion& a) { return !a.problem.empty(); });
}

const char* ResultName(const Judged& judged) {
  if (!judged.status.ok()) return "not-judged";
  if (judged.judgement.asserts_nothing) return "asserts-nothing";
  return Differs(judged) ? "differs" : "as-written";
}

// The rules that an op or a property of the run that is not as said is about: the check that refused
// the op; the rules that would have stopped the violation.
std::vector<Rule> RulesOf(const Case& c, const Run& run, const Assertion& assertion) {
  if (!assertion.problem.empty() && assertion.property && run.of(*assertion.property).at != 0)
    return StoppingRules(c, *assertion.property);
  std::vector<Rule> rules;
  if (assertion.op == 0 || assertion.problem.empty()) return rules;
  for (const Event& e : run.steps[static_cast<size_t>(assertion.op) - 1].events)
    if (e.kind == Event::Kind::kRefused) rules = {e.rule};
  return rules;
}

// "FILE:LINE:COLUMN: sentence" in its parts; a message of another form has no line.
CheckResult Unreadable(const Judged& judged) {
  CheckResult result{.name = judged.path,
                     .outcome = CheckResult::Outcome::kError,
                     .kind = "unreadable",
                     .message = std::string(judged.status.message()),
                     .file = judged.path};
  static const std::regex kPlace("^:([0-9]{1,9}):[0-9]+: ");
  std::smatch place;
  if (!result.message.starts_with(judged.path)) return result;
  result.message.erase(0, judged.path.size());
  if (std::regex_search(result.message, place, kPlace)) {
    result.line = std::stoi(place[1]);
    result.message = place.suffix();
  } else if (result.message.starts_with(": ")) {
    result.message.erase(0, 2);
  }
  return result;
}

CheckResult ResultOf(const Judged& judged, size_t number) {
  const Assertion& assertion = judged.judgement.assertions[number];
  CheckResult result{.name = assertion.what, .file = judged.path, .line = assertion.line.number};
  if (assertion.problem.empty()) return result;
  result.outcome = CheckResult::Outcome::kFail;
  result.kind = assertion.property  ? std::string(PropertyName(*assertion.property))
                : assertion.op != 0 ? "errno"
                                    : "outcome";
  result.message = assertion.problem;
  if (!judged.kernel.empty()) result.kernel = judged.kernel[number];
  return result;
}

}  // namespace

Judged JudgeCase(const std::string& path, const Case& c) {
  Judged judged{.path = path};
  Judgement& judgement = judged.judgement;
  const Run run = Play(c);
  judgement.assertions = AssertionsOf(c, run);
  judgement.asserts_nothing = AssertsNothing(c);
  if (judgement.asserts_nothing)
    judgement.assertions.insert(judgement.assertions.begin(),
                                {.what = "the case asserts something", .problem = kAssertsNothing});
  for (const Assertion& assertion : judgement.assertions)
    judged.kernel.push_back(PlacesOf(RulesOf(c, run, assertion)));
  return judged;
}

JudgeCounts CountJudged(std::span<const Judged> all) {
  JudgeCounts n;
  for (const Judged& judged : all) {
    ++(judged.status.ok() ? n.judged : n.unreadable);
    if (Differs(judged)) ++n.differing;
    if (judged.status.ok() && judged.judgement.asserts_nothing) ++n.asserting_nothing;
  }
  return n;
}

std::string JudgedText(const Judged& judged, bool verbose) {
  std::string out;
  for (const std::string& line : ProblemsOf(judged.judgement.assertions, judged.path))
    absl::StrAppend(&out, line, "\n");
  if (verbose && judged.status.ok() && !Differs(judged))
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
                  {"mismatches", ProblemsOf(judged.judgement.assertions, judged.path)},
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

std::vector<CheckResult> JudgeResults(std::span<const Judged> all) {
  std::vector<CheckResult> results;
  for (const Judged& judged : all) {
    if (!judged.status.ok()) {
      results.push_back(Unreadable(judged));
      continue;
    }
    CheckResult& result = results.emplace_back();
    result.name = judged.path;
    result.file = judged.path;
    if (Differs(judged)) result.outcome = CheckResult::Outcome::kFail;
    for (size_t i = 0; i < judged.judgement.assertions.size(); ++i)
      result.parts.push_back(ResultOf(judged, i));
  }
  return results;
}

}  // namespace iommucheck::report
