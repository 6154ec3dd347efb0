// SPDX-License-Identifier: Apache-2.0
//
// Commands whose output cannot be written, or that are stopped: no answer is lost or weakened, no
// file is left half-written, and files of others are not replaced.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_split.h"
#include "tests/run_tool.h"

namespace {

using namespace iommucheck;
namespace fs = std::filesystem;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const std::string kCase = "corpus/litmus/v6.0+one-bus+walk-error.case";
const std::string kViolated =
    "query no-cross-driver-reuse --kernel v6.0 --bounded --steps 5 --devices 2";
const std::string kHolds =
    "query no-cross-driver-reuse --kernel v6.0 --add assume.bus_ops_not_replaced";

class Output : public testing::Test {
 protected:
  [[nodiscard]] std::string In(const std::string& name) const { return folder_.In(name); }
  [[nodiscard]] std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_.path()))
      names.push_back(entry.path().filename());
    std::ranges::sort(names);
    return names;
  }

  const TemporaryFolder folder_;
};

TEST_F(Output, ThatCannotBeWrittenIsAnError) {
  for (const std::string& args : std::vector<std::string>{
           kViolated, kViolated + " --json", "kernels", "kernels --json", "properties",
           "judge " + kCase, "replay " + kCase, "replay --json " + kCase,
           "convert --to json " + kCase,
           "explore no-cross-driver-reuse --kernel v6.1 --scope devices=1,instances=1,steps=3",
           "diff no-cross-driver-reuse --kernel v6.0 --kernel v6.0", "--help", "query --help",
           "--version"}) {
    const ToolOutcome full = RunTool(args, "2>&1 >/dev/full");
    EXPECT_EQ(full.status, 2) << args;
    EXPECT_THAT(
        full.out,
        HasSubstr("iommucheck: standard output: cannot be written: No space left on device"))
        << args;
    const ToolOutcome closed = RunTool(args, "2>&1 >&-");
    EXPECT_EQ(closed.status, 2) << args;
    EXPECT_THAT(closed.out, HasSubstr("standard output: cannot be written: Bad file")) << args;
  }
}

// If the caller closed standard output, a file must not be opened under its number.
TEST_F(Output, OfAClosedStreamIsNotWrittenToAFile) {
  const ToolOutcome closed = RunTool(kViolated + " --out " + In("x.case"), "2>&1 >&-");
  EXPECT_EQ(closed.status, 2);
  EXPECT_THAT(ReadWhole(In("x.case")), AnyOf("", StartsWith("# iommucheck ")));
}

TEST_F(Output, ThatCannotBeWrittenIsFoundBeforeTheWork) {
  std::ofstream(In("file")) << "";
  ASSERT_EQ(chmod(In("file").c_str(), 0444), 0);
  ASSERT_EQ(mkfifo(In("fifo").c_str(), 0600), 0);
  fs::create_symlink(In("victim"), In("link"));
  fs::create_directory(In("folder"));
  for (const std::string& path :
       {In("none/x"), In("file"), In("file/x"), In("fifo"), In("link"), In("folder"),
        std::string("/dev/full"), std::string("/dev/null"), std::string("-")})
    for (const char* option : {" --out ", " --smt2 "}) {
      // With this budget a search would be unknown; wrong usage shows that none was begun.
      const ToolOutcome run = RunTool(kViolated + option + path + " --budget 1");
      EXPECT_EQ(run.status, 2) << option << path;
      EXPECT_THAT(run.out, StartsWith("iommucheck: " + path + ": cannot be written: "));
    }
  const std::string explore =
      "explore no-cross-driver-attach --kernel v7.1 --scope devices=1,instances=1,steps=2 ";
  for (const std::string& args :
       {explore + "--out " + In("none/x"), explore + "--checkpoint " + In("none/x"),
        "guards no-cross-driver-reuse --kernel v6.0 --bounded --out " + In("file"),
        kViolated + " --all --out " + In("file"), kHolds + " --certificate " + In("file"),
        kHolds + " --vcs " + In("file/x"), "convert --out " + In("none/x") + " " + kCase,
        "diff no-cross-driver-reuse --kernel v6.0 --kernel v6.1 --out " + In("fifo")}) {
    const ToolOutcome run = RunTool(args);
    EXPECT_EQ(run.status, 2) << args;
    EXPECT_THAT(run.out, HasSubstr(": cannot be written: ")) << args;
    EXPECT_THAT(run.out, Not(HasSubstr("verdict"))) << args;
  }
  EXPECT_THAT(Files(), testing::ElementsAre("fifo", "file", "folder", "link"));
  EXPECT_EQ(ReadWhole(In("file")), "");
}

