// SPDX-License-Identifier: Apache-2.0
#include "src/case/case.h"

#include <algorithm>
#include <random>

#include "gtest/gtest.h"
#include "src/case/spelling.h"

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

Case MustParse(std::string_view text) {
  auto parsed = ParseCase(text, "t");
  EXPECT_TRUE(parsed.ok()) << parsed.status() << "\n" << text;
  return parsed.ok() ? *std::move(parsed) : Case();
}

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

TEST(CaseText, CanonicalTextPrintsAsItIs) { EXPECT_EQ(PrintCase(MustParse(kExample)), kExample); }

TEST(CaseText, TheWholeModelPrintsAsItIs) { EXPECT_EQ(PrintCase(MustParse(kWhole)), kWhole); }

TEST(CaseText, ReadsTheWholeModel) {
  const Case c = MustParse(kWhole);
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
  const Case c = MustParse(
      "kernel v6.0\nsettings dma-entries=8\ndriver d\n"
      "instance i d page-sizes=1 aperture=0-63\nset-iommu c0 type1v2\n");
  EXPECT_EQ(PrintCase(c), "kernel v6.0\ndriver d\ninstance i d\n\nset-iommu c0\n");
  EXPECT_EQ(PrintCase(MustParse("kernel v6.0\nsettings\n")), "kernel v6.0\n");
}

TEST(CaseText, ReadsTheExample) {
  const Case c = MustParse(kExample);
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
  const Case c = MustParse(
      "\n  # top \t\r\n\n#more\n\tkernel v7.1 add core.owner_every drop core.owner_first # x\r\n"
      "driver d no-default-domain claims=cdx:own-ok clears\n\n\n"
      "# dropped\n\ninstance i d#y\n# kept\nregister i -> ok # dropped\n# dropped");
  EXPECT_EQ(PrintCase(c),
            "# top\n# more\nkernel v7.1 drop core.owner_first add core.owner_every\n"
            "driver d claims=cdx:own-ok clears no-default-domain\ninstance i d\n\n"
            "# kept\nregister i -> ok\n");
}

