// SPDX-License-Identifier: Apache-2.0
#include "src/import/listing.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <ranges>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "src/import/acpi_dump.h"
#include "src/import/catalogue.h"

namespace iommucheck::import {
namespace {

constexpr int kMaxGroup = 1'000'000;
constexpr size_t kMaxFunctions = 65536;
constexpr size_t kConfigBytes = 4096;
// REQ_ACS_FLAGS (drivers/iommu/iommu.c): source validation, request and completion redirect,
// upstream forwarding.
constexpr unsigned kAcsNeeded = 0x1d;

absl::Status LineError(size_t line, std::string_view expected, std::string_view found) {
  return absl::InvalidArgumentError(
      absl::StrFormat("line %d: expected %s, found %s", line, expected, found));
}

// The words of a line.
std::vector<std::string> WordsOf(std::string_view line) {
  return absl::StrSplit(absl::string_view(line.data(), line.size()), absl::ByAnyChar(" \t"),
                        absl::SkipEmpty());
}

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) {
    return absl::ascii_tolower(static_cast<unsigned char>(x)) ==
           absl::ascii_tolower(static_cast<unsigned char>(y));
  });
}

// "00:1f.3" or "0000:00:1f.3".
std::optional<PciAddress> FunctionIn(const std::string& word) {
  const std::optional<PciAddress> whole = ParsePciName(word);
  return whole ? whole : ParsePciName("0000:" + word);
}

// A function, as far as the text tells it.
struct Function {
  int group = -1;
  bool is_bridge = false;
  std::optional<int> secondary;     // the bus below a bridge
  std::optional<unsigned> pcie;     // the type in its PCI Express capability
  std::optional<unsigned> acs_can;  // ACSCap
  std::optional<unsigned> acs_on;   // ACSCtl
  std::string config;               // the bytes of its configuration space
};

struct OtherDevice {
  std::string name;
  Bus bus = Bus::kPlatform;
  int group = -1;
};

// Without the time and the host that logs have before their lines.
std::string_view WithoutStamp(std::string_view line) {
  if (const size_t kernel = line.find(" kernel: "); kernel != std::string_view::npos)
    line.remove_prefix(kernel + 9);
  const size_t start = line.find_first_not_of(" \t");
  if (start == std::string_view::npos) return "";
  const size_t end = line.find("] ");
  const bool stamp =
      line[start] == '[' && end != std::string_view::npos &&
      line.substr(start, end - start).find_first_not_of("[ 0123456789.T") == std::string_view::npos;
  return stamp ? line.substr(end + 2) : line;
}

// Words of lspci for the types of PCI Express ports.
struct PortWord {
  std::string_view text;
  unsigned type;
};
constexpr PortWord kPortWords[] = {
    {"Root Port", 4},
    {"Upstream Port", 5},
    {"Downstream Port", 6},
    {"PCI-Express to PCI/PCI-X Bridge", 7},
    {"PCI/PCI-X to PCI-Express Bridge", 8},
    {"PCI-Express to PCI/PCI-X bridge", 7},
    {"PCI/PCI-X to PCI-Express bridge", 8},
    {"Root Complex Integrated Endpoint", 9},
    {"Root Complex Event Collector", 10},
    {"Legacy Endpoint", 1},
    {"Endpoint", 0},
};

// "SrcValid+ TransBlk- ReqRedir+ ...", in the order of the bits.
unsigned AcsFlags(std::string_view text) {
  constexpr std::string_view kFlags[] = {"SrcValid+",   "TransBlk+",    "ReqRedir+",
                                         "CmpltRedir+", "UpstreamFwd+", "EgressCtrl+",
                                         "DirectTrans+"};
  unsigned flags = 0;
  for (size_t i = 0; i < std::size(kFlags); ++i)
    if (text.find(kFlags[i]) != std::string_view::npos) flags |= 1U << i;
  return flags;
}

