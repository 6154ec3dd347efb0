// SPDX-License-Identifier: Apache-2.0
#include "src/report/claim.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "src/case/encoded.h"
#include "src/case/kernel.h"
#include "src/case/source.h"
#include "src/case/spelling.h"
#include "src/import/pairs.h"
#include "src/report/survey_data.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

constexpr int kNumberLimit = 1'000'000;

// Reads the words of one statement. Once a read fails, status() says why and the rest is nothing.
class Reader {
 public:
  Reader(const Source& source, const Statement& statement)
      : source_(source), statement_(statement) {}

  [[nodiscard]] const absl::Status& status() const { return status_; }
  [[nodiscard]] int line() const { return statement_.words[0].place.line; }
  [[nodiscard]] bool Peek(std::string_view word) const {
    return next_ < statement_.words.size() && statement_.words[next_].text == word;
  }
  std::string Take(std::string_view expected) {
    if (!status_.ok()) return "";
    if (next_ == statement_.words.size()) {
      status_ = Mismatch(source_.file, statement_.end, expected, "end of line");
      return "";
    }
    return std::string(statement_.words[next_++].text);
  }
  void Expect(std::string_view word) {
    if (Take(Quote(word)) != word) Fail(Quote(word));
  }
  int TakeNumber(std::string_view expected) { return TakeNumber(expected, 0, kNumberLimit); }
  int TakeNumber(std::string_view expected, int least, int most) {
    int value = 0;
    const std::string word = Take(expected);
    if (!absl::SimpleAtoi(word, &value) || value < least || value > most) Fail(expected);
    return value;
  }
  std::string TakeRest(std::string_view expected) {
    std::string text = Take(expected);
    while (next_ < statement_.words.size()) absl::StrAppend(&text, " ", Take(expected));
    return text;
  }
  void TakeEnd() {
    if (status_.ok() && next_ < statement_.words.size()) {
      ++next_;
      Fail("end of line");
    }
  }
  KernelSpec TakeKernel() {
    Expect("kernel");
    const std::string version = Take("a kernel");
    const size_t place = next_;
    std::vector<std::string> drop;
    std::vector<std::string> add;
    while (status_.ok() && (Peek("drop") || Peek("add")))
      (Take("") == "drop" ? drop : add).push_back(Take("a rule"));
    if (!status_.ok()) return {};
    absl::StatusOr<KernelSpec> kernel = MakeKernel(version, drop, add);
    const absl::Status found = kernel.ok() ? CheckEncoded(*kernel) : kernel.status();
    if (found.ok()) return *kernel;
    const Place& at = statement_.words[place - 1].place;
    status_ = absl::InvalidArgumentError(absl::StrFormat("%s:%d:%d: %s", source_.file, at.line,
                                                         at.column, std::string(found.message())));
    return {};
  }
  // The word just taken is not what was expected.
  void Fail(std::string_view expected) {
    if (!status_.ok()) return;
    const Word& word = statement_.words[next_ - 1];
    status_ = Mismatch(source_.file, word.place, expected, Quote(word.text));
  }

 private:
  const Source& source_;
  const Statement& statement_;
  size_t next_ = 1;
  absl::Status status_;
};

ClaimQuery ReadQuery(Reader& r) {
  ClaimQuery query{.line = r.line()};
  const auto property = FindEncodedProperty(r.Take(AnEncodedProperty()));
  if (!property) r.Fail(AnEncodedProperty());
  query.question.property = property.value_or(Property::kNoCrossDriverReuse);
  query.question.kernel = r.TakeKernel();
  r.Expect("devices");
  query.question.bounds.devices = r.TakeNumber(
      absl::StrFormat("1 to %d devices", smt::kMaxBoundDevices), 1, smt::kMaxBoundDevices);
  r.Expect("steps");
  query.question.bounds.steps =
      r.TakeNumber(absl::StrFormat("1 to %d steps", smt::kMaxBoundSteps), 1, smt::kMaxBoundSteps);
  r.Expect("->");
  const std::string verdict = r.Take("'violated', 'holds' or 'none'");
  query.verdict = verdict == "violated" ? Verdict::kViolated : Verdict::kHolds;
  query.proved = verdict == "holds";
  if (verdict == "violated") {
    r.Expect("devices");
    query.size.devices = r.TakeNumber("a number of devices");
    r.Expect("steps");
    query.size.steps = r.TakeNumber("a number of steps");
  } else if (verdict != "holds" && verdict != "none") {
    r.Fail("'violated', 'holds' or 'none'");
  }
  r.TakeEnd();
  return query;
}

