// SPDX-License-Identifier: Apache-2.0
#include "src/import/sysfs.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace iommucheck::import {
namespace {

// The folders of sys/bus, in the order of enum Bus.
constexpr std::array<std::string_view, kBusCount> kBusFolders = {
    "platform", "pci", "amba", "fsl-mc", "host1x-context", "cdx"};
constexpr std::array<std::string_view, 4> kTables = {"DMAR", "IORT", "IVRS", "VIOT"};

constexpr std::string_view kReleaseStart = "Linux version ";

class SysfsReader {
 public:
  SysfsReader(const Tree& tree, std::string sys) : tree_(tree), sys_(std::move(sys)) {}

  absl::StatusOr<Found> Read() {
    ReadRelease();
    ReadFirmware();
    if (absl::Status status = ReadInstances(); !status.ok()) return status;
    if (absl::Status status = ReadListedDevices(); !status.ok()) return status;
    for (int b = 0; b < kBusCount; ++b)
      if (absl::Status status = ReadBus(static_cast<Bus>(b)); !status.ok()) return status;
    return std::move(found_);
  }

 private:
  [[nodiscard]] std::string Sys(std::string_view path) const { return Join(sys_, path); }

  // A one-line file, without its end of line; empty where there is none.
  [[nodiscard]] std::string Line(const std::string& path) const {
    std::string text = tree_.ReadFile(path).value_or("");
    absl::StripTrailingAsciiWhitespace(&text);
    return text;
  }

  // "Linux version RELEASE (...": the folder above a sysfs root is not looked at.
  void ReadRelease() {
    if (sys_.empty()) return;
    const std::string line = Line("proc/version");
    if (!line.starts_with(kReleaseStart)) return;
    const std::string rest = line.substr(kReleaseStart.size());
    found_.kernel_release = rest.substr(0, rest.find(' '));
  }

  // Where both are, ACPI describes the devices: arm64 leaves an almost empty device tree beside it.
  void ReadFirmware() {
    const std::string tables = Sys("firmware/acpi/tables");
    if (tree_.KindOf(tables) == Tree::Kind::kFolder) {
      found_.firmware = Firmware::kAcpi;
      for (const std::string_view name : kTables) {
        const std::string path = Join(tables, name);
        if (tree_.KindOf(path) == Tree::Kind::kFile)
          found_.tables.emplace(name, tree_.ReadFile(path));
      }
    } else if (tree_.KindOf(Sys("firmware/devicetree")) == Tree::Kind::kFolder) {
      found_.firmware = Firmware::kDt;
    }
  }

  // Where a path leads, all links followed; "" when it leads nowhere.
  [[nodiscard]] absl::StatusOr<std::string> Follow(const std::string& path) const {
    absl::StatusOr<std::optional<std::string>> end = Resolve(tree_, path);
    if (!end.ok()) return end.status();
    return std::move(*end).value_or("");
  }