class Lines {
 public:
  absl::Status Read(std::string_view text) {
    for (size_t number = 1; !text.empty(); ++number) {
      const size_t end = text.find('\n');
      std::string_view line = text.substr(0, end);
      if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      if (absl::Status s = ReadLine(line, number); !s.ok()) return s;
      if (end == std::string_view::npos) break;
      text.remove_prefix(end + 1);
    }
    return absl::OkStatus();
  }

  std::map<std::pair<int, int>, Function> functions;  // by segment, bus and function
  std::vector<OtherDevice> others;
  std::vector<FoundInstance> instances;
  std::string release;
  bool log = false;   // there were lines of a boot log
  bool said = false;  // a line was of a form that is read

 private:
  // The comments of a case may have such lines in them.
  absl::Status ReadLine(std::string_view whole, size_t number) {
    const std::string_view line = WithoutStamp(whole.substr(0, whole.find('#')));
    if (line.find_first_not_of(" \t") == std::string_view::npos) return absl::OkStatus();
    if (absl::StatusOr<bool> taken = ReadHex(line, number); !taken.ok() || *taken)
      return taken.status();
    if (absl::StatusOr<bool> taken = ReadLog(line, number); !taken.ok() || *taken)
      return taken.status();
    if (absl::StatusOr<bool> taken = ReadGroup(line, number); !taken.ok() || *taken)
      return taken.status();
    if (absl::StatusOr<bool> taken = ReadHeading(line, number); !taken.ok() || *taken)
      return taken.status();
    if (current_ != nullptr) return ReadDetail(line, number);
    return absl::OkStatus();
  }

  // --- configuration space ---

  // "40: 01 00 ...", 16 bytes, of the function above.
  absl::StatusOr<bool> ReadHex(std::string_view line, size_t number) {
    const size_t colon = line.find(": ");
    if (current_ == nullptr || colon == std::string_view::npos || colon < 2 || colon > 3)
      return false;
    const auto offset = ParseNumber(line.substr(0, colon), 16);
    const std::vector<std::string> bytes = WordsOf(line.substr(colon + 2));
    if (!offset || bytes.size() != 16 ||
        std::ranges::any_of(bytes, [](const std::string& b) { return b.size() != 2; }))
      return false;
    if (*offset != current_->config.size() || *offset >= kConfigBytes)
      return LineError(number, absl::StrFormat("the offset %x", current_->config.size()),
                       absl::StrFormat("%x", *offset));
    for (const std::string& byte : bytes) {
      const auto value = ParseNumber(byte, 16);
      if (!value) return LineError(number, "bytes of two hexadecimal digits", byte);
      current_->config.push_back(static_cast<char>(*value));
    }
    return true;
  }

  // --- the log of a boot ---

  absl::StatusOr<bool> ReadLog(std::string_view line, size_t number) {
    if (line.starts_with("Linux version ")) {
      const std::vector<std::string> words = WordsOf(line);
      if (words.size() > 2) release = words[2];
      return log = true;
    }
    if (const size_t at = line.find("reg_base_addr "); at != std::string_view::npos)
      return ReadUnit(line.substr(0, at), line.substr(at));
    if (line.find("AMD-Vi: Found IOMMU ") != std::string_view::npos) {
      instances.push_back({.name = absl::StrCat("ivhd", instances.size())});
      return log = said = true;
    }
    constexpr std::string_view kNew = ": Adding to iommu group ";
    if (const size_t at = line.find(kNew); at != std::string_view::npos) {
      const std::vector<std::string> words = WordsOf(line.substr(0, at));
      if (words.empty()) return LineError(number, "the name of a device", "none");
      return AddDevice(words.size() > 1 ? words[words.size() - 2] : "", words.back(),
                       line.substr(at + kNew.size()), number);
    }
    constexpr std::string_view kOld = "Adding device ";
    if (const size_t at = line.find(kOld); at != std::string_view::npos) {
      const std::vector<std::string> words = WordsOf(line.substr(at + kOld.size()));
      if (words.size() >= 4 && words[1] == "to" && words[2] == "group")
        return AddDevice("", words[0], words[3], number);
    }
    return ReadProbe(line);
  }

