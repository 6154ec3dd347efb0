// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>

#include "absl/strings/str_format.h"
#include "src/case/kernel.h"
#include "src/case/parser.h"
#include "src/case/spelling.h"

namespace iommucheck {
namespace {

std::vector<std::string> VersionNames() {
  std::vector<std::string> names;
  for (KernelVersion version : kKernelVersions) names.emplace_back(VersionName(version));
  return names;
}

std::vector<std::string> RuleNames() {
  std::vector<std::string> names;
  for (const RuleInfo& info : AllRules()) names.emplace_back(info.id);
  return names;
}

std::vector<std::string> BusNames() {
  std::vector<std::string> names;
  for (int i = 0; i < kBusCount; ++i) names.emplace_back(BusName(static_cast<Bus>(i)));
  return names;
}

std::vector<std::string> ClaimNames() {
  std::vector<std::string> names;
  for (int i = 1; i <= static_cast<int>(Claim::kStore); ++i)
    names.emplace_back(ClaimName(static_cast<Claim>(i)));
  return names;
}

std::vector<std::string> RegionTypeNames() {
  std::vector<std::string> names;
  for (Region::Type type : kRegionTypes) names.emplace_back(RegionTypeName(type));
  return names;
}

// "a, b or c".
std::string OneOf(std::span<const std::string> names) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? " or " : ", ";
    text += names[i];
  }
  return text;
}

template <typename Flags>
std::vector<std::string> FlagNames(const Flags& flags) {
  std::vector<std::string> names;
  for (const auto& flag : flags) names.emplace_back(flag.word);
  return names;
}

// Sets the member that the word stands for; false: it is none of the flags.
template <typename Flags, typename T>
bool SetFlag(const Flags& flags, std::string_view word, T& entry) {
  for (const auto& flag : flags) {
    if (flag.word != word) continue;
    entry.*flag.member = flag.value;
    return true;
  }
  return false;
}

}  // namespace

bool Parser::ReadKernel() {
  const std::vector<std::string> versions = VersionNames();
  const auto word = Take(OneOf(versions));
  if (!word) return false;
  const auto version = FindVersion(word->text);
  if (!version) return Fail(*word, OneOf(versions), versions);
  case_.kernel.version = *version;
  std::string_view expected = "'drop', 'add' or end of line";
  while (More()) {
    const Word verb = *Take(expected);
    if (verb.text != "drop" && verb.text != "add")
      return Fail(verb, expected, std::vector<std::string>{"drop", "add"});
    do {
      if (!ReadRule(verb.text == "add")) return false;
    } while (More() && Peek().text != "drop" && Peek().text != "add");
  }
  return true;
}

bool Parser::ReadRule(bool add) {
  const auto word = Take("the id of a rule");
  if (!word) return false;
  const auto rule = FindRule(word->text);
  if (!rule) return Fail(*word, "the id of a rule", RuleNames());
  const std::optional<WrongRule> wrong = TakeRule(*rule, add, case_.kernel);
  return !wrong || FailAt(word->place, wrong->expected, wrong->found);
}

bool Parser::ReadFirmware(const Word& word, Firmware& firmware) {
  for (Firmware f : {Firmware::kAcpi, Firmware::kDt}) {
    if (word.text != FirmwareName(f)) continue;
    firmware = f;
    return true;
  }
  return Fail(word, "acpi or dt");
}

bool Parser::ReadSettings() {
  Settings& settings = case_.topology.settings;
  std::vector<std::string> keys = FlagNames(kSettingsFlags);
  keys.insert(keys.end(), {"dma-entries=", "memlock="});
  const auto apply = [this, &settings](const Word& key, const Word& value) {
    if (key.text == "dma-entries=")
      return ReadByte(value, "a number of mappings", 0, kMaxDmas, settings.dma_entries);
    if (key.text == "memlock=")
      return ReadByte(value, "a number of pages", 0, kNoLimit - 1, settings.memlock);
    return SetFlag(kSettingsFlags, key.text, settings);
  };
  return TakeAttributes("settings", keys, apply);
}

