// SPDX-License-Identifier: Apache-2.0
//
// survey: many device trees, by several processes, each of which takes every nth.
#include "src/report/survey.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "src/case/kernel.h"
#include "src/case/spelling.h"
#include "src/cli/commands.h"
#include "src/import/catalogue.h"
#include "src/import/packages.h"
#include "src/report/survey_data.h"
#include "src/report/text.h"
#include "src/tool/fork.h"
#include "src/tool/stop.h"

namespace iommucheck::cli {
namespace {

struct SurveyOptions {
  std::vector<std::string> paths;
  std::vector<std::string> kernels = {"v6.1", "v6.12", "v7.1", "v7.3"};
  unsigned jobs = std::max(1U, std::thread::hardware_concurrency());
  std::string format = "text";
  std::string html;
  std::string cache;
  std::string compare;
  bool all = false;
};

struct Machine {
  std::string name;
  std::string bytes;
};

// "qcom/x.dtb" of what comes before it in folders and packages. The folder of a package, which has
// the kernel's version in its name, is no vendor's.
std::string ShortName(const std::string& path) {
  const std::filesystem::path file(path);
  const std::string folder = file.parent_path().filename().string();
  const bool of_package = folder.starts_with("linux-image-") || folder == "dtb";
  return folder.empty() || of_package ? file.filename().string()
                                      : folder + "/" + file.filename().string();
}

// FNV-1a of the bytes and of what the answer depends on besides.
std::string KeyOf(const Machine& machine, const std::string& asked) {
  std::array<uint64_t, 2> hash = {0xcbf29ce484222325U, 0x9ae16a3b2f90404fU};
  for (const std::string* text : {&machine.bytes, &machine.name, &asked})
    for (const char c : *text + '\0')
      for (uint64_t& h : hash)
        h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3U + (h >> 47U);
  return absl::StrFormat("%016x%016x-%d", hash[0], hash[1], machine.bytes.size());
}

// The row of an earlier survey. A file that is not whole is as none.
std::optional<report::SurveyRow> Cached(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  const report::Json json = report::Json::parse(std::move(text).str(), nullptr, false);
  if (!in || json.is_discarded()) return std::nullopt;
  try {
    return report::SurveyRowOf(json);
  } catch (const report::Json::exception&) {
    return std::nullopt;
  }
}

class Survey {
 public:
  Survey(const SurveyOptions& o, std::vector<KernelSpec> kernels)
      : options_(o), kernels_(std::move(kernels)) {
    asked_ = report::ToolName() + absl::StrJoin(o.kernels, " ");
  }

  absl::StatusOr<std::vector<report::SurveyRow>> Run() {
    for (const std::string& path : options_.paths) {
      Progress("reading " + path);
      absl::Status status =
          import::ForEachDeviceTree(path, [&](std::string name, std::string bytes) {
            machines_.push_back({ShortName(name), std::move(bytes)});
          });
      if (!status.ok()) return status;
    }
    if (machines_.empty())
      return absl::InvalidArgumentError(
          absl::StrCat(options_.paths.front(), ": expected device trees (*.dtb), found none"));
    rows_.resize(machines_.size());
    std::vector<size_t> left;
    for (size_t i = 0; i < machines_.size(); ++i) {
      if (!options_.cache.empty()) rows_[i] = Cached(CacheFile(i));
      if (!rows_[i]) left.push_back(i);
    }
    if (absl::Status status = Answer(left); !status.ok()) return status;
    std::vector<report::SurveyRow> rows;
    for (std::optional<report::SurveyRow>& row : rows_) rows.push_back(*std::move(row));
    return rows;
  }

 private:
  [[nodiscard]] std::string CacheFile(size_t i) const {
    return absl::StrCat(options_.cache, "/", KeyOf(machines_[i], asked_), ".json");
  }