  // "DMAR: dmar0: reg_base_addr fed90000 ver 1:0 cap .. ecap f050da"
  absl::StatusOr<bool> ReadUnit(std::string_view before, std::string_view after) {
    std::vector<std::string> names = WordsOf(before);
    if (names.empty()) return false;
    std::string name = names.back();
    if (name.ends_with(':')) name.pop_back();
    FoundInstance unit{.name = std::move(name)};
    const std::vector<std::string> words = WordsOf(after);
    for (size_t i = 0; i + 1 < words.size(); ++i) {
      if (words[i] == "reg_base_addr") unit.address = words[i + 1];
      if (words[i] == "ecap") unit.ecap = words[i + 1];
    }
    AddInstance(std::move(unit));
    return log = said = true;
  }

  // "arm-smmu-v3 arm-smmu-v3.0.auto: ias 44-bit": the device driver, its device.
  absl::StatusOr<bool> ReadProbe(std::string_view line) {
    const size_t colon = line.find(": ");
    if (colon == std::string_view::npos) return false;
    const std::vector<std::string> words = WordsOf(line.substr(0, colon));
    if (words.size() != 2 || FindDriverByBound(words[0]) == nullptr) return false;
    FoundInstance instance{.name = words[1]};
    instance.bound = words[0];
    AddInstance(std::move(instance));
    return log = said = true;
  }

  void AddInstance(FoundInstance instance) {
    const auto known = std::ranges::find(instances, instance.name, &FoundInstance::name);
    if (known == instances.end()) instances.push_back(std::move(instance));
  }

  absl::StatusOr<bool> AddDevice(const std::string& before, const std::string& name,
                                 std::string_view group, size_t number) {
    const std::optional<int> of = GroupIn(group);
    if (!of) return LineError(number, "the number of a group", Shown(group));
    log = said = true;
    if (const auto address = ParsePciName(name)) {
      absl::StatusOr<Function*> function = At(*address, number);
      if (!function.ok()) return function.status();
      if (absl::Status s = SetGroup(**function, *of, number); !s.ok()) return s;
      return true;
    }
    for (const OtherDevice& other : others)
      if (other.name == name && other.group != *of)
        return LineError(number, absl::StrFormat("group %d again for %s", other.group, name),
                         absl::StrCat(*of));
    if (std::ranges::find(others, name, &OtherDevice::name) == others.end())
      others.push_back(
          {.name = name, .bus = FindBus(before).value_or(Bus::kPlatform), .group = *of});
    return true;
  }

  // --- groups ---

  static std::string Shown(std::string_view text) {
    constexpr size_t kMost = 40;
    return absl::StrFormat("'%s'%s", text.substr(0, kMost), text.size() > kMost ? ".." : "");
  }

  static std::optional<int> GroupIn(std::string_view text) {
    while (!text.empty() && (text.back() == ':' || text.back() == ' ')) text.remove_suffix(1);
    const auto number = ParseNumber(text, 10);
    if (!number || *number > kMaxGroup) return std::nullopt;
    return static_cast<int>(*number);
  }

  absl::Status SetGroup(Function& function, int group, size_t number) const {
    if (function.group >= 0 && function.group != group)
      return LineError(number, absl::StrFormat("group %d again for the function", function.group),
                       absl::StrCat(group));
    function.group = group;
    return absl::OkStatus();
  }

