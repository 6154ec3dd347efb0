// SPDX-License-Identifier: Apache-2.0
#include "src/import/device_tree.h"

#include <fcntl.h>
#include <libfdt.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace iommucheck::import {
namespace {

constexpr int kMaxDepth = 64;
constexpr size_t kCell = 4;
constexpr char kBehindWhich[] = "which IOMMU the devices of the node are behind";
constexpr char kMendTree[] = "mend the property, and read the device tree again";

absl::Status Invalid(const std::string& expected, const std::string& found) {
  return absl::InvalidArgumentError(absl::StrCat("expected ", expected, ", found ", found));
}

struct Node {
  std::string name;  // "iommu@fdab9000"; the root: ""
  int parent = -1;
  bool available = true;  // of_device_is_available() of the node and of all above it
  bool own_available = true;
  std::map<std::string, std::string, std::less<>> properties;
};

// The nodes of a tree, parents before their children.
struct DeviceTree {
  std::vector<Node> nodes;
};

// The big-endian number at this cell. Precondition: it is there.
uint32_t CellAt(std::string_view bytes, size_t cell) {
  uint32_t value = 0;
  for (size_t i = 0; i < kCell; ++i)
    value = value << 8U | static_cast<unsigned char>(bytes[cell * kCell + i]);
  return value;
}

// The strings of a list, each ended by a zero byte.
std::vector<std::string> StringsOf(std::string_view bytes) {
  std::vector<std::string> strings;
  while (!bytes.empty()) {
    const size_t end = bytes.find('\0');
    strings.emplace_back(bytes.substr(0, end));
    if (end == std::string_view::npos) break;
    bytes.remove_prefix(end + 1);
  }
  return strings;
}

// As __of_device_is_available(): a status that is empty is not "okay".
bool OwnAvailable(const Node& node) {
  const auto status = node.properties.find("status");
  if (status == node.properties.end()) return true;
  const std::string text = status->second.substr(0, status->second.find('\0'));
  return text == "okay" || text == "ok";
}

// --- reading ---

// Where the structure block goes wrong; the length of the block: nowhere.
int BadOffset(const void* fdt) {
  int offset = 0;
  int next = 0;
  for (;;) {
    const uint32_t tag = fdt_next_tag(fdt, offset, &next);
    if (tag == FDT_END || next < 0) return offset;
    offset = next;
  }
}

absl::StatusOr<DeviceTree> ReadFlat(std::string_view bytes) {
  if (bytes.size() > kMaxDeviceTreeBytes)
    return Invalid(absl::StrCat("at most ", kMaxDeviceTreeBytes, " bytes"), "more");
  // libfdt wants the header aligned.
  std::vector<uint64_t> aligned(bytes.size() / 8 + 1);
  std::memcpy(aligned.data(), bytes.data(), bytes.size());
  const void* fdt = aligned.data();
  constexpr size_t kHeader = sizeof(fdt_header);
  if (bytes.size() < kHeader)
    return Invalid("a device tree with a header of 40 bytes", absl::StrCat(bytes.size(), " bytes"));
  if (const int error = fdt_check_header(fdt); error != 0)
    return Invalid("a header of a device tree at offset 0", fdt_strerror(error));
  if (fdt_totalsize(fdt) > bytes.size())
    return Invalid(absl::StrCat("the ", fdt_totalsize(fdt), " bytes that the header claims"),
                   absl::StrCat("an end at offset ", bytes.size()));
  if (const int error = fdt_check_full(fdt, bytes.size()); error != 0)
    return Invalid("a whole device tree",
                   absl::StrFormat("%s at offset 0x%x", fdt_strerror(error),
                                   fdt_off_dt_struct(fdt) + static_cast<uint32_t>(BadOffset(fdt))));
  DeviceTree tree;
  std::vector<int> above;  // the nodes around this one, by depth
  int depth = -1;
  for (int offset = fdt_next_node(fdt, -1, &depth); offset >= 0 && depth >= 0;
       offset = fdt_next_node(fdt, offset, &depth)) {
    if (depth >= kMaxDepth)
      return Invalid(absl::StrCat("nodes at most ", kMaxDepth, " deep"),
                     absl::StrFormat("one deeper at offset 0x%x",
                                     fdt_off_dt_struct(fdt) + static_cast<uint32_t>(offset)));
    if (static_cast<int>(tree.nodes.size()) >= kMaxDeviceTreeNodes)
      return Invalid(absl::StrCat("at most ", kMaxDeviceTreeNodes, " nodes"), "more");
    Node node;
    if (const char* name = fdt_get_name(fdt, offset, nullptr)) node.name = name;
    above.resize(static_cast<size_t>(depth));
    node.parent = above.empty() ? -1 : above.back();
    int property = 0;
    fdt_for_each_property_offset(property, fdt, offset) {
      const char* name = nullptr;
      int length = 0;
      const void* value = fdt_getprop_by_offset(fdt, property, &name, &length);
      if (value != nullptr && name != nullptr && IsReadProperty(name))
        node.properties.emplace(
            name, std::string(static_cast<const char*>(value), static_cast<size_t>(length)));
    }
    above.push_back(static_cast<int>(tree.nodes.size()));
    tree.nodes.push_back(std::move(node));
  }
  return tree;
}

absl::Status ReadFolderNode(const Tree& from, const std::string& folder, int parent, int depth,
                            DeviceTree& tree) {
  if (depth >= kMaxDepth)
    return Invalid(absl::StrCat("nodes at most ", kMaxDepth, " deep"), folder);
  if (static_cast<int>(tree.nodes.size()) >= kMaxDeviceTreeNodes)
    return Invalid(absl::StrCat("at most ", kMaxDeviceTreeNodes, " nodes"), "more");
  const std::optional<std::vector<std::string>> names = from.List(folder);
  if (!names) return Invalid("a device tree that can be read", absl::StrCat("no ", folder));
  const int index = static_cast<int>(tree.nodes.size());
  tree.nodes.push_back({.name = depth == 0 ? "" : BaseName(folder), .parent = parent});
  for (const std::string& name : *names) {
    const std::string path = Join(folder, name);
    if (!IsReadProperty(name) || from.KindOf(path) != Tree::Kind::kFile) continue;
    std::optional<std::string> value = from.ReadFile(path);
    if (!value) return Invalid("a property that can be read", absl::StrCat("no ", path));
    tree.nodes[static_cast<size_t>(index)].properties.emplace(name, *std::move(value));
  }
  for (const std::string& name : *names) {
    const std::string path = Join(folder, name);
    if (from.KindOf(path) != Tree::Kind::kFolder) continue;
    if (absl::Status s = ReadFolderNode(from, path, index, depth + 1, tree); !s.ok()) return s;
  }
  return absl::OkStatus();
}

// --- understanding ---

// A reference to an IOMMU.
struct Reference {
  int iommu = -1;      // a node
  uint32_t first = 0;  // the first cell of the specifier
  uint32_t base = 0;   // iommu-map: the first id that goes there
};

class Reader {
 public:
  explicit Reader(DeviceTree tree) : tree_(std::move(tree)) {}

