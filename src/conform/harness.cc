// SPDX-License-Identifier: Apache-2.0
#include "src/conform/harness.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigabbrev_np()
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/conform/findings.h"

namespace iommucheck::conform {
namespace {

static_assert(int{HARNESS_DRIVERS} == kMaxDrivers && int{HARNESS_TABLES} == kMaxTables);
static_assert(int{HARNESS_INSTANCES} == kMaxInstances && int{HARNESS_DEVICES} == kMaxDevices);
static_assert(int{HARNESS_CONTAINERS} == kMaxContainers && int{HARNESS_MASTERS} == kMaxMasters);
static_assert(int{HARNESS_FAULTS} == kMaxFaults && int{HARNESS_BUSES} == kBusCount);
static_assert(int{HARNESS_NONE} == kNoId && int{HARNESS_NO_DOMAIN} == Call::kNoDomain);
static_assert(int{HARNESS_REGIONS} == kMaxRegions && int{HARNESS_PAGES} == kPages);
static_assert(int{HARNESS_DOMAINS} == kMaxDomains && int{HARNESS_NONE} == kNoLimit);
static_assert(int{HARNESS_DETACH_PASID} == static_cast<int>(OpKind::kDetachPasid));
static_assert(int{HARNESS_FAIL_ATTACH_CALL} == static_cast<int>(Fault::Kind::kAttachCall));
static_assert(int{HARNESS_HELD} == static_cast<int>(Call::Kind::kHeld));
static_assert(int{HARNESS_SW_MSI} == static_cast<int>(Region::Type::kSwMsi));
static_assert(int{HARNESS_MDEV} == static_cast<int>(DeviceKind::kEmulated));
static_assert(int{HARNESS_TYPE_DMA} == static_cast<int>(DefaultType::kDma));
static_assert(int{HARNESS_READ} == kRead && int{HARNESS_WRITE} == kWrite);
static_assert(int{HARNESS_VADDR} == kVaddr && int{HARNESS_ALL} == kAll);

bool OtherFirmware(const Topology& topology, const Driver& driver) {
  return driver.firmware != Firmware::kAny && topology.firmware != Firmware::kAny &&
         driver.firmware != topology.firmware;
}

// A driver at another's address has its own table where the other's was.
uint8_t TableAddress(const Topology& topology, TableId table) {
  for (const Driver& driver : topology.drivers)
    if (driver.table == table && driver.address != kNoId &&
        &driver < &topology.drivers[topology.drivers_count])
      return topology.drivers[driver.address].table;
  return table;
}

// As include/uapi/linux/vfio.h has it.
uint8_t TypeOf(IommuType type) {
  switch (type) {
    case IommuType::kType1v2:
      return 3;
    case IommuType::kType1:
      return 1;
    case IommuType::kNesting:
      return 6;
    case IommuType::kNoIommu:
      return 8;
    case IommuType::kUnknownIommu:
      break;
  }
  return 99;
}

constexpr uint64_t kPageSize = 4096;

uint64_t AddressOf(int page) { return HARNESS_PAGE_0 + static_cast<uint64_t>(page) * kPageSize; }

}  // namespace

harness_machine MachineOf(const Topology& topology, const KernelProfile& kernel) {
  harness_machine m{};
  m.settings = {.passthrough = topology.settings.passthrough,
                .unsafe_interrupts = topology.settings.unsafe_interrupts,
                .dma_entries = topology.settings.dma_entries,
                .memlock = topology.settings.memlock};
  m.drivers_count = topology.drivers_count;
  m.instances_count = topology.instances_count;
  m.devices_count = topology.devices_count;
  for (TableId table = 0; table < kMaxTables; ++table)
    m.table_address[table] = TableAddress(topology, table);
  const bool picky = kernel.has(Rule::kDriverSameInstance);
  for (DriverId d = 0; d < topology.drivers_count; ++d) {
    const Driver& driver = topology.drivers[d];
    m.drivers[d] = {
        .address = topology.ops_address(d),
        .table = driver.table,
        .other_firmware = kernel.has(Rule::kFirmwareDtXorAcpi) && OtherFirmware(topology, driver),
        .same_instance = picky || driver.same_instance,
        .refuses_foreign = picky || driver.refuses_foreign,
        .instance_groups = driver.instance_groups,
        .default_domains = driver.default_domains,
        .coherent = driver.coherent,
        .accepts_foreign = driver.accepts_foreign,
        .deferred = driver.deferred,
        .nesting = driver.nesting,
        .static_identity = driver.static_identity,
        .checks_snoop = driver.checks_snoop && kernel.has(Rule::kDriverSnoopChecked),
        .drops_old = driver.drops_old && !kernel.has(Rule::kDriverAttachKeepsOld),
        .mismatch_errno = kernel.has(Rule::kDriverEinvalOnly) ? uint8_t{0} : driver.mismatch_errno,
    };
  }
  for (InstanceId i = 0; i < topology.instances_count; ++i) {
    const Instance& instance = topology.instances[i];
    m.instances[i] = {instance.driver,
                      instance.fwnode,
                      instance.table,
                      instance.enforces_coherency,
                      instance.isolates_msi,
                      AddressOf(instance.aperture_first),
                      AddressOf(instance.aperture_last + 1) - 1,
                      uint64_t{instance.page_sizes} * kPageSize};
  }
  for (DeviceId d = 0; d < topology.devices_count; ++d) {
    const Device& device = topology.devices[d];
    m.devices[d] = {static_cast<uint8_t>(device.bus),
                    {device.masters[0], device.masters[1]},
                    device.alias,
                    device.slot,
                    device.absent,
                    static_cast<uint8_t>(device.kind),
                    static_cast<uint8_t>(device.default_type),
                    {}};
    for (size_t n = 0; n < kMaxRegions; ++n) {
      const Region& region = device.regions[n];
      m.devices[d].regions[n] = {static_cast<uint8_t>(region.type), AddressOf(region.first),
                                 (region.last - region.first + 1) * kPageSize};
    }
  }
  return m;
}

harness_op OpOf(const Op& op) {
  harness_op out{.kind = static_cast<uint8_t>(op.kind),
                 .a = op.a,
                 .b = op.kind == OpKind::kSetIommu ? TypeOf(static_cast<IommuType>(op.b)) : op.b,
                 .first = op.at.first,
                 .count = op.at.count,
                 .vaddr = op.vaddr,
                 .flags = op.flags,
                 .faults = {}};
  for (size_t i = 0; i < op.faults.size(); ++i) {
    const Fault& fault = op.faults[i];
    out.faults[i] = {static_cast<uint8_t>(fault.kind), fault.target, fault.count, fault.error};
  }
  return out;
}

const char* WhyNotPlayed(const Topology& topology) {
  int smallest = 1;  // page of an IOMMU
  for (const Instance& i : std::span(topology.instances).first(topology.instances_count))
    smallest = std::max(smallest, 1 << std::countr_zero(i.page_sizes));
  for (const Device& device : std::span(topology.devices).first(topology.devices_count))
    if (device.kind == DeviceKind::kNoIommu)
      return "devices without an IOMMU are group.c's, which is not built";
  // iommu_create_device_direct_mappings(): `addr <= end; addr += pg_size` never ends there.
  for (const Device& device : std::span(topology.devices).first(topology.devices_count))
    for (const Region& region : device.regions)
      if ((region.type == Region::Type::kDirect || region.type == Region::Type::kDirectRelaxable) &&
          region.last + 2 * smallest >= kPages)
        return "a direct region at the end of the address space makes the kernel loop";
  return nullptr;
}

const char* WhyNotPlayed(const Op& op, uint32_t features) {
  switch (op.kind) {
    case OpKind::kOpen:
    case OpKind::kClose:
      return "files of groups are group.c's, which is not built";
    case OpKind::kReset:
    case OpKind::kResetDone:
      return "resets are not driven";
    case OpKind::kAttachPasid:
    case OpKind::kDetachPasid:
      return (features & HARNESS_PASID) != 0 ? nullptr : "the kernel's PASIDs are amd_iommu's";
    case OpKind::kMap:
      return (op.flags & kZeroPage) != 0 ? "there is no zero page" : nullptr;
    default:
      return nullptr;
  }
}

Call CallOf(const harness_call& call) {
  return {.kind = static_cast<Call::Kind>(call.kind),
          .driver = call.kind == HARNESS_ALLOC ? call.driver : kNoId,
          .table = call.table,
          .instance = call.instance,
          .device = call.device,
          .domain = call.domain,
          .error = call.error,
          .pages = {call.first, call.count},
          .pins = call.pins,
          .locked = call.locked};
}

void SetEnd(const Topology& topology, const harness_end& end, Trace& trace) {
  SetSharing(
      topology.devices_count, [&end](int dev) { return end.group[dev]; },
      [&end](int dev) { return end.domain[dev]; }, trace);
  const auto end_of = [&end](int dev) {
    return GroupEnd{.domain = static_cast<int16_t>(end.domain[dev]),
                    .default_domain = static_cast<int16_t>(end.default_domain[dev]),
                    .owner_cnt = static_cast<int16_t>(end.owner_cnt[dev]),
                    .owned = end.owned[dev] != 0};
  };
  trace.has_groups = true;
  SetGroups(topology.devices_count, end_of, trace);
  trace.domains = end.domains;
  trace.warns = end.warns;
  for (const harness_mapped& m : std::span(end.mapped, end.mapped_count))
    trace.mapped.push_back({m.domain, m.pages});
  std::ranges::sort(trace.mapped, {}, &Mapped::domain);
}

bool IsTheMachines(const RuleInfo& info) {
  return info.kind == RuleKind::kAssumption || info.rule == Rule::kFirmwareDtXorAcpi ||
         info.rule == Rule::kDriverSnoopChecked || info.rule == Rule::kDriverAttachKeepsOld ||
         info.rule == Rule::kDriverEinvalOnly;
}

KernelSpec WithAssumptionsOf(KernelSpec built, const KernelSpec& c) {
  for (const RuleInfo& info : AllRules()) {
    if (!IsTheMachines(info)) continue;
    if (c.dropped.has(info.rule)) built.dropped.add(info.rule);
    if (c.added.has(info.rule)) built.added.add(info.rule);
  }
  return built;
}

KernelSpec WithoutAssumptions(KernelSpec kernel) {
  const KernelProfile profile = ProfileOf(kernel.version);
  for (const RuleInfo& info : AllRules()) {
    if (info.kind != RuleKind::kAssumption) continue;
    kernel.added.drop(info.rule);
    if (profile.has(info.rule)) kernel.dropped.add(info.rule);
  }
  return kernel;
}

std::string SandboxNote(const std::string& build) {
  // kernel/sandbox.sh says that it is one.
  const bool inside = std::getenv("IOMMUCHECK_SANDBOX") != nullptr;
  std::error_code ignored;
  if (inside || !std::filesystem::exists(std::filesystem::path(build) / "sandboxed", ignored))
    return "";
  return absl::StrCat("note: ", build,
                      " is of a tree that was built in a sandbox.\n"
                      "Its code runs in this process, which is in none: see --sandbox of ./dev.");
}

absl::StatusOr<Harness> Harness::Load(const std::string& library, bool catch_oops) {
  Harness harness;
  harness.path_ = std::filesystem::absolute(library);
  harness.catch_oops_ = catch_oops;
  if (absl::Status s = harness.Open(); !s.ok()) return s;
  harness.name_ = harness.real_->name;
  harness.version_ = harness.FindProfile();
  return harness;
}

absl::Status Harness::Open() {
  // A new load, since the one before may be half-way through anything.
  if (handle_ != nullptr) dlclose(handle_);
  handle_ = dlopen(path_.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle_ == nullptr)
    return absl::InvalidArgumentError(
        absl::StrCat(path_, ": expected a build of ./dev kernel: ", dlerror()));
  const auto open = reinterpret_cast<harness_open_fn>(dlsym(handle_, "harness_open"));
  if (open != nullptr) real_ = open(HARNESS_VERSION, catch_oops_ ? HARNESS_CATCH_OOPS : 0);
  if (real_ == nullptr)
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: expected a harness of version %d, found another; run ./dev kernel",
                        path_, int{HARNESS_VERSION}));
  return absl::OkStatus();
}

