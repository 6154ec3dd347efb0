// SPDX-License-Identifier: Apache-2.0
#include "src/certificate/sat.h"

#include <algorithm>
#include <cadical.hpp>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <new>

#include "src/tool/stop.h"

namespace iommucheck::certificate {
namespace {

// Return values of solve(), which are the exit statuses of SAT solvers.
constexpr int kSatisfiable = 10;
constexpr int kUnsatisfiable = 20;

// A FILE that writes into memory, since CaDiCaL writes proofs to a FILE.
class MemoryFile {
 public:
  MemoryFile() : file_(open_memstream(&bytes_, &size_)) {
    if (file_ == nullptr) throw std::bad_alloc();
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() {
    fclose(file_);
    free(bytes_);  // NOLINT: open_memstream() allocates
  }
  FILE* file() { return file_; }
  std::string Text() {
    fflush(file_);
    return {bytes_, size_};
  }

 private:
  char* bytes_ = nullptr;
  size_t size_ = 0;
  FILE* file_;
};

class StopWhenTold : public CaDiCaL::Terminator {
 public:
  bool terminate() override { return tool::Stopped(); }
};

void AddClauses(CaDiCaL::Solver& solver, const smt::Cnf& cnf) {
  for (const smt::Cnf::Assertion& assertion : cnf.assertions) {
    if (assertion.literal != 0) solver.add(assertion.literal);
    solver.add(0);
  }
  for (const std::vector<int>& clause : cnf.definitions) {
    for (const int literal : clause) solver.add(literal);
    solver.add(0);
  }
}

}  // namespace

SatAnswer SolveCnf(const smt::Cnf& cnf, uint64_t conflicts) {
  MemoryFile proof;   // outlives the solver, which writes to it
  StopWhenTold stop;  // outlives the solver, which asks it
  CaDiCaL::Solver solver;
  solver.set("quiet", 1);
  solver.set("binary", 0);
  solver.trace_proof(proof.file(), "proof");
  solver.connect_terminator(&stop);
  AddClauses(solver, cnf);
  if (conflicts != 0) {
    constexpr auto kMost = static_cast<uint64_t>(std::numeric_limits<int>::max());
    solver.limit("conflicts", static_cast<int>(std::min(conflicts, kMost)));
  }
  SatAnswer answer;
  const int status = solver.solve();
  if (status == kUnsatisfiable) {
    solver.close_proof_trace();
    answer.kind = SatAnswer::Kind::kUnsat;
    answer.drat = proof.Text();
  }
  if (status == kSatisfiable) {
    answer.kind = SatAnswer::Kind::kSat;
    answer.model.resize(cnf.variables.size() + 1);
    for (size_t v = 1; v < answer.model.size(); ++v)
      answer.model[v] = solver.val(static_cast<int>(v)) > 0;
  }
  return answer;
}

}  // namespace iommucheck::certificate
