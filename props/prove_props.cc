// SPDX-License-Identifier: Apache-2.0
//
// Proofs about the abstraction are true of the model: every step that the model takes is a sequence
// of actions that the abstraction allows, between states that represent the model's; and a found
// invariant holds in all of these states.
#include <gtest/gtest.h>
// rapidcheck/gtest.h needs gtest before it.
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <map>

#include "fuzz/fuzzing.h"
#include "props/generators.h"
#include "props/structure.h"
#include "src/case/encoded.h"
#include "src/case/run.h"
#include "src/prove/prove.h"

namespace iommucheck {
namespace {

using prove::Action;
using prove::ActionKind;
using prove::Relation;
using prove::Sort;
using prove::Structure;
using enum prove::ActionKind;
using enum prove::Relation;

Structure MachineOf(const Topology& t) {
  Structure m;
  m.Grow(Sort::kDriver, t.drivers_count);
  m.Grow(Sort::kBus, kBusCount);
  m.Grow(Sort::kInstance, t.instances_count);
  m.Grow(Sort::kDevice, t.devices_count);
  m.Grow(Sort::kGroup, t.devices_count);
  m.Grow(Sort::kContainer, kMaxContainers);
  m.Grow(Sort::kTable, t.tables_count);
  m.SetValue(prove::Function::kPlatform, 0, static_cast<int>(Bus::kPlatform));
  for (DriverId d = 0; d < t.drivers_count; ++d) {
    m.Set(kMayUse, {d, t.drivers[d].table});
    m.Set(kPerInstanceGroups, {d}, t.drivers[d].instance_groups);
    for (DriverId e = 0; e < t.drivers_count; ++e)
      m.Set(kSameAddress, {d, e}, t.ops_address(d) == t.ops_address(e));
  }
  for (TableId a = 0; a < t.tables_count; ++a)
    for (TableId b = 0; b < t.tables_count; ++b)
      m.Set(kSameTable, {a, b}, t.table_address(a) == t.table_address(b));
  for (InstanceId i = 0; i < t.instances_count; ++i) {
    m.SetValue(prove::Function::kDriver, i, t.instances[i].driver);
    m.Set(kMayUse, {t.instances[i].driver, t.instances[i].table});
  }
  for (DeviceId d = 0; d < t.devices_count; ++d) {
    m.SetValue(prove::Function::kBus, d, static_cast<int>(t.devices[d].bus));
    for (InstanceId master : t.devices[d].masters)
      if (master != kNoId) m.Set(kBehind, {d, master});
    for (DeviceId e = 0; e < t.devices_count; ++e)
      if (d != e) m.Set(kRelated, {d, e}, t.related(d, e));
  }
  return m;
}

// The state of the abstraction that follows a run of the model.
class Shadow {
 public:
  Shadow(const prove::KernelFamily& kernel, const Topology& topology)
      : topology_(topology), era_(kernel.profile.era), machine_(MachineOf(topology)) {
    for (Action& action : prove::ActionsOf(kernel)) actions_.emplace(action.kind, action);
    for (const prove::Formula& axiom : prove::AxiomsOf(kernel)) axioms_.push_back(axiom);
    elements_.fill(-1);
  }

  // Adds sentences that must hold after each action.
  void Watch(std::span<const prove::Lemma> lemmas) {
    for (const prove::Lemma& lemma : lemmas) {
      lemmas_.push_back(lemma.Closed());
      lemma_texts_.push_back(prove::PrintLemma(lemma));
    }
  }

  // Whether an action of the last step broke the property.
  [[nodiscard]] bool Violated(Property property) const {
    return violated_[static_cast<size_t>(property)];
  }

  // Performs the actions of one step that the model has taken.
  void Follow(const StepView& step);

 private:
  void Do(ActionKind kind, const std::vector<int>& arguments);
  [[nodiscard]] bool MayDo(ActionKind kind, const std::vector<int>& arguments) const {
    const auto action = actions_.find(kind);
    return action != actions_.end() && machine_.Allows(action->second, arguments);
  }
  [[nodiscard]] int InstanceOf(int device) const { return machine_.ValueOf(kServedBy, device); }
  [[nodiscard]] bool OfDriver(int instance, DriverId driver) const {
    return topology_.instances[instance].driver == driver;
  }

  void BeginRegister(InstanceId instance, const State& before, std::span<const Event> events);
  void Probe(const Event& e);
  void Release(const Event& e);
  void Allocate(const Op& op, std::span<const Event> rest, const State& before, const State& after);
  void Attach(const Op& op, const Event& e, const State& before);
  void End(const Op& op, const State& after);
  void EndGroup(GroupId group, const State& after);
  void ClaimBus(int bus, int instance);
  void FreeIfLeft(GroupId group);
  void ExpectSame(const State& after);

