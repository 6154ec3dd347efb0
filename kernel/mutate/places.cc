// SPDX-License-Identifier: Apache-2.0
#include "kernel/mutate/places.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>
#include <utility>

namespace iommucheck::mutate {
namespace {

// Statements that only print, or only state what holds anyway: without them a kernel that keeps its
// own rules is the same kernel. Their arguments are mutated like any others. A name that ends with
// '_' stands for all that begin with it.
constexpr auto kSilent = std::to_array<std::string_view>({
    "pr_",
    "dev_dbg",
    "dev_err",
    "dev_err_ratelimited",
    "dev_info",
    "dev_warn",
    "dev_warn_once",
    "dump_stack",
    "trace_",
    "WARN",
    "WARN_",
    "BUG_",
    "lockdep_",
    "might_sleep",
    "cond_resched",
});

bool IsSilent(std::string_view name) {
  return std::ranges::any_of(kSilent, [name](std::string_view silent) {
    return silent.ends_with('_') ? name.starts_with(silent) : name == silent;
  });
}

// Words in the names of functions that take or drop a reference, or free.
constexpr auto kReferenceWords = std::to_array<std::string_view>(
    {"put", "get", "free", "kfree", "kvfree", "ref", "mmgrab", "mmdrop", "mmput"});

bool CountsReferences(std::string_view name) {
  for (size_t at = 0; at < name.size();) {
    const size_t end = std::min(name.find('_', at), name.size());
    if (std::ranges::find(kReferenceWords, name.substr(at, end - at)) != kReferenceWords.end())
      return true;
    at = end + 1;
  }
  return false;
}

// "name" of "name(...)"; "" if the text does not begin with a call.
std::string_view CalledName(std::string_view text) {
  size_t end = 0;
  while (end < text.size() &&
         (std::isalnum(static_cast<unsigned char>(text[end])) != 0 || text[end] == '_'))
    ++end;
  return end != 0 && end < text.size() && text[end] == '(' ? text.substr(0, end)
                                                           : std::string_view();
}

bool IsAssignment(const Node& node) {
  const std::string_view kind = KindOf(node);
  return (kind == "BinaryOperator" && OpcodeOf(node) == "=") || kind == "CompoundAssignOperator" ||
         (kind == "UnaryOperator" && (OpcodeOf(node) == "++" || OpcodeOf(node) == "--"));
}

bool IsLogical(const Node& node) {
  return KindOf(node) == "BinaryOperator" && (OpcodeOf(node) == "&&" || OpcodeOf(node) == "||");
}

bool IsJump(const Node& node) {
  const std::string_view kind = KindOf(node);
  if (kind != "CompoundStmt")
    return kind == "ReturnStmt" || kind == "GotoStmt" || kind == "BreakStmt" ||
           kind == "ContinueStmt";
  const auto inner = node.find("inner");
  return inner != node.end() && !inner->empty() && IsJump(inner->back());
}

// The variables that an expression uses.
void CollectVariables(const Node& node, std::set<std::string>& names) {
  const auto decl = node.find("referencedDecl");
  if (decl != node.end() && (KindOf(*decl) == "VarDecl" || KindOf(*decl) == "ParmVarDecl"))
    names.insert(decl->value("name", ""));
  const auto inner = node.find("inner");
  if (inner == node.end()) return;
  for (const Node& child : *inner) CollectVariables(child, names);
}

bool HasCall(const Node& node) {
  if (KindOf(node) == "CallExpr") return true;
  const auto inner = node.find("inner");
  return inner != node.end() && std::ranges::any_of(*inner, HasCall);
}

}  // namespace

void Places::AddFunction(const Node& function) {
  function_ = function.value("name", "");
  seen_.clear();
  const auto inner = function.find("inner");
  if (inner == function.end()) return;
  for (const Node& child : *inner)
    if (KindOf(child) == "CompoundStmt") Visit(child);
}

void Places::Visit(const Node& node) {
  // What a static variable begins with is computed before any mutant could be chosen.
  if (KindOf(node) == "VarDecl" && node.value("storageClass", "") == "static") return;
  VisitKind(node, KindOf(node));
  const auto inner = node.find("inner");
  if (inner == node.end()) return;
  for (const Node& child : *inner) Visit(child);
}

void Places::VisitKind(const Node& node, std::string_view kind) {
  if (kind == "CompoundStmt") {
    Block(node);
  } else if (kind == "IfStmt") {
    if (source_.BeginsInFile(node)) {
      Condition(Inner(node, 0));
      Branch(node);
    }
    Statement(Inner(node, 1));
    Statement(Inner(node, 2));
  } else if (kind == "WhileStmt") {
    if (source_.BeginsInFile(node)) Condition(Inner(node, 0));
    Statement(Inner(node, 1));
  } else if (kind == "DoStmt") {
    Statement(Inner(node, 0));
    if (source_.BeginsInFile(node)) Condition(Inner(node, 1));
  } else if (kind == "ForStmt") {
    if (source_.BeginsInFile(node)) Condition(Inner(node, 2));
    Statement(Inner(node, 4));
  } else if (kind == "LabelStmt" || kind == "DefaultStmt") {
    Statement(Inner(node, 0));
  } else if (kind == "CaseStmt") {
    Statement(Inner(node, 1));
  } else if (kind == "ConditionalOperator") {
    if (source_.SpanOf(node, /*whole=*/false)) Condition(Inner(node, 0));
  } else if (kind == "BinaryOperator") {
    Logical(node);
    Comparison(node);
    if (OpcodeOf(node) == "=") CallValue(Inner(node, 1));
  } else if (kind == "VarDecl" || kind == "ReturnStmt") {
    CallValue(Inner(node, 0));
  } else if (kind == "IntegerLiteral") {
    Constant(node);
  } else if (kind == "UnaryOperator") {
    Errno(node);
  } else if (kind == "DeclRefExpr") {
    Boolean(node);
  }
}

void Places::Block(const Node& node) {
  const auto inner = node.find("inner");
  if (inner == node.end()) return;
  for (size_t i = 0; i < inner->size(); ++i) {
    Statement((*inner)[i]);
    if (i + 1 < inner->size()) Swap((*inner)[i], (*inner)[i + 1]);
  }
}

std::optional<Span> Places::StatementSpan(const Node& node) const {
  std::optional<Span> span = source_.SpanOf(node, /*whole=*/true);
  if (!span) return std::nullopt;
  // A statement inside of a macro has the text of the macro, which may be a part of an expression.
  constexpr std::string_view kMayComeBefore = ";{}:)";
  const bool after_word =
      source_.Text({span->begin < 8 ? 0 : span->begin - 8, span->begin}).find("else") !=
      std::string_view::npos;
  if (kMayComeBefore.find(source_.Before(span->begin)) == std::string_view::npos && !after_word)
    return std::nullopt;
  const size_t semicolon = source_.SkipSpace(span->end);
  if (source_.At(semicolon) != ';') return std::nullopt;
  span->end = semicolon + 1;
  return span;
}

void Places::Statement(const Node& node) {
  const std::string_view kind = KindOf(node);
  const bool expression = IsAssignment(node) || kind == "CallExpr" || kind == "StmtExpr" ||
                          kind == "DoStmt" || kind == "ParenExpr" || kind == "CStyleCastExpr";
  if (!expression) return;
  if (const std::optional<Span> span = StatementSpan(node)) DropStatement(node, *span);
}

void Places::DropStatement(const Node& node, Span span) {
  const std::string text = source_.Line(span);
  const std::string_view name = CalledName(text);
  const bool assignment = IsAssignment(node);
  if (!assignment && (name.empty() || IsSilent(name))) return;
  // The call is mutated by CallValue().
  if (assignment && KindOf(Bare(Inner(node, 0))) == "DeclRefExpr" && HasCall(node)) return;
  const char* const kind = assignment               ? "drop-assignment"
                           : CountsReferences(name) ? "drop-reference"
                                                    : "drop-call";
  Add(kind, span, text, ";", {{span.begin, span.end, "{ if (!" + NextIs() + ") ", " }"}});
}

// The order of two statements that have a variable in common, of which one is a call.
void Places::Swap(const Node& first, const Node& second) {
  const auto plain = [](const Node& node) {
    return IsAssignment(node) || KindOf(node) == "CallExpr";
  };
  if (!plain(first) || !plain(second) || (!HasCall(first) && !HasCall(second))) return;
  const std::optional<Span> a = StatementSpan(first);
  const std::optional<Span> b = StatementSpan(second);
  if (!a || !b || a->end > b->begin) return;
  const std::string one = source_.Line(*a);
  const std::string two = source_.Line(*b);
  if (IsSilent(CalledName(one)) || IsSilent(CalledName(two))) return;
  std::set<std::string> names;
  std::set<std::string> others;
  CollectVariables(first, names);
  CollectVariables(second, others);
  if (std::ranges::none_of(names, [&](const std::string& n) { return others.contains(n); })) return;
  Add("swap", {a->begin, b->end}, one + ' ' + two, two + ' ' + one,
      {{a->begin, a->begin, "if (" + NextIs() + ") { " + two + " } ", ""},
       {b->begin, b->end, "{ if (!" + NextIs() + ") ", " }"}});
}

// A call that does nothing and returns 0.
void Places::CallValue(const Node& node) {
  const Node& bare = Bare(node);
  if (KindOf(bare) != "CallExpr" || TypeOf(bare) != "int") return;
  const std::optional<Span> span = source_.SpanOf(bare, /*whole=*/false);
  if (!span) return;
  Add("drop-call", *span, source_.Line(*span), "0",
      {{span->begin, span->end, "(" + NextIs() + " ? 0 : ", ")"}});
}

// `if (...) return;` and the like: the condition is still evaluated.
void Places::Branch(const Node& node) {
  if (node.value("hasElse", false) || !IsJump(Inner(node, 1))) return;
  const std::optional<Span> span = source_.SpanOf(Inner(node, 0), /*whole=*/true);
  if (!span) return;
  const std::optional<Span> body = source_.SpanOf(Inner(node, 1), /*whole=*/true);
  const std::string text = "if (" + source_.Line(*span) + ")";
  Add("drop-branch", *span, text + (body ? ' ' + source_.Line(*body) : ""), ";",
      {{span->begin, span->end, "((", ") && !" + NextIs() + ")"}});
}

void Places::Condition(const Node& node) {
  if (KindOf(node).empty() || IsLogical(Bare(node))) return;
  Negate(node);
}

void Places::Negate(const Node& node) {
  const std::optional<Span> span = source_.SpanOf(node, /*whole=*/true);
  if (!span) return;
  const std::string text = source_.Line(*span);
  Add("negate", *span, text, "!(" + text + ")",
      {{span->begin, span->end, "(!(", ") ^ !" + NextIs() + ")"}});
}

// Either side of && and ||, which is evaluated all the same.
void Places::Logical(const Node& node) {
  if (!IsLogical(node)) return;
  const std::string op(OpcodeOf(node));
  const Node& left = Inner(node, 0);
  const Node& right = Inner(node, 1);
  const std::optional<Span> a = source_.SpanOf(left, /*whole=*/true);
  const std::optional<Span> b = source_.SpanOf(right, /*whole=*/true);
  if (!a || !b || source_.Between(a->end, b->begin) != op) return;
  const std::string original = source_.Line({a->begin, b->end});
  for (const auto& [dropped, kept] : {std::pair(*a, *b), std::pair(*b, *a)}) {
    Add("drop-operand", dropped, original, source_.Line(kept),
        {{dropped.begin, dropped.end, "((",
          op == "&&" ? ") || " + NextIs() + ")" : ") && !" + NextIs() + ")"}});
  }
  if (!IsLogical(Bare(left))) Negate(left);
  if (!IsLogical(Bare(right))) Negate(right);
}

void Places::Comparison(const Node& node) {
  constexpr auto kNear = std::to_array<std::pair<std::string_view, std::string_view>>(
      {{"<", "<="}, {"<=", "<"}, {">", ">="}, {">=", ">"}});
  const std::string_view op = OpcodeOf(node);
  const auto* const it = std::ranges::find(kNear, op, [](const auto& pair) { return pair.first; });
  if (it == kNear.end()) return;
  const std::optional<Span> a = source_.SpanOf(Inner(node, 0), /*whole=*/true);
  const std::optional<Span> b = source_.SpanOf(Inner(node, 1), /*whole=*/true);
  if (!a || !b || source_.Between(a->end, b->begin) != op) return;
  const Span span{a->begin, b->end};
  const std::string mutant =
      source_.Line(*a) + ' ' + std::string(it->second) + ' ' + source_.Line(*b);
  Add("off-by-one", span, source_.Line(span), mutant,
      {{span.begin, span.end, "(" + NextIs() + " ? (" + mutant + ") : (", "))"}});
}

void Places::Constant(const Node& node) {
  const std::optional<Span> span = source_.SpanOf(node, /*whole=*/false);
  if (!span) return;
  const std::string text = source_.Line(*span);
  if (std::isdigit(static_cast<unsigned char>(text[0])) == 0) return;
  Add("off-by-one", *span, text, text == "0" ? "1" : text + " + 1",
      {{span->begin, span->end, "(", " + " + NextIs() + ")"}});
}

void Places::Errno(const Node& node) {
  if (OpcodeOf(node) != "-") return;
  const std::optional<Span> span = source_.SpanOf(node, /*whole=*/true);
  if (!span) return;
  const std::string text = source_.Line(*span);
  if (!text.starts_with("-E") ||
      !std::ranges::all_of(text.substr(1), [](unsigned char c) { return std::isupper(c) != 0; }))
    return;
  const std::string other = text == "-EINVAL" ? "-EBUSY" : "-EINVAL";
  Add("errno", *span, text, other,
      {{span->begin, span->end, "(" + NextIs() + " ? " + other + " : ", ")"}});
}

void Places::Boolean(const Node& node) {
  const std::optional<Span> span = source_.SpanOf(node, /*whole=*/false);
  if (!span) return;
  const std::string text = source_.Line(*span);
  if (text != "true" && text != "false") return;
  Add("off-by-one", *span, text, text == "true" ? "false" : "true",
      {{span->begin, span->end, "(", " ^ " + NextIs() + ")"}});
}

std::string Places::NextIs() const {
  return "mutant_is(" + std::to_string(base_ + mutants_.size() + 1) + ")";
}

void Places::Add(const char* kind, Span where, std::string original, std::string mutant,
                 std::vector<Wrap> wraps) {
  if (!seen_.emplace(std::string(kind) + mutant, where).second) return;
  mutants_.push_back({.number = static_cast<unsigned>(base_ + mutants_.size() + 1),
                      .file = file_,
                      .line = source_.LineNumber(where.begin),
                      .function = function_,
                      .kind = kind,
                      .original = std::move(original),
                      .mutant = std::move(mutant),
                      .wraps = std::move(wraps)});
}

}  // namespace iommucheck::mutate
