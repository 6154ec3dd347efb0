// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "absl/strings/str_format.h"
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
  KernelSpec& kernel = case_.kernel;
  if (kernel.dropped.has(*rule) || kernel.added.has(*rule))
    return FailAt(word->place, "each rule once", Quote(word->text) + " again");
  const bool present = ProfileOf(kernel.version).has(*rule);
  if (present == add)
    return Fail(*word, absl::StrFormat("a rule that %s has%s", VersionName(kernel.version),
                                       add ? " not" : ""));
  (add ? kernel.added : kernel.dropped).add(*rule);
  return true;
}

bool Parser::ReadFirmware(const Word& word, Firmware& firmware) {
  for (Firmware f : {Firmware::kAcpi, Firmware::kDt}) {
    if (word.text != FirmwareName(f)) continue;
    firmware = f;
    return true;
  }
  return Fail(word, "acpi or dt");
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
  keys.insert(keys.end(), {"firmware=", "claims=", "table=", "address="});
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
  keys.emplace_back("table=");
  const auto apply = [this, &instance](const Word& key, const Word& value) {
    if (key.text != "table=") return SetFlag(kInstanceFlags, key.text, instance);
    const auto table = Reference(value, "table", case_.names.tables);
    instance.table = table.value_or(kNoId);
    return table.has_value();
  };
  if (!TakeAttributes("an instance", keys, apply)) return false;
  case_.names.instances.emplace_back(name->text);
  ++t.instances_count;
  return CheckMachine(name->place);
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
  if (*bus == Bus::kPci) keys.insert(keys.end(), {"alias=", "slot="});
  if (!ReadMasters(device, keys)) return false;
  const auto apply = [&](const Word& key, const Word& value) {
    if (key.text == "alias=") {
      aliases_.push_back({value, t.devices_count});
      return true;
    }
    if (key.text != "slot=") return SetFlag(kDeviceFlags, key.text, device);
    const auto slot = Number(value, "a slot", 1, 255);
    device.slot = static_cast<uint8_t>(slot.value_or(0));
    return slot.has_value();
  };
  const bool pci = *bus == Bus::kPci;
  if (!TakeAttributes(pci ? "a device" : "a device that is not on pci", keys, apply)) return false;
  case_.names.devices.emplace_back(name->text);
  ++t.devices_count;
  return CheckMachine(name->place);
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
