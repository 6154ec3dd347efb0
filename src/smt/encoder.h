// SPDX-License-Identifier: Apache-2.0
//
// The kernel that docs/model.md describes, over bits. Functions are named after the kernel
// functions that they encode; each takes the condition under which it runs and changes the state in
// place where the condition holds. The parts, encode_*.cc, are named after those of model/.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "model/op.h"
#include "model/properties.h"
#include "model/rules.h"
#include "src/case/encoded.h"
#include "src/smt/symbolic_state.h"

namespace iommucheck::smt {

// A kernel whose rules are bits: constants of a given kernel, or inputs where the solver is to say
// which rules a patch drops.
class SymbolicProfile {
 public:
  explicit SymbolicProfile(const KernelProfile& kernel) : era_(kernel.era) {
    for (const RuleInfo& info : AllRules()) Set(info.rule, kernel.has(info.rule));
  }
  void Set(Rule rule, Bit present) { rules_[static_cast<size_t>(rule)] = present; }
  [[nodiscard]] Bit has(Rule rule) const { return rules_[static_cast<size_t>(rule)]; }
  [[nodiscard]] bool may_have(Rule rule) const { return !has(rule).is_false(); }
  [[nodiscard]] Era era() const { return era_; }

 private:
  Era era_;
  std::array<Bit, kRuleCount> rules_;
};

// The errnos that the modelled functions return, and their numbers.
enum class Errno : uint8_t { kPerm, kNoEnt, kIo, kFault, kBusy, kNoDev, kInval, kProbeDefer };
inline constexpr std::array<int, 8> kErrnoNumbers = {1, 2, 5, 14, 16, 19, 22, 517};

// A result: at most one errno holds; none is success.
class Result {
 public:
  [[nodiscard]] Bit failed() const { return Any(codes_); }
  [[nodiscard]] Bit is(Errno e) const { return codes_[static_cast<size_t>(e)]; }
  void Fail(Bit condition, Errno e) { codes_[static_cast<size_t>(e)] |= condition; }
  // Where the function still goes on, it fails for this reason.
  void Stop(Bit& go, Bit reason, Errno e) {
    Fail(go & reason, e);
    go &= ~reason;
  }
  // Takes over the other's errno; the conditions of the two must exclude each other.
  void Merge(const Result& other) { codes_ = Or(codes_, other.codes_); }
  void Drop(Bit condition) { codes_ = And(~condition, codes_); }
  // The value in a replay, where all bits are constants.
  [[nodiscard]] int Constant() const;

 private:
  Bits codes_ = Zeros(static_cast<int>(kErrnoNumbers.size()));
};

struct SymbolicOp {
  Bits kind = Zeros(kEncodedOpCount);
  Bits instance;
  Bits device;
  Bits group;
  Bits container;
  [[nodiscard]] Bit is(OpKind k) const { return kind[EncodedIndex(k)]; }
};

// The constants of a concrete op.
SymbolicOp ConstantOp(const Op& op, const Sizes& sizes);

// The result of a step besides the next state.
struct StepBits {
  Result result;
  Bit impossible;     // no kernel, driver or admin can take it
  Bit outside;        // an assumption about steps says that it does not happen
  Bit out_of_groups;  // it needs more groups at once than Sizes allows
  // The circuit goes through the devices of a bus by their numbers. That is no longer their order:
  // an `add` has put a device after one with a higher number. Where the layout is known: the order
  // may decide the outcome of a search for a group.
  Bit reorders;
  Bit no_effect;  // it surely changes nothing that a later step can see
  std::array<Bit, kEncodedPropertyCount> violated;
};

// One group as the functions that work on it see it: read by Load(), written back by Store().
struct GroupView {
  Bits selected;  // which group it is
  SymbolicGroup group;
  Bits members;         // its devices
  Bits first;           // the one that joined earliest
  SymbolicType1 fresh;  // the new domain of a type1 attach in progress
};

class Encoder {
 public:
  Encoder(const SymbolicProfile& kernel, SymbolicTopology topology, const Sizes& sizes,
          Layout layout = {});
  StepBits Step(const SymbolicOp& op);
  [[nodiscard]] const SymbolicState& state() const { return state_; }
  // Facts that hold in every state (invariants.cc).
  [[nodiscard]] std::vector<Bit> Invariants() const;
  // Facts that hold in every state before which no step violated no-cross-driver-attach.
  [[nodiscard]] std::vector<Bit> InvariantsWhileAttachHolds() const;

