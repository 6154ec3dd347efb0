// SPDX-License-Identifier: Apache-2.0
#include "src/report/mail.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "model/evidence.h"
#include "src/case/spelling.h"
#include "src/report/calls.h"
#include "src/report/export.h"
#include "src/report/minimized.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

// --- the comment of a case ---

constexpr std::string_view kTo = "To";
constexpr std::string_view kCc = "Cc";
constexpr std::string_view kFixes = "Fixes";
constexpr std::string_view kCloses = "Closes";
constexpr std::string_view kLink = "Link";
constexpr std::string_view kFunction = "Function";
constexpr std::string_view kSeen = "Seen";
constexpr std::string_view kWrong = "Wrong";
constexpr std::array kWords = {kTo, kCc, kFixes, kCloses, kLink, kFunction, kSeen, kWrong};

struct Comment {
  std::string subject;
  std::vector<std::vector<std::string>> paragraphs;
  std::vector<std::pair<std::string_view, std::string>> trailers;

  [[nodiscard]] std::vector<std::string> Of(std::string_view word) const {
    std::vector<std::string> texts;
    for (const auto& [key, text] : trailers)
      if (key == word) texts.push_back(text);
    return texts;
  }
};

// The word that begins the line with a colon; "": none does.
std::string_view WordOf(const std::string& line) {
  for (const std::string_view word : kWords)
    if (line.starts_with(std::string(word) + ": ")) return word;
  return "";
}

Comment Read(const std::string& text) {
  Comment comment;
  std::vector<std::string> lines;
  const auto end_paragraph = [&] {
    if (!lines.empty()) comment.paragraphs.push_back(std::exchange(lines, {}));
  };
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(text, '\n'))) {
    if (line.starts_with("SPDX-License-Identifier:")) continue;
    if (line.empty())
      end_paragraph();
    else
      lines.push_back(line);
  }
  end_paragraph();
  auto& paragraphs = comment.paragraphs;
  if (!paragraphs.empty() && std::ranges::none_of(paragraphs.back(), [](const std::string& line) {
        return WordOf(line).empty();
      })) {
    for (const std::string& line : paragraphs.back())
      comment.trailers.emplace_back(WordOf(line), line.substr(WordOf(line).size() + 2));
    paragraphs.pop_back();
  }
  if (paragraphs.size() > 1 && paragraphs.front().size() == 1) {
    comment.subject = paragraphs.front().front();
    paragraphs.erase(paragraphs.begin());
  }
  return comment;
}

// --- what the model knows ---

std::string Versions(const std::vector<KernelVersion>& versions) {
  return absl::StrJoin(versions, ", ",
                       [](std::string* out, KernelVersion v) { out->append(VersionName(v)); });
}

// What is wrong in a run: a property, or what the comment says of a step that no property is about.
struct Wrong {
  size_t step = 0;  // from 0
  std::string text;
  std::optional<Property> property;
};

bool IsWrong(const Run& run, const Wrong& wrong) {
  return wrong.property && run.of(*wrong.property).at != 0;
}

// Of a kernel without a patch: the kernels in whose model the same ops violate the property.
std::string OtherKernels(const Case& c, const Wrong& wrong) {
  std::vector<KernelVersion> alike;
  std::vector<KernelVersion> right;
  std::vector<KernelVersion> unknown;
  for (const KernelVersion version : kKernelVersions) {
    Case with = c;
    with.kernel.version = version;
    const Run run = Play(with);
    if (IsWrong(run, wrong))
      alike.push_back(version);
    else
      (run.complete ? right : unknown).push_back(version);
  }
  std::string text = absl::StrCat("the model of ", Versions(alike), " does the same");
  if (!right.empty()) absl::StrAppend(&text, "; that of ", Versions(right), " does not");
  if (!unknown.empty())
    absl::StrAppend(&text, "; that of ", Versions(unknown), " cannot take all of these steps");
  return text;
}

