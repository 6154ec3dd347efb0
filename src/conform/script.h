// SPDX-License-Identifier: Apache-2.0
//
// The script for the machine that records real kernels (kernel/qemu, docs/recording.md). The script
// has numbers instead of names.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "src/case/case.h"

namespace iommucheck::conform {

// The lines that play the case. FailedPrecondition if the machine cannot play the whole case, with
// the reason: "op 3, bind dev0: ..", "device dev1: ..", ".. no bus amba". No part of a case is ever
// left out.
absl::StatusOr<std::string> PrintScript(const Case& c, std::string_view name);

}  // namespace iommucheck::conform
