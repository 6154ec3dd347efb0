// SPDX-License-Identifier: Apache-2.0
#include "src/report/vfio_groups.h"

#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/report/system.h"
#include "tests/run_tool.h"

namespace iommucheck::report {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// A machine with VT-d: dmar0 remaps no interrupts, unless its ecap says so, and dmar1 does. Every group is one answer.
class Sysfs {
 public:
  explicit Sysfs(const char* ecap0 = "f0\n") {
    File("proc/version", "Linux version 6.12.0 (x)\n");
    File("sys/firmware/acpi/tables/FACP", "FACP");
    for (const auto& [name, ecap] : {std::pair("dmar0", ecap0), std::pair("dmar1", "f8\n")}) {
      Link("sys/class/iommu/" + std::string(name),
           "../../devices/virtual/iommu/" + std::string(name));
      File("sys/devices/virtual/iommu/" + std::string(name) + "/intel-iommu/ecap", ecap);
    }
    Device("0000:00:01.0", 0, "dmar1", "e1000e");
    Device("0000:00:02.0", 1, "dmar1", "e1000e");
    Device("0000:00:02.1", 1, "dmar1", "vfio-pci");
    Device("0000:00:03.0", 2, "dmar1", "");
    File("sys/kernel/iommu_groups/2/reserved_regions",
         "0x000000007d000000 0x000000007f7fffff direct\n0x00000000fee00000 0x00000000feefffff "
         "msi\n");
    Device("0000:00:04.0", 3, "dmar0", "");
    Device("0000:00:05.0", -1, "", "");
    // A bridge of the group has its own driver, which leaves DMA alone.
    Device("0000:00:06.0", 4, "dmar1", "pcieport");
    Device("0000:00:06.1", 4, "dmar1", "e1000e");
  }
  [[nodiscard]] std::string path() const { return root_.string(); }

