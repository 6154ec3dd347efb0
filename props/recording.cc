// SPDX-License-Identifier: Apache-2.0
//
// The C++ ends of what booted kernels do (kernel/qemu, docs/recording.md): it prints the script that
// the machine of record.sh plays, turns the machine's record into traces, and picks the cases that
// programs.sh runs.
//
//   recording random SEED COUNT                     draws cases, all in one file
//   recording profile RELEASE                       the VERSION to compare a release with
//   recording script VERSION CASES..                the script that plays them; the cases that
//                                                   cannot be played, on standard error
//   recording traces VERSION TITLE RECORD CASES..   the traces; what WARNed, on standard error
//   recording differ VERSION TRACES CASES..         where the model differs from the traces
//   recording stock VERSION FOLDER CASES..          writes the cases that a machine without our module
//                                                   can play, as cases of the version
#include <algorithm>
#include <charconv>
#include <fstream>
#include <iostream>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "model/attributes.h"
#include "props/generators.h"
#include "src/case/kernel.h"
#include "src/conform/golden.h"
#include "src/conform/model_trace.h"
#include "src/conform/script.h"
#include "src/tool/provenance.h"

namespace iommucheck::conform {
namespace {

constexpr int kUsage = 2;
constexpr int kBadInput = 5;

// Draws cases for both kernels in turn, so that each has cases that go far on it. Leaves out cases
// in which the model oopses, since each costs a boot; the litmus cases have some.
int Random(uint64_t seed, int count) {
  static constexpr std::array kVersions = {KernelVersion::kV6_1_y, KernelVersion::kV6_12};
  const Shape shape{.ops = 16};
  Words words(seed);
  for (int n = 0; n < count;) {
    KernelSpec kernel = AsPlayed(Case{}, kVersions[static_cast<size_t>(n) % 2]).kernel;
    const Case c = ToCase(DrawScenario(words, [&](Words&) { return kernel; }, shape));
    bool oops = false;
    for (const KernelVersion version : kVersions) oops |= TraceOf(AsPlayed(c, version)).oops();
    if (oops || !PrintScript(c, "").ok()) continue;
    std::cout << absl::StrFormat("=== random-%d-%03d\n%s", seed, n++, PrintCase(c));
  }
  return 0;
}

int Profile(const std::string& release) {
  const std::optional<ReleasePlace> place = PlaceOf(release);
  if (!place || !place->exact || !place->below)
    throw absl::BadStatusOrAccess(
        absl::InvalidArgumentError("expected a release with a profile, found " + release));
  std::cout << std::string(VersionName(*place->below)) << "\n";
  return 0;
}

int Script(KernelVersion version, const std::vector<std::string>& paths) {
  for (const auto& [name, c] : AsPlayed(ReadCases(paths).value(), version)) {
    const absl::StatusOr<std::string> script = PrintScript(c, name);
    if (script.ok())
      std::cout << *script;
    else
      std::cerr << "left out " << name << ": " << std::string(script.status().message()) << "\n";
  }
  return 0;
}

std::string ReadText(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) throw absl::BadStatusOrAccess(absl::InvalidArgumentError(path + ": cannot be read"));
  return text.str();
}

int Differ(KernelVersion version, const std::string& path, const std::vector<std::string>& paths) {
  const Cases played = AsPlayed(ReadCases(paths).value(), version);
  const TraceFile recorded = ParseTraces(ReadText(path), path, played).value();
  const std::vector<Difference> differences =
      CompareTraces(recorded, played, "the model", [](const Case& c) { return TraceOf(c); });
  for (const Difference& d : differences) std::cout << d.name << "\n" << d.comparison.text;
  std::cout << absl::StrFormat("%d traces, %d differ\n", recorded.entries.size(),
                               differences.size());
  return differences.empty() ? 0 : 1;
}

int Traces(KernelVersion version, const std::string& title, const std::string& path,
           const std::vector<std::string>& paths) {
  const Cases played = AsPlayed(ReadCases(paths).value(), version);
  const Record record = ParseRecord(ReadText(path), path, played).value();
  std::cout << PrintTraceHeader(title + ", by " + tool::Build());
  for (const TraceFile::Entry& entry : record.entries)
    std::cout << PrintTrace(played.find(entry.name)->second, entry.trace, entry.name);
  for (const auto& [function, count] : record.functions)
    std::cerr << absl::StrFormat("WARN or oops in %s: %d\n", function, count);
  return 0;
}

// A machine with one IOMMU that can do everything, and devices on pci that have nothing special. What
// drivers claim is of no account from 6.1 on.
bool IsPlainMachine(const Topology& t) {
  const std::span<const AttributeInfo> all = AllAttributes();
  return t.instances_count == 1 &&
         std::ranges::all_of(std::span(t.devices).first(t.devices_count),
                             [](const Device& d) { return d.bus == Bus::kPci; }) &&
         std::ranges::all_of(all, [&](const AttributeInfo& attribute) {
           if (attribute.word == "claims" || attribute.word == "table") return true;
           for (int n = 0; n < CountOf(t, attribute.owner); ++n)
             if (!IsPlain(attribute, EntryOf(t, attribute.owner, n))) return false;
           return true;
         });
}

int Stock(KernelVersion version, const std::string& folder, const std::vector<std::string>& paths) {
  for (const auto& [name, c] : AsPlayed(ReadCases(paths).value(), version)) {
    if (!IsPlainMachine(c.topology)) continue;
    std::ofstream out(folder + "/" + name + ".case");
    out << PrintCase(c);
    if (!out)
      throw absl::BadStatusOrAccess(absl::InvalidArgumentError(folder + ": cannot be written"));
  }
  return 0;
}

template <typename T>
bool ReadNumber(const std::string& text, T& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

int Main(const std::vector<std::string>& args) {
  const auto from = [&](size_t n) {
    return std::vector<std::string>(args.begin() + static_cast<std::ptrdiff_t>(n), args.end());
  };
  uint64_t seed = 0;
  int count = 0;
  if (args.size() == 3 && args[0] == "random" && ReadNumber(args[1], seed) &&
      ReadNumber(args[2], count))
    return Random(seed, count);
  if (args.size() == 2 && args[0] == "profile") return Profile(args[1]);
  const auto version = args.size() < 2 ? std::nullopt : FindVersion(args[1]);
  if (version && args[0] == "script" && args.size() > 2) return Script(*version, from(2));
  if (version && args[0] == "traces" && args.size() > 4)
    return Traces(*version, args[2], args[3], from(4));
  if (version && args[0] == "differ" && args.size() > 3) return Differ(*version, args[2], from(3));
  if (version && args[0] == "stock" && args.size() > 3) return Stock(*version, args[2], from(3));
  std::cerr << "usage: recording random SEED COUNT\n"
               "       recording profile RELEASE\n"
               "       recording script VERSION CASES..\n"
               "       recording traces VERSION TITLE RECORD CASES..\n"
               "       recording differ VERSION TRACES CASES..\n"
               "       recording stock VERSION FOLDER CASES..\n";
  return kUsage;
}

}  // namespace
}  // namespace iommucheck::conform

int main(int argc, char** argv) {
  try {
    return iommucheck::conform::Main(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const absl::BadStatusOrAccess& error) {
    std::cerr << std::string(error.status().message()) << "\n";
    return iommucheck::conform::kBadInput;
  }
}
