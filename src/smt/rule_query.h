// SPDX-License-Identifier: Apache-2.0
//
// Many questions about one kernel, each with other rules dropped: the circuits are made once, with
// the rules as inputs, and the solver keeps what it learned.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "src/smt/query.h"

namespace iommucheck::smt {

class RuleQuery {
 public:
  // Rules of `open` may be dropped. Precondition: bounds in range.
  RuleQuery(Property property, const KernelSpec& kernel, RuleSet open, const Bounds& bounds);
  ~RuleQuery();
  RuleQuery(const RuleQuery&) = delete;
  RuleQuery& operator=(const RuleQuery&) = delete;

  // Whether a kernel that has at least these rules of the open ones can violate the property:
  // kHolds is none within the bounds; after kUnknown, reason() says why.
  Verdict Violated(RuleSet kept) { return Ask(kept, false); }
  // As Violated(), but searches only the kinds of runs in which it found violations before: kHolds
  // means none among these.
  Verdict ViolatedAsBefore(RuleSet kept) { return Ask(kept, true); }

  // After kViolated: a case. After kHolds: the rules of `kept` that the answer rests on.
  Case Found();
  [[nodiscard]] RuleSet Core() const { return core_; }
  [[nodiscard]] const std::string& reason() const { return reason_; }

  [[nodiscard]] uint64_t resources() const;
  [[nodiscard]] int checks() const;

 private:
  struct Part;
  Verdict Ask(RuleSet kept, bool as_before);

  KernelSpec kernel_;
  RuleSet open_;
  Bounds bounds_;
  std::vector<std::unique_ptr<Part>> parts_;  // runs of a length and kinds of ops, the short first
  Part* found_ = nullptr;
  RuleSet core_;
  std::string reason_;
};

}  // namespace iommucheck::smt
