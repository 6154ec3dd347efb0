// SPDX-License-Identifier: Apache-2.0
#include "src/prove/lemma.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
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

std::string PrintTerm(const Term& term) {
  if (term.function == Function::kPlatform) return "platform";
  if (!term.function) return PrintVariable(term.variable);
  return absl::StrFormat("%s(%s)", InfoOf(*term.function).name, PrintVariable(term.variable));
}

std::string PrintLiteral(const Literal& literal) {
  const auto print = [](std::string* out, const Term& term) { *out += PrintTerm(term); };
  if (!literal.relation) return absl::StrJoin(literal.terms, " = ", print);
  const std::string name(InfoOf(*literal.relation).name);
  return literal.terms.empty()
             ? name
             : absl::StrCat(name, "(", absl::StrJoin(literal.terms, ",", print), ")");
}

// Where a line may break: after each premise.
std::vector<std::string> PrintParts(const Lemma& lemma) {
  std::vector<std::string> parts;
  parts.reserve(lemma.premises.size() + 1);
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

bool IsWord(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_'; }

template <typename Enum>
std::optional<Enum> FindByName(std::string_view name, int count) {
  for (int n = 0; n < count; ++n)
    if (InfoOf(static_cast<Enum>(n)).name == name) return static_cast<Enum>(n);
  return std::nullopt;
}

// A file of lemmas. Lines that begin with a blank go on with the lemma of the line above. Keeps the
// first thing that was not what it expects; the values that it reads beyond that mean nothing.
class Parser {
 public:
  Parser(std::string_view text, std::string_view file) : text_(text), file_(file) {}

  absl::StatusOr<std::vector<Lemma>> Parse() {
    std::vector<Lemma> lemmas;
    for (SkipToLemma(); status_.ok() && at_ < text_.size(); SkipToLemma()) {
      if (lemmas.size() == kMaxLemmas) Expected(absl::StrFormat("at most %d lemmas", kMaxLemmas));
      lemmas.push_back(ParseLemma());
    }
    if (!status_.ok()) return status_;
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

  Lemma ParseLemma() {
    Lemma lemma;
    while (status_.ok() && !Take("->")) {
      if (lemma.premises.size() == kMaxPremises)
        Expected(absl::StrFormat("->, after %d premises at most", kMaxPremises));
      if (!lemma.premises.empty() && !Take("&")) Expected("& or ->");
      lemma.premises.push_back(ParseLiteral());
    }
    lemma.conclusion = ParseLiteral();
    SkipBlanks();
    if (at_ < text_.size() && text_[at_] != '\n') Expected("the end of the lemma");
    return lemma;
  }

  bool Take(std::string_view token) {
    SkipBlanks();
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  void Expect(std::string_view token) {
    if (!Take(token)) Expected(token);
  }
  [[nodiscard]] std::string_view Peek() {
    SkipBlanks();
    size_t end = at_;
    while (end < text_.size() && IsWord(text_[end])) ++end;
    return text_.substr(at_, end - at_);
  }
  void Expected(std::string_view what) {
    if (!status_.ok()) return;
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
    status_ = absl::InvalidArgumentError(absl::StrFormat(
        "%s:%d:%d: expected %s, found %s", file_, 1 + std::ranges::count(before, '\n'),
        at_ - (before.rfind('\n') + 1) + 1, what, found));
  }

  Variable ParseVariable() {
    const std::string_view word = Peek();
    const std::string digits(word.substr(std::min<size_t>(1, word.size())));
    const bool is_number = digits.size() <= 2 && std::ranges::all_of(digits, absl::ascii_isdigit);
    const int number = is_number && !digits.empty() ? std::stoi(digits) : 0;
    for (int s = 0; s < kSortCount && is_number && number <= kMaxNumber; ++s) {
      const auto sort = static_cast<Sort>(s);
      if (!word.starts_with(SortLetter(sort))) continue;
      at_ += word.size();
      return {sort, static_cast<uint8_t>(number)};
    }
    Expected("a variable (d i g x b r c t, and a number up to 19)");
    return {};
  }

  Term ParseTerm() {
    const std::optional<Function> function = FindByName<Function>(Peek(), kFunctionCount);
    if (!function) return ParseVariable();
    at_ += Peek().size();
    const std::optional<Sort> argument = InfoOf(*function).argument;
    if (!argument) return Term::Platform();
    Expect("(");
    SkipBlanks();
    const size_t place = at_;
    const Variable v = ParseVariable();
    CheckSort(v.sort, *argument, place);
    Expect(")");
    return {*function, v};
  }

  Term ParseTermOf(Sort sort) {
    SkipBlanks();
    const size_t place = at_;
    const Term term = ParseTerm();
    CheckSort(term.sort(), sort, place);
    return term;
  }
  void CheckSort(Sort found, Sort expected, size_t place) {
    if (found == expected || !status_.ok()) return;
    at_ = place;
    Expected(AnyOf(expected));
  }

  Literal ParseLiteral() {
    const std::optional<Relation> relation = FindByName<Relation>(Peek(), kRelationCount);
    Literal literal{.relation = relation, .terms = {}};
    if (!relation) {
      if (Peek().size() > 3 && !FindByName<Function>(Peek(), kFunctionCount))
        Expected("a relation or a term");
      const Term left = ParseTerm();
      Expect("=");
      literal.terms = {left, ParseTermOf(left.sort())};
      return literal;
    }
    at_ += Peek().size();
    const std::vector<Sort>& sorts = InfoOf(*relation).arguments;
    for (const Sort sort : sorts) {
      Expect(literal.terms.empty() ? "(" : ",");
      literal.terms.push_back(ParseTermOf(sort));
    }
    if (!sorts.empty()) Expect(")");
    return literal;
  }

  std::string_view text_;
  std::string_view file_;
  size_t at_ = 0;
  absl::Status status_;
};

// --- candidates ---

// One value for a key.
constexpr char kFunctional[] = R"(
served_by(d,i) & served_by(d,i1) -> i = i1
in_group(d,g) & in_group(d,g1) -> g = g1
instance_group(i,g) & instance_group(i,g1) -> g = g1
instance_group(i,g) & instance_group(i1,g) -> i = i1
bus_ops(b,r) & bus_ops(b,r1) -> r = r1
)";

// One fact that another takes.
constexpr char kKnown[] = R"(
default_domain(g,x) -> allocated(x)
blocking_domain(g,x) -> allocated(x)
type1_domain(g,x) -> allocated(x)
attached(d,x) -> allocated(x)
reused(d,x) -> allocated(x)
fresh(x) -> allocated(x)
served_by(d,i) -> registered(i)
served_by(d,i) -> behind(d,i)
instance_group(i,g) -> registered(i)
instance_group(i,g) -> per_instance_groups(driver(i))
instance_group(i,g) & in_group(d,g) -> served_by(d,i)
)";

// Ties: the driver r that something has to do with.
constexpr char kDeviceTies[] = R"(
served_by(d,i) -> r = driver(i)
attached(d,x) -> r = owner(x)
reused(d,x) -> r = owner(x)
)";
constexpr char kGroupTies[] = R"(
instance_group(i,g) -> r = driver(i)
default_domain(g,x) -> r = owner(x)
blocking_domain(g,x) -> r = owner(x)
type1_domain(g,x) -> r = owner(x)
in_group(d,g) & served_by(d,i) -> r = driver(i)
in_group(d,g) & attached(d,x) -> r = owner(x)
in_group(d,g) & reused(d,x) -> r = owner(x)
)";
constexpr char kAnyTies[] = R"(
registered(i) -> r = driver(i)
bus_ops(b,r) -> r = r
served_by(d,i) -> r = driver(i)
allocated(x) -> r = owner(x)
)";

