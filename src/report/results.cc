// SPDX-License-Identifier: Apache-2.0
#include "src/report/results.h"

#include <algorithm>
#include <cassert>
#include <fstream>
#include <map>
#include <span>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "src/case/json_text.h"
#include "src/report/json.h"
#include "src/report/text.h"
#include "src/report/verdict_line.h"
#include "src/tool/provenance.h"

namespace iommucheck::report {
namespace {

using Outcome = CheckResult::Outcome;

size_t Count(std::span<const CheckResult> results, Outcome outcome) {
  return static_cast<size_t>(std::ranges::count(results, outcome, &CheckResult::outcome));
}

std::vector<std::string> Lines(const std::string& text) {
  return absl::StrSplit(text, '\n', absl::SkipEmpty());
}

// The parts that are no pass, or the result itself where none is to blame.
std::vector<const CheckResult*> Causes(const CheckResult& result) {
  std::vector<const CheckResult*> causes;
  for (const CheckResult& part : result.parts)
    if (part.outcome != Outcome::kPass) causes.push_back(&part);
  if (causes.empty()) causes.push_back(&result);
  return causes;
}

// "FILE:LINE: sentence" of each cause, then what is known besides.
std::string Detail(const CheckResult& result) {
  std::string text;
  for (const CheckResult* cause : Causes(result)) {
    if (!cause->file.empty()) absl::StrAppend(&text, cause->file, ":");
    if (cause->line != 0) absl::StrAppend(&text, cause->line, ":");
    absl::StrAppend(&text, cause->file.empty() ? "" : " ", cause->message, "\n");
    for (const KernelPlace& place : cause->kernel)
      absl::StrAppend(&text, "  ", place.file, ": ", place.function, ": ", place.why, "\n");
  }
  return text + result.detail;
}

std::string Message(const CheckResult& result) {
  return result.message.empty() ? Causes(result).front()->message : result.message;
}

std::string Kind(const CheckResult& result) {
  return result.kind.empty() ? Causes(result).front()->kind : result.kind;
}

// --- JUnit ---

// XML 1.0 has no way to write most control characters.
std::string Xml(std::string text) {
  std::ranges::replace_if(
      text, [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)) && c != '\n'; },
      '?');
  return absl::StrReplaceAll(
      text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"\n", "&#10;"}});
}

std::string JunitCase(std::string_view command, const CheckResult& result) {
  std::string text = absl::StrFormat(R"(    <testcase classname="iommucheck.%s" name="%s")",
                                     std::string(command), Xml(result.name));
  if (!result.file.empty()) absl::StrAppend(&text, " file=\"", Xml(result.file), "\"");
  if (result.line != 0) absl::StrAppend(&text, " line=\"", result.line, "\"");
  switch (result.outcome) {
    case Outcome::kPass:
      return text + "/>\n";
    case Outcome::kSkip:
      return absl::StrCat(text, ">\n      <skipped message=\"", Xml(result.message),
                          "\"/>\n    </testcase>\n");
    case Outcome::kFail:
    case Outcome::kError:
      break;
  }
  const char* const tag = result.outcome == Outcome::kFail ? "failure" : "error";
  return absl::StrFormat("%s>\n      <%s type=\"%s\" message=\"%s\">%s</%s>\n    </testcase>\n",
                         text, tag, Xml(Kind(result)), Xml(Message(result)), Xml(Detail(result)),
                         tag);
}

std::string Junit(std::string_view command, const std::vector<CheckResult>& results) {
  std::string text = absl::StrFormat(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
      "  <testsuite name=\"iommucheck %s\" tests=\"%d\" failures=\"%d\" errors=\"%d\" "
      "skipped=\"%d\">\n    <properties>\n"
      "      <property name=\"tool\" value=\"%s\"/>\n"
      "      <property name=\"command\" value=\"%s\"/>\n    </properties>\n",
      std::string(command), results.size(), Count(results, Outcome::kFail),
      Count(results, Outcome::kError), Count(results, Outcome::kSkip), Xml(ToolName()),
      Xml(tool::CommandLine()));
  for (const CheckResult& result : results) text += JunitCase(command, result);
  return text + "  </testsuite>\n</testsuites>\n";
}

