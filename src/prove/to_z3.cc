// SPDX-License-Identifier: Apache-2.0
#include "src/prove/to_z3.h"

#include "absl/strings/str_format.h"

namespace iommucheck::prove {

ToZ3::ToZ3() : sorts_(context_) {
  for (int s = 0; s < kSortCount; ++s)
    sorts_.push_back(
        context_.uninterpreted_sort(std::string(SortName(static_cast<Sort>(s))).c_str()));
  const auto sort = [&](Sort s) { return sorts_[static_cast<int>(s)]; };
  for (int n = 0; n < kFunctionCount; ++n) {
    const FunctionInfo& info = InfoOf(static_cast<Function>(n));
    z3::sort_vector arguments(context_);
    if (info.argument) arguments.push_back(sort(*info.argument));
    functions_.push_back(
        context_.function(std::string(info.name).c_str(), arguments, sort(info.result)));
  }
  for (int n = 0; n < kRelationCount; ++n) {
    const RelationInfo& info = InfoOf(static_cast<Relation>(n));
    z3::sort_vector arguments(context_);
    for (const Sort s : info.arguments) arguments.push_back(sort(s));
    relations_.push_back(
        context_.function(std::string(info.name).c_str(), arguments, context_.bool_sort()));
  }
}

z3::expr ToZ3::Translate(const Variable& v) {
  return context_.constant(absl::StrFormat("%c%d", SortLetter(v.sort), v.id).c_str(),
                           sorts_[static_cast<int>(v.sort)]);
}

z3::expr ToZ3::Translate(const Term& term) {
  if (!term.function) return Translate(term.variable);
  const z3::func_decl& function = functions_[static_cast<size_t>(*term.function)];
  return term.function == Function::kPlatform ? function() : function(Translate(term.variable));
}

z3::expr ToZ3::operator()(const Formula& f) {
  z3::expr_vector terms(context_);
  for (const Term& term : f->terms) terms.push_back(Translate(term));
  switch (f->kind) {
    case Formula::Kind::kTrue:
      return context_.bool_val(true);
    case Formula::Kind::kAtom:
      return relations_[static_cast<size_t>(f->relation)](terms);
    case Formula::Kind::kEqual:
      return terms[0] == terms[1];
    case Formula::Kind::kNot:
      return !(*this)(f->parts[0]);
    case Formula::Kind::kAnd:
      return (*this)(f->parts[0]) && (*this)(f->parts[1]);
    case Formula::Kind::kForAll: {
      z3::expr_vector variables(context_);
      for (const Variable& v : f->variables) variables.push_back(Translate(v));
      return z3::forall(variables, (*this)(f->parts[0]));
    }
  }
  return context_.bool_val(false);
}

}  // namespace iommucheck::prove
