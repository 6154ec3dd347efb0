// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <bitset>
#include <map>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "src/case/spelling.h"
#include "src/report/picture.h"
#include "src/report/picture_parts.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

// So many alike are one box.
constexpr size_t kFew = 3;
constexpr size_t kNamesInABox = 4;

// The things that the properties violated up to a step are about.
struct Wronged {
  std::bitset<kMaxDevices> devices;
  std::bitset<kMaxGroups> groups;
  std::bitset<kMaxDomains> domains;
};

bool IsOnForeignDomain(const Case& c, const State& s, DeviceId id) {
  const DriverId served_by = DriverOfDevice(c, s, id);
  return s.devices[id].hw != kNoId && served_by != kNoId && DriverOfHardware(s, id) != served_by;
}

Wronged WrongedAt(const Case& c, const Run& run, const State& s, size_t steps) {
  Wronged out;
  for (const Property p : Violated(c, run)) {
    const FirstViolation& v = run.of(p);
    if (v.at > static_cast<int>(steps)) continue;
    const DeviceId device = v.what.device == kNoId && v.event ? v.event->device : v.what.device;
    if (device != kNoId) out.devices[device] = true;
    if (v.what.group != kNoId) out.groups[v.what.group] = true;
    if (v.what.domain != kNoId) out.domains[v.what.domain] = true;
  }
  for (DeviceId d = 0; d < c.topology.devices_count; ++d)
    if (IsOnForeignDomain(c, s, d)) out.devices[d] = true;
  return out;
}

// A box of the picture: devices of one group, or one without a group.
struct Box {
  std::string label;
  std::vector<DeviceId> devices;
  bool wronged = false;
  std::string alike;  // boxes with the same are drawn as one
};

class Picture {
 public:
  Picture(const Case& c, const Run& run, size_t steps)
      : case_(c),
        state_(steps == 0 ? run.initial : run.steps[steps - 1].after),
        wronged_(WrongedAt(c, run, state_, steps)) {
    FindAlikeInstances();
    for (GroupId g = 0; g < kMaxGroups; ++g)
      if (state_.groups[g].live) AddGroup(g);
    for (DeviceId d = 0; d < case_.topology.devices_count; ++d)
      if (state_.devices[d].group == kNoId)
        AddBox({.label = state_.devices[d].present ? "no group" : "not there",
                .devices = {d},
                .wronged = wronged_.devices[d],
                .alike = {}});
  }

  [[nodiscard]] std::string Text(const std::string& title) const {
    std::string out =
        "digraph iommucheck {\n"
        "  rankdir=LR; bgcolor=transparent; labelloc=t; fontname=\"sans-serif\"; fontsize=14;\n"
        "  nodesep=0.15; ranksep=1.1;\n"
        "  node [shape=box, fontname=\"sans-serif\", fontsize=11, margin=\"0.12,0.05\"];\n"
        "  edge [arrowsize=0.7];\n";
    absl::StrAppendFormat(&out, "  label=\"%s\\n%s\\n \";\n", Escaped(title), kLegend);
    std::map<std::string, std::vector<const Box*>> kinds;
    std::vector<std::string> order;
    for (const Box& box : boxes_) {
      if (kinds[box.alike].empty()) order.push_back(box.alike);
      kinds[box.alike].push_back(&box);
    }
    int number = 0;
    for (const std::string& kind : order) {
      const std::vector<const Box*>& alike = kinds[kind];
      if (alike.size() >= kFew) {
        out += CollapsedText(number++, alike);
        continue;
      }
      for (const Box* box : alike) out += BoxText(number++, *box);
    }
    return out + Instances() + Domains() + "}\n";
  }

 private:
  static constexpr char kLegend[] =
      "box: group; hexagon: IOMMU that serves it; ellipse: domain that its DMA goes to; red: wrong";

