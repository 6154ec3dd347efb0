// SPDX-License-Identifier: Apache-2.0
#include "src/report/pairs_text.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "src/case/json_text.h"
#include "src/import/catalogue.h"
#include "src/report/json.h"
#include "src/report/kernel_table.h"
#include "src/report/survey_data.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

std::string RefusedText(const import::PairResult& pair) {
  if (pair.refused == Rule::kVfioCacheCoherency) return "one is not for VFIO: no CACHE_COHERENCY";
  if (!pair.refused) return "VFIO takes no container of both";
  return absl::StrCat("VFIO has none: ", std::string(InfoOf(*pair.refused).id));
}

// "33 device trees of Debian's 7.2, such as Lenovo ThinkPad X13s"; "": none has devices of both.
std::string BoardsText(const std::string& a, const std::string& b) {
  const std::vector<const SurveyEntry*> boards = BoardsWith(a, b);
  if (boards.empty()) return "";
  return absl::StrFormat("%s of Debian's %s, such as %s", Plural(boards.size(), "device tree"),
                         KnownRelease(), boards[boards.size() / 2]->model);
}

std::string Coexisting(std::span<const import::PairResult> pairs, bool all) {
  std::string out;
  for (const import::PairResult& pair : pairs) {
    if (!pair.both_serve) continue;
    const std::string end = pair.violates      ? "VIOLATED: one is put on the other's domain"
                            : pair.vfio_usable ? "apart: each group has its own domain"
                                               : RefusedText(pair);
    absl::StrAppendFormat(&out, "  %-14s %-14s %s\n", pair.a, pair.b, end);
    if (const std::string boards = BoardsText(pair.a, pair.b); !boards.empty())
      out += Field("", "on " + boards);
    if (all) out += Field("", pair.detail);
  }
  return out.empty() ? "  none\n" : out;
}

// The drivers of the catalogue that the kernel lacks: "vsi (from v7.3 on)".
std::vector<std::string> Absent(KernelVersion version) {
  std::vector<std::string> absent;
  std::string last;
  for (const import::CatalogueDriver& row : import::Catalogue()) {
    if (row.name == last || import::Exists(row, version)) continue;
    last = row.name;
    absent.push_back(version < row.since
                         ? absl::StrFormat("%s (from %s on)", row.name, VersionName(row.since))
                         : absl::StrFormat("%s (up to %s)", row.name, VersionName(row.last)));
  }
  return absent;
}

std::string DriversText(KernelVersion version) {
  const std::vector<std::string> absent = Absent(version);
  const size_t there = import::DriversThatExist(version).size();
  return Field("drivers",
               absl::StrCat(there, " of the catalogue are in this kernel",
                            absent.empty() ? "" : "; not " + absl::StrJoin(absent, ", ")));
}

// What a kernel makes of a pair, in a word or two.
std::string PairWord(const import::PairResult& pair) {
  if (pair.violates) return "VIOLATED";
  if (pair.vfio_usable) return "VFIO";
  if (pair.both_serve) return "meet";
  if (pair.reason == import::PairReason::kOneRegisters) return "-EBUSY";
  if (pair.reason == import::PairReason::kOneLoses) return "one loses";
  return "apart";
}

const import::PairResult* FindPair(const PairsOn& on, const std::string& a, const std::string& b) {
  for (const import::PairResult& pair : on.pairs)
    if (pair.a == a && pair.b == b) return &pair;
  return nullptr;
}

// The pairs that meet on any of the kernels, in the catalogue's order.
std::vector<std::pair<std::string, std::string>> MeetSomewhere(std::span<const PairsOn> kernels) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const PairsOn& on : kernels)
    for (const import::PairResult& pair : on.pairs)
      if (const std::pair names(pair.a, pair.b);
          pair.both_serve && std::ranges::find(pairs, names) == pairs.end())
        pairs.push_back(names);
  std::ranges::sort(pairs);
  return pairs;
}

std::string WordOn(const PairsOn& on, const std::string& a, const std::string& b) {
  const import::PairResult* const pair = FindPair(on, a, b);
  return pair == nullptr ? "-" : PairWord(*pair);
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
  out += DriversText(kernel.version);
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
    for (const SurveyEntry* board : BoardsWith(pair.a, pair.b))
      entry["device_trees"].push_back(board->machine);
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

std::string PairsAcrossText(std::span<const PairsOn> kernels) {
  KernelTable table;
  for (const PairsOn& on : kernels) table.kernels.emplace_back(VersionName(on.kernel.version));
  for (const auto& [a, b] : MeetSomewhere(kernels)) {
    KernelTable::Row row{.head = absl::StrCat(a, " ", b), .cells = {}};
    for (const PairsOn& on : kernels) row.cells.push_back(WordOn(on, a, b));
    if (const std::string boards = BoardsText(a, b); !boards.empty())
      row.below.push_back("on " + boards);
    table.rows.push_back(std::move(row));
  }
  std::string out = Field("kernels", "all that this version knows") + ToolText();
  out += "\n";
  out +=
      Indented(0,
               "Pairs that serve devices of one machine on some kernel. -: it lacks one of them; "
               "apart: no machine has both; one loses: it gets no device; -EBUSY: the core takes "
               "one driver; meet: both serve; VFIO: a container takes devices of both; VIOLATED: "
               "and puts them on one domain");
  out += KernelTableText(table);
  out += "\nThe drivers of each kernel\n";
  std::string last;
  for (const PairsOn& on : kernels) {
    const std::string drivers = DriversText(on.kernel.version);
    if (drivers == last) continue;
    last = drivers;
    out += absl::StrCat("from ", std::string(VersionName(on.kernel.version)), " on\n", drivers);
  }
  return out;
}

std::string PairsAcrossJson(std::span<const PairsOn> kernels) {
  Json out = ToolJson("pairs");
  out["property"] = PropertyName(Property::kNoCrossDriverReuse);
  out["kernels"] = Json::array();
  for (const PairsOn& on : kernels) {
    const PairCounts n = CountPairs(on.pairs);
    Json drivers = Json::array();
    for (const import::CatalogueDriver* driver : import::DriversThatExist(on.kernel.version))
      drivers.push_back(driver->name);
    out["kernels"].push_back({{"kernel", KernelJson(on.kernel)},
                              {"drivers", std::move(drivers)},
                              {"apart", n.apart},
                              {"coexist", n.coexist},
                              {"violate", n.violate}});
  }
  out["pairs"] = Json::array();
  for (const auto& [a, b] : MeetSomewhere(kernels)) {
    Json entry = {{"drivers", {a, b}}, {"on", Json::array()}, {"device_trees", Json::array()}};
    for (const PairsOn& on : kernels)
      entry["on"].push_back(
          {{"profile", VersionName(on.kernel.version)}, {"is", WordOn(on, a, b)}});
    for (const SurveyEntry* board : BoardsWith(a, b))
      entry["device_trees"].push_back(board->machine);
    out["pairs"].push_back(std::move(entry));
  }
  return JsonText(out);
}

}  // namespace iommucheck::report
