// SPDX-License-Identifier: Apache-2.0
#include "src/case/json_syntax.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "src/case/source.h"
#include "src/case/spelling.h"

namespace iommucheck {
namespace {

constexpr size_t kMaxDepth = 8;

class SyntaxChecker : public nlohmann::json_sax<nlohmann::ordered_json> {
 public:
  SyntaxChecker(std::string_view json, std::string_view file) : json_(json), file_(file) {}
  absl::Status status() const { return status_; }

  bool null() override { return Value(); }
  bool boolean(bool) override { return Value(); }
  bool number_integer(number_integer_t) override { return Value(); }
  bool number_unsigned(number_unsigned_t) override { return Value(); }
  bool number_float(number_float_t, const string_t&) override { return Value(); }
  bool string(string_t&) override { return Value(); }
  bool binary(binary_t&) override { return Value(); }
  bool start_object(std::size_t) override { return Open(); }
  bool end_object() override { return Close(); }
  bool start_array(std::size_t) override { return Open(); }
  bool end_array() override { return Close(); }

  bool key(string_t& name) override {
    Level& level = levels_.back();
    level.step = name;
    if (level.keys.insert(name).second) return true;
    levels_.pop_back();
    return Fail("each key once", Quote(name) + " again");
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    // The position is that of the last byte read, counted from 1; at the end of the text it is one
    // more.
    const size_t offset = std::min(position == 0 ? 0 : position - 1, json_.size());
    const std::string_view before = json_.substr(0, offset);
    Place place;
    place.line = static_cast<int>(std::ranges::count(before, '\n')) + 1;
    place.column = static_cast<int>(offset - (before.rfind('\n') + 1)) + 1;
    status_ = Mismatch(file_, place, "JSON",
                       offset == json_.size() ? "end of file" : Quote(json_.substr(offset, 1)));
    return false;
  }

 private:
  struct Level {
    std::string step;  // the key, or the index, of the value that is being read
    size_t index = 0;
    std::set<std::string> keys;
  };

  bool Open() {
    if (levels_.size() == kMaxDepth)
      return Fail(absl::StrFormat("at most %d levels", kMaxDepth), "one more");
    levels_.emplace_back();
    levels_.back().step = "0";
    return true;
  }
  bool Close() {
    levels_.pop_back();
    return Value();
  }
  // A value ends: in an array, the next one has the next index.
  bool Value() {
    if (!levels_.empty()) levels_.back().step = std::to_string(++levels_.back().index);
    return true;
  }

  bool Fail(std::string_view expected, std::string_view found) {
    Place place;
    for (const Level& level : levels_) {
      const std::string quoted = Quote(level.step);
      place.pointer += '/' + quoted.substr(1, quoted.size() - 2);
    }
    if (place.pointer.empty()) place.pointer = "/";
    status_ = Mismatch(file_, place, expected, found);
    return false;
  }

  std::string_view json_;
  std::string_view file_;
  absl::Status status_;
  std::vector<Level> levels_;
};

}  // namespace

absl::Status CheckJsonSyntax(std::string_view json, std::string_view file) {
  SyntaxChecker checker(json, file);
  nlohmann::ordered_json::sax_parse(json, &checker);
  return checker.status();
}

}  // namespace iommucheck
