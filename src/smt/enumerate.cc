// SPDX-License-Identifier: Apache-2.0
//
// All cases of the smallest size.
#include <exception>

#include "absl/strings/str_format.h"
#include "src/case/engine_error.h"
#include "src/smt/query.h"
#include "src/smt/size_search.h"
#include "src/tool/progress.h"
#include "src/tool/stop.h"

namespace iommucheck::smt {
namespace {

Bit All(const std::vector<Bit>& bits) {
  Bit all = true;
  for (Bit bit : bits) all &= bit;
  return all;
}

}  // namespace

// Leaves out links of the last model, with some bits fixed, until none can go: each check asks for
// fewer of them.
SizeSearch::Answer SizeSearch::LeaveOutLinks(std::vector<Bit> fixed, std::vector<Bit>& links) {
  const std::vector<Bit> candidates = space_.Links();
  while (true) {
    std::vector<Bit> fewer = fixed;
    links.clear();
    for (Bit link : candidates) {
      if (solver_.Value(link))
        links.push_back(link);
      else
        fewer.push_back(~link);
    }
    fewer.push_back(~All(links));
    const Answer answer = Check(fewer);
    if (answer == Answer::kUnknown) return answer;
    if (answer == Answer::kSat) continue;
    fixed = fewer;
    fixed.pop_back();
    fixed.insert(fixed.end(), links.begin(), links.end());
    return MakePlain(fixed);
  }
}

SizeSearch::Answer SizeSearch::Next(Case& found) {
  const Answer answer = Violated();
  if (answer != Answer::kSat) return answer;
  std::vector<Bit> run = {runs_.violated()};
  for (Bit bit : space_.RunAndBuses())
    if (!bit.is_constant()) run.push_back(solver_.Value(bit) ? bit : ~bit);
  std::vector<Bit> links;
  if (LeaveOutLinks(run, links) != Answer::kSat) return Answer::kUnknown;
  found = Found();
  solver_.Assert(~(All(run) & All(links)));
  return Answer::kSat;
}

absl::StatusOr<Enumeration> EnumerateSize(Property property, const KernelSpec& kernel, int devices,
                                          int steps, uint64_t budget,
                                          const std::function<bool(const Case&)>& take) {
  Enumeration all;
  try {
    for (const OpKinds& spare : SpareKinds(steps - StepsNeeded(property), devices)) {
      SizeSearch size(kernel, {}, devices, {.property = property, .steps = steps, .spare = spare},
                      BudgetLeft(budget, all.resources));
      Case found;
      auto answer = Solver::Answer::kSat;
      bool more = true;
      for (int n = 1; more && (answer = size.Next(found)) == Solver::Answer::kSat; ++n) {
        tool::Progress(
            absl::StrFormat("listing cases of %d steps, %d devices: %d so far", steps, devices, n));
        more = take(found);
      }
      all.resources += size.solver().resources();
      all.checks += size.solver().checks();
      if (!more) all.reason = "no more were asked for";
      if (answer == Solver::Answer::kUnknown) all.reason = size.solver().reason();
      if (answer != Solver::Answer::kUnsat) return all;
    }
  } catch (const std::exception& e) {
    if (!tool::Stopped()) return EngineError(e);
    all.reason = tool::StopReason();
    return all;
  }
  all.complete = true;
  return all;
}

}  // namespace iommucheck::smt
