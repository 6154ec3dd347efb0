// SPDX-License-Identifier: Apache-2.0
#include "src/smt/search_space.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace iommucheck::smt {
namespace {

// Two drivers with two instances each: a violation is between two drivers, and two instances show
// all that a driver does across its own.
constexpr int kDrivers = 2;
constexpr int kInstances = 4;
// One default table for each driver, and one more that instances may have.
constexpr int kTables = 3;
constexpr int kExtraTable = 2;

using enum OpKind;

}  // namespace

SearchSpace::SearchSpace(const KernelSpec& kernel, RuleSet open, int devices, const Runs& runs)
    : RunSpace(runs, /*registers=*/1),
      spec_(kernel),
      kernel_(ProfileOf(kernel)),
      refusing_(runs.refusing ? std::optional(ProfileOf(*runs.refusing)) : std::nullopt),
      ever_registered_(Zeros(kInstances)) {
  for (const RuleInfo& info : AllRules())
    if (open.has(info.rule))
      kernel_.Set(info.rule, Input(absl::StrCat("rule.", std::string(info.id))));
  // Each group in a container took a step, besides the registers and, to reuse, a set-iommu.
  const bool reuse = runs.property == Property::kNoCrossDriverReuse;
  int contained = runs.steps - kDrivers - (reuse ? 1 : 0);
  if (!runs_.Spare(kSetContainer)) contained = reuse ? 2 : 0;
  // A group can outlive its devices where they can go, or a register can fail half-way.
  const bool empty_groups = runs_.Spare(kRemove) || runs_.Spare(kUnregister) ||
                            !EitherHas(Rule::kCoreOwnerEvery).is_false() ||
                            !EitherHas(Rule::kDriverSameInstance).is_false();
  sizes_ = {.drivers = kDrivers,
            .tables = kTables,
            .instances = kInstances,
            .devices = devices,
            .groups = devices + (empty_groups ? 1 : 0),
            .type1 = std::min(contained, devices + 1),
            .containers = 1};
  topology_.tables = kTables;
  topology_.buses = {Bus::kPlatform, Bus::kPci};
  MakeDrivers();
  MakeInstances();
  MakeDevices();
  RelateDevices();
  AssumeOfTopology();
}

// Whether either kernel has it.
Bit SearchSpace::EitherHas(Rule rule) const {
  return kernel_.has(rule) | (refusing_ && refusing_->has(rule));
}
bool SearchSpace::HasEra(Era era) const {
  return kernel_.era() == era || (refusing_ && refusing_->era == era);
}

Bits SearchSpace::AtMostOne(int size, const std::string& name) {
  Bits bits;
  for (int i = 0; i < size; ++i) {
    bits.push_back(Input(absl::StrFormat("%s.%d", name, i)));
    for (int j = 0; j < i; ++j) constraints_.push_back(~(bits[i] & bits[j]));
  }
  return bits;
}

// An input, unless the kernel surely has the rule, and false where it has.
Bit SearchSpace::InputWithout(Rule rule, std::string name) {
  const Bit without = ~EitherHas(rule);
  return without.is_false() ? Bit(false) : without & Input(std::move(name));
}

void SearchSpace::MakeDrivers() {
  same_address_ = InputWithout(Rule::kAssumeAddressNotReused, "same_address");
  default_table_shared_ = InputWithout(Rule::kAssumeTablesNotShared, "default_table_shared");
  for (int r = 0; r < kDrivers; ++r) {
    SymbolicDriver driver;
    const std::string its = absl::StrFormat("driver%d.", r);
    for (Bus bus : topology_.buses) {
      auto& claims = driver.claims[static_cast<size_t>(bus)];
      if (HasEra(Era::kBusSlots)) {
        const Bits chosen =
            AtMostOne(kClaimCount - 1, absl::StrCat(its, "claims.", static_cast<int>(bus)));
        claims[0] = None(chosen);
        std::ranges::copy(chosen, claims.begin() + 1);
      } else {
        // Later kernels never ask; strict keeps the drivers competing.
        claims[static_cast<size_t>(Claim::kStrict)] = true;
      }
    }
    if (HasEra(Era::kBusSlots)) {
      driver.claims_once = Input(its + "claims_once");
      driver.unwinds = Input(its + "unwinds");
      driver.clears = Input(its + "clears");
    }
    if (HasEra(Era::kBusSlots) || HasEra(Era::kSingleDriver) || HasEra(Era::kGroupSetup))
      driver.default_domains = ~Input(its + "no_default_domain");
    driver.instance_groups = Input(its + "instance_groups");
    driver.coherent = ~Input(its + "not_coherent");
    driver.accepts_foreign =
        InputWithout(Rule::kAssumeProbeRejectsForeign, its + "accepts_foreign");
    driver.address = Zeros(kDrivers);
    driver.table = Zeros(kTables);
    // Driver 1 may lie where driver 0 lay, table and all.
    const Bit moved = r == 1 ? same_address_ : Bit(false);
    driver.address[0] = r == 0 ? Bit(true) : moved;
    driver.address[1] = ~driver.address[0];
    driver.table[0] = driver.address[0] | (r == 1 ? default_table_shared_ : Bit(false));
    driver.table[1] = ~driver.table[0];
    topology_.drivers.push_back(driver);
  }
}

