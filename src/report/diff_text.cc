// SPDX-License-Identifier: Apache-2.0
#include "src/report/diff_text.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/case/json_text.h"
#include "src/report/answer_text.h"
#include "src/report/json_parts.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

constexpr std::array kLetters = {"A", "B"};

const char* Refusing(const Direction& d) { return kLetters[1 - d.allows]; }

std::string SizeText(int devices, int steps) {
  return absl::StrCat(Plural(devices, "device"), ", ", Plural(steps, "step"));
}

std::string DirectionLine(const Direction& d) {
  switch (d.verdict) {
    case Verdict::kViolated:
      return SizeText(d.result.found.topology.devices_count,
                      static_cast<int>(d.result.found.ops.size())) +
             "; no smaller case exists";
    case Verdict::kHolds:
      if (d.every_size) return "none of any size";
      return "none up to " + SizeText(d.result.proved_devices, d.result.proved_steps);
    case Verdict::kUnknown:
      return absl::StrCat("unknown: ", d.result.reason, "; none up to ",
                          SizeText(d.result.proved_devices, d.result.proved_steps));
  }
  return "";
}

std::string DiffLine(const Diff& diff) {
  if (diff.same_rules) return "the same for every size: the two have the same rules";
  switch (diff.verdict()) {
    case Verdict::kViolated:
      return "DIFFERENT";
    case Verdict::kHolds: {
      if (diff.every_size()) return "the same for every size: neither violates it";
      const smt::Bounds& b = diff.question.bounds;
      return "the same up to " + SizeText(b.devices, b.steps);
    }
    case Verdict::kUnknown:
      return "unknown";
  }
  return "";
}

std::string AloneLine(const Answer& a) {
  return a.result.verdict == Verdict::kViolated
             ? absl::StrCat("violated on ", SizeText(a.result.found.topology.devices_count,
                                                     static_cast<int>(a.result.found.ops.size())))
             : VerdictText(a);
}

bool SameResult(const StepResult& a, const StepResult& b) {
  return a.outcome == b.outcome && a.error == b.error;
}

// Refusals in a step that are not in the same step on the other kernel.
std::vector<std::string> Refusals(const Case& c, const PlayedStep& step, const PlayedStep& other) {
  std::vector<std::string> texts;
  for (const Event& e : step.events) {
    if (e.kind != Event::Kind::kRefused) continue;
    const bool both = std::ranges::any_of(other.events, [&](const Event& o) {
      return o.kind == Event::Kind::kRefused && o.rule == e.rule && o.error == e.error;
    });
    if (!both) texts.push_back(EventText(c, e));
  }
  return texts;
}

std::string ResultText(const StepResult& result) {
  switch (result.outcome) {
    case Outcome::kDone:
      return ErrnoName(result.error);
    case Outcome::kNotPossible:
      return absl::StrCat("not possible (", result.why, ")");
    case Outcome::kOutside:
      return absl::StrCat("outside ", std::string(InfoOf(result.assumption).id));
  }
  return "";
}

std::string DirectionText(const Diff& diff, const Direction& d) {
  const Case& c = d.result.found;
  const Case other = RefusedCase(diff, d);
  std::string out = absl::StrFormat("\n%s allows, %s refuses\n", kLetters[d.allows], Refusing(d));
  out += TopologyText(c);
  out += absl::StrFormat("on %s\n", kLetters[d.allows]) + TraceText(c, d.allowed);
  out += absl::StrFormat("on %s\n", Refusing(d)) + TraceText(other, d.refused);
  return out + Field("parting", PartingLine(diff, d));
}

// "Difference P A B violated devices=2,steps=5": a case violates P on A and not on B.
std::string DifferenceLine(const DiffQuestion& q, const Direction& d) {
  return absl::StrFormat(
      "Difference %s %s %s %s %s", PropertyName(q.property), KernelWord(q.kernels[d.allows]),
      KernelWord(q.kernels[1 - d.allows]), VerdictName(d.verdict, d.every_size),
      d.every_size ? std::string(kEverySize) : SizeScope(DevicesOf(d.result), StepsOf(d.result)));
}