TEST(CaseText, FaultsAreReadFromTheRight) {
  const Case c = MustParse(
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
  std::string error;
};

// A machine for testing mistakes; the faulty statement is on line 8.
std::string After(std::string_view statement) {
  return "kernel v6.0\ntable shared\ndriver intel\ndriver amd\ninstance dmar0 intel\n"
         "device 00:04.0 pci dmar0\ndevice uart platform\n" +
         std::string(statement);
}

TEST(CaseText, SaysWhatIsWrongInTheKernel) {
  const std::string versions = Versions();
  const std::vector<Mistake> mistakes = {
      {"", "f:1:1: expected 'kernel', found end of file"},
      {"# only\n", "f:2:1: expected 'kernel', found end of file"},
      {"device a pci", "f:1:1: expected 'kernel', found 'device'"},
      {"kernal v6.0", "f:1:1: expected 'kernel', found 'kernal'; did you mean kernel?"},
      {"kernel", "f:1:7: expected " + versions + ", found end of line"},
      {"kernel  # v6.0", "f:1:7: expected " + versions + ", found end of line"},
      {"kernel 6.0", "f:1:8: expected " + versions + ", found '6.0'; did you mean v6.0?"},
      {"kernel v6.2", "f:1:8: expected " + versions + ", found 'v6.2'"},
      {"kernel v6.0 dorp bus.one_ops",
       "f:1:13: expected 'drop', 'add' or end of line, found 'dorp'; did you mean drop?"},
      {"kernel v6.0 drop", "f:1:17: expected the id of a rule, found end of line"},
      {"kernel v6.0 drop add", "f:1:18: expected the id of a rule, found 'add'"},
      {"kernel v6.0 drop type1.same_op",
       "f:1:18: expected the id of a rule, found 'type1.same_op'; did you mean type1.same_ops?"},
      {"kernel v6.0 drop bus.one_ops same_ops",
       "f:1:30: expected the id of a rule, found 'same_ops'; did you mean type1.same_ops?"},
      {"kernel v6.1 drop bus.one_ops",
       "f:1:18: expected a rule that v6.1 has, found 'bus.one_ops'"},
      {"kernel v6.0 add bus.one_ops",
       "f:1:17: expected a rule that v6.0 has not, found 'bus.one_ops'"},
      {"kernel v6.0 drop bus.one_ops bus.one_ops",
       "f:1:30: expected each rule once, found 'bus.one_ops' again"},
      {"kernel v6.0\nkernel v6.0",
       "f:2:1: expected 'firmware', 'settings', 'table', 'driver', 'instance', 'device', an op or "
       "'expect', found 'kernel'"},
      {"kernel v6.0\nfirmware", "f:2:9: expected acpi or dt, found end of line"},
      {"kernel v6.0\nfirmware any", "f:2:10: expected acpi or dt, found 'any'"},
      {"kernel v6.0\nfirmware dt acpi", "f:2:13: expected end of line, found 'acpi'"},
      {"kernel v6.0\nfirmware dt\nfirmware dt",
       "f:3:1: expected 'settings', 'table', 'driver', 'instance', 'device', an op or 'expect', "
       "found 'firmware'"},
      {"kernel v6.0\nsettings\nfirmware dt",
       "f:3:1: expected 'table', 'driver', 'instance', 'device', an op or 'expect', found "
       "'firmware'"},
      {"kernel v6.0\nsettings memlock",
       "f:2:10: expected an attribute of settings, found 'memlock'; did you mean memlock=?"},
      {"kernel v6.0\nsettings memlock=255",
       "f:2:18: expected a number of pages (0 to 254), found '255'"},
      {"kernel v6.0\nsettings dma-entries=9",
       "f:2:22: expected a number of mappings (0 to 8), found '9'"},
      {"kernel v6.0\nsettings passthrough passthrough",
       "f:2:22: expected each attribute once, found 'passthrough' again"},
      {std::string("kernel v6.0\n\0", 13), "f:2:1: expected printable ASCII, found byte 0x00"},
      {"kernel v6.0\n \xc3\xa4", "f:2:2: expected printable ASCII, found byte 0xc3"},
      {"# \xc3\xa4 \xff\nkernel v6.0",
       "f:1:6: expected UTF-8 without control characters, found byte 0xff"},
      {std::string("kernel v6.0 # \0.", 16),
       "f:1:15: expected UTF-8 without control characters, found byte 0x00"},
      {"# \xed\xa0\x80", "f:1:3: expected UTF-8 without control characters, found byte 0xed"},
      {"# \xc3", "f:1:3: expected UTF-8 without control characters, found byte 0xc3"},
      {std::string(kMaxCaseBytes + 1, '\n'),
       "f:1:1: expected at most 1048576 bytes, found 1048577"},
  };
  for (const Mistake& m : mistakes) EXPECT_EQ(ErrorOf(ParseCase(m.text, "f")), m.error);
}

TEST(CaseText, SaysWhatIsWrongInTheMachine) {
  const std::string buses = "a bus: platform, pci, amba, fsl-mc, host1x or cdx";
  const std::string claims = "a claim: strict, own-ok, skip, ignore or store";
  const std::string after_devices = "expected 'device', an op or 'expect', found ";
  const std::vector<Mistake> mistakes = {
      {After("driver x"), "f:8:1: " + after_devices + "'driver'"},
      {After("regsiter dmar0"), "f:8:1: " + after_devices + "'regsiter'; did you mean register?"},
      {After("device"), "f:8:7: expected a name for a device, found end of line"},
      {After("device a/b pci"),
       "f:8:8: expected a name for a device, 1 to 31 of A-Z a-z 0-9 _ . : + -, found 'a/b'"},
      {After("device none pci"),
       "f:8:8: expected a name for a device, 1 to 31 of A-Z a-z 0-9 _ . : + -, found 'none'"},
      {After("device " + std::string(32, 'x') + " pci"),
       "f:8:8: expected a name for a device, 1 to 31 of A-Z a-z 0-9 _ . : + -, found "
       "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'"},
      {After("device uart pci"), "f:8:8: expected a name that no other device has, found 'uart'"},
      {After("device a"), "f:8:9: expected " + buses + ", found end of line"},
      {After("device a pcie"), "f:8:10: expected " + buses + ", found 'pcie'; did you mean pci?"},
      {After("device a pci dmra0"),
       "f:8:14: expected the name of an instance or an attribute of a device, found 'dmra0'; did "
       "you mean dmar0?"},
      {After("device a pci absnt"),
       "f:8:14: expected the name of an instance or an attribute of a device, found 'absnt'; did "
       "you mean absent?"},
      {After("device a pci dmar0 dmar0"),
       "f:8:20: expected each instance once, found 'dmar0' again"},
      {After("device a pci absent dmar0"),
       "f:8:21: expected an attribute of a device, found 'dmar0'"},
      {After("device a pci absent absent"),
       "f:8:21: expected each attribute once, found 'absent' again"},
      {After("device a pci absent=1"),
       "f:8:14: expected an attribute of a device, found 'absent='; did you mean absent?"},
      {After("device a pci slot=0"), "f:8:19: expected a slot (1 to 255), found '0'"},
      {After("device a pci slot=99999999999"),
       "f:8:19: expected a slot (1 to 255), found '99999999999'"},
      {After("device a pci slot=-0"), "f:8:19: expected a slot (1 to 255), found '-0'"},
      {After("device a pci slot="), "f:8:19: expected a slot (1 to 255), found nothing"},
      {After("device a amba slot=1"),
       "f:8:15: expected an attribute of a device that is not on pci, found 'slot='"},
      {After("device a pci sid=1"), "f:8:14: expected an attribute of a device, found 'sid='"},
      {After("device a amba sid=0"), "f:8:19: expected a stream id (1 to 255), found '0'"},
      {After("device a pci alias=a"), "f:8:20: expected the name of another device, found 'a'"},
      {After("device a pci alias=b\nregister dmar0"),
       "f:8:20: expected the name of a device, found 'b'"},
      {After("device a pci alias=00:04.9"),
       "f:8:20: expected the name of a device, found '00:04.9'; did you mean 00:04.0?"},
      {After("device a pci alias=uart"), "f:8:20: expected a device on pci, found 'uart'"},
      {"kernel v6.0\ntable", "f:2:6: expected a name for a table, found end of line"},
      {"kernel v6.0\ntable a\ntable a",
       "f:3:7: expected a name that no other table has, found 'a'"},
      {"kernel v6.0\ntable a.ops\ndriver a",
       "f:3:8: expected a driver whose own table's name is free, found 'table a.ops' above"},
      {"kernel v6.0\ndriver a table=b", "f:2:16: expected the name of a table, found 'b'"},
      {"kernel v6.0\ndriver a clear",
       "f:2:10: expected an attribute of a driver, found 'clear'; did you mean clears?"},
      {"kernel v6.0\ndriver a firmware=any", "f:2:19: expected acpi or dt, found 'any'"},
      {"kernel v6.0\ndriver a claims=", "f:2:17: expected " + buses + ", found nothing"},
      {"kernel v6.0\ndriver a claims=pci", "f:2:17: expected BUS:CLAIM, found 'pci'"},
      {"kernel v6.0\ndriver a claims=pci:none", "f:2:21: expected " + claims + ", found 'none'"},
      {"kernel v6.0\ndriver a claims=pci:strict,amba:own",
       "f:2:33: expected " + claims + ", found 'own'"},
      {"kernel v6.0\ndriver a claims=pci:strict,pci:skip",
       "f:2:28: expected each bus once, found 'pci' again"},
      {"kernel v6.0\ndriver a claims=pci:strict,", "f:2:28: expected " + buses + ", found nothing"},
      {"kernel v6.0\ndriver a address=a", "f:2:18: expected the name of another driver, found 'a'"},
      {"kernel v6.0\ndriver a address=b\ninstance i a",
       "f:2:18: expected the name of a driver, found 'b'"},
      {"kernel v6.0\ndriver a address=b\ndriver b address=a",
       "f:2:18: expected a driver that has no address= itself, found 'b'"},
      {"kernel v6.0\ndriver a\ninstance i",
       "f:3:11: expected the name of a driver, found end of line"},
      {"kernel v6.0\ndriver a\ninstance i b", "f:3:12: expected the name of a driver, found 'b'"},
      {"kernel v6.0\ndriver a\ninstance i a fwnod",
       "f:3:14: expected an attribute of an instance, found 'fwnod'; did you mean fwnode?"},
      {"kernel v6.0\ndriver a mismatch-errno=ok",
       "f:2:25: expected an errno from 1 to 255 such as EINVAL, found 'ok'"},
      {"kernel v6.0\ndriver a\ninstance i a aperture=1",
       "f:3:23: expected pages as FIRST-LAST, found '1'"},
      {"kernel v6.0\ndriver a\ninstance i a aperture=1-64",
       "f:3:25: expected a page (0 to 63), found '64'"},
      {"kernel v6.0\ndriver a\ninstance i a aperture=2-1",
       "f:3:23: expected the last page not before the first, found '2-1'"},
      {"kernel v6.0\ndriver a\ninstance i a page-sizes=",
       "f:3:25: expected a page size (1 to 64), found nothing"},
      {"kernel v6.0\ndriver a\ninstance i a page-sizes=1,3",
       "f:3:27: expected a power of two, found '3'"},
      {"kernel v6.0\ndriver a\ninstance i a page-sizes=2,128",
       "f:3:27: expected a page size (1 to 64), found '128'"},
      {"kernel v6.0\ndriver a\ninstance i a page-sizes=2,2",
       "f:3:27: expected each page size once, found '2' again"},
      {After("device emulated pci"),
       "f:8:8: expected a name for a device, 1 to 31 of A-Z a-z 0-9 _ . : + -, found 'emulated'"},
      {After("device a pci emulated noiommu"),
       "f:8:23: expected no more than emulated, found 'noiommu'"},
      {After("device a pci emulated dmar0"),
       "f:8:23: expected an attribute of a device, found 'dmar0'"},
      {After("device a pci dmar0 emulated"),
       "f:8:8: expected a valid machine, found device 2: what has no IOMMU has instances, an "
       "alias, "
       "a slot, a stream id or a region"},
      {After("device a pci emulated\ndevice b pci alias=a"),
       "f:9:20: expected a device that is neither emulated nor noiommu, found 'a'"},
      {After("device a pci default=any"), "f:8:22: expected identity or dma, found 'any'"},
      {After("device a pci resv=1-2"),
       "f:8:19: expected a reserved region as FIRST-LAST:TYPE, found '1-2'"},
      {After("device a pci resv=1:msi"), "f:8:19: expected pages as FIRST-LAST, found '1'"},
      {After("device a pci resv=3-2:msi"),
       "f:8:19: expected the last page not before the first, found '3-2'"},
      {After("device a pci resv=2-3:none"),
       "f:8:23: expected a type of region: direct, direct-relaxable, reserved, msi or sw-msi, "
       "found 'none'"},
      {After("device a pci resv=0-0:msi resv=1-1:msi resv=2-2:msi"),
       "f:8:45: expected at most 2 reserved regions, found one more"},
      {"kernel v6.0\ndriver a\ninstance i a table=a.ops.",
       "f:3:20: expected the name of a table, found 'a.ops.'; did you mean a.ops?"},
  };
  for (const Mistake& m : mistakes) EXPECT_EQ(ErrorOf(ParseCase(m.text, "f")), m.error);
}

TEST(CaseText, SaysWhatIsWrongInTheRun) {
  const std::string group = "the number of a group (0 to 63)";
  const std::string container = "a container (c0 to c3)";
  const std::string forms =
      "attach:DEVICE:ERRNO[:COUNT|:all], alloc:N, probe:DEVICE:ERRNO, malloc:N, map:N:ERRNO, "
      "pin:N:ERRNO or attach-call:N:ERRNO";
  const std::string of_set_iommu =
      "'type1v2', 'type1', 'nesting', 'noiommu', 'unknown', 'unprivileged', ";
  const std::string expectations = "violated, holds, outside, device or group";
  const std::vector<Mistake> mistakes = {
      {After("register"), "f:8:9: expected the name of an instance, found end of line"},
      {After("register 00:04.0"), "f:8:10: expected the name of an instance, found '00:04.0'"},
      {After("add dmar0"), "f:8:5: expected the name of a device, found 'dmar0'"},
      {After("set-container 64 c0"), "f:8:15: expected " + group + ", found '64'"},
      {After("set-container 0x1 c0"), "f:8:15: expected " + group + ", found '0x1'"},
      {After("set-container -1 c0"), "f:8:15: expected " + group + ", found '-1'"},
      {After("set-container 0"), "f:8:16: expected " + container + ", found end of line"},
      {After("set-container 0 c4"), "f:8:17: expected " + container + ", found 'c4'"},
      {After("set-iommu c00"), "f:8:11: expected " + container + ", found 'c00'"},
      {After("set-iommu c0 c1"),
       "f:8:14: expected " + of_set_iommu + "'fail=', '->' or end of line, found 'c1'"},
      {After("set-iommu c0 type2"), "f:8:14: expected " + of_set_iommu +
                                        "'fail=', '->' or end of line, found 'type2'; did you "
                                        "mean type1?"},
      {After("unset-container 0 unprivileged"),
       "f:8:19: expected 'fail=', '->' or end of line, found 'unprivileged'"},
      {After("open 0 unprivileged unprivileged"),
       "f:8:21: expected each flag once, found 'unprivileged' again"},
      {After("unmap c0 0+1 read"),
       "f:8:14: expected 'vaddr', 'all', 'fail=', '->' or end of line, found 'read'"},
      {After("map c0"), "f:8:7: expected pages as FIRST+COUNT, found end of line"},
      {After("map c0 4 0"), "f:8:8: expected pages as FIRST+COUNT, found '4'"},
      {After("map c0 64+1 0"), "f:8:8: expected a page (0 to 63), found '64'"},
      {After("map c0 0+65 0"), "f:8:10: expected a count of pages (0 to 64), found '65'"},
      {After("map c0 0+1"), "f:8:11: expected a page of user memory (0 to 63), found end of line"},
      {After("map c0 0+1 64"), "f:8:12: expected a page of user memory (0 to 63), found '64'"},
      {After("attach-pasid uart"), "f:8:18: expected the name of a device, found end of line"},
      {After("pin uart 0+1 fail=pin:EIO"), "f:8:23: expected N:ERRNO, found 'EIO'"},
      {After("pin uart 0+1 fail=pin:0:EIO"),
       "f:8:23: expected the number of a call (1 to 255), found '0'"},
      {After("set-iommu c0 ->"),
       "f:8:16: expected ok or an errno such as -EBUSY, found end of line"},
      {After("set-iommu c0 -> EBUSY"),
       "f:8:17: expected ok or an errno such as -EBUSY, found 'EBUSY'; did you mean -EBUSY?"},
      {After("set-iommu c0 -> -EWHAT"),
       "f:8:17: expected ok or an errno such as -EBUSY, found '-EWHAT'"},
      {After("set-iommu c0 -> ok fail=alloc:1"),
       "f:8:20: expected end of line, found 'fail=alloc:1'"},
      {After("set-iommu c0 fail=alloc"), "f:8:19: expected " + forms + ", found 'alloc'"},
      {After("set-iommu c0 fail="), "f:8:19: expected " + forms + ", found nothing"},
      {After("set-iommu c0 fail=atach:1"),
       "f:8:19: expected " + forms + ", found 'atach'; did you mean attach?"},
      {After("set-iommu c0 fail=alloc:0"),
       "f:8:25: expected the number of an allocation (1 to 255), found '0'"},
      {After("set-iommu c0 fail=attach:uart"), "f:8:26: expected DEVICE:ERRNO, found 'uart'"},
      {After("set-iommu c0 fail=attach:uart:EIO:255"),
       "f:8:35: expected a count (1 to 254), found '255'"},
      {After("set-iommu c0 fail=attach:uart:EIOO"),
       "f:8:31: expected an errno from 1 to 255 such as EINVAL, found 'EIOO'; did you mean EIO?"},
      {After("set-iommu c0 fail=probe:uart:EPROBE_DEFER"),
       "f:8:30: expected an errno from 1 to 255 such as EINVAL, found 'EPROBE_DEFER'"},
      {After("set-iommu c0 fail=probe:uat:EIO"),
       "f:8:25: expected the name of a device, found 'uat'; did you mean uart?"},
      {After("set-iommu c0 fail=alloc:1 fail=alloc:2 fail=alloc:3"),
       "f:8:40: expected at most 2 faults, found one more"},
      {After("add uart\ndevice a pci"), "f:9:1: expected an op or 'expect', found 'device'"},
      {After("expect\n"), "f:8:7: expected " + expectations + ", found end of line"},
      {After("expect hold x"),
       "f:8:8: expected " + expectations + ", found 'hold'; did you mean holds?"},
      {After("expect holds no-cross-driver-atach"),
       "f:8:14: expected the name of a property, found 'no-cross-driver-atach'; did you mean "
       "no-cross-driver-attach?"},
      {After("add uart\nexpect violated no-cross-driver-reuse at 2"),
       "f:9:42: expected the number of an op (1 to 1), found '2'"},
      {After("expect violated no-cross-driver-reuse on 1"), "f:8:39: expected 'at', found 'on'"},
      {After("expect outside type1.same_ops"),
       "f:8:16: expected the id of an assumption, found 'type1.same_ops'"},
      {After("expect device uart intel"), "f:8:20: expected driver or domain, found 'intel'"},
      {After("expect device uart driver inetl"),
       "f:8:27: expected the name of a driver, found 'inetl'; did you mean intel?"},
      {After("expect group 0 share 1"),
       "f:8:16: expected shares, apart or domain, found 'share'; did you mean shares?"},
      {After("expect group 0 shares 64"), "f:8:23: expected " + group + ", found '64'"},
      {After("expect group 0 domain none x"), "f:8:28: expected end of line, found 'x'"},
      {After("expect holds no-cross-driver-reuse\nadd uart"),
       "f:9:1: expected 'expect', found 'add'"},
  };
  for (const Mistake& m : mistakes) EXPECT_EQ(ErrorOf(ParseCase(m.text, "f")), m.error);
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
  const std::vector<Mistake> mistakes = {
      {"", "f:1:1: expected JSON, found end of file"},
      {"{\n  \"kernel\": }", "f:2:13: expected JSON, found '}'"},
      {"{\"kernel\": 1e999}", "f:1:16: expected JSON, found '9'"},
      {"{\"kernel\": \"\xff\"}", "f:1:13: expected JSON, found '\\xff'"},
      {"[]", "f: /: expected an object, found an array"},
      {"{}", "f: /: expected an object with the key 'kernel', found none"},
      {"[[[[[[[[[]]]]]]]]]", "f: /0/0/0/0/0/0/0/0: expected at most 8 levels, found one more"},
      {R"({"kernel": {"version": "v6.0", "version": "v6.1"}})",
       "f: /kernel: expected each key once, found 'version' again"},
      {R"({"kernel": {"version": "6.0"}})",
       "f: /kernel/version: expected " + Versions() + ", found '6.0'; did you mean v6.0?"},
      {R"({"kernel": {"version": 6.5}})", "f: /kernel/version: expected a string, found 6.5"},
      {R"({"kernel": {"version": "v6.0", "drop": ["add"]}})",
       "f: /kernel/drop/0: expected the id of a rule, found 'add'"},
      {R"({"kernel": {"version": "v6.0", "drops": []}})",
       "f: /kernel: expected only the keys version, drop, add, found 'drops'; did you mean drop?"},
      {with(R"("comment": "a\u0000")"),
       "f: /comment: expected UTF-8 without control characters, found 'a\\x00'"},
      {with(R"("firmware": "any")"), "f: /firmware: expected acpi or dt, found 'any'"},
      {with(R"("devices": {})"), "f: /devices: expected an array, found an object"},
      {with(R"("devices": [{"name": "a"}])"),
       "f: /devices/0: expected an object with the key 'bus', found none"},
      {with(R"("devices": [{"name": "a b", "bus": "pci"}])"),
       "f: /devices/0/name: expected a name of A-Z a-z 0-9 _ . : + -, found 'a b'"},
      {with(R"("devices": [{"name": "a", "bus": "pci", "instances": ["absent"]}])"),
       "f: /devices/0/instances/0: expected a name of A-Z a-z 0-9 _ . : + -, found 'absent'"},
      {with(R"("devices": [{"name": "a", "bus": "pci", "absent": 1}])"),
       "f: /devices/0/absent: expected true or false, found 1"},
      {with(R"("devices": [{"name": "a", "bus": "pci", "slot": -1}])"),
       "f: /devices/0/slot: expected a number, found -1"},
      {with(R"("devices": [{"name": "a", "bus": "pci", "slot": 18446744073709551615}])"),
       "f: /devices/0/slot: expected a slot (1 to 255), found '18446744073709551615'"},
      {with(R"("devices": [{"name": "a", "bus": "pci", "sid": 1}])"),
       "f: /devices/0/sid: expected an attribute of a device, found 'sid='"},
      {with(R"("devices": [{"name": "a", "bus": "cdx", "sid": 256}])"),
       "f: /devices/0/sid: expected a stream id (1 to 255), found '256'"},
      {with(R"("devices": [{"name": "a", "bus": "pci"}, {"name": "a", "bus": "pci"}])"),
       "f: /devices/1/name: expected a name that no other device has, found 'a'"},
      {with(R"("drivers": [{"name": "a", "claims": [{"bus": "pci", "claim": "steal"}]}])"),
       "f: /drivers/0/claims: expected a claim: strict, own-ok, skip, ignore or store, found "
       "'steal'"},
      {with(R"("drivers": [{"name": "a", "address": "b"}])"),
       "f: /drivers/0/address: expected the name of a driver, found 'b'"},
      {with(R"("ops": [{"op": "expect"}])"),
       "f: /ops/0/op: expected one of " + ops + ", found 'expect'"},
      {with(R"("settings": {"memlock": "all"})"),
       "f: /settings/memlock: expected a number, found 'all'"},
      {with(R"("devices": [{"name": "a", "bus": "pci", "instances": ["emulated"]}])"),
       "f: /devices/0/instances/0: expected a name of A-Z a-z 0-9 _ . : + -, found 'emulated'"},
      {with(R"("devices": [{"name": "a", "bus": "pci", "resv": [{"first": 0, "type": "msi"}]}])"),
       "f: /devices/0/resv/0: expected an object with the key 'last', found none"},
      {with(R"("devices": [{"name": "a", "bus": "pci", "resv": [{"first": 0, "last": "1:msi",
               "type": "msi"}]}])"),
       "f: /devices/0/resv/0/last: expected a number, found '1:msi'"},
      {with(R"("drivers": [{"name": "a"}], "instances": [{"name": "i", "driver": "a",
               "page-sizes": []}])"),
       "f: /instances/0/page-sizes: expected a page size (1 to 64), found nothing"},
      {with(R"("ops": [{"op": "set-iommu", "container": "c0", "type": "unprivileged"}])"),
       "f: /ops/0/type: expected one of type1v2, type1, nesting, noiommu, unknown, found "
       "'unprivileged'"},
      {with(R"("ops": [{"op": "unmap", "container": "c0", "iova": 1, "count": 2,
               "flags": ["fail=alloc:1"]}])"),
       "f: /ops/0/flags/0: expected one of vaddr, all, found 'fail=alloc:1'"},
      {with(R"("ops": [{"op": "unmap", "container": "c0", "iova": 1, "count": -2}])"),
       "f: /ops/0/count: expected a number, found -2"},
      {with(R"("ops": [{"op": "unmap", "container": "c0", "iova": 1, "count": 65}])"),
       "f: /ops/0/iova: expected a count of pages (0 to 64), found '65'"},
      {with(R"("ops": [{"op": "set-iommu", "container": "c0",
               "faults": [{"fail": "map", "nth": 1}]}])"),
       "f: /ops/0/faults/0: expected an object with the key 'errno', found none"},
      {with(R"("ops": [{"op": "set-iommu", "group": 1, "container": "c0"}])"),
       "f: /ops/0: expected only the keys comment, op, container, type, flags, faults, result, "
       "found 'group'"},
      {with(R"("ops": [{"op": "set-iommu", "container": "c0", "result": "EIO"}])"),
       "f: /ops/0/result: expected ok or an errno such as -EBUSY, found 'EIO'; did you mean -EIO?"},
      {with(R"("ops": [{"op": "set-iommu", "container": "c0", "faults": [{"fail": "attach",
               "device": "a", "errno": "EIO:2"}]}])"),
       "f: /ops/0/faults/0/errno: expected an errno such as EINVAL, found 'EIO:2'; did you mean "
       "EIO?"},
      {with(R"("ops": [{"op": "set-iommu", "container": "c0", "faults": [{"fail": "alloc",
               "nth": 0}]}])"),
       "f: /ops/0/faults/0: expected the number of an allocation (1 to 255), found '0'"},
      {with(R"("expectations": [{"expect": "shares", "group": 0}])"),
       "f: /expectations/0: expected an object with the key 'with', found none"},
      {with(R"("expectations": [{"group": 0}])"),
       "f: /expectations/0: expected an object with the key 'expect', found none"},
  };
  for (const Mistake& m : mistakes) EXPECT_EQ(ErrorOf(CaseFromJson(m.text, "f")), m.error);
  const std::string large(4 * kMaxCaseBytes + 1, ' ');
  EXPECT_EQ(ErrorOf(CaseFromJson(large, "f")),
            "f:1:1: expected at most 4194304 bytes, found 4194305");
  EXPECT_EQ(
      ErrorOf(CaseFromJson(with("\"comment\": \"" + std::string(kMaxCaseBytes, 'x') + '"'), "f")),
      "f: /: expected at most 1048576 bytes as text, found 1048591");
}

