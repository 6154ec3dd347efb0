// SPDX-License-Identifier: Apache-2.0
//
// The mutants of a build of kernel/mutate/build.sh, and the file that lists them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace iommucheck::mutate {

// Text that is put around a part of a file. Where begin and end are the same, it is only inserted.
struct Wrap {
  size_t begin = 0;  // offsets in the file of the tree
  size_t end = 0;
  std::string before;
  std::string after;
};

struct Mutant {
  unsigned number = 0;  // from 1 on; 0 is the kernel's own code
  std::string file;     // as in the tree
  unsigned line = 0;
  std::string function;
  std::string kind;
  std::string original;  // both in one line, without comments
  std::string mutant;
  bool compiles = true;
  std::vector<Wrap> wraps;
};

// "function: kind: original -> mutant": what a reader looks for when the lines have moved.
std::string TextOf(const Mutant& mutant);

// Errors end the process with status 2 and a message: these files are ours.
std::vector<Mutant> ReadMutants(const std::string& path);
void WriteMutants(const std::string& path, const std::vector<Mutant>& mutants);

// Prints "PROGRAM: MESSAGE" and ends with status 2.
[[noreturn]] void Die(const std::string& message);
std::string ReadFile(const std::string& path);

}  // namespace iommucheck::mutate
