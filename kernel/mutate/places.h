// SPDX-License-Identifier: Apache-2.0
//
// The mutants of a function: which places of its text can be changed, and how.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "kernel/mutate/ast.h"
#include "kernel/mutate/mutants.h"

namespace iommucheck::mutate {

// Adds the mutants of functions of one file to `mutants`, numbered from its size + `base` + 1 on.
class Places {
 public:
  Places(const Source& source, std::string file, unsigned base, std::vector<Mutant>& mutants)
      : source_(source), file_(std::move(file)), base_(base), mutants_(mutants) {}

  void AddFunction(const Node& function);

 private:
  void Visit(const Node& node);
  void VisitKind(const Node& node, std::string_view kind);

  void Statement(const Node& node);
  void DropStatement(const Node& node, Span span);
  void Block(const Node& node);
  void Swap(const Node& first, const Node& second);
  void CallValue(const Node& node);
  void Branch(const Node& node);
  void Condition(const Node& node);
  void Negate(const Node& node);
  void Logical(const Node& node);
  void Comparison(const Node& node);
  void Constant(const Node& node);
  void Errno(const Node& node);
  void Boolean(const Node& node);

  // The text of a statement with its semicolon; nothing if it is no whole statement of the file.
  [[nodiscard]] std::optional<Span> StatementSpan(const Node& node) const;
  [[nodiscard]] std::string NextIs() const;  // asks whether the next mutant runs
  void Add(const char* kind, Span where, std::string original, std::string mutant,
           std::vector<Wrap> wraps);

  const Source& source_;
  std::string file_;
  unsigned base_;
  std::vector<Mutant>& mutants_;
  std::string function_;
  // A macro that uses its argument twice has two nodes for one text.
  std::set<std::pair<std::string, Span>> seen_;
};

}  // namespace iommucheck::mutate
