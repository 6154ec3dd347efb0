// SPDX-License-Identifier: Apache-2.0
//
// The machine that ACPI tables describe: their IOMMUs, each with the driver that serves its kind, and
// the devices that they put behind these.
#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "src/import/acpi.h"
#include "src/import/acpi_dump.h"

namespace iommucheck::import {
namespace {

constexpr uint16_t kLastBdf = 0xffff;

// Functions of a segment that a table puts behind an IOMMU. Of two claims of one table, the earlier
// one counts.
struct Claim {
  std::string_view table;
  uint16_t segment = 0;
  uint32_t first = 0;
  uint32_t last = kLastBdf;
  int instance = 0;
  uint32_t out = 0;  // the id that the IOMMU sees for `first`

  [[nodiscard]] bool IsWhole() const { return first == 0 && last >= kLastBdf; }
};

// A PCI function that a table names, or two that stand for some.
struct PciEntry {
  std::string name;
  uint16_t segment = 0;
  std::optional<uint16_t> bdf;  // nullopt: the table does not say
  bool stands = false;
  std::string_view table;
  int instance = 0;
  uint32_t id = 0;
  bool coherent = false;
};

std::string TableNames() {
  return absl::StrJoin(std::vector<std::string>(kTables.begin(), kTables.end()), ", ");
}

class Describer {
 public:
  absl::StatusOr<Found> Describe(const AcpiTables& given) {
    if (given.tables.empty() && !given.others)
      return absl::InvalidArgumentError(absl::StrCat("expected an ACPI table of ", TableNames(),
                                                     ", or all of a machine, found none"));
    found_.described_only = true;
    found_.firmware = Firmware::kAcpi;
    found_.release_trouble = "ACPI tables, which are of no kernel";
    // Drivers that need no fwnode come first: DMAR and IVRS are theirs.
    absl::Status status = With("DMAR", given, ParseDmar, &Describer::AddDmar);
    status.Update(With("IVRS", given, ParseIvrs, &Describer::AddIvrs));
    status.Update(With("IORT", given, ParseIort, &Describer::AddIort));
    status.Update(With("RIMT", given, ParseRimt, &Describer::AddRimt));
    status.Update(With("VIOT", given, ParseViot, &Describer::AddViot));
    if (!status.ok()) return status;
    for (const PciEntry& entry : entries_) AddPci(entry);
    NoteSegments();
    NoteAssumptions(given);
    return std::move(found_);
  }

 private:
  template <typename Table>
  absl::Status With(const char* signature, const AcpiTables& given,
                    absl::StatusOr<Table> (*parse)(std::string_view),
                    void (Describer::*add)(const Table&)) {
    const auto it = given.tables.find(signature);
    if (it == given.tables.end()) return absl::OkStatus();
    const std::optional<std::string>& bytes = it->second;
    if (!bytes) {
      found_.gaps.push_back(
          {absl::StrCat("The ACPI table ", signature, " is there and cannot be read."),
           "which IOMMUs there are and what is behind them", kRunAsRoot});
      return absl::OkStatus();
    }
    absl::StatusOr<Table> table = parse(*bytes);
    if (!table.ok())
      return absl::InvalidArgumentError(
          absl::StrCat("table ", signature, ": ", std::string(table.status().message())));
    (this->*add)(*table);
    return absl::OkStatus();
  }

  int AddInstance(std::string name, const char* driver, const char* table, bool coherent = false) {
    FoundInstance instance{.name = std::move(name)};
    instance.driver = driver;
    instance.table = table;
    instance.coherent = coherent;
    found_.instances.push_back(std::move(instance));
    return static_cast<int>(found_.instances.size()) - 1;
  }

  void AddPlatform(std::string name, std::vector<std::pair<int, uint32_t>> masters,
                   bool coherent = false) {
    if (masters.empty()) return;
    FoundDevice device{.name = std::move(name), .bus = Bus::kPlatform, .folder = "acpi"};
    device.masters = std::move(masters);
    device.coherent = coherent;
    found_.devices.push_back(std::move(device));
  }

