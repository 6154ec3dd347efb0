// SPDX-License-Identifier: Apache-2.0
//
// Compares the output of commands with files: tests/golden/NAME.args holds a command line, NAME.out
// its output and exit status. The console blocks of README.md and docs/ are checked in the same
// way. IOMMUCHECK_UPDATE_GOLDEN=1 writes the .out files anew; read the diff.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <regex>

#include "src/case/json_text.h"
#include "src/conform/model_trace.h"
#include "src/report/blame.h"
#include "src/review/reply.h"
#include "tests/run_tool.h"

namespace {

using namespace iommucheck;
namespace fs = std::filesystem;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

constexpr size_t kColumns = 75;

// The commit and the solvers' versions differ from build to build.
std::string WithoutBuild(const std::string& text) {
  static const std::regex kText(
      R"((iommucheck [0-9.]+) \(([0-9a-f]{12}\+?|unknown), Z3 [0-9.]+, CaDiCaL [0-9a-z.]+\))");
  static const std::regex kJson(
      R"re("commit": "[^"]*",(\s*)"z3": "[^"]*",\s*"cadical": "[^"]*")re");
  return std::regex_replace(std::regex_replace(text, kText, "$1 (COMMIT, SOLVERS)"), kJson,
                            R"re("commit": "unknown",$1"z3": "4",$1"cadical": "1")re");
}

// For grep, verdicts are one line each, and so are lines that begin with a place (errors,
// differences).
bool BeginsWithAPlace(const std::string& line) {
  static constexpr const char* kPlaces[] = {"iommucheck: ", "PROPERTY: ", "tests/",
                                            "Verdict ",     "# Verdict ", "Difference "};
  return std::ranges::any_of(kPlaces, [&](const char* place) { return line.starts_with(place); });
}

void ExpectPlain(const std::string& text, const std::string& what) {
  // The table of rules has a column for each kernel.
  const size_t columns = what.starts_with("kernels") ? 100 : kColumns;
  for (const std::string& line : Split(text)) {
    if (BeginsWithAPlace(line)) continue;
    EXPECT_LE(line.size(), columns) << what << ": " << line;
    for (const char c : line) EXPECT_TRUE(c >= ' ' && c <= '~') << what << ": " << line;
    EXPECT_FALSE(line.ends_with(' ')) << what << ": blanks at the end of: " << line;
  }
}

// Hashes change with every source file of the model; the things that they identify do not.
std::string WithoutHashes(const std::string& text) {
  return std::regex_replace(text, std::regex("(\"(model|check)\": \")[0-9a-f]{16}\""),
                            "$010000000000000000\"");
}

class Golden : public testing::TestWithParam<fs::path> {};

TEST_P(Golden, PrintsWhatIsWrittenDown) {
  std::string args = ReadWhole(GetParam());
  args.erase(args.find_last_not_of('\n') + 1);
  const ToolOutcome outcome = RunTool(args);
  const std::string got =
      WithoutHashes(WithoutBuild(outcome.out)) + "exit " + std::to_string(outcome.status) + "\n";
  const fs::path expected = fs::path(GetParam()).replace_extension(".out");
  if (std::getenv("IOMMUCHECK_UPDATE_GOLDEN") != nullptr) std::ofstream(expected) << got;
  EXPECT_EQ(got, ReadWhole(expected)) << "iommucheck " << args;
  const bool for_machines = args.find("--json") != std::string::npos ||
                            args.find("--format") != std::string::npos ||
                            args.starts_with("convert");
  if (!for_machines) ExpectPlain(outcome.out, args);
}

// By the validator of schemas_test.py.
void ExpectPublishedSchema(const std::string& text, const std::string& what) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "answer.json") << text;
  const ToolOutcome read =
      RunShell("PATH=/usr/bin:$PATH python3 '" + (kSource / "tests/schemas_test.py").string() +
               "' --answer '" + (folder.path() / "answer.json").string() + "' 2>&1");
  EXPECT_EQ(read.status, 0) << what << "\n" << read.out;
}

