// SPDX-License-Identifier: Apache-2.0
//
// Files that claim a verdict. Shards, checkpoints and certificates are recomputed or covered by a
// hash, and refused unless this iommucheck would have written them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <regex>

#include "src/case/json_text.h"
#include "src/explore/search_json.h"
#include "src/tool/model_hash.h"
#include "tests/run_tool.h"

namespace iommucheck {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::ordered_json;
using Edit = std::function<void(Json&)>;

constexpr char kHolds[] =
    "no-cross-driver-reuse --kernel v6.1 --scope devices=1,instances=1,steps=5";
constexpr char kViolated[] =
    "no-cross-driver-attach --kernel v7.1 --scope devices=2,instances=1,steps=3";
constexpr int kShards = 3;

// The output of a command, without its command line and without the hash that covers that.
std::string Answer(const ToolOutcome& outcome) {
  static const std::regex kCommand(
      "\ncommand   .*(\n          .*)*|\"command_line\": .*|\"check\": \"[0-9a-f]*\"");
  return std::regex_replace(outcome.out, kCommand, "");
}

class Records : public testing::Test {
 protected:
  ToolOutcome Run(const std::string& script) { return RunScript(folder_.path(), script); }
  [[nodiscard]] std::filesystem::path At(const std::string& name) const {
    return folder_.path() / name;
  }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(At(name)) << text;
  }
  // Writes the record with the change and with a correct hash, so that only a check of the content
  // can find the change.
  void Forge(const std::string& name, const Edit& edit) const {
    Json json = Json::parse(ReadWhole(At(name)));
    edit(json);
    explore::Seal(json);
    Write(name, JsonText(json));
  }
  void Change(const std::string& name, const Edit& edit) const {
    Json json = Json::parse(ReadWhole(At(name)));
    edit(json);
    Write(name, JsonText(json));
  }
  void MakeShards(const std::string& question) {
    const ToolOutcome made =
        Run("for i in 1 2 3; do $B explore " + question + " --shard $i/3 --json >s$i.json; done");
    ASSERT_EQ(made.err, "");
    for (int i = 1; i <= kShards; ++i) {
      const std::string name = "s" + std::to_string(i) + ".json";
      std::filesystem::copy_file(At(name), At("whole-" + name),
                                 std::filesystem::copy_options::overwrite_existing);
    }
  }
  void Restore(int shard) const {
    const std::string name = "s" + std::to_string(shard) + ".json";
    std::filesystem::copy_file(At("whole-" + name), At(name),
                               std::filesystem::copy_options::overwrite_existing);
  }
  // merge refuses the changed second shard, and says why.
  void ExpectRefused(const Edit& edit, const std::string& why) {
    Restore(2);
    Forge("s2.json", edit);
    const ToolOutcome merged = Run("$B merge s1.json s2.json s3.json");
    EXPECT_EQ(merged.status, 5) << why << "\n" << merged.out;
    EXPECT_EQ(merged.out, "");
    EXPECT_THAT(merged.err, AllOf(HasSubstr("iommucheck: s2.json: "), HasSubstr(why)));
  }

  TemporaryFolder folder_;
};

// --- merge ---

TEST_F(Records, MergeJoinsShardsThatHold) {
  MakeShards(kHolds);
  const ToolOutcome merged = Run("$B merge s1.json s2.json s3.json");
  EXPECT_EQ(merged.status, 0) << merged.err;
  EXPECT_THAT(merged.out, HasSubstr("verdict   none in this scope ("));
  const ToolOutcome whole = Run(std::string("$B explore ") + kHolds + " --json");
  const ToolOutcome json = Run("$B merge s3.json s1.json s2.json --json");
  const Json a = Json::parse(whole.out);
  const Json b = Json::parse(json.out);
  EXPECT_EQ(a["stats"], b["stats"]);
  EXPECT_EQ(a["exploration"]["depth"], b["exploration"]["depth"]);
  // The output of merge is a record, too.
  Write("all.json", json.out);
  EXPECT_EQ(Run("$B merge all.json").status, 0);

  const ToolOutcome one = Run("$B merge s1.json s3.json");
  EXPECT_EQ(one.status, 5);
  EXPECT_EQ(one.err, "iommucheck: s1.json: expected shard 2 of 3 beside it, found none\n");
}

