// SPDX-License-Identifier: Apache-2.0
//
// The list of all smallest cases, compared with brute force: every run of every machine in a part
// of the solver's space, played in the model.
#include "src/report/all.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "src/case/variants.h"
#include "tests/given.h"
#include "tests/small_machines.h"

namespace iommucheck {
namespace {

report::AllCases AskAll(Property property, const std::string& kernel, const smt::Bounds& bounds,
                        int max = 0) {
  return report::AskAll(
             {.property = property, .kernel = KernelOf(kernel), .bounds = bounds, .bounded = true},
             max)
      .value();
}

// Classes of equivalent cases, each as the shapes of all its variants.
using Classes = std::set<std::set<std::string>>;

void Put(const Case& c, Property property, Classes& classes) {
  const std::vector<std::string> variants = Variants(c, property);
  std::set<std::string> merged(variants.begin(), variants.end());
  for (auto at = classes.begin(); at != classes.end();) {
    const bool touches = std::any_of(at->begin(), at->end(),
                                     [&](const std::string& s) { return merged.contains(s); });
    if (touches) merged.insert(at->begin(), at->end());
    at = touches ? classes.erase(at) : std::next(at);
  }
  classes.insert(merged);
}

using Links = std::set<std::string>;

Links LinksOf(const Topology& t) {
  Links links;
  for (DeviceId d = 0; d < t.devices_count; ++d) {
    const auto& masters = t.devices[d].masters;
    for (InstanceId i : masters)
      if (i != kNoId) links.insert(std::to_string(d) + " behind " + std::to_string(i));
    if (masters[1] != kNoId)
      links.insert(std::to_string(d) + " first " + std::to_string(masters[0]));
    for (DeviceId e = 0; e < d; ++e) {
      if (t.aliases(d, e)) links.insert(std::to_string(d) + " alias " + std::to_string(e));
      if (t.same_slot(d, e)) links.insert(std::to_string(d) + " slot " + std::to_string(e));
    }
  }
  return links;
}

// Smaller numbers are plainer; in the order of docs/solver.md.
std::vector<int> Oddness(const Topology& t) {
  std::vector<int> odd;
  for (Claim claim : {Claim::kStore, Claim::kStrict})
    for (int r = 0; r < 2; ++r)
      for (Bus bus : {Bus::kPlatform, Bus::kPci})
        odd.push_back(t.drivers[r].claims[static_cast<size_t>(bus)] == claim ? 1 : 0);
  for (int d = 0; d < t.devices_count; ++d) odd.push_back(t.devices[d].absent ? 1 : 0);
  for (int r = 0; r < 2; ++r) {
    odd.push_back(t.drivers[r].instance_groups ? 1 : 0);
    odd.push_back(t.drivers[r].clears ? 1 : 0);
  }
  for (int i = 0; i < 2; ++i) odd.push_back(t.instances[i].fwnode ? 1 : 0);
  return odd;
}

class BruteForce {
 public:
  BruteForce(Property property, const std::string& kernel, int steps)
      : property_(property), spec_(KernelOf(kernel)), kernel_(ProfileOf(spec_)), steps_(steps) {}

  Classes All(const SmallMachines& small) {
    ForEachSmallMachine(small, [this](const Topology& t) {
      if (BrokenAssumption(t, kernel_.rules)) return;
      ops_.clear();
      // Number the driver 0 whose instance registers first.
      Go(t, {.kernel = kernel_, .state = InitialState(t)}, {{.kind = OpKind::kRegister, .a = 0}});
    });
    Classes classes;
    for (const auto& [run, by_links] : found_) {
      for (const auto& [links, machine] : by_links) {
        const bool least = std::ranges::none_of(by_links, [&these = links](const auto& other) {
          return other.first != these && std::ranges::includes(these, other.first);
        });
        if (least) Put(CaseOf(machine, run), property_, classes);
      }
    }
    return classes;
  }

 private:
  void Go(const Topology& t, const SmallRun& from, const std::vector<Op>& ops) {
    for (const Op& op : ops) {
      SmallRun to = from;
      Take(to, t, op, property_);
      if (to.ended) continue;
      ops_.push_back(op);
      const bool last = static_cast<int>(ops_.size()) == steps_;
      if (last && to.violated) Keep(t);
      if (!last && !to.violated) {
        std::vector<Op> next;
        explore::ListOps(t, to.state, 1, next);
        Go(t, to, next);
      }
      ops_.pop_back();
    }
  }

  void Keep(const Topology& t) {
    std::string run;
    for (const Op& op : ops_)
      run += std::string(InfoOf(op.kind).word) + " " + std::to_string(op.a) + "\n";
    for (int d = 0; d < t.devices_count; ++d) run += std::string(BusName(t.devices[d].bus)) + "\n";
    runs_[run] = ops_;
    const auto [at, fresh] = found_[run].try_emplace(LinksOf(t), t);
    if (!fresh && Oddness(t) < Oddness(at->second)) at->second = t;
  }