bool Parser::ReadTable() {
  const auto name = TakeNewName("table", case_.names.tables, kMaxTables);
  return name && AddTable(*name, std::string(name->text));
}

bool Parser::AddTable(const Word& owner, std::string name) {
  Names& names = case_.names;
  if (std::ranges::find(names.tables, name) != names.tables.end())
    return FailAt(owner.place, "a driver whose own table's name is free",
                  absl::StrFormat("'table %s' above", name));
  if (names.tables.size() >= kMaxTables)
    return FailAt(owner.place, absl::StrFormat("at most %d tables", kMaxTables), "one more");
  names.tables.push_back(std::move(name));
  ++case_.topology.tables_count;
  return true;
}

bool Parser::ReadDriver() {
  Topology& t = case_.topology;
  const auto name = TakeNewName("driver", case_.names.drivers, kMaxDrivers);
  if (!name) return false;
  Driver& driver = t.drivers[t.drivers_count];
  driver.table = kNoId;
  std::vector<std::string> keys = FlagNames(kDriverFlags);
  keys.insert(keys.end(), {"firmware=", "claims=", "table=", "address=", "mismatch-errno="});
  const auto apply = [this, &driver](const Word& key, const Word& value) {
    return ReadDriverAttribute(key, value, driver);
  };
  if (!TakeAttributes("a driver", keys, apply)) return false;
  if (driver.table == kNoId) {
    driver.table = t.tables_count;
    if (!AddTable(*name, PrivateTableName(name->text))) return false;
  }
  case_.names.drivers.emplace_back(name->text);
  ++t.drivers_count;
  return CheckMachine(name->place);
}

bool Parser::ReadDriverAttribute(const Word& key, const Word& value, Driver& driver) {
  if (key.text == "firmware=") return ReadFirmware(value, driver.firmware);
  if (key.text == "claims=") return ReadClaims(value, driver);
  if (key.text == "mismatch-errno=") return ReadErrno(value, driver.mismatch_errno);
  if (key.text == "table=") {
    const auto table = Reference(value, "table", case_.names.tables);
    driver.table = table.value_or(kNoId);
    return table.has_value();
  }
  if (key.text == "address=") {
    addresses_.push_back({value, case_.topology.drivers_count});
    return true;
  }
  return SetFlag(kDriverFlags, key.text, driver);
}

bool Parser::ReadClaims(const Word& list, Driver& driver) {
  const auto order = driver.claim_order;
  auto next = driver.claim_order.begin();
  size_t from = 0;
  while (from <= list.text.size()) {
    const size_t comma = std::min(list.text.find(',', from), list.text.size());
    const Word item = list.Part(from, comma - from);
    if (!ReadClaim(item, driver)) return false;
    *next++ = *FindBus(item.text.substr(0, item.text.find(':')));
    from = comma + 1;
  }
  std::ranges::copy_if(order, next, [&driver](Bus bus) {
    return driver.claims[static_cast<size_t>(bus)] == Claim::kNone;
  });
  return true;
}

bool Parser::ReadClaim(const Word& item, Driver& driver) {
  const size_t colon = item.text.find(':');
  const Word bus_name = item.Part(0, colon);
  const auto bus = FindBus(bus_name.text);
  if (!bus) return Fail(bus_name, "a bus: " + OneOf(BusNames()), BusNames());
  if (colon == std::string_view::npos) return Fail(item, "BUS:CLAIM");
  Claim& claim = driver.claims[static_cast<size_t>(*bus)];
  if (claim != Claim::kNone)
    return FailAt(bus_name.place, "each bus once", Quote(bus_name.text) + " again");
  const Word claim_name = item.Part(colon + 1);
  const std::vector<std::string> names = ClaimNames();
  const auto it = std::ranges::find(names, claim_name.text);
  if (it == names.end()) return Fail(claim_name, "a claim: " + OneOf(names), names);
  claim = static_cast<Claim>(it - names.begin() + 1);
  return true;
}

