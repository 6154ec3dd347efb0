// SPDX-License-Identifier: Apache-2.0
//
// Words of the grammar that more than one of parser, printer and JSON need.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/op.h"
#include "model/topology.h"
#include "src/case/case.h"

namespace iommucheck {

// An attribute without a value: `word` says that `member` is `value`, the unusual one.
template <typename T>
struct Flag {
  std::string_view word;
  bool T::* member;
  bool value;
};
// In canonical order.
inline constexpr std::array kSettingsFlags = {
    Flag<Settings>{"passthrough", &Settings::passthrough, true},
    Flag<Settings>{"unsafe-interrupts", &Settings::unsafe_interrupts, true},
};
inline constexpr std::array kDriverFlags = {
    Flag<Driver>{"claims-once", &Driver::claims_once, true},
    Flag<Driver>{"clears", &Driver::clears, true},
    Flag<Driver>{"unwinds", &Driver::unwinds, true},
    Flag<Driver>{"same-instance", &Driver::same_instance, true},
    Flag<Driver>{"refuses-foreign", &Driver::refuses_foreign, true},
    Flag<Driver>{"per-instance-groups", &Driver::instance_groups, true},
    Flag<Driver>{"no-default-domain", &Driver::default_domains, false},
    Flag<Driver>{"not-coherent", &Driver::coherent, false},
    Flag<Driver>{"accepts-foreign", &Driver::accepts_foreign, true},
    Flag<Driver>{"deferred", &Driver::deferred, true},
    Flag<Driver>{"nesting", &Driver::nesting, true},
    Flag<Driver>{"static-identity", &Driver::static_identity, true},
    Flag<Driver>{"checks-snoop", &Driver::checks_snoop, true},
    Flag<Driver>{"drops-old", &Driver::drops_old, true},
};
inline constexpr std::array kInstanceFlags = {
    Flag<Instance>{"fwnode", &Instance::fwnode, true},
    Flag<Instance>{"not-enforcing", &Instance::enforces_coherency, false},
    Flag<Instance>{"no-msi-isolation", &Instance::isolates_msi, false},
};
inline constexpr std::array kDeviceFlags = {
    Flag<Device>{"absent", &Device::absent, true},
};

// What the first operand of an op is.
enum class Operand : uint8_t { kInstance, kDevice, kGroup, kContainer };
Operand OperandOf(OpKind kind);
std::optional<OpKind> FindOp(std::string_view name);
bool HasPages(OpKind kind);
std::vector<std::string> IommuTypeNames();
std::optional<IommuType> FindIommuType(std::string_view name);

// One flag of an op. Of an op's, in canonical order.
struct OpFlag {
  std::string_view word;
  uint8_t bit;
};
std::span<const OpFlag> OpFlags(OpKind kind);

// The kinds of devices, types of default domains and types of regions that have words.
inline constexpr std::array kFakeKinds = {DeviceKind::kEmulated, DeviceKind::kNoIommu};
inline constexpr std::array kDefaultTypes = {DefaultType::kIdentity, DefaultType::kDma};
inline constexpr std::array kRegionTypes = {Region::Type::kDirect, Region::Type::kDirectRelaxable,
                                            Region::Type::kReserved, Region::Type::kMsi,
                                            Region::Type::kSwMsi};
bool HasAperture(const Instance& instance);  // one that is not all pages

bool NamesDevice(const Fault& fault);         // its target is a device
inline constexpr uint8_t kEveryAttach = 255;  // Fault::count of `all`
inline constexpr uint8_t kAllocError = 12;    // ENOMEM, what a failed allocation always is

// The tables from this one on are private: each is of one driver alone, is named after it, and
// they are in the order of the drivers. The tables before have `table` statements.
int FirstPrivateTable(const Topology& topology, const Names& names);
std::string PrivateTableName(std::string_view driver);

inline constexpr size_t kMaxNameLength = 31;
bool HasNameCharacters(std::string_view text);
// An attribute of a device, where the name of an instance may stand: absent, emulated or noiommu.
bool IsDeviceWord(std::string_view text);
// Also not a word that has a meaning where a name may stand.
bool IsName(std::string_view text);

// Text from a file or a file's name, as it may go to a terminal or into JSON: bytes that are not
// printable ASCII are shown as \x1b, and never sent.
std::string Printable(std::string_view text);
// 'text' as errors show it: short, on one line.
std::string Quote(std::string_view text);
// "; did you mean X?" for the one candidate that is closest, or "".
std::string DidYouMean(std::string_view word, std::span<const std::string> candidates);
std::vector<std::string> ErrnoNames();       // "-EPERM" ..
std::vector<std::string> FaultErrnoNames();  // "EPERM" .., those that fit a Fault

std::vector<std::string_view> SplitLines(std::string_view text);

}  // namespace iommucheck
