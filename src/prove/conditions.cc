// SPDX-License-Identifier: Apache-2.0
//
// Verification conditions as SMT-LIB2, for solvers that did not find the proof.
#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/prove/prove.h"

namespace iommucheck::prove {
namespace {

std::string Name(Variable v) { return absl::StrFormat("%c%d", SortLetter(v.sort), v.id); }

// Functions and sorts have a space of names each, but not in every solver.
std::string Name(const Term& term) {
  if (!term.function) return Name(term.variable);
  const std::string function = absl::StrCat("the_", InfoOf(*term.function).name);
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
        absl::StrAppend(&bound, "(", Name(v), " ", SortName(v.sort), ")");
      return absl::StrCat("(forall (", bound, ")", parts, ")");
    }
  }
  return "";
}

std::string Declarations() {
  std::string out = "(set-logic UF)\n";
  for (int s = 0; s < kSortCount; ++s)
    absl::StrAppend(&out, "(declare-sort ", SortName(static_cast<Sort>(s)), " 0)\n");
  for (int n = 0; n < kFunctionCount; ++n) {
    const FunctionInfo& info = InfoOf(static_cast<Function>(n));
    absl::StrAppend(&out, "(declare-fun the_", info.name, " (",
                    info.argument ? SortName(*info.argument) : "", ") ", SortName(info.result),
                    ")\n");
  }
  for (int n = 0; n < kRelationCount; ++n) {
    const RelationInfo& info = InfoOf(static_cast<Relation>(n));
    std::string arguments;
    for (const Sort sort : info.arguments) absl::StrAppend(&arguments, " ", SortName(sort));
    absl::StrAppend(&out, "(declare-fun ", info.name, " (", arguments, ") Bool)\n");
  }
  return out;
}

// A condition about the machines of a family.
class Script {
 public:
  Script(const std::string& comment, const KernelFamily& kernel,
         const std::vector<Variable>& constants = {}) {
    absl::StrAppend(&text_, "; ", comment, "\n", Declarations());
    for (const Variable& v : constants)
      absl::StrAppend(&text_, "(declare-const ", Name(v), " ", SortName(v.sort), ")\n");
    for (const Formula& axiom : AxiomsOf(kernel)) Assert("the machine", axiom);
  }
  void Assert(const std::string& comment, const Formula& f) {
    absl::StrAppend(&text_, "; ", comment, "\n(assert ", Text(f), ")\n");
  }
  void Assert(const std::vector<Lemma>& lemmas) {
    for (const Lemma& lemma : lemmas) Assert(PrintLemma(lemma), lemma.Closed());
  }
  // One of the formulas does not hold. They are of lemmas whose variables are apart.
  std::string Broken(const std::vector<Formula>& formulas, const std::vector<Lemma>& lemmas) {
    Formula all;
    for (const Formula& f : formulas) all = all && f;
    std::vector<Variable> variables;
    for (const Lemma& lemma : lemmas)
      for (Variable v : lemma.Variables()) {
        v.id += kLemmaVariables;
        if (std::ranges::find(variables, v) == variables.end()) variables.push_back(v);
      }
    Assert("and yet one does not hold", !ForAll(std::move(variables), all));
    return absl::StrCat(text_, "(check-sat)\n");
  }

 private:
  std::string text_;
};

// "attach_dev, type1 domain" as part of a file's name.
std::string Slug(std::string_view name) {
  std::string slug;
  for (const char c : name)
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_')
      slug += c;
    else if (!slug.ends_with('-'))
      slug += '-';
  while (slug.ends_with('-')) slug.pop_back();
  return slug;
}

}  // namespace

std::vector<Condition> ConditionsOf(Property property, const KernelFamily& kernel,
                                    const std::vector<Lemma>& lemmas) {
  Script boot("Every lemma holds at boot.", kernel);
  std::vector<Formula> at_boot;
  at_boot.reserve(lemmas.size());
  for (const Lemma& lemma : lemmas) at_boot.push_back(AtBoot(Apart(lemma.Open())));
  Script implied("The lemmas imply the property.", kernel);
  implied.Assert(lemmas);
  const Lemma goal = PropertyLemma(property);
  std::vector<Condition> conditions = {
      {"00-boot.smt2", boot.Broken(at_boot, lemmas)},
      {"01-property.smt2", implied.Broken({Apart(goal.Open())}, {goal})}};
  for (const Action& action : ActionsOf(kernel)) {
    std::vector<Formula> after;
    for (const Lemma& lemma : lemmas)
      if (action.Changes(lemma.Open())) after.push_back(action.Before(Apart(lemma.Open())));
    if (after.empty()) continue;  // it changes nothing that a lemma speaks of
    Script kept(absl::StrCat(std::string(action.name), " keeps every lemma."), kernel,
                action.parameters);
    kept.Assert(lemmas);
    kept.Assert("the action may happen", action.guard);
    conditions.push_back({absl::StrFormat("%02d-%s.smt2", conditions.size(), Slug(action.name)),
                          kept.Broken(after, lemmas)});
  }
  return conditions;
}

}  // namespace iommucheck::prove