 private:
  void File(const std::string& name, const std::string& text) {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }
  void Link(const std::string& name, const std::string& to) {
    fs::create_directories((root_ / name).parent_path());
    fs::create_symlink(to, root_ / name);
  }
  void Device(const std::string& name, int group, const std::string& instance,
              const std::string& driver) {
    const std::string folder = "sys/devices/pci0000:00/" + name;
    fs::create_directories(root_ / folder);
    Link("sys/bus/pci/devices/" + name, "../../../devices/pci0000:00/" + name);
    if (!driver.empty()) Link(folder + "/driver", "../../../bus/pci/drivers/" + driver);
    if (group < 0) return;
    const std::string number = std::to_string(group);
    Link(folder + "/iommu_group", "../../../kernel/iommu_groups/" + number);
    Link(folder + "/iommu", "../../virtual/iommu/" + instance);
    Link("sys/kernel/iommu_groups/" + number + "/devices/" + name,
         "../../../../devices/pci0000:00/" + name);
  }
  TemporaryFolder folder_;
  fs::path root_ = folder_.path();
};

SystemReport ReportOn(KernelVersion version, const Sysfs& sysfs = Sysfs()) {
  return CheckSystem({.path = sysfs.path(), .kernel = KernelSpec{.version = version}}).value();
}
VfioOnKernel VfioOf(KernelVersion version) { return ReportOn(version).vfio.front(); }

TEST(VfioGroups, TakesAGroupThatTheKernelHas) {
  const GroupOnKernel group = VfioOf(KernelVersion::kV6_12).groups[0];
  EXPECT_EQ(group.handed_over.error, 0);
  EXPECT_THAT(group.stay, ElementsAre(std::pair("0000:00:01.0", "e1000e")));
  EXPECT_EQ(group.while_they_stay.error, 0);  // it is the device asked about
}

TEST(VfioGroups, SaysWhatASiblingWithAKernelDriverCosts) {
  const auto sibling = [](KernelVersion version) {
    return ReportOn(version, Sysfs("f8\n")).vfio.front().groups[1];
  };
  EXPECT_EQ(sibling(KernelVersion::kV6_12).handed_over.error, 0);
  EXPECT_EQ(sibling(KernelVersion::kV6_12).while_they_stay.error, -EPERM);
  EXPECT_EQ(sibling(KernelVersion::kV6_12).while_they_stay.rule, Rule::kCoreDmaOwner);
  EXPECT_EQ(sibling(KernelVersion::kV6_12).while_they_stay.call, "VFIO_GROUP_SET_CONTAINER");
  EXPECT_EQ(sibling(KernelVersion::kV5_18).while_they_stay.error, -EINVAL);
  EXPECT_EQ(sibling(KernelVersion::kV5_18).while_they_stay.rule, Rule::kVfioViable);
  EXPECT_EQ(sibling(KernelVersion::kV5_18).while_they_stay.call, "VFIO_GROUP_GET_DEVICE_FD");
  // The bridge's driver does no DMA, so that the other device can go alone.
  EXPECT_EQ(VfioOf(KernelVersion::kV6_12).groups[4].while_they_stay.error, 0);
}

TEST(VfioGroups, RefusesADirectRegionAsThatKernelDoes) {
  const auto direct = [](KernelVersion version) { return VfioOf(version).groups[2].handed_over; };
  EXPECT_EQ(direct(KernelVersion::kV6_12).error, -EINVAL);
  EXPECT_EQ(direct(KernelVersion::kV6_12).rule, Rule::kCoreRequireDirect);
  EXPECT_EQ(direct(KernelVersion::kV6_1).error, -EPERM);  // the driver did so then
  EXPECT_THAT(direct(KernelVersion::kV6_1).why, HasSubstr("RMRR"));
}

TEST(VfioGroups, RefusesADeviceThatCanForgeInterrupts) {
  const Refusal refusal = VfioOf(KernelVersion::kV6_12).groups[3].handed_over;
  EXPECT_EQ(refusal.error, -EPERM);
  EXPECT_EQ(refusal.rule, Rule::kType1MsiSafety);
  EXPECT_EQ(refusal.call, "VFIO_SET_IOMMU");
  EXPECT_EQ(VfioOf(KernelVersion::kV6_12).groups[0].handed_over.error, 0);
  // Up to and including 6.0 the driver answers for all of its units.
  EXPECT_EQ(VfioOf(KernelVersion::kV6_0).groups[0].handed_over.error, -EPERM);
}

TEST(VfioGroups, NamesDevicesWithoutAGroup) {
  const std::string text = SystemText(ReportOn(KernelVersion::kV6_12));
  EXPECT_THAT(VfioOf(KernelVersion::kV6_12).ungrouped, ElementsAre("0000:00:05.0"));
  EXPECT_THAT(text, HasSubstr("no group: 0000:00:05.0"));
  EXPECT_THAT(text, HasSubstr("v6.12 takes groups 0, 1, 4"));
  EXPECT_THAT(text, Not(HasSubstr("No group has a direct region")));
}

// The two drivers of a machine, where the kernel takes one.
TEST(VfioGroups, SaysWhatDoesNotComeUpAtBoot) {
  const auto at = [](KernelVersion version) {
    return CheckSystem({.path = kSource / "corpus/systems/two-drivers.dts",
                        .kernel = KernelSpec{.version = version}})
        .value()
        .vfio.front();
  };
  const VfioOnKernel single = at(KernelVersion::kV6_1);
  ASSERT_EQ(single.refused.size(), 1U);
  EXPECT_EQ(single.refused[0].refusal.error, -EBUSY);
  EXPECT_EQ(single.refused[0].refusal.rule, Rule::kRegisterSingleDriver);
  EXPECT_THAT(VfioText(single), HasSubstr("Whichever driver comes second"));
  EXPECT_THAT(std::ranges::count_if(single.groups, [](const auto& g) { return !g.served; }),
              testing::Gt(0));
  const VfioOnKernel both = at(KernelVersion::kV7_1);
  EXPECT_THAT(both.refused, IsEmpty());
  EXPECT_TRUE(std::ranges::all_of(both.groups, &GroupOnKernel::served));
}

TEST(VfioGroups, ShowsAllKernelsInOneTable) {
  const Sysfs sysfs;
  const import::Found found = import::ReadTree(sysfs.path()).value();
  const auto reports = CheckFoundOn({.path = sysfs.path()}, found, kKernelVersions).value();
  ASSERT_EQ(reports.size(), kKernelVersions.size());
  const std::string text = SystemsText(reports);
  EXPECT_THAT(text, HasSubstr("* group 2 "));  // -EPERM, then -EINVAL
  EXPECT_THAT(text, HasSubstr("  group 3 "));
  EXPECT_THAT(text, HasSubstr("ok, whole"));
  for (const std::string& line : Split(text)) {
    const bool is_free = line.starts_with("Verdict ") || line.find(sysfs.path()) != line.npos;
    EXPECT_TRUE(is_free || line.size() <= 75) << line;
  }
}

}  // namespace
}  // namespace iommucheck::report
