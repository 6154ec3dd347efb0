// SPDX-License-Identifier: Apache-2.0
//
// Turns JSON into the statements of the same case in text. Every string must be a single word
// without a meaning in the grammar, so that it cannot turn into something else on the way.
#include <algorithm>
#include <optional>

#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "src/case/case.h"
#include "src/case/json_syntax.h"
#include "src/case/source.h"
#include "src/case/spelling.h"

namespace iommucheck {
namespace {

using Json = nlohmann::ordered_json;

enum class Shape : uint8_t {
  kHead,     // already in the statement
  kWord,     // a string
  kWords,    // strings, each after the lead
  kNumber,   // an unsigned number
  kFlag,     // a boolean: true adds the lead itself
  kClaims,   // [{"bus": .., "claim": ..}]
  kErrno,    // the name of an errno
  kType,     // the name of a type of IOMMU
  kFlags,    // [words of flags] of the op
  kRange,    // {"first": .., "last": ..}
  kNumbers,  // [unsigned numbers]
  kRegions,  // [{"first": .., "last": .., "type": ..}]
  kCount,    // an unsigned number, appended to the word before
  kFaults,   // [{"fail": .., ..}]
  kComment,  // a string; comments are not words
};

struct Key {
  std::string_view name;
  Shape shape;
  bool required = false;
  std::string lead;  // what the text has before the value; with '=' at the end: its part
};
using Keys = std::vector<Key>;

Shape ShapeOf(AttributeInfo::Kind kind) {
  using Kind = AttributeInfo::Kind;
  switch (kind) {
    case Kind::kFlag:
      return Shape::kFlag;
    case Kind::kNumber:
      return Shape::kNumber;
    case Kind::kErrno:
      return Shape::kErrno;
    case Kind::kRange:
      return Shape::kRange;
    case Kind::kSizes:
      return Shape::kNumbers;
    case Kind::kRegions:
      return Shape::kRegions;
    case Kind::kClaims:
      return Shape::kClaims;
    case Kind::kName:
    case Kind::kTable:
    case Kind::kDriver:
    case Kind::kDevice:
      return Shape::kWord;
  }
  return Shape::kWord;
}

// The keys of an entry: the required ones, and its attributes.
Keys EntryKeys(Keys keys, Owner owner) {
  for (const AttributeInfo& attribute : AttributesOf(owner))
    keys.push_back({attribute.word, ShapeOf(attribute.kind), false, KeyOf(attribute)});
  return keys;
}

Shape ShapeOf(Operand operand) {
  if (operand == Operand::kGroup) return Shape::kNumber;
  return operand == Operand::kIommuType ? Shape::kType : Shape::kWord;
}

Keys OpKeys(const OpInfo& op) {
  Keys keys = {{"comment", Shape::kComment}, {"op", Shape::kHead, true}};
  keys.push_back({OperandWord(op.a), ShapeOf(op.a), true});
  if (op.b != Operand::kNone)
    keys.push_back({op.b_key, ShapeOf(op.b), op.b != Operand::kIommuType});
  if (op.is(OpInfo::kHasPages)) {
    keys.push_back({"iova", Shape::kNumber, true});
    keys.push_back({"count", Shape::kCount, true});
  }
  if (op.is(OpInfo::kHasVaddr)) keys.push_back({"vaddr", Shape::kNumber, true});
  if (!op.flags.empty()) keys.push_back({"flags", Shape::kFlags});
  keys.push_back({"faults", Shape::kFaults});
  keys.push_back({"result", Shape::kWord, false, "->"});
  return keys;
}

struct ExpectForm {
  std::string_view name;
  std::vector<std::string_view> head;
  Keys keys;
};
const std::vector<ExpectForm>& ExpectForms() {
  static const std::vector<ExpectForm> forms = {
      {"violated",
       {"expect", "violated"},
       {{"expect", Shape::kHead, true},
        {"property", Shape::kWord, true},
        {"at", Shape::kNumber, false, "at"}}},
      {"holds",
       {"expect", "holds"},
       {{"expect", Shape::kHead, true}, {"property", Shape::kWord, true}}},
      {"outside",
       {"expect", "outside"},
       {{"expect", Shape::kHead, true}, {"assumption", Shape::kWord, true}}},
      {"device",
       {"expect", "device"},
       {{"expect", Shape::kHead, true},
        {"device", Shape::kWord, true},
        {"driver", Shape::kWord, true, "driver"}}},
      {"hardware",
       {"expect", "device"},
       {{"expect", Shape::kHead, true},
        {"device", Shape::kWord, true},
        {"driver", Shape::kWord, true, "domain"}}},
      {"shares",
       {"expect", "group"},
       {{"expect", Shape::kHead, true},
        {"group", Shape::kNumber, true},
        {"with", Shape::kNumber, true, "shares"}}},
      {"apart",
       {"expect", "group"},
       {{"expect", Shape::kHead, true},
        {"group", Shape::kNumber, true},
        {"with", Shape::kNumber, true, "apart"}}},
      {"domain",
       {"expect", "group"},
       {{"expect", Shape::kHead, true},
        {"group", Shape::kNumber, true},
        {"driver", Shape::kWord, true, "domain"}}},
  };
  return forms;
}

std::string Describe(const Json& value) {
  if (value.is_string()) return Quote(value.get_ref<const std::string&>());
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array";
  return value.dump();
}

// The functions return false once status_ holds an error.
class JsonLexer {
 public:
  explicit JsonLexer(std::string_view file) { source_.file = file; }