KernelVersion Harness::FindProfile() {
  const uint32_t features = real_->features;
  if ((features & HARNESS_BUS_OPS) != 0)
    return (features & HARNESS_REATTACH) != 0 ? KernelVersion::kV6_1_y : KernelVersion::kV6_1;
  if ((features & HARNESS_ALLOC_BY_DEV) == 0) return KernelVersion::kV6_8;
  if ((features & HARNESS_DMA_CONFIGURE) != 0) return KernelVersion::kV7_1;
  return (features & HARNESS_DEFER_UNSET) != 0 ? KernelVersion::kV6_12_y : KernelVersion::kV6_12;
}

std::string Harness::WhyNot(const Case& c) const {
  if (const char* why = WhyNotPlayed(c.topology); why != nullptr) return why;
  for (const CaseOp& op : c.ops)
    if (const char* why = WhyNotPlayed(op.op, real_->features); why != nullptr) return why;
  const harness_machine machine = MachineOf(c.topology, ProfileOf(c.kernel));
  const char* why = real_->fits(&machine);
  return why == nullptr ? "" : why;
}

bool Harness::PlayOps(const Case& c, size_t ops, Trace& trace,
                      const std::function<void()>& told) const {
  const harness& real = *real_;
  const harness_machine machine = MachineOf(c.topology, ProfileOf(c.kernel));
  trace.Clear();
  trace.has_mapped = trace.has_groups = true;
  real.begin(&machine);
  bool oops = false;
  for (size_t i = 0; i < ops && !oops; ++i) {
    const harness_op op = OpOf(c.ops[i].op);
    const int error = real.op(&op);
    if (error == HARNESS_NOT_POSSIBLE) break;
    oops = error == HARNESS_OOPS;
    uint32_t count = 0;
    const harness_call* calls = real.calls(&count);
    for (const harness_call& call : std::span(calls, count).subspan(trace.calls.size()))
      trace.calls.push_back(CallOf(call));
    if (oops) trace.calls.push_back({.kind = Call::Kind::kOops});
    trace.steps.push_back({oops ? -EFAULT : error, static_cast<uint32_t>(trace.calls.size())});
    told();
  }
  if (oops) return true;
  harness_end end{};
  real.end(&end);
  SetEnd(c.topology, end, trace);
  told();
  return false;
}