  Found Read() {
    found_.described_only = true;
    found_.firmware = Firmware::kDt;
    found_.release_trouble = "a device tree, which is of no kernel";
    FindAvailable();
    FindPhandles();
    if (!tree_.nodes.empty())
      if (const auto model = Strings(0, "model"); !model.empty()) found_.model = model.front();
    for (int n = 0; n < Count(); ++n) AddInstance(n);
    for (int n = 0; n < Count(); ++n) AddLegacyMasters(n);
    for (int n = 0; n < Count(); ++n) AddDevices(n);
    return std::move(found_);
  }

 private:
  [[nodiscard]] int Count() const { return static_cast<int>(tree_.nodes.size()); }
  [[nodiscard]] const Node& At(int n) const { return tree_.nodes[static_cast<size_t>(n)]; }
  // nullptr: the node has no such property.
  [[nodiscard]] const std::string* Get(int n, std::string_view name) const {
    const auto it = At(n).properties.find(name);
    return it == At(n).properties.end() ? nullptr : &it->second;
  }
  [[nodiscard]] std::vector<std::string> Strings(int n, std::string_view name) const {
    const std::string* value = Get(n, name);
    return value == nullptr ? std::vector<std::string>() : StringsOf(*value);
  }
  [[nodiscard]] std::optional<uint32_t> Number(int n, std::string_view name) const {
    const std::string* value = Get(n, name);
    if (value == nullptr || value->size() != kCell) return std::nullopt;
    return CellAt(*value, 0);
  }

