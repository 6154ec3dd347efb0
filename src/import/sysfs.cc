// SPDX-License-Identifier: Apache-2.0
#include "src/import/sysfs.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "src/import/device_tree.h"

namespace iommucheck::import {
namespace {

constexpr std::string_view kReleaseStart = "Linux version ";
constexpr std::string_view kBase = "firmware/devicetree/base";
constexpr int kMaxNodeDepth = 32;
constexpr int kMaxDeviceDepth = 24;
constexpr size_t kMaxBases = 4;  // candidates for the folder that has sys/
constexpr int kMaxGroup = 1'000'000;

// An mdev is named by its UUID; its bus is not in iommu_buses[].
bool IsUuid(std::string_view name) { return name.size() == 36 && name[8] == '-'; }

class SysfsReader {
 public:
  SysfsReader(const Tree& tree, std::string sys, const Beside& beside)
      : tree_(tree), sys_(std::move(sys)), beside_(beside) {}

  absl::StatusOr<Found> Read() {
    ReadRelease(beside_.proc_version);
    ReadInstances();
    ReadFirmware();
    ReadListedDevices();
    for (int b = 0; b < kBusCount; ++b) ReadBus(static_cast<Bus>(b));
    CompareGroups();
    FindUnlisted(Sys("devices"), 0);
    NoteLost();
    if (!status_.ok()) return status_;
    return std::move(found_);
  }

 private:
  [[nodiscard]] std::string Sys(std::string_view path) const { return Join(sys_, path); }

  void AddGap(std::string missing, const char* unknown, const char* settle) {
    found_.gaps.push_back({std::move(missing), unknown, settle});
  }

  // The names in a folder of sysfs, of one kind or of all; adds a gap if it cannot be read.
  std::vector<std::string> List(const std::string& path, const char* unknown,
                                std::optional<Tree::Kind> kind = std::nullopt) {
    std::optional<std::vector<std::string>> names = tree_.List(path);
    if (!names) {
      AddGap(absl::StrCat("The folder ", path, " cannot be read."), unknown, kRunAsRoot);
      return {};
    }
    if (kind)
      std::erase_if(*names, [&](const auto& n) { return tree_.KindOf(Join(path, n)) != *kind; });
    return *std::move(names);
  }

  // The text of a one-line file, without its end of line; empty if there is no file. Plain tar pads
  // the files of sysfs with zero bytes to the size of 4096 that they claim.
  [[nodiscard]] std::string Line(const std::string& path) const {
    return Trimmed(tree_.ReadFile(path).value_or(""));
  }
  static std::string Trimmed(std::string text) {
    text.erase(text.find_last_not_of('\0') + 1);
    absl::StripTrailingAsciiWhitespace(&text);
    return text;
  }

  // "Linux version RELEASE (...".
  void ReadRelease(const std::optional<std::string>& beside) {
    const std::string path = Join(FolderOf(sys_), "proc/version");
    const std::optional<std::string> text = sys_.empty() ? beside : tree_.ReadFile(path);
    const std::string line = Trimmed(text.value_or(""));
    if (line.starts_with(kReleaseStart)) {
      const std::string rest = line.substr(kReleaseStart.size());
      found_.kernel_release = rest.substr(0, rest.find(' '));
    }
    if (!found_.kernel_release.empty()) return;
    found_.release_trouble = !text ? "no proc/version that can be read beside sys"
                             : line.empty()
                                 ? "an empty proc/version (tar takes files of /proc for empty; "
                                   "docs/check.md has a script that does not)"
                                 : "a proc/version that does not begin with 'Linux version'";
  }

  // If both exist, ACPI describes the devices: arm64 has an almost empty device tree beside it.
  void ReadFirmware() {
    if (beside_.acpi) {
      found_.firmware = Firmware::kAcpi;
      found_.tables = beside_.acpi->tables;
    } else if (beside_.nodes) {
      found_.firmware = Firmware::kDt;
      found_.nodes = *beside_.nodes;
    } else if (tree_.KindOf(Sys("firmware/acpi")) == Tree::Kind::kFolder) {
      found_.firmware = Firmware::kAcpi;
      ReadTables(Sys("firmware/acpi/tables"));
    } else if (tree_.KindOf(Sys("firmware/devicetree")) == Tree::Kind::kFolder) {
      found_.firmware = Firmware::kDt;
      ReadNodes();
    } else {
      ReadOtherDeviceTree();
    }
  }

