// SPDX-License-Identifier: Apache-2.0
#include "src/smt/unrolling.h"

namespace iommucheck::smt {

Unrolling::Unrolling(const KernelSpec& kernel, RuleSet open, int devices, const Runs& runs)
    : property_(runs.property),
      space_(kernel, open, devices, runs),
      encoder_(space_.kernel(), space_.topology(), space_.sizes()) {}

}  // namespace iommucheck::smt
