// SPDX-License-Identifier: Apache-2.0
#include "src/smt/plain_order.h"

namespace iommucheck::smt {

int SetUpTurn(OpKind kind) {
  switch (kind) {
    case OpKind::kRegister:
      return 0;
    case OpKind::kConfigure:
      return 1;
    case OpKind::kSetContainer:
      return 3;
    case OpKind::kSetIommu:
      return 4;
    default:
      return 2;
  }
}

}  // namespace iommucheck::smt
