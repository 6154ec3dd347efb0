// SPDX-License-Identifier: Apache-2.0
//
// The kernel as a transition system over machines of every size: all that docs/model.md allows, and
// more where the comments say ABSTRACTION. An action is one change that a step of the model can
// make, guarded by the rules of the profile; a step is a sequence of actions. A property is proved
// action by action.
//
// ABSTRACTION: which of its domains a group is on is left out. Any device of a group may be put at
// any time on the group's default or blocking domain, or on one that type1 put up for it. So these
// rules guard nothing here: core.attach_busy, core.attach_rollback, core.rollback_failing,
// core.rollback_reattach, core.detach_nofail, vfio.leave_on_last, vfio.wait_on_last.
// ABSTRACTION: fwspecs, presence, firmware kinds and claims of drivers are left out. Any registered
// instance that the machine puts a device behind may serve it, a driver may claim any bus, and a
// device may be probed at any time. So these guard nothing: probe.dma_configure,
// fwspec.one_driver, fwspec.free_on_error, firmware.dt_xor_acpi, assume.drivers_compete_for_a_bus.
// ABSTRACTION: cache coherency is left out; a domain is tried whatever it is. So these guard
// nothing: vfio.cache_coherency, type1.same_coherency, type1.enforce_coherency.
// ABSTRACTION: which device of a group is the first is left out; where the kernel asks the first,
// any device of the group may answer.
// ABSTRACTION: why an instance unregisters or a device is released is left out: on request, or
// because a register or a probe failed. So assume.no_unregister_when_attached and
// assume.no_unregister_while_serving guard nothing.
// Where a family leaves a rule open, actions may do all that any of its kernels does.
// ABSTRACTION: freed domains stay allocated; a group may be left with one that is gone.
#pragma once

#include <string_view>
#include <vector>

#include "model/rules.h"
#include "src/prove/formula.h"

namespace iommucheck::prove {

// A kernel, and every kernel that a patch makes of it by dropping some of the rules `open`. A proof
// about a family is one about each kernel in it.
struct KernelFamily {
  KernelFamily(const KernelProfile& kernel,
               RuleSet open_rules = {})  // NOLINT: a kernel is a family
      : profile(kernel), open(open_rules) {}
  // Whether all kernels of the family have the rule, or some.
  [[nodiscard]] bool has(Rule rule) const { return profile.has(rule) && !open.has(rule); }
  [[nodiscard]] bool may_have(Rule rule) const { return profile.has(rule); }

  KernelProfile profile;
  RuleSet open;
};

enum class ActionKind : uint8_t {
  kRegister,            // instance
  kUnregister,          // instance
  kAdoptBusOps,         // bus, driver before, instance
  kClaimBus,            // bus, instance: bus_set_iommu(), iommu_device_register()
  kStoreBusOps,         // bus, instance
  kClearBusOps,         // bus
  kShareGroup,          // instance, group
  kProbeNewGroup,       // device, group, instance
  kProbeInstanceGroup,  // device, group, instance
  kProbeRelated,        // device, group, instance, related device, its instance
  kRelease,             // device
  kEmptyGroup,          // group
  kFreeGroup,           // group
  kAllocDefault,        // device, group, instance, domain
  kAllocBlocking,       // device, group, instance, domain
  kBeginType1Attach,    // none
  kAllocType1,          // device, group, instance, domain
  kAllocType1ByBus,     // device, group, instance, domain, from 6.8 other device, its instance
  kTryType1,            // device, group, instance, domain, fresh domain, other group, container
  kAttachDefault,       // device, group, instance, domain
  kAttachBlocking,      // device, group, instance, domain
  kAttachType1,         // device, group, instance, domain
  kLeaveType1,          // group, domain
  kDetach,              // device
  kEnterContainer,      // group, container
  kLeaveContainer,      // group, container
  kReturn,              // none
};

struct Update {
  Relation relation;
  std::vector<Variable> formals;  // the tuple ..
  Formula after;                  // .. is in the relation after the action where this holds before
};

struct Action {
  ActionKind kind;
  std::string_view name;  // in kernel words
  std::vector<Variable> parameters;
  Formula guard;
  std::vector<Update> updates;

  [[nodiscard]] bool Changes(const Formula& f) const;
  // The weakest precondition: it holds before the action exactly where `f` holds after it.
  [[nodiscard]] Formula Before(const Formula& f) const;
};

// Ids of variables: those of actions are below this one, those of a lemma that Apart() has renamed
// begin with it.
inline constexpr uint8_t kLemmaVariables = 20;

std::vector<Action> ActionsOf(const KernelFamily& kernel);

// The formula about the state at boot: nothing is registered, probed or allocated.
Formula AtBoot(const Formula& f);

// The lemma with its variables renamed, so that none is a variable of an action.
Formula Apart(const Formula& lemma);

// Closed formulas that hold of every machine that the assumptions of the profile allow.
std::vector<Formula> AxiomsOf(const KernelFamily& kernel);

}  // namespace iommucheck::prove
