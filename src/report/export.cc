// SPDX-License-Identifier: Apache-2.0
#include "src/report/export.h"

#include <algorithm>
#include <span>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "src/case/run.h"
#include "src/report/calls.h"
#include "src/report/export_parts.h"

namespace iommucheck::report {
namespace {

// The expression whose value is 0 or a negative errno.
std::string CallText(const Op& op) {
  using enum OpKind;
  switch (op.kind) {
    case kOpen:
      return absl::StrFormat("open_group(%d)", op.a);
    case kClose:
      return absl::StrFormat("close_group(%d)", op.a);
    case kSetContainer:
      return absl::StrFormat("set_container(%d, %d)", op.a, op.b);
    case kUnsetContainer:
      return absl::StrFormat("unset_container(%d)", op.a);
    case kSetIommu:
      return absl::StrFormat("set_iommu(%d, %s)", op.a, IommuTypeText(op));
    case kGetDevice:
      return absl::StrFormat("get_device(%d)", op.a);
    case kPutDevice:
      return absl::StrFormat("put_device(%d)", op.a);
    case kMap:
      return absl::StrFormat("map(%d, %d, %d, %d, %s)", op.a, op.at.first, op.at.count, op.vaddr,
                             MapFlags(op));
    default:
      return absl::StrFormat("unmap(%d, %d, %d, %s)", op.a, op.at.first, op.at.count,
                             UnmapFlags(op));
  }
}

constexpr const char* kHelpers = R"(
enum { PAGES = 64 };

static uint64_t page_size;
static unsigned char *memory; /* PAGES of it */
static int group_number[GROUPS], group_fd[GROUPS], container_fd[CONTAINERS], device_fd[DEVICES];
static const char *device_name[DEVICES]; /* of this machine */

static void skip(const char *why, const char *what)
{
	printf("KTAP version 1\n1..0 # SKIP %s%s%s\n", why, *what ? ": " : "", what);
	exit(4);
}

/* The number of a device's group; -1: it has none. */
static int group_of(const char *device)
{
	static const char *const buses[] = { "pci", "platform", "amba", "fsl-mc", "cdx" };
	char path[4096], group[4096];

	for (size_t i = 0; i < sizeof(buses) / sizeof(*buses); i++) {
		ssize_t length;

		snprintf(path, sizeof(path), "/sys/bus/%s/devices/%s/iommu_group", buses[i], device);
		length = readlink(path, group, sizeof(group) - 1);
		if (length < 0)
			continue;
		group[length] = 0;
		return atoi(strrchr(group, '/') + 1);
	}
	return -1;
}

static int result(int ret)
{
	return ret < 0 ? -errno : 0;
}

static int open_group(int group)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/vfio/%d", group_number[group]);
	group_fd[group] = open(path, O_RDWR | O_CLOEXEC);
	return result(group_fd[group]);
}

static void need_group(int group)
{
	if (group_fd[group] < 0 && open_group(group) != 0)
		skip("a group cannot be opened; are its devices bound to vfio-pci", strerror(errno));
}

static void need_container(int container)
{
	if (container_fd[container] >= 0)
		return;
	container_fd[container] = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (container_fd[container] < 0)
		skip("/dev/vfio/vfio cannot be opened", strerror(errno));
}
)";

struct Helper {
  OpKind kind;
  const char* text;
};
// Only those that the case calls, so that no function is unused.
constexpr Helper kCalls[] = {
    {OpKind::kClose, R"(
static int close_group(int group)
{
	int ret = result(close(group_fd[group]));

	group_fd[group] = -1;
	return ret;
}
)"},
    {OpKind::kSetContainer, R"(
static int set_container(int group, int container)
{
	need_group(group);
	need_container(container);
	return result(ioctl(group_fd[group], VFIO_GROUP_SET_CONTAINER, &container_fd[container]));
}
)"},
    {OpKind::kUnsetContainer, R"(
static int unset_container(int group)
{
	need_group(group);
	return result(ioctl(group_fd[group], VFIO_GROUP_UNSET_CONTAINER));
}
)"},
    {OpKind::kSetIommu, R"(
static int set_iommu(int container, unsigned long type)
{
	need_container(container);
	return result(ioctl(container_fd[container], VFIO_SET_IOMMU, type));
}
)"},
    {OpKind::kGetDevice, R"(
static int get_device(int device)
{
	int group = device_group[device];

	need_group(group);
	device_fd[device] = ioctl(group_fd[group], VFIO_GROUP_GET_DEVICE_FD, device_name[device]);
	return result(device_fd[device]);
}
)"},
    {OpKind::kPutDevice, R"(
static int put_device(int device)
{
	return result(close(device_fd[device]));
}
)"},
    {OpKind::kMap, R"(
static int map(int container, int page, int count, int memory_page, uint32_t flags)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = flags,
		.vaddr = (uintptr_t)memory + memory_page * page_size,
		.iova = IOVA_BASE + page * page_size,
		.size = count * page_size,
	};

	need_container(container);
	return result(ioctl(container_fd[container], VFIO_IOMMU_MAP_DMA, &map));
}
)"},
    {OpKind::kUnmap, R"(
static int unmap(int container, int page, int count, uint32_t flags)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.flags = flags,
		.iova = flags & VFIO_DMA_UNMAP_FLAG_ALL ? 0 : IOVA_BASE + page * page_size,
		.size = count * page_size,
	};

	need_container(container);
	return result(ioctl(container_fd[container], VFIO_IOMMU_UNMAP_DMA, &unmap));
}
)"},
};

