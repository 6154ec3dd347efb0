// SPDX-License-Identifier: Apache-2.0
//
// What the commands print, against what is written down: tests/golden/NAME.args holds a command
// line, NAME.out its output and exit status; the console blocks of README.md and docs/ are held to
// the same. IOMMUCHECK_UPDATE_GOLDEN=1 writes the .out files anew; read the diff.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

namespace {

namespace fs = std::filesystem;

const fs::path kSource = IOMMUCHECK_SOURCE_DIR;
constexpr size_t kColumns = 75;

std::string Slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// Standard output of `iommucheck ARGS` in the source folder; standard error goes along.
struct Outcome {
  std::string output;
  int status = -1;
};
Outcome RunTool(const std::string& args) {
  const std::string command =
      "cd '" + kSource.string() + "' && '" IOMMUCHECK_BINARY "' " + args + " 2>&1";
  Outcome outcome;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return outcome;
  std::array<char, 4096> buffer;
  while (const size_t n = fread(buffer.data(), 1, buffer.size(), pipe))
    outcome.output.append(buffer.data(), n);
  const int raw = pclose(pipe);
  outcome.status = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128;
  return outcome;
}

// The commit and the solver's version differ from build to build.
std::string WithoutBuild(const std::string& text) {
  static const std::regex kText(
      R"((iommucheck [0-9.]+) \(([0-9a-f]{12}\+?|unknown), Z3 [0-9.]+\))");
  static const std::regex kJson(R"re("commit": "[^"]*",(\s*)"z3": "[^"]*")re");
  return std::regex_replace(std::regex_replace(text, kText, "$1 (COMMIT, Z3 VERSION)"), kJson,
                            R"re("commit": "unknown",$1"z3": "4")re");
}

std::vector<fs::path> FilesWith(const fs::path& folder, const std::string& extension) {
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == extension) files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

// Lines that begin with a place (errors, what differs) are one line each, for grep.
bool BeginsWithAPlace(const std::string& line) {
  return line.starts_with("iommucheck: ") || line.starts_with("tests/");
}

void ExpectPlain(const std::string& text, const std::string& what) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (BeginsWithAPlace(line)) continue;
    EXPECT_LE(line.size(), kColumns) << what << ": " << line;
    for (const char c : line) EXPECT_TRUE(c >= ' ' && c <= '~') << what << ": " << line;
    EXPECT_FALSE(line.ends_with(' ')) << what << ": blanks at the end of: " << line;
  }
}

// Hashes change with every source file of the model; what they are of does not.
std::string WithoutHashes(const std::string& text) {
  return std::regex_replace(text, std::regex("(\"(model|check)\": \")[0-9a-f]{16}\""),
                            "$010000000000000000\"");
}

class Golden : public testing::TestWithParam<fs::path> {};

TEST_P(Golden, PrintsWhatIsWrittenDown) {
  std::string args = Slurp(GetParam());
  args.erase(args.find_last_not_of('\n') + 1);
  const Outcome outcome = RunTool(args);
  const std::string got =
      WithoutHashes(WithoutBuild(outcome.output)) + "exit " + std::to_string(outcome.status) + "\n";
  const fs::path expected = fs::path(GetParam()).replace_extension(".out");
  if (std::getenv("IOMMUCHECK_UPDATE_GOLDEN") != nullptr) std::ofstream(expected) << got;
  EXPECT_EQ(got, Slurp(expected)) << "iommucheck " << args;
  const bool for_machines = args.find("--json") != std::string::npos || args.starts_with("convert");
  if (!for_machines) ExpectPlain(outcome.output, args);
}

