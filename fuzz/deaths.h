// SPDX-License-Identifier: Apache-2.0
//
// The last words of a process that plays real kernel code, which dies with the input.
#pragma once

namespace iommucheck::fuzzing {

// From here on `report` is called once, when this process dies of a signal such as SIGSEGV, or when
// an ASan report begins. Call it after the engine has set its own handlers, which come last then.
void ReportDeathsBy(void (*report)());
// From here on nothing is called: who calls it has said everything.
void LeaveDeathsUnreported();

}  // namespace iommucheck::fuzzing
