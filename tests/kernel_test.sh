#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the real code of a kernel package and holds the model to it on all litmus cases.
#   kernel_test.sh IOMMUCHECK PACKAGE AT_LEAST
# Exit status 77: the package cannot be had here, and the reason is printed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
./dev kernel --package "$2" || exit $?
status=0
out=$("$1" conform --kernel-build "build/kernel/$2" --as-built corpus/litmus) || status=$?
printf '%s\n' "$out"
agree=$(sed -n 's/^\([0-9]*\) agree, .*/\1/p' <<<"$out")
if ((${agree:-0} < $3)); then
  echo "expected at least $3 cases that agree, found ${agree:-none}"
  exit 1
fi
exit "$status"
