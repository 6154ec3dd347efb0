#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs cases as programs of user space on Debian's kernels, as they come, in QEMU with an IOMMU of AMD:
#   programs.sh [--package linux-image-..]... CASE...
# Needs build/release/bin/{recording,iommucheck}, and the packages of `./dev kernel programs`. Of the
# cases it runs those that are system calls on a machine with one IOMMU and nothing special. Prints
# their KTAP. Exit status 1: a call had another result than in the model of that kernel; 3: a download
# failed, or a machine stopped early.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=$root/build/release/bin

say() { printf '%s\n' "$*" >&2; }
unknown() { say "kernel programs: $*"; exit 3; }
. "$root/kernel/qemu/machine.sh"

packages=()
while [[ ${1:-} == --package ]]; do
  packages+=("${2:?"--package wants a name"}")
  shift 2
done
if ((${#packages[@]} == 0)); then
  for meta in linux-image-amd64 linux-image-6.12-amd64; do packages+=("$(depends "$meta" | head -n 1)"); done
fi
(($#)) || { say "programs.sh: expected cases, found none"; exit 2; }

# What the machine of the case calls its devices, and functions of the machine that boots.
devices=(0000:00:04.0 0000:00:05.0 0000:00:06.0)
testdev=1b36:0005

download() {
  local tree=$1 image=$2
  [[ ! -f $tree/image || $(<"$tree/image") != "$image" ]] || return 0
  say "$image: downloading"
  fetch_packages "$tree" "$image"
  rm -r "$tree/debs"
  echo "$image" >"$tree/image"
}

make_initrd() {
  local tree=$1 profile=$2 source name arguments n
  shift 2
  rm -rf "$tree"/{cases,programs}
  begin_initrd "$tree"
  mkdir -p "$tree"/{cases,programs,initrd/{bin,programs,dev,proc,sys}}
  add_module "$tree" vfio_iommu_type1
  add_module "$tree" vfio-pci "ids=$testdev"
  cp /bin/busybox "$tree/initrd/bin"
  cp "$root/kernel/qemu/programs.init" "$tree/initrd/init"
  "$bin/recording" stock "$profile" "$tree/cases" "$@"
  [[ -z $(find "$tree/cases" -name '*.case') ]] ||
    "$bin/iommucheck" export --out "$tree/programs" "$tree/cases" >/dev/null
  [[ -n $(find "$tree/programs" -name '*.c') ]] ||
    unknown "none of the cases is system calls alone, on a machine with one IOMMU and nothing special"
  for source in "$tree"/programs/*.c; do
    name=$(basename "$source" .c)
    gcc -std=c11 -D_GNU_SOURCE -O1 -static -o "$tree/initrd/programs/$name" "$source"
    # The comment has ` * ./NAME 00:04.0=NAME ..`.
    read -ra arguments < <(sed -n 's,^ \* \./[^ ]* ,,p' "$source" | head -n 1)
    for n in "${!arguments[@]}"; do arguments[n]=${arguments[n]%=*}=${devices[n]:?"a case has more devices"}; done
    echo "$name ${arguments[*]}"
  done >"$tree/initrd/list"
}

boot() {
  local tree=$1 device functions=()
  for device in "${devices[@]}"; do functions+=(-device "pci-testdev,addr=${device:8:2}"); done
  run_machine "$tree" 300 "$tree/ktap" "" -machine q35,kernel-irqchip=off \
    -device amd-iommu,intremap=on "${functions[@]}"
  grep -q '^done' "$tree/ktap"
}

status=0
for image in "${packages[@]}"; do
  release=${image#linux-image-}
  profile=$("$bin/recording" profile "$release") || exit 2
  tree=$root/build/programs/$profile
  download "$tree" "$image"
  make_initrd "$tree" "$profile" "$@"
  boot "$tree" || boot "$tree" || unknown "the machine stopped early, twice; $tree/console has what it said"
  sed -i 's/\r$//' "$tree/ktap"
  grep -v '^done' "$tree/ktap"
  count=$(wc -l <"$tree/initrd/list")
  wrong=$(grep -c '^exit [^0]' "$tree/ktap" || true)
  say "$image: $count programs, $wrong not as in the model of $profile"
  ((count > 0 && wrong == 0)) || status=1
done
exit "$status"
