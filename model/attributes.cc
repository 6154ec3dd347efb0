// SPDX-License-Identifier: Apache-2.0
#include "model/attributes.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace iommucheck {
namespace {

using Kind = AttributeInfo::Kind;
using On = AttributeInfo::On;
using enum AttributeInfo::Played;
using enum Owner;

constexpr AttributeInfo::Place Bit(uint8_t byte, uint8_t bit) { return {byte, bit}; }
constexpr AttributeInfo::Place kNoPlace = {kNoByte, 0};

// The offset and the size of one member, or of several that lie side by side.
#define MEMBER(type, member) offsetof(type, member), sizeof(type::member)
#define MEMBERS(type, first, last) \
  offsetof(type, first), offsetof(type, last) + sizeof(type::last) - offsetof(type, first)

// Columns: owner, word, kind; member; who plays it; place; weight; phrase; then the fields of the
// kind.
constexpr auto kAttributes = std::to_array<AttributeInfo>({
    {kSettings, "passthrough", Kind::kFlag, MEMBER(Settings, passthrough), kProcess, Bit(0, 6), 6,
     "iommu.passthrough=1", 1},
    {kSettings, "unsafe-interrupts", Kind::kFlag, MEMBER(Settings, unsafe_interrupts), kProcess,
     Bit(0, 7), 12, "vfio_iommu_type1.allow_unsafe_interrupts=1", 1},
    {kSettings, "dma-entries", Kind::kNumber, MEMBER(Settings, dma_entries), kProcess, Bit(1, 0), 3,
     "vfio_iommu_type1.dma_entry_limit=%s", 0, 0, kMaxDmas, "a number of mappings"},
    {kSettings, "memlock", Kind::kNumber, MEMBER(Settings, memlock), kProcess, Bit(2, 0), 6,
     "RLIMIT_MEMLOCK of %s", 0, 0, kNoLimit - 1, "a number of pages"},

    {kDriver, "firmware", Kind::kName, MEMBER(Driver, firmware), kEverywhere, Bit(1, 0), 2, "by %s",
     0, 0, 0, "", kFirmwareNames},
    {kDriver, "claims", Kind::kClaims, MEMBERS(Driver, claims, claim_order), kEverywhere, kNoPlace,
     0, "claims %s"},
    {kDriver, "claims-once", Kind::kFlag, MEMBER(Driver, claims_once), kEverywhere, Bit(0, 7), 6,
     "claims once, after its last instance", 1},
    {kDriver, "clears", Kind::kFlag, MEMBER(Driver, clears), kEverywhere, Bit(0, 1), 6,
     "clears its buses on unregister", 1},
    {kDriver, "unwinds", Kind::kFlag, MEMBER(Driver, unwinds), kEverywhere, Bit(0, 0), 6,
     "unwinds a failed claim", 1},
    {kDriver, "same-instance", Kind::kFlag, MEMBER(Driver, same_instance), kEverywhere, Bit(0, 2),
     3, "attach_dev tests the instance", 1},
    {kDriver, "refuses-foreign", Kind::kFlag, MEMBER(Driver, refuses_foreign), kEverywhere,
     Bit(1, 2), 3, "attach_dev tests the device's driver", 1},
    {kDriver, "per-instance-groups", Kind::kFlag, MEMBER(Driver, instance_groups), kEverywhere,
     Bit(0, 3), 6, "a group per instance", 1},
    {kDriver, "no-default-domain", Kind::kFlag, MEMBER(Driver, default_domains), kEverywhere,
     Bit(0, 4), 6, "no default domains", 0},
    {kDriver, "not-coherent", Kind::kFlag, MEMBER(Driver, coherent), kEverywhere, Bit(0, 5), 3,
     "lacks IOMMU_CAP_CACHE_COHERENCY", 0},
    {kDriver, "accepts-foreign", Kind::kFlag, MEMBER(Driver, accepts_foreign), kEverywhere,
     Bit(0, 6), 3, "probes any device", 1},
    {kDriver, "deferred", Kind::kFlag, MEMBER(Driver, deferred), kProcess, Bit(12, 3), 3,
     "defers attaching to the first DMA", 1},
    {kDriver, "nesting", Kind::kFlag, MEMBER(Driver, nesting), kProcess, Bit(12, 4), 12,
     "has enable_nesting", 1},
    {kDriver, "static-identity", Kind::kFlag, MEMBER(Driver, static_identity), kProcess, Bit(12, 5),
     6, "its identity domain is static", 1},
    {kDriver, "checks-snoop", Kind::kFlag, MEMBER(Driver, checks_snoop), kProcess, Bit(12, 6), 6,
     "attach_dev tests the coherency", 1},
    {kDriver, "drops-old", Kind::kFlag, MEMBER(Driver, drops_old), kProcess, Bit(12, 7), 3,
     "attach_dev takes a device off its domain before it may fail", 1},
    {kDriver, "mismatch-errno", Kind::kErrno, MEMBER(Driver, mismatch_errno), kProcess, Bit(13, 0),
     6, "attach_dev says %s to what is incompatible"},
    {kDriver, "table", Kind::kTable, MEMBER(Driver, table), kEverywhere, kNoPlace, 0,
     "domain ops %s"},
    {kDriver, "address", Kind::kDriver, MEMBER(Driver, address), kEverywhere, kNoPlace, 0,
     "at the address of %s"},

    {kInstance, "fwnode", Kind::kFlag, MEMBER(Instance, fwnode), kEverywhere, Bit(1, 0), 16,
     "with a fwnode", 1},
    {kInstance, "not-enforcing", Kind::kFlag, MEMBER(Instance, enforces_coherency), kEverywhere,
     Bit(1, 1), 6, "does not enforce coherency", 0},
    {kInstance, "no-msi-isolation", Kind::kFlag, MEMBER(Instance, isolates_msi), kProcess,
     Bit(1, 7), 3, "does not isolate MSIs", 0},
    {kInstance, "aperture", Kind::kRange, MEMBERS(Instance, aperture_first, aperture_last),
     kProcess, Bit(3, 0), 8, "maps pages %s"},
    {kInstance, "page-sizes", Kind::kSizes, MEMBER(Instance, page_sizes), kProcess, Bit(5, 0), 8,
     "maps %s pages at once"},
    {kInstance, "table", Kind::kTable, MEMBER(Instance, table), kEverywhere, kNoPlace, 0,
     "domain ops %s"},

    {kDevice,
     "alias",
     Kind::kDevice,
     MEMBER(Device, alias),
     kEverywhere,
     kNoPlace,
     0,
     "DMA alias of %s",
     0,
     0,
     0,
     "",
     {},
     On::kPci},
    {kDevice,
     "slot",
     Kind::kNumber,
     MEMBER(Device, slot),
     kEverywhere,
     kNoPlace,
     0,
     "shares slot %s",
     0,
     1,
     255,
     "a slot",
     {},
     On::kPci},
    {kDevice,
     "sid",
     Kind::kNumber,
     MEMBER(Device, slot),
     kEverywhere,
     kNoPlace,
     0,
     "shares stream id %s",
     0,
     1,
     255,
     "a stream id",
     {},
     On::kOthers},
    {kDevice, "absent", Kind::kFlag, MEMBER(Device, absent), kEverywhere, Bit(5, 0), 4,
     "absent at boot", 1},
    {kDevice, "emulated", Kind::kFlag, MEMBER(Device, kind), kProcess, kNoPlace, 0,
     "emulated (an mdev)", static_cast<uint8_t>(DeviceKind::kEmulated)},
    {kDevice, "noiommu", Kind::kFlag, MEMBER(Device, kind), kModelAlone, kNoPlace, 0,
     "in VFIO's no-IOMMU mode", static_cast<uint8_t>(DeviceKind::kNoIommu)},
    {kDevice, "default", Kind::kName, MEMBER(Device, default_type), kProcess, Bit(6, 3), 6,
     "asks for a default domain of type %s", 0, 0, 0, "", kDefaultTypeNames},
    {kDevice, "resv", Kind::kRegions, MEMBER(Device, regions), kProcess, kNoPlace, 6,
     "reserved pages %s"},
});

#undef MEMBER
#undef MEMBERS

static_assert(std::ranges::is_sorted(kAttributes, {}, &AttributeInfo::owner));
// The index of the first row of each owner; the last entry is the end of the table.
constexpr std::array<size_t, 5> kFirstOf = [] {
  std::array<size_t, 5> first{};
  for (const AttributeInfo& attribute : kAttributes)
    for (size_t owner = static_cast<size_t>(attribute.owner) + 1; owner < first.size(); ++owner)
      ++first[owner];
  return first;
}();

constexpr std::array<std::string_view, 4> kOwnerWords = {"settings", "driver", "instance",
                                                         "device"};

const Settings kPlainSettings;
const Driver kPlainDriver;
const Instance kPlainInstance;
const Device kPlainDevice;

const void* Entry(const Topology& t, Owner owner, int n) {
  switch (owner) {
    case kSettings:
      return &t.settings;
    case kDriver:
      return &t.drivers[static_cast<size_t>(n)];
    case kInstance:
      return &t.instances[static_cast<size_t>(n)];
    case kDevice:
      return &t.devices[static_cast<size_t>(n)];
  }
  return nullptr;
}

}  // namespace

