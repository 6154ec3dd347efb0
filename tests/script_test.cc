// SPDX-License-Identifier: Apache-2.0
#include "src/conform/script.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/case/spelling.h"
#include "src/conform/record.h"

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
  EXPECT_THAT(WhyNot("kernel v6.0\n\nset-iommu c0\n"), HasSubstr("kernels since 6.1"));
  EXPECT_THAT(WhyNot("kernel v6.12\ndevice d amba\n\nset-iommu c0\n"), HasSubstr("no bus amba"));
  EXPECT_THAT(
      WhyNot("kernel v6.12\nfirmware acpi\ndriver A firmware=dt\ninstance i A\n\nregister i\n"),
      HasSubstr("other firmware"));
  std::string many = "kernel v6.12\n";
  for (int i = 0; i < 9; ++i) many += "device d" + std::to_string(i) + " pci slot=1\n";
  EXPECT_THAT(WhyNot(many + "\nset-iommu c0\n"), HasSubstr("more pci functions"));
}

constexpr std::string_view kDriver = "driver B ";
constexpr std::string_view kInstance = "instance i A ";
constexpr std::string_view kDevice = "device d pci i ";

// A machine of two drivers, an instance and devices, and an op; `said` is appended to the line
// `of`.
std::string MachineWith(std::string_view of, std::string_view said) {
  const auto with = [&](std::string_view line) {
    return std::string(line) + (line == of ? std::string(said) : "") + "\n";
  };
  return "kernel v6.12\n" + (of.empty() ? std::string(said) + "\n" : "") + "table shared\n" +
         "driver A\n" + with(kDriver) + with(kInstance) + "device e pci i\n" + with(kDevice) +
         "\nregister i\n";
}

// Every attribute that a machine can have is either in the script, or the case is refused with a
// reason that has the word.
TEST(Script, HasEveryAttributeOfAMachineOrIsRefused) {
  enum class Expected : uint8_t { kPlayed, kRefused, kNoMatter };
  using enum Expected;
  struct Attribute {
    std::string_view of;  // "": a separate statement
    std::string_view said;
    Expected expected;
  };
  static constexpr Attribute kAttributes[] = {
      {"", "settings passthrough", kRefused},
      {"", "settings unsafe-interrupts", kRefused},
      {"", "settings dma-entries=2", kRefused},
      {"", "settings memlock=20", kRefused},
      {"", "firmware acpi", kNoMatter},
      {kDriver, "firmware=acpi", kNoMatter},
      // Behaviour with bus slots, which 6.1 does not have any more.
      {kDriver, "claims=pci:strict", kNoMatter},
      {kDriver, "claims-once", kNoMatter},
      {kDriver, "clears", kNoMatter},
      {kDriver, "unwinds", kNoMatter},
      {kDriver, "same-instance", kPlayed},
      {kDriver, "refuses-foreign", kPlayed},
      {kDriver, "per-instance-groups", kPlayed},
      {kDriver, "no-default-domain", kPlayed},
      {kDriver, "not-coherent", kPlayed},
      {kDriver, "accepts-foreign", kPlayed},
      {kDriver, "deferred", kRefused},
      {kDriver, "nesting", kRefused},
      {kDriver, "static-identity", kRefused},
      {kDriver, "checks-snoop", kRefused},
      {kDriver, "drops-old", kRefused},
      {kDriver, "mismatch-errno=EXDEV", kRefused},
      {kDriver, "table=shared", kPlayed},
      {kDriver, "address=A", kPlayed},
      {kInstance, "fwnode", kPlayed},
      {kInstance, "not-enforcing", kPlayed},
      {kInstance, "no-msi-isolation", kRefused},
      {kInstance, "aperture=0-3", kRefused},
      {kInstance, "page-sizes=2", kRefused},
      {kInstance, "table=shared", kPlayed},
      {kDevice, "alias=e", kPlayed},
      {kDevice, "slot=1", kPlayed},
      {kDevice, "absent", kPlayed},
      {kDevice, "default=dma", kRefused},
      {kDevice, "resv=1-2:msi", kRefused},
  };
  const std::string plain = *PrintScript(Parse(MachineWith("", "")), "x");
  for (const Attribute& attribute : kAttributes) {
    const std::string said(attribute.said.substr(attribute.said.starts_with("settings ") ? 9 : 0));
    const Case c = Parse(MachineWith(attribute.of, attribute.said));
    EXPECT_THAT(PrintCase(c), HasSubstr(said));
    const absl::StatusOr<std::string> script = PrintScript(c, "x");
    EXPECT_EQ(script.ok(), attribute.expected != kRefused) << said;
    if (script.ok())
      EXPECT_EQ(*script != plain, attribute.expected == kPlayed) << said;
    else
      EXPECT_THAT(std::string(script.status().message()), HasSubstr(said));
  }
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
  Case c =
      Parse("kernel v6.12\ndriver A\ninstance i A\ndevice d pci i\ndevice e pci i\n\nregister i\n");
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
    EXPECT_THAT(*script, HasSubstr("\n" + std::string(InfoOf(op.kind).word) + " 0"));
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
