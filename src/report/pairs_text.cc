// SPDX-License-Identifier: Apache-2.0
#include "src/report/pairs_text.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

std::string PairText(const import::PairResult& pair) {
  return Field("", absl::StrFormat("%s and %s: %s", pair.a, pair.b, pair.detail));
}

std::string Coexisting(std::span<const import::PairResult> pairs, bool all) {
  std::string out;
  for (const import::PairResult& pair : pairs) {
    if (!pair.both_serve) continue;
    const char* end = pair.violates      ? "VIOLATED: one is put on the other's domain"
                      : pair.vfio_usable ? "apart: each group has its own domain"
                                         : "one is not for VFIO: no CACHE_COHERENCY";
    absl::StrAppendFormat(&out, "  %-14s %-14s %s\n", pair.a, pair.b, end);
    if (all) out += Field("", pair.detail);
  }
  return out.empty() ? "  none\n" : out;
}

}  // namespace

PairCounts CountPairs(std::span<const import::PairResult> pairs) {
  PairCounts n;
  for (const import::PairResult& pair : pairs) {
    ++(pair.both_serve ? n.coexist : n.apart);
    if (pair.violates) ++n.violate;
  }
  return n;
}

std::string PairsText(const KernelSpec& kernel, std::span<const import::PairResult> pairs,
                      bool all) {
  const PairCounts n = CountPairs(pairs);
  std::map<import::PairReason, int> fallen;
  for (const import::PairResult& pair : pairs)
    if (!pair.both_serve) ++fallen[pair.reason];
  std::string out = Field("kernel", KernelName(kernel)) + ToolText();
  out += Field("pairs",
               absl::StrFormat("%d apart, %d coexist, %d of them violate %s", n.apart, n.coexist,
                               n.violate, PropertyName(Property::kNoCrossDriverReuse)));
  out += "\nPairs that serve devices of one machine, and where a container takes them\n";
  out += Coexisting(pairs, all);
  out += "\nPairs that cannot, by the first reason that applies\n";
  for (const auto& [reason, count] : fallen) {
    absl::StrAppendFormat(&out, "  %4d  %s\n", count, import::PairReasonName(reason));
    if (!all) continue;
    for (const import::PairResult& pair : pairs)
      if (!pair.both_serve && pair.reason == reason) out += PairText(pair);
  }
  return out;
}

}  // namespace iommucheck::report
