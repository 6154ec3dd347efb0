// SPDX-License-Identifier: Apache-2.0
#include "src/case/sweep.h"

#include <algorithm>
#include <cerrno>
#include <span>

#include "absl/strings/str_format.h"

namespace iommucheck {
namespace {

struct Failing {
  Fault::Kind kind;
  uint8_t error;
};
constexpr std::array kFailing = {
    Failing{Fault::Kind::kMalloc, ENOMEM}, Failing{Fault::Kind::kAlloc, ENOMEM},
    Failing{Fault::Kind::kAttachCall, EINVAL}, Failing{Fault::Kind::kMap, ENOMEM},
    Failing{Fault::Kind::kPin, EFAULT}};

// The entry for one more failure, or nullptr.
Fault* FreeFault(Op& op) {
  const auto it = std::ranges::find(op.faults, Fault::Kind::kNone, &Fault::kind);
  return it == op.faults.end() ? nullptr : &*it;
}

// Every device closed, every group out of its container, as far as the kernel lets them.
State GiveBack(const Case& c, State state) {
  const KernelProfile kernel = ProfileOf(c.kernel);
  std::vector<Event> events;
  for (DeviceId d = 0; d < c.topology.devices_count; ++d)
    if (state.devices[d].open_in != kNoId)
      Step(kernel, c.topology, {.kind = OpKind::kPutDevice, .a = d}, state, events);
  for (GroupId g = 0; g < kMaxGroups; ++g)
    if (state.groups[g].live && state.groups[g].container != kNoId)
      Step(kernel, c.topology, {.kind = OpKind::kUnsetContainer, .a = g}, state, events);
  return state;
}

Leaks LeaksOf(const Case& c, const State& last) {
  const State s = GiveBack(c, last);
  Leaks leaks{.pins = s.pins, .locked_vm = s.locked_vm};
  for (const DomainState& d : s.domains)
    if (d.type == DomainType::kPaging) ++leaks.domains;
  for (const GroupState& g : s.groups)
    if (g.owner) ++leaks.owned_groups;
  return leaks;
}

Leaks Beyond(const Leaks& a, const Leaks& b) {
  return {.pins = a.pins - std::min(a.pins, b.pins),
          .locked_vm = a.locked_vm - std::min(a.locked_vm, b.locked_vm),
          .domains = std::max(0, a.domains - b.domains),
          .owned_groups = std::max(0, a.owned_groups - b.owned_groups)};
}

SweptFailure Compare(const Case& c, const Case& failing, const Run& plain, const Leaks& leaks,
                     size_t op, const Fault& fault) {
  const Run run = Play(failing);
  const PlayedStep& step = run.steps[op];
  SweptFailure out{.at = static_cast<int>(op) + 1, .fault = fault, .result = step.result};
  const State& before = op == 0 ? run.initial : run.steps[op - 1].after;
  const bool failed = step.result.error != 0 && step.result.error != plain.steps[op].result.error;
  out.left = Differences(c, failed ? before : plain.steps[op].after, step.after);
  for (Property p : kProperties)
    if (run.of(p).at != 0 && plain.of(p).at == 0) out.violated.push_back(p);
  out.leaks = Beyond(LeaksOf(c, run.final_state()), leaks);
  return out;
}

std::string DomainText(const Case& c, const State& s, DomainId d) {
  if (d == kNoId) return "none";
  const DomainState& domain = s.domains[d];
  return absl::StrFormat("%sd%d of %s", domain.type == DomainType::kFreed ? "freed " : "", d,
                         c.names.drivers[domain.driver]);
}

// Collects what differs, as "what: from -> to".
class Lines {
 public:
  void Say(const std::string& what, const std::string& from, const std::string& to) {
    if (from != to) lines_.push_back(absl::StrFormat("%s: %s -> %s", what, from, to));
  }
  void Say(const std::string& what, uint64_t from, uint64_t to) {
    Say(what, absl::StrFormat("%d", from), absl::StrFormat("%d", to));
  }
  void SayWhether(const std::string& what, bool from, bool to) {
    Say(what, from ? "yes" : "no", to ? "yes" : "no");
  }
  void SayPages(const std::string& what, uint64_t from, uint64_t to) {
    Say(what, absl::StrFormat("%016x", from), absl::StrFormat("%016x", to));
  }
  std::vector<std::string> Take() { return std::move(lines_); }

