// SPDX-License-Identifier: Apache-2.0
#include "src/tool/model_hash.h"

namespace iommucheck {

std::string_view ModelHash() {
  return
#include "model_hash.inc"
      ;
}

}  // namespace iommucheck