TEST_F(Records, MergeRefusesShardsThatContradictThemselvesOrTheirScope) {
  MakeShards(kHolds);
  ExpectRefused([](Json& s) { s["stats"]["shapes_done"] = 0; }, "/stats/shapes_done");
  ExpectRefused([](Json& s) { s["stats"]["shapes_done"] = 1 << 20; }, "/stats/shapes_done");
  ExpectRefused(
      [](Json& s) {
        s["stats"]["shapes"] = 1;
        s["stats"]["shapes_done"] = 1;
      },
      "topologies, as many as the shard has");
  ExpectRefused([](Json& s) { s["stats"]["topologies"] = 1; }, "as many as the shard has");
  ExpectRefused([](Json& s) { s["exploration"]["depth"] = 1; }, "/exploration/depth");
  ExpectRefused([](Json& s) { s["exploration"]["depth"] = 6; }, "/exploration/depth");
  ExpectRefused([](Json& s) { s["exploration"]["depth"] = -1; }, "/exploration/depth");
  ExpectRefused(
      [](Json& s) {
        s["verdict"] = "unknown";
        s["reason"] = "interrupted";
      },
      "/stats/shapes_done");
  ExpectRefused([](Json& s) { s["verdict"] = "violated"; }, "/exploration/smallest");
  ExpectRefused([](Json& s) { s["property"] = "no-oops"; },
                "/property: expected no-cross-driver-attach or no-cross-driver-reuse");
  ExpectRefused([](Json& s) { s["kernel"]["profile"] = "v6.8"; }, "a shard of the search that");
  ExpectRefused([](Json& s) { s["exploration"]["scope"] = "devices=1,instances=1,steps=6"; },
                "/exploration/depth");
  ExpectRefused([](Json& s) { s["exploration"]["shard"] = 4; }, "1 to the shards");
  ExpectRefused([](Json& s) { s["tool"] = "iommucheck 0.0.9"; }, "/tool: expected \"iommucheck ");
}

TEST_F(Records, MergeRefusesOtherModelsAndWhatWasChanged) {
  MakeShards(kHolds);
  Change("s2.json", [](Json& s) { s["exploration"]["model"] = "0123456789abcdef"; });
  ToolOutcome merged = Run("$B merge s1.json s2.json s3.json");
  EXPECT_EQ(merged.status, 5);
  EXPECT_EQ(merged.err,
            "iommucheck: s2.json: made by another model: 0123456789abcdef, this iommucheck has " +
                std::string(ModelHash()) + "\n");
  for (const Edit& edit : {Edit([](Json& s) { s["stats"]["states"] = 7; }),
                           Edit([](Json& s) { s["stats"]["transitions"] = 7; }),
                           Edit([](Json& s) { s["exploration"]["check"] = "0123456789abcdef"; })}) {
    Restore(2);
    Change("s2.json", edit);
    merged = Run("$B merge s1.json s2.json s3.json");
    EXPECT_EQ(merged.status, 5) << merged.out;
    EXPECT_THAT(merged.err, HasSubstr("s2.json: /exploration/check: expected that of what"));
  }
  // Neither layout nor order of keys matters.
  Restore(2);
  Write("s2.json", nlohmann::json::parse(ReadWhole(At("s2.json"))).dump());
  EXPECT_EQ(Run("$B merge s1.json s2.json s3.json").status, 0);
}

TEST_F(Records, MergePlaysTheCaseOfAShard) {
  MakeShards(kViolated);
  ToolOutcome merged = Run("$B merge s1.json s2.json s3.json");
  ASSERT_EQ(merged.status, 1) << merged.err;
  EXPECT_THAT(merged.out, AllOf(HasSubstr("no smaller case exists in this"),
                                HasSubstr("replayed  in the model: yes")));
  // Another kernel, on which the case violates nothing.
  const auto on_another = [](Json& s) { s["kernel"]["profile"] = "v6.1"; };
  ExpectRefused(on_another, "/case/kernel: expected the kernel of the question");
  ExpectRefused(
      [&](Json& s) {
        on_another(s);
        s["case"]["kernel"]["version"] = "v6.1";
      },
      "/case: expected a run that violates no-cross-driver-attach at its last step");
  ExpectRefused([](Json& s) { s.erase("case"); }, "/case: expected a case, found nothing");
  ExpectRefused(
      [](Json& s) {
        s["case"]["ops"].erase(0);
        s["case"].erase("expectations");
      },
      "/exploration/depth");
  ExpectRefused(
      [](Json& s) {
        s["case"]["ops"].erase(0);
        s["case"].erase("expectations");
        s["exploration"]["depth"] = 0;
      },
      "/case: expected a run that violates");
  ExpectRefused([](Json& s) { s["exploration"]["depth"] = 0; }, "/exploration/depth");
  ExpectRefused(
      [](Json& s) { s["exploration"]["shape"] = s["exploration"]["shape"].get<int>() + 1; },
      "expected a case on a shape of the shard");
  ExpectRefused([](Json& s) { s["exploration"]["shape"] = 1 << 30; },
                "expected a case on a shape of the shard");
  ExpectRefused([](Json& s) { s["exploration"]["scope"] = "devices=1,instances=1,steps=3"; },
                "/case: expected one that fits into the scope");
}

