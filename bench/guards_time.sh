#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# CPU seconds (user and system) of the map of guards of each profile and property, bounded and with
# proofs, one run each; how many of the sufficient sets are proved, and how many removals there are.
set -euo pipefail
tool=build/release/bin/iommucheck
TIMEFORMAT='%U %S'

measure() {
  local out=$1
  shift
  { time "$tool" guards "$@" --json >"$out" 2>/dev/null || true; } 2>&1 |
    awk '{printf "%.1f\n", $1 + $2}'
}

map=$(mktemp)
trap 'rm -f "$map"' EXIT
printf '%9s %9s %9s %9s  %s\n' bounded proofs proved removals question
for property in no-cross-driver-reuse no-cross-driver-attach; do
  for kernel in $("$tool" kernels --json | sed -n 's/^ *"profile": "\(.*\)",$/\1/p'); do
    bounded=$(measure "$map" "$property" --kernel "$kernel" --bounded)
    proofs=$(measure "$map" "$property" --kernel "$kernel")
    printf '%9s %9s %9s %9s  %s\n' "$bounded" "$proofs" \
      "$(grep -c '"every_size": true' "$map")/$(grep -c '"every_size"' "$map")" \
      "$(grep -c '^      "case"' "$map")" "$property --kernel $kernel"
  done
done