TEST(CaseJson, RoundTrips) {
  ExpectRoundTrips(MustParse(kExample));
  ExpectRoundTrips(MustParse(kWhole));
  ExpectRoundTrips(MustParse("kernel v5.15"));
}

TEST(CaseJson, CommentsAreTrimmedAsInText) {
  const auto parsed = CaseFromJson(
      "{\"comment\": \"a \\r\\n\\n  \xc3\xa4\\t\", \"kernel\": {\"version\": \"v6.1\"}}", "f");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->comment, "a\n\n  \xc3\xa4");
  ExpectRoundTrips(*parsed);
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
  EXPECT_EQ(PrintCase(MustParse(text)), text);
  // Without the statement the table would get the same place, so none is needed.
  EXPECT_EQ(PrintCase(MustParse("kernel v6.0\ntable a.ops\ndriver a table=a.ops\n")),
            "kernel v6.0\ndriver a\n");
}

// Any valid case, even one that no parser would produce.
class RandomCase {
 public:
  explicit RandomCase(uint32_t seed) : random_(seed) {}

  Case Make() {
    Case c;
    c.kernel.version = static_cast<KernelVersion>(Below(kKernelVersionCount));
    for (const RuleInfo& info : AllRules())
      if (Below(8) == 0)
        (ProfileOf(c.kernel.version).has(info.rule) ? c.kernel.dropped : c.kernel.added)
            .add(info.rule);
    MakeMachine(c.topology);
    c.names = DefaultNames(c.topology);
    for (int i = Below(12); i > 0; --i) AddOp(c);
    EXPECT_TRUE(Validate(c.topology).ok()) << Validate(c.topology);
    return c;
  }