// What ./dev review prints with --json, by the structures that it is printed from.
TEST(ReviewJson, FollowsThePublishedSchema) {
  absl::StatusOr<Case> c = ParseCase(
      "kernel v6.12.y\ntable t\ndriver a table=t\ninstance i a\ndevice d pci i\n\nregister i\n",
      "x.case");
  ASSERT_TRUE(c.ok()) << c.status();
  review::Review r;
  r.question.patch.patches = {{.sha256 = std::string(64, 'a'), .name = "0001-x.patch"}};
  r.question.patch.not_built = {"drivers/b.c"};
  r.tree = "linux-source-6.12";
  r.version = KernelVersion::kV6_12_y;
  r.why = "a sentence";
  r.touched = {{.file = "drivers/a.c",
                .function = "f",
                .code = 2,
                .missed = {{.line = 3, .removed = false, .text = "\tx();"}}}};
  ExpectPublishedSchema(JsonText(review::ReviewJson(r)), "without a difference");

  review::Difference d;
  d.kind.effect = review::Effect::kWorse;
  d.kind.what = review::What::kWarn;
  d.kind.text = "now a WARN in f()";
  d.smallest = *c;
  d.before.trace = d.after.trace = conform::TraceOf(*c);
  d.cases = 2;
  d.outside = Rule::kAssumeHomogeneousGroups;
  d.after.result = {.warns = {{.function = "f", .file = "drivers/a.c", .line = 7}},
                    .leaks = {"2 heap objects"},
                    .crash = "signal 6 (SIGABRT), in op 1",
                    .said = ""};
  r.differences = {d};
  r.explanation.emplace();
  KernelSpec without{.version = r.version, .dropped = {}, .added = {}};
  without.dropped.add(Rule::kType1SameOps);
  r.explanation->fits = {without};
  report::Question question{
      .property = Property::kNoCrossDriverReuse, .kernel = without, .bounds = {}};
  question.bounds = {.devices = 2, .steps = 5};
  question.bounded = true;
  absl::StatusOr<report::Answer> answer = report::Ask(question);
  ASSERT_TRUE(answer.ok()) << answer.status();
  ASSERT_TRUE(report::AskChange(*answer).ok());
  r.asked = {{.answer = *answer, .promised = true}};
  r.elsewhere = r.asked;
  r.unseen = {{.rule = Rule::kType1SameOps, .asked = r.asked, .unplayable = "a bus"}};
  r.broken = {{.property = Property::kNoFreedDomainInUse, .smallest = *c}};
  const report::Json json = review::ReviewJson(r);
  ExpectPublishedSchema(JsonText(json), "with all that there can be");
  ExpectPublishedSchema(
      JsonText(report::Json{{"command", "review"}, {"series", report::Json::array({json, json})}}),
      "of a series");
}

class GoldenJson : public testing::TestWithParam<fs::path> {};

std::string NameOf(const testing::TestParamInfo<fs::path>& info) {
  return TestName(info.param.stem().string());
}
std::vector<fs::path> GoldenFiles() { return FilesWith(kSource / "tests/golden", ".args"); }
std::vector<fs::path> GoldenJsonFiles() {
  std::vector<fs::path> files = GoldenFiles();
  std::erase_if(files, [](const fs::path& file) {
    return ReadWhole(file).find("--json") == std::string::npos;
  });
  return files;
}
INSTANTIATE_TEST_SUITE_P(Cli, GoldenJson, testing::ValuesIn(GoldenJsonFiles()), NameOf);
INSTANTIATE_TEST_SUITE_P(Cli, Golden, testing::ValuesIn(GoldenFiles()), NameOf);

// A console block: "$ ./dev run ARGS", perhaps in a pipe, and the expected output.
struct Block {
  std::string command;
  std::string output;
};
std::vector<Block> ConsoleBlocks(const fs::path& path) {
  static const std::string kPrompt = "$ ";
  static const std::string kTool = "./dev run ";
  std::vector<Block> blocks;
  bool inside = false;
  bool ours = false;
  for (const std::string& line : Split(ReadWhole(path))) {
    if (line.starts_with("```")) {
      inside = line == "```console";
      ours = false;
    } else if (inside && line.starts_with(kPrompt)) {
      const size_t tool = line.find(kTool);
      ours = tool != std::string::npos;
      if (ours)
        blocks.push_back({line.substr(kPrompt.size(), tool - kPrompt.size()) +
                              "'" IOMMUCHECK_BINARY "' " + line.substr(tool + kTool.size()),
                          ""});
    } else if (inside && ours) {
      blocks.back().output += line + "\n";
    }
  }
  return blocks;
}