// If shards did not finish, the one that searched least decides how far the whole search got.
TEST_F(Records, MergeDoesNotDependOnTheOrderOfFiles) {
  MakeShards(kViolated);
  const auto unknown = [](int depth) {
    return [depth](Json& s) {
      s.erase("case");
      s.erase("steps");
      s["exploration"].erase("smallest");
      s["exploration"]["shape"] = 0;
      s["exploration"]["depth"] = depth;
      s["stats"]["shapes_done"] = 0;
      s["verdict"] = "unknown";
      s["reason"] = "interrupted";
    };
  };
  // The case of the first shard has two steps.
  const auto merge = [this](const std::string& files) { return Run("$B merge " + files); };
  for (const auto& [second, third] : {std::pair(0, 1), std::pair(1, 0), std::pair(2, 0)}) {
    Restore(2);
    Restore(3);
    Forge("s2.json", unknown(second));
    Forge("s3.json", unknown(third));
    const ToolOutcome first = merge("s1.json s2.json s3.json");
    EXPECT_EQ(first.status, 1);
    EXPECT_THAT(first.out, AllOf(HasSubstr("a smaller case may exist in this"),
                                 Not(HasSubstr("no smaller case"))));
    for (const char* order : {"s3.json s2.json s1.json", "s2.json s1.json s3.json"})
      EXPECT_EQ(Answer(merge(order)), Answer(first));
  }
  // Both searched as far as the case, so there is no smaller one.
  for (int shard : {2, 3}) {
    Restore(shard);
    Forge("s" + std::to_string(shard) + ".json", unknown(2));
  }
  const ToolOutcome known = merge("s1.json s2.json s3.json");
  EXPECT_EQ(known.status, 1);
  EXPECT_THAT(known.out, HasSubstr("no smaller case exists in this"));
  // Now all shards are unknown.
  Forge("s1.json", unknown(1));
  const ToolOutcome none = merge("s1.json s2.json s3.json");
  EXPECT_EQ(none.status, 3);
  EXPECT_THAT(none.out, HasSubstr("unknown: interrupted; none on any topology up to 1 step"));
  EXPECT_EQ(Answer(merge("s3.json s2.json s1.json")), Answer(none));
}

// --- checkpoints ---

TEST_F(Records, CheckpointsAreOfWhateverScopeIsAccepted) {
  for (const std::string scope :
       {"", "--scope devices=1", "--scope devices=1,instances=1,steps=5",
        "--scope devices=2,instances=1,groups=3,steps=4", "--scope steps=2",
        "--scope devices=2,instances=1,steps=unbounded --shard 2/40",
        "--scope devices=1,steps=1 --shard 4000/4096"}) {
    const std::string run = "$B explore no-cross-driver-attach --kernel v7.1 --threads 1 " + scope;
    const ToolOutcome whole = Run(run + " --json");
    ASSERT_NE(whole.status, 5) << whole.err;
    for (int i = 0; i < 2; ++i) {
      const ToolOutcome kept = Run(run + " --json --checkpoint ck");
      EXPECT_EQ(kept.status, whole.status) << scope << kept.err;
      EXPECT_EQ(Answer(kept), Answer(whole)) << scope;
    }
    std::filesystem::remove(At("ck"));
  }
}

TEST_F(Records, CheckpointsOutliveWhateverEndsTheSearch) {
  const std::string run =
      "$B explore no-cross-driver-reuse --kernel v7.1 --threads 1 --json "
      "--scope devices=2,instances=2,steps=5";
  const ToolOutcome whole = Run(run);
  ASSERT_EQ(whole.status, 0) << whole.err;
  for (const std::string signal : {"INT", "TERM", "KILL"}) {
    for (int i = 0; i < 2; ++i)
      Run("timeout -s " + signal + " 0." + std::to_string(2 + 2 * i) + " " + run +
          " --checkpoint ck >/dev/null");
    const ToolOutcome resumed = Run(run + " --checkpoint ck");
    EXPECT_EQ(resumed.status, 0) << signal << resumed.err;
    EXPECT_EQ(Answer(resumed), Answer(whole)) << signal;
    std::filesystem::remove(At("ck"));
  }
}