// --- KTAP, Documentation/dev-tools/ktap.rst ---

std::string OneLine(std::string text) {
  std::ranges::replace_if(
      text, [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); }, '?');
  return text;
}

// In a description # begins a directive.
std::string KtapWord(std::string text) {
  std::ranges::replace(text, '#', ' ');
  return OneLine(std::move(text));
}

std::string KtapDirective(const CheckResult& result) {
  if (result.outcome == Outcome::kSkip) return " # SKIP " + KtapWord(result.message);
  if (result.outcome == Outcome::kError) return " # ERROR " + KtapWord(Message(result));
  return "";
}

std::string KtapList(const std::vector<CheckResult>& results, const std::string& indent,
                     const std::string& about) {
  std::string text =
      absl::StrCat(indent, "KTAP version 1\n", about, indent, "1..", results.size(), "\n");
  size_t number = 0;
  for (const CheckResult& result : results) {
    ++number;
    if (!result.parts.empty())
      text += KtapList(result.parts, indent + "  ",
                       absl::StrCat(indent, "  # Subtest: ", KtapWord(result.name), "\n"));
    const bool ok = result.outcome == Outcome::kPass || result.outcome == Outcome::kSkip;
    // The parts say what they have found themselves.
    if (!ok && result.parts.empty())
      for (const std::string& line : Lines(Detail(result)))
        absl::StrAppend(&text, indent, "# ", OneLine(line), "\n");
    absl::StrAppend(&text, indent, ok ? "ok " : "not ok ", number, " ", KtapWord(result.name),
                    KtapDirective(result), "\n");
  }
  return text;
}

std::string Ktap(const std::vector<CheckResult>& results) {
  return KtapList(results, "",
                  absl::StrCat("# ", ToolName(), "\n# ", KtapWord(tool::CommandLine()), "\n"));
}

// --- SARIF ---

// A path as a URI, RFC 3986.
std::string Uri(const std::string& path) {
  std::string uri;
  for (const char c : path) {
    const bool plain = absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                       std::string_view("-._~/+,=@").find(c) != std::string_view::npos;
    if (plain)
      uri += c;
    else
      absl::StrAppendFormat(&uri, "%%%02X", static_cast<unsigned char>(c));
  }
  return uri;
}

Json SarifLocation(const std::string& file, int line) {
  Json place = {{"artifactLocation", {{"uri", Uri(file)}}}};
  if (line != 0) place["region"] = {{"startLine", line}};
  return {{"physicalLocation", std::move(place)}};
}

constexpr const char* kKernelTree = "KERNEL";

Json SarifKernel(const KernelPlace& kernel) {
  Json location = SarifLocation(kernel.file, kernel.line);
  location["physicalLocation"]["artifactLocation"]["uriBaseId"] = kKernelTree;
  location["logicalLocations"] = Json::array({{{"name", kernel.function}, {"kind", "function"}}});
  location["message"] = {{"text", kernel.why}};
  return location;
}

Json SarifResult(const CheckResult& result, const CheckResult& cause) {
  Json entry = {{"ruleId", cause.kind.empty() ? "failed" : cause.kind},
                {"level", result.outcome == Outcome::kFail ? "error" : "warning"},
                {"message", {{"text", absl::StrCat(result.name, ": ", cause.message)}}}};
  const std::string& file = cause.file.empty() ? result.file : cause.file;
  // Code scanning shows a result at a place only; a question about all machines has none of a case.
  if (!file.empty())
    entry["locations"] = Json::array({SarifLocation(file, cause.line)});
  else if (!cause.kernel.empty())
    entry["locations"] = Json::array({SarifKernel(cause.kernel.front())});
  for (const KernelPlace& place : cause.kernel)
    entry["relatedLocations"].push_back(SarifKernel(place));
  return entry;
}

