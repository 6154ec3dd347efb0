// SPDX-License-Identifier: Apache-2.0
#include "src/import/snapshot.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "src/import/device_tree.h"
#include "src/import/sysfs.h"

namespace iommucheck::import {
namespace {

constexpr int kMaxDepth = 64;
// The links of a device's folder that are read.
constexpr const char* kLinks[] = {"device", "driver", "iommu", "iommu_group", "of_node"};

class Recorder {
 public:
  explicit Recorder(const Tree& tree) : tree_(tree) {}

  absl::StatusOr<std::string> Record() {
    if (tree_.KindOf("sys/bus") != Tree::Kind::kFolder)
      return absl::InvalidArgumentError("expected a sys folder, found none");
    TakeRelease();
    TakeLinks("sys/class/iommu");
    for (const std::string_view bus : kBusFolders) TakeLinks(Join(Join("sys/bus", bus), "devices"));
    TakeGroups();
    TakeTables();
    TakeNode("sys/firmware/devicetree/base", 0);
    if (!status_.ok()) return status_;
    return Packed();
  }

 private:
  struct Entry {
    Tree::Kind kind{};
    std::string text;  // of a file; the target of a link
  };

  [[nodiscard]] std::vector<std::string> List(const std::string& folder) const {
    return tree_.List(folder).value_or(std::vector<std::string>());
  }

  // Adds what is at the path, if it is of this kind; false: it is not.
  bool Take(const std::string& path, Tree::Kind kind) {
    if (tree_.KindOf(path) != kind) return false;
    std::optional<std::string> text = "";
    if (kind == Tree::Kind::kFile) text = tree_.ReadFile(path);
    if (kind == Tree::Kind::kLink) text = tree_.ReadLink(path);
    if (!text) return false;
    for (std::string above = FolderOf(path); !above.empty(); above = FolderOf(above))
      entries_.try_emplace(above, Entry{.kind = Tree::Kind::kFolder, .text = ""});
    entries_[path] = {.kind = kind, .text = *std::move(text)};
    return true;
  }

  // The rest of the line says who built the kernel, and where.
  void TakeRelease() {
    constexpr std::string_view kStart = "Linux version ";
    const std::string text = tree_.ReadFile("proc/version").value_or("");
    if (!text.starts_with(kStart)) return;
    entries_["proc"] = {.kind = Tree::Kind::kFolder, .text = ""};
    entries_["proc/version"] = {
        .kind = Tree::Kind::kFile,
        .text = text.substr(0, text.find_first_of(" \n", kStart.size())) + "\n"};
  }

  // A folder of links to devices, and the devices.
  void TakeLinks(const std::string& folder) {
    if (!Take(folder, Tree::Kind::kFolder)) return;
    for (const std::string& name : List(folder)) {
      const std::string path = Join(folder, name);
      if (!Take(path, Tree::Kind::kLink)) continue;
      const absl::StatusOr<std::optional<std::string>> end = Resolve(tree_, path);
      status_.Update(end.status());
      if (const auto device = end.value_or(std::nullopt)) TakeDevice(*device);
    }
  }

  void TakeDevice(const std::string& device) {
    if (!Take(device, Tree::Kind::kFolder)) return;
    // A driver of the folder above may be that of the IOMMU.
    for (std::string at = device; !at.empty() && at != "sys"; at = FolderOf(at))
      for (const char* link : kLinks) Take(Join(at, link), Tree::Kind::kLink);
    // An IOMMU that sys/class/iommu does not list has a folder here, too.
    TakeIn(Join(device, "iommu"), Tree::Kind::kFolder);
    TakeIn(Join(device, "devices"), Tree::Kind::kLink);
    const std::string registers = Join(device, "intel-iommu");
    if (tree_.KindOf(registers) == Tree::Kind::kFolder)
      for (const char* name : {"address", "cap", "ecap", "version"})
        Take(Join(registers, name), Tree::Kind::kFile);
  }

