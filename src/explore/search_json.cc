// SPDX-License-Identifier: Apache-2.0
#include "src/explore/search_json.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/case/encoded.h"
#include "src/case/json_syntax.h"
#include "src/case/json_text.h"
#include "src/case/kernel.h"
#include "src/case/run.h"
#include "src/tool/provenance.h"

namespace iommucheck::explore {
namespace {

using Json = nlohmann::ordered_json;

// Reads what it expects, and keeps the first thing that was something else.
class Reader {
 public:
  Reader(const Json& json, const std::string& file) : json_(json), file_(file) {}

  [[nodiscard]] const absl::Status& status() const { return status_; }
  void Fail(const std::string& why) {
    if (status_.ok()) status_ = absl::InvalidArgumentError(absl::StrCat(file_, ": ", why));
  }

  [[nodiscard]] const Json* At(const std::string& pointer) const {
    const Json::json_pointer p(pointer);
    return json_.contains(p) ? &json_.at(p) : nullptr;
  }
  std::string Text(const std::string& pointer) {
    return Get<std::string>(pointer, &Json::is_string, "a string");
  }
  uint64_t Number(const std::string& pointer, uint64_t most) {
    const std::string what = absl::StrCat("a number up to ", most);
    const auto number = Get<uint64_t>(pointer, &Json::is_number_unsigned, what);
    Require(number <= most, pointer, what);
    return number <= most ? number : 0;
  }
  bool Flag(const std::string& pointer) {
    return Get<bool>(pointer, &Json::is_boolean, "true or false");
  }
  std::vector<std::string> Words(const std::string& pointer) {
    std::vector<std::string> words(Size(pointer));
    for (size_t i = 0; i < words.size(); ++i) words[i] = Text(absl::StrCat(pointer, "/", i));
    return words;
  }
  size_t Size(const std::string& pointer) {
    return Get<Json>(pointer, &Json::is_array, "a list").size();
  }
  // Unless it holds, something else than `what` was expected.
  void Require(bool holds, const std::string& pointer, const std::string& what) {
    if (holds || !status_.ok()) return;
    const Json* found = At(pointer);
    std::string text = found == nullptr ? "nothing" : JsonLine(*found);
    if (text.size() > 60) text = text.substr(0, 57) + "...";
    status_ = absl::InvalidArgumentError(
        absl::StrCat(file_, ": ", pointer, ": expected ", what, ", found ", text));
  }

 private:
  template <typename Value>
  Value Get(const std::string& pointer, bool (Json::*is)() const noexcept,
            const std::string& what) {
    const Json* found = At(pointer);
    const bool fits = found != nullptr && (found->*is)();
    Require(fits, pointer, what);
    return fits ? found->get<Value>() : Value();
  }

  const Json& json_;
  const std::string& file_;
  absl::Status status_ = absl::OkStatus();
};

constexpr char kModel[] = "/exploration/model";
constexpr char kCheck[] = "/exploration/check";

// FNV-1a of all that a record says but the check itself, whatever the order of its members.
std::string CheckOf(const Json& record) {
  auto sorted = nlohmann::json::parse(JsonLine(record));
  sorted["exploration"].erase("check");
  uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : sorted.dump()) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3U;
  }
  return absl::StrFormat("%016x", hash);
}

// Before anything else is believed.
void ReadSeal(Reader& in, const Json& record) {
  const std::string model = in.Text(kModel);
  const std::string check = in.Text(kCheck);
  if (!in.status().ok()) return;
  if (model != tool::ModelHash())
    in.Fail(absl::StrFormat("made by another model: %s, this iommucheck has %s",
                            model.substr(0, 16), tool::ModelHash()));
  in.Require(check == CheckOf(record), kCheck, "that of what the file says");
}

