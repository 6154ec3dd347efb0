// SPDX-License-Identifier: Apache-2.0
#include "src/report/by_hand.h"

#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/import/sysfs.h"
#include "src/report/calls.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

// The name of a device in sysfs: cases leave out segment 0.
std::string SysfsName(const Case& c, DeviceId device) {
  const std::string& name = c.names.devices[device];
  const std::string whole = "0000:" + name;
  const bool pci = c.topology.devices[device].bus == Bus::kPci;
  return pci && import::ParsePciName(whole) ? whole : name;
}

std::string LineOf(const Case& c, const Op& op) {
  const auto instance = [&](const char* file) {
    const std::string& driver = c.names.drivers[c.topology.instances[op.a].driver];
    return absl::StrFormat("echo %s >/sys/bus/platform/drivers/%s/%s", c.names.instances[op.a],
                           driver, file);
  };
  const auto device = [&](std::string_view file) {
    return absl::StrFormat("/sys/bus/%s/devices/%s/%s", BusName(c.topology.devices[op.a].bus),
                           SysfsName(c, op.a), file);
  };
  const auto probe = [&] {
    return absl::StrFormat("echo %s >/sys/bus/%s/drivers_probe", SysfsName(c, op.a),
                           BusName(c.topology.devices[op.a].bus));
  };
  switch (op.kind) {
    case OpKind::kRegister:
      return instance("bind") + "  # or load its module";
    case OpKind::kUnregister:
      return instance("unbind");
    case OpKind::kAdd:
      if (c.topology.devices[op.a].bus == Bus::kPci) return "echo 1 >/sys/bus/pci/rescan";
      return absl::StrCat("# plug in ", c.names.devices[op.a]);
    case OpKind::kRemove:
      if (c.topology.devices[op.a].bus == Bus::kPci) return "echo 1 >" + device("remove");
      return absl::StrCat("# unplug ", c.names.devices[op.a]);
    case OpKind::kConfigure:
      return probe();
    case OpKind::kBind:
      return absl::StrCat("echo ", SysfsName(c, op.a), " >", device("driver/unbind"), "; ",
                          probe());
    case OpKind::kUnbind:
      return absl::StrCat("echo vfio-pci >", device("driver_override"), "; echo ",
                          SysfsName(c, op.a), " >", device("driver/unbind"), "; ", probe());
    default:
      return absl::StrCat("# ", OpInWords(c, op));
  }
}

bool IsOfBoot(OpKind kind) { return kind == OpKind::kRegister || kind == OpKind::kConfigure; }

}  // namespace

std::vector<std::string> ByHand(const Case& c) {
  std::vector<std::string> lines;
  size_t n = 0;
  for (; n < c.ops.size() && IsOfBoot(c.ops[n].op.kind); ++n) continue;
  if (n > 0) {
    std::string boot = "# boot:";
    for (size_t i = 0; i < n; ++i)
      absl::StrAppend(&boot, i == 0 ? " " : ", ", PrintOp(c.ops[i].op, c.names));
    lines.push_back(std::move(boot));
  }
  for (; n < c.ops.size(); ++n) lines.push_back(LineOf(c, c.ops[n].op));
  return lines;
}

std::string ByHandText(const Case& c) {
  std::string out;
  for (const std::string& line : ByHand(c)) {
    const bool comment = line.starts_with("# ");
    // A comment goes on in a comment, and a command after a backslash.
    const std::vector<std::string> parts =
        Wrap(comment ? line.substr(2) : line, kColumns - 4 - 2 * (comment ? 1 : 2));
    for (size_t n = 0; n < parts.size(); ++n)
      absl::StrAppend(&out, "    ", comment ? "# " : (n == 0 ? "" : "  "), parts[n],
                      comment || n + 1 == parts.size() ? "\n" : " \\\n");
  }
  return out;
}

}  // namespace iommucheck::report
