// SPDX-License-Identifier: Apache-2.0
#include "src/import/import.h"

#include <zlib.h>

#include <array>
#include <cstdio>
#include <memory>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/import/acpi.h"
#include "src/import/tree.h"
#include "tests/run_tool.h"

namespace iommucheck::import {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kOne[] = "qemu-vtd-6.1.tar.gz";
constexpr char kMixed[] = "qemu-vtd-virtio-6.12.tar.gz";
const std::string kTables = "sys/firmware/acpi/tables";

std::string ReadCorpus(const std::string& name) {
  return ReadWhole(kSource / "corpus/systems" / name);
}

// A tar in memory that can have any defect a test wants.
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

// An IOMMU in a folder below sys/devices.
void AddIommu(Tar& tar, const std::string& name, const std::string& folder) {
  tar.Link("sys/class/iommu/" + name, "../../devices/" + folder);
  tar.Folder("sys/devices/" + folder);
}

// A platform device of a bus, in group 0, behind the IOMMU in a folder of sys/devices/platform; "":
// behind none.
void AddDevice(Tar& tar, const std::string& name, const std::string& iommu,
               const std::string& bus = "platform") {
  const std::string folder = "sys/devices/platform/" + name;
  tar.Folder(folder);
  tar.Link("sys/bus/" + bus + "/devices/" + name, "../../../devices/platform/" + name);
  if (iommu.empty()) return;
  tar.Link(folder + "/iommu_group", "../../../kernel/iommu_groups/0");
  tar.Link(folder + "/iommu", "../" + iommu);
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

absl::StatusOr<System> Read(const std::string& bytes,
                            KernelVersion version = KernelVersion::kV7_1) {
  const auto found = ReadSnapshot(bytes, "x.tar");
  return found.ok() ? ToSystem(*found, version) : found.status();
}

std::string ErrorOf(const std::string& bytes) {
  const auto found = ReadSnapshot(bytes, "x.tar");
  EXPECT_EQ(found.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(found.status().message());
}

// The gaps as one text; and a tar that has all folders and files.
std::string GapsOf(const absl::StatusOr<System>& system) {
  EXPECT_TRUE(system.ok()) << system.status();
  std::string text;
  if (system.ok())
    for (const Gap& gap : system->gaps) text += gap.missing + " | " + gap.settle + "\n";
  return text;
}
std::string GapsOf(const Tar& tar, KernelVersion version = KernelVersion::kV7_1) {
  return GapsOf(Read(tar.bytes(), version));
}

TEST(Import, ReadsAMachineWithVtd) {
  const auto system = Read(ReadCorpus(kOne)).value();
  EXPECT_EQ(ReadSnapshot(ReadCorpus(kOne), "vtd")->kernel_release, "6.1.0-56-amd64");
  EXPECT_EQ(system.topology.firmware, Firmware::kAcpi);
  EXPECT_THAT(system.names.drivers, ElementsAre("intel"));
  EXPECT_THAT(system.names.instances, ElementsAre("dmar0"));
  EXPECT_FALSE(system.topology.instances[0].fwnode);
  EXPECT_FALSE(system.topology.instances[0].enforces_coherency);  // ecap.SC is clear in QEMU
  EXPECT_EQ(system.devices_found, 13);
  EXPECT_THAT(system.names.devices, ElementsAre("00:00.0", "00:01.0", "00:1f.0", "00:1f.2",
                                                "00:1f.3", "01:00.0", "02:01.0", "02:02.0"));
  EXPECT_EQ(system.topology.devices[2].slot, 1);
  EXPECT_EQ(system.topology.devices[4].slot, 1);
  EXPECT_EQ(system.topology.devices[5].alias, kNoId);
  EXPECT_EQ(system.topology.devices[6].alias, 5);
  ASSERT_EQ(system.as_found.size(), 13U);  // all that were found, not only those that are kept
  EXPECT_EQ(system.as_found[10].device, "0000:02:01.0");
  EXPECT_EQ(system.as_found[10].group, 7);
  EXPECT_EQ(system.as_found[10].driver, "intel");
  EXPECT_EQ(GapsOf(system), "");
  EXPECT_THAT(system.assumptions, Contains(HasSubstr("0000:03:00.0")));
}

TEST(Import, ReadsAMachineWithTwoDrivers) {
  const auto system = Read(ReadCorpus(kMixed)).value();
  EXPECT_EQ(GapsOf(system), "");
  EXPECT_THAT(system.names.drivers, ElementsAre("intel", "virtio-iommu"));
  EXPECT_THAT(system.names.instances, ElementsAre("dmar0", "0000:00:08.0"));
  EXPECT_TRUE(system.topology.instances[1].fwnode);
  ASSERT_THAT(system.names.devices, Contains("00:08.0"));
  for (size_t d = 0; d < system.names.devices.size(); ++d) {
    // The virtio-iommu is not behind itself.
    const bool self = system.names.devices[d] == "00:08.0";
    EXPECT_EQ(system.topology.devices[d].masters[0], 0);
    EXPECT_EQ(system.topology.devices[d].masters[1], self ? kNoId : 1);
  }
  for (const AsFound& device : system.as_found) EXPECT_EQ(device.instance, "dmar0");
}

// Two devices in one group, each behind an IOMMU whose driver no link names.
Tar MixedGroup(const std::string& second = "fkB0", const std::string& bus = "platform") {
  Tar tar;
  tar.File(kTables + "/FACP", "FACP");
  for (const std::string& name : {std::string("fkA0"), second}) {
    AddIommu(tar, name, "platform/hw" + name + "/iommu/" + name);
    AddDevice(tar, "m" + name, "hw" + name + "/iommu/" + name, bus);
  }
  return tar;
}

TEST(Import, KeepsAGroupOfTwoDriversOnAnyBus) {
  for (const char* bus : {"platform", "amba", "fsl-mc"}) {
    const auto system = Read(MixedGroup("fkB0", bus).bytes(), KernelVersion::kV6_12).value();
    const Topology& t = system.topology;
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
  Tar tar;
  AddIommu(tar, "dmar0", "virtual/iommu/dmar0");
  AddPci(tar, "0000:00:02.0", 3, "dmar0");
  tar.File("proc/version", "Linux version 5.19.3-x (a@b) #1\n");
  const TemporaryFolder folder;
  const fs::path& root = folder.path();
  const fs::path sys = root / "sys";
  std::ofstream(root / "x.tar", std::ios::binary) << tar.bytes();
  ASSERT_EQ(RunShell("cd '" + root.string() + "' && tar -xf x.tar 2>&1").out, "");

  const auto found = ReadTree(root.string()).value();
  EXPECT_EQ(found.kernel_release, "5.19.3-x");
  const auto machine = ToSystem(found, KernelVersion::kV5_18).value();
  EXPECT_THAT(machine.names.devices, ElementsAre("00:02.0"));
  EXPECT_EQ(machine.as_found[0].group, 3);
  EXPECT_THAT(machine.assumptions, Contains(HasSubstr("taken to be enforced by dmar0")));

  // A folder that is itself a sysfs, with the proc/version beside it.
  const auto bare = ReadTree(sys.string()).value();
  EXPECT_EQ(bare.kernel_release, "5.19.3-x");
  EXPECT_EQ(ToSystem(bare, KernelVersion::kV5_18)->topology, machine.topology);
  fs::remove(root / "proc/version");
  EXPECT_THAT(ReadTree(sys.string())->release_trouble, HasSubstr("no proc/version"));
  std::ofstream(root / "proc/version").close();
  EXPECT_THAT(ReadTree(sys.string())->release_trouble, HasSubstr("an empty proc/version"));

  // The importer does not follow a link out of the folder.
  fs::remove(sys / "class/iommu/dmar0");
  fs::create_symlink((sys / "devices/virtual/iommu/dmar0").string(), sys / "class/iommu/dmar0");
  EXPECT_THAT(GapsOf(ToSystem(*ReadTree(root.string()), KernelVersion::kV6_0)),
              HasSubstr("Links of sys/class/iommu that lead nowhere: dmar0."));
}

TEST(Import, TakesDriversItDoesNotKnow) {
  Tar tar = WithDmar();
  AddIommu(tar, "odd", "platform/odd/iommu/odd");
  tar.Link("sys/devices/platform/odd/iommu/odd/device", "../../../odd");
  tar.Link("sys/devices/platform/odd/driver", "../../../bus/platform/drivers/odd_iommu");
  AddIommu(tar, "none", "virtual/iommu/none");
  const auto system = Read(tar.bytes()).value();
  EXPECT_THAT(system.names.drivers, ElementsAre("intel", "unknown-none", "odd_iommu"));
  EXPECT_THAT(system.assumptions, Contains(HasSubstr("The driver of odd (odd_iommu)")));
}

TEST(Import, KeepsTwoOfAKind) {
  Tar tar = WithDmar(20);
  for (int i = 0; i < 20; ++i)
    for (int f = 0; f < 6; ++f) {
      std::array<char, 16> name{};
      std::snprintf(name.data(), name.size(), "0000:00:%02x.%d", static_cast<unsigned>(i), f);
      AddPci(tar, name.data(), i, "dmar" + std::to_string(i));
    }
  const auto system = Read(tar.bytes()).value();
  EXPECT_EQ(system.devices_found, 120);
  EXPECT_THAT(system.names.instances, ElementsAre("dmar0", "dmar1"));
  EXPECT_EQ(system.topology.devices_count, 6);
  EXPECT_THAT(system.assumptions, Contains(HasSubstr("argued, not proved")));
  EXPECT_THAT(system.assumptions, Contains(HasSubstr("dmar2")));
}

TEST(Import, RefusesWhatIsNoSnapshot) {
  struct Refused {
    const char* what;
    std::string bytes;
    const char* error;
  };
  for (const auto& [what, bytes, error] : std::vector<Refused>{
           {"nothing", "", "x.tar: expected"},
           {"no tar", "not a tar at all", "x.tar: expected a tar"},
           {"no tar as long as one", std::string(4096, 'a'), "x.tar: expected a tar"},
           {"a name above the tar", WithDmar().File("../etc/passwd", "x").bytes(), "'..'"},
           {"a name that leaves it", WithDmar().File("sys/../../etc", "x").bytes(), "'..'"},
           {"a hard link", WithDmar().HardLink("sys/x", "/etc/passwd").bytes(), "hard links"},
           {"a name with an escape sequence",
            WithDmar().HardLink("sys/\x1b[31mx", "/etc/passwd").bytes(), "\\x1b[31mx"},
           {"a folder that is a file", WithDmar().File("sys/class", "x").bytes(), "each name once"},
           {"a file that has files", Tar().File("sys", "x").File("sys/class/iommu", "x").bytes(),
            "each name once"},
           {"no sysfs", Tar().File("readme", "x").bytes(), "expected a sys folder"},
           {"links in a circle",
            Tar().Link("sys/class/iommu/a", "b").Link("sys/class/iommu/b", "a").bytes(),
            "found a cycle"},
           {"a link to itself",
            WithDmar().Link("sys/bus/pci/devices/0000:00:01.0", "0000:00:01.0").bytes(),
            "found a cycle"},
           {"too much", WithDmar().File("sys/large", std::string(kMaxSnapshotBytes, 'x')).bytes(),
            "bytes unpacked"}})
    EXPECT_THAT(ErrorOf(bytes), HasSubstr(error)) << what;
  EXPECT_THAT(MessageOf(ReadTree("/nonexistent/path")),
              StartsWith("/nonexistent/path: expected a folder, a tar, a device tree or ACPI"));
}

TEST(Import, RefusesTruncatedSnapshots) {
  const std::string whole = ReadCorpus(kOne);
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
      const auto system = Read(bad);
      EXPECT_TRUE(!system.ok() || Validate(system->topology).ok()) << at;
    }
}

TEST(Import, SaysWhatItCouldNotUse) {
  Tar tar = WithDmar();
  tar.File(kTables + "/VIOT", "VIOT garbage");
  tar.File(kTables + "/IVRS", "IVRS");
  const auto system = Read(tar.bytes()).value();
  EXPECT_THAT(GapsOf(system), HasSubstr("table VIOT is not valid"));
  EXPECT_THAT(GapsOf(system), HasSubstr("table IVRS is not valid"));
}

// --- ACPI tables ---

std::string TableOf(const std::string& snapshot, const std::string& table) {
  const auto tree = OpenTar(ReadCorpus(snapshot));
  EXPECT_TRUE(tree.ok());
  return (*tree)->ReadFile(kTables + "/" + table).value_or("");
}

TEST(Acpi, ReadsViot) {
  const auto viot = ParseViot(TableOf(kMixed, "VIOT")).value();
  ASSERT_EQ(viot.iommus.size(), 1U);
  EXPECT_TRUE(viot.iommus[0].is_pci);
  EXPECT_EQ(viot.iommus[0].pci, (PciAddress{0, 0x40}));
  ASSERT_EQ(viot.endpoints.size(), 1U);
  EXPECT_EQ(viot.endpoints[0].bdf_last, 0x3ff);
}

TEST(Acpi, ReadsDmar) {
  const auto units = ParseDmar(TableOf(kMixed, "DMAR"))->units;
  ASSERT_EQ(units.size(), 1U);
  EXPECT_FALSE(units[0].all_pci);
  EXPECT_EQ(units[0].address, 0xfed90000U);
  ASSERT_EQ(units[0].scopes.size(), 11U);
  EXPECT_EQ(units[0].scopes[0].kind, DmarScope::Kind::kIoapic);
  EXPECT_EQ(units[0].scopes[2].kind, DmarScope::Kind::kBridge);
  EXPECT_THAT(units[0].scopes[2].path, ElementsAre(0x08));
}

// Sets the checksum, so that the table's bytes add up to 0.
void Sum(std::string& table) {
  constexpr size_t kChecksum = 9;
  table[kChecksum] = 0;
  unsigned sum = 0;
  for (const char byte : table) sum += static_cast<unsigned char>(byte);
  table[kChecksum] = static_cast<char>(256 - sum % 256);
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
      EXPECT_TRUE(parsed.ok() || !parsed.status().message().empty()) << at;
    }
}

// An unknown node may be an IOMMU, or a device behind one.
TEST(Acpi, TakesNoPartOfADamagedViotForTheWhole) {
  const std::string viot = TableOf(kMixed, "VIOT");
  const auto error = [&](size_t at, uint8_t value) {
    std::string bad = viot;
    bad[at] = static_cast<char>(value);
    Sum(bad);
    return std::string(ParseViot(bad).status().message());
  };
  EXPECT_THAT(error(64, 0xfe), HasSubstr("a node of type 1 to 4 at byte 64"));
  EXPECT_THAT(error(64, 0), HasSubstr("a node of type 1 to 4 at byte 64"));
  EXPECT_THAT(error(72, 0xff), HasSubstr("a range of endpoints"));
  EXPECT_THAT(error(77, 0xff), HasSubstr("a range of endpoints"));
  EXPECT_THAT(error(36, 1), HasSubstr("1 nodes up to the end of the table"));
  EXPECT_EQ(error(36, 2), "");
}

TEST(Acpi, SurvivesGarbage) {
  Torture(TableOf(kMixed, "VIOT"), ParseViot);
  Torture(TableOf(kMixed, "DMAR"), ParseDmar);
}

// --- missing parts ---

// A snapshot in which some paths are missing (with everything below them), or cannot be read.
class Partial : public Tree {
 public:
  Partial(std::unique_ptr<Tree> whole, std::vector<std::string> gone, std::string unreadable = "-")
      : whole_(std::move(whole)), gone_(std::move(gone)), unreadable_(std::move(unreadable)) {}

  [[nodiscard]] Kind KindOf(const std::string& path) const override {
    return IsGone(path) ? Kind::kNone : whole_->KindOf(path);
  }
  [[nodiscard]] std::optional<std::vector<std::string>> List(
      const std::string& path) const override {
    if (path == unreadable_) return std::nullopt;
    auto names = whole_->List(path);
    std::erase_if(*names, [&](const std::string& name) { return IsGone(Join(path, name)); });
    return names;
  }
  [[nodiscard]] std::optional<std::string> ReadLink(const std::string& path) const override {
    return IsGone(path) ? std::nullopt : whole_->ReadLink(path);
  }
  [[nodiscard]] std::optional<std::string> ReadFile(const std::string& path) const override {
    return IsGone(path) || path == unreadable_ ? std::nullopt : whole_->ReadFile(path);
  }

 private:
  // "*" at the beginning of a path matches any folder.
  [[nodiscard]] bool IsGone(const std::string& path) const {
    return std::ranges::any_of(gone_, [&](const std::string& gone) {
      if (gone.starts_with('*')) return path.ends_with(gone.substr(1));
      return path == gone || path.starts_with(gone + "/");
    });
  }

  std::unique_ptr<Tree> whole_;
  std::vector<std::string> gone_;
  std::string unreadable_;
};

std::string GapsWithout(const std::string& snapshot, std::vector<std::string> gone,
                        std::string unreadable = "-") {
  const Partial tree(*OpenTar(ReadCorpus(snapshot)), std::move(gone), std::move(unreadable));
  const auto found = ReadFound(tree);
  EXPECT_TRUE(found.ok()) << found.status();
  return found.ok() ? GapsOf(ToSystem(*found, KernelVersion::kV7_1)) : "";
}

TEST(Gaps, OfWhatCannotBeRead) {
  for (const char* snapshot : {kOne, kMixed}) {
    EXPECT_EQ(GapsWithout(snapshot, {}), "");
    EXPECT_THAT(GapsWithout(snapshot, {}, kTables + "/DMAR"),
                HasSubstr("The ACPI table DMAR is there and cannot be read. | run as root"));
    for (const char* folder : {"sys/firmware/acpi/tables", "sys/class/iommu", "sys/bus/pci/devices",
                               "sys/kernel/iommu_groups"})
      EXPECT_THAT(GapsWithout(snapshot, {}, folder),
                  HasSubstr(std::string("The folder ") + folder + " cannot be read. | run as root"))
          << snapshot;
  }
  EXPECT_THAT(GapsWithout(kMixed, {}, kTables + "/VIOT"), HasSubstr("table VIOT is there"));
}

TEST(Gaps, OfWhatIsNotThere) {
  const std::string virtio = "sys/devices/pci0000:00/0000:00:08.0/virtio0/iommu";
  const std::vector<std::pair<std::vector<std::string>, const char*>> gaps = {
      {{"sys/firmware"}, "record sys/firmware, too"},
      {{kTables + "/DMAR", kTables + "/VIOT"}, "No ACPI table is in"},
      {{"sys/class/iommu"}, "There is no folder"},
      {{"sys/devices/virtual/iommu/dmar0"}, "Links of sys/class/iommu that lead nowhere: dmar0."},
      {{"sys/devices/pci0000:00/0000:00:02.0"}, "Links to devices that lead nowhere: 0000:00:02.0"},
      {{"sys/bus"}, "No device was found."},
      {{"*/iommu_group"}, "Devices behind an IOMMU, but in no group: 0000:00:00.0"},
      {{"*/iommu", "*/dmar0/devices", kTables + "/DMAR"},
       "Devices in a group, but behind no IOMMU"},
      {{"sys/bus/pci/devices/0000:00:03.0"},
       "kernel/iommu_groups names and sys/bus does not know so: 0000:00:03.0."}};
  for (const char* snapshot : {kOne, kMixed})
    for (const auto& [gone, gap] : gaps)
      EXPECT_THAT(GapsWithout(snapshot, gone), HasSubstr(gap)) << snapshot;
  EXPECT_THAT(GapsWithout(kMixed, {kTables + "/DMAR"}), HasSubstr("table DMAR is not there"));
  // arm64 also has a device tree besides ACPI; it does not replace the ACPI tables.
  Tar arm = WithDmar();
  arm.Folder("sys/firmware/acpi").File("sys/firmware/devicetree/base/chosen/x", "");
  EXPECT_THAT(GapsOf(arm), HasSubstr("No ACPI table is in sys/firmware/acpi/tables"));
  // Without the target of the link in class/iommu, and without the table that names the IOMMU.
  EXPECT_THAT(GapsWithout(kMixed, {virtio, kTables + "/VIOT"}),
              HasSubstr("Links of sys/class/iommu that lead nowhere: 0000:00:08.0."));
  // Only the table still shows the IOMMU.
  EXPECT_THAT(GapsWithout(kMixed, {virtio, "sys/class/iommu/0000:00:08.0"}),
              HasSubstr("VIOT describes a virtio-iommu at 0000:00:08.0, and sys/class/iommu has "
                        "none for it. | load its driver"));
}

TEST(Gaps, OfLinksThatLeadToNoIommu) {
  Tar tar = WithDmar();
  AddPci(tar, "0000:00:01.0", 1, "dmar7");
  EXPECT_THAT(GapsOf(tar),
              HasSubstr("link 'iommu' leads to none of sys/class/iommu: 0000:00:01.0."));
}

// The missing parts can only belong to the one driver that is there.
TEST(Gaps, AreNoneWhereOneDriverIsAllThereCanBe) {
  const Partial tree(*OpenTar(ReadCorpus(kOne)), {"sys/bus/platform"});
  const auto system = ToSystem(*ReadFound(tree), KernelVersion::kV7_1);
  EXPECT_EQ(GapsOf(system), "");
  EXPECT_THAT(system->assumptions, Contains(HasSubstr("With one driver that changes nothing")));
  EXPECT_THAT(GapsWithout(kMixed, {"sys/bus/platform"}), HasSubstr("sys/bus/platform/devices"));
  // Only the folder of the IOMMU is left.
  EXPECT_THAT(GapsWithout(kMixed, {"sys/class/iommu/0000:00:08.0", kTables + "/VIOT"}),
              HasSubstr("Folders of IOMMUs that sys/class/iommu has no link to: 0000:00:08.0."));
}

// Makes a table: a header with signature, length and checksum, then the body.
std::string Table(const std::string& signature, const std::string& body) {
  std::string table = signature + std::string(32, '\0') + body;
  table[4] = static_cast<char>(table.size() & 0xff);
  table[5] = static_cast<char>(table.size() >> 8);
  Sum(table);
  return table;
}
std::string Number(uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text.push_back(static_cast<char>(value >> (8 * i)));
  return text;
}
std::string IortNode(int type, uint64_t address) {
  return Number(type, 1) + Number(40, 2) + std::string(13, '\0') + Number(address, 8) +
         std::string(16, '\0');
}
std::string Ivhd(int type, int device) {
  const int length = type == 0x10 ? 24 : 40;
  return Number(type, 1) + Number(0, 1) + Number(length, 2) + Number(device, 2) +
         std::string(static_cast<size_t>(length) - 6, '\0');
}

TEST(Gaps, OfIommusThatNobodyRegistered) {
  const auto with_smmu3 = [](const std::string& iort) {
    Tar tar;
    AddIommu(tar, "smmu3.0x0000000014f80000", "platform/s/iommu/s3");
    AddDevice(tar, "m", "s/iommu/s3");
    tar.File(kTables + "/IORT", iort);
    return GapsOf(tar);
  };
  const std::string head = Number(2, 4) + Number(48, 4) + Number(0, 4);
  EXPECT_THAT(with_smmu3(Table("IORT", head + IortNode(4, 0x14f80000) + IortNode(3, 0x15000000))),
              HasSubstr("IORT describes an SMMU at 0x15000000, and sys/class/iommu has none"));
  // A second SMMUv3 adds no driver.
  EXPECT_EQ(with_smmu3(Table("IORT", head + IortNode(4, 0x14f80000) + IortNode(4, 0x15000000))),
            "");
  EXPECT_THAT(with_smmu3(Table("IORT", head + IortNode(4, 0x14f80000))),
              HasSubstr("table IORT is not valid"));

  const auto ivrs = ParseIvrs(Table("IVRS", std::string(12, '\0') + Ivhd(0x10, 2) + Ivhd(0x11, 2) +
                                                Ivhd(0x40, 0x4002)))
                        .value();
  ASSERT_EQ(ivrs.iommus.size(), 2U);
  EXPECT_EQ(ivrs.iommus[0].at, (PciAddress{0, 2}));
  EXPECT_EQ(ivrs.iommus[1].at, (PciAddress{0, 0x4002}));
}

// A board with a device tree; `node` has the properties of its second IOMMU.
std::string GapsOfBoard(const std::string& status, const std::string& compatible,
                        bool with_nodes = true) {
  Tar tar;
  AddIommu(tar, "a.iommu", "platform/a.iommu/iommu/a.iommu");
  tar.Link("sys/devices/platform/a.iommu/iommu/a.iommu/device", "../../../a.iommu");
  tar.Link("sys/devices/platform/a.iommu/driver", "../../../bus/platform/drivers/rk_iommu");
  tar.Link("sys/devices/platform/a.iommu/of_node", "../../../firmware/devicetree/base/iommu@a");
  AddDevice(tar, "m", "a.iommu/iommu/a.iommu");
  const std::string base = "sys/firmware/devicetree/base/";
  tar.Folder(base);
  if (with_nodes) {
    tar.File(base + "iommu@a/#iommu-cells", std::string(4, '\0'));
    tar.File(base + "iommu@a/compatible", std::string("rockchip,iommu\0", 15));
    tar.File(base + "soc/status", std::string("okay\0", 5));
    tar.File(base + "soc/iommu@b/#iommu-cells", std::string(4, '\0'));
    tar.File(base + "soc/iommu@b/compatible", compatible + std::string(1, '\0'));
    tar.File(base + "soc/iommu@b/status", status + std::string(1, '\0'));
  }
  return GapsOf(tar);
}

TEST(Gaps, OfIommusOfTheDeviceTree) {
  EXPECT_THAT(GapsOfBoard("okay", "verisilicon,iommu"),
              HasSubstr("The device tree describes the IOMMU soc/iommu@b, and sys/class/iommu"));
  EXPECT_EQ(GapsOfBoard("disabled", "verisilicon,iommu"), "");
  EXPECT_EQ(GapsOfBoard("okay", "rockchip,iommu"), "");  // the driver that is there
  EXPECT_THAT(GapsOfBoard("", "", false), HasSubstr("has no nodes"));
}

// Assumptions of the importer that could hide a violation.
TEST(Gaps, OfWhatWasAssumed) {
  EXPECT_EQ(GapsOf(MixedGroup()), "");  // the model has such groups
  EXPECT_THAT(GapsOf(MixedGroup(), KernelVersion::kV6_0),
              HasSubstr("The driver unknown-fkA is not in the catalogue"));
  // If the driver made a group per instance, the model would split the group.
  EXPECT_THAT(GapsOf(MixedGroup().Link("sys/devices/platform/hwfkB0/driver",
                                       "../../../bus/platform/drivers/rk_iommu")),
              HasSubstr("Group 0 holds devices of a driver that makes a group per instance"));
  // Names of the same form are assumed to be of one driver, which may be wrong.
  EXPECT_THAT(GapsOf(MixedGroup("fkA1")),
              HasSubstr("No link names the driver of fkA0, fkA1. | record the links 'driver'"));
  const auto alike = Read(MixedGroup("fkA1").bytes()).value();
  EXPECT_THAT(alike.names.drivers, ElementsAre("unknown-fkA"));
}

TEST(Import, TakesPowerPcBridgesForOneDriver) {
  Tar tar;
  for (int i = 0; i < 10; ++i) {
    const std::string name = "iommu-phb000" + std::to_string(i);
    AddIommu(tar, name, "p/iommu/" + name);
  }
  const auto system = Read(tar.bytes()).value();
  EXPECT_THAT(system.names.drivers, ElementsAre("spapr_tce"));
  EXPECT_EQ(system.instances_found.size(), 10U);
}

// The drivers are those of the kernel in question, not of the kernel that ran.
TEST(Import, TakesDriversAsTheKernelAskedAboutHasThem) {
  const auto driver = [](const char* snapshot, KernelVersion version) {
    return Read(ReadCorpus(snapshot), version)->topology.drivers[0];
  };
  EXPECT_NE(driver(kOne, KernelVersion::kV6_0).claims, (Driver{}.claims));
  EXPECT_EQ(driver(kOne, KernelVersion::kV7_1).claims, (Driver{}.claims));
  Tar tar;
  AddIommu(tar, "smmu.0x1000", "platform/s/iommu/s");
  EXPECT_TRUE(Read(tar.bytes(), KernelVersion::kV6_1)->topology.drivers[0].refuses_foreign);
  EXPECT_FALSE(Read(tar.bytes(), KernelVersion::kV7_1)->topology.drivers[0].refuses_foreign);
}

TEST(Import, KnowsAMachineWithoutIommus) {
  Tar none;
  none.Folder("sys/class/iommu").File(kTables + "/FACP", "FACP");
  AddDevice(none, "m", "");
  const auto system = Read(none.bytes());
  EXPECT_EQ(GapsOf(system), "");
  EXPECT_EQ(system->instances_found.size(), 0U);
  EXPECT_THAT(system->assumptions, testing::IsEmpty());

  // Firmware describes IOMMUs that are switched off: with one driver nothing can go wrong, with two
  // it can.
  Tar off = none;
  off.File(kTables + "/DMAR", TableOf(kMixed, "DMAR"));
  EXPECT_EQ(GapsOf(off), "");
  EXPECT_THAT(Read(off.bytes())->assumptions, Contains(HasSubstr("intel_iommu=on")));
  off.File(kTables + "/VIOT", TableOf(kMixed, "VIOT"));
  EXPECT_THAT(GapsOf(off), HasSubstr("can be of two drivers"));
  // An empty class/iommu folder proves that none is registered; a missing one proves nothing.
  EXPECT_THAT(GapsOf(Tar().Folder("sys/bus").File(kTables + "/FACP", "FACP")),
              HasSubstr("There is no folder sys/class/iommu"));
}

// --- forms of snapshots ---

TEST(Import, TrimsWhatTarPads) {
  Tar tar = WithDmar();
  tar.File("sys/devices/virtual/iommu/dmar0/intel-iommu/ecap", "70\n" + std::string(4093, '\0'));
  EXPECT_FALSE(Read(tar.bytes())->topology.instances[0].enforces_coherency);
}

TEST(Import, ReadsTarsOfOtherForms) {
  // Absolute names, and a folder around everything.
  EXPECT_TRUE(
      Read(Tar().Link("/sys/class/iommu/dmar0", "../../devices/d").Folder("/sys/devices/d").bytes())
          .ok());
  Tar host;
  host.File("host/proc/version", "Linux version 6.8.1 (x)\n");
  host.Folder("host/sys/class/iommu");
  EXPECT_EQ(ReadSnapshot(host.bytes(), "x.tar")->kernel_release, "6.8.1");
}

// As sosreport makes them: compressed by xz, one folder around everything, and much beside sys.
TEST(Import, ReadsASosreport) {
  const TemporaryFolder folder;
  ASSERT_EQ(
      RunShell("cd '" + folder.path().string() +
               "' && mkdir -p sosreport-host-1/sos_commands/pci sosreport-host-1/etc && tar -xf '" +
               (kSource / "corpus/systems" / kOne).string() +
               "' -C sosreport-host-1 && echo x >sosreport-host-1/version.txt && "
               "tar -cJf s.tar.xz sosreport-host-1 && tar -cjf s.tar.bz2 sosreport-host-1 2>&1")
          .out,
      "");
  const auto whole = Read(ReadCorpus(kOne)).value();
  for (const char* name : {"s.tar.xz", "s.tar.bz2"}) {
    const auto found = ReadTree((folder.path() / name).string());
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->kernel_release, "6.1.0-56-amd64");
    EXPECT_EQ(ToSystem(*found, KernelVersion::kV7_1)->topology, whole.topology);
  }
}

// What the model has no room for is a gap, and no error.
TEST(Import, SaysWhatItHasNoRoomFor) {
  Tar tar;
  tar.File(kTables + "/FACP", "FACP");
  for (int i = 0; i < 10; ++i) {
    const std::string name = std::string("fk") + static_cast<char>('A' + i) + "x";
    AddIommu(tar, name, "platform/hw" + name + "/iommu/" + name);
    AddDevice(tar, "m" + name, "hw" + name + "/iommu/" + name);
  }
  const auto system = Read(tar.bytes());
  EXPECT_THAT(GapsOf(system), HasSubstr("The machine has 10 drivers, 10 IOMMUs and 10 devices that "
                                        "differ; the model has room for 8, 16 and 64"));
  EXPECT_EQ(system->topology.drivers_count, kMaxDrivers);
  EXPECT_EQ(system->topology.devices_count, 8);
  EXPECT_EQ(system->instances_found.size(), 10U);
}

// A board whose tree Linux shows in another form than sys/firmware/devicetree.
TEST(Import, ReadsTheOtherFormsOfADeviceTreeBesideSys) {
  const auto board = [](bool folder) {
    Tar tar;
    AddIommu(tar, "a.iommu", "platform/a.iommu/iommu/a.iommu");
    tar.Link("sys/devices/platform/a.iommu/driver", "../../../bus/platform/drivers/rk_iommu");
    tar.Link("sys/devices/platform/a.iommu/of_node", "../../../firmware/devicetree/base/iommu@a");
    AddDevice(tar, "m", "a.iommu/iommu/a.iommu");
    if (!folder) return tar.File("sys/firmware/fdt", "no tree");
    const std::string base = "proc/device-tree/";
    tar.File(base + "compatible", std::string("board\0", 6));
    tar.File(base + "#address-cells", std::string("\0\0\0\1", 4));
    for (const char* iommu : {"iommu@a", "iommu@b"}) {
      const std::string name = iommu;
      tar.File(base + name + "/#iommu-cells", std::string(4, '\0'));
      tar.File(base + name + "/compatible", name == "iommu@a"
                                                ? std::string("rockchip,iommu\0", 15)
                                                : std::string("rockchip,rk3588-av1-iommu\0", 26));
    }
    return tar;
  };
  EXPECT_THAT(GapsOf(board(true)), HasSubstr("The device tree describes the IOMMU iommu@b"));
  EXPECT_THAT(GapsOf(board(false)),
              HasSubstr("The device tree in sys/firmware/fdt cannot be read"));
}

// Gzips the bytes, by zlib.
std::string Gzip(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST(Import, ReadsGzipsToTheirEnd) {
  const std::string tar = WithDmar().bytes();
  const std::string whole = Gzip(tar);
  ASSERT_TRUE(Read(whole).ok());
  for (size_t n = 1; n <= 8; ++n) {  // checksum and length
    std::string bad = whole;
    bad[bad.size() - n] = static_cast<char>(bad[bad.size() - n] ^ 1);
    EXPECT_THAT(ErrorOf(bad), HasSubstr("expected a whole tar, found a gzip with an error")) << n;
  }
  EXPECT_THAT(ErrorOf(whole.substr(0, whole.size() - 1)), HasSubstr("no end of its gzip"));
  EXPECT_THAT(ErrorOf(whole + "x"), HasSubstr("bytes after the end of its gzip"));
  EXPECT_THAT(ErrorOf(Gzip(tar.substr(0, tar.size() - 1024))), HasSubstr("found no end"));
  const size_t half = tar.size() / 2;
  EXPECT_TRUE(Read(Gzip(tar.substr(0, half)) + Gzip(tar.substr(half))).ok());
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
  const auto tree = OpenTar(tar.bytes()).value();
  EXPECT_EQ(*Resolve(*tree, "a/to_b/file"), "a/b/file");
  EXPECT_EQ(*Resolve(*tree, "back"), "a/b/file");
  EXPECT_EQ(*Resolve(*tree, "out"), std::nullopt);
  EXPECT_EQ(*Resolve(*tree, "root"), std::nullopt);
  EXPECT_EQ(*Resolve(*tree, "a/none"), std::nullopt);
}

}  // namespace
}  // namespace iommucheck::import
