// SPDX-License-Identifier: Apache-2.0
//
// The devices of one machine in clusters, and which clusters are so alike that a few stand for all.
#pragma once

#include <string>
#include <vector>

#include "model/topology.h"

namespace iommucheck::smt {

// Devices that can meet in a group, in the order of the machine: aliases, slots, and instances that
// share out a group join them. All the devices, or some that stand for the rest (Reduced()).
using Cluster = std::vector<DeviceId>;

// In the order of their first devices; without the clusters that no driver can take.
std::vector<Cluster> ClustersOf(const Topology& machine);

// The cluster with no more than a few of its devices that look alike to the kernel. One that
// another device is an alias of stays.
Cluster Reduced(const Topology& machine, const Cluster& cluster);

// Clusters are of one kind if their devices look alike to the kernel one by one and are related in
// the same way. `by_number`: and if they are behind the same instances; otherwise behind instances
// with the same attributes.
std::string KindOf(const Topology& machine, const Cluster& cluster, bool by_number);

}  // namespace iommucheck::smt
