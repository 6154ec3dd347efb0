// SPDX-License-Identifier: Apache-2.0
#include "src/explore/search.h"

#include <algorithm>
#include <mutex>
#include <new>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "src/tool/stop.h"

namespace iommucheck::explore {
namespace {

int NextPass(int pass, int steps) {
  if (pass < std::min(steps, kDeepestPass)) return pass + 1;
  return steps;
}

class ScopeSearch {
 public:
  ScopeSearch(Progress& progress, const SearchOptions& options)
      : progress_(progress),
        options_(options),
        question_(progress.question),
        profile_(ProfileOf(question_.kernel)),
        shapes_(profile_, question_.scope) {
    const auto shards = static_cast<size_t>(question_.shards);
    const auto shard = static_cast<size_t>(question_.shard - 1);
    for (size_t i = shard; i < shapes_.size(); i += shards) mine_.push_back(i);
    state_.resize(mine_.size());
  }

  ScopeAnswer Run() {
    answer_.question = question_;
    answer_.shapes = mine_.size();
    for (size_t i : mine_) {
      const uint64_t machines = shapes_.MachinesAt(i);
      answer_.machines += machines;
      if (answer_.machines < machines) answer_.machines = std::numeric_limits<uint64_t>::max();
    }
    Resume();
    for (;;) {
      Pass();
      // All shapes were searched up to the steps of the pass before.
      answer_.depth = std::min(pass_ - 1, kDeepestPass);
      if (winner_) break;
      if (stopped_ || !full_.empty()) break;
      answer_.depth = pass_;
      answer_.every_depth =
          std::ranges::all_of(state_, [](const auto& s) { return s.every_depth; });
      if (answer_.every_depth || pass_ == question_.scope.steps) break;
      pass_ = NextPass(pass_, question_.scope.steps);
      for (ShapeState& s : state_) {
        s.done = s.every_depth;
        s.covered = 0;
      }
    }
    progress_ = Snapshot();
    Conclude();
    return std::move(answer_);
  }

 private:
  struct ShapeState {
    bool done = false;  // in this pass
    bool every_depth = false;
    bool violated = false;  // in this pass
    int covered = 0;        // steps of this pass without a violation, where memory ran out
    int depth = 0;
    uint64_t states = 0;
    uint64_t transitions = 0;
  };
  struct Winner {
    size_t at = 0;  // in mine_
    ShapeResult result;
  };

  void Resume() {
    pass_ = std::max(1, progress_.pass);
    for (const DoneShapes& d : progress_.done) {
      for (size_t i = d.first; i <= d.last; ++i) {
        state_[i].done = true;
        state_[i].every_depth = d.every_depth;
        state_[i].depth = d.depth;
      }
      // Where in the range does not matter: it is all below or all above any violation.
      state_[d.first].states = d.states;
      state_[d.first].transitions = d.transitions;
    }
  }

  // To be called with mutex_ held, or by one thread.
  [[nodiscard]] Progress Snapshot() const {
    Progress now{question_, pass_, {}};
    for (size_t i = 0; i < state_.size(); ++i) {
      const ShapeState& s = state_[i];
      if (!s.done) continue;
      if (!now.done.empty() && now.done.back().last + 1 == i &&
          now.done.back().every_depth == s.every_depth) {
        DoneShapes& range = now.done.back();
        range.last = i;
        range.states += s.states;
        range.transitions += s.transitions;
        range.depth = std::max(range.depth, s.depth);
      } else {
        now.done.push_back({i, i, s.every_depth, s.states, s.transitions, s.depth});
      }
    }
    return now;
  }

  void Pass() {
    next_ = 0;
    tick_ = {.pass = pass_, .shapes_done = 0, .shapes = mine_.size(), .transitions = 0};
    for (const ShapeState& s : state_) tick_.shapes_done += s.done ? 1 : 0;
    std::vector<std::thread> helpers;
    try {
      // A shape is one thread's work.
      const int useful = std::min(options_.threads, static_cast<int>(mine_.size()));
      for (int n = 1; n < useful; ++n) helpers.emplace_back([this] { WorkWhileMemoryLasts(); });
    } catch (const std::system_error&) {
      // No more threads can be started: the threads that run do the work.
    } catch (const std::bad_alloc&) {
    }
    WorkWhileMemoryLasts();
    for (std::thread& helper : helpers) helper.join();
  }

  void WorkWhileMemoryLasts() {
    try {
      Work();
    } catch (const std::bad_alloc&) {
      const std::lock_guard lock(mutex_);
      stopped_ = starved_ = true;
    }
  }

  void Work() {
    std::optional<Explorer> explorer;
    for (std::optional<size_t> at = Pick(); at; at = Pick()) {
      const Limits limits{
          .max_steps = pass_,
          .max_states = kMaxStates,
          .max_bytes = options_.max_bytes / static_cast<uint64_t>(options_.threads),
          .stop = [this, at] { return Needless(*at) || (options_.stop && options_.stop()); }};
      ShapeResult result;
      try {
        if (!explorer) explorer.emplace(profile_, question_.property);
        result = explorer->Explore(shapes_.At(mine_[*at]), limits);
      } catch (const std::bad_alloc&) {
        // As if --memory were so much; what it held is given back.
        explorer.reset();
        result = {};
      }
      Finish(*at, std::move(result));
    }
  }

