// SPDX-License-Identifier: Apache-2.0
#include "src/explore/search.h"

#include <algorithm>
#include <mutex>
#include <new>
#include <optional>
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
      if (winner_ || stopped_ || !full_.empty()) break;
      answer_.depth = pass_;
      answer_.every_depth =
          std::ranges::all_of(state_, [](const auto& s) { return s.every_depth; });
      if (answer_.every_depth || pass_ == question_.scope.steps) break;
      pass_ = NextPass(pass_, question_.scope.steps);
      for (Coverage& s : state_) {
        if (s.every_depth) continue;
        s.verdict = Verdict::kUnknown;
        s.depth = 0;
      }
    }
    progress_ = Snapshot();
    Conclude();
    return std::move(answer_);
  }

 private:
  static bool Done(const Coverage& s) { return s.verdict == Verdict::kHolds; }

  struct Winner {
    size_t at = 0;  // in mine_
    ShapeResult result;
  };

  void Resume() {
    pass_ = std::max(1, progress_.pass);
    for (const DoneShapes& d : progress_.done) {
      for (size_t i = d.first; i <= d.last; ++i) {
        state_[i].verdict = Verdict::kHolds;
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
      const Coverage& s = state_[i];
      if (!Done(s)) continue;
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
    tick_ = {.pass = pass_,
             .shapes_done = static_cast<size_t>(std::ranges::count_if(state_, Done)),
             .shapes = mine_.size(),
             .transitions = 0};
    // A shape is one thread's work.
    const size_t useful = std::min(static_cast<size_t>(options_.threads), mine_.size());
    OnThreads(useful, [this](size_t) {
      try {
        Work();
      } catch (const std::bad_alloc&) {
        const std::lock_guard lock(mutex_);
        stopped_ = starved_ = true;
      }
    });
  }

  void Work() {
    std::optional<Explorer> explorer;
    for (std::optional<size_t> at = Pick(); at; at = Pick()) {
      const Limits limits{.max_steps = pass_,
                          .max_states = kMaxStates,
                          .max_bytes = options_.max_bytes / static_cast<uint64_t>(options_.threads),
                          .stop = [this, at] {
                            const std::lock_guard lock(mutex_);
                            return Needless(*at) || (options_.stop && options_.stop());
                          }};
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
    while (next_ < mine_.size() && Done(state_[next_])) ++next_;
    if (stopped_ || next_ == mine_.size() || Needless(next_)) return std::nullopt;
    if (options_.stop && options_.stop()) {
      stopped_ = true;
      return std::nullopt;
    }
    return next_++;
  }

  // In a pass that goes a step further than the one before, the first shape with a violation wins.
  [[nodiscard]] bool Needless(size_t at) const {
    return winner_ && pass_ <= kDeepestPass && at > winner_->at;
  }

  void Finish(size_t at, ShapeResult result) {
    const std::lock_guard lock(mutex_);
    tick_.transitions += result.transitions;
    state_[at] = result;
    switch (result.verdict) {
      case Verdict::kHolds:
        ++tick_.shapes_done;
        break;
      case Verdict::kViolated:
        if (!winner_ ||
            std::pair(result.ops.size(), at) < std::pair(winner_->result.ops.size(), winner_->at))
          winner_ = Winner{at, std::move(result)};
        break;
      case Verdict::kUnknown:
        if (!result.stopped)
          full_.push_back(result.depth);
        else if (!Needless(at))
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
      answer_.shapes_done += Done(state_[i]) ? 1 : 0;
    }
    // Shapes that were not searched in this pass are known up to the pass before.
    if (!full_.empty() && !stopped_)
      answer_.depth = std::max(answer_.depth, std::ranges::min(full_));
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
        for (const Coverage& s : state_) answer_.depth = std::max(answer_.depth, s.depth);
      }
    }
  }

  // Whether every shape that could have a smaller case than the winner was searched for it.
  [[nodiscard]] bool IsSmallest(int steps) const {
    const size_t end = winner_ && pass_ <= kDeepestPass ? winner_->at : state_.size();
    return std::all_of(
        state_.begin(), state_.begin() + static_cast<ptrdiff_t>(end),
        [steps](const Coverage& s) { return s.verdict != Verdict::kUnknown || s.depth >= steps; });
  }

  Progress& progress_;
  const SearchOptions& options_;
  const Question question_;
  const KernelProfile profile_;
  const ScopeShapes shapes_;
  std::vector<size_t> mine_;  // the shard's shapes
  int pass_ = 1;
  ScopeAnswer answer_;

  std::mutex mutex_;
  // Of each shape in this pass, by index in mine_; unknown, at no depth: it was not searched yet.
  std::vector<Coverage> state_;
  size_t next_ = 0;
  bool stopped_ = false;
  bool starved_ = false;  // stopped_: since memory ran out between shapes
  std::optional<Winner> winner_;
  std::vector<int> full_;  // depths of shapes that memory did not suffice for
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
