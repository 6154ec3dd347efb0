// SPDX-License-Identifier: Apache-2.0
//
// A finite machine and state, and the truth of formulas of src/prove/ in it. Written without Z3, to
// test the formulas themselves.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include "src/prove/system.h"

namespace iommucheck::prove {

class Structure {
 public:
  Structure();

  [[nodiscard]] int size(Sort sort) const { return sizes_[static_cast<size_t>(sort)]; }
  // Makes the sort have at least `size` elements; no relation holds for new ones.
  void Grow(Sort sort, int size);

  void SetValue(Function function, int argument, int value);
  void Set(Relation relation, std::initializer_list<int> tuple, bool holds = true);
  [[nodiscard]] bool Holds(Relation relation, std::initializer_list<int> tuple) const {
    return relations_[static_cast<size_t>(relation)]
                     [Index(relation, {tuple.begin(), tuple.size()})];
  }
  // The first y with relation(x, y); -1: none.
  [[nodiscard]] int ValueOf(Relation relation, int x) const;

  // Whether a closed formula is true.
  [[nodiscard]] bool Satisfies(const Formula& f) const;
  // Whether the action's guard allows these arguments, in the order of its parameters.
  [[nodiscard]] bool Allows(const Action& action, std::span<const int> arguments) const;
  void Apply(const Action& action, std::span<const int> arguments);

 private:
  using Values = std::array<std::array<uint8_t, kMaxVariables>, kSortCount>;

  [[nodiscard]] static Values Bind(const Action& action, std::span<const int> arguments);
  [[nodiscard]] static size_t Index(Relation relation, std::span<const int> tuple);
  [[nodiscard]] int Value(const Term& term, const Values& values) const;
  [[nodiscard]] bool Evaluate(const Formula& f, Values& values) const;
  // Calls `visit` for each assignment of elements to the variables until it returns false.
  template <typename Visit>
  bool EachAssignment(std::span<const Variable> variables, Values& values, Visit visit) const;

  std::array<int, kSortCount> sizes_{};
  std::array<std::vector<uint8_t>, kFunctionCount> functions_;
  std::array<std::vector<bool>, kRelationCount> relations_;
};

}  // namespace iommucheck::prove
