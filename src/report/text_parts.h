// SPDX-License-Identifier: Apache-2.0
//
// What the texts of machines, changes and runs are put together from.
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

// "d2, type1 of intel", with what is unusual of it; "none" of kNoId.
std::string DomainText(const Case& c, const State& s, DomainId domain);

// What is at fault; of the first two properties the event says it.
std::string ViolationText(const Case& c, Property property, const FirstViolation& v);

// "page 3", "pages 8-11"
std::string PagesText(Pages pages);
// "page 3", "pages 0-3, 8", "no page". Bit n is page n.
std::string PageSetText(uint64_t pages);

}  // namespace iommucheck::report
