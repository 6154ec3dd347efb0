// SPDX-License-Identifier: Apache-2.0
//
// MANIFEST.json: the claim of a certificate, and its files.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "src/certificate/certificate.h"
#include "src/tool/provenance.h"

namespace iommucheck::certificate {

// "steps5" and the extension.
std::string FileOf(int steps, std::string_view extension);

// `tool`: the version of iommucheck that made it.
std::string PrintManifest(const Claim& claim, const std::vector<ProvedRuns>& runs,
                          std::string_view tool = tool::Release());

// The parts of a manifest that are read: the claim and the tool. Everything else follows from the
// claim and the other files.
struct Manifest {
  Claim claim;
  std::string tool;
};
absl::StatusOr<Manifest> ParseManifest(std::string_view text, const std::string& path);

}  // namespace iommucheck::certificate
