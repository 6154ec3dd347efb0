// SPDX-License-Identifier: Apache-2.0
#include "src/explore/state_codec.h"

#include <algorithm>
#include <numeric>

namespace iommucheck::explore {
namespace {

constexpr int kGlobalsWidth = 14;
constexpr int kDomainsWidth = 17;
constexpr int kDeviceWidth = 6;  // bits of a cluster for each of its devices
constexpr int kMaxClusterWidth = 16;

std::vector<std::vector<DeviceId>> ClustersOf(const Topology& t) {
  std::vector<std::vector<DeviceId>> clusters;
  std::array<size_t, kMaxDevices> of{};
  for (DeviceId d = 0; d < t.devices_count; ++d) {
    of[d] = clusters.size();
    for (DeviceId other = 0; other < d && of[d] == clusters.size(); ++other)
      if (t.connected(d, other)) of[d] = of[other];
    if (of[d] == clusters.size()) clusters.emplace_back();
    clusters[of[d]].push_back(d);
  }
  return clusters;
}

}  // namespace

void PartTables::Clear() {
  globals.Clear();
  domains.Clear();
  for (Interner& cluster : clusters) cluster.Clear();
  whole.Clear();
}

uint64_t PartTables::bytes() const {
  uint64_t bytes = globals.bytes() + domains.bytes();
  for (const Interner& cluster : clusters) bytes += cluster.bytes();
  return bytes + whole.bytes();
}

StateCodec::StateCodec(const KernelProfile& kernel, const Shape& shape, PartTables& tables)
    : packer_(kernel, shape),
      tables_(tables),
      splits_(shape.open.empty() && shape.containers == 1 && !packer_.instance_groups() &&
              shape.max_groups >= shape.topology.devices_count),
      clusters_(ClustersOf(shape.topology)) {
  for (size_t k = 0; k < clusters_.size(); ++k)
    for (const DeviceId d : clusters_[k]) cluster_of_[d] = static_cast<uint8_t>(k);
  std::iota(table_of_.begin(), table_of_.end(), uint8_t{0});
  const int width = Width(shape.topology.devices_count);
  layout_.list_width = static_cast<unsigned>(width);
  list_length_ = std::min<int>(shape.topology.devices_count, 63 / std::max(1, width));
  if (splits_) LayOut();
  if (splits_ && !packer_.order_kept()) FindAlike(shape.topology);
  if (!splits_) words_ = 1;
}

void StateCodec::LayOut() {
  std::array<int, 2> used = {1, 0};  // the lowest bit says that a state is whole
  if (clusters_.size() > kMaxClusters || clusters_.empty()) {
    splits_ = false;
    return;
  }
  layout_.globals = Allocate(kGlobalsWidth, used);
  layout_.domains = Allocate(kDomainsWidth, used);
  layout_.list = Allocate(static_cast<int>(layout_.list_width) * list_length_, used);
  for (size_t k = 0; k < clusters_.size() && splits_; ++k) {
    const int width = kDeviceWidth * static_cast<int>(clusters_[k].size());
    layout_.clusters[k] = Allocate(std::min(width, kMaxClusterWidth), used);
  }
  words_ = used[1] > 0 ? 2 : 1;
}

Field StateCodec::Allocate(int width, std::array<int, 2>& used) {
  for (uint8_t word = 0; word < 2; ++word)
    if (used[word] + width <= 64) {
      const auto shift = static_cast<uint8_t>(used[word]);
      used[word] += width;
      return {word, shift, static_cast<uint8_t>(width)};
    }
  splits_ = false;
  return {};
}

void StateCodec::FindAlike(const Topology& t) {
  alike_of_.fill(kNoId);
  for (size_t k = 0; k < clusters_.size(); ++k) {
    if (clusters_[k].size() != 1 || alike_of_[clusters_[k][0]] != kNoId) continue;
    std::vector<uint8_t> alike;
    for (size_t other = k; other < clusters_.size(); ++other)
      if (clusters_[other].size() == 1 &&
          t.devices[clusters_[other][0]] == t.devices[clusters_[k][0]])
        alike.push_back(static_cast<uint8_t>(other));
    if (alike.size() < 2) continue;
    for (const uint8_t member : alike) {
      table_of_[member] = static_cast<uint8_t>(k);
      alike_of_[clusters_[member][0]] = static_cast<uint8_t>(alike_.size());
    }
    alike_.push_back(alike);
  }
}

StateKey StateCodec::Canonical(const StateKey& key) const {
  if (alike_.empty() || IsWhole(key)) return key;
  StateKey to = key;
  std::array<uint8_t, kMaxClusters> named{};  // by set of alike_: how many have a new name
  std::array<bool, kMaxDevices> in_list{};
  std::array<std::array<uint16_t, kMaxClusters>, kMaxClusters / 2> parts;  // by new name
  uint64_t list = 0;
  const uint64_t old_list = layout_.list.Of(key);
  unsigned shift = 0;
  for (uint64_t left = old_list; left != 0; left >>= layout_.list_width) {
    DeviceId d = layout_.Listed(left);
    in_list[d] = true;
    if (const uint8_t a = alike_of_[d]; a != kNoId) {
      const uint8_t n = named[a]++;
      // Alike devices are each the only one of their cluster.
      parts[a][n] = static_cast<uint16_t>(layout_.clusters[cluster_of_[d]].Of(key));
      d = clusters_[alike_[a][n]][0];
    }
    list |= uint64_t{d + 1U} << shift;
    shift += layout_.list_width;
  }
  layout_.list.Change(to, old_list ^ list);
  for (size_t a = 0; a < alike_.size(); ++a) {
    auto& of = parts[a];
    size_t count = named[a];
    for (const uint8_t k : alike_[a]) {
      if (in_list[clusters_[k][0]]) continue;
      const auto part = static_cast<uint16_t>(layout_.clusters[k].Of(key));
      size_t at = count++;
      for (; at > named[a] && of[at - 1] > part; --at) of[at] = of[at - 1];
      of[at] = part;
    }
    for (size_t n = 0; n < count; ++n) {
      const Field& field = layout_.clusters[alike_[a][n]];
      field.Change(to, field.Of(key) ^ of[n]);
    }
  }
  return to;
}

// The orders of each set of alike devices; orders that only swap two devices that are not in the
// list and have the same part count once.
uint64_t StateCodec::OrbitOf(const StateKey& canonical) const {
  if (alike_.empty() || IsWhole(canonical)) return 1;
  std::array<bool, kMaxDevices> in_list{};
  for (uint64_t left = layout_.list.Of(canonical); left != 0; left >>= layout_.list_width)
    in_list[layout_.Listed(left)] = true;
  uint64_t orbit = 1;
  for (const std::vector<uint8_t>& alike : alike_) {
    uint64_t same = 0;
    uint64_t last = 0;
    for (size_t n = 0; n < alike.size(); ++n) {
      const uint64_t part = layout_.clusters[alike[n]].Of(canonical);
      if (in_list[clusters_[alike[n]][0]])
        same = 0;
      else
        same = same > 0 && part == last ? same + 1 : 1;
      last = part;
      // (n + 1)! divided by the factorials of runs of equal parts, factor by factor.
      orbit = orbit * (n + 1) / std::max<uint64_t>(same, 1);
    }
  }
  return orbit;
}

Split StateCodec::SplitOf(const StateKey& key) const {
  Split split{.globals = static_cast<uint32_t>(layout_.globals.Of(key)),
              .domains = static_cast<uint32_t>(layout_.domains.Of(key)),
              .list = layout_.list.Of(key)};
  for (size_t k = 0; k < clusters_.size(); ++k)
    split.clusters[k] = static_cast<uint16_t>(layout_.clusters[k].Of(key));
  return split;
}

std::optional<StateKey> StateCodec::TrySplit(const State& state, const Values& values) {
  if (!splits_) return std::nullopt;
  StateKey key;
  const auto put = [&](Interner& interner, const Field& field) {
    const uint32_t end = 1U << field.width;
    const uint32_t number = interner.Add(key_.span(), end);
    field.Change(key, number);
    return number < end;
  };
  std::array<DeviceId, kMaxDevices> list{};
  const int groups = packer_.PackContainer(state, list, key_);
  if (groups < 0 || groups > list_length_) return std::nullopt;
  if (!put(tables_.domains, layout_.domains)) return std::nullopt;
  uint64_t packed = 0;
  for (int n = groups - 1; n >= 0; --n)
    packed = packed << layout_.list_width | (list[static_cast<size_t>(n)] + 1U);
  layout_.list.Change(key, packed);
  for (size_t k = 0; k < clusters_.size(); ++k)
    if (!packer_.PackCluster(state, clusters_[k], key_) ||
        !put(tables_.clusters[table_of_[k]], layout_.clusters[k]))
      return std::nullopt;
  packer_.PackGlobals(state, values, key_);
  if (!put(tables_.globals, layout_.globals)) return std::nullopt;
  return key;
}

StateCodec::Encoded StateCodec::Encode(const State& state, const Values& values) {
  if (const auto key = TrySplit(state, values)) return {.key = *key};
  packer_.Pack(state, values, key_);
  const std::lock_guard lock(tables_.whole_mutex);
  const KeySet::Added added = tables_.whole.Add(key_.span());
  return {.key = {{uint64_t{added.place} << 1U | 1U}}, .is_new = added.is_new};
}

void StateCodec::Decode(const StateKey& key, State& state, Values& values) {
  if (IsWhole(key)) {
    const std::lock_guard lock(tables_.whole_mutex);
    return packer_.Unpack(tables_.whole.KeyAt(static_cast<uint32_t>(key.words[0] >> 1U)), state,
                          values);
  }
  const Split split = SplitOf(key);
  packer_.Blank(state);
  for (size_t k = 0; k < clusters_.size(); ++k)
    packer_.UnpackCluster(tables_.clusters[table_of_[k]].Get(split.clusters[k]), clusters_[k],
                          state);
  packer_.UnpackGlobals(tables_.globals.Get(split.globals), state, values);
  std::array<DeviceId, kMaxDevices> list{};
  size_t groups = 0;
  for (uint64_t left = split.list; left != 0; left >>= layout_.list_width)
    list[groups++] = layout_.Listed(left);
  packer_.UnpackContainer(tables_.domains.Get(split.domains), std::span(list).first(groups), state);
}

}  // namespace iommucheck::explore