 private:
  int Below(int n) { return static_cast<int>(random_() % static_cast<uint32_t>(n)); }
  uint8_t Index(int n) { return static_cast<uint8_t>(Below(n)); }
  bool Coin() { return Below(2) == 1; }

  void MakeMachine(Topology& t) {
    t.firmware = static_cast<Firmware>(Below(3));
    t.settings = {Coin(), Coin(), Index(kMaxDmas + 1), Index(256)};
    t.drivers_count = static_cast<uint8_t>(1 + Below(4));
    t.tables_count = static_cast<uint8_t>(1 + Below(6));
    t.instances_count = static_cast<uint8_t>(1 + Below(4));
    t.devices_count = static_cast<uint8_t>(1 + Below(6));
    for (int i = 0; i < t.drivers_count; ++i) MakeDriver(t, i);
    for (int i = 0; i < t.instances_count; ++i) {
      const DriverId driver = Index(t.drivers_count);
      Instance& instance = t.instances[i];
      instance = {driver, Coin(), Coin() ? t.drivers[driver].table : Index(t.tables_count), Coin(),
                  Coin()};
      instance.aperture_last = Index(kPages);
      instance.aperture_first = Index(instance.aperture_last + 1);
      instance.page_sizes = static_cast<uint8_t>(1 + Below((1 << kPageSizes) - 1));
    }
    for (int i = 0; i < t.devices_count; ++i) MakeDevice(t, i);
    for (Device& d : t.devices)
      if (d.alias != kNoId && t.devices[d.alias].kind != DeviceKind::kReal) d.alias = kNoId;
  }