TEST(Documents, ConsoleBlocksShowRealOutput) {
  std::vector<fs::path> documents = FilesWith(kSource / "docs", ".md");
  documents.push_back(kSource / "README.md");
  int blocks = 0;
  for (const fs::path& document : documents)
    for (const Block& block : ConsoleBlocks(document)) {
      ++blocks;
      const std::string shown =
          RunShell("cd '" IOMMUCHECK_SOURCE_DIR "' && exec 2>&1 && " + block.command).out;
      EXPECT_EQ(WithoutBuild(shown), WithoutBuild(block.output))
          << document.filename() << ": " << block.command;
    }
  EXPECT_GE(blocks, 3);
}

// The case that a search writes expects the violation, so that judge tests it.
class FoundCases : public testing::TestWithParam<const char*> {};

TEST_P(FoundCases, AreJudgedByAllThatTheirRunGave) {
  const TemporaryFolder folder;
  const ToolOutcome search = RunTool(GetParam() + (" --out '" + folder.In("found.case") + "'"));
  EXPECT_EQ(search.status, 1) << search.out;
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder.path()))
    if (entry.is_regular_file()) files.push_back(entry.path());
  ASSERT_FALSE(files.empty());
  for (const fs::path& file : files) {
    const std::string path = "'" + file.string() + "'";
    const ToolOutcome judged = RunTool("judge " + path);
    EXPECT_EQ(judged.status, 0) << judged.out;
    const std::string text = ReadWhole(file);
    EXPECT_THAT(text, HasSubstr("\nexpect violated no-cross-driver-"));
    // All lines between the machine and the expectations at the end.
    size_t ops = 0;
    for (size_t at = text.find("\n\n") + 2; text[at] != '\n'; at = text.find('\n', at) + 1) {
      const size_t end = text.find('\n', at);
      const size_t arrow = text.find(" -> ", at);
      ASSERT_LT(arrow, end) << text;
      ++ops;
      std::string wrong = text;
      wrong.replace(arrow, end - arrow, " -> -EDOM");
      std::ofstream(file) << wrong;
      EXPECT_EQ(RunTool("judge " + path).status, 1) << wrong;
      const ToolOutcome replay = RunTool("replay " + path);
      EXPECT_EQ(replay.status, 1);
      EXPECT_THAT(replay.out, HasSubstr("\ndiffers "));
    }
    EXPECT_GE(ops, 2U);
  }
}
INSTANTIATE_TEST_SUITE_P(
    Cli, FoundCases,
    testing::Values("query no-cross-driver-reuse --kernel v6.0 --drop type1.same_ops --bounded",
                    "query no-cross-driver-attach --kernel v5.15 --all --max 2",
                    "query no-cross-driver-reuse --bounded --steps 6 "
                    "--on corpus/litmus/v6.0+two-buses+same_ops-dropped.case",
                    "explore no-cross-driver-reuse --kernel v6.0 --drop type1.same_ops "
                    "--scope devices=2,instances=1,steps=5",
                    "diff no-cross-driver-attach --kernel v6.0 --kernel v6.12"));

// Cases found by guards are on other kernels; v6.0 itself violates the property, too.
TEST(FoundByGuards, AreJudgedToo) {
  const TemporaryFolder folder;
  const std::string path = "'" + folder.path().string() + "'";
  ASSERT_EQ(RunTool("guards no-cross-driver-reuse --kernel v6.0 --bounded --steps 5 --out " + path)
                .status,
            1);
  ASSERT_FALSE(fs::is_empty(folder.path()));
  EXPECT_EQ(RunTool("judge " + path).status, 0);
  for (const fs::path& file : FilesWith(folder.path(), ".case")) {
    const std::string text = ReadWhole(file);
    EXPECT_THAT(text, HasSubstr("\nexpect violated no-cross-driver-reuse at "));
    const size_t arrow = text.find(" -> ok");
    ASSERT_NE(arrow, std::string::npos) << text;
    std::ofstream(file) << text.substr(0, arrow) + " -> -EDOM" + text.substr(arrow + 6);
    EXPECT_EQ(RunTool("judge '" + file.string() + "'").status, 1);
  }
}

