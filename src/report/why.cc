// SPDX-License-Identifier: Apache-2.0
#include "src/report/why.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "src/case/json_text.h"
#include "src/case/spelling.h"
#include "src/report/json.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

constexpr char kOtherKernels[] =
    "The walk that makes these groups is the same in Linux 5.10, 6.1, 6.12 and 7.3, but that 7.3 "
    "passes over bridges of which a quirk says that they make no aliases. What can differ, too, is "
    "which devices a kernel knows to isolate without ACS, or to use ids of others (its PCI "
    "quirks).";

std::vector<std::string> Texts(const std::vector<std::string>& sentences) {
  std::vector<std::string> texts;
  texts.reserve(sentences.size());
  for (const std::string& sentence : sentences) texts.push_back(Printable(sentence));
  return texts;
}

}  // namespace

std::string WhyText(const std::string& path, const std::vector<import::GroupStory>& stories) {
  std::string out = Field("system", Printable(path)) + ToolText();
  for (const import::GroupStory& story : stories) {
    absl::StrAppend(&out, "\n",
                    Field(story.group < 0 ? "no group" : absl::StrCat("group ", story.group),
                          Printable(absl::StrJoin(story.devices, " "))));
    if (!story.because.empty()) out += Fields("because", Texts(story.because));
    if (!story.unknown.empty()) out += Fields("not known", Texts(story.unknown));
  }
  if (stories.empty()) out += "\nEach group has one device, and each PCI device has a group.\n";
  absl::StrAppend(&out, "\n", absl::StrJoin(Wrap(kOtherKernels, kColumns), "\n"), "\n");
  return out;
}

std::string WhyJson(const std::string& path, const std::vector<import::GroupStory>& stories) {
  Json out = ToolJson("check");
  out["path"] = Printable(path);
  out["why"] = Json::array();
  for (const import::GroupStory& story : stories)
    out["why"].push_back({{"group", story.group < 0 ? Json() : Json(story.group)},
                          {"devices", Texts(story.devices)},
                          {"because", Texts(story.because)},
                          {"unknown", Texts(story.unknown)}});
  return JsonText(out);
}

}  // namespace iommucheck::report
