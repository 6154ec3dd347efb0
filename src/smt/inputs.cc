// SPDX-License-Identifier: Apache-2.0
#include "src/smt/inputs.h"

#include <utility>

#include "absl/strings/str_format.h"

namespace iommucheck::smt {

Bit Inputs::Input(std::string name) {
  const Bit input = circuit_.Input();
  names_.resize(input.node() + 1);
  names_[input.node()] = std::move(name);
  return input;
}

Bits Inputs::Selector(const std::vector<bool>& choices, Bit needed, const std::string& name,
                      std::vector<Bit>& constraints) {
  Bits bits;
  for (size_t i = 0; i < choices.size(); ++i) {
    bits.push_back(choices[i] ? Input(absl::StrFormat("%s.%d", name, i)) : Bit(false));
    for (size_t j = 0; j < i; ++j) constraints.push_back(~(bits[i] & bits[j]));
  }
  constraints.push_back(Same(Any(bits), needed));
  return bits;
}

}  // namespace iommucheck::smt
