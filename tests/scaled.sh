#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# scaled.sh COMMAND...: runs a test that draws, with the seed and as many times as is asked for.
# In the command {seed} stands for the seed, and {count:N} for N times the scale.
#
#   IOMMUCHECK_SEED    a number, or `random`; default 1, so that a red run is red again
#   IOMMUCHECK_SCALE   a number from 1 on, or a part such as 1/10; default 1
set -eu

seed=${IOMMUCHECK_SEED:-1}
scale=${IOMMUCHECK_SCALE:-1}
if [[ $seed == random ]]; then seed=$(od -An -N4 -tu4 /dev/urandom | tr -d ' '); fi
if [[ ! $seed =~ ^[0-9]{1,18}$ ]]; then
  echo "IOMMUCHECK_SEED: expected a number or 'random', found '$seed'" >&2
  exit 2
fi
if [[ ! $scale =~ ^([1-9][0-9]{0,5})(/([1-9][0-9]{0,5}))?$ ]]; then
  echo "IOMMUCHECK_SCALE: expected a number such as 20 or 1/10, found '$scale'" >&2
  exit 2
fi
times=${BASH_REMATCH[1]} of=${BASH_REMATCH[3]:-1}

command=()
for word in "$@"; do
  word=${word//'{seed}'/$seed}
  while [[ $word =~ \{count:([0-9]+)\} ]]; do
    count=$((BASH_REMATCH[1] * times / of))
    ((count > 0)) || count=1
    word=${word//"${BASH_REMATCH[0]}"/$count}
  done
  command+=("$word")
done
echo "seed $seed, scale $scale: ${command[*]}"
exec "${command[@]}"