  // What a child sends: a line of JSON for each machine.
  [[noreturn]] void Work(const std::vector<size_t>& left, size_t first, int to) {
    for (size_t n = first; n < left.size(); n += options_.jobs) {
      const Machine& machine = machines_[left[n]];
      report::Json line = {{"index", left[n]},
                           {"row", report::SurveyRowJson(report::SurveyMachine(
                                       machine.name, machine.bytes, kernels_))}};
      const std::string text = line.dump() + "\n";
      for (size_t sent = 0; sent < text.size();) {
        const ssize_t w = write(to, text.data() + sent, text.size() - sent);
        if (w < 0 && errno != EINTR) _exit(1);
        if (w > 0) sent += static_cast<size_t>(w);
      }
    }
    _exit(0);
  }

  absl::Status Answer(const std::vector<size_t>& left) {
    std::vector<pollfd> pipes;
    std::vector<pid_t> children;
    for (size_t job = 0; job < std::min<size_t>(options_.jobs, left.size()); ++job) {
      std::array<int, 2> ends{};
      if (pipe(ends.data()) != 0) return absl::InternalError("no pipe could be made");
      const pid_t child = tool::Fork();
      if (child < 0) return absl::InternalError("no process could be made");
      if (child == 0) {
        for (const pollfd& other : pipes) close(other.fd);
        close(ends[0]);
        Work(left, job, ends[1]);
      }
      close(ends[1]);
      children.push_back(child);
      pipes.push_back({ends[0], POLLIN, 0});
    }
    Collect(pipes, left.size());
    if (tool::Stopped())
      for (const pid_t child : children) kill(child, SIGKILL);
    for (const pid_t child : children)
      while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) continue;
    for (const size_t i : left)
      if (!rows_[i])
        return tool::Stopped()
                   ? absl::ResourceExhaustedError(absl::StrCat(
                         "unknown: ", tool::StopReason(), "; with --cache the next run goes on"))
                   : absl::InternalError(absl::StrCat(machines_[i].name, ": its process died"));
    return absl::OkStatus();
  }

  void Collect(std::vector<pollfd>& pipes, size_t total) {
    std::vector<std::string> texts(pipes.size());
    std::array<char, 65536> buffer{};
    size_t open = pipes.size();
    size_t done = 0;
    const auto start = std::chrono::steady_clock::now();
    constexpr int kMilliseconds = 200;  // until a signal is noticed
    while (open > 0 && !tool::Stopped()) {
      if (poll(pipes.data(), pipes.size(), kMilliseconds) <= 0) continue;
      for (size_t p = 0; p < pipes.size(); ++p) {
        if (pipes[p].fd < 0 || pipes[p].revents == 0) continue;
        const ssize_t got = read(pipes[p].fd, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
          close(pipes[p].fd);
          pipes[p].fd = -1;
          --open;
          continue;
        }
        texts[p].append(buffer.data(), static_cast<size_t>(got));
        for (size_t end = texts[p].find('\n'); end != std::string::npos;
             end = texts[p].find('\n')) {
          Take(texts[p].substr(0, end));
          texts[p].erase(0, end + 1);
          ++done;
        }
      }
      const std::chrono::duration<double> past = std::chrono::steady_clock::now() - start;
      const double rest = past.count() / static_cast<double>(std::max<size_t>(done, 1)) *
                          static_cast<double>(total - done);
      Progress(absl::StrFormat("%d of %d machines, about %.0f s left", done, total, rest));
    }
  }

  void Take(const std::string& line) {
    const report::Json json = report::Json::parse(line);
    const size_t i = json.at("index");
    rows_[i] = report::SurveyRowOf(json.at("row"));
    if (options_.cache.empty()) return;
    // Renamed into its place, so that a file there is whole.
    const std::string path = CacheFile(i);
    std::ofstream(path + ".new") << json.at("row").dump() << "\n";
    std::error_code error;
    std::filesystem::rename(path + ".new", path, error);
  }

