// SPDX-License-Identifier: Apache-2.0
#include "absl/strings/str_cat.h"
#include "src/case/case.h"
#include "src/case/kernel.h"
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
    if (rules.empty()) return;
    text += verb;
    for (const std::string& id : RuleIds(rules)) text += ' ' + id;
  };
  print_rules(kernel.dropped, " drop");
  print_rules(kernel.added, " add");
  return text + '\n';
}

std::string PrintAttributes(Owner owner, const Topology& t, const Names& names, int n) {
  std::string text;
  for (const AttributeInfo& attribute : AttributesOf(owner)) {
    if (!IsSaid(attribute, t, names, n)) continue;
    const std::string key = " " + KeyOf(attribute);
    if (attribute.kind == AttributeInfo::Kind::kFlag) text += key;
    for (const std::string& value : ValuesOf(attribute, t, names, n)) text += key + value;
  }
  return text;
}

std::string PrintMachine(const Topology& t, const Names& names) {
  std::string text;
  if (t.firmware != Firmware::kAny)
    text += "firmware " + std::string(FirmwareName(t.firmware)) + '\n';
  if (const std::string said = PrintAttributes(Owner::kSettings, t, names, 0); !said.empty())
    text += "settings" + said + '\n';
  const int first_private = FirstPrivateTable(t, names);
  for (int i = 0; i < first_private; ++i) text += "table " + names.tables[i] + '\n';
  for (int i = 0; i < t.drivers_count; ++i)
    text += "driver " + names.drivers[i] + PrintAttributes(Owner::kDriver, t, names, i) + '\n';
  for (int i = 0; i < t.instances_count; ++i)
    text += "instance " + names.instances[i] + ' ' + names.drivers[t.instances[i].driver] +
            PrintAttributes(Owner::kInstance, t, names, i) + '\n';
  for (int i = 0; i < t.devices_count; ++i) {
    text += "device " + names.devices[i] + ' ';
    text += BusName(t.devices[i].bus);
    for (InstanceId master : t.devices[i].masters)
      if (master != kNoId) text += ' ' + names.instances[master];
    text += PrintAttributes(Owner::kDevice, t, names, i) + '\n';
  }
  return text;
}

std::string PrintFault(const Fault& fault, const Names& names) {
  if (fault.kind == Fault::Kind::kNone) return "";
  const FaultInfo& info = InfoOf(fault.kind);
  std::string text =
      absl::StrCat(" fail=", std::string(info.word), ":",
                   info.of_device ? names.devices[fault.target] : absl::StrCat(fault.target));
  if (info.has_errno) text += ':' + ErrnoName(-int{fault.error}).substr(1);
  if (info.has_count && fault.count != 1)
    text += ':' + (fault.count == kEveryAttach ? "all" : std::to_string(fault.count));
  return text;
}

}  // namespace

std::string PrintExpectation(const Expectation& e, const Names& names) {
  const ExpectationInfo& info = InfoOf(e.kind);
  const bool at = e.kind == Expectation::Kind::kViolated && e.at != 0;
  return absl::StrCat("expect ", std::string(info.subject), " ", AboutText(e, names),
                      info.verb.empty() ? "" : " ", std::string(info.verb),
                      info.verb.empty() ? "" : " ", ObjectText(e, names),
                      at ? absl::StrCat(" at ", e.at) : "");
}

std::string PrintOp(const Op& op, const Names& names) {
  const OpInfo& info = InfoOf(op.kind);
  std::string text = std::string(info.word) + ' ' + OperandText(info.a, op.a, names);
  const bool left_out = info.b == Operand::kIommuType && op.b == 0;
  if (info.b != Operand::kNone && !left_out) text += ' ' + OperandText(info.b, op.b, names);
  if (info.is(OpInfo::kHasPages))
    text += ' ' + std::to_string(op.at.first) + '+' + std::to_string(op.at.count);
  if (info.is(OpInfo::kHasVaddr)) text += ' ' + std::to_string(op.vaddr);
  for (const OpFlag& flag : info.flags)
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
  for (const Expectation& e : c.expectations) text += PrintExpectation(e, c.names) + '\n';
  return text;
}

}  // namespace iommucheck