Harness::Result Harness::Finish(const Case& c, const Trace& trace) const {
  Result result;
  uint32_t count = 0;
  const harness_warn* warns = real_->warns(&count);
  for (const harness_warn& warn : std::span(warns, count))
    result.warns.push_back(absl::StrFormat("%s(), %s:%d", warn.function, warn.file, warn.line));
  if (trace.oops()) return result;
  harness_leaks leaks{};
  if (real_->finish(&leaks) == HARNESS_OOPS) {
    result.leaks.emplace_back("the teardown dereferences a wild pointer");
    return result;
  }
  const auto leak = [&result](int left, const char* what) {
    if (left != 0) result.leaks.push_back(absl::StrFormat("%d %s", left, what));
  };
  leak(leaks.domains, "domains");
  leak(leaks.objects, "heap objects");
  leak(leaks.written, "freed objects that were written to");
  leak(leaks.locks, "locks");
  leak(leaks.references[HARNESS_REF_MODULE], "references to modules");
  leak(leaks.references[HARNESS_REF_DEVICE], "references to devices");
  leak(leaks.references[HARNESS_REF_FWNODE], "references to fwnodes");
  leak(leaks.references[HARNESS_REF_TASK], "references to the task and its mm");
  for (size_t i = 0; i < trace.steps.size(); ++i)
    if (IsNeverUnmapped(c.ops[i].op, trace.steps[i].error)) return result;
  leak(leaks.pins, "pinned pages");
  leak(leaks.locked, "locked pages");
  return result;
}

