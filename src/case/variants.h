// SPDX-License-Identifier: Apache-2.0
//
// When two cases are the same.
#pragma once

#include <string>
#include <vector>

#include "model/properties.h"
#include "src/case/case.h"

namespace iommucheck {

// The run, the devices with their buses, and the links between devices and instances, in words that
// do not depend on names, on numbers of drivers, instances and tables, nor on attributes.
std::string Shape(const Case& c);

// The shapes of the case and of all that these changes lead to, where each plays the same:
//   two steps that follow each other change places,
//   two devices that follow each other change places,
//   platform and pci change places (where no device is an alias or shares a slot).
// To play the same is: every op, with the group that it meant by its devices, has the same errno,
// the property is violated at the last op and at no other, and at the end each device is served by
// the same instance, in a group of the same devices, on a domain of the same type and driver, and
// shares it with the same devices; the same of groups, containers and bus slots. Orders of lists
// are not compared. The case's own shape comes first.
// Precondition: the case violates the property at its last op, and has no faults.
std::vector<std::string> Variants(const Case& c, Property property);

}  // namespace iommucheck
