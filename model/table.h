// SPDX-License-Identifier: Apache-2.0
//
// For tables that have one row for each value of an enumeration.
#pragma once

#include <array>
#include <cstddef>

namespace iommucheck {

// The values of an enumeration, in its order.
template <typename Enum, int count>
inline constexpr std::array<Enum, count> kValuesOf = [] {
  std::array<Enum, count> all{};
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<Enum>(i);
  return all;
}();

// Whether the n-th row is that of the n-th value, so that the value is the index of its row.
template <typename Rows, typename Key>
constexpr bool IsIndexedBy(Key key, const Rows& rows) {
  for (size_t i = 0; i < rows.size(); ++i)
    if (static_cast<size_t>(rows[i].*key) != i) return false;
  return true;
}

}  // namespace iommucheck