template <typename Rename>
Lemma Renamed(Lemma lemma, Rename rename) {
  const auto apply = [&](Literal& literal) {
    for (Term& term : literal.terms)
      if (term.function != Function::kPlatform) term.variable = rename(term.variable);
  };
  std::ranges::for_each(lemma.premises, apply);
  apply(lemma.conclusion);
  return lemma;
}

class Family {
 public:
  explicit Family(const KernelFamily& kernel) : has_bus_ops_(kernel.profile.era != Era::kFwnode) {}

  std::vector<Lemma> Make() {
    for (Property property : kEncodedProperties) lemmas_.push_back(PropertyLemma(property));
    AddAll(kFunctional);
    AddAll(kKnown);
    if (has_bus_ops_) {
      AddAll("served_by(d,i) -> bus_ops(bus(d),driver(i))");
      for (const Lemma& tie : Parsed(kAnyTies))
        Add({tie.premises, {Relation::kBusOps, {Term::Platform(), tie.conclusion.terms[1]}}});
    }
    Agree(kDeviceTies, Sort::kDevice);
    Agree(kGroupTies, Sort::kGroup);
    if (has_bus_ops_) Agree(kAnyTies, std::nullopt);
    return std::move(lemmas_);
  }

 private:
  static std::vector<Lemma> Parsed(const char* text) { return *ParseLemmas(text, "candidates"); }

  // With the variables of a sort numbered as they come up.
  void Add(const Lemma& lemma) {
    const std::vector<Variable> before = lemma.Variables();
    const Lemma renumbered = Renamed(lemma, [&](Variable v) {
      const auto end = std::ranges::find(before, v);
      v.id = static_cast<uint8_t>(std::ranges::count(before.begin(), end, v.sort, &Variable::sort));
      return v;
    });
    if (std::ranges::find(lemmas_, renumbered) == lemmas_.end()) lemmas_.push_back(renumbered);
  }
  void AddAll(const char* text) {
    for (const Lemma& lemma : Parsed(text)) Add(lemma);
  }

  // Any two ties of one thing, a variable of the sort `shared`, are to one driver.
  void Agree(const char* text, std::optional<Sort> shared) {
    const std::vector<Lemma> ties = Parsed(text);
    for (size_t a = 0; a < ties.size(); ++a)
      for (size_t b = a; b < ties.size(); ++b) {
        const Lemma other = Renamed(
            ties[b], [&](Variable v) { return v.sort == shared ? v : Variable{v.sort, 1}; });
        Lemma both = ties[a];
        both.premises.insert(both.premises.end(), other.premises.begin(), other.premises.end());
        both.conclusion.terms[0] = both.conclusion.terms[1];
        both.conclusion.terms[1] = other.conclusion.terms[1];
        Add(both);
      }
  }

  const bool has_bus_ops_;
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
