// SPDX-License-Identifier: Apache-2.0
//
// The machine of a case. Attributes with their usual value are not mentioned; all others are, in
// the order of the case format.
#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "src/case/spelling.h"
#include "src/report/text_parts.h"

namespace iommucheck::report {
namespace {

std::string DriverText(const Case& c, DriverId id) {
  const Driver& d = c.topology.drivers[id];
  std::vector<std::string> claims;
  for (Bus bus : d.claim_order)
    if (const Claim claim = d.claims[static_cast<size_t>(bus)]; claim != Claim::kNone)
      claims.push_back(absl::StrFormat("%s (%s)", BusName(bus), ClaimName(claim)));
  std::vector<std::string> parts;
  if (d.firmware != Firmware::kAny)
    parts.push_back(absl::StrFormat("by %s", FirmwareName(d.firmware)));
  if (!claims.empty()) parts.push_back("claims " + absl::StrJoin(claims, ", "));
  if (d.claims_once) parts.emplace_back("claims once, after its last instance");
  if (d.unwinds) parts.emplace_back("unwinds a failed claim");
  if (d.clears) parts.emplace_back("clears its buses on unregister");
  if (d.same_instance) parts.emplace_back("attach_dev tests the instance");
  if (d.refuses_foreign) parts.emplace_back("attach_dev tests the device's driver");
  if (d.instance_groups) parts.emplace_back("a group per instance");
  if (!d.default_domains) parts.emplace_back("no default domains");
  if (!d.coherent) parts.emplace_back("lacks IOMMU_CAP_CACHE_COHERENCY");
  if (d.accepts_foreign) parts.emplace_back("probes any device");
  if (d.deferred) parts.emplace_back("defers attaching to the first DMA");
  if (d.nesting) parts.emplace_back("has enable_nesting");
  if (d.static_identity) parts.emplace_back("its identity domain is static");
  if (d.checks_snoop) parts.emplace_back("attach_dev tests the coherency");
  if (d.drops_old)
    parts.emplace_back("attach_dev takes a device off its domain before it may fail");
  if (d.mismatch_errno != 0)
    parts.push_back(absl::StrFormat("attach_dev says %s to what is incompatible",
                                    ErrnoName(-int{d.mismatch_errno})));
  if (d.table < FirstPrivateTable(c.topology, c.names))
    parts.push_back("domain ops " + c.names.tables[d.table]);
  if (d.address != kNoId) parts.push_back("at the address of " + DriverName(c, d.address));
  for (DriverId other = 0; other < c.topology.drivers_count; ++other)
    if (other != id && c.topology.drivers[other].table == d.table)
      parts.push_back("shares its domain ops with " + DriverName(c, other));
  return absl::StrJoin(parts, "; ");
}

// "1 or 16 pages"
std::string PageSizesText(const Instance& i) {
  std::vector<std::string> sizes;
  for (int n = 0; n < kPageSizes; ++n)
    if (((i.page_sizes >> n) & 1) != 0) sizes.push_back(absl::StrCat(1 << n));
  return absl::StrCat(absl::StrJoin(sizes, " or "), i.page_sizes == 1 ? " page" : " pages");
}

std::string InstanceText(const Case& c, const Instance& i) {
  std::string text = absl::StrFormat("of %s, %s", DriverName(c, i.driver),
                                     i.fwnode ? "with a fwnode" : "no fwnode");
  if (!i.enforces_coherency) text += ", does not enforce coherency";
  if (!i.isolates_msi) text += ", does not isolate MSIs";
  if (HasAperture(i))
    absl::StrAppendFormat(&text, ", maps pages %d-%d", i.aperture_first, i.aperture_last);
  if (i.page_sizes != Instance().page_sizes) text += ", maps " + PageSizesText(i) + " at once";
  if (i.table != c.topology.drivers[i.driver].table)
    absl::StrAppend(&text, ", domain ops ", c.names.tables[i.table]);
  return text;
}

std::string DeviceText(const Case& c, const Device& d) {
  std::vector<std::string> behind;
  for (InstanceId m : d.masters)
    if (m != kNoId) behind.push_back(c.names.instances[m]);
  std::string text = absl::StrFormat(
      "on %s, %s", BusName(d.bus),
      behind.empty() ? "behind no IOMMU" : "behind " + absl::StrJoin(behind, " and "));
  if (d.kind == DeviceKind::kEmulated) text += ", emulated (an mdev)";
  if (d.kind == DeviceKind::kNoIommu) text += ", in VFIO's no-IOMMU mode";
  if (d.alias != kNoId) absl::StrAppend(&text, ", DMA alias of ", c.names.devices[d.alias]);
  if (d.slot != 0)
    absl::StrAppendFormat(&text, ", shares %s %d", d.bus == Bus::kPci ? "slot" : "stream id",
                          d.slot);
  if (d.absent) text += ", absent at boot";
  if (d.default_type != DefaultType::kAny)
    absl::StrAppendFormat(&text, ", asks for a default domain of type %s",
                          DefaultTypeName(d.default_type));
  for (const Region& region : d.regions)
    if (region.type != Region::Type::kNone)
      absl::StrAppendFormat(&text, ", reserved pages %d-%d: %s", region.first, region.last,
                            RegionTypeName(region.type));
  return text;
}

std::string SettingsText(const Settings& s) {
  std::vector<std::string> parts;
  if (s.passthrough) parts.emplace_back("iommu.passthrough=1");
  if (s.unsafe_interrupts) parts.emplace_back("vfio_iommu_type1.allow_unsafe_interrupts=1");
  if (s.dma_entries != kMaxDmas)
    parts.push_back(absl::StrFormat("vfio_iommu_type1.dma_entry_limit=%d", s.dma_entries));
  if (s.memlock != kNoLimit)
    parts.push_back(absl::StrFormat("RLIMIT_MEMLOCK of %s", Plural(s.memlock, "page")));
  return absl::StrJoin(parts, ", ");
}

}  // namespace

std::string TopologyText(const Case& c, const Shown& shown) {
  const Topology& t = c.topology;
  std::string out;
  if (t.firmware != Firmware::kAny) out += Field("firmware", std::string(FirmwareName(t.firmware)));
  if (t.settings != Settings()) out += Field("settings", SettingsText(t.settings));
  const auto row = [&out](const char* label, const std::string& name, const std::string& text) {
    out += Field(label, text.empty() ? name : name + ": " + text);
  };
  for (DriverId d = 0; d < t.drivers_count; ++d)
    row(d == 0 ? "drivers" : "", c.names.drivers[d], DriverText(c, d));
  for (InstanceId i = 0; i < t.instances_count; ++i)
    row(i == 0 ? "instances" : "", c.names.instances[i], InstanceText(c, t.instances[i]));
  int devices = 0;
  for (DeviceId d = 0; d < t.devices_count; ++d)
    if (IsShown(shown, d))
      row(devices++ == 0 ? "devices" : "", c.names.devices[d], DeviceText(c, t.devices[d]));
  if (devices < t.devices_count)
    out += Field("", absl::StrFormat("and %d more, not in this run", t.devices_count - devices));
  return out;
}

}  // namespace iommucheck::report
