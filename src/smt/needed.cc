// SPDX-License-Identifier: Apache-2.0
#include "src/smt/needed.h"

namespace iommucheck::smt {

bool Needed(Property property, OpKind kind) {
  const bool reuse = property == Property::kNoCrossDriverReuse;
  return kind == OpKind::kRegister ||
         (reuse && (kind == OpKind::kSetContainer || kind == OpKind::kSetIommu));
}

int StepsNeeded(Property property) { return property == Property::kNoCrossDriverReuse ? 5 : 2; }

}  // namespace iommucheck::smt
