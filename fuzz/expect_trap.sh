#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# expect_trap.sh PROPERTY COMMAND...: passes if the command traps and says that it saw the property
# violated.
set -u

property=$1
shift
output=$("$@" 2>&1)
status=$?
if [[ $status -ne 132 ]]; then # 128 + SIGILL
  echo "the dropped rules went unnoticed: exit status $status"
  echo "$output"
  exit 1
fi
echo "$output"
grep -q "^violated: $property: " <<<"$output"
