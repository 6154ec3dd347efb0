// SPDX-License-Identifier: Apache-2.0
#include "src/case/case.h"

#include <algorithm>
#include <random>

#include "gtest/gtest.h"
#include "src/case/spelling.h"
#include "tests/given.h"

namespace iommucheck {
namespace {

constexpr std::string_view kExample = R"(# two buses, two drivers
#
#   indented
kernel v6.0 drop core.attach_busy type1.same_ops add assume.homogeneous_groups
firmware acpi
table shared
driver intel claims=pci:ignore,platform:store table=shared
driver rk firmware=dt claims=platform:strict clears unwinds same-instance per-instance-groups no-default-domain not-coherent accepts-foreign address=intel
driver virt
instance dmar0 intel fwnode not-enforcing
instance viommu0 rk table=shared
device 00:04.0 pci dmar0 viommu0 alias=00:05.0
device 00:05.0 pci dmar0 alias=00:04.0 slot=3 absent
device serial platform

# the first op
#
# in two parts
register dmar0
set-container 0 c0 -> -EBUSY
set-iommu c3 fail=attach:00:04.0:EINVAL:2 fail=alloc:1 -> -EINVAL
add 00:05.0 fail=attach:00:04.0:EIO:all fail=probe:00:05.0:ENODEV -> ok
configure 00:05.0 fail=attach:00:04.0:EIO -> -EPROBE_DEFER
remove 00:05.0
# above unset
unset-container 63
unregister dmar0

expect violated no-cross-driver-reuse at 3
expect violated no-cross-driver-attach
expect holds no-cross-driver-attach
expect outside assume.homogeneous_groups
expect device 00:04.0 driver intel
expect device serial driver none
expect group 0 shares 1
expect group 0 apart 1
expect group 0 domain intel
expect group 63 domain none
)";

// A case with everything that only the model has.
constexpr std::string_view kWhole = R"(kernel v6.8 drop type1.msi_safety
settings passthrough unsafe-interrupts dma-entries=3 memlock=254
driver arm deferred nesting static-identity checks-snoop drops-old mismatch-errno=EXDEV
driver plain
instance smmu0 arm fwnode no-msi-isolation aperture=1-62 page-sizes=1,4,64
instance smmu1 plain aperture=0-0
device nic pci smmu0 slot=1 default=identity resv=0-3:direct resv=8-15:sw-msi
device gpu pci smmu1 absent default=dma resv=63-63:direct-relaxable
device mdev pci emulated
device raw platform noiommu default=dma

open 0
open 1 unprivileged
get-device nic unprivileged
set-container 0 c0 unprivileged
set-iommu c0 type1
set-iommu c0 type1 unprivileged
set-iommu c1 unprivileged
set-iommu c1 nesting fail=malloc:255
set-iommu c1 noiommu
set-iommu c1 unknown
map c0 0+64 63 read write vaddr zero-page fail=map:1:ENOMEM fail=pin:2:EFAULT -> -EFAULT
map c0 63+0 0
unmap c0 0+0 vaddr all
unmap c3 4+1
pin mdev 5+2 write
pin mdev 5+2
unpin mdev 5+2
bind nic
unbind nic
dma nic
attach-pasid nic gpu
detach-pasid nic
reset nic
reset-done nic
put-device nic
close 0
)";

std::string ErrorOf(const absl::StatusOr<Case>& parsed) {
  if (parsed.ok()) return "no error";
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(parsed.status().message());
}

void ExpectRoundTrips(const Case& c) {
  const std::string text = PrintCase(c);
  const auto from_text = ParseCase(text, "t");
  ASSERT_TRUE(from_text.ok()) << from_text.status() << "\n" << text;
  EXPECT_TRUE(*from_text == c) << text;
  const std::string json = CaseToJson(c);
  const auto from_json = CaseFromJson(json, "j");
  ASSERT_TRUE(from_json.ok()) << from_json.status() << "\n" << json;
  EXPECT_TRUE(*from_json == c) << json;
}

TEST(CaseText, CanonicalTextPrintsAsItIs) { EXPECT_EQ(PrintCase(Parsed(kExample)), kExample); }

TEST(CaseText, TheWholeModelPrintsAsItIs) { EXPECT_EQ(PrintCase(Parsed(kWhole)), kWhole); }

