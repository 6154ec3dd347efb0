// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>

#include "absl/strings/str_format.h"
#include "model/attributes.h"
#include "src/case/kernel.h"
#include "src/case/parser.h"

namespace iommucheck {
namespace {

std::vector<std::string> BusNames() { return {kBusNames.begin(), kBusNames.end()}; }

// The items of a list with commas.
std::vector<Word> Split(const Word& list) {
  std::vector<Word> items;
  for (size_t from = 0; from <= list.text.size();) {
    const size_t comma = std::min(list.text.find(',', from), list.text.size());
    items.push_back(list.Part(from, comma - from));
    from = comma + 1;
  }
  return items;
}

}  // namespace

bool Parser::ReadKernel() {
  const std::vector<std::string> versions = NamesOf(kKernelVersions, VersionName);
  uint8_t version = 0;
  if (!TakeOneOf(OneOf(versions), versions, version)) return false;
  case_.kernel.version = kKernelVersions[version];
  const std::vector<std::string> verbs = {"drop", "add"};
  const std::vector<std::string> rules = NamesOf(AllRules(), &RuleInfo::id);
  while (More()) {
    uint8_t verb = 0;
    if (!TakeOneOf("'drop', 'add' or end of line", verbs, verb)) return false;
    do {
      uint8_t rule = 0;
      if (!TakeOneOf("the id of a rule", rules, rule)) return false;
      const auto wrong = TakeRule(AllRules()[rule].rule, verbs[verb] == "add", case_.kernel);
      if (wrong) return FailAt(statement_->words[next_ - 1].place, wrong->expected, wrong->found);
    } while (More() && std::ranges::find(verbs, Peek().text) == verbs.end());
  }
  return true;
}

// The first name is that of the plain value, which no statement says.
bool Parser::ReadName(const Word& word, std::string_view kind,
                      std::span<const std::string_view> names, uint8_t& value) {
  const std::vector<std::string> sayable(names.begin() + 1, names.end());
  if (!ReadOneOf(word, std::string(kind) + OneOf(sayable), sayable, value)) return false;
  ++value;
  return true;
}

bool Parser::ReadFirmware() {
  const auto word = Take("acpi or dt");
  uint8_t firmware = 0;
  if (!word || !ReadName(*word, "", kFirmwareNames, firmware)) return false;
  case_.topology.firmware = static_cast<Firmware>(firmware);
  return true;
}

bool Parser::ReadRange(const Word& word, uint8_t& first, uint8_t& last) {
  return ReadPages(word, '-', kLastPage, first, last) &&
         (first <= last || Fail(word, "the last page not before the first"));
}

std::vector<std::string> Parser::AttributeKeys(Owner owner, Bus bus) {
  std::vector<std::string> keys;
  for (const AttributeInfo& attribute : AttributesOf(owner))
    if (IsOn(attribute, bus)) keys.push_back(KeyOf(attribute));
  return keys;
}

bool Parser::ReadAttributes(std::string_view of, Owner owner, Bus bus) {
  const std::vector<std::string> keys = AttributeKeys(owner, bus);
  std::vector<std::string_view> seen;
  while (More()) {
    const Word& word = Next();
    const size_t equals = word.text.find('=');
    const size_t length = equals == std::string_view::npos ? word.text.size() : equals + 1;
    const Word key = word.Part(0, length);
    if (std::ranges::find(keys, key.text) == keys.end())
      return Fail(key, absl::StrFormat("an attribute of %s", of), keys);
    const AttributeInfo& attribute = *std::ranges::find(AttributesOf(owner), key.text, KeyOf);
    const bool repeats = attribute.kind == AttributeInfo::Kind::kRegions;
    if (!repeats && std::ranges::find(seen, key.text) != seen.end())
      return FailAt(key.place, "each attribute once", Quote(key.text) + " again");
    seen.push_back(key.text);
    if (!ReadAttribute(attribute, key, word.Part(length))) return false;
  }
  return true;
}

// The entry is the one after the last that is counted.
bool Parser::ReadAttribute(const AttributeInfo& attribute, const Word& key, const Word& value) {
  using Kind = AttributeInfo::Kind;
  Topology& t = case_.topology;
  const Owner owner = attribute.owner;
  const int entry = owner == Owner::kSettings ? 0 : CountOf(t, owner);
  uint8_t* const member = EntryOf(t, owner, entry) + attribute.at;
  switch (attribute.kind) {
    case Kind::kFlag:
      return SetFlag(attribute, key, *member);
    case Kind::kName:
      return ReadName(value, "", attribute.names, *member);
    case Kind::kNumber:
      return ReadByte(value, attribute.noun, attribute.least, attribute.most, *member);
    case Kind::kErrno:
      return ReadErrno(value, *member);
    case Kind::kRange:
      return ReadRange(value, member[0], member[1]);
    case Kind::kSizes:
      return ReadPageSizes(value, *member);
    case Kind::kRegions:
      return ReadRegion(value, t.devices[t.devices_count]);
    case Kind::kClaims:
      return ReadClaims(value, t.drivers[t.drivers_count]);
    case Kind::kTable:
      return ReadReference(value, "table", case_.names.tables, *member);
    case Kind::kDriver:
      addresses_.push_back({value, t.drivers_count, attribute.at});
      return true;
    case Kind::kDevice:
      devices_.push_back({value, t.devices_count, attribute.at});
      return true;
  }
  return false;
}

// Two flags may set the same member, and only one of them can be given.
bool Parser::SetFlag(const AttributeInfo& attribute, const Word& key, uint8_t& member) {
  for (const AttributeInfo& other : AttributesOf(attribute.owner))
    if (other.at == attribute.at && other.word != attribute.word && member == other.value)
      return FailAt(key.place, absl::StrFormat("no more than %s", other.word), Quote(key.text));
  member = attribute.value;
  return true;
}

bool Parser::ReadSettings() { return ReadAttributes("settings", Owner::kSettings, {}); }

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
  if (!ReadAttributes("a driver", Owner::kDriver, {})) return false;
  if (driver.table == kNoId) {
    driver.table = t.tables_count;
    if (!AddTable(*name, PrivateTableName(name->text))) return false;
  }
  case_.names.drivers.emplace_back(name->text);
  ++t.drivers_count;
  return CheckMachine(name->place);
}

