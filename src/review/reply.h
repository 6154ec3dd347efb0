// SPDX-License-Identifier: Apache-2.0
//
// A review as a mail, and as JSON.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "src/report/json.h"
#include "src/review/review.h"

namespace iommucheck::review {

// "Review changed v6.12.y,-type1.same_ops differences=2,cases=300241": the line made to be grepped.
std::string VerdictLine(const Review& review);

// Plain text of at most 75 columns that pastes into a mail: the verdict line first, then what differs,
// what explains it, what the solver says, and how to see it again. `commands`: how it was asked.
std::string ReplyText(const Review& review);

report::Json ReviewJson(const Review& review);

// The files of a review for a folder: the reply, and of each difference the case and both traces.
struct NamedFile {
  std::string name;
  std::string text;
};
std::vector<NamedFile> ReviewFiles(const Review& review);

std::string GuessText(const Changes& patch, KernelVersion version, std::span<const Guess> guesses);
report::Json GuessJson(const Changes& patch, KernelVersion version, std::span<const Guess> guesses);

}  // namespace iommucheck::review