// Where the case maps: what the kernel says that the process has locked.
constexpr const char* kLocked = R"(
static int locked_pages(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	unsigned long locked = 0;
	char line[256];

	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "VmLck: %lu kB", &locked) == 1)
			break;
	if (status)
		fclose(status);
	return locked * 1024 / page_size;
}
)";

constexpr const char* kMain = R"(
static void check(int step, const char *op, int got, int expected)
{
	if (got == expected)
		printf("ok %d %s\n", step, op);
	else
		printf("not ok %d %s\n# expected %d, got %d (%s)\n", step, op, expected, got,
		       got < 0 ? strerror(-got) : "no error");
	failed |= got != expected;
}

static void find_devices(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		char *name = strchr(argv[i], '=');
		int device = 0;

		if (name)
			*name++ = 0;
		while (device < DEVICES && strcmp(argv[i], case_device[device]))
			device++;
		if (!name || device == DEVICES) {
			fprintf(stderr, "expected a device of the case and one of this machine, such as "
				"%s=0000:00:04.0, found %s\n", case_device[0], argv[i]);
			exit(2);
		}
		device_name[device] = name;
	}
	for (int device = 0; device < DEVICES; device++) {
		int group = device_group[device];
		int number;

		if (group < 0)
			continue;
		if (!device_name[device])
			skip("which device of this machine is this one of the case", case_device[device]);
		number = group_of(device_name[device]);
		if (number < 0)
			skip("this device has no group", device_name[device]);
		if (group_number[group] >= 0 && group_number[group] != number)
			skip("the case has this device in one group with another", device_name[device]);
		for (int other = 0; other < GROUPS; other++)
			if (other != group && group_number[other] == number)
				skip("the case has this device in a group of its own", device_name[device]);
		group_number[group] = number;
	}
}

int main(int argc, char **argv)
{
	page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	memset(group_number, -1, sizeof(group_number));
	memset(group_fd, -1, sizeof(group_fd));
	memset(container_fd, -1, sizeof(container_fd));
	memset(device_fd, -1, sizeof(device_fd));
	find_devices(argc, argv);
	memory = mmap(NULL, PAGES * page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	if (memory == MAP_FAILED)
		skip("no memory", "");
)";

std::string Tables(const Case& c, const std::vector<int>& groups) {
  std::vector<std::string> names;
  names.reserve(c.names.devices.size());
  for (const std::string& device : c.names.devices) names.push_back(CString(device));
  return absl::StrFormat(
      "enum { GROUPS = %d, CONTAINERS = %d, DEVICES = %d };\n"
      "#define IOVA_BASE %s\n\n"
      "static const char *const case_device[DEVICES] = { %s };\n"
      "static const int device_group[DEVICES] = { %s }; /* -1: none */\n"
      "static int failed;\n",
      std::max(CountGroups(groups), 1), kMaxContainers, names.size(),
      MapsTheEnd(c) ? "(0 - 64 * page_size)" : "(16 * 1024 * 1024)", absl::StrJoin(names, ", "),
      absl::StrJoin(groups, ", "));
}

}  // namespace

absl::StatusOr<std::string> CProgram(const Case& c, const std::string& name) {
  const Run run = Play(c);
  if (const std::string why = WhyNoCalls(c, run); !why.empty())
    return absl::InvalidArgumentError(why);
  const std::vector<int> groups = GroupsAfterBoot(c, run);
  std::string usage = "./" + name;
  for (const std::string& device : c.names.devices) absl::StrAppend(&usage, " ", device, "=NAME");
  std::string text =
      ProgramHead(c, run,
                  absl::StrCat("cc -o ", name, " ", name, ".c\n", usage,
                               "\n\nwith the names of devices of this machine that are bound to "
                               "vfio-pci. KTAP; exit status\n0 as expected, 1 not so, 4 skipped."));
  for (const char* header : {"errno.h", "fcntl.h", "linux/vfio.h", "stdint.h", "stdio.h",
                             "stdlib.h", "string.h", "sys/ioctl.h", "sys/mman.h", "unistd.h"})
    absl::StrAppend(&text, "#include <", header, ">\n");
  absl::StrAppend(&text, "\n", Tables(c, groups), kHelpers);
  for (const Helper& helper : kCalls)
    if (std::ranges::any_of(c.ops, [&](const CaseOp& op) { return op.op.kind == helper.kind; }))
      text += helper.text;
  const bool maps =
      std::ranges::any_of(c.ops, [](const CaseOp& op) { return op.op.kind == OpKind::kMap; });
  if (maps) text += kLocked;
  text += kMain;
  std::string calls;
  int steps = 0;
  for (size_t i = 0; i < c.ops.size(); ++i) {
    const Op& op = c.ops[i].op;
    if (CallOf(op.kind) != Call::kUser) continue;
    const int expected = c.ops[i].expected.value_or(run.steps[i].result.error);
    // Memory that was written is not the zero page.
    if (op.kind == OpKind::kMap && (op.flags & kZeroPage) == 0)
      absl::StrAppendFormat(&calls, "\tmemset(memory + %d * page_size, 1, %d * page_size);\n",
                            op.vaddr, std::min<int>(op.at.count, kPages - op.vaddr));
    absl::StrAppendFormat(&calls, "\tcheck(%d, %s, %s, %s);\n", ++steps,
                          CString(PrintOp(op, c.names)), CallText(op), CErrno(expected));
  }
  if (maps)
    absl::StrAppendFormat(&calls, "\tcheck(%d, \"pages of locked_vm\", locked_pages(), %d);\n",
                          ++steps, run.final_state().locked_vm);
  absl::StrAppendFormat(&text, "\tprintf(\"KTAP version 1\\n1..%d\\n\");\n%s\treturn failed;\n}\n",
                        steps, calls);
  return text;
}

}  // namespace iommucheck::report
