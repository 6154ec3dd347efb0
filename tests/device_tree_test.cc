// SPDX-License-Identifier: Apache-2.0
//
// Device trees as they are read: by the compiled forms of sources that stand here.
#include "src/import/device_tree.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/import/catalogue.h"
#include "src/import/import.h"
#include "src/report/survey.h"
#include "src/report/system.h"

namespace iommucheck::import {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class DeviceTreeTest : public ::testing::Test {
 protected:
  // The bytes that dtc makes of a root node with this in it.
  std::string Compiled(const std::string& body) {
    const std::string path = (folder_ / "source.dts").string();
    std::ofstream(path) << "/dts-v1/;\n/ {\n" << body << "\n};\n";
    absl::StatusOr<std::string> bytes = CompileDeviceTree(path);
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    return bytes.ok() ? *bytes : "";
  }
  Found Read(const std::string& body) {
    absl::StatusOr<Found> found = ReadDeviceTree(Compiled(body));
    EXPECT_TRUE(found.ok()) << found.status();
    return found.ok() ? *found : Found();
  }
  static System On(const Found& found, KernelVersion version) {
    absl::StatusOr<System> system = ToSystem(found, version, Keep::kAllThatFit);
    EXPECT_TRUE(system.ok()) << system.status();
    return system.ok() ? *system : System();
  }
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) / "device_tree_test";
    std::filesystem::create_directories(folder_);
  }
  std::filesystem::path folder_;
};

constexpr char kTwo[] = IOMMUCHECK_SOURCE_DIR "/corpus/systems/two-drivers.dts";

TEST_F(DeviceTreeTest, ReadsTheMachineOfTheCorpus) {
  ASSERT_TRUE(IsSystem(kTwo));
  const absl::StatusOr<Found> found = ReadTree(kTwo);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->model, "Two drivers, made by hand");
  EXPECT_THAT(found->instances, SizeIs(2));
  EXPECT_THAT(found->switched_off, ElementsAre(Field(&FoundNode::path, "/soc/iommu@30000")));
  const System system = On(*found, KernelVersion::kV7_1);
  EXPECT_THAT(system.names.drivers, ElementsAre("arm-smmu", "arm-smmu-v3"));
  ASSERT_EQ(system.topology.devices_count, 4);
  EXPECT_EQ(system.topology.devices[0].bus, Bus::kPlatform);
  EXPECT_NE(system.topology.devices[0].slot, 0) << "the stream that both send";
  EXPECT_EQ(system.topology.devices[0].slot, system.topology.devices[1].slot);
  EXPECT_EQ(system.topology.devices[2].bus, Bus::kPci);
  EXPECT_TRUE(system.topology.drivers[0].coherent) << "dma-coherent of the node above";
  EXPECT_THAT(system.gaps, IsEmpty());
}

TEST_F(DeviceTreeTest, TheAnswerIsASentence) {
  for (const auto& [kernel, starts] :
       {std::pair(KernelVersion::kV6_1, "not affected because "),
        std::pair(KernelVersion::kV7_3, "not affected because no run puts a device of arm-smmu")}) {
    const auto report =
        report::CheckSystem({.path = kTwo, .kernel = KernelSpec{.version = kernel}});
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_THAT(report::SystemText(*report), ::testing::StartsWith(starts));
  }
}

TEST_F(DeviceTreeTest, ANodeIsAvailableAsInLinux) {
  for (const auto& [status, available] :
       {std::pair("", 1), std::pair("status = \"okay\";", 1), std::pair("status = \"ok\";", 1),
        std::pair("status = \"disabled\";", 0), std::pair("status = \"fail\";", 0),
        std::pair("status = \"reserved\";", 0), std::pair("status;", 0)}) {
    const Found found = Read(std::string("bus { i { compatible = \"arm,smmu-v3\"; #iommu-cells = "
                                         "<1>; ") +
                             status + " }; };");
    EXPECT_THAT(found.instances, SizeIs(available)) << status;
    EXPECT_THAT(found.switched_off, SizeIs(1 - available)) << status;
  }
}

TEST_F(DeviceTreeTest, TheRootMayBeAnIommuThatIsSwitchedOff) {
  const Found found = Read("#iommu-cells = <1>; status = \"disabled\";");
  ASSERT_THAT(found.switched_off, SizeIs(1));
  EXPECT_THAT(On(found, KernelVersion::kV7_1).assumptions,
              Contains(HasSubstr("not part of the machine: / (no driver)")));
}

TEST_F(DeviceTreeTest, ReadsMapsOfBothWidths) {
  for (const char* map : {"<0 &s 1 2 0x100>", "<0 &s 1 0x100>", "<0 &s 1 1>, <0x100 &s 2 1>"}) {
    const Found found =
        Read(std::string("s: i { compatible = \"arm,mmu-500\"; #iommu-cells = <2>; };"
                         "pcie { device_type = \"pci\"; iommu-map = ") +
             map + "; };");
    EXPECT_THAT(found.devices, SizeIs(2)) << map;
    EXPECT_THAT(found.gaps, IsEmpty()) << map;
  }
}

TEST_F(DeviceTreeTest, WhatCannotBeUnderstoodIsAGapWithItsPlace) {
  for (const auto& [device, place] :
       {std::pair("iommus = <0x99 1>;",
                  "/d, property iommus: expected the phandle of a node, "
                  "found 0x99 at byte 0."),
        std::pair("iommus = <&s>;", "/d, property iommus: expected 1 cells for /i, found 0."),
        std::pair("iommus = [00 01];", "/d, property iommus: expected whole cells"),
        std::pair("iommu-map = <0 &s 1>;", "/d, property iommu-map: expected entries"),
        std::pair("iommu-map = <0 0x99 1 1>;", "/d, property iommu-map: expected entries"),
        std::pair("iommu-map = <0x100 &s 1 1>; iommu-map-mask = <0xff>;",
                  "expected ids within iommu-map-mask 0xff, found 0x100.")}) {
    const Found found =
        Read(std::string("s: i { compatible = \"arm,smmu-v3\"; #iommu-cells = <1>; };"
                         "d { ") +
             device + " };");
    EXPECT_THAT(found.gaps, Contains(Field(&Gap::missing, HasSubstr(place)))) << device;
  }
}

