// SPDX-License-Identifier: Apache-2.0
//
// What must hold of a JSON text before it is read as a case.
#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace iommucheck {

// InvalidArgument with FILE:LINE:COLUMN if the text is no JSON; with the JSON pointer if an object
// has a key twice, which nlohmann::json leaves unsaid, or if it is nested deeper than any case.
absl::Status CheckJsonSyntax(std::string_view json, std::string_view file);

}  // namespace iommucheck
