#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# kernel_rate.sh [SECONDS] [RUNS]: cases for each second of CPU that model and real code play
# together: kernel_attach with ASan and coverage, compared with a target that does nothing on the
# same seeds; and kernel_cases without either. Prints medians; fails below the targets.
cd "$(dirname "$0")/.."
. bench/measure.sh

seconds=${1:-60}
runs=${2:-5}
target_fuzz=4000
target_plain=20000

slow=0
for package in linux-source-6.1 linux-source-6.12; do
  export IOMMUCHECK_KERNEL_BUILD=build/kernel/$package
  [[ -f $IOMMUCHECK_KERNEL_BUILD/kernel-fuzz.so ]] || { echo "$package: not built, skipped"; continue; }
  fuzz=() empty=() plain=()
  for ((n = 0; n < runs; n++)); do
    empty+=("$(engine empty "$seconds")")
    fuzz+=("$(engine kernel_attach "$seconds")")
    plain+=("$(rate '^cases' build/release/bin/kernel_cases --cases=$((seconds * 20000)) \
      --seed=$((n + 1)) "$work/seeds")")
  done
  f=$(median "${fuzz[@]}") p=$(median "${plain[@]}") e=$(median "${empty[@]}")
  echo "$package: with ASan and coverage $f/s, without $p/s, empty target $e/s"
  ((f >= target_fuzz && p >= target_plain)) || slow=1
done
((slow == 0))
