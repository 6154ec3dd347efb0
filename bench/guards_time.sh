#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# CPU seconds (user and system) of the map of guards of each profile and property, bounded and with
# proofs, one run each; how many of the sufficient sets are proved, and how many removals there are.
. bench/measure.sh

printf '%9s %9s %9s %9s  %s\n' bounded proofs proved removals question
for property in no-cross-driver-reuse no-cross-driver-attach; do
  for kernel in $(profiles); do
    bounded=$(cpu "$tool" guards "$property" --kernel "$kernel" --json --bounded)
    proofs=$(cpu "$tool" guards "$property" --kernel "$kernel" --json)
    printf '%9.1f %9.1f %9s %9s  %s\n' "$bounded" "$proofs" \
      "$(grep -c '"every_size": true' "$work/out")/$(grep -c '"every_size"' "$work/out")" \
      "$(grep -c '^      "case"' "$work/out")" "$property --kernel $kernel"
  done
done
