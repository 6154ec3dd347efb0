// SPDX-License-Identifier: Apache-2.0
//
// The binary form of a case, for fuzzers. Every byte string decodes, and to a case that passes
// Validate(). Records have fixed sizes and places, so that a mutated byte changes one thing.
//
//   kernel     version, 5 bytes: rules that differ from the version's
//   machine    firmware, counts of drivers, tables, instances, devices
//   4 drivers  flags, firmware, table, address + 1, claim of each bus, rank of the claim order (2)
//   6 instances  driver, flags, table
//   8 devices  bus, two masters + 1, alias + 1, slot, flags
//   ops, to the end  kind, a, b, two faults: kind and target, count, errno
//
// Missing bytes are zero. An index out of range is taken modulo where something has to be named,
// and as none where it need not.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "src/case/case.h"

namespace iommucheck {

inline constexpr int kMaxDecodedOps = 64;

// A case without names, comments and expectations.
struct DecodedCase {
  KernelSpec kernel;
  Topology topology;
  int ops_count = 0;
  std::array<Op, kMaxDecodedOps> ops;  // those from ops_count on have no meaning
};

// Does not allocate.
void DecodeBytes(std::span<const uint8_t> bytes, DecodedCase& out);

// DecodeBytes() of the result gives the same kernel, topology and ops. InvalidArgument where the
// case has more than the records hold.
absl::StatusOr<std::vector<uint8_t>> EncodeBytes(const Case& c);

// The normal case with DefaultNames().
Case ToCase(const DecodedCase& decoded);

}  // namespace iommucheck