TEST(CaseText, ReadsTheWholeModel) {
  const Case c = Parsed(kWhole);
  const Topology& t = c.topology;
  EXPECT_EQ(t.settings, (Settings{true, true, 3, 254}));
  EXPECT_TRUE(t.drivers[0].deferred && t.drivers[0].nesting && t.drivers[0].static_identity);
  EXPECT_TRUE(t.drivers[0].checks_snoop && t.drivers[0].drops_old);
  EXPECT_EQ(t.drivers[0].mismatch_errno, 18);
  EXPECT_FALSE(t.instances[0].isolates_msi);
  EXPECT_EQ(t.instances[0].aperture_first, 1);
  EXPECT_EQ(t.instances[0].aperture_last, 62);
  EXPECT_EQ(t.instances[0].page_sizes, 0b1000101);
  EXPECT_EQ(t.devices[0].default_type, DefaultType::kIdentity);
  EXPECT_EQ(t.devices[0].regions[0], (Region{Region::Type::kDirect, 0, 3}));
  EXPECT_EQ(t.devices[0].regions[1], (Region{Region::Type::kSwMsi, 8, 15}));
  EXPECT_EQ(t.devices[2].kind, DeviceKind::kEmulated);
  EXPECT_EQ(t.devices[3].kind, DeviceKind::kNoIommu);

  const auto type_of = [&c](size_t i) { return static_cast<IommuType>(c.ops[i].op.b); };
  EXPECT_EQ(c.ops[1].op.flags, kUnprivileged);
  EXPECT_EQ(type_of(5), IommuType::kType1);
  EXPECT_EQ(c.ops[5].op.flags, kUnprivileged);
  EXPECT_EQ(type_of(6), IommuType::kType1v2);
  EXPECT_EQ(type_of(9), IommuType::kUnknownIommu);
  EXPECT_EQ(c.ops[7].op.faults[0], (Fault{Fault::Kind::kMalloc, 255, 1, 12}));
  const Op& map = c.ops[10].op;
  EXPECT_EQ(map.at, (Pages{0, 64}));
  EXPECT_EQ(map.vaddr, 63);
  EXPECT_EQ(map.flags, kRead | kWrite | kVaddr | kZeroPage);
  EXPECT_EQ(map.faults[0], (Fault{Fault::Kind::kMap, 1, 1, 12}));
  EXPECT_EQ(map.faults[1], (Fault{Fault::Kind::kPin, 2, 1, 14}));
  EXPECT_EQ(c.ops[12].op.flags, kVaddr | kAll);
  EXPECT_EQ(c.ops[14].op.flags, kWrite);
  EXPECT_EQ(c.ops[20].op.a, 0);
  EXPECT_EQ(c.ops[20].op.b, 1);
}

// Words that mean the default are left out when the case is printed.
TEST(CaseText, DefaultsMayBeSaid) {
  const Case c = Parsed(
      "kernel v6.0\nsettings dma-entries=8\ndriver d\n"
      "instance i d page-sizes=1 aperture=0-63\nset-iommu c0 type1v2\n");
  EXPECT_EQ(PrintCase(c), "kernel v6.0\ndriver d\ninstance i d\n\nset-iommu c0\n");
  EXPECT_EQ(PrintCase(Parsed("kernel v6.0\nsettings\n")), "kernel v6.0\n");
}

TEST(CaseText, ReadsTheExample) {
  const Case c = Parsed(kExample);
  EXPECT_EQ(c.comment, "two buses, two drivers\n\n  indented");
  EXPECT_EQ(c.kernel.version, KernelVersion::kV6_0);
  EXPECT_TRUE(c.kernel.dropped.has(Rule::kType1SameOps));
  EXPECT_TRUE(c.kernel.added.has(Rule::kAssumeHomogeneousGroups));
  EXPECT_EQ(c.names.tables, (std::vector<std::string>{"shared", "rk.ops", "virt.ops"}));

  const Driver& rk = c.topology.drivers[1];
  EXPECT_EQ(rk.firmware, Firmware::kDt);
  EXPECT_EQ(rk.table, 1);
  EXPECT_EQ(rk.address, 0);
  EXPECT_TRUE(rk.clears && rk.unwinds && rk.same_instance && rk.instance_groups);
  EXPECT_TRUE(rk.accepts_foreign && !rk.default_domains && !rk.coherent);
  const Driver& intel = c.topology.drivers[0];
  EXPECT_EQ(intel.claims[static_cast<size_t>(Bus::kPci)], Claim::kIgnore);
  EXPECT_EQ(intel.claim_order, (std::array{Bus::kPci, Bus::kPlatform, Bus::kAmba, Bus::kFslMc,
                                           Bus::kHost1x, Bus::kCdx}));
  EXPECT_EQ(c.topology.instances[1].table, 0);
  EXPECT_EQ(c.topology.devices[0].alias, 1);

  ASSERT_EQ(c.ops.size(), 8U);
  EXPECT_EQ(c.ops[0].comment, "the first op\n\nin two parts");
  EXPECT_EQ(c.ops[0].expected, std::nullopt);
  EXPECT_EQ(c.ops[2].op.faults[0], (Fault{Fault::Kind::kAttach, 0, 2, 22}));
  EXPECT_EQ(c.ops[2].op.faults[1], (Fault{Fault::Kind::kAlloc, 1, 1, 12}));
  EXPECT_EQ(c.ops[3].op.faults[0], (Fault{Fault::Kind::kAttach, 0, 255, 5}));
  EXPECT_EQ(c.ops[3].expected, 0);
  EXPECT_EQ(c.ops[4].expected, -517);
  EXPECT_EQ(c.expectations[0].at, 3);
}

TEST(CaseText, LayoutIsFree) {
  const Case c = Parsed(
      "\n  # top \t\r\n\n#more\n\tkernel v7.1 add core.owner_every drop core.owner_first # x\r\n"
      "driver d no-default-domain claims=cdx:own-ok clears\n\n\n"
      "# dropped\n\ninstance i d#y\n# kept\nregister i -> ok # dropped\n# dropped");
  EXPECT_EQ(PrintCase(c),
            "# top\n# more\nkernel v7.1 drop core.owner_first add core.owner_every\n"
            "driver d claims=cdx:own-ok clears no-default-domain\ninstance i d\n\n"
            "# kept\nregister i -> ok\n");
}

TEST(CaseText, NamesMayComeLater) {
  ExpectRoundTrips(
      Parsed("kernel v6.0\ndriver a address=b\ndriver b\n"
             "device d pci alias=e\ndevice e pci\n"));
}