  // The same tree in its other forms: a file, and the folder beside sys.
  void ReadOtherDeviceTree() {
    const std::string flat = Sys("firmware/fdt");
    const std::string folder = Join(FolderOf(sys_), "proc/device-tree");
    const bool has_flat = tree_.KindOf(flat) == Tree::Kind::kFile;
    if (!has_flat && !IsDeviceTreeFolder(tree_, folder)) return;
    found_.firmware = Firmware::kDt;
    const std::optional<std::string> bytes = has_flat ? tree_.ReadFile(flat) : std::nullopt;
    const absl::StatusOr<Found> described =
        has_flat ? ReadDeviceTree(bytes.value_or("")) : ReadDeviceTreeFolder(tree_, folder);
    if (described.ok())
      found_.nodes = NodesOf(*described);
    else
      AddGap(absl::StrCat("The device tree in ", has_flat ? flat : folder, " cannot be read (",
                          std::string(described.status().message()), ")."),
             "which IOMMUs there are", kRunAsRoot);
  }

  void ReadTables(const std::string& folder) {
    constexpr char kUnknown[] = "which IOMMUs there are and what is behind them";
    const size_t gaps = found_.gaps.size();
    if (List(folder, kUnknown, Tree::Kind::kFile).empty() && found_.gaps.size() == gaps)
      AddGap(absl::StrCat("No ACPI table is in ", folder, ", where every machine has some."),
             kUnknown, kRunAsRoot);
    for (const std::string_view name : kTables) {
      const std::string path = Join(folder, name);
      if (tree_.KindOf(path) == Tree::Kind::kFile)
        found_.tables.emplace(name, tree_.ReadFile(path));
    }
  }

  void ReadNodes() {
    constexpr char kUnknown[] = "which IOMMUs there are";
    const std::string base = Sys(kBase);
    const size_t gaps = found_.gaps.size();
    const std::vector<std::string> nodes = List(base, kUnknown, Tree::Kind::kFolder);
    for (const std::string& name : nodes) ReadNode(name, 1);
    if (nodes.empty() && found_.gaps.size() == gaps)
      AddGap(absl::StrCat("The device tree in ", base, " has no nodes."), kUnknown,
             "record sys/firmware/devicetree/base with all that is below it");
  }

  // The nodes below a disabled node are disabled, too.
  void ReadNode(const std::string& path, int depth) {
    const std::string folder = Join(Sys(kBase), path);
    const std::string status = Line(Join(folder, "status"));
    if (!status.empty() && status != "okay" && status != "ok") return;
    if (tree_.KindOf(Join(folder, "#iommu-cells")) == Tree::Kind::kFile)
      found_.nodes.push_back({path, Line(Join(folder, "compatible"))});
    if (depth >= kMaxNodeDepth) return;
    for (const std::string& name : List(folder, "which IOMMUs there are", Tree::Kind::kFolder))
      ReadNode(Join(path, name), depth + 1);
  }

  // The target of a path, after all links; "" if there is none. A cycle of links is an error of the
  // whole tree.
  [[nodiscard]] std::string Follow(const std::string& path) {
    absl::StatusOr<std::optional<std::string>> end = Resolve(tree_, path);
    status_.Update(end.status());
    return end.ok() ? std::move(*end).value_or("") : "";
  }

  void ReadInstances() {
    constexpr char kUnknown[] = "which IOMMUs are registered";
    const std::string folder = Sys("class/iommu");
    if (tree_.KindOf(folder) != Tree::Kind::kFolder)
      AddGap(absl::StrCat("There is no folder ", folder, "."), kUnknown,
             "record it; where the live /sys has none, the kernel is built without IOMMUs");
    for (const std::string& name : List(folder, kUnknown)) ReadInstance(name);
  }

  void ReadInstance(const std::string& name) {
    FoundInstance instance;
    instance.name = name;
    instance.folder = Follow(Sys(absl::StrCat("class/iommu/", name)));
    if (instance.folder.empty()) return lost_instances_.push_back(name);
    instance.device = Follow(Join(instance.folder, "device"));
    // An instance's folder is below that of its device.
    const std::string& from = instance.device.empty() ? instance.folder : instance.device;
    instance.bound = BaseName(LinkAbove(from, "driver"));
    instance.of_node = NodeOf(LinkAbove(from, "of_node"));
    instance.ecap = Line(Join(instance.folder, "intel-iommu/ecap"));
    instance.address = Line(Join(instance.folder, "intel-iommu/address"));
    found_.instances.push_back(std::move(instance));
  }

