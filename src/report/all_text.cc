// SPDX-License-Identifier: Apache-2.0
#include "src/report/all_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "src/case/json_text.h"
#include "src/report/answer_text.h"
#include "src/report/blame_text.h"
#include "src/report/json_parts.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

std::string CountLine(const AllCases& all) {
  const auto cases = absl::StrCat(all.cases.size(), all.cases.size() == 1 ? " case" : " cases");
  if (all.search.complete)
    return cases + " of this size, up to names and the order of steps that commute";
  if (all.enough) return absl::StrCat(cases, " of this size so far; no more were asked for");
  return absl::StrCat(
      cases, " of this size so far; whether there are more is not known: ", all.search.reason);
}

std::string CaseText(const Case& c, const Run& run, Property property) {
  std::vector<std::string> ops;
  for (const CaseOp& op : c.ops)
    ops.push_back(PrintOp(op.op, c.names) +
                  (op.expected.value_or(0) == 0 ? "" : " " + ErrnoName(*op.expected)));
  return TopologyText(c) + Field("run", absl::StrJoin(ops, "; ")) +
         Field("violates", EventText(c, *run.of(property).event));
}

}  // namespace

std::string AllText(const AllCases& all) {
  if (all.answer.result.verdict != Verdict::kViolated) return AnswerText(all.answer);
  std::string out = HeadText(all.answer) + Field("cases", CountLine(all));
  out += Field("replayed", "in the model: yes, each is violated at its last op");
  for (size_t i = 0; i < all.cases.size(); ++i)
    absl::StrAppend(&out, "\ncase ", i + 1, "\n",
                    CaseText(all.cases[i], all.runs[i], all.answer.question.property));
  return out + VerdictLineOf(all.answer) + "\n";
}

std::string AllJson(const AllCases& all) {
  const smt::QueryResult& result = all.answer.result;
  if (result.verdict != Verdict::kViolated) return AnswerJson(all.answer);
  const Question& q = all.answer.question;
  Json out = Head("query", VerdictName(result.verdict, false), result.found.topology.devices_count,
                  static_cast<int>(result.found.ops.size()), q.kernel);
  out["property"] = std::string(PropertyName(q.property));
  out["case"] = Json::parse(CaseToJson(result.found));
  out["replayed"] = true;
  out["stopping_rules"] = StoppingRulesJson(result.found, q.property);
  AddChange(all.answer, out);
  if (!all.search.complete) out["reason"] = all.search.reason;
  out["complete"] = all.search.complete;
  out["cases"] = Json::array();
  for (size_t i = 0; i < all.cases.size(); ++i)
    out["cases"].push_back({{"case", Json::parse(CaseToJson(all.cases[i]))},
                            {"steps", StepsJson(all.cases[i], all.runs[i])}});
  out["stats"] = {{"solver_resources", result.resources + all.search.resources},
                  {"solver_checks", result.checks + all.search.checks}};
  out["verdict_line"] = VerdictLineOf(all.answer);
  return JsonText(out);
}

}  // namespace iommucheck::report
