#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Cases as programs do on Debian's kernels, booted, what the model of these kernels does.
# Exit status 77: `./dev kernel programs` has downloaded none, or there is no QEMU.
set -euo pipefail
shopt -s nullglob
cd "$(dirname "${BASH_SOURCE[0]}")/.."
images=()
for image in build/programs/*/image; do images+=(--package "$(<"$image")"); done
if ((${#images[@]} == 0)) || ! command -v qemu-system-x86_64 >/dev/null || [[ ! -x /bin/busybox ]]; then
  echo "SKIPPED: there is no kernel to boot, or no QEMU: run ./dev kernel programs"
  exit 77
fi
out=$(kernel/qemu/programs.sh "${images[@]}" corpus/{litmus,bugs}/*.case docs/reports/*.case)
printf '%s\n' "$out"
# The leak at the top of the address space, by its program.
[[ $out == *$'# map-to-the-top\nKTAP version 1\n1..5\n'*$'\nok 5 pages of locked_vm\n'* ]]
