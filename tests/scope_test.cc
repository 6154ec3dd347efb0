// SPDX-License-Identifier: Apache-2.0
//
// Exhaustive search of whole scopes, compared with machines one by one, and with itself when
// stopped, split into shards or run on more threads.
#include "src/explore/scope.h"

#include <algorithm>
#include <map>
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/step.h"
#include "src/case/encoded.h"
#include "src/case/run.h"
#include "src/explore/list_ops.h"
#include "src/explore/search.h"
#include "src/explore/search_json.h"
#include "src/report/exploration.h"
#include "src/report/text.h"
#include "src/tool/provenance.h"
#include "tests/given.h"

namespace iommucheck::explore {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

Scope ScopeOf(const std::string& text) { return ParseScope(text).value(); }

ScopeAnswer Search(const Question& question, const SearchOptions& options = {}) {
  Progress progress;
  progress.question = question;
  return SearchScope(progress, options);
}

// --- scopes in words ---

TEST(Scope, SaysWhereItIsWrong) {
  for (const auto& [text, error] : std::map<std::string, std::string>{
           {"devices=2,buzes=1", "--scope:11: expected drivers, buses"},
           {"devices=9", "--scope:9: expected 1 to 4, found '9'"},
           {"steps=", "1 to 64 or unbounded"},
           {"devices=2,", "found ''"}})
    EXPECT_THAT(MessageOf(ParseScope(text)), HasSubstr(error));
}

TEST(Scope, PrintsWhatItParses) {
  for (const char* text : {"drivers=2,buses=1,devices=3,instances=1,groups=4,containers=1,steps=9",
                           "devices=1,steps=unbounded", "devices=1", "devices=3,steps=unbounded",
                           "steps=4", "groups=2"}) {
    const Scope scope = ScopeOf(text);
    EXPECT_EQ(ScopeOf(ScopeText(scope)), scope);
    EXPECT_EQ(ScopeText(ScopeOf(ScopeText(scope))), ScopeText(scope));
  }
  EXPECT_EQ(ScopeOf(ScopeText(Scope())), Scope());
  EXPECT_NE(ScopeOf("devices=2,groups=2"), Scope());
}

// --- shapes ---

// A machine of a shape, with a random one of the remaining values for each open attribute.
Topology AnyMachine(const Shape& shape, const Values& values, std::mt19937& random) {
  Topology t = shape.topology;
  for (size_t i = 0; i < shape.open.size(); ++i) {
    std::vector<uint8_t> left;
    for (unsigned bit = 0; bit < shape.open[i].values; ++bit)
      if ((values[i] >> bit & 1U) != 0) left.push_back(static_cast<uint8_t>(1U << bit));
    Decide(shape, i, left[random() % left.size()], t);
  }
  return t;
}

// Machines answer alike as long as they agree on everything that Reads has asked.
TEST(Shape, AStepReadsNoMoreThanItAsksFor) {
  std::mt19937 random(7);
  std::vector<Op> ops;
  std::vector<Event> events;
  Key key;
  Key other_key;
  for (const KernelVersion version : kKernelVersions) {
    std::vector<KernelSpec> kernels = {{.version = version}};
    for (const RuleInfo& rule : EncodedRuleInfos()) {
      KernelSpec kernel{.version = version};
      (ProfileOf(version).has(rule.rule) ? kernel.dropped : kernel.added).add(rule.rule);
      kernels.push_back(kernel);
    }
    for (const KernelSpec& spec : kernels) {
      const KernelProfile kernel = ProfileOf(spec);
      // Three devices make a chain.
      const ScopeShapes shapes(kernel, ScopeOf("devices=3,instances=1"));
      const ScopeShapes more_instances(kernel, ScopeOf("devices=2"));
      for (int run = 0; run < 60; ++run) {
        const ScopeShapes& of = run % 2 == 0 ? shapes : more_instances;
        const Shape shape = of.At(random() % of.size());
        const Reads reads(kernel, shape);
        Packer packer(kernel, shape);
        Values values = AllValues(shape);
        State state = InitialState(shape.topology);
        for (int step = 0; step < 12; ++step) {
          Topology t = AnyMachine(shape, values, random);
          ListOps(t, state, 1, ops);
          const Op op = ops[random() % ops.size()];
          while (const auto asked = reads.First(t, op, state, values)) {
            uint8_t left = 0;
            while (left == 0)
              left = values[asked->open] & asked->classes[random() % asked->classes.size()];
            values[asked->open] = left;
            t = AnyMachine(shape, values, random);
          }
          State one = state;
          const Topology first = AnyMachine(shape, values, random);
          const StepResult result = Step(kernel, first, op, one, events);
          const Event* const violation = FindViolation(kAttach, events);
          const bool violated = violation != nullptr;
          State other = state;
          const Topology second = AnyMachine(shape, values, random);
          EXPECT_EQ(Step(kernel, second, op, other, events).error, result.error);
          EXPECT_EQ(FindViolation(kAttach, events) != nullptr, violated);
          packer.Pack(one, values, key);
          packer.Pack(other, values, other_key);
          ASSERT_TRUE(std::ranges::equal(key.span(), other_key.span()))
              << report::KernelName(spec) << ": " << InfoOf(op.kind).word;
          if (result.outcome == Outcome::kDone) state = one;
        }
      }
    }
  }
}

// Every machine of a shape, one by one.
void ForEachMachine(const Shape& shape, const KernelProfile& kernel, size_t open, Topology& t,
                    Values& values, const std::function<void(const Topology&)>& visit) {
  if (open == shape.open.size()) return Allowed(shape, kernel, values) ? visit(t) : void();
  for (unsigned bit = 0; bit < shape.open[open].values; ++bit) {
    values[open] = static_cast<uint8_t>(1U << bit);
    Decide(shape, open, values[open], t);
    ForEachMachine(shape, kernel, open + 1, t, values, visit);
  }
}

// The shortest violation on any machine of a scope; each machine is explored separately.
TEST(ScopeSearch, AgreesWithMachinesOneByOne) {
  struct Asked {
    KernelSpec kernel;
    const char* scope;
  };
  const Asked questions[] = {
      {KernelOf("v7.1"), "devices=2,instances=1,buses=1,steps=4"},
      {KernelOf("v6.1,-register.single_driver"), "devices=2,instances=1,buses=1,steps=4"},
      {KernelOf("v6.0"), "devices=1,instances=1,buses=1,steps=3"}};
  for (const Asked& asked : questions)
    for (const Property property : kEncodedProperties) {
      const Question question{
          .property = property, .kernel = asked.kernel, .scope = ScopeOf(asked.scope)};
      const KernelProfile kernel = ProfileOf(asked.kernel);
      const ScopeShapes shapes(kernel, question.scope);
      size_t shortest = 0;
      uint64_t machines = 0;
      for (size_t i = 0; i < shapes.size(); ++i) {
        const Shape shape = shapes.At(i);
        Topology t = shape.topology;
        Values values = AllValues(shape);
        const uint64_t before = machines;
        ForEachMachine(shape, kernel, 0, t, values, [&](const Topology& plain) {
          for (unsigned absent = 0; absent < 1U << plain.devices_count; ++absent) {
            ++machines;
            if (machines % 3 != 0) continue;
            Case machine;
            machine.kernel = asked.kernel;
            machine.topology = plain;
            machine.names = DefaultNames(plain);
            for (DeviceId d = 0; d < plain.devices_count; ++d)
              machine.topology.devices[d].absent = (absent >> d & 1U) != 0;
            const ExploreResult r =
                ExploreMachine(machine, property, question.scope.steps, 1'000'000);
            if (r.verdict != Verdict::kViolated) continue;
            EXPECT_THAT(Mismatches(r.found, Play(r.found)), IsEmpty());
            const size_t steps = r.found.ops.size();
            shortest = shortest == 0 ? steps : std::min(shortest, steps);
          }
        });
        EXPECT_EQ(machines - before, shapes.MachinesAt(i));
      }
      const ScopeAnswer answer = Search(question);
      EXPECT_EQ(answer.machines, machines);
      EXPECT_EQ(answer.verdict == Verdict::kViolated, shortest != 0) << machines;
      EXPECT_EQ(answer.found.ops.size(), shortest) << PropertyName(property) << " " << asked.scope;
    }
}

TEST(ScopeSearch, SecondContainerChangesNoVerdict) {
  const KernelSpec kernels[] = {KernelOf("v7.1"), KernelOf("v7.1,-type1.same_ops"),
                                KernelOf("v6.12,-type1.same_ops"),
                                KernelOf("v6.1,-type1.same_ops")};
  for (const KernelSpec& kernel : kernels)
    for (const Property property : kEncodedProperties) {
      Question question{.property = property,
                        .kernel = kernel,
                        .scope = ScopeOf("devices=2,instances=1,buses=1,steps=5")};
      const ScopeAnswer one = Search(question);
      question.scope.containers = 2;
      const ScopeAnswer two = Search(question);
      EXPECT_EQ(one.verdict, two.verdict) << report::KernelName(kernel);
      EXPECT_EQ(one.depth, two.depth);
      EXPECT_EQ(one.machines, two.machines);
      EXPECT_EQ(one.found.ops.size(), two.found.ops.size());
      EXPECT_LE(one.states, two.states);
    }
}

// --- one answer, whichever way it is found ---

const std::string kTool = tool::Release();

const Question kQuestions[] = {{.property = kReuse,
                                .kernel = {.version = KernelVersion::kV7_1},
                                .scope = {.devices = 2, .instances = 1, .steps = kUnbounded}},
                               {.property = kAttach,
                                .kernel = KernelOf("v7.1,+assume.homogeneous_groups"),
                                .scope = {.devices = 2, .steps = 3}},
                               {.property = kReuse,
                                .kernel = KernelOf("v6.0,-type1.same_ops"),
                                .scope = {.devices = 2, .instances = 1, .steps = 6}}};

void ExpectSame(const ScopeAnswer& a, const ScopeAnswer& b) {
  EXPECT_EQ(a.verdict, b.verdict);
  EXPECT_EQ(a.depth, b.depth);
  EXPECT_EQ(a.every_depth, b.every_depth);
  EXPECT_EQ(a.shapes, b.shapes);
  EXPECT_EQ(a.shapes_done, b.shapes_done);
  EXPECT_EQ(a.machines, b.machines);
  EXPECT_EQ(a.states, b.states);
  EXPECT_EQ(a.transitions, b.transitions);
  EXPECT_EQ(PrintCase(a.found), PrintCase(b.found));
}

TEST(ScopeSearch, ThreadsDoNotChangeTheAnswer) {
  for (const Question& question : kQuestions) {
    const ScopeAnswer one = Search(question);
    for (const int threads : {2, 5}) ExpectSame(one, Search(question, {.threads = threads}));
  }
}

TEST(ScopeSearch, GoesOnWhereItWasStopped) {
  for (const Question& question : kQuestions) {
    const ScopeAnswer whole = Search(question);
    Progress progress;
    progress.question = question;
    ScopeAnswer answer;
    int stops = 0;
    for (int patience = 1; answer.verdict == Verdict::kUnknown; patience *= 3) {
      int asked = 0;
      answer = SearchScope(progress, {.stop = [&] { return ++asked > patience; }});
      if (answer.verdict == Verdict::kUnknown) {
        EXPECT_EQ(answer.reason, "interrupted");
        ++stops;
      }
      // Write it to text and read it back.
      progress = ParseProgress(PrintProgress(progress), "file").value();
    }
    EXPECT_GT(stops, 1);
    ExpectSame(whole, answer);
  }
}

TEST(ScopeSearch, ShardsMakeTheWhole) {
  for (const Question& question : kQuestions) {
    const ScopeAnswer whole = Search(question);
    std::vector<ScopeAnswer> shards;
    std::vector<std::string> files;
    for (int shard = 1; shard <= 3; ++shard) {
      Question part = question;
      part.shard = shard;
      part.shards = 3;
      const auto replayed = report::Replayed(Search(part)).value();
      files.push_back("shard" + std::to_string(shard));
      // Write it to JSON and read it back.
      shards.push_back(
          AnswerFromJson(report::ExplorationJson(replayed), files.back(), kTool).value());
    }
    const auto merged = report::Merge(shards, files).value();
    EXPECT_EQ(merged.verdict, whole.verdict);
    EXPECT_EQ(merged.depth, whole.depth);
    EXPECT_EQ(merged.machines, whole.machines);
    EXPECT_EQ(merged.shapes, whole.shapes);
    EXPECT_EQ(PrintCase(merged.found), PrintCase(report::Replayed(whole)->answer.found));
    // After a violation, each shard has searched only up to its own first one.
    if (whole.verdict == Verdict::kHolds) {
      EXPECT_EQ(merged.states, whole.states);
      EXPECT_EQ(merged.transitions, whole.transitions);
      EXPECT_EQ(merged.every_depth, whole.every_depth);
    }
    EXPECT_THAT(MessageOf(report::Merge(std::span(shards).first(2), files)),
                HasSubstr("expected shard 3 of 3 beside it, found none"));
    shards[1] = shards[0];
    EXPECT_THAT(MessageOf(report::Merge(shards, files)),
                HasSubstr("shard2: expected another shard than 1"));
  }
}

TEST(ScopeSearch, SaysWhatItCoveredWhenMemoryRunsOut) {
  const ScopeAnswer answer = Search(kQuestions[0], {.max_bytes = 20'000});
  EXPECT_EQ(answer.verdict, Verdict::kUnknown);
  EXPECT_THAT(answer.reason, HasSubstr("out of memory on "));
  EXPECT_GT(answer.depth, 0);
}

// The last pass adds many steps. If it did not finish, only the pass before it counts.
TEST(ScopeSearch, SaysWhatItCoveredInALongPass) {
  const Question question = {.property = kReuse,
                             .kernel = {.version = KernelVersion::kV6_1},
                             .scope = {.devices = 1, .instances = 1, .steps = 40}};
  Progress progress;
  progress.question = question;
  int pass = 0;
  const ScopeAnswer answer =
      SearchScope(progress, {.stop = [&] { return pass > kDeepestPass; },
                             .tick = [&](const auto& tick, const auto&) { pass = tick.pass; }});
  ASSERT_EQ(answer.verdict, Verdict::kUnknown);
  ASSERT_EQ(progress.pass, 40);
  EXPECT_EQ(answer.depth, kDeepestPass);
}

// A case is called the smallest only if every shape that could have a smaller one was searched.
TEST(ScopeSearch, SaysWhetherACaseIsTheSmallest) {
  const Question& question = kQuestions[2];
  const ScopeAnswer whole = Search(question);
  ASSERT_EQ(whole.verdict, Verdict::kViolated);
  EXPECT_TRUE(whole.smallest);
  int unsure = 0;
  for (uint64_t bytes = 120'000; bytes < 300'000; bytes += 20'000) {
    const ScopeAnswer answer = Search(question, {.max_bytes = bytes});
    if (answer.verdict != Verdict::kViolated) continue;
    EXPECT_LT(answer.depth, static_cast<int>(answer.found.ops.size()));
    if (answer.smallest)
      EXPECT_EQ(PrintCase(answer.found), PrintCase(whole.found)) << bytes;
    else
      EXPECT_THAT(answer.reason, HasSubstr("out of memory on "));
    unsure += answer.smallest ? 0 : 1;
  }
  EXPECT_GT(unsure, 0);
}

TEST(Record, SaysWhatItExpected) {
  const auto error = [](const std::string& text) {
    return MessageOf(ParseProgress(text, "f.json"));
  };
  EXPECT_THAT(error("{"), HasSubstr("f.json:1:2"));
  EXPECT_THAT(error("{}"), HasSubstr("f.json: /command: expected a string, found nothing"));
  Progress progress;
  progress.done = {{5, 4, false, 0, 0, 0}};
  EXPECT_THAT(error(PrintProgress(progress)),
              HasSubstr("/done/0: expected shapes of the shard after those"));
}

}  // namespace
}  // namespace iommucheck::explore
