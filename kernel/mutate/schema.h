// SPDX-License-Identifier: Apache-2.0
//
// One file with all of its mutants, of which one runs: kernel/mutate/mutant.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernel/mutate/mutants.h"

namespace iommucheck::mutate {

// A file with the mutants that compile. Each line of the original stays one line.
class Schema {
 public:
  Schema(const std::string& source, const std::vector<Mutant>& mutants);

  [[nodiscard]] const std::string& text() const { return text_; }
  // The number of the innermost mutant around a place, as a compiler counts lines and columns; 0:
  // there is none.
  [[nodiscard]] unsigned MutantAt(size_t line, size_t column) const;

 private:
  struct Piece {
    size_t begin;  // in text_
    size_t end;
    unsigned number;
  };
  std::string text_;
  std::vector<Piece> pieces_;
};

// Marks the mutants that a compiler's errors are about as such that do not compile. The errors are
// those of `path`; returns how many mutants are newly marked.
size_t TakeErrors(const Schema& schema, std::string_view errors, std::string_view path,
                  std::vector<Mutant>& mutants);

}  // namespace iommucheck::mutate
