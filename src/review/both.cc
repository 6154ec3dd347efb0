// SPDX-License-Identifier: Apache-2.0
#include "src/review/both.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "model/step.h"
#include "src/case/encoded.h"
#include "src/case/repair.h"
#include "src/case/run.h"
#include "src/case/smaller.h"
#include "src/conform/compare.h"
#include "src/conform/findings.h"
#include "src/conform/machine_rules.h"
#include "src/conform/model_trace.h"
#include "src/conform/process.h"
#include "src/conform/real_run.h"
#include "src/draw/draw.h"
#include "src/review/explain.h"
#include "src/tool/stop.h"

namespace iommucheck::review {
namespace {

using conform::Call;
using conform::Harness;
using conform::Trace;

constexpr const char* kNoCall = "no call";

// The words of a line of a trace that are the same for each case: the op or the call, and errnos.
// The line of an op comes where its calls have ended.
std::string WordsOf(const std::string& line) {
  if (line.empty() || absl::ascii_isdigit(static_cast<unsigned char>(line[0])) || line == "end")
    return kNoCall;
  std::vector<std::string> words;
  for (const absl::string_view word : absl::StrSplit(line, ' ', absl::SkipEmpty())) {
    const bool is_errno = absl::StartsWith(word, "-E") || word == "0";
    if (is_errno || (words.empty() && !absl::ascii_isdigit(static_cast<unsigned char>(word[0]))))
      words.emplace_back(word);
  }
  if (words.empty()) return "nothing";
  return absl::StrJoin(words, " = ");
}

std::string OpWord(const Case& c, size_t step) {
  return step < c.ops.size() ? std::string(InfoOf(c.ops[step].op.kind).word) : "at the end";
}

// The resources without their number: "heap objects".
std::set<std::string> LeaksOf(const Harness::Result& result) {
  std::set<std::string> leaks;
  for (const std::string& leak : result.leaks) {
    const size_t blank = leak.find(' ');
    const bool counted = absl::ascii_isdigit(static_cast<unsigned char>(leak[0]));
    leaks.insert(counted ? leak.substr(blank + 1) : leak);
  }
  return leaks;
}

// The functions that WARN, without the line.
std::multiset<std::string> WarnsOf(const Harness::Result& result) {
  std::multiset<std::string> warns;
  for (const Harness::Warn& warn : result.warns) warns.insert(warn.function);
  return warns;
}

// What one kernel alone does: `text` says it in words, and may change the effect.
// `whole`: the run after the patch was not ended where it differs, so that what it lacks is gone.
template <typename Set, typename Text>
void AddOneSided(What what, const Set& before, const Set& after, bool whole, Text text,
                 std::vector<Kind>& kinds) {
  std::set<std::string> seen;
  const auto add = [&](const Set& has, const Set& lacks, Effect effect, const char* when) {
    for (const std::string& name : has) {
      if (has.count(name) <= lacks.count(name) || !seen.insert(when + name).second) continue;
      Kind kind{.effect = effect, .what = what, .text = ""};
      kind.text = text(name, when, kind.effect);
      kinds.push_back(std::move(kind));
    }
  };
  add(after, before, Effect::kWorse, "now");
  if (whole) add(before, after, Effect::kBetter, "no longer");
}

std::set<std::string> Deaths(const Case& c, const Played& played) {
  std::set<std::string> deaths;
  const size_t last = played.trace.steps.empty() ? 0 : played.trace.steps.size() - 1;
  if (played.trace.oops()) deaths.insert("a wild pointer in " + OpWord(c, last));
  if (!played.result.crash.empty()) {
    const std::string crash = played.result.crash.substr(0, played.result.crash.find(','));
    deaths.insert(absl::StrCat(
        "a crash (", crash, ") in ",
        absl::EndsWith(played.result.crash, "teardown") ? "the teardown" : OpWord(c, last)));
  }
  return deaths;
}

// Whether the case itself fails an attach of the last op, and in the run after the patch did so.
bool FailsAnAttach(const Case& c, const Played& after) {
  const size_t step = after.trace.steps.size() - 1;  // no step: more than there are ops
  if (step >= c.ops.size()) return false;
  return std::ranges::any_of(c.ops[step].op.faults, [&](const Fault& fault) {
    if (fault.kind != Fault::Kind::kAttach && fault.kind != Fault::Kind::kAttachCall) return false;
    return std::ranges::any_of(after.trace.CallsOf(step), [&fault](const Call& call) {
      return call.kind == Call::Kind::kAttach && call.error == -fault.error;
    });
  });
}

// The core demands of a driver that a device can go back to a domain on which it was, and WARNs in
// these functions if it cannot. A case in which such a call fails shows that the patched kernel goes
// back there, not that it does so wrongly.
bool WarnsOfDrivers(const std::string& function) { return function.ends_with("_nofail"); }

// The words of the ops that come before the step.
std::set<std::string> WordsBefore(const Case& c, const std::vector<size_t>& found, size_t end) {
  std::set<std::string> ops;
  for (const size_t step : found)
    if (step < end) ops.insert(OpWord(c, step));
  return ops;
}

// The first errno, call or line of the end that is another one.
void AddFirst(const Case& c, const Played& before, const Played& after, std::vector<Kind>& kinds) {
  if (Agree(before.trace, after.trace)) return;
  const conform::Comparison d = Compare(c, before.trace, "", after.trace, "");
  const std::string was = WordsOf(d.a_line);
  const std::string is = WordsOf(d.b_line);
  const size_t step = d.step;
  const auto error = [step](const Trace& t) {
    return step < t.steps.size() ? std::optional(t.steps[step].error) : std::nullopt;
  };
  const std::optional<int> old_error = error(before.trace);
  const std::optional<int> new_error = error(after.trace);
  std::string how;
  if (step >= c.ops.size() && (is == "warns" || was == "warns")) return;         // said by function
  if (is == "crash" || is == "oops" || was == "crash" || was == "oops") return;  // so is this
  if (old_error && new_error && *old_error != *new_error) {
    how = *new_error == 0   ? "taken now, was refused with " + ErrnoName(*old_error)
          : *old_error == 0 ? "refused with " + ErrnoName(*new_error) + " now, was taken"
                            : ErrnoName(*new_error) + " now, was " + ErrnoName(*old_error);
  } else if (is == was) {
    how = step < c.ops.size() ? absl::StrCat("another `", is, "`") : absl::StrCat("another ", is);
  } else {
    const auto name = [](const std::string& words) {
      return words == kNoCall ? words : absl::StrCat("`", words, "`");
    };
    how = absl::StrFormat("%s now where %s was", name(is), name(was));
  }
  kinds.push_back({Effect::kChanged, What::kOutcome, absl::StrCat(OpWord(c, step), ": ", how)});
}

// A step of splitmix64: cases whose numbers follow each other have nothing in common.
uint64_t SeedOf(uint64_t seed, uint64_t number) {
  uint64_t z = seed * 0x9e3779b97f4a7c15U + number * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31U);
}

constexpr draw::Shape kShape{.ops = 36, .scope = draw::Scope::kInProcess};

// A case with some of its attributes and ops changed.
DecodedCase Mutated(draw::Words& words, const Case& from) {
  DecodedCase c;
  c.kernel = from.kernel;
  c.topology = from.topology;
  c.ops_count = static_cast<int>(std::min<size_t>(from.ops.size(), kMaxDecodedOps - 8));
  for (int i = 0; i < c.ops_count; ++i) c.ops[i] = from.ops[i].op;
  for (int n = words.Below(3); n > 0; --n) {
    const Topology before = c.topology;
    ChangeAttribute(words, kShape, c.topology);
    if (!Validate(c.topology).ok()) c.topology = before;
  }
  for (int n = 1 + words.Below(6); n > 0; --n) {
    const Op op = DrawOp(words, c.topology, kShape);
    const int at = words.Below(c.ops_count + 1);
    const auto place = c.ops.begin() + at;
    switch (words.Below(3)) {
      case 0:  // another one
        if (at < c.ops_count) *place = op;
        break;
      case 1:  // one less
        if (at < c.ops_count) std::move(place + 1, c.ops.begin() + c.ops_count--, place);
        break;
      default:
        std::move_backward(place, c.ops.begin() + c.ops_count, c.ops.begin() + c.ops_count + 1);
        *place = op;
        ++c.ops_count;
    }
  }
  return c;
}

// Keeps the ops that are possible one after the other, up to what is undefined or a state that real
// code is known to come to and the model is not: there the two kernels may differ by chance.
void KeepPlayable(const harness& real, Case& c) {
  const KernelProfile kernel = ProfileOf(c.kernel);
  State state = InitialState(c.topology);
  std::vector<Event> events;
  Trace trace;
  conform::TraceBuilder builder(trace);
  builder.Begin(kernel);
  std::vector<CaseOp> kept;
  for (const CaseOp& op : c.ops) {
    if (conform::WhyNotPlayed(op.op, real.features) != nullptr) continue;
    const State before = state;
    const StepResult result = Step(kernel, c.topology, op.op, state, events);
    if (result.outcome != Outcome::kDone) continue;
    const bool oops =
        std::ranges::any_of(events, [](const Event& e) { return e.kind == Event::Kind::kOops; });
    if (oops || conform::FindingBefore(c.topology, before, events, false) != nullptr) break;
    // A kernel that is not the model's may go on for ever where VFIO's trial stays mapped.
    if (conform::FindingOfTrial(c.topology, before, events) != nullptr) break;
    if (!kernel.has(Rule::kType1UnmapInOrder) && conform::FindingOfUnmap(before, op.op) != nullptr)
      break;
    kept.push_back({.op = op.op, .expected = std::nullopt, .comment = ""});
    builder.Step(result, events, state);
    if (conform::FindingAfter(op.op, result.error, state, trace.CallsOf(trace.steps.size() - 1)) !=
        nullptr) {
      kept.pop_back();
      break;
    }
  }
  c.ops = std::move(kept);
}

// Numbers, 0 at first, that outlive the process that writes them, and that all processes share.
class SharedNumbers {
 public:
  explicit SharedNumbers(size_t count) : bytes_(count * sizeof(Number)) {
    void* const page =
        mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) std::abort();
    numbers_ = static_cast<Number*>(page);
  }
  SharedNumbers(const SharedNumbers&) = delete;
  SharedNumbers& operator=(const SharedNumbers&) = delete;
  ~SharedNumbers() { munmap(numbers_, bytes_); }
  std::atomic<uint64_t>& operator[](size_t i) { return numbers_[i]; }

