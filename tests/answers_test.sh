#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What is wrong in a file of answers, or in its list of differences, is said with file and line.
#   answers_test.sh IOMMUCHECK
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tool=$1
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
answers=corpus/answers/answers.trace
known=corpus/answers/known.txt

# expect STATUS PATTERN: of the answers and the list in $work.
expect() {
  local status=0 said
  said=$("$tool" conform --answers "$work/a" --known "$work/k" --kernel v5.15 corpus/{litmus,bugs} 2>&1) ||
    status=$?
  if ((status != $1)) || ! grep -Eq "$2" <<<"$said"; then
    printf 'expected exit status %s and %s, found %s and:\n%s\n' "$1" "$2" "$status" "$said"
    exit 1
  fi
}
fresh() { cp "$answers" "$work/a" && cp "$known" "$work/k"; }

fresh
expect 0 'answers +of .*5\.15'
# Cut off between two lines, at each of some places, and in the middle of one.
lines=$(wc -l <"$answers")
for ((at = 1; at < lines; at += lines / 12)); do
  head -n "$at" "$answers" >"$work/a"
  expect 5 "$work/a:[0-9]+:1: expected .*, found the end"
done
head -c 5000 "$answers" >"$work/a"
expect 5 "$work/a:[0-9]+:[0-9]+: expected"
# Another case than that of the corpus, and an answer of a kernel that the first lines lack.
fresh && sed -i '0,/^case .*/s//case no-such-case/' "$work/a"
expect 5 "$work/a:[0-9]+:6: expected the name of a case, found 'no-such-case'"
fresh && sed -i '0,/^1 register .*/s//1 register nobody = 0/' "$work/a"
expect 5 "$work/a:[0-9]+:3: expected 'register"
fresh && sed -i '/^kernel v5.18/d' "$work/a"
expect 5 "$work/a:[0-9]+:[0-9]+: expected kernels of the first lines"
# A model that differs, and one that does not any more.
fresh && sed -i '/^of .*v5.15/,/^end/s/= -EBUSY/= -EPERM/' "$work/a"
expect 1 '[1-9][0-9]* differ'
fresh && : >"$work/k"
grep -q '^v5.15 ' "$known" && expect 1 '[1-9][0-9]* differ'
agrees=v5.15+second-instance+one_ops
fresh && echo "v5.15 $agrees of no reason" >>"$work/k"
expect 1 'listed: of no reason'
fresh && echo "v5.15 $agrees" >>"$work/k"
expect 5 "$work/k:$(wc -l <"$work/k"):1: expected a kernel, a case and why"
