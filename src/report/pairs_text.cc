// SPDX-License-Identifier: Apache-2.0
#include "src/report/pairs_text.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/case/json_text.h"
#include "src/report/json.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

std::string RefusedText(const import::PairResult& pair) {
  if (pair.refused == Rule::kVfioCacheCoherency) return "one is not for VFIO: no CACHE_COHERENCY";
  if (!pair.refused) return "VFIO takes no container of both";
  return absl::StrCat("VFIO has none: ", std::string(InfoOf(*pair.refused).id));
}

std::string Coexisting(std::span<const import::PairResult> pairs, bool all) {
  std::string out;
  for (const import::PairResult& pair : pairs) {
    if (!pair.both_serve) continue;
    const std::string end = pair.violates      ? "VIOLATED: one is put on the other's domain"
                            : pair.vfio_usable ? "apart: each group has its own domain"
                                               : RefusedText(pair);
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
  if (ProfileOf(kernel).era != Era::kBusSlots)
    out += Field("",
                 "no driver claims a bus here: whether two can meet is decided where their "
                 "instances register, and each then serves what is behind it");
  out += Field("pairs",
               absl::StrFormat("%d apart, %d coexist, %d of them violate %s", n.apart, n.coexist,
                               n.violate, PropertyName(Property::kNoCrossDriverReuse)));
  out += "\nPairs that serve devices of a machine that has both, and their containers\n";
  out += Coexisting(pairs, all);
  out += "\nPairs that cannot, by the first reason that applies\n";
  for (const auto& [reason, count] : fallen) {
    absl::StrAppendFormat(&out, "  %4d  %s\n", count, import::PairReasonName(reason));
    if (!all) continue;
    for (const import::PairResult& pair : pairs)
      if (!pair.both_serve && pair.reason == reason)
        out += Field("", absl::StrFormat("%s and %s: %s", pair.a, pair.b, pair.detail));
  }
  return out;
}

std::string PairsJson(const KernelSpec& kernel, std::span<const import::PairResult> pairs) {
  const PairCounts n = CountPairs(pairs);
  Json list = Json::array();
  for (const import::PairResult& pair : pairs) {
    Json entry = {{"drivers", {pair.a, pair.b}},
                  {"reason", import::PairReasonName(pair.reason)},
                  {"detail", pair.detail},
                  {"both_serve", pair.both_serve}};
    if (pair.both_serve) {
      entry["vfio_usable"] = pair.vfio_usable;
      entry["violates"] = pair.violates;
      entry["case"] = CaseJson(pair.example);
    }
    list.push_back(std::move(entry));
  }
  Json out = ToolJson("pairs");
  out["kernel"] = KernelJson(kernel);
  out["property"] = PropertyName(Property::kNoCrossDriverReuse);
  out["apart"] = n.apart;
  out["coexist"] = n.coexist;
  out["violate"] = n.violate;
  out["pairs"] = std::move(list);
  return JsonText(out);
}

}  // namespace iommucheck::report
