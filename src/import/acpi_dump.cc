// SPDX-License-Identifier: Apache-2.0
#include "src/import/acpi_dump.h"

#include <algorithm>
#include <array>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "src/import/acpi_table.h"

namespace iommucheck::import {
namespace {

constexpr size_t kHeader = 36;
// The fixed description table.
constexpr std::string_view kOfEveryMachine = "FACP";
constexpr size_t kMaxTableBytes = size_t{4} << 20;

bool IsSignature(std::string_view text) {
  return text.size() == 4 && std::ranges::all_of(text, [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '!';
         });
}

absl::Status LineError(size_t line, std::string_view expected, std::string_view found) {
  return absl::InvalidArgumentError(
      absl::StrFormat("line %d: expected %s, found %s", line, expected, found));
}

// Keeps the table if it is one of kTables. Linux takes the first of several.
absl::Status Keep(std::string_view table, AcpiTables& tables) {
  const std::string signature(table.substr(0, 4));
  if (std::ranges::find(kTables, signature) == kTables.end()) {
    tables.others |= signature == kOfEveryMachine;
    return absl::OkStatus();
  }
  if (!tables.tables.emplace(signature, std::string(table)).second)
    return absl::InvalidArgumentError(
        absl::StrFormat("expected one table %s, found a second", signature));
  return absl::OkStatus();
}

// "DMAR @ 0x0000000077e2a000"; the signature, "" for another line. Some print "RSD " for the table
// that has no signature of four letters.
std::string_view HeadingOf(std::string_view line) {
  if (line.size() < 8 || line.substr(4, 3) != " @ " ||
      (!IsSignature(line.substr(0, 4)) && !line.starts_with("RSD ")))
    return "";
  std::string_view address = line.substr(7);
  if (address.starts_with("0x")) address.remove_prefix(2);
  return ParseNumber(address, 16) ? line.substr(0, 4) : "";
}

// acpidump also warns of checksums; those of the tables that are read are checked.
bool IsPassedOver(std::string_view line) {
  return line.find_first_not_of(" \t") == std::string_view::npos ||
         line.starts_with("Firmware Warning (ACPI)") || line.starts_with("Firmware Error (ACPI)");
}

std::string_view WithoutEnd(std::string_view line) {
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t'))
    line.remove_suffix(1);
  return line;
}

// A line of up to 16 bytes: "    0010: 42 4F 43 48 ...  BOCHS BXPC", with its number before.
class DumpReader {
 public:
  absl::StatusOr<AcpiTables> Read(std::string_view text) {
    for (size_t line = 1; !text.empty(); ++line) {
      const size_t end = text.find('\n');
      if (absl::Status s = ReadLine(WithoutEnd(text.substr(0, end)), line); !s.ok()) return s;
      if (end == std::string_view::npos) break;
      text.remove_prefix(end + 1);
    }
    if (absl::Status s = EndTable(); !s.ok()) return s;
    return std::move(tables_);
  }

 private:
  absl::Status ReadLine(std::string_view line, size_t number) {
    if (IsPassedOver(line)) return absl::OkStatus();
    if (const std::string_view signature = HeadingOf(line); !signature.empty()) {
      if (absl::Status s = EndTable(); !s.ok()) return s;
      signature_ = std::string(signature);
      heading_ = number;
      return absl::OkStatus();
    }
    if (heading_ == 0)
      return LineError(number, "a heading such as 'DMAR @ 0x0000000077E2A000'", Shown(line));
    return ReadBytes(line, number);
  }

  static std::string Shown(std::string_view line) {
    constexpr size_t kMost = 40;
    return absl::StrFormat("'%s'%s", line.substr(0, kMost), line.size() > kMost ? ".." : "");
  }

  absl::Status ReadBytes(std::string_view line, size_t number) {
    constexpr size_t kInLine = 16;
    const size_t start = line.find_first_not_of(" \t");
    const size_t colon = line.find(": ");
    const auto offset = colon == std::string_view::npos
                            ? std::nullopt
                            : ParseNumber(line.substr(start, colon - start), 16);
    if (!offset)
      return LineError(number, "an offset and bytes, such as '    0010: 42 4F'", Shown(line));
    if (*offset != bytes_.size())
      return LineError(number, absl::StrFormat("the offset %04X", bytes_.size()),
                       absl::StrFormat("%04X", *offset));
    std::string_view rest = line.substr(colon + 2);
    // The text after the bytes may look like more of them.
    size_t count = 0;
    for (; count < kInLine && rest.size() >= 2 && rest.front() != ' '; ++count) {
      const auto byte = ParseNumber(rest.substr(0, 2), 16);
      if (!byte || (rest.size() > 2 && rest[2] != ' '))
        return LineError(number, "bytes of two hexadecimal digits", Shown(rest));
      bytes_.push_back(static_cast<char>(*byte));
      rest.remove_prefix(std::min<size_t>(rest.size(), 3));
    }
    if (count == 0) return LineError(number, "bytes of two hexadecimal digits", Shown(line));
    if (bytes_.size() > kMaxTableBytes)
      return LineError(number, absl::StrFormat("a table of at most %d bytes", kMaxTableBytes),
                       "more");
    return absl::OkStatus();
  }