  // What a table says that is not known here may be about devices, or add IOMMUs.
  void NoteUnread(const char* table, const std::vector<std::string>& unread, Gap::Hides hides,
                  const std::string& driver = "") {
    if (unread.empty()) return;
    found_.gaps.push_back(
        {absl::StrCat(table, " has ", ListOf(unread), ", which iommucheck does not know."),
         "what it says of IOMMUs and devices", "a newer iommucheck", hides, driver});
  }

  // Two that stand for the functions from `first` to `last`.
  void AddRange(std::string_view table, uint16_t segment, uint32_t first, uint32_t last,
                int instance, uint32_t out, bool coherent = false) {
    claims_.push_back({table, segment, first, last, instance, out});
    std::string name = absl::StrFormat("pci%04x", segment);
    if (!claims_.back().IsWhole())
      name = absl::StrCat(PciName({segment, static_cast<uint16_t>(first)}), "-to-",
                          PciName({segment, static_cast<uint16_t>(last)}).substr(5));
    const std::optional<uint16_t> bdf =
        claims_.back().IsWhole() ? std::nullopt : std::optional(static_cast<uint16_t>(first));
    for (const char* which : {"-1", "-2"})
      entries_.push_back({.name = absl::StrCat(name, which),
                          .segment = segment,
                          .bdf = bdf,
                          .stands = true,
                          .table = table,
                          .instance = instance,
                          .id = out,
                          .coherent = coherent});
  }

  void AddFunction(std::string_view table, PciAddress at, int instance, uint32_t id) {
    claims_.push_back({table, at.segment, at.bdf, at.bdf, instance, id});
    entries_.push_back({.name = PciName(at),
                        .segment = at.segment,
                        .bdf = at.bdf,
                        .table = table,
                        .instance = instance,
                        .id = id});
  }

  // --- DMAR ---

  void AddDmar(const Dmar& dmar) {
    for (const DmarUnit& unit : dmar.units) {
      const int i = AddInstance(absl::StrCat("dmar", found_.instances.size()), "intel", "DMAR");
      for (const DmarScope& scope : unit.scopes) AddScope(dmar, unit.segment, scope, i);
    }
    // The unit that has the rest, so that the claims of others go first.
    for (size_t i = 0; i < dmar.units.size(); ++i)
      if (dmar.units[i].all_pci)
        AddRange("DMAR", dmar.units[i].segment, 0, kLastBdf, static_cast<int>(i), 0);
    for (const DmarReserved& r : dmar.reserved) NoteReserved("RMRR", r.first, r.last);
    NoteUnread("DMAR", dmar.unread, Gap::Hides::kDevices, "intel");
  }

  void AddScope(const Dmar& dmar, uint16_t segment, const DmarScope& scope, int instance) {
    if (scope.kind == DmarScope::Kind::kNamespace) {
      const auto name = std::ranges::find(dmar.names, scope.id, &DmarName::number);
      return AddPlatform(name->name, {{instance, static_cast<uint32_t>(scope.id)}});
    }
    // IOAPICs and HPETs send interrupts alone.
    if (scope.kind != DmarScope::Kind::kEndpoint && scope.kind != DmarScope::Kind::kBridge) return;
    const PciAddress start = {segment, static_cast<uint16_t>(scope.bus << 8 | scope.path.front())};
    std::string name = PciName(start);
    for (size_t level = 1; level < scope.path.size(); ++level)
      absl::StrAppend(&name,
                      absl::StrFormat("/%02x.%d", scope.path[level] >> 3, scope.path[level] & 7));
    const bool exact = scope.path.size() == 1;
    if (exact) {
      AddFunction("DMAR", start, instance, start.bdf);
    } else {
      entries_.push_back(
          {.name = name, .segment = segment, .bdf = {}, .table = "DMAR", .instance = instance});
    }
    if (scope.kind != DmarScope::Kind::kBridge) return;
    for (const char* which : {"-below-1", "-below-2"})
      entries_.push_back({.name = absl::StrCat(name, which),
                          .segment = segment,
                          .bdf = {},
                          .stands = true,
                          .table = "DMAR",
                          .instance = instance});
  }