 private:
  using Number = std::atomic<uint64_t>;
  static_assert(Number::is_always_lock_free);
  size_t bytes_;
  Number* numbers_;
};

// Which of the rules make a difference to the model in this case; those that do already are left out.
void LookForRules(const Case& c, const std::vector<Rule>& rules, SharedNumbers& seen) {
  std::optional<Trace> with;
  for (size_t i = 0; i < rules.size(); ++i) {
    if (seen[i] != 0) continue;
    if (!with) with = conform::TraceOf(c);
    if (!Agree(*with, WithoutRule(c, rules[i]))) seen[i] = 1;
  }
}

constexpr uint64_t kChunk = 500;  // cases a process

// The lines that a process of random cases sends: "NUMBER OPS" of a case that agrees; of one that
// differs also its kinds, each after a tab, with the numbers of its effect and of what it is.
std::string CaseLine(uint64_t number, size_t ops, const std::vector<Kind>& kinds) {
  std::string line = absl::StrCat(number, " ", ops);
  for (const Kind& kind : kinds)
    absl::StrAppend(&line, "\t", static_cast<int>(kind.effect), static_cast<int>(kind.what),
                    kind.text);
  return line;
}

std::vector<Kind> KindsOfLine(const std::vector<std::string>& fields) {
  std::vector<Kind> kinds;
  for (size_t i = 1; i < fields.size(); ++i)
    kinds.push_back({static_cast<Effect>(fields[i][0] - '0'), static_cast<What>(fields[i][1] - '0'),
                     fields[i].substr(2)});
  return kinds;
}

