// SPDX-License-Identifier: Apache-2.0
#include "nlohmann/json.hpp"
#include "src/case/case.h"
#include "src/case/json_text.h"
#include "src/case/kernel.h"
#include "src/case/spelling.h"

namespace iommucheck {
namespace {

using Json = nlohmann::ordered_json;

Json KernelJson(const KernelSpec& kernel) {
  Json json = {{"version", VersionName(kernel.version)}};
  if (!kernel.dropped.empty()) json["drop"] = RuleIds(kernel.dropped);
  if (!kernel.added.empty()) json["add"] = RuleIds(kernel.added);
  return json;
}

Json PagesJson(uint8_t first, uint8_t last) { return {{"first", first}, {"last", last}}; }

Json AttributeJson(const AttributeInfo& attribute, const Topology& t, const Names& names, int n) {
  using Kind = AttributeInfo::Kind;
  const uint8_t* const member = EntryOf(t, attribute.owner, n) + attribute.at;
  Json json;
  switch (attribute.kind) {
    case Kind::kFlag:
      return true;
    case Kind::kNumber:
      return *member;
    case Kind::kRange:
      return PagesJson(member[0], member[1]);
    case Kind::kSizes:
      for (int bit = 0; bit < kPageSizes; ++bit)
        if (((*member >> bit) & 1) != 0) json.push_back(1 << bit);
      return json;
    case Kind::kRegions:
      for (const Region& region : t.devices[n].regions) {
        if (region.type == Region::Type::kNone) continue;
        json.push_back(PagesJson(region.first, region.last));
        json.back()["type"] = RegionTypeName(region.type);
      }
      return json;
    case Kind::kClaims:
      for (Bus bus : t.drivers[n].claim_order)
        if (const Claim claim = t.drivers[n].claims[static_cast<size_t>(bus)];
            claim != Claim::kNone)
          json.push_back(Json{{"bus", BusName(bus)}, {"claim", ClaimName(claim)}});
      return json;
    case Kind::kName:
    case Kind::kErrno:
    case Kind::kTable:
    case Kind::kDriver:
    case Kind::kDevice:
      return ValuesOf(attribute, t, names, n).front();
  }
  return json;
}

void AddAttributes(Json& json, Owner owner, const Topology& t, const Names& names, int n) {
  for (const AttributeInfo& attribute : AttributesOf(owner))
    if (IsSaid(attribute, t, names, n))
      json[std::string(attribute.word)] = AttributeJson(attribute, t, names, n);
}

void AddMachine(Json& json, const Topology& t, const Names& names) {
  if (t.firmware != Firmware::kAny) json["firmware"] = FirmwareName(t.firmware);
  if (t.settings != Settings{}) AddAttributes(json["settings"], Owner::kSettings, t, names, 0);
  const int first_private = FirstPrivateTable(t, names);
  for (int i = 0; i < first_private; ++i) json["tables"].push_back(names.tables[i]);
  for (int i = 0; i < t.drivers_count; ++i) {
    json["drivers"].push_back(Json{{"name", names.drivers[i]}});
    AddAttributes(json["drivers"].back(), Owner::kDriver, t, names, i);
  }
  for (int i = 0; i < t.instances_count; ++i) {
    json["instances"].push_back(
        Json{{"name", names.instances[i]}, {"driver", names.drivers[t.instances[i].driver]}});
    AddAttributes(json["instances"].back(), Owner::kInstance, t, names, i);
  }
  for (int i = 0; i < t.devices_count; ++i) {
    Json device = {{"name", names.devices[i]}, {"bus", BusName(t.devices[i].bus)}};
    for (InstanceId master : t.devices[i].masters)
      if (master != kNoId) device["instances"].push_back(names.instances[master]);
    AddAttributes(device, Owner::kDevice, t, names, i);
    json["devices"].push_back(std::move(device));
  }
}

Json FaultJson(const Fault& fault, const Names& names) {
  const FaultInfo& info = InfoOf(fault.kind);
  Json json = {{"fail", info.word}};
  if (info.of_device)
    json["device"] = names.devices[fault.target];
  else
    json["nth"] = fault.target;
  if (info.has_errno) json["errno"] = ErrnoName(-int{fault.error}).substr(1);
  if (info.has_count && fault.count == kEveryAttach)
    json["count"] = "all";
  else if (info.has_count && fault.count != 1)
    json["count"] = fault.count;
  return json;
}

Json OperandJson(Operand operand, uint8_t value, const Names& names) {
  if (operand == Operand::kGroup) return value;
  return OperandText(operand, value, names);
}

Json OpJson(const CaseOp& c, const Names& names) {
  const Op& op = c.op;
  const OpInfo& info = InfoOf(op.kind);
  Json json = Json::object();
  if (!c.comment.empty()) json["comment"] = c.comment;
  json["op"] = info.word;
  json[std::string(OperandWord(info.a))] = OperandJson(info.a, op.a, names);
  const bool left_out = info.b == Operand::kIommuType && op.b == 0;
  if (info.b != Operand::kNone && !left_out)
    json[std::string(info.b_key)] = OperandJson(info.b, op.b, names);
  if (info.is(OpInfo::kHasPages)) {
    json["iova"] = op.at.first;
    json["count"] = op.at.count;
  }
  if (info.is(OpInfo::kHasVaddr)) json["vaddr"] = op.vaddr;
  for (const OpFlag& flag : info.flags)
    if ((op.flags & flag.bit) != 0) json["flags"].push_back(flag.word);
  for (const Fault& fault : op.faults)
    if (fault.kind != Fault::Kind::kNone) json["faults"].push_back(FaultJson(fault, names));
  if (c.expected) json["result"] = ErrnoName(*c.expected);
  return json;
}

Json ExpectationJson(const Expectation& e, const Names& names) {
  using About = ExpectationInfo::About;
  using Object = ExpectationInfo::Object;
  const ExpectationInfo& info = InfoOf(e.kind);
  Json json = {{"expect", info.name}};
  json[std::string(JsonKey(info.about))] =
      info.about == About::kGroup ? Json(e.a) : Json(AboutText(e, names));
  if (info.object != Object::kNone)
    json[std::string(JsonKey(info.object))] =
        info.object == Object::kGroup ? Json(e.b) : Json(ObjectText(e, names));
  if (e.kind == Expectation::Kind::kViolated && e.at != 0) json["at"] = e.at;
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
  // A comment that did not come through a parser may be invalid UTF-8; this must not throw.
  return JsonText(json);
}

}  // namespace iommucheck
