// SPDX-License-Identifier: Apache-2.0
#include "src/case/kernel.h"

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "src/case/spelling.h"

namespace iommucheck {
namespace {

absl::Status Unknown(const char* what, const std::string& found,
                     std::span<const std::string> candidates) {
  return absl::InvalidArgumentError(absl::StrFormat("expected %s, found %s%s", what, Quote(found),
                                                    DidYouMean(found, candidates)));
}

RuleSet Every() {
  RuleSet rules;
  for (const RuleInfo& info : AllRules()) rules.add(info.rule);
  return rules;
}

// Moves the named rules into `into`; `has` says whether the profile must have them or must not.
absl::Status Take(std::span<const std::string> ids, const KernelProfile& profile, bool has,
                  RuleSet& into) {
  for (const std::string& id : ids) {
    const auto rule = FindRule(id);
    if (!rule) return Unknown("a rule (see `iommucheck kernels`)", id, RuleIds(Every()));
    if (profile.has(*rule) != has)
      return absl::InvalidArgumentError(absl::StrFormat("expected a rule that %s %s, found %s",
                                                        VersionName(profile.version),
                                                        has ? "has" : "has not", Quote(id)));
    if (into.has(*rule))
      return absl::InvalidArgumentError(
          absl::StrFormat("expected each rule once, found %s again", Quote(id)));
    into.add(*rule);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<KernelSpec> MakeKernel(const std::string& version, std::span<const std::string> drop,
                                      std::span<const std::string> add, RuleSet may_drop) {
  KernelSpec kernel;
  const auto found = FindVersion(version);
  if (!found) {
    std::vector<std::string> names;
    for (KernelVersion v : kKernelVersions) names.emplace_back(VersionName(v));
    const std::string expected = "a kernel (" + absl::StrJoin(names, ", ") + ")";
    return Unknown(expected.c_str(), version, names);
  }
  kernel.version = *found;
  const KernelProfile profile = ProfileOf(kernel.version);
  KernelProfile droppable = profile;
  droppable.rules = profile.rules | may_drop;
  if (absl::Status s = Take(drop, droppable, true, kernel.dropped); !s.ok()) return s;
  if (absl::Status s = Take(add, profile, false, kernel.added); !s.ok()) return s;
  if (const RuleSet both = kernel.dropped & kernel.added; !both.empty())
    return absl::InvalidArgumentError(absl::StrFormat(
        "expected a rule to be dropped or added, found both of %s", Quote(RuleIds(both).front())));
  return kernel;
}

absl::StatusOr<KernelSpec> ParseKernel(const std::string& word, std::vector<std::string> drop,
                                       std::vector<std::string> add, RuleSet may_drop) {
  const std::vector<std::string> parts = absl::StrSplit(word, ',');
  for (const std::string& part : std::span(parts).subspan(1)) {
    if (!part.starts_with('-') && !part.starts_with('+'))
      return absl::InvalidArgumentError(
          absl::StrFormat("expected '-RULE' or '+RULE' after ',', found %s", Quote(part)));
    (part.front() == '-' ? drop : add).push_back(part.substr(1));
  }
  return MakeKernel(parts.front(), drop, add, may_drop);
}

std::vector<std::string> RuleIds(RuleSet rules) {
  std::vector<std::string> ids;
  for (const RuleInfo& info : AllRules())
    if (rules.has(info.rule)) ids.emplace_back(info.id);
  return ids;
}

}  // namespace iommucheck
