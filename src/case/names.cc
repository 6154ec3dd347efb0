// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "absl/strings/str_format.h"
#include "src/case/case.h"
#include "src/case/spelling.h"

namespace iommucheck {
namespace {

struct Errno {
  int number;
  std::string_view name;
};
// include/uapi/asm-generic/errno*.h, and the one of include/linux/errno.h that IOMMU drivers use.
constexpr auto kErrnos = std::to_array<Errno>({
    {1, "EPERM"},
    {2, "ENOENT"},
    {3, "ESRCH"},
    {4, "EINTR"},
    {5, "EIO"},
    {6, "ENXIO"},
    {7, "E2BIG"},
    {8, "ENOEXEC"},
    {9, "EBADF"},
    {10, "ECHILD"},
    {11, "EAGAIN"},
    {12, "ENOMEM"},
    {13, "EACCES"},
    {14, "EFAULT"},
    {15, "ENOTBLK"},
    {16, "EBUSY"},
    {17, "EEXIST"},
    {18, "EXDEV"},
    {19, "ENODEV"},
    {20, "ENOTDIR"},
    {21, "EISDIR"},
    {22, "EINVAL"},
    {23, "ENFILE"},
    {24, "EMFILE"},
    {25, "ENOTTY"},
    {26, "ETXTBSY"},
    {27, "EFBIG"},
    {28, "ENOSPC"},
    {29, "ESPIPE"},
    {30, "EROFS"},
    {31, "EMLINK"},
    {32, "EPIPE"},
    {33, "EDOM"},
    {34, "ERANGE"},
    {35, "EDEADLK"},
    {36, "ENAMETOOLONG"},
    {37, "ENOLCK"},
    {38, "ENOSYS"},
    {39, "ENOTEMPTY"},
    {40, "ELOOP"},
    {42, "ENOMSG"},
    {43, "EIDRM"},
    {44, "ECHRNG"},
    {45, "EL2NSYNC"},
    {46, "EL3HLT"},
    {47, "EL3RST"},
    {48, "ELNRNG"},
    {49, "EUNATCH"},
    {50, "ENOCSI"},
    {51, "EL2HLT"},
    {52, "EBADE"},
    {53, "EBADR"},
    {54, "EXFULL"},
    {55, "ENOANO"},
    {56, "EBADRQC"},
    {57, "EBADSLT"},
    {59, "EBFONT"},
    {60, "ENOSTR"},
    {61, "ENODATA"},
    {62, "ETIME"},
    {63, "ENOSR"},
    {64, "ENONET"},
    {65, "ENOPKG"},
    {66, "EREMOTE"},
    {67, "ENOLINK"},
    {68, "EADV"},
    {69, "ESRMNT"},
    {70, "ECOMM"},
    {71, "EPROTO"},
    {72, "EMULTIHOP"},
    {73, "EDOTDOT"},
    {74, "EBADMSG"},
    {75, "EOVERFLOW"},
    {76, "ENOTUNIQ"},
    {77, "EBADFD"},
    {78, "EREMCHG"},
    {79, "ELIBACC"},
    {80, "ELIBBAD"},
    {81, "ELIBSCN"},
    {82, "ELIBMAX"},
    {83, "ELIBEXEC"},
    {84, "EILSEQ"},
    {85, "ERESTART"},
    {86, "ESTRPIPE"},
    {87, "EUSERS"},
    {88, "ENOTSOCK"},
    {89, "EDESTADDRREQ"},
    {90, "EMSGSIZE"},
    {91, "EPROTOTYPE"},
    {92, "ENOPROTOOPT"},
    {93, "EPROTONOSUPPORT"},
    {94, "ESOCKTNOSUPPORT"},
    {95, "EOPNOTSUPP"},
    {96, "EPFNOSUPPORT"},
    {97, "EAFNOSUPPORT"},
    {98, "EADDRINUSE"},
    {99, "EADDRNOTAVAIL"},
    {100, "ENETDOWN"},
    {101, "ENETUNREACH"},
    {102, "ENETRESET"},
    {103, "ECONNABORTED"},
    {104, "ECONNRESET"},
    {105, "ENOBUFS"},
    {106, "EISCONN"},
    {107, "ENOTCONN"},
    {108, "ESHUTDOWN"},
    {109, "ETOOMANYREFS"},
    {110, "ETIMEDOUT"},
    {111, "ECONNREFUSED"},
    {112, "EHOSTDOWN"},
    {113, "EHOSTUNREACH"},
    {114, "EALREADY"},
    {115, "EINPROGRESS"},
    {116, "ESTALE"},
    {117, "EUCLEAN"},
    {118, "ENOTNAM"},
    {119, "ENAVAIL"},
    {120, "EISNAM"},
    {121, "EREMOTEIO"},
    {122, "EDQUOT"},
    {123, "ENOMEDIUM"},
    {124, "EMEDIUMTYPE"},
    {125, "ECANCELED"},
    {126, "ENOKEY"},
    {127, "EKEYEXPIRED"},
    {128, "EKEYREVOKED"},
    {129, "EKEYREJECTED"},
    {130, "EOWNERDEAD"},
    {131, "ENOTRECOVERABLE"},
    {132, "ERFKILL"},
    {133, "EHWPOISON"},
    {517, "EPROBE_DEFER"},
    {524, "ENOTSUPP"},
});

// The driver that alone names the table, itself and by its instances; kNoId: there is none.
DriverId SoleOwner(const Topology& t, TableId table) {
  DriverId owner = kNoId;
  for (DriverId d = 0; d < t.drivers_count; ++d) {
    if (t.drivers[d].table != table) continue;
    if (owner != kNoId) return kNoId;
    owner = d;
  }
  for (InstanceId i = 0; i < t.instances_count; ++i)
    if (t.instances[i].table == table && t.instances[i].driver != owner) return kNoId;
  return owner;
}

// The largest run of tables at the end whose sole owners are in the order of the drivers, and
// which `may_be_private(table, owner)` grants.
template <typename F>
int FirstOwned(const Topology& t, F may_be_private) {
  int first = t.tables_count;
  DriverId next_owner = t.drivers_count;
  while (first > 0) {
    const DriverId owner = SoleOwner(t, static_cast<TableId>(first - 1));
    if (owner >= next_owner || !may_be_private(first - 1, owner)) break;
    next_owner = owner;
    --first;
  }
  return first;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

// Levenshtein distance, without regard to case.
size_t Distance(std::string_view from, std::string_view to) {
  const std::string a = Lower(from);
  const std::string b = Lower(to);
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string ErrnoName(int error) {
  if (error == 0) return "ok";
  const int64_t number = -int64_t{error};
  const auto* it = std::ranges::find(kErrnos, number, &Errno::number);
  if (it == kErrnos.end()) return absl::StrFormat("-errno %d", number);
  return absl::StrFormat("-%s", it->name);
}

std::optional<int> FindErrno(std::string_view name) {
  if (name == "ok") return 0;
  if (!name.starts_with('-')) return std::nullopt;
  const auto* it = std::ranges::find(kErrnos, name.substr(1), &Errno::name);
  if (it == kErrnos.end()) return std::nullopt;
  return -it->number;
}

std::vector<std::string> ErrnoNames() {
  std::vector<std::string> names;
  for (const Errno& e : kErrnos) names.push_back(absl::StrFormat("-%s", e.name));
  return names;
}

std::vector<std::string> FaultErrnoNames() {
  std::vector<std::string> names;
  for (const Errno& e : kErrnos)
    if (e.number <= 0xff) names.emplace_back(e.name);
  return names;
}

Names DefaultNames(const Topology& topology) {
  Names names;
  for (int i = 0; i < topology.drivers_count; ++i)
    names.drivers.push_back(absl::StrFormat("drv%c", 'A' + i));
  for (int i = 0; i < topology.tables_count; ++i)
    names.tables.push_back(absl::StrFormat("table%d", i));
  FirstOwned(topology, [&names](int table, DriverId owner) {
    names.tables[table] = PrivateTableName(names.drivers[owner]);
    return true;
  });
  for (int i = 0; i < topology.instances_count; ++i)
    names.instances.push_back(absl::StrFormat("iommu%d", i));
  for (int i = 0; i < topology.devices_count; ++i)
    names.devices.push_back(absl::StrFormat("dev%d", i));
  return names;
}

std::string PrivateTableName(std::string_view driver) { return std::string(driver) + ".ops"; }

int FirstPrivateTable(const Topology& topology, const Names& names) {
  return FirstOwned(topology, [&names](int table, DriverId owner) {
    return names.tables[table] == PrivateTableName(names.drivers[owner]);
  });
}

Operand OperandOf(OpKind kind) {
  switch (kind) {
    case OpKind::kRegister:
    case OpKind::kUnregister:
      return Operand::kInstance;
    case OpKind::kAdd:
    case OpKind::kRemove:
    case OpKind::kConfigure:
    case OpKind::kGetDevice:
    case OpKind::kPutDevice:
    case OpKind::kPin:
    case OpKind::kUnpin:
    case OpKind::kBind:
    case OpKind::kUnbind:
    case OpKind::kDma:
    case OpKind::kAttachPasid:
    case OpKind::kDetachPasid:
    case OpKind::kReset:
    case OpKind::kResetDone:
      return Operand::kDevice;
    case OpKind::kSetContainer:
    case OpKind::kUnsetContainer:
    case OpKind::kOpen:
    case OpKind::kClose:
      return Operand::kGroup;
    case OpKind::kSetIommu:
    case OpKind::kMap:
    case OpKind::kUnmap:
      return Operand::kContainer;
  }
  return Operand::kGroup;
}

std::optional<OpKind> FindOp(std::string_view name) {
  for (int i = 0; i < kOpKindCount; ++i)
    if (OpName(static_cast<OpKind>(i)) == name) return static_cast<OpKind>(i);
  return std::nullopt;
}

bool NamesDevice(const Fault& fault) {
  return fault.kind == Fault::Kind::kAttach || fault.kind == Fault::Kind::kProbe;
}

bool HasPages(OpKind kind) {
  return kind == OpKind::kMap || kind == OpKind::kUnmap || kind == OpKind::kPin ||
         kind == OpKind::kUnpin;
}

std::vector<std::string> IommuTypeNames() {
  std::vector<std::string> names;
  for (int i = 0; i < kIommuTypeCount; ++i)
    names.emplace_back(IommuTypeName(static_cast<IommuType>(i)));
  return names;
}

std::optional<IommuType> FindIommuType(std::string_view name) {
  for (int i = 0; i < kIommuTypeCount; ++i)
    if (IommuTypeName(static_cast<IommuType>(i)) == name) return static_cast<IommuType>(i);
  return std::nullopt;
}

std::span<const OpFlag> OpFlags(OpKind kind) {
  static constexpr std::array kUser = {OpFlag{"unprivileged", kUnprivileged}};
  static constexpr std::array kOfMap = {OpFlag{"read", kRead}, OpFlag{"write", kWrite},
                                        OpFlag{"vaddr", kVaddr}, OpFlag{"zero-page", kZeroPage}};
  static constexpr std::array kOfUnmap = {OpFlag{"vaddr", kVaddr}, OpFlag{"all", kAll}};
  static constexpr std::array kOfPin = {OpFlag{"write", kWrite}};
  switch (kind) {
    case OpKind::kOpen:
    case OpKind::kSetContainer:
    case OpKind::kSetIommu:
    case OpKind::kGetDevice:
      return kUser;
    case OpKind::kMap:
      return kOfMap;
    case OpKind::kUnmap:
      return kOfUnmap;
    case OpKind::kPin:
      return kOfPin;
    default:
      return {};
  }
}

bool HasAperture(const Instance& instance) {
  const Instance all;
  return instance.aperture_first != all.aperture_first ||
         instance.aperture_last != all.aperture_last;
}

bool HasNameCharacters(std::string_view text) {
  const auto is_name_character = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_.:+-").find(c) != std::string_view::npos;
  };
  return !text.empty() && std::ranges::all_of(text, is_name_character);
}

bool IsDeviceWord(std::string_view text) {
  return std::ranges::find(kDeviceFlags, text, &Flag<Device>::word) != kDeviceFlags.end() ||
         std::ranges::find(kFakeKinds, text, DeviceKindName) != kFakeKinds.end();
}

bool IsName(std::string_view text) {
  return HasNameCharacters(text) && text.size() <= kMaxNameLength && text != "none" &&
         !IsDeviceWord(text);
}

std::string Printable(std::string_view text) {
  std::string printable;
  for (const char c : text) {
    if (c >= 0x20 && c < 0x7f)
      printable += c;
    else
      absl::StrAppendFormat(&printable, "\\x%02x",
                            static_cast<unsigned>(static_cast<unsigned char>(c)));
  }
  return printable;
}

std::string Quote(std::string_view text) {
  constexpr size_t kShown = 64;
  return "'" + Printable(text.substr(0, kShown)) + (text.size() > kShown ? "...'" : "'");
}

std::string DidYouMean(std::string_view word, std::span<const std::string> candidates) {
  const size_t limit = std::min<size_t>(3, word.size() / 2);
  size_t least = limit + 1;
  const std::string* closest = nullptr;
  for (const std::string& candidate : candidates) {
    if (std::max(word.size(), candidate.size()) > kMaxNameLength + limit) continue;
    // A rule without its "where." is as good as close.
    const bool tail = candidate.size() > word.size() && candidate.ends_with(word) &&
                      candidate[candidate.size() - word.size() - 1] == '.';
    const size_t distance = tail ? 0 : Distance(word, candidate);
    if (distance == least) closest = nullptr;
    if (distance >= least) continue;
    least = distance;
    closest = &candidate;
  }
  return closest == nullptr ? "" : absl::StrFormat("; did you mean %s?", *closest);
}

std::vector<std::string_view> SplitLines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (true) {
    const size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return lines;
    text.remove_prefix(end + 1);
  }
}

}  // namespace iommucheck