absl::StatusOr<Harness::Result> Harness::Play(const Case& c, size_t ops, Trace& trace) {
  const bool oops = PlayOps(c, ops, trace, [] {});
  Result result = Finish(c, trace);
  if (oops || !result.leaks.empty())
    if (absl::Status s = Open(); !s.ok()) return s;
  return result;
}

namespace {

// A trace and what came of it, as they come from a child by a pipe: what is in a case so far is
// written after each op, so that it is there whatever the next one does.
class Writer {
 public:
  explicit Writer(int fd) : fd_(fd) {}

  template <typename T>
  void Put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    Write(&value, sizeof(value));
  }
  template <typename T>
  void PutAll(std::span<const T> values) {
    Put(values.size());
    for (const T& value : values) Put(value);
  }
  void PutTexts(const std::vector<std::string>& texts) {
    Put(texts.size());
    for (const std::string& text : texts) PutAll(std::span<const char>(text));
  }

 private:
  void Write(const void* data, size_t size) const {
    const auto* at = static_cast<const char*>(data);
    while (size != 0) {
      const ssize_t written = write(fd_, at, size);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) _exit(1);  // nobody reads any more
      at += written;
      size -= static_cast<size_t>(written);
    }
  }
  int fd_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  // False where the bytes end first.
  template <typename T>
  bool Get(T& value) {
    if (bytes_.size() < sizeof(value)) return false;
    std::memcpy(&value, bytes_.data(), sizeof(value));
    bytes_.remove_prefix(sizeof(value));
    return true;
  }
  template <typename Values>
  bool GetAll(Values& values) {
    size_t count = 0;
    if (!Get(count)) return false;
    for (size_t i = 0; i < count; ++i) {
      typename Values::value_type value{};
      if (!Get(value)) return false;
      values.push_back(value);
    }
    return true;
  }
  bool GetTexts(std::vector<std::string>& texts) {
    size_t count = 0;
    if (!Get(count)) return false;
    for (size_t i = 0; i < count; ++i)
      if (!GetAll(texts.emplace_back())) return false;
    return true;
  }

 private:
  std::string_view bytes_;
};