  // "IOMMU Group 1:", "IOMMU group 1 00:01.0 PCI bridge ..", ".../iommu_groups/1/devices/0000:..".
  absl::StatusOr<bool> ReadGroup(std::string_view line, size_t number) {
    constexpr std::string_view kPath = "/iommu_groups/";
    if (const size_t at = line.find(kPath); at != std::string_view::npos) {
      const std::vector<std::string> parts =
          absl::StrSplit(std::string(line.substr(at + kPath.size())), '/');
      if (parts.size() < 3 || parts[1] != "devices") return false;
      const std::string name = WordsOf(parts[2]).empty() ? "" : WordsOf(parts[2]).front();
      if (name.empty()) return false;
      return AddDevice("", name, parts[0], number);
    }
    const std::vector<std::string> words = WordsOf(line);
    if (words.size() < 3 || !EqualsIgnoreCase(words[0], "IOMMU") ||
        !(EqualsIgnoreCase(words[1], "group") || EqualsIgnoreCase(words[1], "group:")))
      return false;
    const std::optional<int> group = GroupIn(words[2]);
    if (!group) return LineError(number, "the number of a group", Shown(words[2]));
    said = true;
    // "IOMMU group: 1" is of the function above.
    if (words[1].ends_with(':') && current_ != nullptr) {
      if (absl::Status s = SetGroup(*current_, *group, number); !s.ok()) return s;
      return true;
    }
    heading_ = *group;
    current_ = nullptr;
    if (words.size() == 3) return true;
    size_t at = 3;
    if (words[at] == "-" || words[at] == "-->") ++at;
    const std::optional<PciAddress> address =
        at < words.size() ? FunctionIn(words[at]) : std::nullopt;
    if (!address) return true;
    absl::StatusOr<Function*> function = At(*address, number);
    if (!function.ok()) return function.status();
    if (absl::Status s = SetGroup(**function, *group, number); !s.ok()) return s;
    return true;
  }

  // --- lspci ---

  absl::StatusOr<Function*> At(PciAddress address, size_t number) {
    if (functions.size() >= kMaxFunctions)
      return LineError(number, absl::StrFormat("at most %d functions", kMaxFunctions), "more");
    return &functions[{address.segment, address.bdf}];
  }

  // "00:1c.0 PCI bridge [0604]: .."
  absl::StatusOr<bool> ReadHeading(std::string_view line, size_t number) {
    const std::vector<std::string> words = WordsOf(line);
    const bool indented = line.front() == ' ' || line.front() == '\t';
    const std::optional<PciAddress> address = FunctionIn(words.front());
    // Below a heading of a group the functions are indented.
    if (!address || (indented && heading_ < 0)) return false;
    absl::StatusOr<Function*> function = At(*address, number);
    if (!function.ok()) return function.status();
    current_ = *function;
    current_->config.clear();
    said = true;
    const std::string text(line);
    current_->is_bridge =
        text.find("PCI bridge") != std::string::npos || text.find("[0604]") != std::string::npos;
    if (heading_ >= 0)
      if (absl::Status s = SetGroup(*current_, heading_, number); !s.ok()) return s;
    return true;
  }

  absl::Status ReadDetail(std::string_view line, size_t number) {
    if (const size_t at = line.find("Bus: primary="); at != std::string_view::npos) {
      constexpr std::string_view kSecondary = "secondary=";
      const size_t start = line.find(kSecondary);
      const auto bus = start == std::string_view::npos
                           ? std::nullopt
                           : ParseNumber(line.substr(start + kSecondary.size(), 2), 16);
      if (!bus) return LineError(number, "secondary= and a bus", Shown(line));
      current_->secondary = static_cast<int>(*bus);
      current_->is_bridge = true;
    } else if (line.find("] Express ") != std::string_view::npos) {
      for (const PortWord& port : kPortWords)
        if (line.find(port.text) != std::string_view::npos) {
          current_->pcie = port.type;
          break;
        }
    } else if (line.find("ACSCap:") != std::string_view::npos) {
      current_->acs_can = AcsFlags(line);
    } else if (line.find("ACSCtl:") != std::string_view::npos) {
      current_->acs_on = AcsFlags(line);
    }
    return absl::OkStatus();
  }

  Function* current_ = nullptr;
  int heading_ = -1;  // the group of the functions that follow
};

