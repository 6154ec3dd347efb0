// SPDX-License-Identifier: Apache-2.0
//
// Runs the tool as a shell does.
#pragma once

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/given.h"

namespace iommucheck {

struct ToolOutcome {
  int status = -1;  // as a shell reports it: 128 plus the number of the signal that ended it
  std::string out;
  std::string err;
  // Of standard error; of standard output if that is empty.
  [[nodiscard]] std::string FirstLine() const {
    const std::string& text = err.empty() ? out : err;
    return text.substr(0, text.find('\n'));
  }
};

// `out` is what the shell prints for the command.
inline ToolOutcome RunShell(const std::string& command) {
  ToolOutcome outcome;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return outcome;
  std::array<char, 4096> buffer;
  while (const size_t n = fread(buffer.data(), 1, buffer.size(), pipe))
    outcome.out.append(buffer.data(), n);
  const int raw = pclose(pipe);
  outcome.status = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
  return outcome;
}

#ifdef IOMMUCHECK_BINARY
// Runs `iommucheck ARGS REDIRECTIONS` in the source folder.
inline ToolOutcome RunTool(const std::string& args, const std::string& redirections = "2>&1") {
  return RunShell("cd '" IOMMUCHECK_SOURCE_DIR "' && '" IOMMUCHECK_BINARY "' " + args + " " +
                  redirections);
}

// Runs a shell script in `folder`, in which $B is the tool and $S the source folder. After half an
// hour it is ended with status 124.
inline ToolOutcome RunScript(const std::filesystem::path& folder, const std::string& script) {
  const std::filesystem::path file = folder / ".script";
  std::ofstream(file) << script << "\n";
  const std::string command = "cd '" + folder.string() +
                              "' && B='" IOMMUCHECK_BINARY "' S='" IOMMUCHECK_SOURCE_DIR
                              "' timeout -k 2 1800 bash .script >.out 2>.err </dev/null";
  ToolOutcome outcome;
  const int raw = std::system(command.c_str());
  if (WIFEXITED(raw)) outcome.status = WEXITSTATUS(raw);
  outcome.out = ReadWhole(folder / ".out");
  outcome.err = ReadWhole(folder / ".err");
  for (const char* name : {".script", ".out", ".err"}) std::filesystem::remove(folder / name);
  return outcome;
}
#endif

// An empty folder that is removed afterwards.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "iommucheck-XXXXXX").string();
    if (mkdtemp(name.data()) != nullptr) path_ = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    // Removes what a test made unreadable, too.
    if (!path_.empty())
      (void)std::system(
          ("chmod -R u+rwX '" + path_.string() + "'; rm -rf '" + path_.string() + "'").c_str());
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::string In(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace iommucheck