  void MakeDriver(Topology& t, int i) {
    Driver& d = t.drivers[i];
    d.firmware = static_cast<Firmware>(Below(3));
    for (Claim& claim : d.claims) claim = static_cast<Claim>(Below(6));
    std::ranges::shuffle(d.claim_order, random_);
    d.table =
        Coin() ? Index(t.tables_count) : static_cast<TableId>(std::min(i, t.tables_count - 1));
    d.unwinds = Coin();
    d.clears = Coin();
    d.same_instance = Coin();
    d.instance_groups = Coin();
    d.default_domains = Coin();
    d.coherent = Coin();
    d.accepts_foreign = Coin();
    d.deferred = Coin();
    d.nesting = Coin();
    d.static_identity = Coin();
    d.checks_snoop = Coin();
    d.drops_old = Coin();
    d.mismatch_errno = Index(41);
    // Only even drivers have an address, only odd ones are named as one: no chains, both
    // directions.
    if (i % 2 == 0 && t.drivers_count > 1 && Coin()) d.address = 1;
  }

  void MakeDevice(Topology& t, int i) {
    Device& d = t.devices[i];
    const bool first_half = i < t.devices_count / 2;
    d.bus = first_half ? Bus::kPci : static_cast<Bus>(Below(kBusCount));
    if (Coin()) d.masters[0] = Index(t.instances_count);
    const InstanceId second = Index(t.instances_count);
    if (d.masters[0] != kNoId && d.masters[0] != second) d.masters[1] = second;
    d.absent = Coin();
    d.default_type = static_cast<DefaultType>(Below(3));
    if (d.masters[0] == kNoId && Coin()) {
      d.kind = static_cast<DeviceKind>(1 + Below(2));
      return;
    }
    MakeRegions(d);
    d.slot = Index(256);
    if (d.bus != Bus::kPci) return;
    const int alias = t.devices_count / 2 > 0 ? Below(t.devices_count / 2) : i;
    if (alias != i) d.alias = static_cast<DeviceId>(alias);
  }

