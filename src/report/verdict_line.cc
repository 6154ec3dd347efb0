// SPDX-License-Identifier: Apache-2.0
#include "src/report/verdict_line.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/case/kernel.h"

namespace iommucheck::report {
namespace {

// One word whatever is in the name of the file; '%' and what is not a printable character of ASCII
// go by their code.
std::string PathWord(const std::string& path) {
  std::string word;
  for (const char c : path) {
    if (c > ' ' && c <= '~' && c != '%')
      word += c;
    else
      absl::StrAppendFormat(&word, "%%%02X", static_cast<unsigned char>(c));
  }
  return word;
}

}  // namespace

const char* VerdictName(Verdict verdict, bool proved) {
  switch (verdict) {
    case Verdict::kHolds:
      return proved ? "holds" : "none";
    case Verdict::kViolated:
      return "violated";
    case Verdict::kUnknown:
      return "unknown";
  }
  return "";
}

std::string KernelWord(const KernelSpec& kernel) {
  std::string word(VersionName(kernel.version));
  for (const std::string& id : RuleIds(kernel.dropped)) absl::StrAppend(&word, ",-", id);
  for (const std::string& id : RuleIds(kernel.added)) absl::StrAppend(&word, ",+", id);
  return word;
}

std::string SizeScope(int devices, int steps) {
  if (devices == 0 || steps == 0) return "nothing";
  return absl::StrFormat("devices=%d,steps=%d", devices, steps);
}

std::string MachineScope(std::optional<int> steps) {
  if (!steps) return "machine";
  return *steps == 0 ? "nothing" : absl::StrFormat("machine,steps=%d", *steps);
}

std::string VerdictLine(std::string_view property, const KernelSpec& kernel,
                        std::string_view verdict, std::string_view scope) {
  return absl::StrFormat("Verdict %s %s %s %s", property, KernelWord(kernel), verdict, scope);
}

std::string ReplayVerdictLines(const Case& c, const Run& run, const std::string& path) {
  const std::string file = "case=" + PathWord(path);
  std::string out;
  for (Property p : kProperties) {
    const int at = run.of(p).at;
    if (at != 0 && IsPromised(c.kernel.version, p))
      absl::StrAppend(&out,
                      VerdictLine(p, c.kernel, VerdictName(Verdict::kViolated, false),
                                  absl::StrFormat("%s,step=%d", file, at)),
                      "\n");
  }
  if (!out.empty()) return out;
  const bool no_step = run.outside && run.steps.empty();
  if (no_step)
    return VerdictLine("promised", c.kernel, VerdictName(Verdict::kUnknown, false),
                       SizeScope(0, 0)) +
           "\n";
  return VerdictLine("promised", c.kernel, VerdictName(Verdict::kHolds, false),
                     absl::StrFormat("%s,steps=%d", file, static_cast<int>(run.steps.size()))) +
         "\n";
}

std::string SweepVerdictLines(const Case& c, const Run& run,
                              std::span<const Property> with_failures, bool loses,
                              const std::string& path) {
  const bool as_written = std::ranges::any_of(kProperties, [&](Property p) {
    return run.of(p).at != 0 && IsPromised(c.kernel.version, p);
  });
  if (as_written || (with_failures.empty() && !loses)) return ReplayVerdictLines(c, run, path);
  const std::string scope = "case=" + PathWord(path) + ",sweep";
  const char* const violated = VerdictName(Verdict::kViolated, false);
  std::string out;
  for (Property p : with_failures)
    absl::StrAppend(&out, VerdictLine(p, c.kernel, violated, scope), "\n");
  if (out.empty()) out = VerdictLine("promised", c.kernel, violated, scope) + "\n";
  return out;
}

}  // namespace iommucheck::report
