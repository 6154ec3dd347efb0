// SPDX-License-Identifier: Apache-2.0
#include "src/review/review.h"

#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp()
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <tuple>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "src/case/encoded.h"
#include "src/case/smaller.h"
#include "src/conform/compare.h"
#include "src/conform/machine_rules.h"
#include "src/conform/model_trace.h"
#include "src/conform/process.h"
#include "src/report/blame.h"
#include "src/report/text.h"
#include "src/report/verdict_line.h"
#include "src/tool/progress.h"
#include "src/tool/stop.h"

namespace iommucheck::review {
namespace {

constexpr size_t kMinimized = 12;             // kinds that are shown by their smallest case
constexpr size_t kKept = 6;                   // cases kept of each kind
constexpr uint64_t kAlike = 3000;             // random cases that an explanation must leave alone
constexpr uint64_t kFirstRandom = 1'000'000;  // numbers of random cases follow those of the corpus
constexpr uint64_t kMostDiffering = 20'000;   // more say nothing new, and each may take a process

// A folder for profiles, which goes with the object.
class Scratch {
 public:
  Scratch() {
    std::string name = std::filesystem::temp_directory_path() / "iommucheck-review-XXXXXX";
    if (mkdtemp(name.data()) != nullptr) path_ = name;
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Cases that keep to the assumptions come before those that do not, small ones before large ones.
size_t Rank(const Case& c, const Kind& kind) {
  return c.ops.size() + c.topology.devices_count + c.topology.instances_count +
         (OutsideOf(c, kind) ? size_t{1000} : 0);
}

// All that is known of one kind while cases are played.
struct Seen {
  struct Kept {
    std::pair<size_t, uint64_t> place;  // rank, and number: the same whoever was faster
    Case c;
  };
  uint64_t cases = 0;
  std::vector<Kept> kept;  // in the order of their places
};
using Kinds = std::map<Kind, Seen>;

void Keep(const Case& c, uint64_t number, const Kind& kind, Seen& seen) {
  const std::pair place(Rank(c, kind), number);
  const auto at = std::ranges::upper_bound(seen.kept, place, {}, &Seen::Kept::place);
  if (seen.kept.size() == kKept && at == seen.kept.end()) return;
  seen.kept.insert(at, {place, c});
  if (seen.kept.size() > kKept) seen.kept.pop_back();
}

// The corpus as cases of the kernel that was built, each run once.
std::vector<Case> AsBuilt(const std::vector<Case>& corpus, const Both& both, size_t& skipped) {
  const KernelSpec built{.version = both.before().version(), .dropped = {}, .added = {}};
  std::vector<Case> cases;
  std::set<std::string> texts;
  for (Case c : corpus) {
    c.kernel = conform::WithoutAssumptions(conform::WithAssumptionsOf(built, c.kernel));
    c.comment.clear();
    c.expectations.clear();
    for (CaseOp& op : c.ops) op = {.op = op.op, .expected = std::nullopt, .comment = ""};
    if (!both.WhyNot(c).empty())
      ++skipped;
    else if (texts.insert(PrintCase(c)).second)
      cases.push_back(std::move(c));
  }
  return cases;
}

absl::Status PlayCorpus(const std::vector<Case>& cases, Both& both, Review& review, Kinds& kinds,
                        std::vector<Case>& alike) {
  for (const Case& c : cases) {
    if (tool::Stopped()) return absl::OkStatus();
    tool::Progress(
        absl::StrFormat("both kernels: %d of %d cases of the corpus, %d kinds of difference",
                        review.corpus, cases.size(), kinds.size()));
    const absl::StatusOr<std::array<Played, 2>> played = both.Play(c);
    if (!played.ok()) return played.status();
    ++review.corpus;
    const std::vector<Kind> differs = KindsOf(c, (*played)[0], (*played)[1]);
    if (differs.empty()) alike.push_back(c);
    for (const Kind& kind : differs) {
      ++kinds[kind].cases;
      Keep(c, review.corpus, kind, kinds[kind]);
    }
  }
  return absl::OkStatus();
}

absl::Status PlayRandom(Both& both, Review& review, Kinds& kinds, std::vector<Case>& alike) {
  const Both::Random& random = review.question.random;
  std::set<uint64_t> differing;
  std::vector<uint64_t> died;
  const auto found = [&](uint64_t number, const std::vector<Kind>& of, const Both::Count& so_far) {
    differing.insert(number);
    if (of.empty()) died.push_back(number);
    for (const Kind& kind : of) {
      Seen& seen = kinds[kind];
      ++seen.cases;
      Keep(both.RandomCase(random, number), kFirstRandom + number, kind, seen);
    }
    tool::Progress(absl::StrFormat("both kernels: %d random cases, %d differ in %d ways%s",
                                   so_far.cases, so_far.differ, kinds.size(),
                                   kinds.empty() ? "" : ", such as " + kinds.begin()->first.text));
    return so_far.differ < kMostDiffering;
  };
  tool::Progress("both kernels: random cases");
  const absl::StatusOr<Both::Count> count = both.PlayRandom(random, found);
  if (!count.ok()) return count.status();
  review.random = *count;
  // Play those again in which a process died, each in its own.
  for (size_t i = 0; i < std::min<size_t>(died.size(), 40); ++i) {
    const Case c = both.RandomCase(random, died[i]);
    const absl::StatusOr<std::array<Played, 2>> played = both.Play(c);
    if (!played.ok()) return played.status();
    for (const Kind& kind : KindsOf(c, (*played)[0], (*played)[1])) {
      kinds[kind].cases += died.size();
      Keep(c, kFirstRandom + died[i], kind, kinds[kind]);
    }
  }
  const uint64_t most = std::min(count->cases, kAlike);
  for (uint64_t n = 0; n < most; ++n)
    if (!differing.contains(n)) alike.push_back(both.RandomCase(random, n));
  return absl::OkStatus();
}

absl::Status Minimize(const Kinds& kinds, Both& both, Review& review) {
  for (const auto& [kind, seen] : kinds) {
    Difference difference{.kind = kind, .smallest = {}, .before = {}, .after = {}};
    if (review.differences.size() < kMinimized && !seen.kept.empty() && !tool::Stopped()) {
      tool::Progress("looking for the smallest case: " + kind.text);
      absl::StatusOr<Difference> smallest = Minimized(both, seen.kept.front().c, kind);
      if (!smallest.ok()) return smallest.status();
      difference = *std::move(smallest);
      difference.cases = seen.cases;
      review.differences.push_back(std::move(difference));
      continue;
    }
    difference.cases = seen.cases;
    if (!seen.kept.empty()) difference.outside = OutsideOf(seen.kept.front().c, kind);
    review.more.push_back(std::move(difference));
  }
  std::ranges::stable_sort(review.differences, {}, [](const Difference& d) {
    return std::tuple(d.outside.has_value(), d.kind.effect, Rank(d.smallest, d.kind));
  });
  return absl::OkStatus();
}

// --- the lines that ran ---

std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// How often each line of each file ran. Errors: the script failed.
using LineCounts = std::map<std::string, std::map<int, uint64_t>>;
absl::StatusOr<LineCounts> CountLines(const Question& q, const std::string& profiles) {
  const absl::StatusOr<conform::ProcessEnd> end = conform::RunApart([&](int fd) {
    dup2(fd, STDOUT_FILENO);
    execl(q.lines.c_str(), q.lines.c_str(), q.after.c_str(), profiles.c_str(), nullptr);
    _exit(127);
  });
  if (!end.ok()) return end.status();
  if (!end->death.empty())
    return absl::ResourceExhaustedError(absl::StrCat(q.lines, ": ", end->death, ": ", end->said));
  LineCounts counts;
  for (const absl::string_view line : absl::StrSplit(end->sent, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    int number = 0;
    uint64_t count = 0;
    if (words.size() == 3 && absl::SimpleAtoi(words[1], &number) &&
        absl::SimpleAtoi(words[2], &count))
      counts[words[0]][number] = count;
  }
  return counts;
}

// The functions that the patch changes; `counts` says which lines ran, nullptr: nobody knows.
std::vector<Touched> TouchedBy(const Question& q, const LineCounts* counts) {
  std::vector<Touched> touched;
  for (const FileChange& change : q.patch.files) {
    const std::vector<Function> functions =
        FunctionsOf(ReadAll(std::filesystem::path(q.after) / "overlay" / change.file));
    for (const ChangedLine& line : ChangedLines(change)) {
      // The place of a line that is gone is before the line that follows it.
      const auto in = std::ranges::find_if(functions, [&line](const Function& f) {
        return f.first + (line.removed ? 1 : 0) <= line.line && line.line <= f.last;
      });
      const std::string name = in == functions.end() ? "" : in->name;
      auto of = std::ranges::find_if(
          touched, [&](const Touched& t) { return t.file == change.file && t.function == name; });
      if (of == touched.end())
        of = touched.insert(of, {.file = change.file, .function = name, .code = 0, .missed = {}});
      if (counts == nullptr) {
        ++of->code;
        continue;
      }
      // A line without a count is no code: a declaration, a brace, a macro. A place has run if the
      // next line of code has.
      const auto file = counts->find(change.file);
      if (file == counts->end()) continue;
      auto at = file->second.find(line.line);
      if (line.removed && in != functions.end()) {
        at = file->second.lower_bound(line.line);
        if (at != file->second.end() && at->first > in->last) at = file->second.end();
      }
      if (at == file->second.end()) continue;
      ++of->code;
      if (at->second == 0) of->missed.push_back(line);
    }
    for (const std::string& name : FunctionsGone(change))
      if (std::ranges::find(functions, name, &Function::name) == functions.end())
        touched.push_back({.file = change.file, .function = name, .missed = {}, .gone = true});
  }
  return touched;
}

// --- the rules, and the solver ---

Case Patched(Case c, const KernelSpec& patch) {
  c.kernel.dropped = c.kernel.dropped | patch.dropped;
  c.kernel.added = c.kernel.added | patch.added;
  return c;
}

absl::Status ExplainIt(const Kinds& kinds, const std::vector<Case>& alike, Both& both,
                       Review& review) {
  std::vector<Answered> differing;
  size_t left_out = 0;
  std::set<std::string> texts;
  const auto add = [&](Case c) -> absl::Status {
    absl::StatusOr<std::array<conform::Trace, 2>> traces = both.Traces(c);
    if (!traces.ok()) return traces.status();
    // After the op that differs, the model may find ops impossible that real code plays.
    if (const size_t ops = Compare(c, (*traces)[0], "", (*traces)[1], "").step + 1;
        ops < c.ops.size()) {
      c.ops.resize(ops);
      traces = both.Traces(c);
      if (!traces.ok()) return traces.status();
    }
    if (!texts.insert(PrintCase(c)).second) return absl::OkStatus();
    if (Agree(conform::TraceOf(c), (*traces)[0]))
      differing.push_back({.c = c, .after = (*traces)[1]});
    else
      ++left_out;
    return absl::OkStatus();
  };
  tool::Progress("which rules explain it");
  for (const Difference& difference : review.differences)
    if (absl::Status s = add(difference.smallest); !s.ok()) return s;
  for (const auto& [kind, seen] : kinds)
    for (const Seen::Kept& kept : seen.kept)
      if (absl::Status s = add(kept.c); !s.ok()) return s;
  std::vector<std::string> functions;
  functions.reserve(review.touched.size());
  for (const Touched& touched : review.touched) functions.push_back(touched.function);
  review.explanation = Explain(review.version, differing, alike, RulesOf(functions));
  review.explanation->left_out = left_out;
  // Leaks are no part of a trace, and of these the model has user memory alone.
  std::vector<KernelSpec>& fits = review.explanation->fits;
  if (differing.empty()) fits.clear();
  for (const auto& [kind, seen] : kinds)
    if (kind.effect == Effect::kWorse && kind.what == What::kLeak)
      std::erase_if(fits, [&, of = &kind, in = &seen](const KernelSpec& fit) {
        return !IsOfPages(*of) || !std::ranges::all_of(in->kept, [&fit](const Seen::Kept& kept) {
          return Play(Patched(kept.c, fit)).of(Property::kNoLeakedPin).at != 0;
        });
      });
  return absl::OkStatus();
}

// Asks about kernels and their changes, about each kernel once.
class Solver {
 public:
  explicit Solver(uint64_t budget) : budget_(budget) {}

  // With the assumptions with which the version promises the property, before the patch and after.
  absl::StatusOr<Asked> AskAbout(Property property, KernelSpec kernel) {
    Asked asked;
    const KernelProfile profile = ProfileOf(kernel.version);
    for (const Promise& promise : EncodedPromises())
      if (promise.version == kernel.version && promise.property == property) {
        asked.promised = true;
        for (const Rule rule : promise.assumptions)
          if (!profile.has(rule)) kernel.added.add(rule);
      }
    absl::StatusOr<report::Answer> answer = One(property, kernel);
    if (!answer.ok()) return answer.status();
    asked.answer = *std::move(answer);
    const std::optional<KernelSpec> before = report::WithoutPatch(kernel);
    if (!before) return asked;
    const absl::StatusOr<report::Answer> unpatched = One(property, *before);
    if (!unpatched.ok()) return unpatched.status();
    if (absl::Status s = report::AskChange(asked.answer, *unpatched); !s.ok()) return s;
    return asked;
  }

  absl::Status AskAboutAll(const KernelSpec& kernel, std::vector<Asked>& out) {
    for (const Property property : kEncodedProperties) {
      if (tool::Stopped()) return absl::OkStatus();
      tool::Progress(absl::StrFormat("asking the solver about %s on %s", PropertyName(property),
                                     report::KernelName(kernel)));
      absl::StatusOr<Asked> asked = AskAbout(property, kernel);
      if (!asked.ok()) return asked.status();
      out.push_back(*std::move(asked));
    }
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<report::Answer> One(Property property, const KernelSpec& kernel) {
    const std::pair key(property, report::KernelWord(kernel));
    if (const auto at = known_.find(key); at != known_.end()) return at->second;
    report::Question question{.property = property, .kernel = kernel, .bounds = {}};
    question.bounds.budget = budget_;
    absl::StatusOr<report::Answer> answer = report::Ask(question);
    if (answer.ok()) known_.emplace(key, *answer);
    return answer;
  }

  uint64_t budget_;
  std::map<std::pair<Property, std::string>, report::Answer> known_;
};

// Whether every profile's rules allow this patch: it drops what they have, and adds what they lack.
bool AppliesTo(KernelVersion version, const KernelSpec& patch) {
  const RuleSet rules = ProfileOf(version).rules;
  return rules.has_all(patch.dropped) && !rules.has_any(patch.added);
}

absl::Status AskElsewhere(const KernelSpec& kernel, Solver& solver, Review& review) {
  for (const KernelVersion version : kKernelVersions) {
    if (version == kernel.version || !AppliesTo(version, kernel)) continue;
    KernelSpec there = kernel;
    there.version = version;
    if (absl::Status s = solver.AskAboutAll(there, review.elsewhere); !s.ok()) return s;
  }
  return absl::OkStatus();
}

bool IsBecauseOfIt(const report::Answer& answer) {
  return answer.change && std::string_view(report::BecauseOf(
                              answer.result.verdict, answer.change->result.verdict)) == "yes";
}

// The rules of the changed functions that the kernel has and that make no difference to the model in
// these cases.
std::vector<Rule> UnseenIn(const std::vector<Case>& alike, const Review& review) {
  tool::Progress("which rules of the changed functions no case shows");
  std::vector<std::string> functions;
  for (const Touched& touched : TouchedBy(review.question, nullptr))
    functions.push_back(touched.function);
  return Unseen(review.version, alike, RulesOf(functions));
}

// Where no case differs: of the rules that make no difference to the model in any, those that the
// patch may take away all the same. A run of the solver that only the loss of one allows is played on
// both kernels: either it differs there, or the rule is still there, or it cannot be played.
absl::Status LookForUnseen(Both& both, Solver& solver, Review& review, Kinds& kinds) {
  std::vector<std::string> functions;
  for (const Touched& touched : review.touched)
    if (touched.code != 0 || touched.gone) functions.push_back(touched.function);
  const KernelSpec built{.version = review.version, .dropped = {}, .added = {}};
  const std::vector<Rule> touched = RulesOf(functions);
  for (const Rule rule : review.random.unseen) {
    if (std::ranges::find(touched, rule) == touched.end()) continue;
    UnseenRule unseen{.rule = rule, .asked = {}, .unplayable = ""};
    KernelSpec without = built;
    without.dropped.add(rule);
    if (IsEncoded(rule))
      if (absl::Status s = solver.AskAboutAll(without, unseen.asked); !s.ok()) return s;
    bool is_there = false;
    for (const Asked& asked : unseen.asked) {
      if (!IsBecauseOfIt(asked.answer)) continue;
      Case c = asked.answer.result.found;
      c.kernel = conform::WithoutAssumptions(conform::WithAssumptionsOf(built, c.kernel));
      c.expectations.clear();
      for (CaseOp& op : c.ops) op.expected.reset();
      unseen.unplayable = both.WhyNot(c);
      if (!unseen.unplayable.empty()) continue;
      const absl::StatusOr<std::array<Played, 2>> played = both.Play(c);
      if (!played.ok()) return played.status();
      ++review.corpus;
      for (const Kind& kind : KindsOf(c, (*played)[0], (*played)[1])) {
        ++kinds[kind].cases;
        Keep(c, review.corpus, kind, kinds[kind]);
      }
      is_there = !Agree(WithoutRule(c, rule), (*played)[1].trace);
    }
    if (!is_there) review.unseen.push_back(std::move(unseen));
  }
  return absl::OkStatus();
}

// The case within the assumptions with which its kernel promises the property; nothing if it has a
// failure that the promise leaves out, or there is no promise.
std::optional<Case> WithinPromise(const Case& c, Property property) {
  const auto promise = std::ranges::find_if(Promises(), [&](const Promise& p) {
    return p.version == c.kernel.version && p.property == property;
  });
  if (promise == Promises().end()) return std::nullopt;
  for (const CaseOp& op : c.ops)
    for (const Fault& fault : op.op.faults)
      if (fault.kind != Fault::Kind::kNone &&
          ((promise->without >> static_cast<unsigned>(fault.kind)) & 1U) != 0)
        return std::nullopt;
  Case within = c;
  const KernelProfile profile = ProfileOf(c.kernel.version);
  for (const RuleInfo& info : AllRules())
    if (info.kind == RuleKind::kAssumption) within.kernel.dropped.drop(info.rule);
  for (const Rule rule : promise->assumptions)
    if (!profile.has(rule)) within.kernel.added.add(rule);
  return within;
}

// The promises that one of these cases breaks with the patch alone.
void FindBroken(const KernelSpec& kernel, const std::vector<Case>& cases, Review& review) {
  std::set<Property> found;
  for (const Case& c : cases) {
    const Case after = Patched(c, kernel);
    for (const Property property : report::BrokenPromises(after, Play(after))) {
      if (found.contains(property)) continue;
      const std::optional<Case> before = WithinPromise(c, property);
      const std::optional<Case> within = WithinPromise(after, property);
      if (!before || !within || Play(*before).of(property).at != 0 ||
          Play(*within).of(property).at == 0)
        continue;
      found.insert(property);
      review.broken.push_back({.property = property, .smallest = Minimized(*within, property)});
    }
  }
}

void Judge(Review& r) {
  using Verdict = Review::Verdict;
  const auto is = [&r](Verdict verdict, const std::string& why) {
    r.verdict = verdict;
    r.why = why;
  };
  const auto worst = [&r]() -> const Kind* {
    for (const std::vector<Difference>* list : {&r.differences, &r.more})
      for (const Difference& d : *list)
        if (d.kind.effect == Effect::kWorse && !d.outside) return &d.kind;
    return nullptr;
  };
  if (r.question.patch.files.empty())
    return r.question.patch.not_built.empty()
               ? is(Verdict::kNone, "the patch changes nothing")
               : is(Verdict::kUnknown,
                    "no file of the patch is one that the harness is built from");
  if (const Kind* kind = worst(); kind != nullptr)
    return is(Verdict::kWorse, "the patched kernel does what none should: " + kind->text);
  for (const Asked& asked : r.asked)
    if (IsBecauseOfIt(asked.answer))
      return is(Verdict::kWorse, "with the patch there is a run that violates " +
                                     std::string(PropertyName(asked.answer.question.property)));
  if (!r.broken.empty())
    return is(Verdict::kWorse, "a played case breaks " +
                                   std::string(PropertyName(r.broken.front().property)) +
                                   " with the patch alone");
  if (r.stopped) return is(Verdict::kUnknown, tool::StopReason());
  if (!r.differences.empty() || !r.more.empty()) {
    if (!r.kernel())
      return is(Verdict::kUnknown,
                "the patch changes what the kernel does, as no rule of the model says; whether "
                "that is worse is for you to judge");
    for (const Asked& asked : r.asked)
      if (asked.answer.result.verdict == iommucheck::Verdict::kUnknown)
        return is(Verdict::kUnknown, "the solver's budget is spent");
    std::string why =
        "nothing that the kernel promises and that was asked or played is worse for it";
    const auto outside = std::ranges::find_if(r.differences, [](const Difference& d) {
      return d.kind.effect == Effect::kWorse && d.outside;
    });
    const std::optional<Rule> rule =
        outside == r.differences.end() ? std::nullopt : outside->outside;
    if (rule)
      absl::StrAppend(&why, "; but where ", std::string(InfoOf(*rule).id),
                      " does not hold: ", outside->kind.text);
    return is(Verdict::kChanged, why);
  }
  if (r.lines_known && r.code_lines() != 0 && r.missed_lines() == r.code_lines())
    return is(Verdict::kUnknown, "no case reached a line that the patch changes");
  for (const UnseenRule& unseen : r.unseen)
    if (!unseen.unplayable.empty())
      return is(
          Verdict::kUnknown,
          absl::StrFormat("no difference in %d cases; but they do not show whether %s is gone, "
                          "and the run that would cannot be played",
                          r.corpus + r.random.cases, InfoOf(unseen.rule).id));
  is(Verdict::kNone, absl::StrFormat("no difference in %d cases", r.corpus + r.random.cases));
}

}  // namespace

std::optional<KernelSpec> Review::kernel() const {
  if (!explanation || explanation->fits.empty()) return std::nullopt;
  return explanation->fits.front();
}

size_t Review::code_lines() const {
  size_t lines = 0;
  for (const Touched& t : touched) lines += t.code;
  return lines;
}

size_t Review::missed_lines() const {
  size_t lines = 0;
  for (const Touched& t : touched) lines += t.missed.size();
  return lines;
}

absl::StatusOr<Review> Ask(const Question& question) {
  Review review{.question = question};
  const Scratch profiles;
  if (profiles.path().empty())
    return absl::OutOfRangeError("no folder for profiles can be made in the folder of temporaries");
  absl::StatusOr<Both> both = Both::Load(question.before, question.after, profiles.path());
  if (!both.ok()) return both.status();
  review.tree = both->before().name();
  review.version = both->before().version();
  review.note = conform::ReleaseNote(question.before, review.version);

  Kinds kinds;
  std::vector<Case> alike;
  // Where the builds are the same there is nothing to play.
  if (!question.patch.files.empty()) {
    const std::vector<Case> corpus = AsBuilt(question.corpus, *both, review.skipped);
    if (absl::Status s = PlayCorpus(corpus, *both, review, kinds, alike); !s.ok()) return s;
    // What is drawn names an entry of each sort.
    std::ranges::copy_if(corpus, std::back_inserter(review.question.random.from),
                         [](const Case& c) {
                           const Topology& t = c.topology;
                           return t.drivers_count != 0 && t.tables_count != 0 &&
                                  t.instances_count != 0 && t.devices_count != 0;
                         });
    if (kinds.empty()) review.question.random.unseen = UnseenIn(alike, review);
    if (absl::Status s = PlayRandom(*both, review, kinds, alike); !s.ok()) return s;
  }
  review.stopped = tool::Stopped();
  if (!question.lines.empty() && !question.patch.files.empty()) {
    tool::Progress("which changed lines ran");
    const absl::StatusOr<LineCounts> counts = CountLines(question, profiles.path());
    if (!counts.ok()) return counts.status();
    review.lines_known = true;
    review.touched = TouchedBy(question, &*counts);
  } else {
    review.touched = TouchedBy(question, nullptr);
  }
  Solver solver(question.budget);
  if (kinds.empty() && review.code_lines() != 0 && !review.stopped)
    if (absl::Status s = LookForUnseen(*both, solver, review, kinds); !s.ok()) return s;
  if (!kinds.empty()) {
    review.unseen.clear();
    if (absl::Status s = Minimize(kinds, *both, review); !s.ok()) return s;
    if (absl::Status s = ExplainIt(kinds, alike, *both, review); !s.ok()) return s;
  }
  if (const std::optional<KernelSpec> kernel = review.kernel(); kernel) {
    if (CheckEncoded(*kernel).ok()) {
      if (absl::Status s = solver.AskAboutAll(*kernel, review.asked); !s.ok()) return s;
      if (question.every_profile)
        if (absl::Status s = AskElsewhere(*kernel, solver, review); !s.ok()) return s;
    }
    std::vector<Case> cases = alike;
    for (const auto& [kind, seen] : kinds)
      for (const Seen::Kept& kept : seen.kept) cases.push_back(kept.c);
    for (const Difference& d : review.differences) cases.insert(cases.begin(), d.smallest);
    review.judged = cases.size();
    FindBroken(*kernel, cases, review);
  }
  Judge(review);
  tool::Progress("");
  return review;
}

absl::StatusOr<std::vector<Guess>> GuessRules(const Changes& patch, KernelVersion version,
                                              uint64_t budget) {
  std::vector<Guess> guesses;
  Solver solver(budget);
  std::set<Rule> seen;
  for (const FileChange& change : patch.files) {
    for (const std::string& function : FunctionsNear(change)) {
      for (const Rule rule : RulesOf(std::array{function})) {
        if (!ProfileOf(version).has(rule) || !seen.insert(rule).second) continue;
        Guess guess{.rule = rule, .file = change.file, .function = function, .asked = {}};
        KernelSpec kernel{.version = version, .dropped = {}, .added = {}};
        kernel.dropped.add(rule);
        if (IsEncoded(rule))
          if (absl::Status s = solver.AskAboutAll(kernel, guess.asked); !s.ok()) return s;
        guesses.push_back(std::move(guess));
      }
    }
  }
  tool::Progress("");
  return guesses;
}

// NOLINTNEXTLINE(bugprone-unchecked-optional-access): a question about a patch has a change
const report::Change& Asked::change() const { return *answer.change; }

}  // namespace iommucheck::review