// The words of a `systems` statement, with the numbers that they give.
std::array<std::pair<const char*, int*>, 5> SystemWords(SystemCounts& n) {
  return {{{"trees", &n.trees},
           {"driven", &n.driven},
           {"several", &n.several},
           {"affected", &n.affected},
           {"patched", &n.patched}}};
}

ClaimPairs ReadPairs(Reader& r) {
  ClaimPairs pairs{.line = r.line()};
  pairs.kernel = r.TakeKernel();
  r.Expect("->");
  r.Expect("apart");
  pairs.counts.apart = r.TakeNumber("a number of pairs");
  r.Expect("coexist");
  pairs.counts.coexist = r.TakeNumber("a number of pairs");
  r.Expect("violate");
  pairs.counts.violate = r.TakeNumber("a number of pairs");
  r.TakeEnd();
  return pairs;
}

ClaimSystems ReadSystems(Reader& r) {
  ClaimSystems systems{.line = r.line()};
  systems.path = r.Take("a file of data/systems");
  r.Expect("->");
  for (const auto& [word, number] : SystemWords(systems.counts)) {
    r.Expect(word);
    *number = r.TakeNumber("a number of machines");
  }
  r.TakeEnd();
  return systems;
}

// False: there is no such statement.
bool ReadStatement(Reader& r, std::string_view head, Claim& claim) {
  if (head == "claim")
    claim.name = r.Take("a name");
  else if (head == "says")
    claim.says = r.TakeRest("who said it, and when");
  else if (head == "quote")
    claim.quote = r.TakeRest("the words");
  else if (head == "finding")
    claim.finding = r.TakeRest("what the queries show");
  else if (head == "query")
    claim.queries.push_back(ReadQuery(r));
  else if (head == "pairs")
    claim.pairs.push_back(ReadPairs(r));
  else if (head == "systems")
    claim.systems.push_back(ReadSystems(r));
  else if (head == "case")
    claim.cases.push_back({.line = r.line(), .path = r.TakeRest("a path")});
  else
    return false;
  return true;
}

std::string Expected(const ClaimQuery& q) {
  if (q.verdict == Verdict::kViolated)
    return absl::StrFormat("violated with %d devices, %d steps", q.size.devices, q.size.steps);
  return q.proved ? "holds for every size" : "none, without a proof";
}

bool AsExpected(const ClaimQuery& q, const Answer& a) {
  if (a.result.verdict != q.verdict || HoldsForEverySize(a) != q.proved) return false;
  return q.verdict != Verdict::kViolated || SizeOf(a.result) == q.size;
}

absl::Status JudgeQuery(const ClaimQuery& query, const Asker& ask, Judgement& out) {
  absl::StatusOr<Answer> answer = ask(query.question);
  if (!answer.ok()) return answer.status();
  out.lines.push_back(absl::StrFormat("%s on %s: %s", PropertyName(query.question.property),
                                      KernelName(query.question.kernel), VerdictText(*answer)));
  out.verdicts.push_back(VerdictLineOf(*answer));
  out.assertions.push_back(
      {.what = absl::StrFormat("%s on %s -> %s", PropertyName(query.question.property),
                               KernelName(query.question.kernel), Expected(query)),
       .line = {query.line},
       .problem =
           AsExpected(query, *answer)
               ? ""
               : absl::StrFormat("expected %s, got %s", Expected(query), VerdictText(*answer)),
       .property = query.question.property});
  return absl::OkStatus();
}

std::string CountsText(const PairCounts& n) {
  return absl::StrFormat("apart %d coexist %d violate %d", n.apart, n.coexist, n.violate);
}

void JudgePairs(const ClaimPairs& pairs, Judgement& out) {
  const PairCounts n = CountPairs(import::AnalysePairs(pairs.kernel));
  out.lines.push_back(absl::StrFormat("pairs of in-tree drivers on %s: %s",
                                      KernelName(pairs.kernel), CountsText(n)));
  const std::string wanted = CountsText(pairs.counts);
  out.assertions.push_back(
      {.what = absl::StrFormat("pairs of in-tree drivers on %s -> %s", KernelName(pairs.kernel),
                               wanted),
       .line = {pairs.line},
       .problem =
           n == pairs.counts ? "" : absl::StrFormat("expected %s, got %s", wanted, CountsText(n))});
}

std::string PathFrom(const Claim& claim, const std::string& path) {
  return (std::filesystem::path(claim.file).parent_path() / path).lexically_normal().string();
}

std::string CountsText(SystemCounts n) {
  std::vector<std::string> words;
  for (const auto& [word, number] : SystemWords(n))
    words.push_back(absl::StrCat(word, " ", *number));
  return absl::StrJoin(words, " ");
}

