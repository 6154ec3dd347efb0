// SPDX-License-Identifier: Apache-2.0
//
// Verification conditions as SMT-LIB2, for solvers that did not find the proof.
#include <algorithm>
#include <cctype>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/prove/prove.h"
#include "src/prove/system.h"

namespace iommucheck::prove {
namespace {

std::string Name(Sort sort) { return std::string(SortName(sort)); }
std::string Name(Variable v) { return absl::StrFormat("%c%d", SortLetter(v.sort), v.id); }

// Functions and sorts have a space of names each, but not in every solver.
std::string Name(const Term& term) {
  if (!term.function) return Name(term.variable);
  const std::string function = absl::StrCat("the_", std::string(InfoOf(*term.function).name));
  return InfoOf(*term.function).argument
             ? absl::StrCat("(", function, " ", Name(term.variable), ")")
             : function;
}

std::string Text(const Formula& f) {
  std::string parts;
  for (const Term& term : f->terms) absl::StrAppend(&parts, " ", Name(term));
  for (const Formula& part : f->parts) absl::StrAppend(&parts, " ", Text(part));
  switch (f->kind) {
    case Formula::Kind::kTrue:
      return "true";
    case Formula::Kind::kAtom: {
      const std::string relation(InfoOf(f->relation).name);
      return f->terms.empty() ? relation : absl::StrCat("(", relation, parts, ")");
    }
    case Formula::Kind::kEqual:
      return absl::StrCat("(=", parts, ")");
    case Formula::Kind::kNot:
      return absl::StrCat("(not", parts, ")");
    case Formula::Kind::kAnd:
      return absl::StrCat("(and", parts, ")");
    case Formula::Kind::kForAll: {
      std::string bound;
      for (const Variable& v : f->variables)
        absl::StrAppend(&bound, "(", Name(v), " ", Name(v.sort), ")");
      return absl::StrCat("(forall (", bound, ")", parts, ")");
    }
  }
  return "";
}

std::string Declarations() {
  std::string out = "(set-logic UF)\n";
  for (int s = 0; s < kSortCount; ++s)
    absl::StrAppend(&out, "(declare-sort ", Name(static_cast<Sort>(s)), " 0)\n");
  for (int n = 0; n < kFunctionCount; ++n) {
    const FunctionInfo& info = InfoOf(static_cast<Function>(n));
    absl::StrAppend(&out, "(declare-fun the_", std::string(info.name), " (",
                    info.argument ? Name(*info.argument) : "", ") ", Name(info.result), ")\n");
  }
  for (int n = 0; n < kRelationCount; ++n) {
    const RelationInfo& info = InfoOf(static_cast<Relation>(n));
    std::string arguments;
    for (const Sort sort : info.arguments) absl::StrAppend(&arguments, " ", Name(sort));
    absl::StrAppend(&out, "(declare-fun ", std::string(info.name), " (", arguments, ") Bool)\n");
  }
  return out;
}

class Script {
 public:
  explicit Script(const std::string& comment) {
    absl::StrAppend(&text_, "; ", comment, "\n", Declarations());
  }

  void Declare(const std::vector<Variable>& constants) {
    for (const Variable& v : constants)
      absl::StrAppend(&text_, "(declare-const ", Name(v), " ", Name(v.sort), ")\n");
  }
  void Assert(const std::string& comment, const Formula& f) {
    absl::StrAppend(&text_, "; ", comment, "\n(assert ", Text(f), ")\n");
  }
  [[nodiscard]] std::string Finish() const { return absl::StrCat(text_, "(check-sat)\n"); }

 private:
  std::string text_;
};

// "attach_dev, type1 domain" as part of a file's name.
std::string Slug(std::string_view name) {
  std::string slug;
  for (const char c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_')
      slug += c;
    else if (!slug.ends_with('-'))
      slug += '-';
  while (slug.ends_with('-')) slug.pop_back();
  return slug;
}

void AssertAxioms(Script& script, const KernelFamily& kernel) {
  for (const Formula& axiom : AxiomsOf(kernel)) script.Assert("the machine", axiom);
}

// Some of the formulas, of lemmas whose variables are apart, does not hold.
void AssertBroken(Script& script, const std::vector<Formula>& formulas,
                  std::vector<Variable> variables) {
  Formula all;
  for (const Formula& f : formulas) all = all && f;
  script.Assert("and yet one does not hold", !ForAll(std::move(variables), all));
}

std::vector<Variable> ApartVariables(const std::vector<Lemma>& lemmas) {
  std::vector<Variable> variables;
  for (const Lemma& lemma : lemmas)
    for (Variable v : lemma.Variables()) {
      v.id += kLemmaVariables;
      if (std::ranges::find(variables, v) == variables.end()) variables.push_back(v);
    }
  return variables;
}

Condition AtBootCondition(const KernelFamily& kernel, const std::vector<Lemma>& lemmas) {
  Script script("Every lemma holds at boot.");
  AssertAxioms(script, kernel);
  std::vector<Formula> formulas;
  for (const Lemma& lemma : lemmas) formulas.push_back(AtBoot(Apart(lemma.Open())));
  AssertBroken(script, formulas, ApartVariables(lemmas));
  return {"00-boot.smt2", script.Finish()};
}

Condition PropertyCondition(Property property, const KernelFamily& kernel,
                            const std::vector<Lemma>& lemmas) {
  Script script("The lemmas imply the property.");
  AssertAxioms(script, kernel);
  for (const Lemma& lemma : lemmas) script.Assert(PrintLemma(lemma), lemma.Closed());
  const Lemma goal = PropertyLemma(property);
  AssertBroken(script, {Apart(goal.Open())}, ApartVariables({goal}));
  return {"01-property.smt2", script.Finish()};
}

}  // namespace

std::vector<Condition> ConditionsOf(Property property, const KernelFamily& kernel,
                                    const std::vector<Lemma>& lemmas) {
  std::vector<Condition> conditions = {AtBootCondition(kernel, lemmas),
                                       PropertyCondition(property, kernel, lemmas)};
  for (const Action& action : ActionsOf(kernel)) {
    std::vector<Formula> after;
    for (const Lemma& lemma : lemmas)
      if (action.Changes(lemma.Open())) after.push_back(action.Before(Apart(lemma.Open())));
    if (after.empty()) continue;  // it changes nothing that a lemma speaks of
    Script script(absl::StrCat(std::string(action.name), " keeps every lemma."));
    script.Declare(action.parameters);
    AssertAxioms(script, kernel);
    for (const Lemma& lemma : lemmas) script.Assert(PrintLemma(lemma), lemma.Closed());
    script.Assert("the action may happen", action.guard);
    AssertBroken(script, after, ApartVariables(lemmas));
    conditions.push_back(
        {absl::StrFormat("%02d-%s.smt2", conditions.size(), Slug(action.name)), script.Finish()});
  }
  return conditions;
}

}  // namespace iommucheck::prove
