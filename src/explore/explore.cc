// SPDX-License-Identifier: Apache-2.0
#include "src/explore/explore.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/state.h"
#include "model/step.h"
#include "src/explore/table_expander.h"
#include "src/tool/stop.h"

namespace iommucheck::explore {
namespace {

// A level of fewer states is one thread's work.
constexpr uint32_t kLevelOfMany = 512;
constexpr uint32_t kChunk = 64;

// Every step from a state, as one thread of a search takes them: from tables where it can, else in
// the model.
struct Expander {
  explicit Expander(const SearchContext& context)
      : thread(context), model(thread), tables(thread, model) {}

  // A state in which runs start, on this machine.
  void AddRoot(const Topology& at_boot) {
    thread.next.SetParent(thread.context.visited.end());  // a root is its own parent
    thread.next.Add(thread.codec.Encode(InitialState(at_boot), model.values()));
    thread.next.Flush();
  }
  // Takes every step from a state that is `depth` steps from boot. True: one violates the property.
  bool Expand(uint32_t n, int depth) {
    const SearchContext& context = thread.context;
    const StateKey key = context.visited.KeyAt(n);
    const int left = context.max_steps == kUnbounded ? kUnbounded : context.max_steps - depth;
    thread.next.SetParent(n);
    model.Start(key, left);
    const uint64_t before = thread.counts.transitions;
    const bool from_tables = context.tables && left >= kNothingPruned && thread.codec.splits() &&
                             !StateCodec::IsWhole(key);
    const bool violated = from_tables ? tables.TakeAll(key) : model.TakeAll();
    if (context.orbits)
      thread.counts.transitions =
          before + (thread.counts.transitions - before) * thread.codec.OrbitOf(key);
    return violated;
  }
  // New states are added a few at a time, at the latest here.
  void Flush() {
    thread.next.Flush();
    bytes = tables.bytes();
  }
  // The most states that Expand() can add to the visited set, with those that wait.
  [[nodiscard]] uint64_t most() const {
    const Topology& t = thread.context.shape.topology;
    return NextStates::kPending + t.instances_count + size_t{2} * t.devices_count + kMaxGroups +
           kMaxContainers;
  }

  SearchThread thread;
  ModelExpander model;
  TableExpander tables;
  std::atomic<uint64_t> bytes = 0;  // of the tables, not long ago; any thread may ask
};

}  // namespace

struct Explorer::Search {
  Search(Explorer& explorer, const Shape& machines, const Limits& given, bool alike_devices)
      : visited(explorer.visited_),
        shape(machines),
        limits(given),
        context{.kernel = explorer.kernel_,
                .property = explorer.property_,
                .shape = machines,
                .max_steps = given.max_steps,
                .tables = given.tables,
                .orbits = given.alike && alike_devices,
                .visited = explorer.visited_,
                .parts = explorer.parts_,
                .alike_instances = FindAlikeInstances(machines)} {}

  // nullopt: names of devices matter (ThreadCounts::names_matter).
  std::optional<ShapeResult> Run() {
    Begin();
    Levels(limits.threads);
    // Which violation several threads find first, and how many states by then, depends on which is
    // faster.
    if (found != nullptr && threads.size() > 1) {
      Begin();
      Levels(1);
    }
    if (names_matter) return std::nullopt;
    if (found != nullptr) TraceRun();
    // Of a search without an answer only the counts of whole levels: they do not depend on which
    // thread was faster.
    if (result.verdict != Verdict::kUnknown) Count();
    result.bytes = Bytes();
    return std::move(result);
  }

  void Count() {
    result.transitions = 0;
    result.states = 0;
    for (const auto& one : threads) {
      result.transitions += one->thread.counts.transitions;
      result.states += one->thread.counts.states;
    }
    result.kept = visited.size();
  }

  void Begin() {
    result = {};
    found = nullptr;
    next = 0;
    full = false;
    context.parts.Clear();
    threads.clear();
    threads.push_back(std::make_unique<Expander>(context));
    visited.Clear(threads[0]->thread.codec.words());
    AddRoots();
  }

