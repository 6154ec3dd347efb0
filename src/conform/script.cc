// SPDX-License-Identifier: Apache-2.0
#include "src/conform/script.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "src/case/encoded.h"
#include "src/case/spelling.h"

namespace iommucheck::conform {
namespace {

int Id(uint8_t id) { return id == kNoId ? -1 : int{id}; }

// As usual, the host bridge has slot 0 of a bus.
constexpr int kPciSlots = 31;
constexpr int kFunctions = 8;

// Device and function numbers: each isolated function gets a slot for itself, and the functions of
// a slot without isolation share one.
absl::StatusOr<std::vector<int>> Devfns(const Topology& t) {
  std::vector<int> devfns(t.devices_count, 0);
  std::array<int, 256> slot_of{};
  std::array<int, 256> functions{};
  int slots = 0;
  for (int i = 0; i < t.devices_count; ++i) {
    const Device& d = t.devices[i];
    if (d.bus != Bus::kPci) continue;
    int& slot = slot_of[d.slot];
    if (d.slot == 0 || slot == 0) slot = ++slots;
    const int function = d.slot == 0 ? 0 : functions[d.slot]++;
    if (slots > kPciSlots || function >= kFunctions)
      return absl::FailedPreconditionError("it has more pci functions than a bus");
    devfns[i] = slot * kFunctions + function;
  }
  return devfns;
}

bool OtherFirmware(const Topology& t, InstanceId instance) {
  const Firmware firmware = t.drivers[t.instances[instance].driver].firmware;
  return firmware != Firmware::kAny && t.firmware != Firmware::kAny && firmware != t.firmware;
}

// Why the booted machine cannot play the op, or "".
std::string WhyNotBooted(const Op& op) {
  const OpInfo& info = InfoOf(op.kind);
  if (!info.is(OpInfo::kBooted)) return "the player has no such op";
  if (op.flags != 0 || (info.b == Operand::kIommuType && op.b != 0))
    return "the player asks VFIO for type1v2 alone";
  const bool fails =
      std::ranges::all_of(op.faults, [](const Fault& fault) { return InfoOf(fault.kind).encoded; });
  return fails ? "" : "the module's drivers cannot fail so";
}

// Why the module cannot make the machine, or "". The module knows the encoded attributes.
std::string WhyNotBooted(const Topology& t, const Names& names) {
  for (const AttributeInfo& attribute : AllAttributes())
    for (int n = 0; n < CountOf(t, attribute.owner); ++n) {
      if (attribute.encoded() || !IsSaid(attribute, t, names, n)) continue;
      const std::vector<std::string> values = ValuesOf(attribute, t, names, n);
      return absl::StrCat(EntryName(attribute.owner, n, names), ": the module does not know ",
                          KeyOf(attribute), values.empty() ? "" : values.front());
    }
  return "";
}

absl::Status Playable(const Case& c) {
  const Topology& t = c.topology;
  if (c.ops.empty()) return absl::FailedPreconditionError("no op is possible");
  if (ProfileOf(c.kernel).era == Era::kBusSlots)
    return absl::FailedPreconditionError("the module is of kernels since 6.1");
  for (int i = 0; i < t.devices_count; ++i)
    if (t.devices[i].bus != Bus::kPlatform && t.devices[i].bus != Bus::kPci)
      return absl::FailedPreconditionError(
          absl::StrFormat("x86 kernels have no bus %s", BusName(t.devices[i].bus)));
  for (int i = 0; i < t.devices_count; ++i)
    if (t.devices[i].bus == Bus::kPlatform && t.devices[i].slot != 0)
      return absl::FailedPreconditionError(absl::StrCat(
          "device ", c.names.devices[i],
          ": the module's drivers give each platform device a group of its own, whatever its sid"));
  if (const std::string why = WhyNotBooted(t, c.names); !why.empty())
    return absl::FailedPreconditionError(why);
  for (size_t i = 0; i < c.ops.size(); ++i) {
    const Op& op = c.ops[i].op;
    std::string why = WhyNotBooted(op);
    if (why.empty() && op.kind == OpKind::kRegister && OtherFirmware(t, op.a))
      why = "a driver of other firmware is told apart before the code that is played";
    if (!why.empty())
      return absl::FailedPreconditionError(
          absl::StrCat("op ", i + 1, ", ", PrintOp(op, c.names), ": ", why));
  }
  return absl::OkStatus();
}

std::string MachineLines(const Topology& t, const std::vector<int>& devfns) {
  std::string text;
  for (DriverId i = 0; i < t.drivers_count; ++i) {
    const Driver& d = t.drivers[i];
    absl::StrAppend(&text, absl::StrFormat("driver %d %d %d %d %d %d %d %d %d\n", t.ops_address(i),
                                           d.table, t.table_address(d.table), d.coherent,
                                           d.default_domains, d.same_instance, d.refuses_foreign,
                                           d.instance_groups, d.accepts_foreign));
  }
  for (InstanceId n = 0; n < t.instances_count; ++n) {
    const Instance& i = t.instances[n];
    absl::StrAppend(&text, absl::StrFormat("instance %d %d %d %d %d\n", i.driver, i.fwnode, i.table,
                                           t.table_address(i.table), i.enforces_coherency));
  }
  for (DeviceId n = 0; n < t.devices_count; ++n) {
    const Device& d = t.devices[n];
    absl::StrAppend(&text, absl::StrFormat("device %d %d %d %d %d %d %d\n", d.bus == Bus::kPci,
                                           devfns[n], d.slot != 0, Id(d.alias), !d.absent,
                                           Id(d.masters[0]), Id(d.masters[1])));
  }
  return text;
}

std::string FaultLine(const Fault& f) {
  switch (f.kind) {
    case Fault::Kind::kNone:
      return "";
    case Fault::Kind::kAttach:
      return absl::StrFormat("fail-attach %d %d %d\n", f.target, f.count, f.error);
    case Fault::Kind::kAlloc:
      return absl::StrFormat("fail-alloc %d 1 %d\n", f.target, f.error);
    case Fault::Kind::kProbe:
      return absl::StrFormat("fail-probe %d 1 %d\n", f.target, f.error);
    case Fault::Kind::kMalloc:
    case Fault::Kind::kMap:
    case Fault::Kind::kPin:
    case Fault::Kind::kAttachCall:
      break;  // refused by Playable()
  }
  return "";
}

}  // namespace

absl::StatusOr<std::string> PrintScript(const Case& c, std::string_view name) {
  if (absl::Status s = Playable(c); !s.ok()) return s;
  const absl::StatusOr<std::vector<int>> devfns = Devfns(c.topology);
  if (!devfns.ok()) return devfns.status();
  std::string text = absl::StrFormat("case %s\n", name);
  absl::StrAppend(&text, MachineLines(c.topology, *devfns), "boot\n");
  for (const CaseOp& op : c.ops) {
    for (const Fault& fault : op.op.faults) absl::StrAppend(&text, FaultLine(fault));
    absl::StrAppend(&text, absl::StrFormat("%s %d", InfoOf(op.op.kind).word, op.op.a));
    const Operand b = InfoOf(op.op.kind).b;
    if (b != Operand::kNone && b != Operand::kIommuType) absl::StrAppend(&text, " ", op.op.b);
    text += "\n";
  }
  text += "end\n";
  return text;
}

}  // namespace iommucheck::conform