// The rules that a newer kernel of the model has and this one lacks, each of which alone stops this
// run, here and there.
std::vector<Rule> Fixes(const Case& c, const Wrong& wrong) {
  std::vector<Rule> rules;
  if (!wrong.property) return rules;
  const auto is_right = [&](const Case& with) {
    const Run run = Play(with);
    return run.complete && !IsWrong(run, wrong);
  };
  const KernelProfile kernel = ProfileOf(c.kernel);
  for (const RuleInfo& info : AllRules()) {
    const auto brings = [&](KernelVersion v) {
      Case with = c;
      with.kernel.version = v;
      return v >= c.kernel.version && ProfileOf(v).has(info.rule) &&
             (v == c.kernel.version || is_right(with));
    };
    if (info.kind == RuleKind::kAssumption || kernel.has(info.rule) ||
        std::ranges::none_of(kKernelVersions, brings))
      continue;
    Case with = c;
    with.kernel = c.kernel.With(info.rule);
    if (is_right(with)) rules.push_back(info.rule);
  }
  return rules;
}

std::string FixText(Rule rule) {
  const RuleInfo& info = InfoOf(rule);
  std::vector<KernelVersion> versions;
  std::ranges::copy_if(kKernelVersions, std::back_inserter(versions),
                       [&](KernelVersion v) { return ProfileOf(v).has(rule); });
  return absl::StrFormat("%s() of %s in %s: %s", info.function, info.file, Versions(versions),
                         info.holds);
}

// `property`: that is asked about, and violated by the run. Where nobody asks, what the comment says
// is wrong comes first. Errors: InvalidArgument, where it names no step of the run, or nothing is wrong.
absl::Status FindWrong(const Case& c, const Run& run, const Comment& comment,
                       std::optional<Property> property, Wrong& wrong) {
  const std::vector<std::string> said = comment.Of(kWrong);
  if (!property && !said.empty()) {
    const std::vector<std::string> parts = absl::StrSplit(said.front(), absl::MaxSplits(' ', 1));
    int step = 0;
    if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &step) || step < 1 ||
        step > static_cast<int>(run.steps.size()))
      return absl::InvalidArgumentError(
          absl::StrCat("expected 'Wrong: STEP SENTENCE' with a step of the run, found ",
                       Quote("Wrong: " + said.front())));
    wrong = {.step = static_cast<size_t>(step) - 1, .text = parts[1], .property = std::nullopt};
    return absl::OkStatus();
  }
  if (!property) property = ViolatedProperty(c, run);
  if (!property)
    return absl::InvalidArgumentError(
        absl::StrCat("expected a case that violates a property, found one that does not",
                     run.outside ? ": it is outside of an assumption" : ""));
  const FirstViolation& v = run.of(*property);
  wrong = {.step = static_cast<size_t>(v.at) - 1,
           .text = absl::StrCat("violates ", std::string(PropertyName(*property)), ": ",
                                std::string(PropertySentence(*property)), " (",
                                ViolationText(c, *property, v), ")"),
           .property = property};
  return absl::OkStatus();
}

// The kernel's function that goes wrong, and its file where that is known: of the comment, else where
// the kernel oopses, else what later kernels have changed.
struct Place {
  std::string function;
  std::string file;
};
Place PlaceOf(const Comment& comment, const Run& run, const Wrong& wrong,
              const std::vector<Rule>& fixes) {
  Place place;
  if (!fixes.empty())
    place = {.function = absl::StrCat(std::string(InfoOf(fixes.front()).function), "()"),
             .file = std::string(InfoOf(fixes.front()).file)};
  const std::optional<Event> event = wrong.property ? run.of(*wrong.property).event : std::nullopt;
  if (event && (event->kind == Event::Kind::kOops || event->kind == Event::Kind::kWarn)) {
    const std::string function = absl::StrCat(std::string(event->where), "()");
    if (function != place.function) place = {.function = function, .file = ""};
  }
  for (const std::string& said : comment.Of(kFunction)) {
    const std::vector<std::string> parts = absl::StrSplit(said, absl::MaxSplits(' ', 1));
    place = {.function = parts[0], .file = parts.size() > 1 ? parts[1] : ""};
  }
  // A function has one file, whichever rule is in it.
  for (const RuleInfo& info : AllRules())
    if (place.file.empty() && absl::StrCat(std::string(info.function), "()") == place.function)
      place.file = info.file;
  return place;
}