// Takes what the bytes of the configuration space say.
void TakeConfig(Function& f) {
  const std::string& c = f.config;
  const auto u8 = [&](size_t at) { return static_cast<unsigned char>(c[at]); };
  const auto u16 = [&](size_t at) { return static_cast<unsigned>(u8(at) | u8(at + 1) << 8); };
  if (c.size() < 64) return;
  f.is_bridge = (u8(0x0e) & 0x7f) == 1;
  if (f.is_bridge) f.secondary = u8(0x19);
  constexpr unsigned kHasCapabilities = 0x10;
  constexpr unsigned kExpress = 0x10;
  constexpr unsigned kAcs = 0x0d;
  std::set<size_t> seen;  // a list may go round
  size_t at = (u8(0x06) & kHasCapabilities) != 0 ? u8(0x34) & ~3U : 0U;
  while (at >= 0x40 && at + 4 <= std::min<size_t>(c.size(), 256) && seen.insert(at).second) {
    if (u8(at) == kExpress) f.pcie = u16(at + 2) >> 4 & 0xf;
    at = u8(at + 1) & ~3U;
  }
  at = 0x100;
  while (at >= 0x100 && at + 8 <= c.size() && seen.insert(at).second) {
    if (u16(at) == kAcs) {
      f.acs_can = u16(at + 4);
      f.acs_on = u16(at + 6);
    }
    at = u16(at + 2) >> 4 & ~3U;
  }
}

Bridge BridgeOf(const Function& f) {
  if (f.pcie == 4U) return Bridge::kRootPort;
  if (f.pcie == 5U) return Bridge::kUpstream;
  if (f.pcie == 6U) return Bridge::kDownstream;
  if (f.pcie == 7U) return Bridge::kPcieToPci;
  if (f.pcie == 8U) return Bridge::kPciToPcie;
  return f.is_bridge && !f.pcie ? Bridge::kPciToPci : Bridge::kNone;
}

class Listing {
 public:
  Listing(Lines lines, const Beside& beside) : lines_(std::move(lines)), beside_(beside) {}

  absl::StatusOr<Found> Read() {
    found_.listing = true;
    found_.kernel_release = lines_.release;
    if (lines_.release.empty()) found_.release_trouble = "a listing, which names no kernel";
    for (auto& [address, function] : lines_.functions) {
      TakeConfig(function);
      if (function.secondary && *function.secondary > 0)
        bridge_of_.emplace(std::pair(address.first, *function.secondary), address);
    }
    if (absl::Status s = TakeFirmware(); !s.ok()) return s;
    AddDevices();
    AddInstances();
    return std::move(found_);
  }

 private:
  absl::Status TakeFirmware() {
    found_.instances = lines_.instances;
    if (beside_.acpi) {
      found_.firmware = Firmware::kAcpi;
      found_.tables = beside_.acpi->tables;
      return TakeDescribed();
    }
    if (beside_.nodes) {
      found_.firmware = Firmware::kDt;
      found_.nodes = *beside_.nodes;
      return absl::OkStatus();
    }
    // Drivers of both kinds may probe; what firmware there is says nothing of one driver.
    found_.gaps.push_back({"A listing does not say which IOMMUs firmware describes.",
                           "which IOMMUs there are and what is behind them",
                           "give its ACPI tables by --acpi or its device tree by --dtb; best is a "
                           "snapshot (docs/systems.md)"});
    return absl::OkStatus();
  }

  // Where there are groups, the IOMMUs of the tables are taken to be registered, unless a log names
  // those that are.
  absl::Status TakeDescribed() {
    const bool grouped = std::ranges::any_of(
        lines_.functions, [](const auto& entry) { return entry.second.group >= 0; });
    if (!grouped || !beside_.acpi || !found_.instances.empty()) return absl::OkStatus();
    const absl::StatusOr<Found> described = DescribeTables(*beside_.acpi);
    if (!described.ok()) return described.status();
    found_.instances = described->instances;
    found_.assumptions.emplace_back(
        "A listing does not name the IOMMUs that are registered: since there are groups, those of "
        "the ACPI tables are taken to be.");
    return absl::OkStatus();
  }

  // The folder of the function in sysfs, as far as the bridges above it are known.
  [[nodiscard]] std::string FolderOfFunction(std::pair<int, int> address) const {
    std::vector<std::string> names;
    std::set<std::pair<int, int>> seen;
    while (seen.insert(address).second) {
      names.push_back(
          PciName({static_cast<uint16_t>(address.first), static_cast<uint16_t>(address.second)}));
      const auto above = bridge_of_.find({address.first, address.second >> 8});
      if (above == bridge_of_.end()) break;
      address = above->second;
    }
    std::string folder =
        absl::StrFormat("devices/pci%04x:%02x", address.first, address.second >> 8);
    for (const std::string& name : std::views::reverse(names)) folder = Join(folder, name);
    return folder;
  }

