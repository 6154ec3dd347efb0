// SPDX-License-Identifier: Apache-2.0
//
// Files that claim a verdict. Shards, checkpoints and certificates are recomputed or covered by a
// hash, and refused unless this iommucheck would have written them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "src/case/json_text.h"
#include "src/explore/search_json.h"
#include "src/tool/provenance.h"
#include "tests/run_tool.h"

namespace iommucheck {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::ordered_json;

constexpr char kHolds[] =
    "no-cross-driver-reuse --kernel v6.1 --scope devices=1,instances=1,steps=5";
constexpr char kViolated[] =
    "no-cross-driver-attach --kernel v7.1 --scope devices=2,instances=1,steps=3";

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
  // Changes the record by a JSON merge patch: null takes a key away. With `seal` it gets a correct
  // hash, so that only a check of the content can find the change.
  void Change(const std::string& name, const std::string& patch, bool seal = false) const {
    Json json = Json::parse(ReadWhole(At(name)));
    json.merge_patch(Json::parse(patch));
    if (seal) explore::Seal(json);
    Write(name, JsonText(json));
  }
  void Forge(const std::string& name, const std::string& patch) const { Change(name, patch, true); }
  void MakeShards(const std::string& question) {
    const ToolOutcome made =
        Run("for i in 1 2 3; do $B explore " + question + " --shard $i/3 --json >s$i.json; done");
    ASSERT_EQ(made.err, "");
    for (const int i : {1, 2, 3}) shards_[i] = ReadWhole(At(ShardName(i)));
  }
  static std::string ShardName(int shard) { return "s" + std::to_string(shard) + ".json"; }
  void Restore(int shard) { Write(ShardName(shard), shards_[shard]); }
  ToolOutcome Merge(const std::string& files = "s1.json s2.json s3.json") {
    return Run("$B merge " + files);
  }
  // merge refuses the changed second shard, and says why.
  void ExpectRefused(const std::string& patch, const std::string& why) {
    Restore(2);
    Forge("s2.json", patch);
    const ToolOutcome merged = Merge();
    EXPECT_EQ(merged.status, 5) << why << "\n" << merged.out;
    EXPECT_EQ(merged.out, "");
    EXPECT_THAT(merged.err, AllOf(HasSubstr("iommucheck: s2.json: "), HasSubstr(why)));
  }

  std::map<int, std::string> shards_;  // as MakeShards() made them
  TemporaryFolder folder_;
};

// --- merge ---

TEST_F(Records, MergeJoinsShardsThatHold) {
  MakeShards(kHolds);
  const ToolOutcome merged = Merge();
  EXPECT_EQ(merged.status, 0) << merged.err;
  EXPECT_THAT(merged.out, HasSubstr("verdict   none in this scope ("));
  const ToolOutcome whole = Run(std::string("$B explore ") + kHolds + " --json");
  const ToolOutcome json = Merge("s3.json s1.json s2.json --json");
  const Json a = Json::parse(whole.out);
  const Json b = Json::parse(json.out);
  EXPECT_EQ(a["stats"], b["stats"]);
  EXPECT_EQ(a["exploration"]["depth"], b["exploration"]["depth"]);
  // The output of merge is a record, too.
  Write("all.json", json.out);
  EXPECT_EQ(Merge("all.json").status, 0);

  const ToolOutcome one = Merge("s1.json s3.json");
  EXPECT_EQ(one.status, 5);
  EXPECT_EQ(one.err, "iommucheck: s1.json: expected shard 2 of 3 beside it, found none\n");
}

TEST_F(Records, MergeRefusesShardsThatContradictThemselvesOrTheirScope) {
  MakeShards(kHolds);
  const std::string depth = "/exploration/depth";
  const std::string whole = "topologies, as many as the shard has";
  for (const auto& [patch, why] : std::vector<std::pair<std::string, std::string>>{
           {R"({"stats": {"shapes_done": 0}})", "/stats/shapes_done"},
           {R"({"stats": {"shapes_done": 1048576}})", "/stats/shapes_done"},
           {R"({"stats": {"shapes": 1, "shapes_done": 1}})", whole},
           {R"({"stats": {"topologies": 1}})", "as many as the shard has"},
           {R"({"exploration": {"depth": 1}})", depth},
           {R"({"exploration": {"depth": 6}})", depth},
           {R"({"exploration": {"depth": -1}})", depth},
           {R"({"verdict": "unknown", "reason": "interrupted"})", "/stats/shapes_done"},
           {R"({"verdict": "violated"})", "/exploration/smallest"},
           {R"({"property": "no-oops"})",
            "/property: expected no-cross-driver-attach or no-cross-driver-reuse"},
           {R"({"kernel": {"profile": "v6.8"}})", "a shard of the search that"},
           {R"({"exploration": {"scope": "devices=1,instances=1,steps=6"}})", depth},
           {R"({"exploration": {"shard": 4}})", "1 to the shards"},
           {R"({"tool": "iommucheck 0.0.9"})", "/tool: expected \"iommucheck "}})
    ExpectRefused(patch, why);
}

