// SPDX-License-Identifier: Apache-2.0
//
// explore and merge: exhaustive search of a scope.
#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>
#include <thread>

#include "absl/strings/str_format.h"
#include "src/cli/commands.h"
#include "src/explore/search.h"
#include "src/explore/search_json.h"
#include "src/report/exploration.h"
#include "src/tool/provenance.h"
#include "src/tool/stop.h"

namespace iommucheck::cli {
namespace {

using Clock = std::chrono::steady_clock;
// A checkpoint of a large scope takes long to write; the search itself may take days.
constexpr auto kCheckpointEvery = std::chrono::seconds(10);
constexpr size_t kMaxRecordBytes = size_t{1} << 28;

struct ExploreOptions {
  std::string property;
  KernelOptions kernel;
  std::string scope;
  std::string shard = "1/1";
  int threads = 0;
  uint64_t memory = 2048;
  std::string checkpoint;
  std::string out;
  AnswerOptions answer;
};

// Replays the answer, and prints and writes what came out.
void Finish(explore::ScopeAnswer answer, const std::string& out, const AnswerOptions& options,
            Session& session) {
  const absl::StatusOr<report::Exploration> e = report::Replayed(std::move(answer));
  if (!e.ok()) return session.Fail(e.status());
  const Verdict verdict = e->answer.verdict;
  Progress("");
  std::cout << (options.json ? report::ExplorationJson(*e)
                             : report::ExplorationText(*e, ReplayOf(out, verdict)));
  // A scope bounds the machines, if not the runs: nothing here is a proof.
  session.exit = options.ExitOf(verdict, false);
  if (const absl::Status s = WriteFound(out, verdict, e->answer.found); !s.ok()) session.Fail(s);
}

absl::StatusOr<explore::Question> Parse(const ExploreOptions& o) {
  explore::Question q;
  q.property = PropertyOf(o.property);
  const absl::StatusOr<KernelSpec> kernel = o.kernel.Parse();
  if (!kernel.ok()) return kernel.status();
  q.kernel = *kernel;
  if (!o.scope.empty()) {
    const absl::StatusOr<explore::Scope> scope = explore::ParseScope(o.scope);
    if (!scope.ok()) return absl::OutOfRangeError(scope.status().message());
    q.scope = *scope;
  }
  int end = 0;
  if (sscanf(o.shard.c_str(), "%4d/%4d%n", &q.shard, &q.shards, &end) != 2 ||
      static_cast<size_t>(end) != o.shard.size() || q.shard < 1 || q.shard > q.shards ||
      q.shards > explore::kMaxShards)
    return absl::OutOfRangeError(
        absl::StrFormat("--shard: expected i/n with i from 1 to n, n up to %d, found '%s'",
                        explore::kMaxShards, o.shard));
  return q;
}

absl::StatusOr<explore::Progress> Resume(const std::string& path, const explore::Question& q) {
  explore::Progress progress;
  progress.question = q;
  if (path.empty()) return progress;
  std::error_code error;
  if (!std::filesystem::exists(path, error) && !error) return progress;
  const absl::StatusOr<std::string> text = ReadFile(path, kMaxRecordBytes);
  if (!text.ok()) return text.status();
  absl::StatusOr<explore::Progress> found = explore::ParseProgress(*text, path);
  if (found.ok() && found->question != q)
    return absl::InvalidArgumentError(
        path + ": expected a checkpoint of this search, found one of another");
  return found;
}

std::string ProgressLine(const explore::SearchOptions::Tick& tick, double seconds) {
  const double rate = seconds > 0 ? static_cast<double>(tick.transitions) / seconds : 0;
  const double part = static_cast<double>(tick.shapes_done) / static_cast<double>(tick.shapes);
  std::string steps = "any number of";
  if (tick.pass != explore::kUnbounded) steps = absl::StrFormat("up to %d", tick.pass);
  return absl::StrFormat("%s steps: %d of %d shapes, %.1fM transitions/s, about %.0f s to go",
                         steps, tick.shapes_done, tick.shapes, rate / 1e6,
                         part > 0 ? seconds * (1 - part) / part : 0);
}

void Explore(const ExploreOptions& o, Session& session) {
  const absl::StatusOr<explore::Question> question = Parse(o);
  if (!question.ok()) return session.Fail(question.status());
  if (const absl::Status s = CanWriteFile(o.checkpoint); !s.ok()) return session.Fail(s);
  absl::StatusOr<explore::Progress> progress = Resume(o.checkpoint, *question);
  if (!progress.ok()) return session.Fail(progress.status());
  if (const absl::Status s = CanWriteFile(o.out); !s.ok()) return session.Fail(s);

  Clock::time_point pass_start = Clock::now();
  Clock::time_point saved = pass_start;
  int pass = 0;
  absl::Status written = absl::OkStatus();
  const auto save = [&](const explore::Progress& now) {
    if (!o.checkpoint.empty()) written = WriteFile(o.checkpoint, explore::PrintProgress(now));
  };
  explore::SearchOptions options;
  options.threads = o.threads > 0
                        ? o.threads
                        : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  options.max_bytes = o.memory << 20U;
  options.stop = tool::Stopped;
  options.tick = [&](const explore::SearchOptions::Tick& tick, const auto& snapshot) {
    const Clock::time_point now = Clock::now();
    if (tick.pass != pass) pass_start = now;
    pass = tick.pass;
    Progress(ProgressLine(tick, std::chrono::duration<double>(now - pass_start).count()));
    if (now - saved >= kCheckpointEvery) {
      save(snapshot());
      saved = now;
    }
  };
  // A file that cannot be written is reported before the search, not after days of it.
  save(*progress);
  if (!written.ok()) return session.Fail(written);
  explore::ScopeAnswer answer = explore::SearchScope(*progress, options);
  save(*progress);
  Finish(std::move(answer), o.out, o.answer, session);
  if (!written.ok()) session.Fail(written);
}

struct MergeOptions {
  std::vector<std::string> files;
  std::string out;
  AnswerOptions answer;
};

void Merge(const MergeOptions& o, Session& session) {
  if (const absl::Status s = CanWriteFile(o.out); !s.ok()) return session.Fail(s);
  std::vector<explore::ScopeAnswer> shards;
  for (const std::string& file : o.files) {
    const absl::StatusOr<std::string> text = ReadFile(file, kMaxRecordBytes);
    if (!text.ok()) return session.Fail(text.status());
    absl::StatusOr<explore::ScopeAnswer> shard =
        explore::AnswerFromJson(*text, file, tool::Release());
    if (!shard.ok()) return session.Fail(shard.status());
    shards.push_back(*std::move(shard));
  }
  absl::StatusOr<explore::ScopeAnswer> all = report::Merge(shards, o.files);
  if (!all.ok()) return session.Fail(all.status());
  Finish(*std::move(all), o.out, o.answer, session);
}

}  // namespace

void AddExplore(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand(
      "explore", "The same by exhaustive search: every machine and state of a scope");
  auto o = std::make_shared<ExploreOptions>();
  AddProperty(*command, o->property);
  command->footer(
      "Example: iommucheck explore no-cross-driver-attach --kernel v7.1 --scope devices=2,steps=4");
  o->kernel.AddTo(*command, true);
  command->add_option(
      "--scope", o->scope,
      "such as devices=2,instances=1,steps=6, or steps=unbounded; also drivers, buses, groups and "
      "containers (devices=2,instances=2,steps=6)");
  command->add_option("--threads", o->threads, "0: one a core")->check(CLI::Range(0, 256));
  command->add_option("--memory", o->memory, "MiB of states to keep at most")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 20));
  command->add_option("--checkpoint", o->checkpoint,
                      "keep what is done in this file, and go on from it");
  command->add_option("--shard", o->shard, "i/n: the i-th of n parts of the scope, see merge");
  command->add_option("--out", o->out, "write the case to this file");
  AddTimeout(*command);
  o->answer.AddTo(*command);
  command->callback([o, &session] { Explore(*o, session); });
}

void AddMerge(CLI::App& app, Session& session) {
  auto* command =
      app.add_subcommand("merge", "The answer to a scope from those to all of its shards");
  auto o = std::make_shared<MergeOptions>();
  command->footer("Example: iommucheck merge shard1.json shard2.json");
  command->add_option("FILE", o->files, "what explore --shard i/n --json printed")->required();
  command->add_option("--out", o->out, "write the case to this file");
  o->answer.AddTo(*command);
  command->callback([o, &session] { Merge(*o, session); });
}

}  // namespace iommucheck::cli
