// SPDX-License-Identifier: Apache-2.0
//
// A case as a test of tools/testing/selftests/vfio. Its library has a container for each IOMMU mode; the
// calls of groups, which it has only together with those of devices, are made beside it.
#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "src/case/run.h"
#include "src/report/calls.h"
#include "src/report/export.h"
#include "src/report/export_parts.h"

namespace iommucheck::report {
namespace {

// Whether each VFIO_SET_IOMMU of the case asks for the type that cases have by default: the variant's
// own type may then stand in its place.
bool TakesAnyType(const Case& c) {
  return std::ranges::all_of(c.ops, [](const CaseOp& op) {
    return op.op.kind != OpKind::kSetIommu || op.op.b == static_cast<uint8_t>(IommuType::kType1v2);
  });
}

// The errno of each op with containers of VFIO_TYPE1_IOMMU; nullopt: the model does not say.
std::optional<std::vector<int>> WithType1(Case c) {
  if (!TakesAnyType(c)) return std::nullopt;
  for (CaseOp& op : c.ops)
    if (op.op.kind == OpKind::kSetIommu) op.op.b = static_cast<uint8_t>(IommuType::kType1);
  const Run run = Play(c);
  if (!run.complete) return std::nullopt;
  std::vector<int> errors;
  errors.reserve(run.steps.size());
  for (const PlayedStep& step : run.steps) errors.push_back(step.result.error);
  return errors;
}

bool Uses(const Case& c, OpKind kind) {
  return std::ranges::any_of(c.ops, [kind](const CaseOp& op) { return op.op.kind == kind; });
}

constexpr const char* kHead = R"(#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/vfio.h>

#include <libvfio.h>

#include "kselftest_harness.h"

)";

constexpr const char* kTables = R"(enum { GROUPS = %d, CONTAINERS = %d, DEVICES = %d, PAGES = %d };
enum { HAS_TYPE1 = %d }; /* whether the case is also one of containers of VFIO_TYPE1_IOMMU */
#define IOVA_BASE %s

static const int device_group[DEVICES] = { %s }; /* -1: none; in the order %s */
)";

constexpr const char* kFixture = R"(
static char **bdfs; /* of the devices, in the same order */
static int nr_bdfs;

FIXTURE(iommucheck)
{
	struct iommu *container[CONTAINERS];
	int group_number[GROUPS], group_fd[GROUPS], device_fd[DEVICES];
	unsigned long type;
	char *memory; /* PAGES of it */
	u64 page_size;
	int differing;
};

FIXTURE_VARIANT(iommucheck)
{
	const char *iommu_mode;
};

#define FIXTURE_VARIANT_ADD_IOMMU_MODE(_mode) \
FIXTURE_VARIANT_ADD(iommucheck, _mode) { \
	.iommu_mode = #_mode, \
}

FIXTURE_VARIANT_ADD_ALL_IOMMU_MODES();

#undef FIXTURE_VARIANT_ADD_IOMMU_MODE

/* The number of a device's group; -1: it has none. */
static int group_of(const char *bdf)
{
	char path[128], group[256];
	ssize_t length;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", bdf);
	length = readlink(path, group, sizeof(group) - 1);
	if (length < 0)
		return -1;
	group[length] = 0;
	return atoi(strrchr(group, '/') + 1);
}

/* Why this machine or mode cannot run the case; NULL: it can. */
static const char *why_not(FIXTURE_DATA(iommucheck) *self, const char *mode)
{
	if (!strcmp(mode, MODE_IOMMUFD))
		return "the mode has no containers";
	if (!strcmp(mode, MODE_VFIO_TYPE1_IOMMU) && !HAS_TYPE1)
		return "the case asks for an IOMMU type of its own";
	if (access(strncmp(mode, "iommufd", 7) ? "/dev/vfio/vfio" : "/dev/iommu", R_OK | W_OK))
		return "the mode's container cannot be opened";
	if (nr_bdfs < DEVICES)
		return "the case has more devices than were named";
	for (int device = 0; device < DEVICES; device++) {
		int group = device_group[device];
		int number = group_of(bdfs[device]);

		if (group < 0)
			continue;
		if (number < 0)
			return "a device has no group";
		if (self->group_number[group] >= 0 && self->group_number[group] != number)
			return "the case has devices in one group that this machine has in two";
		for (int other = 0; other < GROUPS; other++)
			if (other != group && self->group_number[other] == number)
				return "the case has devices in two groups that this machine has in one";
		self->group_number[group] = number;
	}
	for (int group = 0; group < GROUPS; group++) {
		char path[64];

		snprintf(path, sizeof(path), "/dev/vfio/%d", self->group_number[group]);
		if (self->group_number[group] >= 0 && access(path, R_OK | W_OK))
			return "a group has no file: bind its devices to vfio-pci";
	}
	return NULL;
}

static int result(int ret)
{
	return ret < 0 ? -errno : 0;
}

/* The file of a group, which a case that does not open it itself finds open. */
static int group_file(FIXTURE_DATA(iommucheck) *self, int group)
{
	if (self->group_fd[group] < 0) {
		char path[64];

		snprintf(path, sizeof(path), "/dev/vfio/%d", self->group_number[group]);
		self->group_fd[group] = open(path, O_RDWR);
	}
	return self->group_fd[group];
}