  std::optional<size_t> Pick() {
    const std::lock_guard lock(mutex_);
    while (next_ < mine_.size() && state_[next_].done) ++next_;
    if (stopped_ || next_ == mine_.size() || NeedlessLocked(next_)) return std::nullopt;
    if (options_.stop && options_.stop()) {
      stopped_ = true;
      return std::nullopt;
    }
    return next_++;
  }

  // In a pass that goes a step further than the one before, the first shape with a violation wins.
  bool Needless(size_t at) {
    const std::lock_guard lock(mutex_);
    return NeedlessLocked(at);
  }
  [[nodiscard]] bool NeedlessLocked(size_t at) const {
    return winner_ && pass_ <= kDeepestPass && at > winner_->at;
  }

  void Finish(size_t at, ShapeResult result) {
    const std::lock_guard lock(mutex_);
    tick_.transitions += result.transitions;
    ShapeState& s = state_[at];
    s.states = result.states;
    s.transitions = result.transitions;
    switch (result.verdict) {
      case Verdict::kHolds:
        s.done = true;
        s.every_depth = result.every_depth;
        s.depth = result.depth;
        ++tick_.shapes_done;
        break;
      case Verdict::kViolated:
        s.violated = true;
        if (!winner_ ||
            std::pair(result.ops.size(), at) < std::pair(winner_->result.ops.size(), winner_->at))
          winner_ = Winner{at, std::move(result)};
        break;
      case Verdict::kUnknown:
        s.covered = result.depth;
        if (!result.stopped)
          full_.push_back({at, result.depth});
        else if (!NeedlessLocked(at))
          stopped_ = true;
        break;
    }
    if (options_.tick) options_.tick(tick_, [this] { return Snapshot(); });
  }

  void Conclude() {
    // Shapes that a violation makes needless are not counted, so that no number depends on which
    // thread was first.
    const size_t end = winner_ && pass_ <= kDeepestPass ? winner_->at + 1 : state_.size();
    for (size_t i = 0; i < end; ++i) {
      answer_.states += state_[i].states;
      answer_.transitions += state_[i].transitions;
      answer_.shapes_done += state_[i].done ? 1 : 0;
    }
    // Shapes that were not searched in this pass are known up to the pass before.
    const auto shallow = std::ranges::min_element(full_, {}, &Full::depth);
    if (shallow != full_.end() && !stopped_)
      answer_.depth = std::max(answer_.depth, shallow->depth);
    if (!full_.empty())
      answer_.reason = absl::StrFormat("out of memory on %d shape%s", full_.size(),
                                       full_.size() == 1 ? "" : "s");
    else if (stopped_)
      answer_.reason = starved_          ? "out of memory"
                       : tool::Stopped() ? tool::StopReason()
                                         : "interrupted";
    if (winner_) {
      const auto steps = static_cast<int>(winner_->result.ops.size());
      answer_.verdict = Verdict::kViolated;
      answer_.smallest = IsSmallest(steps);
      if (answer_.smallest) answer_.reason.clear();
      answer_.depth = answer_.smallest ? steps - 1 : std::min(answer_.depth, steps - 1);
      answer_.found_in = mine_[winner_->at];
      const Names names = DefaultNames(winner_->result.topology);
      answer_.found = WithoutUnused(CaseOf(question_.kernel, winner_->result.topology, names,
                                           winner_->result.ops, question_.property));
    } else if (answer_.reason.empty()) {
      answer_.verdict = Verdict::kHolds;
      if (answer_.every_depth) {
        answer_.depth = 0;
        for (const ShapeState& s : state_) answer_.depth = std::max(answer_.depth, s.depth);
      }
    }
  }

  // Whether every shape that could have a smaller case than the winner was searched for it.
  [[nodiscard]] bool IsSmallest(int steps) const {
    const size_t end = pass_ <= kDeepestPass ? winner_->at : state_.size();
    return std::all_of(
        state_.begin(), state_.begin() + static_cast<ptrdiff_t>(end),
        [steps](const ShapeState& s) { return s.done || s.violated || s.covered >= steps; });
  }

  struct Full {
    size_t at;
    int depth;
  };

  Progress& progress_;
  const SearchOptions& options_;
  const Question question_;
  const KernelProfile profile_;
  const ScopeShapes shapes_;
  std::vector<size_t> mine_;  // the shard's shapes
  int pass_ = 1;
  ScopeAnswer answer_;

  std::mutex mutex_;
  std::vector<ShapeState> state_;  // by index in mine_
  size_t next_ = 0;
  bool stopped_ = false;
  bool starved_ = false;  // stopped_: since memory ran out between shapes
  std::optional<Winner> winner_;
  std::vector<Full> full_;  // shapes that memory did not suffice for
  SearchOptions::Tick tick_;
};

}  // namespace

size_t ShapesOf(const Question& question) {
  const size_t all = ScopeShapes(ProfileOf(question.kernel), question.scope).size();
  const auto shards = static_cast<size_t>(question.shards);
  return (all + shards - static_cast<size_t>(question.shard)) / shards;
}

ScopeAnswer SearchScope(Progress& progress, const SearchOptions& options) {
  return ScopeSearch(progress, options).Run();
}

}  // namespace iommucheck::explore