TEST(CaseText, FaultsAreReadFromTheRight) {
  const Case c = Parsed(
      "kernel v6.0\ndevice a pci\ndevice a:EIO pci\ndevice a:EIO:3 pci\n"
      "add a fail=attach:a:EIO:3 fail=attach:a:EIO:EIO\nadd a fail=attach:a:EIO:3:EIO:3\n");
  EXPECT_EQ(c.ops[0].op.faults[0], (Fault{Fault::Kind::kAttach, 0, 3, 5}));
  EXPECT_EQ(c.ops[0].op.faults[1], (Fault{Fault::Kind::kAttach, 1, 1, 5}));
  EXPECT_EQ(c.ops[1].op.faults[0], (Fault{Fault::Kind::kAttach, 2, 3, 5}));
  ExpectRoundTrips(c);
}

// "v5.15, v5.18 or v7.1"
std::string Versions() {
  std::string text;
  for (const KernelVersion v : kKernelVersions) {
    if (v != kKernelVersions.front()) text += v == kNewestVersion ? " or " : ", ";
    text += VersionName(v);
  }
  return text;
}

struct Mistake {
  std::string text;
  std::string place;     // LINE:COLUMN, or the path in JSON
  std::string expected;  // what the error expects, and what it found
};

void ExpectMistakes(const std::string& before, const std::vector<Mistake>& mistakes) {
  for (const auto& [text, place, expected] : mistakes)
    EXPECT_EQ(ErrorOf(ParseCase(before + text, "f")), "f:" + place + ": expected " + expected);
}

// A machine for testing mistakes; the faulty statement is on line 8.
const std::string kMachine =
    "kernel v6.0\ntable shared\ndriver intel\ndriver amd\ninstance dmar0 intel\n"
    "device 00:04.0 pci dmar0\ndevice uart platform\n";

TEST(CaseText, SaysWhatIsWrongInTheKernel) {
  const std::string versions = Versions();
  const std::vector<Mistake> whole = {
      {"", "1:1", "'kernel', found end of file"},
      {"# only\n", "2:1", "'kernel', found end of file"},
      {"device a pci", "1:1", "'kernel', found 'device'"},
      {"kernal v6.0", "1:1", "'kernel', found 'kernal'; did you mean kernel?"},
      {"kernel", "1:7", versions + ", found end of line"},
      {"kernel  # v6.0", "1:7", versions + ", found end of line"},
      {"kernel 6.0", "1:8", versions + ", found '6.0'; did you mean v6.0?"},
      {"kernel v6.2", "1:8", versions + ", found 'v6.2'"},
      {"kernel v6.0 dorp bus.one_ops", "1:13",
       "'drop', 'add' or end of line, found 'dorp'; did you mean drop?"},
      {"kernel v6.0 drop", "1:17", "the id of a rule, found end of line"},
      {"kernel v6.0 drop add", "1:18", "the id of a rule, found 'add'"},
      {"kernel v6.0 drop type1.same_op", "1:18",
       "the id of a rule, found 'type1.same_op'; did you mean type1.same_ops?"},
      {"kernel v6.0 drop bus.one_ops same_ops", "1:30",
       "the id of a rule, found 'same_ops'; did you mean type1.same_ops?"},
      {"kernel v6.1 drop bus.one_ops", "1:18", "a rule that v6.1 has, found 'bus.one_ops'"},
      {"kernel v6.0 add bus.one_ops", "1:17", "a rule that v6.0 has not, found 'bus.one_ops'"},
      {"kernel v6.0 drop bus.one_ops bus.one_ops", "1:30",
       "each rule once, found 'bus.one_ops' again"},
      {std::string("kernel v6.0\n\0", 13), "2:1", "printable ASCII, found byte 0x00"},
      {"# \xc3\xa4 \xff\nkernel v6.0", "1:6", "UTF-8 without control characters, found byte 0xff"},
      {std::string("kernel v6.0 # \0.", 16), "1:15",
       "UTF-8 without control characters, found byte 0x00"},
      {"# \xed\xa0\x80", "1:3", "UTF-8 without control characters, found byte 0xed"},
      {"# \xc3", "1:3", "UTF-8 without control characters, found byte 0xc3"},
      {std::string(kMaxCaseBytes + 1, '\n'), "1:1", "at most 1048576 bytes, found 1048577"},
  };
  ExpectMistakes("", whole);
  const std::vector<Mistake> first = {
      {"kernel v6.0", "2:1",
       "'firmware', 'settings', 'table', 'driver', 'instance', 'device', an op or 'expect', "
       "found 'kernel'"},
      {"firmware", "2:9", "acpi or dt, found end of line"},
      {"firmware any", "2:10", "acpi or dt, found 'any'"},
      {"firmware dt acpi", "2:13", "end of line, found 'acpi'"},
      {"firmware dt\nfirmware dt", "3:1",
       "'settings', 'table', 'driver', 'instance', 'device', an op or 'expect', found "
       "'firmware'"},
      {"settings\nfirmware dt", "3:1",
       "'table', 'driver', 'instance', 'device', an op or 'expect', found 'firmware'"},
      {"settings memlock", "2:10",
       "an attribute of settings, found 'memlock'; did you mean memlock=?"},
      {"settings memlock=255", "2:18", "a number of pages (0 to 254), found '255'"},
      {"settings dma-entries=9", "2:22", "a number of mappings (0 to 8), found '9'"},
      {"settings passthrough passthrough", "2:22",
       "each attribute once, found 'passthrough' again"},
      {" \xc3\xa4", "2:2", "printable ASCII, found byte 0xc3"},
  };
  ExpectMistakes("kernel v6.0\n", first);
}

