#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""stages_test.py BUILD SOURCE: the first stage of a gate needs no kernel.

A test that names a build of ./dev kernel, in its command or its environment, has the label `kernel`,
by which ./dev test fetches and builds kernels, and the first stage leaves it out. Whatever runs the
stages names the same labels.
"""
import json
import pathlib
import subprocess
import sys

build, source = sys.argv[1], pathlib.Path(sys.argv[2])
stages = "kernel|forever"
failed = False


def fail(text):
    global failed
    failed = True
    print("FAILED:", text)


shown = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"],
                       check=True, capture_output=True, text=True).stdout
tests = json.loads(shown[shown.index("{"):])["tests"]
count = {"kernel": 0, "forever": 0}
for test in tests:
    properties = {p["name"]: p["value"] for p in test.get("properties", [])}
    labels = properties.get("LABELS", [])
    words = test.get("command", []) + properties.get("ENVIRONMENT", [])
    needs = {
        "kernel": any("/build/kernel/" in word for word in words),
        "forever": any(word.endswith("/forever_test.sh") for word in words),
    }
    for label, needed in needs.items():
        count[label] += label in labels
        if needed and label not in labels:
            fail(f"{test['name']} has no label '{label}'")
for label, tests_with in count.items():
    if tests_with == 0:
        fail(f"no test has the label '{label}'")

for name in ["dev", "docs/ci.md", "docs/ci/github.yml", "docs/ci/gitlab-ci.yml"]:
    text = (source / name).read_text()
    for option in ["-LE", "-L"]:
        if f"{option} '{stages}'" not in text:
            fail(f"{name} has no {option} '{stages}'")
presets = json.loads((source / "CMakePresets.json").read_text())["testPresets"]
filters = {preset["name"]: preset["filter"] for preset in presets}
if filters["gate"] != {"exclude": {"label": stages}}:
    fail(f"the preset gate has {filters['gate']}")
if filters["gate-kernel"] != {"include": {"label": stages}}:
    fail(f"the preset gate-kernel has {filters['gate-kernel']}")

print(f"{len(tests)} tests, {count['kernel']} with kernels, {count['forever']} with an engine")
sys.exit(failed)