  absl::Status ReadInstances() {
    for (const std::string& name : tree_.List(Sys("class/iommu"))) {
      const absl::StatusOr<std::string> folder = Follow(Sys(absl::StrCat("class/iommu/", name)));
      if (!folder.ok()) return folder.status();
      if (folder->empty()) continue;
      FoundInstance instance;
      instance.name = name;
      instance.folder = *folder;
      const absl::StatusOr<std::string> device = Follow(Join(instance.folder, "device"));
      if (!device.ok()) return device.status();
      instance.device = *device;
      instance.bound = BoundDriver(instance.device);
      instance.ecap = Line(Join(instance.folder, "intel-iommu/ecap"));
      instance.address = Line(Join(instance.folder, "intel-iommu/address"));
      found_.instances.push_back(std::move(instance));
    }
    if (!found_.instances.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError("expected IOMMUs in sys/class/iommu, found none");
  }

  // The name that the `driver` link ends in; the driver's own folder need not be in a snapshot.
  [[nodiscard]] std::string BoundDriver(std::string device) const {
    for (; !device.empty(); device = FolderOf(device))
      if (const auto link = tree_.ReadLink(Join(device, "driver"))) return BaseName(*link);
    return "";
  }

  // Kernels without a device's `iommu` link have its name in the instance's folder.
  absl::Status ReadListedDevices() {
    for (size_t i = 0; i < found_.instances.size(); ++i) {
      const std::string list = Join(found_.instances[i].folder, "devices");
      for (const std::string& name : tree_.List(list)) {
        const absl::StatusOr<std::string> folder = Follow(Join(list, name));
        if (!folder.ok()) return folder.status();
        if (!folder->empty()) listed_.emplace(*folder, static_cast<int>(i));
      }
    }
    return absl::OkStatus();
  }

  absl::Status ReadBus(Bus bus) {
    const std::string list =
        Join(Join(Sys("bus"), kBusFolders[static_cast<size_t>(bus)]), "devices");
    const size_t first = found_.devices.size();
    for (const std::string& name : tree_.List(list)) {
      const absl::StatusOr<std::string> folder = Follow(Join(list, name));
      if (!folder.ok()) return folder.status();
      if (folder->empty()) continue;
      FoundDevice device;
      device.name = name;
      device.bus = bus;
      device.folder = *folder;
      device.group = GroupOf(device.folder);
      auto instance = InstanceOf(device.folder);
      if (!instance.ok()) return instance.status();
      device.instance = *instance;
      found_.devices.push_back(std::move(device));
    }
    // PCI names are numbers in hexadecimal of one width, which sort as text.
    if (bus == Bus::kPci)
      std::sort(found_.devices.begin() + static_cast<std::ptrdiff_t>(first), found_.devices.end(),
                [](const auto& a, const auto& b) { return a.name < b.name; });
    return absl::OkStatus();
  }

  [[nodiscard]] int GroupOf(const std::string& device) const {
    const auto link = tree_.ReadLink(Join(device, "iommu_group"));
    if (!link) return -1;
    const auto number = ParseNumber(BaseName(*link), 10);
    return number && *number <= 1'000'000 ? static_cast<int>(*number) : -1;
  }

  [[nodiscard]] absl::StatusOr<int> InstanceOf(const std::string& device) const {
    const std::string link = Join(device, "iommu");
    if (tree_.KindOf(link) == Tree::Kind::kLink) {
      const absl::StatusOr<std::string> folder = Follow(link);
      if (!folder.ok()) return folder.status();
      for (size_t i = 0; i < found_.instances.size(); ++i)
        if (*folder == found_.instances[i].folder) return static_cast<int>(i);
    }
    const auto it = listed_.find(device);
    return it == listed_.end() ? -1 : it->second;
  }

  const Tree& tree_;
  const std::string sys_;
  Found found_;
  std::map<std::string, int> listed_;  // device folder -> instance
};

}  // namespace

absl::StatusOr<Found> ReadFound(const Tree& tree) {
  for (const std::string root : {"sys", ""})
    for (const char* folder : {"class", "kernel", "bus"})
      if (tree.KindOf(Join(root, folder)) == Tree::Kind::kFolder)
        return SysfsReader(tree, root).Read();
  return absl::InvalidArgumentError(
      "expected a sys folder, or class, kernel or bus of a sysfs, found none");
}

std::optional<PciAddress> ParsePciName(std::string_view name) {
  if (name.size() != 12 || name[4] != ':' || name[7] != ':' || name[10] != '.') return std::nullopt;
  const auto segment = ParseNumber(name.substr(0, 4), 16);
  const auto bus = ParseNumber(name.substr(5, 2), 16);
  const auto slot = ParseNumber(name.substr(8, 2), 16);
  const auto function = ParseNumber(name.substr(11, 1), 16);
  if (!segment || !bus || !slot || !function || *slot > 0x1f || *function > 7) return std::nullopt;
  return PciAddress{static_cast<uint16_t>(*segment),
                    static_cast<uint16_t>(*bus << 8 | *slot << 3 | *function)};
}

std::optional<uint64_t> ParseNumber(std::string_view text, int base) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace iommucheck::import