 private:
  void GroupInvariants(int group, std::vector<Bit>& facts) const;

  // encode_step.cc
  [[nodiscard]] Bit GroupExists(int group) const;
  [[nodiscard]] Bit LastInContainer(int device, int group) const;
  [[nodiscard]] Bit Impossible(const SymbolicOp& op) const;
  [[nodiscard]] Bit Loaded(int driver) const;
  [[nodiscard]] Bit LoadedElsewhere(const SymbolicOp& op) const;
  void Unregister(const SymbolicOp& op);
  void Remove(const SymbolicOp& op);
  Bits Add(const SymbolicOp& op);
  Bits Configure(const SymbolicOp& op);

  void CloseFiles();
  void ClearGone();

  // encode_iommu_probe.cc
  // A place in a walk of the devices: the device comes there if the guard holds.
  struct Turn {
    int device;
    Bit guard;
  };
  [[nodiscard]] std::vector<Turn> Turns() const;
  [[nodiscard]] Bits DriverOf(const Bits& instances) const;
  [[nodiscard]] Bit SameAddress(const Bits& driver, const Bits& other) const;
  [[nodiscard]] Bit ProbedOn(Bus bus) const;
  void SetSlot(Bit condition, Bus bus, const Bits& driver);
  void TakeOverSlots(Bit condition, const Bits& driver);
  void UnlistInstance(Bit condition, const Bits& instance);
  void RegisterAndProbe(const SymbolicOp& op, const Bits& hotplugged);
  void RegisterBusSlots(Bit condition, const Bits& instance, const Bits& driver,
                        const Bits& hotplugged);
  [[nodiscard]] Bit ClaimsLater(const Bits& driver) const;
  [[nodiscard]] Bit Claims(const Bits& driver, Bus bus, Claim claim) const;
  Result ClaimBus(Bit condition, Bus bus, const Bits& driver, const Bits& hotplugged);
  [[nodiscard]] Bits NamespaceDevices(Bit condition, Bus bus, const Bits& driver) const;
  Result BusSetIommu(Bit condition, Bus bus, const Bits& driver, const Bits& hotplugged,
                     const Bits& stored);
  Result BusIommuProbe(Bit condition, Bus bus, const Bits& hotplugged, const Bits& stored);
  void SetUpDefaults(Bit condition, Bus bus, const Bits& probed, Result& result);
  Result FirmwareDescription(Bit condition, int device);
  [[nodiscard]] Bits LoadedAt(const Bits& driver) const;
  Bits ProbeOps(Bit condition, int device, Bus bus);
  [[nodiscard]] Bits ProbeInstance(int device, const Bits& ops) const;
  void AliasGroup(Bit condition, int device, unsigned path, Bits& seen, Bits& found) const;
  void FunctionGroup(Bit condition, int device, unsigned path, Bits& seen, Bits& found) const;
  [[nodiscard]] Bits RelatedGroup(int device) const;
  Bits DeviceGroup(Bit condition, int device, const Bits& instance, const Bits& ops);
  [[nodiscard]] Bit SearchTellsOrder(int device) const;
  Result ProbeDevice(Bit condition, int device, Bus bus);
  void FinishHotplug(const Bits& probed, Result& result);
  void ReleaseDevice(Bit condition, int device);
  [[nodiscard]] Bit Grouped(int device) const { return Any(state_.devices[device].group); }

