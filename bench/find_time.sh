#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# find_time.sh [SEEDS [EXECUTIONS]]: from an empty corpus, how many executions the attach target
# takes to notice each line of fuzz/mutations.cmake: with its own mutator, and with that of the
# engine alone. The median of so many seeds (default 10), and of how many seeds found it at all.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seeds=${1:-10} limit=${2:-1000000}
target=$PWD/build/fuzz/bin/attach
max_len=$(sed -n 's/^max_len = //p' fuzz/attach.options)

# executions VERSION RULES PROPERTY SEED: prints them, or nothing where the limit was reached.
executions() (
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  cd "$folder"
  mkdir corpus
  status=0
  IOMMUCHECK_KERNEL=$1 IOMMUCHECK_DROP=$2 IOMMUCHECK_PROPERTY=$3 \
    "$target" -runs="$limit" -seed="$4" -max_len="$max_len" -print_final_stats=1 corpus \
    >log 2>&1 || status=$?
  ((status == 0)) || sed -n 's/^stat::number_of_executed_units: *//p' log
)

# median VERSION RULES PROPERTY: "749 of 5 in 5", or "none of 5".
median() {
  local seed found=()
  for ((seed = 1; seed <= seeds; seed++)); do
    mapfile -O "${#found[@]}" -t found < <(executions "$@" "$seed")
  done
  # Those that found nothing count as more than all others.
  mapfile -t found < <(printf '%s\n' "${found[@]}" | sort -n)
  local middle=$(((seeds - 1) / 2))
  printf '%s (%d of %d)' "${found[middle]:->$limit}" "${#found[@]}" "$seeds"
}

printf '%-52s %24s %24s\n' "kernel without" "own mutator" "bytes alone"
sed -n 's/^expect_trap(\(.*\))$/\1/p' fuzz/mutations.cmake | while read -r version rules property; do
  own=$(median "$version" "$rules" "$property")
  bytes=$(IOMMUCHECK_BYTES=1 median "$version" "$rules" "$property")
  printf '%-52s %24s %24s\n' "$version $rules" "$own" "$bytes"
done