  void MakeRegions(Device& d) {
    for (int n = Below(kMaxRegions + 1); n > 0; --n) {
      Region& region = d.regions[static_cast<size_t>(n - 1)];
      region.type = static_cast<Region::Type>(1 + Below(kRegionTypeNames.size() - 1));
      region.last = Index(kPages);
      region.first = Index(region.last + 1);
    }
  }

  void AddOp(Case& c) {
    const Topology& t = c.topology;
    CaseOp& op = c.ops.emplace_back();
    op.op.kind = static_cast<OpKind>(Below(kOpKindCount));
    op.op.a = Index(std::min({t.instances_count + 0, t.devices_count + 0, kMaxContainers}));
    op.op.b = Index(op.op.kind == OpKind::kAttachPasid ? t.devices_count : kMaxContainers);
    op.op.at = {Index(kPages), Index(kPages + 1)};
    op.op.vaddr = Index(kPages);
    op.op.flags = static_cast<uint8_t>(random_()) & InfoOf(op.op.kind).flag_bits();
    for (Fault& fault : op.op.faults)
      fault = {static_cast<Fault::Kind>(Below(8)), static_cast<uint8_t>(Below(t.devices_count)),
               static_cast<uint8_t>(1 + Below(255)), static_cast<uint8_t>(1 + Below(40))};
    for (Fault& fault : op.op.faults)
      if (fault.kind != Fault::Kind::kAttach && fault.kind != Fault::Kind::kProbe) ++fault.target;
    if (Coin()) op.expected = -Below(41);
    if (Coin()) op.comment = "why\n\n  this";
    EXPECT_TRUE(Validate(op.op, t).ok()) << Validate(op.op, t);
  }

  std::mt19937 random_;
};

TEST(CaseRandom, NormalCasesRoundTrip) {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    Case c = RandomCase(seed).Make();
    Normalize(c);
    ExpectRoundTrips(c);
    if (HasFailure()) return;
  }
}

TEST(CaseRandom, NormalizeLeavesParsedCasesAlone) {
  Case c = MustParse(kExample);
  Normalize(c);
  EXPECT_TRUE(c == MustParse(kExample));
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
    const std::string json = CaseToJson(MustParse(text));
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
  const Case c = MustParse(kExample);
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
