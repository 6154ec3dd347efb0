// SPDX-License-Identifier: Apache-2.0
//
// Ops that the model takes in a second, and inputs that the decoder reads.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "model/step.h"
#include "src/case/bytes.h"
#include "src/case/case.h"

namespace {
int64_t allocations = 0;
}  // namespace

// Not inlined: otherwise the compiler warns that malloc() and operator delete do not match.
[[gnu::noinline]] void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t /*size*/) noexcept {
  std::free(memory);
}

namespace iommucheck {
namespace {

// Two drivers with one bus each, two more that claim little; groups of one, two and four devices.
constexpr std::string_view kMachine = R"(
driver intel claims=pci:ignore
driver smmu claims=platform:own-ok,amba:own-ok
driver virtio claims=pci:skip
driver rk claims=platform:skip per-instance-groups
instance dmar0 intel
instance dmar1 intel not-enforcing
instance smmu0 smmu fwnode
instance smmu1 smmu fwnode
instance virtio0 virtio fwnode
instance rk0 rk fwnode
device p0 pci dmar0
device p1 pci dmar0
device p2 pci dmar0 slot=1
device p3 pci dmar0 slot=1
device p4 pci dmar1
device p5 pci dmar1 alias=p4
device p6 pci dmar1
device p7 pci virtio0
device q0 platform smmu0
device q1 platform smmu0
device q2 platform smmu1
device q3 platform smmu1
device q4 amba smmu0
device q5 amba smmu1
device q6 platform rk0
device q7 platform rk0

register dmar0
register dmar1
register smmu0
register smmu1
register virtio0
register rk0
configure q0
configure q1
configure q2
configure q4
configure p7
set-container 0 c0
set-container 1 c0
set-container 2 c0
set-iommu c0
set-container 3 c0
set-container 4 c0
set-container 5 c1
set-container 6 c1
set-iommu c1 fail=attach:q1:EINVAL
set-iommu c1
remove p1
add p1
unset-container 0
unset-container 5
set-container 0 c1
unset-container 2
unset-container 3
unset-container 4
unregister smmu0
unset-container 0
unset-container 6
unregister dmar0
register dmar0
register smmu0
configure q0
set-container 0 c0
set-iommu c0
unset-container 0
)";

// The ops for a guest with passed-through devices: mappings by the page and by the range, in two
// domains of which one has reserved regions, pins by an emulated device, hotplug, and the teardown.
constexpr std::string_view kMappings = R"(
settings memlock=200
driver intel claims=pci:own-ok
instance dmar0 intel
instance dmar1 intel not-enforcing aperture=0-57
device p0 pci dmar0 resv=60-61:msi
device p1 pci dmar0
device p2 pci dmar1 resv=58-59:reserved
device mdev0 platform emulated

register dmar0
register dmar1
set-container 0 c0
set-iommu c0
set-container 1 c0
get-device mdev0
map c0 0+8 0 read write
map c0 8+8 8 read
map c0 16+1 20 read write
map c0 17+1 22 read write
map c0 24+8 32 read write
map c0 30+4 0 read write
set-container 2 c0
get-device p0
pin mdev0 2+4 write
pin mdev0 24+2
map c0 40+16 0 read write
unmap c0 8+8
map c0 8+2 8 read write
map c0 10+6 10 read write
unmap c0 4+2
unpin mdev0 24+2
set-container 3 c0
map c0 60+1 0 read write
unmap c0 24+8
map c0 24+8 40 read write fail=map:2:ENOMEM
map c0 24+8 40 read write fail=pin:1:EFAULT
map c0 24+8 40 read write
unset-container 3
unmap c0 0+16
unmap c0 0+0 all
map c0 0+32 0 read write
put-device p0
unset-container 1
unset-container 2
set-container 2 c0
put-device mdev0
unset-container 0
unset-container 1
unset-container 2
)";

Case MachineOn(const char* version, std::string_view machine) {
  const std::string text = std::string("kernel ") + version + "\n" + std::string(machine);
  auto c = ParseCase(text, "bench");
  if (c.ok()) return *c;
  std::fprintf(stderr, "%s\n", c.status().ToString().c_str());
  std::abort();
}

// Leaves out impossible ops, so that each counted op is one that was taken.
std::vector<Op> TakenOps(const Case& c, const KernelProfile& kernel) {
  std::vector<Op> taken;
  std::vector<Event> events;
  State state = InitialState(c.topology);
  for (const CaseOp& op : c.ops)
    if (Step(kernel, c.topology, op.op, state, events).outcome == Outcome::kDone)
      taken.push_back(op.op);
  return taken;
}

void BM_Step(benchmark::State& bench, const char* version, std::string_view machine,
             std::optional<Rule> assumption) {
  const Case c = MachineOn(version, machine);
  KernelProfile kernel = ProfileOf(c.kernel);
  if (assumption) kernel.rules.add(*assumption);
  const std::vector<Op> ops = TakenOps(c, kernel);
  std::vector<Event> events;
  events.reserve(256);
  int64_t allocated = 0;
  for (auto _ : bench) {
    const int64_t before = allocations;
    State state = InitialState(c.topology);
    for (const Op& op : ops) benchmark::DoNotOptimize(Step(kernel, c.topology, op, state, events));
    allocated += allocations - before;
  }
  const auto steps = static_cast<int64_t>(ops.size()) * static_cast<int64_t>(bench.iterations());
  bench.SetItemsProcessed(steps);
  bench.counters["allocs_per_op"] = static_cast<double>(allocated) / static_cast<double>(steps);
}
BENCHMARK_CAPTURE(BM_Step, v6_0, "v6.0", kMachine, std::nullopt);
// With an assumption about steps, each step keeps the state before it.
BENCHMARK_CAPTURE(BM_Step, v6_0_with_assumption, "v6.0", kMachine, Rule::kAssumeBusOpsNotReplaced);
BENCHMARK_CAPTURE(BM_Step, v6_12, "v6.12", kMachine, std::nullopt);
BENCHMARK_CAPTURE(BM_Step, v6_0_mappings, "v6.0", kMappings, std::nullopt);
BENCHMARK_CAPTURE(BM_Step, v6_12_mappings, "v6.12", kMappings, std::nullopt);

void BM_DecodeBytes(benchmark::State& bench) {
  Case c = MachineOn("v6.12", kMachine);
  c.topology.devices_count = 8;
  std::fill(c.topology.devices.begin() + 8, c.topology.devices.end(), Device{});
  std::erase_if(c.ops, [&](const CaseOp& op) { return !Validate(op.op, c.topology).ok(); });
  const auto bytes = EncodeBytes(c);
  if (!bytes.ok()) return bench.SkipWithError(bytes.status().ToString().c_str());
  DecodedCase decoded;
  for (auto _ : bench) {
    DecodeBytes(*bytes, decoded);
    benchmark::DoNotOptimize(decoded);
  }
  bench.SetItemsProcessed(static_cast<int64_t>(bench.iterations()));
}
BENCHMARK(BM_DecodeBytes);

}  // namespace
}  // namespace iommucheck

BENCHMARK_MAIN();
