// SPDX-License-Identifier: Apache-2.0
#include "src/conform/trace.h"

#include <array>
#include <cerrno>

#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "src/conform/compare.h"
#include "src/conform/model_trace.h"
#include "src/conform/trace_text.h"
#include "tests/given.h"

namespace iommucheck::conform {
namespace {

constexpr std::string_view kTwoBuses = R"(kernel v6.12
driver A
driver B
instance iommu0 A fwnode
instance iommu1 B fwnode
device dev0 platform iommu0
device dev1 pci iommu1
device dev2 platform iommu0

register iommu0
configure dev0
configure dev2
register iommu1
configure dev1
set-container 0 c0
set-container 1 c0
set-container 2 c0 fail=alloc:1
set-container 2 c0
set-iommu c0
)";

constexpr std::string_view kTwoBusesTrace = R"(trace 1
kernel the model
case two
1 register iommu0 = 0
2 configure dev0 = 0
  probe dev0 iommu0
  alloc d0 A A.ops dev0
  attach d0 dev0 = 0
3 configure dev2 = 0
  probe dev2 iommu0
  alloc d1 A A.ops dev2
  attach d1 dev2 = 0
4 register iommu1 = 0
5 configure dev1 = 0
  probe dev1 iommu1
  alloc d2 B B.ops dev1
  attach d2 dev1 = 0
6 set-container 0 c0 = 0
  alloc d3 A A.ops dev0
  attach d3 dev0 = 0
7 set-container 1 c0 = 0
  alloc d4 A A.ops dev2
  attach d4 dev2 = 0
8 set-container 2 c0 fail=alloc:1 = -ENOMEM
  alloc - B B.ops dev1 = -ENOMEM
9 set-container 2 c0 = 0
  alloc d5 B B.ops dev1
  attach d5 dev1 = 0
10 set-iommu c0 = 0
  alloc d6 B B.ops dev1
  attach d6 dev1 = 0
  map d6 0-1
  unmap d6 0-1
  alloc d7 A A.ops dev2
  attach d7 dev2 = 0
  map d7 0-1
  unmap d7 0-1
  alloc d8 A A.ops dev0
  attach d8 dev0 = 0
  attach d3 dev0 = 0
  attach d7 dev0 = 0
  free d8
end
  groups dev0 | dev1 | dev2
  share dev0 dev2
  domains 8
  warns 0
  mapped
  domain dev0 d7 | dev1 d6 | dev2 d7
  default_domain dev0 d0 | dev1 d2 | dev2 d1
  owner_cnt dev0 1 owned | dev1 1 owned | dev2 1 owned
)";

absl::StatusOr<TraceFile> Parse(const Case& c, std::string_view text) {
  return ParseTraces(text, "t.trace", {{"two", c}});
}

class Traces : public testing::Test {
 protected:
  // The file of the trace with one change.
  absl::StatusOr<TraceFile> ParseChanged(std::string_view from, std::string_view to) {
    std::string text(kTwoBusesTrace);
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos);
    return Parse(c, text.replace(at, from.size(), to));
  }
  Trace Changed(std::string_view from, std::string_view to) {
    return ParseChanged(from, to).value().entries[0].trace;
  }

  const Case c = Parsed(kTwoBuses);
  const Trace model = TraceOf(c);
};

TEST_F(Traces, TheModelsTraceReadsAsWritten) {
  EXPECT_EQ(PrintTraceHeader("the model") + PrintTrace(c, model, "two"), kTwoBusesTrace);
}

TEST_F(Traces, TextGivesTheTraceBack) {
  const auto file = Parse(c, kTwoBusesTrace).value();
  EXPECT_EQ(file.kernel, "the model");
  ASSERT_EQ(file.entries.size(), 1U);
  EXPECT_EQ(file.entries[0].name, "two");
  EXPECT_EQ(file.entries[0].trace, model);
}

TEST(Trace, EveryLitmusCaseSurvivesText) {
  const std::vector<NamedCase> cases = CorpusCases({"litmus"});
  for (const auto& [name, c] : cases) {
    const Trace trace = TraceOf(c);
    const auto file = Parse(c, PrintTraceHeader("k") + PrintTrace(c, trace, "two")).value();
    EXPECT_EQ(file.entries[0].trace, trace) << name;
    EXPECT_TRUE(Agree(file.entries[0].trace, trace)) << name;
  }
  EXPECT_GT(cases.size(), 100U);
}

TEST_F(Traces, ErrorsNameThePlace) {
  for (const auto& [from, to, place, expected] : std::vector<std::array<std::string, 4>>{
           {"trace 1", "trace 2", "1:7", "version 1, found '2'"},
           {"case two", "case three", "3:6", "the name of a case, found 'three'"},
           {"probe dev0 iommu0", "probe dev9 iommu0", "6:9", "a device of the case, found 'dev9'"},
           {"attach d0 dev0 = 0", "attach d0 dev0 = ok", "8:20",
            "0 or an errno such as -EBUSY, found 'ok'"},
           {"3 configure dev2", "3 configure dev1", "9:3",
            "'configure dev2' and = with an errno, found 'configure'"},
           {"3 configure dev2", "4 configure dev2", "9:1", "op 3, found '4'"},
           {"free d8", "free 8", "42:8", "a domain such as d0, found '8'"},
           {"  domains 8\n", "", "46:3", "domains, found 'warns'"},
           {"  warns 0\n", "", "47:3", "warns, found 'mapped'"}})
    EXPECT_EQ(MessageOf(ParseChanged(from, to)), "t.trace:" + place + ": expected " + expected);
}

