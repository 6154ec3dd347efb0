// SPDX-License-Identifier: Apache-2.0
//
// The rows of model/attributes.h, which has the functions that read them. They are in a header for
// src/case/bytes.cc alone: the compiler unrolls its loops over rows that it knows.
#pragma once

#include <array>

#include "model/attributes.h"

namespace iommucheck::attribute_rows {

using Kind = AttributeInfo::Kind;
using Place = AttributeInfo::Place;
using enum AttributeInfo::On;
using enum AttributeInfo::Played;

#define MEMBERS(type, first, last)                                        \
  AttributeMember {                                                       \
    Owner::k##type, offsetof(type, first),                                \
        offsetof(type, last) + sizeof(type::last) - offsetof(type, first) \
  }
#define MEMBER(type, member) MEMBERS(type, member, member)

constexpr AttributeValues Flag(uint8_t value = 1) { return {.kind = Kind::kFlag, .value = value}; }
constexpr AttributeValues Flag(DeviceKind value) { return Flag(static_cast<uint8_t>(value)); }
constexpr AttributeValues Number(uint8_t least, uint8_t most, std::string_view noun) {
  return {.kind = Kind::kNumber, .least = least, .most = most, .noun = noun};
}
constexpr AttributeValues Name(std::span<const std::string_view> names) {
  return {.kind = Kind::kName, .names = names};
}
constexpr AttributeValues Of(Kind kind) { return {.kind = kind}; }

constexpr Place Bit(uint8_t byte, uint8_t bit) { return {byte, bit}; }
constexpr Place Byte(uint8_t byte) { return {byte, 0}; }
inline constexpr Place kElsewhere = {kNoByte, 0};

// Columns: member, values, word; who plays it; place; weight; phrase; buses.
inline constexpr auto kRows = std::to_array<AttributeInfo>({
    {MEMBER(Settings, passthrough), Flag(), "passthrough", kProcess, Bit(0, 6), 6,
     "iommu.passthrough=1"},
    {MEMBER(Settings, unsafe_interrupts), Flag(), "unsafe-interrupts", kProcess, Bit(0, 7), 12,
     "vfio_iommu_type1.allow_unsafe_interrupts=1"},
    {MEMBER(Settings, dma_entries), Number(0, kMaxDmas, "a number of mappings"), "dma-entries",
     kProcess, Byte(1), 3, "vfio_iommu_type1.dma_entry_limit=%s"},
    {MEMBER(Settings, memlock), Number(0, kNoLimit - 1, "a number of pages"), "memlock", kProcess,
     Byte(2), 6, "RLIMIT_MEMLOCK of %s"},

    {MEMBER(Driver, firmware), Name(kFirmwareNames), "firmware", kEverywhere, Bit(1, 0), 2,
     "by %s"},
    {MEMBERS(Driver, claims, claim_order), Of(Kind::kClaims), "claims", kEverywhere, kElsewhere, 0,
     "claims %s"},
    {MEMBER(Driver, claims_once), Flag(), "claims-once", kEverywhere, Bit(0, 7), 6,
     "claims once, after its last instance"},
    {MEMBER(Driver, clears), Flag(), "clears", kEverywhere, Bit(0, 1), 6,
     "clears its buses on unregister"},
    {MEMBER(Driver, unwinds), Flag(), "unwinds", kEverywhere, Bit(0, 0), 6,
     "unwinds a failed claim"},
    {MEMBER(Driver, same_instance), Flag(), "same-instance", kEverywhere, Bit(0, 2), 3,
     "attach_dev tests the instance"},
    {MEMBER(Driver, refuses_foreign), Flag(), "refuses-foreign", kEverywhere, Bit(1, 2), 3,
     "attach_dev tests the device's driver"},
    {MEMBER(Driver, instance_groups), Flag(), "per-instance-groups", kEverywhere, Bit(0, 3), 6,
     "a group per instance"},
    {MEMBER(Driver, default_domains), Flag(0), "no-default-domain", kEverywhere, Bit(0, 4), 6,
     "no default domains"},
    {MEMBER(Driver, coherent), Flag(0), "not-coherent", kEverywhere, Bit(0, 5), 3,
     "lacks IOMMU_CAP_CACHE_COHERENCY"},
    {MEMBER(Driver, accepts_foreign), Flag(), "accepts-foreign", kEverywhere, Bit(0, 6), 3,
     "probes any device"},
    {MEMBER(Driver, deferred), Flag(), "deferred", kProcess, Bit(12, 3), 3,
     "defers attaching to the first DMA"},
    {MEMBER(Driver, nesting), Flag(), "nesting", kProcess, Bit(12, 4), 12, "has enable_nesting"},
    {MEMBER(Driver, static_identity), Flag(), "static-identity", kProcess, Bit(12, 5), 6,
     "its identity domain is static"},
    {MEMBER(Driver, checks_snoop), Flag(), "checks-snoop", kProcess, Bit(12, 6), 6,
     "attach_dev tests the coherency"},
    {MEMBER(Driver, drops_old), Flag(), "drops-old", kProcess, Bit(12, 7), 3,
     "attach_dev takes a device off its domain before it may fail"},
    {MEMBER(Driver, mismatch_errno), Of(Kind::kErrno), "mismatch-errno", kProcess, Byte(13), 6,
     "attach_dev says %s to what is incompatible"},
    {MEMBER(Driver, table), Of(Kind::kTable), "table", kEverywhere, kElsewhere, 0, "domain ops %s"},
    {MEMBER(Driver, address), Of(Kind::kDriver), "address", kEverywhere, kElsewhere, 0,
     "at the address of %s"},

    {MEMBER(Instance, fwnode), Flag(), "fwnode", kEverywhere, Bit(1, 0), 16, "with a fwnode"},
    {MEMBER(Instance, enforces_coherency), Flag(0), "not-enforcing", kEverywhere, Bit(1, 1), 6,
     "does not enforce coherency"},
    {MEMBER(Instance, isolates_msi), Flag(0), "no-msi-isolation", kProcess, Bit(1, 7), 3,
     "does not isolate MSIs"},
    {MEMBERS(Instance, aperture_first, aperture_last), Of(Kind::kRange), "aperture", kProcess,
     Byte(3), 8, "maps pages %s"},
    {MEMBER(Instance, page_sizes), Of(Kind::kSizes), "page-sizes", kProcess, Byte(5), 8,
     "maps %s pages at once"},
    {MEMBER(Instance, table), Of(Kind::kTable), "table", kEverywhere, kElsewhere, 0,
     "domain ops %s"},

    {MEMBER(Device, alias), Of(Kind::kDevice), "alias", kEverywhere, kElsewhere, 0,
     "DMA alias of %s", kPci},
    {MEMBER(Device, slot), Number(1, 255, "a slot"), "slot", kEverywhere, kElsewhere, 0,
     "shares slot %s", kPci},
    {MEMBER(Device, slot), Number(1, 255, "a stream id"), "sid", kEverywhere, kElsewhere, 0,
     "shares stream id %s", kOthers},
    {MEMBER(Device, bridge), Name(kBridgeNames), "bridge", kEncoded, Bit(5, 5), 4, "a bridge (%s)",
     kPci},
    {MEMBER(Device, below), Of(Kind::kDevice), "below", kEncoded, kElsewhere, 0, "below %s", kPci},
    {MEMBER(Device, acs), Flag(), "acs", kEncoded, Bit(5, 4), 6, "with ACS", kPci},
    {MEMBER(Device, absent), Flag(), "absent", kEverywhere, Bit(5, 0), 4, "absent at boot"},
    {MEMBER(Device, ats), Flag(), "ats", kProcess, Bit(5, 1), 12, "has ATS", kPci},
    {MEMBER(Device, kind), Flag(DeviceKind::kEmulated), "emulated", kProcess, kElsewhere, 0,
     "emulated (an mdev)"},
    {MEMBER(Device, kind), Flag(DeviceKind::kNoIommu), "noiommu", kProcess, kElsewhere, 0,
     "in VFIO's no-IOMMU mode"},
    {MEMBER(Device, default_type), Name(kDefaultTypeNames), "default", kProcess, Bit(6, 3), 6,
     "asks for a default domain of type %s"},
    {MEMBER(Device, regions), Of(Kind::kRegions), "resv", kProcess, kElsewhere, 6,
     "reserved pages %s"},
});

#undef MEMBER
#undef MEMBERS

}  // namespace iommucheck::attribute_rows