  void AddDevices() {
    for (const auto& [address, function] : lines_.functions) {
      FoundDevice device{.name = PciName({static_cast<uint16_t>(address.first),
                                          static_cast<uint16_t>(address.second)}),
                         .bus = Bus::kPci,
                         .folder = FolderOfFunction(address),
                         .group = function.group};
      device.bridge = BridgeOf(function);
      if (function.acs_can && function.acs_on) {
        const unsigned needed = kAcsNeeded & *function.acs_can;
        device.acs = (*function.acs_on & needed) == needed;
      } else if (function.config.size() == kConfigBytes) {
        device.acs = false;
      }
      found_.devices.push_back(std::move(device));
    }
    for (const OtherDevice& other : lines_.others)
      found_.devices.push_back({.name = other.name,
                                .bus = other.bus,
                                .folder = "devices/" + other.name,
                                .group = other.group});
  }

  // Which device is behind which IOMMU is not in such a text.
  void AddInstances() {
    const auto grouped = [](const FoundDevice& d) { return d.group >= 0; };
    if (std::ranges::none_of(found_.devices, grouped)) {
      if (found_.instances.empty())
        found_.gaps.push_back({"The listing names no IOMMU group.",
                               "whether an IOMMU is switched on, and which groups there are",
                               kRecordAnew});
      return;
    }
    if (found_.instances.empty()) {
      found_.instances.push_back({.name = "iommu"});
      found_.gaps.push_back({"The listing has groups, and names no IOMMU.",
                             "which IOMMUs and drivers serve them",
                             "give the log of the boot, too, or the ACPI tables by --acpi"});
    }
    if (!found_.tables.contains("DMAR") || found_.instances.size() == 1) PutBehindFirst();
  }

  void PutBehindFirst() {
    for (FoundDevice& device : found_.devices)
      if (device.group >= 0) device.instance = 0;
    if (found_.instances.size() == 1) return;
    std::set<std::string> drivers;
    for (const FoundInstance& instance : found_.instances) {
      if (!instance.driver.empty() || !instance.bound.empty())
        drivers.insert(instance.driver.empty() ? instance.bound : instance.driver);
      else  // dmar0, dmar1 and so on
        drivers.insert(instance.name.substr(0, instance.name.find_first_of("0123456789")));
    }
    found_.gaps.push_back(
        {absl::StrFormat("The text does not say which of %d IOMMUs each device is behind: all are "
                         "taken to be behind %s.",
                         found_.instances.size(), found_.instances.front().name),
         "which driver serves which device", "take a snapshot (docs/systems.md)",
         drivers.size() > 1 ? Gap::Hides::kIommus : Gap::Hides::kDevices});
  }

  Lines lines_;
  const Beside& beside_;
  Found found_;
  std::map<std::pair<int, int>, std::pair<int, int>> bridge_of_;  // by segment and bus
};

}  // namespace

bool IsListing(std::string_view head) {
  Lines lines;
  // The last line may be cut.
  const size_t end = head.rfind('\n');
  if (end == std::string_view::npos) return false;
  return lines.Read(head.substr(0, end)).ok() ? lines.said : true;
}

absl::StatusOr<Found> ReadListing(std::string_view text, const Beside& beside) {
  if (text.size() > kMaxListingBytes)
    return absl::InvalidArgumentError(
        absl::StrFormat("expected at most %d bytes, found %d", kMaxListingBytes, text.size()));
  Lines lines;
  if (absl::Status s = lines.Read(text); !s.ok()) return s;
  if (!lines.said)
    return absl::InvalidArgumentError(
        "expected lines of lspci, of IOMMU groups or of a boot log, found none");
  return Listing(std::move(lines), beside).Read();
}

}  // namespace iommucheck::import
