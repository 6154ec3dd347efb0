#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# kernel_rate.sh [SECONDS] [RUNS]: cases for each second of CPU that model and real code play
# together: kernel_attach with ASan and coverage, compared with a target that does nothing on the
# same seeds; and kernel_cases without either. Prints medians; fails below the targets.
set -eu
cd "$(dirname "$0")/.."

seconds=${1:-60}
runs=${2:-5}
target_fuzz=4000
target_plain=20000
max_len=$(sed -n 's/^max_len = //p' fuzz/attach.options)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
build/fuzz/bin/make_seeds "$work/seeds" corpus/litmus/*.case >/dev/null
printf '%s\n' "$work"/seeds/* | paste -sd, >"$work/list"

median() { printf '%s\n' "$@" | sort -n | sed -n "$(($# / 2 + 1))p"; }

# rate COUNT COMMAND...: COUNT is the awk pattern of the line whose second word is the count.
rate() {
  local TIMEFORMAT='%U %S' count=$1
  shift
  { time "$@" >"$work/log" 2>&1; } 2>"$work/time" || { tail -n 40 "$work/log" >&2; exit 1; }
  awk -v count="$count" '$0 ~ count { cases = $2 + 0 } FILENAME ~ /time$/ { cpu = $1 + $2 }
    END { printf "%d\n", cases / cpu }' "$work/log" "$work/time"
}
engine() {
  rate number_of_executed_units "$1" -seed=1 -max_total_time="$seconds" -print_final_stats=1 \
    -max_len="$max_len" -seed_inputs="@$work/list" -artifact_prefix="$work/"
}

slow=0
for package in linux-source-6.1 linux-source-6.12; do
  export IOMMUCHECK_KERNEL_BUILD=build/kernel/$package
  [[ -f $IOMMUCHECK_KERNEL_BUILD/kernel-fuzz.so ]] || { echo "$package: not built, skipped"; continue; }
  fuzz=() empty=() plain=()
  for ((n = 0; n < runs; n++)); do
    empty+=("$(engine build/fuzz/bin/empty)")
    fuzz+=("$(engine build/fuzz/bin/kernel_attach)")
    plain+=("$(rate '^cases' build/release/bin/kernel_cases --cases=$((seconds * 20000)) \
      --seed=$((n + 1)) "$work/seeds")")
  done
  f=$(median "${fuzz[@]}") p=$(median "${plain[@]}") e=$(median "${empty[@]}")
  echo "$package: with ASan and coverage $f/s, without $p/s, empty target $e/s"
  ((f >= target_fuzz && p >= target_plain)) || slow=1
done
((slow == 0))
