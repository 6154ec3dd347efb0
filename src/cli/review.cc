// SPDX-License-Identifier: Apache-2.0
//
// review: what a patch changes, on two builds of real kernel code; and without a build, by its text.
#include "src/review/review.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/case/json_text.h"
#include "src/cli/commands.h"
#include "src/conform/harness.h"
#include "src/report/json.h"
#include "src/report/text.h"
#include "src/review/reply.h"
#include "src/tool/provenance.h"
#include "src/tool/stop.h"

namespace iommucheck::cli {
namespace {

struct ReviewOptions {
  std::vector<std::string> patches;
  std::vector<std::string> builds;
  std::vector<std::string> corpus;
  std::string lines;
  std::string out;
  std::string kernel;
  std::string asked_as;
  review::Both::Random random;
  int seconds = 0;
  uint64_t budget = 150'000'000;
  bool rules = false;
  bool every_profile = false;
  bool json = false;
};

constexpr size_t kMaxPatch = size_t{16} << 20U;

absl::StatusOr<review::Changes> ReadChanges(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path, kMaxPatch);
  return text.ok() ? review::ParseChanges(*text, path) : text.status();
}

int ExitOf(review::Review::Verdict verdict) {
  using enum review::Review::Verdict;
  return verdict == kWorse     ? static_cast<int>(Exit::kViolated)
         : verdict == kUnknown ? static_cast<int>(Exit::kUnknown)
                               : static_cast<int>(Exit::kOk);
}

// By the text of the patches alone.
void Guess(const ReviewOptions& o, Session& session) {
  KernelOptions asked{
      .version = o.kernel.empty() ? std::string(VersionName(kNewestVersion)) : o.kernel,
      .drop = {},
      .add = {}};
  const absl::StatusOr<KernelSpec> kernel = asked.Parse();
  if (!kernel.ok()) return session.Fail(kernel.status());
  review::Changes all;
  for (const std::string& path : o.patches) {
    const absl::StatusOr<review::Changes> changes = ReadChanges(path);
    if (!changes.ok()) return session.Fail(changes.status());
    if (changes->files.empty())
      return session.Fail(absl::InvalidArgumentError(
          absl::StrCat(path, ":1:1: expected a unified diff, found none")));
    all.files.insert(all.files.end(), changes->files.begin(), changes->files.end());
  }
  const absl::StatusOr<std::vector<review::Guess>> guesses =
      review::GuessRules(all, kernel->version, o.budget);
  if (!guesses.ok()) return session.Fail(guesses.status());
  // A guess proves nothing, whatever it found.
  session.exit = kUnknown;
  if (o.json)
    std::cout << JsonText(review::GuessJson(all, kernel->version, *guesses));
  else
    std::cout << review::GuessText(all, kernel->version, *guesses);
}

absl::StatusOr<std::vector<Case>> ReadCorpus(const std::vector<std::string>& paths) {
  std::vector<Case> cases;
  if (paths.empty()) return cases;
  const absl::StatusOr<std::vector<std::string>> files = FindFiles(paths, {".case"});
  if (!files.ok()) return files.status();
  for (const std::string& file : *files) {
    absl::StatusOr<Case> c = ReadCase(file);
    if (!c.ok()) return c.status();
    cases.push_back(*std::move(c));
  }
  return cases;
}

// What a patch of a series does to what those before it did.
std::string SeriesText(const std::vector<review::Review>& each) {
  std::string out = "\nThe series, each patch on those before it\n";
  for (size_t i = 0; i < each.size(); ++i) {
    const review::Review& r = each[i];
    const bool better = std::ranges::any_of(r.differences, [](const review::Difference& d) {
      return d.kind.effect == review::Effect::kBetter;
    });
    out += report::Field(
        absl::StrFormat("%d of %d", i + 1, each.size()),
        absl::StrCat(
            r.question.patch.patches.empty() ? "" : r.question.patch.patches.front().name + ": ",
            r.verdict_name(), better ? ", and takes away what was worse" : "", ": ", r.why));
  }
  return out;
}

void RunReview(const ReviewOptions& o, Session& session) {
  if (!o.asked_as.empty()) tool::SetCommandLine(0, nullptr, o.asked_as);
  if (o.rules) return Guess(o, session);
  const size_t steps = o.patches.size();
  if (o.builds.size() != steps + 1)
    return session.Fail(absl::OutOfRangeError(absl::StrFormat(
        "expected a --kernel-build before the patches and one after each of the %d, found %d; "
        "./dev review makes them, and --rules does without",
        steps, o.builds.size())));
  if (absl::Status s = CanWriteFolder(o.out); !s.ok()) return session.Fail(s);
  const absl::StatusOr<std::vector<Case>> corpus = ReadCorpus(o.corpus);
  if (!corpus.ok()) return session.Fail(corpus.status());
  std::vector<review::Review> each;
  report::Json list = report::Json::array();
  std::vector<NamedText> files;
  for (size_t i = 0; i < steps && !tool::Stopped(); ++i) {
    const absl::StatusOr<review::Changes> changes = ReadChanges(o.patches[i]);
    if (!changes.ok()) return session.Fail(changes.status());
    review::Question question{.before = o.builds[i],
                              .after = o.builds[i + 1],
                              .changes = o.patches[i],
                              .patch = *changes,
                              .lines = o.lines,
                              .corpus = *corpus,
                              .random = o.random,
                              .budget = o.budget,
                              .every_profile = o.every_profile};
    question.random.time = std::chrono::seconds(o.seconds);
    if (o.seconds != 0) question.random.cases = 0;
    if (const std::string note = conform::SandboxNote(question.after); !note.empty())
      std::cerr << "iommucheck: " << note << "\n";
    absl::StatusOr<review::Review> review = review::Ask(question);
    if (!review.ok()) return session.Fail(review.status());
    if (o.json) {
      list.push_back(review::ReviewJson(*review));
    } else {
      if (i != 0) std::cout << "\n";
      std::cout << review::ReplyText(*review) << std::flush;
    }
    for (const review::NamedFile& file : review::ReviewFiles(*review))
      files.push_back(
          {steps == 1 ? file.name : absl::StrFormat("%02d-%s", i + 1, file.name), file.text});
    // Of several patches the worst counts; what is unknown is worse than what is not.
    const int exit = ExitOf(review->verdict);
    if (session.exit != kViolated && exit != kOk) session.exit = exit;
    each.push_back(*std::move(review));
  }
  if (absl::Status s =
          WriteFolder(o.out, kCaseComment,
                      "([0-9]+-)?(reply[.]txt|difference-[0-9]+[.].*|[a-z-]+[.]case)", files);
      !s.ok())
    return session.Fail(s);
  if (each.size() < steps)
    return session.Fail(absl::ResourceExhaustedError(
        absl::StrFormat("unknown: %s; %d of %d patches", tool::StopReason(), each.size(), steps)));
  if (o.json)
    std::cout << JsonText(steps == 1 ? list[0]
                                     : report::Json{{"command", "review"}, {"series", list}});
  else if (steps > 1)
    std::cout << SeriesText(each);
}

}  // namespace

