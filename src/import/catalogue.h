// SPDX-License-Identifier: Apache-2.0
//
// The in-tree IOMMU drivers as data (data/drivers.json, compiled in): what each of them does in
// each era, as far as the model asks.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "model/rules.h"
#include "model/topology.h"

namespace iommucheck::import {

enum class Coherency : uint8_t {
  kNone,      // the driver has no domains
  kNo,        // never
  kYes,       // always
  kHardware,  // as the hardware can
};

// How a driver's attach_dev takes a second device, of another instance, to a domain.
enum class Reuse : uint8_t { kNone, kAnyInstance, kSameInstance, kSingleDevice, kCapability };

// One driver in one era.
struct CatalogueDriver {
  std::string name;     // as in "intel", "arm-smmu-v3"
  KernelVersion era{};  // the first profile that these facts are of; v5.18 stands for v5.15, too
  std::string ops;      // the symbol of its iommu_ops
  std::string file;
  std::string kconfig;
  std::vector<std::string> arch;              // "any", or those it can be built for
  std::string soc;                            // the SoC family it is tied to; empty: none
  std::vector<std::string> firmware;          // "acpi:DMAR", "dt", "builtin:s390"
  std::vector<std::string> bound;             // names of the device drivers that own its instances
  bool fwnode = false;                        // its instances register with a fwnode
  std::vector<std::pair<Bus, Claim>> claims;  // in call order
  bool claims_once = false;                   // one time, not once an instance
  std::string on_failure;                     // "unwind", "leak", "fail"; "n/a" from v6.1 on
  std::vector<Bus> failure_clears;
  std::vector<Bus> remove_clears;
  Coherency cache_coherency = Coherency::kNone;     // IOMMU_CAP_CACHE_COHERENCY
  Coherency enforces_coherency = Coherency::kNone;  // enforce_cache_coherency op
  Reuse reuse = Reuse::kNone;
  bool default_domains = true;
  std::string group;                // what its device_group op groups by
  std::vector<std::string> tables;  // iommu_domain_ops that a paging domain can carry
  bool unbinds = false;             // the admin can unbind it from instances that serve devices
};

// Reads the form of data/drivers.json. Errors: InvalidArgument.
absl::StatusOr<std::vector<CatalogueDriver>> ParseCatalogue(std::string_view json);

// The catalogue that is compiled in: drivers in the order of the file, eras oldest first.
const std::vector<CatalogueDriver>& Catalogue();

// The drivers that a kernel has.
std::vector<const CatalogueDriver*> DriversOf(KernelVersion version);
// The driver as a kernel has it; nullptr where it has none of that name.
const CatalogueDriver* FindDriver(std::string_view name, KernelVersion version);
// The driver whose instances belong to the device driver `bound`, by any version.
const CatalogueDriver* FindDriverByBound(std::string_view bound);

// As the model knows it. The table is left to the caller.
Driver ToModelDriver(const CatalogueDriver& driver);

// What is assumed of machines whose drivers are all known to keep it: in-tree ones that set
// suppress_bind_attrs, or cannot be removed at all, and whose module the core holds while a device
// is probed (__iommu_probe_device()). The admin can unbind the others (ipmmu-vmsa, virtio-iommu and
// so on) while they serve devices.
inline constexpr RuleSet kAssumedInTree = RuleSet().add(Rule::kAssumeNoUnregisterWhileServing);
bool Unbinds(std::string_view driver);  // or is not in the catalogue
// The kernel that a question about a machine with these drivers, more than one of them, is put to:
// with what is assumed of them, but for what the kernel says that it drops.
KernelSpec AssumingInTree(KernelSpec kernel, std::span<const std::string> drivers);

}  // namespace iommucheck::import
