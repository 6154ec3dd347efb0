// SPDX-License-Identifier: Apache-2.0
#include "kernel/mutate/ast.h"

#include <algorithm>
#include <cctype>

#include "kernel/mutate/mutants.h"

namespace iommucheck::mutate {
namespace {

constexpr std::string_view kFileKey = R"("file": ")";

std::string_view Trimmed(std::string_view line) {
  const size_t at = line.find_first_not_of(' ');
  return at == std::string_view::npos ? std::string_view() : line.substr(at);
}

// The dump names the file of a place only if it is another than that of the place before, so all
// places are read in order. `last`: the file of the place before.
void SayWhoseIsEach(Node& node, const std::string& file, std::string& last) {
  if (node.is_array()) {
    for (Node& element : node) SayWhoseIsEach(element, file, last);
    return;
  }
  if (!node.is_object()) return;
  for (auto& [key, value] : node.items()) {
    if (key == "file" && value.is_string())
      last = value.get<std::string>();
    else if (key != "includedFrom")
      SayWhoseIsEach(value, file, last);
  }
  if (node.contains("offset")) node["own"] = last == file;
}

// Follows the files through the lines of the dump, without parsing them.
class FileOfLines {
 public:
  void Take(std::string_view line) {
    const std::string_view text = Trimmed(line);
    if (text.starts_with(kFileKey) && !included_)
      file_ = text.substr(kFileKey.size(), text.rfind('"') - kFileKey.size());
    included_ = text.starts_with("\"includedFrom\"");
  }
  [[nodiscard]] const std::string& file() const { return file_; }

 private:
  std::string file_;
  bool included_ = false;  // the line before began the place that includes this file
};

// One declaration of the dump.
struct Declaration {
  std::string text;
  std::string file_before;
  bool function = false;
  bool body = false;
  bool own = false;

  void Add(const std::string& line, const std::string& file_now, const std::string& file) {
    text += line;
    text += '\n';
    function |= line == R"(      "kind": "FunctionDecl",)";
    body |= line.ends_with(R"("kind": "CompoundStmt",)");
    own |= file_now == file;
  }
};

}  // namespace

void ReadFunctions(std::istream& dump, const std::string& file,
                   const std::function<void(const Node&)>& use) {
  FileOfLines files;
  Declaration declaration;
  for (std::string line; std::getline(dump, line);) {
    if (line == "    {") declaration = {.text = "", .file_before = files.file()};
    files.Take(line);
    declaration.Add(line, files.file(), file);
    if ((line != "    }" && line != "    },") || !declaration.own || !declaration.function ||
        !declaration.body)
      continue;
    while (!declaration.text.ends_with('}')) declaration.text.pop_back();
    Node node = Node::parse(declaration.text, nullptr, /*allow_exceptions=*/false);
    if (node.is_discarded()) Die("a part of clang's syntax tree is no JSON");
    SayWhoseIsEach(node, file, declaration.file_before);
    const auto loc = node.find("loc");
    if (loc != node.end() && loc->value("own", false)) use(node);
  }
}

namespace {

std::string_view TextMember(const Node& node, const char* key) {
  const auto it = node.find(key);
  if (it == node.end() || !it->is_string()) return {};
  return it->get_ref<const std::string&>();
}

}  // namespace

std::string_view KindOf(const Node& node) { return TextMember(node, "kind"); }
std::string_view OpcodeOf(const Node& node) { return TextMember(node, "opcode"); }
std::string_view TypeOf(const Node& node) {
  const auto it = node.find("type");
  return it == node.end() ? std::string_view() : TextMember(*it, "qualType");
}

const Node& Inner(const Node& node, size_t n) {
  static const Node kNone = Node::object();
  const auto it = node.find("inner");
  return it == node.end() || n >= it->size() ? kNone : (*it)[n];
}

const Node& Bare(const Node& node) {
  const Node* bare = &node;
  while (KindOf(*bare) == "ImplicitCastExpr" || KindOf(*bare) == "ParenExpr")
    bare = &Inner(*bare, 0);
  return *bare;
}

