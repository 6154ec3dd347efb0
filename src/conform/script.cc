// SPDX-License-Identifier: Apache-2.0
#include "src/conform/script.h"

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/case/encoded.h"
#include "src/case/spelling.h"
#include "src/conform/machine_rules.h"

namespace iommucheck::conform {
namespace {

int Id(uint8_t id) { return id == kNoId ? -1 : int{id}; }

// As usual, the host bridge has slot 0 of a bus.
constexpr int kPciSlots = 31;
constexpr int kFunctions = 8;

// Device and function numbers: each isolated function gets a slot for itself, and the functions of
// a slot without isolation share one. Nothing if a bus has no room for them.
std::optional<std::vector<int>> Devfns(const Topology& t) {
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
    if (slots > kPciSlots || function >= kFunctions) return std::nullopt;
    devfns[i] = slot * kFunctions + function;
  }
  return devfns;
}

// Why the booted machine cannot play the op, or "".
std::string WhyNotBooted(const Op& op, const Topology& t) {
  const OpInfo& info = InfoOf(op.kind);
  if (!info.is(OpInfo::kBooted)) return "the player has no such op";
  if (op.flags != 0 || (info.b == Operand::kIommuType && op.b != 0))
    return "the player asks VFIO for type1v2 alone";
  for (const Fault& fault : op.faults)
    if (!InfoOf(fault.kind).encoded) return "the module's drivers cannot fail so";
  if (op.kind == OpKind::kRegister && IsOfOtherFirmware(t, t.drivers[t.instances[op.a].driver]))
    return "a driver of other firmware is told apart before the code that is played";
  return "";
}

// Why the module cannot make the machine, or "". The module knows the encoded attributes.
std::string WhyNotBooted(const Topology& t, const Names& names) {
  for (const Device& d : std::span(t.devices).first(t.devices_count))
    if (d.bus != Bus::kPlatform && d.bus != Bus::kPci)
      return absl::StrFormat("x86 kernels have no bus %s", BusName(d.bus));
  for (int i = 0; i < t.devices_count; ++i)
    if (t.devices[i].bus == Bus::kPlatform && t.devices[i].slot != 0)
      return absl::StrCat(
          "device ", names.devices[i],
          ": the module's drivers give each platform device a group of its own, whatever its sid");
  for (const AttributeInfo& attribute : AllAttributes())
    for (int n = 0; n < CountOf(t, attribute.owner); ++n) {
      if (attribute.booted() || !IsSaid(attribute, t, names, n)) continue;
      const std::vector<std::string> values = ValuesOf(attribute, t, names, n);
      return absl::StrCat(EntryName(attribute.owner, n, names), ": the module does not know ",
                          KeyOf(attribute), values.empty() ? "" : values.front());
    }
  return "";
}

// Why the case cannot be played, or "".
std::string WhyNot(const Case& c) {
  if (c.ops.empty()) return "no op is possible";
  if (ProfileOf(c.kernel).era == Era::kBusSlots) return "the module is of kernels since 6.1";
  if (std::string why = WhyNotBooted(c.topology, c.names); !why.empty()) return why;
  for (size_t i = 0; i < c.ops.size(); ++i)
    if (const std::string why = WhyNotBooted(c.ops[i].op, c.topology); !why.empty())
      return absl::StrCat("op ", i + 1, ", ", PrintOp(c.ops[i].op, c.names), ": ", why);
  return "";
}

std::string MachineLines(const Topology& t, const std::vector<int>& devfns) {
  std::string text;
  if (t.firmware != Firmware::kAny)
    text = absl::StrFormat("firmware %d\n", static_cast<int>(t.firmware));
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

}  // namespace

absl::StatusOr<std::string> PrintScript(const Case& c, std::string_view name) {
  if (const std::string why = WhyNot(c); !why.empty()) return absl::FailedPreconditionError(why);
  const std::optional<std::vector<int>> devfns = Devfns(c.topology);
  if (!devfns) return absl::FailedPreconditionError("it has more pci functions than a bus");
  std::string text = absl::StrFormat("case %s\n", name);
  absl::StrAppend(&text, MachineLines(c.topology, *devfns), "boot\n");
  for (const CaseOp& played : c.ops) {
    const Op& op = played.op;
    for (const Fault& fault : op.faults) {
      const FaultInfo& info = InfoOf(fault.kind);
      if (fault.kind != Fault::Kind::kNone)
        absl::StrAppend(&text, absl::StrFormat("fail-%s %d %d %d\n", info.word, fault.target,
                                               info.has_count ? fault.count : 1, fault.error));
    }
    absl::StrAppend(&text, absl::StrFormat("op %s %d", InfoOf(op.kind).word, op.a));
    const Operand b = InfoOf(op.kind).b;
    if (b != Operand::kNone && b != Operand::kIommuType) absl::StrAppend(&text, " ", op.b);
    text += "\n";
  }
  text += "end\n";
  return text;
}

}  // namespace iommucheck::conform
