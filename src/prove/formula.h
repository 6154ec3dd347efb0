// SPDX-License-Identifier: Apache-2.0
//
// First-order formulas over a machine and a state of any size: variables of eight sorts, functions
// of one argument, relations. Quantifiers are universal and functions never lead back to the sort
// they come from, so that every verification condition is in the decidable EPR fragment.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace iommucheck::prove {

enum class Sort : uint8_t {
  kDriver,
  kBus,
  kInstance,
  kDevice,
  kGroup,
  kDomain,
  kContainer,
  kTable,
};
inline constexpr int kSortCount = 8;

// Attributes that never change: of a machine, and of a domain once it is allocated.
enum class Function : uint8_t {
  kPlatform,  // the platform bus; takes no argument
  kBus,       // of a device
  kDriver,    // of an instance
  kOwner,     // the driver that allocated a domain
  kTable,     // domain->ops
};
inline constexpr int kFunctionCount = 5;

enum class Relation : uint8_t {
  // The state of the kernel.
  kRegistered,      // instance
  kBusOps,          // bus, driver: bus->iommu_ops
  kServedBy,        // device, instance: dev->iommu->iommu_dev
  kInGroup,         // device, group
  kInstanceGroup,   // instance, group: the one that it shares out
  kDefaultDomain,   // group, domain
  kBlockingDomain,  // group, domain
  kType1Domain,     // group, domain: that type1 put up for the group, and that it has not left
  kInContainer,     // group, container
  kAttached,        // device, domain: the last successful attach_dev()
  kAllocated,       // domain, ever
  // History that the properties are about.
  kAttaching,  // a vfio_iommu_type1_attach_group() has begun in this step
  kFresh,      // domain: allocated by the last one
  kReused,     // device, domain: a type1 attach put the device there, and the domain was not fresh
  // The machine.
  kBehind,             // device, instance: firmware says so
  kRelated,            // device, device: one group by alias, slot or stream id
  kMayUse,             // driver, table
  kPerInstanceGroups,  // driver
  kSameAddress,        // driver, driver
  kSameTable,          // table, table: at one address
};
inline constexpr int kRelationCount = 20;
inline constexpr int kStateRelationCount = 14;

struct FunctionInfo {
  const char* name;
  std::optional<Sort> argument;
  Sort result;
};
struct RelationInfo {
  const char* name;
  std::vector<Sort> arguments;
};
const char* SortName(Sort sort);
char SortLetter(Sort sort);  // that names of variables begin with
const FunctionInfo& InfoOf(Function function);
const RelationInfo& InfoOf(Relation relation);
inline bool IsState(Relation relation) { return static_cast<int>(relation) < kStateRelationCount; }

struct Variable {
  Sort sort = Sort::kDriver;
  uint8_t id = 0;
  friend bool operator==(const Variable&, const Variable&) = default;
};
inline constexpr int kMaxVariables = 64;  // of a sort

// A variable, or a function of one.
struct Term {
  Term() = default;
  Term(Variable v) : variable(v) {}  // NOLINT(google-explicit-constructor): a variable is a term
  Term(Function f, Variable v) : function(f), variable(v) {}
  static Term Platform() { return {Function::kPlatform, {Sort::kBus, 0}}; }
  [[nodiscard]] Sort sort() const { return function ? InfoOf(*function).result : variable.sort; }
  friend bool operator==(const Term&, const Term&) = default;

  std::optional<Function> function;
  Variable variable;
};

// An immutable tree.
class Formula {
 public:
  enum class Kind : uint8_t { kTrue, kAtom, kEqual, kNot, kAnd, kForAll };
  struct Node;

  Formula();  // true
  explicit Formula(std::shared_ptr<const Node> node) : node_(std::move(node)) {}
  const Node* operator->() const { return node_.get(); }

 private:
  std::shared_ptr<const Node> node_;
};

struct Formula::Node {
  Kind kind = Kind::kTrue;
  Relation relation{};                // kAtom
  std::vector<Term> terms{};          // kAtom, kEqual
  std::vector<Formula> parts{};       // kNot, kAnd, kForAll
  std::vector<Variable> variables{};  // kForAll
};

Formula Holds(Relation relation, std::vector<Term> terms);
Formula Equal(Term a, Term b);
Formula operator!(const Formula& f);
Formula operator&&(const Formula& a, const Formula& b);
Formula operator||(const Formula& a, const Formula& b);
Formula Implies(const Formula& a, const Formula& b);
Formula ForAll(std::vector<Variable> variables, const Formula& body);

// Whether the formula has an atom of the relation.
bool Mentions(const Formula& f, Relation relation);

// The formula with each atom replaced by what `replace` gives for it, where it gives anything.
using Replace = std::function<std::optional<Formula>(Relation, std::span<const Term>)>;
Formula ReplaceAtoms(const Formula& f, const Replace& replace);

// The formula with each variable replaced by a term of the same sort. A function of a variable that
// is replaced by a function has no term: callers do not do that.
using Rename = std::function<Term(Variable)>;
Formula RenameVariables(const Formula& f, const Rename& rename);

}  // namespace iommucheck::prove
