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
#include "src/import/device_tree.h"
#include "src/import/tree.h"

namespace iommucheck::import {
namespace {

namespace fs = std::filesystem;

// Makes the error printable: it names files, and these can have any name.
absl::Status WithName(const std::string& name, const absl::Status& status) {
  return absl::InvalidArgumentError(Printable(absl::StrCat(name, ": ", status.message())));
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

absl::Status CheckCapacity(const Machine& m) {
  const auto check = [](const char* what, size_t count, size_t most) {
    return count <= most
               ? absl::OkStatus()
               : absl::InvalidArgumentError(absl::StrCat("expected at most ", most, " ", what,
                                                         " that differ, found ", count));
  };
  absl::Status status = check("drivers", m.drivers.size(), kMaxDrivers);
  status.Update(check("IOMMUs", m.instances.size(), kMaxInstances));
  status.Update(check("devices", m.devices.size(), kMaxDevices));
  return status;
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
  constexpr char kExpected[] = "expected a folder, a tar or a device tree, found";
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

}  // namespace

absl::StatusOr<System> ToSystem(const Found& found, KernelVersion version, Keep keep) {
  Machine machine = BuildMachine(found, version);
  System system;
  system.topology.firmware = found.firmware;
  system.devices_found = static_cast<int>(machine.devices.size());
  TakeUnregistered(machine);
  SettleGaps(machine, version);
  if (keep == Keep::kTwoOfAKind || !CheckCapacity(machine).ok()) Reduce(machine);
  if (absl::Status status = CheckCapacity(machine); !status.ok()) return status;
  AddDrivers(machine, system);
  AddInstances(machine, system);
  AddDevices(machine, system);
  AddGroups(machine, system);
  static_cast<Account&>(system) = std::move(machine);
  if (absl::Status status = Validate(system.topology); !status.ok()) return status;
  return system;
}

absl::StatusOr<Found> ReadTree(const std::string& path, VfioFacts* vfio) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    const std::unique_ptr<Tree> tree = OpenFolder(path);
    if (IsDeviceTreeFolder(*tree, "")) {
      absl::StatusOr<Found> found = ReadDeviceTreeFolder(*tree, "");
      if (!found.ok()) return WithName(path, found.status());
      if (vfio != nullptr) *vfio = VfioFactsOf(*found);
      return found;
    }
    absl::StatusOr<Found> found = ReadFound(*tree, VersionBeside(path));
    if (!found.ok()) return WithName(path, found.status());
    if (vfio != nullptr) *vfio = ReadVfioFacts(*tree, *found);
    return found;
  }
  absl::StatusOr<std::string> bytes = ReadBytes(path);
  if (!bytes.ok()) return WithName(path, bytes.status());
  if (IsDeviceTreeSource(*bytes)) {
    bytes = CompileDeviceTree(path);
    if (!bytes.ok()) return WithName(path, bytes.status());
  }
  return ReadSnapshot(*bytes, path, vfio);
}

namespace {
// A comment may come before the line that shows it.
bool IsSource(std::ifstream& in) {
  constexpr size_t kMostComment = 65536;
  std::string head(kMostComment, '\0');
  in.seekg(0);
  in.read(head.data(), kMostComment);
  head.resize(static_cast<size_t>(in.gcount()));
  return IsDeviceTreeSource(head);
}
}  // namespace

bool IsSystem(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return true;
  constexpr size_t kTarMagicAt = 257;
  std::ifstream in(path, std::ios::binary);
  std::string head(kTarMagicAt + 5, '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  return IsPacked(head) || IsDeviceTree(head) || head.substr(kTarMagicAt) == "ustar" ||
         (in.clear(), IsSource(in));
}

absl::StatusOr<Found> ReadSnapshot(std::string_view bytes, const std::string& name,
                                   VfioFacts* vfio) {
  if (IsDeviceTree(bytes)) {
    absl::StatusOr<Found> found = ReadDeviceTree(bytes);
    if (!found.ok()) return WithName(name, found.status());
    if (vfio != nullptr) *vfio = VfioFactsOf(*found);
    return found;
  }
  absl::StatusOr<std::unique_ptr<Tree>> tree = OpenTar(bytes);
  if (!tree.ok()) return WithName(name, tree.status());
  absl::StatusOr<Found> found = ReadFound(**tree);
  if (!found.ok()) return WithName(name, found.status());
  if (vfio != nullptr) *vfio = ReadVfioFacts(**tree, *found);
  return found;
}

}  // namespace iommucheck::import