// Memory that the harness lost is no state of the next case's, but an oops or a leak may be.
bool Spent(const Played& played) { return played.trace.oops() || !played.result.leaks.empty(); }

}  // namespace

std::vector<size_t> CrossDriverAttaches(const Case& c, const Trace& trace) {
  std::vector<size_t> steps;
  std::map<uint16_t, DriverId> of_domain;
  std::array<DriverId, kMaxDevices> of_device;
  of_device.fill(kNoId);
  for (size_t step = 0; step < trace.steps.size(); ++step)
    for (const Call& call : trace.CallsOf(step)) {
      if (call.kind == Call::Kind::kProbe && call.instance != kNoId)
        of_device[call.device] = c.topology.instances[call.instance].driver;
      if (call.kind == Call::Kind::kAlloc && call.error == 0) of_domain[call.domain] = call.driver;
      const auto domain = of_domain.find(call.domain);
      if (call.kind == Call::Kind::kAttach && call.error == 0 && domain != of_domain.end() &&
          call.device != kNoId && of_device[call.device] != kNoId &&
          domain->second != of_device[call.device])
        steps.push_back(step);
    }
  return steps;
}

std::vector<size_t> FreesInUse(const Trace& trace) {
  std::vector<size_t> steps;
  std::array<uint16_t, kMaxDevices> is_on;
  is_on.fill(Call::kNoDomain);
  for (size_t step = 0; step < trace.steps.size(); ++step)
    for (const Call& call : trace.CallsOf(step)) {
      if (call.kind == Call::Kind::kFree && call.domain != Call::kNoDomain &&
          std::ranges::find(is_on, call.domain) != is_on.end())
        steps.push_back(step);
      if (call.device == kNoId) continue;
      if (call.kind == Call::Kind::kAttach)
        is_on[call.device] = call.error == 0 ? call.domain : Call::kNoDomain;
      else if (call.kind == Call::Kind::kDetach || call.kind == Call::Kind::kRelease)
        is_on[call.device] = Call::kNoDomain;
    }
  return steps;
}

