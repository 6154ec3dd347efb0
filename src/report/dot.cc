// SPDX-License-Identifier: Apache-2.0
#include <bitset>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

// The things that the violated properties are about.
struct Wronged {
  std::bitset<kMaxDevices> devices;
  std::bitset<kMaxGroups> groups;
  std::bitset<kMaxDomains> domains;
  std::vector<std::string> titles;
};

Wronged WrongedIn(const Case& c, const Run& run) {
  Wronged out;
  for (const Property p : Violated(c, run)) {
    const FirstViolation& v = run.of(p);
    out.titles.push_back(absl::StrFormat("%s violated at %d", PropertyName(p), v.at));
    const DeviceId device = v.what.device == kNoId && v.event ? v.event->device : v.what.device;
    if (device != kNoId) out.devices[device] = true;
    if (v.what.group != kNoId) out.groups[v.what.group] = true;
    if (v.what.domain != kNoId) out.domains[v.what.domain] = true;
  }
  return out;
}

constexpr const char* kRed = ", color=red, penwidth=2";

// Names hold no quote or backslash (see ParseCase()), so they stand in DOT strings as they are.
std::string Device(const Case& c, DeviceId id, bool wronged) {
  return absl::StrFormat("    dev%d [label=\"%s\\n%s\"%s];\n", id, c.names.devices[id],
                         std::string(BusName(c.topology.devices[id].bus)), wronged ? kRed : "");
}

bool IsOnForeignDomain(const Case& c, const State& s, DeviceId id) {
  const DriverId served_by = DriverOfDevice(c, s, id);
  return s.devices[id].hw != kNoId && served_by != kNoId && DriverOfHardware(s, id) != served_by;
}

}  // namespace

std::string Dot(const Case& c) {
  const Run run = Play(c);
  const State& s = run.final_state();
  Wronged wronged = WrongedIn(c, run);
  for (DeviceId d = 0; d < c.topology.devices_count; ++d)
    if (IsOnForeignDomain(c, s, d)) wronged.devices[d] = true;
  std::string out = "digraph iommucheck {\n  rankdir=LR;\n  node [shape=box, fontsize=10];\n";
  if (!wronged.titles.empty())
    absl::StrAppendFormat(&out, "  label=\"%s\";\n", absl::StrJoin(wronged.titles, "\\n"));
  for (GroupId g = 0; g < kMaxGroups; ++g) {
    if (!s.groups[g].live) continue;
    absl::StrAppendFormat(&out, "  subgraph cluster_group%d {\n    label=\"group %d\";\n", g, g);
    if (wronged.groups[g]) out += "    color=red;\n    penwidth=2;\n";
    for (DeviceId d = s.groups[g].devices; d != kNoId; d = s.devices[d].next)
      out += Device(c, d, wronged.devices[d]);
    out += "  }\n";
  }
  for (DeviceId d = 0; d < c.topology.devices_count; ++d)
    if (s.devices[d].group == kNoId) out += Device(c, d, wronged.devices[d]);
  for (InstanceId i = 0; i < c.topology.instances_count; ++i)
    absl::StrAppendFormat(&out, "  iommu%d [shape=hexagon, label=\"%s\\n%s\"];\n", i,
                          c.names.instances[i], c.names.drivers[c.topology.instances[i].driver]);
  for (DomainId d = 0; d < kMaxDomains; ++d)
    if (s.domains[d].refs != 0 || (wronged.domains[d] && s.domains[d].type != DomainType::kFree))
      absl::StrAppendFormat(&out, "  d%d [shape=ellipse, label=\"d%d of %s\"%s];\n", d, d,
                            DriverName(c, s.domains[d].driver), wronged.domains[d] ? kRed : "");
  for (DeviceId d = 0; d < c.topology.devices_count; ++d) {
    const DeviceState& dev = s.devices[d];
    if (dev.instance != kNoId)
      absl::StrAppendFormat(&out, "  dev%d -> iommu%d;\n", d, dev.instance);
    if (dev.hw != kNoId) absl::StrAppendFormat(&out, "  dev%d -> d%d [style=bold];\n", d, dev.hw);
  }
  return out + "}\n";
}

}  // namespace iommucheck::report
