// SPDX-License-Identifier: Apache-2.0
//
// "No combination of supported drivers which claim non-overlapping buses and could appear in the
// same system" (Robin Murphy, 24 June 2022): every pair of in-tree drivers, and whether it is such
// a combination or why not.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/rules.h"
#include "src/case/case.h"
#include "src/import/catalogue.h"

namespace iommucheck::import {

// The first reason that applies to a pair.
enum class PairReason : uint8_t {
  kClaimsNothing,   // one of them claims no bus
  kNoArchitecture,  // no kernel can be built for both
  kNoFirmware,      // no firmware describes instances of both: ACPI, device tree, built in
  kNoSoc,           // the two are tied to different families of SoCs
  kOneLoses,        // one gets no device, in either order; up to and including 6.0 both claim a bus
  kBothServe,       // they claim a bus in common, and yet both get devices in some order
  kDisjoint,        // they claim no bus in common
  kOneRegisters,    // from 6.1 on: the core accepts the instances of one driver only
  kNoClaims,        // from 6.1 on: drivers claim no bus, and each serves the devices behind it
};
std::string_view PairReasonName(PairReason reason);

struct PairResult {
  std::string a;
  std::string b;
  PairReason reason{};
  std::string detail;
  // The result of a run of the model, for the reasons from kOneLoses on.
  bool both_serve = false;        // both serve a device at once
  bool vfio_usable = false;       // a device of each gets a type1 container
  bool violates = false;          // no-cross-driver-reuse is violated
  std::optional<Rule> refused{};  // not vfio_usable: the rule that refuses, if it is a rule
  Case example;                   // the run that shows the most of these
};

// The drivers that the kernel has, in the catalogue's order, as they are in it.
std::vector<const CatalogueDriver*> DriversThatExist(KernelVersion version);

// All unordered pairs of them. From 6.1 on no driver claims a bus: the
// registration of the instances decides whether two drivers can meet, and then each serves its own
// device.
std::vector<PairResult> AnalysePairs(const KernelSpec& kernel);

}  // namespace iommucheck::import