bool IsOfPages(const Kind& kind) {
  return kind.what == What::kLeak && absl::EndsWith(kind.text, " pages");
}

std::vector<Kind> KindsOf(const Case& c, const Played& before, const Played& after) {
  std::vector<Kind> kinds;
  using Name = const std::string&;
  const size_t steps = after.trace.steps.size();
  const bool whole = steps == before.trace.steps.size();
  AddOneSided(
      What::kCrossDriver, WordsBefore(c, CrossDriverAttaches(c, before.trace), steps),
      WordsBefore(c, CrossDriverAttaches(c, after.trace), steps), true,
      [](Name op, Name when, Effect&) {
        return absl::StrCat(op, ": a device ", when, " accepts a domain of another driver");
      },
      kinds);
  AddOneSided(
      What::kFreed, WordsBefore(c, FreesInUse(before.trace), steps),
      WordsBefore(c, FreesInUse(after.trace), steps), true,
      [](Name op, Name when, Effect&) {
        return absl::StrCat(op, ": a domain is ", when, " freed that a device is still on");
      },
      kinds);
  AddOneSided(
      What::kDeath, Deaths(c, before), Deaths(c, after), whole,
      [](Name death, Name when, Effect&) { return absl::StrCat(when, " ", death); }, kinds);
  const bool fails_an_attach = FailsAnAttach(c, after);
  AddOneSided(
      What::kWarn, WarnsOf(before.result), WarnsOf(after.result), whole,
      [&](Name function, Name when, Effect& effect) {
        std::string text = absl::StrCat(when, " a WARN in ", function, "()");
        if (effect != Effect::kWorse || !fails_an_attach || !WarnsOfDrivers(function)) return text;
        effect = Effect::kChanged;
        return text + ", as the case has a driver fail to go back";
      },
      kinds);
  AddOneSided(
      What::kLeak, LeaksOf(before.result), LeaksOf(after.result), whole,
      [](Name what, Name when, Effect&) {
        return absl::StrCat(when, " left after the teardown: ", what);
      },
      kinds);
  AddFirst(c, before, after, kinds);
  return kinds;
}

absl::StatusOr<Both> Both::Load(const std::string& before, const std::string& after,
                                const std::string& profiles) {
  const std::filesystem::path files(profiles);
  // Each library reads the variable once, when it is loaded.
  setenv("LLVM_PROFILE_FILE", "/dev/null", /*overwrite=*/1);
  absl::StatusOr<Harness> old = Harness::Load(std::filesystem::path(before) / "kernel.so", true);
  if (!old.ok()) return old.status();
  // %c: counts in the file itself, which all processes share.
  setenv("LLVM_PROFILE_FILE", (files / "%m%c.profraw").c_str(), /*overwrite=*/1);
  absl::StatusOr<Harness> patched = Harness::Load(std::filesystem::path(after) / "kernel.so", true);
  unsetenv("LLVM_PROFILE_FILE");
  if (!patched.ok()) return patched.status();
  return Both(*std::move(old), *std::move(patched));
}

