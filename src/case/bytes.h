// SPDX-License-Identifier: Apache-2.0
//
// The binary form of a case, for fuzzers. Every byte string decodes to a case that passes
// Validate(). Records have fixed sizes and places, so that a mutated byte changes one thing.
//
//   kernel     number of the version, 16 bytes: rules that differ from those of the version
//   machine    firmware, counts of drivers, tables, instances, devices
//   settings   flags, mappings less than the most, 255 - memlock
//   4 drivers  flags, firmware, table, address + 1, claim of each bus, rank of the claim order (2),
//              flags, 255 - mismatch_errno
//   6 instances  driver, flags, table, pages before and after the aperture, page sizes
//   8 devices  bus, two masters + 1, alias + 1, slot or stream id, flags, kind and default domain,
//   two regions:
//              type, first page, pages more
//   ops, to the end  kind, a, b, first page, count of pages, vaddr, flags, two faults: kind and
//              target, count, errno
//
// Missing bytes are zero. An index out of range is taken modulo the count if something must be
// named, and otherwise means none. Zero turns off everything that the encodings do not know, and
// small bytes, which random inputs are full of, turn most of it off.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "src/case/case.h"

namespace iommucheck {

inline constexpr int kMaxDecodedOps = 64;

// The offsets, for code that writes bytes itself. The rules' bits start with the least byte.
inline constexpr size_t kRulesAt = 1;
inline constexpr size_t kRulesSize = size_t{RuleSet::kWords} * 8;
inline constexpr size_t kCountsAt = kRulesAt + kRulesSize;
inline constexpr size_t kOpsAt = 221;
inline constexpr size_t kOpSize = 13;

// A case without names, comments and expectations.
struct DecodedCase {
  KernelSpec kernel;
  Topology topology;
  int ops_count = 0;
  std::array<Op, kMaxDecodedOps> ops;  // entries from ops_count on have no meaning
};

// Does not allocate.
void DecodeBytes(std::span<const uint8_t> bytes, DecodedCase& out);

// DecodeBytes() of the result gives the same kernel, topology and ops. InvalidArgument if the case
// does not fit into the records.
absl::StatusOr<std::vector<uint8_t>> EncodeBytes(const Case& c);

// As above, into `bytes`, without names to allocate. Returns why it does not fit, or nullptr.
const char* EncodeBytes(const DecodedCase& c, std::vector<uint8_t>& bytes);

// The normal form of the case, with DefaultNames().
Case ToCase(const DecodedCase& decoded);

}  // namespace iommucheck
