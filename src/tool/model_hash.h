// SPDX-License-Identifier: Apache-2.0
//
// What tells one model and its encodings from another: files that claim a verdict carry it, and are
// believed only where it is the same.
#pragma once

#include <string_view>

namespace iommucheck {

// 16 hex digits of a hash of all sources in model/, src/case/, src/explore/, src/prove/ and
// src/smt/, made when iommucheck is built (cmake/ModelHash.cmake).
std::string_view ModelHash();

}  // namespace iommucheck
