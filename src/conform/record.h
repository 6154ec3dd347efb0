// SPDX-License-Identifier: Apache-2.0
//
// Reads the record of a machine that has played a script (src/conform/script.h) as traces.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "src/case/case.h"
#include "src/conform/trace_text.h"

namespace iommucheck::conform {

struct Record {
  std::vector<TraceFile::Entry> entries;
  // For each entry, the kernel functions in which a WARN or an oops happened.
  std::vector<std::vector<std::string>> functions;
  bool done = false;  // the machine reached the end of its script
};
// `find` returns the case with a name, or nullptr. A case that was cut off is left out. Errors:
// "FILE:LINE:COLUMN: expected .., found ..".
absl::StatusOr<Record> ParseRecord(std::string_view text, std::string_view file,
                                   const std::function<const Case*(std::string_view)>& find);

}  // namespace iommucheck::conform