  // The target of the link of this name in the folder of the device, or in the nearest folder above
  // that has one. The target need not be in the snapshot.
  [[nodiscard]] std::string LinkAbove(std::string device, std::string_view name) const {
    for (; !device.empty(); device = FolderOf(device))
      if (const auto link = tree_.ReadLink(Join(device, name))) return *link;
    return "";
  }

  static std::string NodeOf(const std::string& link) {
    const std::string above = absl::StrCat(std::string(kBase.substr(kBase.find('/') + 1)), "/");
    const size_t at = link.find(above);
    return at == std::string::npos ? "" : link.substr(at + above.size());
  }

  // In kernels whose devices have no `iommu` link, the instance's folder lists the devices.
  void ReadListedDevices() {
    for (size_t i = 0; i < found_.instances.size(); ++i) {
      const std::string list = Join(found_.instances[i].folder, "devices");
      for (const std::string& name : List(list, "which devices are behind an IOMMU")) {
        const std::string folder = Follow(Join(list, name));
        if (folder.empty())
          lost_devices_.push_back(name);
        else
          listed_.emplace(folder, static_cast<int>(i));
      }
    }
  }

  // The kernel always has a platform bus, and a pci bus if a device is on it.
  [[nodiscard]] bool MustHave(Bus bus) {
    if (bus == Bus::kPlatform) return true;
    if (bus != Bus::kPci) return false;
    for (const std::string& name : tree_.List(Sys("devices")).value_or(std::vector<std::string>()))
      if (name.starts_with("pci")) return true;
    return false;
  }

  void ReadBus(Bus bus) {
    const std::string list =
        Join(Join(Sys("bus"), kBusFolders[static_cast<size_t>(bus)]), "devices");
    constexpr char kUnknown[] = "which devices there are";
    if (MustHave(bus) && tree_.KindOf(list) != Tree::Kind::kFolder) {
      AddGap(absl::StrCat("There is no folder ", list, "."), kUnknown, kRecordAnew);
      found_.gaps.back().hides = Gap::Hides::kDevices;
    }
    const size_t first = found_.devices.size();
    for (const std::string& name : List(list, kUnknown)) {
      FoundDevice device{.name = name, .bus = bus, .folder = Follow(Join(list, name))};
      if (device.folder.empty()) {
        lost_devices_.push_back(name);
        continue;
      }
      device.group = GroupOf(device.folder);
      device.instance = InstanceOf(device);
      if (bus == Bus::kPci) TakeConfig(device);
      found_.devices.push_back(std::move(device));
    }
    // PCI names are numbers in hexadecimal of one width, which sort as text.
    if (bus == Bus::kPci)
      std::sort(found_.devices.begin() + static_cast<std::ptrdiff_t>(first), found_.devices.end(),
                [](const auto& a, const auto& b) { return a.name < b.name; });
  }

  // Who is not root reads only its first 64 bytes.
  void TakeConfig(FoundDevice& device) const {
    const std::optional<std::string> bytes = tree_.ReadFile(Join(device.folder, "config"));
    if (!bytes) return;
    const PciConfig config = ParseConfig(*bytes);
    device.bridge = BridgeOf(config);
    device.acs = AcsOf(config);
  }

  [[nodiscard]] int GroupOf(const std::string& device) {
    const auto link = tree_.ReadLink(Join(device, "iommu_group"));
    if (!link) return -1;
    const auto number = ParseNumber(BaseName(*link), 10);
    if (number && *number <= kMaxGroup) return static_cast<int>(*number);
    lost_groups_.push_back(BaseName(device));
    return -1;
  }

  [[nodiscard]] int InstanceOf(const FoundDevice& device) {
    const std::string link = Join(device.folder, "iommu");
    const auto it = listed_.find(device.folder);
    const int listed = it == listed_.end() ? -1 : it->second;
    if (tree_.KindOf(link) != Tree::Kind::kLink) return listed;
    const std::string folder = Follow(link);
    for (size_t i = 0; i < found_.instances.size(); ++i)
      if (folder == found_.instances[i].folder) return static_cast<int>(i);
    lost_iommus_.push_back(device.name);
    return listed;
  }

