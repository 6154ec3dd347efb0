// SPDX-License-Identifier: Apache-2.0
//
// make_seeds OUTDIR CASE...: writes the binary form of text cases into OUTDIR, for the attach
// target. Skips a case that does not fit into the binary form, and prints a line about it.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "fuzz/cases.h"
#include "src/case/bytes.h"

namespace {

bool WriteSeed(const std::filesystem::path& folder, const std::filesystem::path& path) {
  const auto c = iommucheck::fuzzing::ReadCase(path);
  if (!c.ok()) {
    std::fprintf(stderr, "%s\n", c.status().ToString().c_str());
    return false;
  }
  const auto bytes = iommucheck::EncodeBytes(*c);
  if (!bytes.ok()) {
    std::printf("%s: left out: %s\n", path.c_str(), std::string(bytes.status().message()).c_str());
    return true;
  }
  // The folder is part of the name, since two corpora may have cases of the same name.
  const std::string name = path.parent_path().filename().string() + "-" + path.stem().string();
  std::ofstream out(folder / name, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes->data()),
            static_cast<std::streamsize>(bytes->size()));
  return out.good();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s OUTDIR CASE...\n", argv[0]);
    return 2;
  }
  std::filesystem::create_directories(argv[1]);
  for (int i = 2; i < argc; ++i)
    if (!WriteSeed(argv[1], argv[i])) return 1;
  return 0;
}
