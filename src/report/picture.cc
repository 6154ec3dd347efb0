// SPDX-License-Identifier: Apache-2.0
#include "src/report/picture.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "src/report/picture_parts.h"
#include "src/report/text.h"

namespace iommucheck::report {
namespace {

// dot writes colours as attributes, over which a style goes.
constexpr char kStyle[] =
    "<style>text{fill:#1f2328}.graph>polygon{fill:none;stroke:none}"
    ".node polygon,.node ellipse,.cluster polygon{fill:#f6f8fa;stroke:#59636e}"
    ".cluster polygon{fill:none}.edge path{stroke:#59636e}.edge "
    "polygon{fill:#59636e;stroke:#59636e}"
    ".faint polygon,.faint path{stroke:#b0b8c0}.faint text{fill:#818b98}"
    ".wrong polygon,.wrong ellipse,.wrong path{stroke:#cf222e;stroke-width:2.5}"
    ".edge.wrong polygon{fill:#cf222e}.node.wrong text{fill:#cf222e}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}"
    ".node polygon,.node ellipse{fill:#21262d;stroke:#9198a1}.cluster polygon{stroke:#9198a1}"
    ".edge path{stroke:#9198a1}.edge polygon{fill:#9198a1;stroke:#9198a1}"
    ".faint polygon,.faint path{stroke:#4a525b}.faint text{fill:#818b98}"
    ".wrong polygon,.wrong ellipse,.wrong path{stroke:#ff6b63}"
    ".edge.wrong polygon{fill:#ff6b63}.node.wrong text{fill:#ff6b63}}</style>";

using File = std::unique_ptr<FILE, int (*)(FILE*)>;

absl::Status NoDot(const std::string& found) {
  return absl::InvalidArgumentError(
      "expected the program dot (package graphviz), which draws pictures, found " + found);
}

// The drawing from its first tag on.
absl::StatusOr<std::string> Drawn(const std::string& dot) {
  const File in(tmpfile(), fclose);
  const File out(tmpfile(), fclose);
  if (!in || !out || fwrite(dot.data(), 1, dot.size(), in.get()) != dot.size() ||
      fflush(in.get()) != 0)
    return absl::InvalidArgumentError("expected a temporary file, found none");
  if (fseek(in.get(), 0, SEEK_SET) != 0) return NoDot(std::strerror(errno));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fileno(in.get()), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, fileno(out.get()), STDOUT_FILENO);
  std::array<std::string, 2> words = {"dot", "-Tsvg"};
  std::array<char*, 3> args = {words[0].data(), words[1].data(), nullptr};
  pid_t child = 0;
  const int error = posix_spawnp(&child, "dot", &actions, nullptr, args.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return NoDot(std::strerror(error));
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return NoDot("that it failed");
  if (fseek(out.get(), 0, SEEK_SET) != 0) return NoDot(std::strerror(errno));
  std::string svg;
  std::array<char, 65536> buffer{};
  while (const size_t n = fread(buffer.data(), 1, buffer.size(), out.get()))
    svg.append(buffer.data(), n);
  const size_t start = svg.find("<svg");
  const size_t end = svg.find('>', start);
  if (start == std::string::npos || end == std::string::npos) return NoDot("that it draws no svg");
  svg.insert(end + 1, kStyle);
  return svg.substr(start);
}

std::string EscapedHtml(const std::string& text) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}});
}

// One step is shown at a time where there are scripts, and all where there are none.
constexpr char kPageStart[] =
    "<style>:root{color-scheme:light dark}body{font:15px sans-serif;margin:1.2em;max-width:80em}"
    "@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}}"
    "svg{max-width:100%;height:auto;max-height:85vh}pre{font-size:13px;white-space:pre-wrap}"
    "nav{position:sticky;top:0;padding:.3em 0}button{font:inherit;margin-right:.5em}"
    "section{margin-bottom:2em}h1{font-size:1.25em}h2{font-size:1.05em}</style></head><body>\n";
constexpr char kPageEnd[] =
    "<script>\nconst all=[...document.querySelectorAll('section')];let at=all.length-1;\n"
    "const nav=document.querySelector('nav');nav.hidden=all.length<2;\n"
    "function show(){all.forEach((s,i)=>s.hidden=i!==at);"
    "document.getElementById('at').textContent=(at+1)+' of '+all.length;}\n"
    "function go(by){at=Math.max(0,Math.min(all.length-1,at+by));show();}\n"
    "document.getElementById('back').onclick=()=>go(-1);\n"
    "document.getElementById('on').onclick=()=>go(1);\n"
    "document.onkeydown=e=>{if(e.key==='ArrowLeft')go(-1);if(e.key==='ArrowRight')go(1);};\n"
    "show();\n</script></body></html>\n";

}  // namespace

absl::StatusOr<std::string> Svg(const Case& c) { return Drawn(Dot(c)); }

absl::StatusOr<std::string> PictureHtml(const Case& c) {
  const bool machine = c.ops.empty();
  const Case booted = Booted(c);
  const Run run = Play(booted);
  const std::string title = EscapedHtml(TitleOf(booted, run, run.steps.size()));
  std::string out = absl::StrCat(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>iommucheck: ", title,
      "</title>\n", kPageStart, "<h1>", machine ? "A machine" : "A run", " on ",
      EscapedHtml(KernelName(booted.kernel)), "</h1>\n",
      "<nav hidden><button id=back>Back</button><button id=on>On</button><span id=at></span> "
      "(arrow "
      "keys, too)</nav>\n");
  for (size_t n = machine ? run.steps.size() : 0; n <= run.steps.size(); ++n) {
    const absl::StatusOr<std::string> svg = Drawn(DotAt(booted, run, n));
    if (!svg.ok()) return svg.status();
    std::string head = machine ? "The machine once it has booted" : "Before the first step";
    std::string changes;
    if (n > 0 && !machine) {
      const StepResult& result = run.steps[n - 1].result;
      head = absl::StrFormat(
          "%d. %s: %s", n, PrintOp(booted.ops[n - 1].op, booted.names),
          result.outcome == Outcome::kDone ? ErrnoName(result.error) : "is not possible");
      changes = StepChanges(booted, run, n - 1, {.all_properties = true});
    }
    absl::StrAppend(&out, "<section><h2>", EscapedHtml(head), "</h2>\n", *svg);
    if (!changes.empty()) absl::StrAppend(&out, "<pre>", EscapedHtml(changes), "</pre>\n");
    out += "</section>\n";
  }
  return out + kPageEnd;
}

}  // namespace iommucheck::report
