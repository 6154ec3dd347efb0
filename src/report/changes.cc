// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bitset>
#include <span>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

using Ids = std::vector<uint8_t>;
using Moved = absl::FunctionRef<bool(uint8_t)>;

Ids Linked(uint8_t first, absl::FunctionRef<uint8_t(uint8_t)> next) {
  Ids ids;
  // A list that links to itself ends, too.
  for (uint8_t id = first; id != kNoId && ids.size() < kMaxDomains; id = next(id))
    ids.push_back(id);
  return ids;
}

Ids DevicesOf(const State& s, GroupId g) {
  return Linked(s.groups[g].devices, [&](uint8_t d) { return s.devices[d].next; });
}
Ids GroupsOf(const State& s, ContainerId n) {
  return Linked(s.containers[n].groups, [&](uint8_t g) { return s.groups[g].next_in_container; });
}
Ids DomainsOf(const State& s, ContainerId n) {
  return Linked(s.containers[n].domains, [&](uint8_t d) { return s.domains[d].next; });
}
// The two lists that are arrays.
using List = std::span<const uint8_t>;
List RegisteredIn(const State& s) { return List(s.registered).first(s.registered_count); }
List ListedIn(const State& s) { return List(s.listed).first(s.listed_count); }

bool Has(List ids, uint8_t id) { return std::ranges::find(ids, id) != ids.end(); }

// If `common`, the ids that are in `others`, too; otherwise the ids that are not.
Ids Split(List ids, List others, bool common) {
  Ids out;
  std::ranges::copy_if(ids, std::back_inserter(out),
                       [&](uint8_t id) { return Has(others, id) == common; });
  return out;
}

enum class NewOnes : uint8_t { kFirst, kLast };

// Whether `after` is what `before` becomes if only entries for which `moved` holds come and go.
bool Follows(List before, List after, NewOnes where, Moved moved) {
  const Ids came = Split(after, before, false);
  const Ids gone = Split(before, after, false);
  if (!std::ranges::all_of(came, moved) || !std::ranges::all_of(gone, moved)) return false;
  const Ids stayed = Split(before, after, true);
  const List rest =
      where == NewOnes::kFirst ? after.subspan(came.size()) : after.first(stayed.size());
  return std::ranges::equal(rest, stayed);
}

std::string_view BoundName(BoundTo bound) {
  if (bound == BoundTo::kVfio) return "VFIO";
  return bound == BoundTo::kKernelDriver ? "a kernel driver" : "no driver";
}

std::string MappingText(const Dma& dma) {
  std::string text = absl::StrCat(PagesText(dma.at), " to memory ",
                                  PagesText({.first = dma.vaddr, .count = dma.at.count}), ",");
  if ((dma.prot & kRead) != 0) text += " read";
  if ((dma.prot & kWrite) != 0) text += " write";
  if ((dma.prot & (kRead | kWrite)) == 0) text += " neither read nor write";
  if (!dma.iommu_mapped) text += ", in no domain";
  if (dma.vaddr_invalid) text += ", vaddr invalid";
  if (dma.zero_page) text += ", the zero page";
  return text;
}

class Differ {
 public:
  Differ(const Case& c, const State& before, const State& after, const Op* op, const Shown& shown)
      : c_(c), t_(c.topology), b_(before), a_(after), op_(op), shown_(shown) {}

  std::vector<std::string> Run() {
    for (int bus = 0; bus < kBusCount; ++bus) BusLine(static_cast<Bus>(bus));
    for (InstanceId i = 0; i < t_.instances_count; ++i) InstanceLines(i);
    ListLine("registered: ", RegisteredIn(b_), RegisteredIn(a_), NewOnes::kLast, c_.names.instances,
             [](uint8_t) { return true; });
    for (DeviceId d = 0; d < t_.devices_count; ++d)
      if (IsShown(shown_, d)) DeviceLines(d);
    ListLine("devices of all buses: ", ListedIn(b_), ListedIn(a_), NewOnes::kLast, c_.names.devices,
             [&](uint8_t d) { return b_.devices[d].present != a_.devices[d].present; });
    for (GroupId g = 0; g < kMaxGroups; ++g)
      if (HasShown(g)) GroupLines(g);
    for (ContainerId n = 0; n < kMaxContainers; ++n) ContainerLines(n);
    DomainLines();
    CountLine("pages in locked_vm", b_.locked_vm, a_.locked_vm);
    CountLine("pins of user memory by type1", b_.pins, a_.pins);
    CountLine("pins of the zero page by type1", b_.zero_pins, a_.zero_pins);
    return lines_.empty() ? std::move(told_by_op_) : std::move(lines_);
  }

