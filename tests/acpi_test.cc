// SPDX-License-Identifier: Apache-2.0
//
// ACPI tables as they are read: by tables that iasl compiles from sources in tests/acpi, and by bytes
// where iasl does not know them.
#include "src/import/acpi.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/import/acpi_dump.h"
#include "src/import/import.h"
#include "src/report/system.h"
#include "tests/run_tool.h"

namespace iommucheck::import {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class AcpiTest : public ::testing::Test {
 protected:
  // The table that iasl makes of tests/acpi/NAME.asl.
  std::string Compiled(const std::string& name) {
    const std::filesystem::path out = folder_.path() / name;
    const auto run =
        RunShell("cd '" + folder_.path().string() + "' && timeout 60 iasl -p '" + out.string() +
                 "' " IOMMUCHECK_SOURCE_DIR "/tests/acpi/" + name + ".asl 2>&1 </dev/null");
    EXPECT_EQ(run.status, 0) << run.out;
    return ReadWhole(out.string() + ".aml");
  }
  // How often iasl's disassembly of the table has this pattern in a line.
  int InDisassembly(const std::string& name, const std::string& table, const std::string& pattern) {
    const std::filesystem::path file = folder_.path() / (name + ".dat");
    std::ofstream(file, std::ios::binary) << table;
    const auto run = RunShell("cd '" + folder_.path().string() + "' && timeout 60 iasl -d '" +
                              file.string() + "' 2>&1 </dev/null");
    EXPECT_EQ(run.status, 0) << run.out;
    std::ifstream in(folder_.path() / (name + ".dsl"));
    int count = 0;
    for (std::string line; std::getline(in, line);)
      if (std::regex_search(line, std::regex(pattern))) ++count;
    return count;
  }
  TemporaryFolder folder_;
};

std::string Number(uint64_t value, int bytes) {
  std::string text;
  for (; bytes > 0; --bytes, value >>= 8) text.push_back(static_cast<char>(value));
  return text;
}

// Sets the checksum, so that the table's bytes add up to 0.
void Sum(std::string& table) {
  constexpr size_t kChecksum = 9;
  table[kChecksum] = 0;
  unsigned sum = 0;
  for (const char byte : table) sum += static_cast<unsigned char>(byte);
  table[kChecksum] = static_cast<char>(256 - sum % 256);
}

std::string Table(const std::string& signature, const std::string& body) {
  std::string table = signature + std::string(32, '\0') + body;
  for (int i = 0; i < 4; ++i) table[4 + i] = static_cast<char>(table.size() >> (8 * i));
  Sum(table);
  return table;
}

System On(const Found& found, KernelVersion version = KernelVersion::kV7_1) {
  absl::StatusOr<System> system = ToSystem(found, version, Keep::kAllThatFit);
  EXPECT_TRUE(system.ok()) << system.status();
  return system.ok() ? *system : System();
}

Found Described(const std::string& bytes) {
  const absl::StatusOr<Found> found = ReadSnapshot(bytes, "x");
  EXPECT_TRUE(found.ok()) << found.status();
  return found.ok() ? *found : Found();
}

// The text that acpidump prints.
std::string Dump(const std::string& table, const std::string& end = "\n") {
  std::string text = table.substr(0, 4) + " @ 0x0000000077E2A000" + end;
  for (size_t at = 0; at < table.size(); at += 16) {
    std::array<char, 16> offset{};
    std::snprintf(offset.data(), offset.size(), "%8.4zX:", at);
    text += offset.data();
    std::string shown;
    for (size_t i = at; i < std::min(at + 16, table.size()); ++i) {
      std::array<char, 8> byte{};
      const auto value = static_cast<unsigned char>(table[i]);
      std::snprintf(byte.data(), byte.size(), " %02X", value);
      text += byte.data();
      shown += value >= ' ' && value <= '~' ? static_cast<char>(value) : '.';
    }
    text.resize(text.size() + 3 * (16 - shown.size()), ' ');
    text += "  " + shown + end;
  }
  return text + end;
}

TEST_F(AcpiTest, ReadsDmarWhole) {
  const std::string table = Compiled("dmar");
  const Dmar dmar = ParseDmar(table).value();
  ASSERT_THAT(dmar.units, SizeIs(2));
  EXPECT_EQ(dmar.units[0].address, 0xfed90000U);
  EXPECT_FALSE(dmar.units[0].all_pci);
  EXPECT_TRUE(dmar.units[1].all_pci);
  ASSERT_THAT(dmar.units[0].scopes, SizeIs(2));
  EXPECT_EQ(dmar.units[0].scopes[1].kind, DmarScope::Kind::kBridge);
  EXPECT_THAT(dmar.units[0].scopes[1].path, ElementsAre(0x1c << 3, 1));
  ASSERT_THAT(dmar.units[1].scopes, SizeIs(3));
  EXPECT_EQ(dmar.units[1].scopes[0].kind, DmarScope::Kind::kIoapic);
  EXPECT_EQ(dmar.units[1].scopes[1].kind, DmarScope::Kind::kHpet);
  EXPECT_EQ(dmar.units[1].scopes[2].kind, DmarScope::Kind::kNamespace);
  ASSERT_THAT(dmar.names, SizeIs(1));
  EXPECT_EQ(dmar.names[0].name, "\\_SB.PCI0.I2C0");
  ASSERT_THAT(dmar.reserved, SizeIs(1));
  EXPECT_EQ(dmar.reserved[0].last, 0x7fffffffU);
  ASSERT_THAT(dmar.ats, SizeIs(1));
  EXPECT_FALSE(dmar.ats[0].integrated);
  EXPECT_THAT(dmar.unread, IsEmpty());

  const size_t scopes = dmar.units[0].scopes.size() + dmar.units[1].scopes.size() +
                        dmar.reserved[0].scopes.size() + dmar.ats[0].scopes.size();
  EXPECT_EQ(InDisassembly("dmar", table, "Device Scope Type"), static_cast<int>(scopes));
  EXPECT_EQ(InDisassembly("dmar", table, "PCI Path"), static_cast<int>(scopes) + 1);
}

// An integrated device with ATS (SATC, type 5), which this iasl does not know; SIDP (6) says
// nothing about what is behind an IOMMU, and 9 is not known.
TEST_F(AcpiTest, ReadsSatcAndNotesWhatItDoesNotKnow) {
  const std::string scope =
      Number(1, 1) + Number(8, 1) + std::string(4, '\0') + Number(2, 1) + Number(0, 1);
  const auto entry = [&](int type) {
    return Number(type, 2) + Number(16, 2) + Number(1, 1) + Number(0, 1) + Number(3, 2) + scope;
  };
  const auto table = [&](int type) { return Table("DMAR", std::string(12, '\0') + entry(type)); };
  const Dmar satc = ParseDmar(table(5)).value();
  ASSERT_THAT(satc.ats, SizeIs(1));
  EXPECT_TRUE(satc.ats[0].integrated);
  EXPECT_TRUE(satc.ats[0].all);
  EXPECT_EQ(satc.ats[0].segment, 3);
  EXPECT_THAT(ParseDmar(table(6))->unread, IsEmpty());
  EXPECT_THAT(ParseDmar(table(9))->unread, ElementsAre("an entry of type 9 at byte 48"));
}

TEST_F(AcpiTest, AMachineOfDmarHasItsUnitsAndWhatTheyName) {
  const Found found = Described(Compiled("dmar"));
  const System system = On(found);
  EXPECT_THAT(system.names.drivers, ElementsAre("intel"));
  EXPECT_THAT(system.names.instances, ElementsAre("dmar0", "dmar1"));
  EXPECT_THAT(system.names.devices,
              ElementsAre("__SB.PCI0.I2C0", "0000:00:02.0", "0000:00:1c.0_00.1",
                          "0000:00:1c.0_00.1-below-1", "0000:00:1c.0_00.1-below-2", "pci0000-1",
                          "pci0000-2"));
  EXPECT_EQ(system.topology.devices[2].masters[0], 0);
  EXPECT_EQ(system.topology.devices[5].masters[0], 1) << "the unit that has the rest";
}

TEST_F(AcpiTest, ReadsIvrsWhole) {
  const std::string table = Compiled("ivrs");
  const Ivrs ivrs = ParseIvrs(table).value();
  ASSERT_THAT(ivrs.iommus, SizeIs(1)) << "blocks 10h and 11h are of one IOMMU";
  const IvrsIommu& iommu = ivrs.iommus[0];
  EXPECT_EQ(iommu.at, (PciAddress{0, 2}));
  EXPECT_EQ(iommu.address, 0xfd200000U);
  ASSERT_THAT(iommu.devices, SizeIs(4));
  EXPECT_EQ(iommu.devices[0].first, 8);
  EXPECT_EQ(iommu.devices[0].last, 0xfffe);
  EXPECT_EQ(iommu.devices[1].first, 0x18);
  EXPECT_EQ(iommu.devices[2].first, 0x100);
  EXPECT_EQ(iommu.devices[2].alias, 0xa4);
  EXPECT_EQ(iommu.special, 1);
  ASSERT_THAT(ivrs.memory, SizeIs(1));
  EXPECT_EQ(ivrs.memory[0].first_id, 0x18);
  EXPECT_EQ(ivrs.memory[0].last, 0x7b80ffffU);
  EXPECT_EQ(InDisassembly("ivrs", table, "Subtable Type"), 3);
  EXPECT_EQ(InDisassembly("ivrs", table, "Entry Type"), 7) << "with the ends of two ranges";
}

// A block of type 40h, with HIDs, which this iasl does not know. Two UARTs send one id.
std::string Hid(int id, const std::string& hid, int format, const std::string& uid) {
  return Number(0xf0, 1) + Number(id, 2) + Number(0x40, 1) + hid +
         std::string(8 - hid.size(), '\0') + std::string(8, '\0') + Number(format, 1) +
         Number(uid.size(), 1) + uid;
}
std::string Block(int type, int device, const std::string& entries) {
  const size_t fixed = type == 0x10 ? 24 : 40;
  return Number(type, 1) + Number(0, 1) + Number(fixed + entries.size(), 2) + Number(device, 2) +
         Number(0x40, 2) + Number(0xfd000000 + device, 8) + std::string(fixed - 16, '\0') + entries;
}
std::string IvrsOf(const std::string& blocks) {
  return Table("IVRS", std::string(12, '\0') + blocks);
}

TEST_F(AcpiTest, ReadsHids) {
  const std::string table =
      IvrsOf(Block(0x10, 2, Number(1, 1) + Number(0, 3)) +
             Block(0x40, 2,
                   Hid(0xa5, "AMDI0020", 2, "\\_SB.FUR0") + Hid(0xa5, "AMDI0020", 2, "\\_SB.FUR1") +
                       Hid(0x98, "PNP0D40", 1, Number(7, 8)) + Hid(0x99, "X", 0, "") +
                       Hid(0x9a, "Y", 1, Number(258, 2))));
  const Ivrs ivrs = ParseIvrs(table).value();
  ASSERT_THAT(ivrs.iommus, SizeIs(1));
  ASSERT_THAT(ivrs.iommus[0].named, SizeIs(5));
  EXPECT_EQ(ivrs.iommus[0].named[4].uid, "258");
  EXPECT_EQ(ivrs.iommus[0].named[0].uid, "\\_SB.FUR0");
  EXPECT_EQ(ivrs.iommus[0].named[2].hid, "PNP0D40");
  EXPECT_EQ(ivrs.iommus[0].named[2].uid, "7");
  EXPECT_EQ(ivrs.iommus[0].named[3].uid, "");

  const System system = On(Described(table));
  EXPECT_THAT(system.names.drivers, ElementsAre("amd"));
  std::map<std::string, int> group;
  for (const AsFound& device : system.as_found) group[device.device] = device.group;
  EXPECT_EQ(group.at("AMDI0020:\\_SB.FUR0"), group.at("AMDI0020:\\_SB.FUR1"));
  EXPECT_NE(group.at("AMDI0020:\\_SB.FUR0"), group.at("PNP0D40:7"));
  EXPECT_EQ(group.count("pci0000-1"), 1U);
}

TEST_F(AcpiTest, SaysWhereIvrsIsWrong) {
  const auto error = [](const std::string& blocks) {
    return std::string(ParseIvrs(IvrsOf(blocks)).status().message());
  };
  const std::string start = Number(3, 1) + Number(8, 2) + Number(0, 1);
  const std::string end = Number(4, 1) + Number(7, 2) + Number(0, 1);
  EXPECT_THAT(error(Block(0x10, 2, start)), HasSubstr("expected the end of a range of devices"));
  EXPECT_THAT(error(Block(0x10, 2, end)), HasSubstr("at byte 72"));
  EXPECT_THAT(error(Block(0x10, 2, start + end)), HasSubstr("at byte 76, found 0x0007"));
  EXPECT_THAT(error(Block(0x10, 2, start + start)), HasSubstr("found an entry 0x03"));
  EXPECT_THAT(error(Block(0x10, 2, "\x42")),
              HasSubstr("an entry at byte 72, found the end of its"));
  EXPECT_THAT(error(Block(0x40, 2, Hid(1, "", 0, ""))), HasSubstr("a HID at byte 92, found none"));
  EXPECT_THAT(error(Block(0x40, 2, Hid(1, "A", 1, "123456789"))),
              HasSubstr("a UID that is a number"));
  EXPECT_THAT(error(Block(0x40, 2, Hid(1, "A\x1b", 0, ""))), HasSubstr("printable"));
  EXPECT_THAT(ParseIvrs(IvrsOf(Block(0x10, 2, Number(0x9f, 1) + std::string(15, '\0'))))->unread,
              ElementsAre("an entry of type 0x9f at byte 72"));
  EXPECT_THAT(ParseIvrs(IvrsOf(Number(0x51, 2) + Number(4, 2)))->unread,
              ElementsAre("a block of type 0x51 at byte 48"));
}

TEST_F(AcpiTest, ReadsIortWhole) {
  const std::string table = Compiled("iort");
  const Iort iort = ParseIort(table).value();
  ASSERT_THAT(iort.smmus, SizeIs(2));
  EXPECT_FALSE(iort.smmus[0].v3);
  EXPECT_EQ(iort.smmus[0].address, 0x15000000U);
  EXPECT_TRUE(iort.smmus[1].v3);
  EXPECT_TRUE(iort.smmus[1].coherent);
  ASSERT_THAT(iort.sources, SizeIs(2));
  EXPECT_EQ(iort.sources[0].name, "\\_SB.GPU0");
  EXPECT_TRUE(iort.sources[0].coherent);
  ASSERT_THAT(iort.sources[0].maps, SizeIs(2));
  EXPECT_EQ(iort.sources[0].maps[1].out, 0x11U);
  EXPECT_TRUE(iort.sources[1].is_pci);
  EXPECT_EQ(iort.sources[1].segment, 2U);
  ASSERT_THAT(iort.sources[1].maps, SizeIs(1)) << "the other goes to the ITS";
  EXPECT_EQ(iort.sources[1].maps[0].last, 0xfffeU);
  EXPECT_EQ(iort.sources[1].maps[0].iommu, 1U);
  EXPECT_EQ(InDisassembly("iort", table, " Type :"), 5);
  EXPECT_EQ(InDisassembly("iort", table, "Input base"), 4);
}

// The machine that the maintainers asked for: two drivers in one table.
TEST_F(AcpiTest, TwoDriversInOneTableAreSeen) {
  const Found found = Described(Compiled("iort"));
  const System system = On(found);
  EXPECT_THAT(system.names.drivers, ElementsAre("arm-smmu", "arm-smmu-v3"));
  EXPECT_THAT(system.gaps, IsEmpty());
  EXPECT_THAT(system.assumptions, Contains(HasSubstr("Given is IORT alone")));
  ASSERT_EQ(system.topology.devices_count, 3);
  EXPECT_EQ(system.topology.devices[0].bus, Bus::kPlatform);
  EXPECT_EQ(system.topology.devices[1].bus, Bus::kPci);
  const auto report = report::CheckFound(
      {.path = "x", .kernel = KernelSpec{.version = KernelVersion::kV7_1}}, found);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(report::SystemAnswer(*report),
              ::testing::StartsWith("not affected because no run puts a device of arm-smmu, "
                                    "arm-smmu-v3 on a domain of another"));
}

// A gap that could hide drivers weighs more than one of devices, wherever it stands.
TEST(SystemAnswer, NamesTheWeightiestGap) {
  report::SystemReport report;
  report.kernels = {KernelSpec{.version = KernelVersion::kV7_1}};
  report.searches.push_back({.kernel = report.kernels.front(), .property = {}});
  report.searches.back().verdict = Verdict::kUnknown;
  report.system.gaps = {
      {.missing = "Devices.", .unknown = "x", .settle = "a", .hides = Gap::Hides::kDevices},
      {.missing = "Known.", .unknown = "x", .settle = "b", .driver = "intel"},
      {.missing = "Any.", .unknown = "x", .settle = "c"},
      {.missing = "Later.", .unknown = "x", .settle = "d"}};
  EXPECT_EQ(report::SystemAnswer(report),
            "unknown because of what is missing: Any. To settle it: c.");
}

std::string IortNode(int type, const std::string& data, const std::string& maps = "",
                     int revision = 0) {
  const size_t length = 16 + data.size() + maps.size();
  return Number(type, 1) + Number(length, 2) + Number(revision, 1) + Number(0, 4) +
         Number(maps.size() / 20, 4) + Number(16 + data.size(), 4) + data + maps;
}
std::string IortOf(int count, const std::string& nodes) {
  return Table("IORT", Number(count, 4) + Number(48, 4) + Number(0, 4) + nodes);
}
std::string Map(uint32_t first, uint32_t more, uint32_t out, uint32_t to) {
  return Number(first, 4) + Number(more, 4) + Number(out, 4) + Number(to, 4) + Number(1, 4);
}
const std::string kSmmu3 = IortNode(4, Number(0x1000, 8) + std::string(44, '\0'));

// Reserved memory (RMR, type 6) is newer than this iasl.
TEST_F(AcpiTest, ReadsRmr) {
  const std::string region = Number(0xf0000000, 8) + Number(0x10000, 8) + Number(0, 4);
  const std::string data = Number(1, 4) + Number(1, 4) + Number(28, 4) + region;
  const Iort iort = ParseIort(IortOf(2, kSmmu3 + IortNode(6, data, Map(0, 0, 5, 48), 3))).value();
  ASSERT_THAT(iort.reserved, SizeIs(1));
  EXPECT_EQ(iort.reserved[0].last, 0xf000ffffU);
  ASSERT_THAT(iort.reserved[0].maps, SizeIs(1));
  EXPECT_EQ(iort.reserved[0].maps[0].out, 5U);
  EXPECT_THAT(MessageOf(ParseIort(IortOf(
                  2, kSmmu3 + IortNode(6, Number(1, 4) + Number(9, 4) + Number(28, 4) + region)))),
              HasSubstr("expected 9 regions within the node"));
}

TEST_F(AcpiTest, SaysWhereIortIsWrong) {
  const auto error = [](int count, const std::string& nodes) {
    return MessageOf(ParseIort(IortOf(count, nodes)));
  };
  const std::string named = Number(0, 4) + Number(0, 8) + Number(0, 1) + "\\_SB.X" + Number(0, 2);
  EXPECT_THAT(error(2, kSmmu3), HasSubstr("a node at byte 116, found the end of the table"));
  EXPECT_THAT(error(2, kSmmu3 + IortNode(1, named, Map(0, 0, 0, 50))),
              HasSubstr("the offset of a node at byte 165, found 50"));
  EXPECT_THAT(error(2, kSmmu3 + IortNode(1, named, Map(9, 0xffffffff, 0, 48))),
              HasSubstr("a range of ids of 32 bits"));
  EXPECT_THAT(error(1, IortNode(1, Number(0, 4) + Number(0, 8) + Number(0, 1) + "\\_SB.X")),
              HasSubstr("no zero byte after it"));
  EXPECT_THAT(
      error(1, IortNode(1, Number(0, 4) + Number(0, 8) + Number(0, 1) + "\x1b[m" + Number(0, 1))),
      HasSubstr("printable characters at byte 77, found 0x1b"));
  EXPECT_THAT(error(1, IortNode(4, Number(0, 8))), HasSubstr("the length of a node at byte 49"));
  EXPECT_THAT(ParseIort(IortOf(1, IortNode(9, "")))->unread,
              ElementsAre("a node of type 9 at byte 48"));
  // It may be an IOMMU of a third driver.
  EXPECT_THAT(On(Described(IortOf(2, kSmmu3 + IortNode(9, "")))).gaps, SizeIs(1));
}

std::string RimtNode(int type, const std::string& data) {
  return Number(type, 1) + Number(1, 1) + Number(8 + data.size(), 2) + Number(0, 4) + data;
}
std::string RimtOf(int count, const std::string& nodes) {
  return Table("RIMT", Number(count, 4) + Number(48, 4) + Number(0, 4) + nodes);
}

TEST_F(AcpiTest, ReadsRimt) {
  const std::string iommu =
      RimtNode(0, std::string(8, 'R') + Number(0x10010000, 8) + Number(0, 12) + Number(0, 4));
  const std::string host = RimtNode(1, Number(0, 4) + Number(0, 2) + Number(1, 2) + Number(20, 2) +
                                           Number(1, 2) + Map(0, 0xffff, 0, 48));
  const std::string device = RimtNode(2, Number(20, 2) + Number(1, 2) + "\\_SB.DMA");
  const std::string named =
      RimtNode(2, Number(21, 2) + Number(1, 2) + "\\_SB.DMA" + Number(0, 1) + Map(0, 1, 7, 48));
  const Rimt rimt = ParseRimt(RimtOf(3, iommu + host + named)).value();
  ASSERT_THAT(rimt.iommus, SizeIs(1));
  EXPECT_EQ(rimt.iommus[0].address, 0x10010000U);
  ASSERT_THAT(rimt.sources, SizeIs(2));
  EXPECT_EQ(rimt.sources[0].segment, 1U);
  EXPECT_EQ(rimt.sources[1].name, "\\_SB.DMA");
  EXPECT_EQ(rimt.sources[1].maps[0].out, 7U);
  EXPECT_THAT(MessageOf(ParseRimt(RimtOf(2, iommu + device))), HasSubstr("no zero byte"));
  EXPECT_THAT(MessageOf(ParseRimt(RimtOf(1, host))), HasSubstr("the offset of an IOMMU node"));
  EXPECT_THAT(MessageOf(ParseRimt(RimtOf(1, RimtNode(7, "")))), HasSubstr("a node of type 0 to 2"));

  const Found found = Described(RimtOf(3, iommu + host + named));
  EXPECT_THAT(On(found).names.drivers, ElementsAre("riscv"));
  // Kernels without the driver.
  const System before = On(found, KernelVersion::kV6_1);
  EXPECT_THAT(before.names.instances, IsEmpty());
  EXPECT_THAT(before.assumptions, Contains(HasSubstr("no driver in its tree for riscv-iommu")));
}

// Functions of one segment that go to IOMMUs of two drivers could share a group.
TEST_F(AcpiTest, TwoTablesThatHaveTheSameFunctionsAreUnknown) {
  const auto tree = OpenTar(ReadWhole(kSource / "corpus/systems/qemu-vtd-virtio-6.12.tar.gz"));
  std::string both;
  for (const char* name : {"DMAR", "VIOT"})
    both += (*tree)->ReadFile(std::string("sys/firmware/acpi/tables/") + name).value();
  const System system = On(Described(both));
  EXPECT_THAT(system.names.drivers, ElementsAre("intel", "virtio-iommu"));
  for (int d = 0; d < system.topology.devices_count; ++d) {
    const bool below = system.names.devices[d].find("below") != std::string::npos;
    // The virtio-iommu is not behind itself; where what is below a bridge is, no table says.
    const bool one =
        below || system.names.devices[d] == "0000:00:08.0" || system.names.devices[d] == "00:08.0";
    EXPECT_EQ(system.topology.devices[d].masters[0], 0) << system.names.devices[d];
    EXPECT_EQ(system.topology.devices[d].masters[1] == kNoId, one) << system.names.devices[d];
  }
  ASSERT_THAT(system.gaps, SizeIs(1));
  EXPECT_THAT(system.gaps[0].missing, HasSubstr("maps to IOMMUs of intel, virtio-iommu"));
}

// --- as text, several at once, folders ---

TEST_F(AcpiTest, ReadsTheTextOfAcpidump) {
  const std::string dmar = Compiled("dmar");
  const std::string iort = Compiled("iort");
  for (const char* end : {"\n", "\r\n"}) {
    const std::string text =
        "\nFirmware Warning (ACPI): Incorrect checksum in table [GSCI] - 0x96, should be 0x6F" +
        (end +
         ("RSD  @ 0x000000009FBFE014" + (end + ("  0000: 52 53 44 20  RSD" + std::string(end))))) +
        Dump(Table("FACP", "x"), end) + Dump(dmar, end) +
        "Firmware Warning (ACPI): Incorrect checksum in table [BGRT] - 0xFE, should be 0x24" + end +
        Dump(iort, end);
    ASSERT_TRUE(IsAcpiDump(text));
    const AcpiTables tables = ReadAcpiFile(text).value();
    EXPECT_TRUE(tables.others);
    EXPECT_EQ(tables.tables.at("DMAR"), dmar);
    EXPECT_EQ(tables.tables.at("IORT"), iort);
  }
  const AcpiTables binary = ReadAcpiFile(dmar + iort).value();
  EXPECT_EQ(binary.tables.at("IORT"), iort);
  EXPECT_FALSE(binary.others);
  // Another table alone says nothing of IOMMUs; all of a machine without these do.
  EXPECT_THAT(MessageOf(ReadSnapshot(Table("DSDT", "x"), "x")),
              HasSubstr("x: expected an ACPI table of DMAR, IORT, IVRS, RIMT, VIOT, or all"));
  EXPECT_THAT(On(Described(Table("DSDT", "x") + Table("FACP", "x"))).names.instances, IsEmpty());
  // A text after the bytes that looks like bytes.
  EXPECT_TRUE(ReadAcpiFile(Dump(Table("DMAR", std::string(12, '\0')))).ok());
}

TEST_F(AcpiTest, SaysWhereATextIsWrong) {
  const std::string whole = Dump(Compiled("dmar"));
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = whole;
    text.replace(text.find(from), from.size(), to);
    return MessageOf(ReadSnapshot(text, "x"));
  };
  EXPECT_THAT(with("0010:", "0020:"), HasSubstr("x: line 3: expected the offset 0010, found 0020"));
  EXPECT_THAT(with("44 4D", "4D"), HasSubstr("line 3: expected the offset 000F, found 0010"));
  EXPECT_THAT(with("44 4D", "XY 4D"), HasSubstr("line 2: expected bytes of two hexadecimal"));
  EXPECT_THAT(with("44 4D", "444D"), HasSubstr("line 2: expected bytes of two hexadecimal"));
  EXPECT_THAT(with("0010:", "0010"), HasSubstr("line 3: expected an offset and bytes"));
  EXPECT_THAT(with("44 4D 41 52 D5", "44 4D 41 52 D6"), HasSubstr("the 214 bytes that the header"));
  EXPECT_THAT(MessageOf(ReadSnapshot(whole + whole, "x")),
              HasSubstr("line 17: expected one table DMAR, found a second"));
  EXPECT_THAT(MessageOf(ReadSnapshot(whole.substr(0, 200), "x")),
              HasSubstr("line 1: expected the"));
}

