#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the real code of a kernel package and holds the model to it on all cases of the corpus and on random ones.
#   kernel_test.sh IOMMUCHECK REAL_PROPS PACKAGE AT_LEAST
# Exit status 77: the package cannot be had here, and the reason is printed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
./dev kernel --package "$3" || exit $?
status=0
out=$("$1" conform --kernel-build "build/kernel/$3" --as-built corpus/{litmus,bugs}) || status=$?
printf '%s\n' "$out"
agree=$(sed -n 's/^\([0-9]*\) agree, .*/\1/p' <<<"$out")
if ((${agree:-0} < $4)); then
  echo "expected at least $4 cases that agree, found ${agree:-none}"
  exit 1
fi
((status == 0)) || exit "$status"
IOMMUCHECK_KERNEL_BUILD="build/kernel/$3" RC_PARAMS="max_success=10000 seed=1" "$2"
