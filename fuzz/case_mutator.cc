// SPDX-License-Identifier: Apache-2.0
#include "fuzz/case_mutator.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

#include "fuzz/feedback.h"
#include "model/invariants.h"
#include "model/step.h"
#include "src/case/bytes.h"

// Of the engine, if it has one: changes bytes.
extern "C" __attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t* data, size_t size,
                                                         size_t max_size);

namespace iommucheck::fuzzing {
namespace {

using draw::Shape;
using draw::Words;

class CaseMutator {
 public:
  // `most_ops`: that there is room for.
  CaseMutator(DecodedCase& c, unsigned seed, Scope scope, int most_ops)
      : c_(c),
        words_(seed),
        shape_{.drivers = 4, .instances = 6, .devices = 8, .scope = scope},
        most_ops_(most_ops) {}

  void Mutate() {
    for (int more = 1 + words_.Below(3); more > 0; --more) MutateOnce();
    while (c_.ops_count > most_ops_) Erase(words_.Below(c_.ops_count), 1);
  }

 private:
  void MutateOnce() {
    const Topology& t = c_.topology;
    if (t.drivers_count == 0 || t.instances_count == 0 || t.devices_count == 0) return Fresh();
    switch (words_.Below(20)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        return InsertOp();
      case 5:
        return ReplaceOp();
      case 6:
      case 7:
        return EraseOps();
      case 8:
        return MoveOp();
      case 9:
        return RepeatOps();
      case 10:
      case 11:
      case 12:
        return ChangeMachine();
      case 13:
        return ChangeAssumptions();
      case 14:
        return ChangeVersion();
      case 15:
        return ReplaceDriver();
      case 16:
        return AddMaster();
      case 17:
      case 18:
        return ChangeWhatIsAssumed();
      default:
        return Fresh();
    }
  }

  [[nodiscard]] std::span<Op> ops() {
    return std::span(c_.ops).first(static_cast<size_t>(c_.ops_count));
  }
  size_t Place() { return words_.Below(c_.ops_count + 1); }

  // The state before op `at`, on the kernel of the input.
  const State& StateBefore(size_t at) {
    const KernelProfile kernel = ProfileOf(c_.kernel);
    state_ = InitialState(c_.topology);
    for (const Op& op : ops().first(at)) Step(kernel, c_.topology, op, state_, events_);
    return state_;
  }

  void Insert(size_t at, const Op& op) {
    if (c_.ops_count == kMaxDecodedOps) return;
    ++c_.ops_count;
    std::shift_right(ops().begin() + static_cast<std::ptrdiff_t>(at), ops().end(), 1);
    ops()[at] = op;
  }
  void InsertOp() {
    const size_t at = Place();
    Insert(at, draw::DrawOp(words_, c_.topology, shape_, &StateBefore(at)));
  }
  void ReplaceOp() {
    if (c_.ops_count == 0) return InsertOp();
    const size_t at = words_.Below(c_.ops_count);
    ops()[at] = draw::DrawOp(words_, c_.topology, shape_, &StateBefore(at));
  }
  void EraseOps() {
    if (c_.ops_count == 0) return InsertOp();
    const int at = words_.Below(c_.ops_count);
    const int count = words_.OneIn(2) ? 1 : 1 + words_.Below(c_.ops_count - at);
    Erase(at, count);
  }
  void Erase(int at, int count) {
    std::shift_left(ops().begin() + at, ops().end(), count);
    c_.ops_count -= count;
  }
  void MoveOp() {
    if (c_.ops_count < 2) return InsertOp();
    const int from = words_.Below(c_.ops_count);
    Move(from, words_.Below(c_.ops_count));
  }
  void Move(int from, int to) {
    const auto begin = ops().begin();
    if (from < to)
      std::rotate(begin + from, begin + from + 1, begin + to + 1);
    else
      std::rotate(begin + to, begin + from, begin + from + 1);
  }
  // A few ops again, later or at once.
  void RepeatOps() {
    if (c_.ops_count == 0) return InsertOp();
    size_t from = words_.Below(c_.ops_count);
    size_t at = Place();
    for (int more = 1 + words_.Below(4); more > 0 && from < ops().size(); --more) {
      const Op op = ops()[from];
      Insert(at, op);
      from += at <= from ? 2 : 1;
      ++at;
    }
  }

  // A driver goes and another one comes, as when modules are loaded anew.
  void ReplaceDriver() {
    const size_t at = Place();
    const State& s = StateBefore(at);
    if (s.registered_count == 0) return InsertOp();
    Insert(at, {.kind = OpKind::kUnregister, .a = s.registered[words_.Below(s.registered_count)]});
    Insert(at + 1, {.kind = OpKind::kRegister, .a = words_.Below(c_.topology.instances_count)});
  }