void ReadQuestion(Reader& in, Question& q) {
  const auto property = FindEncodedProperty(in.Text("/property"));
  in.Require(property.has_value(), "/property", AnEncodedProperty());
  const auto kernel = MakeKernel(in.Text("/kernel/profile"), in.Words("/kernel/dropped"),
                                 in.Words("/kernel/added"));
  in.Require(kernel.ok() && CheckEncoded(*kernel).ok(), "/kernel", "a kernel");
  const auto scope = ParseScope(in.Text("/exploration/scope"));
  in.Require(scope.ok(), "/exploration/scope", "a scope");
  q.shards = static_cast<int>(in.Number("/exploration/shards", kMaxShards));
  q.shard = static_cast<int>(in.Number("/exploration/shard", kMaxShards));
  in.Require(q.shard >= 1 && q.shard <= q.shards, "/exploration/shard", "1 to the shards");
  if (!property || !in.status().ok()) return;
  q.property = *property;
  q.kernel = *kernel;
  q.scope = *scope;
}

// That the case is of the question and does what is said of it.
void CheckCase(Reader& in, const ScopeAnswer& a) {
  const Question& q = a.question;
  const auto steps = static_cast<int>(a.found.ops.size());
  in.Require(a.found.kernel == q.kernel, "/case/kernel", "the kernel of the question");
  in.Require(CheckEncoded(a.found.topology, a.found.names).ok(), "/case",
             "a machine that is encoded");
  in.Require(a.found.topology.devices_count <= q.scope.devices && steps <= q.scope.steps, "/case",
             "one that fits into the scope");
  in.Require(a.depth < steps && (!a.smallest || a.depth == steps - 1), "/exploration/depth",
             absl::StrCat(steps - 1, ", for a case of ", steps, " steps"));
  const Run run = Play(a.found);
  in.Require(!run.outside && run.of(q.property).at == steps, "/case",
             absl::StrFormat("a run that violates %s at its last step", PropertyName(q.property)));
}

// That what a record says of its search can be true.
void CheckCounts(Reader& in, const ScopeAnswer& a) {
  const int steps = a.question.scope.steps;
  const bool holds = a.verdict == Verdict::kHolds;
  in.Require(!a.every_depth || holds, "/exploration/every_depth", "false");
  in.Require(!holds || a.shapes_done == a.shapes, "/stats/shapes_done",
             absl::StrCat(a.shapes, ", for it holds"));
  in.Require(holds || a.shapes_done < a.shapes, "/stats/shapes_done",
             absl::StrCat("less than ", a.shapes));
  in.Require(!holds || a.every_depth || (steps != kUnbounded && a.depth == steps),
             "/exploration/depth", "the steps of the scope");
  in.Require(a.depth <= steps && (a.verdict != Verdict::kUnknown || a.depth != steps),
             "/exploration/depth", "one within the scope");
  if (a.verdict == Verdict::kViolated) CheckCase(in, a);
}

}  // namespace

Json ExplorationToJson(const ScopeAnswer& a) {
  Json out = {{"scope", ScopeText(a.question.scope)},
              {"shard", a.question.shard},
              {"shards", a.question.shards},
              {"every_depth", a.every_depth},
              {"depth", a.depth},
              {"shape", a.found_in}};
  if (a.verdict == Verdict::kViolated) out["smallest"] = a.smallest;
  return out;
}

void Seal(Json& record) {
  record["exploration"]["model"] = std::string(tool::ModelHash());
  record["exploration"]["check"] = CheckOf(record);
}