  [[nodiscard]] std::string PathOf(int n) const {
    std::string path;
    for (; n > 0; n = At(n).parent) path = absl::StrCat("/", At(n).name, path);
    return path.empty() ? "/" : path;
  }

  void AddGap(std::string missing, std::string unknown, std::string settle,
              Gap::Hides hides = Gap::Hides::kDevices) {
    found_.gaps.push_back({std::move(missing), std::move(unknown), std::move(settle), hides});
  }
  // A property that cannot be understood may name any IOMMU of the tree, but adds no IOMMU.
  void AddBadProperty(int n, std::string_view property, const std::string& expected,
                      const std::string& found) {
    AddGap(absl::StrFormat("%s, property %s: expected %s, found %s.", PathOf(n), property, expected,
                           found),
           kBehindWhich, kMendTree);
  }

  // A device below a node that is not available is never made.
  void FindAvailable() {
    for (Node& node : tree_.nodes) {
      node.own_available = OwnAvailable(node);
      node.available = node.own_available && (node.parent < 0 || At(node.parent).available);
    }
  }

  void FindPhandles() {
    for (int n = 0; n < Count(); ++n) {
      std::optional<uint32_t> phandle = Number(n, "phandle");
      if (!phandle) phandle = Number(n, "linux,phandle");
      if (phandle && !by_phandle_.emplace(*phandle, n).second)
        AddGap(absl::StrFormat("%s, property phandle: expected a number of its own, found 0x%x, "
                               "which another node has.",
                               PathOf(n), *phandle),
               "which node is meant by it", kMendTree);
    }
  }

  // As of_dma_is_coherent(). Only PowerPC and RISC-V are coherent where no node says so; a tree of
  // RISC-V is recognised by its `compatible` of IOMMU, whose driver claims no coherency.
  [[nodiscard]] bool IsCoherent(int n) const {
    for (; n >= 0; n = At(n).parent) {
      if (Get(n, "dma-coherent") != nullptr) return true;
      if (Get(n, "dma-noncoherent") != nullptr) return false;
    }
    return false;
  }

  [[nodiscard]] bool IsPciBus(int n) const {
    const std::vector<std::string> type = Strings(n, "device_type");
    return !type.empty() && (type.front() == "pci" || type.front() == "pciex");
  }

  // The bindings give every IOMMU this property, but the old one of the Arm SMMU.
  [[nodiscard]] bool IsIommu(int n) const {
    return Get(n, "#iommu-cells") != nullptr || Get(n, "mmu-masters") != nullptr;
  }

  // An IOMMU below /, as sysfs would name it; two nodes may share a name.
  void AddInstance(int n) {
    if (!IsIommu(n)) return;
    if (!At(n).available) {
      found_.switched_off.push_back({PathOf(n), absl::StrJoin(Strings(n, "compatible"), " ")});
      return;
    }
    if (const std::string* cells = Get(n, "#iommu-cells"); cells != nullptr && cells->size() != 4)
      AddBadProperty(n, "#iommu-cells", "4 bytes", absl::StrCat(cells->size()));
    instance_of_[n] = static_cast<int>(found_.instances.size());
    FoundInstance instance;
    instance.name = At(n).name;
    instance.of_node = PathOf(n).substr(1);
    instance.compatible = Strings(n, "compatible");
    instance.coherent = IsCoherent(n);
    if (instance.compatible.empty())
      AddGap(absl::StrCat(PathOf(n), ": expected a property compatible, found none."),
             "which driver serves the IOMMU", kMendTree, Gap::Hides::kIommus);
    found_.instances.push_back(std::move(instance));
  }

  // The node that a phandle means; -1 and a gap: none.
  int NodeAt(int n, std::string_view property, uint32_t phandle, size_t offset) {
    const auto it = by_phandle_.find(phandle);
    if (it != by_phandle_.end()) return it->second;
    AddBadProperty(n, property, "the phandle of a node",
                   absl::StrFormat("0x%x at byte %d", phandle, offset));
    return -1;
  }

