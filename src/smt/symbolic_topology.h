// SPDX-License-Identifier: Apache-2.0
//
// A topology whose attributes are bits: constants in a replay and where the machine is given,
// inputs of the circuit in a query about any machine.
#pragma once

#include <array>
#include <vector>

#include "model/topology.h"
#include "src/smt/bits.h"

namespace iommucheck::smt {

inline constexpr int kClaimCount = static_cast<int>(Claim::kStore) + 1;

struct SymbolicDriver {
  Bit refused_by_firmware;  // the machine is of one kind, the driver of the other
  std::array<std::array<Bit, kClaimCount>, kBusCount> claims;
  std::array<Bus, kBusCount> claim_order = Driver{}.claim_order;
  Bit claims_once;
  Bit unwinds;
  Bit clears;
  Bits address;  // one-hot, by driver: where its ops lie
  Bits table;    // one-hot: the address of its default domain ops
  Bit same_instance;
  Bit refuses_foreign;
  Bit instance_groups;
  Bit default_domains = true;
  Bit coherent = true;
  Bit accepts_foreign;

  [[nodiscard]] Bit claim(Bus bus, Claim claim) const {
    return claims[static_cast<size_t>(bus)][static_cast<size_t>(claim)];
  }
};

struct SymbolicInstance {
  int driver = 0;  // a constant in a query, too: two instances of each driver are enough
  Bit fwnode;
  Bits table;  // one-hot: the address of the domain ops for devices behind it
  Bit enforces_coherency = true;
};

struct SymbolicDevice {
  std::array<Bit, kBusCount> bus;
  std::array<Bits, kMaxMasters> masters;  // one-hot, by instance
  Bits alias_related;                     // by device
  Bits slot_related;
  Bits below;                 // one-hot, by device: the bridge whose bus it is on
  std::vector<Bits> bridges;  // SharedBridges(), in its order: one-hot each, by device
  Bit absent;

  [[nodiscard]] Bit on(Bus b) const { return bus[static_cast<size_t>(b)]; }
};

struct SymbolicTopology {
  int tables = 0;
  bool acpi = false;       // ACPI describes the machine, not a device tree
  std::vector<Bus> buses;  // that a device can be on, in the order in which they are walked
  std::vector<SymbolicDriver> drivers;
  std::vector<SymbolicInstance> instances;
  std::vector<SymbolicDevice> devices;
};

// The constants of a concrete topology.
SymbolicTopology FromTopology(const Topology& topology);

// Whether it breaks an assumption about topologies that is one of the rules.
bool BreaksAssumption(const Topology& topology, RuleSet rules);

}  // namespace iommucheck::smt