TEST_F(AcpiTest, ReadsFoldersOfTables) {
  const std::filesystem::path folder = folder_.path() / "tables";
  std::filesystem::create_directories(folder / "dynamic");
  std::ofstream(folder / "iort.dat", std::ios::binary) << Compiled("iort");
  std::ofstream(folder / "README") << "not a table";
  ASSERT_TRUE(IsSystem(folder.string()));
  EXPECT_THAT(On(*ReadTree(folder.string())).names.drivers, SizeIs(2));
  std::ofstream(folder / "FACP", std::ios::binary) << Table("FACP", "x");
  const Found whole = *ReadTree(folder.string());
  EXPECT_THAT(whole.assumptions, IsEmpty()) << "a machine's folder has others";
  std::ofstream(folder / "dmar.dat", std::ios::binary) << Compiled("dmar").substr(0, 100);
  EXPECT_THAT(MessageOf(ReadTree(folder.string())), HasSubstr("dmar.dat: expected a length"));
}

// Every truncation, and every byte changed in some ways, is either read or refused; sanitizers
// watch.
template <typename Parse>
void Torture(const std::string& table, Parse parse) {
  for (size_t length = 0; length < table.size(); ++length)
    EXPECT_FALSE(parse(table.substr(0, length)).ok()) << length;
  for (size_t at = 0; at < table.size(); ++at)
    for (int value = 0; value < 256; value += 15) {
      std::string bad = table;
      bad[at] = static_cast<char>(value);
      if (bad != table && at != 9) {
        EXPECT_FALSE(parse(bad).ok()) << at;
      }
      Sum(bad);
      const auto parsed = parse(bad);
      EXPECT_TRUE(parsed.ok() || MessageOf(parsed).find(" at byte ") != std::string::npos) << at;
      const absl::StatusOr<Found> found = ReadSnapshot(bad, "x");
      if (found.ok()) {
        EXPECT_TRUE(ToSystem(*found, KernelVersion::kV7_1).ok()) << at;
      }
    }
}

TEST_F(AcpiTest, SurvivesGarbage) {
  Torture(Compiled("dmar"), ParseDmar);
  Torture(Compiled("ivrs"), ParseIvrs);
  Torture(Compiled("iort"), ParseIort);
}

}  // namespace
}  // namespace iommucheck::import
