#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# kernel_cases_test.sh KERNEL_CASES BUILD SEEDS CASES NEVER [KNOWN PROFILE]: a short run with a fixed
# seed, which must play every op but those in NEVER. Exit status 77: there is no such build, or the
# file KNOWN has differences of its PROFILE, to which random cases come soon; prints the reason.
set -eu
if [[ ! -f $2/kernel.so ]]; then
  echo "SKIPPED: there is no $2/kernel.so; ./dev kernel builds it"
  exit 77
fi
if [[ -n ${7:-} ]] && grep -q "^$7 " "$6"; then
  echo "SKIPPED: $7 is known to differ, see $6"
  exit 77
fi
out=$(IOMMUCHECK_KERNEL_BUILD=$2 "$1" --cases="$4" --seed=1 "$3") || status=$?
printf '%s\n' "$out"
never=$(sed -n 's/^never played //p' <<<"$out")
if [[ $never != "$5" ]]; then
  echo "expected no ops but '$5' to be never played, found '$never'"
  exit 1
fi
exit "${status:-0}"
