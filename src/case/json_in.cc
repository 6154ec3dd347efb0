// SPDX-License-Identifier: Apache-2.0
//
// Turns JSON into the statements of the same case in text. Every string must be a single word
// without a meaning in the grammar, so that it cannot turn into something else on the way.
#include <algorithm>
#include <optional>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"
#include "src/case/case.h"
#include "src/case/json_syntax.h"
#include "src/case/source.h"
#include "src/case/spelling.h"

namespace iommucheck {
namespace {

using Json = nlohmann::ordered_json;

// The sorts of values. Those of the first part become one word, or a part of one.
enum class Shape : uint8_t {
  kWord,         // a string
  kNumber,       // an unsigned number
  kNumberOrAll,  // or "all"
  kErrno,        // the name of an errno
  kName,         // one of the key's names
  kObject,       // {..} of the key's parts
  kList,         // [..] of the key's first part, with commas between
  // The others.
  kHead,     // already in the statement
  kEach,     // [..] of the key's first part, a word each
  kFlag,     // a boolean: true adds the lead itself
  kCount,    // an unsigned number, appended to the word before
  kFaults,   // [{"fail": .., ..}]
  kComment,  // a string; comments are not words
};

struct Key {
  std::string_view name;
  Shape shape;
  bool required = false;
  std::string lead{};  // the text before the value: a word, or with '=' at the end a part of one
  std::vector<Key> parts{};
  std::vector<std::string> names{};
};
using Keys = std::vector<Key>;

Key Each(std::string_view name, Key item) {
  return {name, Shape::kEach, false, "", {std::move(item)}};
}

const Keys kRange = {{"first", Shape::kNumber, true}, {"last", Shape::kNumber, true, "-"}};
const Keys kRegion = {{"first", Shape::kNumber, true},
                      {"last", Shape::kNumber, true, "-"},
                      {"type", Shape::kWord, true, ":"}};
const Keys kClaim = {{"bus", Shape::kWord, true}, {"claim", Shape::kWord, true, ":"}};

Key KeyFor(const AttributeInfo& attribute) {
  using Kind = AttributeInfo::Kind;
  const std::string lead = KeyOf(attribute);
  switch (attribute.kind) {
    case Kind::kFlag:
      return {attribute.word, Shape::kFlag, false, lead};
    case Kind::kNumber:
      return {attribute.word, Shape::kNumber, false, lead};
    case Kind::kErrno:
      return {attribute.word, Shape::kErrno, false, lead};
    case Kind::kRange:
      return {attribute.word, Shape::kObject, false, lead, kRange};
    case Kind::kSizes:
      return {attribute.word, Shape::kList, false, lead, {{"", Shape::kNumber}}};
    case Kind::kRegions:
      return {
          attribute.word, Shape::kEach, false, "", {{"", Shape::kObject, false, lead, kRegion}}};
    case Kind::kClaims:
      return {attribute.word, Shape::kList, false, lead, {{"", Shape::kObject, false, "", kClaim}}};
    case Kind::kName:
    case Kind::kTable:
    case Kind::kDriver:
    case Kind::kDevice:
      break;
  }
  return {attribute.word, Shape::kWord, false, lead};
}

// The keys of an entry: the required ones, and its attributes.
Keys EntryKeys(Owner owner, Keys keys) {
  for (const AttributeInfo& attribute : AttributesOf(owner)) keys.push_back(KeyFor(attribute));
  return keys;
}

Key KeyFor(Operand operand, std::string_view name) {
  if (operand == Operand::kIommuType)  // may be left out
    return {name, Shape::kName, false, "", {}, {kIommuTypeNames.begin(), kIommuTypeNames.end()}};
  return {name, operand == Operand::kGroup ? Shape::kNumber : Shape::kWord, true};
}

// An object whose keys depend on the name at the first of them.
struct Form {
  std::string name;
  std::vector<std::string_view> head;
  Keys keys;
};

Form OpForm(const OpInfo& op) {
  Keys keys = {{"comment", Shape::kComment}, {"op", Shape::kHead, true}};
  keys.push_back(KeyFor(op.a, OperandWord(op.a)));
  if (op.b != Operand::kNone) keys.push_back(KeyFor(op.b, op.b_key));
  if (op.is(OpInfo::kHasPages)) {
    keys.push_back({"iova", Shape::kNumber, true});
    keys.push_back({"count", Shape::kCount, true});
  }
  if (op.is(OpInfo::kHasVaddr)) keys.push_back({"vaddr", Shape::kNumber, true});
  if (const auto flags = NamesOf(op.flags, &OpFlag::word); !flags.empty())
    keys.push_back(Each("flags", {"", Shape::kName, false, "", {}, flags}));
  keys.push_back({"faults", Shape::kFaults});
  keys.push_back({"result", Shape::kWord, false, "->"});
  return {std::string(op.word), {op.word}, keys};
}

Form ExpectationForm(const ExpectationInfo& info) {
  using About = ExpectationInfo::About;
  using Object = ExpectationInfo::Object;
  Keys keys = {{"expect", Shape::kHead, true}};
  keys.push_back(
      {JsonKey(info.about), info.about == About::kGroup ? Shape::kNumber : Shape::kWord, true});
  if (info.object != Object::kNone)
    keys.push_back({JsonKey(info.object),
                    info.object == Object::kGroup ? Shape::kNumber : Shape::kWord, true,
                    std::string(info.verb)});
  if (info.kind == Expectation::Kind::kViolated)
    keys.push_back({"at", Shape::kNumber, false, "at"});
  return {std::string(info.name), {"expect", info.subject}, keys};
}

Form FaultForm(const FaultInfo& fault) {
  Keys keys = {{"fail", Shape::kHead, true}};
  keys.push_back({fault.of_device ? "device" : "nth",
                  fault.of_device ? Shape::kWord : Shape::kNumber, true, ":"});
  if (fault.has_errno) keys.push_back({"errno", Shape::kErrno, true, ":"});
  if (fault.has_count) keys.push_back({"count", Shape::kNumberOrAll, false, ":"});
  return {std::string(fault.word), {}, keys};
}

template <typename Rows, typename MakeForm>
std::vector<Form> FormsOf(const Rows& rows, MakeForm make) {
  std::vector<Form> forms;
  for (const auto& row : rows) forms.push_back(make(row));
  return forms;
}

// The statements at one key of a case. A form without keys is a statement of one word.
struct Section {
  enum class Count : uint8_t { kOne, kOneOrNone, kList };
  std::string_view key;
  Count count;
  std::vector<Form> forms;
  std::string_view form_key{};  // says which form it is, if there are several
};
const std::vector<Section>& Sections() {
  using enum Section::Count;
  static const std::vector<Section> kSections = {
      {"kernel",
       kOne,
       {{"",
         {"kernel"},
         {{"version", Shape::kWord, true},
          Each("drop", {"", Shape::kWord, false, "drop"}),
          Each("add", {"", Shape::kWord, false, "add"})}}}},
      {"firmware", kOneOrNone, {{"", {"firmware"}, {}}}},
      {"settings", kOneOrNone, {{"", {"settings"}, EntryKeys(Owner::kSettings, {})}}},
      {"tables", kList, {{"", {"table"}, {}}}},
      {"drivers",
       kList,
       {{"", {"driver"}, EntryKeys(Owner::kDriver, {{"name", Shape::kWord, true}})}}},
      {"instances",
       kList,
       {{"",
         {"instance"},
         EntryKeys(Owner::kInstance,
                   {{"name", Shape::kWord, true}, {"driver", Shape::kWord, true}})}}},
      {"devices",
       kList,
       {{"",
         {"device"},
         EntryKeys(Owner::kDevice, {{"name", Shape::kWord, true},
                                    {"bus", Shape::kWord, true},
                                    Each("instances", {"", Shape::kWord})})}}},
      {"ops", kList, FormsOf(AllOps(), OpForm), "op"},
      {"expectations", kList, FormsOf(AllExpectations(), ExpectationForm), "expect"},
  };
  return kSections;
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
  bool Fail(const std::string& at, std::string_view expected, std::string_view found) {
    status_ = Mismatch(source_.file, PlaceOf(at), expected, found);
    return false;
  }
  static Place PlaceOf(const std::string& at) { return {0, 0, at.empty() ? "/" : at}; }
  static std::string Below(const std::string& at, std::string_view step) {
    return at + '/' + std::string(step);
  }

  bool ReadCase(const Json& root) {
    Keys keys = {{"comment", Shape::kComment}};
    for (const Section& section : Sections())
      keys.push_back({section.key, Shape::kHead, section.count == Section::Count::kOne});
    if (!CheckKeys(root, "", keys)) return false;
    if (root.contains("comment") && !ReadComment(root["comment"], "/comment", source_.comment))
      return false;
    return std::ranges::all_of(Sections(), [&](const Section& section) {
      if (!root.contains(section.key)) return true;
      const Json& value = root[std::string(section.key)];
      const std::string at = Below("", section.key);
      const auto read = [&](const Json& entry, const std::string& entry_at) {
        return ReadStatement(entry, entry_at, section);
      };
      return section.count == Section::Count::kList ? ForEach(value, at, read) : read(value, at);
    });
  }

  template <typename Read>
  bool ForEach(const Json& array, const std::string& at, Read read) {
    if (!array.is_array()) return Fail(at, "an array", Describe(array));
    for (size_t i = 0; i < array.size(); ++i)
      if (!read(array[i], Below(at, std::to_string(i)))) return false;
    return true;
  }

  // The form that the object names at `key`.
  const Form* FindForm(const Json& value, const std::string& at, std::string_view key,
                       const std::vector<Form>& forms) {
    if (!CheckObject(value, at, key)) return nullptr;
    std::string name;
    if (!ReadName(value[std::string(key)], Below(at, key), NamesOf(forms, &Form::name), name))
      return nullptr;
    return &*std::ranges::find(forms, name, &Form::name);
  }

  bool ReadName(const Json& value, const std::string& at, const std::vector<std::string>& names,
                std::string& name) {
    if (value.is_string()) name = value.get<std::string>();
    if (std::ranges::find(names, name) != names.end()) return true;
    return Fail(at, "one of " + absl::StrJoin(names, ", "),
                Describe(value) + DidYouMean(name, names));
  }

  bool ReadStatement(const Json& value, const std::string& at, const Section& section) {
    const Form* const form = section.form_key.empty()
                                 ? &section.forms.front()
                                 : FindForm(value, at, section.form_key, section.forms);
    if (form == nullptr) return false;
    const bool is_word = form->keys.empty();
    if (!is_word && !CheckKeys(value, at, form->keys)) return false;
    Begin(form->head, at);
    if (is_word) return Put(value, at, {"", Shape::kWord});
    return std::ranges::all_of(form->keys, [&](const Key& key) {
      return !value.contains(key.name) ||
             Put(value[std::string(key.name)], Below(at, key.name), key);
    });
  }

  bool CheckKeys(const Json& value, const std::string& at, const Keys& keys) {
    if (!value.is_object()) return Fail(at, "an object", Describe(value));
    const std::vector<std::string> known = NamesOf(keys, &Key::name);
    for (const auto& [name, unused] : value.items())
      if (std::ranges::find(known, name) == known.end())
        return Fail(at, "only the keys " + absl::StrJoin(known, ", "),
                    Quote(name) + DidYouMean(name, known));
    return std::ranges::all_of(
        keys, [&](const Key& key) { return !key.required || CheckObject(value, at, key.name); });
  }

  bool CheckObject(const Json& value, const std::string& at, std::string_view key) {
    if (value.is_object() && value.contains(key)) return true;
    return Fail(at, absl::StrFormat("an object with the key '%s'", key),
                value.is_object() ? "none" : Describe(value));
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
    std::string text;
    switch (key.shape) {
      case Shape::kHead:
        return true;
      case Shape::kEach:
        return ForEach(value, at, [&](const Json& entry, const std::string& entry_at) {
          return Put(entry, entry_at, key.parts.front());
        });
      case Shape::kFlag:
        if (!value.is_boolean()) return Fail(at, "true or false", Describe(value));
        if (value.get<bool>()) PutWord(key.lead, at);
        return true;
      case Shape::kCount:
        return ReadText(value, at, {"", Shape::kNumber}, text) && AppendCount(text);
      case Shape::kFaults:
        return ForEach(value, at, [this](const Json& fault, const std::string& fault_at) {
          return PutFault(fault, fault_at);
        });
      case Shape::kComment:
        return ReadComment(value, at, source_.statements.back().comment);
      default:
        if (!ReadText(value, at, key, text)) return false;
        // An empty list of objects, such as the claims of a driver without claims, has no word.
        if (key.shape == Shape::kList && text.empty() && key.parts.front().shape == Shape::kObject)
          return true;
        PutLed(key.lead, text, at);
        return true;
    }
  }

  // Appends the text of a value that becomes a word or a part of one.
  bool ReadText(const Json& value, const std::string& at, const Key& key, std::string& text) {
    switch (key.shape) {
      case Shape::kNumber:
        if (!value.is_number_unsigned()) return Fail(at, "a number", Describe(value));
        text += value.dump();
        return true;
      case Shape::kNumberOrAll:
        if (!value.is_number_unsigned() && value != "all")
          return Fail(at, "a number or \"all\"", Describe(value));
        text += value.is_string() ? "all" : value.dump();
        return true;
      case Shape::kName:
        return ReadName(value, at, key.names, text);
      case Shape::kObject:
        return ReadParts(value, at, key.parts, text);
      case Shape::kList:
        return ForEach(value, at, [&](const Json& item, const std::string& item_at) {
          if (!text.empty()) text += ',';
          return ReadText(item, item_at, key.parts.front(), text);
        });
      default:
        if (!CheckWord(value, at)) return false;
        text += value.get<std::string>();
        return key.shape != Shape::kErrno || CheckErrno(value.get<std::string>(), at);
    }
  }

  bool ReadParts(const Json& value, const std::string& at, const Keys& parts, std::string& text) {
    if (!CheckKeys(value, at, parts)) return false;
    return std::ranges::all_of(parts, [&](const Key& part) {
      if (part.shape == Shape::kHead || !value.contains(part.name)) return true;
      text += part.lead;
      return ReadText(value[std::string(part.name)], Below(at, part.name), part, text);
    });
  }

  bool CheckWord(const Json& value, const std::string& at) {
    if (!value.is_string()) return Fail(at, "a string", Describe(value));
    const auto& text = value.get_ref<const std::string&>();
    // A device word alone, such as `absent`, would be read as the flag.
    return (HasNameCharacters(text) && !IsDeviceWord(text)) ||
           Fail(at, "a name of A-Z a-z 0-9 _ . : + -", Quote(text));
  }

  // Without this check, the errno could contain a count.
  bool CheckErrno(const std::string& name, const std::string& at) {
    return FindErrno('-' + name) ||
           Fail(at, "an errno such as EINVAL", Quote(name) + DidYouMean(name, FaultErrnoNames()));
  }

  // In text the pages of an op are one word, so the count is appended to the first page.
  bool AppendCount(const std::string& count) {
    Word& word = source_.statements.back().words.back();
    source_.storage.push_back(std::string(word.text) + '+' + count);
    word.text = source_.storage.back();
    return true;
  }

  bool PutFault(const Json& value, const std::string& at) {
    const std::vector<Form> forms = FormsOf(AllFaults(), FaultForm);
    const Form* const form = FindForm(value, at, "fail", forms);
    if (form == nullptr) return false;
    std::string text = "fail=" + form->name;
    if (!ReadParts(value, at, form->keys, text)) return false;
    PutWord(std::move(text), at);
    return true;
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
