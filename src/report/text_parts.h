// SPDX-License-Identifier: Apache-2.0
//
// Parts of the texts of machines, changes and runs.
#pragma once

#include <string>
#include <string_view>

#include "model/state.h"
#include "src/report/text.h"

namespace iommucheck::report {

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

}  // namespace iommucheck::report
