// SPDX-License-Identifier: Apache-2.0
//
// Programs of syzkaller: each line is of the grammar in syzkaller's docs/program_syntax.md, calls only
// what its dev_vfio.txt and generic descriptions have, and uses no variable before it has a value.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "src/report/export.h"
#include "tests/run_tool.h"

namespace iommucheck {
namespace {

namespace fs = std::filesystem;

// A reader of one call, by the grammar: each function takes what it names from the front.
class Reader {
 public:
  explicit Reader(std::string line) : rest_(std::move(line)) {}

  // "" or why the line is no call. Adds the variable that it assigns.
  std::string Line(std::set<std::string>& variables) {
    std::smatch assigned;
    const bool assigns = std::regex_search(rest_, assigned, std::regex("^(r[0-9]+) = "));
    const std::string variable = assigned.str(1);
    if (assigns) rest_ = assigned.suffix().str();
    static const std::regex kCall(
        R"(^(openat\$vfio|ioctl\$VFIO_SET_IOMMU|ioctl\$VFIO_IOMMU_MAP_DMA|ioctl\$VFIO_IOMMU_UNMAP_DMA|openat|ioctl|close)\()");
    std::smatch call;
    if (!std::regex_search(rest_, call, kCall)) return "no call that is described: " + rest_;
    rest_ = call.suffix().str();
    if (!List(')', variables)) return "no arguments: " + rest_;
    if (!rest_.empty()) return "more than a call: " + rest_;
    if (assigns && !variables.insert(variable).second) return "assigned twice: " + variable;
    return "";
  }

 private:
  bool Take(const std::string& word) {
    if (!rest_.starts_with(word)) return false;
    rest_.erase(0, word.size());
    return true;
  }
  bool TakeMatch(const char* pattern, std::string* taken = nullptr) {
    std::smatch match;
    if (!std::regex_search(rest_, match, std::regex(pattern))) return false;
    if (taken != nullptr) *taken = match.str();
    rest_ = match.suffix().str();
    return true;
  }
  bool List(char end, const std::set<std::string>& variables) {
    do {
      if (!Argument(variables)) return false;
    } while (Take(", "));
    return Take(std::string(1, end));
  }
  bool Argument(const std::set<std::string>& variables) {
    std::string variable;
    if (TakeMatch("^0x[0-9a-f]+")) return true;
    if (TakeMatch("^r[0-9]+", &variable)) return variables.contains(variable);
    if (TakeMatch(R"(^'([^'\\]|\\x[0-9a-f]{2})*')")) return true;
    if (Take("&AUTO=")) return (Take("ANY="), Argument(variables));
    if (Take("{")) return List('}', variables);
    if (Take("[")) return List(']', variables);
    return TakeMatch("^@[A-Za-z0-9_]+=") && Argument(variables);
  }

  std::string rest_;
};

std::string Problems(const std::string& program) {
  std::string problems;
  std::set<std::string> variables;
  for (const std::string& line : Split(program)) {
    if (line.starts_with("# ")) continue;
    if (const std::string why = Reader(line).Line(variables); !why.empty()) problems += why + "\n";
  }
  return problems;
}

TEST(Grammar, RefusesWhatIsNoProgram) {
  EXPECT_EQ(Problems("r0 = openat(0x1, &AUTO='/dev/vfio/0\\x00', 0x2)\nclose(r0)\n"), "");
  for (const char* bad : {"close(r0)", "open(0x1)", "close(1)", "close(0x1) ", "close(0x1",
                          "ioctl(0x1, &AUTO={0x1)", "r0 = r1 = close(0x1)"})
    EXPECT_NE(Problems(bad), "") << bad;
}

TEST(Syz, EveryProgramOfTheCorpusIsOfTheGrammar) {
  int programs = 0;
  std::set<std::string> refused;
  for (const char* folder : {"corpus/litmus", "corpus/bugs"}) {
    for (const fs::path& file : FilesWith(kSource / folder, ".case")) {
      const absl::StatusOr<Case> c = ParseCase(ReadWhole(file), file.string());
      ASSERT_TRUE(c.ok()) << c.status();
      const absl::StatusOr<std::string> program = report::SyzProgram(*c);
      if (!program.ok()) {
        const std::string why(program.status().message());
        EXPECT_TRUE(why.starts_with("expected ")) << file << ": " << why;
        refused.insert(why.substr(0, why.find(", found")));
        continue;
      }
      ++programs;
      EXPECT_EQ(Problems(*program), "") << file << "\n" << *program;
    }
  }
  EXPECT_GE(programs, 100);
  EXPECT_THAT(refused, testing::IsSupersetOf({"expected a system call of one user",
                                              "expected calls that fail by themselves",
                                              "expected a call whose file a description returns"}));
}

}  // namespace
}  // namespace iommucheck