FIXTURE_SETUP(iommucheck)
{
	const char *why;

	memset(self, 0, sizeof(*self));
	memset(self->group_number, -1, sizeof(self->group_number));
	memset(self->group_fd, -1, sizeof(self->group_fd));
	memset(self->device_fd, -1, sizeof(self->device_fd));
	why = why_not(self, variant->iommu_mode);
	if (why)
		SKIP(return, "%s", why);
	self->type = !strcmp(variant->iommu_mode, MODE_VFIO_TYPE1_IOMMU) ||
		     !strcmp(variant->iommu_mode, MODE_IOMMUFD_COMPAT_TYPE1) ?
		     VFIO_TYPE1_IOMMU : VFIO_TYPE1v2_IOMMU;
	self->page_size = getpagesize();
	self->memory = mmap(NULL, PAGES * self->page_size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(self->memory, MAP_FAILED);
	for (int container = 0; container < CONTAINERS; container++)
		self->container[container] = iommu_init(variant->iommu_mode);
}

FIXTURE_TEARDOWN(iommucheck)
{
	for (int device = 0; device < DEVICES; device++)
		if (self->device_fd[device] >= 0)
			close(self->device_fd[device]);
	for (int group = 0; group < GROUPS; group++)
		if (self->group_fd[group] >= 0)
			close(self->group_fd[group]);
	for (int container = 0; container < CONTAINERS; container++)
		if (self->container[container])
			iommu_cleanup(self->container[container]);
	if (self->memory)
		munmap(self->memory, PAGES * self->page_size);
}

)";

struct KselftestCall {
  OpKind kind;
  const char* text;
};
constexpr KselftestCall kKselftestCalls[] = {
    {OpKind::kOpen, R"(static int open_group(FIXTURE_DATA(iommucheck) *self, int group)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/vfio/%d", self->group_number[group]);
	fd = open(path, O_RDWR);
	if (fd >= 0)
		self->group_fd[group] = fd;
	return result(fd);
}

)"},
    {OpKind::kClose, R"(static int close_group(FIXTURE_DATA(iommucheck) *self, int group)
{
	int ret = result(close(self->group_fd[group]));

	self->group_fd[group] = -1;
	return ret;
}

)"},
    {OpKind::kSetContainer,
     R"(static int set_container(FIXTURE_DATA(iommucheck) *self, int group, int container)
{
	return result(ioctl(group_file(self, group), VFIO_GROUP_SET_CONTAINER,
			    &self->container[container]->container_fd));
}

)"},
    {OpKind::kUnsetContainer,
     R"(static int unset_container(FIXTURE_DATA(iommucheck) *self, int group)
{
	return result(ioctl(group_file(self, group), VFIO_GROUP_UNSET_CONTAINER));
}

)"},
    {OpKind::kSetIommu,
     R"(static int set_iommu(FIXTURE_DATA(iommucheck) *self, int container, unsigned long type)
{
	return result(ioctl(self->container[container]->container_fd, VFIO_SET_IOMMU, type));
}

)"},
    {OpKind::kGetDevice, R"(static int get_device(FIXTURE_DATA(iommucheck) *self, int device)
{
	self->device_fd[device] = ioctl(group_file(self, device_group[device]),
					VFIO_GROUP_GET_DEVICE_FD, bdfs[device]);
	return result(self->device_fd[device]);
}

)"},
    {OpKind::kPutDevice, R"(static int put_device(FIXTURE_DATA(iommucheck) *self, int device)
{
	int ret = result(close(self->device_fd[device]));

	self->device_fd[device] = -1;
	return ret;
}

)"},
    {OpKind::kMap,
     R"(static int map(FIXTURE_DATA(iommucheck) *self, int container, int page, int count,
	       int memory_page, u32 flags)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = flags,
		.vaddr = (uintptr_t)self->memory + memory_page * self->page_size,
		.iova = IOVA_BASE + page * self->page_size,
		.size = count * self->page_size,
	};

	return result(ioctl(self->container[container]->container_fd, VFIO_IOMMU_MAP_DMA, &map));
}

)"},
    {OpKind::kUnmap,
     R"(static int unmap(FIXTURE_DATA(iommucheck) *self, int container, int page, int count, u32 flags)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.flags = flags,
		.iova = flags & VFIO_DMA_UNMAP_FLAG_ALL ? 0 : IOVA_BASE + page * self->page_size,
		.size = count * self->page_size,
	};

	return result(ioctl(self->container[container]->container_fd, VFIO_IOMMU_UNMAP_DMA,
			    &unmap));
}

)"},
};

// The model is about type1: what iommufd does in its place is told, and not judged.
constexpr const char* kCheck = R"c(#define CHECK(op, got, type1v2, type1) do { \
	int __got = (got); \
	int __expected = self->type == VFIO_TYPE1_IOMMU ? (type1) : (type1v2); \
\
	if (__got != __expected) { \
		TH_LOG("%s: expected %d, got %d (%s)", op, __expected, __got, strerror(-__got)); \
		self->differing++; \
	} \
	if (strncmp(variant->iommu_mode, "iommufd", 7)) \
		EXPECT_EQ(__expected, __got); \
} while (0)

)c";