 private:
  void Line(std::string text) { lines_.push_back(std::move(text)); }
  // A change that an op of these kinds on `id` implies.
  void LineUnlessOp(std::initializer_list<OpKind> kinds, uint8_t id, std::string text) {
    const bool told =
        op_ != nullptr && op_->a == id && std::ranges::find(kinds, op_->kind) != kinds.end();
    (told ? told_by_op_ : lines_).push_back(std::move(text));
  }
  void CountLine(const char* what, uint32_t before, uint32_t after) {
    if (before != after) Line(absl::StrFormat("%s: %d", what, after));
  }
  void ListLine(const std::string& head, List before, List after, NewOnes where,
                const std::vector<std::string>& names, Moved moved) {
    if (Follows(before, after, where, moved)) return;
    std::vector<std::string> entries;
    for (uint8_t id : after) entries.push_back(names.empty() ? absl::StrCat(id) : names[id]);
    Line(head + (entries.empty() ? "none" : absl::StrJoin(entries, ", ")));
  }
  std::string Domain(DomainId d) {
    if (d != kNoId) named_[d] = true;
    return DomainText(c_, a_, d);
  }

  // A group that is in a container, or was, is one that the run is about.
  [[nodiscard]] bool HasShown(GroupId id) const {
    bool has =
        shown_.empty() || a_.groups[id].container != kNoId || b_.groups[id].container != kNoId;
    for (DeviceId d = 0; d < t_.devices_count; ++d)
      has |=
          !shown_.empty() && shown_[d] && (a_.devices[d].group == id || b_.devices[d].group == id);
    return has;
  }
  [[nodiscard]] bool IsDomainShown(DomainId d) const {
    if (shown_.empty()) return true;
    for (const State* s : {&b_, &a_}) {
      for (DeviceId dev = 0; dev < t_.devices_count; ++dev)
        if (shown_[dev] && s->devices[dev].hw == d) return true;
      for (GroupId g = 0; g < kMaxGroups; ++g) {
        const GroupState& group = s->groups[g];
        const bool points = group.domain == d || group.default_domain == d ||
                            group.blocking_domain == d || group.pasid_domain == d ||
                            group.vfio_domain == d;
        if (points && HasShown(g)) return true;
      }
    }
    return false;
  }

  void BusLine(Bus bus) {
    const auto n = static_cast<unsigned>(bus);
    // From 6.1 on no driver claims a bus, and the notifier does not come with the ops.
    const bool by_claims = ProfileOf(c_.kernel.version).era == Era::kBusSlots;
    const int was = b_.bus_notifiers[n];
    const int is = a_.bus_notifiers[n];
    const DriverId ops = a_.bus_ops[n];
    const std::string name(BusName(bus));
    if (ops != b_.bus_ops[n])
      Line(absl::StrFormat("bus %s ops %s%s", name, ops == kNoId ? "NULL" : DriverName(c_, ops),
                           ops != kNoId && is == 0 && by_claims ? ", without a notifier" : ""));
    if (was != is && (ops == b_.bus_ops[n] || ops == kNoId || is != 1))
      Line(absl::StrFormat("bus %s has %s", name,
                           is == 0   ? "no notifier"
                           : is == 1 ? "a notifier"
                                     : absl::StrFormat("%d notifiers", is)));
  }

