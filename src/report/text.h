// SPDX-License-Identifier: Apache-2.0
//
// Plain text for people and mails: ASCII, at most 75 columns, the same for the same input.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "src/case/case.h"
#include "src/case/run.h"

namespace iommucheck::report {

inline constexpr int kColumns = 75;

// "v6.0 without type1.same_ops, with assume.homogeneous_groups"
std::string KernelName(const KernelSpec& kernel);

// ", assuming (assume.no_unregister_while_serving) that an instance ..": what is assumed of in-tree
// drivers without being asked for. Empty where nothing is.
std::string AssumingText(const KernelSpec& kernel);

// "1 step", "2 steps"
std::string Plural(uint64_t n, const char* what);

// Broken at spaces so that no line is longer than `width`, except for longer words.
std::vector<std::string> Wrap(const std::string& text, size_t width);

// The label in the first 10 columns, the text wrapped in the rest.
std::string Field(const std::string& label, const std::string& text);

// "iommucheck 0.1.0 (d04f127f0e5a, Z3 4.8.12)": version, commit, solver.
std::string ToolName();
// The two fields of every report that name the version that made it and the command line.
std::string ToolText();
// The end of a report: the command that goes on from here, if any, then the line made to be
// grepped.
std::string LastLines(const std::string& next, const std::string& verdict_line);

// Devices that are shown, by their numbers. Empty: all.
using Shown = std::vector<bool>;

// Where devices are left out, a last line counts them.
std::string TopologyText(const Case& c, const Shown& shown = {});

struct TraceOptions {
  bool all_events = false;      // every event, not only what changed and what refused
  Shown shown{};                // lines only about other devices are left out
  bool all_properties = false;  // not only the properties that are encoded
};
// Each op with its errno and what changed, violations and refusals.
std::string TraceText(const Case& c, const Run& run, const TraceOptions& options = {});

// "attach_dev(type1 domain of intel, fdb0 of rk) = 0"
std::string EventText(const Case& c, const Event& event);

// The rules that the kernel has not, each of which alone would have stopped the violation.
std::vector<Rule> StoppingRules(const Case& c, Property property);
// These rules, each with its kernel function and what it does.
std::string StoppingRulesText(const Case& c, Property property);

// `iommucheck replay`
std::string ReplayText(const Case& c, const Run& run, const TraceOptions& options);

// `iommucheck kernels`: these rules, and which of these versions have them.
std::string KernelsText(std::span<const Rule> rules, std::span<const KernelVersion> versions);

// `iommucheck properties`
std::string PropertiesText(std::span<const Property> properties);

// The machine and where a run leaves it, for graphviz.
std::string Dot(const Case& c);

}  // namespace iommucheck::report
