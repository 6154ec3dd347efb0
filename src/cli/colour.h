// SPDX-License-Identifier: Apache-2.0
//
// Colours of what a reader looks for first: the word of a verdict, and the call that is wrong.
#pragma once

#include <iostream>
#include <streambuf>
#include <string>
#include <string_view>
#include <vector>

namespace iommucheck::cli {

// The values of --color.
inline const std::vector<std::string> kColourWhen = {"auto", "always", "never"};

// "auto": on a terminal that has colours, unless the environment has NO_COLOR (no-color.org).
bool WantsColour(std::string_view when);

// The line, with the escape sequences of a terminal around what is coloured; as it is where nothing
// is. It has no line break.
std::string Coloured(std::string_view line);

// While it lives, the whole lines that are written to `stream` are coloured.
class ColouredLines : public std::streambuf {
 public:
  explicit ColouredLines(std::ostream& stream);
  ~ColouredLines() override;
  ColouredLines(const ColouredLines&) = delete;
  ColouredLines& operator=(const ColouredLines&) = delete;

 protected:
  int_type overflow(int_type c) override;
  std::streamsize xsputn(const char* text, std::streamsize size) override;
  int sync() override;

 private:
  // Passes the line on. Its end may follow, without colour.
  bool Write(bool whole);

  std::ostream& stream_;
  std::streambuf* const below_;
  std::string line_;
};

}  // namespace iommucheck::cli
