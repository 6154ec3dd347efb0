#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# An exhaustive search in shards, as a Slurm array: one task a shard. Then `iommucheck merge
# shards/*.json`. The number of shards is that of the array; say both here alone.
#
#   sbatch docs/batch/slurm.sh no-cross-driver-reuse --kernel v7.1 --scope devices=3,instances=2,steps=6
#
#SBATCH --array=1-64
#SBATCH --cpus-per-task=1
#SBATCH --mem=2G
#SBATCH --job-name=iommucheck
set -euo pipefail
tool=${IOMMUCHECK:-build/release/bin/iommucheck} out=${OUT:-shards}
shard=$SLURM_ARRAY_TASK_ID shards=$SLURM_ARRAY_TASK_COUNT
mkdir -p "$out"
status=0
"$tool" explore "$@" --threads 1 --shard "$shard/$shards" --json >"$out/$shard.json.new" || status=$?
# 1 is a violation, and 3 that the search did not come to its end: both are answers to merge.
((status <= 1 || status == 3)) || exit "$status"
mv "$out/$shard.json.new" "$out/$shard.json"
