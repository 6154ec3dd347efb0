// SPDX-License-Identifier: Apache-2.0
//
// A printed machine shows every attribute that a case can have, a printed step shows every change
// of the state, and a printed case that was found asserts what it was found for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "src/case/run.h"
#include "src/draw/draw.h"
#include "src/report/system.h"
#include "src/report/text.h"
#include "tests/given.h"

namespace iommucheck {
namespace {

using report::Changes;
using report::EventText;
using report::TopologyText;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

void PlayRandom(const KernelProfile& kernel, uint64_t seed, const draw::Show& show) {
  draw::Words words(seed);
  draw::DrawRun(words, kernel, {.scope = draw::Scope::kWhole}, show);
}

// --- machines ---

// Calls `change(name, member, other value)` for each member. A new member of the struct breaks the
// build here until it has a value.
template <typename F>
void EachMember(Settings& s, F change) {
  auto& [passthrough, unsafe_interrupts, dma_entries, memlock] = s;
  change("passthrough", passthrough, true);
  change("unsafe_interrupts", unsafe_interrupts, true);
  change("dma_entries", dma_entries, uint8_t{4});
  change("memlock", memlock, uint8_t{20});
}

template <typename F>
void EachMember(Driver& d, F change) {
  auto& [firmware, claims, claim_order, claims_once, unwinds, clears, address, table, same_instance,
         refuses_foreign, instance_groups, default_domains, coherent, accepts_foreign, deferred,
         nesting, static_identity, checks_snoop, drops_old, mismatch_errno] = d;
  change("firmware", firmware, Firmware::kDt);
  for (int claim = 0; claim <= static_cast<int>(Claim::kStore); ++claim)
    if (claims[1] != static_cast<Claim>(claim))
      change("claims", claims[1], static_cast<Claim>(claim));
  std::array order = claim_order;
  std::swap(order[0], order[1]);
  change("claim_order", claim_order, order);
  change("claims_once", claims_once, true);
  change("unwinds", unwinds, true);
  change("clears", clears, true);
  change("address", address, DriverId{1});
  change("table", table, TableId{0});
  change("same_instance", same_instance, true);
  change("refuses_foreign", refuses_foreign, true);
  change("instance_groups", instance_groups, true);
  change("default_domains", default_domains, false);
  change("coherent", coherent, false);
  change("accepts_foreign", accepts_foreign, true);
  change("deferred", deferred, true);
  change("nesting", nesting, true);
  change("static_identity", static_identity, true);
  change("checks_snoop", checks_snoop, true);
  change("drops_old", drops_old, true);
  change("mismatch_errno", mismatch_errno, uint8_t{EXDEV});
}

template <typename F>
void EachMember(Instance& i, F change) {
  auto& [driver, fwnode, table, enforces_coherency, isolates_msi, aperture_first, aperture_last,
         page_sizes] = i;
  change("driver", driver, DriverId{1});
  change("fwnode", fwnode, true);
  change("table", table, TableId{0});
  change("enforces_coherency", enforces_coherency, false);
  change("isolates_msi", isolates_msi, false);
  change("aperture_first", aperture_first, uint8_t{1});
  change("aperture_last", aperture_last, uint8_t{47});
  for (const uint8_t sizes : std::array<uint8_t, 4>{2, 3, 64, 127})
    change("page_sizes", page_sizes, sizes);
}

template <typename F>
void EachMember(Device& d, F change) {
  auto& [bus, masters, alias, slot, bridge, below, acs, absent, ats, kind, default_type, regions] =
      d;
  for (Bus other : {Bus::kPlatform, Bus::kAmba, Bus::kFslMc, Bus::kHost1x, Bus::kCdx})
    change("bus", bus, other);
  change("masters", masters[0], InstanceId{1});
  change("masters", masters[1], InstanceId{1});
  change("alias", alias, DeviceId{1});
  change("slot", slot, uint8_t{3});
  for (size_t other = 1; other < kBridgeNames.size(); ++other)
    change("bridge", bridge, static_cast<Bridge>(other));
  change("below", below, DeviceId{0});
  change("acs", acs, true);
  change("absent", absent, true);
  change("ats", ats, true);
  change("default_type", default_type, DefaultType::kIdentity);
  change("default_type", default_type, DefaultType::kDma);
  for (int type = 1; type <= static_cast<int>(Region::Type::kSwMsi); ++type)
    change("regions", regions[0], Region{static_cast<Region::Type>(type), 2, 5});
  // Only for a device that is behind no instance: see `Machines()`.
  if (masters[0] != kNoId) return;
  change("kind", kind, DeviceKind::kEmulated);
  change("kind", kind, DeviceKind::kNoIommu);
}

// Calls `visit(name, changed)` with copies of `base`, each with another value of one member of the
// struct that `part` selects.
template <typename Base, typename Part, typename Visit>
void ForEachChanged(const Base& base, Part part, Visit visit) {
  int members = 0;
  Base scratch = base;
  EachMember(part(scratch), [&](const char*, auto&, auto) { ++members; });
  for (int n = 0; n < members; ++n) {
    Base changed = base;
    const char* changed_name = nullptr;
    int i = 0;
    EachMember(part(changed), [&](const char* name, auto& member, auto value) {
      if (i++ != n) return;
      changed_name = name;
      member = value;
    });
    visit(changed_name, changed);
  }
}

struct Machine {
  std::string what;
  Case c;
};

const char* const kPlainMachine =
    "kernel v6.0\n"
    "table shared\n"
    "driver a claims=platform:strict,pci:own-ok\n"
    "driver b\n"
    "instance i a\n"
    "instance j b\n"
    "device p pci i bridge=pci-to-pci\n"
    "device q pci\n"
    "device r platform j\n";

std::vector<Machine> Machines() {
  const Case base = Parsed(kPlainMachine);
  std::vector<Machine> out;
  const auto add = [&](const std::string& owner, auto part) {
    ForEachChanged(base, part, [&](const std::string& name, const Case& changed) {
      out.push_back({absl::StrCat(owner, " ", name), changed});
    });
  };
  add("settings", [](Case& c) -> Settings& { return c.topology.settings; });
  add("driver", [](Case& c) -> Driver& { return c.topology.drivers[0]; });
  add("instance", [](Case& c) -> Instance& { return c.topology.instances[0]; });
  add("device", [](Case& c) -> Device& { return c.topology.devices[0]; });
  add("other device", [](Case& c) -> Device& { return c.topology.devices[1]; });
  for (Firmware firmware : {Firmware::kAcpi, Firmware::kDt}) {
    out.push_back({"firmware", base});
    out.back().c.topology.firmware = firmware;
  }
  // Drops changes that are invalid alone: a second master without a first, an alias that is the
  // device itself; and those to the value that there was.
  std::erase_if(out, [&base](const Machine& m) {
    return !Validate(m.c.topology).ok() || m.c.topology == base.topology;
  });
  return out;
}

TEST(MachineText, SaysEveryAttributeThatACaseCanSay) {
  const Case base = Parsed(kPlainMachine);
  const std::vector<Machine> machines = Machines();
  EXPECT_GE(machines.size(), 60U);
  for (const Machine& machine : machines) {
    EXPECT_NE(PrintCase(machine.c), PrintCase(base)) << machine.what << " is as it was";
    EXPECT_NE(TopologyText(machine.c), TopologyText(base)) << machine.what;
    for (const Machine& other : machines) {
      if (PrintCase(machine.c) == PrintCase(other.c)) continue;
      EXPECT_NE(TopologyText(machine.c), TopologyText(other.c))
          << machine.what << ", " << other.what;
    }
  }
}

TEST(MachineText, OfTwoMachinesOfTheCorpusIsTheSameOnlyIfTheyAre) {
  std::map<std::string, NamedCase> seen;
  for (NamedCase& entry : CorpusCases()) {
    Case machine = entry.c;
    machine.comment.clear();
    machine.kernel = {};
    machine.ops.clear();
    machine.expectations.clear();
    const std::string printed = PrintCase(machine);
    const std::string text = TopologyText(machine);
    const auto [it, fresh] = seen.emplace(text, NamedCase{entry.name, std::move(machine)});
    if (fresh) continue;
    EXPECT_EQ(printed, PrintCase(it->second.c)) << entry.name << ", " << it->second.name;
  }
}

TEST(MachineText, SaysItInTheKernelsTerms) {
  const std::string text =
      TopologyText(Parsed("kernel v6.12\n"
                          "settings passthrough dma-entries=4 memlock=1\n"
                          "driver smmu deferred mismatch-errno=EXDEV\n"
                          "instance s smmu no-msi-isolation aperture=0-47 page-sizes=1,16\n"
                          "device nic pci s default=identity resv=8-15:msi\n"
                          "device mdev platform emulated\n"));
  for (const char* part :
       {"iommu.passthrough=1", "dma_entry_limit=4", "RLIMIT_MEMLOCK of 1 page\n",
        "defers attaching to the first DMA", "-EXDEV", "does not isolate MSIs", "maps pages 0-47",
        "asks for a default domain", "reserved pages 8-15: msi", "emulated (an mdev)"})
    EXPECT_THAT(text, HasSubstr(part));
}

// --- changes ---

TEST(ChangesText, EveryStepOfTheCorpusThatChangesTheStateSaysSo) {
  int steps = 0;
  for (const NamedCase& entry : CorpusCases()) {
    const auto run = Play(entry.c);
    for (size_t i = 0; i < run.steps.size(); ++i) {
      const PlayedStep& step = run.steps[i];
      const std::string where = entry.name + ": " + PrintOp(entry.c.ops[i].op, entry.c.names);
      const Op& op = entry.c.ops[i].op;
      const auto changes = Changes(entry.c, run.before(i), step.after, &op);
      EXPECT_EQ(changes.empty(), run.before(i) == step.after) << where;
      steps += changes.empty() ? 0 : 1;
    }
  }
  EXPECT_GE(steps, 500);
}

TEST(ChangesText, EveryStepOfRandomRunsThatChangesTheStateSaysSo) {
  int steps = 0;
  for (KernelVersion version : kKernelVersions)
    for (uint64_t seed = 0; seed < 300; ++seed) {
      Case c;
      c.kernel.version = version;
      PlayRandom(ProfileOf(version), seed, [&](const StepView& view) {
        c.topology = view.topology;
        if (c.names.drivers.empty()) c.names = DefaultNames(c.topology);
        const auto changes = Changes(c, view.before, view.after, &view.op);
        EXPECT_EQ(changes.empty(), view.before == view.after)
            << VersionName(version) << ", seed " << seed << ": " << PrintOp(view.op, c.names);
        steps += changes.empty() ? 0 : 1;
      });
    }
  EXPECT_GE(steps, 10'000);
}

const char* const kBusyRun =
    "kernel v6.12\n"
    "driver smmu same-instance\n"
    "driver other\n"
    "instance s0 smmu\n"
    "instance s1 smmu\n"
    "device a pci s0 slot=1\n"
    "device b pci s0 slot=1\n"
    "device c pci s1\n"
    "device m platform emulated\n"
    "register s0 -> ok\n"
    "register s1 -> ok\n"
    "set-container 0 c0 -> ok\n"
    "set-container 1 c0 -> ok\n"
    "set-container 2 c0 -> ok\n"
    "set-iommu c0 -> ok\n"
    "map c0 8+4 0 read write -> ok\n"
    "get-device m -> ok\n"
    "pin m 8+1 write -> ok\n";

template <typename F>
void EachMember(DeviceState& d, F change) {
  auto& [present, instance, iommu, fwspec, group, next, hw, bound, open_in, attach_deferred,
         require_direct, reset_depth, configure_deferred, vfio_in] = d;
  change("present", present, false);
  change("instance", instance, InstanceId{1});
  change("iommu", iommu, false);
  change("fwspec", fwspec, InstanceId{0});
  change("group", group, GroupId{2});
  change("next", next, kNoId);
  change("hw", hw, kNoId);
  change("bound", bound, BoundTo::kNobody);
  change("bound", bound, BoundTo::kKernelDriver);
  change("open_in", open_in, GroupId{1});
  change("attach_deferred", attach_deferred, true);
  change("require_direct", require_direct, true);
  change("reset_depth", reset_depth, uint8_t{1});
  change("reset_depth", reset_depth, uint8_t{2});
  change("configure_deferred", configure_deferred, true);
  change("vfio_in", vfio_in, GroupId{1});
}

template <typename F>
void EachMember(GroupState& g, F change) {
  auto& [live, devices, domain, default_domain, blocking_domain, owner, owner_cnt, pasid_domain,
         recovery_cnt, kind, open, dead, open_devices, emulated_listed, container,
         next_in_container, vfio_domain] = g;
  change("live", live, false);
  change("devices", devices, kNoId);
  change("domain", domain, kNoId);
  change("default_domain", default_domain, kNoId);
  change("blocking_domain", blocking_domain, kNoId);
  change("blocking_domain", blocking_domain, default_domain);
  change("owner", owner, false);
  change("owner_cnt", owner_cnt, uint8_t{2});
  change("pasid_domain", pasid_domain, domain);
  change("recovery_cnt", recovery_cnt, uint8_t{1});
  change("kind", kind, DeviceKind::kNoIommu);
  change("open", open, true);
  change("dead", dead, true);
  change("open_devices", open_devices, uint8_t{2});
  change("emulated_listed", emulated_listed, true);
  change("container", container, kNoId);
  change("container", container, ContainerId{1});
  change("next_in_container", next_in_container, kNoId);
  change("vfio_domain", vfio_domain, kNoId);
}

template <typename F>
void EachMember(DomainState& d, F change) {
  auto& [type, driver, table, instance, coherent, identity, ownerless, msi_cookie, fgsp, next,
         refs] = d;
  change("type", type, DomainType::kBlocking);
  change("type", type, DomainType::kFree);
  change("type", type, DomainType::kFreed);
  change("driver", driver, kNoId);
  change("table", table, TableId{1});
  change("instance", instance, InstanceId{1});
  change("instance", instance, kNoId);
  change("coherent", coherent, false);
  change("identity", identity, true);
  change("ownerless", ownerless, true);
  change("msi_cookie", msi_cookie, true);
  change("fgsp", fgsp, true);
  change("next", next, kNoId);
  change("refs", refs, uint8_t{9});
}

template <typename F>
void EachMember(Dma& d, F change) {
  auto& [at, vaddr, prot, iommu_mapped, vaddr_invalid, zero_page] = d;
  change("at", at, Pages{8, 2});
  change("at", at, Pages{});
  change("vaddr", vaddr, uint8_t{1});
  change("prot", prot, uint8_t{kRead});
  change("prot", prot, uint8_t{0});
  change("iommu_mapped", iommu_mapped, false);
  change("vaddr_invalid", vaddr_invalid, true);
  change("zero_page", zero_page, true);
}

template <typename F>
void EachMember(ContainerState& c, F change) {
  auto& [iova, pfns, groups, iommu, domains, type, iova_kept, emulated, vaddr_invalid_count,
         dmas_count, dmas] = c;
  change("iova", iova, uint64_t{15});
  change("pfns", pfns, uint64_t{0});
  change("groups", groups, kNoId);
  change("iommu", iommu, false);
  change("domains", domains, kNoId);
  change("type", type, IommuType::kType1);
  change("iova_kept", iova_kept, true);
  change("emulated", emulated, uint8_t{5});
  change("vaddr_invalid_count", vaddr_invalid_count, uint8_t{1});
  change("dmas_count", dmas_count, uint8_t{3});
  EachMember(dmas[0], change);
}

template <typename F>
void EachMember(State& s, F change) {
  auto& [mapped, containers, locked_vm, pins, zero_pins, bus_notifiers, bus_ops, listed_count,
         listed, registered_count, registered, instance_group, devices, groups, domains, groups_end,
         domains_end, padding] = s;
  const DomainId type1 = groups[1].vfio_domain;
  change("mapped", mapped[type1], mapped[type1] | 1);
  change("mapped", mapped[type1], uint64_t{0});
  change("locked_vm", locked_vm, locked_vm + 1);
  change("pins", pins, pins + 1);
  change("zero_pins", zero_pins, zero_pins + 1);
  change("bus_ops", bus_ops[1], DriverId{0});
  change("bus_notifiers", bus_notifiers[1], uint16_t{1});
  change("listed_count", listed_count, uint8_t{2});
  std::array other_listed = listed;
  std::swap(other_listed[0], other_listed[1]);
  change("listed", listed, other_listed);
  change("registered_count", registered_count, uint8_t{1});
  std::array other_registered = registered;
  std::swap(other_registered[0], other_registered[1]);
  change("registered", registered, other_registered);
  change("instance_group", instance_group[0], GroupId{1});
  EachMember(containers[0], change);
  EachMember(devices[0], change);
  EachMember(groups[1], change);
  // The newest type1 domain, since another one follows it on the container's list.
  EachMember(domains[containers[0].domains], change);
  // The model's own bounds, which follow from the arrays.
  (void)groups_end;
  (void)domains_end;
  (void)padding;
}

TEST(ChangesText, SayTheChangeOfEveryMemberOfTheState) {
  const Case c = Parsed(kBusyRun);
  const auto run = Play(c);
  ASSERT_THAT(Mismatches(c, run), IsEmpty());
  const State base = run.final_state();
  EXPECT_THAT(Changes(c, base, base), IsEmpty());
  ForEachChanged(
      base, [](State& s) -> State& { return s; },
      [&](const char* what, const State& changed) {
        ASSERT_NE(changed, base) << what << " is as it was";
        EXPECT_THAT(Changes(c, base, changed), Not(IsEmpty())) << what;
        EXPECT_THAT(Changes(c, changed, base), Not(IsEmpty())) << what << ", and back";
      });
}

TEST(ChangesText, AreInTheKernelsTerms) {
  const Case c = Parsed(kBusyRun);
  const auto run = Play(c);
  const auto at = [&](size_t op) {
    return Changes(c, run.before(op), run.steps[op].after, &c.ops[op].op);
  };
  EXPECT_THAT(at(2), ElementsAre("group 0 in c0"));
  EXPECT_THAT(at(6), testing::IsSupersetOf({"c0 maps pages 8-11 to memory pages 0-3, read write",
                                            "pages in locked_vm: 4"}));
  EXPECT_THAT(at(7), ElementsAre("device m open, by group 0"));
  EXPECT_THAT(at(8), testing::Contains("c0: pinned by emulated devices page 8"));
}

// --- oopses ---

TEST(Oopses, AreCalledWhatTheyAre) {
  const std::map<std::string, Oops> kinds = {
      {"iommu_attach_group", Oops::kNullPointer},
      {"iommu_release_device", Oops::kNullPointer},
      {"iommu_device_unlink", Oops::kUseAfterFree},
      {"vfio_iommu_group_notifier", Oops::kBug},
      {"list_add", Oops::kListCorruption},
      {"vfio_iommu_resv_refresh", Oops::kEmptyList},
      {"__ffs", Oops::kUndefined},
      {"vfio_iommu_replay", Oops::kEndlessLoop},
      {"__iommu_group_alloc_blocking_domain", Oops::kEmptyList},
  };
  std::map<std::string, Oops> seen;
  const auto look = [&](const Case& c, const Event& e) {
    if (e.kind != Event::Kind::kOops) return;
    seen[e.where] = e.oops;
    EXPECT_EQ(EventText(c, e), absl::StrFormat("oops: %s in %s()", OopsName(e.oops), e.where));
  };
  for (KernelVersion version : kKernelVersions) {
    KernelProfile kernel = ProfileOf(version);
    // Without these rules, some of the oopses become possible.
    kernel.rules.drop(Rule::kVfioContainerOnce).drop(Rule::kType1DetachEmptyCopy);
    for (uint64_t seed = 0; seed < 3000; ++seed)
      PlayRandom(kernel, seed, [&](const StepView& view) {
        for (const Event& e : view.events) look(Case{}, e);
      });
  }
  for (const char* text :
       {"kernel v6.12\ndriver a same-instance\n"
        "instance i a page-sizes=2\ninstance j a page-sizes=4\ndevice p pci i\ndevice q pci j\n"
        "register i\nregister j\nset-container 0 c0\nset-container 1 c0\nset-iommu c0\n"
        "map c0 0+4 0 read write\n",
        "kernel v6.12\ndriver a\ninstance i a page-sizes=2\ndevice p pci i\n"
        "device m platform emulated\nregister i\nset-container 0 c0\nset-iommu c0\n"
        "map c0 1+1 0 read write\nset-container 1 c0\n"}) {
    const Case c = Parsed(text);
    for (const PlayedStep& step : Play(c).steps)
      for (const Event& e : step.events) look(c, e);
  }
  EXPECT_EQ(seen, kinds);
}

TEST(Oopses, HaveANameEach) {
  std::set<std::string_view> names;
  for (int i = 0; i < kOopsCount; ++i) names.insert(OopsName(static_cast<Oops>(i)));
  EXPECT_EQ(names.size(), static_cast<size_t>(kOopsCount));
  EXPECT_FALSE(names.contains(""));
}

// --- cases that were found ---

TEST(FoundCases, AssertTheWholeOfTheirRun) {
  for (const NamedCase& entry : CorpusCases()) {
    const auto run = Play(entry.c);
    const Case found = Asserted(entry.c, run);
    EXPECT_THAT(Mismatches(found, Play(found)), IsEmpty()) << entry.name;
    for (const CaseOp& op : found.ops)
      EXPECT_TRUE(op.expected || run.outside) << entry.name << ": " << PrintOp(op.op, found.names);
    for (Property p : Violated(entry.c, run)) {
      const auto says = [p](const Expectation& e) {
        return e.kind == Expectation::Kind::kViolated && e.property == p && e.at != 0;
      };
      EXPECT_TRUE(std::ranges::any_of(found.expectations, says)) << entry.name;
    }
    for (size_t i = 0; i < found.ops.size(); ++i) {
      if (!found.ops[i].expected) continue;
      Case wrong = found;
      wrong.ops[i].expected = *found.ops[i].expected == -EXDEV ? 0 : -EXDEV;
      EXPECT_THAT(Mismatches(wrong, run), Not(IsEmpty())) << entry.name << ", op " << i + 1;
    }
  }
}

TEST(FoundCases, LeaveOutWhatIsNotPossible) {
  const Case c = Parsed(
      "kernel v6.1\ndriver a\ninstance i a\ndevice d pci i\n"
      "register i\nregister i\nunregister i\n");
  const Case found = Asserted(c, Play(c), {Property::kNoCrossDriverAttach});
  EXPECT_EQ(PrintCase(found),
            "kernel v6.1\ndriver a\ninstance i a\ndevice d pci i\n\nregister i -> ok\n\n"
            "expect holds no-cross-driver-attach\n");
}

TEST(Mismatches, SayWhereTheyAreWritten) {
  const Case c = Parsed(
      "kernel v6.1\ndriver a\ninstance i a\ndevice d pci i\n\n# why\nregister i -> -EBUSY\n\n"
      "expect violated no-cross-driver-attach\n");
  EXPECT_THAT(Mismatches(c, Play(c), "x.case"),
              ElementsAre("x.case:7: op 1, register i: expected -EBUSY, got ok",
                          "x.case:9: expected no-cross-driver-attach violated, but it is not"));
  const auto json = CaseFromJson(CaseToJson(c), "x.json").value();
  EXPECT_THAT(Mismatches(json, Play(json), "x.json"),
              testing::Contains("x.json: op 1, register i: expected -EBUSY, got ok"));
}

// A search of all states with only some of the devices is no proof for the machine.
TEST(System, HoldsInAnyRunByAllDevicesOnly) {
  report::SystemReport::Search search{.kernel = {}, .property = Property::kNoCrossDriverReuse};
  search.verdict = search.result.verdict = Verdict::kHolds;
  search.result.every_depth = true;
  EXPECT_FALSE(report::InAnyRun(search));
  search.all_devices = true;
  EXPECT_TRUE(report::InAnyRun(search));
}

}  // namespace
}  // namespace iommucheck
