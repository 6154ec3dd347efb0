// SPDX-License-Identifier: Apache-2.0
//
// "No combination of supported drivers which claim non-overlapping buses and could appear in the
// same system" (Robin Murphy, 24 June 2022): every pair of in-tree drivers, and why it falls, or
// that it stands.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/rules.h"
#include "src/case/case.h"

namespace iommucheck::import {

// The first of these that applies.
enum class PairReason : uint8_t {
  kNotPresent,      // the kernel has not got both
  kClaimsNothing,   // one of them claims no bus
  kNoArchitecture,  // no kernel is built for both
  kNoFirmware,      // nothing describes instances of both: ACPI, device tree, built in
  kNoSoc,           // each is tied to another family of SoCs
  kOneLoses,        // one gets no device, whichever comes first; up to 6.0 both claim a bus
  kBothServe,       // they claim a bus in common, and yet both get devices in some order
  kDisjoint,        // they claim no bus in common
  kOneRegisters,    // from 6.1 on: the core takes the instances of one driver only
  kNoClaims,        // from 6.1 on: drivers claim no bus, and each serves what is behind it
};
std::string_view PairReasonName(PairReason reason);

struct PairResult {
  std::string a;
  std::string b;
  PairReason reason{};
  std::string detail;
  // What a run of the model shows, for the reasons from kOneLoses on.
  bool both_serve = false;        // both serve a device at once
  bool vfio_usable = false;       // a device of each gets a type1 container
  bool violates = false;          // no-cross-driver-reuse is violated
  std::optional<Rule> refused{};  // not vfio_usable: what refuses the first of them, if a rule does
  Case example;                   // the run that shows the most of these
};

// All unordered pairs of the catalogue, in its order. From 6.1 on no driver claims a bus: whether
// two can meet is decided where instances register, and each serves a device of its own then.
std::vector<PairResult> AnalysePairs(const KernelSpec& kernel);

}  // namespace iommucheck::import
