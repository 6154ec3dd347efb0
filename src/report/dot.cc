// SPDX-License-Identifier: Apache-2.0
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

// Names hold no quote or backslash (see ParseCase()), so they stand in DOT strings as they are.
std::string Device(const Case& c, const State& s, DeviceId id) {
  const DeviceState& d = s.devices[id];
  const bool foreign = d.hw != kNoId && d.instance != kNoId &&
                       s.domains[d.hw].driver != c.topology.instances[d.instance].driver;
  return absl::StrFormat("    dev%d [label=\"%s\\n%s\"%s];\n", id, c.names.devices[id],
                         std::string(BusName(c.topology.devices[id].bus)),
                         foreign ? ", color=red, penwidth=2" : "");
}

}  // namespace

std::string Dot(const Case& c) {
  const Run run = Play(c);
  const State& s = run.final_state();
  std::string out = "digraph iommucheck {\n  rankdir=LR;\n  node [shape=box, fontsize=10];\n";
  for (GroupId g = 0; g < kMaxGroups; ++g) {
    if (!s.groups[g].live) continue;
    absl::StrAppendFormat(&out, "  subgraph cluster_group%d {\n    label=\"group %d\";\n", g, g);
    for (DeviceId d = s.groups[g].devices; d != kNoId; d = s.devices[d].next)
      out += Device(c, s, d);
    out += "  }\n";
  }
  for (DeviceId d = 0; d < c.topology.devices_count; ++d)
    if (s.devices[d].group == kNoId) out += Device(c, s, d);
  for (InstanceId i = 0; i < c.topology.instances_count; ++i)
    absl::StrAppendFormat(&out, "  iommu%d [shape=hexagon, label=\"%s\\n%s\"];\n", i,
                          c.names.instances[i], c.names.drivers[c.topology.instances[i].driver]);
  for (DomainId d = 0; d < kMaxDomains; ++d)
    if (s.domains[d].refs != 0)
      absl::StrAppendFormat(&out, "  d%d [shape=ellipse, label=\"d%d of %s\"];\n", d, d,
                            c.names.drivers[s.domains[d].driver]);
  for (DeviceId d = 0; d < c.topology.devices_count; ++d) {
    const DeviceState& dev = s.devices[d];
    if (dev.instance != kNoId)
      absl::StrAppendFormat(&out, "  dev%d -> iommu%d;\n", d, dev.instance);
    if (dev.hw != kNoId) absl::StrAppendFormat(&out, "  dev%d -> d%d [style=bold];\n", d, dev.hw);
  }
  return out + "}\n";
}

}  // namespace iommucheck::report