TEST_F(Output, DoesNotFollowWhatSomebodyLaid) {
  std::ofstream(In("victim")) << "keep\n";
  fs::create_symlink(In("victim"), In("x.case.tmp"));
  EXPECT_EQ(RunTool("convert --to text --out " + In("x.case") + " " + kCase).status, 0);
  EXPECT_EQ(ReadWhole(In("victim")), "keep\n");
  EXPECT_THAT(ReadWhole(In("x.case")), HasSubstr("kernel v6.0"));
  EXPECT_THAT(Files(), testing::ElementsAre("victim", "x.case", "x.case.tmp"));
}

// A file-size limit simulates a disk that fills up while the file is written.
TEST_F(Output, IsWholeOrNotThere) {
  const ToolOutcome cut = RunTool("convert --to json --out " + In("x.json") + " " + kCase + " 2>&1",
                                  "|| echo \"exit $?\"; ls " + folder_.path().string());
  EXPECT_EQ(cut.out, "x.json\n");
  const std::string limited = "cd '" IOMMUCHECK_SOURCE_DIR
                              "'; ulimit -f 0; trap '' XFSZ; '" IOMMUCHECK_BINARY
                              "' convert --to json --out " +
                              In("y.json") + " " + kCase + " 2>&1";
  EXPECT_NE(std::system(("bash -c \"" + limited + "\" >/dev/null").c_str()), 0);
  EXPECT_THAT(Files(), testing::ElementsAre("x.json"));
}

TEST_F(Output, OfAnEarlierQuestionDoesNotSurvive) {
  const std::string out = " --out " + In("x.case");
  ASSERT_EQ(RunTool(kViolated + out).status, 1);
  EXPECT_THAT(ReadWhole(In("x.case")), HasSubstr("iommucheck query no-cross-driver-reuse"));
  EXPECT_EQ(RunTool("judge " + In("x.case")).status, 0);
  EXPECT_EQ(RunTool(kHolds + out).status, 0);
  EXPECT_FALSE(fs::exists(In("x.case")));

  const std::string folder = " --out " + In("all");
  ASSERT_EQ(RunTool(kViolated + " --all" + folder).status, 1);
  EXPECT_TRUE(fs::exists(In("all/001.case")));
  std::ofstream(In("all/mine.case")) << "keep";
  ASSERT_EQ(RunTool(kViolated + " --out " + In("all/best.case")).status, 1);
  ASSERT_EQ(mkfifo(In("all/099.case").c_str(), 0600), 0);
  EXPECT_EQ(RunTool(kHolds + " --all" + folder).status, 0);
  EXPECT_FALSE(fs::exists(In("all/001.case")));
  EXPECT_TRUE(fs::exists(In("all/mine.case")));
  EXPECT_TRUE(fs::exists(In("all/best.case")));
  EXPECT_TRUE(fs::exists(In("all/099.case")));

  const std::string diff = "diff no-cross-driver-attach --bounded --kernel ";
  const std::string only = " --out " + In("diff");
  ASSERT_EQ(RunTool(diff + "v6.0 --kernel v6.12 --devices 2 --steps 4" + only).status, 1);
  const std::string left = fs::exists(In("diff/only-A.case")) ? "only-A.case" : "only-B.case";
  EXPECT_TRUE(fs::exists(In("diff/" + left)));
  EXPECT_EQ(RunTool(diff + "v6.0 --kernel v6.0" + only).status, 0);
  EXPECT_FALSE(fs::exists(In("diff/" + left)));
}

