// SPDX-License-Identifier: Apache-2.0
//
// The kernel as a transition system over machines of every size: what docs/model.md allows, and
// more where the comments say ABSTRACTION. An action is one change that a step of the model can
// make, guarded by the rules of the profile; a step is a sequence of actions. What a property needs
// is proved action by action.
//
// ABSTRACTION: which of its domains a group is on is not told. Any device of a group may be put at
// any time on the group's default or blocking domain, or on one that type1 put up for it. So these
// rules guard nothing here: core.attach_busy, core.attach_rollback, core.rollback_failing,
// core.rollback_reattach, core.detach_nofail, vfio.leave_on_last.
// ABSTRACTION: fwspecs, presence, firmware kinds and claims of drivers are not told. Any registered
// instance that the machine puts a device behind may serve it, a driver may claim any bus, and a
// device may be probed at any time. So these guard nothing: probe.dma_configure,
// fwspec.one_driver, fwspec.free_on_error, firmware.dt_xor_acpi, assume.drivers_compete_for_a_bus.
// ABSTRACTION: cache coherency is not told; a domain is tried whatever it is. So these guard
// nothing: vfio.cache_coherency, type1.same_coherency, type1.enforce_coherency.
// ABSTRACTION: which device of a group is the first is not told; where the kernel asks the first,
// any device of the group may answer.
// ABSTRACTION: why an instance unregisters or a device is released is not told, be it on request or
// since a register or a probe failed. So assume.no_unregister_when_attached and
// assume.no_unregister_while_serving guard nothing.
// Where a family leaves a rule open, actions may do what any of its kernels does.
// ABSTRACTION: freed domains stay allocated; a group may be left with one that is gone.
#pragma once

#include <string_view>
#include <vector>

#include "src/prove/family.h"
#include "src/prove/formula.h"

namespace iommucheck::prove {

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
  // What must hold before the action for `f` to hold after it.
  [[nodiscard]] Formula Before(const Formula& f) const;
};

// The first actions' variables have ids below, bound ones up to kLemmaVariables.
inline constexpr uint8_t kLemmaVariables = 20;

std::vector<Action> ActionsOf(const KernelFamily& kernel);

// The formula about the state at boot: nothing is registered, probed or allocated.
Formula AtBoot(const Formula& f);

// The lemma's variables apart from those of actions.
Formula Apart(const Formula& lemma);

// What holds of every machine that the assumptions of the profile allow, as closed formulas.
std::vector<Formula> AxiomsOf(const KernelFamily& kernel);

}  // namespace iommucheck::prove
