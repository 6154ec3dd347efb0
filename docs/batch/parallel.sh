#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# parallel.sh PROPERTY SHARDS ARGS...: an exhaustive search in shards, by GNU parallel on this
# machine, or on those of $PARALLEL_SSH (as --sshlogin has it; the tool and the folder must be
# there, too). ARGS are those of `iommucheck explore`. Shards that are done are not done again.
#
#   docs/batch/parallel.sh no-cross-driver-reuse 64 --kernel v7.1 --scope devices=3,instances=2,steps=6
set -euo pipefail
tool=${IOMMUCHECK:-build/release/bin/iommucheck} out=${OUT:-shards}
property=$1 shards=$2
shift 2
mkdir -p "$out"
# 0 and 1 are answers; a shard that could not be searched to its end is one, too (3).
seq "$shards" | parallel ${PARALLEL_SSH:+--sshlogin "$PARALLEL_SSH"} --joblog "$out/log" --resume-failed \
  "$tool explore $property $* --threads 1 --shard {}/$shards --json >$out/{}.json.new;" \
  "status=\$?; ((status <= 1 || status == 3)) && mv $out/{}.json.new $out/{}.json"
"$tool" merge "$out"/*.json
