// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "src/smt/search_space.h"
#include "src/smt/solver.h"
#include "src/smt/unrolling.h"

namespace iommucheck::smt {

// Kinds of ops, the plainest to read first.
inline constexpr std::array<OpKind, kEncodedOpCount> kPlainFirst = {
    OpKind::kConfigure,      OpKind::kRegister, OpKind::kSetContainer, OpKind::kSetIommu,
    OpKind::kUnsetContainer, OpKind::kAdd,      OpKind::kRemove,       OpKind::kUnregister};

// All kinds that spare steps can be of, in parts that make a circuit each, the plainest first.
std::vector<OpKinds> SpareKinds(int spare, int devices);

// Asks for longer and longer runs until one violates the property (kSat) or an answer is unknown;
// `result` says how far that went. `where` is for the line of progress.
void Deepen(Property property, const Bounds& bounds, const std::string& where,
            const std::function<Solver::Answer(int steps)>& find_at, QueryResult& result);

// The machines of a number of devices and the runs of one kind.
class SizeSearch {
 public:
  using Answer = Solver::Answer;

  // On the kernel with any of the rules `open` dropped.
  SizeSearch(const KernelSpec& kernel, RuleSet open, int devices, const Runs& runs,
             uint64_t budget);

  // Whether the property is violated at the last step, given that no shorter run violates it.
  Answer Violated() { return Check({runs_.violated()}); }
  // Whether it is violated on a kernel that has all of these open rules.
  Answer Violated(RuleSet kept);
  // After Violated(kept) has answered kUnsat: those of `kept` that the answer rests on.
  RuleSet Core();
  // After either has answered kSat: the run found, its case, and of the cases with that run the one
  // with the plainest attributes.
  std::vector<Op> Ops() { return space_.Ops(Model()); }
  Case Found();
  Case Plainest() {
    MakePlain({runs_.violated()});
    return Found();
  }

  // The next case: some run, with no more links (SearchSpace::Links()) than it
  // takes and the plainest attributes. Cases with the same run and buses, and these links or more,
  // are left out from now on.
  Answer Next(Case& found);

  [[nodiscard]] const Solver& solver() const { return solver_; }
  void LimitRest(uint64_t budget) { solver_.LimitRest(budget); }
  [[nodiscard]] std::string LastCheck() const {
    return space_.ToSmt2(solver_.asserted(), last_assumptions_);
  }

 private:
  Value Model() {
    return [this](Bit bit) { return solver_.Value(bit); };
  }
  Answer Check(const std::vector<Bit>& assumptions);
  Answer LeaveOutLinks(std::vector<Bit> fixed, std::vector<Bit>& links);
  Answer MakePlain(std::vector<Bit> fixed);

  RuleSet open_;
  SearchSpace space_;
  Unrolling runs_;
  Solver solver_;
  std::vector<Bit> last_assumptions_;
};

}  // namespace iommucheck::smt
