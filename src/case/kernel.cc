// SPDX-License-Identifier: Apache-2.0
#include "src/case/kernel.h"

#include <charconv>
#include <utility>

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

// The first two numbers of a release.
std::optional<std::pair<int, int>> NumbersOf(std::string_view release) {
  const auto take = [&](int& number) {
    const auto [end, error] =
        std::from_chars(release.data(), release.data() + release.size(), number);
    if (error != std::errc() || number < 0) return false;
    release.remove_prefix(static_cast<size_t>(end - release.data()));
    return true;
  };
  std::pair<int, int> numbers;
  if (!take(numbers.first) || !release.starts_with('.')) return std::nullopt;
  release.remove_prefix(1);
  if (!take(numbers.second)) return std::nullopt;
  return numbers;
}

// Whether a third number follows that is not 0, as in "5.15.180".
bool IsStable(std::string_view release) {
  const size_t dot = release.find('.', release.find('.') + 1);
  if (dot == std::string_view::npos) return false;
  const std::string_view third = release.substr(dot + 1);
  return third.substr(0, third.find_first_not_of("0123456789")).find_first_not_of('0') !=
         std::string_view::npos;
}

// "; the nearest are v6.1.y before it and v6.8 after it"
std::string Nearest(std::string_view version) {
  if (version.starts_with('v')) version.remove_prefix(1);
  const std::optional<ReleasePlace> place = PlaceOf(version);
  if (!place || place->exact) return "";
  if (!place->below) return absl::StrFormat("; the oldest is %s", VersionName(kKernelVersions[0]));
  if (!place->above) return absl::StrFormat("; the newest is %s", VersionName(*place->below));
  return absl::StrFormat("; the nearest are %s before it and %s after it",
                         VersionName(*place->below), VersionName(*place->above));
}

absl::Status TakeRules(std::span<const std::string> ids, bool add, RuleSet may_drop,
                       KernelSpec& kernel) {
  for (const std::string& id : ids) {
    const auto rule = FindRule(id);
    if (!rule)
      return Unknown("a rule (see `iommucheck kernels`)", id, NamesOf(AllRules(), &RuleInfo::id));
    if (const std::optional<WrongRule> wrong = TakeRule(*rule, add, kernel, may_drop))
      return absl::InvalidArgumentError(
          absl::StrFormat("expected %s, found %s", wrong->expected, wrong->found));
  }
  return absl::OkStatus();
}

}  // namespace

std::optional<WrongRule> TakeRule(Rule rule, bool add, KernelSpec& kernel, RuleSet may_drop) {
  const std::string id = Quote(InfoOf(rule).id);
  if (kernel.dropped.has(rule) || kernel.added.has(rule))
    return WrongRule{"each rule once", id + " again"};
  const bool has = ProfileOf(kernel.version).has(rule);
  if (add ? has : !has && !may_drop.has(rule))
    return WrongRule{
        absl::StrFormat("a rule that %s has%s", VersionName(kernel.version), add ? " not" : ""),
        id};
  (add ? kernel.added : kernel.dropped).add(rule);
  return std::nullopt;
}

absl::StatusOr<KernelSpec> MakeKernel(const std::string& version, std::span<const std::string> drop,
                                      std::span<const std::string> add, RuleSet may_drop) {
  KernelSpec kernel;
  const auto found = FindVersion(version);
  if (!found) {
    const std::vector<std::string> names = NamesOf(kKernelVersions, VersionName);
    const std::string expected = "a kernel (" + absl::StrJoin(names, ", ") + ")";
    const std::string nearest = Nearest(version);
    if (nearest.empty()) return Unknown(expected.c_str(), version, names);
    return absl::InvalidArgumentError(
        absl::StrFormat("expected %s, found %s%s", expected, Quote(version), nearest));
  }
  kernel.version = *found;
  if (absl::Status s = TakeRules(drop, false, may_drop, kernel); !s.ok()) return s;
  if (absl::Status s = TakeRules(add, true, may_drop, kernel); !s.ok()) return s;
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

std::optional<ReleasePlace> PlaceOf(std::string_view release) {
  const auto numbers = NumbersOf(release);
  if (!numbers) return std::nullopt;
  // Profiles are in order, oldest first.
  const auto of = [](KernelVersion profile) { return *NumbersOf(VersionName(profile).substr(1)); };
  size_t newer = 0;
  while (newer < kKernelVersions.size() && of(kKernelVersions[newer]) <= *numbers) ++newer;
  const bool exact = newer > 0 && of(kKernelVersions[newer - 1]) == *numbers;
  ReleasePlace place{.below = std::nullopt, .above = std::nullopt, .exact = exact};
  if (newer > 0) place.below = kKernelVersions[newer - 1];
  if (newer < kKernelVersions.size() && !exact) place.above = kKernelVersions[newer];
  return place;
}

std::vector<KernelVersion> ProfilesFor(const ReleasePlace& place) {
  std::vector<KernelVersion> profiles;
  if (place.below) profiles.push_back(*place.below);
  if (place.below && place.above) profiles.push_back(*place.above);
  return profiles;
}

std::string PlaceText(std::string_view release, const ReleasePlace& place) {
  if (!place.below) return "";
  const std::string_view name = VersionName(*place.below);
  if (place.exact && !InfoOf(*place.below).is_stable() && IsStable(release))
    return absl::StrFormat("%s is the .0 release; the fixes of its stable series are not modelled.",
                           name);
  if (place.exact) return "";
  if (!place.above)
    return absl::StrFormat(
        "Linux %s is newer than the newest profile, %s; what changed since is not known.",
        Printable(release), VersionName(*place.below));
  const KernelProfile below = ProfileOf(*place.below);
  const KernelProfile above = ProfileOf(*place.above);
  std::vector<std::string> parts;
  for (const RuleInfo& info : AllRules())
    if (below.has(info.rule) != above.has(info.rule)) parts.emplace_back(info.id);
  return absl::StrFormat(
      "Linux %s has no profile of its own: the nearest before it is %s, the next %s. They differ "
      "in %d rules (%s)%s, so both are asked about.",
      Printable(release), VersionName(*place.below), VersionName(*place.above), parts.size(),
      absl::StrJoin(parts, ", "),
      below.era == above.era ? "" : " and in how a device finds its driver");
}

std::vector<std::string> RuleIds(RuleSet rules) {
  std::vector<std::string> ids;
  for (const RuleInfo& info : AllRules())
    if (rules.has(info.rule)) ids.emplace_back(info.id);
  return ids;
}

}  // namespace iommucheck
