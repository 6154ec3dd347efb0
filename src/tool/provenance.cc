// SPDX-License-Identifier: Apache-2.0
#include "src/tool/provenance.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "commit.inc"

namespace iommucheck::tool {
namespace {

bool IsPlain(char c) {
  constexpr std::string_view kPlain = "_@%+=:,./-";
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         kPlain.find(c) != std::string_view::npos;
}

bool IsPrintable(char c) { return c >= ' ' && c <= '~'; }

std::string Quoted(std::string_view word) {
  if (!word.empty() && std::ranges::all_of(word, IsPlain)) return std::string(word);
  const bool printable = std::ranges::all_of(word, IsPrintable);
  std::string out = printable ? "'" : "$'";
  for (const char c : word) {
    if (printable) {
      out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    } else if (c == '\'' || c == '\\') {
      out += {'\\', c};
    } else if (IsPrintable(c)) {
      out += c;
    } else {
      constexpr std::string_view kHex = "0123456789abcdef";
      const auto byte = static_cast<unsigned char>(c);
      out += {'\\', 'x', kHex[byte >> 4U], kHex[byte & 15U]};
    }
  }
  return out + "'";
}

std::string& Line() {
  static std::string line;
  return line;
}

std::vector<std::string>& NoteList() {
  static std::vector<std::string> notes;
  return notes;
}

}  // namespace

std::string_view Version() { return IOMMUCHECK_VERSION; }

std::string_view Commit() { return IOMMUCHECK_COMMIT; }

std::string Release() { return "iommucheck " + std::string(Version()); }

std::string Build() { return Release() + " (" + std::string(Commit()) + ")"; }

std::string InstalledData() {
  std::error_code unread;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", unread);
  const std::filesystem::path data = program.parent_path().parent_path() / "share" / "iommucheck";
  return !unread && std::filesystem::is_directory(data, unread) ? data.string() : "";
}

std::string_view ModelHash() {
  return
#include "model_hash.inc"
      ;
}

void SetCommandLine(int argc, const char* const* argv, std::string_view program) {
  Line() = program;
  for (int i = 1; i < argc; ++i) Line() += " " + Quoted(argv[i]);
}

std::string CommandLine() { return Line(); }

void AddNote(std::string note) {
  if (std::ranges::find(NoteList(), note) == NoteList().end())
    NoteList().push_back(std::move(note));
}

const std::vector<std::string>& Notes() { return NoteList(); }

}  // namespace iommucheck::tool