  // As of_parse_phandle_with_args() for "iommus": a phandle, and as many cells as #iommu-cells of
  // its node says.
  std::vector<Reference> ReadIommus(int n) {
    std::vector<Reference> references;
    const std::string* value = Get(n, "iommus");
    if (value == nullptr) return references;
    if (value->size() % kCell != 0) {
      AddBadProperty(n, "iommus", "whole cells", absl::StrCat(value->size(), " bytes"));
      return references;
    }
    const size_t cells = value->size() / kCell;
    for (size_t c = 0; c < cells;) {
      const uint32_t phandle = CellAt(*value, c++);
      if (phandle == 0) continue;  // an empty entry
      Reference r;
      r.iommu = NodeAt(n, "iommus", phandle, (c - 1) * kCell);
      if (r.iommu < 0) return references;
      const std::optional<uint32_t> width = Number(r.iommu, "#iommu-cells");
      if (!width || *width > cells - c) {
        AddBadProperty(n, "iommus",
                       width ? absl::StrFormat("%d cells for %s", *width, PathOf(r.iommu))
                             : absl::StrCat("a node with #iommu-cells"),
                       width ? absl::StrCat(cells - c) : PathOf(r.iommu));
        return references;
      }
      if (*width > 0) r.first = CellAt(*value, c);
      c += *width;
      references.push_back(r);
    }
    return references;
  }

  // The entries of an iommu-map: the first id, a phandle, `width` cells (of the IOMMU where there is
  // none), the number of ids. nullopt: it cannot be read so.
  [[nodiscard]] std::optional<std::vector<Reference>> MapOf(std::string_view value,
                                                            std::optional<uint32_t> width) const {
    const size_t cells = value.size() / kCell;
    std::vector<Reference> entries;
    for (size_t c = 0; c < cells;) {
      if (cells - c < 3) return std::nullopt;
      const auto it = by_phandle_.find(CellAt(value, c + 1));
      if (it == by_phandle_.end()) return std::nullopt;
      const std::optional<uint32_t> own = Number(it->second, "#iommu-cells");
      if (!own) return std::nullopt;
      const uint32_t n = width.value_or(*own);
      if (n > cells - c - 3) return std::nullopt;
      entries.push_back({.iommu = it->second,
                         .first = n > 0 ? CellAt(value, c + 2) : 0,
                         .base = CellAt(value, c)});
      c += 3 + n;
    }
    return entries;
  }

  // An entry of no ids counts, too: a boot loader fills it in (Layerscape).
  static std::vector<int> IommusOf(const std::vector<Reference>& entries) {
    std::vector<int> iommus;
    iommus.reserve(entries.size());
    for (const Reference& r : entries) iommus.push_back(r.iommu);
    std::ranges::sort(iommus);
    iommus.erase(std::ranges::unique(iommus).begin(), iommus.end());
    return iommus;
  }

  // Kernels up to 6.x take four cells an entry, whatever #iommu-cells says; later ones as many as
  // it says, and trees follow either. Both are tried.
  std::vector<Reference> ReadMap(int n) {
    const std::string* value = Get(n, "iommu-map");
    if (value == nullptr) return {};
    if (value->empty() || value->size() % kCell != 0) {
      AddBadProperty(n, "iommu-map", "whole entries", absl::StrCat(value->size(), " bytes"));
      return {};
    }
    const std::optional<std::vector<Reference>> four = MapOf(*value, 1);
    const std::optional<std::vector<Reference>> own = MapOf(*value, std::nullopt);
    if (!four && !own) {
      AddBadProperty(n, "iommu-map", "entries of an id, a phandle of an IOMMU, its cells, a number",
                     absl::StrCat(value->size() / kCell, " cells that are none"));
      return {};
    }
    if (four && own && IommusOf(*four) != IommusOf(*own))
      AddBadProperty(n, "iommu-map", "entries of one width", "some that can be read in two");
    return own ? *own : *four;
  }

  // A device of a bus is behind the IOMMUs of its references, each once.
  FoundDevice Device(int n, std::string name, Bus bus, const std::vector<Reference>& references) {
    FoundDevice device{.name = std::move(name), .bus = bus, .folder = PathOf(n).substr(1)};
    device.coherent = IsCoherent(n);
    for (const Reference& r : references) {
      const auto it = instance_of_.find(r.iommu);
      if (it != instance_of_.end()) {
        device.masters.emplace_back(it->second, r.first);
        continue;
      }
      // of_iommu_xlate() fails for it, and the device is left without its other IOMMUs, too.
      found_.behind_off.push_back(device.name);
      return device;
    }
    return device;
  }

