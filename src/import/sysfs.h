// SPDX-License-Identifier: Apache-2.0
//
// The contents of a /sys tree about IOMMUs, uninterpreted.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "model/topology.h"
#include "src/import/acpi.h"
#include "src/import/pci_config.h"
#include "src/import/tree.h"
#include "src/import/vfio_facts.h"

namespace iommucheck::import {

// A part of the machine that a tree does not show. It could hide a violation, so "holds" is never
// the answer for a machine with gaps; a violation among the visible parts is one all the same.
struct Gap {
  enum class Hides : uint8_t {
    kIommus,   // IOMMUs, and so drivers
    kDevices,  // devices, groups or facts of known IOMMUs: harmless if there is only one driver
  };
  std::string missing;  // a sentence
  std::string unknown;  // the unknown facts, such as "which devices there are"
  std::string settle;   // what the user can do about it
  Hides hides = Hides::kIommus;
  std::string driver = {};      // kIommus: the only driver that they can have; empty: any
  bool bus_slots_only = false;  // only kernels whose drivers claim buses, up to and including v6.0
};

// Advice about missing input.
inline constexpr char kRunAsRoot[] = "run as root, or take the snapshot as root";
inline constexpr char kRecordAnew[] = "record the system anew (docs/check.md)";

// "0000:00:01.0, 0000:00:02.0 and 3 more"
std::string ListOf(const std::vector<std::string>& names);

// The folders of sys/bus, in the order of enum Bus.
inline constexpr std::array<std::string_view, kBusCount> kBusFolders = {
    "platform", "pci", "amba", "fsl-mc", "host1x-context", "cdx"};

// The ACPI tables that are about IOMMUs.
inline constexpr std::array<std::string_view, 5> kTables = {"DMAR", "IORT", "IVRS", "RIMT", "VIOT"};

// Tables that are about IOMMUs, by signature (nullopt: one that cannot be read), and whether FACP was
// among the others, as it is in those of a whole machine.
struct AcpiTables {
  std::map<std::string, std::optional<std::string>> tables;
  bool others = false;
};

// An entry of /sys/class/iommu.
struct FoundInstance {
  std::string name;
  std::string folder;  // the target of the entry
  std::string device;  // the folder of the device that is the IOMMU; empty: none
  std::string bound;   // the driver bound to that device, or to the nearest one above it
  std::string ecap;    // VT-d: extended capabilities, and the address of the registers
  std::string address;
  std::string of_node;  // its node below firmware/devicetree/base; empty: none
  // Of a device tree that no kernel has booted: what the driver is found by, and dma-coherent.
  std::vector<std::string> compatible = {};
  bool coherent = false;
  // Of ACPI tables that no kernel has booted: the driver of its kind, and the table.
  std::string driver = {};
  std::string table = {};
};

// A node of the device tree that is an IOMMU (has #iommu-cells) and is not disabled.
struct FoundNode {
  std::string path;
  std::string compatible;
};

// A device on one of the buses of iommu_buses[].
struct FoundDevice {
  std::string name;
  Bus bus{};
  std::string folder;
  int group = -1;     // -1: none
  int instance = -1;  // index into instances, -1: none
  // Of a device tree that no kernel has booted: the instances that it names, in its order, with the
  // first number of each specifier, and dma-coherent.
  std::vector<std::pair<int, uint32_t>> masters = {};
  bool coherent = false;
  bool stands_for_bus = false;  // one of two that stand for all that its host bridge maps there
  // PCI, where its configuration space or lspci says so.
  Bridge bridge = Bridge::kNone;
  Acs acs = {};
};

struct Found {
  // A device tree alone: the drivers of its IOMMUs and the groups are those that a kernel would
  // make. There is no kernel_release, and devices have no group.
  bool described_only = false;
  bool listing = false;                 // a text that people paste
  std::string model;                    // of a device tree; empty: it does not say
  std::vector<FoundNode> switched_off;  // IOMMUs whose status, or that of a node above, is not okay
  std::vector<std::string> behind_off;  // devices that name one of these
  std::vector<std::string> split_hosts;  // PCI hosts or segments that go to several IOMMUs
  int hosts = 0;                         // PCI hosts that are behind an IOMMU
  std::string kernel_release;
  std::string release_trouble;  // why there is no release, and what to do; empty: there is one
  Firmware firmware = Firmware::kAny;
  std::vector<FoundInstance> instances;
  std::vector<FoundDevice> devices;
  // ACPI tables by signature; nullopt: the table is there, but cannot be read.
  std::map<std::string, std::optional<std::string>> tables;
  std::vector<FoundNode> nodes;
  std::vector<Gap> gaps;
  std::vector<std::string> assumptions;  // sentences about what was read
  VfioFacts vfio;
};

// What is known beside a sysfs, and counts instead of what is in it.
struct Beside {
  std::optional<std::string> proc_version;
  std::optional<AcpiTables> acpi;
  std::optional<std::vector<FoundNode>> nodes;  // of the device tree

  [[nodiscard]] bool any() const { return acpi.has_value() || nodes.has_value(); }
};

// Reads a tree that has sys/ in it (also below a single folder), or that is a sysfs itself. Anything
// that cannot be read becomes a gap. Errors: NotFound, "expected WHAT, found WHAT": no sysfs at all;
// InvalidArgument: links in a cycle.
absl::StatusOr<Found> ReadFound(const Tree& tree, const Beside& beside = {});
// The folders in which a snapshot can have everything: its root, and what is below a single folder.
std::vector<std::string> RootsOf(const Tree& tree);

// Parses a PCI device's name, such as "0000:00:1f.3".
std::optional<PciAddress> ParsePciName(std::string_view name);

// Its name.
std::string PciName(PciAddress address);

// The number that the whole text is, in this base; nullopt: it is none, or too large.
std::optional<uint64_t> ParseNumber(std::string_view text, int base);

}  // namespace iommucheck::import