  // encode_iommu_domain.cc
  [[nodiscard]] GroupView Load(const Bits& selected) const;
  void Store(Bit condition, const GroupView& view);
  [[nodiscard]] DomainRef Default(const GroupView& view) const;
  [[nodiscard]] DomainRef Blocking(const GroupView& view) const;
  [[nodiscard]] DomainRef New(const GroupView& view) const;
  [[nodiscard]] DomainRef Type1Domain(const Bits& slot) const;
  [[nodiscard]] Bits FirstDriver(const GroupView& view) const;
  [[nodiscard]] Bits BoundTo(const GroupView& view, const DomainRef& ref) const;
  void Bind(Bit condition, GroupView& view, const DomainRef& ref, const Bits& instance);
  [[nodiscard]] Bit FirstOn(const GroupView& view, Bus bus) const;
  [[nodiscard]] Bits SlotOfFirst(const GroupView& view) const;
  [[nodiscard]] Bits BusDriverOfFirst(const GroupView& view) const;
  [[nodiscard]] Bits BusDriver(const GroupView& view) const;
  struct Attached {
    Bits done;     // devices whose attach_dev succeeded
    Bits failing;  // devices whose attach_dev failed
    Bit failed;
  };
  Attached AttachDevices(Bit condition, GroupView& view, const Bits& members, const DomainRef& ref,
                         bool stop_at_error);
  Bit SetMustSucceed(Bit condition, GroupView& view, const Bits& members, const DomainRef& target);
  Bit SetPlainly(Bit condition, GroupView& view, const DomainRef& target);
  [[nodiscard]] Bit HasDefaultDomains(const Bits& driver) const;
  void SetPlatformDma(Bit condition, const Bits& devices);
  Bit GroupSetDomain(Bit condition, GroupView& view, const DomainRef& target, Bit must_succeed,
                     bool test_same = true);
  void GroupSetCoreDomain(Bit condition, GroupView& view);
  Bit SetupDefaultDomain(Bit condition, GroupView& view);
  Bit AllocDefaultDomain(Bit condition, GroupView& view, const Bits& driver);
  Result AttachGroup(Bit condition, GroupView& view, const DomainRef& domain);
  Result ClaimDmaOwner(Bit condition, GroupView& view);
  void ReleaseDmaOwner(Bit condition, GroupView& view);

  // encode_vfio_container.cc
  [[nodiscard]] Bit AskedCoherent(int device) const;
  [[nodiscard]] Bit VfioHas(int device, int group) const;
  [[nodiscard]] Bit Registers(int device, int group) const;
  [[nodiscard]] Bit HasVfioDevice(const Bits& group) const;
  void StayVfios(Bit condition, int device);
  void LeaveContainer(Bit condition, const Bits& group);
  Result ContainerOps(const SymbolicOp& op);
  Result SetContainerChecks(Bit condition, GroupView& view);
  void UndoType1Attach(Bit condition, const Bits& groups);

  // encode_vfio_type1.cc
  void FreeUnusedType1();
  Result Type1Attach(Bit condition, GroupView& view, const Bits& container);
  Result Type1Alloc(Bit condition, GroupView& view);
  [[nodiscard]] Bit MsiUnanswered(const GroupView& view) const;
  [[nodiscard]] Bit Type1Coherent(const GroupView& view) const;
  [[nodiscard]] Bit Compatible(const GroupView& view, int slot) const;
  Result ReuseDomain(Bit& condition, GroupView& view, const Bits& container);
  void FreeNew(Bit condition, GroupView& view);
  void KeepNew(Bit condition, GroupView& view, const Bits& container);

  [[nodiscard]] Bit has(Rule rule) const { return kernel_.has(rule); }
  [[nodiscard]] bool fwnode_era() const { return kernel_.era() == Era::kFwnode; }
  [[nodiscard]] bool sets_up_groups() const { return SetsUpGroups(kernel_.era()); }
  [[nodiscard]] Bit HasBus(Bus bus) const { return sets_up_groups() || bus != Bus::kCdx; }

  SymbolicProfile kernel_;
  SymbolicTopology topology_;
  Sizes sizes_;
  Layout layout_;
  SymbolicState state_;
  std::vector<std::vector<Bit>> same_address_;  // of the ops of two drivers
  // By driver: attach_dev refuses domains of other instances, and devices of other drivers.
  Bits tests_instance_;
  Bits refuses_foreign_;
  bool tests_any_ = false;   // whether some driver may test instances
  bool can_refuse_ = false;  // whether any attach may fail
  bool in_type1_attach_ = false;
  std::vector<int> order_;  // devices as bus_for_each_dev() comes to them
  int most_contained_ = 0;  // groups that can be in containers by now
  int most_added_ = 0;      // devices that can have been added by now
  StepBits step_;           // of the step being encoded
};

}  // namespace iommucheck::smt
