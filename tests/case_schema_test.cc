// SPDX-License-Identifier: Apache-2.0
//
// Prints docs/case.schema.json from the rows of ops, faults and attributes, and compares it with
// the file. IOMMUCHECK_UPDATE_GOLDEN=1 writes the file anew.
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>

#include "model/attributes.h"
#include "model/state.h"
#include "nlohmann/json.hpp"
#include "src/case/spelling.h"
#include "tests/given.h"

namespace iommucheck {
namespace {

using Json = nlohmann::ordered_json;

Json Ref(const std::string& definition) { return {{"$ref", "#/definitions/" + definition}}; }
Json Integer(int least, int most) {
  return {{"type", "integer"}, {"minimum", least}, {"maximum", most}};
}
Json Pattern(const std::string& pattern) { return {{"type", "string"}, {"pattern", pattern}}; }
Json Const(std::string_view word) { return {{"const", word}}; }
Json Array(Json items, int most = 0) {
  Json array = {{"type", "array"}};
  if (most != 0) array["maxItems"] = most;
  array["items"] = std::move(items);
  return array;
}
Json Set(Json items, int most = 0) {
  Json set = Array(std::move(items), most);
  set["uniqueItems"] = true;
  return set;
}
Json Object(const std::vector<std::string>& required, Json properties) {
  Json object = {{"type", "object"}};
  if (!required.empty()) object["required"] = required;
  object["additionalProperties"] = false;
  object["properties"] = std::move(properties);
  return object;
}

template <typename Rows, typename NameOf = std::identity>
Json AllOf(const Rows& rows, NameOf name_of = {}) {
  Json list = Json::array();
  for (const auto& row : rows) list.push_back(name_of(row));
  return {{"enum", list}};
}

// Without the first, which names the plain value and is never written.
Json NamesFromSecond(std::span<const std::string_view> names) { return AllOf(names.subspan(1)); }

Json RangeSchema() {
  return Object({"first", "last"}, {{"first", Ref("page")}, {"last", Ref("page")}});
}

Json AttributeSchema(const AttributeInfo& attribute) {
  using Kind = AttributeInfo::Kind;
  switch (attribute.kind) {
    case Kind::kFlag:
      return {{"type", "boolean"}};
    case Kind::kName:
      return NamesFromSecond(attribute.names);
    case Kind::kNumber:
      return Integer(attribute.least, attribute.most);
    case Kind::kErrno:
      return Ref("errno");
    case Kind::kRange:
      return RangeSchema();
    case Kind::kSizes: {
      Json sizes = Json::array();
      for (int bit = 0; bit < kPageSizes; ++bit) sizes.push_back(1 << bit);
      Json schema = Set({{"enum", sizes}});
      schema["minItems"] = 1;
      return schema;
    }
    case Kind::kRegions: {
      Json region = RangeSchema();
      region["required"].push_back("type");
      region["properties"]["type"] = NamesFromSecond(kRegionTypeNames);
      return Array(region, kMaxRegions);
    }
    case Kind::kClaims:
      return Array(Object({"bus", "claim"},
                          {{"bus", AllOf(kBusNames)}, {"claim", NamesFromSecond(kClaimNames)}}),
                   kBusCount);
    case Kind::kTable:
      return Ref("tableName");
    case Kind::kDriver:
    case Kind::kDevice:
      return Ref("name");
  }
  return {};
}

Json EntrySchema(Owner owner, const std::vector<std::string>& required, Json properties) {
  for (const AttributeInfo& attribute : AttributesOf(owner))
    properties[std::string(attribute.word)] = AttributeSchema(attribute);
  return Object(required, std::move(properties));
}

Json OperandSchema(Operand operand) {
  switch (operand) {
    case Operand::kGroup:
      return Integer(0, kMaxGroups - 1);
    case Operand::kContainer: {
      Json names = Json::array();
      for (uint8_t c = 0; c < kMaxContainers; ++c) names.push_back(OperandText(operand, c, {}));
      return {{"enum", names}};
    }
    case Operand::kIommuType:
      return AllOf(kIommuTypeNames);
    default:
      return Ref("name");
  }
}

Json OpSchema(const OpInfo& op) {
  const std::string first(OperandWord(op.a));
  std::vector<std::string> required = {"op", first};
  Json properties = {
      {"comment", {{"type", "string"}}}, {"op", Const(op.word)}, {first, OperandSchema(op.a)}};
  if (op.b != Operand::kNone) {
    properties[std::string(op.b_key)] = OperandSchema(op.b);
    if (op.b != Operand::kIommuType) required.emplace_back(op.b_key);
  }
  if (op.is(OpInfo::kHasPages)) {
    properties["iova"] = Ref("page");
    properties["count"] = Integer(0, kPages);
    required.insert(required.end(), {"iova", "count"});
  }
  if (op.is(OpInfo::kHasVaddr)) {
    properties["vaddr"] = Ref("page");
    required.emplace_back("vaddr");
  }
  if (!op.flags.empty()) {
    properties["flags"] = Set(AllOf(op.flags, [](const OpFlag& flag) { return flag.word; }));
  }
  properties["faults"] = Ref("faults");
  properties["result"] = Ref("result");
  return Object(required, properties);
}

Json FaultSchema(const FaultInfo& fault) {
  const std::string target = fault.of_device ? "device" : "nth";
  std::vector<std::string> required = {"fail", target};
  Json properties = {{"fail", Const(fault.word)},
                     {target, fault.of_device ? Ref("name") : Integer(1, 255)}};
  if (fault.has_errno) {
    properties["errno"] = Ref("errno");
    required.emplace_back("errno");
  }
  if (fault.has_count) properties["count"]["oneOf"] = {Const("all"), Integer(1, kEveryAttach - 1)};
  return Object(required, properties);
}

template <typename Rows, typename F>
Json OneOf(const Rows& rows, F schema) {
  Json list = Json::array();
  for (const auto& row : rows) list.push_back(schema(row));
  return {{"oneOf", list}};
}

Json ExpectationSchema() {
  const auto form = [](std::string_view word, const std::string& a, Json of_a,
                       const std::string& b = "", Json of_b = {}) {
    std::vector<std::string> required = {"expect", a};
    Json properties = {{"expect", Const(word)}, {a, std::move(of_a)}};
    if (b.empty()) return Object(required, properties);
    properties[b] = std::move(of_b);
    if (b != "at") required.push_back(b);
    return Object(required, properties);
  };
  const Json group = OperandSchema(Operand::kGroup);
  const Json driver = Pattern("^[A-Za-z0-9_.:+-]{1,31}$");
  Json forms = Json::array();
  forms.push_back(form("violated", "property", Ref("property"), "at", Integer(1, kMaxCaseOps)));
  forms.push_back(form("holds", "property", Ref("property")));
  forms.push_back(form("outside", "assumption", Ref("rule")));
  forms.push_back(form("device", "device", Ref("name"), "driver", driver));
  forms.push_back(form("hardware", "device", Ref("name"), "driver", driver));
  forms.push_back(form("shares", "group", group, "with", group));
  forms.push_back(form("apart", "group", group, "with", group));
  forms.push_back(form("domain", "group", group, "driver", driver));
  return {{"oneOf", forms}};
}

Json Definitions() {
  Json not_names = {"none"};
  for (const AttributeInfo& attribute : AttributesOf(Owner::kDevice))
    if (IsDeviceWord(attribute.word)) not_names.push_back(attribute.word);
  Json name = Pattern("^[A-Za-z0-9_.:+-]{1,31}$");
  name["not"]["enum"] = not_names;
  Json table = Pattern("^[A-Za-z0-9_.:+-]{1,35}$");
  table["description"] = "A declared table, or DRIVER.ops";
  Json instances = Set(Ref("name"), kMaxMasters);
  return {
      {"name", name},
      {"tableName", table},
      {"rule", Pattern("^[a-z0-9]+\\.[a-z0-9_]+$")},
      {"rules", Set(Ref("rule"))},
      {"page", Integer(0, kLastPage)},
      {"errno", Pattern("^E[A-Z0-9_]+$")},
      {"property", Pattern("^[a-z0-9-]+$")},
      {"settings", EntrySchema(Owner::kSettings, {}, Json::object())},
      {"driver", EntrySchema(Owner::kDriver, {"name"}, {{"name", Ref("name")}})},
      {"instance", EntrySchema(Owner::kInstance, {"name", "driver"},
                               {{"name", Ref("name")}, {"driver", Ref("name")}})},
      {"device",
       EntrySchema(Owner::kDevice, {"name", "bus"},
                   {{"name", Ref("name")}, {"bus", AllOf(kBusNames)}, {"instances", instances}})},
      {"fault", OneOf(AllFaults(), FaultSchema)},
      {"faults", Array(Ref("fault"), kMaxFaults)},
      {"result", Pattern("^(ok|-E[A-Z0-9_]+)$")},
      {"op", OneOf(AllOps(), OpSchema)},
      {"expectation", ExpectationSchema()}};
}

Json Schema() {
  Json schema = {
      {"$schema", "http://json-schema.org/draft-07/schema#"},
      {"$comment", "SPDX-License-Identifier: Apache-2.0"},
      {"title", "iommucheck case"},
      {"description",
       "The JSON form of a case, see case-format.md. A case that fits may still be refused: names "
       "must be known and unique, rules must be the version's to drop or not its own to add."}};
  schema.update(Object(
      {"kernel"}, {{"comment", {{"type", "string"}}},
                   {"kernel", Object({"version"}, {{"version", AllOf(kKernelVersions, VersionName)},
                                                   {"drop", Ref("rules")},
                                                   {"add", Ref("rules")}})},
                   {"firmware", NamesFromSecond(kFirmwareNames)},
                   {"settings", Ref("settings")},
                   {"tables", Array(Ref("name"), kMaxTables)},
                   {"drivers", Array(Ref("driver"), kMaxDrivers)},
                   {"instances", Array(Ref("instance"), kMaxInstances)},
                   {"devices", Array(Ref("device"), kMaxDevices)},
                   {"ops", Array(Ref("op"), kMaxCaseOps)},
                   {"expectations", Array(Ref("expectation"))}}));
  schema["definitions"] = Definitions();
  return schema;
}

// On one line if it fits.
std::string Print(const Json& json, const std::string& indent = "") {
  constexpr size_t kColumns = 96;
  if (!json.is_structured() || indent.size() + json.dump().size() <= kColumns) return json.dump();
  std::string text;
  for (const auto& [key, value] : json.items()) {
    text += (text.empty() ? "\n  " : ",\n  ") + indent;
    if (json.is_object()) text += Json(key).dump() + ": ";
    text += Print(value, indent + "  ");
  }
  text += '\n' + indent;
  return json.is_object() ? '{' + text + '}' : '[' + text + ']';
}

TEST(CaseSchema, IsPrintedFromTheRows) {
  const std::filesystem::path path = kSource / "docs/case.schema.json";
  const std::string text = Print(Schema()) + "\n";
  if (std::getenv("IOMMUCHECK_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << text;
  EXPECT_EQ(ReadWhole(path), text);
}

}  // namespace
}  // namespace iommucheck
