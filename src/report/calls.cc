// SPDX-License-Identifier: Apache-2.0
#include "src/report/calls.h"

#include <algorithm>
#include <iterator>
#include <span>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace iommucheck::report {
namespace {

constexpr uint64_t kSmallPage = 4096;

struct FlagName {
  uint8_t bit;
  const char* name;
};
constexpr FlagName kMapFlagNames[] = {{kRead, "VFIO_DMA_MAP_FLAG_READ"},
                                      {kWrite, "VFIO_DMA_MAP_FLAG_WRITE"},
                                      {kVaddr, "VFIO_DMA_MAP_FLAG_VADDR"}};
constexpr FlagName kUnmapFlagNames[] = {{kAll, "VFIO_DMA_UNMAP_FLAG_ALL"},
                                        {kVaddr, "VFIO_DMA_UNMAP_FLAG_VADDR"}};
constexpr const char* kIommuTypes[] = {"VFIO_TYPE1v2_IOMMU", "VFIO_TYPE1_IOMMU",
                                       "VFIO_TYPE1_NESTING_IOMMU", "VFIO_NOIOMMU_IOMMU", "99"};
static_assert(std::size(kIommuTypes) == kIommuTypeCount);

std::string FlagsText(std::span<const FlagName> names, uint8_t flags) {
  std::vector<std::string> words;
  for (const FlagName& flag : names)
    if ((flags & flag.bit) != 0) words.emplace_back(flag.name);
  return words.empty() ? "0" : absl::StrJoin(words, " | ");
}

std::string PagesInWords(const Case& c, const Op& op) {
  return absl::StrFormat("iova 0x%x, size 0x%x", IovaOf(c, op.at.first, kSmallPage),
                         op.at.count * kSmallPage);
}

std::string FaultInWords(const Case& c, const Fault& fault) {
  const std::string device = InfoOf(fault.kind).of_device ? c.names.devices[fault.target] : "";
  const std::string with = "fails with " + ErrnoName(-int{fault.error});
  switch (fault.kind) {
    case Fault::Kind::kNone:
      return "";
    case Fault::Kind::kAttach:
      return absl::StrCat("attach_dev() for ", device, " ", with,
                          fault.count == kEveryAttach ? ", each time"
                          : fault.count > 1 ? absl::StrCat(", ", int{fault.count}, " times")
                                            : "");
    case Fault::Kind::kAlloc:
      return absl::StrFormat("allocation %d of a domain fails", fault.target);
    case Fault::Kind::kProbe:
      return absl::StrCat("probe_device() for ", device, " ", with);
    case Fault::Kind::kMalloc:
      return absl::StrFormat("allocation %d of type1's own fails", fault.target);
    case Fault::Kind::kMap:
      return absl::StrFormat("iommu_map() number %d %s", fault.target, with);
    case Fault::Kind::kPin:
      return absl::StrFormat("pin number %d of user memory %s", fault.target, with);
    case Fault::Kind::kAttachCall:
      return absl::StrFormat("attach_dev() number %d %s", fault.target, with);
    case Fault::Kind::kDriver:
      return absl::StrCat("probe() of the driver of ", device, " ", with);
  }
  return "";
}

std::string CallInWords(const Case& c, const Op& op) {
  using enum OpKind;
  const auto device = [&] { return c.names.devices[op.a]; };
  const auto driver = [&] { return c.names.drivers[c.topology.instances[op.a].driver]; };
  const auto instance = [&] { return c.names.instances[op.a]; };
  switch (op.kind) {
    case kRegister:
      return absl::StrCat(driver(), " probes ", instance(), ": iommu_device_register()");
    case kUnregister:
      return absl::StrCat(driver(), " lets go of ", instance(), ": iommu_device_unregister()");
    case kAdd:
      return absl::StrCat(device(), " is plugged in: device_add()");
    case kRemove:
      return absl::StrCat(device(), " is removed: device_del()");
    case kConfigure:
      return absl::StrCat("a driver binds to ", device(), ": dma_configure()");
    case kSetContainer:
      return absl::StrFormat("ioctl(group %d, VFIO_GROUP_SET_CONTAINER, c%d)", op.a, op.b);
    case kSetIommu:
      return absl::StrFormat("ioctl(c%d, VFIO_SET_IOMMU, %s)", op.a, IommuTypeText(op));
    case kUnsetContainer:
      return absl::StrFormat("ioctl(group %d, VFIO_GROUP_UNSET_CONTAINER)", op.a);
    case kOpen:
      return absl::StrFormat("open(/dev/vfio/%d)", op.a);
    case kClose:
      return absl::StrFormat("close(/dev/vfio/%d)", op.a);
    case kGetDevice:
      return absl::StrCat("ioctl(its group, VFIO_GROUP_GET_DEVICE_FD, ", device(), ")");
    case kPutDevice:
      return absl::StrCat("close(", device(), ")");
    case kMap:
      return absl::StrFormat("ioctl(c%d, VFIO_IOMMU_MAP_DMA, %s, %s)", op.a, PagesInWords(c, op),
                             MapFlags(op));
    case kUnmap:
      return absl::StrFormat("ioctl(c%d, VFIO_IOMMU_UNMAP_DMA, %s, %s)", op.a, PagesInWords(c, op),
                             UnmapFlags(op));
    case kPin:
      return absl::StrFormat("vfio_pin_pages(%s, %s)", device(), PagesInWords(c, op));
    case kUnpin:
      return absl::StrFormat("vfio_unpin_pages(%s, %s)", device(), PagesInWords(c, op));
    case kBind:
      return absl::StrCat("vfio-pci leaves ", device(), ", and a driver of the DMA API binds");
    case kUnbind:
      return absl::StrCat("that driver leaves ", device(), ", and vfio-pci binds");
    case kDma:
      return absl::StrCat(device(), "'s driver maps first: iommu_deferred_attach()");
    case kAttachPasid:
      return absl::StrFormat("iommu_attach_device_pasid(domain of %s, %s)", c.names.devices[op.b],
                             device());
    case kDetachPasid:
      return absl::StrFormat("iommu_detach_device_pasid(%s)", device());
    case kReset:
      return absl::StrFormat("pci_dev_reset_iommu_prepare(%s)", device());
    case kResetDone:
      return absl::StrFormat("pci_dev_reset_iommu_done(%s)", device());
  }
  return "";
}

}  // namespace

