#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The published schemas against what the tool prints and takes, by a validator of its own.

    schemas_test.py IOMMUCHECK
    schemas_test.py --answer FILE...     these answers alone

docs/output.schema.json: every answer with --json follows it, and it notices what is missing or has
another type. docs/case.schema.json: every case of the corpus follows it, and a document that does
not is refused by the tool, too, with exit 5.
"""
import copy
import json
import os
import random
import subprocess
import sys
import tempfile

import jsonschema

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOOL = sys.argv[1]
MUTANTS = 2000  # of cases; about half of them still follow the schema
problems = []


def check(holds, what):
    if not holds:
        problems.append(what)


def validator(path):
    with open(os.path.join(SOURCE, path)) as file:
        schema = json.load(file)
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def run(args):
    return subprocess.run([TOOL, *args], cwd=SOURCE, capture_output=True, text=True, check=False)


def files(folder, suffix):
    return sorted(os.path.join(at, name)
                  for at, _, names in os.walk(os.path.join(SOURCE, folder))
                  for name in names if name.endswith(suffix))


def follows(schema, document, what):
    for error in schema.iter_errors(document):
        where = "/".join(map(str, error.absolute_path))
        problems.append(f"{what}: /{where}: {error.message[:200]}")


def places(document, path=()):
    """Every place of a document: the keys and indices that lead there."""
    children = document.items() if isinstance(document, dict) else (
        enumerate(document) if isinstance(document, list) else ())
    for key, value in children:
        yield path + (key,)
        yield from places(value, path + (key,))


def parent_of(document, path):
    for key in path[:-1]:
        document = document[key]
    return document


OTHER_TYPES = [None, True, 7, -1, 2.5, "", "nobody", [], ["nobody"], {}, {"nobody": 1}]


def mutant(document, draw):
    """The document with one thing changed, and what that is."""
    changed = copy.deepcopy(document)
    path = draw.choice(list(places(changed)))
    parent, key = parent_of(changed, path), path[-1]
    kind = draw.choice(["drop", "retype", "add", "repeat", "number"])
    if kind == "drop":
        del parent[key]
    elif kind == "retype":
        parent[key] = draw.choice(OTHER_TYPES)
    elif kind == "add" and isinstance(parent, dict):
        parent["nobody"] = draw.choice(OTHER_TYPES)
    elif kind == "repeat" and isinstance(parent, list):
        parent += [parent[key]] * draw.choice([1, 40, 300])
    elif isinstance(parent[key], int):
        parent[key] = draw.choice([-1, 255, 256, 2**31, 2**64, 10**40])
    return changed, f"{kind} /{'/'.join(map(str, path))}"


def answers():
    """Each answer with --json that there is: what it is, and its text."""
    for path in files("tests/golden", ".args"):
        with open(path) as file:
            args = file.read()
        if "--json" in args:
            with open(path[:-len("args")] + "out") as file:
                yield args.strip(), file.read().rpartition("exit ")[0]
    for args in ("pairs --kernel v6.0 --drop type1.same_ops --json", "pairs --kernel v6.1 --json",
                 "pairs --kernel v7.1 --json", "judge corpus/claims --json", "kernels v6.0 --json",
                 "tour --json"):
        yield args, run(args.split()).stdout
    for path in files("corpus/litmus", ".case"):
        yield f"replay --sweep {path}", run(["replay", "--sweep", "--json", path]).stdout
    with tempfile.TemporaryDirectory() as folder:
        certificate = os.path.join(folder, "certificate")
        yield "query --certificate", run(
            ["query", "no-cross-driver-reuse", "--kernel", "v6.1", "--devices", "1", "--steps", "5",
             "--json", "--certificate", certificate]).stdout
        yield "check-certificate", run(["check-certificate", "--json", certificate]).stdout


def check_answers():
    schema = validator("docs/output.schema.json")
    count = 0
    for what, text in answers():
        count += 1
        try:
            document = json.loads(text)
        except ValueError as error:
            problems.append(f"{what}: no JSON: {error}")
            continue
        follows(schema, document, what)
        # A schema that takes anything would prove nothing.
        for key in ("command", "verdict"):
            if key in document:
                check(not schema.is_valid({k: v for k, v in document.items() if k != key}),
                      f"{what}: the schema does not miss {key}")
                check(not schema.is_valid({**document, key: 7}),
                      f"{what}: the schema takes a number for {key}")
    check(count > 300, f"only {count} answers")
    return count


def check_cases():
    schema = validator("docs/case.schema.json")
    documents = []
    for path in files("corpus", ".case") + files("docs/reports", ".case"):
        printed = run(["convert", "--to", "json", path])
        check(printed.returncode == 0, f"convert {path}: {printed.stderr}")
        documents.append(json.loads(printed.stdout))
        follows(schema, documents[-1], path)
    check(len(documents) > 300, f"only {len(documents)} cases")

    draw = random.Random(1)
    refused = 0
    with tempfile.TemporaryDirectory() as folder:
        names = {}
        for number in range(MUTANTS):
            changed, how = mutant(draw.choice(documents), draw)
            if schema.is_valid(changed):
                continue
            refused += 1
            name = os.path.join(folder, f"{number}.json")
            names[name] = how
            with open(name, "w") as file:
                json.dump(changed, file)
        judged = run(["judge", *names])
        check(judged.returncode == 5, f"judge of what is no case: exit {judged.returncode}")
        complaints = {line.split(": ")[1] for line in (judged.stderr + judged.stdout).splitlines()
                      if line.startswith("iommucheck: ")}
        for name, how in names.items():
            if name not in complaints:
                with open(name) as file:
                    problems.append(f"the schema refuses and the tool takes: {how}: {file.read()}")
    check(refused > MUTANTS / 3, f"the schema refused only {refused} of {MUTANTS} mutants")
    return len(documents), refused


if TOOL == "--answer":
    for name in sys.argv[2:]:
        with open(name) as one:
            follows(validator("docs/output.schema.json"), json.load(one), name)
    said = f"{len(sys.argv) - 2} answers"
else:
    answered = check_answers()
    cases, mutants = check_cases()
    said = f"{answered} answers, {cases} cases, {mutants} documents that are no case"
for problem in problems[:20]:
    print(problem)
print(f"{said}; {len(problems)} problems")
sys.exit(1 if problems else 0)