  absl::StatusOr<Source> Run(const Json& root) {
    if (!ReadCase(root)) return status_;
    return std::move(source_);
  }

 private:
  using ReadEntry = bool (JsonLexer::*)(const Json&, const std::string& at);

  bool Fail(const std::string& at, std::string_view expected, std::string_view found) {
    status_ = Mismatch(source_.file, PlaceOf(at), expected, found);
    return false;
  }
  static Place PlaceOf(const std::string& at) { return {0, 0, at.empty() ? "/" : at}; }
  static std::string Below(const std::string& at, std::string_view step) {
    return at + '/' + std::string(step);
  }

  bool ReadCase(const Json& root) {
    const Keys keys = {{"comment", Shape::kComment}, {"kernel", Shape::kHead, true},
                       {"firmware", Shape::kHead},   {"settings", Shape::kHead},
                       {"tables", Shape::kHead},     {"drivers", Shape::kHead},
                       {"instances", Shape::kHead},  {"devices", Shape::kHead},
                       {"ops", Shape::kHead},        {"expectations", Shape::kHead}};
    if (!CheckKeys(root, "", keys)) return false;
    if (root.contains("comment") && !ReadComment(root["comment"], "/comment", source_.comment))
      return false;
    if (!ReadKernel(root["kernel"], "/kernel")) return false;
    if (root.contains("firmware") && !ReadFirmware(root["firmware"], "/firmware")) return false;
    if (root.contains("settings") && !ReadSettings(root["settings"], "/settings")) return false;
    return ReadArray(root, "tables", &JsonLexer::ReadTable) &&
           ReadArray(root, "drivers", &JsonLexer::ReadDriver) &&
           ReadArray(root, "instances", &JsonLexer::ReadInstance) &&
           ReadArray(root, "devices", &JsonLexer::ReadDevice) &&
           ReadArray(root, "ops", &JsonLexer::ReadOp) &&
           ReadArray(root, "expectations", &JsonLexer::ReadExpectation);
  }

  bool ReadArray(const Json& root, std::string_view key, ReadEntry read) {
    if (!root.contains(key)) return true;
    const Json& array = root[std::string(key)];
    return ForEach(array, Below("", key), [this, read](const Json& entry, const std::string& at) {
      return (this->*read)(entry, at);
    });
  }

  template <typename F>
  bool ForEach(const Json& array, const std::string& at, F read) {
    if (!array.is_array()) return Fail(at, "an array", Describe(array));
    for (size_t i = 0; i < array.size(); ++i)
      if (!read(array[i], Below(at, std::to_string(i)))) return false;
    return true;
  }

  bool ReadKernel(const Json& value, const std::string& at) {
    return ReadStatement(value, at, {"kernel"},
                         {{"version", Shape::kWord, true},
                          {"drop", Shape::kWords, false, "drop"},
                          {"add", Shape::kWords, false, "add"}});
  }
  bool ReadFirmware(const Json& value, const std::string& at) {
    Begin({"firmware"}, at);
    return PutString(value, at, "");
  }
  bool ReadSettings(const Json& value, const std::string& at) {
    return ReadStatement(value, at, {"settings"}, EntryKeys({}, Owner::kSettings));
  }
  bool ReadTable(const Json& value, const std::string& at) {
    Begin({"table"}, at);
    return PutString(value, at, "");
  }
  bool ReadDriver(const Json& value, const std::string& at) {
    return ReadStatement(value, at, {"driver"},
                         EntryKeys({{"name", Shape::kWord, true}}, Owner::kDriver));
  }
  bool ReadInstance(const Json& value, const std::string& at) {
    return ReadStatement(value, at, {"instance"},
                         EntryKeys({{"name", Shape::kWord, true}, {"driver", Shape::kWord, true}},
                                   Owner::kInstance));
  }
  bool ReadDevice(const Json& value, const std::string& at) {
    return ReadStatement(value, at, {"device"},
                         EntryKeys({{"name", Shape::kWord, true},
                                    {"bus", Shape::kWord, true},
                                    {"instances", Shape::kWords}},
                                   Owner::kDevice));
  }