  // What a folder has of this kind. A link to a folder is none.
  void TakeIn(const std::string& folder, Tree::Kind kind) {
    if (tree_.KindOf(folder) != Tree::Kind::kFolder) return;
    for (const std::string& name : List(folder)) Take(Join(folder, name), kind);
  }

  void TakeGroups() {
    const std::string groups = "sys/kernel/iommu_groups";
    if (!Take(groups, Tree::Kind::kFolder)) return;
    for (const std::string& group : List(groups)) {
      const std::string folder = Join(groups, group);
      Take(Join(folder, "type"), Tree::Kind::kFile);
      Take(Join(folder, "reserved_regions"), Tree::Kind::kFile);
      TakeIn(Join(folder, "devices"), Tree::Kind::kLink);
    }
  }

  // FACP is in every machine, and shows that the folder could be read.
  void TakeTables() {
    const std::string folder = "sys/firmware/acpi/tables";
    Take(folder, Tree::Kind::kFolder);
    std::vector<std::string> names(kTables.begin(), kTables.end());
    names.emplace_back("FACP");
    for (const std::string& name : names) {
      const std::string path = Join(folder, name);
      if (tree_.KindOf(path) == Tree::Kind::kFile && !Take(path, Tree::Kind::kFile))
        status_.Update(absl::InvalidArgumentError(
            absl::StrCat("expected ", path, " to be readable, found that it is not: run as root")));
    }
  }

  void TakeNode(const std::string& folder, int depth) {
    if (depth >= kMaxDepth || !Take(folder, Tree::Kind::kFolder)) return;
    for (const std::string& name : List(folder)) {
      const std::string path = Join(folder, name);
      if (IsReadProperty(name)) Take(path, Tree::Kind::kFile);
      if (tree_.KindOf(path) == Tree::Kind::kFolder) TakeNode(path, depth + 1);
    }
  }

  [[nodiscard]] absl::StatusOr<std::string> Packed() const {
    const std::unique_ptr<archive, int (*)(archive*)> out(archive_write_new(), archive_write_free);
    std::string bytes;
    archive_write_set_format_pax_restricted(out.get());
    archive_write_add_filter_gzip(out.get());
    archive_write_set_bytes_in_last_block(out.get(), 1);  // no zero bytes after it
    archive_write_set_filter_option(out.get(), "gzip", "timestamp", nullptr);
    const auto append = [](archive*, void* to, const void* from, size_t size) {
      static_cast<std::string*>(to)->append(static_cast<const char*>(from), size);
      return static_cast<la_ssize_t>(size);
    };
    int result = archive_write_open(out.get(), &bytes, nullptr, append, nullptr);
    for (const auto& [path, entry] : entries_) {
      const std::unique_ptr<archive_entry, void (*)(archive_entry*)> header(archive_entry_new(),
                                                                            archive_entry_free);
      const bool file = entry.kind == Tree::Kind::kFile;
      const bool link = entry.kind == Tree::Kind::kLink;
      archive_entry_set_pathname(header.get(), path.c_str());
      archive_entry_set_filetype(header.get(), file ? AE_IFREG : link ? AE_IFLNK : AE_IFDIR);
      archive_entry_set_perm(header.get(), file ? 0644 : 0755);
      if (link) archive_entry_set_symlink(header.get(), entry.text.c_str());
      archive_entry_set_size(header.get(), file ? static_cast<la_int64_t>(entry.text.size()) : 0);
      result = std::min(result, archive_write_header(out.get(), header.get()));
      if (file && archive_write_data(out.get(), entry.text.data(), entry.text.size()) < 0)
        result = ARCHIVE_FATAL;
    }
    result = std::min(result, archive_write_close(out.get()));
    if (result < ARCHIVE_WARN)
      return absl::InvalidArgumentError(absl::StrCat("expected names that a tar can have, found: ",
                                                     archive_error_string(out.get())));
    return bytes;
  }

  const Tree& tree_;
  std::map<std::string, Entry> entries_;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<std::string> TakeSnapshot(const Tree& tree) { return Recorder(tree).Record(); }

}  // namespace iommucheck::import
