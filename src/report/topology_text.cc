// SPDX-License-Identifier: Apache-2.0
//
// The machine of a case. Attributes with their usual value are not mentioned; all others are, in
// the order of the case format.
#include <algorithm>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "src/case/spelling.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

// "pci (strict), platform (ignore)"; "0-3: direct"; "1 or 16"; "20 pages"; else as a case has it.
std::string ValueText(const AttributeInfo& attribute, std::string value) {
  using Kind = AttributeInfo::Kind;
  switch (attribute.kind) {
    case Kind::kClaims:
      return absl::StrReplaceAll(value, {{":", " ("}, {",", "), "}}) + ")";
    case Kind::kRegions:
      return absl::StrReplaceAll(value, {{":", ": "}});
    case Kind::kSizes:
      return absl::StrReplaceAll(value, {{",", " or "}});
    case Kind::kErrno:
      return "-" + value;
    case Kind::kNumber:
      if (attribute.noun == "a number of pages") value += value == "1" ? " page" : " pages";
      return value;
    case Kind::kFlag:
    case Kind::kName:
    case Kind::kRange:
    case Kind::kTable:
    case Kind::kDriver:
    case Kind::kDevice:
      return value;
  }
  return value;
}

// A phrase for each attribute that a case mentions for the n-th entry.
std::vector<std::string> Phrases(Owner owner, const Case& c, int n) {
  std::vector<std::string> phrases;
  for (const AttributeInfo& attribute : AttributesOf(owner)) {
    if (!IsSaid(attribute, c.topology, c.names, n)) continue;
    const std::string phrase(attribute.phrase);
    if (attribute.kind == AttributeInfo::Kind::kFlag) phrases.push_back(phrase);
    for (const std::string& value : ValuesOf(attribute, c.topology, c.names, n))
      phrases.push_back(absl::StrReplaceAll(phrase, {{"%s", ValueText(attribute, value)}}));
  }
  return phrases;
}

std::string DriverText(const Case& c, DriverId id) {
  std::vector<std::string> parts = Phrases(Owner::kDriver, c, id);
  for (DriverId other = 0; other < c.topology.drivers_count; ++other)
    if (other != id && c.topology.drivers[other].table == c.topology.drivers[id].table)
      parts.push_back("shares its domain ops with " + DriverName(c, other));
  return absl::StrJoin(parts, "; ");
}

std::string InstanceText(const Case& c, InstanceId id) {
  const Instance& i = c.topology.instances[id];
  std::vector<std::string> parts = Phrases(Owner::kInstance, c, id);
  if (!i.fwnode) parts.insert(parts.begin(), "no fwnode");
  return absl::StrFormat("of %s, %s", DriverName(c, i.driver), absl::StrJoin(parts, ", "));
}

std::string DeviceText(const Case& c, DeviceId id) {
  const Device& d = c.topology.devices[id];
  std::vector<std::string> behind;
  for (InstanceId m : d.masters)
    if (m != kNoId) behind.push_back(c.names.instances[m]);
  std::vector<std::string> parts = Phrases(Owner::kDevice, c, id);
  parts.insert(parts.begin(),
               behind.empty() ? "behind no IOMMU" : "behind " + absl::StrJoin(behind, " and "));
  return absl::StrFormat("on %s, %s", BusName(d.bus), absl::StrJoin(parts, ", "));
}

}  // namespace

std::string TopologyText(const Case& c, const Shown& shown) {
  const Topology& t = c.topology;
  std::string out;
  if (t.firmware != Firmware::kAny) out += Field("firmware", std::string(FirmwareName(t.firmware)));
  if (t.settings != Settings())
    out += Field("settings", absl::StrJoin(Phrases(Owner::kSettings, c, 0), ", "));
  const auto row = [&out](const char* label, const std::string& name, const std::string& text) {
    out += Field(label, text.empty() ? name : name + ": " + text);
  };
  for (DriverId d = 0; d < t.drivers_count; ++d)
    row(d == 0 ? "drivers" : "", c.names.drivers[d], DriverText(c, d));
  for (InstanceId i = 0; i < t.instances_count; ++i)
    row(i == 0 ? "instances" : "", c.names.instances[i], InstanceText(c, i));
  int devices = 0;
  for (DeviceId d = 0; d < t.devices_count; ++d)
    if (IsShown(shown, d))
      row(devices++ == 0 ? "devices" : "", c.names.devices[d], DeviceText(c, d));
  if (devices < t.devices_count)
    out += Field("", absl::StrFormat("and %d more, not in this run", t.devices_count - devices));
  return out;
}

}  // namespace iommucheck::report