  bool ReadOp(const Json& value, const std::string& at) {
    std::vector<std::string> names;
    for (const OpInfo& op : AllOps()) names.emplace_back(op.word);
    const auto index = FindForm(value, at, "op", names);
    if (!index) return false;
    const OpInfo& op = AllOps()[*index];
    return ReadStatement(value, at, {op.word}, OpKeys(op));
  }

  bool ReadExpectation(const Json& value, const std::string& at) {
    std::vector<std::string> names;
    for (const ExpectForm& form : ExpectForms()) names.emplace_back(form.name);
    const auto index = FindForm(value, at, "expect", names);
    if (!index) return false;
    const ExpectForm& form = ExpectForms()[*index];
    return ReadStatement(value, at, form.head, form.keys);
  }

  // Finds which of the names is the value at `key`; this name decides which other keys are allowed.
  std::optional<size_t> FindForm(const Json& value, const std::string& at, std::string_view key,
                                 const std::vector<std::string>& names) {
    const std::string expected = absl::StrFormat("an object with the key '%s'", key);
    if (!value.is_object()) {
      Fail(at, expected, Describe(value));
      return std::nullopt;
    }
    if (!value.contains(key)) {
      Fail(at, expected, "none");
      return std::nullopt;
    }
    const Json& name = value[std::string(key)];
    const auto it = std::ranges::find_if(names, [&name](const auto& n) { return name == n; });
    if (it != names.end()) return it - names.begin();
    std::string list;
    for (const std::string& n : names) list += (list.empty() ? "" : ", ") + n;
    const std::string word = name.is_string() ? name.get<std::string>() : "";
    Fail(Below(at, key), "one of " + list, Describe(name) + DidYouMean(word, names));
    return std::nullopt;
  }

  bool ReadStatement(const Json& value, const std::string& at,
                     const std::vector<std::string_view>& head, const Keys& keys) {
    if (!CheckKeys(value, at, keys)) return false;
    Begin(head, at);
    for (const Key& key : keys)
      if (value.contains(key.name) && !Put(value[std::string(key.name)], Below(at, key.name), key))
        return false;
    return true;
  }

  bool CheckKeys(const Json& value, const std::string& at, const Keys& keys) {
    if (!value.is_object()) return Fail(at, "an object", Describe(value));
    std::vector<std::string> known;
    for (const Key& key : keys) known.emplace_back(key.name);
    for (const auto& [name, unused] : value.items()) {
      if (std::ranges::find(known, name) != known.end()) continue;
      std::string list;
      for (const std::string& k : known) list += (list.empty() ? "" : ", ") + k;
      return Fail(at, "only the keys " + list, Quote(name) + DidYouMean(name, known));
    }
    for (const Key& key : keys)
      if (key.required && !value.contains(key.name))
        return Fail(at, absl::StrFormat("an object with the key '%s'", key.name), "none");
    return true;
  }

  void Begin(const std::vector<std::string_view>& head, const std::string& at) {
    source_.statements.emplace_back();
    source_.statements.back().end = PlaceOf(at);
    for (std::string_view word : head) PutWord(std::string(word), at);
  }

  void PutWord(std::string text, const std::string& at) {
    source_.storage.push_back(std::move(text));
    source_.statements.back().words.push_back({source_.storage.back(), PlaceOf(at)});
  }

  void PutLed(std::string_view lead, const std::string& text, const std::string& at) {
    if (lead.ends_with('=')) return PutWord(std::string(lead) + text, at);
    if (!lead.empty()) PutWord(std::string(lead), at);
    PutWord(text, at);
  }