// A command that runs and has begun its work.
class Running {
 public:
  Running(const std::string& args, const std::string& output) {
    child_ = fork();
    if (child_ != 0) return;
    if (freopen(output.c_str(), "w", stdout) == nullptr) _exit(126);
    dup2(STDOUT_FILENO, STDERR_FILENO);
    if (chdir(IOMMUCHECK_SOURCE_DIR) != 0) _exit(126);
    // Without a shell, which would have handlers of its own until it becomes the command.
    std::vector<std::string> words = absl::StrSplit(args, ' ', absl::SkipEmpty());
    std::vector<char*> argv = {const_cast<char*>(IOMMUCHECK_BINARY)};
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    execv(argv[0], argv.data());
    _exit(127);
  }
  void Signal(int signal) const { kill(child_, signal); }
  // Waits until the command has a handler for the signal; false: it ended before that was seen.
  [[nodiscard]] bool Catches(int signal) const {
    while (!HasEnded()) {
      const std::string status = ReadWhole("/proc/" + std::to_string(child_) + "/status");
      if (const size_t at = status.find("SigCgt:"); at != std::string::npos)
        if ((std::strtoull(&status[at + 7], nullptr, 16) >> (signal - 1) & 1) != 0) return true;
      usleep(1000);
    }
    return false;
  }
  [[nodiscard]] bool HasEnded() const {
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(child_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == child_;
  }
  [[nodiscard]] int Wait() const {
    int raw = 0;
    waitpid(child_, &raw, 0);
    return WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
  }

 private:
  pid_t child_;
};

TEST_F(Output, OfAQuestionThatIsNotAskedChangesNothing) {
  fs::copy(kSource / kCase, In("a.case"));
  std::ofstream(In("notes.txt")) << "precious\n";
  const std::string attach = "query no-cross-driver-attach --kernel ";
  for (const std::string& args : {attach + "v9 --out " + In("notes.txt"),
                                  attach + "v7.1 --drop nope --out " + In("notes.txt"),
                                  "convert /nonexistent --to json --out " + In("notes.txt"),
                                  "merge /nonexistent --out " + In("notes.txt"),
                                  attach + "v99 --certificate " + folder_.path().string(),
                                  attach + "v99 --vcs " + folder_.path().string(),
                                  attach + "v99 --all --out " + folder_.path().string()})
    EXPECT_GE(RunTool(args).status, 2) << args;
  EXPECT_EQ(ReadWhole(In("notes.txt")), "precious\n");
  // The tool does not take a file that it did not write for an earlier answer.
  EXPECT_EQ(RunTool(kHolds + " --out " + In("notes.txt")).status, 0);
  EXPECT_EQ(ReadWhole(In("notes.txt")), "precious\n");
  // The input is read before it is replaced.
  EXPECT_EQ(RunTool("convert --to json --out " + In("a.case") + " " + In("a.case")).status, 0);
  EXPECT_THAT(ReadWhole(In("a.case")), StartsWith("{"));
}

// A pipe that nobody writes to.
TEST_F(Output, OfACommandThatWaitsForInputIsUnknown) {
  ASSERT_EQ(mkfifo(In("pipe").c_str(), 0600), 0);
  const Running run("replay " + In("pipe"), In("out"));
  while (ReadWhole(In("out")).empty()) {
    usleep(300'000);
    run.Signal(SIGTERM);
  }
  EXPECT_EQ(run.Wait(), 3);
  EXPECT_EQ(ReadWhole(In("out")), "iommucheck: unknown: interrupted by SIGTERM\n");
}

TEST_F(Output, OfTwoAtOnceDoesNotCollide) {
  const std::string one = std::string("'") + IOMMUCHECK_BINARY + "' convert --to json --out " +
                          In("x.json") + " '" IOMMUCHECK_SOURCE_DIR "/" + kCase + "' & ";
  std::string many;
  for (int i = 0; i < 16; ++i) many += one + "a[" + std::to_string(i) + "]=\\$!; ";
  const std::string all =
      "bash -c \"" + many + "for p in \\${a[@]}; do wait \\$p || exit 1; done\"";
  for (int round = 0; round < 3; ++round) EXPECT_EQ(std::system(all.c_str()), 0);
  EXPECT_THAT(Files(), testing::ElementsAre("x.json"));
}

// Whenever the signal comes, the answer is the whole one or unknown, never another. If the wait
// before the signal is longer than planned, the whole answer only gets more likely.
TEST_F(Output, OfAStoppedCommandIsTheAnswerOrUnknown) {
  struct Question {
    std::string args;
    int answer;
    std::string line;  // in the whole answer
  };
  const std::vector<Question> questions = {
      {kHolds, 0, "holds for every size"},
      {"query no-cross-driver-attach --kernel v7.1 --add assume.homogeneous_groups", 0,
       "holds for every size"},
      {"query no-cross-driver-reuse --kernel v6.12 --bounded", 1, "VIOLATED"},
      {"diff no-cross-driver-reuse --kernel v6.0 --kernel v6.0,-type1.same_ops --devices 2", 1,
       "DIFFERENT"},
      {"guards no-cross-driver-reuse --kernel v6.0 --bounded", 1, "VIOLATED"},
      {"check corpus/systems/qemu-vtd-virtio-6.12.tar.gz --kernel v7.1 --steps 5", 1, "VIOLATED"},
      {"explore no-cross-driver-reuse --kernel v6.0 --scope devices=2,instances=1,steps=5", 1,
       "VIOLATED"},
      {"judge corpus/claims", 0, " judged"}};
  int caught = 0;
  for (const Question& question : questions)
    for (const int signal : {SIGINT, SIGTERM})
      for (const int milliseconds : {0, 30, 200, 600, 1500}) {
        const Running run(question.args, In("out"));
        if (run.Catches(signal)) ++caught;
        usleep(static_cast<useconds_t>(milliseconds) * 1000);
        run.Signal(signal);
        const int status = run.Wait();
        const std::string text = ReadWhole(In("out"));
        EXPECT_THAT(status, AnyOf(question.answer, 3)) << question.args << text;
        if (status == question.answer) {
          EXPECT_THAT(text, HasSubstr(question.line)) << question.args;
        }
        if (status == 3) {
          EXPECT_THAT(text, HasSubstr("interrupted by SIG")) << question.args;
        }
      }
  EXPECT_GT(caught, 0);
}

TEST_F(Output, EndsAtTheSecondSignal) {
  const Running run("guards no-cross-driver-reuse --kernel v6.12", In("out"));
  usleep(500'000);
  // Send until it has ended: two signals that come together count as one.
  while (!run.HasEnded()) {
    run.Signal(SIGINT);
    usleep(10'000);
  }
  // It ended by a signal, or by itself after the first one; then the answer for the kernel in
  // question may be known.
  EXPECT_THAT(run.Wait(), AnyOf(128 + SIGINT, 3, 1));
}

TEST_F(Output, SaysWhatIsKnownAfterItsTime) {
  const ToolOutcome query = RunTool(
      "query no-cross-driver-attach --kernel v6.12 --bounded --devices 6 --steps 12 "
      "--timeout 1s");
  EXPECT_EQ(query.status, 3);
  EXPECT_THAT(query.out, HasSubstr("unknown: the time of --timeout 1 s is over"));
  EXPECT_EQ(RunTool(kHolds + " --timeout 2h").status, 0);
  for (const char* time : {"1x", "abc", "-5", "0", "1 year", "nan", "99999999999h", "1e400s", "''"})
    EXPECT_EQ(RunTool(kHolds + " --timeout '" + time + "'").status, 2) << time;
}

}  // namespace
