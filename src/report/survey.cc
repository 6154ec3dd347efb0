// SPDX-License-Identifier: Apache-2.0
#include "src/report/survey.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "src/case/json_text.h"
#include "src/case/spelling.h"
#include "src/report/survey_data.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

std::string JoinedDrivers(const std::set<std::string>& drivers) {
  return absl::StrJoin(drivers, "+");
}

bool HasSeveral(const std::string& drivers) { return drivers.find('+') != std::string::npos; }

// Whether any kernel has two drivers with a device each.
bool IsOfSeveral(const SurveyRow& row) {
  return std::ranges::any_of(row.verdicts, [](const auto& v) { return HasSeveral(v.serving); });
}

// The folder of the file, which is the vendor's in kernel packages.
std::string FamilyOf(const SurveyRow& row) {
  const size_t slash = row.name.rfind('/');
  return slash == std::string::npos ? "-" : row.name.substr(0, slash);
}

std::string Escaped(const std::string& text) {
  return absl::StrReplaceAll(text,
                             {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

// Of "not affected" the class is one word, so that it is not of the class of those that are affected.
std::string ClassOf(const std::string& word) {
  return absl::StrReplaceAll(Escaped(word), {{" ", "-"}});
}

}  // namespace

SurveyRow SurveyMachine(const std::string& name, const std::string& bytes,
                        const std::vector<KernelSpec>& kernels) {
  SurveyRow row{.name = name};
  const absl::StatusOr<import::Found> found = import::ReadSnapshot(bytes, name);
  if (found.ok()) {
    row.model = Printable(found->model);
    row.instances = static_cast<int>(found->instances.size());
  }
  for (const KernelSpec& kernel : kernels) {
    SurveyVerdict verdict{.kernel = KernelName(kernel)};
    const absl::StatusOr<SystemReport> report =
        found.ok() ? CheckFound({.path = name, .kernel = kernel}, *found) : found.status();
    if (!report.ok()) {
      verdict.verdict = "error";
      verdict.answer = std::string(report.status().message());
      row.verdicts.push_back(std::move(verdict));
      continue;
    }
    std::set<std::string> drivers;
    std::set<std::string> serving;
    std::set<std::string> buses;
    for (const import::InstanceAsFound& i : report->system.instances_found)
      drivers.insert(i.driver);
    for (const import::AsFound& d : report->system.as_found) {
      serving.insert(d.driver);
      buses.insert(absl::StrCat(d.driver, ":", std::string(BusName(d.bus))));
    }
    verdict.drivers = JoinedDrivers(drivers);
    verdict.serving = JoinedDrivers(serving);
    verdict.verdict = AnswerWord(*report, false);
    verdict.patched = AnswerWord(*report, true);
    verdict.answer = Printable(SystemAnswer(*report));
    row.buses = absl::StrJoin(buses, " ");
    row.verdicts.push_back(std::move(verdict));
  }
  return row;
}

Json SurveyRowJson(const SurveyRow& row) {
  Json verdicts = Json::array();
  for (const SurveyVerdict& v : row.verdicts)
    verdicts.push_back({{"kernel", v.kernel},
                        {"drivers", v.drivers},
                        {"serving", v.serving},
                        {"verdict", v.verdict},
                        {"patched", v.patched},
                        {"answer", v.answer}});
  return {{"name", Printable(row.name)},
          {"model", row.model},
          {"instances", row.instances},
          {"buses", row.buses},
          {"verdicts", std::move(verdicts)}};
}

SurveyRow SurveyRowOf(const Json& json) {
  SurveyRow row{.name = json.at("name"), .model = json.at("model")};
  row.instances = json.at("instances");
  row.buses = json.at("buses");
  for (const Json& v : json.at("verdicts"))
    row.verdicts.push_back({.kernel = v.at("kernel"),
                            .drivers = v.at("drivers"),
                            .serving = v.at("serving"),
                            .verdict = v.at("verdict"),
                            .patched = v.at("patched"),
                            .answer = v.at("answer")});
  return row;
}

std::string SurveyText(const std::vector<SurveyRow>& rows, bool all) {
  std::string out = Field("machines", Plural(rows.size(), "device tree")) + ToolText();
  const size_t kernels = rows.empty() ? 0 : rows.front().verdicts.size();
  for (size_t k = 0; k < kernels; ++k) {
    std::map<std::string, int> words;
    std::map<std::string, int> patched;
    std::map<std::string, int> by_drivers;
    std::map<std::string, int> by_family;
    int with_iommu = 0;
    for (const SurveyRow& row : rows) {
      const SurveyVerdict& v = row.verdicts[k];
      ++words[v.verdict];
      ++patched[v.patched.empty() ? v.verdict : v.patched];
      with_iommu += v.drivers.empty() ? 0 : 1;
      if (!HasSeveral(v.serving)) continue;
      ++by_drivers[v.serving];
      ++by_family[FamilyOf(row)];
    }
    const auto counts = [](const std::map<std::string, int>& map) {
      std::vector<std::string> parts;
      parts.reserve(map.size());
      for (const auto& [word, n] : map) parts.push_back(absl::StrCat(n, " ", word));
      return parts.empty() ? std::string("none") : absl::StrJoin(parts, ", ");
    };
    absl::StrAppend(&out, "\non ", rows.front().verdicts[k].kernel, "\n");
    out += Field("served", absl::StrCat(with_iommu, " with an IOMMU that it has a driver for"));
    out += Field("several", absl::StrCat("drivers that serve devices: ", counts(by_drivers)));
    out += Field("of", counts(by_family));
    out += Field("verdicts", counts(words));
    out += Field("patched", counts(patched) + " (without type1.same_ops, the patch of 2022)");
  }
  out += all ? "\nAll machines\n"
             : "\nMachines with devices of several drivers, on any of these kernels\n";
  int listed = 0;
  for (const SurveyRow& row : rows) {
    const bool error = std::ranges::any_of(
        row.verdicts, [](const SurveyVerdict& v) { return v.verdict == "error"; });
    if (!all && !error && !IsOfSeveral(row)) continue;
    ++listed;
    absl::StrAppend(&out, Printable(row.name), row.model.empty() ? "" : ": ", row.model, "\n");
    if (!row.buses.empty()) out += Field("", row.buses);
    for (const SurveyVerdict& v : row.verdicts)
      out += Field("", absl::StrFormat("%s: %s%s%s%s", v.kernel, v.verdict,
                                       v.patched.empty() ? "" : ", patched: " + v.patched,
                                       v.serving.empty() ? "" : "; " + v.serving,
                                       v.verdict == "error" ? "; " + v.answer : ""));
  }
  return listed == 0 ? out + "  none\n" : out;
}

std::string SurveyCsv(const std::vector<SurveyRow>& rows) {
  std::string out = "name,model,instances,buses,kernel,drivers,serving,verdict,patched,answer\n";
  for (const SurveyRow& row : rows)
    for (const SurveyVerdict& v : row.verdicts)
      absl::StrAppend(&out, CsvCell(Printable(row.name)), ",", CsvCell(row.model), ",",
                      row.instances, ",", CsvCell(row.buses), ",", CsvCell(v.kernel), ",",
                      v.drivers, ",", v.serving, ",", v.verdict, ",",
                      v.patched.empty() ? v.verdict : v.patched, ",", CsvCell(v.answer), "\n");
  return out;
}

std::string SurveyJson(const std::vector<SurveyRow>& rows) {
  Json out = ToolJson("survey");
  out["machines"] = Json::array();
  for (const SurveyRow& row : rows) out["machines"].push_back(SurveyRowJson(row));
  return JsonText(out);
}

std::string SurveyHtml(const std::vector<SurveyRow>& rows) {
  std::string out =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>iommucheck: IOMMU "
      "drivers of device trees</title>\n<style>:root{color-scheme:light dark}body{font:14px "
      "sans-serif;margin:1em}table{border-collapse:collapse}th,td{border:1px solid "
      "#8888;padding:2px 6px;text-align:left;vertical-align:top}th{cursor:pointer}"
      ".affected{background:#f445}.unknown,.error{background:#fa05}</style></head><body>\n"
      "<h1>IOMMU drivers of device trees</h1>\n";
  absl::StrAppend(&out, "<p>", rows.size(),
                  " device trees. <label><input type=checkbox id=several checked> only those with "
                  "devices of several drivers</label> <label>Find <input id=find></label></p>\n"
                  "<table><thead><tr><th>machine<th>model<th>kernel<th>drivers with "
                  "devices<th>buses<th>verdict<th>with the patch of 2022</tr></thead><tbody>\n");
  for (const SurveyRow& row : rows) {
    const std::string several = IsOfSeveral(row) ? "1" : "0";
    for (const SurveyVerdict& v : row.verdicts) {
      const std::string patched = v.patched.empty() ? v.verdict : v.patched;
      absl::StrAppend(&out, "<tr data-several=", several, "><td>", Escaped(Printable(row.name)),
                      "<td>", Escaped(row.model), "<td>", Escaped(v.kernel), "<td>");
      absl::StrAppend(&out, Escaped(v.serving), "<td>", Escaped(row.buses), "<td class=\"",
                      ClassOf(v.verdict), "\" title=\"", Escaped(v.answer), "\">");
      absl::StrAppend(&out, Escaped(v.verdict), "<td class=\"", ClassOf(patched), "\">",
                      Escaped(patched), "</tr>\n");
    }
  }
  out +=
      "</tbody></table>\n<script>\nconst body=document.querySelector('tbody');\n"
      "const rows=[...body.rows];\nconst several=document.getElementById('several');\n"
      "const find=document.getElementById('find');\n"
      "function show(){const text=find.value.toLowerCase();for(const r of rows)r.hidden="
      "(several.checked&&r.dataset.several!=='1')||!r.textContent.toLowerCase().includes(text);}\n"
      "several.onchange=find.oninput=show;show();\n"
      "document.querySelectorAll('th').forEach((th,i)=>{let up=false;th.onclick=()=>{up=!up;"
      "rows.sort((a,b)=>a.cells[i].textContent.localeCompare(b.cells[i].textContent,'en',"
      "{numeric:true})*(up?1:-1));body.append(...rows);};});\n</script></body></html>\n";
  return out;
}

}  // namespace iommucheck::report