TEST(CaseText, SaysWhatIsWrongInTheMachine) {
  const std::string buses = "a bus: platform, pci, amba, fsl-mc, host1x or cdx";
  const std::string claims = "a claim: strict, own-ok, skip, ignore or store";
  const std::string after_devices = "'device', an op or 'expect', found ";
  const std::vector<Mistake> first = {
      {"table", "2:6", "a name for a table, found end of line"},
      {"table a\ntable a", "3:7", "a name that no other table has, found 'a'"},
      {"table a.ops\ndriver a", "3:8",
       "a driver whose own table's name is free, found 'table a.ops' above"},
      {"driver a table=b", "2:16", "the name of a table, found 'b'"},
      {"driver a clear", "2:10", "an attribute of a driver, found 'clear'; did you mean clears?"},
      {"driver a firmware=any", "2:19", "acpi or dt, found 'any'"},
      {"driver a claims=", "2:17", buses + ", found nothing"},
      {"driver a claims=pci", "2:17", "BUS:CLAIM, found 'pci'"},
      {"driver a claims=pci:none", "2:21", claims + ", found 'none'"},
      {"driver a claims=pci:strict,amba:own", "2:33", claims + ", found 'own'"},
      {"driver a claims=pci:strict,pci:skip", "2:28", "each bus once, found 'pci' again"},
      {"driver a claims=pci:strict,", "2:28", buses + ", found nothing"},
      {"driver a address=a", "2:18", "the name of another driver, found 'a'"},
      {"driver a address=b\ninstance i a", "2:18", "the name of a driver, found 'b'"},
      {"driver a address=b\ndriver b address=a", "2:18",
       "a driver that has no address= itself, found 'b'"},
      {"driver a mismatch-errno=ok", "2:25", "an errno from 1 to 255 such as EINVAL, found 'ok'"},
  };
  ExpectMistakes("kernel v6.0\n", first);
  const std::vector<Mistake> instances = {
      {"instance i", "3:11", "the name of a driver, found end of line"},
      {"instance i b", "3:12", "the name of a driver, found 'b'"},
      {"instance i a fwnod", "3:14",
       "an attribute of an instance, found 'fwnod'; did you mean fwnode?"},
      {"instance i a aperture=1", "3:23", "pages as FIRST-LAST, found '1'"},
      {"instance i a aperture=1-64", "3:25", "a page (0 to 63), found '64'"},
      {"instance i a aperture=2-1", "3:23", "the last page not before the first, found '2-1'"},
      {"instance i a page-sizes=", "3:25", "a page size (1 to 64), found nothing"},
      {"instance i a page-sizes=1,3", "3:27", "a power of two, found '3'"},
      {"instance i a page-sizes=2,128", "3:27", "a page size (1 to 64), found '128'"},
      {"instance i a page-sizes=2,2", "3:27", "each page size once, found '2' again"},
      {"instance i a table=a.ops.", "3:20",
       "the name of a table, found 'a.ops.'; did you mean a.ops?"},
  };
  ExpectMistakes("kernel v6.0\ndriver a\n", instances);
  const std::vector<Mistake> last = {
      {"driver x", "8:1", after_devices + "'driver'"},
      {"regsiter dmar0", "8:1", after_devices + "'regsiter'; did you mean register?"},
      {"device", "8:7", "a name for a device, found end of line"},
      {"device a/b pci", "8:8",
       "a name for a device, 1 to 31 of A-Z a-z 0-9 _ . : + -, found 'a/b'"},
      {"device none pci", "8:8",
       "a name for a device, 1 to 31 of A-Z a-z 0-9 _ . : + -, found 'none'"},
      {"device " + std::string(32, 'x') + " pci", "8:8",
       "a name for a device, 1 to 31 of A-Z a-z 0-9 _ . : + -, found "
       "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'"},
      {"device uart pci", "8:8", "a name that no other device has, found 'uart'"},
      {"device a", "8:9", buses + ", found end of line"},
      {"device a pcie", "8:10", buses + ", found 'pcie'; did you mean pci?"},
      {"device a pci dmra0", "8:14",
       "the name of an instance or an attribute of a device, found 'dmra0'; did you mean "
       "dmar0?"},
      {"device a pci absnt", "8:14",
       "the name of an instance or an attribute of a device, found 'absnt'; did you mean "
       "absent?"},
      {"device a pci dmar0 dmar0", "8:20", "each instance once, found 'dmar0' again"},
      {"device a pci absent dmar0", "8:21", "an attribute of a device, found 'dmar0'"},
      {"device a pci absent absent", "8:21", "each attribute once, found 'absent' again"},
      {"device a pci absent=1", "8:14",
       "an attribute of a device, found 'absent='; did you mean absent?"},
      {"device a pci slot=0", "8:19", "a slot (1 to 255), found '0'"},
      {"device a pci slot=99999999999", "8:19", "a slot (1 to 255), found '99999999999'"},
      {"device a pci slot=-0", "8:19", "a slot (1 to 255), found '-0'"},
      {"device a pci slot=", "8:19", "a slot (1 to 255), found nothing"},
      {"device a amba slot=1", "8:15",
       "an attribute of a device that is not on pci, found 'slot='"},
      {"device a pci sid=1", "8:14", "an attribute of a device, found 'sid='"},
      {"device a amba sid=0", "8:19", "a stream id (1 to 255), found '0'"},
      {"device a pci alias=a", "8:20", "the name of another device, found 'a'"},
      {"device a pci alias=b\nregister dmar0", "8:20", "the name of a device, found 'b'"},
      {"device a pci alias=00:04.9", "8:20",
       "the name of a device, found '00:04.9'; did you mean 00:04.0?"},
      {"device a pci alias=uart", "8:20", "a device on pci, found 'uart'"},
      {"device emulated pci", "8:8",
       "a name for a device, 1 to 31 of A-Z a-z 0-9 _ . : + -, found 'emulated'"},
      {"device a pci emulated noiommu", "8:23", "no more than emulated, found 'noiommu'"},
      {"device a pci emulated dmar0", "8:23", "an attribute of a device, found 'dmar0'"},
      {"device a pci dmar0 emulated", "8:8",
       "a valid machine, found device 2: what has no IOMMU has instances, an alias, a slot, a "
       "stream id, a bridge, ACS or a region"},
      {"device a pci emulated\ndevice b pci alias=a", "9:20",
       "a device that is neither emulated nor noiommu, found 'a'"},
      {"device a pci default=any", "8:22", "identity or dma, found 'any'"},
      {"device a pci resv=1-2", "8:19", "a reserved region as FIRST-LAST:TYPE, found '1-2'"},
      {"device a pci resv=1:msi", "8:19", "pages as FIRST-LAST, found '1'"},
      {"device a pci resv=3-2:msi", "8:19", "the last page not before the first, found '3-2'"},
      {"device a pci resv=2-3:none", "8:23",
       "a type of region: direct, direct-relaxable, reserved, msi or sw-msi, found 'none'"},
      {"device a pci resv=0-0:msi resv=1-1:msi resv=2-2:msi", "8:45",
       "at most 2 reserved regions, found one more"},
  };
  ExpectMistakes(kMachine, last);
}

