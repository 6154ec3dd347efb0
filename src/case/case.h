// SPDX-License-Identifier: Apache-2.0
//
// A case: kernel, machine, ops and their expected outcome. All engines read and write cases.
//
// docs/case-format.md has the grammar of the text, and what each word means:
//
//   kernel v6.0 drop type1.same_ops
//   driver intel claims=pci:ignore
//   instance dmar0 intel
//   device 00:04.0 pci dmar0
//
//   register dmar0
//   set-container 0 c0 -> -EBUSY
//
//   expect device 00:04.0 driver intel
//
// A driver without table= has a private table, and an instance without table= has its driver's. A
// group's number is the lowest that is free, as in /dev/vfio/N; containers are c0 to c3. Names are
// 1 to 31 characters of [A-Za-z0-9_.:+-], but not `none`, `absent`, `emulated` or `noiommu`. Only
// alias= and address= may name a later entry: the order of devices has a meaning.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/op.h"
#include "model/properties.h"
#include "model/rules.h"
#include "model/topology.h"

namespace iommucheck {

// The names of a topology's entries, by their indices.
struct Names {
  std::vector<std::string> drivers;
  std::vector<std::string> tables;  // private tables are named "<driver>.ops"
  std::vector<std::string> instances;
  std::vector<std::string> devices;
  friend bool operator==(const Names&, const Names&) = default;
};
// Names for a topology that has none: drvA, drvB .., iommu0 .., dev0 ..
Names DefaultNames(const Topology& topology);

// The line of a statement in the file that it was read from; 0: it was not read from text. It is no
// part of the statement's meaning, so all lines compare equal.
struct SourceLine {
  int number = 0;
  friend bool operator==(const SourceLine&, const SourceLine&) { return true; }
};

struct Expectation {
  enum class Kind : uint8_t {
    kViolated,      // property, at: 1-based op (0: anywhere)
    kHolds,         // property
    kOutside,       // rule
    kDeviceDriver,  // a: device, b: driver or kNoId
    kDeviceDomain,  // a: device, b: driver of the domain its hardware points at, or kNoId
    kShares,        // a, b: groups
    kApart,         // a, b: groups
    kGroupDomain,   // a: group, b: driver or kNoId
    // Their words are in the rows of src/case/names.cc.
  };
  Kind kind{};
  Property property{};
  Rule rule{};
  int at = 0;
  uint8_t a = kNoId;
  uint8_t b = kNoId;
  SourceLine line{};
  friend bool operator==(const Expectation&, const Expectation&) = default;
};

struct CaseOp {
  Op op;
  std::optional<int> expected;  // 0 or a negative errno
  std::string comment;          // the comment lines directly above it, without '#'
  SourceLine line{};
  friend bool operator==(const CaseOp&, const CaseOp&) = default;
};

struct Case {
  std::string comment;  // the comment lines at the top, without '#', joined by '\n'
  KernelSpec kernel;
  Topology topology;
  Names names;
  std::vector<CaseOp> ops;
  std::vector<Expectation> expectations;
  friend bool operator==(const Case&, const Case&) = default;
};

inline constexpr int kMaxCaseOps = 4096;
inline constexpr size_t kMaxCaseBytes = 1 << 20;
inline constexpr size_t kMaxCaseJsonBytes = 4 * kMaxCaseBytes;

// Parses a case. `file` names it in errors, which are InvalidArgument and read
// "FILE:LINE:COLUMN: expected WHAT, found WHAT". A parsed case passes Validate().
absl::StatusOr<Case> ParseCase(std::string_view text, std::string_view file);

// The canonical text; ParseCase() of it gives an equal case, if the case is normal.
std::string PrintCase(const Case& c);

// Makes a valid case normal, as parsed cases are: buses that a driver does not claim come last in
// its claim order, and fields that a count, an op, a fault or an expectation does not use have
// their initial values.
void Normalize(Case& c);

// The case in JSON, lossless, in the form of docs/case.schema.json.
std::string CaseToJson(const Case& c);
absl::StatusOr<Case> CaseFromJson(std::string_view json, std::string_view file);

// "register dmar0", with the names of the case and without the expectation.
std::string PrintOp(const Op& op, const Names& names);
// "expect device 00:04.0 driver intel"
std::string PrintExpectation(const Expectation& e, const Names& names);

// "-EBUSY", "ok"; and the inverse. Unknown numbers print as "-errno 123".
std::string ErrnoName(int error);
std::optional<int> FindErrno(std::string_view name);

}  // namespace iommucheck