bool Parser::ReadClaims(const Word& list, Driver& driver) {
  const auto order = driver.claim_order;
  auto next = driver.claim_order.begin();
  for (const Word& item : Split(list)) {
    Bus bus{};
    if (!ReadClaim(item, driver, bus)) return false;
    *next++ = bus;
  }
  std::ranges::copy_if(order, next, [&driver](Bus bus) {
    return driver.claims[static_cast<size_t>(bus)] == Claim::kNone;
  });
  return true;
}

bool Parser::ReadClaim(const Word& item, Driver& driver, Bus& bus) {
  const size_t colon = item.text.find(':');
  const Word bus_name = item.Part(0, colon);
  uint8_t index = 0;
  if (!ReadOneOf(bus_name, "a bus: " + OneOf(BusNames()), BusNames(), index)) return false;
  if (colon == std::string_view::npos) return Fail(item, "BUS:CLAIM");
  if (driver.claims[index] != Claim::kNone)
    return FailAt(bus_name.place, "each bus once", Quote(bus_name.text) + " again");
  uint8_t claim = 0;
  if (!ReadName(item.Part(colon + 1), "a claim: ", kClaimNames, claim)) return false;
  bus = static_cast<Bus>(index);
  driver.claims[index] = static_cast<Claim>(claim);
  return true;
}

bool Parser::ReadInstance() {
  Topology& t = case_.topology;
  const auto name = TakeNewName("instance", case_.names.instances, kMaxInstances);
  if (!name) return false;
  Instance& instance = t.instances[t.instances_count];
  if (!TakeReference("driver", case_.names.drivers, instance.driver)) return false;
  instance.table = t.drivers[instance.driver].table;
  if (!ReadAttributes("an instance", Owner::kInstance, {})) return false;
  case_.names.instances.emplace_back(name->text);
  ++t.instances_count;
  return CheckMachine(name->place);
}

bool Parser::ReadPageSizes(const Word& list, uint8_t& sizes) {
  sizes = 0;
  for (const Word& item : Split(list)) {
    uint8_t pages = 0;
    if (!ReadByte(item, "a page size", 1, 1 << (kPageSizes - 1), pages)) return false;
    if (!std::has_single_bit(pages)) return Fail(item, "a power of two");
    const auto bit = static_cast<uint8_t>(1U << std::countr_zero(pages));
    if ((sizes & bit) != 0)
      return FailAt(item.place, "each page size once", Quote(item.text) + " again");
    sizes |= bit;
  }
  return true;
}