void SearchSpace::MakeInstances() {
  for (int i = 0; i < kInstances; ++i) {
    const std::string its = absl::StrFormat("instance%d.", i);
    SymbolicInstance instance;
    instance.driver = i % kDrivers;
    instance.fwnode = Input(its + "fwnode");
    own_table_.push_back(Input(its + "own_table"));
    instance.table =
        Ite(own_table_[i], OneHot(kTables, kExtraTable), topology_.drivers[instance.driver].table);
    instance.enforces_coherency = ~Input(its + "not_enforcing");
    topology_.instances.push_back(instance);
  }
}

void SearchSpace::MakeDevices() {
  Bit platform_before = true;
  for (int d = 0; d < sizes_.devices; ++d) {
    const std::string its = absl::StrFormat("device%d.", d);
    SymbolicDevice device;
    // Devices come in the order of their buses: walks go bus by bus, and no relation of devices
    // crosses a bus, so that no run depends on it.
    const Bit platform = Input(its + "platform");
    constraints_.push_back(Implies(platform, platform_before));
    device.bus[static_cast<size_t>(Bus::kPlatform)] = platform;
    device.bus[static_cast<size_t>(Bus::kPci)] = ~platform;
    for (int m = 0; m < kMaxMasters; ++m)
      device.masters[m] = AtMostOne(kInstances, absl::StrCat(its, "master", m));
    constraints_.push_back(Implies(Any(device.masters[1]), Any(device.masters[0])));
    constraints_.push_back(~Meet(device.masters[0], device.masters[1]));
    // A device that is never added is as good as one that no driver takes.
    const bool can_be_absent =
        runs_.Spare(kAdd) || !EitherHas(Rule::kAssumeProbeRejectsForeign).is_true();
    device.absent = can_be_absent ? Input(its + "absent") : Bit(false);
    platform_before = platform;
    topology_.devices.push_back(device);
  }
}

void SearchSpace::RelateDevices() {
  const int slots = sizes_.devices / 2;
  for (int d = 0; d < sizes_.devices; ++d) {
    const Bit pci = topology_.devices[d].on(Bus::kPci);
    alias_.push_back(AtMostOne(sizes_.devices, absl::StrFormat("device%d.alias", d)));
    slot_.push_back(AtMostOne(slots, absl::StrFormat("device%d.slot", d)));
    constraints_.push_back(Implies(Any(alias_[d]) | Any(slot_[d]), pci));
    constraints_.push_back(~alias_[d][d]);
    for (int s = 1; s < slots; ++s) {
      // Slots are numbered in the order of their first devices.
      Bit lower_used = false;
      for (int e = 0; e < d; ++e) lower_used |= slot_[e][s - 1];
      constraints_.push_back(Implies(slot_[d][s], lower_used));
    }
  }
  for (int d = 0; d < sizes_.devices; ++d) {
    SymbolicDevice& device = topology_.devices[d];
    device.alias_related = Zeros(sizes_.devices);
    device.slot_related = Zeros(sizes_.devices);
    device.below = Zeros(sizes_.devices);
    for (int e = 0; e < sizes_.devices; ++e) {
      if (e == d) continue;
      constraints_.push_back(Implies(alias_[d][e], topology_.devices[e].on(Bus::kPci)));
      device.alias_related[e] = alias_[d][e] | alias_[e][d];
      device.slot_related[e] = Meet(slot_[d], slot_[e]);
    }
  }
}

void SearchSpace::AssumeOfTopology() {
  std::array<Bit, kDrivers> extra;
  for (int i = 0; i < kInstances; ++i) extra[topology_.instances[i].driver] |= own_table_[i];
  constraints_.push_back(Implies(EitherHas(Rule::kAssumeTablesNotShared), ~(extra[0] & extra[1])));
  if (const Bit homogeneous = EitherHas(Rule::kAssumeHomogeneousGroups); !homogeneous.is_false()) {
    std::vector<std::array<Bit, kDrivers>> behind(topology_.devices.size());
    for (int d = 0; d < sizes_.devices; ++d)
      for (const Bits& master : topology_.devices[d].masters)
        for (int i = 0; i < kInstances; ++i) behind[d][topology_.instances[i].driver] |= master[i];
    // Whether a chain of aliases and slots leads from one to the other.
    std::vector<Bits> related;
    related.reserve(topology_.devices.size());
    for (const SymbolicDevice& device : topology_.devices)
      related.push_back(Or(device.alias_related, device.slot_related));
    for (int via = 0; via < sizes_.devices; ++via)
      for (int d = 0; d < sizes_.devices; ++d)
        for (int e = 0; e < sizes_.devices; ++e)
          if (d != e) related[d][e] |= related[d][via] & related[via][e];
    for (int d = 0; d < sizes_.devices; ++d)
      for (int e = 0; e < d; ++e)
        constraints_.push_back(
            Implies(homogeneous & related[d][e],
                    ~((behind[d][0] | behind[e][0]) & (behind[d][1] | behind[e][1]))));
  }
  Bit common = false;
  for (Bus bus : topology_.buses)
    common |= ~topology_.drivers[0].claim(bus, Claim::kNone) &
              ~topology_.drivers[1].claim(bus, Claim::kNone);
  constraints_.push_back(Implies(EitherHas(Rule::kAssumeDriversCompeteForABus), common));
}

