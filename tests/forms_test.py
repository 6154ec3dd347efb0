#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A second opinion on --format: every form is read by a strict reader of its own.

    forms_test.py IOMMUCHECK SOURCE

JUnit by Python's XML parser and the rules of the servers that read it; KTAP by
Documentation/dev-tools/ktap.rst; SARIF by what 2.1.0 demands of the parts that are used, and by its
schema where SARIF_SCHEMA names a file and python3-jsonschema is installed. The forms of one run
count alike, and end with the same exit status.
"""
import json
import os
import re
import subprocess
import sys
import urllib.parse
import xml.etree.ElementTree as xml

TOOL, SOURCE = sys.argv[1:3]
RUNS = [
    # name, arguments, exit status
    ("judge", "judge corpus/litmus/v6.0+two-buses+same_ops.case tests/golden/input/differs.case "
     "tests/golden/input/bad-op.case", 5),
    ("judge all", "judge corpus docs/reports", 0),
    ("query", "query no-cross-driver-reuse --kernel v6.0 --drop type1.same_ops", 1),
    ("conform", "conform --answers corpus/answers/answers.trace --kernel v6.12.y "
     "--known tests/golden/input/listed.txt corpus/litmus corpus/bugs", 1),
    ("conform as known", "conform --answers corpus/answers/answers.trace "
     "--known corpus/answers/known.txt corpus/litmus corpus/bugs", 0),
]
problems = []


def check(holds, what):
    if not holds:
        problems.append(what)


def count(outcomes):
    return {kind: outcomes.count(kind) for kind in ("pass", "fail", "error", "skip")}


def read_junit(text, what):
    root = xml.fromstring(text)
    check(root.tag == "testsuites", f"{what}: the root is {root.tag}")
    outcomes = []
    for suite in root:
        check(suite.tag == "testsuite" and suite.get("name"), f"{what}: a suite without a name")
        mine = []
        for case in suite.iter("testcase"):
            check(case.get("name") and case.get("classname"), f"{what}: a case without a name")
            ends = [child.tag for child in case]
            check(len(ends) <= 1, f"{what}: {case.get('name')} has {ends}")
            kinds = {"failure": "fail", "error": "error", "skipped": "skip"}
            mine.append(kinds[ends[0]] if ends else "pass")
            if ends:
                check(case[0].get("message"), f"{what}: {case.get('name')} does not say why")
            check(re.fullmatch("[1-9][0-9]*", case.get("line", "1")), f"{what}: a line that is none")
        found = count(mine)
        said = {name: int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")}
        check(said == {"tests": len(mine), "failures": found["fail"], "errors": found["error"],
                       "skipped": found["skip"]}, f"{what}: {said} of {found}")
        outcomes += mine
    return count(outcomes)


class Ktap:
    """Reads a list of results and those that are indented below it, and nothing else."""

    RESULT = re.compile(r"(ok|not ok) ([1-9][0-9]*)(?: (?:- )?([^#]*?))?(?: # ([A-Z]+)(?: (.*))?)?$")

    def __init__(self, text, what):
        self.lines, self.at, self.what = text.split("\n"), 0, what
        check(self.lines.pop() == "", f"{what}: the last line does not end")

    def bad(self, why):
        raise ValueError(f"{self.what}: line {self.at + 1}: {why}: {self.lines[self.at]!r}")

    def level(self, depth, subtest=False):
        pad = "  " * depth
        if self.lines[self.at] != pad + "KTAP version 1":
            self.bad("no version")
        self.at += 1
        planned, outcomes, below = None, [], None
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line == pad + "  KTAP version 1":
                below = self.level(depth + 1)
                continue
            if not line.startswith(pad) or line[len(pad):].startswith(" "):
                if depth and planned is not None and len(outcomes) == planned:
                    break
                self.bad("wrong indentation")
            text = line[len(pad):]
            result = self.RESULT.match(text)
            if text.startswith("#"):
                pass
            elif re.fullmatch(r"1\.\.[0-9]+", text):
                if planned is not None:
                    self.bad("a second plan")
                planned = int(text[3:])
            elif result and planned is not None:
                if depth and len(outcomes) == planned:
                    break  # the result of the list above
                outcomes.append(self.outcome(result, len(outcomes) + 1, below))
                below = None
            else:
                self.bad("no line of KTAP")
            self.at += 1
            if depth and planned is not None and len(outcomes) == planned:
                break
        if planned != len(outcomes):
            self.at = min(self.at, len(self.lines) - 1)
            self.bad(f"{planned} planned, {len(outcomes)} found")
        return outcomes

    def outcome(self, result, number, below):
        said, counted, name, directive, why = result.groups()
        if int(counted) != number:
            self.bad(f"number {counted} where {number} is due")
        if not name:
            self.bad("no name")
        kinds = {None: "pass" if said == "ok" else "fail", "SKIP": "skip", "ERROR": "error"}
        if directive not in kinds:
            self.bad("a directive that we do not print")
        if directive and not why:
            self.bad("a directive without a reason")
        if (said == "ok") != (kinds[directive] in ("pass", "skip")):
            self.bad("directive and result differ")
        if below is not None and kinds[directive] == "pass" and set(below) - {"pass", "skip"}:
            self.bad("passed, and a part of it did not")
        return kinds[directive]

    def read(self):
        outcomes = self.level(0)
        if self.at != len(self.lines):
            self.bad("more than a list")
        return count(outcomes)


def self_check():
    """The reader of KTAP refuses what is none."""
    good = "KTAP version 1\n1..2\n  KTAP version 1\n  1..1\n  ok 1 a\nok 1 b\nnot ok 2 c\n"
    check(Ktap(good, "good").read() == count(["pass", "fail"]), "a good KTAP is misread")
    for old, new in (("1..2", "1..3"), ("ok 1 b", "ok 2 b"), ("  ok 1 a", "  not ok 1 a"),
                     ("1..2\n", ""), ("not ok 2 c\n", "not ok 2 c"), ("ok 1 b", "ok 1 b # SKIP"),
                     ("ok 1 b", "fine"), ("KTAP version 1\n1", "1"), ("    ", "")):
        bad = good.replace(old, new, 1)
        known = len(problems)
        try:
            Ktap(bad, "bad").read()
            refused = len(problems) > known or bad == good
        except (ValueError, IndexError):
            refused = True
        del problems[known:]
        check(refused, f"a bad KTAP is taken: {bad!r}")


def location(place, bases, what):
    physical = place["physicalLocation"]
    uri = physical["artifactLocation"]["uri"]
    check(urllib.parse.quote(urllib.parse.unquote(uri), safe="-._~/+,=@") == uri, f"{what}: {uri}")
    check(physical["artifactLocation"].get("uriBaseId", "KERNEL") in bases, f"{what}: no such base")
    check(physical.get("region", {"startLine": 1})["startLine"] >= 1, f"{what}: line 0")


def read_sarif(text, what):
    log = json.loads(text)
    check(log["version"] == "2.1.0" and len(log["runs"]) == 1, f"{what}: not one run of 2.1.0")
    run = log["runs"][0]
    driver = run["tool"]["driver"]
    check(driver["name"] == "iommucheck", f"{what}: a driver without a name")
    check(re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", driver["version"]), f"{what}: no version")
    for entry in run["results"]:
        check(entry["level"] in ("error", "warning"), f"{what}: level {entry['level']}")
        check(entry["message"]["text"] and entry["ruleId"], f"{what}: a result without words")
        check(entry.get("locations"), f"{what}: a result without a place")
        for place in entry.get("locations", []) + entry.get("relatedLocations", []):
            location(place, run["originalUriBaseIds"], what)
    schema = os.environ.get("SARIF_SCHEMA")
    if schema:
        import jsonschema
        with open(schema, encoding="utf-8") as file:
            jsonschema.validate(log, json.load(file))
    return run["results"]


def main():
    self_check()
    for name, args, status in RUNS:
        counts, sarif = {}, None
        for form in ("junit", "ktap", "sarif"):
            what = f"{name} as {form}"
            ran = subprocess.run([TOOL, *args.split(), "--format", form], cwd=SOURCE, text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
            check(ran.returncode == status, f"{what}: exit status {ran.returncode}, not {status}")
            try:
                if form == "junit":
                    counts[form] = read_junit(ran.stdout, what)
                elif form == "ktap":
                    counts[form] = Ktap(ran.stdout, what).read()
                else:
                    sarif = read_sarif(ran.stdout, what)
            except Exception as error:  # pylint: disable=broad-except; each reader has its own
                problems.append(f"{what}: {error!r}")
        check(counts.get("junit") == counts.get("ktap"), f"{name}: {counts}")
        bad = sum(counts.get("junit", {}).get(kind, 0) for kind in ("fail", "error"))
        check(sarif is not None and bool(sarif) == bool(bad), f"{name}: {len(sarif or [])} results "
              f"of {bad}")
        print(f"{name}: {counts.get('junit')}, {len(sarif or [])} results of SARIF")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


sys.exit(main())
