// SPDX-License-Identifier: Apache-2.0
//
// A certificate of a bounded answer. It has, for each length of run, a formula in clauses that has
// a model if such a run violates the property, and a proof that there is no model. docs/solver.md,
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

// No machine with up to `devices` devices has a run of up to `steps` steps that violates the
// property.
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
  size_t core = 0;    // clauses of the formula that the proof needs
  size_t lemmas = 0;  // clauses of the proof that are needed
  RuleSet rules;      // rules of the kernel whose assertion is in the core
};

struct File {
  std::string name;
  std::string text;
};
// The file with the claim of a certificate, and the text that it begins with.
inline constexpr char kManifest[] = "MANIFEST.json";
inline constexpr std::string_view kManifestStart = "{\n  \"tool\": \"";

struct Certificate {
  Claim claim;
  std::vector<ProvedRuns> runs;
  std::vector<File> files;  // MANIFEST.json is last
};

// OutOfRange: runs of at most this length are too short to violate the property, so there is no
// formula about them, and no certificate.
absl::Status CheckLength(Property property, int steps);

// Solves the formulas of a claim that a query found to hold, and checks the proofs. Errors: those of
// CheckLength(), ResourceExhausted if that takes more than `conflicts` (0: no limit), Internal if a
// formula has a model or a proof is wrong.
absl::StatusOr<Certificate> Certify(const Claim& claim, uint64_t conflicts);

struct Checked {
  Claim claim;
  std::vector<ProvedRuns> runs;
  std::string failure;  // "FILE:LINE: why"; empty: the certificate is right
};
// Reads a file for the checker; its errors are passed on.
using Reader = std::function<absl::StatusOr<std::string>(const std::string& path)>;

// Checks that each length of run of the claim has a formula, that this is the formula of the claim,
// that the proofs are right, and that the manifest agrees with them. Errors: InvalidArgument,
// "FILE:LINE:COLUMN: expected WHAT, found WHAT", if a file has the wrong form, claims something
// that cannot be checked, or was made by another model.
absl::StatusOr<Checked> CheckCertificate(const std::string& folder, const Reader& read);

}  // namespace iommucheck::certificate