TEST(FoundByAFuzzer, BytesAreReadBack) {
  const TemporaryFolder folder;
  const std::string seed = folder.In("input");
  const std::string original = "corpus/litmus/v6.0+two-buses+same_ops-dropped.case";
  ASSERT_EQ(RunTool("convert " + original + " --to bytes --out '" + seed + "'").status, 0);
  const ToolOutcome text = RunTool("convert --from bytes '" + seed + "'");
  EXPECT_EQ(text.status, 0);
  const std::string back = folder.In("back.case");
  std::ofstream(back) << text.out;
  const std::string again = folder.In("again");
  ASSERT_EQ(RunTool("convert '" + back + "' --to bytes --out '" + again + "'").status, 0);
  EXPECT_EQ(ReadWhole(again), ReadWhole(seed));
  // A file that is no input of a fuzzer.
  EXPECT_EQ(RunTool("convert --from bytes /nonexistent").status, 5);
  EXPECT_EQ(RunTool("convert --from bytes '" + folder.path().string() + "'").status, 5);
  EXPECT_EQ(RunTool("convert --to bytes corpus/litmus --out '" + again + "'").status, 5);
}

// What is left of a text without the escape sequences of colours, and without the option.
std::string Plain(std::string text) {
  text = std::regex_replace(text, std::regex("\033\\[[0-9;]*m"), "");
  return std::regex_replace(text, std::regex("\\s+--color=[a-z]+"), "");
}

TEST(Colour, IsOnVerdictsAndOnTheWrongCall) {
  const std::string kArgs = "replay corpus/litmus/v6.0+two-buses+same_ops-dropped.case --color=";
  const std::string coloured = RunTool(kArgs + "always").out;
  EXPECT_THAT(coloured, HasSubstr("\033[1;31m    ! no-cross-driver-attach: "));
  EXPECT_THAT(coloured, HasSubstr("\033[1;31m violated \033[0m"));
  const std::string plain = RunTool(kArgs + "never").out;
  EXPECT_EQ(Plain(plain), Plain(RunTool(kArgs + "auto").out)) << "standard output is no terminal";
  EXPECT_THAT(plain, Not(HasSubstr("\033")));
  EXPECT_EQ(Plain(coloured), Plain(plain));
  // What programs read has none, nor has a case.
  for (const char* args : {"replay corpus/litmus/v6.0+two-buses+same_ops.case --json",
                           "judge --format=ktap corpus/litmus/v6.0+two-buses+same_ops-dropped.case",
                           "convert corpus/litmus/v6.0+two-buses+same_ops.case"})
    EXPECT_THAT(RunTool(std::string(args) + " --color=always").out, Not(HasSubstr("\033"))) << args;
}

TEST(Colour, IsThereOnATerminalUnlessTheEnvironmentSaysNo) {
  const std::string kCommand =
      "script -qc \"'" IOMMUCHECK_BINARY
      "' replay corpus/litmus/v6.0+two-buses+same_ops-dropped.case\" /dev/null";
  const auto shown = [&](const std::string& environment) {
    return RunShell("cd '" IOMMUCHECK_SOURCE_DIR "' && " + environment + " " + kCommand).out;
  };
  EXPECT_THAT(shown("TERM=xterm NO_COLOR="), HasSubstr("\033[1;31m violated "));
  EXPECT_THAT(shown("TERM=xterm NO_COLOR=1"), Not(HasSubstr("\033[1;")));
  EXPECT_THAT(shown("TERM=dumb"), Not(HasSubstr("\033[1;")));
}

TEST(Help, IsAsWideAsTheTerminal) {
  const auto longest = [](const std::string& columns) {
    const std::string text = RunShell("script -qc \"stty cols " + columns +
                                      "; '" IOMMUCHECK_BINARY "' query --help\" /dev/null")
                                 .out;
    size_t most = 0;
    for (std::string line : Split(text)) {
      if (line.ends_with('\r')) line.pop_back();
      most = std::max(most, line.size());
    }
    return most;
  };
  EXPECT_LE(longest("60"), 60U);
  const size_t wide = longest("100");
  EXPECT_GT(wide, 80U);
  EXPECT_LE(wide, 100U);
}

