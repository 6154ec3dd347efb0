// SPDX-License-Identifier: Apache-2.0
#include "src/report/minimized.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/case/encoded.h"
#include "src/case/json_text.h"
#include "src/case/smaller.h"
#include "src/report/json.h"
#include "src/report/text.h"
#include "src/smt/query.h"
#include "src/tool/progress.h"
#include "src/tool/stop.h"

namespace iommucheck::report {
namespace {

using Smallest = MinimizedCase::Smallest;

constexpr int kCommentMark = 2;  // "# "
constexpr const char* kSmallestNames[] = {"yes", "no", "unknown"};

const char* SmallestName(Smallest smallest) { return kSmallestNames[static_cast<int>(smallest)]; }

// Why the solver cannot be asked about cases of this kind; "": it can.
std::string WhyNotAsked(const Case& c, Property property) {
  if (!IsEncoded(property)) return "the solver does not know the property";
  if (!CheckEncoded(c.kernel).ok()) return "the solver does not know the kernel's rules";
  if (c.topology.devices_count > smt::kMaxBoundDevices || c.ops.size() > smt::kMaxBoundSteps)
    return absl::StrFormat("the solver goes up to %d devices and %d steps", smt::kMaxBoundDevices,
                           smt::kMaxBoundSteps);
  return "";
}

// Asks for the smallest case of any machine. The answer goes into `smallest` and `why`.
absl::Status AskForSmaller(uint64_t budget, MinimizedCase& minimized) {
  const Case& c = minimized.found;
  minimized.why = WhyNotAsked(c, minimized.property);
  if (!minimized.why.empty()) return absl::OkStatus();
  const Size size = SizeOf(c);
  tool::Progress("asking the solver for a smaller case");
  const absl::StatusOr<smt::QueryResult> result =
      smt::Query(minimized.property, c.kernel,
                 {.devices = size.devices, .steps = size.steps, .budget = budget});
  tool::Progress("");
  if (!result.ok()) return result.status();
  if (result->verdict == Verdict::kUnknown) {
    minimized.why = result->reason;
  } else if (result->verdict == Verdict::kHolds || SizeOf(result->found) == size) {
    // kHolds: the machine has something that the encoding lacks, such as a third driver.
    minimized.smallest = Smallest::kYes;
    minimized.why = "the solver finds no case of fewer steps, or of as many on fewer devices";
  } else {
    minimized.smallest = Smallest::kNo;
    minimized.why = absl::StrCat("query finds one of ", SizeText(SizeOf(result->found)),
                                 ", which is no part of this one");
  }
  return absl::OkStatus();
}

std::string LineOf(const MinimizedCase& m) {
  return VerdictLine(m.property, m.found.kernel, "violated", SizeScope(SizeOf(m.found)));
}

}  // namespace

std::optional<Property> ViolatedProperty(const Case& c, const Run& run) {
  for (const Expectation& e : c.expectations)
    if (e.kind == Expectation::Kind::kViolated && run.of(e.property).at != 0) return e.property;
  const std::vector<Property> broken = BrokenPromises(c, run);
  if (!broken.empty()) return broken.front();
  const auto violated =
      std::ranges::find_if(kProperties, [&](Property p) { return run.of(p).at != 0; });
  if (violated == kProperties.end()) return std::nullopt;
  return *violated;
}

absl::StatusOr<MinimizedCase> Minimize(const Case& c, Property property, uint64_t budget) {
  MinimizedCase minimized{
      .property = property, .given = SizeOf(c), .found = {}, .run = {}, .why = {}};
  tool::Progress("taking things away");
  minimized.found = Minimized(c, property, tool::Stopped);
  tool::Progress("");
  minimized.complete = !tool::Stopped();
  minimized.run = Play(minimized.found);
  if (!minimized.complete) {
    minimized.why = tool::StopReason();
    return minimized;
  }
  if (absl::Status s = AskForSmaller(budget, minimized); !s.ok()) return s;
  return minimized;
}

std::string MinimizedText(const MinimizedCase& m) {
  Case c = m.found;
  const auto say = [&c](const std::string& line) {
    absl::StrAppend(&c.comment, c.comment.empty() ? "" : "\n", line);
  };
  const auto tell = [&say](const std::string& text) {
    for (const std::string& line : Wrap(text, kColumns - kCommentMark)) say(line);
  };
  tell(absl::StrCat("Violates ", std::string(PropertyName(m.property)), "; minimized from ",
                    SizeText(m.given), " to ", SizeText(SizeOf(m.found)), "."));
  tell(absl::StrCat("No smaller case: ", SmallestName(m.smallest), ": ", m.why, "."));
  say(LineOf(m));
  return PrintCase(c);
}

std::string MinimizedJson(const MinimizedCase& m) {
  Json out =
      Head("minimize", VerdictName(Verdict::kViolated, false), SizeOf(m.found), m.found.kernel);
  out["property"] = PropertyName(m.property);
  out["given"] = ScopeJson(m.given);
  out["complete"] = m.complete;
  out["smallest"] = SmallestName(m.smallest);
  out["smallest_why"] = m.why;
  out["case"] = CaseJson(m.found);
  out["steps"] = StepsJson(m.found, m.run);
  out["verdict_line"] = LineOf(m);
  return JsonText(out);
}

}  // namespace iommucheck::report
