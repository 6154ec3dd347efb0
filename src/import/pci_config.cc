// SPDX-License-Identifier: Apache-2.0
#include "src/import/pci_config.h"

#include <algorithm>
#include <set>
#include <vector>

#include "absl/strings/str_join.h"

namespace iommucheck::import {
namespace {

// REQ_ACS_FLAGS (drivers/iommu/iommu.c): source validation, request and completion redirect,
// upstream forwarding.
constexpr unsigned kAcsNeeded = 0x1d;
constexpr unsigned kHasCapabilities = 0x10;
constexpr unsigned kExpress = 0x10;
constexpr unsigned kAcs = 0x0d;
constexpr size_t kExtended = 0x100;

// Calls `read` with the place and the size of all that counts.
template <typename Read>
PciConfig Walk(std::string_view c, Read read) {
  PciConfig config;
  if (c.size() < kConfigHeader) return config;
  const auto u8 = [&](size_t at) {
    read(at, 1);
    return static_cast<unsigned>(static_cast<unsigned char>(c[at]));
  };
  const auto u16 = [&](size_t at) { return u8(at) | u8(at + 1) << 8; };
  const bool listed = (u8(0x06) & kHasCapabilities) != 0;
  config.hidden = listed && c.find_first_not_of('\0', kConfigHeader) == std::string_view::npos;
  config.whole = c.size() == kConfigBytes && !config.hidden;
  config.is_bridge = (u8(0x0e) & 0x7f) == 1;
  if (config.is_bridge) config.secondary = static_cast<int>(u8(0x19));
  std::set<size_t> seen;  // a list may go round
  size_t at = listed ? u8(0x34) & ~3U : 0U;
  while (at >= kConfigHeader && at + 4 <= std::min(c.size(), kExtended) && seen.insert(at).second) {
    if (u8(at) == kExpress) config.pcie = u16(at + 2) >> 4 & 0xf;
    at = u8(at + 1) & ~3U;
  }
  // Who has no such capability is conventional PCI, and has no extended part.
  if (listed && !config.hidden && !config.pcie && c.size() >= kExtended) config.whole = true;
  at = kExtended;
  while (at >= kExtended && at + 8 <= c.size() && seen.insert(at).second) {
    if (u16(at) == kAcs) {
      config.acs_can = u16(at + 4);
      config.acs_on = u16(at + 6);
    }
    at = u16(at + 2) >> 4 & ~3U;
  }
  return config;
}

}  // namespace

PciConfig ParseConfig(std::string_view bytes) {
  return Walk(bytes, [](size_t, size_t) {});
}

std::string ReducedConfig(std::string_view bytes) {
  std::string reduced(bytes.size(), '\0');
  Walk(bytes, [&](size_t at, size_t size) { reduced.replace(at, size, bytes.substr(at, size)); });
  return reduced;
}

Bridge BridgeOf(const PciConfig& config) {
  if (config.pcie == 4U) return Bridge::kRootPort;
  if (config.pcie == 5U) return Bridge::kUpstream;
  if (config.pcie == 6U) return Bridge::kDownstream;
  if (config.pcie == 7U) return Bridge::kPcieToPci;
  if (config.pcie == 8U) return Bridge::kPciToPcie;
  return config.is_bridge && !config.pcie && !config.hidden ? Bridge::kPciToPci : Bridge::kNone;
}

Acs AcsOf(const PciConfig& config) {
  Acs acs;
  if (config.acs_can && config.acs_on) {
    acs.capability = true;
    acs.off = kAcsNeeded & *config.acs_can & ~*config.acs_on;
    acs.enabled = acs.off == 0;
  } else if (config.whole) {
    acs.enabled = false;
  }
  return acs;
}

std::string AcsNames(unsigned flags) {
  constexpr const char* kNames[] = {"SrcValid", "TransBlk", "ReqRedir", "CmpltRedir",
                                    "UpstreamFwd"};
  std::vector<std::string> names;
  for (size_t i = 0; i < std::size(kNames); ++i)
    if ((flags >> i & 1U) != 0) names.emplace_back(kNames[i]);
  return absl::StrJoin(names, ", ");
}

}  // namespace iommucheck::import
