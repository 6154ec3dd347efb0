// SPDX-License-Identifier: Apache-2.0
#include "src/report/picture.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/given.h"

namespace iommucheck::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Case Violating() {
  return Parsed(ReadWhole(kSource / "corpus/litmus/v6.0+two-buses+same_ops-dropped.case"));
}

// A machine with as many devices as there may be: 20 instances' worth of groups that are alike.
Case Large() {
  std::string text = "kernel v7.1\ndriver a\ndriver b per-instance-groups\ninstance a0 a fwnode\n";
  for (int i = 0; i < 12; ++i) text += "instance b" + std::to_string(i) + " b fwnode\n";
  for (int d = 0; d < 48; ++d) text += "device d" + std::to_string(d) + " platform a0\n";
  for (int d = 0; d < 12; ++d)
    text += "device e" + std::to_string(d) + " platform b" + std::to_string(d) + "\n";
  return Parsed(text);
}

size_t CountOf(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++n;
  return n;
}

TEST(Picture, MarksWhatIsWronged) {
  const std::string dot = Dot(Violating());
  EXPECT_THAT(dot, HasSubstr("dev1 [label=\"8000000.dma\\nplatform\", class=wrong]"));
  EXPECT_THAT(dot, HasSubstr("dev1 -> d3 [style=bold, class=wrong]"));
  EXPECT_THAT(dot, Not(HasSubstr("dev0 -> d3 [style=bold, class=wrong]")));
  EXPECT_THAT(dot, HasSubstr("v6.0 without type1.same_ops, after 6 steps: no-cross-driver-attach "
                             "violated at step 6"));
}

TEST(Picture, DrawsWhatIsAlikeOnce) {
  const std::string dot = Dot(Large());
  EXPECT_THAT(dot, HasSubstr("48 groups, platform:\\nd0\\nd1\\nd2\\nd3\\nand 44 more"));
  EXPECT_THAT(dot, HasSubstr("12 groups, platform:\\ne0"));
  EXPECT_THAT(dot, HasSubstr("label=\"12 IOMMUs\\nb\""));
  EXPECT_EQ(CountOf(dot, "shape=hexagon"), 2U);
  EXPECT_LT(CountOf(dot, "\n"), 25U);
}

TEST(Picture, ShowsAMachineAsItHasBooted) {
  Case c = Violating();
  c.ops.clear();
  EXPECT_THAT(Dot(c), HasSubstr("group 0"));
  EXPECT_THAT(Dot(c), Not(HasSubstr("class=wrong")));
}

TEST(Picture, IsDrawnForLightAndDarkAndStepByStep) {
  const absl::StatusOr<std::string> svg = Svg(Violating());
  if (!svg.ok()) {
    EXPECT_THAT(std::string(svg.status().message()), HasSubstr("package graphviz"));
    GTEST_SKIP() << svg.status();
  }
  EXPECT_THAT(*svg, testing::StartsWith("<svg"));
  EXPECT_THAT(*svg, HasSubstr("prefers-color-scheme:dark"));
  EXPECT_THAT(*svg, HasSubstr("class=\"node wrong\""));
  EXPECT_THAT(*svg, HasSubstr("class=\"edge wrong\""));
  const std::string page = PictureHtml(Violating()).value();
  EXPECT_EQ(CountOf(page, "<section>"), 7U);
  EXPECT_THAT(page, HasSubstr("6. set-container 1 c0: ok"));
  EXPECT_EQ(CountOf(PictureHtml(Large()).value(), "<section>"), 1U);
}

}  // namespace
}  // namespace iommucheck::report