constexpr const char* kKselftestMain = R"c(
int main(int argc, char *argv[])
{
	bdfs = vfio_selftests_get_bdfs(&argc, argv, &nr_bdfs);
	return test_harness_run(argc, argv);
}
)c";

std::string KselftestCallText(const Op& op) {
  using enum OpKind;
  switch (op.kind) {
    case kOpen:
      return absl::StrFormat("open_group(self, %d)", op.a);
    case kClose:
      return absl::StrFormat("close_group(self, %d)", op.a);
    case kSetContainer:
      return absl::StrFormat("set_container(self, %d, %d)", op.a, op.b);
    case kUnsetContainer:
      return absl::StrFormat("unset_container(self, %d)", op.a);
    case kSetIommu:
      return absl::StrFormat(
          "set_iommu(self, %d, %s)", op.a,
          op.b == static_cast<uint8_t>(IommuType::kType1v2) ? "self->type" : IommuTypeText(op));
    case kGetDevice:
      return absl::StrFormat("get_device(self, %d)", op.a);
    case kPutDevice:
      return absl::StrFormat("put_device(self, %d)", op.a);
    case kMap:
      return absl::StrFormat("map(self, %d, %d, %d, %d, %s)", op.a, op.at.first, op.at.count,
                             op.vaddr, MapFlags(op));
    default:
      return absl::StrFormat("unmap(self, %d, %d, %d, %s)", op.a, op.at.first, op.at.count,
                             UnmapFlags(op));
  }
}

}  // namespace

absl::StatusOr<std::string> KselftestProgram(const Case& c, const std::string& name) {
  const Run run = Play(c);
  if (const std::string why = WhyNoCalls(c, run); !why.empty())
    return absl::InvalidArgumentError(why);
  for (DeviceId d = 0; d < c.topology.devices_count; ++d)
    if (c.topology.devices[d].bus != Bus::kPci)
      return absl::InvalidArgumentError(
          absl::StrCat("expected devices on pci, found ", c.names.devices[d]));
  const std::optional<std::vector<int>> type1 = WithType1(c);
  const std::vector<int> groups = GroupsAfterBoot(c, run);
  int containers = 1;
  for (const CaseOp& op : c.ops) {
    if (InfoOf(op.op.kind).a == Operand::kContainer) containers = std::max(containers, op.op.a + 1);
    if (InfoOf(op.op.kind).b == Operand::kContainer) containers = std::max(containers, op.op.b + 1);
  }
  std::string text =
      ProgramHead(c, run,
                  absl::StrCat("For tools/testing/selftests/vfio, as ", name,
                               "_test.c in TEST_GEN_PROGS; its arguments are\n"
                               "one device bound to vfio-pci for each of the case: ",
                               absl::StrJoin(c.names.devices, " "),
                               ".\nModes of iommufd are told about, and not judged."));
  absl::StrAppend(&text, kHead,
                  absl::StrFormat(kTables, std::max(CountGroups(groups), 1), containers,
                                  c.names.devices.size(), kPages, type1 ? 1 : 0,
                                  MapsTheEnd(c) ? "(0 - PAGES * self->page_size)" : "0x1000000",
                                  absl::StrJoin(groups, ", "), absl::StrJoin(c.names.devices, " ")),
                  kFixture);
  for (const KselftestCall& helper : kKselftestCalls)
    if (Uses(c, helper.kind)) text += helper.text;
  text += kCheck;
  std::string test_name = name;
  for (char& byte : test_name)
    if (!absl::ascii_isalnum(static_cast<unsigned char>(byte))) byte = '_';
  absl::StrAppend(&text, "TEST_F(iommucheck, ", test_name, ")\n{\n");
  for (size_t i = 0; i < c.ops.size(); ++i) {
    const Op& op = c.ops[i].op;
    if (CallOf(op.kind) != Call::kUser) continue;
    const int expected = c.ops[i].expected.value_or(run.steps[i].result.error);
    if (op.kind == OpKind::kMap && (op.flags & kZeroPage) == 0)
      absl::StrAppendFormat(
          &text, "\tmemset(self->memory + %d * self->page_size, 1, %d * self->page_size);\n",
          op.vaddr, std::min<int>(op.at.count, kPages - op.vaddr));
    absl::StrAppendFormat(&text, "\tCHECK(%s, %s,\n\t      %s, %s);\n",
                          CString(PrintOp(op, c.names)), KselftestCallText(op), CErrno(expected),
                          CErrno(type1 ? (*type1)[i] : expected));
  }
  absl::StrAppend(&text,
                  "\tif (self->differing && !strncmp(variant->iommu_mode, \"iommufd\", 7))\n"
                  "\t\tSKIP(return, \"iommufd answered %d calls in another way\","
                  " self->differing);\n}\n",
                  kKselftestMain);
  return text;
}

}  // namespace iommucheck::report
