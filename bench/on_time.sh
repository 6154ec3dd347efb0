#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# CPU seconds (user and system) of questions about one machine of 64 devices, 32 groups and 4
# drivers, up to 6 steps: by a proof or a search, by search alone, and with the comparison dropped;
# and of the explorer (check) on the reduced machine of the corpus's snapshot, which has 14 devices.
. bench/measure.sh

machine >"$work/large.case"

verdict() { sed -n 's/^verdict *//p' "$work/out"; }

printf '%6s  %s\n' CPU-s question
for kernel in $(profiles); do
  for property in attach reuse; do
    for how in '' --bounded '--drop type1.same_ops'; do
      # shellcheck disable=SC2086  # several words
      seconds=$(cpu "$tool" query no-cross-driver-$property --on "$work/large.case" --kernel $kernel --steps 6 $how)
      printf '%6.2f  %s\n' "$seconds" "$kernel $property $how: $(verdict)"
    done
  done
done
snapshot=corpus/systems/qemu-vtd-virtio-6.12.tar.gz
for kernel in v6.0 v7.1; do
  for property in attach reuse; do
    seconds=$(cpu "$tool" query no-cross-driver-$property --on $snapshot --kernel $kernel --steps 6)
    printf '%6.2f  %s\n' "$seconds" "$kernel $property on the snapshot: $(verdict)"
  done
  printf '%6.2f  %s\n' "$(cpu "$tool" check $snapshot --kernel $kernel --steps 6)" \
    "$kernel the explorer on the snapshot: both properties, as is and patched"
done