Call CallOf(OpKind kind) {
  using enum OpKind;
  switch (kind) {
    case kRegister:
    case kAdd:
    case kConfigure:
      return Call::kBoot;
    case kSetContainer:
    case kSetIommu:
    case kUnsetContainer:
    case kOpen:
    case kClose:
    case kGetDevice:
    case kPutDevice:
    case kMap:
    case kUnmap:
      return Call::kUser;
    default:
      return Call::kNoCall;
  }
}

std::string WhyNoCalls(const Case& c, const Run& run) {
  if (!run.complete) return "expected a case whose ops are all possible, found one that is not";
  bool booted = false;
  for (size_t i = 0; i < c.ops.size(); ++i) {
    const Op& op = c.ops[i].op;
    const std::string found =
        absl::StrFormat(", found '%s' at step %d", PrintOp(op, c.names), i + 1);
    if (op.faults[0].kind != Fault::Kind::kNone)
      return "expected calls that fail by themselves" + found;
    const Call call = CallOf(op.kind);
    const bool unprivileged = (op.kind == OpKind::kOpen || op.kind == OpKind::kGetDevice) &&
                              (op.flags & kUnprivileged) != 0;
    if (call == Call::kNoCall || unprivileged) return "expected a system call of one user" + found;
    // A process has no memory at the end of the address space, where a case has its own.
    if (op.kind == OpKind::kMap && op.vaddr + op.at.count > kPages)
      return "expected memory that does not wrap around" + found;
    if (call == Call::kBoot && booted) return "expected a system call after the first" + found;
    booted |= call == Call::kUser;
  }
  if (!booted) return "expected a case with a system call, found none";
  for (const Device& d : std::span(c.topology.devices).first(c.topology.devices_count))
    if (d.kind != DeviceKind::kReal)
      return "expected devices behind an IOMMU, found one that is not";
  return "";
}

std::vector<int> GroupsAfterBoot(const Case& c, const Run& run) {
  size_t boot = 0;
  while (boot < c.ops.size() && CallOf(c.ops[boot].op.kind) == Call::kBoot) ++boot;
  const State& s = run.before(boot);
  std::vector<int> groups;
  groups.reserve(c.topology.devices_count);
  for (DeviceId d = 0; d < c.topology.devices_count; ++d)
    groups.push_back(s.devices[d].group == kNoId ? -1 : s.devices[d].group);
  return groups;
}

int CountGroups(const std::vector<int>& groups) {
  return groups.empty() ? 0 : *std::ranges::max_element(groups) + 1;
}

bool MapsTheEnd(const Case& c) {
  return std::ranges::any_of(c.ops, [](const CaseOp& op) {
    return InfoOf(op.op.kind).is(OpInfo::kHasPages) && op.op.at.first + op.op.at.count >= kPages;
  });
}

uint64_t IovaOf(const Case& c, int page, uint64_t page_size) {
  const uint64_t base = MapsTheEnd(c) ? uint64_t{0} - kPages * page_size : kLowBase;
  return base + static_cast<uint64_t>(page) * page_size;
}

std::string MapFlags(const Op& op) { return FlagsText(kMapFlagNames, op.flags); }
std::string UnmapFlags(const Op& op) { return FlagsText(kUnmapFlagNames, op.flags); }
std::string IommuTypeText(const Op& op) { return kIommuTypes[op.b]; }

std::string OpInWords(const Case& c, const Op& op) {
  std::string text = CallInWords(c, op);
  if ((op.flags & kUnprivileged) != 0 && InfoOf(op.kind).flags.front().word == "unprivileged")
    text += ", without CAP_SYS_RAWIO";
  return text;
}

std::string FaultsInWords(const Case& c, const Op& op) {
  std::vector<std::string> texts;
  for (const Fault& fault : op.faults)
    if (fault.kind != Fault::Kind::kNone) texts.push_back(FaultInWords(c, fault));
  return absl::StrJoin(texts, "; ");
}

bool Oopses(const PlayedStep& step) {
  return std::ranges::any_of(step.events,
                             [](const Event& e) { return e.kind == Event::Kind::kOops; });
}

}  // namespace iommucheck::report
