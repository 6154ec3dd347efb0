// SPDX-License-Identifier: Apache-2.0
#include "kernel/mutate/schema.h"

#include <algorithm>
#include <cstdlib>
#include <tuple>

namespace iommucheck::mutate {
namespace {

// The lines that are put before the file's own. Lines then have the numbers of the original.
constexpr std::string_view kHead = "#include \"mutate/mutant.h\"\n#line 1\n";

// What is written at a place of the original.
struct Edit {
  enum class Kind { kAfter, kInsert, kBefore };
  size_t at;
  Kind kind;
  // Wraps are nested: of those that begin at one place the longest comes first, and of those that
  // end there the shortest. The same text can be wrapped twice: what wraps it first is outside.
  size_t length;
  size_t order;
  const Wrap* wrap;
  unsigned number;

  [[nodiscard]] auto Key() const {
    const auto down = [](size_t n) { return SIZE_MAX - n; };
    return std::tuple(at, kind, kind == Kind::kAfter ? length : down(length),
                      kind == Kind::kAfter ? down(order) : order);
  }
};

std::vector<Edit> EditsOf(const std::vector<Mutant>& mutants) {
  std::vector<Edit> edits;
  size_t order = 0;
  for (const Mutant& m : mutants) {
    if (!m.compiles) continue;
    for (const Wrap& wrap : m.wraps) {
      const size_t length = wrap.end - wrap.begin;
      ++order;
      if (length == 0) {
        edits.push_back({wrap.begin, Edit::Kind::kInsert, 0, order, &wrap, m.number});
        continue;
      }
      edits.push_back({wrap.begin, Edit::Kind::kBefore, length, order, &wrap, m.number});
      edits.push_back({wrap.end, Edit::Kind::kAfter, length, order, &wrap, m.number});
    }
  }
  std::ranges::sort(edits, {}, &Edit::Key);
  return edits;
}

}  // namespace

Schema::Schema(const std::string& source, const std::vector<Mutant>& mutants) {
  text_ = kHead;
  std::vector<Piece> open;
  size_t done = 0;
  for (const Edit& edit : EditsOf(mutants)) {
    text_.append(source, done, edit.at - done);
    done = edit.at;
    if (edit.kind == Edit::Kind::kAfter) {
      text_ += edit.wrap->after;
      open.back().end = text_.size();
      pieces_.push_back(open.back());
      open.pop_back();
    } else {
      const size_t begin = text_.size();
      text_ += edit.wrap->before;
      (edit.kind == Edit::Kind::kInsert ? pieces_ : open)
          .push_back({begin, text_.size(), edit.number});
    }
  }
  text_.append(source, done);
}

unsigned Schema::MutantAt(size_t line, size_t column) const {
  size_t at = kHead.size();
  for (; line > 1 && at != std::string::npos; --line) at = text_.find('\n', at) + 1;
  at += column - 1;
  const Piece* innermost = nullptr;
  for (const Piece& piece : pieces_)
    if (piece.begin <= at && at < piece.end &&
        (innermost == nullptr || piece.end - piece.begin < innermost->end - innermost->begin))
      innermost = &piece;
  return innermost == nullptr ? 0 : innermost->number;
}

size_t TakeErrors(const Schema& schema, std::string_view errors, std::string_view path,
                  std::vector<Mutant>& mutants) {
  size_t marked = 0;
  while (!errors.empty()) {
    const size_t end = std::min(errors.find('\n'), errors.size());
    std::string line(errors.substr(0, end));
    errors.remove_prefix(std::min(end + 1, errors.size()));
    if (!line.starts_with(path) || line.find(" error: ") == std::string::npos) continue;
    char* rest = line.data() + path.size() + 1;
    const size_t row = std::strtoul(rest, &rest, 10);
    const size_t column = std::strtoul(rest + 1, nullptr, 10);
    const unsigned number = schema.MutantAt(row, column);
    for (Mutant& m : mutants) {
      if (m.number != number || !m.compiles) continue;
      m.compiles = false;
      ++marked;
    }
  }
  return marked;
}

}  // namespace iommucheck::mutate
