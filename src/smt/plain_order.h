// SPDX-License-Identifier: Apache-2.0
//
// Which of two ops is the plainer one to read, and in which order ops read most easily. Nothing but
// the looks of the case that is shown depends on it.
#pragma once

#include <array>

#include "model/op.h"
#include "src/case/encoded.h"

namespace iommucheck::smt {

// Kinds of ops, the plainest first.
inline constexpr std::array<OpKind, kEncodedOpCount> kPlainFirst = {
    OpKind::kConfigure,      OpKind::kRegister, OpKind::kSetContainer, OpKind::kSetIommu,
    OpKind::kUnsetContainer, OpKind::kAdd,      OpKind::kRemove,       OpKind::kUnregister};

// The place of an op in the order in which one would set up a machine: drivers, firmware
// descriptions, what else happens to devices and groups, containers.
int SetUpTurn(OpKind kind);

}  // namespace iommucheck::smt