std::string Both::WhyNot(const Case& c) const {
  const std::string why = before_.WhyNot(c);
  return why.empty() ? after_.WhyNot(c) : why;
}

absl::StatusOr<std::array<Played, 2>> Both::Play(const Case& c) {
  const size_t ops = conform::TraceOf(c).steps.size();
  std::array<Played, 2> both;
  for (size_t i = 0; i < both.size(); ++i) {
    Harness& harness = i == 0 ? before_ : after_;
    absl::StatusOr<Harness::Result> result =
        harness.PlayApart(c, ops, both[i].trace, i == 0 ? nullptr : &both[0].trace);
    if (!result.ok()) return result.status();
    both[i].result = *std::move(result);
  }
  return both;
}

absl::StatusOr<std::array<Trace, 2>> Both::Traces(const Case& c) {
  std::array<Trace, 2> traces;
  for (size_t i = 0; i < traces.size(); ++i) {
    const absl::StatusOr<Harness::Result> result =
        (i == 0 ? before_ : after_).PlayApart(c, c.ops.size(), traces[i]);
    if (!result.ok()) return result.status();
  }
  return traces;
}

Case Both::RandomCase(const Random& random, uint64_t number) const {
  draw::Words words(SeedOf(random.seed, number));
  DecodedCase drawn = number % 2 == 1 && !random.from.empty()
                          ? Mutated(words, random.from[words.Next() % random.from.size()])
                          : DrawCase(words, kShape);
  const KernelSpec built{.version = before_.version(), .dropped = {}, .added = {}};
  drawn.kernel = conform::WithAssumptionsOf(built, drawn.kernel);
  Topology& t = drawn.topology;
  for (Device& device : std::span(t.devices).first(t.devices_count))
    if (((before_.real().buses >> static_cast<unsigned>(device.bus)) & 1U) == 0)
      device.bus = Bus::kPlatform;  // the build does not have this bus
  if (conform::WhyNotPlayed(t) != nullptr)
    for (Device& device : t.devices) device.regions = {};
  Repair(t, ProfileOf(drawn.kernel).rules);
  Case c = ToCase(drawn);
  Normalize(c);
  std::erase_if(c.ops, [&c](const CaseOp& op) { return !Validate(op.op, c.topology).ok(); });
  KeepPlayable(before_.real(), c);
  return c;
}

absl::StatusOr<Both::Count> Both::PlayRandom(const Random& random, const Found& found) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  std::mutex lock;  // of all that follows
  Count count;
  absl::Status status;
  uint64_t next = 0;
  bool going = true;
  SharedNumbers differs(1);
  SharedNumbers seen(random.unseen.size() + 1);
  const auto ended = [&] {
    return !going || !status.ok() || tool::Stopped() ||
           (random.cases != 0 && next >= random.cases) ||
           (random.time.count() != 0 && Clock::now() - start >= random.time);
  };
  // The lines of one process; the first number that it did not play.
  const auto take = [&](const conform::ProcessEnd& end, uint64_t at, uint64_t last) {
    uint64_t after = at;
    for (const absl::string_view line : absl::StrSplit(end.sent, '\n', absl::SkipEmpty())) {
      const std::vector<std::string> fields = absl::StrSplit(line, '\t');
      uint64_t number = 0;
      uint64_t ops = 0;
      const std::vector<std::string> words = absl::StrSplit(fields[0], ' ');
      if (words.size() != 2 || !absl::SimpleAtoi(words[0], &number) ||
          !absl::SimpleAtoi(words[1], &ops))
        continue;
      after = number + 1;
      ++count.cases;
      count.ops += ops;
      if (fields.size() == 1) continue;
      ++count.differ;
      going = found(number, KindsOfLine(fields), count) && going;
    }
    return std::min(after, last);
  };
  const auto work = [&] {
    SharedNumbers at(1);
    while (true) {
      uint64_t first = 0;
      uint64_t last = 0;
      {
        const std::scoped_lock guard(lock);
        if (ended()) return;
        first = next;
        last = next += kChunk;
        if (random.cases != 0) last = std::min(last, random.cases);
      }
      while (first < last) {
        at[0] = first;
        absl::StatusOr<conform::ProcessEnd> end = conform::RunApart([&](int fd) {
          Played old;
          Played patched;
          for (uint64_t n = first; n < last; ++n) {
            at[0] = n;
            const Case c = RandomCase(random, n);
            old.result = before_.PlayHere(c, c.ops.size(), nullptr, old.trace);
            patched.result = after_.PlayHere(c, c.ops.size(), &old.trace, patched.trace);
            const std::vector<Kind> kinds = KindsOf(c, old, patched);
            if (!kinds.empty()) differs[0] = 1;
            if (differs[0] == 0) LookForRules(c, random.unseen, seen);
            const std::string line = CaseLine(n, c.ops.size(), kinds);
            dprintf(fd, "%s\n", line.c_str());
            if (Spent(old) || Spent(patched)) return;
          }
        });
        // found() draws cases, as the children of the other threads do.
        const std::scoped_lock guard(lock, conform::Forking());
        if (!end.ok()) {
          status = end.status();
          return;
        }
        first = take(*end, first, last);
        if (!end->death.empty()) {
          // Which kernel died, and of what, is seen when the case is played again.
          ++count.cases;
          ++count.differ;
          going = found(at[0], {}, count) && going;
          first = at[0] + 1;
        }
        if (!going || tool::Stopped()) return;
      }
    }
  };
  std::vector<std::thread> workers;
  for (unsigned n = std::max(1U, std::thread::hardware_concurrency()); n > 0; --n)
    workers.emplace_back(work);
  for (std::thread& worker : workers) worker.join();
  if (!status.ok()) return status;
  for (size_t i = 0; i < random.unseen.size(); ++i)
    if (count.differ == 0 && seen[i] == 0) count.unseen.push_back(random.unseen[i]);
  return count;
}

