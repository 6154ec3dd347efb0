// SPDX-License-Identifier: Apache-2.0
#include "src/report/verdict_line.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/case/kernel.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

// One word, whatever is in the name of the file: '%' and bytes that are not printable ASCII become
// their codes.
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
  if (verdict == Verdict::kViolated) return "violated";
  if (verdict == Verdict::kUnknown) return "unknown";
  return proved ? "holds" : "none";
}

std::string KernelWord(const KernelSpec& kernel) {
  std::string word(VersionName(kernel.version));
  for (const std::string& id : RuleIds(kernel.dropped)) absl::StrAppend(&word, ",-", id);
  for (const std::string& id : RuleIds(kernel.added)) absl::StrAppend(&word, ",+", id);
  return word;
}

std::string SizeText(Size size) {
  return absl::StrCat(Plural(size.devices, "device"), ", ", Plural(size.steps, "step"));
}

std::string SizeScope(Size size) {
  if (size.devices == 0 || size.steps == 0) return "nothing";
  return absl::StrFormat("devices=%d,steps=%d", size.devices, size.steps);
}

std::string MachineScope(std::optional<int> steps) {
  if (!steps) return "machine";
  return *steps == 0 ? "nothing" : absl::StrFormat("machine,steps=%d", *steps);
}

std::string VerdictLine(std::string_view property, const KernelSpec& kernel,
                        std::string_view verdict, std::string_view scope) {
  return absl::StrFormat("Verdict %s %s %s %s", property, KernelWord(kernel), verdict, scope);
}

std::vector<Property> BrokenPromises(const Case& c, const Run& run) {
  std::vector<Property> broken;
  for (Property p : kProperties)
    if (run.of(p).at != 0 && IsPromised(c.kernel.version, p)) broken.push_back(p);
  return broken;
}

std::string ReplayVerdictLines(const Case& c, const Run& run, const std::string& path) {
  const std::string file = "case=" + PathWord(path);
  std::string out;
  for (Property p : BrokenPromises(c, run))
    absl::StrAppend(&out,
                    VerdictLine(p, c.kernel, VerdictName(Verdict::kViolated, false),
                                absl::StrFormat("%s,step=%d", file, run.of(p).at)),
                    "\n");
  if (!out.empty()) return out;
  const bool no_step = run.outside && run.steps.empty();
  const Verdict verdict = no_step ? Verdict::kUnknown : Verdict::kHolds;
  return VerdictLine(
             "promised", c.kernel, VerdictName(verdict, false),
             no_step ? SizeScope({}) : absl::StrFormat("%s,steps=%d", file, run.steps.size())) +
         "\n";
}

std::string SweepVerdictLines(const Case& c, const Run& run,
                              std::span<const Property> with_failures, bool loses,
                              const std::string& path) {
  if (!BrokenPromises(c, run).empty() || (with_failures.empty() && !loses))
    return ReplayVerdictLines(c, run, path);
  const std::string scope = "case=" + PathWord(path) + ",sweep";
  const char* const violated = VerdictName(Verdict::kViolated, false);
  std::string out;
  for (Property p : with_failures)
    absl::StrAppend(&out, VerdictLine(p, c.kernel, violated, scope), "\n");
  return out.empty() ? VerdictLine("promised", c.kernel, violated, scope) + "\n" : out;
}

}  // namespace iommucheck::report