  // A driver's instance registers once firmware has described some devices, and not others.
  void RegisterAmidFirmware(DriverId driver) {
    std::array<uint8_t, kMaxDecodedOps> places;
    int count = 0;
    int from = -1;
    for (int i = 0; i < c_.ops_count; ++i) {
      if (c_.ops[i].kind == OpKind::kConfigure) places[count++] = static_cast<uint8_t>(i);
      if (from < 0 && c_.ops[i].kind == OpKind::kRegister && DriverOf(c_.ops[i].a) == driver)
        from = i;
    }
    if (count != 0 && from >= 0) Move(from, places[words_.Below(count)]);
  }

  // What assumptions about drivers exclude, in a run in which it may matter: a driver that takes any
  // device comes before firmware has described all of them, and one whose ops lie where those of
  // another lay comes after that one has gone.
  void ChangeWhatIsAssumed() {
    Topology t = c_.topology;
    const DriverId self = words_.Below(t.drivers_count);
    const DriverId other = words_.Below(t.drivers_count);
    Driver& driver = t.drivers[self];
    const int what = words_.Below(3);
    switch (what) {
      case 0:
        driver.accepts_foreign = !driver.accepts_foreign || words_.OneIn(2);
        break;
      case 1:
        driver.address = driver.address == kNoId ? other : kNoId;
        break;
      default:
        driver.table = t.drivers[other].table;
        break;
    }
    if (!IsValid(t)) return;
    c_.topology = t;
    if (driver.accepts_foreign && what == 0) return RegisterAmidFirmware(self);
    if (driver.address != kNoId && what == 1) ReplaceByDriver(self);
  }

  [[nodiscard]] DriverId DriverOf(InstanceId i) const {
    return i == kNoId ? kNoId : c_.topology.instances[i].driver;
  }

  // A driver goes, with all of its instances, and from under a user; the driver at its address comes,
  // and what it serves goes to the same user.
  void ReplaceByDriver(DriverId driver) {
    const DriverId old = c_.topology.drivers[driver].address;
    size_t at = words_.OneIn(2) ? ops().size() : Place();
    GroupId group = TakenFrom(StateBefore(at), [&](InstanceId i) { return DriverOf(i) == old; });
    if (group != kNoId) {
      Insert(at++, {.kind = OpKind::kSetContainer, .a = group, .b = 0});
      Insert(at++, {.kind = OpKind::kSetIommu, .a = 0, .b = 0});
    }
    const State& s = state_;
    for (const InstanceId i : std::span(s.registered).first(s.registered_count))
      if (DriverOf(i) == old) Insert(at++, {.kind = OpKind::kUnregister, .a = i});
    for (InstanceId i = 0; i < c_.topology.instances_count; ++i)
      if (DriverOf(i) == driver) Insert(at++, {.kind = OpKind::kRegister, .a = i});
    for (DeviceId d = 0; d < c_.topology.devices_count; ++d)
      if (DriverOf(c_.topology.devices[d].masters[0]) == driver)
        Insert(at++, {.kind = OpKind::kConfigure, .a = d});
    if (at > ops().size()) return;
    group = TakenFrom(StateBefore(at), [&](InstanceId i) { return DriverOf(i) == driver; });
    if (group != kNoId) Insert(at, {.kind = OpKind::kSetContainer, .a = group, .b = 0});
  }

  // A group in no container of a device whose instance `is` one that is asked for.
  template <typename Is>
  GroupId TakenFrom(const State& s, Is is) {
    for (const DeviceState& d : std::span(s.devices).first(c_.topology.devices_count))
      if (d.group != kNoId && s.groups[d.group].container == kNoId && is(d.instance))
        return d.group;
    return kNoId;
  }

  void AddMaster() {
    Topology t = c_.topology;
    Device& device = t.devices[words_.Below(t.devices_count)];
    if (device.masters[0] == kNoId) return ChangeMachine();
    device.masters[1] = words_.Below(t.instances_count);
    if (device.masters[1] == device.masters[0]) device.masters[1] = kNoId;
    if (IsValid(t)) c_.topology = t;
  }

