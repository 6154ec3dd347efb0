// SPDX-License-Identifier: Apache-2.0
#include "src/case/kernel.h"

#include <array>
#include <cassert>
#include <charconv>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "model/evidence.h"
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

// Whether the word could be what `uname -r` prints: two numbers, and then plain characters, of which
// the first is no letter.
bool IsRelease(std::string_view word) {
  constexpr std::string_view kDigits = "0123456789";
  constexpr std::string_view kPlain =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._+~-";
  const size_t end = word.find_first_not_of(kDigits, word.find('.') + 1);
  return NumbersOf(word) && word.find_first_not_of(kPlain) == std::string_view::npos &&
         (end == std::string_view::npos ||
          std::string_view("._+~-").find(word[end]) != std::string_view::npos);
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

// Counts releases: 5.19 was the last before 6.0, and 6.19 before 7.0.
int Ordinal(std::pair<int, int> numbers) { return numbers.first * 20 + numbers.second; }
int OrdinalOf(KernelVersion profile) {
  const auto numbers = NumbersOf(VersionName(profile).substr(1));
  assert(numbers);
  return Ordinal(*numbers);
}

bool SameRules(KernelVersion a, KernelVersion b) {
  return ProfileOf(a).rules == ProfileOf(b).rules && ProfileOf(a).era == ProfileOf(b).era;
}

// "differ in 2 rules (a.b, c.d)"
std::string DifferenceText(KernelVersion a, KernelVersion b) {
  if (SameRules(a, b)) return "have the same rules";
  std::vector<std::string> ids;
  for (const RuleInfo& info : AllRules())
    if (ProfileOf(a).has(info.rule) != ProfileOf(b).has(info.rule)) ids.emplace_back(info.id);
  return absl::StrFormat(
      "differ in %d rules (%s)%s", ids.size(), absl::StrJoin(ids, ", "),
      ProfileOf(a).era == ProfileOf(b).era
          ? ""
          : " and in how a device finds its driver or a group its default domain");
}

// What the text of the release says of the rules in which the profiles around it differ; "" if
// nobody read it.
std::string ReadText(std::string_view release, KernelVersion before, KernelVersion after) {
  const auto numbers = NumbersOf(release);
  for (const ReadBetween& read : ReleasesReadBetween()) {
    if (numbers != std::pair(read.major, read.minor)) continue;
    RuleSet as_after;
    for (const Rule rule : read.as_after) as_after.add(rule);
    std::array<std::vector<std::string>, 2> ids;
    for (const RuleInfo& info : AllRules())
      if (ProfileOf(before).has(info.rule) != ProfileOf(after).has(info.rule))
        ids[as_after.has(info.rule) ? 1 : 0].emplace_back(info.id);
    return absl::StrFormat(" Read in %s: as %s in %s; as %s in %s.%s%s", read.release,
                           VersionName(after), absl::StrJoin(ids[1], ", "), VersionName(before),
                           absl::StrJoin(ids[0], ", "), read.besides.empty() ? "" : " ",
                           read.besides);
  }
  return "";
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
  if (place.below && place.above && !SameRules(*place.below, *place.above))
    profiles.push_back(*place.above);
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
  const bool same = SameRules(*place.below, *place.above);
  return absl::StrFormat(
      "Linux %s has no profile of its own: the nearest before it is %s, the next %s. They %s%s",
      Printable(release), VersionName(*place.below), VersionName(*place.above),
      DifferenceText(*place.below, *place.above),
      same ? "." : ", so both are asked about." + ReadText(release, *place.below, *place.above));
}

std::optional<AskedAs> AskAs(std::string_view word) {
  const std::string_view version = word.substr(0, word.find(','));
  const std::string_view release = version.starts_with('v') ? version.substr(1) : version;
  const std::optional<ReleasePlace> place = PlaceOf(release);
  if (FindVersion(version) || !IsRelease(release) || !place || !place->below) return std::nullopt;
  const std::string printed = Printable(release);
  const auto as = [&](KernelVersion profile, std::string note) {
    return AskedAs{
        absl::StrCat(std::string(VersionName(profile)), std::string(word.substr(version.size()))),
        std::move(note)};
  };
  if (place->exact) {
    const std::string fixes = PlaceText(release, *place);
    return as(*place->below, absl::StrCat("Linux ", printed, " is asked about as ",
                                          std::string(VersionName(*place->below)), ".",
                                          fixes.empty() ? "" : " ", fixes));
  }
  if (!place->above) return std::nullopt;
  const auto numbers = NumbersOf(release);
  assert(numbers);
  const int at = Ordinal(*numbers);
  const bool nearer_above = OrdinalOf(*place->above) - at < at - OrdinalOf(*place->below);
  const KernelVersion profile = nearer_above ? *place->above : *place->below;
  const KernelVersion other = nearer_above ? *place->below : *place->above;
  std::string note = absl::StrFormat(
      "Linux %s has no profile of its own, and is asked about as %s, the nearest; %s is on its "
      "other side. They %s",
      printed, VersionName(profile), VersionName(other), DifferenceText(profile, other));
  absl::StrAppend(&note, SameRules(profile, other)
                             ? "."
                             : absl::StrFormat("; in these Linux %s may be as either, and what "
                                               "holds for %s need not hold for it.",
                                               printed, VersionName(profile)) +
                                   ReadText(release, *place->below, *place->above));
  return as(profile, std::move(note));
}

std::vector<std::string> RuleIds(RuleSet rules) {
  std::vector<std::string> ids;
  for (const RuleInfo& info : AllRules())
    if (rules.has(info.rule)) ids.emplace_back(info.id);
  return ids;
}

}  // namespace iommucheck
