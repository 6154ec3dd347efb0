// SPDX-License-Identifier: Apache-2.0
#include "src/import/import.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "src/import/build.h"
#include "src/import/machine.h"
#include "src/import/sysfs.h"
#include "src/import/tree.h"

namespace iommucheck::import {
namespace {

namespace fs = std::filesystem;

absl::Status WithName(const std::string& name, const absl::Status& status) {
  return absl::InvalidArgumentError(absl::StrCat(name, ": ", status.message()));
}

// "6.12.117+deb12": the newest profile that is not newer than 6.12.
std::optional<KernelVersion> NearestProfile(const std::string& release) {
  const auto parse = [](std::string_view text) -> std::optional<std::pair<uint64_t, uint64_t>> {
    const size_t dot = text.find('.');
    if (dot == std::string_view::npos) return std::nullopt;
    const auto major = ParseNumber(text.substr(0, dot), 10);
    std::string_view rest = text.substr(dot + 1);
    const auto minor = ParseNumber(rest.substr(0, rest.find_first_not_of("0123456789")), 10);
    if (!major || !minor) return std::nullopt;
    return std::pair(*major, *minor);
  };
  const auto version = parse(release);
  if (!version) return std::nullopt;
  std::optional<KernelVersion> nearest;
  for (const KernelVersion profile : kKernelVersions)
    if (parse(VersionName(profile).substr(1)) <= version) nearest = profile;
  return nearest;
}

// As in docs/case-format.md.
constexpr size_t kMaxName = 31;
constexpr std::string_view kNameCharacters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:+-";

// A name as cases allow it, and that no other entry has.
std::string UniqueName(std::string name, std::set<std::string>& used) {
  for (char& c : name)
    if (kNameCharacters.find(c) == std::string_view::npos) c = '_';
  if (name.size() > kMaxName) name.erase(0, name.size() - kMaxName);
  if (name.empty()) name.push_back('_');
  std::string unique = name;
  for (int n = 2; !used.insert(unique).second; ++n) {
    const std::string suffix = absl::StrCat("+", n);
    unique = name.substr(0, kMaxName - suffix.size()) + suffix;
  }
  return unique;
}

// "00:1f.3" where the machine has one segment.
std::string ShortName(const MachineDevice& device, bool one_segment) {
  const bool shorten = device.bus == Bus::kPci && one_segment && device.name.starts_with("0000:");
  return shorten ? device.name.substr(5) : device.name;
}

absl::Status CheckCapacity(const Machine& m) {
  const auto check = [](std::string_view what, size_t count, int most) -> absl::Status {
    if (count <= static_cast<size_t>(most)) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        "expected at most ", most, " ", std::string(what), " that differ, found ", count));
  };
  if (absl::Status s = check("drivers", m.drivers.size(), kMaxDrivers); !s.ok()) return s;
  if (absl::Status s = check("IOMMUs", m.instances.size(), kMaxInstances); !s.ok()) return s;
  return check("devices", m.devices.size(), kMaxDevices);
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
    System::Device as_found;
    if (device.found_instance >= 0) {
      as_found.instance = system.names.instances[device.found_instance];
      as_found.driver = m.drivers[m.instances[device.found_instance].driver].name;
    }
    as_found.group = device.found_group;
    system.as_found.push_back(std::move(as_found));
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

absl::StatusOr<System> ToSystem(const Tree& tree, Keep keep) {
  absl::StatusOr<Found> found = ReadFound(tree);
  if (!found.ok()) return found.status();
  System system;
  system.kernel_release = found->kernel_release;
  system.nearest = NearestProfile(found->kernel_release);
  system.topology.firmware = found->firmware;

  Machine machine = BuildMachine(*found, system.nearest.value_or(kKernelVersions.back()));
  system.devices_found = static_cast<int>(machine.devices.size());
  if (found->firmware == Firmware::kAny)
    machine.assumptions.emplace_back(
        "Neither sys/firmware/acpi/tables nor sys/firmware/devicetree is there; drivers of both "
        "kinds are taken to probe.");
  if (keep == Keep::kTwoOfAKind || !CheckCapacity(machine).ok()) Reduce(machine);
  if (absl::Status status = CheckCapacity(machine); !status.ok()) return status;
  AddDrivers(machine, system);
  AddInstances(machine, system);
  AddDevices(machine, system);
  AddGroups(machine, system);
  system.assumptions = std::move(machine.assumptions);
  if (absl::Status status = Validate(system.topology); !status.ok()) return status;
  return system;
}

absl::StatusOr<std::string> ReadBytes(const std::string& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (error)
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": expected a folder or a tar, found: ", error.message()));
  if (size > kMaxSnapshotBytes)
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": expected at most ", kMaxSnapshotBytes, " bytes, found ", size));
  std::ifstream in(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << in.rdbuf();
  if (!in)
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": expected a folder or a tar, found no bytes to read"));
  return std::move(bytes).str();
}

}  // namespace

absl::StatusOr<System> ReadSystem(const std::string& path, Keep keep) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    absl::StatusOr<System> system = ToSystem(*OpenFolder(path), keep);
    if (!system.ok()) return WithName(path, system.status());
    return system;
  }
  absl::StatusOr<std::string> bytes = ReadBytes(path);
  if (!bytes.ok()) return bytes.status();
  return ReadSnapshot(*bytes, path, keep);
}

bool IsSystem(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return true;
  constexpr size_t kTarMagicAt = 257;
  std::ifstream in(path, std::ios::binary);
  std::string head(kTarMagicAt + 5, '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  return head.starts_with("\x1f\x8b") || head.substr(kTarMagicAt) == "ustar";
}

absl::StatusOr<System> ReadSnapshot(std::string_view bytes, const std::string& name, Keep keep) {
  absl::StatusOr<std::unique_ptr<Tree>> tree = OpenTar(bytes, name);
  if (!tree.ok()) return tree.status();
  absl::StatusOr<System> system = ToSystem(**tree, keep);
  if (!system.ok()) return WithName(name, system.status());
  return system;
}

}  // namespace iommucheck::import
