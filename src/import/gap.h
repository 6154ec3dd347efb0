// SPDX-License-Identifier: Apache-2.0
//
// A part of the machine that a tree does not show. It could hide a violation, so "holds" is never
// the answer for a machine with gaps; a violation among the visible parts is one all the same.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace iommucheck::import {

struct Gap {
  enum class Hides : uint8_t {
    kIommus,   // IOMMUs, and so drivers
    kDevices,  // devices, groups or facts of known IOMMUs: harmless if there is only one driver
  };
  std::string missing;  // a sentence
  std::string unknown;  // the unknown facts, such as "which devices there are"
  std::string settle;   // what the user can do about it
  Hides hides = Hides::kIommus;
  std::string driver = {};      // kIommus: the only driver that they can have; empty: any
  bool bus_slots_only = false;  // only kernels whose drivers claim buses, up to and including v6.0
};

// Advice about missing input.
inline constexpr std::string_view kRunAsRoot = "run as root, or take the snapshot as root";
inline constexpr std::string_view kRecordAnew = "record the system anew (docs/check.md)";

// "0000:00:01.0, 0000:00:02.0 and 3 more"
std::string ListOf(const std::vector<std::string>& names);

}  // namespace iommucheck::import
