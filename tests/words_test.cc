// SPDX-License-Identifier: Apache-2.0
//
// Every op, fault and attribute in every form: these tests fail for a new row in each form that
// does not know it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "model/attributes.h"
#include "src/case/bytes.h"
#include "src/case/encoded.h"
#include "src/case/spelling.h"
#include "src/conform/real_run.h"
#include "src/conform/script.h"
#include "src/report/text.h"
#include "tests/given.h"

namespace iommucheck {
namespace {

using testing::HasSubstr;
using Kind = AttributeInfo::Kind;

// Some value that is not the plain one.
std::string SampleOf(const AttributeInfo& attribute) {
  switch (attribute.kind) {
    case Kind::kFlag:
      return "";
    case Kind::kName:
      return std::string(attribute.names[1]);
    case Kind::kNumber:
      return absl::StrCat(attribute.least + 1);
    case Kind::kErrno:
      return "EXDEV";
    case Kind::kRange:
      return "8-40";
    case Kind::kSizes:
      return "1,16";
    case Kind::kRegions:
      return "4-6:msi";
    case Kind::kClaims:
      return "pci:strict";
    case Kind::kTable:
      return "shared";
    case Kind::kDriver:
      return "other";
    case Kind::kDevice:
      return "gpu";
  }
  return "";
}

// A machine that mentions the attribute once, if there is one.
std::string MachineWith(const AttributeInfo* attribute) {
  const auto said = [attribute](Owner owner) {
    return attribute != nullptr && attribute->owner == owner
               ? absl::StrCat(" ", KeyOf(*attribute), SampleOf(*attribute))
               : "";
  };
  const bool pci = attribute == nullptr || attribute->on != AttributeInfo::On::kOthers;
  const bool fake = attribute != nullptr && attribute->owner == Owner::kDevice &&
                    attribute->size == sizeof(DeviceKind) && attribute->kind == Kind::kFlag &&
                    attribute->word != "absent";
  const bool below = attribute != nullptr && attribute->word == "below";
  std::string text = "kernel v6.12\n";
  if (!said(Owner::kSettings).empty())
    absl::StrAppend(&text, "settings", said(Owner::kSettings), "\n");
  absl::StrAppend(&text, "table shared\ndriver one", said(Owner::kDriver),
                  "\ndriver other table=shared\ninstance s one", said(Owner::kInstance),
                  "\ndevice gpu pci s", below ? " bridge=root-port" : "", "\ndevice nic ",
                  pci ? "pci" : "platform", fake ? "" : " s", said(Owner::kDevice),
                  "\ndevice mdev platform emulated\n");
  return text;
}

// The word that is refused first in that machine: a device is below a bridge, which is one, too.
std::string FirstRefused(const AttributeInfo& attribute) {
  return attribute.word == "below" ? "bridge" : std::string(attribute.word);
}

// Text, JSON and bytes hold the same case.
void ExpectEveryForm(const Case& c, const std::string& word) {
  EXPECT_THAT(PrintCase(c), HasSubstr(word));
  EXPECT_EQ(Parsed(PrintCase(c)), c);
  const std::string json = CaseToJson(c);
  EXPECT_THAT(json, HasSubstr("\"" + word + "\""));
  const auto from_json = CaseFromJson(json, "a.json").value();
  EXPECT_EQ(from_json, c);
  const auto bytes = EncodeBytes(c).value();
  DecodedCase decoded;
  DecodeBytes(bytes, decoded);
  EXPECT_EQ(decoded.topology, c.topology);
  ASSERT_EQ(static_cast<size_t>(decoded.ops_count), c.ops.size());
  for (size_t i = 0; i < c.ops.size(); ++i) EXPECT_EQ(decoded.ops[i], c.ops[i].op);
}

std::string OneLine(std::string text) {
  absl::StrReplaceAll({{"\n", " "}}, &text);
  while (absl::StrReplaceAll({{"  ", " "}}, &text) != 0) continue;
  return text;
}

TEST(EveryAttribute, IsInEveryForm) {
  for (const AttributeInfo& attribute : AllAttributes()) {
    const std::string word(attribute.word);
    SCOPED_TRACE(std::string(OwnerWord(attribute.owner)) + " " + word);
    const Case c = Parsed(MachineWith(&attribute));
    ExpectEveryForm(c, word);
    // The machine as replay prints it.
    const size_t value = attribute.phrase.find("%s");
    EXPECT_THAT(OneLine(report::TopologyText(c, {})),
                HasSubstr(std::string(attribute.phrase.substr(0, value))));
  }
}

TEST(EveryAttribute, IsEncodedOrSaidToBeOutside) {
  const Topology plain = Parsed(MachineWith(nullptr)).topology;
  const auto names_it = [](const AttributeInfo& attribute, const absl::Status& status) {
    return std::string(status.message()).find(FirstRefused(attribute)) != std::string::npos;
  };
  for (const AttributeInfo& attribute : AllAttributes()) {
    SCOPED_TRACE(std::string(attribute.word));
    Case c = Parsed(MachineWith(&attribute));
    c.topology.devices_count = 2;  // without the mdev, which is not encoded itself
    c.topology.devices[2] = {};
    c.names.devices.pop_back();
    EXPECT_EQ(IsEncoded(c.topology), attribute.encoded());
    const absl::Status status = CheckEncoded(c.topology, c.names);
    EXPECT_EQ(status.ok(), attribute.encoded());
    if (!status.ok()) {
      EXPECT_TRUE(names_it(attribute, status)) << status;
    }
    const Topology part = EncodedPart(c.topology);
    EXPECT_TRUE(IsEncoded(part));
    EXPECT_NE(part == c.topology, !attribute.encoded());
  }
  EXPECT_FALSE(IsEncoded(plain));  // the mdev
}

// "map c0 4+2 3 read"
std::string SampleOf(const OpInfo& op) {
  const auto sample = [](Operand operand) -> std::string {
    switch (operand) {
      case Operand::kNone:
        return "";
      case Operand::kInstance:
        return " s";
      case Operand::kDevice:
        return " gpu";
      case Operand::kGroup:
        return " 1";
      case Operand::kContainer:
        return " c0";
      case Operand::kIommuType:
        return " nesting";
    }
    return "";
  };
  std::string text = absl::StrCat(std::string(op.word), sample(op.a), sample(op.b));
  if (op.is(OpInfo::kHasPages)) text += " 4+2";
  if (op.is(OpInfo::kHasVaddr)) text += " 3";
  return text;
}

TEST(EveryOp, IsInEveryForm) {
  std::set<uint8_t> codes;
  for (const OpInfo& op : AllOps()) {
    SCOPED_TRACE(std::string(op.word));
    EXPECT_TRUE(codes.insert(op.code).second) << "two ops have one code";
    std::vector<std::string> lines = {SampleOf(op)};
    for (const OpFlag& flag : op.flags)
      lines.push_back(absl::StrCat(SampleOf(op), " ", std::string(flag.word)));
    for (const std::string& line : lines) {
      const Case c = Parsed(MachineWith(nullptr) + line + "\n");
      ExpectEveryForm(c, std::string(op.word));
      EXPECT_EQ(PrintOp(c.ops[0].op, c.names), line);
    }
  }
}

TEST(EveryFault, IsInEveryForm) {
  for (const FaultInfo& fault : AllFaults()) {
    SCOPED_TRACE(std::string(fault.word));
    std::string line =
        absl::StrCat("register s fail=", std::string(fault.word), fault.of_device ? ":gpu" : ":2");
    if (fault.has_errno) line += ":EBUSY";
    std::vector<std::string> lines = {line};
    if (fault.has_count) lines.insert(lines.end(), {line + ":3", line + ":all"});
    for (const std::string& each : lines) {
      const Case c = Parsed(MachineWith(nullptr) + each + "\n");
      ExpectEveryForm(c, std::string(fault.word));
      EXPECT_EQ(PrintOp(c.ops[0].op, c.names), each);
      EXPECT_EQ(IsEncoded(c.ops[0].op), fault.encoded);
    }
  }
}

// A recorder of booted kernels plays a machine as it is, or says what it does not know. How drivers
// behave with bus slots does not matter to kernels that have none.
TEST(EveryAttribute, IsPlayedByABootedKernelOrRefused) {
  const std::set<std::string> no_matter = {"firmware", "claims", "claims-once", "clears",
                                           "unwinds"};
  const auto script_of = [](const AttributeInfo* attribute) {
    const std::string machine =
        absl::StrReplaceAll(MachineWith(attribute), {{"device mdev platform emulated\n", ""}});
    return conform::PrintScript(Parsed(machine + "register s\n"), "a");
  };
  const std::string plain = script_of(nullptr).value();
  for (const AttributeInfo& attribute : AllAttributes()) {
    const std::string word(attribute.word);
    SCOPED_TRACE(word);
    // Without the attribute the device is the same, but on another bus.
    if (attribute.on == AttributeInfo::On::kOthers) continue;
    const auto script = script_of(&attribute);
    EXPECT_EQ(script.ok(), attribute.booted());
    if (script.ok())
      EXPECT_EQ(*script != plain, !no_matter.contains(word));
    else
      EXPECT_THAT(MessageOf(script), HasSubstr(FirstRefused(attribute)));
  }
}

TEST(EveryOp, HasAPlaceInTheEnginesOrNone) {
  std::vector<OpKind> encoded;
  for (const OpInfo& op : AllOps())
    if (op.is(OpInfo::kEncoded)) encoded.push_back(op.kind);
  EXPECT_EQ(encoded, std::vector<OpKind>(kEncodedOps.begin(), kEncodedOps.end()));
}

TEST(EveryOp, IsPlayedByRealCodeOrRefused) {
  for (const OpInfo& op : AllOps()) {
    SCOPED_TRACE(std::string(op.word));
    const char* const why = conform::WhyNotPlayed(Op{.kind = op.kind}, ~uint32_t{0});
    EXPECT_EQ(why == nullptr, op.is(OpInfo::kInProcess));
  }
}

}  // namespace
}  // namespace iommucheck