void ExpectPublishedSchema(const std::string& text, const std::string& what) {
  const auto schema_json = nlohmann::json::parse(Slurp(kSource / "docs/output.schema.json"));
  valijson::Schema schema;
  const valijson::adapters::NlohmannJsonAdapter schema_adapter(schema_json);
  valijson::SchemaParser().populateSchema(schema_adapter, schema);

  const auto json = nlohmann::json::parse(text);
  const valijson::adapters::NlohmannJsonAdapter adapter(json);
  valijson::ValidationResults results;
  EXPECT_TRUE(valijson::Validator().validate(schema, adapter, &results)) << what;
  for (valijson::ValidationResults::Error error; results.popError(error);)
    ADD_FAILURE() << error.description;
}

class GoldenJson : public testing::TestWithParam<fs::path> {};

TEST_P(GoldenJson, FollowsThePublishedSchema) {
  const std::string text = Slurp(fs::path(GetParam()).replace_extension(".out"));
  ExpectPublishedSchema(text.substr(0, text.rfind("exit ")), Slurp(GetParam()));
}

std::string NameOf(const testing::TestParamInfo<fs::path>& info) {
  std::string name = info.param.stem().string();
  std::ranges::replace_if(
      name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
}
std::vector<fs::path> GoldenFiles() { return FilesWith(kSource / "tests/golden", ".args"); }
std::vector<fs::path> GoldenJsonFiles() {
  std::vector<fs::path> files = GoldenFiles();
  std::erase_if(
      files, [](const fs::path& file) { return Slurp(file).find("--json") == std::string::npos; });
  return files;
}
INSTANTIATE_TEST_SUITE_P(Cli, Golden, testing::ValuesIn(GoldenFiles()), NameOf);
INSTANTIATE_TEST_SUITE_P(Cli, GoldenJson, testing::ValuesIn(GoldenJsonFiles()), NameOf);

// A console block: "$ ./dev run ARGS" and what it prints.
struct Block {
  std::string args;
  std::string output;
};
std::vector<Block> ConsoleBlocks(const fs::path& path) {
  static const std::string kPrompt = "$ ./dev run ";
  std::vector<Block> blocks;
  std::istringstream lines(Slurp(path));
  bool inside = false;
  bool ours = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```")) {
      inside = line == "```console";
      ours = false;
    } else if (inside && line.starts_with("$ ")) {
      ours = line.starts_with(kPrompt);
      if (ours) blocks.push_back({line.substr(kPrompt.size()), ""});
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
      EXPECT_EQ(WithoutBuild(RunTool(block.args).output), WithoutBuild(block.output))
          << document.filename() << ": ./dev run " << block.args;
    }
  EXPECT_GE(blocks, 3);
}

class Certificate : public testing::Test {
 protected:
  void TearDown() override { fs::remove_all(folder_); }
  [[nodiscard]] std::string Folder() const { return "'" + folder_.string() + "'"; }
  const fs::path folder_ =
      fs::path(testing::TempDir()) / ("certificate-" + std::to_string(getpid()));
};

TEST_F(Certificate, IsWrittenAndChecked) {
  const Outcome query = RunTool(
      "query no-cross-driver-reuse --kernel v6.1 --devices 1 --steps 5 --json --certificate " +
      Folder());
  ASSERT_EQ(query.status, 0) << query.output;
  ExpectPublishedSchema(query.output, "query --certificate");
  EXPECT_EQ(nlohmann::json::parse(query.output)["certificate"].size(), 1U);
  const Outcome check = RunTool("check-certificate " + Folder());
  EXPECT_EQ(check.status, 0);
  EXPECT_THAT(check.output, testing::HasSubstr("\nverdict   verified\n"));
  ExpectPlain(check.output, "check-certificate");

  std::ofstream(folder_ / "steps5.drat", std::ios::app) << "1 x\n";
  EXPECT_EQ(RunTool("check-certificate " + Folder()).status, 5);
  std::ofstream(folder_ / "steps5.drat") << "0\n";
  const Outcome wrong = RunTool("check-certificate " + Folder());
  EXPECT_EQ(wrong.status, 1);
  EXPECT_THAT(wrong.output, testing::HasSubstr("\nverdict   NOT VERIFIED\n"));
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
