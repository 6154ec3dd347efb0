#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# kernel_cases_test.sh KERNEL_CASES BUILD SEEDS CASES: a short run with a fixed seed. Exit status
# 77: there is no such build, and the reason is printed.
set -eu
if [[ ! -f $2/kernel.so ]]; then
  echo "SKIPPED: there is no $2/kernel.so; ./dev kernel builds it"
  exit 77
fi
IOMMUCHECK_KERNEL_BUILD=$2 exec "$1" --cases="$4" --seed=1 "$3"
