// SPDX-License-Identifier: Apache-2.0
#include "src/conform/script.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace iommucheck::conform {
namespace {

using testing::HasSubstr;

Case Parse(std::string_view text) {
  absl::StatusOr<Case> c = ParseCase(text, "a.case");
  EXPECT_TRUE(c.ok()) << c.status();
  return c.ok() ? *std::move(c) : Case();
}

constexpr std::string_view kCase = R"(kernel v6.12
table shared
driver A table=shared
driver B per-instance-groups not-coherent address=A
instance i0 A fwnode
instance i1 B not-enforcing
device d0 pci i0
device d1 pci i1 slot=3
device d2 pci i1 i0 slot=3 alias=d0
device d3 platform i0 absent

register i0 fail=attach:d1:EBUSY:all fail=alloc:2
add d3 fail=probe:d3:ENODEV
set-container 1 c2
set-iommu c2
)";

TEST(Script, SaysTheMachineAndTheOps) {
  const absl::StatusOr<std::string> script = PrintScript(Parse(kCase), "x");
  ASSERT_TRUE(script.ok()) << script.status();
  EXPECT_EQ(*script,
            "case x\n"
            "driver 0 0 0 1 1 0 0 0 0\n"
            "driver 0 1 0 0 1 0 0 1 0\n"
            "instance 0 1 0 0 1\n"
            "instance 1 0 1 0 0\n"
            "device 1 8 0 -1 1 0 -1\n"
            "device 1 16 1 -1 1 1 -1\n"
            "device 1 17 1 0 1 1 0\n"
            "device 0 0 0 -1 0 0 -1\n"
            "boot\n"
            "fail-attach 1 255 16\n"
            "fail-alloc 2 1 12\n"
            "register 0\n"
            "fail-probe 3 1 19\n"
            "add 3\n"
            "set-container 1 2\n"
            "set-iommu 2\n"
            "end\n");
}

std::string WhyNot(std::string_view text) {
  return std::string(PrintScript(Parse(text), "x").status().message());
}

TEST(Script, SaysWhyACaseCannotBePlayed) {
  EXPECT_THAT(WhyNot("kernel v6.12\n"), HasSubstr("no op is possible"));
  EXPECT_THAT(WhyNot("kernel v6.12\ndevice d amba\n\nset-iommu c0\n"), HasSubstr("no bus amba"));
  EXPECT_THAT(
      WhyNot("kernel v6.12\nfirmware acpi\ndriver A firmware=dt\ninstance i A\n\nregister i\n"),
      HasSubstr("other firmware"));
  std::string many = "kernel v6.12\n";
  for (int i = 0; i < 9; ++i) many += "device d" + std::to_string(i) + " pci slot=1\n";
  EXPECT_THAT(WhyNot(many + "\nset-iommu c0\n"), HasSubstr("more pci functions"));
}

absl::StatusOr<Record> Read(std::string_view text, const Case& c) {
  return ParseRecord(text, "x.record",
                     [&c](std::string_view name) { return name == "x" ? &c : nullptr; });
}

TEST(Record, IsATrace) {
  const Case c = Parse(kCase);
  const absl::StatusOr<Record> record = Read(
      "case x\n"
      "op register 0\nresult -16\nprobe 0 0\nalloc 0 0 0 0 0\nattach 0 0 -16\nalloc -1 0 0 1 -12\n"
      "op add 3\nresult 0\n"
      "group 0 5 0\ngroup 1 6 0\ngroup 2 6 0\ndomains 1\nwarn iommu_detach_group\nend\ndone\n",
      c);
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_TRUE(record->done);
  ASSERT_EQ(record->entries.size(), 1U);
  EXPECT_EQ(PrintTrace(c, record->entries[0].trace, "x"),
            "case x\n"
            "1 register i0 fail=attach:d1:EBUSY:all fail=alloc:2 = -EBUSY\n"
            "  probe d0 i0\n"
            "  alloc d0 A shared d0\n"
            "  attach d0 d0 = -EBUSY\n"
            "  alloc - A shared d1 = -ENOMEM\n"
            "2 add d3 fail=probe:d3:ENODEV = 0\n"
            "end\n"
            "  groups d0 | d1 d2\n"
            "  share d0 d1 d2\n"
            "  domains 1\n"
            "  warns 1\n");
  EXPECT_THAT(record->functions[0], testing::ElementsAre("iommu_detach_group"));
}

TEST(Record, EndsWithAnOops) {
  const Case c = Parse(kCase);
  const absl::StatusOr<Record> record =
      Read("case x\nop register 0\nprobe 0 0\nrip iommu_attach_group\noops\nstop\n", c);
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_FALSE(record->done);
  ASSERT_EQ(record->entries.size(), 1U);
  const Trace& trace = record->entries[0].trace;
  EXPECT_TRUE(trace.oops());
  ASSERT_EQ(trace.steps.size(), 1U);
  EXPECT_EQ(trace.CallsOf(0).size(), 2U);
  EXPECT_EQ(trace.warns, 0);
}

TEST(Record, LeavesOutWhatWasCutOff) {
  const Case c = Parse(kCase);
  const absl::StatusOr<Record> record = Read("case x\nop register 0\nresult 0\nalloc 0 0", c);
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_TRUE(record->entries.empty());
}

std::string Error(std::string_view text) {
  return std::string(Read(text, Parse(kCase)).status().message());
}

TEST(Record, SaysWhatIsWrong) {
  EXPECT_THAT(Error("case y\nend\n"), HasSubstr("x.record:1:1: expected the name of a case"));
  EXPECT_THAT(Error("probe 0 0\nend\n"), HasSubstr("x.record:1:1: expected case"));
  EXPECT_THAT(Error("case x\nresult 0\nend\n"), HasSubstr("x.record:2:1: expected an op"));
  EXPECT_THAT(Error("case x\nprobe 0 0\nend\n"), HasSubstr("x.record:2:1: expected an op"));
  EXPECT_THAT(Error("case x\nop a\nprobe 0\nend\n"), HasSubstr("x.record:3:1: expected 2 numbers"));
  EXPECT_THAT(Error("case x\nop a\nresult x\nend\n"), HasSubstr("x.record:3:1: expected"));
  EXPECT_THAT(Error("case x\nop a\nprobe 0 9\nend\n"),
              HasSubstr("x.record:3:1: expected what the case has"));
  EXPECT_THAT(Error("case x\nfailed y\nend\n"), HasSubstr("x.record:2:1: expected a call"));
  EXPECT_THAT(Error("case x\ngroup 9 0 0\nend\n"), HasSubstr("x.record:2:1: expected a device"));
}

}  // namespace
}  // namespace iommucheck::conform