TEST_F(Traces, WhatIsNotSaidIsNotCompared) {
  EXPECT_TRUE(Agree(model, Changed("alloc d0 A A.ops dev0", "alloc d0 A - -")));
  EXPECT_FALSE(Agree(model, Changed("  map d6 0-1", "  map d6 2-3")));
  EXPECT_FALSE(Agree(model, Changed("  mapped\n", "  mapped d6 0\n")));
  EXPECT_FALSE(Agree(model, Changed("alloc d0 A A.ops dev0", "alloc d0 A B.ops dev0")));
  EXPECT_FALSE(Agree(model, Changed("alloc d0 A", "alloc d0 B")));
}

TEST_F(Traces, TheFirstDifferenceIsShownWithWhatComesBefore) {
  const Trace other = Changed("4 register iommu1 = 0", "4 register iommu1 = -EBUSY");
  EXPECT_FALSE(Agree(model, other));
  const Comparison comparison = Compare(c, model, "model", other, "real code");
  EXPECT_FALSE(comparison.agree);
  EXPECT_EQ(comparison.step, 3U);
  EXPECT_EQ(comparison.prefix, 9U);
  EXPECT_TRUE(comparison.text.ends_with(
      "! 4 register iommu1 = 0               |4 register iommu1 = -EBUSY\n"))
      << comparison.text;
  for (const std::string& line : Split(comparison.text)) EXPECT_LE(line.size(), 75U);
}

TEST_F(Traces, EqualTracesAgreeToTheEnd) {
  const Comparison comparison = Compare(c, model, "a", model, "b");
  EXPECT_TRUE(comparison.agree);
  EXPECT_EQ(comparison.step, c.ops.size());
}

TEST_F(Traces, DifferencesAtTheEndCount) {
  EXPECT_FALSE(Agree(model, Changed("warns 0", "warns 1")));
  EXPECT_FALSE(Agree(model, Changed("share dev0 dev2", "share")));
  EXPECT_FALSE(Agree(model, Changed("domains 8", "domains 9")));
  EXPECT_FALSE(Compare(c, model, "a", Changed("warns 0", "warns 1"), "b").agree);
}

// The errno is at the end of its line, and names may be long.
TEST(Compare, CutsNothingOff) {
  std::string text(kTwoBuses);
  const std::string name = "a-driver-whose-name-is-so-long";
  text.replace(text.find("driver B"), 8, "driver " + name);
  for (size_t at = 0; (at = text.find(" B fwnode", at)) != std::string::npos;)
    text.replace(at, 2, " " + name);
  const Case c = Parsed(text);
  const Trace model = TraceOf(c);
  Trace real = model;
  real.steps[7].error = 0;
  const Comparison comparison = Compare(c, model, "model", real, "real code");
  EXPECT_FALSE(comparison.agree);
  EXPECT_EQ(comparison.a_line, "8 set-container 2 c0 fail=alloc:1 = -ENOMEM");
  EXPECT_EQ(comparison.b_line, "8 set-container 2 c0 fail=alloc:1 = 0");
  // Joins the rows of each column again.
  std::string left;
  std::string right;
  for (const std::string& row : Split(comparison.text)) {
    EXPECT_LE(row.size(), 75U) << row;
    ASSERT_GT(row.size(), 38U) << row;
    EXPECT_EQ(row[38], '|') << row;
    left += row.substr(2, 36);
    right += row.substr(39);
  }
  const auto lines_of = [&](const Trace& trace) {
    std::vector<std::string> lines = TraceLines(c, trace);
    lines.resize(comparison.prefix + 1);
    return absl::StrJoin(lines, "");
  };
  const auto without_blanks = [](std::string column) {
    std::erase(column, ' ');
    return column;
  };
  EXPECT_EQ(without_blanks(left), without_blanks("model" + lines_of(model)));
  EXPECT_EQ(without_blanks(right), without_blanks("realcode" + lines_of(real)));
}

TEST_F(Traces, SeesWhatNoLaterOpAsksFor) {
  ASSERT_TRUE(model.has_groups);
  const auto differs_by = [&](auto change) {
    Trace real = model;
    change(real.groups[1]);
    EXPECT_FALSE(Compare(c, model, "a", real, "b").agree);
    EXPECT_FALSE(Agree(model, real));
    real.has_groups = false;  // a recorder that does not see groups
    EXPECT_TRUE(Compare(c, model, "a", real, "b").agree);
    return Agree(model, real);
  };
  EXPECT_TRUE(differs_by([](GroupEnd& g) { g.owned = false; }));
  EXPECT_TRUE(differs_by([](GroupEnd& g) { g.owner_cnt = 2; }));
  EXPECT_TRUE(differs_by([](GroupEnd& g) { g.domain = 2; }));
  EXPECT_TRUE(differs_by([](GroupEnd& g) { g.default_domain = -1; }));
}

// A process that died in the case's op.
TEST_F(Traces, SeesACrash) {
  Trace real = model;
  real.calls.resize(real.steps[8].calls_end);
  real.calls.push_back({.kind = Call::Kind::kCrash});
  real.steps.resize(10);
  real.steps[9] = {-EFAULT, static_cast<uint32_t>(real.calls.size())};
  EXPECT_FALSE(Agree(model, real));
  EXPECT_EQ(Compare(c, model, "model", real, "real code").step, 9U);
}

}  // namespace
}  // namespace iommucheck::conform
