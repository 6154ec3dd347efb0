// SPDX-License-Identifier: Apache-2.0
#include "src/report/all.h"

#include <algorithm>
#include <cassert>
#include <map>
#include <set>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "src/case/json_text.h"
#include "src/case/variants.h"
#include "src/report/blame.h"
#include "src/report/json.h"
#include "src/report/text.h"
#include "src/smt/query.h"

namespace iommucheck::report {
namespace {

// The order in which cases are shown: the one that reads most easily first.
bool ReadsBefore(const Case& a, const Case& b) {
  const auto key = [](const Case& c) {
    std::vector<std::tuple<int, int>> ops;
    ops.reserve(c.ops.size());
    for (const CaseOp& op : c.ops) ops.emplace_back(smt::SetUpTurn(op.op.kind), op.op.a);
    return std::pair(ops, PrintCase(c));
  };
  return key(a) < key(b);
}

// Classes of cases that are variants of each other.
class Classes {
 public:
  Classes(Property property, size_t max) : property_(property), max_(max) {}

  // False: the case is of one class more than asked for.
  bool Take(const Case& c) {
    const std::vector<std::string> variants = Variants(c, property_);
    std::set<size_t> touched;
    for (const std::string& variant : variants)
      if (const auto at = class_of_.find(variant); at != class_of_.end())
        touched.insert(at->second);
    if (touched.empty()) {
      if (max_ != 0 && size() == max_) return false;
      touched.insert(shown_.size());
      shown_.emplace_back(c);
    }
    const size_t into = *touched.begin();
    for (size_t other : touched)
      if (other != into) Merge(other, into);
    if (std::optional<Case>& shown = shown_[into]; shown && ReadsBefore(c, *shown)) shown = c;
    for (const std::string& variant : variants) class_of_[variant] = into;
    return true;
  }
  [[nodiscard]] std::vector<Case> Shown() const {
    std::vector<Case> cases;
    for (const std::optional<Case>& c : shown_)
      if (c) cases.push_back(*c);
    std::ranges::sort(cases, ReadsBefore);
    return cases;
  }

 private:
  [[nodiscard]] size_t size() const {
    return static_cast<size_t>(std::ranges::count_if(shown_, &std::optional<Case>::has_value));
  }
  void Merge(size_t from, size_t into) {
    std::optional<Case>& merged = shown_[from];
    std::optional<Case>& shown = shown_[into];
    assert(merged && shown);
    if (ReadsBefore(*merged, *shown)) shown = *merged;
    merged.reset();
    for (auto& [variant, at] : class_of_)
      if (at == from) at = into;
  }

  const Property property_;
  const size_t max_;
  std::vector<std::optional<Case>> shown_;  // by class; none: merged into another
  std::map<std::string, size_t> class_of_;  // by variant
};

std::string CountLine(const AllCases& all) {
  const std::string cases = Plural(all.cases.size(), "case");
  if (all.search.complete)
    return cases + " of this size, up to names and the order of steps that commute";
  if (all.enough) return absl::StrCat(cases, " of this size so far; no more were asked for");
  return absl::StrCat(
      cases, " of this size so far; whether there are more is not known: ", all.search.reason);
}

std::string CaseText(const Case& c, const Run& run, Property property) {
  std::vector<std::string> ops;
  ops.reserve(c.ops.size());
  for (const CaseOp& op : c.ops) {
    const int error = op.expected.value_or(0);
    ops.push_back(PrintOp(op.op, c.names) + (error == 0 ? "" : " " + ErrnoName(error)));
  }
  const std::optional<Event>& event = run.of(property).event;
  assert(event);
  return TopologyText(c) + Field("run", absl::StrJoin(ops, "; ")) +
         Field("violates", EventText(c, *event));
}

}  // namespace

absl::StatusOr<AllCases> AskAll(const Question& question, int max) {
  absl::StatusOr<Answer> answer = Ask(question);
  if (!answer.ok()) return answer.status();
  AllCases all{.answer = *std::move(answer)};
  if (all.answer.result.verdict != Verdict::kViolated) return all;

  const smt::QueryResult& smallest = all.answer.result;
  Classes classes(question.property, static_cast<size_t>(max));
  absl::Status status;
  const auto take = [&](Case c) {
    status = ReplayFound("solver", question.property, c).status();
    all.enough = status.ok() && !classes.Take(c);
    return status.ok() && !all.enough;
  };
  const Size size = SizeOf(smallest.found);
  absl::StatusOr<smt::Enumeration> search =
      smt::EnumerateSize(question.property, question.kernel, size.devices, size.steps,
                         smt::BudgetLeft(question.bounds.budget, smallest.resources), take);
  if (!status.ok()) return status;
  if (!search.ok()) return search.status();
  all.search = *std::move(search);
  all.cases = classes.Shown();
  for (const Case& c : all.cases) all.runs.push_back(Play(c));
  return all;
}

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
  Json out = Head("query", VerdictName(result.verdict, false), SizeOf(result), q.kernel);
  out["property"] = PropertyName(q.property);
  out["case"] = CaseJson(result.found);
  out["replayed"] = true;
  out["stopping_rules"] = StoppingRulesJson(result.found, q.property);
  AddChange(all.answer, out);
  if (!all.search.complete) out["reason"] = all.search.reason;
  out["complete"] = all.search.complete;
  out["cases"] = Json::array();
  for (size_t i = 0; i < all.cases.size(); ++i)
    out["cases"].push_back(
        {{"case", CaseJson(all.cases[i])}, {"steps", StepsJson(all.cases[i], all.runs[i])}});
  out["stats"] = {{"solver_resources", result.resources + all.search.resources},
                  {"solver_checks", result.checks + all.search.checks}};
  out["verdict_line"] = VerdictLineOf(all.answer);
  return JsonText(out);
}

}  // namespace iommucheck::report