TEST_F(Records, CheckpointsThatAreForgedAreRefused) {
  const std::string run = std::string("$B explore ") + kViolated + " --threads 1 --checkpoint ck";
  ASSERT_EQ(Run(run).status, 1);
  const std::string whole = ReadWhole(At("ck"));
  const auto expect = [&](const std::string& why) {
    const ToolOutcome refused = Run(run);
    EXPECT_EQ(refused.status, 5) << why << refused.out;
    EXPECT_THAT(refused.err, HasSubstr(why));
    Write("ck", whole);
  };
  const auto all_done = [](Json& c) {
    c["pass"] = 3;
    c["done"] = {{{"first", 0},
                  {"last", 0},
                  {"every_depth", true},
                  {"states", 1},
                  {"transitions", 1},
                  {"depth", 1}}};
  };
  Change("ck", all_done);
  expect("/exploration/check: expected that of what the file says");
  Change("ck", [](Json& c) { c["exploration"].erase("model"); });
  expect("/exploration/model: expected a string, found nothing");
  Change("ck", [](Json& c) { c["exploration"]["model"] = "0123456789abcdef"; });
  expect("made by another model");
  for (const int64_t pass :
       {int64_t{0}, int64_t{4}, int64_t{9}, int64_t{64}, int64_t{2147483647}}) {
    Forge("ck", [pass](Json& c) { c["pass"] = pass; });
    expect("/pass: expected a pass of the scope");
  }
  const auto done = [](uint64_t first, uint64_t last, int depth) {
    return [=](Json& c) {
      c["pass"] = 2;
      c["done"] = {{{"first", first},
                    {"last", last},
                    {"every_depth", false},
                    {"states", 1},
                    {"transitions", 1},
                    {"depth", depth}}};
    };
  };
  Forge("ck", done(0, 1 << 30, 2));
  expect("/done/0/last: expected a number up to");
  Forge("ck", done(1, 0, 2));
  expect("/done/0: expected shapes of the shard");
  Forge("ck", done(0, 1, 3));
  expect("/done/0/depth: expected one within the pass");
  Forge("ck", done(0, 1, 1));
  expect("/done/0/depth: expected one within the pass");
  Forge("ck", [](Json& c) { c["property"] = "no-oops"; });
  expect("/property: expected no-cross-driver-attach or");
  // A shard without shapes has nothing to report as done.
  Forge("ck", [&](Json& c) {
    done(0, 0, 2)(c);
    c["exploration"]["shard"] = 4096;
    c["exploration"]["shards"] = 4096;
    c["exploration"]["scope"] = "devices=1,instances=1,steps=3";
  });
  expect("/done/0: expected shapes of the shard");
}

TEST_F(Records, CheckpointsThatCannotBeWrittenAreFoundOutFirst) {
  const std::string run =
      "$B explore no-cross-driver-reuse --kernel v7.1 --scope devices=4,steps=unbounded ";
  const ToolOutcome refused = Run(run + "--checkpoint no/such/folder/ck");
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err, HasSubstr("no/such/folder/ck: "));
  EXPECT_EQ(refused.out, "");
}

// --- certificates ---

class CertificateRecords : public Records {
 protected:
  void SetUp() override {
    const ToolOutcome made =
        Run("$B query no-cross-driver-attach --kernel v6.1 --devices 1 --steps 4 --certificate d");
    ASSERT_EQ(made.status, 0) << made.err;
    manifest_ = ReadWhole(At("d/MANIFEST.json"));
    ASSERT_EQ(Run("$B check-certificate d").status, 0);
  }
  void ExpectRefused(const Edit& edit, const std::string& why) {
    Change("d/MANIFEST.json", edit);
    const ToolOutcome checked = Run("$B check-certificate d");
    EXPECT_EQ(checked.status, 5) << why << checked.out;
    EXPECT_THAT(checked.err, AllOf(HasSubstr("d/MANIFEST.json: "), HasSubstr(why)));
    EXPECT_EQ(checked.out, "");
    Write("d/MANIFEST.json", manifest_);
  }
  std::string manifest_;
};