TEST_F(DeviceTreeTest, AnIommuWithoutAKnownDriverMakesTheAnswerUnknown) {
  const Found found = Read(
      "a: a { compatible = \"arm,smmu-v3\"; #iommu-cells = <1>; };"
      "b: b { compatible = \"example,iommu\"; #iommu-cells = <0>; };");
  EXPECT_THAT(
      On(found, KernelVersion::kV7_1).gaps,
      ElementsAre(Field(&Gap::missing, "The catalogue knows no driver for b (example,iommu).")));
}

TEST_F(DeviceTreeTest, ADriverThatALaterKernelBringsIsNotThere) {
  const Found found = Read(
      "a: a { compatible = \"rockchip,rk3568-iommu\"; #iommu-cells = <0>; };"
      "b: b { compatible = \"rockchip,rk3588-av1-iommu\", \"verisilicon,iommu-1.2\"; "
      "#iommu-cells = <0>; };"
      "c { iommus = <&a>; }; d { iommus = <&b>; };");
  EXPECT_THAT(On(found, KernelVersion::kV6_12).names.drivers, ElementsAre("rockchip"));
  EXPECT_THAT(On(found, KernelVersion::kV7_3).names.drivers, ElementsAre("rockchip", "vsi"));
}

TEST_F(DeviceTreeTest, AFileThatIsCutIsRefusedWithItsPlace) {
  const std::string whole = Compiled("a { b = <1>; };");
  for (size_t n = 4; n < whole.size(); ++n) {
    const absl::StatusOr<Found> found = ReadSnapshot(whole.substr(0, n), "cut.dtb");
    ASSERT_FALSE(found.ok()) << n;
    EXPECT_THAT(std::string(found.status().message()),
                AllOf(HasSubstr("cut.dtb: expected "), HasSubstr(", found ")));
  }
}

TEST_F(DeviceTreeTest, NoByteMakesItFall) {
  const std::string whole = Compiled(
      "s: i { compatible = \"arm,smmu-v3\"; #iommu-cells = <1>; };"
      "d { iommus = <&s 1>; iommu-map = <0 &s 1 1>; };");
  int read = 0;
  for (size_t i = 0; i < whole.size(); ++i)
    for (const char byte : {'\0', '\1', '\x7f', '\xff'}) {
      std::string changed = whole;
      changed[i] = byte;
      const absl::StatusOr<Found> found = ReadDeviceTree(changed);
      if (!found.ok()) continue;
      ++read;
      const absl::StatusOr<System> system = ToSystem(*found, KernelVersion::kV7_1);
      if (system.ok()) {
        EXPECT_TRUE(Validate(system->topology).ok());
      }
    }
  EXPECT_GT(read, 0);
}

TEST_F(DeviceTreeTest, ASourceThatIsWrongSaysWhere) {
  const std::string path = (folder_ / "wrong.dts").string();
  std::ofstream(path) << "/dts-v1/;\n/ { a = ; };\n";
  const absl::StatusOr<Found> found = ReadTree(path);
  ASSERT_FALSE(found.ok());
  EXPECT_THAT(std::string(found.status().message()), HasSubstr("2."));
}

TEST_F(DeviceTreeTest, TheFolderOfProcIsReadAsTheFile) {
  const auto root = folder_ / "base";
  std::filesystem::create_directories(root / "iommu@1");
  const auto write = [](const std::filesystem::path& path, std::string_view bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
  };
  using namespace std::string_view_literals;
  write(root / "#address-cells", "\0\0\0\1"sv);
  write(root / "compatible", "example\0"sv);
  write(root / "iommu@1" / "compatible", "arm,smmu-v3\0"sv);
  write(root / "iommu@1" / "#iommu-cells", "\0\0\0\1"sv);
  const absl::StatusOr<Found> found = ReadTree(root.string());
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_TRUE(found->described_only);
  EXPECT_THAT(found->instances, SizeIs(1));
}

TEST_F(DeviceTreeTest, ASurveyHasARowWithAVerdictOfEachKernel) {
  const absl::StatusOr<std::string> bytes = CompileDeviceTree(kTwo);
  ASSERT_TRUE(bytes.ok());
  const report::SurveyRow row = report::SurveyMachine(
      "x/two.dtb", *bytes, {{.version = KernelVersion::kV6_1}, {.version = KernelVersion::kV7_1}});
  ASSERT_THAT(row.verdicts, SizeIs(2));
  EXPECT_EQ(row.verdicts[1].serving, "arm-smmu+arm-smmu-v3");
  EXPECT_EQ(row.verdicts[1].verdict, "not affected");
  EXPECT_EQ(row.buses, "arm-smmu-v3:pci arm-smmu:platform");
  const report::SurveyRow again = report::SurveyRowOf(report::SurveyRowJson(row));
  EXPECT_EQ(report::SurveyCsv({again}), report::SurveyCsv({row}));
  const report::SurveyRow bad =
      report::SurveyMachine("bad.dtb", "\xd0\x0d\xfe\xed", {{.version = KernelVersion::kV7_1}});
  EXPECT_EQ(bad.verdicts.front().verdict, "error");
  EXPECT_THAT(report::SurveyText({bad}, false), HasSubstr("error"));
}

}  // namespace
}  // namespace iommucheck::import
