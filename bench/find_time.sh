#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# find_time.sh [SEEDS [EXECUTIONS [BYTES_SEEDS [BYTES_EXECUTIONS [VERSION]...]]]]: from an empty corpus, how many
# executions the attach target takes to notice each line of fuzz/mutations.cmake: with its own
# mutator, and with that of the engine alone. The median of so many seeds (default 10), and how many
# of them found it at all within the executions (default 1000000). With the engine's mutator most
# runs go to the limit, so it may have another. VERSION: the lines of these kernels alone. Prints the
# table of docs/fuzzing.md.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/.."

own_seeds=${1:-10} own_limit=${2:-1000000}
bytes_seeds=${3:-$own_seeds} bytes_limit=${4:-$own_limit} only=" ${*:5} "
target=$PWD/build/fuzz/bin/attach
mapfile -t options < <(fuzz/engine_options.sh attach)

# executions VERSION RULES PROPERTY SEED: prints them, or nothing where the limit was reached. The
# corpus is in memory alone: of a folder the engine reads news by the clock, and a seed would not
# give the same twice.
executions() (
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  cd "$folder"
  status=0
  IOMMUCHECK_KERNEL=$1 IOMMUCHECK_DROP=$2 IOMMUCHECK_PROPERTY=$3 \
    "$target" -runs="$limit" -seed="$4" "${options[@]}" -print_final_stats=1 \
    >log 2>&1 || status=$?
  ((status == 0)) || sed -n 's/^stat::number_of_executed_units: *//p' log
)

# median VERSION RULES PROPERTY: "749 (5 of 5)", or ">1000000 (0 of 5)".
median() {
  local seed found=()
  for ((seed = 1; seed <= seeds; seed++)); do
    mapfile -O "${#found[@]}" -t found < <(executions "$@" "$seed")
  done
  # Those that found nothing count as more than all others.
  mapfile -t found < <(printf '%s\n' "${found[@]}" | sed '/^$/d' | sort -n)
  local middle=$(((seeds - 1) / 2))
  printf '%s (%d of %d)' "${found[middle]:->$limit}" "${#found[@]}" "$seeds"
}

echo '| kernel without | property | own mutator | bytes alone |'
echo '|---|---|---|---|'
sed -n 's/^expect_trap(\(.*\))$/\1/p' fuzz/mutations.cmake | while read -r version rules property; do
  [[ -z ${only// /} || $only == *" $version "* ]] || continue
  seeds=$own_seeds limit=$own_limit
  own=$(median "$version" "$rules" "$property")
  seeds=$bytes_seeds limit=$bytes_limit
  bytes=$(IOMMUCHECK_BYTES=1 median "$version" "$rules" "$property")
  echo "| $version \`${rules//,/\`, \`}\` | \`$property\` | $own | $bytes |"
done