  // One entry of another machine of the same counts takes the place of the one here, or comes in
  // addition.
  void ChangeMachine() {
    Topology other = draw::DrawTopology(words_, shape_);
    Topology t = c_.topology;
    switch (words_.Below(12)) {
      case 8:
      case 9:
      case 10:
      case 11:
        draw::ChangeAttribute(words_, shape_, t);
        break;
      case 0:
        t.settings = other.settings;
        break;
      case 1:
        t.firmware = other.firmware;
        break;
      case 2:
      case 3: {
        const int driver = words_.Below(std::min<int>(t.drivers_count + 1, shape_.drivers));
        t.drivers[driver] = other.drivers[words_.Below(other.drivers_count)];
        t.drivers_count = std::max(t.drivers_count, static_cast<uint8_t>(driver + 1));
        t.tables_count = std::max(t.tables_count, other.tables_count);
        break;
      }
      case 4:
      case 5: {
        const int instance = words_.Below(std::min<int>(t.instances_count + 1, shape_.instances));
        Instance& to = t.instances[instance];
        to = other.instances[words_.Below(other.instances_count)];
        to.driver = static_cast<DriverId>(to.driver % std::max<uint8_t>(1, t.drivers_count));
        to.table = t.drivers[to.driver].table;
        t.instances_count = std::max(t.instances_count, static_cast<uint8_t>(instance + 1));
        break;
      }
      default: {
        const int device = words_.Below(std::min<int>(t.devices_count + 1, shape_.devices));
        t.devices[device] = other.devices[words_.Below(other.devices_count)];
        t.devices_count = std::max(t.devices_count, static_cast<uint8_t>(device + 1));
        break;
      }
    }
    if (IsValid(t)) c_.topology = t;
  }

  void ChangeAssumptions() {
    const auto rules = AllRules();
    const RuleInfo& info = rules[words_.Next() % rules.size()];
    if (info.kind != RuleKind::kAssumption) return ChangeVersion();
    const bool has = ProfileOf(c_.kernel.version).has(info.rule);
    RuleSet& changed = has ? c_.kernel.dropped : c_.kernel.added;
    changed.has(info.rule) ? changed.drop(info.rule) : changed.add(info.rule);
  }
  void ChangeVersion() {
    c_.kernel = {.version = kKernelVersions[words_.Below(kKernelVersionCount)]};
  }
  void Fresh() {
    const KernelSpec kernel = c_.kernel;
    c_ = draw::DrawRun(words_, ProfileOf(kernel), shape_);
    c_.ops_count = std::min(c_.ops_count, most_ops_);
    c_.kernel = kernel;
  }

  DecodedCase& c_;
  Words words_;
  Shape shape_;
  int most_ops_;
  static State state_;
  static std::vector<Event> events_;
};

State CaseMutator::state_;
std::vector<Event> CaseMutator::events_ = RoomForEvents();

}  // namespace

size_t MutateCase(uint8_t* data, size_t size, size_t max_size, unsigned seed, Scope scope) {
  static const bool kBytesAlone = std::getenv("IOMMUCHECK_BYTES") != nullptr;
  const bool has_other = LLVMFuzzerMutate != nullptr;
  if (has_other && (kBytesAlone || seed % 8 == 0)) return LLVMFuzzerMutate(data, size, max_size);
  static DecodedCase c;
  static std::vector<uint8_t> bytes;
  DecodeBytes({data, size}, c);
  const size_t room = max_size > kOpsAt ? (max_size - kOpsAt) / kOpSize : 0;
  CaseMutator(c, seed, scope, static_cast<int>(std::min<size_t>(room, kMaxDecodedOps))).Mutate();
  if (EncodeBytes(c, bytes) != nullptr || bytes.size() > max_size) return size;
  std::ranges::copy(bytes, data);
  return bytes.size();
}

size_t CrossOverCases(const uint8_t* a, size_t a_size, const uint8_t* b, size_t b_size,
                      uint8_t* out, size_t max_out, unsigned seed) {
  Words words(seed);
  const auto ops_in = [](size_t size) { return size > kOpsAt ? (size - kOpsAt) / kOpSize : 0; };
  const size_t from_a = words.Next() % (ops_in(a_size) + 1);
  const size_t skip_b = words.Next() % (ops_in(b_size) + 1);
  const auto take = [&](const uint8_t* from, size_t count, size_t at) {
    const size_t taken = at < max_out ? std::min(count, max_out - at) : 0;
    std::copy_n(from, taken, out + at);
    return at + taken;
  };
  size_t size = take(a, std::min(a_size, kOpsAt + from_a * kOpSize), 0);
  if (size < kOpsAt) return size;
  const size_t rest = kOpsAt + skip_b * kOpSize;
  return b_size > rest ? take(b + rest, b_size - rest, size) : size;
}

}  // namespace iommucheck::fuzzing