Json DirectionJson(const Diff& diff, const Direction& d) {
  const bool found = d.verdict == Verdict::kViolated;
  Json out = {{"allows", KernelJson(diff.question.kernels[d.allows])},
              {"refuses", KernelJson(diff.question.kernels[1 - d.allows])},
              {"verdict", VerdictName(d.verdict, d.every_size)}};
  if (d.every_size) {
    out["scope"] = {{"kind", "every-size"}};
  } else {
    const int devices = found ? d.result.found.topology.devices_count : d.result.proved_devices;
    const int steps = found ? static_cast<int>(d.result.found.ops.size()) : d.result.proved_steps;
    out["scope"] = {{"kind", "bounded"}, {"devices", devices}, {"steps", steps}};
  }
  out["difference_line"] = DifferenceLine(diff.question, d);
  if (d.verdict == Verdict::kUnknown) out["reason"] = d.result.reason;
  if (!found) return out;
  out["case"] = Json::parse(CaseToJson(d.result.found));
  out["steps"] = StepsJson(d.result.found, d.allowed);
  out["refused_steps"] = StepsJson(RefusedCase(diff, d), d.refused);
  out["parting"] = PartingLine(diff, d);
  return out;
}

// The lines made to be grepped: about the two kernels together, then about each alone.
std::string LastLines(const Diff& diff) {
  std::string out;
  for (const Direction& d : diff.directions)
    absl::StrAppend(&out, DifferenceLine(diff.question, d), "\n");
  for (const std::optional<Answer>& alone : diff.alone)
    if (alone) absl::StrAppend(&out, VerdictLineOf(*alone), "\n");
  return out;
}

}  // namespace

std::string PartingLine(const Diff& diff, const Direction& d) {
  const Case other = RefusedCase(diff, d);
  for (size_t i = 0; i < d.refused.steps.size(); ++i) {
    const PlayedStep& refused = d.refused.steps[i];
    const PlayedStep& allowed = d.allowed.steps[i];
    const std::vector<std::string> refusals = Refusals(other, refused, allowed);
    const bool same = SameResult(refused.result, allowed.result);
    if (same && refusals.empty()) continue;
    std::string line =
        absl::StrFormat("op %d, %s: %s on %s", i + 1, PrintOp(other.ops[i].op, other.names),
                        ResultText(refused.result), Refusing(d));
    if (!same) absl::StrAppend(&line, ", ", ResultText(allowed.result), " on ", kLetters[d.allows]);
    for (const std::string& refusal : refusals) absl::StrAppend(&line, "; ", refusal);
    return line;
  }
  return absl::StrCat("no op has another result or is refused; ", Refusing(d),
                      " does not come to this attach_dev");
}

std::string DiffText(const Diff& diff) {
  const DiffQuestion& q = diff.question;
  std::string out = Field("diff", std::string(PropertyName(q.property)));
  out += Field("", std::string(PropertySentence(q.property)));
  for (int i = 0; i < 2; ++i) out += Field(kLetters[i], KernelName(q.kernels[i]));
  const std::string bounds = diff.every_size()
                                 ? "machines of every size, runs of any length"
                                 : "up to 2 drivers, " + SizeText(q.bounds.devices, q.bounds.steps);
  out += ToolText() + Field("scope", bounds + " (docs/solver.md)");
  out += Field("verdict", DiffLine(diff));
  if (diff.same_rules) return out + LastLines(diff);
  for (int i = 0; i < 2; ++i)
    out += Field(absl::StrCat(kLetters[i], " alone"), AloneLine(*diff.alone[i]));
  for (const Direction& d : diff.directions)
    out += Field(absl::StrCat("only ", kLetters[d.allows]), DirectionLine(d));
  for (const Direction& d : diff.directions)
    if (d.verdict == Verdict::kViolated) out += DirectionText(diff, d);
  return out + LastLines(diff);
}

std::string DiffJson(const Diff& diff) {
  const DiffQuestion& q = diff.question;
  Json out = Head("diff", VerdictName(diff.verdict(), diff.every_size()), q.bounds.devices,
                  q.bounds.steps, q.kernels[0]);
  if (diff.every_size()) out["scope"] = {{"kind", "every-size"}};
  out["property"] = std::string(PropertyName(q.property));
  out["other_kernel"] = KernelJson(q.kernels[1]);
  out["replayed"] = diff.verdict() == Verdict::kViolated;
  out["directions"] = Json::array();
  for (const Direction& d : diff.directions) {
    out["directions"].push_back(DirectionJson(diff, d));
    if (d.verdict == Verdict::kViolated && !out.contains("case"))
      out["case"] = out["directions"].back()["case"];
  }
  out["alone"] = Json::array();
  for (const std::optional<Answer>& alone : diff.alone)
    if (alone)
      out["alone"].push_back(
          {{"kernel", KernelJson(alone->question.kernel)},
           {"verdict", VerdictName(alone->result.verdict, HoldsForEverySize(*alone))},
           {"verdict_line", VerdictLineOf(*alone)}});
  out["stats"] = {{"resources", diff.resources}, {"checks", diff.checks}};
  return JsonText(out);
}

}  // namespace iommucheck::report
