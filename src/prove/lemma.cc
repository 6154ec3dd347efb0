// SPDX-License-Identifier: Apache-2.0
#include "src/prove/lemma.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "src/case/encoded.h"

namespace iommucheck::prove {
namespace {

using Literal = Lemma::Literal;

// The largest id of a variable in a lemma; Apart() keeps them from the ids of actions.
constexpr int kMaxNumber = 19;

std::string PrintVariable(Variable v) {
  const std::string letter(1, SortLetter(v.sort));
  return v.id == 0 ? letter : absl::StrCat(letter, static_cast<int>(v.id));
}

std::string PrintLiteral(const Literal& literal) {
  std::vector<std::string> terms;
  for (const Term& term : literal.terms) terms.push_back(PrintTerm(term));
  if (!literal.relation) return absl::StrJoin(terms, " = ");
  const std::string name(InfoOf(*literal.relation).name);
  return terms.empty() ? name : absl::StrCat(name, "(", absl::StrJoin(terms, ","), ")");
}

// Where a line may break: after each premise.
std::vector<std::string> PrintParts(const Lemma& lemma) {
  std::vector<std::string> parts;
  for (const Literal& premise : lemma.premises)
    parts.push_back(PrintLiteral(premise) + (&premise == &lemma.premises.back() ? "" : " &"));
  parts.push_back("-> " + PrintLiteral(lemma.conclusion));
  return parts;
}

Formula ToFormula(const Literal& literal) {
  return literal.relation ? Holds(*literal.relation, literal.terms)
                          : Equal(literal.terms[0], literal.terms[1]);
}

std::string AnyOf(Sort sort) {
  return absl::StrCat(sort == Sort::kInstance ? "an " : "a ", std::string(SortName(sort)));
}

bool IsWord(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

template <typename Enum>
std::optional<Enum> FindByName(std::string_view name, int count) {
  for (int n = 0; n < count; ++n)
    if (InfoOf(static_cast<Enum>(n)).name == name) return static_cast<Enum>(n);
  return std::nullopt;
}

// A file of lemmas. Lines that begin with a blank go on with the lemma of the line above.
class Parser {
 public:
  Parser(std::string_view text, std::string_view file) : text_(text), file_(file) {}

  absl::StatusOr<std::vector<Lemma>> Parse() {
    std::vector<Lemma> lemmas;
    for (SkipToLemma(); at_ < text_.size(); SkipToLemma()) {
      absl::StatusOr<Lemma> lemma = ParseLemma();
      if (!lemma.ok()) return lemma.status();
      lemmas.push_back(*std::move(lemma));
      SkipToLemma();
      if (lemmas.size() == kMaxLemmas && at_ < text_.size())
        return Expected(absl::StrFormat("at most %d lemmas", kMaxLemmas));
    }
    return lemmas;
  }

 private:
  [[nodiscard]] bool At(size_t place, std::string_view any) const {
    return place < text_.size() && any.find(text_[place]) != std::string_view::npos;
  }
  // Blanks and comments, and ends of lines as long as `ends` says so.
  template <typename Ends>
  void Skip(Ends ends) {
    while (At(at_, " \t\r#") || (At(at_, "\n") && ends()))
      at_ = text_[at_] == '#' ? std::min(text_.find('\n', at_), text_.size()) : at_ + 1;
  }
  void SkipToLemma() {
    Skip([] { return true; });
  }
  void SkipBlanks() {
    Skip([this] { return At(at_ + 1, " \t"); });
  }

  absl::StatusOr<Lemma> ParseLemma() {
    Lemma lemma;
    while (!Take("->")) {
      if (lemma.premises.size() == kMaxPremises)
        return Expected(absl::StrFormat("->, after %d premises at most", kMaxPremises));
      if (!lemma.premises.empty() && !Take("&")) return Expected("& or ->");
      absl::StatusOr<Literal> literal = ParseLiteral();
      if (!literal.ok()) return literal.status();
      lemma.premises.push_back(*std::move(literal));
    }
    absl::StatusOr<Literal> literal = ParseLiteral();
    if (!literal.ok()) return literal.status();
    lemma.conclusion = *std::move(literal);
    SkipBlanks();
    if (at_ < text_.size() && text_[at_] != '\n') return Expected("the end of the lemma");
    return lemma;
  }

  bool Take(std::string_view token) {
    SkipBlanks();
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  [[nodiscard]] std::string_view Peek() {
    SkipBlanks();
    size_t end = at_;
    while (end < text_.size() && IsWord(text_[end])) ++end;
    return text_.substr(at_, end - at_);
  }
  [[nodiscard]] absl::Status Expected(std::string_view what) {
    std::string found(Peek());
    if (found.empty() && at_ < text_.size()) found = text_.substr(at_, 1);
    if (found.empty() || found == "\n") {
      found = "the end of the lemma";
    } else if (found.size() == 1 && (found[0] < ' ' || found[0] > '~')) {
      found = absl::StrFormat("byte 0x%02x", static_cast<unsigned char>(found[0]));
    } else {
      found = absl::StrFormat("'%s'", found);
    }
    const std::string_view before = text_.substr(0, at_);
    const size_t line = before.rfind('\n');
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s:%d:%d: expected %s, found %s", file_, 1 + std::ranges::count(before, '\n'),
        at_ - (line == std::string_view::npos ? 0 : line + 1) + 1, what, found));
  }

  absl::StatusOr<Variable> ParseVariable() {
    const std::string_view word = Peek();
    for (int s = 0; s < kSortCount && !word.empty(); ++s) {
      const auto sort = static_cast<Sort>(s);
      const std::string_view digits = word.substr(1);
      if (word[0] != SortLetter(sort) || digits.size() > 2 ||
          !std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; }))
        continue;
      int number = 0;
      for (const char c : digits) number = 10 * number + (c - '0');
      if (number > kMaxNumber) break;
      at_ += word.size();
      return Variable{sort, static_cast<uint8_t>(number)};
    }
    return Expected("a variable (d i g x b r c t, and a number up to 19)");
  }