  const Topology& topology_;
  Era era_;
  Structure machine_;
  std::map<ActionKind, Action> actions_;
  std::vector<prove::Formula> axioms_;
  std::vector<prove::Formula> lemmas_;
  std::vector<std::string> lemma_texts_;
  std::array<int, kMaxDomains> elements_{};  // that represents the model's domain, -1: none
  int fresh_ = -1;
  std::array<bool, kEncodedPropertyCount> violated_{};
};

// How often each action was taken, by era.
std::map<std::pair<Era, ActionKind>, int>& Taken() {
  static std::map<std::pair<Era, ActionKind>, int> taken;
  return taken;
}

void Shadow::Do(ActionKind kind, const std::vector<int>& arguments) {
  const Action& action = actions_.at(kind);
  if (!machine_.Allows(action, arguments)) {
    std::string text;
    for (const int n : arguments) text += " " + std::to_string(n);
    RC_FAIL(std::string(action.name) + " is not allowed for" + text);
  }
  machine_.Apply(action, arguments);
  ++Taken()[{era_, kind}];
  for (const Property property : kEncodedProperties)
    if (const prove::Formula f = prove::PropertyLemma(property).Closed();
        action.Changes(f) && !machine_.Satisfies(f))
      violated_[static_cast<size_t>(property)] = true;
  for (size_t n = 0; n < lemmas_.size(); ++n)
    if (action.Changes(lemmas_[n]) && !machine_.Satisfies(lemmas_[n]))
      RC_FAIL(std::string(action.name) + " breaks " + lemma_texts_[n]);
}

void Shadow::BeginRegister(InstanceId instance, const State& before,
                           std::span<const Event> events) {
  const auto refused = [&](Rule rule) {
    return std::ranges::any_of(
        events, [&](const Event& e) { return e.kind == Event::Kind::kRefused && e.rule == rule; });
  };
  if (refused(Rule::kFirmwareDtXorAcpi)) return;
  const DriverId driver = topology_.instances[instance].driver;
  for (int bus = 0; bus < kBusCount; ++bus) {
    const DriverId slot = before.bus_ops[bus];
    if (slot != kNoId && slot != driver &&
        topology_.ops_address(slot) == topology_.ops_address(driver))
      Do(kAdoptBusOps, {bus, slot, instance});
  }
  if (!refused(Rule::kRegisterSingleDriver)) Do(kRegister, {instance});
}

void Shadow::ClaimBus(int bus, int instance) {
  const bool store = era_ == Era::kBusSlots && !MayDo(kClaimBus, {bus, instance});
  Do(store ? kStoreBusOps : kClaimBus, {bus, instance});
}

void Shadow::FreeIfLeft(GroupId group) {
  machine_.Grow(Sort::kGroup, group + 1);
  if (SetsUpGroups(era_)) {
    for (int x = machine_.ValueOf(kType1Domain, group); x >= 0;
         x = machine_.ValueOf(kType1Domain, group))
      Do(kLeaveType1, {group, x});
    return;
  }
  for (const Relation relation : {kDefaultDomain, kBlockingDomain, kType1Domain})
    if (machine_.ValueOf(relation, group) >= 0) {
      Do(kFreeGroup, {group});
      return;
    }
}

void Shadow::Probe(const Event& e) {
  // Up to and including 6.0 a bus may have several notifiers. The second one finds the device in
  // its group, and nothing of that changes.
  if (machine_.ValueOf(kInGroup, e.device) == e.group) {
    RC_ASSERT(InstanceOf(e.device) == e.instance);
    return;
  }
  const int bus = static_cast<int>(topology_.devices[e.device].bus);
  if (era_ != Era::kFwnode && machine_.ValueOf(kBusOps, bus) != e.device_driver)
    ClaimBus(bus, e.instance);
  if (topology_.drivers[e.device_driver].instance_groups) {
    if (machine_.ValueOf(kInstanceGroup, e.instance) < 0) {
      FreeIfLeft(e.group);
      Do(kShareGroup, {e.instance, e.group});
    }
    return Do(kProbeInstanceGroup, {e.device, e.group, e.instance});
  }
  for (int other = 0; other < topology_.devices_count; ++other)
    if (machine_.ValueOf(kInGroup, other) == e.group && machine_.Holds(kRelated, {e.device, other}))
      return Do(kProbeRelated, {e.device, e.group, e.instance, other, InstanceOf(other)});
  FreeIfLeft(e.group);
  Do(kProbeNewGroup, {e.device, e.group, e.instance});
}

void Shadow::Release(const Event& e) {
  Do(kRelease, {e.device});
  if (SetsUpGroups(era_) && MayDo(kEmptyGroup, {e.group})) Do(kEmptyGroup, {e.group});
}

// The group that a new domain is for: the group whose devices are attached to it, or that has it in
// the end. kNoId: the domain was never used, and the abstraction leaves it out.
GroupId GroupOf(const Event& alloc, std::span<const Event> rest, const State& after) {
  for (const Event& e : rest) {
    if (e.domain != alloc.domain) continue;
    if (e.kind == Event::Kind::kAttachDev) return e.group;
    if (e.kind == Event::Kind::kAlloc) return kNoId;
  }
  for (GroupId g = 0; g < after.groups_end; ++g) {
    const GroupState& group = after.groups[g];
    for (const DomainId d : {group.domain, group.default_domain, group.blocking_domain})
      if (d == alloc.domain) return g;
  }
  return kNoId;
}

void Shadow::Allocate(const Op&, std::span<const Event> rest, const State& before,
                      const State& after) {
  const Event& e = rest[0];
  const GroupId group = GroupOf(e, rest.subspan(1), after);
  elements_[e.domain] = -1;
  if (group == kNoId) return;
  const int x = machine_.size(Sort::kDomain);
  machine_.Grow(Sort::kDomain, x + 1);
  machine_.SetValue(prove::Function::kOwner, x, e.driver);
  machine_.SetValue(prove::Function::kTable, x, e.table);
  elements_[e.domain] = x;

  // The device of the group that the kernel may have asked: the first, or one on the bus it walks.
  const DeviceId first = e.type == DomainType::kDefault ? e.device : before.groups[group].devices;
  int device = first;
  if (first == kNoId)
    for (device = 0; device < topology_.devices_count; ++device)
      if (machine_.ValueOf(kInGroup, device) == group &&
          MayDo(kAllocDefault, {device, group, InstanceOf(device), x}))
        break;
  RC_ASSERT(device < topology_.devices_count);
  std::vector<int> arguments = {device, group, InstanceOf(device), x};
  if (e.type == DomainType::kDefault) return Do(kAllocDefault, arguments);
  if (e.type == DomainType::kBlocking) return Do(kAllocBlocking, arguments);
  fresh_ = x;
  if (MayDo(kAllocType1, arguments)) return Do(kAllocType1, arguments);
  if (era_ == Era::kFwnode)
    for (int other = 0; other < topology_.devices_count; ++other)
      if (InstanceOf(other) >= 0 && OfDriver(InstanceOf(other), e.driver) &&
          topology_.devices[other].bus == topology_.devices[device].bus) {
        arguments.insert(arguments.end(), {other, InstanceOf(other)});
        break;
      }
  RC_ASSERT(actions_.at(kAllocType1ByBus).parameters.size() == arguments.size());
  Do(kAllocType1ByBus, arguments);
}

void Shadow::Attach(const Op& op, const Event& e, const State& before) {
  if (e.error != 0) return;
  const int x = elements_[e.domain];
  RC_ASSERT(x >= 0);
  const std::vector<int> arguments = {e.device, e.group, InstanceOf(e.device), x};
  if (e.type == DomainType::kPaging && !machine_.Holds(kType1Domain, {e.group, x})) {
    const int container = op.kind == OpKind::kSetContainer ? op.b : op.a;
    int holder = 0;
    while (holder < machine_.size(Sort::kGroup) &&
           !(machine_.Holds(kInContainer, {holder, container}) &&
             machine_.Holds(kType1Domain, {holder, x})))
      ++holder;
    RC_ASSERT(holder < machine_.size(Sort::kGroup));
    const int first = before.groups[e.group].devices;
    Do(kTryType1, {first, e.group, InstanceOf(first), x, fresh_, holder, container});
  }
  // A group may still be on a domain that is freed: use the role that it had.
  if (machine_.Holds(kType1Domain, {e.group, x})) return Do(kAttachType1, arguments);
  if (machine_.Holds(kDefaultDomain, {e.group, x})) return Do(kAttachDefault, arguments);
  Do(kAttachBlocking, arguments);
}

void Shadow::EndGroup(GroupId group, const State& after) {
  const GroupState& g = after.groups[group];
  for (int x = 0; x < machine_.size(Sort::kDomain); ++x) {
    const auto is = [&](DomainId d) { return d != kNoId && elements_[d] == x; };
    if (machine_.Holds(kType1Domain, {group, x}) && !is(g.domain) && !is(g.vfio_domain))
      Do(kLeaveType1, {group, x});
  }
  const int container = machine_.ValueOf(kInContainer, group);
  const int in = g.container == kNoId ? -1 : g.container;
  if (container != in && container >= 0) Do(kLeaveContainer, {group, container});
  if (container != in && in >= 0) Do(kEnterContainer, {group, in});
  if (!g.live) FreeIfLeft(group);
}

void Shadow::End(const Op& op, const State& after) {
  // Slots that were claimed without a probe.
  for (int bus = 0; bus < kBusCount; ++bus)
    if (after.bus_ops[bus] != kNoId && machine_.ValueOf(kBusOps, bus) != after.bus_ops[bus])
      ClaimBus(bus, op.a);
  const auto listed = [&](int instance) {
    const auto list = std::span(after.registered).first(after.registered_count);
    return std::ranges::find(list, instance) != list.end();
  };
  for (int i = 0; i < topology_.instances_count; ++i)
    if (machine_.Holds(kRegistered, {i}) && !listed(i)) Do(kUnregister, {i});
  for (int bus = 0; bus < kBusCount; ++bus)
    if (after.bus_ops[bus] == kNoId && machine_.ValueOf(kBusOps, bus) >= 0) Do(kClearBusOps, {bus});
  for (int g = 0; g < machine_.size(Sort::kGroup); ++g) EndGroup(static_cast<GroupId>(g), after);
  if (machine_.Holds(kAttaching, {})) Do(kReturn, {});
}

void Shadow::ExpectSame(const State& after) {
  const auto same = [](int shadow, uint8_t model) {
    RC_ASSERT(shadow == (model == kNoId ? -1 : model));
  };
  for (int i = 0; i < topology_.instances_count; ++i) {
    const auto list = std::span(after.registered).first(after.registered_count);
    RC_ASSERT(machine_.Holds(kRegistered, {i}) == (std::ranges::find(list, i) != list.end()));
    same(machine_.ValueOf(kInstanceGroup, i), after.instance_group[i]);
  }
  for (int bus = 0; bus < kBusCount; ++bus)
    same(machine_.ValueOf(kBusOps, bus), after.bus_ops[bus]);
  for (int d = 0; d < topology_.devices_count; ++d) {
    const DeviceState& device = after.devices[d];
    same(InstanceOf(d), device.instance);
    same(machine_.ValueOf(kInGroup, d), device.group);
    RC_ASSERT(machine_.ValueOf(kAttached, d) == (device.hw == kNoId ? -1 : elements_[device.hw]));
  }
  RC_ASSERT(after.groups_end <= machine_.size(Sort::kGroup));
  for (GroupId g = 0; g < after.groups_end; ++g) {
    const GroupState& group = after.groups[g];
    same(machine_.ValueOf(kInContainer, g), group.container);
    // The abstraction allows a group more domains than it is on, never fewer.
    const auto has = [&](DomainId domain, std::initializer_list<Relation> as) {
      if (domain == kNoId) return;
      RC_ASSERT(elements_[domain] >= 0);
      const bool told = std::ranges::any_of(
          as, [&](Relation relation) { return machine_.Holds(relation, {g, elements_[domain]}); });
      RC_ASSERT(told);
    };
    has(group.default_domain, {kDefaultDomain});
    has(group.blocking_domain, {kBlockingDomain});
    has(group.vfio_domain, {kType1Domain});
    has(group.domain, {kDefaultDomain, kBlockingDomain, kType1Domain});
  }
  for (const prove::Formula& axiom : axioms_) RC_ASSERT(machine_.Satisfies(axiom));
  for (size_t n = 0; n < lemmas_.size(); ++n)
    if (!machine_.Satisfies(lemmas_[n])) RC_FAIL("after a step not: " + lemma_texts_[n]);
}

void Shadow::Follow(const StepView& step) {
  const auto& [topology, op, result, before, after, events] = step;
  violated_ = {};
  if (op.kind == OpKind::kRegister) BeginRegister(op.a, before, events);
  for (size_t n = 0; n < events.size(); ++n) {
    const Event& e = events[n];
    switch (e.kind) {
      case Event::Kind::kAttachGroup:
        Do(kBeginType1Attach, {});
        break;
      case Event::Kind::kProbe:
        Probe(e);
        break;
      case Event::Kind::kRelease:
        Release(e);
        break;
      case Event::Kind::kAlloc:
        if (e.error == 0) Allocate(op, events.subspan(n), before, after);
        break;
      case Event::Kind::kAttachDev:
        Attach(op, e, before);
        break;
      case Event::Kind::kDetachDev:
        Do(kDetach, {e.device});
        break;
      default:
        break;  // these are no actions, or belong to ops that are not encoded
    }
  }
  End(op, after);
  ExpectSame(after);
  for (const Property property : kEncodedProperties)
    if (FindViolation(property, events) != nullptr) RC_ASSERT(Violated(property));
}

// Follows a run in the abstraction of the kernel, or of a family that contains it.
void FollowRun(const Scenario& s, const prove::KernelFamily& family,
               std::span<const prove::Lemma> lemmas) {
  Shadow shadow(family, s.topology);
  shadow.Watch(lemmas);
  ForEachStep(s, [&](const StepView& step) {
    if (step.result.outcome == Outcome::kDone) shadow.Follow(step);
  });
}

RC_GTEST_PROP(Abstraction, AllowsWhatTheModelDoes, ()) {
  // Several at once, as the cases of proofs are slow and rare actions need many runs.
  for (int n = 0; n < 10; ++n) {
    const Scenario s = *Scenarios(DrawPatchedKernel);
    FollowRun(s, ProfileOf(s.kernel), {});
  }
}

// The family may have rules that the kernel lacks, and may lack some that it has.
RC_GTEST_PROP(Abstraction, OfAFamilyAllowsWhatEachOfItsKernelsDoes, ()) {
  for (int n = 0; n < 10; ++n) {
    const Scenario s = *Scenarios(DrawPatchedKernel);
    prove::KernelFamily family = ProfileOf(s.kernel);
    for (const RuleInfo& info : EncodedRuleInfos()) {
      if (!*rc::gen::arbitrary<bool>()) continue;
      family.open.add(info.rule);
      family.profile.rules.add(info.rule);
    }
    FollowRun(s, family, {});
  }
}

// A guard that was never evaluated would pass every test.
TEST(Abstraction, EveryActionWasTaken) {
  for (const KernelVersion version : kKernelVersions) {
    KernelProfile kernel = ProfileOf(version);
    kernel.rules.drop(Rule::kAssumeAddressNotReused).drop(Rule::kRegisterStickyOps);
    for (const Action& action : prove::ActionsOf(kernel))
      EXPECT_GT((Taken()[{kernel.era, action.kind}]), 0)
          << EraName(kernel.era) << ": " << action.name;
  }
}

// The invariant that is found for a promise of a version; computed once.
const std::vector<prove::Lemma>& InvariantOf(KernelVersion version, Property property) {
  static std::map<std::pair<KernelVersion, Property>, std::vector<prove::Lemma>> found;
  const auto [it, first] = found.try_emplace({version, property});
  if (first) {
    const auto proof = prove::Prove(property, ProfileOf(fuzzing::PromisedKernel(version, {})), 0);
    if (proof.ok()) it->second = proof->invariant;
  }
  return it->second;
}

RC_GTEST_PROP(Invariant, HoldsAfterEveryActionOfAPromisedKernel, ()) {
  const Scenario s = *Scenarios(DrawPromisedKernel);
  for (const Property property : kEncodedProperties) {
    const std::vector<prove::Lemma>& invariant = InvariantOf(s.kernel.version, property);
    RC_ASSERT(!invariant.empty());
    FollowRun(s, ProfileOf(s.kernel), invariant);
  }
}

// Kernels with random patches, not only those that are expected to hold.
TEST(Proof, OfAPatchedKernelIsOfNoRunThatViolates) {
  Words words(1);
  int proved = 0;
  for (int n = 0; n < 20; ++n) {
    const KernelSpec spec = DrawPatchedKernel(words);
    const KernelProfile kernel = ProfileOf(spec);
    for (const Property property : kEncodedProperties) {
      const auto proof = prove::Prove(property, kernel, 0);
      ASSERT_TRUE(proof.ok()) << proof.status();
      if (!proof->proved) continue;
      ++proved;
      for (int run = 0; run < 500; ++run) {
        const Scenario s = DrawScenario(words, [&](Words&) { return spec; }, {});
        ForEachStep(s, [&](const StepView& step) {
          ASSERT_EQ(FindViolation(property, step.events), nullptr)
              << PrintCase(Asserted(ToCase(s), iommucheck::Play(ToCase(s))));
        });
      }
    }
  }
  EXPECT_GT(proved, 5);
}

}  // namespace
}  // namespace iommucheck
