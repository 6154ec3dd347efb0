// SPDX-License-Identifier: Apache-2.0
#include "src/review/explain.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "src/conform/compare.h"
#include "src/conform/machine_rules.h"
#include "src/conform/model_trace.h"
#include "src/tool/stop.h"

namespace iommucheck::review {
namespace {

using conform::Trace;

// The case's kernel with its assumptions, and these rules changed: dropped where the profile has
// them, else added.
Case Changed(Case c, std::span<const Rule> rules) {
  const KernelProfile profile = ProfileOf(c.kernel.version);
  for (const Rule rule : rules)
    profile.has(rule) ? c.kernel.dropped.add(rule) : c.kernel.added.add(rule);
  return c;
}

class Search {
 public:
  Search(KernelVersion version, std::span<const Answered> differing, std::span<const Case> alike,
         Explanation& out)
      : version_(version), differing_(differing), alike_(alike), out_(out) {
    before_.reserve(alike.size());
    for (const Case& c : alike) before_.push_back(conform::TraceOf(c));
  }

  void Try(std::span<const Rule> rules) {
    ++out_.tried;
    size_t fit = 0;
    const Answered* fails = nullptr;
    for (const Answered& answered : differing_) {
      if (Agree(answered.after, conform::TraceOf(Changed(answered.c, rules))))
        ++fit;
      else if (fails == nullptr)
        fails = &answered;
    }
    const KernelSpec kernel =
        Changed({.kernel = {.version = version_, .dropped = {}, .added = {}}}, rules).kernel;
    const bool better = !out_.best || fit > out_.best->cases;
    if (fails != nullptr) {
      if (better) Best(kernel, fit, Changed(fails->c, rules), false, fails->after);
    } else if (const auto [c, trace] = FirstUnlike(rules); c != nullptr) {
      if (better) Best(kernel, fit, Changed(*c, rules), true, *trace);
    } else {
      out_.fits.push_back(kernel);
    }
  }

 private:
  void Best(const KernelSpec& kernel, size_t cases, const Case& c, bool unlike,
            const Trace& after) {
    out_.best = {.kernel = kernel,
                 .cases = cases,
                 .fails = c,
                 .unlike = unlike,
                 .columns = Compare(c, after, "patched kernel", conform::TraceOf(c), "model").text};
  }

  // The first case that the rules change, though the patch does not.
  [[nodiscard]] std::pair<const Case*, const Trace*> FirstUnlike(
      std::span<const Rule> rules) const {
    for (size_t i = 0; i < alike_.size(); ++i)
      if (!Agree(before_[i], conform::TraceOf(Changed(alike_[i], rules))))
        return {&alike_[i], &before_[i]};
    return {nullptr, nullptr};
  }

  KernelVersion version_;
  std::span<const Answered> differing_;
  std::span<const Case> alike_;
  std::vector<Trace> before_;
  Explanation& out_;
};

}  // namespace

bool IsOfMachine(const RuleInfo& info) {
  return info.kind == RuleKind::kAssumption || info.rule == Rule::kFirmwareDtXorAcpi ||
         info.id.starts_with("driver.");
}

std::vector<Rule> RulesOf(std::span<const std::string> functions) {
  std::vector<Rule> rules;
  for (const RuleInfo& info : AllRules())
    if (!IsOfMachine(info) && std::ranges::find(functions, info.function) != functions.end())
      rules.push_back(info.rule);
  return rules;
}

Explanation Explain(KernelVersion version, std::span<const Answered> differing,
                    std::span<const Case> alike, std::span<const Rule> touched) {
  Explanation out{.differing = differing.size(), .alike = alike.size()};
  Search search(version, differing, alike, out);
  // The touched rules first, so that of the sets that fit theirs come first.
  std::vector<Rule> all(touched.begin(), touched.end());
  for (const RuleInfo& info : AllRules())
    if (!IsOfMachine(info) && std::ranges::find(touched, info.rule) == touched.end())
      all.push_back(info.rule);
  for (const Rule rule : all)
    if (!tool::Stopped()) search.Try(std::array{rule});
  for (size_t i = 0; out.fits.empty() && i < touched.size(); ++i)
    for (size_t j = i + 1; j < touched.size() && !tool::Stopped(); ++j)
      search.Try(std::array{touched[i], touched[j]});
  if (!out.fits.empty()) return out;
  for (size_t i = 0; i < touched.size(); ++i)
    for (size_t j = i + 1; j < touched.size(); ++j)
      for (size_t k = j + 1; k < touched.size() && !tool::Stopped(); ++k)
        search.Try(std::array{touched[i], touched[j], touched[k]});
  return out;
}

conform::Trace WithoutRule(const Case& c, Rule rule) {
  return conform::TraceOf(Changed(c, std::array{rule}));
}

std::vector<Rule> Unseen(KernelVersion version, std::span<const Case> cases,
                         std::span<const Rule> touched) {
  const KernelProfile profile = ProfileOf(version);
  std::vector<Rule> unseen;
  std::ranges::copy_if(touched, std::back_inserter(unseen),
                       [&](Rule rule) { return profile.has(rule); });
  for (const Case& c : cases) {
    if (unseen.empty() || tool::Stopped()) break;
    const Trace before = conform::TraceOf(c);
    std::erase_if(unseen, [&](Rule rule) { return !Agree(before, WithoutRule(c, rule)); });
  }
  return unseen;
}

}  // namespace iommucheck::review
