// SPDX-License-Identifier: Apache-2.0
//
// MANIFEST.json: what a certificate claims, and which files make it up.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "src/certificate/certificate.h"

namespace iommucheck::certificate {

inline constexpr char kManifest[] = "MANIFEST.json";

// "steps5" and the extension.
std::string FileOf(int steps, std::string_view extension);

std::string PrintManifest(const Claim& claim, const std::vector<ProvedRuns>& runs);
// The claim alone: the rest follows from it and the other files.
absl::StatusOr<Claim> ParseManifest(std::string_view text, const std::string& path);

}  // namespace iommucheck::certificate
