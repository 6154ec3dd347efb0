// SPDX-License-Identifier: Apache-2.0
//
// print_dictionary FILE: writes the words of a case, as a dictionary of libFuzzer and AFL++ for
// targets that read text. The words are those of the rows, so that a new row needs no edit here.
#include <cstdio>
#include <fstream>
#include <set>
#include <string>

#include "model/attributes.h"
#include "model/op.h"
#include "model/properties.h"
#include "model/rules.h"
#include "src/case/case.h"
#include "src/case/spelling.h"

namespace iommucheck {
namespace {

std::set<std::string> Words() {
  std::set<std::string> words;
  const auto add = [&](std::string_view word) {
    if (!word.empty()) words.emplace(word);
  };
  for (const KernelVersion version : kKernelVersions) add(VersionName(version));
  for (const RuleInfo& rule : AllRules()) add(rule.id);
  for (const Property property : kProperties) add(PropertyName(property));
  for (const OpInfo& op : AllOps()) {
    add(op.word);
    add(op.b_key);
    for (const OpFlag& flag : op.flags) add(flag.word);
  }
  for (const FaultInfo& fault : AllFaults()) add(fault.word);
  for (const AttributeInfo& attribute : AllAttributes()) {
    add(OwnerWord(attribute.owner));
    add(KeyOf(attribute));
    for (const std::string_view name : attribute.names) add(name);
  }
  for (const ExpectationInfo& expectation : AllExpectations()) {
    add(expectation.name);
    add(expectation.subject);
    add(expectation.verb);
  }
  constexpr int kErrnos = 1024;
  for (int error = 1; error < kErrnos; ++error)
    if (const std::string name = ErrnoName(-error); FindErrno(name) == -error) add(name);
  return words;
}

}  // namespace
}  // namespace iommucheck

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FILE\n", argv[0]);
    return 2;
  }
  std::ofstream out(argv[1]);
  // No word of a case has a character that a dictionary would want escaped.
  for (const std::string& word : iommucheck::Words()) out << '"' << word << "\"\n";
  out.close();
  return out.good() ? 0 : 1;
}
