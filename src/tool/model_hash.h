// SPDX-License-Identifier: Apache-2.0
//
// Identifies a model and its encodings. Files that claim a verdict carry the hash, and are trusted
// only if it is the same.
#pragma once

#include <string_view>

namespace iommucheck {

// 16 hex digits of a hash of all sources in model/, src/case/, src/explore/, src/prove/ and
// src/smt/, made when iommucheck is built (cmake/ModelHash.cmake).
std::string_view ModelHash();

}  // namespace iommucheck
