// SPDX-License-Identifier: Apache-2.0
//
// The steps that every violation of a property takes.
#pragma once

#include "model/op.h"
#include "model/properties.h"

namespace iommucheck::smt {

// Whether every violation takes an op of this kind: a register of each of two drivers, and to reuse
// a domain two set-container and a set-iommu, one of these last. props/judges_props.cc tests it.
bool Needed(Property property, OpKind kind);

// How many steps these are: no shorter run violates the property.
int StepsNeeded(Property property);

}  // namespace iommucheck::smt
