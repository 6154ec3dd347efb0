// SPDX-License-Identifier: Apache-2.0
#include "src/import/import.h"

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/import/acpi.h"
#include "src/import/tree.h"

namespace iommucheck::import {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string ReadCorpus(const std::string& name) {
  std::ifstream in(std::string(IOMMUCHECK_SOURCE_DIR) + "/corpus/systems/" + name,
                   std::ios::binary);
  std::ostringstream bytes;
  bytes << in.rdbuf();
  return std::move(bytes).str();
}

// A tar in memory, as odd as a test wants it.
class Tar {
 public:
  Tar& File(const std::string& name, const std::string& text) { return Add(name, '0', "", text); }
  Tar& Folder(const std::string& name) { return Add(name, '5', "", ""); }
  Tar& Link(const std::string& name, const std::string& to) { return Add(name, '2', to, ""); }
  Tar& HardLink(const std::string& name, const std::string& to) { return Add(name, '1', to, ""); }
  [[nodiscard]] std::string bytes() const { return bytes_ + std::string(1024, '\0'); }

 private:
  Tar& Add(const std::string& name, char type, const std::string& link, const std::string& text) {
    std::array<char, 512> h{};
    std::snprintf(h.data(), 100, "%s", name.c_str());
    std::snprintf(h.data() + 100, 8, "%07o", 0644U);
    std::snprintf(h.data() + 124, 12, "%011o", static_cast<unsigned>(text.size()));
    h[156] = type;
    std::snprintf(h.data() + 157, 100, "%s", link.c_str());
    std::snprintf(h.data() + 257, 8, "ustar");
    h[263] = h[264] = '0';
    unsigned sum = 8 * ' ';
    for (const char c : h) sum += static_cast<unsigned char>(c);
    std::snprintf(h.data() + 148, 8, "%06o", sum);
    bytes_.append(h.data(), h.size());
    bytes_ += text;
    bytes_.resize((bytes_.size() + 511) / 512 * 512, '\0');
    return *this;
  }
  std::string bytes_;
};

// A device of the pci bus in a group behind dmar<n>.
void AddPci(Tar& tar, const std::string& name, int group, const std::string& instance) {
  const std::string folder = "sys/devices/pci0000:00/" + name;
  tar.Folder(folder);
  tar.Link("sys/bus/pci/devices/" + name, "../../../devices/pci0000:00/" + name);
  tar.Link(folder + "/iommu_group", "../../../kernel/iommu_groups/" + std::to_string(group));
  tar.Link(folder + "/iommu", "../../virtual/iommu/" + instance);
}

Tar WithDmar(int count = 1) {
  Tar tar;
  for (int i = 0; i < count; ++i) {
    const std::string name = "dmar" + std::to_string(i);
    tar.Link("sys/class/iommu/" + name, "../../devices/virtual/iommu/" + name);
    tar.File("sys/devices/virtual/iommu/" + name + "/intel-iommu/ecap", "f0\n");
  }
  return tar;
}

std::string ErrorOf(const std::string& bytes) {
  const auto system = ReadSnapshot(bytes, "x.tar");
  EXPECT_EQ(system.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(system.status().message());
}

TEST(Import, ReadsAMachineWithVtd) {
  const auto system = ReadSnapshot(ReadCorpus("qemu-vtd-6.1.tar.gz"), "vtd");
  ASSERT_TRUE(system.ok()) << system.status();
  EXPECT_EQ(system->kernel_release, "6.1.0-56-amd64");
  EXPECT_EQ(system->nearest, KernelVersion::kV6_1_y);
  EXPECT_EQ(system->topology.firmware, Firmware::kAcpi);
  EXPECT_THAT(system->names.drivers, ElementsAre("intel"));
  EXPECT_THAT(system->names.instances, ElementsAre("dmar0"));
  EXPECT_FALSE(system->topology.instances[0].fwnode);
  EXPECT_FALSE(system->topology.instances[0].enforces_coherency);  // ecap.SC is clear in QEMU
  EXPECT_EQ(system->devices_found, 13);
  EXPECT_THAT(system->names.devices, ElementsAre("00:00.0", "00:01.0", "00:1f.0", "00:1f.2",
                                                 "00:1f.3", "01:00.0", "02:01.0", "02:02.0"));
  EXPECT_EQ(system->topology.devices[2].slot, 1);
  EXPECT_EQ(system->topology.devices[4].slot, 1);
  EXPECT_EQ(system->topology.devices[5].alias, kNoId);
  EXPECT_EQ(system->topology.devices[6].alias, 5);
  EXPECT_EQ(system->as_found[6].group, 7);
  EXPECT_EQ(system->as_found[6].driver, "intel");
  EXPECT_THAT(system->assumptions, Contains(HasSubstr("0000:03:00.0")));
}

TEST(Import, ReadsAMachineWithTwoDrivers) {
  const auto system = ReadSnapshot(ReadCorpus("qemu-vtd-virtio-6.12.tar.gz"), "mixed");
  ASSERT_TRUE(system.ok()) << system.status();
  EXPECT_EQ(system->nearest, KernelVersion::kV6_12_y);
  EXPECT_THAT(system->names.drivers, ElementsAre("intel", "virtio-iommu"));
  EXPECT_THAT(system->names.instances, ElementsAre("dmar0", "0000:00:08.0"));
  EXPECT_TRUE(system->topology.instances[1].fwnode);
  ASSERT_THAT(system->names.devices, Contains("00:08.0"));
  for (size_t d = 0; d < system->names.devices.size(); ++d) {
    // The virtio-iommu is not behind itself.
    const bool self = system->names.devices[d] == "00:08.0";
    EXPECT_EQ(system->topology.devices[d].masters[0], 0);
    EXPECT_EQ(system->topology.devices[d].masters[1], self ? kNoId : 1);
    EXPECT_EQ(system->as_found[d].instance, "dmar0");
  }
}

// Two devices of a bus in one group, each behind an instance of a driver of its own.
std::string MixedGroup(const std::string& bus) {
  Tar tar;
  tar.File("proc/version", "Linux version 6.12.117 (x)\n");
  tar.Folder("sys/firmware/devicetree");
  for (const char* n : {"A", "B"}) {
    const std::string iommu = std::string("hw") + n + "/iommu/fk" + n + "0";
    const std::string folder = std::string("sys/devices/platform/m") + n;
    tar.Folder("sys/devices/platform/" + iommu);
    tar.Link(std::string("sys/class/iommu/fk") + n + "0", "../../devices/platform/" + iommu);
    tar.Folder(folder);
    tar.Link("sys/bus/" + bus + "/devices/m" + n, std::string("../../../devices/platform/m") + n);
    tar.Link(folder + "/iommu_group", "../../../kernel/iommu_groups/0");
    tar.Link(folder + "/iommu", "../" + iommu);
  }
  return tar.bytes();
}

TEST(Import, KeepsAGroupOfTwoDriversOnAnyBus) {
  for (const char* bus : {"platform", "amba", "fsl-mc"}) {
    const auto system = ReadSnapshot(MixedGroup(bus), "mixed");
    ASSERT_TRUE(system.ok()) << system.status();
    const Topology& t = system->topology;
    ASSERT_EQ(t.devices_count, 2) << bus;
    EXPECT_EQ(t.devices[0].bus, *FindBus(bus));
    EXPECT_NE(t.instances[t.devices[0].masters[0]].driver,
              t.instances[t.devices[1].masters[0]].driver);
    EXPECT_TRUE(t.related(0, 1)) << bus;
    EXPECT_EQ(BrokenAssumption(t, RuleSet().add(Rule::kAssumeHomogeneousGroups)),
              Rule::kAssumeHomogeneousGroups);
  }
}

TEST(Import, ReadsAFolderAndASysfsRoot) {
  namespace fs = std::filesystem;
  const fs::path root = fs::path(testing::TempDir()) / "iommucheck_import_test";
  fs::remove_all(root);
  const fs::path sys = root / "sys";
  fs::create_directories(sys / "class/iommu");
  fs::create_directories(sys / "devices/virtual/iommu/dmar0");
  fs::create_directories(sys / "devices/pci0000:00/0000:00:02.0");
  fs::create_directories(sys / "bus/pci/devices");
  fs::create_directories(root / "proc");
  std::ofstream(root / "proc/version") << "Linux version 5.19.3-x (a@b) #1\n";
  fs::create_symlink("../../devices/virtual/iommu/dmar0", sys / "class/iommu/dmar0");
  fs::create_symlink("../../../devices/pci0000:00/0000:00:02.0",
                     sys / "bus/pci/devices/0000:00:02.0");
  fs::create_symlink("../../virtual/iommu/dmar0", sys / "devices/pci0000:00/0000:00:02.0/iommu");
  fs::create_symlink("../../../kernel/iommu_groups/3",
                     sys / "devices/pci0000:00/0000:00:02.0/iommu_group");

  const auto machine = ReadSystem(root.string());
  ASSERT_TRUE(machine.ok()) << machine.status();
  EXPECT_EQ(machine->nearest, KernelVersion::kV5_18);
  EXPECT_THAT(machine->names.devices, ElementsAre("00:02.0"));
  EXPECT_EQ(machine->as_found[0].group, 3);
  EXPECT_THAT(machine->assumptions, Contains(HasSubstr("dmar0 is taken to enforce")));

  const auto bare = ReadSystem(sys.string());
  ASSERT_TRUE(bare.ok()) << bare.status();
  EXPECT_EQ(bare->kernel_release, "");
  EXPECT_EQ(bare->nearest, std::nullopt);
  EXPECT_EQ(bare->topology, machine->topology);

  // A link out of the folder is not followed.
  fs::remove(sys / "class/iommu/dmar0");
  fs::create_symlink((sys / "devices/virtual/iommu/dmar0").string(), sys / "class/iommu/dmar0");
  EXPECT_FALSE(ReadSystem(root.string()).ok());
  fs::remove_all(root);
}

TEST(Import, TakesDriversItDoesNotKnow) {
  Tar tar = WithDmar();
  tar.Link("sys/class/iommu/odd", "../../devices/platform/odd/iommu/odd");
  tar.Folder("sys/devices/platform/odd/iommu/odd");
  tar.Link("sys/devices/platform/odd/iommu/odd/device", "../../../odd");
  tar.Link("sys/devices/platform/odd/driver", "../../../bus/platform/drivers/odd_iommu");
  tar.Link("sys/class/iommu/none", "../../devices/virtual/iommu/none");
  tar.Folder("sys/devices/virtual/iommu/none");
  const auto system = ReadSnapshot(tar.bytes(), "x.tar");
  ASSERT_TRUE(system.ok()) << system.status();
  EXPECT_THAT(system->names.drivers, ElementsAre("intel", "unknown-none", "odd_iommu"));
  EXPECT_THAT(system->assumptions, Contains(HasSubstr("The driver of odd (odd_iommu)")));
}

TEST(Import, KeepsTwoOfAKind) {
  Tar tar = WithDmar(20);
  for (int i = 0; i < 20; ++i)
    for (int f = 0; f < 6; ++f) {
      std::array<char, 16> name{};
      std::snprintf(name.data(), name.size(), "0000:00:%02x.%d", static_cast<unsigned>(i), f);
      AddPci(tar, name.data(), i, "dmar" + std::to_string(i));
    }
  const auto system = ReadSnapshot(tar.bytes(), "x.tar");
  ASSERT_TRUE(system.ok()) << system.status();
  EXPECT_EQ(system->devices_found, 120);
  EXPECT_THAT(system->names.instances, ElementsAre("dmar0", "dmar1"));
  EXPECT_EQ(system->topology.devices_count, 6);
  EXPECT_THAT(system->assumptions, Contains(HasSubstr("argued, not proved")));
  EXPECT_THAT(system->assumptions, Contains(HasSubstr("dmar2")));
}

TEST(Import, RefusesWhatIsNoTar) {
  EXPECT_THAT(ErrorOf(""), StartsWith("x.tar: expected"));
  EXPECT_THAT(ErrorOf("not a tar at all"), StartsWith("x.tar: expected a tar"));
  EXPECT_THAT(ErrorOf(std::string(4096, 'a')), StartsWith("x.tar: expected a tar"));
  EXPECT_THAT(std::string(ReadSystem("/nonexistent/path").status().message()),
              StartsWith("/nonexistent/path: expected a folder or a tar"));
}

TEST(Import, RefusesTruncatedSnapshots) {
  const std::string whole = ReadCorpus("qemu-vtd-6.1.tar.gz");
  ASSERT_TRUE(ReadSnapshot(whole, "whole").ok());
  for (size_t length = 0; length < whole.size(); length += 7)
    EXPECT_FALSE(ReadSnapshot(whole.substr(0, length), "cut").ok()) << length;
  const std::string plain = WithDmar().bytes();
  ASSERT_TRUE(ReadSnapshot(plain, "plain").ok());
  for (size_t length = 0; length + 512 < plain.size(); length += 100)
    EXPECT_FALSE(ReadSnapshot(plain.substr(0, length), "cut").ok()) << length;
}

TEST(Import, SurvivesFlippedBytes) {
  const std::string whole = WithDmar().bytes();
  for (size_t at = 0; at < whole.size(); at += 3)
    for (const char mask : {'\x01', '\x80', '\xff'}) {
      std::string bad = whole;
      bad[at] = static_cast<char>(bad[at] ^ mask);
      const auto system = ReadSnapshot(bad, "flipped");
      EXPECT_TRUE(!system.ok() || Validate(system->topology).ok()) << at;
    }
}

TEST(Import, RefusesNamesThatLeaveTheTar) {
  EXPECT_THAT(ErrorOf(WithDmar().File("../etc/passwd", "x").bytes()), HasSubstr("'..'"));
  EXPECT_THAT(ErrorOf(WithDmar().File("sys/../../etc", "x").bytes()), HasSubstr("'..'"));
  EXPECT_THAT(ErrorOf(WithDmar().File("/etc/passwd", "x").bytes()), HasSubstr("relative names"));
  EXPECT_THAT(ErrorOf(WithDmar().HardLink("sys/x", "/etc/passwd").bytes()),
              HasSubstr("hard links"));
}

TEST(Import, RefusesTreesThatContradictThemselves) {
  EXPECT_THAT(ErrorOf(WithDmar().File("sys/class", "x").bytes()), HasSubstr("each name once"));
  EXPECT_THAT(ErrorOf(Tar().File("sys", "x").File("sys/class/iommu", "x").bytes()),
              HasSubstr("each name once"));
}

TEST(Import, RefusesTreesWithoutIommus) {
  EXPECT_THAT(ErrorOf(Tar().Folder("sys/class/iommu").bytes()),
              HasSubstr("expected IOMMUs in sys/class/iommu, found none"));
  EXPECT_THAT(ErrorOf(Tar().File("readme", "x").bytes()), HasSubstr("expected a sys folder"));
}

TEST(Import, RefusesLinkCycles) {
  EXPECT_THAT(ErrorOf(Tar().Link("sys/class/iommu/a", "b").Link("sys/class/iommu/b", "a").bytes()),
              HasSubstr("found a cycle"));
  EXPECT_THAT(ErrorOf(WithDmar().Link("sys/bus/pci/devices/0000:00:01.0", "0000:00:01.0").bytes()),
              HasSubstr("found a cycle"));
}

TEST(Import, RefusesSnapshotsThatAreTooLarge) {
  Tar tar = WithDmar();
  std::string large = tar.File("sys/large", std::string(kMaxSnapshotBytes, 'x')).bytes();
  EXPECT_THAT(ErrorOf(large), HasSubstr("bytes unpacked"));
}

TEST(Import, SaysWhatItCouldNotUse) {
  Tar tar = WithDmar();
  tar.File("sys/firmware/acpi/tables/VIOT", "VIOT garbage");
  tar.File("sys/firmware/acpi/tables/IVRS", "IVRS");
  const auto system = ReadSnapshot(tar.bytes(), "x.tar");
  ASSERT_TRUE(system.ok()) << system.status();
  EXPECT_THAT(system->assumptions, Contains(HasSubstr("table VIOT is not valid")));
  EXPECT_THAT(system->assumptions, Contains(HasSubstr("table IVRS is there")));
}

// --- ACPI tables ---

std::string TableOf(const std::string& snapshot, const std::string& table) {
  const auto tree = OpenTar(ReadCorpus(snapshot), snapshot);
  EXPECT_TRUE(tree.ok());
  return (*tree)->ReadFile("sys/firmware/acpi/tables/" + table).value_or("");
}

TEST(Acpi, ReadsViot) {
  const auto viot = ParseViot(TableOf("qemu-vtd-virtio-6.12.tar.gz", "VIOT"));
  ASSERT_TRUE(viot.ok()) << viot.status();
  ASSERT_EQ(viot->iommus.size(), 1U);
  EXPECT_TRUE(viot->iommus[0].is_pci);
  EXPECT_EQ(viot->iommus[0].pci, (PciAddress{0, 0x40}));
  ASSERT_EQ(viot->endpoints.size(), 1U);
  EXPECT_EQ(viot->endpoints[0].bdf_last, 0x3ff);
}

TEST(Acpi, ReadsDmar) {
  const auto units = ParseDmar(TableOf("qemu-vtd-virtio-6.12.tar.gz", "DMAR"));
  ASSERT_TRUE(units.ok()) << units.status();
  ASSERT_EQ(units->size(), 1U);
  EXPECT_FALSE((*units)[0].all_pci);
  EXPECT_EQ((*units)[0].address, 0xfed90000U);
  ASSERT_EQ((*units)[0].scopes.size(), 10U);
  EXPECT_TRUE((*units)[0].scopes[1].below);
  EXPECT_THAT((*units)[0].scopes[1].path, ElementsAre(0x08));
}

// Every truncation, and every byte changed in some ways, is read or refused; sanitizers watch.
template <typename Parse>
void Torture(const std::string& table, Parse parse) {
  for (size_t length = 0; length < table.size(); ++length)
    EXPECT_FALSE(parse(table.substr(0, length)).ok()) << length;
  for (size_t at = 0; at < table.size(); ++at)
    for (int value = 0; value < 256; value += 15) {
      std::string bad = table;
      bad[at] = static_cast<char>(value);
      const auto parsed = parse(bad);
      EXPECT_TRUE(parsed.ok() || !parsed.status().message().empty()) << at;
    }
}

TEST(Acpi, SurvivesGarbage) {
  Torture(TableOf("qemu-vtd-virtio-6.12.tar.gz", "VIOT"), ParseViot);
  Torture(TableOf("qemu-vtd-virtio-6.12.tar.gz", "DMAR"), ParseDmar);
}

// --- the tree ---

TEST(Tree, OrdersNumbersByValue) {
  EXPECT_TRUE(NaturalLess("dmar2", "dmar10"));
  EXPECT_FALSE(NaturalLess("dmar10", "dmar2"));
  EXPECT_TRUE(NaturalLess("a", "a1"));
  EXPECT_TRUE(NaturalLess("a01", "a1"));
  EXPECT_FALSE(NaturalLess("a1", "a01"));
  EXPECT_FALSE(NaturalLess("x", "x"));
}

TEST(Tree, FollowsLinksInsideOnly) {
  Tar tar;
  tar.File("a/b/file", "text").Link("a/to_b", "b").Link("out", "../x").Link("root", "/etc");
  tar.Link("back", "a/to_b/../b/file");
  const auto tree = OpenTar(tar.bytes(), "x.tar");
  ASSERT_TRUE(tree.ok());
  EXPECT_EQ(*Resolve(**tree, "a/to_b/file"), "a/b/file");
  EXPECT_EQ(*Resolve(**tree, "back"), "a/b/file");
  EXPECT_EQ(*Resolve(**tree, "out"), std::nullopt);
  EXPECT_EQ(*Resolve(**tree, "root"), std::nullopt);
  EXPECT_EQ(*Resolve(**tree, "a/none"), std::nullopt);
}

}  // namespace
}  // namespace iommucheck::import
