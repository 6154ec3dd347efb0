#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# kernel_variants.sh [SECONDS] [SEEDS] [PACKAGE]...: does fuzzing distinguish patched kernels from
# the original? Each build of ./dev kernel --patch runs beside the model of the original kernel,
# which must trap if the patch changes anything, and beside the model with the same patch, which
# must not. No seeds: the engine makes every case.
cd "$(dirname "$0")/.."
. bench/measure.sh

seconds=${1:-30}
seeds=${2:-5}
shift $(($# < 2 ? $# : 2))
(($#)) || set -- linux-source-6.12 linux-source-6.1
max_len=$(sed -n 's/^max_len = //p' fuzz/attach.options)
log=$work/log
wrong=0

# Prints the seconds to the trap and its kind, or that there was none.
run() {
  local build=$1 drop=$2 seed=$3 start status=0
  start=$(date +%s.%N)
  IOMMUCHECK_KERNEL_BUILD=$build IOMMUCHECK_DROP=$drop build/fuzz/bin/kernel_attach \
    -seed="$seed" -max_total_time="$seconds" -max_len="$max_len" \
    -artifact_prefix="$work/" >"$log" 2>&1 || status=$?
  if ((status == 0)); then
    echo "none in $seconds s"
    return
  fi
  awk -v start="$start" -v end="$(date +%s.%N)" '
    /^(divergence|cross-driver attach|leak|oops|==.*ERROR: AddressSanitizer)/ && what == "" {
      what = $1 == "cross-driver" ? "cross-driver" : $1; sub(/:$/, "", what) }
    END { printf "%.1f s %s\n", end - start, what == "" ? "died" : what }' "$log"
}

printf '%-40s %-8s %-5s %s\n' build model seed trap
for package in "$@"; do
  for build in build/kernel/"$package" build/kernel/"$package"+*; do
    [[ -f $build/kernel-fuzz.so && $build != *+mistake* ]] || continue
    matching=
    [[ -f $build/overlay/dropped ]] && matching=$(paste -sd, "$build/overlay/dropped")
    for model in as-is matching; do
      [[ $model == matching && -z $matching ]] && continue
      drop=
      [[ $model == matching ]] && drop=$matching
      for ((seed = 1; seed <= seeds; seed++)); do
        result=$(run "$build" "$drop" "$seed")
        name=${build##*/}
        printf '%-40s %-8s %-5s %s\n' "${name#linux-source-}" "$model" "$seed" "$result"
        expected="none"
        # With a slot per bus there is one driver at a time, and one table: no two domains of a
        # container ever differ in their ops.
        [[ $model == as-is && -n $matching ]] && ! grep -q HAVE_BUS_OPS "$build/tree.h" &&
          expected="trap"
        [[ $result == none* ]] && found="none" || found="trap"
        [[ $found == "$expected" ]] || wrong=$((wrong + 1))
      done
    done
  done
done
echo "not as expected: $wrong"
((wrong == 0))
