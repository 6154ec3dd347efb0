// SPDX-License-Identifier: Apache-2.0
//
// Every machine in a small part of the solver's space and every run on it, in the model: no solver,
// no circuit, and no symmetry except that devices are in the order of their buses.
#pragma once

#include <array>
#include <functional>
#include <vector>

#include "model/properties.h"
#include "model/step.h"
#include "src/explore/list_ops.h"

namespace iommucheck {

struct SmallMachines {
  int devices = 2;
  bool claims = false;  // kNone or kStrict on both buses; otherwise kNone (later kernels never ask)
  bool stores = false;  // kStore, too
  bool clears = false;
  bool instance_groups = false;
  bool absent = false;
};

// Calls `make(choose)` once for each sequence of answers to its calls of choose(n), from 0 to n - 1.
template <typename Make>
void ForEachChoice(Make make) {
  struct Digit {
    int value;
    int limit;
  };
  std::vector<Digit> digits;
  do {
    size_t at = 0;
    make([&](int limit) {
      if (at == digits.size()) digits.push_back({0, limit});
      return digits[at++].value;
    });
    while (!digits.empty() && ++digits.back().value == digits.back().limit) digits.pop_back();
  } while (!digits.empty());
}

// Calls for each machine. Two drivers with one instance each, numbered as in a case of two drivers
// and two instances; the two devices may be aliases or share a slot.
inline void ForEachSmallMachine(const SmallMachines& small,
                                const std::function<void(const Topology&)>& call) {
  constexpr std::array<std::array<InstanceId, 2>, 5> kBehind = {
      {{kNoId, kNoId}, {0, kNoId}, {1, kNoId}, {0, 1}, {1, 0}}};
  constexpr std::array kClaims = {Claim::kNone, Claim::kStrict, Claim::kStore};
  ForEachChoice([&](const auto& choose) {
    const auto may = [&](bool open) { return open && choose(2) == 1; };
    Topology t;
    t.drivers_count = t.tables_count = t.instances_count = 2;
    t.devices_count = static_cast<uint8_t>(small.devices);
    const int on_platform = choose(small.devices + 1);
    for (int d = 0; d < small.devices; ++d) {
      t.devices[d].bus = d < on_platform ? Bus::kPlatform : Bus::kPci;
      t.devices[d].masters = kBehind[static_cast<size_t>(choose(kBehind.size()))];
      t.devices[d].absent = may(small.absent);
    }
    const int relation = small.devices == 2 && on_platform == 0 ? choose(3) : 0;
    if (relation == 1) t.devices[1].alias = 0;
    if (relation == 2) t.devices[0].slot = t.devices[1].slot = 1;
    for (uint8_t i = 0; i < 2; ++i) {
      t.drivers[i].table = t.instances[i].table = t.instances[i].driver = i;
      t.instances[i].fwnode = may(true);
      t.drivers[i].instance_groups = may(small.instance_groups);
      t.drivers[i].clears = may(small.clears);
      if (!small.claims) continue;
      for (Bus bus : {Bus::kPlatform, Bus::kPci})
        t.drivers[i].claims[static_cast<size_t>(bus)] =
            kClaims[static_cast<size_t>(choose(small.stores ? 3 : 2))];
    }
    call(t);
  });
}

// A run on one kernel, as far as it went.
struct SmallRun {
  const KernelProfile& kernel;
  State state;
  std::vector<Event> events{};
  bool ended = false;  // the kernel did not take an op
  bool violated = false;
};

inline void Take(SmallRun& run, const Topology& topology, const Op& op, Property property) {
  if (run.ended) return;
  run.ended = Step(run.kernel, topology, op, run.state, run.events).outcome != Outcome::kDone;
  run.violated |= !run.ended && FindViolation(property, run.events) != nullptr;
}

}  // namespace iommucheck
