// SPDX-License-Identifier: Apache-2.0
//
// When two cases are equivalent.
#pragma once

#include <string>
#include <vector>

#include "model/properties.h"
#include "src/case/case.h"

namespace iommucheck {

// Describes the run, the devices with their buses, and the links between devices and instances,
// independent of names, of attributes, and of the numbers of drivers, instances and tables.
std::string Shape(const Case& c);

// The shapes of the case and of all cases that these changes lead to, if each plays the same:
//   two steps that follow each other change places,
//   two devices that follow each other change places,
//   platform and pci change places (where no device is an alias, shares a slot, or is or is below a bridge).
// Two cases play the same if every op, on the group with the same devices, has the same errno, if
// the property is violated at the last op and at no other, and if at the end each device is served
// by the same instance, in a group of the same devices, on a domain of the same type and driver
// that it shares with the same devices. Groups, containers and bus slots must agree in the same
// way; the order of lists need not. The case's own shape comes first. Precondition: the case
// violates the property at its last op, and has no faults and nothing that is not encoded.
std::vector<std::string> Variants(const Case& c, Property property);

}  // namespace iommucheck
