// SPDX-License-Identifier: Apache-2.0
#include "src/conform/trace.h"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "gtest/gtest.h"
#include "src/conform/compare.h"
#include "src/conform/model_trace.h"
#include "src/conform/trace_text.h"

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

Case MustParse(std::string_view text) {
  auto c = ParseCase(text, "t.case");
  EXPECT_TRUE(c.ok()) << c.status();
  return c.ok() ? *std::move(c) : Case();
}

absl::StatusOr<TraceFile> Parse(const Case& c, std::string_view text) {
  return ParseTraces(text, "t.trace",
                     [&c](std::string_view name) { return name == "two" ? &c : nullptr; });
}

TEST(Trace, TheModelsTraceReadsAsWritten) {
  const Case c = MustParse(kTwoBuses);
  EXPECT_EQ(PrintTraceHeader("the model") + PrintTrace(c, TraceOf(c), "two"), kTwoBusesTrace);
}

TEST(Trace, TextGivesTheTraceBack) {
  const Case c = MustParse(kTwoBuses);
  const auto file = Parse(c, kTwoBusesTrace);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->kernel, "the model");
  ASSERT_EQ(file->entries.size(), 1U);
  EXPECT_EQ(file->entries[0].name, "two");
  EXPECT_EQ(file->entries[0].trace, TraceOf(c));
}

TEST(Trace, EveryLitmusCaseSurvivesText) {
  int cases = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(IOMMUCHECK_SOURCE_DIR "/corpus/litmus")) {
    if (entry.path().extension() != ".case") continue;
    std::ostringstream text;
    text << std::ifstream(entry.path()).rdbuf();
    const Case c = MustParse(text.str());
    const Trace trace = TraceOf(c);
    const auto file = Parse(c, PrintTraceHeader("k") + PrintTrace(c, trace, "two"));
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(file->entries[0].trace, trace) << entry.path();
    EXPECT_TRUE(Agree(file->entries[0].trace, trace));
    ++cases;
  }
  EXPECT_GT(cases, 100);
}

std::string ErrorOf(std::string_view from, std::string_view to) {
  const Case c = MustParse(kTwoBuses);
  std::string text(kTwoBusesTrace);
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos);
  text.replace(at, from.size(), to);
  const auto file = Parse(c, text);
  return file.ok() ? "no error" : std::string(file.status().message());
}

TEST(Trace, ErrorsNameThePlace) {
  EXPECT_EQ(ErrorOf("trace 1", "trace 2"), "t.trace:1:7: expected version 1, found '2'");
  EXPECT_EQ(ErrorOf("case two", "case three"),
            "t.trace:3:6: expected the name of a case, found 'three'");
  EXPECT_EQ(ErrorOf("probe dev0 iommu0", "probe dev9 iommu0"),
            "t.trace:6:9: expected a device of the case, found 'dev9'");
  EXPECT_EQ(ErrorOf("attach d0 dev0 = 0", "attach d0 dev0 = ok"),
            "t.trace:8:20: expected 0 or an errno such as -EBUSY, found 'ok'");
  EXPECT_EQ(ErrorOf("3 configure dev2", "3 configure dev1"),
            "t.trace:9:3: expected 'configure dev2' and = with an errno, found 'configure'");
  EXPECT_EQ(ErrorOf("3 configure dev2", "4 configure dev2"),
            "t.trace:9:1: expected op 3, found '4'");
  EXPECT_EQ(ErrorOf("free d8", "free 8"), "t.trace:42:8: expected a domain such as d0, found '8'");
  EXPECT_EQ(ErrorOf("  domains 8\n", ""), "t.trace:46:3: expected domains, found 'warns'");
  EXPECT_EQ(ErrorOf("  warns 0\n", ""), "t.trace:47:3: expected warns, found 'mapped'");
}

Trace Changed(std::string_view from, std::string_view to) {
  const Case c = MustParse(kTwoBuses);
  std::string text(kTwoBusesTrace);
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos);
  text.replace(at, from.size(), to);
  const auto file = Parse(c, text);
  EXPECT_TRUE(file.ok()) << file.status();
  return file.ok() ? file->entries[0].trace : Trace();
}