TEST_F(Records, MergeRefusesOtherModelsAndWhatWasChanged) {
  MakeShards(kHolds);
  Change("s2.json", R"({"exploration": {"model": "0123456789abcdef"}})");
  ToolOutcome merged = Merge();
  EXPECT_EQ(merged.status, 5);
  EXPECT_EQ(merged.err,
            "iommucheck: s2.json: made by another model: 0123456789abcdef, this iommucheck has " +
                std::string(tool::ModelHash()) + "\n");
  for (const char* patch : {R"({"stats": {"states": 7}})", R"({"stats": {"transitions": 7}})",
                            R"({"exploration": {"check": "0123456789abcdef"}})"}) {
    Restore(2);
    Change("s2.json", patch);
    merged = Merge();
    EXPECT_EQ(merged.status, 5) << merged.out;
    EXPECT_THAT(merged.err, HasSubstr("s2.json: /exploration/check: expected that of what"));
  }
  // Neither layout nor order of keys matters.
  Restore(2);
  Write("s2.json", nlohmann::json::parse(ReadWhole(At("s2.json"))).dump());
  EXPECT_EQ(Merge().status, 0);
}

TEST_F(Records, MergePlaysTheCaseOfAShard) {
  MakeShards(kViolated);
  ToolOutcome merged = Merge();
  ASSERT_EQ(merged.status, 1) << merged.err;
  EXPECT_THAT(merged.out, AllOf(HasSubstr("no smaller case exists in this"),
                                HasSubstr("replayed  in the model: yes")));
  const Json record = Json::parse(shards_[2]);
  const int shape = record["exploration"]["shape"];
  // The case without its first op, and without what it then expects.
  Json shorter = {{"case", {{"ops", record["case"]["ops"]}, {"expectations", nullptr}}}};
  shorter["case"]["ops"].erase(0);
  Json at_once = shorter;
  at_once["exploration"]["depth"] = 0;
  for (const auto& [patch, why] : std::vector<std::pair<std::string, std::string>>{
           // Another kernel, on which the case violates nothing.
           {R"({"kernel": {"profile": "v6.1"}})",
            "/case/kernel: expected the kernel of the question"},
           {R"({"kernel": {"profile": "v6.1"}, "case": {"kernel": {"version": "v6.1"}}})",
            "/case: expected a run that violates no-cross-driver-attach at its last step"},
           {R"({"case": null})", "/case: expected a case, found nothing"},
           {shorter.dump(), "/exploration/depth"},
           {at_once.dump(), "/case: expected a run that violates"},
           {R"({"exploration": {"depth": 0}})", "/exploration/depth"},
           {Json{{"exploration", {{"shape", shape + 1}}}}.dump(),
            "expected a case on a shape of the shard"},
           {R"({"exploration": {"shape": 1073741824}})", "expected a case on a shape of the shard"},
           {R"({"exploration": {"scope": "devices=1,instances=1,steps=3"}})",
            "/case: expected one that fits into the scope"}})
    ExpectRefused(patch, why);
}