  absl::StatusOr<Term> ParseTerm() {
    const std::optional<Function> function = FindByName<Function>(Peek(), kFunctionCount);
    if (!function) {
      const absl::StatusOr<Variable> v = ParseVariable();
      return v.ok() ? absl::StatusOr<Term>(Term(*v)) : v.status();
    }
    at_ += Peek().size();
    if (!InfoOf(*function).argument) return Term::Platform();
    if (!Take("(")) return Expected("(");
    SkipBlanks();
    const size_t place = at_;
    const absl::StatusOr<Variable> v = ParseVariable();
    if (!v.ok()) return v.status();
    if (v->sort != *InfoOf(*function).argument) {
      at_ = place;
      return Expected(AnyOf(*InfoOf(*function).argument));
    }
    if (!Take(")")) return Expected(")");
    return Term(*function, *v);
  }

  absl::StatusOr<Term> ParseTermOf(Sort sort) {
    SkipBlanks();
    const size_t place = at_;
    absl::StatusOr<Term> term = ParseTerm();
    if (!term.ok() || term->sort() == sort) return term;
    at_ = place;
    return Expected(AnyOf(sort));
  }

  absl::StatusOr<Literal> ParseLiteral() {
    const std::optional<Relation> relation = FindByName<Relation>(Peek(), kRelationCount);
    Literal literal{.relation = relation, .terms = {}};
    if (!relation) {
      if (Peek().size() > 3 && !FindByName<Function>(Peek(), kFunctionCount))
        return Expected("a relation or a term");
      const absl::StatusOr<Term> left = ParseTerm();
      if (!left.ok()) return left.status();
      if (!Take("=")) return Expected("=");
      const absl::StatusOr<Term> right = ParseTermOf(left->sort());
      if (!right.ok()) return right.status();
      literal.terms = {*left, *right};
      return literal;
    }
    at_ += Peek().size();
    const std::vector<Sort>& sorts = InfoOf(*relation).arguments;
    for (size_t n = 0; n < sorts.size(); ++n) {
      const char* before = n == 0 ? "(" : ",";
      if (!Take(before)) return Expected(before);
      const absl::StatusOr<Term> term = ParseTermOf(sorts[n]);
      if (!term.ok()) return term.status();
      literal.terms.push_back(*term);
    }
    if (!sorts.empty() && !Take(")")) return Expected(")");
    return literal;
  }

  std::string_view text_;
  std::string_view file_;
  size_t at_ = 0;
};

// --- candidates ---

// A driver that a device or a group has to do with, as a premise and a term.
struct Tie {
  std::string premise;
  std::string driver;
};

