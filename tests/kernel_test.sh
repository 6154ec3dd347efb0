#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Holds the model to real code on all cases of the corpus and on random ones.
#   kernel_test.sh IOMMUCHECK REAL_PROPS BUILD NEVER
# NEVER: the ops that the build cannot play. Every case without them agrees or differs as it is listed
# in corpus/answers/known.txt.
# Exit status 77: ./dev test has not built it, since the package cannot be had, or nobody ran that.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [[ ! -f $3/kernel.so ]]; then
  echo "SKIPPED: there is no $3/kernel.so; ./dev kernel builds it"
  exit 77
fi
status=0
out=$("$1" conform --kernel-build "$3" --as-built --known corpus/answers/known.txt corpus/{litmus,bugs}) ||
  status=$?
printf '%s\n' "$out"
played=$(sed -n 's/^\([0-9]*\) agree, \([0-9]*\) differ, .*/\1 + \2/p' <<<"$out")
never=${4:-nothing}
# grep fails if no case has such an op.
expected=$({ grep -LE "^(${never// /|}) " corpus/{litmus,bugs}/*.case || true; } | wc -l)
if ((expected == 0 || ${played:-0} != expected)); then
  echo "expected $expected cases that are played, found ${played:-none}"
  exit 1
fi
((status == 0)) || exit "$status"
# Random cases come to each known difference soon.
profile=$(sed -n 's/^kernel  *//p' <<<"$out")
if grep -q "^$profile " corpus/answers/known.txt; then
  echo "no random cases: $profile is known to differ, see corpus/answers/known.txt"
  exit
fi
# Runs of these seeds once came to the findings of docs/findings.md.
for seed in 1 2 3; do
  IOMMUCHECK_KERNEL_BUILD=$3 RC_PARAMS="max_success=${IOMMUCHECK_REAL_CASES:-30000} seed=$seed" "$2"
done
