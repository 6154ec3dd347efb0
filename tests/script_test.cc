// SPDX-License-Identifier: Apache-2.0
#include "src/conform/script.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/case/spelling.h"
#include "src/conform/trace_text.h"
#include "tests/given.h"

namespace iommucheck::conform {
namespace {

using testing::HasSubstr;

constexpr std::string_view kCase = R"(kernel v6.12
firmware dt
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
  const std::string script = PrintScript(Parsed(kCase), "x").value();
  EXPECT_EQ(script,
            "case x\n"
            "firmware 2\n"
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
            "op register 0\n"
            "fail-probe 3 1 19\n"
            "op add 3\n"
            "op set-container 1 2\n"
            "op set-iommu 2\n"
            "end\n");
}

std::string WhyNot(std::string_view text) { return MessageOf(PrintScript(Parsed(text), "x")); }

TEST(Script, SaysWhyACaseCannotBePlayed) {
  EXPECT_THAT(WhyNot("kernel v6.12\n"), HasSubstr("no op is possible"));
  EXPECT_THAT(WhyNot("kernel v6.0\n\nset-iommu c0\n"), HasSubstr("kernels since 6.1"));
  EXPECT_THAT(WhyNot("kernel v6.12\ndevice d amba\n\nset-iommu c0\n"), HasSubstr("no bus amba"));
  EXPECT_THAT(
      WhyNot("kernel v6.12\nfirmware acpi\ndriver A firmware=dt\ninstance i A\n\nregister i\n"),
      HasSubstr("other firmware"));
  std::string many = "kernel v6.12\n";
  for (int i = 0; i < 9; ++i) many += "device d" + std::to_string(i) + " pci slot=1\n";
  EXPECT_THAT(WhyNot(many + "\nset-iommu c0\n"), HasSubstr("more pci functions"));
}

TEST(Script, IsOfDevicesThatX86Has) {
  for (DeviceKind kind : {DeviceKind::kEmulated, DeviceKind::kNoIommu}) {
    const std::string word(DeviceKindName(kind));
    EXPECT_EQ(WhyNot("kernel v6.12\ndevice d pci " + word + "\n\nset-iommu c0\n"),
              "device d: the module does not know " + word);
  }
  for (int bus = 0; bus < kBusCount; ++bus) {
    const std::string name(BusName(static_cast<Bus>(bus)));
    const std::string why = WhyNot("kernel v6.12\ndevice d " + name + "\n\nset-iommu c0\n");
    if (name == "pci" || name == "platform")
      EXPECT_EQ(why, "");
    else
      EXPECT_THAT(why, HasSubstr("no bus " + name));
  }
  EXPECT_THAT(WhyNot("kernel v6.12\ndevice d platform sid=1\n\nset-iommu c0\n"),
              HasSubstr("device d"));
}

// A case of one op, on a machine that has everything that an op can name.
Case CaseOf(const Op& op) {
  Case c = Parsed(
      "kernel v6.12\ndriver A\ninstance i A\ndevice d pci i\ndevice e pci i\n\nregister i\n");
  c.ops[0].op = op;
  return c;
}

// The script line of an op begins with the same word as PrintOp()'s, with numbers for the names.
void ExpectPlayedOrRefused(const Op& op, bool played) {
  const Case c = CaseOf(op);
  const std::string text = PrintOp(op, c.names);
  const absl::StatusOr<std::string> script = PrintScript(c, "x");
  EXPECT_EQ(script.ok(), played) << text;
  if (script.ok())
    EXPECT_THAT(*script, HasSubstr("\nop " + std::string(InfoOf(op.kind).word) + " 0"));
  else
    EXPECT_THAT(std::string(script.status().message()), HasSubstr("op 1, " + text + ": "));
}

TEST(Script, HasEveryOpOrIsRefused) {
  for (const OpInfo& op : AllOps()) {
    ExpectPlayedOrRefused({.kind = op.kind}, op.is(OpInfo::kBooted));
    for (const OpFlag& flag : op.flags)
      ExpectPlayedOrRefused({.kind = op.kind, .flags = flag.bit}, false);
  }
  for (int type = 0; type < kIommuTypeCount; ++type)
    ExpectPlayedOrRefused({.kind = OpKind::kSetIommu, .b = static_cast<uint8_t>(type)}, type == 0);
}

TEST(Script, HasEveryFailureOrIsRefused) {
  for (const FaultInfo& info : AllFaults()) {
    const Fault fault{.kind = info.kind, .target = 1, .error = 22};
    const bool played = info.encoded;
    for (size_t place = 0; place < kMaxFaults; ++place) {
      Op op{.kind = OpKind::kSetContainer};
      op.faults[place] = fault;
      ExpectPlayedOrRefused(op, played);
      const absl::StatusOr<std::string> script = PrintScript(CaseOf(op), "x");
      if (!played) continue;
      EXPECT_THAT(*script, HasSubstr("\nfail-" + std::string(info.word) + " 1 1 "));
    }
  }
}

absl::StatusOr<Record> Read(std::string_view text, const Case& c) {
  return ParseRecord(text, "x.record", {{"x", c}});
}

TEST(Record, IsATrace) {
  const Case c = Parsed(kCase);
  const Record record =
      Read(
          "case x\n"
          "op register 0\nresult -16\n"
          "probe -1 -1 -1 0 0 0\nalloc 0 0 0 -1 0 0\nattach 0 -1 -1 -1 0 -16\nalloc -1 0 0 -1 1 "
          "-12\n"
          "op add 3\nresult 0\n"
          "group 0 5 0\ngroup 1 6 0\ngroup 2 6 0\ndomains 1\nwarn iommu_detach_group\nend\ndone\n",
          c)
          .value();
  ASSERT_EQ(record.entries.size(), 1U);
  EXPECT_EQ(PrintTrace(c, record.entries[0].trace, "x"),
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
  EXPECT_THAT(record.functions, testing::ElementsAre(testing::Pair("iommu_detach_group", 1)));
}

TEST(Record, EndsWithAnOops) {
  const Case c = Parsed(kCase);
  const Record record =
      Read("case x\nop register 0\nprobe -1 -1 -1 0 0 0\nrip iommu_attach_group\noops\nstop\n", c)
          .value();
  ASSERT_EQ(record.entries.size(), 1U);
  const Trace& trace = record.entries[0].trace;
  EXPECT_TRUE(trace.oops());
  ASSERT_EQ(trace.steps.size(), 1U);
  EXPECT_EQ(trace.CallsOf(0).size(), 2U);
  EXPECT_EQ(trace.warns, 0);
}

TEST(Record, LeavesOutWhatWasCutOff) {
  const Case c = Parsed(kCase);
  const Record record = Read("case x\nop register 0\nresult 0\nalloc 0 0", c).value();
  EXPECT_TRUE(record.entries.empty());
}

std::string Error(std::string_view text) {
  return std::string(Read(text, Parsed(kCase)).status().message());
}

TEST(Record, SaysWhatIsWrong) {
  EXPECT_THAT(Error("case y\nend\n"), HasSubstr("x.record:1:6: expected the name of a case"));
  EXPECT_THAT(Error("probe 0 0\nend\n"), HasSubstr("x.record:1:1: expected case"));
  EXPECT_THAT(Error("case x\nresult 0\nend\n"), HasSubstr("x.record:2:1: expected an op"));
  EXPECT_THAT(Error("case x\nprobe 0 0\nend\n"), HasSubstr("x.record:2:1: expected an op"));
  EXPECT_THAT(Error("case x\nop a\nfree 0\nend\n"), HasSubstr("x.record:3:7: expected"));
  EXPECT_THAT(Error("case x\nop a\nfree 0 -1 -1 -1 -1 0 0\nend\n"),
              HasSubstr("x.record:3:22: expected the end of the line"));
  EXPECT_THAT(Error("case x\nop a\nresult x\nend\n"), HasSubstr("x.record:3:8: expected"));
  EXPECT_THAT(Error("case x\nop a\nprobe -1 -1 -1 9 0 0\nend\n"),
              HasSubstr("x.record:3:16: expected what the case has"));
  EXPECT_THAT(Error("case x\nfailed y\nend\n"), HasSubstr("x.record:2:1: expected a call"));
  EXPECT_THAT(Error("case x\ngroup 9 0 0\nend\n"), HasSubstr("x.record:2:7: expected a device"));
}

}  // namespace
}  // namespace iommucheck::conform