  [[nodiscard]] Bus BusOf(int n) const {
    for (const std::string& compatible : Strings(n, "compatible"))
      if (compatible == "arm,primecell") return Bus::kAmba;
    return Bus::kPlatform;
  }

  // The bus of the devices that an iommu-map of this node maps.
  [[nodiscard]] Bus MappedBus(int n) const {
    if (IsPciBus(n)) return Bus::kPci;
    for (const std::string& compatible : Strings(n, "compatible")) {
      if (compatible == "fsl,qoriq-mc") return Bus::kFslMc;
      if (compatible.ends_with("-host1x")) return Bus::kHost1x;
      if (compatible.starts_with("xlnx,") && compatible.find("cdx") != std::string::npos)
        return Bus::kCdx;
    }
    return Bus::kPlatform;
  }

  void AddDevices(int n) {
    if (!At(n).available || (Get(n, "iommus") == nullptr && Get(n, "iommu-map") == nullptr)) return;
    // PCI functions take the properties of their host bridge (pci_dma_configure()).
    if (At(n).parent >= 0 && IsPciBus(At(n).parent)) return;
    const std::vector<Reference> references = ReadIommus(n);
    if (!references.empty()) found_.devices.push_back(Device(n, At(n).name, BusOf(n), references));
    AddMapped(n);
  }

  // Firmware does not say which devices are on a bus. Two stand for those behind an IOMMU.
  void AddMapped(int n) {
    const std::vector<Reference> entries = ReadMap(n);
    const uint32_t mask = Number(n, "iommu-map-mask").value_or(0xffffffff);
    if (const std::string* value = Get(n, "iommu-map-mask"); value != nullptr && value->size() != 4)
      AddBadProperty(n, "iommu-map-mask", "4 bytes", absl::StrCat(value->size()));
    const Bus bus = MappedBus(n);
    const std::vector<int> iommus = IommusOf(entries);
    for (const int iommu : iommus) {
      const auto entry = std::ranges::find(entries, iommu, &Reference::iommu);
      if ((entry->base & ~mask) != 0) {
        AddBadProperty(n, "iommu-map", absl::StrFormat("ids within iommu-map-mask 0x%x", mask),
                       absl::StrFormat("0x%x", entry->base));
        continue;
      }
      for (const char* which : {"1", "2"}) {
        FoundDevice device = Device(
            n, absl::StrCat(At(n).name, iommus.size() > 1 ? "-" + At(iommu).name : "", "-", which),
            bus, {*entry});
        device.stands_for_bus = true;
        found_.devices.push_back(std::move(device));
      }
    }
    found_.hosts += bus == Bus::kPci && !iommus.empty() ? 1 : 0;
    if (iommus.size() > 1 && bus == Bus::kPci) found_.split_hosts.push_back(At(n).name);
  }

  // The old binding of the Arm SMMU: the IOMMU names its devices.
  void AddLegacyMasters(int n) {
    if (Get(n, "mmu-masters") == nullptr || !At(n).available) return;
    AddBadProperty(n, "mmu-masters", "the binding by iommus and iommu-map",
                   "the old one, of which the devices are not read");
  }

  DeviceTree tree_;
  Found found_;
  std::map<uint32_t, int> by_phandle_;
  std::map<int, int> instance_of_;  // by node
};

// --- sources ---

class Pipe {
 public:
  Pipe() { ok_ = pipe2(ends_.data(), O_CLOEXEC) == 0; }
  ~Pipe() {
    for (const int end : ends_)
      if (end >= 0) close(end);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] int from() const { return ends_[0]; }
  [[nodiscard]] int into() const { return ends_[1]; }
  void CloseInto() {
    close(ends_[1]);
    ends_[1] = -1;
  }

