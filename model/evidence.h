// SPDX-License-Identifier: Apache-2.0
//
// Where the facts of a profile come from: the kernel trees whose text was read for each of its
// rules, and whether their code was run beside the model, too.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "model/rules.h"

namespace iommucheck {

enum class Seen : uint8_t {
  kNowhere,  // an assumption is about machines, drivers or people, and stands in no tree
  kText,     // the function was read in the tree
  kCode,     // and the tree's own code agreed with the model on random cases (docs/real-kernel.md)
};
inline constexpr int kSeenCount = 3;
std::string_view SeenName(Seen seen);

struct SeenTree {
  KernelVersion profile;
  std::string_view release;  // as the tree's Makefile has it
  std::string_view tree;     // a package of Debian, OWNER/NAME on GitHub, or the release's own
  bool run;                  // kernel_cases played it beside the model (docs/real-kernel.md)
};

// In the order of the profiles; each has one at least.
std::span<const SeenTree> SeenTrees();
std::span<const SeenTree> SeenTreesOf(KernelVersion profile);

// A release without a profile whose text was read for the rules in which its neighbours differ.
struct ReadBetween {
  int major;
  int minor;
  std::string_view release;  // as the tree's Makefile has it
  std::string_view tree;
  // In these it is as the profile after it, in the other rules as the one before it.
  std::span<const Rule> as_after;
  std::string_view besides;  // a sentence about what neither profile has; "" for none
};
std::span<const ReadBetween> ReleasesReadBetween();

// How it is known whether kernels of the profile have the rule. What no case reaches in the code
// that is run (kernel/process/) was read, whatever else of the tree was run.
Seen SeenIn(Rule rule, KernelVersion profile);

}  // namespace iommucheck