// If shards did not finish, the one that searched least decides how far the whole search got.
TEST_F(Records, MergeDoesNotDependOnTheOrderOfFiles) {
  MakeShards(kViolated);
  const auto unknown = [](int depth) {
    return R"({"case": null, "steps": null, "verdict": "unknown", "reason": "interrupted",
               "exploration": {"smallest": null, "shape": 0, "depth": )" +
           std::to_string(depth) + R"(}, "stats": {"shapes_done": 0}})";
  };
  // The case of the first shard has two steps.
  for (const auto& [second, third] : {std::pair(0, 1), std::pair(1, 0), std::pair(2, 0)}) {
    Restore(2);
    Restore(3);
    Forge("s2.json", unknown(second));
    Forge("s3.json", unknown(third));
    const ToolOutcome first = Merge();
    EXPECT_EQ(first.status, 1);
    EXPECT_THAT(first.out, AllOf(HasSubstr("a smaller case may exist in this"),
                                 Not(HasSubstr("no smaller case"))));
    for (const char* order : {"s3.json s2.json s1.json", "s2.json s1.json s3.json"})
      EXPECT_EQ(Answer(Merge(order)), Answer(first));
  }
  // Both searched as far as the case, so there is no smaller one.
  for (int shard : {2, 3}) {
    Restore(shard);
    Forge(ShardName(shard), unknown(2));
  }
  const ToolOutcome known = Merge();
  EXPECT_EQ(known.status, 1);
  EXPECT_THAT(known.out, HasSubstr("no smaller case exists in this"));
  // Now all shards are unknown.
  Forge("s1.json", unknown(1));
  const ToolOutcome none = Merge();
  EXPECT_EQ(none.status, 3);
  EXPECT_THAT(none.out, HasSubstr("unknown: interrupted; none on any topology up to 1 step"));
  EXPECT_EQ(Answer(Merge("s3.json s2.json s1.json")), Answer(none));
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
  const auto expect = [&](const std::string& patch, const std::string& why, bool seal = true) {
    Change("ck", patch, seal);
    const ToolOutcome refused = Run(run);
    EXPECT_EQ(refused.status, 5) << why << refused.out;
    EXPECT_THAT(refused.err, HasSubstr(why));
    Write("ck", whole);
  };
  const auto done = [](int pass, int first, int last, bool every_depth, int depth) {
    return Json{{"pass", pass},
                {"done",
                 {{{"first", first},
                   {"last", last},
                   {"every_depth", every_depth},
                   {"states", 1},
                   {"transitions", 1},
                   {"depth", depth}}}}};
  };
  expect(done(3, 0, 0, true, 1).dump(), "/exploration/check: expected that of what the file says",
         false);
  expect(R"({"exploration": {"model": null}})",
         "/exploration/model: expected a string, found nothing", false);
  expect(R"({"exploration": {"model": "0123456789abcdef"}})", "made by another model", false);
  for (const char* pass : {"0", "4", "9", "64", "2147483647"})
    expect(std::string(R"({"pass": )") + pass + "}", "/pass: expected a pass of the scope");
  const std::string depth = "/done/0/depth: expected one within the pass";
  expect(done(2, 0, 1 << 30, false, 2).dump(), "/done/0/last: expected a number up to");
  expect(done(2, 1, 0, false, 2).dump(), "/done/0: expected shapes of the shard");
  expect(done(2, 0, 1, false, 3).dump(), depth);
  expect(done(2, 0, 1, false, 1).dump(), depth);
  expect(R"({"property": "no-oops"})", "/property: expected no-cross-driver-attach or");
  // A shard without shapes has nothing to report as done.
  Json empty = done(2, 0, 0, false, 2);
  empty["exploration"] = {
      {"shard", 4096}, {"shards", 4096}, {"scope", "devices=1,instances=1,steps=3"}};
  expect(empty.dump(), "/done/0: expected shapes of the shard");
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
    ASSERT_EQ(Check().status, 0);
  }
  ToolOutcome Check() { return Run("$B check-certificate d"); }
  void ExpectRefused(const std::string& patch, const std::string& why) {
    Change("d/MANIFEST.json", patch);
    const ToolOutcome checked = Check();
    EXPECT_EQ(checked.status, 5) << why << checked.out;
    EXPECT_THAT(checked.err, AllOf(HasSubstr("d/MANIFEST.json: "), HasSubstr(why)));
    EXPECT_EQ(checked.out, "");
    Write("d/MANIFEST.json", manifest_);
  }
  std::string manifest_;
};

TEST_F(CertificateRecords, ManifestsAloneShowNothing) {
  ExpectRefused(R"({"steps": 1, "runs": []})", "/steps: expected a number, 2 to 12");
  for (const char* property : {"no-oops", "no-leaked-domain", "group-has-one-driver", "nonsense"})
    ExpectRefused(Json{{"property", property}}.dump(),
                  "/property: expected no-cross-driver-attach or no-cross-driver-reuse");
  ExpectRefused(R"({"property": "no-cross-driver-reuse"})", "/steps: expected a number, 5 to 12");
  ExpectRefused(R"({"model": "0123456789abcdef"})", "made by another model");
  ExpectRefused(R"({"model": null})", "/model: expected a hash");
  ExpectRefused(R"({"steps": 13})", "/steps: expected a number, 2 to 12");
  // The claim needs runs that are not there.
  Change("d/MANIFEST.json", R"({"steps": 5})");
  const ToolOutcome more = Check();
  EXPECT_EQ(more.status, 5);
  EXPECT_THAT(more.err, HasSubstr("d/steps5.cnf"));
  // A proof is there, but the list does not have it.
  Json runs = {{"runs", Json::parse(manifest_)["runs"]}};
  runs["runs"].erase(0);
  Write("d/MANIFEST.json", manifest_);
  Change("d/MANIFEST.json", runs.dump());
  const ToolOutcome less = Check();
  EXPECT_EQ(less.status, 1);
  EXPECT_THAT(less.out, HasSubstr("NOT VERIFIED"));
  // A claim about fewer steps needs fewer runs, and the proofs show it, too.
  Json fewer = {{"steps", 3}, {"runs", Json::parse(manifest_)["runs"]}};
  fewer["runs"].erase(fewer["runs"].size() - 1);
  Write("d/MANIFEST.json", manifest_);
  Change("d/MANIFEST.json", fewer.dump());
  EXPECT_EQ(Check().status, 0);
}

TEST_F(CertificateRecords, ItDoesNotMatterWhichToolMadeThem) {
  Change("d/MANIFEST.json", R"({"tool": "iommucheck 0.0.9"})");
  EXPECT_EQ(Check().status, 0);
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
      Run("$B query no-cross-driver-reuse --kernel v6.1 --devices 2 --steps 5 --budget 30000 "
          "--certificate e");
  ASSERT_EQ(out.status, 3) << out.out << out.err;
  EXPECT_THAT(out.out, HasSubstr("verdict   none up to 2 devices, 5 steps\n"));
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