  // Checks against kernel/iommu_groups, which names each device of a group once more.
  void CompareGroups() {
    std::set<std::string> known;
    for (const FoundDevice& device : found_.devices)
      if (device.group >= 0) known.insert(absl::StrCat(device.group, "/", device.name));
    constexpr char kUnknown[] = "which devices are in one group";
    const std::string groups = Sys("kernel/iommu_groups");
    for (const std::string& group : List(groups, kUnknown))
      for (const std::string& name : List(Join(Join(groups, group), "devices"), kUnknown))
        if (!IsUuid(name) && !known.contains(absl::StrCat(group, "/", name)))
          lost_members_.push_back(name);
  }

  // Finds instances that sys/class/iommu does not list: each is a folder `iommu` of its device.
  void FindUnlisted(const std::string& folder, int depth) {
    if (depth > kMaxDeviceDepth) return;
    for (const std::string& name : tree_.List(folder).value_or(std::vector<std::string>())) {
      const std::string path = Join(folder, name);
      if (tree_.KindOf(path) != Tree::Kind::kFolder) continue;
      const bool listed = std::ranges::any_of(
          found_.instances, [&](const FoundInstance& i) { return i.folder == path; });
      if (BaseName(folder) == "iommu" && !listed) unlisted_.push_back(name);
      FindUnlisted(path, depth + 1);
    }
  }

  void NoteLost() {
    constexpr char kInstance[] = "which IOMMUs and drivers there are";
    constexpr char kDevice[] = "which devices there are";
    constexpr char kGroup[] = "which groups there are";
    const auto note = [&](const std::vector<std::string>& names, const char* what,
                          const char* unknown) {
      if (!names.empty())
        AddGap(absl::StrCat(what, ": ", ListOf(names), "."), unknown, kRecordAnew);
    };
    note(lost_instances_, "Links of sys/class/iommu that lead nowhere", kInstance);
    note(unlisted_, "Folders of IOMMUs that sys/class/iommu has no link to", kInstance);
    note(lost_devices_, "Links to devices that lead nowhere", kDevice);
    note(lost_iommus_, "Devices whose link 'iommu' leads to none of sys/class/iommu",
         "which IOMMU they are behind");
    note(lost_groups_, "Devices whose link 'iommu_group' names no group", kGroup);
    note(lost_members_, "Devices that kernel/iommu_groups names and sys/bus does not know so",
         kGroup);
    if (found_.devices.empty() && !found_.instances.empty())
      AddGap("No device was found.", kDevice, kRecordAnew);
  }

  const Tree& tree_;
  const std::string sys_;
  const Beside& beside_;
  absl::Status status_;  // the first error
  Found found_;
  std::map<std::string, int> listed_;  // device folder -> instance
  // Names of links that lead nowhere.
  std::vector<std::string> lost_instances_;
  std::vector<std::string> unlisted_;
  std::vector<std::string> lost_devices_;
  std::vector<std::string> lost_iommus_;
  std::vector<std::string> lost_groups_;
  std::vector<std::string> lost_members_;
};

}  // namespace

std::string ListOf(const std::vector<std::string>& names) {
  constexpr size_t kMaxListed = 6;
  if (names.size() <= kMaxListed) return absl::StrJoin(names, ", ");
  return absl::StrCat(absl::StrJoin(names.begin(), names.begin() + kMaxListed, ", "), " and ",
                      names.size() - kMaxListed, " more");
}

std::vector<std::string> RootsOf(const Tree& tree) {
  std::vector<std::string> roots = {""};
  while (roots.size() < kMaxBases) {
    const std::optional<std::vector<std::string>> names = tree.List(roots.back());
    if (!names || names->size() != 1) break;
    const std::string next = Join(roots.back(), names->front());
    if (tree.KindOf(next) != Tree::Kind::kFolder) break;
    roots.push_back(next);
  }
  return roots;
}

absl::StatusOr<Found> ReadFound(const Tree& tree, const Beside& beside) {
  for (const std::string& base : RootsOf(tree))
    for (const std::string& root : {Join(base, "sys"), base})
      for (const char* folder : {"class", "kernel", "bus"})
        if (tree.KindOf(Join(root, folder)) == Tree::Kind::kFolder)
          return SysfsReader(tree, root, beside).Read();
  return absl::NotFoundError(
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

std::string PciName(PciAddress a) {
  return absl::StrFormat("%04x:%02x:%02x.%d", a.segment, a.bdf >> 8, (a.bdf >> 3) & 0x1f,
                         a.bdf & 7);
}

std::optional<uint64_t> ParseNumber(std::string_view text, int base) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace iommucheck::import
