// SPDX-License-Identifier: Apache-2.0
//
// The part of ./dev fuzz --forever that writes findings and reads corpora; fuzz/forever.sh calls it.
//
//   fuzz_findings take DIR TARGET    the target's inbox becomes findings; prints how many are new
//   fuzz_findings index DIR          the index anew
//   fuzz_findings terms CORPUS       prints how many results, refusals and sharings of domains its
//                                    inputs come to, for targets whose inputs are cases
//   fuzz_findings status DIR         what all targets did so far, as text
//
// Exit status: 0, 2 usage, 4 something could not be read or written, and is as it was.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "fuzz/findings.h"
#include "fuzz/fuzzing.h"

namespace {

namespace fs = std::filesystem;
using namespace iommucheck;

constexpr int kFailed = 4;

int Say(const absl::Status& status) {
  if (status.ok()) return 0;
  std::fprintf(stderr, "fuzz_findings: %s\n", std::string(status.message()).c_str());
  return kFailed;
}

int Take(const std::string& dir, const std::string& target) {
  const auto fresh = fuzzing::TakeInbox(dir, target);
  // Others may have been taken all the same.
  const absl::Status written = fuzzing::WriteIndex(dir);
  if (!fresh.ok()) return Say(fresh.status());
  std::printf("%d\n", *fresh);
  return Say(written);
}

int PrintTerms(const std::string& corpus) {
  fuzzing::Terms terms;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(corpus, failed)) {
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    fuzzing::AddTermsOf({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, terms);
  }
  if (failed) return Say(absl::NotFoundError(corpus + ": " + failed.message()));
  std::printf("%zu\t%zu\t%zu\n", terms.results.size(), terms.refusals.size(),
              terms.sharings.size());
  return 0;
}

// A line of TARGET/stats.tsv, which fuzz/forever.sh writes after each slice.
struct Slice {
  uint64_t at, seconds, executions, edges, features, results, refusals, sharings, corpus;
};

// Lines that a kill or a full disk has cut off are left out.
std::vector<Slice> ReadSlices(const fs::path& path) {
  std::vector<Slice> slices;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    Slice s{};
    unsigned char end = 0;
    if (std::sscanf(line.c_str(), "%lu\t%lu\t%lu\t%lu\t%lu\t%lu\t%lu\t%lu\t%lu\t%c", &s.at,
                    &s.seconds, &s.executions, &s.edges, &s.features, &s.results, &s.refusals,
                    &s.sharings, &s.corpus, &end) == 10 &&
        end == '.')
      slices.push_back(s);
  }
  return slices;
}

std::string Rows(const std::string& dir) {
  std::vector<fs::path> targets;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(dir, failed))
    if (fs::exists(entry.path() / "stats.tsv")) targets.push_back(entry.path());
  std::ranges::sort(targets);
  std::string text = absl::StrFormat("%-24s %14s %8s %7s %8s %6s %16s\n", "target", "executions",
                                     "/s", "edges", "features", "corpus", "in model terms");
  for (const fs::path& target : targets) {
    const std::vector<Slice> slices = ReadSlices(target / "stats.tsv");
    if (slices.empty()) continue;
    uint64_t executions = 0;
    uint64_t seconds = 0;
    for (const Slice& s : slices) {
      executions += s.executions;
      seconds += s.seconds;
    }
    const Slice& last = slices.back();
    const std::string terms =
        last.results == 0 ? "-"
                          : absl::StrCat(last.results, "/", last.refusals, "/", last.sharings);
    absl::StrAppendFormat(&text, "%-24s %14d %8d %7d %8d %6d %16s\n", target.filename().string(),
                          executions, executions / std::max<uint64_t>(seconds, 1), last.edges,
                          last.features, last.corpus, terms);
  }
  return text +
         "In model terms: ops with their errno, checks that refused them, ways that groups "
         "share\ndomains.\n";
}

std::string FindingRows(const std::string& dir) {
  std::ifstream in(fs::path(dir) / "findings" / "index.jsonl");
  std::string text;
  size_t count = 0;
  for (std::string line; std::getline(in, line); ++count) {
    const nlohmann::json e = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!e.is_object()) continue;
    absl::StrAppendFormat(&text, "%s  %s  %6d times  %s: %s\n", e.value("id", "?"),
                          e.value("first", "?"), e.value("times", uint64_t{0}),
                          e.value("target", "?"), e.value("what", "?"));
  }
  return absl::StrCat("\n", count, count == 1 ? " finding" : " findings", " in ", dir,
                      "/findings\n", text);
}

int Status(const std::string& dir) {
  if (const absl::Status s = fuzzing::WriteIndex(dir); !s.ok()) return Say(s);
  std::fputs(Rows(dir).c_str(), stdout);
  std::fputs(FindingRows(dir).c_str(), stdout);
  return 0;
}

}  // namespace

// NOLINTNEXTLINE(bugprone-exception-escape): memory that runs out ends it
int main(int argc, char** argv) {
  CLI::App app("findings and corpora of ./dev fuzz --forever");
  app.require_subcommand(1);
  std::string dir;
  std::string target;
  int status = 0;
  auto* take = app.add_subcommand("take", "the inbox of a target becomes findings");
  take->add_option("DIR", dir)->required();
  take->add_option("TARGET", target)->required();
  take->callback([&] { status = Take(dir, target); });
  auto* index = app.add_subcommand("index", "the index anew");
  index->add_option("DIR", dir)->required();
  index->callback([&] { status = Say(fuzzing::WriteIndex(dir)); });
  auto* terms = app.add_subcommand("terms", "counts of what a corpus comes to in the model");
  terms->add_option("CORPUS", dir)->required();
  terms->callback([&] { status = PrintTerms(dir); });
  auto* text = app.add_subcommand("status", "what all targets did so far");
  text->add_option("DIR", dir)->required();
  text->callback([&] { status = Status(dir); });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return status;
}