void AddReview(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand("review", "What does a patch change, and is it worse for it");
  command->footer(
      "Example: iommucheck review --rules --kernel v6.12 x.patch\n"
      "`./dev review x.patch` applies and builds the patch, and calls this.\n"
      "Exit status: 0 nothing is worse, 1 something is, 3 unknown, 5 no patch.");
  auto o = std::make_shared<ReviewOptions>();
  command
      ->add_option("PATCH", o->patches,
                   "what kernel/overlay.sh says of a patch, or of several; with --rules: a diff")
      ->required();
  command
      ->add_option("--kernel-build", o->builds,
                   "folder of a build of ./dev kernel: before the first patch, then after each")
      ->type_name("DIR")
      ->allow_extra_args(false);
  command->add_option("--case", o->corpus, "case files and folders of them to play first")
      ->type_name("PATH")
      ->allow_extra_args(false);
  command->add_option("--lines", o->lines, "the program that says which lines ran: kernel/lines.sh")
      ->type_name("FILE");
  command->add_option("--cases", o->random.cases, "random cases to play")->capture_default_str();
  command->add_option("--seconds", o->seconds, "play random cases for so long, however many")
      ->check(CLI::Range(0, 9'999'999));
  command->add_option("--seed", o->random.seed, "of the random cases")->capture_default_str();
  AddBudget(*command, o->budget);
  command->add_flag("--every-profile", o->every_profile,
                    "ask the solver about every profile that has the rules");
  command->add_flag("--rules", o->rules,
                    "without builds: guess the rules by the functions of the hunks");
  command->add_option("--kernel", o->kernel, "with --rules: the profile; the newest by default");
  command->add_option("--asked-as", o->asked_as, "the command line to print, of whoever calls this")
      ->type_name("TEXT");
  command->add_flag("--json", o->json, "one JSON object");
  command->add_option("--out", o->out, "folder for the reply, the cases and both traces of each")
      ->type_name("DIR");
  AddTimeout(*command);
  command->callback([o, &session] { RunReview(*o, session); });
}

}  // namespace iommucheck::cli