  void InstanceLines(InstanceId i) {
    const std::string& name = c_.names.instances[i];
    const bool was = Has(RegisteredIn(b_), i);
    const bool is = Has(RegisteredIn(a_), i);
    if (was != is)
      LineUnlessOp(
          {OpKind::kRegister, OpKind::kUnregister}, i,
          absl::StrFormat("instance %s %s", name, is ? "registered" : "no longer registered"));
    const GroupId group = a_.instance_group[i];
    if (group == b_.instance_group[i]) return;
    // Its first device's line names the group.
    if (group != kNoId && !b_.groups[group].live && a_.groups[group].live) return;
    if (group == kNoId && (was != is)) return;
    Line(group == kNoId ? absl::StrFormat("instance %s has no group for its devices", name)
                        : absl::StrFormat("instance %s: its devices share group %d", name, group));
  }

  void DeviceLines(DeviceId id) {
    const DeviceState& b = b_.devices[id];
    const DeviceState& a = a_.devices[id];
    const std::string name = "device " + c_.names.devices[id];
    if (a.present != b.present)
      LineUnlessOp({OpKind::kAdd, OpKind::kRemove}, id,
                   name + (a.present ? " is there" : " is gone"));
    const bool moved = a.instance != b.instance || a.group != b.group;
    if (moved) Line(name + PlaceText(a));
    if (a.fwspec != b.fwspec && (!moved || a.fwspec != a.instance))
      Line(a.fwspec == kNoId
               ? name + " has no fwspec"
               : absl::StrCat(name, " has a fwspec of ", c_.names.instances[a.fwspec]));
    if (a.iommu != b.iommu && a.fwspec == b.fwspec && !moved)
      Line(name + (a.iommu ? " has a dev->iommu, and no fwspec" : " has no dev->iommu"));
    HardwareLine(id, name);
    if (a.bound != b.bound)
      LineUnlessOp({OpKind::kBind, OpKind::kUnbind}, id,
                   absl::StrFormat("%s bound to %s", name, BoundName(a.bound)));
    if (a.open_in != b.open_in)
      LineUnlessOp({OpKind::kGetDevice, OpKind::kPutDevice}, id,
                   a.open_in == kNoId ? name + " closed"
                                      : absl::StrFormat("%s open, by group %d", name, a.open_in));
    // Nothing more is said of a device that lost its IOMMU, or that left.
    const bool kept = !moved || a.instance != kNoId;
    const bool stayed = !b.present || a.present;
    if (a.attach_deferred != b.attach_deferred && kept)
      Line(name + (a.attach_deferred ? ": its attach is deferred to its first DMA"
                                     : ": its attach is no longer deferred"));
    if (a.require_direct != b.require_direct && kept)
      Line(name + (a.require_direct ? " requires its direct mappings"
                                    : " no longer requires direct mappings"));
    if (a.configure_deferred != b.configure_deferred && kept && stayed)
      Line(name + (a.configure_deferred ? ": its drivers are deferred"
                                        : ": its drivers are no longer deferred"));
    if (a.vfio_in != b.vfio_in && (a.vfio_in != kNoId || stayed))
      Line(a.vfio_in == kNoId ? absl::StrFormat("%s no longer VFIO's in group %d", name, b.vfio_in)
                              : absl::StrFormat("%s still VFIO's, in group %d", name, a.vfio_in));
    if (a.blocked() != b.blocked())
      LineUnlessOp({OpKind::kReset, OpKind::kResetDone}, id,
                   name + (a.blocked() ? " in reset" : " no longer in reset"));
    else if (a.reset_depth != b.reset_depth)
      Line(absl::StrFormat("%s: %s not done", name, Plural(a.reset_depth, "reset")));
  }
  [[nodiscard]] std::string PlaceText(const DeviceState& d) const {
    if (d.instance == kNoId && d.group == kNoId) return " released";
    const std::string group = d.group == kNoId ? "no group" : absl::StrFormat("group %d", d.group);
    if (d.instance == kNoId) return " in " + group;
    return absl::StrFormat(" served by %s, %s", c_.names.instances[d.instance], group);
  }
  // A device on its group's domain is not mentioned.
  void HardwareLine(DeviceId id, const std::string& name) {
    const DeviceState& b = b_.devices[id];
    const DeviceState& a = a_.devices[id];
    if (a.group == kNoId) {
      if (a.hw != b.hw && a.hw != kNoId) Line(absl::StrFormat("%s on %s", name, Domain(a.hw)));
      if (a.hw != b.hw && a.hw == kNoId && b.group == kNoId) Line(name + " on no domain");
      return;
    }
    const bool stray = a.hw != a_.groups[a.group].domain;
    const bool was_stray = b.group != kNoId && b.hw != b_.groups[b.group].domain;
    if (stray && (!was_stray || a.hw != b.hw))
      Line(absl::StrFormat("%s on %s, not on its group's domain", name, Domain(a.hw)));
    if (!stray && was_stray) Line(name + " on its group's domain again");
  }

