// SPDX-License-Identifier: Apache-2.0
//
// Every machine in a small part of the solver's space and every run on it, in the model: no solver,
// no circuit, and no symmetry except that devices are in the order of their buses.
#pragma once

#include <functional>
#include <vector>

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

// Calls for each machine. Two drivers with one instance each, numbered as in a case of two drivers
// and two instances; the two devices may be aliases or share a slot.
inline void ForEachSmallMachine(const SmallMachines& small,
                                const std::function<void(const Topology&)>& call) {
  constexpr std::array<std::array<InstanceId, 2>, 5> kBehind = {
      {{kNoId, kNoId}, {0, kNoId}, {1, kNoId}, {0, 1}, {1, 0}}};
  constexpr std::array kClaims = {Claim::kNone, Claim::kStrict, Claim::kStore};
  Topology t;
  t.drivers_count = t.tables_count = t.instances_count = 2;
  t.devices_count = static_cast<uint8_t>(small.devices);
  for (uint8_t i = 0; i < 2; ++i)
    t.drivers[i].table = t.instances[i].table = t.instances[i].driver = i;

  const auto relations = [&](const auto& next) {
    next();
    if (small.devices < 2 || t.devices[0].bus != Bus::kPci) return;
    t.devices[1].alias = 0;
    next();
    t.devices[1].alias = kNoId;
    t.devices[0].slot = t.devices[1].slot = 1;
    next();
    t.devices[0].slot = t.devices[1].slot = 0;
  };
  const auto attributes = [&](const auto& next) {
    for (unsigned bits = 0; bits < (small.instance_groups ? 16U : 4U); ++bits) {
      for (unsigned i = 0; i < 2; ++i) {
        t.instances[i].fwnode = (bits >> i & 1U) != 0;
        t.drivers[i].instance_groups = (bits >> (2 + i) & 1U) != 0;
      }
      if (!small.claims) {
        next();
        continue;
      }
      const unsigned values = small.stores ? 3 : 2;
      for (unsigned claims = 0; claims < values * values * values * values; ++claims) {
        unsigned rest = claims;
        for (Driver* driver : {&t.drivers[0], &t.drivers[1]})
          for (Bus bus : {Bus::kPlatform, Bus::kPci}) {
            driver->claims[static_cast<size_t>(bus)] = kClaims[rest % values];
            rest /= values;
          }
        next();
      }
    }
  };
  const auto combinations = [&](const auto& next) {
    int all = 1;
    for (int d = 0; d < small.devices; ++d) all *= static_cast<int>(kBehind.size());
    for (int on_platform = 0; on_platform <= small.devices; ++on_platform) {
      for (int code = 0; code < all; ++code) {
        int rest = code;
        for (int d = 0; d < small.devices; ++d) {
          t.devices[d].bus = d < on_platform ? Bus::kPlatform : Bus::kPci;
          t.devices[d].masters = kBehind[rest % kBehind.size()];
          rest /= static_cast<int>(kBehind.size());
        }
        next();
      }
    }
  };
  const auto flags = [&](const auto& next) {
    for (unsigned bits = 0; bits < 16; ++bits) {
      if ((bits & 3U) != 0 && !small.absent) continue;
      if (bits >> 2U != 0 && !small.clears) continue;
      for (unsigned i = 0; i < 2; ++i) {
        t.devices[i].absent = (bits >> i & 1U) != 0 && i < t.devices_count;
        t.drivers[i].clears = (bits >> (2 + i) & 1U) != 0;
      }
      next();
    }
  };
  combinations([&] { relations([&] { attributes([&] { flags([&] { call(t); }); }); }); });
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
