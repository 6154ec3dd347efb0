// SPDX-License-Identifier: Apache-2.0
//
// A case as a program of syzkaller, in the syntax of its docs/program_syntax.md.
#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/case/run.h"
#include "src/report/calls.h"
#include "src/report/export.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

constexpr uint64_t kPageSize = 4096;
// Where syz-executor has its memory on 64-bit Linux, of which addresses in structs are a part.
constexpr uint64_t kMemory = 0x200000000000;

// Numbers of linux/vfio.h.
constexpr std::array<int, kIommuTypeCount> kIommuTypes = {3, 1, 6, 8, 99};
enum Ioctl : uint16_t {
  kSetIommuCall = 0x3b66,
  kSetContainerCall = 0x3b68,
  kUnsetContainerCall = 0x3b69,
  kGetDeviceCall = 0x3b6a,
  kMapCall = 0x3b71,
  kUnmapCall = 0x3b72,
};

// The files that a program has open: each has a variable, and is opened where it is used first.
class Program {
 public:
  // `group_of`: the group of each device; -1: none.
  Program(const Case& c, std::vector<int> group_of) : case_(c), group_of_(std::move(group_of)) {}

  // Why the op cannot be said; "": it was added.
  std::string Add(const Op& op, const std::string& result) {
    using enum OpKind;
    const std::string said = absl::StrCat("# ", PrintOp(op, case_.names), ": ", result, "\n");
    switch (op.kind) {
      case kOpen:
        Open(said, op.a);
        return "";
      case kClose:
        Say(said, absl::StrCat("close(", Group(op.a), ")"));
        groups_.at(op.a).clear();
        return "";
      case kSetContainer: {
        // No description has a group's ioctl(), so that its argument has no type of its own.
        const std::string group = Group(op.a);
        Say(said, absl::StrFormat("ioctl(%s, 0x%x, &AUTO=ANY=[@ANYRES32=%s])", group,
                                  kSetContainerCall, Container(op.b)));
        return "";
      }
      case kUnsetContainer:
        Say(said, absl::StrFormat("ioctl(%s, 0x%x, 0x0)", Group(op.a), kUnsetContainerCall));
        return "";
      case kSetIommu:
        Say(said, absl::StrFormat("ioctl$VFIO_SET_IOMMU(%s, 0x%x, 0x%x)", Container(op.a),
                                  kSetIommuCall, kIommuTypes.at(op.b)));
        return "";
      case kGetDevice:
        Say(said, absl::StrFormat("ioctl(%s, 0x%x, &AUTO='%s\\x00')", Group(GroupOf(op.a)),
                                  kGetDeviceCall, DeviceName(op.a)));
        return "";
      case kMap:
        Say(said, absl::StrFormat("ioctl$VFIO_IOMMU_MAP_DMA(%s, 0x%x, "
                                  "&AUTO={0x20, 0x%x, 0x%x, 0x%x, 0x%x})",
                                  Container(op.a), kMapCall, op.flags & (kRead | kWrite | kVaddr),
                                  kMemory + op.vaddr * kPageSize,
                                  IovaOf(case_, op.at.first, kPageSize), op.at.count * kPageSize));
        return "";
      case kUnmap:
        Say(said, absl::StrFormat(
                      "ioctl$VFIO_IOMMU_UNMAP_DMA(%s, 0x%x, &AUTO={0x18, 0x%x, 0x%x, 0x%x, ''})",
                      Container(op.a), kUnmapCall, UnmapBits(op),
                      (op.flags & kAll) != 0 ? 0 : IovaOf(case_, op.at.first, kPageSize),
                      op.at.count * kPageSize));
        return "";
      default:
        return "expected a call whose file a description returns";
    }
  }

  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  static int UnmapBits(const Op& op) {
    return ((op.flags & kAll) != 0 ? 2 : 0) | ((op.flags & kVaddr) != 0 ? 4 : 0);
  }

  void Say(const std::string& comment, const std::string& call) {
    absl::StrAppend(&text_, comment, call, "\n");
  }
  std::string New(const std::string& call) {
    std::string variable = absl::StrCat("r", variables_++);
    absl::StrAppend(&text_, variable, " = ", call, "\n");
    return variable;
  }
  [[nodiscard]] uint8_t GroupOf(uint8_t device) const {
    return static_cast<uint8_t>(std::max(group_of_[device], 0));
  }
  // A case names PCI devices without their domain.
  [[nodiscard]] std::string DeviceName(uint8_t device) const {
    const std::string& name = case_.names.devices[device];
    return case_.topology.devices[device].bus == Bus::kPci ? "0000:" + name : name;
  }

  void Open(const std::string& comment, uint8_t group) {
    text_ += comment;
    groups_.at(group) = New(
        absl::StrFormat("openat(0xffffffffffffff9c, &AUTO='/dev/vfio/%d\\x00', 0x2, 0x0)", group));
  }
  const std::string& Group(uint8_t group) {
    if (groups_.at(group).empty()) Open("", group);
    return groups_.at(group);
  }
  const std::string& Container(uint8_t container) {
    std::string& variable = containers_.at(container);
    if (variable.empty())
      variable = New("openat$vfio(0xffffffffffffff9c, &AUTO='/dev/vfio/vfio\\x00', 0x2, 0x0)");
    return variable;
  }

  const Case& case_;
  std::vector<int> group_of_;
  std::string text_;
  int variables_ = 0;
  std::array<std::string, kMaxGroups> groups_;
  std::array<std::string, kMaxContainers> containers_;
};

}  // namespace

absl::StatusOr<std::string> SyzProgram(const Case& c) {
  const Run run = Play(c);
  if (const std::string why = WhyNoCalls(c, run); !why.empty())
    return absl::InvalidArgumentError(why);
  Program program(c, GroupsAfterBoot(c, run));
  for (size_t i = 0; i < c.ops.size(); ++i) {
    const Op& op = c.ops[i].op;
    if (CallOf(op.kind) != Call::kUser) continue;
    const std::string result =
        Oopses(run.steps[i]) ? "oops"
                             : ErrnoName(c.ops[i].expected.value_or(run.steps[i].result.error));
    if (const std::string why = program.Add(op, result); !why.empty())
      return absl::InvalidArgumentError(
          absl::StrFormat("%s, found '%s' at step %d", why, PrintOp(op, c.names), i + 1));
  }
  return absl::StrCat(
      "# ", ToolName(), ", for ", KernelName(c.kernel), ": each call, and what it returns there\n",
      "# The files are those of the case's groups on a machine that has booted.\n", program.text());
}

}  // namespace iommucheck::report