  void GroupLines(GroupId id) {
    const GroupState& b = b_.groups[id];
    const GroupState& a = a_.groups[id];
    const std::string name = absl::StrFormat("group %d", id);
    if (b.live && !a.live) Line(name + " gone");
    if (!a.live) return;
    ListLine(name + " has the devices ", DevicesOf(b_, id), DevicesOf(a_, id), NewOnes::kLast,
             c_.names.devices,
             [&](uint8_t d) { return b_.devices[d].group != a_.devices[d].group; });
    const auto came = [&](uint8_t d) { return b_.devices[d].group != id; };
    if (!b.live && !std::ranges::any_of(DevicesOf(a_, id), came)) Line(name + " is there");
    if (a.kind != b.kind && (b.live || !IsKindOfDevices(a)))
      Line(absl::StrFormat("%s is of %s devices", name, DeviceKindName(a.kind)));
    GroupDomainLines(id, name);
    // From 5.19 on a group in a container has an owner.
    const bool moved = a.container != b.container;
    if (moved)
      Line(name +
           (a.container == kNoId ? " in no container" : absl::StrFormat(" in c%d", a.container)) +
           (a.owner == b.owner ? ""
            : a.owner          ? ", with an owner"
                               : ", without an owner"));
    else if (a.owner != b.owner)
      Line(name + (a.owner ? " has an owner" : " has no owner"));
    // An owner counts as one.
    if (a.owner_cnt - a.owner != b.owner_cnt - b.owner)
      Line(absl::StrFormat("%s: owner_cnt %d", name, a.owner_cnt));
    if (a.recovery_cnt != b.recovery_cnt)
      Line(absl::StrFormat("%s: recovery_cnt %d", name, a.recovery_cnt));
    if (a.open != b.open)
      LineUnlessOp({OpKind::kOpen, OpKind::kClose}, id, name + (a.open ? " open" : " closed"));
    else if (a.dead != b.dead)
      Line(name + (a.dead ? ": its file has no device of VFIO's any more" : " open again"));
    if (a.open_devices != b.open_devices &&
        (a.open_devices != OpenDevices(a_, id) || b.open_devices != OpenDevices(b_, id)))
      Line(absl::StrFormat("%s: %d of its devices open", name, a.open_devices));
    if (a.emulated_listed != b.emulated_listed)
      Line(name + (a.emulated_listed ? " on" : " no longer on") + " emulated_iommu_groups");
  }
  [[nodiscard]] bool IsKindOfDevices(const GroupState& g) const {
    return g.devices != kNoId && t_.devices[g.devices].kind == g.kind;
  }
  static int64_t OpenDevices(const State& s, GroupId id) {
    return std::ranges::count(s.devices, id, &DeviceState::open_in);
  }
  void GroupDomainLines(GroupId id, const std::string& name) {
    const GroupState& b = b_.groups[id];
    const GroupState& a = a_.groups[id];
    const bool moved = a.domain != b.domain;
    const bool changed =
        a.domain != kNoId && a_.domains[a.domain].type != b_.domains[a.domain].type;
    if (moved || changed) Line(absl::StrCat(name, " on ", Domain(a.domain), Sharers(id)));
    // The domain that the group is on now is named above, with its type.
    const auto other = [&](const char* what, DomainId was, DomainId is) {
      if (was == is || (moved && is != kNoId && is == a.domain)) return;
      Line(absl::StrCat(name, ": ", what, " ", Domain(is)));
    };
    other("default domain", b.default_domain, a.default_domain);
    other("blocking domain", b.blocking_domain, a.blocking_domain);
    other("PASID on", b.pasid_domain, a.pasid_domain);
    // A group that leaves the domain that type1 put it on has no type1 domain any more.
    if (a.vfio_domain == kNoId && moved && b.domain == b.vfio_domain) return;
    other("type1 domain", b.vfio_domain, a.vfio_domain);
  }
  // ", with group 0" where a type1 domain holds other groups too.
  [[nodiscard]] std::string Sharers(GroupId id) const {
    std::vector<std::string> others;
    for (GroupId g = 0; g < kMaxGroups; ++g)
      if (g != id && a_.groups[id].vfio_domain != kNoId &&
          a_.groups[g].vfio_domain == a_.groups[id].vfio_domain)
        others.push_back(absl::StrCat(g));
    return others.empty() ? "" : ", with group " + absl::StrJoin(others, ", ");
  }