bool Parser::ReadDevice() {
  Topology& t = case_.topology;
  const auto name = TakeNewName("device", case_.names.devices, kMaxDevices);
  if (!name) return false;
  uint8_t bus = 0;
  if (!TakeOneOf("a bus: " + OneOf(BusNames()), BusNames(), bus)) return false;
  Device& device = t.devices[t.devices_count];
  device.bus = static_cast<Bus>(bus);
  const bool pci = device.bus == Bus::kPci;
  if (!ReadMasters(device) ||
      !ReadAttributes(pci ? "a device" : "a device that is not on pci", Owner::kDevice, device.bus))
    return false;
  case_.names.devices.emplace_back(name->text);
  ++t.devices_count;
  return CheckMachine(name->place);
}

bool Parser::ReadRegion(const Word& word, Device& device) {
  auto* const region = std::ranges::find(device.regions, Region::Type::kNone, &Region::type);
  if (region == device.regions.end())
    return FailAt(word.place, absl::StrFormat("at most %d reserved regions", kMaxRegions),
                  "one more");
  const size_t colon = word.text.find(':');
  if (colon == std::string_view::npos) return Fail(word, "a reserved region as FIRST-LAST:TYPE");
  if (!ReadRange(word.Part(0, colon), region->first, region->last)) return false;
  uint8_t type = 0;
  if (!ReadName(word.Part(colon + 1), "a type of region: ", kRegionTypeNames, type)) return false;
  region->type = static_cast<Region::Type>(type);
  return true;
}

bool Parser::ReadMasters(Device& device) {
  const std::vector<std::string> keys = AttributeKeys(Owner::kDevice, device.bus);
  // The names come first, so that the index of a name is that of the instance.
  std::vector<std::string> expected = case_.names.instances;
  expected.insert(expected.end(), keys.begin(), keys.end());
  for (InstanceId& master : device.masters) {
    const bool is_attribute = !More() || Peek().text.find('=') != std::string_view::npos ||
                              std::ranges::find(keys, Peek().text) != keys.end();
    if (is_attribute) return true;
    const Word& word = Next();
    InstanceId id = kNoId;
    if (!ReadOneOf(word, "the name of an instance or an attribute of a device", expected, id))
      return false;
    if (device.masters[0] == id)
      return FailAt(word.place, "each instance once", Quote(word.text) + " again");
    master = id;
  }
  return true;
}

bool Parser::LinkAddresses() {
  Topology& t = case_.topology;
  for (const Link& link : addresses_) {
    DriverId& address = t.drivers[link.owner].address;
    if (!ReadReference(link.name, "driver", case_.names.drivers, address)) return false;
    if (address == link.owner) return Fail(link.name, "the name of another driver");
  }
  for (const Link& link : addresses_) {
    if (t.drivers[t.drivers[link.owner].address].address != kNoId)
      return Fail(link.name, "a driver that has no address= itself");
    if (!CheckMachine(link.name.place)) return false;
  }
  addresses_.clear();
  return true;
}

bool Parser::LinkDevices() {
  Topology& t = case_.topology;
  for (const Link& link : devices_) {
    DeviceId& other = EntryOf(t, Owner::kDevice, link.owner)[link.at];
    if (!ReadReference(link.name, "device", case_.names.devices, other)) return false;
    if (other == link.owner) return Fail(link.name, "the name of another device");
    if (t.devices[other].bus != Bus::kPci) return Fail(link.name, "a device on pci");
    if (t.devices[other].kind != DeviceKind::kReal)
      return Fail(link.name, "a device that is neither emulated nor noiommu");
  }
  // An alias must be below the bridge of its device, which may be linked after it.
  for (const Link& link : devices_)
    if (!CheckMachine(link.name.place)) return false;
  devices_.clear();
  return true;
}

bool Parser::CheckMachine(const Place& place) {
  const absl::Status status = Validate(case_.topology);
  return status.ok() || FailAt(place, "a valid machine", std::string(status.message()));
}

}  // namespace iommucheck