  // With all devices present first, so that a case has devices absent only where it must.
  void AddRoots() {
    const int devices = shape.topology.devices_count;
    const unsigned absent_end = shape.any_absent ? 1U << devices : 1U;
    visited.Reserve(absent_end);
    for (unsigned absent = 0; absent < absent_end; ++absent) {
      Topology at_boot = shape.topology;
      for (DeviceId d = 0; shape.any_absent && d < devices; ++d)
        at_boot.devices[d].absent = (absent >> d & 1U) != 0;
      threads[0]->AddRoot(at_boot);
    }
  }

  void Levels(int most_threads) {
    while (result.depth < limits.max_steps) {
      level_end = visited.end();
      if (most_threads > 1 && level_end - next >= kLevelOfMany)
        LevelOfMany(most_threads);
      else
        Level();
      const auto any = [this](bool ThreadCounts::* what) {
        return std::ranges::any_of(threads, [what](auto& one) { return one->thread.counts.*what; });
      };
      names_matter = any(&ThreadCounts::names_matter);
      if (found != nullptr || result.stopped || full || names_matter) return;
      ++result.depth;
      Count();
      if (Full()) return;
      result.every_depth = visited.end() == level_end && !any(&ThreadCounts::cut);
      if (result.every_depth) break;
    }
    result.verdict = Verdict::kHolds;
  }

  void Level() {
    Expander& one = *threads[0];
    for (; next < level_end; ++next) {
      if (visited.room() < one.most()) visited.Reserve(one.most());
      if (!visited.IsHole(next) && one.Expand(next, result.depth)) {
        found = &one;
        found_at = next;
        break;
      }
      if (one.thread.counts.names_matter) break;
      if ((++expanded & 0xffU) != 0) continue;
      one.bytes = one.tables.bytes();
      if (Ends()) break;
    }
    one.Flush();
  }

  // The states of a level in chunks, until the index is full or the level is done.
  void LevelOfMany(int count) {
    while (threads.size() < static_cast<size_t>(count))
      threads.push_back(std::make_unique<Expander>(context));
    const uint64_t room = threads[0]->most() * kChunk * threads.size();
    while (next < level_end && found == nullptr && !result.stopped && !full) {
      if (visited.room() < room) visited.Reserve(room);
      std::atomic<uint32_t> chunk = next;
      OnThreads(threads.size(), [&](size_t t) {
        try {
          ExpandChunks(*threads[t], chunk, room, t == 0);
        } catch (const std::bad_alloc&) {
          full = true;  // memory that ran out ends the search as a limit does
        }
      });
      for (const auto& one : threads) one->thread.next.ReturnSpare();
      next = std::min(chunk.load(), level_end);
    }
  }

  void ExpandChunks(Expander& one, std::atomic<uint32_t>& chunk, uint64_t room, bool asks) {
    while (visited.room() >= room && found == nullptr && !full && !one.thread.counts.names_matter) {
      one.bytes = one.tables.bytes();
      if (asks && Ends()) break;
      const uint32_t first = chunk.fetch_add(kChunk);
      if (first >= level_end) break;
      const uint32_t end = std::min(first + kChunk, level_end);
      for (uint32_t n = first; n < end; ++n)
        if (!visited.IsHole(n) && one.Expand(n, result.depth)) {
          found = &one;
          break;
        }
    }
    one.Flush();
  }

  // True: the search ends here, with no answer.
  bool Ends() {
    result.stopped = limits.stop && limits.stop();
    if (Full()) full = true;
    return result.stopped || full;
  }

  [[nodiscard]] bool Full() const {
    return visited.size() > limits.max_states || context.parts.whole.full() ||
           Bytes() > limits.max_bytes;
  }
  [[nodiscard]] uint64_t Bytes() const {
    uint64_t bytes = visited.bytes() + context.parts.bytes();
    for (const auto& one : threads) bytes += one->bytes;
    return bytes;
  }

