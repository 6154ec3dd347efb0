#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The explorer beside SPIN on one transition system, one core each, CPU seconds (user and system).
# bench/explore_rate.sh [--check] [DEVICES]...: with --check, fails where the counts differ.
# Exit status 77: spin or gcc is not there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bench=${EXPLORE_BENCH:-$PWD/build/release/bin/explore_bench}
check=
[[ ${1:-} == --check ]] && { check=yes; shift; }
sizes=("$@")
((${#sizes[@]})) || sizes=(5 6 7)
for tool in spin gcc; do
  command -v "$tool" >/dev/null || { echo "no $tool: the explorer is not compared with SPIN" >&2; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
model=$PWD/bench/spin/groups.pml

# Without -o2 SPIN takes globals for dead that are read later, and loses states.
spin_run() {
  (
    cd "$work"
    spin -o1 -o2 -o3 -a "-DNDEV=$1" "$model"
    gcc -O3 -w -DSAFETY -DNOREDUCE -DNOFAIR -o pan pan.c
    TIMEFORMAT='%U %S'
    { time ./pan -m10000000 "-w$2" >pan.out; } 2>time.out
    awk 'NR == FNR { cpu = $1 + $2; next }
         /states, stored/ { states = $1 }
         /transitions \(= stored/ { transitions = $1 }
         /errors:/ { errors = $NF }
         # One state and two transitions are those of init itself.
         END { print states - 1, transitions - 2, cpu, errors }' time.out pan.out
  )
}

printf '%-8s %9s %9s %11s %8s %12s %10s %8s\n' \
  devices tool states transitions CPU-s states/s trans/s bytes
status=0
for n in "${sizes[@]}"; do
  read -r states transitions cpu bytes < <("$bench" "$n")
  read -r spin_states spin_transitions spin_cpu errors < <(spin_run "$n" $((12 + 2 * n)))
  row() {
    awk -v n="$n" -v tool="$1" -v s="$2" -v t="$3" -v c="$4" -v b="$5" 'BEGIN {
      d = c > 0 ? c : 0.001
      printf "%-8d %9s %9d %11d %8.2f %12d %10d %8s\n", n, tool, s, t, c, s / d, t / d, b }'
  }
  row explorer "$states" "$transitions" "$cpu" "$bytes"
  row SPIN "$spin_states" "$spin_transitions" "$spin_cpu" "-"
  if [[ $errors != 0 || $states != "$spin_states" || $transitions != "$spin_transitions" ]]; then
    echo "the explorer and SPIN differ on $n devices" >&2
    status=1
  fi
done
[[ -z $check ]] || exit "$status"