 private:
  std::array<int, 2> ends_ = {-1, -1};
  bool ok_ = false;
};

// Reads both pipes to their ends, so that neither fills up; what is beyond the limit is dropped.
void ReadBoth(int a, std::string& text_a, int b, std::string& text_b) {
  std::array<pollfd, 2> polls = {pollfd{a, POLLIN, 0}, pollfd{b, POLLIN, 0}};
  std::array<std::string*, 2> texts = {&text_a, &text_b};
  std::array<char, 65536> buffer{};
  while (polls[0].fd >= 0 || polls[1].fd >= 0) {
    if (poll(polls.data(), polls.size(), -1) < 0 && errno != EINTR) return;
    for (size_t i = 0; i < polls.size(); ++i) {
      if (polls[i].fd < 0 || polls[i].revents == 0) continue;
      const ssize_t got = read(polls[i].fd, buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) {
        polls[i].fd = -1;
      } else if (texts[i]->size() <= kMaxDeviceTreeBytes) {
        texts[i]->append(buffer.data(), static_cast<size_t>(got));
      }
    }
  }
}

}  // namespace

bool IsReadProperty(std::string_view name) {
  constexpr std::string_view kRead[] = {
      "compatible",  "status",         "phandle",      "linux,phandle", "iommus",
      "iommu-map",   "iommu-map-mask", "#iommu-cells", "dma-coherent",  "dma-noncoherent",
      "device_type", "mmu-masters",    "model"};
  return std::ranges::find(kRead, name) != std::end(kRead);
}

bool IsDeviceTree(std::string_view bytes) { return bytes.starts_with("\xd0\x0d\xfe\xed"); }

bool IsDeviceTreeSource(std::string_view text) {
  for (;;) {
    const size_t start = text.find_first_not_of(" \t\r\n");
    if (start == std::string_view::npos) return false;
    text.remove_prefix(start);
    const bool block = text.starts_with("/*");
    if (!block && !text.starts_with("//")) return text.starts_with("/dts-v1/");
    const size_t end = block ? text.find("*/", 2) : text.find('\n');
    if (end == std::string_view::npos) return false;
    text.remove_prefix(end + (block ? 2 : 1));
  }
}

absl::StatusOr<Found> ReadDeviceTree(std::string_view bytes) {
  absl::StatusOr<DeviceTree> tree = ReadFlat(bytes);
  if (!tree.ok()) return tree.status();
  return Reader(*std::move(tree)).Read();
}

std::vector<FoundNode> NodesOf(const Found& tree) {
  std::vector<FoundNode> nodes;
  nodes.reserve(tree.instances.size());
  for (const FoundInstance& instance : tree.instances)
    nodes.push_back({instance.of_node, absl::StrJoin(instance.compatible, " ")});
  return nodes;
}

bool IsDeviceTreeFolder(const Tree& tree, const std::string& root) {
  return tree.KindOf(Join(root, "#address-cells")) == Tree::Kind::kFile &&
         tree.KindOf(Join(root, "compatible")) == Tree::Kind::kFile;
}

absl::StatusOr<Found> ReadDeviceTreeFolder(const Tree& tree, const std::string& root) {
  DeviceTree nodes;
  if (absl::Status s = ReadFolderNode(tree, root, -1, 0, nodes); !s.ok()) return s;
  return Reader(std::move(nodes)).Read();
}

absl::StatusOr<std::string> CompileDeviceTree(const std::string& path) {
  Pipe out;
  Pipe err;
  if (!out.ok() || !err.ok()) return Invalid("a pipe to dtc", std::strerror(errno));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, path.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out.into(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.into(), STDERR_FILENO);
  // From standard input, so that no name is an option.
  std::array<std::string, 8> words = {"dtc", "-q", "-I", "dts", "-O", "dtb", "-o", "-"};
  std::array<char*, 9> args{};
  for (size_t i = 0; i < words.size(); ++i) args[i] = words[i].data();
  pid_t child = 0;
  const int error = posix_spawnp(&child, "dtc", &actions, nullptr, args.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0)
    return Invalid("the program dtc (package device-tree-compiler) for a source",
                   std::strerror(error));
  out.CloseInto();
  err.CloseInto();
  std::string bytes;
  std::string said;
  ReadBoth(out.from(), bytes, err.from(), said);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return Invalid("a source that dtc compiles",
                   said.empty() ? "an error" : said.substr(0, said.find('\n')));
  return bytes;
}

}  // namespace iommucheck::import
