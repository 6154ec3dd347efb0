// SPDX-License-Identifier: Apache-2.0
//
// Texts that people paste: what they say is read, and what they do not say is not known.
#include "src/import/listing.h"

#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/import/grouping.h"
#include "src/import/import.h"
#include "src/import/snapshot.h"
#include "tests/run_tool.h"

namespace iommucheck::import {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A root port without ACS, and an NVMe disk below it; an ISA bridge.
constexpr char kLspci[] =
    "00:01.0 PCI bridge [0604]: Intel Corporation Root Port [8086:1901] (prog-if 00)\n"
    "\tBus: primary=00, secondary=01, subordinate=01, sec-latency=0\n"
    "\tIOMMU group: 1\n"
    "\tCapabilities: [a0] Express (v2) Root Port (Slot+), MSI 00\n"
    "\n"
    "00:1c.0 PCI bridge [0604]: Intel Corporation Root Port [8086:a110]\n"
    "\tBus: primary=00, secondary=02, subordinate=02, sec-latency=0\n"
    "\tIOMMU group: 2\n"
    "\tCapabilities: [40] Express (v2) Root Port (Slot+), MSI 00\n"
    "\tCapabilities: [140 v1] Access Control Services\n"
    "\t\tACSCap:\tSrcValid+ TransBlk+ ReqRedir+ CmpltRedir+ UpstreamFwd- EgressCtrl- DirectTrans-\n"
    "\t\tACSCtl:\tSrcValid+ TransBlk- ReqRedir+ CmpltRedir+ UpstreamFwd- EgressCtrl- DirectTrans-\n"
    "\n"
    "00:1f.0 ISA bridge [0601]: Intel Corporation LPC [8086:a145]\n"
    "\tIOMMU group: 3\n"
    "\n"
    "01:00.0 VGA compatible controller [0300]: NVIDIA [10de:1c03]\n"
    "\tIOMMU group: 1\n"
    "\tCapabilities: [78] Express (v2) Legacy Endpoint, MSI 00\n";

constexpr char kLog[] =
    "[    0.000000] Linux version 6.12.9-amd64 (builder@host) #1 SMP\n"
    "[    0.010000] ACPI: DMAR 0x000000007B7E0000 0000A8\n"
    "[    0.100000] DMAR: dmar0: reg_base_addr fed90000 ver 1:0 cap 1c0000c40660462 ecap "
    "7e3ff0505e\n"
    "[    0.100001] DMAR: dmar1: reg_base_addr fed91000 ver 1:0 cap d2008c40660462 ecap f050da\n"
    "[    0.400000] pci 0000:00:00.0: Adding to iommu group 0\n"
    "[    0.400001] pci 0000:00:02.0: Adding to iommu group 1\n"
    "[    0.500000] platform INT33C3:00: Adding to iommu group 2\n"
    "Jan  1 00:00:01 host kernel: iommu: Adding device 0000:00:1f.3 to group 4\n";

System On(const Found& found, KernelVersion version = KernelVersion::kV7_1) {
  absl::StatusOr<System> system = ToSystem(found, version, Keep::kAllThatFit);
  EXPECT_TRUE(system.ok()) << system.status();
  return system.ok() ? *system : System();
}

std::string GapsOf(const System& system) {
  std::string text;
  for (const Gap& gap : system.gaps) text += gap.missing + "\n";
  return text;
}

TEST(Listing, ReadsLspci) {
  ASSERT_TRUE(IsListing(kLspci));
  const Found found = ReadListing(kLspci).value();
  ASSERT_THAT(found.devices, SizeIs(4));
  EXPECT_EQ(found.devices[0].bridge, Bridge::kRootPort);
  EXPECT_EQ(found.devices[0].acs.enabled, std::nullopt)
      << "the text may leave out what only root reads";
  EXPECT_EQ(found.devices[1].acs.enabled, true) << "what cannot be switched on is not needed";
  EXPECT_EQ(found.devices[2].bridge, Bridge::kNone);
  EXPECT_EQ(found.devices[3].folder, "devices/pci0000:00/0000:00:01.0/0000:01:00.0");
  EXPECT_EQ(found.devices[3].group, 1);
  const System system = On(found);
  EXPECT_THAT(GapsOf(system), HasSubstr("names no IOMMU"));
  EXPECT_THAT(GapsOf(system), HasSubstr("does not say which IOMMUs firmware describes"));
}

TEST(Listing, ReadsTheLogOfABoot) {
  ASSERT_TRUE(IsListing(kLog));
  const Found found = ReadListing(kLog).value();
  EXPECT_EQ(found.kernel_release, "6.12.9-amd64");
  ASSERT_THAT(found.instances, SizeIs(2));
  EXPECT_EQ(found.instances[0].name, "dmar0");
  EXPECT_EQ(found.instances[1].address, "fed91000");
  EXPECT_EQ(found.instances[1].ecap, "f050da");
  ASSERT_THAT(found.devices, SizeIs(4));
  EXPECT_EQ(found.devices[2].name, "0000:00:1f.3");
  EXPECT_EQ(found.devices[2].group, 4);
  EXPECT_EQ(found.devices[3].name, "INT33C3:00");
  EXPECT_EQ(found.devices[3].bus, Bus::kPlatform);
  EXPECT_THAT(On(found).names.drivers, ElementsAre("intel"));
}

TEST(Listing, KnowsTheDriversThatALogNames) {
  const Found found = ReadListing(
                          "arm-smmu 15000000.iommu: probing hardware configuration...\n"
                          "arm-smmu-v3 arm-smmu-v3.0.auto: ias 48-bit, oas 48-bit\n"
                          "platform 1d84000.ufs: Adding to iommu group 0\n")
                          .value();
  EXPECT_THAT(On(found).names.drivers, ElementsAre("arm-smmu", "arm-smmu-v3"));
  EXPECT_THAT(GapsOf(On(found)), HasSubstr("does not say which of 2 IOMMUs"));
}

TEST(Listing, ReadsGroupsOfAllForms) {
  for (const char* text :
       {"IOMMU Group 7:\n\t00:02.0 VGA compatible controller [0300]: Intel [8086:1912]\n",
        "IOMMU Group 7 00:02.0 VGA compatible controller [0300]: Intel [8086:1912]\n",
        "IOMMU group 7\n00:02.0 VGA compatible controller: Intel\n",
        "/sys/kernel/iommu_groups/7/devices/0000:00:02.0\n",
        "# mine\n0000:00:02.0 VGA compatible controller: Intel\n\tIOMMU group: 7\n"}) {
    ASSERT_TRUE(IsListing(text)) << text;
    const absl::StatusOr<Found> found = ReadListing(text);
    ASSERT_TRUE(found.ok()) << found.status();
    ASSERT_THAT(found->devices, SizeIs(1)) << text;
    EXPECT_EQ(found->devices[0].name, "0000:00:02.0");
    EXPECT_EQ(found->devices[0].group, 7) << text;
  }
}

// The configuration space as lspci -xxxx prints it: a root port with ACS.
std::string Config(unsigned port_type, unsigned acs_on) {
  std::string c(4096, '\0');
  c[0x06] = 0x10;
  c[0x0e] = 1;
  c[0x19] = 1;
  c[0x34] = 0x40;
  c[0x40] = 0x10;
  c[0x42] = static_cast<char>(port_type << 4 | 2);
  c[0x100] = 0x0d;
  c[0x102] = 1;
  c[0x104] = 0x1f;
  c[0x106] = static_cast<char>(acs_on);
  std::string text = "00:01.0 PCI bridge: port\n";
  for (size_t at = 0; at < c.size(); at += 16) {
    std::array<char, 32> word{};
    std::snprintf(word.data(), word.size(), "%02zx:", at);
    text += word.data();
    for (size_t i = at; i < at + 16; ++i) {
      std::snprintf(word.data(), word.size(), " %02x", static_cast<unsigned char>(c[i]));
      text += word.data();
    }
    text += "\n";
  }
  return text;
}

TEST(Listing, ReadsConfigurationSpaceAsLspciDoes) {
  for (const unsigned on : {0x1dU, 0x1fU, 0x05U, 0U}) {
    const Found found = ReadListing(Config(4, on)).value();
    ASSERT_THAT(found.devices, SizeIs(1));
    EXPECT_EQ(found.devices[0].bridge, Bridge::kRootPort);
    EXPECT_EQ(found.devices[0].acs.enabled, (on & 0x1d) == 0x1d);
    // The second opinion.
    const TemporaryFolder folder;
    std::ofstream(folder.path() / "dump") << Config(4, on);
    const auto lspci = RunShell("lspci -vv -F '" + (folder.path() / "dump").string() + "' 2>&1");
    ASSERT_EQ(lspci.status, 0) << lspci.out;
    const Found second = ReadListing(lspci.out).value();
    ASSERT_THAT(second.devices, SizeIs(1)) << lspci.out;
    EXPECT_EQ(second.devices[0].bridge, Bridge::kRootPort) << lspci.out;
    EXPECT_EQ(second.devices[0].acs.enabled, found.devices[0].acs.enabled) << lspci.out;
  }
  EXPECT_EQ(ReadListing(Config(6, 0))->devices[0].bridge, Bridge::kDownstream);
  EXPECT_EQ(ReadListing(Config(7, 0))->devices[0].bridge, Bridge::kPcieToPci);
  // Only 256 bytes: ACS is not known.
  const std::string cut = Config(4, 0x1d).substr(0, 25 + 16 * (4 + 3 * 16));
  EXPECT_EQ(ReadListing(cut)->devices[0].acs.enabled, std::nullopt);
}

TEST(Listing, SaysWhereItIsWrong) {
  for (const auto& [text, error] :
       {std::pair("IOMMU Group x:\n00:02.0 VGA\n",
                  "line 1: expected the number of a group, found 'x:'"),
        std::pair("00:02.0 VGA\n\tIOMMU group: 7\n\tIOMMU group: 8\n",
                  "line 3: expected group 7 again"),
        std::pair("pci 0000:00:02.0: Adding to iommu group 7\npci 0000:00:02.0: Adding to iommu "
                  "group 8\n",
                  "line 2: expected group 7 again"),
        std::pair("00:02.0 VGA\n\n10: 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n",
                  "line 3: expected the offset 0, found 10"),
        std::pair("00:02.0 VGA\n00: 00 00 00 00 00 00 00 00 zz 00 00 00 00 00 00 00\n",
                  "line 2: expected bytes of two hexadecimal digits"),
        std::pair("00:02.0 VGA\n\tBus: primary=00, subordinate=01\n",
                  "line 2: expected secondary= and a bus"),
        std::pair("Linux version \n", "expected lines of lspci"),
        std::pair("nothing of that\n", "expected lines of lspci")})
    EXPECT_THAT(MessageOf(ReadListing(text)), HasSubstr(error)) << text;
  EXPECT_FALSE(IsListing("kernel v6.1\n# IOMMU group 1\n  # 00:02.0 VGA\nrun\n"));
  EXPECT_FALSE(IsListing("nothing"));
}

// --- beside each other ---

TEST(Listing, TheTablesBesideItNameTheIommus) {
  const TemporaryFolder folder;
  const auto write = [&](const char* name, const std::string& text) {
    std::ofstream(folder.path() / name, std::ios::binary) << text;
    return (folder.path() / name).string();
  };
  const std::string text = write("lspci.txt", kLspci);
  const std::string table =
      write("DMAR", (*OpenTar(ReadWhole(kSource / "corpus/systems/qemu-vtd-6.1.tar.gz")))
                        ->ReadFile("sys/firmware/acpi/tables/DMAR")
                        .value());
  const Found found = ReadTree(text, {.acpi = table}).value();
  const System system = On(found);
  EXPECT_THAT(system.names.drivers, ElementsAre("intel"));
  EXPECT_THAT(system.names.instances, ElementsAre("dmar0"));
  EXPECT_EQ(system.as_found.size(), 4U);
  EXPECT_EQ(GapsOf(system), "");
  EXPECT_THAT(MessageOf(ReadTree(text, {.acpi = text})), HasSubstr("expected an ACPI table"));
  EXPECT_THAT(MessageOf(ReadTree(text, {.acpi = table, .dtb = table})), HasSubstr("found both"));
}

// A tree that an ordinary user has recorded lacks the tables; and lspci says why a group is large.
TEST(Listing, ATreeTakesTheTablesAndLspciBesideIt) {
  const TemporaryFolder folder;
  const std::string whole = (kSource / "corpus/systems/qemu-vtd-virtio-6.12.tar.gz").string();
  ASSERT_EQ(RunShell("cd '" + folder.path().string() + "' && mkdir t tables && tar -xf '" + whole +
                     "' -C t && mv t/sys/firmware/acpi/tables/* tables && "
                     "tar -C t -cf cut.tar . 2>&1")
                .out,
            "");
  const std::string cut = (folder.path() / "cut.tar").string();
  const std::string tables = (folder.path() / "tables").string();
  EXPECT_THAT(GapsOf(On(*ReadTree(cut))), HasSubstr("No ACPI table"));
  const System with = On(*ReadTree(cut, {.acpi = tables}));
  EXPECT_EQ(GapsOf(with), "");
  EXPECT_EQ(with.topology, On(*ReadTree(whole)).topology);
  std::ofstream(folder.path() / "lspci") << "00:02.0 VGA\n\tIOMMU group: 77\n";
  EXPECT_THAT(GapsOf(On(*ReadTree(whole, {.lspci = (folder.path() / "lspci").string()}))),
              HasSubstr("has other groups of 0000:00:02.0"));
}

// --- why groups are as large as they are ---

std::string Why(const Found& found, std::string_view whom) {
  std::string text;
  for (const GroupStory& story : WhyGroups(found, whom)) {
    for (const std::string& sentence : story.because) text += sentence + "\n";
    for (const std::string& sentence : story.unknown) text += "? " + sentence + "\n";
  }
  return text;
}

constexpr char kPortWithAcsOff[] =
    "00:1d.0 PCI bridge [0604]: Port\n"
    "\tBus: primary=00, secondary=03, subordinate=03\n"
    "\tIOMMU group: 5\n"
    "\tCapabilities: [40] Express (v2) Root Port\n"
    "\tCapabilities: [140 v1] Access Control Services\n"
    "\t\tACSCap:\tSrcValid+ TransBlk+ ReqRedir+ CmpltRedir+ UpstreamFwd+ EgressCtrl- DirectTrans-\n"
    "\t\tACSCtl:\tSrcValid+ TransBlk- ReqRedir- CmpltRedir- UpstreamFwd+ EgressCtrl- DirectTrans-\n"
    "\n"
    "03:00.0 VGA\n"
    "\tIOMMU group: 5\n";

TEST(Grouping, APortWithoutAcsJoinsWhatIsBelowIt) {
  const Found found = ReadListing(std::string(kLspci) + "\n" + kPortWithAcsOff).value();
  EXPECT_EQ(
      Why(found, "03:00.0"),
      "0000:03:00.0 joins 0000:00:1d.0 above it: 0000:00:1d.0, on the way to the root, does "
      "not isolate.\n"
      "0000:00:1d.0, a root port, has ACS, but not all of it switched on: ReqRedir, CmpltRedir "
      "off.\n");
  EXPECT_EQ(Why(found, "5"), Why(found, "0000:03:00.0"));
  // Of the other port, the text has no ACS.
  EXPECT_THAT(Why(found, "1"), HasSubstr("? Whether there is ACS in 0000:00:01.0 is not known"));
  EXPECT_THAT(Why(found, "2"), HasSubstr("It has one device"));
  EXPECT_EQ(WhyGroups(found, "all").size(), 2U);
  EXPECT_THAT(WhyGroups(found, "9"), IsEmpty());
  EXPECT_THAT(WhyGroups(found, "00:09.0"), IsEmpty());
}

TEST(Grouping, ABridgeOfConventionalPciHidesTheIdsBelowIt) {
  const auto why = [](const std::string& capabilities) {
    const std::string text =
        "00:1e.0 PCI bridge [0604]: Bridge\n\tBus: primary=00, secondary=04, subordinate=04\n"
        "\tIOMMU group: 6\n\tCapabilities: " +
        capabilities + "\n\n04:01.0 Audio\n\tIOMMU group: 6\n";
    return Why(ReadListing(text).value(), "6");
  };
  EXPECT_EQ(why("[50] Express (v1) PCI-Express to PCI/PCI-X Bridge"),
            "0000:04:01.0: its DMA passes 0000:00:1e.0, a bridge from PCI Express to conventional "
            "PCI, and can carry the id of that or of its bus.\n");
  EXPECT_THAT(why("<access denied>"), HasSubstr("? What joins 0000:00:1e.0"))
      << "a bridge whose capabilities are hidden is not one of conventional PCI";
}

TEST(Grouping, ADeviceWithoutAGroupIsSaidToHaveNone) {
  const Found found = ReadListing("00:02.0 VGA\n\tIOMMU group: 7\n\n00:03.0 Ethernet\n").value();
  EXPECT_THAT(Why(found, "00:03.0"), HasSubstr("None of them is served by an IOMMU"));
  ASSERT_EQ(WhyGroups(found, "all").size(), 1U);
  EXPECT_EQ(WhyGroups(found, "all")[0].group, -1);
}

// A root port and a card below it, as sysfs has them.
TEST(Grouping, ReadsTheConfigurationSpaceInSysfs) {
  std::string port(4096, '\0');
  port[0x06] = 0x10;
  port[0x0e] = 1;
  port[0x19] = 1;
  port[0x34] = 0x40;
  port[0x40] = 0x10;
  port[0x42] = 0x42;
  port[0x100] = 3;  // a serial number, then ACS
  port[0x102] = 1;
  port[0x103] = 0x14;
  port[0x104] = 'S';
  port[0x140] = 0x0d;
  port[0x142] = 1;
  port[0x144] = 0x1d;
  const TemporaryFolder folder;
  const std::string below = "sys/devices/pci0000:00/0000:00:01.0";
  ASSERT_EQ(
      RunShell("cd '" + folder.path().string() + "' && mkdir -p proc sys/class/iommu " +
               "sys/bus/pci/devices sys/kernel/iommu_groups/1/devices " + below +
               "/0000:01:00.0 && echo 'Linux version 6.1.0' >proc/version && "
               "for d in 0000:00:01.0 0000:00:01.0/0000:01:00.0; do "
               "ln -s ../../../devices/pci0000:00/$d sys/bus/pci/devices && "
               "ln -s ../../../../kernel/iommu_groups/1 sys/devices/pci0000:00/$d/iommu_group; "
               "done 2>&1")
          .out,
      "");
  const auto why = [&](const std::string& bytes) {
    std::ofstream(folder.path() / below / "config", std::ios::binary) << bytes;
    return Why(ReadTree(folder.path().string()).value(), "1");
  };
  EXPECT_THAT(why(port), HasSubstr("has ACS, but not all of it switched on: SrcValid, ReqRedir"));
  const std::string taken = TakeSnapshot(*OpenFolder(folder.path().string())).value();
  const std::string kept = (*OpenTar(taken))->ReadFile(below + "/config").value();
  EXPECT_EQ(kept.find('S'), std::string::npos) << "a serial number in a snapshot";
  EXPECT_EQ(Why(ReadSnapshot(taken, "x").value(), "1"), why(port));
  const std::string hidden = "Whether there is ACS in 0000:00:01.0 is not known";
  EXPECT_THAT(why(port.substr(0, 64)), HasSubstr(hidden)) << "who is not root";
  EXPECT_THAT(why(port.substr(0, 64) + std::string(4032, '\0')), HasSubstr(hidden))
      << "as tar pads";
  EXPECT_THAT(why(port.substr(0, 256)), HasSubstr(hidden));
  EXPECT_THAT(why(""), HasSubstr(hidden));
}

// --- snapshots ---

class SnapshotOf : public ::testing::TestWithParam<const char*> {};

TEST_P(SnapshotOf, ASnapshotIsReadAsTheSystemItself) {
  const std::string bytes = ReadWhole(kSource / "corpus/systems" / GetParam());
  const auto tree = OpenTar(bytes).value();
  const absl::StatusOr<std::string> taken = TakeSnapshot(*tree);
  ASSERT_TRUE(taken.ok()) << taken.status();
  EXPECT_TRUE(*TakeSnapshot(*tree) == *taken) << "the same bytes";
  const Found before = ReadSnapshot(bytes, "x").value();
  const Found after = ReadSnapshot(*taken, "x").value();
  EXPECT_EQ(after.kernel_release, before.kernel_release);
  EXPECT_EQ(On(after).topology, On(before).topology);
  EXPECT_EQ(GapsOf(On(after)), GapsOf(On(before)));
  EXPECT_EQ(On(after).assumptions, On(before).assumptions);
  EXPECT_TRUE(*TakeSnapshot(**OpenTar(*taken)) == *taken) << "a snapshot of it is the same";
}

TEST_P(SnapshotOf, TheScriptTakesTheSame) {
  const TemporaryFolder folder;
  const auto run =
      RunShell("cd '" + folder.path().string() + "' && mkdir r && tar -xf '" +
               (kSource / "corpus/systems" / GetParam()).string() + "' -C r && ROOT=$PWD/r sh '" +
               (kSource / "src/cli/snapshot.sh").string() + "' out.tar.gz 2>&1");
  ASSERT_EQ(run.status, 0) << run.out;
  const Found before =
      ReadSnapshot(ReadWhole(kSource / "corpus/systems" / GetParam()), "x").value();
  const Found after = ReadTree((folder.path() / "out.tar.gz").string()).value();
  EXPECT_EQ(after.kernel_release, before.kernel_release);
  EXPECT_EQ(On(after).topology, On(before).topology);
  EXPECT_EQ(GapsOf(On(after)), GapsOf(On(before)));
}
INSTANTIATE_TEST_SUITE_P(Corpus, SnapshotOf,
                         ::testing::Values("qemu-vtd-6.1.tar.gz", "qemu-vtd-virtio-6.12.tar.gz",
                                           "vtd-off.tar.gz", "slot-two-drivers-6.12.tar.gz",
                                           "platform-group-two-drivers-6.12.tar.gz"));

// What tells one machine from another stays out, and so does what a reader has no use for.
TEST(Snapshot, HasNoSerialNumbersAndAddresses) {
  const TemporaryFolder folder;
  ASSERT_EQ(
      RunShell(
          "cd '" + folder.path().string() +
          "' && mkdir -p proc sys/bus/pci/devices sys/class/iommu sys/firmware/acpi/tables "
          "sys/firmware/devicetree/base/soc "
          "sys/devices/pci0000:00/0000:00:02.0/net/enx001122334455 && "
          "ln -s ../../../devices/pci0000:00/0000:00:02.0 sys/bus/pci/devices && "
          "echo 'Linux version 6.1.0 (me@myhost) #1' >proc/version && "
          "echo 00:11:22:33:44:55 >sys/devices/pci0000:00/0000:00:02.0/address && "
          "echo KEY >sys/firmware/acpi/tables/MSDM && echo x >sys/firmware/acpi/tables/FACP && "
          "echo S3R1AL >sys/firmware/devicetree/base/serial-number && "
          "echo okay >sys/firmware/devicetree/base/soc/status && "
          "printf 001122 >sys/firmware/devicetree/base/soc/mac-address 2>&1")
          .out,
      "");
  std::ofstream(folder.path() / "out.tar.gz", std::ios::binary)
      << TakeSnapshot(*OpenFolder(folder.path().string())).value();
  const std::string listed =
      RunShell("cd '" + folder.path().string() + "' && tar -tf out.tar.gz && tar -xOf out.tar.gz")
          .out;
  EXPECT_THAT(listed, HasSubstr("sys/devices/pci0000:00/0000:00:02.0"));
  EXPECT_THAT(listed, HasSubstr("soc/status"));
  for (const char* secret :
       {"enx", "00:11:22", "MSDM", "KEY", "serial", "S3R1AL", "mac-address", "myhost", "address"})
    EXPECT_EQ(listed.find(secret), std::string::npos) << secret << "\n" << listed;
}

}  // namespace
}  // namespace iommucheck::import