  // --- IVRS ---

  void AddIvrs(const Ivrs& ivrs) {
    for (size_t i = 0; i < ivrs.iommus.size(); ++i) {
      const IvrsIommu& iommu = ivrs.iommus[i];
      const int instance = AddInstance(absl::StrCat("ivhd", i), "amd", "IVRS");
      const uint16_t segment = iommu.at.segment;
      for (const IvrsRange& r : iommu.devices) {
        if (r.first == r.last)
          AddFunction("IVRS", {segment, r.first}, instance, r.alias.value_or(r.first));
        else
          AddRange("IVRS", segment, r.first, r.last, instance, r.alias.value_or(r.first));
      }
      for (const IvrsNamed& named : iommu.named)
        AddPlatform(absl::StrCat(named.hid, named.uid.empty() ? "" : ":", named.uid),
                    {{instance, uint32_t{named.id}}});
    }
    for (const IvrsMemory& m : ivrs.memory) NoteReserved("IVMD", m.first, m.last);
    NoteUnread("IVRS", ivrs.unread, Gap::Hides::kDevices, "amd");
  }

  // --- IORT, RIMT ---

  void AddIort(const Iort& iort) {
    const int first = static_cast<int>(found_.instances.size());
    for (const IortSmmu& smmu : iort.smmus)
      AddInstance(absl::StrFormat("%s.0x%016x", smmu.v3 ? "smmu3" : "smmu", smmu.address),
                  smmu.v3 ? "arm-smmu-v3" : "arm-smmu", "IORT", smmu.coherent);
    AddSources("IORT", iort.sources, first);
    for (const IortReserved& r : iort.reserved) NoteReserved("RMR", r.first, r.last);
    NoteUnread("IORT", iort.unread, Gap::Hides::kIommus);
  }

  void AddRimt(const Rimt& rimt) {
    const int first = static_cast<int>(found_.instances.size());
    for (const RimtIommu& iommu : rimt.iommus)
      AddInstance(
          iommu.is_pci ? PciName(iommu.pci) : absl::StrFormat("riscv-iommu.0x%x", iommu.address),
          "riscv", "RIMT");
    AddSources("RIMT", rimt.sources, first);
  }

  void AddSources(std::string_view table, const std::vector<IdSource>& sources, int first) {
    for (const IdSource& source : sources) {
      std::vector<std::pair<int, uint32_t>> masters;
      for (const IdMap& map : source.maps) {
        const std::pair master(first + static_cast<int>(map.iommu), map.out);
        if (!source.is_pci) {
          masters.push_back(master);
        } else if (map.first <= kLastBdf) {
          AddRange(table, static_cast<uint16_t>(source.segment), map.first,
                   std::min<uint32_t>(map.last, kLastBdf), master.first, master.second,
                   source.coherent);
        }
      }
      AddPlatform(source.name, std::move(masters), source.coherent);
    }
  }

  // --- VIOT ---

  void AddViot(const Viot& viot) {
    const int first = static_cast<int>(found_.instances.size());
    for (const ViotIommu& iommu : viot.iommus) {
      AddInstance(
          iommu.is_pci ? PciName(iommu.pci) : absl::StrFormat("virtio-mmio.0x%x", iommu.address),
          "virtio-iommu", "VIOT");
      if (iommu.is_pci) found_.instances.back().device = found_.instances.back().name;
    }
    for (const ViotEndpoints& e : viot.endpoints) {
      const int instance = first + static_cast<int>(e.iommu);
      if (!e.is_pci) {
        AddPlatform(absl::StrFormat("mmio.0x%x", e.address), {{instance, e.id}});
        continue;
      }
      if (viot.iommus[e.iommu].is_pci) self_[instance] = viot.iommus[e.iommu].pci;
      // A range over several segments is that of each of them.
      constexpr int kMostSegments = 16;
      const int more = std::min<int>(e.segment_last - e.segment_first, kMostSegments);
      for (int s = 0; s <= more; ++s) {
        const auto segment = static_cast<uint16_t>(e.segment_first + s);
        if (e.bdf_first == e.bdf_last)
          AddFunction("VIOT", {segment, e.bdf_first}, instance, e.id);
        else
          AddRange("VIOT", segment, e.bdf_first, e.bdf_last, instance, e.id);
      }
    }
  }

