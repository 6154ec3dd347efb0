// SPDX-License-Identifier: Apache-2.0
//
// Pictures of a machine, and of a run on it: groups, the IOMMUs that serve them and the domains that
// their DMA goes to. Drawn by graphviz.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "src/case/case.h"

namespace iommucheck::report {

// Where the run of the case leaves the machine, for graphviz; of a case without ops, the machine as
// it has booted. Groups that are alike are one box with a count. The wronged device, group and
// domain, and the arrow to a domain of another driver, are red.
std::string Dot(const Case& c);

// The same drawn, for light and dark. Errors: InvalidArgument, "expected WHAT, found WHAT", where
// there is no program `dot`.
absl::StatusOr<std::string> Svg(const Case& c);
// A page with a picture for each step of the run, and what the step changed.
absl::StatusOr<std::string> PictureHtml(const Case& c);

}  // namespace iommucheck::report
