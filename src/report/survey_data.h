// SPDX-License-Identifier: Apache-2.0
//
// What a survey found, as it is kept in data/systems: names and figures, a line for each machine
// with an IOMMU that the kernel asked about drives.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "src/report/survey.h"

namespace iommucheck::report {

struct SurveyEntry {
  std::string machine;  // "qcom/x.dtb"
  std::string model;
  std::string kernel;   // asked about
  std::string drivers;  // "arm-smmu+arm-smmu-v3"
  std::string buses;    // "arm-smmu-v3:pci arm-smmu:platform": of drivers with devices
  std::string answer;
  std::string patched;  // with the patch of 2022
  friend auto operator<=>(const SurveyEntry&, const SurveyEntry&) = default;
};

struct SurveyData {
  size_t machines = 0;               // that were read
  std::vector<SurveyEntry> entries;  // sorted
};

// The drivers that have devices.
std::vector<std::string> ServingDrivers(const SurveyEntry& entry);

// A cell of comma-separated values, in quotes where it needs them.
std::string CsvCell(const std::string& text);

SurveyData DataOf(const std::vector<SurveyRow>& rows);
std::string PrintSurveyData(const SurveyData& data);
// Errors: InvalidArgument, "FILE:LINE:COLUMN: expected WHAT, found WHAT".
absl::StatusOr<SurveyData> ParseSurveyData(std::string_view text, std::string_view file);

// A sentence for each machine that came, went or changed from `before` to `after`, and for the
// number of all.
std::vector<std::string> SurveyChanges(const SurveyData& before, const SurveyData& after);

// The machines of Debian's newest kernel whose survey is compiled in (the newest of data/systems).
const SurveyData& KnownMachines();
std::string KnownRelease();  // of that kernel, such as "7.2"
// Those of them with devices of both drivers.
std::vector<const SurveyEntry*> BoardsWith(const std::string& a, const std::string& b);

}  // namespace iommucheck::report
