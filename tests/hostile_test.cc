// SPDX-License-Identifier: Apache-2.0
//
// Hostile input: tests/hostile/*.txt has commands, each with its exit status and the first line of
// its output. They run in a separate folder, with copies of the files that
// tests/hostile/fixtures.sh made. No command may hang, crash, leave half a file or say "iommucheck
// is wrong", and all output to the terminal must be printable. IOMMUCHECK_UPDATE_GOLDEN=1 writes
// the first lines anew, but not the statuses.
//
//   = name of the test
//   commands for bash, on any number of lines
//   -> 5 iommucheck: x.case:1:1: expected *        (* matches anything)
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <vector>

#include "tests/run_tool.h"

namespace iommucheck {
namespace {

namespace fs = std::filesystem;

struct Hostile {
  fs::path table;
  std::string name;
  std::string script;
  int status = -1;
  std::string line;
};

std::vector<Hostile> Read(const fs::path& table) {
  std::vector<Hostile> all;
  std::ifstream in(table);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("= ")) {
      all.push_back({.table = table, .name = line.substr(2)});
    } else if (line.starts_with("-> ")) {
      const size_t blank = std::min(line.find(' ', 3), line.size());
      all.back().status = std::stoi(line.substr(3, blank - 3));
      all.back().line = line.substr(std::min(blank + 1, line.size()));
    } else if (!all.empty() && all.back().status < 0) {
      all.back().script += line + "\n";
    }
  }
  return all;
}

std::vector<fs::path> Tables() { return FilesWith(kSource / "tests/hostile", ".txt"); }

bool Matches(std::string_view text, std::string_view pattern) {
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) return text == pattern;
  if (!text.starts_with(pattern.substr(0, star))) return false;
  const std::string_view rest = pattern.substr(star + 1);
  for (size_t at = star; at <= text.size(); ++at)
    if (Matches(text.substr(at), rest)) return true;
  return false;
}

bool IsPrintable(const std::string& text) {
  return std::ranges::all_of(text, [](char c) { return (c >= ' ' && c <= '~') || c == '\n'; });
}

// The files that an unfinished write leaves.
std::vector<std::string> HalfFiles(const fs::path& folder) {
  std::vector<std::string> found;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, fs::directory_options::skip_permission_denied,
                                           error);
       !error && at != fs::recursive_directory_iterator(); at.increment(error))
    if (at->path().filename().string().find("tmp") != std::string::npos)
      found.push_back(at->path().filename());
  return found;
}

class HostileInput : public testing::TestWithParam<fs::path> {
 protected:
  static void SetUpTestSuite() {
    fixtures_ = std::make_unique<TemporaryFolder>();
    const ToolOutcome made = RunScript(fixtures_->path(), ". $S/tests/hostile/fixtures.sh");
    ASSERT_EQ(made.status, 0) << made.err;
  }
  static void TearDownTestSuite() { fixtures_ = nullptr; }

  static ToolOutcome Run(const Hostile& hostile) {
    const TemporaryFolder folder;
    fs::copy(fixtures_->path(), folder.path(), fs::copy_options::recursive);
    const ToolOutcome outcome = RunScript(folder.path(), hostile.script);
    EXPECT_THAT(HalfFiles(folder.path()), testing::IsEmpty()) << hostile.name;
    return outcome;
  }

  static std::unique_ptr<TemporaryFolder> fixtures_;
};
std::unique_ptr<TemporaryFolder> HostileInput::fixtures_;

// AddressSanitizer takes terabytes of addresses, and cannot live with fewer or without threads.
#ifdef __SANITIZE_ADDRESS__
constexpr bool kHasLimits = false;
#else
constexpr bool kHasLimits = true;
#endif
bool NeedsLimits(const Hostile& hostile) {
  return hostile.script.find("ulimit -v") != std::string::npos;
}

TEST_P(HostileInput, IsAnsweredAsWrittenDown) {
  const bool update = std::getenv("IOMMUCHECK_UPDATE_GOLDEN") != nullptr;
  std::string text = ReadWhole(GetParam());
  for (const Hostile& hostile : Read(GetParam())) {
    if (!kHasLimits && NeedsLimits(hostile)) continue;
    const ToolOutcome outcome = Run(hostile);
    const std::string line =
        std::regex_replace(outcome.FirstLine(), std::regex("\\b[0-9a-f]{16}\\b"), "HASH");
    EXPECT_EQ(outcome.status, hostile.status) << hostile.name << "\n" << outcome.out << outcome.err;
    EXPECT_NE(outcome.status, 4) << hostile.name;
    EXPECT_TRUE(IsPrintable(outcome.out)) << hostile.name;
    EXPECT_TRUE(IsPrintable(outcome.err)) << hostile.name;
    if (update && outcome.status == hostile.status && !Matches(line, hostile.line)) {
      const size_t at = text.find("\n-> ", text.find("= " + hostile.name + "\n"));
      const size_t end = text.find('\n', at + 1);
      text.replace(at, end - at, "\n-> " + std::to_string(hostile.status) + " " + line);
    } else if (outcome.status == hostile.status) {
      EXPECT_TRUE(Matches(line, hostile.line))
          << hostile.name << "\nsaid: " << line << "\nnot:  " << hostile.line;
    }
  }
  if (update) std::ofstream(GetParam()) << text;
}

TEST(HostileTables, AreOfTwoHundredInputs) {
  size_t count = 0;
  for (const fs::path& table : Tables())
    for (const Hostile& hostile : Read(table)) {
      EXPECT_GE(hostile.status, 0) << hostile.name;
      EXPECT_FALSE(hostile.line.empty()) << hostile.name;
      ++count;
    }
  EXPECT_GE(count, 200U);
}

INSTANTIATE_TEST_SUITE_P(Tables, HostileInput, testing::ValuesIn(Tables()),
                         [](const auto& table) { return table.param.stem().string(); });

}  // namespace
}  // namespace iommucheck
