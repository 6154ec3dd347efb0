// SPDX-License-Identifier: Apache-2.0
//
// Clang's syntax tree of one file: `clang -Xclang -ast-dump=json -fsyntax-only`, which has hundreds
// of megabytes with all headers. Only the functions of the file are parsed.
#pragma once

#include <cstddef>
#include <functional>
#include <istream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace iommucheck::mutate {

using Node = nlohmann::ordered_json;

// Calls `use` with each function that has a body in `file`, named as the compiler names it. Each
// place in a node then says by `own` whether it is in that file.
void ReadFunctions(std::istream& dump, const std::string& file,
                   const std::function<void(const Node&)>& use);

std::string_view KindOf(const Node& node);  // "": no node
std::string_view OpcodeOf(const Node& node);
std::string_view TypeOf(const Node& node);
// Child n; without a kind if there is none.
const Node& Inner(const Node& node, size_t n);
// Without casts that the compiler adds, and without parentheses.
const Node& Bare(const Node& node);

// A part of the file's text.
struct Span {
  size_t begin = 0;
  size_t end = 0;
  auto operator<=>(const Span&) const = default;
};

// Finds the text of nodes.
class Source {
 public:
  explicit Source(std::string text) : text_(std::move(text)) {}

  // Nothing for a node that is, in part, the text of a macro. `whole` allows a node whose text
  // begins or ends with the use of a macro, or is one: the caller knows that no part of the macro's
  // text is outside of the node.
  [[nodiscard]] std::optional<Span> SpanOf(const Node& node, bool whole) const;
  // Whether the first token of a node is the file's own, and not a macro's.
  [[nodiscard]] static bool BeginsInFile(const Node& node);
  [[nodiscard]] std::string_view Text(Span span) const {
    return std::string_view(text_).substr(span.begin, span.end - span.begin);
  }
  // In one line, without comments.
  [[nodiscard]] std::string Line(Span span) const;
  [[nodiscard]] unsigned LineNumber(size_t offset) const;
  // Without white space at both ends.
  [[nodiscard]] std::string Between(size_t begin, size_t end) const;
  // The first place from `at` on that is neither white space nor in a comment.
  [[nodiscard]] size_t SkipSpace(size_t at) const;
  // The last character before `at` that is no white space; 0: none.
  [[nodiscard]] char Before(size_t at) const;
  [[nodiscard]] char At(size_t at) const { return at < text_.size() ? text_[at] : '\0'; }

 private:
  [[nodiscard]] size_t EndOfMacro(size_t at) const;
  [[nodiscard]] size_t EndOfString(size_t at) const;

  std::string text_;
};

}  // namespace iommucheck::mutate