  void ContainerLines(ContainerId id) {
    const ContainerState& b = b_.containers[id];
    const ContainerState& a = a_.containers[id];
    const std::string name = absl::StrFormat("c%d", id);
    const bool opened = a.iommu != b.iommu;
    const std::string type(IommuTypeName(a.type));
    if (opened && a.iommu) LineUnlessOp({OpKind::kSetIommu}, id, name + " has an IOMMU: " + type);
    if (opened && !a.iommu) Line(name + " has no IOMMU");
    if (!opened && a.type != b.type) Line(name + " is of type " + type);
    ListLine(name + " has the groups ", GroupsOf(b_, id), GroupsOf(a_, id), NewOnes::kFirst, {},
             [&](uint8_t g) { return b_.groups[g].container != a_.groups[g].container; });
    ListLine(name + " has the domains ", DomainsOf(b_, id), DomainsOf(a_, id), NewOnes::kFirst, {},
             [&](uint8_t d) { return IsUsed(b_, d) != IsUsed(a_, d); });
    // An IOMMU that goes takes its lists along.
    const bool lost = opened && !a.iommu;
    MappingLines(b, a, name);
    if (a.iova != b.iova && !lost) Line(name + ": valid IOVA " + PageSetText(a.iova));
    if (a.iova_kept != b.iova_kept && !lost)
      Line(name + (a.iova_kept ? " keeps its iova_list without a domain"
                               : " no longer keeps an iova_list without a domain"));
    if (a.pfns != b.pfns) Line(name + ": pinned by emulated devices " + PageSetText(a.pfns));
    // A count that is right for the things it counts is not mentioned.
    const auto count = [&](const char* what, uint8_t ContainerState::* member, auto follows) {
      if (a.*member != b.*member && (a.*member != follows(a_) || b.*member != follows(b_)))
        Line(absl::StrFormat("%s: %s %d", name, what, a.*member));
    };
    count("emulated groups", &ContainerState::emulated, [id](const State& s) {
      return std::ranges::count_if(
          s.groups, [id](const GroupState& g) { return g.emulated_listed && g.container == id; });
    });
    count("vaddr_invalid_count", &ContainerState::vaddr_invalid_count, [id](const State& s) {
      return std::ranges::count(s.containers[id].dmas, true, &Dma::vaddr_invalid);
    });
    count("mappings", &ContainerState::dmas_count, [id](const State& s) {
      return std::ranges::count_if(s.containers[id].dmas,
                                   [](const Dma& dma) { return dma.at.count != 0; });
    });
  }
  void MappingLines(const ContainerState& b, const ContainerState& a, const std::string& name) {
    const auto find = [](const ContainerState& in, const Dma& dma) {
      const auto* at = std::ranges::find(in.dmas, dma.at, &Dma::at);
      return at == in.dmas.end() ? nullptr : at;
    };
    for (const Dma& dma : b.dmas)
      if (dma.at.count != 0 && find(a, dma) == nullptr)
        Line(absl::StrCat(name, " no longer maps ", PagesText(dma.at)));
    for (const Dma& dma : a.dmas) {
      const Dma* const was = find(b, dma);
      if (dma.at.count != 0 && (was == nullptr || *was != dma))
        Line(absl::StrCat(name, " maps ", MappingText(dma)));
    }
  }

