#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# fuzz_rate.sh [BUILD-DIR] [SECONDS] [ALTERNATIONS]: executions a second of the attach target and of
# a target that does nothing, from the same seeds, alternately. BUILD-DIR is a build of preset
# `fuzz`.
set -eu

source_dir=$(cd "$(dirname "$0")/.." && pwd)
build=${1:-$source_dir/build/fuzz}
seconds=${2:-5}
alternations=${3:-3}
target_share=8
max_len=$(sed -n 's/^max_len = //p' "$source_dir/fuzz/attach.options")

cmake --build "$build" --target attach empty make_seeds >/dev/null
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$build/bin/make_seeds" "$work/seeds" "$source_dir"/corpus/litmus/*.case >/dev/null
# A list of seeds instead of a folder: with a folder the engine would write the inputs it finds,
# which measures the file system.
printf '%s\n' "$work"/seeds/* | paste -sd, >"$work/list"

# Executions a second of CPU, so that a busy machine matters less.
rate() {
  local TIMEFORMAT='%U %S'
  { time "$1" -seed=1 -max_total_time="$seconds" -print_final_stats=1 \
    -max_len="$max_len" -seed_inputs="@$work/list" >"$work/log" 2>&1; } 2>"$work/time"
  awk '/number_of_executed_units/ { runs = $2 } FILENAME ~ /time$/ { cpu = $1 + $2 }
       END { printf "%d\n", runs / cpu }' "$work/log" "$work/time"
}

attach_rates=()
empty_rates=()
for ((n = 0; n < alternations; n++)); do
  empty_rates+=("$(rate "$build/bin/empty")")
  attach_rates+=("$(rate "$build/bin/attach")")
  echo "attach ${attach_rates[n]}/s, empty ${empty_rates[n]}/s"
done

median() { printf '%s\n' "$@" | sort -n | sed -n "$(($# / 2 + 1))p"; }
attach=$(median "${attach_rates[@]}")
empty=$(median "${empty_rates[@]}")
echo "median: attach $attach/s, empty $empty/s, ratio $((attach * 100 / empty)) %" \
  "(target: $target_share %)"
((attach * 100 >= target_share * empty))