  // --- all ---

  void AddPci(const PciEntry& entry) {
    std::string name = entry.name;
    if (!names_.insert(name).second) {
      // Several parts of a segment, or several IOMMUs, may have stand-ins of one name.
      if (!entry.stands) return;
      absl::StrAppend(&name, "-", found_.instances[static_cast<size_t>(entry.instance)].name);
      if (!names_.insert(name).second) return;
    }
    FoundDevice device{.name = std::move(name),
                       .bus = Bus::kPci,
                       .folder = absl::StrFormat("pci%04x", entry.segment)};
    device.stands_for_bus = entry.stands;
    device.coherent = entry.coherent;
    for (const char* table : {"DMAR", "IVRS", "IORT", "RIMT", "VIOT"}) {
      if (entry.table == table)
        device.masters.emplace_back(entry.instance, entry.id);
      else if (const Claim* claim = ClaimOf(entry, table); claim != nullptr)
        device.masters.emplace_back(claim->instance,
                                    claim->out + entry.bdf.value_or(0) - claim->first);
    }
    // The kernel does not put a virtio-iommu behind itself (viot_dev_iommu_init()).
    std::erase_if(device.masters, [&](const auto& master) {
      const auto self = self_.find(master.first);
      return !entry.stands && entry.bdf && self != self_.end() &&
             self->second == PciAddress{entry.segment, *entry.bdf};
    });
    if (!device.masters.empty()) found_.devices.push_back(std::move(device));
  }

  // The first claim of the table that has the function; of one that is not known, a claim of all.
  [[nodiscard]] const Claim* ClaimOf(const PciEntry& entry, std::string_view table) const {
    for (const Claim& claim : claims_) {
      if (claim.table != table || claim.segment != entry.segment) continue;
      const bool has =
          entry.bdf ? claim.first <= *entry.bdf && *entry.bdf <= claim.last : claim.IsWhole();
      if (has) return &claim;
    }
    return nullptr;
  }

  void NoteSegments() {
    std::map<uint16_t, std::set<int>> instances;
    for (const Claim& claim : claims_) instances[claim.segment].insert(claim.instance);
    for (const auto& [segment, of] : instances) {
      ++found_.hosts;
      if (of.size() > 1) found_.split_hosts.push_back(absl::StrFormat("pci%04x", segment));
    }
  }

  void NoteReserved(const char* what, uint64_t first, uint64_t last) {
    const std::string text = absl::StrFormat("%s 0x%x to 0x%x", what, first, last);
    if (std::ranges::find(reserved_, text) == reserved_.end()) reserved_.push_back(text);
  }

  void NoteAssumptions(const AcpiTables& given) {
    std::vector<std::string> names;
    names.reserve(given.tables.size());
    for (const auto& [name, bytes] : given.tables) names.push_back(name);
    if (!given.others)
      found_.assumptions.push_back(absl::StrCat(
          "Given is ", absl::StrJoin(names, ", "),
          " alone: the machine is taken to have no other of the tables ", TableNames(), "."));
    if (!reserved_.empty())
      found_.assumptions.push_back(absl::StrCat(
          "Firmware uses memory by DMA: ", ListOf(reserved_),
          ". VFIO refuses the groups of the devices that it is for; here it does not, so that no "
          "run is missed."));
  }

  Found found_;
  std::vector<Claim> claims_;
  std::vector<PciEntry> entries_;
  std::set<std::string> names_;
  std::map<int, PciAddress> self_;  // virtio-iommus that are PCI functions
  std::vector<std::string> reserved_;
};

}  // namespace

absl::StatusOr<Found> DescribeTables(const AcpiTables& tables) {
  return Describer().Describe(tables);
}

}  // namespace iommucheck::import
