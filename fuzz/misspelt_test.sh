#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# misspelt_test.sh TARGET: a variable with an unknown value ends the target with status 2 and a line
# that quotes the wrong word and suggests the right one.
set -u

input=$(mktemp)
trap 'rm -f "$input"' EXIT

# expect VARIABLE VALUE LINE
expect() {
  local output status
  output=$(env "$1=$2" "$target" "$input" 2>&1)
  status=$?
  if [[ $status -ne 2 || $output != "$1: $3" ]]; then
    echo "$1=$2: exit status $status, expected 2 and the line"
    echo "$1: $3"
    echo "$output"
    exit 1
  fi
}

target=$1
expect IOMMUCHECK_DROP type1.same_ops,type1.same_opps \
  "expected the id of a rule, found 'type1.same_opps'; did you mean type1.same_ops?"
expect IOMMUCHECK_KERNEL v6.2 "expected a kernel, found 'v6.2'"
expect IOMMUCHECK_PROPERTY no-oopses "expected a property, found 'no-oopses'; did you mean no-oops?"