bool Parser::ReadInstance() {
  Topology& t = case_.topology;
  const auto name = TakeNewName("instance", case_.names.instances, kMaxInstances);
  if (!name) return false;
  const auto driver = TakeReference("driver", case_.names.drivers);
  if (!driver) return false;
  Instance& instance = t.instances[t.instances_count];
  instance.driver = *driver;
  instance.table = t.drivers[*driver].table;
  std::vector<std::string> keys = FlagNames(kInstanceFlags);
  keys.insert(keys.end(), {"table=", "aperture=", "page-sizes="});
  const auto apply = [this, &instance](const Word& key, const Word& value) {
    return ReadInstanceAttribute(key, value, instance);
  };
  if (!TakeAttributes("an instance", keys, apply)) return false;
  case_.names.instances.emplace_back(name->text);
  ++t.instances_count;
  return CheckMachine(name->place);
}

bool Parser::ReadInstanceAttribute(const Word& key, const Word& value, Instance& instance) {
  if (key.text == "aperture=")
    return ReadPages(value, '-', kLastPage, instance.aperture_first, instance.aperture_last) &&
           (instance.aperture_first <= instance.aperture_last ||
            Fail(value, "the last page not before the first"));
  if (key.text == "page-sizes=") return ReadPageSizes(value, instance);
  if (key.text == "table=") {
    const auto table = Reference(value, "table", case_.names.tables);
    instance.table = table.value_or(kNoId);
    return table.has_value();
  }
  return SetFlag(kInstanceFlags, key.text, instance);
}

bool Parser::ReadPageSizes(const Word& list, Instance& instance) {
  instance.page_sizes = 0;
  for (size_t from = 0; from <= list.text.size();) {
    const size_t comma = std::min(list.text.find(',', from), list.text.size());
    const Word item = list.Part(from, comma - from);
    uint8_t pages = 0;
    if (!ReadByte(item, "a page size", 1, 1 << (kPageSizes - 1), pages)) return false;
    if (!std::has_single_bit(pages)) return Fail(item, "a power of two");
    const auto bit = static_cast<uint8_t>(1U << std::countr_zero(pages));
    if ((instance.page_sizes & bit) != 0)
      return FailAt(item.place, "each page size once", Quote(item.text) + " again");
    instance.page_sizes |= bit;
    from = comma + 1;
  }
  return true;
}

bool Parser::ReadDevice() {
  Topology& t = case_.topology;
  const auto name = TakeNewName("device", case_.names.devices, kMaxDevices);
  if (!name) return false;
  const std::string buses = "a bus: " + OneOf(BusNames());
  const auto bus_name = Take(buses);
  if (!bus_name) return false;
  const auto bus = FindBus(bus_name->text);
  if (!bus) return Fail(*bus_name, buses, BusNames());

  Device& device = t.devices[t.devices_count];
  device.bus = *bus;
  std::vector<std::string> keys = FlagNames(kDeviceFlags);
  for (DeviceKind kind : kFakeKinds) keys.emplace_back(DeviceKindName(kind));
  keys.insert(keys.end(), {"default=", "resv="});
  if (*bus == Bus::kPci)
    keys.insert(keys.end(), {"alias=", "slot="});
  else
    keys.emplace_back("sid=");
  if (!ReadMasters(device, keys)) return false;
  const auto apply = [this, &device](const Word& key, const Word& value) {
    return ReadDeviceAttribute(key, value, device);
  };
  const bool pci = *bus == Bus::kPci;
  if (!TakeAttributes(pci ? "a device" : "a device that is not on pci", keys, apply, "resv="))
    return false;
  case_.names.devices.emplace_back(name->text);
  ++t.devices_count;
  return CheckMachine(name->place);
}

bool Parser::ReadDeviceAttribute(const Word& key, const Word& value, Device& device) {
  if (key.text == "alias=") {
    aliases_.push_back({value, case_.topology.devices_count});
    return true;
  }
  if (key.text == "slot=") return ReadByte(value, "a slot", 1, 255, device.slot);
  if (key.text == "sid=") return ReadByte(value, "a stream id", 1, 255, device.slot);
  if (key.text == "default=") return ReadDefaultType(value, device);
  if (key.text == "resv=") return ReadRegion(value, device);
  return SetFlag(kDeviceFlags, key.text, device) || ReadKind(key, device);
}