TEST(Trace, WhatIsNotSaidIsNotCompared) {
  const Case c = MustParse(kTwoBuses);
  const Trace model = TraceOf(c);
  EXPECT_TRUE(Agree(model, Changed("alloc d0 A A.ops dev0", "alloc d0 A - -")));
  EXPECT_TRUE(Agree(model, Changed("  warns 0\n", "  warns 0\n  pins 3\n")));
  EXPECT_FALSE(Agree(model, Changed("  map d6 0-1", "  map d6 2-3")));
  EXPECT_FALSE(Agree(model, Changed("  mapped\n", "  mapped d6 0\n")));
  EXPECT_FALSE(Agree(model, Changed("alloc d0 A A.ops dev0", "alloc d0 A B.ops dev0")));
  EXPECT_FALSE(Agree(model, Changed("alloc d0 A", "alloc d0 B")));
}

TEST(Trace, TheFirstDifferenceIsShownWithWhatComesBefore) {
  const Case c = MustParse(kTwoBuses);
  const Trace other = Changed("4 register iommu1 = 0", "4 register iommu1 = -EBUSY");
  EXPECT_FALSE(Agree(TraceOf(c), other));
  const Comparison comparison = Compare(c, TraceOf(c), "model", other, "real code");
  EXPECT_FALSE(comparison.agree);
  EXPECT_EQ(comparison.step, 3U);
  EXPECT_EQ(comparison.prefix, 9U);
  EXPECT_TRUE(comparison.text.ends_with(
      "! 4 register iommu1 = 0               |4 register iommu1 = -EBUSY\n"))
      << comparison.text;
  for (std::string_view rest = comparison.text; !rest.empty();) {
    const size_t end = rest.find('\n');
    EXPECT_LE(end, 75U);
    rest.remove_prefix(end + 1);
  }
}

TEST(Trace, EqualTracesAgreeToTheEnd) {
  const Case c = MustParse(kTwoBuses);
  const Comparison comparison = Compare(c, TraceOf(c), "a", TraceOf(c), "b");
  EXPECT_TRUE(comparison.agree);
  EXPECT_EQ(comparison.step, c.ops.size());
}

TEST(Trace, DifferencesAtTheEndCount) {
  const Case c = MustParse(kTwoBuses);
  const Trace model = TraceOf(c);
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
  const Case c = MustParse(text);
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
  std::istringstream rows(comparison.text);
  for (std::string row; std::getline(rows, row);) {
    EXPECT_LE(row.size(), 75U) << row;
    ASSERT_GT(row.size(), 38U) << row;
    EXPECT_EQ(row[38], '|') << row;
    for (char ch : row.substr(2, 36))
      if (ch != ' ') left += ch;
    for (char ch : row.substr(39))
      if (ch != ' ') right += ch;
  }
  std::string wanted_left = "model";
  std::string wanted_right = "realcode";
  const std::vector<std::string> lines = TraceLines(c, model);
  for (size_t i = 0; i <= comparison.prefix; ++i)
    for (char ch : lines[i])
      if (ch != ' ') wanted_left += ch;
  const std::vector<std::string> real_lines = TraceLines(c, real);
  for (size_t i = 0; i <= comparison.prefix; ++i)
    for (char ch : real_lines[i])
      if (ch != ' ') wanted_right += ch;
  EXPECT_EQ(left, wanted_left);
  EXPECT_EQ(right, wanted_right);
}

TEST(Agree, SeesWhatNoLaterOpAsksFor) {
  const Case c = MustParse(kTwoBuses);
  const Trace model = TraceOf(c);
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
TEST(Agree, SeesACrash) {
  const Case c = MustParse(kTwoBuses);
  Trace model = TraceOf(c);
  Trace real = model;
  real.calls.resize(real.steps[8].calls_end);
  real.calls.push_back({.kind = Call::Kind::kCrash});
  real.steps.resize(10);
  real.steps[9] = {-EFAULT, static_cast<uint32_t>(real.calls.size())};
  EXPECT_TRUE(real.crashed());
  EXPECT_FALSE(Agree(model, real));
  EXPECT_EQ(Compare(c, model, "model", real, "real code").step, 9U);
}

}  // namespace
}  // namespace iommucheck::conform
