// SPDX-License-Identifier: Apache-2.0
//
// Checks of a JSON text that come before it is read as a case.
#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace iommucheck {

// InvalidArgument with FILE:LINE:COLUMN if the text is not JSON; with the JSON pointer if an object
// has a key twice, which nlohmann::json accepts silently, or if the nesting is deeper than that of
// any case.
absl::Status CheckJsonSyntax(std::string_view json, std::string_view file);

}  // namespace iommucheck
