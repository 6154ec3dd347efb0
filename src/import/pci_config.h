// SPDX-License-Identifier: Apache-2.0
//
// What the configuration space of a PCI function says of bridges and of ACS.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/topology.h"

namespace iommucheck::import {

inline constexpr size_t kConfigHeader = 64;
inline constexpr size_t kConfigBytes = 4096;

struct PciConfig {
  bool is_bridge = false;
  std::optional<int> secondary;     // the bus below a bridge
  std::optional<unsigned> pcie;     // the type in its PCI Express capability
  std::optional<unsigned> acs_can;  // ACSCap
  std::optional<unsigned> acs_on;   // ACSCtl
  bool hidden = false;              // it has capabilities, which only root can read
  bool whole = false;               // the extended part is there: no ACS capability means none
};

// Whether a function separates its DMA from that of others, as far as it is known.
struct Acs {
  std::optional<bool> enabled;  // all of REQ_ACS_FLAGS
  bool capability = false;
  unsigned off = 0;  // flags that it could switch on and that are needed
};

// As many bytes as there are, from the start; fewer than 64 say nothing. Plain tar pads the 64 that
// anyone can read with zero bytes.
PciConfig ParseConfig(std::string_view bytes);
// The bytes of which ParseConfig() makes the same; all others are zero.
std::string ReducedConfig(std::string_view bytes);

// kNone, too, for a bridge whose capabilities are hidden.
Bridge BridgeOf(const PciConfig& config);
Acs AcsOf(const PciConfig& config);
// "SrcValid, ReqRedir", as lspci names them.
std::string AcsNames(unsigned flags);

}  // namespace iommucheck::import
