// SPDX-License-Identifier: Apache-2.0
//
// That nothing can be taken away from a minimized case, and that it still violates the property.
#include "src/case/smaller.h"

#include <gtest/gtest.h>

#include <optional>

#include "src/case/run.h"
#include "src/draw/draw.h"
#include "tests/given.h"

namespace iommucheck {
namespace {

// A run that violates a property, on a kernel without a few of its rules, from a seed.
struct Given {
  Case c;
  Property property;
};
std::optional<Given> DrawViolation(uint64_t seed) {
  draw::Words words(seed);
  KernelSpec kernel{.version = kKernelVersions[words.Below(kKernelVersionCount)]};
  for (const RuleInfo& info : AllRules())
    if (ProfileOf(kernel.version).has(info.rule) && words.OneIn(8)) kernel.dropped.add(info.rule);
  DecodedCase drawn = draw::DrawRun(words, ProfileOf(kernel), {.scope = draw::Scope::kWhole});
  drawn.kernel = kernel;
  const Case c = ToCase(drawn);
  const Run run = Play(c);
  for (Property p : kProperties)
    if (run.of(p).at != 0) return Given{.c = c, .property = p};
  return std::nullopt;
}

void ExpectMinimal(const Case& c, Property property) {
  const Run run = Play(c);
  EXPECT_EQ(run.of(property).at, static_cast<int>(c.ops.size()));
  EXPECT_TRUE(run.complete);
  EXPECT_FALSE(AssertsNothing(c));
  EXPECT_EQ(Mismatches(c, run), std::vector<std::string>());
  const absl::StatusOr<Case> again = ParseCase(PrintCase(c), "again.case");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, c);
  AnySmallerOnAnyKernel(c, [&](const Case& smaller) {
    EXPECT_EQ(Play(smaller).of(property).at, 0)
        << PrintCase(c) << "\nthis is smaller and violates it, too:\n"
        << PrintCase(smaller);
    return false;
  });
}

TEST(AMinimizedCase, HasNothingThatCanBeTakenAway) {
  int violations = 0;
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    const std::optional<Given> given = DrawViolation(seed);
    if (!given) continue;
    ++violations;
    SCOPED_TRACE(seed);
    const Case smallest = Minimized(given->c, given->property);
    EXPECT_LE(smallest.ops.size(), given->c.ops.size());
    ExpectMinimal(smallest, given->property);
  }
  EXPECT_GT(violations, 40);
}

TEST(ASmallerCase, IsValidAndPossible) {
  size_t offered = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    draw::Words words(seed);
    const KernelSpec kernel{.version = kKernelVersions[seed % kKernelVersionCount]};
    DecodedCase drawn = draw::DrawRun(words, ProfileOf(kernel), {.scope = draw::Scope::kWhole});
    drawn.kernel = kernel;
    AnySmaller(ToCase(drawn), [&](const Case& smaller) {
      ++offered;
      EXPECT_TRUE(Validate(smaller.topology).ok()) << Validate(smaller.topology);
      EXPECT_TRUE(Play(smaller).complete || Play(smaller).outside) << PrintCase(smaller);
      EXPECT_TRUE(AssertsNothing(smaller));
      return false;
    });
  }
  EXPECT_GT(offered, 1000U);
}

// In each there is a smallest case, with one more thing of each kind around it.
constexpr const char* kPadded = R"(
kernel v6.0 drop type1.same_ops type1.memlock
driver idle claims=amba:strict
driver intel claims=pci:ignore nesting
driver rk claims=platform:ignore
instance amba0 idle
instance dmar0 intel not-enforcing
instance rk0 rk not-enforcing
device spare amba amba0
device nic pci dmar0 ats
device fdb0 platform rk0

register amba0 -> ok
register dmar0
register rk0
set-container 0 c1
set-container 1 c0
set-iommu c0
set-container 2 c0
unset-container 0
)";

TEST(AMinimizedCase, IsTheSmallestWithoutWhatWasAddedToIt) {
  const Case padded = Parsed(kPadded);
  ASSERT_NE(Play(padded).of(kReuse).at, 0);
  const Case smallest = Minimized(padded, kReuse);
  ExpectMinimal(smallest, kReuse);
  EXPECT_EQ(PrintCase(smallest), R"(kernel v6.0 drop type1.same_ops
driver intel claims=pci:ignore
driver rk claims=platform:ignore
instance dmar0 intel
instance rk0 rk
device nic pci dmar0
device fdb0 platform rk0

register dmar0 -> ok
register rk0 -> ok
set-container 0 c0 -> ok
set-iommu c0 -> ok
set-container 1 c0 -> ok

expect violated no-cross-driver-reuse at 5
)");
}

TEST(AMinimizedCase, KeepsTheAssumptionsOfItsKernel) {
  Case padded = Parsed(kPadded);
  padded.kernel.added.add(FindRule("assume.address_not_reused").value());
  const Case smallest = Minimized(padded, kReuse);
  EXPECT_TRUE(smallest.kernel.added.has(FindRule("assume.address_not_reused").value()));
}

TEST(AMinimizedCase, IsWhatThereWasWhenItWasStopped) {
  const Case padded = Parsed(kPadded);
  int asked = 0;
  const Case some = Minimized(padded, kReuse, [&asked] { return ++asked > 3; });
  EXPECT_NE(Play(some).of(kReuse).at, 0);
  EXPECT_GT(some.topology.devices_count, 2);
}

}  // namespace
}  // namespace iommucheck