bool Parser::ReadKind(const Word& word, Device& device) {
  if (device.kind != DeviceKind::kReal)
    return FailAt(word.place, absl::StrFormat("no more than %s", DeviceKindName(device.kind)),
                  Quote(word.text));
  device.kind = *std::ranges::find(kFakeKinds, word.text, DeviceKindName);
  return true;
}

bool Parser::ReadDefaultType(const Word& word, Device& device) {
  const auto* type = std::ranges::find(kDefaultTypes, word.text, DefaultTypeName);
  if (type == kDefaultTypes.end()) return Fail(word, "identity or dma");
  device.default_type = *type;
  return true;
}

bool Parser::ReadRegion(const Word& word, Device& device) {
  auto* const region = std::ranges::find(device.regions, Region::Type::kNone, &Region::type);
  if (region == device.regions.end())
    return FailAt(word.place, absl::StrFormat("at most %d reserved regions", kMaxRegions),
                  "one more");
  const size_t colon = word.text.find(':');
  if (colon == std::string_view::npos) return Fail(word, "a reserved region as FIRST-LAST:TYPE");
  const Word pages = word.Part(0, colon);
  if (!ReadPages(pages, '-', kLastPage, region->first, region->last)) return false;
  if (region->first > region->last) return Fail(pages, "the last page not before the first");
  const Word type_name = word.Part(colon + 1);
  const auto* type = std::ranges::find(kRegionTypes, type_name.text, RegionTypeName);
  if (type == kRegionTypes.end())
    return Fail(type_name, "a type of region: " + OneOf(RegionTypeNames()), RegionTypeNames());
  region->type = *type;
  return true;
}

bool Parser::ReadMasters(Device& device, std::span<const std::string> keys) {
  const std::vector<std::string>& instances = case_.names.instances;
  for (InstanceId& master : device.masters) {
    const bool is_attribute = !More() || Peek().text.find('=') != std::string_view::npos ||
                              std::ranges::find(keys, Peek().text) != keys.end();
    if (is_attribute) return true;
    const Word word = *Take("the name of an instance");
    const auto it = std::ranges::find(instances, word.text);
    if (it == instances.end()) {
      std::vector<std::string> close_to = instances;
      close_to.insert(close_to.end(), keys.begin(), keys.end());
      return Fail(word, "the name of an instance or an attribute of a device", close_to);
    }
    const auto id = static_cast<InstanceId>(it - instances.begin());
    if (device.masters[0] == id)
      return FailAt(word.place, "each instance once", Quote(word.text) + " again");
    master = id;
  }
  return true;
}

bool Parser::LinkAddresses() {
  Topology& t = case_.topology;
  for (const Link& link : addresses_) {
    const auto driver = Reference(link.name, "driver", case_.names.drivers);
    if (!driver) return false;
    if (*driver == link.owner) return Fail(link.name, "the name of another driver");
    t.drivers[link.owner].address = *driver;
  }
  for (const Link& link : addresses_) {
    if (t.drivers[t.drivers[link.owner].address].address != kNoId)
      return Fail(link.name, "a driver that has no address= itself");
    if (!CheckMachine(link.name.place)) return false;
  }
  addresses_.clear();
  return true;
}

bool Parser::LinkAliases() {
  Topology& t = case_.topology;
  for (const Link& link : aliases_) {
    const auto device = Reference(link.name, "device", case_.names.devices);
    if (!device) return false;
    if (*device == link.owner) return Fail(link.name, "the name of another device");
    if (t.devices[*device].bus != Bus::kPci) return Fail(link.name, "a device on pci");
    if (t.devices[*device].kind != DeviceKind::kReal)
      return Fail(link.name, "a device that is neither emulated nor noiommu");
    t.devices[link.owner].alias = *device;
    if (!CheckMachine(link.name.place)) return false;
  }
  aliases_.clear();
  return true;
}

bool Parser::CheckMachine(const Place& place) {
  const absl::Status status = Validate(case_.topology);
  return status.ok() || FailAt(place, "a valid machine", std::string(status.message()));
}

}  // namespace iommucheck
