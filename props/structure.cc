// SPDX-License-Identifier: Apache-2.0
#include "props/structure.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "model/topology.h"

namespace iommucheck::prove {
namespace {

// The sorts are drivers, buses, instances, devices, groups, domains, containers, tables.
constexpr std::array<int, kSortCount> kCapacity = {
    kMaxDrivers, kBusCount, kMaxInstances, 16, 32, 255, kMaxContainers, kMaxTables};

int CapacityOf(Sort sort) { return kCapacity[static_cast<size_t>(sort)]; }

}  // namespace

Structure::Structure() {
  for (int n = 0; n < kFunctionCount; ++n) {
    const std::optional<Sort> argument = InfoOf(static_cast<Function>(n)).argument;
    functions_[n].resize(argument ? CapacityOf(*argument) : 1);
  }
  for (int n = 0; n < kRelationCount; ++n) {
    size_t tuples = 1;
    for (const Sort sort : InfoOf(static_cast<Relation>(n)).arguments) tuples *= CapacityOf(sort);
    relations_[n].resize(tuples);
  }
}

void Structure::Grow(Sort sort, int size) {
  int& now = sizes_[static_cast<size_t>(sort)];
  now = std::max(now, size);
  // Abort, so that a test that needs more notices.
  if (now > CapacityOf(sort)) std::abort();
}

size_t Structure::Index(Relation relation, std::span<const int> tuple) {
  const std::vector<Sort>& sorts = InfoOf(relation).arguments;
  size_t index = 0;
  for (size_t n = 0; n < sorts.size(); ++n) index = index * CapacityOf(sorts[n]) + tuple[n];
  return index;
}

void Structure::SetValue(Function function, int argument, int value) {
  functions_[static_cast<size_t>(function)][argument] = static_cast<uint8_t>(value);
}

void Structure::Set(Relation relation, std::initializer_list<int> tuple, bool holds) {
  relations_[static_cast<size_t>(relation)][Index(relation, {tuple.begin(), tuple.size()})] = holds;
}

int Structure::ValueOf(Relation relation, int x) const {
  for (int y = 0; y < size(InfoOf(relation).arguments[1]); ++y)
    if (Holds(relation, {x, y})) return y;
  return -1;
}

int Structure::Value(const Term& term, const Values& values) const {
  const int value = values[static_cast<size_t>(term.variable.sort)][term.variable.id];
  if (!term.function) return value;
  const std::vector<uint8_t>& table = functions_[static_cast<size_t>(*term.function)];
  return term.function == Function::kPlatform ? table[0] : table[value];
}

template <typename Visit>
bool Structure::EachAssignment(std::span<const Variable> variables, Values& values,
                               Visit visit) const {
  if (variables.empty()) return visit();
  uint8_t& value = values[static_cast<size_t>(variables[0].sort)][variables[0].id];
  const uint8_t before = value;
  bool going = true;
  for (int n = 0; going && n < size(variables[0].sort); ++n) {
    value = static_cast<uint8_t>(n);
    going = EachAssignment(variables.subspan(1), values, visit);
  }
  value = before;
  return going;
}

bool Structure::Evaluate(const Formula& f, Values& values) const {
  switch (f->kind) {
    case Formula::Kind::kTrue:
      return true;
    case Formula::Kind::kAtom: {
      const std::vector<Sort>& sorts = InfoOf(f->relation).arguments;
      size_t index = 0;
      for (size_t n = 0; n < sorts.size(); ++n)
        index = index * CapacityOf(sorts[n]) + Value(f->terms[n], values);
      return relations_[static_cast<size_t>(f->relation)][index];
    }
    case Formula::Kind::kEqual:
      return Value(f->terms[0], values) == Value(f->terms[1], values);
    case Formula::Kind::kNot:
      return !Evaluate(f->parts[0], values);
    case Formula::Kind::kAnd:
      return Evaluate(f->parts[0], values) && Evaluate(f->parts[1], values);
    case Formula::Kind::kForAll:
      return EachAssignment(f->variables, values, [&] { return Evaluate(f->parts[0], values); });
  }
  return false;
}

bool Structure::Satisfies(const Formula& f) const {
  Values values{};
  return Evaluate(f, values);
}

Structure::Values Structure::Bind(const Action& action, std::span<const int> arguments) {
  Values values{};
  for (size_t n = 0; n < action.parameters.size(); ++n)
    values[static_cast<size_t>(action.parameters[n].sort)][action.parameters[n].id] =
        static_cast<uint8_t>(arguments[n]);
  return values;
}

bool Structure::Allows(const Action& action, std::span<const int> arguments) const {
  Values values = Bind(action, arguments);
  return Evaluate(action.guard, values);
}

void Structure::Apply(const Action& action, std::span<const int> arguments) {
  Values values = Bind(action, arguments);
  // All updates read the state before the action.
  std::vector<std::pair<Relation, std::vector<bool>>> after;
  for (const Update& update : action.updates) {
    std::vector<bool> tuples(relations_[static_cast<size_t>(update.relation)].size());
    EachAssignment(update.formals, values, [&] {
      std::vector<int> tuple;
      tuple.reserve(update.formals.size());
      for (const Variable& v : update.formals)
        tuple.push_back(values[static_cast<size_t>(v.sort)][v.id]);
      tuples[Index(update.relation, tuple)] = Evaluate(update.after, values);
      return true;
    });
    after.emplace_back(update.relation, std::move(tuples));
  }
  for (auto& [relation, tuples] : after)
    relations_[static_cast<size_t>(relation)] = std::move(tuples);
}

}  // namespace iommucheck::prove
