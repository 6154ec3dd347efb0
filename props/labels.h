// SPDX-License-Identifier: Apache-2.0
//
// How often a property had something to say. A test program fails in the end where a generator has
// become so poor that one of its properties is hardly about anything.
#pragma once

#include <cstdint>
#include <string>

namespace iommucheck {

// One of a property, static in it.
class Label {
 public:
  // `least`: in so many of 1000 runs it must be true.
  Label(std::string name, int least);
  Label(const Label&) = delete;
  Label& operator=(const Label&) = delete;
  ~Label() = default;

  // Returns `is_so`.
  bool operator()(bool is_so);

  // "NAME: true in 3 of 20000 runs, expected 20 or more"; "" where it is often enough, and after
  // too few runs to say.
  [[nodiscard]] std::string TooSeldom() const;

 private:
  static constexpr int64_t kRunsToSay = 1000;
  std::string name_;
  int least_;
  int64_t runs_ = 0;
  int64_t times_ = 0;
};

}  // namespace iommucheck