  Case CaseOf(const Topology& t, const std::string& run) {
    Case c;
    c.kernel = spec_;
    c.topology = t;
    c.names = DefaultNames(t);
    for (const Op& op : runs_[run]) c.ops.push_back({.op = op});
    return c;
  }

  const Property property_;
  const KernelSpec spec_;
  const KernelProfile kernel_;
  const int steps_;
  std::vector<Op> ops_;
  std::map<std::string, std::vector<Op>> runs_;
  std::map<std::string, std::map<Links, Topology>> found_;  // by run and buses
};

struct Expected {
  Property property;
  const char* kernel;
  int devices;
  int steps;
  size_t cases;
  SmallMachines small{};
};

class AllCases : public testing::TestWithParam<Expected> {};

TEST_P(AllCases, AreThoseOfBruteForce) {
  const Expected& e = GetParam();
  const report::AllCases all =
      AskAll(e.property, e.kernel, {.devices = e.devices, .steps = e.steps});
  ASSERT_EQ(all.answer.result.verdict, Verdict::kViolated);
  EXPECT_TRUE(all.search.complete);
  EXPECT_EQ(all.cases.size(), e.cases);
  Classes found;
  for (const Case& c : all.cases) {
    EXPECT_EQ(c.topology.devices_count, e.devices);
    EXPECT_EQ(Play(c).of(e.property).at, e.steps);
    // Cases with two instances of one driver are outside of the scope of the brute force.
    if (c.topology.instances_count == 2) Put(c, e.property, found);
  }
  SmallMachines small = e.small;
  small.devices = e.devices;
  EXPECT_EQ(found, BruteForce(e.property, e.kernel, e.steps).All(small));
}

INSTANTIATE_TEST_SUITE_P(
    Kernels, AllCases,
    testing::Values(Expected{kAttach, "v7.1", 2, 2, 2, {.instance_groups = true, .absent = true}},
                    Expected{kAttach, "v6.12", 2, 3, 4, {.instance_groups = true, .absent = true}},
                    Expected{kAttach, "v6.8", 2, 3, 4, {.instance_groups = true}},
                    Expected{kAttach, "v6.0", 2, 2, 2, {.claims = true, .stores = true}},
                    Expected{kAttach,
                             "v5.15",
                             2,
                             2,
                             2,
                             {.claims = true, .stores = true, .clears = true, .absent = true}},
                    Expected{kReuse,
                             "v6.0,-type1.same_ops,+assume.bus_ops_not_replaced",
                             2,
                             5,
                             2,
                             {.claims = true}}));

TEST(All, StopsAtTheNumberAskedFor) {
  const report::AllCases all = AskAll(kAttach, "v6.12", {.devices = 2, .steps = 3}, 3);
  EXPECT_EQ(all.cases.size(), 3U);
  EXPECT_TRUE(all.enough);
  EXPECT_EQ(all.answer.result.verdict, Verdict::kViolated);
  EXPECT_TRUE(AskAll(kAttach, "v6.12", {.devices = 2, .steps = 3}, 4).search.complete);
}

TEST(All, EndsWithItsBudget) {
  const report::AllCases whole = AskAll(kReuse, "v7.1", {.devices = 3, .steps = 5});
  const uint64_t half = whole.answer.result.resources + whole.search.resources / 2;
  const report::AllCases all = AskAll(kReuse, "v7.1", {.devices = 3, .steps = 5, .budget = half});
  // We know that there is a case, but not how many there are.
  EXPECT_EQ(all.answer.result.verdict, Verdict::kViolated);
  EXPECT_FALSE(all.search.complete);
  EXPECT_GT(all.cases.size(), 0U);
  EXPECT_LE(all.cases.size(), whole.cases.size());
}

TEST(Variants, KeepWhatTellsRunsApart) {
  const Case c =
      ParseCase(
          "kernel v6.0 drop type1.same_ops\n"
          "driver a claims=pci:strict\n"
          "driver b claims=platform:strict\n"
          "instance i a\n"
          "instance j b\n"
          "device d platform j\n"
          "device e pci i\n"
          "register i\nregister j\nset-container 0 c0\nset-container 1 c0\nset-iommu c0\n",
          "test")
          .value();
  Case other = c;
  // The swap exchanges the numbers of its groups, so the joins must mean the same groups as before.
  std::swap(other.ops[0], other.ops[1]);
  const std::vector<std::string> variants = Variants(c, kReuse);
  EXPECT_EQ(variants.front(), Shape(c));
  const auto has = [&](const Case& v) {
    return std::ranges::find(variants, Shape(v)) != variants.end();
  };
  std::swap(other.ops[2].op.a, other.ops[3].op.a);
  EXPECT_TRUE(has(other));
  // The group at the head of the list is attached first, so this is another run.
  other = c;
  std::swap(other.ops[3], other.ops[4]);
  EXPECT_FALSE(has(other));
}

}  // namespace
}  // namespace iommucheck