// The last line of every golden report is the verdict line, and agrees with the exit status.
TEST_P(Golden, EndsWithTheVerdictsLine) {
  static const std::vector<std::string> kCommands = {"query ",   "guards ", "diff ",
                                                     "explore ", "merge ",  "replay "};
  const std::string args = ReadWhole(GetParam());
  const bool asks = std::ranges::any_of(
      kCommands, [&](const std::string& command) { return args.starts_with(command); });
  std::vector<std::string> lines = Split(ReadWhole(fs::path(GetParam()).replace_extension(".out")));
  ASSERT_FALSE(lines.empty());
  const std::string status = lines.back();
  lines.pop_back();
  const bool answered = status == "exit 0" || status == "exit 1" || status == "exit 3";
  const bool other = args.find("--json") != std::string::npos ||
                     args.find("--format") != std::string::npos ||
                     args.find("--show-invariant") != std::string::npos;
  if (!asks || !answered || other) return;
  ASSERT_FALSE(lines.empty());
  EXPECT_THAT(
      lines.back(),
      testing::MatchesRegex(
          "(Verdict [^ ]+|Difference [^ ]+ [^ ]+) v[^ ]+ (holds|none|violated|unknown) [^ ]+"))
      << args;
  const bool violated = lines.back().find(" violated ") != std::string::npos;
  const bool unknown = lines.back().find(" unknown ") != std::string::npos;
  if (violated) {
    EXPECT_EQ(status, "exit 1") << args;
  }
  // The status of a replay says whether the outcome is the expected one.
  if (unknown && !args.starts_with("replay ")) {
    EXPECT_EQ(status, "exit 3") << args;
  }
}

// The worst mistake of a report is to call a bound a proof.
TEST_P(GoldenJson, SaysHoldsOfProofsOnly) {
  const std::string text = ReadWhole(fs::path(GetParam()).replace_extension(".out"));
  const auto json = nlohmann::json::parse(text.substr(0, text.rfind("exit ")));
  if (!json.contains("verdict") || json["command"] == "review") return;
  const auto& scope = json["scope"];
  const bool proof = scope["kind"] == "every-size" || scope.value("every_run", false);
  EXPECT_EQ(json["verdict"] == "holds", proof) << ReadWhole(GetParam());
}

// A search of the visible rest of a machine gives no verdict about the machine.
TEST(VerdictLine, OfAMachineThatIsNotAllThereIsOfNothing) {
  const std::string golden = ReadWhole(kSource / "tests/golden/check-no-firmware.args");
  const ToolOutcome check = RunTool(golden.substr(0, golden.find('\n')));
  EXPECT_EQ(check.status, 3);
  int lines = 0;
  for (const std::string& line : Split(check.out)) {
    if (!line.starts_with("Verdict ")) continue;
    EXPECT_TRUE(line.ends_with(" unknown nothing")) << line;
    ++lines;
  }
  EXPECT_GE(lines, 2);
}

TEST(Require, ProofMakesABoundUnknown) {
  const std::string scope = " --scope devices=1,instances=1,steps=3";
  const std::vector<std::string> bounds = {
      "query no-cross-driver-reuse --kernel v6.1 --bounded --devices 1 --steps 4",
      "query no-cross-driver-reuse --kernel v6.1 --bounded --devices 1 --steps 4 --all",
      "query no-cross-driver-attach --kernel v7.1 --bounded --steps 1 --on "
      "corpus/litmus/v6.0+two-buses+same_ops.case",
      "diff no-cross-driver-reuse --kernel v6.0 --kernel v6.1 --bounded --devices 1 --steps 4",
      "guards no-cross-driver-reuse --kernel v6.1 --bounded --devices 2 --steps 5",
      "explore no-cross-driver-reuse --kernel v6.1" + scope};
  for (const std::string& args : bounds) {
    EXPECT_EQ(RunTool(args).status, 0) << args;
    EXPECT_EQ(RunTool(args + " --require proof").status, 3) << args;
  }
  EXPECT_EQ(RunTool("query no-cross-driver-attach --kernel v6.1 --require proof").status, 0);
  EXPECT_EQ(
      RunTool("query no-cross-driver-attach --kernel v7.1 --devices 2 --require proof").status, 1);
  EXPECT_EQ(RunTool("query no-cross-driver-attach --kernel v7.1 --require prof").status, 2);
}

// The verdict on the case itself comes first, whatever the runs with failures do.
TEST(Sweep, NeverPassesACaseThatViolates) {
  int violated = 0;
  for (const fs::path& path : FilesWith(kSource / "corpus/litmus", ".case")) {
    const std::string name = "'" + path.string() + "'";
    const ToolOutcome plain = RunTool("replay --json " + name);
    const ToolOutcome swept = RunTool("replay --sweep --json " + name);
    const auto json = nlohmann::json::parse(swept.out);
    if (nlohmann::json::parse(plain.out)["verdict"] != "violated") {
      EXPECT_TRUE(json["as_written"]["violated"].empty()) << name;
      continue;
    }
    ++violated;
    EXPECT_EQ(swept.status, 1) << name;
    EXPECT_EQ(json["verdict"], "violated") << name;
    EXPECT_FALSE(json["as_written"]["violated"].empty()) << name;
  }
  EXPECT_GE(violated, 30);
}

