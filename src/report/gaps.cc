// SPDX-License-Identifier: Apache-2.0
#include "src/report/gaps.h"

#include "absl/strings/str_format.h"
#include "src/case/spelling.h"
#include "src/report/text.h"

namespace iommucheck::report {

std::string UnknownText(const std::string& runs) {
  return absl::StrFormat("unknown: %s (see 'missing'); no violation %s on the rest", kNotAllIsThere,
                         runs);
}

std::string GapsText(const std::vector<import::Gap>& gaps) {
  std::string out;
  for (const import::Gap& gap : gaps) {
    out += Field(out.empty() ? "missing" : "", Printable(gap.missing));
    out += Field("", Printable(absl::StrFormat("So it is not known %s. To settle it: %s.",
                                               gap.unknown, gap.settle)));
  }
  return out;
}

std::string AssumptionsText(const std::vector<std::string>& assumptions) {
  std::string out;
  for (const std::string& sentence : assumptions)
    out += Field(out.empty() ? "assumed" : "", Printable(sentence));
  return out;
}

Json GapsJson(const std::vector<import::Gap>& gaps) {
  Json out = Json::array();
  for (const import::Gap& gap : gaps)
    out.push_back({{"missing", Printable(gap.missing)},
                   {"unknown", Printable(gap.unknown)},
                   {"settle", Printable(gap.settle)}});
  return out;
}

Json AssumptionsJson(const std::vector<std::string>& assumptions) {
  Json out = Json::array();
  for (const std::string& sentence : assumptions) out.push_back(Printable(sentence));
  return out;
}

}  // namespace iommucheck::report
