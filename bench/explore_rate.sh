#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Compares the explorer with SPIN on one transition system, in CPU seconds (user and system) of one
# core; with two threads, compares wall seconds with those of one thread. "alike" keeps one state
# for all that differ only in the names of alike devices, and counts all of them.
# bench/explore_rate.sh [--check] [DEVICES[+SPARE]]...
# With --check, uses one thread only, and fails if the counts differ. 8+2 has 20 million states;
# SPIN takes minutes and 2 GB for them. Exit status 77: spin or gcc is not installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bench=${EXPLORE_BENCH:-$PWD/build/release/bin/explore_bench}
check=
[[ ${1:-} == --check ]] && { check=yes; shift; }
sizes=("$@")
((${#sizes[@]})) || sizes=(5 6 7 8)
for tool in spin gcc; do
  command -v "$tool" >/dev/null || { echo "no $tool: the explorer is not compared with SPIN" >&2; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
model=$PWD/bench/spin/groups.pml

# Without -o2, SPIN treats globals as dead that are read later, and loses states. Depth-first search
# without compression is its fastest exact search here (docs/explore.md).
spin_run() {  # devices, spare, log2 of slots
  (
    cd "$work"
    spin -o1 -o2 -o3 -a "-DNDEV=$1" "-DSPARE=$2" "$model"
    gcc -O3 -march=native -w -DSAFETY -DNOREDUCE -DNOFAIR -DNOCOMP -o pan pan.c
    TIMEFORMAT='%U %S'
    # SPIN needs time for its stack, so it should not be larger than the search is deep.
    depth=40000000
    (($1 > 7)) || depth=2000000
    (($1 > 6)) || depth=200000
    { time ./pan "-m$depth" "-w$3" >pan.out; } 2>time.out
    awk 'NR == FNR { cpu = $1 + $2; next }
         /states, stored/ { states = $1 }
         /transitions \(= stored/ { transitions = $1 }
         /errors:/ { errors = $NF }
         # One state and two transitions belong to init itself.
         END { printf "%d %d %s %s\n", states - 1, transitions - 2, cpu, errors }' time.out pan.out
  )
}

printf '%-5s %-9s %9s %11s %7s %9s %9s %6s %6s\n' \
  size tool states transitions s states/s trans/s x bytes
row() {  # tool states transitions seconds peer's-seconds bytes
  awk -v n="$size" -v tool="$1" -v s="$2" -v t="$3" -v c="$4" -v p="$5" -v b="$6" 'BEGIN {
    d = c > 0 ? c : 0.001
    printf "%-5s %-9s %9d %11.5g %7.2f %9d %9d %6.1f %6s\n", n, tool, s, t, c, s / d, t / d, p / d, b }'
}
status=0
for size in "${sizes[@]}"; do
  devices=${size%+*}
  spare=0
  [[ $size == *+* ]] && spare=${size#*+}
  read -r states transitions cpu wall bytes _ < <("$bench" "$size" 1)
  read -r spin_states spin_transitions spin_cpu errors < \
    <(spin_run "$devices" "$spare" $((10 + 2 * devices + spare)))
  row SPIN "$spin_states" "$spin_transitions" "$spin_cpu" "$spin_cpu" -
  row explorer "$states" "$transitions" "$cpu" "$spin_cpu" "$bytes"
  read -r alike_states alike_transitions alike_cpu _ alike_bytes _ < <("$bench" "$size" 1 --alike)
  row alike "$alike_states" "$alike_transitions" "$alike_cpu" "$spin_cpu" "$alike_bytes"
  if [[ -z $check ]]; then
    read -r two_states two_transitions _ two_wall two_bytes _ < <("$bench" "$size" 2)
    row '2 threads' "$two_states" "$two_transitions" "$two_wall" "$wall" "$two_bytes"
  fi
  # SPIN prints seven digits of the larger numbers.
  for counts in "$states $transitions" "$alike_states $alike_transitions"; do
    read -r s t <<<"$counts"
    if [[ $errors != 0 ]] || ! awk -v a="$s" -v b="$spin_states" -v c="$t" -v d="$spin_transitions" \
      'BEGIN { e = d > 1e8 ? d * 1e-6 : 0; exit !((a - b) ^ 2 <= (e / 10) ^ 2 && (c - d) ^ 2 <= e ^ 2) }'; then
      echo "the explorer and SPIN differ on $size devices" >&2
      status=1
    fi
  done
done
[[ -z $check ]] || exit "$status"