 private:
  std::vector<std::string> lines_;
};

std::string_view BoundName(BoundTo bound) {
  switch (bound) {
    case BoundTo::kVfio:
      return "VFIO";
    case BoundTo::kKernelDriver:
      return "a kernel driver";
    case BoundTo::kNobody:
      return "nobody";
  }
  return "";
}

std::string NumberText(uint8_t number, const char* prefix) {
  return number == kNoId ? "none" : absl::StrFormat("%s%d", prefix, number);
}

void DifferInDevice(const Case& c, const State& from, const State& to, DeviceId d, Lines& lines) {
  const std::string& name = c.names.devices[d];
  const DeviceState& a = from.devices[d];
  const DeviceState& b = to.devices[d];
  lines.Say(name + " is on", DomainText(c, from, a.hw), DomainText(c, to, b.hw));
  lines.Say(name + " is in", NumberText(a.group, "group "), NumberText(b.group, "group "));
  lines.SayWhether(name + " is open", a.open_in != kNoId, b.open_in != kNoId);
  lines.SayWhether(name + " is in reset", a.blocked, b.blocked);
  lines.Say(name + " is bound to", std::string(BoundName(a.bound)),
            std::string(BoundName(b.bound)));
}

void DifferInGroup(const Case& c, const State& from, const State& to, GroupId g, Lines& lines) {
  const std::string name = absl::StrFormat("group %d ", g);
  const GroupState& a = from.groups[g];
  const GroupState& b = to.groups[g];
  lines.Say(name + "points at", DomainText(c, from, a.domain), DomainText(c, to, b.domain));
  lines.Say(name + "has the default domain", DomainText(c, from, a.default_domain),
            DomainText(c, to, b.default_domain));
  lines.Say(name + "has the blocking domain", DomainText(c, from, a.blocking_domain),
            DomainText(c, to, b.blocking_domain));
  lines.Say(name + "has the type1 domain", DomainText(c, from, a.vfio_domain),
            DomainText(c, to, b.vfio_domain));
  lines.SayWhether(name + "is owned", a.owner, b.owner);
  lines.Say(name + "is in", NumberText(a.container, "c"), NumberText(b.container, "c"));
}

}  // namespace

std::vector<std::string> Differences(const Case& c, const State& from, const State& to) {
  Lines lines;
  for (DeviceId d = 0; d < c.topology.devices_count; ++d) DifferInDevice(c, from, to, d, lines);
  const int groups = std::max(from.groups_end, to.groups_end);
  for (GroupId g = 0; g < groups; ++g) DifferInGroup(c, from, to, g, lines);
  for (ContainerId n = 0; n < kMaxContainers; ++n) {
    const std::string name = absl::StrFormat("c%d ", n);
    const ContainerState& a = from.containers[n];
    const ContainerState& b = to.containers[n];
    lines.SayWhether(name + "has an IOMMU", a.iommu, b.iommu);
    lines.Say(name + "has mappings", a.dmas_count, b.dmas_count);
    lines.SayPages(name + "has the valid IOVAs", a.iova, b.iova);
    lines.SayPages(name + "has pages pinned by emulated devices", a.pfns, b.pfns);
  }
  const int domains = std::max(from.domains_end, to.domains_end);
  for (DomainId d = 0; d < domains; ++d)
    lines.SayPages(absl::StrFormat("d%d maps", d), from.mapped[d], to.mapped[d]);
  lines.Say("pages pinned", from.pins, to.pins);
  lines.Say("locked_vm", from.locked_vm, to.locked_vm);
  return lines.Take();
}

std::vector<SweptFailure> SweepFailures(const Case& c) {
  const Run plain = Play(c);
  const Leaks leaks = LeaksOf(c, plain.final_state());
  std::vector<SweptFailure> out;
  Case failing = c;
  for (size_t op = 0; op < plain.steps.size(); ++op) {
    Fault* const entry = FreeFault(failing.ops[op].op);
    if (entry == nullptr) continue;
    const auto index = entry - failing.ops[op].op.faults.data();
    for (const Failing& what : kFailing)
      for (uint8_t n = 1; n != UINT8_MAX; ++n) {
        *entry = {.kind = what.kind, .target = n, .error = what.error};
        SweptFailure swept = Compare(c, failing, plain, leaks, op, *entry);
        if (((swept.result.struck >> index) & 1U) == 0) break;
        out.push_back(std::move(swept));
      }
    *entry = {};
  }
  return out;
}

}  // namespace iommucheck