std::string Sarif(const std::vector<CheckResult>& results) {
  Json found = Json::array();
  for (const CheckResult& result : results)
    if (result.outcome == Outcome::kFail || result.outcome == Outcome::kError)
      for (const CheckResult* cause : Causes(result)) found.push_back(SarifResult(result, *cause));
  Json driver = {{"name", "iommucheck"}, {"version", tool::Version()}, {"fullName", ToolName()}};
  Json run;
  run["tool"] = {{"driver", std::move(driver)}};
  run["invocations"] =
      Json::array({{{"commandLine", tool::CommandLine()},
                    {"executionSuccessful", Count(results, Outcome::kError) == 0}}});
  run["originalUriBaseIds"] = {
      {kKernelTree, {{"description", {{"text", "the top of a kernel tree"}}}}}};
  run["results"] = std::move(found);
  const Json out = {{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
                    {"version", "2.1.0"},
                    {"runs", Json::array({std::move(run)})}};
  return JsonText(out);
}

// The line on which a C function is defined, as the kernel's style has it: the line with its name
// begins in the first column, and the statement ends with no semicolon before its body. 0: none.
int LineOf(std::span<const std::string> lines, const std::string& function) {
  const std::string call = function + "(";
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string& line = lines[i];
    if (line.empty() || absl::ascii_isspace(static_cast<unsigned char>(line[0])) ||
        line[0] == '#' || line[0] == '*')
      continue;
    const size_t at = line.find(call);
    if (at == std::string::npos) continue;
    if (at != 0 &&
        (absl::ascii_isalnum(static_cast<unsigned char>(line[at - 1])) || line[at - 1] == '_'))
      continue;
    for (size_t end = i; end < lines.size(); ++end) {
      if (lines[end].starts_with("{")) return static_cast<int>(i) + 1;
      if (lines[end].find(';') != std::string::npos) break;
    }
  }
  return 0;
}

// The lines of the files of one tree, each of which is read once.
class Tree {
 public:
  explicit Tree(std::string folder) : folder_(std::move(folder)) {}

  int LineIn(const KernelPlace& place) {
    const auto [entry, is_new] = files_.try_emplace(place.file);
    if (is_new) {
      std::ifstream in(folder_ + "/" + place.file);
      for (std::string line; std::getline(in, line);) entry->second.push_back(line);
    }
    return LineOf(entry->second, place.function.substr(0, place.function.find('(')));
  }

 private:
  std::string folder_;
  std::map<std::string, std::vector<std::string>> files_;
};

void FindLinesIn(Tree& tree, std::vector<CheckResult>& results) {
  for (CheckResult& result : results) {
    for (KernelPlace& place : result.kernel) place.line = tree.LineIn(place);
    FindLinesIn(tree, result.parts);
  }
}

}  // namespace

std::vector<KernelPlace> PlacesOf(const std::vector<Rule>& rules) {
  std::vector<KernelPlace> places;
  for (const Rule rule : rules) {
    const RuleInfo& info = InfoOf(rule);
    if (info.file.empty()) continue;  // an assumption
    places.push_back({.file = std::string(info.file),
                      .function = std::string(info.function),
                      .why = absl::StrCat(std::string(info.id), ": ", std::string(info.holds))});
  }
  return places;
}

CheckResult VerdictResult(Property property, Verdict verdict, const std::string& line,
                          const std::string& report, const KernelSpec& kernel, const Case& found) {
  CheckResult result{
      .name = absl::StrCat(std::string(PropertyName(property)), " on ", KernelWord(kernel))};
  if (verdict == Verdict::kHolds) return result;
  const bool violated = verdict == Verdict::kViolated;
  result.outcome = violated ? Outcome::kFail : Outcome::kError;
  result.kind = violated ? PropertyName(property) : "unknown";
  result.message = line;
  result.detail = report;
  if (violated) result.kernel = PlacesOf(StoppingRules(found, property));
  return result;
}

std::string ResultsText(ResultForm form, std::string_view command,
                        const std::vector<CheckResult>& results) {
  switch (form) {
    case ResultForm::kText:
      break;
    case ResultForm::kJunit:
      return Junit(command, results);
    case ResultForm::kKtap:
      return Ktap(results);
    case ResultForm::kSarif:
      return Sarif(results);
  }
  assert(false);
  return "";
}

void FindLines(const std::string& tree, std::vector<CheckResult>& results) {
  Tree files(tree);
  FindLinesIn(files, results);
}

}  // namespace iommucheck::report
