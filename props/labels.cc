// SPDX-License-Identifier: Apache-2.0
#include "props/labels.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "absl/strings/str_format.h"

namespace iommucheck {
namespace {

// Asks all labels when the tests of the program have run.
class Labels : public testing::Environment {
 public:
  static Labels& All() {
    // gtest deletes it.
    static auto* const all =
        static_cast<Labels*>(testing::AddGlobalTestEnvironment(new Labels));  // NOLINT
    return *all;
  }
  void Add(const Label& label) { labels_.push_back(&label); }
  void TearDown() override {
    for (const Label* label : labels_)
      if (const std::string what = label->TooSeldom(); !what.empty()) ADD_FAILURE() << what;
  }

 private:
  std::vector<const Label*> labels_;
};

// Registered before main(), so that it takes part however the program is run.
[[maybe_unused]] const Labels& registered = Labels::All();

}  // namespace

Label::Label(std::string name, int least) : name_(std::move(name)), least_(least) {
  Labels::All().Add(*this);
}

bool Label::operator()(bool is_so) {
  ++runs_;
  if (is_so) ++times_;
  return is_so;
}

std::string Label::TooSeldom() const {
  const int64_t wanted = runs_ * least_ / 1000;
  if (runs_ < kRunsToSay || times_ >= wanted) return "";
  return absl::StrFormat("%s: true in %d of %d runs, expected %d or more", name_, times_, runs_,
                         wanted);
}

}  // namespace iommucheck
