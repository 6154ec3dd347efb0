// SPDX-License-Identifier: Apache-2.0
//
// Documents agree with the rows of profiles, rules, properties, ops, faults and attributes, and the
// probes distinguish kernel trees. IOMMUCHECK_UPDATE_GOLDEN=1 writes these parts of the documents anew;
// read the diff.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "model/attributes.h"
#include "model/op.h"
#include "model/profiles.h"
#include "model/properties.h"
#include "src/conform/harness.h"
#include "src/report/json.h"
#include "src/report/survey_data.h"
#include "tests/given.h"

namespace iommucheck {
namespace {

// Expects `wanted` as the text of the file from the only `begin` to the next `end`.
void ExpectPart(const std::string& file, std::string_view begin, std::string_view end,
                const std::string& wanted) {
  const std::filesystem::path path = kSource / file;
  std::string text = ReadWhole(path);
  const size_t at = text.find(begin);
  ASSERT_NE(at, std::string::npos) << file << " has no: " << begin;
  ASSERT_EQ(text.find(begin, at + 1), std::string::npos) << file << " has twice: " << begin;
  const size_t from = at + begin.size();
  const size_t to = text.find(end, from);
  ASSERT_NE(to, std::string::npos) << file;
  EXPECT_EQ(text.substr(from, to - from), wanted) << file;
  if (std::getenv("IOMMUCHECK_UPDATE_GOLDEN") == nullptr) return;
  text.replace(from, to - from, wanted);
  std::ofstream(path) << text;
}

// Expects the words as the only enumeration of this name in the schema of what is printed, on as
// many lines as they need.
void ExpectWords(const std::string& definition, const std::vector<std::string>& words) {
  constexpr size_t kColumns = 100;
  const std::string begin = absl::StrCat("\n    \"", definition, "\": {\"enum\": [");
  std::string list = absl::StrCat("\"", absl::StrJoin(words, "\", \""), "\"");
  if (begin.size() + list.size() > kColumns) {
    list.clear();
    size_t line = kColumns;
    for (const std::string& word : words) {
      const std::string quoted = absl::StrCat("\"", word, "\"", &word == &words.back() ? "" : ",");
      const bool fits = line + 1 + quoted.size() <= kColumns;
      absl::StrAppend(&list, fits ? " " : "\n      ", quoted);
      line = (fits ? line + 1 : 6) + quoted.size();
    }
    list += "\n    ";
  }
  ExpectPart("docs/output.schema.json", begin, "]", list);
}

// "a, b and c"
std::string ProseList(std::vector<std::string> words) {
  const std::string last = words.back();
  words.pop_back();
  return words.empty() ? last : absl::StrCat(absl::StrJoin(words, ", "), " and ", last);
}

std::vector<std::string> Names(bool mainline, bool stable) {
  std::vector<std::string> names;
  for (const ProfileInfo& info : AllProfiles())
    if (info.is_stable() ? stable : mainline) names.emplace_back(info.name);
  return names;
}

TEST(Docs, HaveTheProfiles) {
  ExpectWords("profile", Names(true, true));
  std::vector<std::string> eras;
  for (const ProfileInfo& info : AllProfiles())
    if (const std::string era(EraName(info.era)); eras.empty() || eras.back() != era)
      eras.push_back(era);
  ExpectWords("era", eras);
  ExpectPart("README.md", "Modelled, for ", ", each step",
             absl::StrCat(ProseList(Names(true, false)), " (mainline\n`.0`), and ",
                          ProseList(Names(false, true)), " (stable)"));
}

// Rows of the properties that some profiles promise and others do not: "| `no-oops` | v5.15 |".
std::string PromisedBySome() {
  std::string table;
  for (const Property property : kProperties) {
    std::vector<std::string> without;
    for (const ProfileInfo& info : AllProfiles())
      if (!IsPromised(info.version, property)) without.emplace_back(info.name);
    if (without.empty() || without.size() == AllProfiles().size()) continue;
    absl::StrAppend(&table, "| `", std::string(InfoOf(property).name), "` | ",
                    absl::StrJoin(without, ", "), " |\n");
  }
  return table;
}

TEST(Docs, HaveTheProperties) {
  std::vector<std::string> all;
  std::vector<std::string> encoded;
  std::string table;
  for (const Property property : kProperties) {
    const PropertyInfo& info = InfoOf(property);
    all.emplace_back(info.name);
    if (info.encoded) encoded.emplace_back(info.name);
    absl::StrAppend(&table, "| `", std::string(info.name), "` | ", std::string(info.sentence),
                    " |\n");
  }
  ExpectPart("docs/properties.md", "| property | sentence |\n|---|---|\n", "\nNot among", table);
  ExpectPart("docs/properties.md", "| property | not promised by |\n|---|---|\n", "\nThe reasons",
             PromisedBySome());
  ExpectWords("property", encoded);
  ExpectWords("any_property", all);
}

TEST(Docs, HaveTheRules) {
  std::vector<std::string> ids;
  for (const RuleInfo& info : AllRules()) ids.emplace_back(info.id);
  ExpectWords("rule", ids);
  ExpectWords("rule_kind", {report::kRuleKindNames.begin(), report::kRuleKindNames.end()});
}

TEST(Docs, HaveTheBuses) { ExpectWords("bus", {kBusNames.begin(), kBusNames.end()}); }

TEST(Docs, HaveTheVerdicts) {
  std::vector<std::string> words;
  for (const auto& [verdict, proved] :
       {std::pair(Verdict::kHolds, true), std::pair(Verdict::kHolds, false),
        std::pair(Verdict::kViolated, false), std::pair(Verdict::kUnknown, false)})
    words.emplace_back(report::VerdictName(verdict, proved));
  ExpectWords("verdict", words);
}

// A row of a table. In a document an empty line ends the table.
std::string Row(const std::vector<std::string>& cells) {
  std::string row = "|";
  for (const std::string& cell : cells)
    absl::StrAppend(&row, cell.empty() ? " " : absl::StrCat(" ", cell, " "), "|");
  return row;
}

std::string Yes(bool yes) { return yes ? "yes" : ""; }

// As the grammar of docs/case-format.md has it.
std::string OperandsOf(const OpInfo& op) {
  std::string form = absl::AsciiStrToUpper(std::string(OperandWord(op.a)));
  if (op.b == Operand::kIommuType)
    absl::StrAppend(&form, " [type]");
  else if (op.b != Operand::kNone)
    absl::StrAppend(&form, " ", absl::AsciiStrToUpper(std::string(OperandWord(op.b))));
  if (op.is(OpInfo::kHasPages)) absl::StrAppend(&form, " pages");
  if (op.is(OpInfo::kHasVaddr)) absl::StrAppend(&form, " PAGE");
  return form;
}

TEST(Docs, HaveTheOps) {
  std::vector<std::string> rows;
  for (const OpInfo& op : AllOps()) {
    std::vector<std::string> flags;
    for (const OpFlag& flag : op.flags)
      flags.push_back(absl::StrCat("`", std::string(flag.word), "`"));
    rows.push_back(Row({absl::StrCat("`", std::string(op.word), "`"), OperandsOf(op),
                        absl::StrJoin(flags, ", "), Yes(op.is(OpInfo::kEncoded)),
                        Yes(op.is(OpInfo::kInProcess)), Yes(op.is(OpInfo::kBooted))}));
  }
  ExpectPart("docs/case-format.md",
             "| op | operands | flags | engines | process | booted |\n|---|---|---|---|---|---|\n",
             "\n\n", absl::StrJoin(rows, "\n"));
}

TEST(Docs, HaveTheFaults) {
  std::vector<std::string> words;
  std::vector<std::string> rows;
  for (const FaultInfo& fault : AllFaults()) {
    words.emplace_back(fault.word);
    std::string form = absl::StrCat("fail=", std::string(fault.word));
    absl::StrAppend(&form, fault.of_device ? ":DEVICE" : ":N", fault.has_errno ? ":ERRNO" : "",
                    fault.has_count ? "[:COUNT]" : "");
    rows.push_back(Row(
        {absl::StrCat("`", form, "`"), fault.has_errno ? "ERRNO" : "ENOMEM", Yes(fault.encoded)}));
  }
  ExpectWords("fault", words);
  ExpectPart("docs/case-format.md", "| fault | errno | engines |\n|---|---|---|\n", "\n\n",
             absl::StrJoin(rows, "\n"));
}

std::string ValueOf(const AttributeInfo& attribute) {
  using Kind = AttributeInfo::Kind;
  switch (attribute.kind) {
    case Kind::kFlag:
      return "";
    case Kind::kName: {
      std::vector<std::string> names;
      for (std::string_view name : attribute.names.subspan(1))
        names.push_back(absl::StrCat("`", std::string(name), "`"));
      return absl::StrJoin(names, " or ");
    }
    case Kind::kNumber:
      return absl::StrCat(int{attribute.least}, " to ", int{attribute.most});
    case Kind::kErrno:
      return "ERRNO";
    case Kind::kRange:
      return "PAGE-PAGE";
    case Kind::kSizes:
      return "SIZE{,SIZE}";
    case Kind::kRegions:
      return "PAGE-PAGE:region";
    case Kind::kClaims:
      return "claim{,claim}";
    case Kind::kTable:
      return "TABLE";
    case Kind::kDriver:
      return "DRIVER";
    case Kind::kDevice:
      return "DEVICE";
  }
  return "";
}

TEST(Docs, HaveTheAttributes) {
  using On = AttributeInfo::On;
  using Played = AttributeInfo::Played;
  std::vector<std::string> rows;
  for (const AttributeInfo& attribute : AllAttributes()) {
    std::string owner(OwnerWord(attribute.owner));
    if (attribute.on != On::kAnyBus)
      absl::StrAppend(&owner, attribute.on == On::kPci ? " on pci" : " on any other bus");
    const bool is_flag = attribute.kind == AttributeInfo::Kind::kFlag;
    rows.push_back(Row(
        {owner, absl::StrCat("`", std::string(attribute.word), is_flag ? "" : "=", "`"),
         ValueOf(attribute), absl::StrReplaceAll(std::string(attribute.phrase), {{"%s", "..."}}),
         Yes(attribute.encoded()), Yes(attribute.played != Played::kModelAlone),
         Yes(attribute.booted())}));
  }
  ExpectPart("docs/case-format.md",
             "| of | word | value | means | engines | process | booted |\n"
             "|---|---|---|---|---|---|---|\n",
             "\n\n", absl::StrJoin(rows, "\n"));
}

// Without a probe for each difference, a tree would get the profile of another.
TEST(Trees, AreToldApartByWhatIsProbed) {
  for (const ProfileInfo& info : AllProfiles()) {
    uint32_t features = info.era == Era::kFwnode ? 0 : HARNESS_BUS_OPS;
    if (info.era == Era::kBusSlots) features |= HARNESS_BUS_SET_IOMMU;
    if (info.era == Era::kGroupSetup) features |= HARNESS_SET_PLATFORM_DMA;
    for (const auto& [rule, feature] : conform::ProbedRules())
      if (ProfileOf(info.version).has(rule)) features |= feature;
    for (const auto& [release, feature] : conform::ProbedReleases())
      if (release == info.version) features |= feature;
    EXPECT_EQ(VersionName(conform::ProfileOfTree(features)), info.name);
  }
}

// A backported fix does not give an older tree the profile of a newer kernel.
TEST(Trees, ThatArePatchedAreOfTheProfileThatIsNearest) {
  using enum KernelVersion;
  EXPECT_EQ(conform::ProfileOfTree(HARNESS_DEFER_UNSET), kV6_8);
  EXPECT_EQ(conform::ProfileOfTree(HARNESS_DMA_CONFIGURE | HARNESS_DEFER_UNSET), kV6_8);
  EXPECT_EQ(conform::ProfileOfTree(HARNESS_ALLOC_BY_DEV | HARNESS_DMA_CONFIGURE), kV7_1);
  EXPECT_EQ(conform::ProfileOfTree(HARNESS_ALLOC_BY_DEV | HARNESS_REATTACH), kV6_12);
  EXPECT_EQ(conform::ProfileOfTree(HARNESS_BUS_OPS | HARNESS_DEFER_UNSET), kV6_1);
}

// "1,474"
std::string Grouped(size_t n) {
  std::string digits = absl::StrCat(n);
  for (size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
  return digits;
}

// "arm-smmu-v3 on pci, arm-smmu on platform"
std::string BusesText(const report::SurveyEntry& entry) {
  return absl::StrReplaceAll(entry.buses, {{":", " on "}, {" ", ", "}});
}

report::SurveyData SurveyOf(const std::string& release) {
  const std::string file = absl::StrCat("data/systems/debian-", release, ".csv");
  return report::ParseSurveyData(ReadWhole(kSource / file), file).value();
}

std::vector<report::SurveyEntry> OfSeveralDrivers(const report::SurveyData& data) {
  std::vector<report::SurveyEntry> several;
  for (const report::SurveyEntry& entry : data.entries)
    if (report::ServingDrivers(entry).size() > 1) several.push_back(entry);
  return several;
}

// The tables of docs/systems.md are those of data/systems.
TEST(Docs, HaveTheSurveys) {
  const auto row = [](const std::string& release, const char* architectures) {
    const report::SurveyData data = SurveyOf(release);
    const size_t several = OfSeveralDrivers(data).size();
    const std::string& kernel = data.entries.front().kernel;
    const bool own = kernel.starts_with("v" + release);
    return Row({own ? release : absl::StrCat(release, " (asked about as ", kernel, ")"),
                architectures, Grouped(data.machines), Grouped(data.entries.size()),
                several == 0 ? "none" : absl::StrCat(several)});
  };
  ExpectPart(
      "docs/systems.md",
      "| kernel | architectures | device trees | with an IOMMU that the kernel drives | with "
      "devices of several drivers |\n|---|---|---|---|---|\n",
      "\n\n",
      absl::StrJoin({row("6.1", "arm64, armhf"), row("6.12", "arm64, armhf, riscv64"),
                     row("7.2", "arm64, armhf, riscv64")},
                    "\n"));
  std::map<std::string, int> by_buses;
  std::vector<std::string> boards;
  for (const report::SurveyEntry& entry : OfSeveralDrivers(SurveyOf("7.2"))) {
    ++by_buses[BusesText(entry)];
    boards.push_back(Row({entry.model, absl::StrCat("`", entry.machine, "`"), BusesText(entry)}));
    EXPECT_EQ(entry.answer, "not affected") << entry.machine;
    EXPECT_EQ(entry.patched, "not affected") << entry.machine;
  }
  std::vector<std::pair<int, std::string>> counts;
  for (const auto& [buses, n] : by_buses) counts.emplace_back(-n, buses);
  std::ranges::sort(counts);
  std::vector<std::string> rows;
  for (const auto& [n, buses] : counts) rows.push_back(Row({buses, absl::StrCat(-n)}));
  ExpectPart("docs/systems.md", "| drivers and their buses | boards |\n|---|---|\n", "\n\n",
             absl::StrJoin(rows, "\n"));
  ExpectPart("docs/systems.md",
             "| board | device tree | drivers and their buses |\n|---|---|---|\n", "\n<!-- end",
             absl::StrJoin(boards, "\n"));
  const std::string text = ReadWhole(kSource / "docs/systems.md");
  EXPECT_NE(text.find(absl::StrCat("## The ", boards.size(), " boards")), std::string::npos);
}

}  // namespace
}  // namespace iommucheck
