// SPDX-License-Identifier: Apache-2.0
//
// What a tree does not show of its machine. A violation could hide in it, so that no "holds" rests
// on a machine with gaps; a violation that is found on what is there stands.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace iommucheck::import {

struct Gap {
  enum class Hides : uint8_t {
    kIommus,   // IOMMUs, and with them drivers
    kDevices,  // devices, groups or answers of known IOMMUs: nothing where there is one driver
  };
  std::string missing;  // a sentence
  std::string unknown;  // what is not known without it, as in "which devices there are"
  std::string settle;   // what to do to know it
  Hides hides = Hides::kIommus;
  std::string driver = {};      // kIommus: the only driver that they can be of; empty: any
  bool bus_slots_only = false;  // only kernels whose drivers claim buses, up to v6.0
};

// What to do about input that is not there.
inline constexpr std::string_view kRunAsRoot = "run as root, or take the snapshot as root";
inline constexpr std::string_view kRecordAnew = "record the system anew (docs/check.md)";

// "0000:00:01.0, 0000:00:02.0 and 3 more"
std::string ListOf(const std::vector<std::string>& names);

}  // namespace iommucheck::import
