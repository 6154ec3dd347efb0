// SPDX-License-Identifier: Apache-2.0
//
// The script that the machine which records real kernels plays (kernel/qemu, docs/recording.md).
// Numbers stand for names.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "src/case/case.h"

namespace iommucheck::conform {

// The lines that play the case. FailedPrecondition where the machine cannot play it as it is, with
// the reason: "op 3, bind dev0: ..", "device dev1: ..", ".. no bus amba". Nothing is left out of a
// case that is played.
absl::StatusOr<std::string> PrintScript(const Case& c, std::string_view name);

}  // namespace iommucheck::conform