SymbolicOp SearchSpace::NextOp(std::vector<Bit>& constraints) {
  if (!runs_.ops.empty()) return ops_.emplace_back(ConstantOp(runs_.ops[ops_.size()], sizes_));
  if (ops_.empty()) {
    // A smallest run starts with a register, since nothing else gets a device probed. The driver
    // that comes first is number 0.
    ops_.push_back(ConstantOp({.kind = kRegister, .a = 0}, sizes_));
    ever_registered_ = ops_.back().instance;
    return ops_.back();
  }
  const Bits kind = Selector(Kinds(), true, StepName("kind"), constraints);
  const bool again = runs_.Spare(kRegister);
  const std::vector<bool> instances = {again || runs_.Spare(kUnregister), true, again, again};
  const SymbolicOp op = ChooseOp(kind, instances, constraints);
  // Instances of a driver are numbered in the order in which they first register.
  for (int i = kDrivers; i < kInstances; ++i)
    constraints.push_back(
        Implies(op.is(kRegister) & op.instance[i], ever_registered_[i - kDrivers]));
  for (int i = 0; i < kInstances; ++i) ever_registered_[i] |= op.is(kRegister) & op.instance[i];
  ops_.push_back(op);
  had_[0] |= ever_registered_[1];  // the register of the other driver
  MustFit(constraints);
  return op;
}

std::vector<Bit> SearchSpace::RunAndBuses() const {
  std::vector<Bit> bits;
  for (const SymbolicOp& op : ops_)
    for (const Bits* code : {&op.kind, &op.instance, &op.device, &op.group})
      bits.insert(bits.end(), code->begin(), code->end());
  for (const SymbolicDevice& device : topology_.devices) bits.push_back(device.on(Bus::kPci));
  return bits;
}

std::vector<Bit> SearchSpace::Links() const {
  std::vector<Bit> links;
  for (int d = 0; d < sizes_.devices; ++d) {
    const auto& [first, second] = topology_.devices[d].masters;
    for (int i = 0; i < kInstances; ++i) {
      links.push_back(first[i] | second[i]);
      for (int j = 0; j < kInstances; ++j)
        if (j != i) links.push_back(first[i] & second[j]);
    }
    for (int e = 0; e < d; ++e) {
      links.push_back(topology_.devices[d].alias_related[e]);
      links.push_back(topology_.devices[d].slot_related[e]);
    }
  }
  return links;
}

std::vector<Bit> SearchSpace::Preferences() const {
  std::vector<Bit> plain = {~same_address_, ~default_table_shared_};
  for (const SymbolicDriver& driver : topology_.drivers)
    for (Claim claim : {Claim::kStore, Claim::kIgnore, Claim::kSkip, Claim::kOwnOk})
      for (Bus bus : topology_.buses) plain.push_back(~driver.claim(bus, claim));
  for (const SymbolicDriver& driver : topology_.drivers)
    for (Bus bus : topology_.buses) plain.push_back(driver.claim(bus, Claim::kNone));
  for (const SymbolicDevice& device : topology_.devices) {
    plain.push_back(~device.absent);
    plain.push_back(None(device.masters[1]));
  }
  for (const SymbolicDriver& driver : topology_.drivers) {
    for (Bit bit : {~driver.accepts_foreign, ~driver.instance_groups, driver.default_domains,
                    driver.coherent, ~driver.clears, ~driver.unwinds, ~driver.claims_once})
      plain.push_back(bit);
  }
  for (int i = 0; i < kInstances; ++i)
    for (Bit bit : {topology_.instances[i].enforces_coherency, ~own_table_[i]})
      plain.push_back(bit);
  for (int d = 0; d < sizes_.devices; ++d)
    for (Bit bit : {None(alias_[d]), None(slot_[d]), topology_.devices[d].on(Bus::kPci)})
      plain.push_back(bit);
  for (int i = kInstances - 1; i >= 0; --i)
    for (const SymbolicDevice& device : topology_.devices) plain.push_back(~device.masters[0][i]);
  for (const SymbolicInstance& instance : topology_.instances) plain.push_back(~instance.fwnode);
  return plain;
}

}  // namespace iommucheck::smt