// --- parts of the mail ---

std::string Paragraph(const std::vector<std::string>& lines) {
  const bool is_text =
      std::ranges::none_of(lines, [](const std::string& line) { return line.starts_with(' '); });
  // Lines that are set out stay as they are.
  if (!is_text) return absl::StrCat(absl::StrJoin(lines, "\n"), "\n\n");
  return absl::StrCat(absl::StrJoin(Wrap(absl::StrJoin(lines, " "), kColumns), "\n"), "\n\n");
}

std::string StepInWords(const Case& c, const Run& run, size_t i) {
  const StepResult& result = run.steps[i].result;
  std::string text = absl::StrFormat("%d. %s", i + 1, OpInWords(c, c.ops[i].op));
  if (Oopses(run.steps[i]))
    text += ": oops";
  else if (result.outcome == Outcome::kDone)
    absl::StrAppend(&text, " = ", result.error == 0 ? "0" : ErrnoName(result.error));
  if (const std::string fails = FaultsInWords(c, c.ops[i].op); !fails.empty())
    absl::StrAppend(&text, "; ", fails);
  return text;
}

std::string Header(const Case& c, const Comment& comment, const Place& place, const Wrong& wrong) {
  std::string text;
  const std::vector<std::string> to = comment.Of(kTo);
  for (const std::string& address : to) absl::StrAppend(&text, "To: ", address, "\n");
  if (to.empty())
    absl::StrAppend(&text, "To: (scripts/get_maintainer.pl -f ",
                    place.file.empty() ? "FILE" : place.file, ")\n");
  for (const std::string& address : comment.Of(kCc)) absl::StrAppend(&text, "Cc: ", address, "\n");
  std::string subject = comment.subject;
  if (subject.empty()) {
    const std::string area = place.file.starts_with("drivers/vfio/vfio_iommu_type1") ? "vfio/type1"
                             : place.file.starts_with("drivers/vfio/")               ? "vfio"
                                                                                     : "iommu";
    const std::string_view op = InfoOf(c.ops[wrong.step].op.kind).word;
    const std::string what =
        wrong.property ? absl::StrCat("violates ", std::string(PropertyName(*wrong.property)))
                       : "goes wrong";
    subject = absl::StrFormat("%s: %s %s on %s", area, op, what, KernelName(c.kernel));
  }
  return absl::StrCat(text, "Subject: ", subject, "\n\n");
}

std::string Facts(const Case& c, const Run& run, const Comment& comment, const Place& place,
                  const Wrong& wrong, const std::vector<Rule>& fixes) {
  std::string text = Field("kernel", KernelName(c.kernel));
  text += Fields("seen", comment.Of(kSeen));
  std::string where = place.function.empty() ? "(the model does not name one)" : place.function;
  if (!place.file.empty()) absl::StrAppend(&where, " in ", place.file);
  text += Field("function", where);
  text += Field("wrong", StepInWords(c, run, wrong.step));
  text += Field("", wrong.text);
  if (!wrong.property) return text;
  if (c.kernel.dropped.empty() && c.kernel.added.empty())
    text += Field("kernels", OtherKernels(c, wrong));
  for (const Rule rule : fixes)
    text += Field(rule == fixes.front() ? "fixed by" : "", FixText(rule));
  if (fixes.empty()) text += Field("fixed by", "nothing that a newer kernel of the model has");
  return text;
}

// The number of the step stands out.
std::string Hanging(const std::string& step) { return Indented(5, step).substr(3); }