TEST(CaseText, SaysWhatIsWrongInTheRun) {
  const std::string group = "the number of a group (0 to 63)";
  const std::string container = "a container (c0 to c3)";
  const std::string forms =
      "attach:DEVICE:ERRNO[:COUNT|:all], alloc:N, probe:DEVICE:ERRNO, malloc:N, map:N:ERRNO, "
      "pin:N:ERRNO, attach-call:N:ERRNO or driver:DEVICE:ERRNO";
  const std::string of_set_iommu =
      "'type1v2', 'type1', 'nesting', 'noiommu', 'unknown', 'unprivileged', ";
  const std::string expectations = "violated, holds, outside, device or group";
  const std::vector<Mistake> last = {
      {"register", "8:9", "the name of an instance, found end of line"},
      {"register 00:04.0", "8:10", "the name of an instance, found '00:04.0'"},
      {"add dmar0", "8:5", "the name of a device, found 'dmar0'"},
      {"set-container 64 c0", "8:15", group + ", found '64'"},
      {"set-container 0x1 c0", "8:15", group + ", found '0x1'"},
      {"set-container -1 c0", "8:15", group + ", found '-1'"},
      {"set-container 0", "8:16", container + ", found end of line"},
      {"set-container 0 c4", "8:17", container + ", found 'c4'"},
      {"set-iommu c00", "8:11", container + ", found 'c00'"},
      {"set-iommu c0 c1", "8:14", of_set_iommu + "'fail=', '->' or end of line, found 'c1'"},
      {"set-iommu c0 type2", "8:14",
       of_set_iommu + "'fail=', '->' or end of line, found 'type2'; did you mean type1?"},
      {"unset-container 0 unprivileged", "8:19",
       "'fail=', '->' or end of line, found 'unprivileged'"},
      {"open 0 unprivileged unprivileged", "8:21", "each flag once, found 'unprivileged' again"},
      {"unmap c0 0+1 read", "8:14", "'vaddr', 'all', 'fail=', '->' or end of line, found 'read'"},
      {"map c0", "8:7", "pages as FIRST+COUNT, found end of line"},
      {"map c0 4 0", "8:8", "pages as FIRST+COUNT, found '4'"},
      {"map c0 64+1 0", "8:8", "a page (0 to 63), found '64'"},
      {"map c0 0+65 0", "8:10", "a count of pages (0 to 64), found '65'"},
      {"map c0 0+1", "8:11", "a page of user memory (0 to 63), found end of line"},
      {"map c0 0+1 64", "8:12", "a page of user memory (0 to 63), found '64'"},
      {"attach-pasid uart", "8:18", "the name of a device, found end of line"},
      {"pin uart 0+1 fail=pin:EIO", "8:23", "N:ERRNO, found 'EIO'"},
      {"pin uart 0+1 fail=pin:0:EIO", "8:23", "the number of a call (1 to 255), found '0'"},
      {"set-iommu c0 ->", "8:16", "ok or an errno such as -EBUSY, found end of line"},
      {"set-iommu c0 -> EBUSY", "8:17",
       "ok or an errno such as -EBUSY, found 'EBUSY'; did you mean -EBUSY?"},
      {"set-iommu c0 -> -EWHAT", "8:17", "ok or an errno such as -EBUSY, found '-EWHAT'"},
      {"set-iommu c0 -> ok fail=alloc:1", "8:20", "end of line, found 'fail=alloc:1'"},
      {"set-iommu c0 fail=alloc", "8:19", forms + ", found 'alloc'"},
      {"set-iommu c0 fail=", "8:19", forms + ", found nothing"},
      {"set-iommu c0 fail=atach:1", "8:19", forms + ", found 'atach'; did you mean attach?"},
      {"set-iommu c0 fail=alloc:0", "8:25", "the number of an allocation (1 to 255), found '0'"},
      {"set-iommu c0 fail=attach:uart", "8:26", "DEVICE:ERRNO, found 'uart'"},
      {"set-iommu c0 fail=attach:uart:EIO:255", "8:35", "a count (1 to 254), found '255'"},
      {"set-iommu c0 fail=attach:uart:EIOO", "8:31",
       "an errno from 1 to 255 such as EINVAL, found 'EIOO'; did you mean EIO?"},
      {"set-iommu c0 fail=probe:uart:EPROBE_DEFER", "8:30",
       "an errno from 1 to 255 such as EINVAL, found 'EPROBE_DEFER'"},
      {"set-iommu c0 fail=probe:uat:EIO", "8:25",
       "the name of a device, found 'uat'; did you mean uart?"},
      {"set-iommu c0 fail=alloc:1 fail=alloc:2 fail=alloc:3", "8:40",
       "at most 2 faults, found one more"},
      {"add uart\ndevice a pci", "9:1", "an op or 'expect', found 'device'"},
      {"expect\n", "8:7", expectations + ", found end of line"},
      {"expect hold x", "8:8", expectations + ", found 'hold'; did you mean holds?"},
      {"expect holds no-cross-driver-atach", "8:14",
       "the name of a property, found 'no-cross-driver-atach'; did you mean "
       "no-cross-driver-attach?"},
      {"add uart\nexpect violated no-cross-driver-reuse at 2", "9:42",
       "the number of an op (1 to 1), found '2'"},
      {"expect violated no-cross-driver-reuse on 1", "8:39", "'at', found 'on'"},
      {"expect outside type1.same_ops", "8:16", "the id of an assumption, found 'type1.same_ops'"},
      {"expect device uart intel", "8:20", "driver or domain, found 'intel'"},
      {"expect device uart driver inetl", "8:27",
       "the name of a driver, found 'inetl'; did you mean intel?"},
      {"expect group 0 share 1", "8:16",
       "shares, apart or domain, found 'share'; did you mean shares?"},
      {"expect group 0 shares 64", "8:23", group + ", found '64'"},
      {"expect group 0 domain none x", "8:28", "end of line, found 'x'"},
      {"expect holds no-cross-driver-reuse\nadd uart", "9:1", "'expect', found 'add'"},
  };
  ExpectMistakes(kMachine, last);
}

