// SPDX-License-Identifier: Apache-2.0
#include "src/review/reply.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "src/case/encoded.h"
#include "src/case/kernel.h"
#include "src/case/spelling.h"
#include "src/conform/compare.h"
#include "src/conform/trace_text.h"
#include "src/report/blame.h"
#include "src/report/text.h"
#include "src/report/verdict_line.h"

namespace iommucheck::review {
namespace {

using report::Field;
using report::Json;
using report::Plural;

KernelSpec KernelOf(const Review& r) {
  return r.kernel().value_or(KernelSpec{.version = r.version, .dropped = {}, .added = {}});
}

// What was changed, and how much of it ran.
std::string TouchedText(const Review& r) {
  std::string out;
  for (const Touched& t : r.touched) {
    const std::string where =
        t.function.empty() ? t.file : absl::StrCat(t.function, "(), ", t.file);
    if (t.code == 0) {
      const char* const what = t.gone               ? ": taken away"
                               : t.function.empty() ? ": outside of functions"
                                                    : ": no line that is code";
      out += Field(out.empty() ? "changes" : "", where + what);
      continue;
    }
    const std::string ran = r.lines_known
                                ? absl::StrFormat("%d of %s ran", t.code - t.missed.size(),
                                                  Plural(t.code, "changed line"))
                                : Plural(t.code, "changed line");
    out += Field(out.empty() ? "changes" : "", absl::StrCat(where, ": ", ran));
    for (const ChangedLine& line : t.missed) {
      const size_t first = line.text.find_first_not_of(" \t");
      out += Field(
          "", absl::StrFormat("not reached: line %d%s: %s", line.line,
                              line.removed ? " (taken away)" : "",
                              Printable(line.text.substr(first == std::string::npos ? 0 : first))));
    }
  }
  for (const std::string& file : r.question.patch.not_built)
    out += Field("not seen", absl::StrCat(file, ": the harness is not built from it"));
  return out;
}

std::string DifferenceLine(const Difference& d) {
  std::string line =
      absl::StrFormat("%s: %s (%s)", kEffectNames[static_cast<size_t>(d.kind.effect)], d.kind.text,
                      Plural(d.cases, "case"));
  if (d.outside && d.kind.effect != Effect::kChanged)
    absl::StrAppend(&line, ", but only without ", std::string(InfoOf(*d.outside).id));
  return line;
}

std::string PlayedText(const Review& r) {
  std::string out = Field(
      "played", absl::StrFormat("%d cases of the corpus and %d random ones (seed %d), "
                                "%d ops, on both kernels",
                                r.corpus, r.random.cases, r.question.random.seed, r.random.ops));
  if (r.differences.empty() && r.more.empty())
    return out + Field("differ",
                       "none: the same errnos, calls to drivers, groups, domains, WARNs "
                       "and leaks in each");
  std::vector<std::string> kinds;
  kinds.reserve(r.differences.size() + r.more.size());
  for (const Difference& d : r.differences) kinds.push_back(DifferenceLine(d));
  for (const Difference& d : r.more) kinds.push_back(DifferenceLine(d) + ", not made smaller");
  return out + report::Fields("differ", kinds);
}

std::string ExplanationText(const Review& r) {
  if (!r.explanation) return "";
  const Explanation& e = *r.explanation;
  std::string out;
  if (const std::optional<KernelSpec> kernel = r.kernel(); kernel) {
    out += Field(
        "is", absl::StrFormat("%s: there the model does what the patched kernel does, in %s "
                              "that the patch changes and %d that it does not",
                              report::KernelName(*kernel), Plural(e.differing, "case"), e.alike));
    for (const RuleInfo& info : AllRules()) {
      if (kernel->dropped.has(info.rule))
        out += Field("", absl::StrFormat("without %s: %s", info.id, info.dropped));
      if (kernel->added.has(info.rule))
        out += Field("", absl::StrFormat("with %s: %s", info.id, info.holds));
    }
    for (size_t i = 1; i < e.fits.size(); ++i)
      out += Field(i == 1 ? "or is" : "",
                   report::KernelName(e.fits[i]) + ": no case that was played tells them apart");
  } else {
    out += Field("is", absl::StrFormat("nothing that the model has a rule for (%s of rules tried)",
                                       Plural(e.tried, "set")));
    if (e.best && e.best->cases != 0)
      out += Field(
          "", absl::StrFormat("the best is %s, in %d of %s%s", report::KernelName(e.best->kernel),
                              e.best->cases, Plural(e.differing, "case"),
                              e.best->unlike ? ", but it changes others, too" : ""));
  }
  if (e.left_out != 0)
    out += Field("", Plural(e.left_out, "case") +
                         " left out, in which the model is not the kernel before the patch");
  return out;
}

// "proved", "none up to 3 devices, 6 steps", "VIOLATED: 2 devices, 5 steps".
std::string SolverText(const smt::QueryResult& result, bool every_size) {
  return report::VerdictText(result, every_size);
}

// What the kernel without the rule does, in one line.
std::string LossText(const UnseenRule& unseen) {
  std::vector<std::string> texts;
  for (const Asked& asked : unseen.asked) {
    const report::Answer& a = asked.answer;
    texts.push_back(
        absl::StrFormat("%s %s without it (because of that: %s)", PropertyName(a.question.property),
                        SolverText(a.result, report::HoldsForEverySize(a)),
                        report::BecauseOf(a.result.verdict, asked.change().result.verdict)));
  }
  std::string text = absl::StrJoin(texts, "; ");
  if (!unseen.unplayable.empty())
    absl::StrAppend(&text, "; neither build can play that run: ", unseen.unplayable);
  return text;
}

std::string UnseenText(const Review& r) {
  if (r.unseen.empty()) return "";
  std::map<std::string, std::vector<std::string>> by_loss;
  std::string out = Field(
      "unseen", "no case shows whether the patch takes one of these rules of the functions away");
  for (const UnseenRule& unseen : r.unseen) {
    const RuleInfo& info = InfoOf(unseen.rule);
    if (unseen.asked.empty())
      out += Field("", absl::StrFormat("%s, which the solver does not know; without it: %s",
                                       info.id, info.dropped));
    else
      by_loss[LossText(unseen)].emplace_back(info.id);
  }
  for (const auto& [loss, rules] : by_loss)
    out += Field("", absl::StrCat(absl::StrJoin(rules, ", "), ": ", loss));
  return out;
}

std::string AskedText(const Asked& asked) {
  const report::Answer& a = asked.answer;
  const report::Change& change = asked.change();
  const KernelSpec& kernel = a.question.kernel;
  std::string out = "\n" + std::string(PropertyName(a.question.property)) + " on " +
                    std::string(VersionName(kernel.version)) +
                    (asked.promised ? " (which promises it)" : "") + "\n";
  out += Field("before", SolverText(change.result, change.every_size));
  out += Field("after", SolverText(a.result, report::HoldsForEverySize(a)));
  out +=
      Field("patch", absl::StrFormat("%s: %s", "because of it",
                                     report::BecauseOf(a.result.verdict, change.result.verdict)));
  if (change.only)
    out += Field("", "a run that only the patch allows: " +
                         (change.only->verdict == Verdict::kViolated
                              ? report::SizeText(report::SizeOf(change.only->found))
                              : report::VerdictText(*change.only, false)));
  for (const RuleInfo& info : AllRules())
    if (info.kind == RuleKind::kAssumption && kernel.added.has(info.rule))
      out +=
          Field("assumed", absl::StrCat(std::string(info.holds), " (", std::string(info.id), ")"));
  if (a.result.verdict == Verdict::kViolated &&
      std::string_view(report::BecauseOf(a.result.verdict, change.result.verdict)) == "yes")
    out += "\n" + report::FoundText(a.result.found, a.run, a.question.property);
  return out;
}

std::string ColumnsOf(const Difference& d) {
  return Compare(d.smallest, d.before.trace, "before the patch", d.after.trace, "after").text;
}

// A case of the corpus or a random one, without the outcome that it does not say.
std::string CaseTextOf(const Case& c) {
  Case plain = c;
  plain.kernel.dropped = plain.kernel.added = {};
  return PrintCase(plain);
}

std::string DifferenceText(const Difference& d) {
  std::string out =
      "\n" + report::Indented(0, DifferenceLine(d)) + "\n" + CaseTextOf(d.smallest) + "\n";
  if (!Agree(d.before.trace, d.after.trace)) out += ColumnsOf(d);
  const auto add = [&out](const char* when, const conform::Harness::Result& result) {
    for (const conform::Harness::Warn& warn : result.warns)
      out += Field(when, "WARN in " + warn.text());
    for (const std::string& leak : result.leaks)
      out += Field(when, "left after the teardown: " + leak);
    if (!result.crash.empty()) out += Field(when, "crashed: " + result.crash);
  };
  add("before", d.before.result);
  add("after", d.after.result);
  return out;
}

std::string ElsewhereText(const Review& r) {
  if (r.elsewhere.empty()) return "";
  std::string out =
      "\nThe same rules on the other profiles that have them, each with the\n"
      "assumptions with which it promises the property\n";
  for (const Asked& asked : r.elsewhere) {
    const report::Answer& a = asked.answer;
    out += Field(
        std::string(VersionName(a.question.kernel.version)),
        absl::StrFormat("%s%s: %s; before: %s; because of the patch: %s",
                        PropertyName(a.question.property), asked.promised ? "" : " (not promised)",
                        SolverText(a.result, report::HoldsForEverySize(a)),
                        SolverText(asked.change().result, asked.change().every_size),
                        report::BecauseOf(a.result.verdict, asked.change().result.verdict)));
  }
  return out;
}

Json KindJson(const Difference& d) {
  Json json{{"effect", kEffectNames[static_cast<size_t>(d.kind.effect)]},
            {"kind", d.kind.text},
            {"cases", d.cases}};
  if (d.outside) json["outside"] = InfoOf(*d.outside).id;
  if (d.before.trace.steps.empty()) return json;
  json["case"] = CaseTextOf(d.smallest);
  json["before"] = conform::TraceLines(d.smallest, d.before.trace);
  json["after"] = conform::TraceLines(d.smallest, d.after.trace);
  json["leaks"] = d.after.result.leaks;
  json["warns"] = Json::array();
  for (const conform::Harness::Warn& warn : d.after.result.warns)
    json["warns"].push_back(warn.text());
  if (!d.after.result.crash.empty()) json["crashed"] = d.after.result.crash;
  return json;
}

Json AskedJson(std::span<const Asked> list) {
  Json out = Json::array();
  for (const Asked& asked : list) {
    const report::Answer& a = asked.answer;
    const report::Change& change = asked.change();
    const auto name = [](const smt::QueryResult& result, bool every_size) {
      return report::VerdictName(result.verdict, every_size);
    };
    out.push_back({{"property", PropertyName(a.question.property)},
                   {"kernel", report::KernelJson(a.question.kernel)},
                   {"promised", asked.promised},
                   {"before", name(change.result, change.every_size)},
                   {"after", name(a.result, report::HoldsForEverySize(a))},
                   {"verdict_line", report::VerdictLineOf(a)},
                   {"because", report::BecauseOf(a.result.verdict, change.result.verdict)}});
    if (a.result.verdict == Verdict::kViolated) out.back()["case"] = PrintCase(a.result.found);
  }
  return out;
}

}  // namespace

std::string VerdictLine(const Review& r) {
  std::string kernel(VersionName(r.version));
  if (const std::optional<KernelSpec> is = r.kernel(); is) {
    for (const std::string& id : RuleIds(is->dropped)) absl::StrAppend(&kernel, ",-", id);
    for (const std::string& id : RuleIds(is->added)) absl::StrAppend(&kernel, ",+", id);
  }
  return absl::StrFormat("Review %s %s differences=%d,cases=%d", r.verdict_name(), kernel,
                         r.differences.size() + r.more.size(), r.corpus + r.random.cases);
}

std::string ReplyText(const Review& r) {
  std::string out = VerdictLine(r) + "\n\n";
  for (const Changes::Patch& patch : r.question.patch.patches)
    out +=
        Field("patch", absl::StrFormat("%s (sha256 %s)", patch.name, patch.sha256.substr(0, 16)));
  const size_t others = r.question.patches_before;
  out += Field("on", absl::StrFormat(
                         "%s%s, compared as %s", r.tree,
                         others == 0   ? ""
                         : others == 1 ? " with the patch before it"
                                       : absl::StrFormat(" with the %d patches before it", others),
                         VersionName(r.version)));
  if (!r.note.empty()) out += Field("", r.note);
  out += Field("verdict", absl::StrCat(r.verdict_name(), ": ", r.why));
  out += TouchedText(r);
  if (!r.question.patch.files.empty()) out += PlayedText(r);
  out += ExplanationText(r) + UnseenText(r);
  for (const Asked& asked : r.asked) out += AskedText(asked);
  if (const std::optional<KernelSpec> kernel = r.kernel(); kernel && r.asked.empty())
    out += Field("solver", absl::StrFormat("cannot be asked about %s; instead, the promises of %s "
                                           "were checked in %d of the played cases",
                                           report::KernelName(KernelOf(r)), VersionName(r.version),
                                           r.judged));
  for (const Broken& broken : r.broken)
    out += absl::StrFormat("\nbroken by the patch alone: %s\n\n%s",
                           std::string(PropertyName(broken.property)), PrintCase(broken.smallest));
  out += ElsewhereText(r);
  // A mail has room for the first, and for some more if they are worse.
  const auto worse =
      static_cast<size_t>(std::ranges::count_if(r.differences, [](const Difference& d) {
        return d.kind.effect == Effect::kWorse && !d.outside;
      }));
  const size_t shown = std::min(std::clamp(worse, size_t{1}, size_t{3}), r.differences.size());
  for (size_t i = 0; i < shown; ++i) out += DifferenceText(r.differences[i]);
  if (r.differences.size() > shown)
    out += absl::StrFormat("\n%s more: --out DIR writes the smallest case of each\n",
                           Plural(r.differences.size() - shown, "kind"));
  if (r.explanation && r.explanation->fits.empty() && r.explanation->best &&
      r.explanation->best->cases != 0)
    out += absl::StrFormat("\nWhere %s does something else\n\n%s\n%s",
                           report::KernelName(r.explanation->best->kernel),
                           CaseTextOf(r.explanation->best->fails), r.explanation->best->columns);
  return out + "\nTo see it again\n" + report::ToolText();
}

Json ReviewJson(const Review& r) {
  Json out = report::ToolJson("review");
  out["verdict"] = r.verdict_name();
  out["why"] = r.why;
  out["build"] = r.tree;
  out["kernel"] = report::KernelJson(KernelOf(r));
  Json patches = Json::array();
  for (const Changes::Patch& patch : r.question.patch.patches)
    patches.push_back({{"name", patch.name}, {"sha256", patch.sha256}});
  out["patches"] = patches;
  out["not_seen"] = r.question.patch.not_built;
  Json touched = Json::array();
  for (const Touched& t : r.touched) {
    Json missed = Json::array();
    for (const ChangedLine& line : t.missed)
      missed.push_back({{"line", line.line}, {"text", Printable(line.text)}});
    touched.push_back({{"file", t.file},
                       {"function", t.function},
                       {"changed_lines", t.code},
                       {"taken_away", t.gone},
                       {"not_reached", missed}});
  }
  out["touched"] = touched;
  out["played"] = {{"corpus", r.corpus},
                   {"random", r.random.cases},
                   {"ops", r.random.ops},
                   {"seed", r.question.random.seed}};
  Json differences = Json::array();
  for (const Difference& d : r.differences) differences.push_back(KindJson(d));
  for (const Difference& d : r.more) differences.push_back(KindJson(d));
  out["differences"] = differences;
  if (r.explanation) {
    Json fits = Json::array();
    for (const KernelSpec& kernel : r.explanation->fits) fits.push_back(report::KernelJson(kernel));
    out["explained_by"] = fits;
    out["sets_tried"] = r.explanation->tried;
  }
  Json unseen = Json::array();
  for (const UnseenRule& u : r.unseen) {
    unseen.push_back({{"rule", InfoOf(u.rule).id}, {"asked", AskedJson(u.asked)}});
    if (!u.unplayable.empty()) unseen.back()["unplayable"] = u.unplayable;
  }
  out["unseen_rules"] = unseen;
  std::vector<Asked> asked = r.asked;
  asked.insert(asked.end(), r.elsewhere.begin(), r.elsewhere.end());
  out["asked"] = AskedJson(asked);
  Json broken = Json::array();
  for (const Broken& b : r.broken)
    broken.push_back({{"property", PropertyName(b.property)}, {"case", PrintCase(b.smallest)}});
  out["broken"] = broken;
  out["review_line"] = VerdictLine(r);
  return out;
}

std::vector<NamedFile> ReviewFiles(const Review& r) {
  std::vector<NamedFile> files = {{"reply.txt", "# " + ReplyText(r)}};
  for (size_t i = 0; i < r.differences.size(); ++i) {
    const Difference& d = r.differences[i];
    const std::string name = absl::StrFormat("difference-%02d", i + 1);
    files.push_back(
        {name + ".case", absl::StrCat("# ", d.kind.text, "\n", CaseTextOf(d.smallest))});
    const auto trace = [&](const char* when, const conform::Trace& t) {
      files.push_back(
          {absl::StrCat(name, ".", when, ".trace"),
           absl::StrCat("# ", when, " the patch: ", d.kind.text, "\n",
                        absl::StrJoin(conform::TraceLines(d.smallest, t), "\n"), "\n")});
    };
    trace("before", d.before.trace);
    trace("after", d.after.trace);
  }
  for (const Asked& asked : r.asked)
    if (asked.answer.result.verdict == Verdict::kViolated)
      files.push_back(
          {absl::StrCat(std::string(PropertyName(asked.answer.question.property)), ".case"),
           absl::StrCat("# what the solver found\n", PrintCase(asked.answer.result.found))});
  return files;
}

std::string GuessText(const Changes& patch, KernelVersion version, std::span<const Guess> guesses) {
  std::vector<std::string> words;
  bool worse = false;
  for (const Guess& g : guesses)
    for (const Asked& asked : g.asked)
      worse |= std::string_view(report::BecauseOf(asked.answer.result.verdict,
                                                  asked.change().result.verdict)) == "yes";
  std::string out = absl::StrFormat("Review %s %s guess,rules=%d\n\n", worse ? "worse" : "unknown",
                                    VersionName(version), guesses.size());
  out += Field("guess",
               "no kernel was built, and no line of the patch was understood: these are the "
               "rules of the functions that its hunks are in, each taken away alone");
  out += report::ToolText();
  for (const FileChange& change : patch.files) {
    const std::vector<std::string> functions = FunctionsNear(change);
    out +=
        Field("changes", absl::StrCat(Printable(change.file), ": ",
                                      functions.empty() ? "in no function that shows"
                                                        : absl::StrJoin(functions, "(), ") + "()"));
  }
  if (guesses.empty()) out += Field("rules", "none has its place in one of these functions");
  for (const Guess& g : guesses) {
    const RuleInfo& info = InfoOf(g.rule);
    out += absl::StrFormat("\n%s, %s()\n", info.id, g.function);
    out += Field("is", std::string(info.holds));
    out += Field("without", std::string(info.dropped));
    if (g.asked.empty())
      out += Field("solver", "does not know this rule; look for what it promises by cases: judge");
    for (const Asked& asked : g.asked) out += AskedText(asked);
  }
  return out;
}

Json GuessJson(const Changes& patch, KernelVersion version, std::span<const Guess> guesses) {
  Json out = report::ToolJson("review");
  out["verdict"] = "unknown";
  out["guess"] = true;
  out["kernel"] = report::KernelJson({.version = version, .dropped = {}, .added = {}});
  Json files = Json::array();
  for (const FileChange& change : patch.files)
    files.push_back({{"file", Printable(change.file)}, {"functions", FunctionsNear(change)}});
  out["files"] = files;
  Json rules = Json::array();
  for (const Guess& g : guesses) {
    rules.push_back(
        {{"rule", InfoOf(g.rule).id}, {"function", g.function}, {"asked", AskedJson(g.asked)}});
  }
  out["rules"] = rules;
  return out;
}

}  // namespace iommucheck::review