  static bool IsUsed(const State& s, DomainId d) {
    return s.domains[d].type != DomainType::kFree && s.domains[d].type != DomainType::kFreed;
  }
  void DomainLines() {
    std::vector<std::string> freed;
    for (DomainId d = 0; d < kMaxDomains; ++d) {
      if (!IsDomainShown(d)) continue;
      if (b_.domains[d].type != DomainType::kFree && a_.domains[d].type == DomainType::kFree)
        freed.push_back(absl::StrFormat("d%d", d));
      if (a_.domains[d].type != DomainType::kFree) DomainLines(d);
    }
    if (!freed.empty()) Line(absl::StrJoin(freed, ", ") + " freed");
  }
  void DomainLines(DomainId id) {
    const DomainState& b = b_.domains[id];
    const DomainState& a = a_.domains[id];
    const std::string name = absl::StrFormat("d%d", id);
    const bool is_new = b.type == DomainType::kFree;
    if (a.type == DomainType::kFreed && b.type != DomainType::kFreed)
      Line(name + " freed, and something still points at it");
    else if (!named_[id] && (is_new || DomainText(c_, b_, id) != DomainText(c_, a_, id)))
      Line(Domain(id) + (is_new ? ", new" : ", as it is now"));
    // A domain that is new, or that a device comes to, is bound to that device's instance.
    if (a.instance != b.instance && !(IsOfInstance(id, a.instance) && (is_new || HasCome(id))))
      Line(a.instance == kNoId ? name + " bound to no instance"
                               : absl::StrCat(name, " bound to ", c_.names.instances[a.instance]));
    if (a.msi_cookie != b.msi_cookie)
      Line(name + (a.msi_cookie ? " has an MSI cookie" : " has no MSI cookie"));
    if (a.fgsp != b.fgsp)
      Line(name + (a.fgsp ? " is unmapped page by page" : " is unmapped by large pages"));
    const uint64_t more = a_.mapped[id] & ~b_.mapped[id];
    const uint64_t less = b_.mapped[id] & ~a_.mapped[id];
    if (more != 0) Line(absl::StrCat(name, " translates ", PageSetText(more)));
    if (less != 0) Line(absl::StrCat(name, " no longer translates ", PageSetText(less)));
    if (a.refs != b.refs && (a.refs != PointersAt(a_, id) || b.refs != PointersAt(b_, id)))
      Line(absl::StrFormat("%s: %d references, of which %d are known", name, a.refs,
                           PointersAt(a_, id)));
  }
  // Whether a device of the instance is on the domain, or in a group that has the domain.
  [[nodiscard]] bool IsOfInstance(DomainId id, InstanceId instance) const {
    return std::ranges::any_of(a_.devices, [&](const DeviceState& d) {
      if (d.instance != instance || instance == kNoId || d.group == kNoId) return false;
      const GroupState& g = a_.groups[d.group];
      return d.hw == id || g.default_domain == id || g.blocking_domain == id;
    });
  }
  [[nodiscard]] bool HasCome(DomainId id) const {
    for (DeviceId d = 0; d < t_.devices_count; ++d)
      if (a_.devices[d].hw == id && b_.devices[d].hw != id) return true;
    return false;
  }
  static int64_t PointersAt(const State& s, DomainId id) {
    return std::ranges::count(s.devices, id, &DeviceState::hw) +
           std::ranges::count(s.groups, id, &GroupState::domain) +
           std::ranges::count(s.groups, id, &GroupState::pasid_domain);
  }

  const Case& c_;
  const Topology& t_;
  const State& b_;
  const State& a_;
  const Op* const op_;
  const Shown& shown_;
  std::vector<std::string> lines_;
  std::vector<std::string> told_by_op_;
  std::bitset<kMaxDomains> named_;  // domains that a line describes
};

}  // namespace

std::vector<std::string> Changes(const Case& c, const State& before, const State& after,
                                 const Op* op, const Shown& shown) {
  return Differ(c, before, after, op, shown).Run();
}

}  // namespace iommucheck::report
