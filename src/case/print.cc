// SPDX-License-Identifier: Apache-2.0
#include "src/case/case.h"
#include "src/case/spelling.h"

namespace iommucheck {
namespace {

std::string PrintComment(std::string_view comment) {
  if (comment.empty()) return "";
  std::string text;
  for (std::string_view line : SplitLines(comment)) {
    text += line.empty() ? "#" : "# ";
    text += line;
    text += '\n';
  }
  return text;
}

std::string PrintKernel(const KernelSpec& kernel) {
  std::string text = "kernel ";
  text += VersionName(kernel.version);
  const auto print_rules = [&text](RuleSet rules, std::string_view verb) {
    if (rules == RuleSet()) return;
    text += verb;
    for (const RuleInfo& info : AllRules()) {
      if (!rules.has(info.rule)) continue;
      text += ' ';
      text += info.id;
    }
  };
  print_rules(kernel.dropped, " drop");
  print_rules(kernel.added, " add");
  return text + '\n';
}

template <typename Flags, typename T>
std::string PrintFlags(const Flags& flags, const T& entry) {
  std::string text;
  for (const auto& flag : flags) {
    if (entry.*flag.member != flag.value) continue;
    text += ' ';
    text += flag.word;
  }
  return text;
}

std::string PrintSettings(const Settings& settings) {
  std::string text = PrintFlags(kSettingsFlags, settings);
  if (settings.dma_entries != kMaxDmas)
    text += " dma-entries=" + std::to_string(settings.dma_entries);
  if (settings.memlock != kNoLimit) text += " memlock=" + std::to_string(settings.memlock);
  return text.empty() ? "" : "settings" + text + '\n';
}

std::string PrintFirmware(Firmware firmware, std::string_view before) {
  if (firmware == Firmware::kAny) return "";
  return std::string(before) + std::string(FirmwareName(firmware));
}

std::string PrintClaims(const Driver& driver) {
  std::string text;
  for (Bus bus : driver.claim_order) {
    const Claim claim = driver.claims[static_cast<size_t>(bus)];
    if (claim == Claim::kNone) continue;
    text += text.empty() ? " claims=" : ",";
    text += BusName(bus);
    text += ':';
    text += ClaimName(claim);
  }
  return text;
}

std::string PrintDrivers(const Topology& t, const Names& names, int first_private) {
  std::string text;
  for (int i = 0; i < t.drivers_count; ++i) {
    const Driver& driver = t.drivers[i];
    text += "driver " + names.drivers[i] + PrintFirmware(driver.firmware, " firmware=") +
            PrintClaims(driver) + PrintFlags(kDriverFlags, driver);
    if (driver.mismatch_errno != 0)
      text += " mismatch-errno=" + ErrnoName(-int{driver.mismatch_errno}).substr(1);
    if (driver.table < first_private) text += " table=" + names.tables[driver.table];
    if (driver.address != kNoId) text += " address=" + names.drivers[driver.address];
    text += '\n';
  }
  return text;
}

std::string PrintPages(uint8_t first, uint8_t last) {
  return std::to_string(first) + '-' + std::to_string(last);
}

std::string PrintPageSizes(const Instance& instance) {
  if (instance.page_sizes == Instance().page_sizes) return "";
  std::string text;
  for (int n = 0; n < kPageSizes; ++n)
    if (((instance.page_sizes >> n) & 1) != 0)
      text += (text.empty() ? " page-sizes=" : ",") + std::to_string(1 << n);
  return text;
}

std::string PrintInstances(const Topology& t, const Names& names) {
  std::string text;
  for (int i = 0; i < t.instances_count; ++i) {
    const Instance& instance = t.instances[i];
    text += "instance " + names.instances[i] + ' ' + names.drivers[instance.driver] +
            PrintFlags(kInstanceFlags, instance);
    if (HasAperture(instance))
      text += " aperture=" + PrintPages(instance.aperture_first, instance.aperture_last);
    text += PrintPageSizes(instance);
    if (instance.table != t.drivers[instance.driver].table)
      text += " table=" + names.tables[instance.table];
    text += '\n';
  }
  return text;
}

// What of a device matters to VFIO and to default domains alone.
std::string PrintUse(const Device& device) {
  std::string text;
  if (device.kind != DeviceKind::kReal) text += " " + std::string(DeviceKindName(device.kind));
  if (device.default_type != DefaultType::kAny)
    text += " default=" + std::string(DefaultTypeName(device.default_type));
  for (const Region& region : device.regions)
    if (region.type != Region::Type::kNone)
      text += " resv=" + PrintPages(region.first, region.last) + ':' +
              std::string(RegionTypeName(region.type));
  return text;
}

std::string PrintDevices(const Topology& t, const Names& names) {
  std::string text;
  for (int i = 0; i < t.devices_count; ++i) {
    const Device& device = t.devices[i];
    text += "device " + names.devices[i] + ' ';
    text += BusName(device.bus);
    for (InstanceId master : device.masters)
      if (master != kNoId) text += ' ' + names.instances[master];
    if (device.alias != kNoId) text += " alias=" + names.devices[device.alias];
    if (device.slot != 0)
      text += (device.bus == Bus::kPci ? " slot=" : " sid=") + std::to_string(device.slot);
    text += PrintFlags(kDeviceFlags, device) + PrintUse(device) + '\n';
  }
  return text;
}

std::string PrintMachine(const Topology& t, const Names& names) {
  const int first_private = FirstPrivateTable(t, names);
  std::string text = PrintFirmware(t.firmware, "firmware ");
  if (!text.empty()) text += '\n';
  text += PrintSettings(t.settings);
  for (int i = 0; i < first_private; ++i) text += "table " + names.tables[i] + '\n';
  return text + PrintDrivers(t, names, first_private) + PrintInstances(t, names) +
         PrintDevices(t, names);
}

std::string PrintFault(const Fault& fault, const Names& names) {
  const auto device_and_errno = [&] {
    return names.devices[fault.target] + ':' + ErrnoName(-int{fault.error}).substr(1);
  };
  const auto count_and_errno = [&] {
    return std::to_string(fault.target) + ':' + ErrnoName(-int{fault.error}).substr(1);
  };
  switch (fault.kind) {
    case Fault::Kind::kNone:
      return "";
    case Fault::Kind::kAlloc:
      return " fail=alloc:" + std::to_string(fault.target);
    case Fault::Kind::kProbe:
      return " fail=probe:" + device_and_errno();
    case Fault::Kind::kMalloc:
      return " fail=malloc:" + std::to_string(fault.target);
    case Fault::Kind::kMap:
      return " fail=map:" + count_and_errno();
    case Fault::Kind::kPin:
      return " fail=pin:" + count_and_errno();
    case Fault::Kind::kAttachCall:
      return " fail=attach-call:" + count_and_errno();
    case Fault::Kind::kAttach:
      break;
  }
  const std::string text = " fail=attach:" + device_and_errno();
  if (fault.count == 1) return text;
  return text + ':' + (fault.count == kEveryAttach ? "all" : std::to_string(fault.count));
}

std::string PrintExpectation(const Expectation& e, const Names& names) {
  using enum Expectation::Kind;
  const auto driver = [&] { return e.b == kNoId ? std::string("none") : names.drivers[e.b]; };
  const auto group = [&](std::string_view what) {
    return "group " + std::to_string(e.a) + std::string(what);
  };
  switch (e.kind) {
    case kViolated:
      return "violated " + std::string(PropertyName(e.property)) +
             (e.at == 0 ? "" : " at " + std::to_string(e.at));
    case kHolds:
      return "holds " + std::string(PropertyName(e.property));
    case kOutside:
      return "outside " + std::string(InfoOf(e.rule).id);
    case kDeviceDriver:
      return "device " + names.devices[e.a] + " driver " + driver();
    case kDeviceDomain:
      return "device " + names.devices[e.a] + " domain " + driver();
    case kShares:
      return group(" shares ") + std::to_string(e.b);
    case kApart:
      return group(" apart ") + std::to_string(e.b);
    case kGroupDomain:
      return group(" domain ") + driver();
  }
  return "";
}

}  // namespace

std::string PrintOp(const Op& op, const Names& names) {
  std::string text(OpName(op.kind));
  text += ' ';
  switch (OperandOf(op.kind)) {
    case Operand::kInstance:
      text += names.instances[op.a];
      break;
    case Operand::kDevice:
      text += names.devices[op.a];
      break;
    case Operand::kGroup:
      text += std::to_string(op.a);
      break;
    case Operand::kContainer:
      text += 'c' + std::to_string(op.a);
      break;
  }
  if (op.kind == OpKind::kSetContainer) text += " c" + std::to_string(op.b);
  if (op.kind == OpKind::kSetIommu && op.b != 0)
    text += ' ' + std::string(IommuTypeName(static_cast<IommuType>(op.b)));
  if (op.kind == OpKind::kAttachPasid) text += ' ' + names.devices[op.b];
  if (HasPages(op.kind))
    text += ' ' + std::to_string(op.at.first) + '+' + std::to_string(op.at.count);
  if (op.kind == OpKind::kMap) text += ' ' + std::to_string(op.vaddr);
  for (const OpFlag& flag : OpFlags(op.kind))
    if ((op.flags & flag.bit) != 0) text += ' ' + std::string(flag.word);
  for (const Fault& fault : op.faults) text += PrintFault(fault, names);
  return text;
}

std::string PrintCase(const Case& c) {
  std::string text =
      PrintComment(c.comment) + PrintKernel(c.kernel) + PrintMachine(c.topology, c.names);
  if (!c.ops.empty()) text += '\n';
  for (const CaseOp& op : c.ops) {
    text += PrintComment(op.comment) + PrintOp(op.op, c.names);
    if (op.expected) text += " -> " + ErrnoName(*op.expected);
    text += '\n';
  }
  if (!c.expectations.empty()) text += '\n';
  for (const Expectation& e : c.expectations)
    text += "expect " + PrintExpectation(e, c.names) + '\n';
  return text;
}

}  // namespace iommucheck