// The text with other variables, to state a fact twice in one lemma; `shared` keeps its name.
std::string Second(std::string text, std::string_view shared) {
  std::string out;
  for (size_t n = 0; n < text.size(); ++n) {
    out += text[n];
    const bool alone = (n == 0 || !IsWord(text[n - 1])) &&
                       (n + 1 == text.size() || !IsWord(text[n + 1])) && IsWord(text[n]);
    if (alone && shared.find(text[n]) == std::string_view::npos) out += '1';
  }
  return out;
}

// The lemma with the variables of a sort numbered as they come up.
Lemma Renumbered(Lemma lemma) {
  const std::vector<Variable> before = lemma.Variables();
  std::vector<Variable> after;
  for (const Variable& v : before)
    after.push_back(
        {v.sort, static_cast<uint8_t>(std::ranges::count(after, v.sort, &Variable::sort))});
  const auto renumber = [&](Literal& literal) {
    for (Term& term : literal.terms)
      if (const auto it = std::ranges::find(before, term.variable); it != before.end())
        term.variable = after[it - before.begin()];
  };
  std::ranges::for_each(lemma.premises, renumber);
  renumber(lemma.conclusion);
  return lemma;
}

class Family {
 public:
  explicit Family(const KernelFamily& kernel) : kernel_(kernel) {}

  std::vector<Lemma> Make() {
    for (Property property : kEncodedProperties) lemmas_.push_back(PropertyLemma(property));
    Functional();
    Known();
    Agree(DeviceTies(), "d");
    Agree(GroupTies(), "g");
    if (kernel_.profile.era != Era::kFwnode) Agree(AllTies(), "");
    return std::move(lemmas_);
  }

 private:
  void Add(const std::string& text) {
    const absl::StatusOr<std::vector<Lemma>> parsed = ParseLemmas(text, "candidate");
    const Lemma lemma = Renumbered(parsed->at(0));
    if (std::ranges::find(lemmas_, lemma) == lemmas_.end()) lemmas_.push_back(lemma);
  }

  // One value for a key.
  void Functional() {
    for (const char* text :
         {"served_by(d,i) & served_by(d,i1) -> i = i1", "in_group(d,g) & in_group(d,g1) -> g = g1",
          "instance_group(i,g) & instance_group(i,g1) -> g = g1",
          "instance_group(i,g) & instance_group(i1,g) -> i = i1",
          "bus_ops(b,r) & bus_ops(b,r1) -> r = r1"})
      Add(text);
  }

  // One fact that another takes.
  void Known() {
    for (const char* premise : {"default_domain(g,x)", "blocking_domain(g,x)", "type1_domain(g,x)",
                                "attached(d,x)", "reused(d,x)", "fresh(x)"})
      Add(absl::StrCat(premise, " -> allocated(x)"));
    for (const char* text : {"served_by(d,i) -> registered(i)", "served_by(d,i) -> behind(d,i)",
                             "instance_group(i,g) -> registered(i)",
                             "instance_group(i,g) -> per_instance_groups(driver(i))",
                             "instance_group(i,g) & in_group(d,g) -> served_by(d,i)"})
      Add(text);
    if (kernel_.profile.era == Era::kFwnode) return;
    Add("served_by(d,i) -> bus_ops(bus(d),driver(i))");
    for (const Tie& tie : AllTies())
      Add(absl::StrCat(tie.premise, " -> bus_ops(platform,", tie.driver, ")"));
  }

  // Any two ties of one thing are to one driver.
  void Agree(const std::vector<Tie>& ties, std::string_view shared) {
    for (size_t a = 0; a < ties.size(); ++a)
      for (size_t b = a; b < ties.size(); ++b) {
        const std::string premise = Second(ties[b].premise, shared);
        const std::string driver = Second(ties[b].driver, shared);
        Add(absl::StrCat(ties[a].premise, " & ", premise, " -> ", ties[a].driver, " = ", driver));
      }
  }

