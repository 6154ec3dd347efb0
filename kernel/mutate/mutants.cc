// SPDX-License-Identifier: Apache-2.0
#include "kernel/mutate/mutants.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

namespace iommucheck::mutate {

using nlohmann::json;

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Wrap, begin, end, before, after)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Mutant, number, file, line, function, kind, original, mutant,
                                   compiles, wraps)

std::string TextOf(const Mutant& mutant) {
  return mutant.function + ": " + mutant.kind + ": " + mutant.original + " -> " + mutant.mutant;
}

void Die(const std::string& message) {
  std::fprintf(stderr, "kernel mutate: %s\n", message.c_str());
  std::exit(2);
}

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (!in) Die(path + ": cannot be read");
  return text;
}

std::vector<Mutant> ReadMutants(const std::string& path) {
  const json list = json::parse(ReadFile(path), nullptr, /*allow_exceptions=*/false);
  if (!list.is_array()) Die(path + ": expected a list of mutants");
  return list.get<std::vector<Mutant>>();
}

void WriteMutants(const std::string& path, const std::vector<Mutant>& mutants) {
  std::ofstream out(path);
  out << json(mutants).dump(1) << '\n';
  if (!out.flush()) Die(path + ": cannot be written");
}

}  // namespace iommucheck::mutate
