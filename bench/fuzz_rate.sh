#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# fuzz_rate.sh [SECONDS] [ALTERNATIONS]: executions a second of the attach target and of a target
# that does nothing, from the same seeds, alternately: without sanitizers, and with ASan and UBSan.
# Exit status 1: a ratio is below its target.
cd "$(dirname "$0")/.."
. bench/measure.sh

seconds=${1:-5}
alternations=${2:-3}
presets=(fuzz fuzz-sanitized)
declare -A share=([fuzz]=10 [fuzz-sanitized]=8) rates

for ((n = 0; n < alternations; n++)); do
  for preset in "${presets[@]}"; do
    for target in empty attach; do
      rate=$(engine "$target" "$seconds" "$preset")
      rates[$preset $target]+="$rate "
      echo "$preset: $target $rate/s"
    done
  done
done

status=0
for preset in "${presets[@]}"; do
  read -ra all <<<"${rates[$preset attach]}"
  attach=$(median "${all[@]}")
  read -ra all <<<"${rates[$preset empty]}"
  empty=$(median "${all[@]}")
  awk -v preset="$preset" -v attach="$attach" -v empty="$empty" -v share="${share[$preset]}" 'BEGIN {
    printf "%s, median: attach %d/s, empty %d/s, ratio %.1f %% (target: %d %%)\n", preset, attach, empty,
      attach * 100 / empty, share
    exit attach * 100 < share * empty
  }' || status=1
done
exit $status
