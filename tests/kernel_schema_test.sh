#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Each kind of mutant, in a file that is no kernel's: which there are, and what each does.
#   kernel_schema_test.sh KERNEL_SCHEMA
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
schema=$(realpath "$1")
command -v clang-19 >/dev/null || { echo "SKIPPED: clang-19 is not installed"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/kernel.c" <<'END'
#define EINVAL 22
#define WARN_ON(x) (!!(x))
#define twice(x) do { (x); (x); } while (0)
int printf(const char *format, ...);
static int count;
static struct { int a, b; } s = { 1, 2 };
static int get(int n) { return n; }
static void pr_note(void) { count += 100; }
static int f(int n, int m)
{
	int ret;

	pr_note();
	s.a = n;
	ret = get(n);
	if (WARN_ON(n > 3 && /* odd */ m))
		return -EINVAL;
	if (n == 1)
		twice(count++);
	else
		count--;
	return ret;
}
int main(void)
{
	int one = f(1, 0);
	printf("%d %d %d %d %d, %d %d\n", one, f(4, 2), f(2, 1), f(5, 0), f(3, 1), count, s.a);
}
END
clang-19 -Xclang -ast-dump=json -fsyntax-only "$work/kernel.c" |
  "$schema" places kernel.c "$work/kernel.c" 100 "$work/list.json"
cat >"$work/run.c" <<'END'
#include <stdlib.h>
#include "mutate/mutant.h"
unsigned int harness_mutant;
unsigned char harness_reached[HARNESS_MUTANTS];
__attribute__((constructor)) static void choose(void) { harness_mutant = atoi(getenv("MUTANT")); }
END
compiles() {
  clang-19 -w -fno-caret-diagnostics -ftrivial-auto-var-init=zero -Ikernel "$work/mutated.c" \
    "$work/run.c" -o "$work/run" 2>"$work/errors"
}
# The errno that takes the place of another is one that this file does not know: that mutant does
# not compile, and the compiler's error says which it is.
"$schema" apply "$work/list.json" "$work/kernel.c" "$work/mutated.c"
if compiles; then echo "FAILED: EBUSY is not defined, so one mutant must not compile"; exit 1; fi
"$schema" apply "$work/list.json" "$work/kernel.c" "$work/mutated.c" "$work/errors"
compiles || { echo "FAILED:"; cat "$work/errors"; exit 1; }
# Then the file has no errors, so none is about a mutant.
: >"$work/errors"
if "$schema" apply "$work/list.json" "$work/kernel.c" "$work/mutated.c" "$work/errors"; then
  echo "FAILED: no error is about a mutant, so the exit status must not be 0"
  exit 1
fi

# What the program prints with each mutant, and without any.
{
  echo "none: $(MUTANT=0 "$work/run")"
  n=100
  # The members of an object are in the order of their names: compiles, kind, mutant, original.
  sed -n 's/^  "\(compiles\|kind\|original\|mutant\)": "\{0,1\}\(.*[^"]\)"\{0,1\},$/\2/p' "$work/list.json" |
    while read -r compiles && read -r kind && read -r mutant && read -r original; do
      n=$((n + 1))
      out='does not compile'
      [[ $compiles == false ]] || out=$(MUTANT=$n "$work/run")
      echo "$kind: $original -> $mutant: $out"
    done
} >"$work/found"
diff -u - "$work/found" <<'END'
none: 1 -22 2 5 3, 499 3
drop-assignment: count += 100; -> ;: 1 -22 2 5 3, -1 3
off-by-one: 100 -> 100 + 1: 1 -22 2 5 3, 504 3
drop-assignment: s.a = n; -> ;: 1 -22 2 5 3, 499 1
swap: s.a = n; ret = get(n); -> ret = get(n); s.a = n;: 1 -22 2 5 3, 499 3
drop-call: get(n) -> 0: 0 -22 0 0 0, 499 3
negate: WARN_ON(n > 3 && m) -> !(WARN_ON(n > 3 && m)): -22 4 -22 -22 -22, 499 3
drop-branch: if (WARN_ON(n > 3 && m)) return -EINVAL -> ;: 1 4 2 5 3, 498 3
drop-operand: n > 3 && m -> m: 1 -22 -22 5 -22, 501 3
drop-operand: n > 3 && m -> n > 3: 1 -22 2 -22 3, 500 3
negate: n > 3 -> !(n > 3): 1 4 -22 5 -22, 500 3
negate: m -> !(m): 1 4 2 -22 3, 499 3
off-by-one: n > 3 -> n >= 3: 1 -22 2 5 -22, 500 3
off-by-one: 3 -> 3 + 1: 1 4 2 5 3, 498 3
errno: -EINVAL -> -EBUSY: does not compile
negate: n == 1 -> !(n == 1): 1 -22 2 5 3, 505 3
drop-call: twice(count++); -> ;: 1 -22 2 5 3, 497 3
drop-assignment: count--; -> ;: 1 -22 2 5 3, 502 3
off-by-one: 1 -> 1 + 1: 1 -22 2 5 3, 499 3
drop-call: printf(\"%d %d %d %d %d, %d %d\\n\", one, f(4, 2), f(2, 1), f(5, 0), f(3, 1), count, s.a); -> ;: 
drop-call: f(1, 0) -> 0: 0 -22 2 5 3, 397 3
off-by-one: 1 -> 1 + 1: 2 -22 2 5 3, 496 3
off-by-one: 0 -> 1: 1 -22 2 5 3, 499 3
off-by-one: 4 -> 4 + 1: 1 -22 2 5 3, 499 3
off-by-one: 2 -> 2 + 1: 1 -22 2 5 3, 499 3
off-by-one: 2 -> 2 + 1: 1 -22 3 5 3, 499 3
off-by-one: 1 -> 1 + 1: 1 -22 2 5 3, 499 3
off-by-one: 5 -> 5 + 1: 1 -22 2 6 3, 499 3
off-by-one: 0 -> 1: 1 -22 2 -22 3, 500 3
off-by-one: 3 -> 3 + 1: 1 -22 2 5 -22, 500 4
off-by-one: 1 -> 1 + 1: 1 -22 2 5 3, 499 3
END
