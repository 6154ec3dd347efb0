# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the scripts of this folder share. They source it in the top folder.
set -euo pipefail
tool=build/release/bin/iommucheck
TIMEFORMAT='%U %S'
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# CPU seconds (user and system) of a command, whatever its exit status. What it prints is in
# $work/out then.
cpu() {
  { time "$@" >"$work/out" 2>/dev/null || true; } 2>&1 | awk '{ printf "%.3f\n", $1 + $2 }'
}

median() { printf '%s\n' "$@" | sort -n | sed -n "$(($# / 2 + 1))p"; }

profiles() { "$tool" kernels --json | sed -n 's/^ *"profile": "\(.*\)",$/\1/p'; }

# rate COUNT COMMAND...: the second word of the line with COUNT, for each second of CPU, so that a
# busy machine matters less.
rate() {
  local count=$1
  shift
  { time "$@" >"$work/log" 2>&1; } 2>"$work/time" || { tail -n 40 "$work/log" >&2; exit 1; }
  awk -v count="$count" '$0 ~ count { runs = $2 + 0 } FILENAME ~ /time$/ { cpu = $1 + $2 }
    END { printf "%d\n", runs / cpu }' "$work/log" "$work/time"
}

# engine TARGET SECONDS [PRESET]: executions of a fuzz target from the same seeds, for so many seconds.
# A list of seeds instead of a folder: with a folder the engine would write the inputs it finds, which
# measures the file system.
engine() {
  local target=$1 seconds=$2 preset=${3:-fuzz} options
  mapfile -t options < <(fuzz/engine_options.sh attach)
  if [[ ! -f $work/list ]]; then
    build/fuzz/bin/make_seeds "$work/seeds" corpus/litmus/*.case >/dev/null
    printf '%s\n' "$work"/seeds/* | paste -sd, >"$work/list"
  fi
  rate number_of_executed_units "build/$preset/bin/$target" -seed=1 -max_total_time="$seconds" \
    -print_final_stats=1 "${options[@]}" \
    -seed_inputs="@$work/list" -artifact_prefix="$work/"
}

# A machine of 64 devices, 32 groups and 4 drivers.
# Each group is two functions of a slot, or two platform devices; the second driver has a bus for
# itself.
machine() {
  echo 'kernel v7.1'
  local i d bus slot
  for i in 0 1 2 3; do
    bus=pci
    [[ $i == 1 ]] && bus=platform
    echo "driver drv$i claims=$bus:ignore"
  done
  for i in {0..7}; do echo "instance iommu$i drv$((i % 4))$([[ $((i % 4)) == 0 ]] || echo ' fwnode')"; done
  for d in {0..63}; do
    i=$((d / 2))
    if ((i % 4 == 1)); then bus=platform slot=''; else bus=pci slot=" slot=$((i + 1))"; fi
    echo "device dev$d $bus iommu$((i % 8))$slot"
  done
}