std::string Steps(const Case& c, const Run& run) {
  std::string text = "What happens, and what changes, step by step:\n\n";
  for (size_t i = 0; i < run.steps.size(); ++i)
    text += Hanging(StepInWords(c, run, i)) + StepChanges(c, run, i, {.all_properties = true});
  if (std::ranges::any_of(
          c.ops, [](const CaseOp& op) { return InfoOf(op.op.kind).is(OpInfo::kHasPages); }))
    text += "\n" + Indented(0, absl::StrFormat("Pages of 4 KiB; page 0 is IOVA 0x%x.",
                                               IovaOf(c, 0, 4096)));
  return text;
}

constexpr const char* kScissors = "-- >8 --";

std::string HowToSeeIt(const Case& c, const Comment& comment, const std::string& name,
                       bool is_program) {
  std::string text = absl::StrFormat(
      "To see it again, with the case below as %s.case:\n\n"
      "  iommucheck replay %s.case\n",
      name, name);
  // Whoever says in which trees it was seen has played it there.
  const auto trees = SeenTreesOf(c.kernel.version);
  const auto package = std::ranges::find_if(trees, [](const SeenTree& seen) {
    return seen.run && seen.tree.starts_with("linux-source-");
  });
  if (package != trees.end() && !comment.Of(kSeen).empty()) {
    const std::string tree(package->tree);
    absl::StrAppend(&text, "\nand in the unmodified code of Debian's ", tree,
                    ", built into a process:\n\n  ./dev kernel --package ", tree,
                    "\n  ./dev run conform -v --as-built \\\n    --kernel-build build/kernel/",
                    tree, " ", name, ".case\n");
  }
  if (is_program) {
    absl::StrAppend(
        &text,
        "\nor on a machine, with the program below and the names of devices of its own\n"
        "that are bound to vfio-pci:\n\n  cc -o ",
        name, " ", name, ".c\n  ./", name);
    for (const std::string& device : c.names.devices) absl::StrAppend(&text, " ", device, "=NAME");
    text += "\n";
  }
  return text;
}

std::string Trailers(const Comment& comment, const std::vector<Rule>& fixes) {
  std::string text;
  const auto slot = [&](std::string_view word, const std::string& empty) {
    const std::vector<std::string> said = comment.Of(word);
    for (const std::string& line : said)
      absl::StrAppend(&text, std::string(word), ": ", line, "\n");
    if (said.empty() && !empty.empty())
      absl::StrAppend(&text, std::string(word), ": ", empty, "\n");
  };
  slot(kFixes, fixes.empty() ? "(the commit that brought it, if one did)"
                             : "(the Fixes: of the commit that stops it)");
  slot(kCloses, "(the address of this mail, once it is in an archive)");
  slot(kLink, "");
  return text;
}

}  // namespace

absl::StatusOr<std::string> Mail(const Case& c, const Run& run, std::optional<Property> property,
                                 const std::string& name) {
  const Comment comment = Read(c.comment);
  Wrong wrong;
  if (absl::Status s = FindWrong(c, run, comment, property, wrong); !s.ok()) return s;
  const std::vector<Rule> fixes = Fixes(c, wrong);
  const Place place = PlaceOf(comment, run, wrong, fixes);
  Case bare = c;
  bare.comment = comment.subject;
  const absl::StatusOr<std::string> program = CProgram(bare, name);
  bare.comment.clear();

  std::string text = Header(c, comment, place, wrong);
  for (const auto& lines : comment.paragraphs) text += Paragraph(lines);
  absl::StrAppend(&text, Facts(c, run, comment, place, wrong, fixes), "\n", TopologyText(c), "\n",
                  Steps(c, run), "\n", HowToSeeIt(c, comment, name, program.ok()), "\n",
                  Trailers(comment, fixes), "\nFound by ", ToolName(), ".\n\n", kScissors, " ",
                  name, ".case\n", PrintCase(bare));
  if (program.ok()) absl::StrAppend(&text, kScissors, " ", name, ".c\n", *program);
  return text;
}

}  // namespace iommucheck::report
