// SPDX-License-Identifier: Apache-2.0
//
// A circuit in Z3. Gates become nested expressions, which Z3 loads about twice as fast as clauses.
// Gates that later checks use again get a Boolean of their own, since Z3 forgets the expressions of
// earlier checks.
#pragma once

#include <z3++.h>

#include <string>
#include <vector>

#include "src/case/engine_error.h"
#include "src/smt/bits.h"
#include "src/tool/stop.h"

namespace iommucheck::smt {

class Solver {
 public:
  enum class Answer : uint8_t { kSat, kUnsat, kUnknown };

  // One check of a circuit, or many: Z3's incremental solver rewrites what it is given several
  // times over, which costs more than most checks of a query.
  enum class Use : uint8_t { kOnce, kOften };

  // A budget in Z3 rlimit units for all checks together; 0: none. After tool::Stopped() every check
  // is kUnknown.
  Solver(const Circuit& circuit, Use use, uint64_t budget);

  // A budget for the checks from now on; 0: no limit.
  void LimitRest(uint64_t budget) { budget_ = budget == 0 ? 0 : resources_ + budget; }

  // The bit is one that later checks will use, too.
  void NameWhenUsed(Bit bit);
  void Assert(Bit bit);
  Answer Check(const std::vector<Bit>& assumptions);
  // After a check has answered kUnsat: assumptions that contradict the circuit. Not minimal.
  [[nodiscard]] std::vector<Bit> Core();
  // The value of a bit in the last model. Inputs that the solver has never seen are false.
  [[nodiscard]] bool Value(Bit bit);

  [[nodiscard]] uint64_t resources() const { return resources_; }
  [[nodiscard]] int checks() const { return checks_; }
  [[nodiscard]] const std::string& reason() const { return reason_; }
  [[nodiscard]] const std::vector<Bit>& asserted() const { return asserted_; }

 private:
  z3::expr Literal(Bit bit);
  void Define(uint32_t root);
  void Name(uint32_t node, const z3::expr& value);
  void Keep(uint32_t node, const z3::expr& value);
  void ReadModel();

  const Circuit& circuit_;
  uint64_t budget_;
  RoomForZ3 room_;  // before it
  z3::context context_;
  z3::solver solver_;
  std::vector<Z3_ast> expressions_;  // by node; the vector below keeps them alive
  z3::ast_vector owned_;
  std::vector<bool> wanted_;  // nodes that get a Boolean of their own
  std::vector<bool> named_;   // nodes that have one
  std::vector<uint32_t> todo_;
  std::vector<Bit> asserted_;
  std::vector<Bit> assumed_;  // in the last check
  std::vector<bool> model_;   // by node
  size_t evaluated_ = 0;      // gates of the model below this one have their values
  uint64_t resources_ = 0;
  int checks_ = 0;
  std::string reason_;
  tool::Interruptible interruptible_;
};

}  // namespace iommucheck::smt