TEST(CaseText, RefusesMoreThanTheModelHolds) {
  const auto many = [](int count, const std::string& before, const std::string& after) {
    std::string text = "kernel v6.0\n";
    for (int i = 0; i < count; ++i) text += before + std::to_string(i) + after + "\n";
    return text;
  };
  EXPECT_TRUE(ParseCase(many(kMaxDevices, "device d", " pci"), "f").ok());
  EXPECT_EQ(ErrorOf(ParseCase(many(kMaxDevices + 1, "device d", " pci"), "f")),
            "f:66:8: expected at most 64 devices, found one more");
  EXPECT_EQ(ErrorOf(ParseCase(many(kMaxDrivers + 1, "driver d", ""), "f")),
            "f:10:8: expected at most 8 drivers, found one more");
  EXPECT_EQ(ErrorOf(ParseCase(many(kMaxTables + 1, "table t", ""), "f")),
            "f:18:7: expected at most 16 tables, found one more");
  EXPECT_EQ(ErrorOf(ParseCase(many(kMaxTables, "table t", "") + "driver d\n", "f")),
            "f:18:8: expected at most 16 tables, found one more");
  std::string ops = "kernel v6.0\n";
  for (int i = 0; i < kMaxCaseOps; ++i) ops += "set-iommu c0\n";
  EXPECT_TRUE(ParseCase(ops, "f").ok());
  EXPECT_EQ(ErrorOf(ParseCase(ops + "set-iommu c0", "f")),
            "f:4098:1: expected at most 4096 ops, found one more");
}

