#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# plot.sh DIR: draws DIR/status.svg from the stats.tsv of each target of ./dev fuzz --forever:
# coverage in the model's terms, features, and the rate, over time. Without gnuplot it says so.
set -euo pipefail
dir=$1
if ! command -v gnuplot >/dev/null; then
  echo "no picture: gnuplot is not installed (Debian: gnuplot-nox)"
  exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
names=()
for stats in "$dir"/*/stats.tsv; do
  [[ -f $stats ]] || continue
  name=$(basename "$(dirname "$stats")")
  # Hours since the first slice; lines that were cut off have no dot at their end. Columns: hours,
  # executions a second, features, results and refusals in the model.
  awk -F'\t' 'NF == 10 && $10 == "." && $2 > 0 {
    if (!from) from = $1 - $2
    printf "%.4f %.1f %d %d\n", ($1 - from) / 3600, $3 / $2, $5, $6 + $7 }' "$stats" >"$work/$name"
  (($(wc -l <"$work/$name") < 2)) || names+=("$name")
done
((${#names[@]})) || { echo "no picture: no target has two slices yet"; exit 0; }
# lines COLUMN: the curve of each target. The rate is no sum, and gets points.
lines() {
  local name sep=''
  for name in "${names[@]}"; do
    printf "%s'%s' using 1:%d with linespoints title '%s' noenhanced" "$sep" "$work/$name" "$1" "$name"
    sep=', '
  done
}
{
  echo "set terminal svg size 800,900 dynamic"
  echo "set output '$work/status.svg'"
  echo "set key outside below; set xlabel 'hours'; set grid; set multiplot layout 3,1"
  echo "set title 'coverage in model terms: results of ops, and refusals by checks'; plot $(lines 4)"
  echo "set title 'features (libFuzzer)'; plot $(lines 3)"
  echo "set title 'executions a second'; set logscale y; plot $(lines 2)"
} >"$work/plot"
gnuplot "$work/plot"
mv "$work/status.svg" "$dir/status.svg"
echo "picture: $dir/status.svg"
