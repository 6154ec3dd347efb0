// SPDX-License-Identifier: Apache-2.0
//
// A circuit in CaDiCaL: Tseitin's clauses of the gates that asserted and assumed bits depend on.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "src/smt/bits.h"

namespace iommucheck::smt {

class Solver {
 public:
  enum class Answer : uint8_t { kSat, kUnsat, kUnknown };

  // A budget in resources for all checks together; 0: none. After tool::Stopped() every check is
  // kUnknown.
  Solver(const Circuit& circuit, uint64_t budget);
  ~Solver();
  Solver(const Solver&) = delete;
  Solver& operator=(const Solver&) = delete;

  // A budget for the checks from now on; 0: no limit.
  void LimitRest(uint64_t budget) { budget_ = budget == 0 ? 0 : resources() + budget; }

  void Assert(Bit bit);
  Answer Check(const std::vector<Bit>& assumptions);
  // After a check has answered kUnsat: assumptions that contradict the circuit. Not minimal.
  [[nodiscard]] std::vector<Bit> Core();
  // The value of a bit in the last model. Inputs that the solver has never seen are false.
  [[nodiscard]] bool Value(Bit bit);

  [[nodiscard]] uint64_t resources() const;
  [[nodiscard]] int checks() const { return checks_; }
  [[nodiscard]] const std::string& reason() const { return reason_; }
  [[nodiscard]] const std::vector<Bit>& asserted() const { return asserted_; }

 private:
  struct Engine;
  int Literal(Bit bit);
  void Define(uint32_t root);
  void Clause(std::initializer_list<int> literals);
  void ReadModel();
  void MustHold(const std::vector<Bit>& bits);

  const Circuit& circuit_;
  uint64_t budget_;
  std::unique_ptr<Engine> engine_;
  std::vector<int> variables_;  // by node; 0: the solver has not seen it
  int last_variable_ = 0;
  uint64_t clauses_ = 0;
  std::vector<uint32_t> todo_;
  std::vector<Bit> asserted_;
  std::vector<Bit> assumed_;  // in the last check
  std::vector<bool> model_;   // by node
  size_t evaluated_ = 0;      // gates of the model below this one have their values
  int checks_ = 0;
  std::string reason_;
};

}  // namespace iommucheck::smt
