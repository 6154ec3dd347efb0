// SPDX-License-Identifier: Apache-2.0
//
// The verdict on each mutant of the kernel's code, the mutants that nobody can notice, and the
// tables.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/mutate/mutants.h"

namespace iommucheck::fuzzing {

struct MutantVerdict {
  enum class Kind : uint8_t { kSurvived, kKilled, kNotReached, kEquivalent };
  mutate::Mutant mutant;
  std::string text;  // TextOf() the mutant; " #2" is added for the second of one text, and so on
  bool chosen = true;
  Kind kind = Kind::kSurvived;
  std::string detector;  // killed: by which detector, and how
  std::string how;
  std::string why;      // equivalent: the reason
  bool beyond = false;  // in a function that nothing can reach
};

// All mutants of a list, without verdicts; those that do not compile are left out and counted.
std::vector<MutantVerdict> VerdictsOf(const std::vector<mutate::Mutant>& mutants, size_t& left_out);

// Takes the mutants that cannot be noticed on a tree from a file: lines "tree NAME", and for each
// mutant the lines "mutant TEXT" and "why REASON". Returns what is wrong with it, line by line: an
// entry that matches no mutant, or one that was killed. Looks only at functions that are chosen.
std::vector<std::string> TakeEquivalent(const std::string& path, const std::string& tree,
                                        std::vector<MutantVerdict>& verdicts);

// Takes the functions that nothing can reach on a tree from a file: lines "tree NAME", and for each
// function the lines "function NAME" and "why REASON". What is wrong: a function that has no mutant, or
// that was reached.
std::vector<std::string> TakeBeyond(const std::string& path, const std::string& tree,
                                    std::vector<MutantVerdict>& verdicts);

// Tables by function, by kind and by detector, and then the mutants that survived.
void PrintVerdicts(const std::vector<MutantVerdict>& verdicts);
// A line: "file:line function: kind: original -> mutant", with `what` before it.
void PrintMutant(const std::string& what, const MutantVerdict& verdict);

// Removes the prefix; false: there is none.
bool ConsumePrefix(std::string_view& text, std::string_view prefix);

}  // namespace iommucheck::fuzzing
