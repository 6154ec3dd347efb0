// SPDX-License-Identifier: Apache-2.0
//
// The machines and runs that a query looks at, as inputs of a circuit; docs/solver.md says in words
// what is in and what is left out.
#pragma once

#include <bitset>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "model/properties.h"
#include "src/case/case.h"
#include "src/case/encoded.h"
#include "src/smt/encoder.h"
#include "src/smt/inputs.h"
#include "src/smt/query.h"
#include "src/smt/symbolic_profile.h"

namespace iommucheck::smt {

// What a violation takes: a register of each of two drivers, and to reuse a domain two
// set-container and a set-iommu, one of these last. StepsNeeded() counts them; the other steps of a
// run are to spare. props/judges_props.cc tests it.
bool Needed(Property property, OpKind kind);

using OpKinds = std::bitset<kEncodedOpCount>;

// The runs of a space: those of so many steps that may violate the property at the last one.
struct Runs {
  Property property = Property::kNoCrossDriverAttach;
  int steps = 0;          // StepsNeeded() at least
  OpKinds spare{};        // what the steps to spare may be
  std::vector<Op> ops{};  // given: this run alone
  // Given: no step of the run violates the property on this kernel, too, up to one that it does not
  // take: that is not possible there, or outside of its assumptions. Machines are within the
  // assumptions of both kernels.
  std::optional<KernelSpec> refusing{};
  bool taken = false;  // the refusing kernel takes every step
};

// The op of the one container that a model of the solver stands for (decode.cc).
Op OpOf(const SymbolicOp& op, const std::function<bool(Bit)>& value);

class SearchSpace : public Inputs {
 public:
  // Machines of so many devices, and the kernel with any of the rules `open` dropped.
  SearchSpace(const KernelSpec& kernel, RuleSet open, int devices, const Runs& runs);

  [[nodiscard]] const SymbolicProfile& kernel() const { return kernel_; }
  [[nodiscard]] const Sizes& sizes() const { return sizes_; }
  [[nodiscard]] const SymbolicTopology& topology() const { return topology_; }
  // What every machine of the space fulfils.
  [[nodiscard]] const std::vector<Bit>& constraints() const { return constraints_; }

  // The op of the next step; what it must fulfil is added to `constraints`.
  SymbolicOp NextOp(std::vector<Bit>& constraints);

  // Bits that a machine with plain attributes has set, the most telling first.
  [[nodiscard]] std::vector<Bit> Preferences() const;

  // What tells one run from another, and on which bus each device is.
  [[nodiscard]] std::vector<Bit> RunAndBuses() const;
  // What holds devices and instances together: who is behind what, of two which one first, aliases
  // and shared slots. A machine without one of these has less in it.
  [[nodiscard]] std::vector<Bit> Links() const;

  // The run and the case that a model of the solver stands for.
  using Value = std::function<bool(Bit)>;
  [[nodiscard]] std::vector<Op> Ops(const Value& value) const;
  [[nodiscard]] KernelSpec DecodeKernel(const Value& value) const;
  [[nodiscard]] Case Decode(const Value& value) const;

 private:
  [[nodiscard]] Bit EitherHas(Rule rule) const;
  [[nodiscard]] bool HasEra(Era era) const;
  Bit InputWithout(Rule rule, std::string name);
  Bits AtMostOne(int size, const std::string& name);
  void OpenRules(RuleSet open);
  void MakeDrivers();
  void MakeInstances();
  void MakeDevices();
  void RelateDevices();
  void AssumeOfTopology();
  [[nodiscard]] bool MayBe(OpKind kind, int step) const;
  [[nodiscard]] bool Spare(OpKind kind) const {
    return spare_ > 0 && runs_.spare[static_cast<size_t>(kind)];
  }
  [[nodiscard]] std::vector<bool> Instances() const;
  void CountNeeded(std::vector<Bit>& constraints);

  KernelSpec spec_;
  SymbolicProfile kernel_;
  std::optional<KernelProfile> refusing_;  // that of runs_
  Runs runs_;
  int spare_;  // steps besides the needed ones
  Sizes sizes_;
  SymbolicTopology topology_;
  std::vector<Bit> constraints_;
  std::vector<Bits> alias_;     // a device: the device it aliases
  std::vector<Bits> slot_;      // a device: its slot
  std::vector<Bit> own_table_;  // an instance: it has another table than its driver
  Bit same_address_;            // the ops of the two drivers lie at one address
  Bit default_table_shared_;
  std::vector<SymbolicOp> ops_;
  Bits ever_registered_;  // by instance
  // Of what a violation needs, whether there was one yet; see CountNeeded().
  Bits had_needed_;
};

}  // namespace iommucheck::smt