enum class Part : uint8_t { kStep, kEnd, kResult };

void PutEnd(const Trace& trace, Writer& out) {
  out.Put(Part::kEnd);
  out.Put(trace.group);
  out.Put(trace.share);
  out.Put(trace.domains);
  out.Put(trace.warns);
  out.PutAll(std::span(trace.mapped));
  out.Put(trace.groups);
}

bool GetEnd(Reader& in, Trace& trace) {
  return in.Get(trace.group) && in.Get(trace.share) && in.Get(trace.domains) &&
         in.Get(trace.warns) && in.GetAll(trace.mapped) && in.Get(trace.groups);
}

// What has been written whole. The last part that is, or nothing.
std::optional<Part> GetParts(Reader in, Trace& trace, Harness::Result& result) {
  std::optional<Part> last;
  for (Part part{}; in.Get(part); last = part) {
    if (part == Part::kStep) {
      TraceStep step;
      std::vector<Call> calls;
      if (!in.Get(step) || !in.GetAll(calls)) break;
      trace.steps.push_back(step);
      trace.calls.insert(trace.calls.end(), calls.begin(), calls.end());
    } else if (part == Part::kEnd) {
      if (!GetEnd(in, trace)) break;
    } else if (!in.GetTexts(result.warns) || !in.GetTexts(result.leaks)) {
      break;
    }
  }
  return last;
}

