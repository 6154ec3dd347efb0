// SPDX-License-Identifier: Apache-2.0
//
// The folder of findings of ./dev fuzz --forever:
//
//   DIR/TARGET/inbox/ID.txt, ID.input   a report and its input, as a worker left them
//   DIR/findings/ID/                    a finding: it comes whole, by a rename
//     finding.json                      its entry of the index
//     report.txt                        a mail
//     input                             for the target
//     smallest.case                     where an input is a case that violates a property
//   DIR/findings/index.jsonl            a line for each finding; made anew from the folders
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/properties.h"
#include "src/case/case.h"

namespace iommucheck::fuzzing {

// What a report of a target says.
struct Reported {
  std::string what;    // "no-leaked-pin on v6-12": the same for the same bug
  std::string kernel;  // "v6.12 without type1.same_ops"; "" where the report names none
  // Of a violation that plays again: the property, and the case.
  std::optional<Property> property;
  std::optional<Case> found;
};
// Reads a report of Fail(), or the log of an engine on an input that it ended with. A log without a
// summary is a finding, too: that nothing was seen again.
Reported ReadReport(std::string_view text);

// The smallest part of the case that still violates the property, which it expects to hold.
Case SmallestOf(const Case& found, Property property);

// Two reports with the same key are of the same finding: the same assertion, kernel and rules, and
// for a violated property the same smallest case, whatever its names; with up to six steps and three
// devices, and nothing that the encodings lack, also whatever the order of devices and of independent
// steps.
std::string KeyOf(const Reported& reported, const std::optional<Case>& smallest);

// Moves the inbox of the target to the findings: each report becomes a finding, or is counted with
// the one it repeats. A report leaves the inbox only when its finding is on the disk, so a run that
// is killed only has to be repeated. Returns how many new findings there are.
// Errors: what cannot be read or written; the inbox keeps that report, and the rest is taken.
absl::StatusOr<int> TakeInbox(const std::string& dir, const std::string& target);

// Writes the index anew from the folders of findings. A folder that cannot be read gets a line with
// its name and why.
absl::Status WriteIndex(const std::string& dir);

}  // namespace iommucheck::fuzzing
