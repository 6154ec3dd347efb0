#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Mutants of one function of the kernel: those that must be noticed, and by whom. The kernel's own
# code is noticed by nobody, or the program would end with another status.
#   kernel_mutants_test.sh KERNEL_MUTANTS BUILD
# Exit status 77: ./dev test has not built the mutants.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [[ ! -f $2/kernel.so ]]; then
  echo "SKIPPED: there is no $2/kernel.so; ./dev kernel mutate builds it"
  exit 77
fi
function=iommu_group_claim_dma_owner
status=0
out=$(IOMMUCHECK_KERNEL_BUILD=$2 "$1" --cases=2000 --rounds=2000 --function=$function --killed \
  --equivalent=kernel/mutate/equivalent.txt corpus/litmus corpus/bugs) || status=$?
says() {
  grep -Eq -- "$1" <<<"$out" && return
  printf '%s\nFAILED: expected %s\n' "$out" "$1"
  exit 1
}
((status == 0)) || { printf '%s\nFAILED: exit status %s\n' "$out" "$status"; exit 1; }
says "^killed by corpus, differs: .* $function: drop-branch: if \(group->owner_cnt\) "
says "^killed by corpus, differs: .* $function: errno: -EPERM -> -EINVAL"
says "^killed by corpus, stops: [a-z_]+: the kernel takes (a lock that it already holds|two locks in either order): .* $function: drop-call: mutex_unlock"
says "^$function +[0-9]+ +[0-9]+ +[0-9]+ +[0-9]+ +[1-9]"

# A function of another name has no mutants.
if IOMMUCHECK_KERNEL_BUILD=$2 "$1" --function=no_such_function >/dev/null 2>&1; then
  echo "FAILED: no_such_function must be refused"
  exit 1
fi
# An entry that matches nothing, or a mutant that is noticed, is an error.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
refused() {
  printf 'tree linux-source-6.12\nmutant %s\nwhy a test\n' "$1" >"$work/equivalent"
  status=0
  out=$(IOMMUCHECK_KERNEL_BUILD=$2 "$3" --cases=0 --rounds=0 --function=$function \
    --equivalent="$work/equivalent" corpus/litmus) || status=$?
  ((status == 1)) || { printf '%s\nFAILED: %s must be refused\n' "$out" "$1"; exit 1; }
}
refused "$function: errno: -EPERM -> -EVIL" "$2" "$1"
says 'no such mutant: .*-EVIL'
refused "$function: errno: -EPERM -> -EINVAL" "$2" "$1"
says 'it was noticed \(corpus: differs\)'