  absl::Status EndTable() {
    if (heading_ == 0) return absl::OkStatus();
    const std::string table = std::move(bytes_);
    bytes_.clear();
    // Some of the fixed tables (FACS, RSDP) have no such header.
    const bool known = std::ranges::find(kTables, signature_) != kTables.end();
    if (known) {
      if (table.size() < kHeader || table.substr(0, 4) != signature_)
        return LineError(heading_, absl::StrFormat("the bytes of a table %s after it", signature_),
                         absl::StrFormat("%d bytes of something else", table.size()));
      if (const uint32_t length = acpi::U32(table, 4); length != table.size())
        return LineError(heading_, absl::StrFormat("the %d bytes that the header claims", length),
                         absl::StrFormat("%d", table.size()));
    }
    if (!known) {
      tables_.others |= signature_ == kOfEveryMachine;
      return absl::OkStatus();
    }
    if (absl::Status s = Keep(table, tables_); !s.ok())
      return absl::InvalidArgumentError(
          absl::StrCat("line ", heading_, ": ", std::string(s.message())));
    return absl::OkStatus();
  }

  AcpiTables tables_;
  std::string signature_;
  std::string bytes_;
  size_t heading_ = 0;  // the line of the heading; 0: none yet
};

}  // namespace

bool IsAcpiTable(std::string_view bytes) {
  return bytes.size() >= kHeader && IsSignature(bytes.substr(0, 4)) &&
         acpi::U32(bytes, 4) >= kHeader && acpi::U32(bytes, 4) <= kMaxTableBytes;
}

bool IsAcpiDump(std::string_view text) {
  for (;;) {
    const std::string_view line = WithoutEnd(text.substr(0, text.find('\n')));
    if (!IsPassedOver(line)) return !HeadingOf(line).empty();
    if (line.size() == text.size() || text.find('\n') == std::string_view::npos) return false;
    text.remove_prefix(text.find('\n') + 1);
  }
}

bool IsAcpiFolder(const Tree& tree, const std::string& folder) {
  constexpr size_t kMost = 64;  // of other files, before a table must have come
  const auto names = tree.List(folder);
  size_t others = 0;
  for (const std::string& name : names.value_or(std::vector<std::string>())) {
    const std::string path = Join(folder, name);
    if (tree.KindOf(path) != Tree::Kind::kFile) continue;
    const auto bytes = tree.ReadFile(path);
    // Ordinary users see the names of the tables alone.
    if (!bytes && std::ranges::find(kTables, name) != kTables.end()) return true;
    if (bytes && (IsAcpiTable(*bytes) || IsAcpiDump(*bytes))) return true;
    if (++others >= kMost) return false;
  }
  return false;
}

absl::StatusOr<AcpiTables> ReadAcpiFile(std::string_view bytes) {
  if (IsAcpiDump(bytes)) return DumpReader().Read(bytes);
  AcpiTables tables;
  for (size_t at = 0; at < bytes.size();) {
    const std::string_view rest = bytes.substr(at);
    if (rest.find_first_not_of('\0') == std::string_view::npos) break;  // tar and firmware pad
    if (!IsAcpiTable(rest)) return acpi::Invalid("an ACPI table", at, "something else");
    const size_t length = acpi::U32(rest, 4);
    if (length > rest.size())
      return acpi::Invalid(absl::StrFormat("a length of at most %d", rest.size()), at + 4,
                           absl::StrFormat("%d", length));
    if (absl::Status s = Keep(rest.substr(0, length), tables); !s.ok()) return s;
    at += length;
  }
  return tables;
}

absl::StatusOr<AcpiTables> ReadAcpiFolder(const Tree& tree, const std::string& folder) {
  AcpiTables all;
  const auto names = tree.List(folder);
  if (!names) return absl::InvalidArgumentError("expected a folder that can be read, found none");
  for (const std::string& name : *names) {
    const std::string path = Join(folder, name);
    if (tree.KindOf(path) != Tree::Kind::kFile) continue;
    const auto bytes = tree.ReadFile(path);
    if (!bytes) {
      if (std::ranges::find(kTables, name) != kTables.end()) all.tables[name] = std::nullopt;
      continue;
    }
    if (!IsAcpiTable(*bytes) && !IsAcpiDump(*bytes)) continue;
    absl::StatusOr<AcpiTables> file = ReadAcpiFile(*bytes);
    if (!file.ok())
      return absl::InvalidArgumentError(
          absl::StrCat(name, ": ", std::string(file.status().message())));
    all.others |= file->others;
    for (auto& [signature, table] : file->tables)
      if (!all.tables.emplace(signature, std::move(table)).second)
        return absl::InvalidArgumentError(
            absl::StrFormat("%s: expected one table %s, found a second", name, signature));
  }
  return all;
}

}  // namespace iommucheck::import