// Both to their ends.
std::array<std::string, 2> ReadBoth(const std::array<int, 2>& fds) {
  std::array<std::string, 2> texts;
  std::array<pollfd, 2> open = {{{fds[0], POLLIN, 0}, {fds[1], POLLIN, 0}}};
  while (open[0].fd >= 0 || open[1].fd >= 0) {
    if (poll(open.data(), open.size(), -1) < 0 && errno != EINTR) break;
    for (size_t i = 0; i < open.size(); ++i) {
      if (open[i].fd < 0 || open[i].revents == 0) continue;
      std::array<char, 4096> buffer;
      const ssize_t count = read(open[i].fd, buffer.data(), buffer.size());
      if (count > 0) texts[i].append(buffer.data(), static_cast<size_t>(count));
      if (count == 0 || (count < 0 && errno != EINTR)) open[i].fd = -1;
    }
  }
  return texts;
}

std::string DeathText(int status) {
  if (!WIFSIGNALED(status)) return absl::StrFormat("exit status %d", WEXITSTATUS(status));
  const int signal = WTERMSIG(status);
  const char* name = sigabbrev_np(signal);
  return absl::StrFormat("signal %d (SIG%s)", signal, name == nullptr ? "?" : name);
}

// One that loops for ever, or asks for memory for ever, ends like one that crashes.
void LimitThisProcess() {
  const rlimit none = {0, 0};
  const rlimit minute = {60, 60};
  setrlimit(RLIMIT_CORE, &none);
  setrlimit(RLIMIT_CPU, &minute);
  for (int signal : {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGXCPU, SIGPIPE})
    std::signal(signal, SIG_DFL);
}

}  // namespace

absl::StatusOr<Harness::Result> Harness::PlayApart(const Case& c, size_t ops, Trace& trace) {
  std::array<int, 2> parts{};
  std::array<int, 2> said{};
  if (pipe2(parts.data(), O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  if (pipe2(said.data(), O_CLOEXEC) != 0) {
    const absl::Status failed = absl::ErrnoToStatus(errno, "pipe");
    close(parts[0]);
    close(parts[1]);
    return failed;
  }
  const pid_t child = fork();
  if (child == 0) {
    LimitThisProcess();
    dup2(said[1], STDERR_FILENO);
    Writer out(parts[1]);
    size_t steps = 0;
    const bool oops = PlayOps(c, ops, trace, [&] {
      for (; steps < trace.steps.size(); ++steps) {
        out.Put(Part::kStep);
        out.Put(trace.steps[steps]);
        out.PutAll(trace.CallsOf(steps));
      }
    });
    if (!oops) PutEnd(trace, out);
    const Result result = Finish(c, trace);
    out.Put(Part::kResult);
    out.PutTexts(result.warns);
    out.PutTexts(result.leaks);
    _exit(0);
  }
  const int no_child = errno;
  close(parts[1]);
  close(said[1]);
  const std::array<std::string, 2> texts =
      child < 0 ? std::array<std::string, 2>{} : ReadBoth({parts[0], said[0]});
  close(parts[0]);
  close(said[0]);
  if (child < 0) return absl::ErrnoToStatus(no_child, "fork");
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;

  Result result;
  trace.Clear();
  trace.has_mapped = trace.has_groups = true;
  const std::optional<Part> last = GetParts(Reader(texts[0]), trace, result);
  if (last == Part::kResult && status == 0) return result;
  result.crash = DeathText(status);
  result.said = texts[1];
  if (last == Part::kEnd || last == Part::kResult || trace.oops()) {
    result.crash += ", in the teardown";
    return result;
  }
  absl::StrAppend(&result.crash, ", in op ", trace.steps.size() + 1);
  trace.calls.push_back({.kind = Call::Kind::kCrash});
  trace.steps.push_back({-EFAULT, static_cast<uint32_t>(trace.calls.size())});
  return result;
}

}  // namespace iommucheck::conform