TEST_F(CertificateRecords, ManifestsAloneShowNothing) {
  ExpectRefused(
      [](Json& m) {
        m["steps"] = 1;
        m["runs"] = Json::array();
      },
      "/steps: expected a number, 2 to 12");
  for (const char* property : {"no-oops", "no-leaked-domain", "group-has-one-driver", "nonsense"})
    ExpectRefused([&](Json& m) { m["property"] = property; },
                  "/property: expected no-cross-driver-attach or no-cross-driver-reuse");
  ExpectRefused([](Json& m) { m["property"] = "no-cross-driver-reuse"; },
                "/steps: expected a number, 5 to 12");
  ExpectRefused([](Json& m) { m["model"] = "0123456789abcdef"; }, "made by another model");
  ExpectRefused([](Json& m) { m.erase("model"); }, "/model: expected a hash");
  ExpectRefused([](Json& m) { m["steps"] = 13; }, "/steps: expected a number, 2 to 12");
  // The claim needs runs that are not there.
  Change("d/MANIFEST.json", [](Json& m) { m["steps"] = 5; });
  const ToolOutcome more = Run("$B check-certificate d");
  EXPECT_EQ(more.status, 5);
  EXPECT_THAT(more.err, HasSubstr("d/steps5.cnf"));
  // A proof is there, but the list does not have it.
  Write("d/MANIFEST.json", manifest_);
  Change("d/MANIFEST.json", [](Json& m) { m["runs"].erase(0); });
  const ToolOutcome less = Run("$B check-certificate d");
  EXPECT_EQ(less.status, 1);
  EXPECT_THAT(less.out, HasSubstr("NOT VERIFIED"));
  // A claim about fewer steps needs fewer runs, and the proofs show it, too.
  Write("d/MANIFEST.json", manifest_);
  Change("d/MANIFEST.json", [](Json& m) {
    m["steps"] = 3;
    m["runs"].erase(m["runs"].size() - 1);
  });
  EXPECT_EQ(Run("$B check-certificate d").status, 0);
}

TEST_F(CertificateRecords, ItDoesNotMatterWhichToolMadeThem) {
  Change("d/MANIFEST.json", [](Json& m) { m["tool"] = "iommucheck 0.0.9"; });
  EXPECT_EQ(Run("$B check-certificate d").status, 0);
}

TEST_F(CertificateRecords, AreNotOfRunsThatAreTooShort) {
  const ToolOutcome refused =
      Run("$B query no-cross-driver-reuse --kernel v6.1 --steps 3 --certificate e");
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err, HasSubstr("a certificate takes 5 steps at least"));
  EXPECT_FALSE(std::filesystem::exists(At("e")));
}

// The answer is printed even if it has no certificate.
TEST_F(CertificateRecords, AreNotAllThatIsSaid) {
  const ToolOutcome out =
      Run("$B query no-cross-driver-attach --kernel v6.1 --devices 2 --steps 4 --budget 500000 "
          "--certificate e");
  ASSERT_EQ(out.status, 3) << out.out << out.err;
  EXPECT_THAT(out.out, HasSubstr("verdict   none up to 2 devices, 4 steps\n"));
  EXPECT_EQ(out.err, "iommucheck: the budget is used up before there is a certificate\n");
}

// --- threads and memory ---

// It depends on the machine how much memory is left after starting threads: the search finishes
// with those that could start, or ends as unknown.
TEST_F(Records, ThreadsThatCannotStartAreDoneWithout) {
  const std::string run = std::string("$B explore ") + kHolds;
  const ToolOutcome whole = Run(run);
  const ToolOutcome few = Run("ulimit -v 400000; " + run + " --threads 256");
  if (few.status == 0) {
    EXPECT_EQ(Answer(few), Answer(whole));
  } else {
    EXPECT_EQ(few.status, 3) << few.err;
    EXPECT_THAT(few.out, HasSubstr("unknown: out of memory"));
  }
}

TEST_F(Records, MemoryThatRunsOutIsUnknown) {
  for (const std::string run :
       {"ulimit -v 95000; $B explore no-cross-driver-reuse --kernel v7.1 "
        "--scope devices=4,steps=unbounded --threads 1",
        "ulimit -v 105000; $B query no-cross-driver-reuse "
        "--kernel v6.0,+assume.bus_ops_not_replaced",
        "ulimit -v 105000; $B guards no-cross-driver-reuse --kernel v6.1"}) {
    const ToolOutcome out = Run(run);
    EXPECT_EQ(out.status, 3) << run << "\n" << out.err;
    EXPECT_THAT(out.out + out.err, HasSubstr("out of memory")) << run;
  }
}

}  // namespace
}  // namespace iommucheck
