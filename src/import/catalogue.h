// SPDX-License-Identifier: Apache-2.0
//
// The in-tree IOMMU drivers as data (data/drivers.json, compiled in): how each behaves in each era,
// as far as the model needs it.
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
  kHardware,  // depends on the hardware
};

// How attach_dev decides whether a domain accepts a second device that is behind another instance.
enum class Reuse : uint8_t { kNone, kAnyInstance, kSameInstance, kSingleDevice, kCapability };

// One driver in one era.
struct CatalogueDriver {
  std::string name;                   // such as "intel", "arm-smmu-v3"
  KernelVersion era{};                // the first profile with these facts; v5.18 means v5.15, too
  std::vector<std::string> arch;      // "any", or those that it can be built for
  std::string soc;                    // the SoC family it is tied to; empty: none
  std::vector<std::string> firmware;  // "acpi:DMAR", "dt", "builtin:s390"
  std::vector<std::string> bound;     // names of the device drivers that own its instances
  bool fwnode = false;                // its instances register with a fwnode
  std::vector<std::pair<Bus, Claim>> claims;  // in call order
  bool claims_once = false;                   // once for all of its instances, not once for each
  std::string on_failure;                     // "unwind", "leak", "fail"; "n/a" from v6.1 on
  std::vector<Bus> remove_clears;
  Coherency cache_coherency = Coherency::kNone;     // IOMMU_CAP_CACHE_COHERENCY
  Coherency enforces_coherency = Coherency::kNone;  // enforce_cache_coherency op
  Reuse reuse = Reuse::kNone;
  bool default_domains = true;
  std::string group;                // the things that its device_group op makes groups of
  std::vector<std::string> tables;  // iommu_domain_ops that a paging domain can carry
  // What nodes of a device tree that it serves are compatible with, and the first profile whose
  // driver knows it. Where sources of two kernels were read and the later one alone has it, the
  // profile after the earlier one: too early rather than too late, so that no driver is missed.
  std::vector<std::pair<std::string, KernelVersion>> compatible;
  // The profiles with the driver, as far as sources were read: the first, and the last, where later
  // ones lack it. Facts of an era may be asked for before: a device tree's IOMMU is served too early
  // rather than too late.
  KernelVersion since = kKernelVersions.front();
  KernelVersion last = kNewestVersion;
  // Architectures for which it could be built later than that, and from when on.
  std::vector<std::pair<std::string, KernelVersion>> arch_since;
  bool unbinds = false;  // the admin can unbind it from instances that serve devices
};

// Reads the form of data/drivers.json. Errors: InvalidArgument.
absl::StatusOr<std::vector<CatalogueDriver>> ParseCatalogue(std::string_view json);

// The catalogue that is compiled in: drivers in the order of the file, eras oldest first.
const std::vector<CatalogueDriver>& Catalogue();

// The drivers that a kernel has.
std::vector<const CatalogueDriver*> DriversOf(KernelVersion version);
// The facts of the driver for a kernel; nullptr if that kernel has no driver of that name.
const CatalogueDriver* FindDriver(std::string_view name, KernelVersion version);
// Whether the kernel's tree has the driver, and for which architectures it can be built then.
bool Exists(const CatalogueDriver& driver, KernelVersion version);
std::vector<std::string> ArchitecturesIn(const CatalogueDriver& driver, KernelVersion version);
// The driver whose instances belong to the device driver `bound`, by any version.
const CatalogueDriver* FindDriverByBound(std::string_view bound);

// The driver that a kernel has for a node of a device tree with these strings; nullptr: none. Of
// several, the first string's.
const CatalogueDriver* FindDriverByCompatible(std::span<const std::string> compatible,
                                              KernelVersion version);
// Whether any kernel has one.
bool IsKnownCompatible(std::span<const std::string> compatible);

// The driver as the model represents it. The caller sets the table.
Driver ToModelDriver(const CatalogueDriver& driver);

// The assumption about machines whose drivers are all known to keep it: in-tree drivers that set
// suppress_bind_attrs or cannot be removed at all, and whose module the core holds while a device
// is probed (__iommu_probe_device()). The admin can unbind the other drivers (ipmmu-vmsa,
// virtio-iommu and so on) while they serve devices.
inline constexpr RuleSet kAssumedInTree = RuleSet().add(Rule::kAssumeNoUnregisterWhileServing);
bool Unbinds(std::string_view driver);  // or is not in the catalogue
// The kernel to ask about a machine with these drivers. If there are several drivers and all are
// known to keep the assumption, it is added, unless the kernel drops it.
KernelSpec AssumingInTree(KernelSpec kernel, std::span<const std::string> drivers);

}  // namespace iommucheck::import
