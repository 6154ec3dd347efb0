// SPDX-License-Identifier: Apache-2.0
#include "src/import/import.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "src/case/spelling.h"
#include "src/import/acpi_dump.h"
#include "src/import/device_tree.h"
#include "src/import/listing.h"
#include "src/import/tree.h"

namespace iommucheck::import {
namespace {

namespace fs = std::filesystem;

// Makes the error printable: it names files, and these can have any name.
absl::Status WithName(const std::string& name, const absl::Status& status) {
  return absl::InvalidArgumentError(Printable(absl::StrCat(name, ": ", status.message())));
}

absl::StatusOr<Found> WithName(const std::string& name, absl::StatusOr<Found> found) {
  return found.ok() ? std::move(found) : WithName(name, found.status());
}

// A valid name for a case that no other entry has.
std::string UniqueName(std::string name, std::set<std::string>& used) {
  for (char& c : name)
    if (!HasNameCharacters({&c, 1})) c = '_';
  if (name.size() > kMaxNameLength) name.erase(0, name.size() - kMaxNameLength);
  if (name.empty()) name.push_back('_');
  std::string unique = name;
  for (int n = 2; !used.insert(unique).second; ++n) {
    const std::string suffix = absl::StrCat("+", n);
    unique = name.substr(0, kMaxNameLength - suffix.size()) + suffix;
  }
  return unique;
}

// Shortens to "00:1f.3" if the machine has only one segment.
std::string ShortName(const MachineDevice& device, bool one_segment) {
  const bool shorten = device.bus == Bus::kPci && one_segment && device.name.starts_with("0000:");
  return shorten ? device.name.substr(5) : device.name;
}

void AddDrivers(const Machine& m, System& system) {
  Topology& t = system.topology;
  for (const MachineDriver& driver : m.drivers) {
    t.drivers[t.drivers_count] = driver.model;
    t.drivers[t.drivers_count].table = t.drivers_count;
    ++t.drivers_count;
    system.names.drivers.push_back(driver.name);
    system.names.tables.push_back(absl::StrCat(driver.name, ".ops"));
  }
  t.tables_count = t.drivers_count;
}

void AddInstances(const Machine& m, System& system) {
  Topology& t = system.topology;
  std::set<std::string> used;
  for (const MachineInstance& instance : m.instances) {
    const auto driver = static_cast<DriverId>(instance.driver);
    t.instances[t.instances_count++] = {driver, instance.fwnode, t.drivers[driver].table,
                                        instance.enforces_coherency};
    system.names.instances.push_back(UniqueName(instance.name, used));
  }
}

void AddDevices(const Machine& m, System& system) {
  Topology& t = system.topology;
  const bool one_segment = std::ranges::all_of(m.devices, [](const MachineDevice& d) {
    return d.bus != Bus::kPci || d.name.starts_with("0000:");
  });
  std::set<std::string> used;
  for (const MachineDevice& device : m.devices) {
    Device& d = t.devices[t.devices_count++];
    d.bus = device.bus;
    for (size_t i = 0; i < device.masters.size(); ++i)
      d.masters[i] = static_cast<InstanceId>(device.masters[i]);
    system.names.devices.push_back(UniqueName(ShortName(device, one_segment), used));
  }
}

void AddGroups(const Machine& m, System& system) {
  uint8_t slot = 0;
  for (const MachineGroup& group : m.groups) {
    const int first = group.devices.front();
    if (group.shape == MachineGroup::Shape::kSlot) ++slot;
    for (const int device : group.devices) {
      Device& d = system.topology.devices[device];
      if (group.shape == MachineGroup::Shape::kSlot) d.slot = slot;
      if (group.shape == MachineGroup::Shape::kAlias && device != first)
        d.alias = static_cast<DeviceId>(first);
    }
  }
}

// If everything found, and everything that may be missing, belongs to one driver, no missing part
// changes an answer about two drivers.
bool IsOfOneDriver(const Machine& m) {
  std::set<std::string> drivers;
  for (size_t i = 0; i < m.instances.size(); ++i) drivers.insert(m.DriverOf(i));
  for (const Gap& gap : m.gaps)
    if (gap.hides == Gap::Hides::kIommus) {
      if (gap.driver.empty()) return false;
      drivers.insert(gap.driver);
    }
  return drivers.size() < 2;
}

// Notes the IOMMUs that firmware describes, on a machine where none is registered.
void TakeUnregistered(Machine& m) {
  if (!m.instances.empty() || m.described.empty()) return;
  const std::set<std::string> drivers(m.described.begin(), m.described.end());
  m.assumptions.emplace_back(
      "Firmware describes IOMMUs, and none is registered: they are switched off, or their driver "
      "is not there. Asked is about the machine as it is booted; with them switched on (on x86 by "
      "intel_iommu=on or amd_iommu=on) the answer is unknown: read the system again then.");
  if (drivers.size() > 1 || drivers.contains(""))
    m.gaps.push_back(
        {"Firmware describes IOMMUs that can be of two drivers, and none is registered.",
         "what is behind them once their drivers are loaded",
         "load their drivers, and read the system again"});
}

void SettleGaps(Machine& machine, KernelVersion version) {
  std::erase_if(machine.gaps, [&](const Gap& gap) {
    return gap.bus_slots_only && ProfileOf(version).era != Era::kBusSlots;
  });
  if (!IsOfOneDriver(machine)) return;
  for (const Gap& gap : machine.gaps)
    machine.assumptions.push_back(
        absl::StrCat(gap.missing, " With one driver that changes nothing."));
  machine.gaps.clear();
}

absl::StatusOr<std::string> ReadBytes(const std::string& path) {
  constexpr char kExpected[] = "expected a folder, a tar, a device tree or ACPI tables, found";
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (error) return absl::InvalidArgumentError(absl::StrCat(kExpected, ": ", error.message()));
  if (size > kMaxSnapshotBytes)
    return absl::InvalidArgumentError(
        absl::StrCat("expected at most ", kMaxSnapshotBytes, " bytes, found ", size));
  std::ifstream in(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << in.rdbuf();
  if (!in) return absl::InvalidArgumentError(absl::StrCat(kExpected, " no bytes to read"));
  return std::move(bytes).str();
}

// The proc/version beside a sysfs whose folder is the path: for /sys this is /proc/version.
std::optional<std::string> VersionBeside(const std::string& path) {
  std::error_code error;
  const fs::path sys = fs::canonical(path, error);
  if (error) return std::nullopt;
  return OpenFolder(sys.parent_path().string())->ReadFile("proc/version");
}

// The lines in which a text shows that it is one of listing.h.
constexpr size_t kListingHead = 65536;

absl::Status NotBeside(const std::string& what) {
  return absl::InvalidArgumentError(
      absl::StrCat("expected a /sys tree for --acpi and --dtb to complete, found ", what));
}

// The machine that tables describe, with those of --acpi.
absl::StatusOr<Found> Describe(absl::StatusOr<AcpiTables> tables, const Beside& beside) {
  if (!tables.ok()) return tables.status();
  if (beside.nodes) return NotBeside("ACPI tables");
  if (beside.acpi) {
    tables->others |= beside.acpi->others;
    for (const auto& [name, bytes] : beside.acpi->tables) tables->tables[name] = bytes;
  }
  return DescribeTables(*tables);
}

absl::StatusOr<Found> ReadAnyTree(const Tree& tree, const Beside& beside) {
  const auto described = [&](const std::string& folder) -> absl::StatusOr<Found> {
    if (beside.any()) return NotBeside("a device tree");
    return ReadDeviceTreeFolder(tree, folder);
  };
  // A node of a device tree may have the name of a folder of sysfs.
  if (IsDeviceTreeFolder(tree, "")) return described("");
  absl::StatusOr<Found> found = ReadFound(tree, beside);
  if (found.ok()) found->vfio = ReadVfioFacts(tree, *found);
  if (!absl::IsNotFound(found.status())) return found;
  // Firmware alone.
  for (const std::string& root : RootsOf(tree)) {
    for (const std::string& folder :
         {root, Join(root, "sys/firmware/devicetree/base"), Join(root, "proc/device-tree")})
      if (IsDeviceTreeFolder(tree, folder)) return described(folder);
    for (const std::string& folder : {root, Join(root, "sys/firmware/acpi/tables")})
      if (IsAcpiFolder(tree, folder)) return Describe(ReadAcpiFolder(tree, folder), beside);
  }
  return found;
}

absl::StatusOr<Found> ReadAnyFile(std::string_view bytes, const Beside& beside) {
  if (IsDeviceTree(bytes)) {
    if (beside.any()) return NotBeside("a device tree");
    return ReadDeviceTree(bytes);
  }
  if (IsAcpiTable(bytes) || IsAcpiDump(bytes)) return Describe(ReadAcpiFile(bytes), beside);
  if (!IsPacked(bytes) && IsListing(bytes.substr(0, kListingHead)))
    return ReadListing(bytes, beside);
  absl::StatusOr<std::unique_ptr<Tree>> tree = OpenTar(bytes);
  if (!tree.ok()) return tree.status();
  return ReadAnyTree(**tree, beside);
}

// Takes what lspci says of the functions that were found.
absl::Status TakeListing(const std::string& path, Found& found) {
  const absl::StatusOr<std::string> bytes = ReadBytes(path);
  if (!bytes.ok()) return WithName(path, bytes.status());
  const absl::StatusOr<Found> listing = ReadListing(*bytes);
  if (!listing.ok()) return WithName(path, listing.status());
  std::vector<std::string> elsewhere;
  for (FoundDevice& device : found.devices) {
    const auto listed = std::ranges::find(listing->devices, device.name, &FoundDevice::name);
    if (listed == listing->devices.end()) continue;
    if (listed->bridge != Bridge::kNone) device.bridge = listed->bridge;
    if (listed->acs.enabled) device.acs = listed->acs;
    if (listed->group >= 0 && device.group >= 0 && listed->group != device.group)
      elsewhere.push_back(device.name);
  }
  if (!elsewhere.empty())
    found.gaps.push_back({absl::StrCat("The text of lspci has other groups of ", ListOf(elsewhere),
                                       " than the system."),
                          "whether it is of this machine", "take both anew"});
  return absl::OkStatus();
}

absl::StatusOr<AcpiTables> ReadAcpi(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return ReadAcpiFolder(*OpenFolder(path), "");
  const absl::StatusOr<std::string> bytes = ReadBytes(path);
  if (!bytes.ok()) return bytes.status();
  return ReadAcpiFile(*bytes);
}

absl::StatusOr<Beside> ReadBeside(const Sources& sources) {
  Beside beside;
  if (!sources.acpi.empty() && !sources.dtb.empty())
    return absl::InvalidArgumentError("expected one of --acpi and --dtb, found both");
  if (!sources.acpi.empty()) {
    absl::StatusOr<AcpiTables> tables = ReadAcpi(sources.acpi);
    if (!tables.ok()) return WithName(sources.acpi, tables.status());
    if (tables->tables.empty() && !tables->others)
      return WithName(sources.acpi, absl::InvalidArgumentError("expected ACPI tables, found none"));
    beside.acpi = *std::move(tables);
  }
  if (!sources.dtb.empty()) {
    const absl::StatusOr<Found> tree = ReadTree(sources.dtb);
    if (!tree.ok()) return tree.status();
    if (!tree->described_only || tree->firmware != Firmware::kDt)
      return WithName(sources.dtb,
                      absl::InvalidArgumentError("expected a device tree, found something else"));
    beside.nodes = NodesOf(*tree);
  }
  return beside;
}

}  // namespace

absl::StatusOr<System> ToSystem(const Found& found, KernelVersion version, Keep keep) {
  Machine machine = BuildMachine(found, version);
  System system;
  system.topology.firmware = found.firmware;
  system.devices_found = static_cast<int>(machine.devices.size());
  TakeUnregistered(machine);
  SettleGaps(machine, version);
  if (keep == Keep::kTwoOfAKind || !Fits(machine)) Reduce(machine);
  MakeFit(machine);
  AddDrivers(machine, system);
  AddInstances(machine, system);
  AddDevices(machine, system);
  AddGroups(machine, system);
  static_cast<Account&>(system) = std::move(machine);
  if (absl::Status status = Validate(system.topology); !status.ok()) return status;
  return system;
}

namespace {
// A system without a /sys tree has those facts alone that follow from what it describes.
absl::StatusOr<Found> WithVfioFacts(absl::StatusOr<Found> found) {
  if (found.ok() && (found->described_only || found->listing)) found->vfio = VfioFactsOf(*found);
  return found;
}

absl::StatusOr<Found> ReadPath(const std::string& path, const Sources& sources) {
  absl::StatusOr<Beside> beside = ReadBeside(sources);
  if (!beside.ok()) return beside.status();
  std::error_code error;
  if (fs::is_directory(path, error)) {
    beside->proc_version = VersionBeside(path);
    return WithName(path, WithVfioFacts(ReadAnyTree(*OpenFolder(path), *beside)));
  }
  absl::StatusOr<std::string> bytes = ReadBytes(path);
  if (!bytes.ok()) return WithName(path, bytes.status());
  if (IsDeviceTreeSource(*bytes)) {
    bytes = CompileDeviceTree(path);
    if (!bytes.ok()) return WithName(path, bytes.status());
  }
  return WithName(path, WithVfioFacts(ReadAnyFile(*bytes, *beside)));
}
}  // namespace

absl::StatusOr<Found> ReadTree(const std::string& path, const Sources& sources) {
  absl::StatusOr<Found> found = ReadPath(path, sources);
  if (!found.ok() || sources.lspci.empty()) return found;
  if (absl::Status s = TakeListing(sources.lspci, *found); !s.ok()) return s;
  return found;
}

namespace {
// A text: a comment may come before the line that shows it.
bool IsText(std::ifstream& in) {
  std::string head(kListingHead, '\0');
  in.seekg(0);
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<size_t>(in.gcount()));
  return IsDeviceTreeSource(head) || IsAcpiDump(head) || IsListing(head);
}
}  // namespace

bool IsSystem(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return true;
  constexpr size_t kTarMagicAt = 257;
  std::ifstream in(path, std::ios::binary);
  std::string head(kTarMagicAt + 5, '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  return IsPacked(head) || IsDeviceTree(head) || IsAcpiTable(head) || IsAcpiDump(head) ||
         head.substr(kTarMagicAt) == "ustar" || (in.clear(), IsText(in));
}

absl::StatusOr<Found> ReadSnapshot(std::string_view bytes, const std::string& name) {
  return WithName(name, WithVfioFacts(ReadAnyFile(bytes, {})));
}

}  // namespace iommucheck::import
