// SPDX-License-Identifier: Apache-2.0
//
// From a model of the solver to a case: only the things that the run names, numbered from 0 on.
#include <array>
#include <string>

#include "absl/strings/str_cat.h"
#include "src/smt/search_space.h"

namespace iommucheck::smt {
namespace {

// New numbers for the entries that are kept, in their old order.
struct Renumbering {
  std::vector<uint8_t> to;
  int count = 0;
  Renumbering(const std::vector<bool>& kept) {
    for (const bool keep : kept) to.push_back(keep ? static_cast<uint8_t>(count++) : kNoId);
  }
  [[nodiscard]] uint8_t operator()(int old) const { return old < 0 ? kNoId : to[old]; }
};

std::string Letter(int i) { return {static_cast<char>('A' + i)}; }

}  // namespace

// The kernel without the rules that the model of the solver leaves out. One that only the patch
// adds is not added then.
KernelSpec SearchSpace::DecodeKernel(const Value& value) const {
  KernelSpec kernel = spec_;
  for (const RuleInfo& info : AllRules()) {
    const Bit has = kernel_.has(info.rule);
    if (has.is_constant() || value(has)) continue;
    if (kernel.added.has(info.rule))
      kernel.added.drop(info.rule);
    else
      kernel.dropped.add(info.rule);
  }
  return kernel;
}

Case SearchSpace::Decode(const Value& value) const {
  // Instances that a device is behind or an op names, their drivers, devices that exist.
  std::vector<bool> instance_used(topology_.instances.size());
  std::vector<bool> driver_used(topology_.drivers.size());
  for (const SymbolicOp& op : ops_)
    if (const int i = IndexOf(op.instance, value); i >= 0) instance_used[i] = true;
  for (const SymbolicDevice& device : topology_.devices)
    for (const Bits& master : device.masters)
      if (const int i = IndexOf(master, value); i >= 0) instance_used[i] = true;
  // A driver that claims with the last of its instances needs instances that never register, too.
  for (size_t i = 0; i < instance_used.size(); ++i)
    if (value(topology_.drivers[topology_.instances[i].driver].claims_once))
      instance_used[i] = true;
  for (size_t i = 0; i < instance_used.size(); ++i)
    if (instance_used[i]) driver_used[topology_.instances[i].driver] = true;
  const Renumbering instances(instance_used);
  const Renumbering drivers(driver_used);

  Case c;
  c.kernel = DecodeKernel(value);
  const bool claims = HasEra(Era::kBusSlots) ||
                      ProfileOf(c.kernel).has(Rule::kAssumeDriversCompeteForABus) ||
                      (refusing_ && refusing_->has(Rule::kAssumeDriversCompeteForABus));
  Topology& t = c.topology;
  t.drivers_count = static_cast<uint8_t>(drivers.count);
  t.instances_count = static_cast<uint8_t>(instances.count);
  t.devices_count = static_cast<uint8_t>(sizes_.devices);
  // Driver 1 with the table of driver 0 says so by its address alone, where that is what moved it.
  std::array<int, 3> table_of{0, 1, 2};
  if (!value(same_address_) && value(default_table_shared_)) table_of[1] = 0;

  std::vector<bool> table_used(table_of.size());
  for (size_t r = 0; r < topology_.drivers.size(); ++r)
    if (driver_used[r]) table_used[table_of[r]] = true;
  for (size_t i = 0; i < topology_.instances.size(); ++i)
    if (instance_used[i] && value(own_table_[i])) table_used[2] = true;
  const Renumbering tables(table_used);
  t.tables_count = static_cast<uint8_t>(tables.count);
  std::array<std::string, 3> table_names;
  for (size_t r = 0; r < topology_.drivers.size(); ++r) {
    if (!driver_used[r]) continue;
    const SymbolicDriver& from = topology_.drivers[r];
    Driver& to = t.drivers[drivers(static_cast<int>(r))];
    for (Bus bus : topology_.buses) {
      if (!claims) continue;
      for (int claim = 0; claim < kClaimCount; ++claim)
        if (value(from.claim(bus, static_cast<Claim>(claim))))
          to.claims[static_cast<size_t>(bus)] = static_cast<Claim>(claim);
    }
    to.claims_once = value(from.claims_once);
    to.unwinds = value(from.unwinds);
    to.clears = value(from.clears);
    if (r == 1 && driver_used[0] && value(same_address_)) to.address = drivers(0);
    to.table = tables(table_of[r]);
    to.instance_groups = value(from.instance_groups);
    to.default_domains = value(from.default_domains);
    to.coherent = value(from.coherent);
    to.accepts_foreign = value(from.accepts_foreign);
    c.names.drivers.push_back("drv" + Letter(drivers(static_cast<int>(r))));
    table_names[table_of[r]] =
        table_names[table_of[r]].empty() ? c.names.drivers.back() + ".ops" : "shared";
  }
  table_names[2] = "other";
  for (size_t i = 0; i < table_of.size(); ++i)
    if (table_used[i]) c.names.tables.push_back(table_names[i]);
  for (size_t i = 0; i < topology_.instances.size(); ++i) {
    if (!instance_used[i]) continue;
    const SymbolicInstance& from = topology_.instances[i];
    Instance& to = t.instances[instances(static_cast<int>(i))];
    to.driver = drivers(from.driver);
    to.fwnode = value(from.fwnode);
    to.table = value(own_table_[i]) ? tables(2) : t.drivers[to.driver].table;
    to.enforces_coherency = value(from.enforces_coherency);
    c.names.instances.push_back(absl::StrCat("iommu", c.names.instances.size()));
  }
  for (int d = 0; d < sizes_.devices; ++d) {
    const SymbolicDevice& from = topology_.devices[d];
    Device& to = t.devices[d];
    to.bus = value(from.on(Bus::kPci)) ? Bus::kPci : Bus::kPlatform;
    for (int m = 0; m < kMaxMasters; ++m)
      to.masters[m] = instances(IndexOf(from.masters[m], value));
    to.alias = static_cast<DeviceId>(IndexOf(alias_[d], value));  // -1 is kNoId
    to.slot = static_cast<uint8_t>(IndexOf(slot_[d], value) + 1);
    to.absent = value(from.absent);
    c.names.devices.push_back(absl::StrCat("dev", c.names.devices.size()));
  }
  for (Op op : Ops(value)) {
    const bool of_instance = op.kind == OpKind::kRegister || op.kind == OpKind::kUnregister;
    if (of_instance) op.a = instances(op.a);
    c.ops.push_back({.op = op});
  }
  Normalize(c);
  return c;
}

}  // namespace iommucheck::smt
