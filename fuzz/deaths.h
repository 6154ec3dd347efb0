// SPDX-License-Identifier: Apache-2.0
//
// The last report of a process that plays real kernel code, and dies with the input.
#pragma once

namespace iommucheck::fuzzing {

// From now on `report` is called once, when this process dies of a signal such as SIGSEGV, or when
// an ASan report begins. Call this after the engine has set its own handlers, since the last
// handlers win.
void ReportDeathsBy(void (*report)());
// From now on no report is made: the caller has already printed everything.
void LeaveDeathsUnreported();

}  // namespace iommucheck::fuzzing
