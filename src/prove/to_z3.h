// SPDX-License-Identifier: Apache-2.0
//
// Formulas in Z3.
#pragma once

#include <z3++.h>

#include <vector>

#include "src/case/engine_error.h"
#include "src/prove/formula.h"

namespace iommucheck::prove {

// Free variables become constants.
class ToZ3 {
 public:
  ToZ3();
  z3::context& context() { return context_; }
  z3::expr operator()(const Formula& f);

 private:
  z3::expr Translate(const Variable& v);
  z3::expr Translate(const Term& term);

  RoomForZ3 room_;  // before it
  z3::context context_;
  z3::sort_vector sorts_;
  std::vector<z3::func_decl> functions_;
  std::vector<z3::func_decl> relations_;
};

}  // namespace iommucheck::prove