  [[nodiscard]] static std::vector<Tie> AllTies() {
    return {{"registered(i)", "driver(i)"},
            {"bus_ops(b,r)", "r"},
            {"served_by(d,i)", "driver(i)"},
            {"allocated(x)", "owner(x)"}};
  }
  [[nodiscard]] static std::vector<Tie> DeviceTies() {
    return {{"served_by(d,i)", "driver(i)"},
            {"attached(d,x)", "owner(x)"},
            {"reused(d,x)", "owner(x)"}};
  }
  [[nodiscard]] static std::vector<Tie> GroupTies() {
    std::vector<Tie> ties = {{"instance_group(i,g)", "driver(i)"},
                             {"default_domain(g,x)", "owner(x)"},
                             {"blocking_domain(g,x)", "owner(x)"},
                             {"type1_domain(g,x)", "owner(x)"}};
    for (const Tie& tie : DeviceTies())
      ties.push_back({absl::StrCat("in_group(d,g) & ", tie.premise), tie.driver});
    return ties;
  }

  const KernelFamily& kernel_;
  std::vector<Lemma> lemmas_;
};

}  // namespace

std::vector<Variable> Lemma::Variables() const {
  std::vector<Variable> variables;
  const auto add = [&](const Literal& literal) {
    for (const Term& term : literal.terms)
      if (term.function != Function::kPlatform &&
          std::ranges::find(variables, term.variable) == variables.end())
        variables.push_back(term.variable);
  };
  std::ranges::for_each(premises, add);
  add(conclusion);
  return variables;
}

Formula Lemma::Open() const {
  Formula all;
  for (const Literal& premise : premises) all = all && ToFormula(premise);
  return Implies(all, ToFormula(conclusion));
}

std::string PrintTerm(const Term& term) {
  if (term.function == Function::kPlatform) return "platform";
  if (!term.function) return PrintVariable(term.variable);
  return absl::StrFormat("%s(%s)", InfoOf(*term.function).name, PrintVariable(term.variable));
}

std::string PrintLemma(const Lemma& lemma) { return absl::StrJoin(PrintParts(lemma), " "); }

std::string PrintLemmas(const std::vector<Lemma>& lemmas, size_t columns) {
  std::string out;
  for (const Lemma& lemma : lemmas) {
    std::string line;
    for (const std::string& part : PrintParts(lemma)) {
      if (!line.empty() && line.size() + 1 + part.size() > columns) {
        absl::StrAppend(&out, line, "\n");
        line = "   ";
      }
      absl::StrAppend(&line, line.empty() ? "" : " ", part);
    }
    absl::StrAppend(&out, line, "\n");
  }
  return out;
}

absl::StatusOr<std::vector<Lemma>> ParseLemmas(std::string_view text, std::string_view file) {
  return Parser(text, file).Parse();
}

Lemma PropertyLemma(Property property) {
  const Variable d{Sort::kDevice, 0};
  const Variable i{Sort::kInstance, 0};
  const Variable x{Sort::kDomain, 0};
  const Relation on =
      property == Property::kNoCrossDriverAttach ? Relation::kAttached : Relation::kReused;
  return {.premises = {{Relation::kServedBy, {d, i}}, {on, {d, x}}},
          .conclusion = {std::nullopt, {{Function::kDriver, i}, {Function::kOwner, x}}}};
}

std::vector<Lemma> Candidates(const KernelFamily& kernel) { return Family(kernel).Make(); }

std::string Glossary() {
  return R"(# One lemma a line; a line that begins with a blank goes on with it. Each
# is true in every state, whatever its variables stand for: b a bus,
# c a container, d a device, g a group, i an instance, r a driver,
# t a table, x a domain.
#   registered(i)          the instance is on iommu_device_list
#   bus_ops(b,r)           bus->iommu_ops is that driver's
#   served_by(d,i)         dev->iommu->iommu_dev
#   in_group(d,g)          dev->iommu_group
#   instance_group(i,g)    the group that the instance shares out
#   default_domain(g,x)    blocking_domain(g,x)
#   type1_domain(g,x)      type1 put the domain up for the group
#   in_container(g,c)
#   attached(d,x)          the last attach_dev() of the device
#   reused(d,x)            one that attached a type1 domain that existed
#   allocated(x)           the domain was ever allocated
#   attaching, fresh(x)    inside a type1 attach; the domain that it made
#   behind(d,i)            firmware puts the device behind the instance
#   related(d,d1)          may_use(r,t)  per_instance_groups(r)
#   same_address(r,r1)     same_table(t,t1)
#   bus(d) driver(i) owner(x) table(x) platform
)";
}

}  // namespace iommucheck::prove