  bool Put(const Json& value, const std::string& at, const Key& key) {
    switch (key.shape) {
      case Shape::kHead:
        return true;
      case Shape::kWord:
        return PutString(value, at, key.lead);
      case Shape::kWords:
        return ForEach(value, at, [&](const Json& entry, const std::string& entry_at) {
          return PutString(entry, entry_at, key.lead);
        });
      case Shape::kNumber:
        if (!CheckNumber(value, at)) return false;
        PutLed(key.lead, value.dump(), at);
        return true;
      case Shape::kErrno:
        if (!CheckErrno(value, at)) return false;
        PutLed(key.lead, value.get<std::string>(), at);
        return true;
      case Shape::kType:
        return PutOneOf(value, at, {kIommuTypeNames.begin(), kIommuTypeNames.end()});
      case Shape::kFlags:
        return PutFlags(value, at);
      case Shape::kRange: {
        std::string pages;
        if (!CheckKeys(value, at, RangeKeys()) || !ReadRange(value, at, pages)) return false;
        PutLed(key.lead, pages, at);
        return true;
      }
      case Shape::kNumbers:
        return PutNumbers(value, at, key.lead);
      case Shape::kRegions:
        return ForEach(value, at, [&](const Json& region, const std::string& region_at) {
          return PutRegion(region, region_at, key.lead);
        });
      case Shape::kCount:
        return CheckNumber(value, at) && AppendCount(value);
      case Shape::kFlag:
        if (!value.is_boolean()) return Fail(at, "true or false", Describe(value));
        if (value.get<bool>()) PutWord(std::string(key.lead), at);
        return true;
      case Shape::kClaims:
        return PutClaims(value, at);
      case Shape::kFaults:
        return ForEach(value, at, [this](const Json& fault, const std::string& fault_at) {
          return PutFault(fault, fault_at);
        });
      case Shape::kComment:
        return ReadComment(value, at, source_.statements.back().comment);
    }
    return false;
  }

  bool PutString(const Json& value, const std::string& at, std::string_view lead) {
    if (!CheckWord(value, at)) return false;
    PutLed(lead, value.get<std::string>(), at);
    return true;
  }

  bool CheckWord(const Json& value, const std::string& at) {
    if (!value.is_string()) return Fail(at, "a string", Describe(value));
    const auto& text = value.get_ref<const std::string&>();
    // A device word alone, such as `absent`, would be read as the flag.
    return (HasNameCharacters(text) && !IsDeviceWord(text)) ||
           Fail(at, "a name of A-Z a-z 0-9 _ . : + -", Quote(text));
  }

  bool CheckNumber(const Json& value, const std::string& at) {
    return value.is_number_unsigned() || Fail(at, "a number", Describe(value));
  }

  // In text the pages of an op are one word, so the count is appended to the first page.
  bool AppendCount(const Json& value) {
    Word& word = source_.statements.back().words.back();
    source_.storage.push_back(std::string(word.text) + '+' + value.dump());
    word.text = source_.storage.back();
    return true;
  }

  bool PutOneOf(const Json& value, const std::string& at, const std::vector<std::string>& names) {
    const auto it = std::ranges::find_if(names, [&value](const auto& n) { return value == n; });
    if (it != names.end()) {
      PutWord(*it, at);
      return true;
    }
    std::string list;
    for (const std::string& n : names) list += (list.empty() ? "" : ", ") + n;
    const std::string word = value.is_string() ? value.get<std::string>() : "";
    return Fail(at, "one of " + list, Describe(value) + DidYouMean(word, names));
  }

  bool PutFlags(const Json& value, const std::string& at) {
    const auto kind = FindOp(source_.statements.back().words.front().text);
    std::vector<std::string> names;
    for (const OpFlag& flag : InfoOf(*kind).flags) names.emplace_back(flag.word);
    return ForEach(value, at, [&](const Json& flag, const std::string& flag_at) {
      return PutOneOf(flag, flag_at, names);
    });
  }

  static Keys RangeKeys() {
    return {{"first", Shape::kNumber, true}, {"last", Shape::kNumber, true}};
  }

  bool ReadRange(const Json& value, const std::string& at, std::string& pages) {
    const Json& first = value["first"];
    const Json& last = value["last"];
    if (!CheckNumber(first, Below(at, "first")) || !CheckNumber(last, Below(at, "last")))
      return false;
    pages = first.dump() + '-' + last.dump();
    return true;
  }

  bool PutRegion(const Json& value, const std::string& at, std::string_view lead) {
    Keys keys = RangeKeys();
    keys.push_back({"type", Shape::kWord, true});
    std::string pages;
    if (!CheckKeys(value, at, keys) || !ReadRange(value, at, pages) ||
        !CheckWord(value["type"], Below(at, "type")))
      return false;
    PutLed(lead, pages + ':' + value["type"].get<std::string>(), at);
    return true;
  }

  bool PutNumbers(const Json& value, const std::string& at, std::string_view lead) {
    std::string list;
    const auto add = [this, &list](const Json& number, const std::string& number_at) {
      if (!CheckNumber(number, number_at)) return false;
      list += (list.empty() ? "" : ",") + number.dump();
      return true;
    };
    if (!ForEach(value, at, add)) return false;
    PutLed(lead, list, at);
    return true;
  }

