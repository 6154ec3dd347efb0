// SPDX-License-Identifier: Apache-2.0
//
// `iommucheck survey`: many device trees, and what each kernel makes of each of them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "src/report/json.h"
#include "src/report/system.h"

namespace iommucheck::report {

// One machine on one kernel.
struct SurveyVerdict {
  std::string kernel;
  std::string drivers;  // with instances, sorted, joined by '+'; empty: none
  std::string serving;  // those of them that have a device
  std::string verdict;  // affected, not affected, unknown; "error"
  std::string patched;  // with the patch of 2022; empty: there is one driver, so as `verdict`
  std::string answer;   // the sentence
};
struct SurveyRow {
  std::string name;   // "qcom/x.dtb"
  std::string model;  // as it says
  int instances = 0;  // switched on, whether or not the kernel has a driver
  std::string buses;  // of the devices of each driver on the newest kernel: "arm-smmu:platform ..."
  std::vector<SurveyVerdict> verdicts;  // by the order of the kernels
};

// The row of a device tree. What cannot be read has the verdict "error" on every kernel.
SurveyRow SurveyMachine(const std::string& name, const std::string& bytes,
                        const std::vector<KernelSpec>& kernels);
Json SurveyRowJson(const SurveyRow& row);
SurveyRow SurveyRowOf(const Json& json);

// The counts of each kernel, by pair of drivers and family, then the machines of several drivers;
// with `all`, the others, too.
std::string SurveyText(const std::vector<SurveyRow>& rows, bool all);
std::string SurveyCsv(const std::vector<SurveyRow>& rows);
std::string SurveyJson(const std::vector<SurveyRow>& rows);
// One page with a table that can be sorted, without a network.
std::string SurveyHtml(const std::vector<SurveyRow>& rows);

}  // namespace iommucheck::report