  const SurveyOptions& options_;
  std::vector<KernelSpec> kernels_;
  std::string asked_;
  std::vector<Machine> machines_;
  std::vector<std::optional<report::SurveyRow>> rows_;
};

// As of a set of verdicts: affected before unknown.
int ExitOf(const std::vector<report::SurveyRow>& rows) {
  int exit = kOk;
  for (const report::SurveyRow& row : rows)
    for (const report::SurveyVerdict& v : row.verdicts) {
      if (v.verdict == "affected") return kViolated;
      if (v.verdict == "error") exit = kBadInput;
      if (v.verdict == "unknown" && exit == kOk) exit = kUnknown;
    }
  return exit;
}

// Whether the survey is the one that was kept; what came, went or changed since.
void Compare(const std::string& kept, const std::vector<report::SurveyRow>& rows,
             Session& session) {
  constexpr size_t kMaxDataBytes = size_t{64} << 20U;
  const absl::StatusOr<std::string> text = ReadFile(kept, kMaxDataBytes);
  if (!text.ok()) return session.Fail(text.status());
  const absl::StatusOr<report::SurveyData> before = report::ParseSurveyData(*text, kept);
  if (!before.ok()) return session.Fail(before.status());
  const report::SurveyData after = report::DataOf(rows);
  const std::vector<std::string> changes = report::SurveyChanges(*before, after);
  for (const std::string& change : changes) std::cout << Printable(change) << "\n";
  std::cout << absl::StrFormat(
      "%d device trees, %d with IOMMUs that the kernel drives; %s\n", after.machines,
      after.entries.size(),
      changes.empty() ? "as in " + Printable(kept)
                      : absl::StrFormat("%d changes since %s", changes.size(), Printable(kept)));
  session.exit = changes.empty() ? kOk : kViolated;
}

void RunSurvey(const SurveyOptions& o, Session& session) {
  std::vector<KernelSpec> kernels;
  for (const std::string& name : o.kernels) {
    const absl::StatusOr<KernelSpec> kernel = ParseKernel(name, {}, {}, import::kAssumedInTree);
    if (!kernel.ok()) return session.Fail(absl::OutOfRangeError(kernel.status().message()));
    kernels.push_back(*kernel);
  }
  if (!o.cache.empty()) {
    std::error_code error;
    std::filesystem::create_directories(o.cache, error);
    if (error) return session.Fail(absl::OutOfRangeError(o.cache + ": " + error.message()));
  }
  const absl::StatusOr<std::vector<report::SurveyRow>> rows = Survey(o, std::move(kernels)).Run();
  Progress("");
  if (!rows.ok()) return session.Fail(rows.status());
  if (!o.html.empty()) {
    std::ofstream page(o.html);
    page << report::SurveyHtml(*rows);
    if (!page.flush()) return session.Fail(absl::OutOfRangeError(o.html + ": cannot be written"));
  }
  if (!o.compare.empty()) return Compare(o.compare, *rows, session);
  std::cout << (o.format == "csv"    ? report::SurveyCsv(*rows)
                : o.format == "json" ? report::SurveyJson(*rows)
                : o.format == "data" ? report::PrintSurveyData(report::DataOf(*rows))
                                     : report::SurveyText(*rows, o.all));
  session.exit = ExitOf(*rows);
}

}  // namespace

void AddSurvey(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand(
      "survey", "Many device trees: the IOMMU drivers of each, and what kernels make of them");
  auto o = std::make_shared<SurveyOptions>();
  command->footer("Example: iommucheck survey /usr/lib/linux-image-6.12.117+deb13-arm64");
  command
      ->add_option("PATH", o->paths,
                   "a folder with .dtb files or Debian packages, a package, a tar, a .dtb")
      ->required();
  command->add_option("--kernel", o->kernels, "a kernel to ask about; may be given several times")
      ->allow_extra_args(false)
      ->capture_default_str();
  command->add_option("--jobs", o->jobs, "processes")
      ->capture_default_str()
      ->check(CLI::Range(1U, 1024U));
  command->add_option("--format", o->format, "text, csv, json, or data: what --compare reads")
      ->capture_default_str()
      ->check(CLI::IsMember({"text", "csv", "json", "data"}));
  command->add_option("--compare", o->compare,
                      "print what differs from this survey; exit status 1 where something does");
  command->add_option("--html", o->html, "write a page with a table, too");
  command->add_option("--cache", o->cache, "a folder of answers, from which a later run goes on");
  command->add_flag("--all", o->all, "list the machines with one driver, too");
  command->callback([o, &session] { RunSurvey(*o, session); });
}

}  // namespace iommucheck::cli
