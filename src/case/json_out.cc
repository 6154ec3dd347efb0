// SPDX-License-Identifier: Apache-2.0
#include "nlohmann/json.hpp"
#include "src/case/case.h"
#include "src/case/json_text.h"
#include "src/case/spelling.h"

namespace iommucheck {
namespace {

using Json = nlohmann::ordered_json;

template <typename Flags, typename T>
void AddFlags(Json& json, const Flags& flags, const T& entry) {
  for (const auto& flag : flags)
    if (entry.*flag.member == flag.value) json[std::string(flag.word)] = true;
}

Json RulesJson(RuleSet rules) {
  Json json = Json::array();
  for (const RuleInfo& info : AllRules())
    if (rules.has(info.rule)) json.push_back(info.id);
  return json;
}

Json KernelJson(const KernelSpec& kernel) {
  Json json = {{"version", VersionName(kernel.version)}};
  if (kernel.dropped != RuleSet()) json["drop"] = RulesJson(kernel.dropped);
  if (kernel.added != RuleSet()) json["add"] = RulesJson(kernel.added);
  return json;
}

Json SettingsJson(const Settings& settings) {
  Json json = Json::object();
  AddFlags(json, kSettingsFlags, settings);
  if (settings.dma_entries != kMaxDmas) json["dma-entries"] = settings.dma_entries;
  if (settings.memlock != kNoLimit) json["memlock"] = settings.memlock;
  return json;
}

Json DriverJson(const Topology& t, const Names& names, int i) {
  const Driver& driver = t.drivers[i];
  Json json = {{"name", names.drivers[i]}};
  if (driver.firmware != Firmware::kAny) json["firmware"] = FirmwareName(driver.firmware);
  for (Bus bus : driver.claim_order) {
    const Claim claim = driver.claims[static_cast<size_t>(bus)];
    if (claim == Claim::kNone) continue;
    json["claims"].push_back(Json{{"bus", BusName(bus)}, {"claim", ClaimName(claim)}});
  }
  AddFlags(json, kDriverFlags, driver);
  if (driver.mismatch_errno != 0)
    json["mismatch-errno"] = ErrnoName(-int{driver.mismatch_errno}).substr(1);
  if (driver.table < FirstPrivateTable(t, names)) json["table"] = names.tables[driver.table];
  if (driver.address != kNoId) json["address"] = names.drivers[driver.address];
  return json;
}

Json InstanceJson(const Topology& t, const Names& names, int i) {
  const Instance& instance = t.instances[i];
  Json json = {{"name", names.instances[i]}, {"driver", names.drivers[instance.driver]}};
  AddFlags(json, kInstanceFlags, instance);
  if (HasAperture(instance))
    json["aperture"] = {{"first", instance.aperture_first}, {"last", instance.aperture_last}};
  if (instance.page_sizes != Instance().page_sizes)
    for (int n = 0; n < kPageSizes; ++n)
      if (((instance.page_sizes >> n) & 1) != 0) json["page-sizes"].push_back(1 << n);
  if (instance.table != t.drivers[instance.driver].table)
    json["table"] = names.tables[instance.table];
  return json;
}

Json DeviceJson(const Topology& t, const Names& names, int i) {
  const Device& device = t.devices[i];
  Json json = {{"name", names.devices[i]}, {"bus", BusName(device.bus)}};
  for (InstanceId master : device.masters)
    if (master != kNoId) json["instances"].push_back(names.instances[master]);
  if (device.alias != kNoId) json["alias"] = names.devices[device.alias];
  if (device.slot != 0) json[device.bus == Bus::kPci ? "slot" : "sid"] = device.slot;
  AddFlags(json, kDeviceFlags, device);
  if (device.kind != DeviceKind::kReal) json[std::string(DeviceKindName(device.kind))] = true;
  if (device.default_type != DefaultType::kAny)
    json["default"] = DefaultTypeName(device.default_type);
  for (const Region& region : device.regions)
    if (region.type != Region::Type::kNone)
      json["resv"].push_back(Json{
          {"first", region.first}, {"last", region.last}, {"type", RegionTypeName(region.type)}});
  return json;
}

void AddMachine(Json& json, const Topology& t, const Names& names) {
  if (t.firmware != Firmware::kAny) json["firmware"] = FirmwareName(t.firmware);
  if (t.settings != Settings{}) json["settings"] = SettingsJson(t.settings);
  const int first_private = FirstPrivateTable(t, names);
  for (int i = 0; i < first_private; ++i) json["tables"].push_back(names.tables[i]);
  for (int i = 0; i < t.drivers_count; ++i) json["drivers"].push_back(DriverJson(t, names, i));
  for (int i = 0; i < t.instances_count; ++i)
    json["instances"].push_back(InstanceJson(t, names, i));
  for (int i = 0; i < t.devices_count; ++i) json["devices"].push_back(DeviceJson(t, names, i));
}

Json FaultJson(const Fault& fault, const Names& names) {
  const std::string error = ErrnoName(-int{fault.error}).substr(1);
  switch (fault.kind) {
    case Fault::Kind::kAlloc:
      return {{"fail", "alloc"}, {"nth", fault.target}};
    case Fault::Kind::kMalloc:
      return {{"fail", "malloc"}, {"nth", fault.target}};
    case Fault::Kind::kMap:
      return {{"fail", "map"}, {"nth", fault.target}, {"errno", error}};
    case Fault::Kind::kPin:
      return {{"fail", "pin"}, {"nth", fault.target}, {"errno", error}};
    case Fault::Kind::kAttachCall:
      return {{"fail", "attach-call"}, {"nth", fault.target}, {"errno", error}};
    case Fault::Kind::kNone:
    case Fault::Kind::kAttach:
    case Fault::Kind::kProbe:
      break;
  }
  const bool attach = fault.kind == Fault::Kind::kAttach;
  Json json = {{"fail", attach ? "attach" : "probe"},
               {"device", names.devices[fault.target]},
               {"errno", error}};
  if (attach && fault.count == kEveryAttach)
    json["count"] = "all";
  else if (attach && fault.count != 1)
    json["count"] = fault.count;
  return json;
}

std::string ContainerName(uint8_t container) { return 'c' + std::to_string(container); }

Json OpJson(const CaseOp& c, const Names& names) {
  const Op& op = c.op;
  Json json = Json::object();
  if (!c.comment.empty()) json["comment"] = c.comment;
  json["op"] = OpName(op.kind);
  switch (OperandOf(op.kind)) {
    case Operand::kInstance:
      json["instance"] = names.instances[op.a];
      break;
    case Operand::kDevice:
      json["device"] = names.devices[op.a];
      break;
    case Operand::kGroup:
      json["group"] = op.a;
      break;
    case Operand::kContainer:
      json["container"] = ContainerName(op.a);
      break;
  }
  if (op.kind == OpKind::kSetContainer) json["container"] = ContainerName(op.b);
  if (op.kind == OpKind::kSetIommu && op.b != 0)
    json["type"] = IommuTypeName(static_cast<IommuType>(op.b));
  if (op.kind == OpKind::kAttachPasid) json["domain-of"] = names.devices[op.b];
  if (HasPages(op.kind)) {
    json["iova"] = op.at.first;
    json["count"] = op.at.count;
  }
  if (op.kind == OpKind::kMap) json["vaddr"] = op.vaddr;
  for (const OpFlag& flag : OpFlags(op.kind))
    if ((op.flags & flag.bit) != 0) json["flags"].push_back(flag.word);
  for (const Fault& fault : op.faults)
    if (fault.kind != Fault::Kind::kNone) json["faults"].push_back(FaultJson(fault, names));
  if (c.expected) json["result"] = ErrnoName(*c.expected);
  return json;
}

Json ExpectationJson(const Expectation& e, const Names& names) {
  using enum Expectation::Kind;
  const std::string driver = e.b < names.drivers.size() ? names.drivers[e.b] : "none";
  Json json;
  switch (e.kind) {
    case kViolated:
      json = {{"expect", "violated"}, {"property", PropertyName(e.property)}};
      if (e.at != 0) json["at"] = e.at;
      return json;
    case kHolds:
      return {{"expect", "holds"}, {"property", PropertyName(e.property)}};
    case kOutside:
      return {{"expect", "outside"}, {"assumption", InfoOf(e.rule).id}};
    case kDeviceDriver:
      return {{"expect", "device"}, {"device", names.devices[e.a]}, {"driver", driver}};
    case kDeviceDomain:
      return {{"expect", "hardware"}, {"device", names.devices[e.a]}, {"driver", driver}};
    case kShares:
      return {{"expect", "shares"}, {"group", e.a}, {"with", e.b}};
    case kApart:
      return {{"expect", "apart"}, {"group", e.a}, {"with", e.b}};
    case kGroupDomain:
      return {{"expect", "domain"}, {"group", e.a}, {"driver", driver}};
  }
  return json;
}

}  // namespace

std::string CaseToJson(const Case& c) {
  Json json = Json::object();
  if (!c.comment.empty()) json["comment"] = c.comment;
  json["kernel"] = KernelJson(c.kernel);
  AddMachine(json, c.topology, c.names);
  for (const CaseOp& op : c.ops) json["ops"].push_back(OpJson(op, c.names));
  for (const Expectation& e : c.expectations)
    json["expectations"].push_back(ExpectationJson(e, c.names));
  // A comment that did not come through a parser may be no UTF-8; that must not throw.
  return JsonText(json);
}

}  // namespace iommucheck
