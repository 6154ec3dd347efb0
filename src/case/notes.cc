// SPDX-License-Identifier: Apache-2.0
#include "src/case/notes.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace iommucheck {
namespace {

bool Registers(const Case& c, DriverId driver) {
  return std::ranges::any_of(c.ops, [&](const CaseOp& op) {
    return op.op.kind == OpKind::kRegister && c.topology.instances[op.op.a].driver == driver;
  });
}

// A driver gets a slot by its claims, or because its ops lie where another driver's lay.
bool SharesAddress(const Topology& t, DriverId driver) {
  for (DriverId other = 0; other < t.drivers_count; ++other)
    if (other != driver && t.ops_address(other) == t.ops_address(driver)) return true;
  return false;
}

// Empty if the driver can serve a device, or if no device is behind it.
std::string NoteOf(const Case& c, DriverId driver) {
  const Topology& t = c.topology;
  const auto& claims = t.drivers[driver].claims;
  std::vector<std::string> claimed;
  for (size_t bus = 0; bus < kBusCount; ++bus)
    if (claims[bus] != Claim::kNone) claimed.emplace_back(BusName(static_cast<Bus>(bus)));
  bool behind = false;
  for (DeviceId dev = 0; dev < t.devices_count; ++dev) {
    const bool is_behind = ((t.drivers_of(dev) >> driver) & 1U) != 0;
    if (!is_behind && !t.drivers[driver].accepts_foreign) continue;
    behind = true;
    if (claims[static_cast<size_t>(t.devices[dev].bus)] != Claim::kNone) return "";
  }
  if (claimed.empty())
    return absl::StrFormat("driver %s claims no bus: on %s it serves no device",
                           c.names.drivers[driver], VersionName(c.kernel.version));
  if (!behind) return "";
  return absl::StrFormat(
      "driver %s claims %s, and no device behind it is on such a bus: on %s it serves none",
      c.names.drivers[driver], absl::StrJoin(claimed, ", "), VersionName(c.kernel.version));
}

}  // namespace

std::vector<std::string> NotesOf(const Case& c) {
  std::vector<std::string> notes;
  if (ProfileOf(c.kernel).era != Era::kBusSlots) return notes;
  for (DriverId driver = 0; driver < c.topology.drivers_count; ++driver) {
    if (!Registers(c, driver) || SharesAddress(c.topology, driver)) continue;
    if (std::string note = NoteOf(c, driver); !note.empty()) notes.push_back(std::move(note));
  }
  return notes;
}

}  // namespace iommucheck
