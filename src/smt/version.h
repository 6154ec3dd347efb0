// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace iommucheck::smt {

// Of the Z3 that this process runs with, such as "4.8.12".
std::string Z3Version();

}  // namespace iommucheck::smt