TEST(CaseJson, SaysWhatIsWrong) {
  const auto with = [](const std::string& rest) {
    return R"({"kernel": {"version": "v6.0"}, )" + rest + "}";
  };
  std::string ops;
  for (const OpInfo& op : AllOps()) ops += (ops.empty() ? "" : ", ") + std::string(op.word);
  for (const auto& [text, place, expected] : std::vector<Mistake>{
           {"", "1:1", "JSON, found end of file"},
           {"{\n  \"kernel\": }", "2:13", "JSON, found '}'"},
           {"{\"kernel\": 1e999}", "1:16", "JSON, found '9'"},
           {"{\"kernel\": \"\xff\"}", "1:13", "JSON, found '\\xff'"},
           {"[]", " /", "an object, found an array"},
           {"{}", " /", "an object with the key 'kernel', found none"},
           {"[[[[[[[[[]]]]]]]]]", " /0/0/0/0/0/0/0/0", "at most 8 levels, found one more"},
           {R"({"kernel": {"version": "v6.0", "version": "v6.1"}})", " /kernel",
            "each key once, found 'version' again"},
           {R"({"kernel": {"version": "6.0"}})", " /kernel/version",
            Versions() + ", found '6.0'; did you mean v6.0?"},
           {R"({"kernel": {"version": 6.5}})", " /kernel/version", "a string, found 6.5"},
           {R"({"kernel": {"version": "v6.0", "drop": ["add"]}})", " /kernel/drop/0",
            "the id of a rule, found 'add'"},
           {R"({"kernel": {"version": "v6.0", "drops": []}})", " /kernel",
            "only the keys version, drop, add, found 'drops'; did you mean drop?"}})
    EXPECT_EQ(ErrorOf(CaseFromJson(text, "f")), "f:" + place + ": expected " + expected);
  for (const auto& [rest, place, expected] : std::vector<Mistake>{
           {R"("comment": "a\u0000")", "/comment",
            "UTF-8 without control characters, found 'a\\x00'"},
           {R"("firmware": "any")", "/firmware", "acpi or dt, found 'any'"},
           {R"("devices": {})", "/devices", "an array, found an object"},
           {R"("devices": [{"name": "a"}])", "/devices/0",
            "an object with the key 'bus', found none"},
           {R"("devices": [{"name": "a b", "bus": "pci"}])", "/devices/0/name",
            "a name of A-Z a-z 0-9 _ . : + -, found 'a b'"},
           {R"("devices": [{"name": "a", "bus": "pci", "instances": ["absent"]}])",
            "/devices/0/instances/0", "a name of A-Z a-z 0-9 _ . : + -, found 'absent'"},
           {R"("devices": [{"name": "a", "bus": "pci", "absent": 1}])", "/devices/0/absent",
            "true or false, found 1"},
           {R"("devices": [{"name": "a", "bus": "pci", "slot": -1}])", "/devices/0/slot",
            "a number, found -1"},
           {R"("devices": [{"name": "a", "bus": "pci", "slot": 18446744073709551615}])",
            "/devices/0/slot", "a slot (1 to 255), found '18446744073709551615'"},
           {R"("devices": [{"name": "a", "bus": "pci", "sid": 1}])", "/devices/0/sid",
            "an attribute of a device, found 'sid='"},
           {R"("devices": [{"name": "a", "bus": "cdx", "sid": 256}])", "/devices/0/sid",
            "a stream id (1 to 255), found '256'"},
           {R"("devices": [{"name": "a", "bus": "pci"}, {"name": "a", "bus": "pci"}])",
            "/devices/1/name", "a name that no other device has, found 'a'"},
           {R"("drivers": [{"name": "a", "claims": [{"bus": "pci", "claim": "steal"}]}])",
            "/drivers/0/claims", "a claim: strict, own-ok, skip, ignore or store, found 'steal'"},
           {R"("drivers": [{"name": "a", "address": "b"}])", "/drivers/0/address",
            "the name of a driver, found 'b'"},
           {R"("ops": [{"op": "expect"}])", "/ops/0/op", "one of " + ops + ", found 'expect'"},
           {R"("settings": {"memlock": "all"})", "/settings/memlock", "a number, found 'all'"},
           {R"("devices": [{"name": "a", "bus": "pci", "instances": ["emulated"]}])",
            "/devices/0/instances/0", "a name of A-Z a-z 0-9 _ . : + -, found 'emulated'"},
           {R"("devices": [{"name": "a", "bus": "pci", "resv": [{"first": 0, "type": "msi"}]}])",
            "/devices/0/resv/0", "an object with the key 'last', found none"},
           {R"("devices": [{"name": "a", "bus": "pci", "resv": [{"first": 0, "last": "1:msi",
               "type": "msi"}]}])",
            "/devices/0/resv/0/last", "a number, found '1:msi'"},
           {R"("drivers": [{"name": "a"}], "instances": [{"name": "i", "driver": "a",
               "page-sizes": []}])",
            "/instances/0/page-sizes", "a page size (1 to 64), found nothing"},
           {R"("ops": [{"op": "set-iommu", "container": "c0", "type": "unprivileged"}])",
            "/ops/0/type",
            "one of type1v2, type1, nesting, noiommu, unknown, found 'unprivileged'"},
           {R"("ops": [{"op": "unmap", "container": "c0", "iova": 1, "count": 2,
               "flags": ["fail=alloc:1"]}])",
            "/ops/0/flags/0", "one of vaddr, all, found 'fail=alloc:1'"},
           {R"("ops": [{"op": "unmap", "container": "c0", "iova": 1, "count": -2}])",
            "/ops/0/count", "a number, found -2"},
           {R"("ops": [{"op": "unmap", "container": "c0", "iova": 1, "count": 65}])", "/ops/0/iova",
            "a count of pages (0 to 64), found '65'"},
           {R"("ops": [{"op": "set-iommu", "container": "c0",
               "faults": [{"fail": "map", "nth": 1}]}])",
            "/ops/0/faults/0", "an object with the key 'errno', found none"},
           {R"("ops": [{"op": "set-iommu", "group": 1, "container": "c0"}])", "/ops/0",
            "only the keys comment, op, container, type, flags, faults, result, found 'group'"},
           {R"("ops": [{"op": "set-iommu", "container": "c0", "result": "EIO"}])", "/ops/0/result",
            "ok or an errno such as -EBUSY, found 'EIO'; did you mean -EIO?"},
           {R"("ops": [{"op": "set-iommu", "container": "c0", "faults": [{"fail": "attach",
               "device": "a", "errno": "EIO:2"}]}])",
            "/ops/0/faults/0/errno", "an errno such as EINVAL, found 'EIO:2'; did you mean EIO?"},
           {R"("ops": [{"op": "set-iommu", "container": "c0", "faults": [{"fail": "alloc",
               "nth": 0}]}])",
            "/ops/0/faults/0", "the number of an allocation (1 to 255), found '0'"},
           {R"("expectations": [{"expect": "shares", "group": 0}])", "/expectations/0",
            "an object with the key 'with', found none"},
           {R"("expectations": [{"group": 0}])", "/expectations/0",
            "an object with the key 'expect', found none"}})
    EXPECT_EQ(ErrorOf(CaseFromJson(with(rest), "f")), "f: " + place + ": expected " + expected);
  const std::string large(4 * kMaxCaseBytes + 1, ' ');
  EXPECT_EQ(ErrorOf(CaseFromJson(large, "f")),
            "f:1:1: expected at most 4194304 bytes, found 4194305");
  EXPECT_EQ(
      ErrorOf(CaseFromJson(with("\"comment\": \"" + std::string(kMaxCaseBytes, 'x') + '"'), "f")),
      "f: /: expected at most 1048576 bytes as text, found 1048591");
}

