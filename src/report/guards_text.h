// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "src/guards/guards.h"

namespace iommucheck::report {

// `iommucheck guards`; with each removal's case as the model plays it, if `cases`.
std::string GuardsText(const guards::Map& map, bool cases);
std::string GuardsJson(const guards::Map& map);

// The letter that a removal goes by: "A", .. "Z", "AA".
std::string RemovalName(size_t n);

}  // namespace iommucheck::report
