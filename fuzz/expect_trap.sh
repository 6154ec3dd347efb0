#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# expect_trap.sh PROPERTY IOMMUCHECK COMMAND...: passes if the command aborts and reports that the
# property was violated, with a case that fails as long as it is.
set -u

property=$1
iommucheck=$2
shift 2
output=$("$@" 2>&1)
status=$?
if [[ $status -ne 134 ]]; then # 128 + SIGABRT
  echo "the dropped rules went unnoticed: exit status $status"
  echo "$output"
  exit 1
fi
echo "$output"
kernel=${IOMMUCHECK_KERNEL//./-}
head -n 1 <<<"$output" | grep -q ": Assertion \`$property on $kernel' failed\.$" || exit 1
grep -q "^violated: $property: on v[0-9.y]* without .*, in " <<<"$output" || exit 1
case=$(sed -n '/^kernel /,/^replay: /p' <<<"$output" | grep -v '^replay: ')
grep -q "^expect holds $property$" <<<"$case" || exit 1
judge_case=$(mktemp --suffix=.case)
trap 'rm -f "$judge_case"' EXIT
echo "$case" >"$judge_case"
if "$iommucheck" judge "$judge_case"; then
  echo "judge does not see that the property is violated"
  exit 1
fi
sed -i "s/^expect holds $property$/expect violated $property/" "$judge_case"
"$iommucheck" judge "$judge_case" || exit 1
sed -i '0,/ -> .*/s// -> -EDOM/' "$judge_case"
if "$iommucheck" judge "$judge_case"; then
  echo "the case asserts nothing of its ops"
  exit 1
fi