  // Names have no quote or backslash (see ParseCase()); texts of our own have none either.
  static std::string Escaped(const std::string& text) {
    return absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}, {"\n", "\\n"}});
  }

  void AddGroup(GroupId g) {
    Box box{.label = absl::StrFormat("group %d", g), .devices = {}, .alike = {}};
    if (state_.groups[g].container != kNoId)
      absl::StrAppendFormat(&box.label, ", container c%d", state_.groups[g].container);
    box.wronged = wronged_.groups[g];
    for (DeviceId d = state_.groups[g].devices; d != kNoId; d = state_.devices[d].next) {
      box.devices.push_back(d);
      box.wronged |= wronged_.devices[d];
    }
    AddBox(std::move(box));
  }

  // Boxes are alike if their devices are on the same buses, behind the same IOMMUs, and on the same
  // domain or each on a default domain of its own.
  void AddBox(Box box) {
    box.alike = box.label.substr(0, box.label.find(' '));
    if (const size_t container = box.label.find(','); container != box.label.npos)
      box.alike += box.label.substr(container);
    for (const DeviceId d : box.devices) {
      const DeviceState& device = state_.devices[d];
      absl::StrAppend(&box.alike, "|", std::string(BusName(case_.topology.devices[d].bus)), ",",
                      NodeOf(device.instance), ",", MastersText(d), ",",
                      device.hw == kNoId || IsOwn(device.hw) ? DomainKind(device.hw)
                                                             : absl::StrCat("d", device.hw));
    }
    if (box.wronged || box.devices.empty()) absl::StrAppend(&box.alike, "!", boxes_.size());
    boxes_.push_back(std::move(box));
  }

  [[nodiscard]] std::string MastersText(DeviceId d) const {
    return absl::StrJoin(case_.topology.devices[d].masters, "+",
                         [&](std::string* out, InstanceId i) { *out += NodeOf(i); });
  }

  // A domain that one group alone is on, as a default domain is.
  [[nodiscard]] bool IsOwn(DomainId domain) const {
    return state_.domains[domain].type != DomainType::kPaging;
  }
  [[nodiscard]] std::string DomainKind(DomainId domain) const {
    if (domain == kNoId) return "none";
    return absl::StrCat(std::string(TypeName(state_.domains[domain].type)), " of ",
                        DriverName(case_, state_.domains[domain].driver));
  }

  [[nodiscard]] std::string DeviceLabel(DeviceId d) const {
    return absl::StrCat(case_.names.devices[d], "\\n",
                        std::string(BusName(case_.topology.devices[d].bus)));
  }

  [[nodiscard]] std::string Edges(const std::string& from, DeviceId d, bool wronged) const {
    const DeviceState& device = state_.devices[d];
    std::string out;
    if (device.instance != kNoId)
      absl::StrAppendFormat(&out, "  %s -> %s;\n", from, NodeOf(device.instance));
    else
      for (const InstanceId i : case_.topology.devices[d].masters)
        if (i != kNoId)
          absl::StrAppendFormat(&out, "  %s -> %s [style=dashed, class=faint];\n", from, NodeOf(i));
    if (device.hw != kNoId)
      absl::StrAppendFormat(&out, "  %s -> %s [style=bold%s];\n", from, DomainNode(device.hw),
                            wronged ? ", class=wrong" : "");
    return out;
  }

  // Default domains of a driver are one ellipse.
  [[nodiscard]] std::string DomainNode(DomainId domain) const {
    if (IsOwn(domain) && !wronged_.domains[domain])
      return absl::StrFormat("kind%d_%d", static_cast<int>(state_.domains[domain].type),
                             state_.domains[domain].driver);
    return absl::StrCat("d", domain);
  }

  [[nodiscard]] std::string BoxText(int number, const Box& box) const {
    std::string out = absl::StrFormat("  subgraph cluster_%d {\n    label=\"%s\"; fontsize=11;%s\n",
                                      number, box.label, box.wronged ? " class=wrong;" : "");
    std::string edges;
    for (const DeviceId d : box.devices) {
      const bool wronged = wronged_.devices[d];
      absl::StrAppendFormat(&out, "    dev%d [label=\"%s\"%s];\n", d, DeviceLabel(d),
                            wronged ? ", class=wrong" : "");
      edges += Edges(absl::StrCat("dev", d), d, wronged);
    }
    if (box.devices.empty())
      absl::StrAppendFormat(&out, "    empty%d [label=\"no device\", class=faint];\n", number);
    return out + "  }\n" + edges;
  }

  [[nodiscard]] std::string CollapsedText(int number, const std::vector<const Box*>& alike) const {
    std::vector<std::string> names;
    size_t devices = 0;
    for (const Box* box : alike)
      for (const DeviceId d : box->devices)
        if (++devices <= kNamesInABox) names.push_back(case_.names.devices[d]);
    const std::string& first = alike.front()->label;
    std::string label = absl::StrFormat(
        "%d %s, %s:\\n%s", alike.size(),
        first.starts_with("group")
            ? "groups" + first.substr(std::min(first.find(','), first.size()))
            : "devices, " + first,
        std::string(BusName(case_.topology.devices[alike.front()->devices.front()].bus)),
        absl::StrJoin(names, "\\n"));
    if (devices > kNamesInABox)
      absl::StrAppendFormat(&label, "\\nand %d more", devices - kNamesInABox);
    std::string out = absl::StrFormat("  many%d [label=\"%s\"];\n", number, label);
    // The devices of a box are drawn by its first, those of the others go where these go.
    std::vector<std::string> seen;
    for (const DeviceId d : alike.front()->devices)
      if (const std::string edges = Edges(absl::StrCat("many", number), d, false);
          std::ranges::find(seen, edges) == seen.end()) {
        seen.push_back(edges);
        out += edges;
      }
    return out;
  }

  [[nodiscard]] bool IsUp(InstanceId i) const {
    return std::ranges::find(state_.registered, i) != state_.registered.end();
  }

  // Instances of one driver with the same attributes, and with as many devices on the same buses and
  // kinds of domains, are one hexagon; none whose devices are wronged or behind another, too.
  void FindAlikeInstances() {
    std::map<std::string, std::vector<InstanceId>> kinds;
    for (InstanceId i = 0; i < case_.topology.instances_count; ++i) {
      const Instance& instance = case_.topology.instances[i];
      std::string key = absl::StrCat(instance.driver, instance.fwnode, instance.enforces_coherency,
                                     instance.isolates_msi, instance.table, IsUp(i));
      std::vector<std::string> devices;
      for (DeviceId d = 0; d < case_.topology.devices_count; ++d) {
        const auto& masters = case_.topology.devices[d].masters;
        if (std::ranges::count(masters, i) == 0) continue;
        devices.push_back(absl::StrCat(std::string(BusName(case_.topology.devices[d].bus)), ",",
                                       state_.devices[d].instance == i, ",",
                                       DomainKind(state_.devices[d].hw)));
        const bool own = masters[1] == kNoId && !wronged_.devices[d];
        if (!own) absl::StrAppend(&key, "!", i);
      }
      std::ranges::sort(devices);
      kinds[absl::StrCat(key, "|", absl::StrJoin(devices, "|"))].push_back(i);
    }
    for (InstanceId i = 0; i < case_.topology.instances_count; ++i) stands_for_[i] = {i};
    for (const auto& [key, alike] : kinds)
      if (alike.size() >= kFew) {
        for (const InstanceId i : alike) stands_for_[i].clear();
        stands_for_[alike.front()] = alike;
      }
  }

  [[nodiscard]] std::string NodeOf(InstanceId i) const {
    for (InstanceId first = 0; first < case_.topology.instances_count; ++first)
      if (std::ranges::count(stands_for_[first], i) != 0) return absl::StrCat("iommu", first);
    return "none";
  }

  [[nodiscard]] std::string Instances() const {
    std::string out;
    for (InstanceId i = 0; i < case_.topology.instances_count; ++i) {
      const size_t alike = stands_for_[i].size();
      if (alike == 0) continue;
      const std::string name =
          alike == 1 ? case_.names.instances[i] : absl::StrFormat("%d IOMMUs", alike);
      absl::StrAppendFormat(&out, "  iommu%d [shape=hexagon, label=\"%s\\n%s%s\"%s];\n", i, name,
                            case_.names.drivers[case_.topology.instances[i].driver],
                            IsUp(i) ? "" : "\\nnot registered", IsUp(i) ? "" : ", class=faint");
    }
    return out;
  }

  [[nodiscard]] std::string Domains() const {
    std::string out;
    std::map<std::string, int> own;
    for (DomainId d = 0; d < kMaxDomains; ++d) {
      const DomainState& domain = state_.domains[d];
      const bool wronged = wronged_.domains[d] && domain.type != DomainType::kFree;
      const bool used =
          std::ranges::any_of(state_.devices, [d](const auto& device) { return device.hw == d; });
      if (!used && !wronged) continue;
      const std::string node = DomainNode(d);
      if (node != absl::StrCat("d", d)) {
        ++own[node];
        if (own[node] > 1) continue;
        absl::StrAppendFormat(&out, "  %s [shape=ellipse, label=\"%s\"];\n", node, DomainKind(d));
        continue;
      }
      absl::StrAppendFormat(&out, "  %s [shape=ellipse, label=\"d%d, %s\"%s];\n", node, d,
                            DomainKind(d), wronged ? ", class=wrong" : "");
    }
    return out;
  }

  const Case& case_;
  const State& state_;
  const Wronged wronged_;
  std::vector<Box> boxes_;
  // The instances that are drawn as this one; none: it is drawn as another.
  std::array<std::vector<InstanceId>, kMaxInstances> stands_for_;
};

}  // namespace