namespace {

struct Point {
  bool own = false;
  bool macro = false;
  bool argument = false;  // written in the file, as the argument of a macro
  size_t at = 0;
  size_t length = 0;
  size_t written_at = 0;  // of an argument
  size_t written_length = 0;
};

Point PointOf(const Node& place) {
  const bool macro = place.contains("expansionLoc");
  const Node& seen = macro ? place["expansionLoc"] : place;
  Point point{.own = seen.value("own", false),
              .macro = macro,
              .at = seen.value("offset", size_t{0}),
              .length = seen.value("tokLen", size_t{0})};
  if (!macro) return point;
  const Node& written = place["spellingLoc"];
  point.argument = seen.value("isMacroArgExpansion", false) && written.value("own", false);
  point.written_at = written.value("offset", size_t{0});
  point.written_length = written.value("tokLen", size_t{0});
  return point;
}

}  // namespace

std::optional<Span> Source::SpanOf(const Node& node, bool whole) const {
  const auto range = node.find("range");
  if (range == node.end()) return std::nullopt;
  const Point begin = PointOf((*range)["begin"]);
  const Point end = PointOf((*range)["end"]);
  if (!begin.own || !end.own) return std::nullopt;
  Span span{begin.at, end.macro ? EndOfMacro(end.at + end.length) : end.at + end.length};
  if (begin.macro && end.macro && begin.at == end.at) {
    if (begin.argument && end.argument)
      span = {begin.written_at, end.written_at + end.written_length};
    else if (!whole)
      return std::nullopt;
  } else if ((begin.macro || end.macro) && !whole) {
    return std::nullopt;
  }
  return span.begin < span.end && span.end <= text_.size() ? std::optional(span) : std::nullopt;
}

bool Source::BeginsInFile(const Node& node) {
  const auto range = node.find("range");
  if (range == node.end()) return false;
  const Point begin = PointOf((*range)["begin"]);
  return begin.own && !begin.macro;
}

size_t Source::SkipSpace(size_t at) const {
  while (at < text_.size()) {
    if (std::isspace(static_cast<unsigned char>(text_[at])) != 0 || text_[at] == '\\')
      ++at;
    else if (text_.compare(at, 2, "/*") == 0)
      at = std::min(text_.find("*/", at), text_.size() - 2) + 2;
    else if (text_.compare(at, 2, "//") == 0)
      at = std::min(text_.find('\n', at), text_.size());
    else
      break;
  }
  return at;
}

char Source::Before(size_t at) const {
  while (at > 0) {
    --at;
    if (at >= 1 && text_.compare(at - 1, 2, "*/") == 0)
      at = text_.rfind("/*", at);
    else if (std::isspace(static_cast<unsigned char>(text_[at])) == 0)
      return text_[at];
  }
  return '\0';
}

// `at` is that of the first quote.
size_t Source::EndOfString(size_t at) const {
  for (++at; at < text_.size() && text_[at] != '"'; ++at)
    if (text_[at] == '\\') ++at;
  return at + 1;
}

// `at` is after a macro's name. A macro with arguments ends after them.
size_t Source::EndOfMacro(size_t at) const {
  const size_t open = SkipSpace(at);
  if (At(open) != '(') return at;
  int depth = 0;
  for (size_t i = open; i < text_.size(); ++i) {
    if (text_[i] == '"') {
      i = EndOfString(i) - 1;
    } else if (text_[i] == '(') {
      ++depth;
    } else if (text_[i] == ')' && --depth == 0) {
      return i + 1;
    }
  }
  return at;
}

std::string Source::Line(Span span) const {
  std::string line;
  for (size_t i = SkipSpace(span.begin); i < span.end;) {
    const size_t next = SkipSpace(i);
    if (text_[i] == '"') {
      const size_t end = EndOfString(i);
      line.append(text_, i, end - i);
      i = end;
    } else if (next != i) {
      line += ' ';
      i = next;
    } else {
      line += text_[i++];
    }
  }
  while (line.ends_with(' ')) line.pop_back();
  return line;
}

unsigned Source::LineNumber(size_t offset) const {
  return static_cast<unsigned>(
      1 + std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(offset), '\n'));
}

std::string Source::Between(size_t begin, size_t end) const {
  return begin <= end ? Line({begin, end}) : std::string();
}

}  // namespace iommucheck::mutate
