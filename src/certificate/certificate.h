// SPDX-License-Identifier: Apache-2.0
//
// A certificate of a bounded answer: for each length of run a formula in clauses that has a model
// if such a run violates the property, and a proof that it has none. docs/solver.md,
// "Certificates".
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/properties.h"
#include "model/rules.h"

namespace iommucheck::certificate {

// No machine of up to so many devices has a run of up to so many steps that violates the property.
struct Claim {
  Property property = Property::kNoCrossDriverReuse;
  KernelSpec kernel;
  int devices = 0;
  int steps = 0;
};

// The formula about the runs of one length, and the parts of it that the proof uses.
struct ProvedRuns {
  int steps = 0;
  size_t variables = 0;
  size_t clauses = 0;
  size_t core = 0;    // clauses that the proof rests on
  size_t lemmas = 0;  // clauses of the proof that the core needs
  RuleSet rules;      // of the kernel, that the core has
};

struct File {
  std::string name;
  std::string text;
};
// The file that says what a certificate claims, and how it begins.
inline constexpr char kManifest[] = "MANIFEST.json";
inline constexpr std::string_view kManifestStart = "{\n  \"tool\": \"";

struct Certificate {
  Claim claim;
  std::vector<ProvedRuns> runs;
  std::vector<File> files;  // MANIFEST.json is the last
};

// OutOfRange: runs of so many steps are too short to violate the property, so that there is no
// formula about them, and no certificate.
absl::Status CheckLength(Property property, int steps);

// Solves the formulas of a claim that Z3 has found to hold, and checks the proofs. Errors: as
// CheckLength(), ResourceExhausted when that takes more conflicts (0: no limit), Internal when a
// formula has a model or a proof does not check.
absl::StatusOr<Certificate> Certify(const Claim& claim, uint64_t conflicts);

struct Checked {
  Claim claim;
  std::vector<ProvedRuns> runs;
  std::string failure;  // "FILE:LINE: why"; empty: the certificate is right
};
// How the caller reads a file; its errors are passed on.
using Reader = std::function<absl::StatusOr<std::string>(const std::string& path)>;

// Checks that there is a formula for each length of run that the claim rests on and that it is the
// claim's, that the proofs are right, and that the manifest says what they show. Errors:
// InvalidArgument, "FILE:LINE:COLUMN: expected WHAT, found WHAT", where a file is not of the form
// that it should be, claims what nobody could check, or was made by another model.
absl::StatusOr<Checked> CheckCertificate(const std::string& folder, const Reader& read);

}  // namespace iommucheck::certificate
