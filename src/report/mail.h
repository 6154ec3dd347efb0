// SPDX-License-Identifier: Apache-2.0
//
// `iommucheck report`: a case that goes wrong, as a plain-text mail to a kernel list.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "model/properties.h"
#include "src/case/case.h"
#include "src/case/run.h"

namespace iommucheck::report {

// The header (To, Cc, Subject), a blank line, and the body: what the case's comment says, kernel and
// function, the first wrong step, each step in the kernel's words, which kernels of the model do the
// same, the rules of later kernels that stop it, the case, how to see it again, Fixes and Closes, and
// the C program where the case is one. What is not known stands in parentheses, for the sender to
// fill in or to strike out. ASCII but for the comment's own words, at most 75 columns but for words
// that are longer and the C program.
//
// A comment of the case is read as that of a commit: if its first paragraph is one line, that is the
// subject; a last paragraph of lines "Word: text" is about the mail, with the words To, Cc, Fixes,
// Closes, Link, Function (the kernel's, in place of the one that the model names), Seen (in which
// trees the real code did it) and Wrong ("STEP SENTENCE", where no property says what is wrong).
//
// `property`: what the mail is about; nullopt: what the comment says, else what the case is about.
// `name`: of the case's file, without folder and extension; that of the C program. Precondition: the
// run violates the property. Errors: InvalidArgument, "expected .., found ..", where nothing is wrong.
absl::StatusOr<std::string> Mail(const Case& c, const Run& run, std::optional<Property> property,
                                 const std::string& name);

}  // namespace iommucheck::report
