// SPDX-License-Identifier: Apache-2.0
//
// Plain text for people and mails: ASCII, at most 75 columns, the same for the same input.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/state.h"
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
// A field for each text, the first of them with the label.
std::string Fields(const std::string& label, const std::vector<std::string>& texts);
// The first fields of an answer: the command, the property with its sentence, and the kernel.
std::string QuestionText(const char* command, Property property, const KernelSpec& kernel);

// "iommucheck 0.1.0 (d04f127f0e5a, Z3 4.8.12, CaDiCaL sc2021)": version, commit, solvers.
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
// Of one step, counted from 0, what happened in it: the lines of the trace under the op.
std::string StepChanges(const Case& c, const Run& run, size_t i, const TraceOptions& options = {});

// "attach_dev(type1 domain of intel, fdb0 of rk) = 0"
std::string EventText(const Case& c, const Event& event);

// The rules that the kernel has not, each of which alone would have stopped the violation.
std::vector<Rule> StoppingRules(const Case& c, Property property);
// A case that was found: at which op it violated the property where it was `replayed`, the machine,
// the trace, and each stopping rule with what it does.
std::string FoundText(const Case& c, const Run& run, Property property,
                      const std::string& replayed = "in the model", const Shown& shown = {});

// `iommucheck replay`
std::string ReplayText(const Case& c, const Run& run, const TraceOptions& options);

// `iommucheck kernels`: these rules, and which of these versions have them.
std::string KernelsText(std::span<const Rule> rules, std::span<const KernelVersion> versions);

// `iommucheck properties`
std::string PropertiesText(std::span<const Property> properties);

// --- parts of these texts ---

// The text in lines of kColumns that begin with `indent` blanks.
std::string Indented(int indent, const std::string& text);

inline bool IsShown(const Shown& shown, DeviceId d) {
  return d == kNoId || shown.empty() || shown[d];
}

// "nobody" of kNoId.
std::string DriverName(const Case& c, DriverId driver);

std::string_view TypeName(DomainType type);

// "d2, type1 of intel", with its unusual attributes; "none" for kNoId.
std::string DomainText(const Case& c, const State& s, DomainId domain);

// The device, group or domain at fault; for the first two properties the event says it.
std::string ViolationText(const Case& c, Property property, const FirstViolation& v);

// "page 3", "pages 8-11"
std::string PagesText(Pages pages);
// "page 3", "pages 0-3, 8", "no page". Bit n is page n.
std::string PageSetText(uint64_t pages);

// The changes that a step made, in the kernel's terms (src/report/changes.cc).
// A line for each change of any member of the state, but for what another line says already (a
// device that is where its group is, a list in the order in which its entries came) and for
// bounds and counts that follow from the rest. A change that the op implies (`op`, nullptr where it
// failed) is listed only if the step changed nothing else. Changes of devices that are not shown
// are left out.
std::vector<std::string> Changes(const Case& c, const State& before, const State& after,
                                 const Op* op = nullptr, const Shown& shown = {});

// The assumptions that a promise rests on, and the calls that must not fail, in words.
std::vector<std::string> AssumptionsOf(const Promise& promise);
std::vector<std::string> FaultsOf(const Promise& promise);

}  // namespace iommucheck::report
