// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "model/table.h"
#include "src/case/case.h"
#include "src/case/spelling.h"

namespace iommucheck {
namespace {

// Errnos of include/linux/errno.h that IOMMU drivers use; user space does not have them.
constexpr std::pair<int, std::string_view> kKernelErrnos[] = {{kEProbeDefer, "EPROBE_DEFER"},
                                                              {524, "ENOTSUPP"}};

struct Errno {
  int number;
  std::string_view name;
};
const std::vector<Errno>& Errnos() {
  static const std::vector<Errno> kErrnos = [] {
    std::vector<Errno> errnos;
    for (int number = 1; number <= 0xff; ++number)
      if (const char* name = strerrorname_np(number); name != nullptr)
        errnos.push_back({number, name});
    for (const auto& [number, name] : kKernelErrnos) errnos.push_back({number, name});
    return errnos;
  }();
  return kErrnos;
}

// The only driver that names the table, itself or through its instances; kNoId: there is none.
DriverId SoleOwner(const Topology& t, TableId table) {
  DriverId owner = kNoId;
  for (DriverId d = 0; d < t.drivers_count; ++d) {
    if (t.drivers[d].table != table) continue;
    if (owner != kNoId) return kNoId;
    owner = d;
  }
  for (InstanceId i = 0; i < t.instances_count; ++i)
    if (t.instances[i].table == table && t.instances[i].driver != owner) return kNoId;
  return owner;
}

// The longest run of tables at the end whose sole owners are in the order of the drivers, and for
// which may_be_private(table, owner) is true.
template <typename F>
int FirstOwned(const Topology& t, F may_be_private) {
  int first = t.tables_count;
  DriverId next_owner = t.drivers_count;
  while (first > 0) {
    const DriverId owner = SoleOwner(t, static_cast<TableId>(first - 1));
    if (owner >= next_owner || !may_be_private(first - 1, owner)) break;
    next_owner = owner;
    --first;
  }
  return first;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

// Levenshtein distance, ignoring case.
size_t Distance(std::string_view from, std::string_view to) {
  const std::string a = Lower(from);
  const std::string b = Lower(to);
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string ErrnoName(int error) {
  if (error == 0) return "ok";
  const int64_t number = -int64_t{error};
  const auto it = std::ranges::find(Errnos(), number, &Errno::number);
  if (it == Errnos().end()) return absl::StrFormat("-errno %d", number);
  return absl::StrFormat("-%s", it->name);
}

std::optional<int> FindErrno(std::string_view name) {
  if (name == "ok") return 0;
  if (!name.starts_with('-')) return std::nullopt;
  const auto it = std::ranges::find(Errnos(), name.substr(1), &Errno::name);
  if (it == Errnos().end()) return std::nullopt;
  return -it->number;
}

std::vector<std::string> ErrnoNames() {
  return NamesOf(Errnos(), [](const Errno& e) { return absl::StrFormat("-%s", e.name); });
}

std::vector<std::string> FaultErrnoNames() {
  std::vector<std::string> names;
  for (const Errno& e : Errnos())
    if (e.number <= 0xff) names.emplace_back(e.name);
  return names;
}

Names DefaultNames(const Topology& topology) {
  Names names;
  for (int i = 0; i < topology.drivers_count; ++i)
    names.drivers.push_back(absl::StrFormat("drv%c", 'A' + i));
  for (int i = 0; i < topology.tables_count; ++i)
    names.tables.push_back(absl::StrFormat("table%d", i));
  FirstOwned(topology, [&names](int table, DriverId owner) {
    names.tables[table] = PrivateTableName(names.drivers[owner]);
    return true;
  });
  for (int i = 0; i < topology.instances_count; ++i)
    names.instances.push_back(absl::StrFormat("iommu%d", i));
  for (int i = 0; i < topology.devices_count; ++i)
    names.devices.push_back(absl::StrFormat("dev%d", i));
  return names;
}

std::string PrivateTableName(std::string_view driver) { return std::string(driver) + ".ops"; }

int FirstPrivateTable(const Topology& topology, const Names& names) {
  return FirstOwned(topology, [&names](int table, DriverId owner) {
    return names.tables[table] == PrivateTableName(names.drivers[owner]);
  });
}

std::string KeyOf(const AttributeInfo& attribute) {
  const bool flag = attribute.kind == AttributeInfo::Kind::kFlag;
  return absl::StrCat(std::string(attribute.word), flag ? "" : "=");
}

bool IsSaid(const AttributeInfo& attribute, const Topology& t, const Names& names, int n) {
  if (attribute.owner == Owner::kDevice && !IsOn(attribute, t.devices[n].bus)) return false;
  if (attribute.kind != AttributeInfo::Kind::kTable)
    return !IsPlain(attribute, EntryOf(t, attribute.owner, n));
  if (attribute.owner == Owner::kDriver) return t.drivers[n].table < FirstPrivateTable(t, names);
  return t.instances[n].table != t.drivers[t.instances[n].driver].table;
}

std::vector<std::string> ValuesOf(const AttributeInfo& attribute, const Topology& t,
                                  const Names& names, int n) {
  using Kind = AttributeInfo::Kind;
  const uint8_t* const member = EntryOf(t, attribute.owner, n) + attribute.at;
  std::vector<std::string> parts;
  switch (attribute.kind) {
    case Kind::kFlag:
      return {};
    case Kind::kName:
      return {std::string(attribute.names[*member])};
    case Kind::kNumber:
      return {absl::StrCat(*member)};
    case Kind::kErrno:
      return {ErrnoName(-int{*member}).substr(1)};
    case Kind::kRange:
      return {absl::StrCat(member[0], "-", member[1])};
    case Kind::kSizes:
      for (int bit = 0; bit < kPageSizes; ++bit)
        if (((*member >> bit) & 1) != 0) parts.push_back(absl::StrCat(1 << bit));
      return {absl::StrJoin(parts, ",")};
    case Kind::kRegions:
      for (const Region& r : t.devices[n].regions)
        if (r.type != Region::Type::kNone)
          parts.push_back(absl::StrFormat("%d-%d:%s", r.first, r.last, RegionTypeName(r.type)));
      return parts;
    case Kind::kClaims:
      for (Bus bus : t.drivers[n].claim_order)
        if (const Claim claim = t.drivers[n].claims[static_cast<size_t>(bus)];
            claim != Claim::kNone)
          parts.push_back(absl::StrFormat("%s:%s", BusName(bus), ClaimName(claim)));
      return {absl::StrJoin(parts, ",")};
    case Kind::kTable:
      return {names.tables[*member]};
    case Kind::kDriver:
      return {names.drivers[*member]};
    case Kind::kDevice:
      return {names.devices[*member]};
  }
  return {};
}

std::span<const ExpectationInfo> AllExpectations() {
  using enum Expectation::Kind;
  using About = ExpectationInfo::About;
  using Object = ExpectationInfo::Object;
  static constexpr auto kRows = std::to_array<ExpectationInfo>({
      {kViolated, "violated", "violated", About::kProperty},
      {kHolds, "holds", "holds", About::kProperty},
      {kOutside, "outside", "outside", About::kAssumption},
      {kDeviceDriver, "device", "device", About::kDevice, "driver", Object::kDriver},
      {kDeviceDomain, "hardware", "device", About::kDevice, "domain", Object::kDriver},
      {kShares, "shares", "group", About::kGroup, "shares", Object::kGroup},
      {kApart, "apart", "group", About::kGroup, "apart", Object::kGroup},
      {kGroupDomain, "domain", "group", About::kGroup, "domain", Object::kDriver},
  });
  static_assert(IsIndexedBy(&ExpectationInfo::kind, kRows));
  return kRows;
}

std::string AboutText(const Expectation& e, const Names& names) {
  switch (InfoOf(e.kind).about) {
    case ExpectationInfo::About::kProperty:
      return std::string(PropertyName(e.property));
    case ExpectationInfo::About::kAssumption:
      return std::string(InfoOf(e.rule).id);
    case ExpectationInfo::About::kDevice:
      return names.devices[e.a];
    case ExpectationInfo::About::kGroup:
      return absl::StrCat(e.a);
  }
  return "";
}

std::string ObjectText(const Expectation& e, const Names& names) {
  switch (InfoOf(e.kind).object) {
    case ExpectationInfo::Object::kNone:
      return "";
    case ExpectationInfo::Object::kDriver:
      return e.b == kNoId ? "none" : names.drivers[e.b];
    case ExpectationInfo::Object::kGroup:
      return absl::StrCat(e.b);
  }
  return "";
}

std::string_view JsonKey(ExpectationInfo::About about) {
  constexpr std::string_view kKeys[] = {"property", "assumption", "device", "group"};
  return kKeys[static_cast<size_t>(about)];
}
std::string_view JsonKey(ExpectationInfo::Object object) {
  constexpr std::string_view kKeys[] = {"", "driver", "with"};
  return kKeys[static_cast<size_t>(object)];
}

std::string EntryName(Owner owner, int n, const Names& names) {
  switch (owner) {
    case Owner::kSettings:
      return "the settings";
    case Owner::kDriver:
      return "driver " + names.drivers[n];
    case Owner::kInstance:
      return "instance " + names.instances[n];
    case Owner::kDevice:
      return "device " + names.devices[n];
  }
  return "";
}

std::string OperandText(Operand operand, uint8_t value, const Names& names) {
  switch (operand) {
    case Operand::kNone:
      return "";
    case Operand::kInstance:
      return names.instances[value];
    case Operand::kDevice:
      return names.devices[value];
    case Operand::kGroup:
      return absl::StrCat(value);
    case Operand::kContainer:
      return absl::StrCat("c", value);
    case Operand::kIommuType:
      return std::string(kIommuTypeNames[value]);
  }
  return "";
}

bool HasNameCharacters(std::string_view text) {
  const auto is_name_character = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_.:+-").find(c) != std::string_view::npos;
  };
  return !text.empty() && std::ranges::all_of(text, is_name_character);
}

bool IsDeviceWord(std::string_view text) {
  return std::ranges::any_of(AttributesOf(Owner::kDevice), [text](const AttributeInfo& a) {
    return a.kind == AttributeInfo::Kind::kFlag && a.word == text;
  });
}

bool IsName(std::string_view text) {
  return HasNameCharacters(text) && text.size() <= kMaxNameLength && text != "none" &&
         !IsDeviceWord(text);
}

std::string OneOf(std::span<const std::string> names) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? " or " : ", ";
    text += names[i];
  }
  return text;
}

std::string Printable(std::string_view text) {
  std::string printable;
  for (const char c : text) {
    if (c >= 0x20 && c < 0x7f)
      printable += c;
    else
      absl::StrAppendFormat(&printable, "\\x%02x",
                            static_cast<unsigned>(static_cast<unsigned char>(c)));
  }
  return printable;
}

std::string Quote(std::string_view text) {
  constexpr size_t kShown = 64;
  return "'" + Printable(text.substr(0, kShown)) + (text.size() > kShown ? "...'" : "'");
}

std::string DidYouMean(std::string_view word, std::span<const std::string> candidates) {
  const size_t limit = std::min<size_t>(3, word.size() / 2);
  size_t least = limit + 1;
  const std::string* closest = nullptr;
  for (const std::string& candidate : candidates) {
    if (std::max(word.size(), candidate.size()) > kMaxNameLength + limit) continue;
    // A rule without its "where." counts as close.
    const bool tail = candidate.size() > word.size() && candidate.ends_with(word) &&
                      candidate[candidate.size() - word.size() - 1] == '.';
    const size_t distance = tail ? 0 : Distance(word, candidate);
    if (distance == least) closest = nullptr;
    if (distance >= least) continue;
    least = distance;
    closest = &candidate;
  }
  return closest == nullptr ? "" : absl::StrFormat("; did you mean %s?", *closest);
}

std::vector<std::string_view> SplitLines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (true) {
    const size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return lines;
    text.remove_prefix(end + 1);
  }
}

}  // namespace iommucheck
