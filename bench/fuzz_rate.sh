#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# fuzz_rate.sh [SECONDS] [ALTERNATIONS]: executions a second of the attach target and of a target
# that does nothing, from the same seeds, alternately.
cd "$(dirname "$0")/.."
. bench/measure.sh

seconds=${1:-5}
alternations=${2:-3}
target_share=8

cmake --build build/fuzz --target attach empty make_seeds >/dev/null
attach_rates=()
empty_rates=()
for ((n = 0; n < alternations; n++)); do
  empty_rates+=("$(engine empty "$seconds")")
  attach_rates+=("$(engine attach "$seconds")")
  echo "attach ${attach_rates[n]}/s, empty ${empty_rates[n]}/s"
done

attach=$(median "${attach_rates[@]}")
empty=$(median "${empty_rates[@]}")
echo "median: attach $attach/s, empty $empty/s, ratio $((attach * 100 / empty)) %" \
  "(target: $target_share %)"
((attach * 100 >= target_share * empty))
