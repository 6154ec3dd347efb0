#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Boots Debian's kernels in QEMU, plays cases on them, and writes their traces to corpus/traces:
#   record.sh [--package linux-image-..]... [--seed N [--count N]] [--out DIR]
# Needs build/release/bin/recording and the packages of `./dev kernel record`. With --seed it draws
# new random cases, otherwise it uses those of the last recording. corpus/traces changes only after
# all kernels were recorded. Exit status 3: a download failed, or a machine stopped early, twice.
set -euo pipefail
shopt -s nullglob
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$root/kernel/qemu
recording=$root/build/release/bin/recording
work=$root/build/record
out=$root/corpus/traces
new=$work/new  # what goes to $out in the end

say() { printf '%s\n' "$*" >&2; }
. "$here/machine.sh"
usage() { say "record.sh: expected $1, found ${2:-nothing}"; exit 2; }
unknown() { say "kernel record: $*; $out is as it was"; exit 3; }

packages=()
seed=
count=200
while (($#)); do
  case $1 in
    --package) packages+=("${2:?"--package wants a name"}"); shift 2 ;;
    --seed) seed=${2:?"--seed wants a number"}; shift 2 ;;
    --count) count=${2:?"--count wants a number"}; shift 2 ;;
    --out) out=${2:?"--out wants a folder"}; shift 2 ;;
    *) usage "--package, --seed, --count or --out" "$1" ;;
  esac
done
rm -rf "$new"
mkdir -p "$new" "$out"
out=$(realpath "$out")

# The cloud kernels are small, and have VFIO and no driver for an IOMMU of their own.
if ((${#packages[@]} == 0)); then
  for meta in linux-image-cloud-amd64 linux-image-6.12-cloud-amd64; do
    packages+=("$(depends "$meta" | head -n 1)")
  done
fi

if [[ -n $seed || ! -f $out/random.cases ]]; then
  "$recording" random "${seed:-1}" "$count" >"$new/random.cases"
else
  cp "$out/random.cases" "$new"
fi
cases=("$root"/corpus/litmus/*.case "$root/corpus/traces/differences.cases" "$new/random.cases")

# Unpacks the image, its headers and the tools to build with them, only under $1.
unpack() {
  local tree=$1 image=$2 headers=${2/linux-image/linux-headers}
  local wanted=("$image" "$headers")
  mapfile -t -O 2 wanted < <(depends "$headers" | grep -E '^linux-(headers|kbuild)-')
  fetch_packages "$tree" "${wanted[@]}"
  # The makefiles expect each other where they would be installed.
  sed -i "s,^include /usr/src,include $tree/usr/src," "$tree/usr/src/$headers/Makefile"
}

build_module() {
  local tree=$1 headers=$2
  mkdir -p "$tree/module"
  cp "$here"/{Kbuild,module.[ch],devices.c} "$root"/kernel/harness.h "$root"/kernel/fake/* "$tree/module"
  make -C "$tree/usr/src/$headers" M="$tree/module" KCFLAGS=-Werror modules \
    >"$tree/module.log" 2>&1 || { tail -n 30 "$tree/module.log" >&2; exit 2; }
}

# Devices of a virtual machine without an IOMMU have no isolated interrupts.
make_initrd() {
  local tree=$1
  begin_initrd "$tree"
  add_module "$tree" vfio_iommu_type1 allow_unsafe_interrupts=1
  add_module "$tree" iommucheck
  gcc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -O2 -static -o "$tree/initrd/init" \
    "$here/player.c"
}

# Plays $tree/initrd/script into $tree/part.
boot() {
  run_machine "$1" 120 "$1/part" "iommu.strict=1" -machine pc
  grep -qE '^(done|stop)$' "$1/part"
}

# The cases of the script $1 after the last one in the record $2.
rest_of() {
  local last
  last=$(grep '^case ' "$2" | tail -n 1 || true)
  if [[ -z $last ]]; then
    cat "$1"
  else
    awk -v last="$last" 'after { print } $0 == last { found = 1 }
                         found && $0 == "end" { after = 1 }' "$1"
  fi
}

# A case that oopses, or leaves groups behind, ends its machine; the next case gets a new one.
play() {
  local tree=$1 boots=0
  : >"$tree/record"
  while true; do
    rest_of "$tree/script" "$tree/record" >"$tree/initrd/script"
    [[ -s $tree/initrd/script ]] || break
    boot "$tree" || boot "$tree" ||
      unknown "the virtual machine stopped early, twice; $tree/console has what it said"
    cat "$tree/part" >>"$tree/record"
    boots=$((boots + 1))
  done
  say "$(grep -c '^case ' "$tree/record") cases in $boots boots"
}

for image in "${packages[@]}"; do
  release=${image#linux-image-}
  profile=$("$recording" profile "$release") || exit 2
  tree=$work/$profile
  say "$image: downloading"
  unpack "$tree" "$image"
  version=$(dpkg-deb -f "$tree"/debs/"$image"_*.deb Version)
  build_module "$tree" "linux-headers-$release"
  make_initrd "$tree"
  # Cases that no machine can play are printed with the reason, and the others are played.
  "$recording" script "$profile" "${cases[@]}" >"$tree/script" 2>"$tree/left-out" || {
    cat "$tree/left-out" >&2
    exit 2
  }
  cat "$tree/left-out" >&2
  say "$(wc -l <"$tree/left-out") of $(cat "$tree/left-out" "$tree/script" |
    grep -cE '^(left out|case) ') cases are left out"
  say "$image $version: playing"
  play "$tree"
  "$recording" traces "$profile" "$image $version as $profile" "$tree/record" "${cases[@]}" \
    >"$new/$profile.trace"
  # A new difference does not fail the recording: the person who records has to explain it.
  "$recording" differ "$profile" "$new/$profile.trace" "${cases[@]}" >"$tree/differences" || true
  say "$(tail -n 1 "$tree/differences") from the model, see $tree/differences"
done
mv "$new"/* "$out"