SystemCounts CountSystems(const SurveyData& data) {
  SystemCounts n{.trees = static_cast<int>(data.machines),
                 .driven = static_cast<int>(data.entries.size())};
  for (const SurveyEntry& entry : data.entries) {
    if (ServingDrivers(entry).size() < 2) continue;
    ++n.several;
    n.affected += entry.answer == "not affected" ? 0 : 1;
    n.patched += entry.patched == "not affected" ? 0 : 1;
  }
  return n;
}

absl::Status JudgeSystems(const Claim& claim, const ClaimSystems& entry, Judgement& out) {
  const std::string path = PathFrom(claim, entry.path);
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) return absl::InvalidArgumentError(absl::StrCat(path, ": cannot be read"));
  const absl::StatusOr<SurveyData> data = ParseSurveyData(std::move(text).str(), path);
  if (!data.ok()) return data.status();
  const SystemCounts n = CountSystems(*data);
  const std::string name = std::filesystem::path(path).stem().string();
  out.lines.push_back(absl::StrFormat("systems of %s: %s", name, CountsText(n)));
  const std::string wanted = CountsText(entry.counts);
  out.assertions.push_back(
      {.what = absl::StrFormat("systems of %s -> %s", name, wanted),
       .line = {entry.line},
       .problem =
           n == entry.counts ? "" : absl::StrFormat("expected %s, got %s", wanted, CountsText(n))});
  return absl::OkStatus();
}

absl::Status JudgeCase(const Claim& claim, const ClaimCase& entry, const CaseReader& read,
                       Judgement& out) {
  const std::string path = PathFrom(claim, entry.path);
  const absl::StatusOr<Case> c = read(path);
  if (!c.ok()) return c.status();
  const Run run = Play(*c);
  std::string result = run.outside ? absl::StrFormat("outside %s", InfoOf(*run.outside).id) : "";
  for (Property p : kProperties)
    if (result.empty() && run.of(p).at != 0)
      result = absl::StrFormat("%s violated at %d", PropertyName(p), run.of(p).at);
  out.lines.push_back(absl::StrFormat("case %s: %s", std::filesystem::path(path).stem().string(),
                                      result.empty() ? "no property violated" : result));
  if (AssertsNothing(*c)) {
    out.asserts_nothing = true;
    out.assertions.push_back({.what = path + " asserts something",
                              .line = {entry.line},
                              .problem = absl::StrCat(path, " ", kAssertsNothing)});
  }
  for (Assertion assertion : AssertionsOf(*c, run)) {
    assertion.what = absl::StrCat(path, ": ", assertion.what);
    assertion.line = {entry.line};
    out.assertions.push_back(std::move(assertion));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Claim> ParseClaim(std::string_view text, std::string_view file) {
  absl::StatusOr<Source> source = LexText(text, file);
  if (!source.ok()) return source.status();
  Claim claim{.file = std::string(file)};
  for (const Statement& statement : source->statements) {
    const Word& head = statement.words[0];
    Reader reader(*source, statement);
    if (!ReadStatement(reader, head.text, claim))
      return Mismatch(file, head.place,
                      "claim, says, quote, query, pairs, systems, case or finding",
                      Quote(head.text));
    if (!reader.status().ok()) return reader.status();
  }
  for (const auto& [value, what] :
       {std::pair(&claim.name, "a 'claim' statement"), std::pair(&claim.says, "a 'says' statement"),
        std::pair(&claim.finding, "a 'finding' statement")})
    if (value->empty()) return Mismatch(file, source->end, what, "end of file");
  if (claim.queries.empty() && claim.pairs.empty() && claim.systems.empty() && claim.cases.empty())
    return Mismatch(file, source->end, "a 'query', 'pairs', 'systems' or 'case' statement",
                    "end of file");
  return claim;
}

absl::StatusOr<Judgement> JudgeClaim(const Claim& claim, const CaseReader& read, const Asker& ask) {
  Judgement out;
  for (const ClaimQuery& query : claim.queries)
    if (absl::Status s = JudgeQuery(query, ask, out); !s.ok()) return s;
  for (const ClaimPairs& pairs : claim.pairs) JudgePairs(pairs, out);
  for (const ClaimSystems& systems : claim.systems)
    if (absl::Status s = JudgeSystems(claim, systems, out); !s.ok()) return s;
  for (const ClaimCase& entry : claim.cases)
    if (absl::Status s = JudgeCase(claim, entry, read, out); !s.ok()) return s;
  return out;
}

}  // namespace iommucheck::report