Case Booted(Case c) {
  if (!c.ops.empty()) return c;
  for (InstanceId i = 0; i < c.topology.instances_count; ++i)
    c.ops.push_back({{.kind = OpKind::kRegister, .a = i}, std::nullopt, ""});
  for (DeviceId d = 0; d < c.topology.devices_count; ++d)
    for (const InstanceId master : c.topology.devices[d].masters)
      if (master != kNoId && c.topology.instances[master].fwnode && !c.topology.devices[d].absent) {
        c.ops.push_back({{.kind = OpKind::kConfigure, .a = d}, std::nullopt, ""});
        break;
      }
  return c;
}

std::string TitleOf(const Case& c, const Run& run, size_t steps) {
  std::vector<std::string> violated;
  for (const Property p : Violated(c, run))
    if (run.of(p).at <= static_cast<int>(steps))
      violated.push_back(absl::StrFormat("%s violated at step %d", PropertyName(p), run.of(p).at));
  return absl::StrFormat("%s, after %s: %s", KernelName(c.kernel), Plural(steps, "step"),
                         violated.empty() ? "no property violated" : absl::StrJoin(violated, ", "));
}

std::string DotAt(const Case& c, const Run& run, size_t steps) {
  return Picture(c, run, steps).Text(TitleOf(c, run, steps));
}

std::string Dot(const Case& c) {
  const Case booted = Booted(c);
  const Run run = Play(booted);
  return DotAt(booted, run, run.steps.size());
}

}  // namespace iommucheck::report