  bool PutClaims(const Json& value, const std::string& at) {
    std::string list;
    const auto add = [this, &list](const Json& claim, const std::string& claim_at) {
      const Keys keys = {{"bus", Shape::kWord, true}, {"claim", Shape::kWord, true}};
      if (!CheckKeys(claim, claim_at, keys) || !CheckWord(claim["bus"], Below(claim_at, "bus")) ||
          !CheckWord(claim["claim"], Below(claim_at, "claim")))
        return false;
      list += (list.empty() ? "" : ",") + claim["bus"].get<std::string>() + ':' +
              claim["claim"].get<std::string>();
      return true;
    };
    if (!ForEach(value, at, add)) return false;
    if (!list.empty()) PutWord("claims=" + list, at);
    return true;
  }

  bool PutFault(const Json& value, const std::string& at) {
    std::vector<std::string> names;
    for (const FaultInfo& fault : AllFaults()) names.emplace_back(fault.word);
    const auto form = FindForm(value, at, "fail", names);
    if (!form) return false;
    const FaultInfo& fault = AllFaults()[*form];
    Keys keys = {{"fail", Shape::kHead, true}};
    if (fault.of_device)
      keys.push_back({"device", Shape::kWord, true});
    else
      keys.push_back({"nth", Shape::kNumber, true});
    if (fault.has_errno) keys.push_back({"errno", Shape::kErrno, true});
    if (fault.has_count) keys.push_back({"count", Shape::kHead});
    if (!CheckKeys(value, at, keys)) return false;
    std::string text = "fail=" + names[*form];
    if (!(fault.of_device ? AppendWord(value, at, "device", text)
                          : AppendNumber(value, at, "nth", text)))
      return false;
    if (fault.has_errno) {
      if (!CheckErrno(value["errno"], Below(at, "errno"))) return false;
      text += ':' + value["errno"].get<std::string>();
    }
    if (value.contains("count")) {
      const Json& count = value["count"];
      if (!count.is_number_unsigned() && count != "all")
        return Fail(Below(at, "count"), "a number or \"all\"", Describe(count));
      text += ':' + (count.is_string() ? "all" : count.dump());
    }
    PutWord(std::move(text), at);
    return true;
  }
  bool AppendWord(const Json& value, const std::string& at, const char* key, std::string& text) {
    if (!CheckWord(value[key], Below(at, key))) return false;
    text += ':' + value[key].get<std::string>();
    return true;
  }
  bool AppendNumber(const Json& value, const std::string& at, const char* key, std::string& text) {
    if (!CheckNumber(value[key], Below(at, key))) return false;
    text += ':' + value[key].dump();
    return true;
  }

  // Without this check, the errno could contain a count.
  bool CheckErrno(const Json& value, const std::string& at) {
    if (!CheckWord(value, at)) return false;
    const auto text = value.get<std::string>();
    if (FindErrno('-' + text)) return true;
    return Fail(at, "an errno such as EINVAL", Quote(text) + DidYouMean(text, FaultErrnoNames()));
  }

  bool ReadComment(const Json& value, const std::string& at, std::string& comment) {
    if (!value.is_string()) return Fail(at, "a string", Describe(value));
    bool first = true;
    for (std::string_view line : SplitLines(value.get_ref<const std::string&>())) {
      line = TrimCommentLine(line);
      if (FindBadCommentByte(line))
        return Fail(at, "UTF-8 without control characters", Quote(line));
      if (!first) comment += '\n';
      comment += line;
      first = false;
    }
    return true;
  }

  Source source_;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<Case> CaseFromJson(std::string_view json, std::string_view file) {
  if (json.size() > kMaxCaseJsonBytes)
    return Mismatch(file, {1, 1, {}}, absl::StrFormat("at most %d bytes", kMaxCaseJsonBytes),
                    absl::StrFormat("%d", json.size()));
  if (absl::Status s = CheckJsonSyntax(json, file); !s.ok()) return s;
  const auto source = JsonLexer(file).Run(Json::parse(json, nullptr, /*allow_exceptions=*/false));
  if (!source.ok()) return source.status();
  auto result = ParseSource(*source);
  if (!result.ok()) return result;
  const size_t size = PrintCase(*result).size();
  if (size > kMaxCaseBytes)
    return Mismatch(file, {0, 0, "/"}, absl::StrFormat("at most %d bytes as text", kMaxCaseBytes),
                    absl::StrFormat("%d", size));
  return result;
}

}  // namespace iommucheck