TEST(CaseJson, RoundTrips) {
  ExpectRoundTrips(Parsed(kExample));
  ExpectRoundTrips(Parsed(kWhole));
  ExpectRoundTrips(Parsed("kernel v5.15"));
}

TEST(CaseJson, CommentsAreTrimmedAsInText) {
  const auto parsed =
      CaseFromJson(
          "{\"comment\": \"a \\r\\n\\n  \xc3\xa4\\t\", \"kernel\": {\"version\": \"v6.1\"}}", "f")
          .value();
  EXPECT_EQ(parsed.comment, "a\n\n  \xc3\xa4");
  ExpectRoundTrips(parsed);
}

TEST(CaseTables, PrivateOnesComeLastInTheOrderOfDrivers) {
  Topology t;
  t.drivers_count = 3;
  t.tables_count = 4;
  t.drivers[0].table = 2;
  t.drivers[1].table = 0;
  t.drivers[2].table = 3;
  EXPECT_EQ(DefaultNames(t).tables,
            (std::vector<std::string>{"table0", "table1", "drvA.ops", "drvC.ops"}));
  // An instance of another driver shares it: it is not private any more.
  t.instances_count = 1;
  t.instances[0] = {.driver = 1, .table = 3};
  EXPECT_EQ(DefaultNames(t).tables,
            (std::vector<std::string>{"table0", "table1", "table2", "table3"}));
  Case c;
  c.topology = t;
  c.names = DefaultNames(t);
  ExpectRoundTrips(c);
}

TEST(CaseTables, OwnNameOutOfPlaceIsDeclared) {
  const std::string text =
      "kernel v6.0\ntable a.ops\ntable b\ndriver a table=a.ops\ndriver b table=b\n";
  EXPECT_EQ(PrintCase(Parsed(text)), text);
  // Without the statement the table would get the same place, so none is needed.
  EXPECT_EQ(PrintCase(Parsed("kernel v6.0\ntable a.ops\ndriver a table=a.ops\n")),
            "kernel v6.0\ndriver a\n");
}

TEST(CaseRandom, NormalizeLeavesParsedCasesAlone) {
  Case c = Parsed(kExample);
  Normalize(c);
  EXPECT_TRUE(c == Parsed(kExample));
}

// Replaces, removes, doubles or swaps a few bytes.
std::string Mutate(std::string text, std::mt19937& random) {
  const auto at = [&] { return random() % text.size(); };
  for (auto n = 1 + random() % 3; n > 0 && !text.empty(); --n) {
    const size_t i = at();
    switch (random() % 4) {
      case 0:
        text[i] = static_cast<char>(random());
        break;
      case 1:
        text.erase(i, 1 + random() % 8);
        break;
      case 2:
        text.insert(at(), text.substr(i, 1 + random() % 20));
        break;
      default:
        std::swap(text[i], text[at()]);
    }
  }
  return text;
}

TEST(CaseRandom, AnyBytesAreACaseOrAnError) {
  std::mt19937 random(1);
  for (const std::string_view text : {kExample, kWhole}) {
    const std::string json = CaseToJson(Parsed(text));
    for (int i = 0; i < 3000; ++i) {
      const auto from_text = ParseCase(Mutate(std::string(text), random), "t");
      if (from_text.ok()) ExpectRoundTrips(*from_text);
      const auto from_json = CaseFromJson(Mutate(json, random), "j");
      if (from_json.ok()) ExpectRoundTrips(*from_json);
      if (HasFailure()) return;
    }
  }
}

TEST(CaseErrno, NamesGoBothWays) {
  EXPECT_EQ(ErrnoName(0), "ok");
  EXPECT_EQ(ErrnoName(-16), "-EBUSY");
  EXPECT_EQ(ErrnoName(-517), "-EPROBE_DEFER");
  EXPECT_EQ(ErrnoName(-1000), "-errno 1000");
  EXPECT_EQ(ErrnoName(-2147483647 - 1), "-errno 2147483648");
  for (int error = 0; error <= 600; ++error) {
    const std::string name = ErrnoName(-error);
    const bool known = !name.starts_with("-errno");
    EXPECT_EQ(FindErrno(name), known ? std::optional(-error) : std::nullopt) << name;
  }
  EXPECT_EQ(FindErrno("EBUSY"), std::nullopt);
  EXPECT_EQ(FindErrno("-"), std::nullopt);
  EXPECT_EQ(FindErrno(""), std::nullopt);
}

TEST(CaseOps, PrintWithoutTheExpectation) {
  const Case c = Parsed(kExample);
  EXPECT_EQ(PrintOp(c.ops[0].op, c.names), "register dmar0");
  EXPECT_EQ(PrintOp(c.ops[2].op, c.names),
            "set-iommu c3 fail=attach:00:04.0:EINVAL:2 fail=alloc:1");
}

TEST(Spelling, ShowsWhatIsNotPrintable) {
  EXPECT_EQ(Printable("plain ~"), "plain ~");
  EXPECT_EQ(Printable("\x1b[31m\xff\n\t\x7f"), "\\x1b[31m\\xff\\x0a\\x09\\x7f");
  EXPECT_EQ(Printable(std::string_view("\0", 1)), "\\x00");
}

}  // namespace
}  // namespace iommucheck
