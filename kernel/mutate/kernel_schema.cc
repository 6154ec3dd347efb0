// SPDX-License-Identifier: Apache-2.0
//
//   kernel_schema places FILE PATH BASE LIST <DUMP    finds the mutants of a file
//   kernel_schema apply LIST PATH OUT [ERRORS]        writes the file with all of them
//   kernel_schema join OUT LIST...                    puts lists together
//
// FILE is the name in the tree, PATH where it is, DUMP clang's syntax tree (ast.h). Mutants are
// numbered from BASE + 1 on. ERRORS are the compiler's about the last OUT: the mutants that they are
// about are marked in LIST and left out; exit status 1: they are about none.
#include <fstream>
#include <iostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/mutate/ast.h"
#include "kernel/mutate/mutants.h"
#include "kernel/mutate/places.h"
#include "kernel/mutate/schema.h"

namespace iommucheck::mutate {
namespace {

using Arguments = std::span<char* const>;

int FindPlaces(Arguments a) {
  const Source source(ReadFile(a[1]));
  std::vector<Mutant> mutants;
  Places places(source, a[0], static_cast<unsigned>(std::stoul(a[2])), mutants);
  ReadFunctions(std::cin, a[1], [&](const Node& function) { places.AddFunction(function); });
  if (mutants.empty()) Die(std::string(a[1]) + ": no function of it is in the syntax tree");
  WriteMutants(a[3], mutants);
  return 0;
}

int Apply(Arguments a) {
  std::vector<Mutant> mutants = ReadMutants(a[0]);
  const std::string source = ReadFile(a[1]);
  if (a.size() == 4) {
    const Schema failed(source, mutants);
    if (TakeErrors(failed, ReadFile(a[3]), a[2], mutants) == 0) return 1;
    WriteMutants(a[0], mutants);
  }
  std::ofstream out(a[2], std::ios::binary);
  out << Schema(source, mutants).text();
  if (!out.flush()) Die(std::string(a[2]) + ": cannot be written");
  return 0;
}

int Join(Arguments a) {
  std::vector<Mutant> all;
  for (char* const list : a.subspan(1)) {
    const std::vector<Mutant> mutants = ReadMutants(list);
    all.insert(all.end(), mutants.begin(), mutants.end());
  }
  // Only the schema needs them.
  for (Mutant& m : all) m.wraps.clear();
  WriteMutants(a[0], all);
  return 0;
}

int Run(Arguments a) {
  const std::string_view command = a.empty() ? "" : a[0];
  if (command == "places" && a.size() == 5) return FindPlaces(a.subspan(1));
  if (command == "apply" && (a.size() == 4 || a.size() == 5)) return Apply(a.subspan(1));
  if (command == "join" && a.size() >= 3) return Join(a.subspan(1));
  Die("expected places, apply or join, and what they need");
}

}  // namespace
}  // namespace iommucheck::mutate

int main(int argc, char** argv) {
  return iommucheck::mutate::Run(std::span(argv, static_cast<size_t>(argc)).subspan(1));
}