std::span<const AttributeInfo> AllAttributes() { return kAttributes; }

std::span<const AttributeInfo> AttributesOf(Owner owner) {
  const size_t first = kFirstOf[static_cast<size_t>(owner)];
  return std::span(kAttributes).subspan(first, kFirstOf[static_cast<size_t>(owner) + 1] - first);
}

std::string_view OwnerWord(Owner owner) { return kOwnerWords[static_cast<size_t>(owner)]; }

int CountOf(const Topology& t, Owner owner) {
  const std::array<int, 4> counts = {1, t.drivers_count, t.instances_count, t.devices_count};
  return counts[static_cast<size_t>(owner)];
}

const uint8_t* EntryOf(const Topology& t, Owner owner, int n) {
  return static_cast<const uint8_t*>(Entry(t, owner, n));
}
uint8_t* EntryOf(Topology& t, Owner owner, int n) {
  return const_cast<uint8_t*>(EntryOf(std::as_const(t), owner, n));
}

const uint8_t* PlainEntry(Owner owner) {
  const std::array<const void*, 4> plain = {&kPlainSettings, &kPlainDriver, &kPlainInstance,
                                            &kPlainDevice};
  return static_cast<const uint8_t*>(plain[static_cast<size_t>(owner)]);
}

bool IsOn(const AttributeInfo& attribute, Bus bus) {
  return attribute.on == On::kAnyBus || (attribute.on == On::kPci) == (bus == Bus::kPci);
}

bool IsPlain(const AttributeInfo& attribute, const uint8_t* entry) {
  if (attribute.kind == Kind::kFlag) return entry[attribute.at] != attribute.value;
  const uint8_t* const plain = PlainEntry(attribute.owner);
  return std::memcmp(entry + attribute.at, plain + attribute.at, attribute.size) == 0;
}

void MakePlain(const AttributeInfo& attribute, uint8_t* entry) {
  const uint8_t* const plain = PlainEntry(attribute.owner);
  std::memcpy(entry + attribute.at, plain + attribute.at, attribute.size);
}

}  // namespace iommucheck
