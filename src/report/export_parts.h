// SPDX-License-Identifier: Apache-2.0
//
// Parts that the C programs of src/report/export.h share.
#pragma once

#include <string>

#include "src/case/case.h"
#include "src/case/run.h"

namespace iommucheck::report {

// The licence, and a comment: that of the case, `usage`, the properties that its run violates, and the
// case.
std::string ProgramHead(const Case& c, const Run& run, const std::string& usage);

// The text as a C string.
std::string CString(const std::string& text);
// The errno as C has it: "0", "-EBUSY".
std::string CErrno(int error);

}  // namespace iommucheck::report