  // Finds the run to the violation. The states on the way are known, from a root on; which op leads
  // from each to the next is found anew, with groups and containers numbered as the model does.
  void TraceRun() {
    StateCodec& codec = found.load()->thread.codec;
    const KernelProfile& kernel = context.kernel;
    result.verdict = Verdict::kViolated;
    result.topology = found.load()->model.topology();
    std::vector<uint32_t> way = {found_at};
    while (visited.ParentOf(way.back()) != way.back()) way.push_back(visited.ParentOf(way.back()));
    Values values{};
    State now;
    State then;
    codec.Decode(visited.KeyAt(way.back()), then, values);
    for (DeviceId d = 0; d < shape.topology.devices_count; ++d)
      result.topology.devices[d].absent = !then.devices[d].present;
    now = InitialState(result.topology);
    std::vector<Event> events;
    std::vector<Op> ops;
    StateKey wanted;
    const auto leads_on = [&](const Op& op, bool is_last) {
      State state = now;
      if (Step(kernel, result.topology, op, state, events).outcome != Outcome::kDone) return false;
      if (is_last) return FindViolation(context.property, events) != nullptr;
      const StateKey key = codec.Encode(state, values).key;
      if ((context.orbits ? codec.Canonical(key) : key) != wanted) return false;
      now = state;
      return true;
    };
    for (size_t n = way.size(); n-- > 0;) {
      if (n > 0) {
        wanted = visited.KeyAt(way[n - 1]);
        codec.Decode(wanted, then, values);
      }
      ListOps(result.topology, now, shape.containers, ops);
      const auto op = std::ranges::find_if(ops, [&](const Op& o) { return leads_on(o, n == 0); });
      result.ops.push_back(*op);
    }
  }

  Visited& visited;
  const Shape& shape;
  const Limits& limits;
  const SearchContext context;
  std::vector<std::unique_ptr<Expander>> threads;
  uint32_t next = 0;
  uint32_t level_end = 0;
  uint64_t expanded = 0;
  bool names_matter = false;
  std::atomic<Expander*> found = nullptr;
  uint32_t found_at = 0;
  std::atomic<bool> full = false;
  ShapeResult result;
};

ShapeResult Explorer::Explore(const Shape& shape, const Limits& limits) {
  if (auto result = Search(*this, shape, limits, true).Run()) return *std::move(result);
  return Search(*this, shape, limits, false).Run().value_or(ShapeResult());
}

void OnThreads(size_t count, const std::function<void(size_t)>& work) {
  std::vector<std::thread> helpers;
  for (size_t n = 1; n < count; ++n) {
    try {
      helpers.emplace_back(work, n);
    } catch (const std::exception&) {
      break;  // there is no thread left, or no memory
    }
  }
  work(0);
  for (std::thread& helper : helpers) helper.join();
}

Case CaseOf(const KernelSpec& kernel, const Topology& topology, Names names,
            const std::vector<Op>& ops, Property property) {
  Case c;
  c.kernel = kernel;
  c.topology = topology;
  c.names = std::move(names);
  State state = InitialState(topology);
  std::vector<Event> events;
  for (const Op& op : ops) {
    const StepResult step = Step(ProfileOf(kernel), topology, op, state, events);
    c.ops.push_back({op, step.error, ""});
  }
  c.expectations.push_back({.kind = Expectation::Kind::kViolated,
                            .property = property,
                            .at = static_cast<int>(ops.size())});
  return c;
}

ExploreResult ExploreMachine(const Case& machine, Property property, int max_steps,
                             uint64_t max_states) {
  ExploreResult result;
  const KernelProfile profile = ProfileOf(machine.kernel);
  if (const auto broken = BrokenAssumption(machine.topology, profile.rules)) {
    result.reason = absl::StrCat("the machine is outside of ", std::string(InfoOf(*broken).id),
                                 ", which is assumed");
    result.verdict = Verdict::kHolds;
    return result;
  }
  ShapeResult shape;
  try {
    shape = Explorer(profile, property)
                .Explore({.topology = machine.topology},
                         {.max_steps = max_steps,
                          .max_states = std::min(max_states, kMaxStates),
                          .threads = static_cast<int>(std::thread::hardware_concurrency()),
                          .stop = tool::Stopped});
  } catch (const std::bad_alloc&) {
    result.reason = "out of memory";
    return result;
  }
  static_cast<Coverage&>(result) = shape;
  if (shape.verdict == Verdict::kUnknown)
    result.reason = shape.stopped ? tool::StopReason()
                                  : absl::StrCat("more than ", max_states, " states within ",
                                                 shape.depth + 1, " steps");
  if (shape.verdict == Verdict::kViolated)
    result.found = CaseOf(machine.kernel, shape.topology, machine.names, shape.ops, property);
  return result;
}

}  // namespace iommucheck::explore
