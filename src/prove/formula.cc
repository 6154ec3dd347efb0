// SPDX-License-Identifier: Apache-2.0
#include "src/prove/formula.h"

#include <algorithm>
#include <array>
#include <utility>

namespace iommucheck::prove {
namespace {

using enum Sort;
using Kind = Formula::Kind;
using Node = Formula::Node;

constexpr std::array<const char*, kSortCount> kSortNames = {
    "driver", "bus", "instance", "device", "group", "domain", "container", "table"};
constexpr std::string_view kSortLetters = "rbidgxct";

constexpr std::array<FunctionInfo, kFunctionCount> kFunctions = {{
    {"platform", std::nullopt, kBus},
    {"bus", kDevice, kBus},
    {"driver", kInstance, kDriver},
    {"owner", kDomain, kDriver},
    {"table", kDomain, kTable},
}};

const std::array<RelationInfo, kRelationCount> kRelations = {{
    {"registered", {kInstance}},
    {"bus_ops", {kBus, kDriver}},
    {"served_by", {kDevice, kInstance}},
    {"in_group", {kDevice, kGroup}},
    {"instance_group", {kInstance, kGroup}},
    {"default_domain", {kGroup, kDomain}},
    {"blocking_domain", {kGroup, kDomain}},
    {"type1_domain", {kGroup, kDomain}},
    {"in_container", {kGroup, kContainer}},
    {"attached", {kDevice, kDomain}},
    {"allocated", {kDomain}},
    {"attaching", {}},
    {"fresh", {kDomain}},
    {"reused", {kDevice, kDomain}},
    {"behind", {kDevice, kInstance}},
    {"related", {kDevice, kDevice}},
    {"may_use", {kDriver, kTable}},
    {"per_instance_groups", {kDriver}},
    {"same_address", {kDriver, kDriver}},
    {"same_table", {kTable, kTable}},
}};

Formula Make(Node node) { return Formula(std::make_shared<const Node>(std::move(node))); }

}  // namespace

const char* SortName(Sort sort) { return kSortNames[static_cast<size_t>(sort)]; }
char SortLetter(Sort sort) { return kSortLetters[static_cast<size_t>(sort)]; }
const FunctionInfo& InfoOf(Function function) { return kFunctions[static_cast<size_t>(function)]; }
const RelationInfo& InfoOf(Relation relation) { return kRelations[static_cast<size_t>(relation)]; }

Formula::Formula() : node_(std::make_shared<const Node>()) {}

Formula Holds(Relation relation, std::vector<Term> terms) {
  return Make({.kind = Kind::kAtom, .relation = relation, .terms = std::move(terms)});
}

Formula Equal(Term a, Term b) { return Make({.kind = Kind::kEqual, .terms = {a, b}}); }

Formula operator!(const Formula& f) {
  if (f->kind == Kind::kNot) return f->parts[0];
  return Make({.kind = Kind::kNot, .parts = {f}});
}

Formula operator&&(const Formula& a, const Formula& b) {
  if (a->kind == Kind::kTrue) return b;
  if (b->kind == Kind::kTrue) return a;
  return Make({.kind = Kind::kAnd, .parts = {a, b}});
}

Formula operator||(const Formula& a, const Formula& b) { return !(!a && !b); }
Formula Implies(const Formula& a, const Formula& b) { return !(a && !b); }

Formula ForAll(std::vector<Variable> variables, const Formula& body) {
  if (variables.empty()) return body;
  return Make({.kind = Kind::kForAll, .parts = {body}, .variables = std::move(variables)});
}

bool Mentions(const Formula& f, Relation relation) {
  if (f->kind == Kind::kAtom) return f->relation == relation;
  return std::ranges::any_of(f->parts,
                             [&](const Formula& part) { return Mentions(part, relation); });
}

Formula ReplaceAtoms(const Formula& f, const Replace& replace) {
  if (f->kind == Kind::kAtom) return replace(f->relation, f->terms).value_or(f);
  if (f->parts.empty()) return f;
  Node node = *f.operator->();
  for (Formula& part : node.parts) part = ReplaceAtoms(part, replace);
  return Make(std::move(node));
}

Formula RenameVariables(const Formula& f, const Rename& rename) {
  Node node = *f.operator->();
  for (Term& term : node.terms) {
    if (term.function == Function::kPlatform) continue;
    const Term renamed = rename(term.variable);
    term = term.function ? Term(*term.function, renamed.variable) : renamed;
  }
  for (Formula& part : node.parts) part = RenameVariables(part, rename);
  for (Variable& v : node.variables) v = rename(v).variable;
  return Make(std::move(node));
}

}  // namespace iommucheck::prove
