// SPDX-License-Identifier: Apache-2.0
//
// One JSON object a command, in the form of docs/output.schema.json; and the parts of it that
// several commands have.
#pragma once

#include <array>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/case/case.h"
#include "src/case/run.h"
#include "src/prove/prove.h"
#include "src/report/verdict_line.h"

namespace iommucheck::report {

using Json = nlohmann::ordered_json;

inline constexpr std::array<std::string_view, 3> kRuleKindNames = {"check", "mechanism",
                                                                   "assumption"};

std::string KernelsJson(std::span<const Rule> rules, std::span<const KernelVersion> versions);
std::string PropertiesJson(std::span<const Property> properties);
// `path` names the case in the lines made to be grepped.
std::string ReplayJson(const Case& c, const Run& run, const std::string& path);

Json KernelJson(const KernelSpec& kernel);
Json CaseJson(const Case& c);
// Machines and runs up to a size, or all.
Json ScopeJson(Size size, bool every_size = false);
// Which version made it, by which command line: the first fields of every object.
Json ToolJson(const char* command);
// The fields that every answer has, in the schema's order.
Json Head(const char* command, const char* verdict, Size size, const KernelSpec& kernel);
// The fields about the property, and about the case that violates it where one was `found`.
void AddFound(Property property, const Case* found, const Run& run, Json& out);
// The lemmas, or why there is no proof; and the work that it took.
void AddProof(const prove::Proof& proof, Json& out);
void AddProofStats(const prove::Proof& proof, Json& stats);
Json StepsJson(const Case& c, const Run& run);
// Lines of text, a string each.
Json LinesJson(const std::string& lines);
// The rules that the kernel of the case lacks, each of which alone would stop its violation.
Json StoppingRulesJson(const Case& c, Property property);

}  // namespace iommucheck::report
