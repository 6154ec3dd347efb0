// SPDX-License-Identifier: Apache-2.0
#include "src/report/sweep.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "src/case/json_text.h"
#include "src/report/json.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

std::string OpText(const Case& c, const SweptFailure& failure) {
  Op op = c.ops[static_cast<size_t>(failure.at) - 1].op;
  *std::ranges::find(op.faults, Fault::Kind::kNone, &Fault::kind) = failure.fault;
  return PrintOp(op, c.names);
}

std::vector<std::string> LeakTexts(const Leaks& leaks) {
  std::vector<std::string> texts;
  const auto add = [&](uint64_t count, const char* what) {
    if (count != 0) texts.push_back(Plural(count, what));
  };
  add(leaks.pins, "pinned page");
  add(leaks.locked_vm, "locked page");
  add(static_cast<uint64_t>(leaks.domains), "type1 domain");
  add(static_cast<uint64_t>(leaks.owned_groups), "owned group");
  return texts;
}

std::vector<std::string> PropertyNames(const std::vector<Property>& properties) {
  std::vector<std::string> names;
  names.reserve(properties.size());
  for (Property p : properties) names.emplace_back(PropertyName(p));
  return names;
}

// Changes that a failed op left, or differences from the run without the failure.
std::vector<std::string> LeftBy(const Case& c, const SweptFailure& failure) {
  return Changes(c, failure.before, failure.after);
}

// "as before" where a failed op changed nothing, "as without it" where the kernel coped.
const char* Calm(const Case& c, const SweptFailure& failure, const Run& plain) {
  const size_t op = static_cast<size_t>(failure.at) - 1;
  const bool failed =
      failure.result.error != 0 && failure.result.error != plain.steps[op].result.error;
  return op < c.ops.size() && failed ? "as before it" : "as without the failure";
}

std::string FailureText(const Case& c, const SweptFailure& failure, const Run& plain) {
  std::string out = absl::StrFormat("%3d %s -> %s\n", failure.at, OpText(c, failure),
                                    ErrnoName(failure.result.error));
  const std::vector<std::string> left = LeftBy(c, failure);
  if (left.empty()) out += absl::StrCat("      ", Calm(c, failure, plain), "\n");
  for (const std::string& line : left) out += Indented(6, line);
  if (!failure.violated.empty())
    out += absl::StrCat("      ! ", absl::StrJoin(PropertyNames(failure.violated), ", "), "\n");
  const std::vector<std::string> leaks = LeakTexts(failure.leaks);
  if (!leaks.empty())
    out += absl::StrCat("      ! never given back: ", absl::StrJoin(leaks, ", "), "\n");
  return out;
}

// The run without a failure, with which the others are compared.
std::string AsWrittenText(const Case& c, const Run& plain) {
  std::string out;
  for (Property p : BrokenPromises(c, plain))
    absl::StrAppendFormat(&out, "%3d ! %s\n", plain.of(p).at, PropertyName(p));
  if (plain.outside)
    absl::StrAppendFormat(&out, "    outside of %s after %s\n", InfoOf(*plain.outside).id,
                          Plural(plain.steps.size(), "op"));
  return out.empty() ? "    breaks no property\n" : out;
}

std::string LinesOf(const Case& c, const std::vector<SweptFailure>& sweep, const Run& plain,
                    const std::string& path) {
  std::vector<Property> violated;
  for (Property p : kProperties)
    if (std::ranges::any_of(sweep, [p](const SweptFailure& f) {
          return std::ranges::find(f.violated, p) != f.violated.end();
        }))
      violated.push_back(p);
  const bool loses = std::ranges::any_of(sweep, IsBad);
  return SweepVerdictLines(c, plain, violated, loses, path);
}

}  // namespace

bool IsBad(const SweptFailure& failure) {
  return !failure.violated.empty() || failure.leaks != Leaks{};
}

std::string SweepText(const Case& c, const std::vector<SweptFailure>& sweep,
                      const std::string& path) {
  const Run plain = Play(c);
  std::string out = Field("kernel", KernelName(c.kernel)) + ToolText();
  out += TopologyText(c);
  out += "as written\n" + AsWrittenText(c, plain);
  out += "failures\n";
  for (const SweptFailure& failure : sweep) out += FailureText(c, failure, plain);
  const auto quiet = std::ranges::count_if(
      sweep, [&](const SweptFailure& f) { return LeftBy(c, f).empty() && !IsBad(f); });
  const auto bad = std::ranges::count_if(sweep, IsBad);
  out += Field("outcome",
               absl::StrFormat("%s; %s of %s: %d leave nothing behind, %d something, and %d "
                               "break a property or lose something for good",
                               BrokenPromises(c, plain).empty() ? "as written it breaks no property"
                                                                : "VIOLATED as written",
                               Plural(sweep.size(), "failure"), Plural(c.ops.size(), "op"), quiet,
                               static_cast<int64_t>(sweep.size()) - quiet - bad, bad));
  return out + LinesOf(c, sweep, plain, path);
}

std::string SweepJson(const Case& c, const std::vector<SweptFailure>& sweep,
                      const std::string& path) {
  Json failures = Json::array();
  for (const SweptFailure& failure : sweep)
    failures.push_back({{"at", failure.at},
                        {"op", OpText(c, failure)},
                        {"result", ErrnoName(failure.result.error)},
                        {"left", LeftBy(c, failure)},
                        {"violated", PropertyNames(failure.violated)},
                        {"never_given_back", LeakTexts(failure.leaks)}});
  const bool bad = std::ranges::any_of(sweep, IsBad);
  const Run plain = Play(c);
  const std::vector<Property> as_written = BrokenPromises(c, plain);
  const bool violated = bad || !as_written.empty();
  Json out = Head("replay", VerdictName(violated ? Verdict::kViolated : Verdict::kHolds, false),
                  SizeOf(c), c.kernel);
  out["case"] = CaseJson(c);
  out["replayed"] = true;
  out["as_written"] = {{"violated", PropertyNames(as_written)}};
  out["failures"] = std::move(failures);
  out["stats"] = {{"runs", sweep.size()}};
  out["verdict_lines"] = LinesJson(LinesOf(c, sweep, plain, path));
  return JsonText(out);
}

}  // namespace iommucheck::report
