// SPDX-License-Identifier: Apache-2.0
//
// A circuit and its inputs, which have names.
#pragma once

#include <string>
#include <vector>

#include "src/smt/bits.h"

namespace iommucheck::smt {

class Inputs {
 public:
  Circuit& circuit() { return circuit_; }
  [[nodiscard]] const Circuit& circuit() const { return circuit_; }
  [[nodiscard]] const std::string& name(uint32_t node) const { return names_[node]; }

 protected:
  Bit Input(std::string name);
  // A one-hot code that names one of the choices exactly where it is needed.
  Bits Selector(const std::vector<bool>& choices, Bit needed, const std::string& name,
                std::vector<Bit>& constraints);

 private:
  Circuit circuit_;
  std::vector<std::string> names_;  // of the inputs, by node
};

}  // namespace iommucheck::smt
