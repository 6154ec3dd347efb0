// SPDX-License-Identifier: Apache-2.0
#include "src/smt/version.h"

#include <z3.h>

#include "absl/strings/str_cat.h"

namespace iommucheck::smt {

std::string Z3Version() {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned build = 0;
  unsigned revision = 0;
  Z3_get_version(&major, &minor, &build, &revision);
  return absl::StrCat(major, ".", minor, ".", build);
}

}  // namespace iommucheck::smt