std::optional<Rule> OutsideOf(const Case& c, const Kind& kind) {
  Case within = c;
  within.kernel.dropped = {};
  for (const RuleInfo& info : AllRules())
    if (info.kind != RuleKind::kAssumption && c.kernel.dropped.has(info.rule))
      within.kernel.dropped.add(info.rule);
  // Where a group has devices of two drivers, the core WARNs of one that refuses the other's domain.
  if (kind.what == What::kCrossDriver || kind.what == What::kWarn)
    for (const Promise& promise : EncodedPromises())
      if (promise.version == c.kernel.version && promise.property == Property::kNoCrossDriverAttach)
        for (const Rule rule : promise.assumptions)
          if (!ProfileOf(c.kernel.version).has(rule)) within.kernel.added.add(rule);
  return iommucheck::Play(within).outside;
}

// Whether the kernel of the model does not come back from an op. In real code each such case takes as
// long as a process may.
bool NeverEnds(const Case& c) {
  const auto loops = [](const Event& e) {
    return e.kind == Event::Kind::kOops && e.oops == Oops::kEndlessLoop;
  };
  return std::ranges::any_of(iommucheck::Play(c).steps, [&](const PlayedStep& step) {
    return std::ranges::any_of(step.events, loops);
  });
}

absl::StatusOr<Difference> Minimized(Both& both, const Case& c, const Kind& kind) {
  Difference smallest{.kind = kind, .smallest = c, .before = {}, .after = {}};
  smallest.outside = OutsideOf(c, kind);
  absl::Status status;
  const auto shows = [&](const Case& tried) {
    absl::StatusOr<std::array<Played, 2>> played = both.Play(tried);
    if (!played.ok()) {
      status = played.status();
      return true;
    }
    const std::vector<Kind> kinds = KindsOf(tried, (*played)[0], (*played)[1]);
    if (std::ranges::find(kinds, kind) == kinds.end()) return false;
    if (!smallest.outside && OutsideOf(tried, kind)) return false;
    smallest.smallest = tried;
    smallest.before = std::move((*played)[0]);
    smallest.after = std::move((*played)[1]);
    return true;
  };
  shows(c);
  // What comes after the op that differs is of no interest.
  while (status.ok() && !tool::Stopped() && AnySmaller(smallest.smallest, [&](const Case& smaller) {
           return tool::Stopped() ||
                  (both.WhyNot(smaller).empty() && !NeverEnds(smaller) && shows(smaller));
         })) {
  }
  if (!status.ok()) return status;
  return smallest;
}

}  // namespace iommucheck::review