absl::StatusOr<ScopeAnswer> AnswerFromJson(std::string_view text, const std::string& file,
                                           std::string_view tool) {
  if (absl::Status s = CheckJsonSyntax(text, file); !s.ok()) return s;
  const Json json = Json::parse(text);
  Reader in(json, file);
  in.Require(in.Text("/command") == "explore", "/command", "\"explore\"");
  ReadSeal(in, json);
  in.Require(in.Text("/tool") == tool, "/tool", JsonLine(std::string(tool)));
  ScopeAnswer a;
  ReadQuestion(in, a.question);
  const std::string verdict = in.Text("/verdict");
  if (verdict == "none")
    a.verdict = Verdict::kHolds;
  else if (verdict == "violated")
    a.verdict = Verdict::kViolated;
  else
    in.Require(verdict == "unknown", "/verdict", "none, violated or unknown");
  constexpr uint64_t kAny = std::numeric_limits<uint64_t>::max();
  a.every_depth = in.Flag("/exploration/every_depth");
  a.depth = static_cast<int>(in.Number("/exploration/depth", kUnbounded));
  a.found_in = in.Number("/exploration/shape", kAny);
  a.shapes = in.Number("/stats/shapes", kAny);
  a.shapes_done = in.Number("/stats/shapes_done", kAny);
  a.machines = in.Number("/stats/topologies", kAny);
  a.states = in.Number("/stats/states", kAny);
  a.transitions = in.Number("/stats/transitions", kAny);
  if (a.verdict == Verdict::kViolated) a.smallest = in.Flag("/exploration/smallest");
  if (a.verdict == Verdict::kUnknown || !a.smallest) a.reason = in.Text("/reason");
  in.Require(a.verdict != Verdict::kViolated || in.At("/case") != nullptr, "/case", "a case");
  if (!in.status().ok()) return in.status();
  if (a.verdict == Verdict::kViolated) {
    absl::StatusOr<Case> found = CaseFromJson(JsonLine(json["case"]), file + ": /case");
    if (!found.ok()) return found.status();
    a.found = *std::move(found);
  }
  CheckCounts(in, a);
  if (!in.status().ok()) return in.status();
  return a;
}

std::string PrintProgress(const Progress& p) {
  Json out = {{"command", "explore checkpoint"},
              {"property", std::string(PropertyName(p.question.property))},
              {"kernel",
               {{"profile", std::string(VersionName(p.question.kernel.version))},
                {"dropped", RuleIds(p.question.kernel.dropped)},
                {"added", RuleIds(p.question.kernel.added)}}},
              {"exploration",
               {{"scope", ScopeText(p.question.scope)},
                {"shard", p.question.shard},
                {"shards", p.question.shards}}},
              {"pass", p.pass}};
  Json& done = out["done"] = Json::array();
  for (const DoneShapes& d : p.done)
    done.push_back({{"first", d.first},
                    {"last", d.last},
                    {"every_depth", d.every_depth},
                    {"states", d.states},
                    {"transitions", d.transitions},
                    {"depth", d.depth}});
  Seal(out);
  return JsonText(out, 1);
}

absl::StatusOr<Progress> ParseProgress(std::string_view text, const std::string& file) {
  if (absl::Status s = CheckJsonSyntax(text, file); !s.ok()) return s;
  const Json json = Json::parse(text);
  Reader in(json, file);
  in.Require(in.Text("/command") == "explore checkpoint", "/command", "\"explore checkpoint\"");
  ReadSeal(in, json);
  Progress p;
  ReadQuestion(in, p.question);
  p.pass = static_cast<int>(in.Number("/pass", kUnbounded));
  const int steps = p.question.scope.steps;
  in.Require(p.pass >= 1 && p.pass <= steps && (p.pass <= kDeepestPass || p.pass == steps), "/pass",
             "a pass of the scope");
  const size_t count = in.Size("/done");
  if (!in.status().ok()) return in.status();
  const size_t shapes = ShapesOf(p.question);
  size_t next = 0;
  for (size_t i = 0; i < count && in.status().ok(); ++i) {
    const std::string at = absl::StrCat("/done/", i);
    DoneShapes d;
    d.first = in.Number(at + "/first", shapes);
    d.last = in.Number(at + "/last", shapes);
    d.every_depth = in.Flag(at + "/every_depth");
    d.states = in.Number(at + "/states", std::numeric_limits<uint64_t>::max());
    d.transitions = in.Number(at + "/transitions", std::numeric_limits<uint64_t>::max());
    d.depth = static_cast<int>(in.Number(at + "/depth", kUnbounded));
    in.Require(d.first >= next && d.last >= d.first && d.last < shapes, at,
               "shapes of the shard after those before");
    in.Require(d.depth <= p.pass && (d.every_depth || d.depth == p.pass), at + "/depth",
               "one within the pass");
    next = d.last + 1;
    p.done.push_back(d);
  }
  if (!in.status().ok()) return in.status();
  return p;
}

}  // namespace iommucheck::explore
