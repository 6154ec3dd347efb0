// SPDX-License-Identifier: Apache-2.0
//
// States as short byte strings, equal where states differ in the numbers of groups and domains
// only.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "model/state.h"
#include "model/topology.h"

namespace iommucheck::explore {

// The model hands out the lowest free number for a group or a domain, follows them as links and
// compares them for equality; it never asks which of two is lower. So states that are equal up to
// these numbers have the same runs, and one stands for all: the one in which groups and domains
// are numbered in the order in which devices, groups and containers lead to them.
class Compactor {
 public:
  explicit Compactor(const Topology& topology) : topology_(topology) {}

  // Writes the bytes of a state with container c0 only into `bytes`, replacing what is there.
  void Encode(const State& state, std::string& bytes);
  // The state of which Encode() gave the bytes, in the numbering above.
  [[nodiscard]] State Decode(std::string_view bytes) const;

  // The number that the last Encode() gave to a group of its state; kNoId: no such group.
  [[nodiscard]] GroupId NewGroup(GroupId group) const {
    return group == kNoId ? kNoId : new_group_[group];
  }

 private:
  void Number(const State& state);
  void SeeGroup(GroupId group);
  void SeeDomain(DomainId domain);
  [[nodiscard]] DomainId NewDomain(DomainId domain) const {
    return domain == kNoId ? kNoId : new_domain_[domain];
  }

  const Topology& topology_;
  std::array<GroupId, kMaxGroups> new_group_{};
  std::array<DomainId, kMaxDomains> new_domain_{};
  std::array<GroupId, kMaxGroups> groups_{};  // old numbers, by new number
  std::array<DomainId, kMaxDomains> domains_{};
  uint8_t groups_count_ = 0;
  uint8_t domains_count_ = 0;
};

}  // namespace iommucheck::explore