TEST(Judge, FailsWhatAssertsNothing) {
  const std::string nothing = "tests/golden/input/asserts-nothing.case";
  const ToolOutcome judged = RunTool("judge " + nothing);
  EXPECT_EQ(judged.status, 1);
  EXPECT_THAT(judged.out, HasSubstr(nothing + ": asserts nothing"));
  // replay fails for another reason: the run violates a property.
  EXPECT_EQ(RunTool("replay " + nothing).status, 1);
}

// A missing corpus is reported before the work, not after it.
TEST(Tour, NeedsItsCorpus) {
  const ToolOutcome tour = RunTool("tour --corpus /nonexistent");
  EXPECT_EQ(tour.status, 5);
  EXPECT_THAT(tour.out, testing::MatchesRegex("[^\n]+\n"));
}

std::vector<std::string> Commands() {
  std::vector<std::string> names;
  bool inside = false;
  for (const std::string& line : Split(RunTool("--help").out)) {
    if (inside && line.starts_with("  ") && line[2] != ' ')
      names.push_back(line.substr(2, line.find(' ', 2) - 2));
    if (!line.starts_with(' ')) inside = line == "Subcommands:";
  }
  return names;
}

TEST(Help, FitsATerminalAndHasAnExample) {
  const std::vector<std::string> commands = Commands();
  EXPECT_GE(commands.size(), 15U);
  for (const std::string& line : Split(RunTool("--help").out)) EXPECT_LE(line.size(), 80U) << line;
  for (const std::string& command : commands) {
    const ToolOutcome help = RunTool(command + " --help");
    EXPECT_EQ(help.status, 0) << command;
    EXPECT_THAT(help.out, HasSubstr("Example: iommucheck " + command));
    for (const std::string& line : Split(help.out))
      EXPECT_LE(line.size(), 80U) << command << ": " << line;
  }
}

class Certificate : public testing::Test {
 protected:
  [[nodiscard]] std::string Folder() const { return "'" + folder_.string() + "'"; }
  const TemporaryFolder parent_;
  const fs::path folder_ = parent_.path() / "certificate";
};

TEST_F(Certificate, IsWrittenAndChecked) {
  const ToolOutcome query = RunTool(
      "query no-cross-driver-reuse --kernel v6.1 --devices 1 --steps 5 --json --certificate " +
      Folder());
  ASSERT_EQ(query.status, 0) << query.out;
  EXPECT_EQ(nlohmann::json::parse(query.out)["certificate"].size(), 1U);
  const ToolOutcome check = RunTool("check-certificate " + Folder());
  EXPECT_EQ(check.status, 0);
  EXPECT_THAT(check.out, HasSubstr("\nverdict   verified\n"));
  EXPECT_THAT(check.out, EndsWith("\nVerdict no-cross-driver-reuse v6.1 none devices=1,steps=5\n"));
  ExpectPlain(check.out, "check-certificate");

  std::ofstream(folder_ / "steps5.drat", std::ios::app) << "1 x\n";
  EXPECT_EQ(RunTool("check-certificate " + Folder()).status, 5);
  std::ofstream(folder_ / "steps5.drat") << "0\n";
  const ToolOutcome wrong = RunTool("check-certificate " + Folder());
  EXPECT_EQ(wrong.status, 1);
  EXPECT_THAT(wrong.out, HasSubstr("\nverdict   NOT VERIFIED\n"));
  EXPECT_THAT(wrong.out, EndsWith("\nVerdict no-cross-driver-reuse v6.1 unknown nothing\n"));
  fs::remove(folder_ / "MANIFEST.json");
  EXPECT_EQ(RunTool("check-certificate " + Folder()).status, 5);
}

TEST_F(Certificate, IsNotWrittenOfWhatIsViolatedOrUnknown) {
  const std::string query = "query no-cross-driver-reuse --kernel v6.0 --certificate " + Folder();
  EXPECT_EQ(RunTool(query + " --drop type1.same_ops").status, 1);
  EXPECT_EQ(RunTool(query + " --add assume.bus_ops_not_replaced --budget 1000").status, 3);
  EXPECT_FALSE(fs::exists(folder_));
}

}  // namespace
