// SPDX-License-Identifier: Apache-2.0
#include "src/report/export_parts.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

// A comment cannot end early, and the program has a licence of its own.
std::string CommentLines(const std::string& text) {
  std::string out;
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(text, '\n'))) {
    if (line.starts_with("SPDX-License-Identifier:")) continue;
    absl::StrAppend(&out, line.empty() ? " *" : " * ", absl::StrReplaceAll(line, {{"*/", "* /"}}),
                    "\n");
  }
  return out;
}

}  // namespace

std::string ProgramHead(const Case& c, const Run& run, const std::string& usage) {
  std::string text = absl::StrCat("// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0\n/*\n",
                                  c.comment.empty() ? "" : CommentLines(c.comment + "\n"),
                                  CommentLines(usage + "\n"));
  for (const Property p : kProperties)
    if (run.of(p).at != 0)
      absl::StrAppend(&text, CommentLines(absl::StrFormat("On %s step %d violates %s:\n%s",
                                                          KernelName(c.kernel), run.of(p).at,
                                                          PropertyName(p), PropertySentence(p))));
  Case bare = c;
  bare.comment.clear();
  std::string printed = PrintCase(bare);
  printed.pop_back();  // the last line's end
  return absl::StrCat(
      text, CommentLines(absl::StrCat("\n", ToolName(), ", from this case:\n\n", printed)),
      " */\n");
}

std::string CString(const std::string& text) {
  return "\"" + absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}}) + "\"";
}

std::string CErrno(int error) { return error == 0 ? "0" : ErrnoName(error); }

}  // namespace iommucheck::report
