#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# conform reports mistakes of kernel code in the cases that come to them, and in no others; so does
# kernel_ioctl and kernel_checks those that no case comes to.
#   kernel_mistakes_test.sh IOMMUCHECK BUILD MISTAKEN SPOILT KERNEL_IOCTL BEYOND_CASES KERNEL_CHECKS
# Exit status 77: ./dev test has not built them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tool=$1 build=$2 mistaken=$3 spoilt=$4 ioctl=$5 beyond=$6 checks=$7
for folder in "$build" "$mistaken" "$spoilt" "$beyond"; do
  [[ -f $folder/kernel.so ]] && continue
  echo "SKIPPED: there is no $folder/kernel.so; ./dev test builds it"
  exit 77
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
fail() { echo "FAILED: $*"; sed 's/^/  | /' "$work/out"; failed=1; }
# conform STATUS BUILD ARGS...
conform() {
  local expected=$1 status=0
  "$tool" conform --kernel-build "${@:2}" >"$work/out" 2>&1 || status=$?
  ((status == expected)) || fail "expected exit status $expected of conform ${*:2}, found $status"
}
says() { grep -q -- "$1" "$work/out" || fail "expected '$1'"; }

# a_case NAME MACHINE...: writes NAME.case, with the machine that comes as arguments and the ops that
# come by stdin.
a_case() {
  { echo 'kernel v6.12.y'; printf '%s\n' "${@:2}"; cat; } >"$work/$1.case"
}
amd=('driver amd' 'instance i0 amd' 'device d0 pci i0')

# A group is left to an owner whose claim failed, and no later op asks.
printf '%s\n' 'register i0' 'set-container 0 c0' |
  a_case owner "${amd[@]::2}" 'device d0 pci i0 resv=3-3:direct'
conform 0 "$build" "$work/owner.case"
conform 1 "$mistaken" "$work/owner.case"
says '^!   owner_cnt d0 0 *|  owner_cnt d0 0 owned$'

# A port whose ACS lacks one of four flags isolates nothing.
printf '%s\n' 'register i0' |
  a_case port "${amd[@]::2}" 'device d0 pci i0 bridge=root-port' 'device d1 pci i0 below=d0'
conform 0 "$build" "$work/port.case"
conform 1 "$mistaken" "$work/port.case"
says '^! .*d1'

# A PASID's domain of which its device never hears.
printf '%s\n' 'register i0' 'bind d0' 'attach-pasid d0 d0' | a_case pasid "${amd[@]}"
conform 0 "$build" "$work/pasid.case"
conform 1 "$mistaken" "$work/pasid.case"
says '^!   set_pasid d0 d0 = 0 *|end$'

# A case that leaks, and after it one that does not.
printf '%s\n' 'register i0' 'configure d0' |
  a_case 1-leaks 'driver exynos per-instance-groups' 'instance i0 exynos fwnode' \
    'device d0 platform i0'
printf '%s\n' 'register i0' 'set-container 0 c0' | a_case 2-sound "${amd[@]}"
conform 0 "$build" "$work"/?-*.case
conform 1 "$mistaken" "$work"/?-*.case
says '^left  .* after the teardown$'
says '^1 agree, 1 differ, 0 skipped$'

# A case that dies is named, and the others are played.
printf '%s\n' 'register i0' 'set-container 0 c0' 'set-iommu c0' 'map c0 8+4 0 read write' |
  a_case 1-dies "${amd[@]}"
conform 0 "$build" "$work/1-dies.case" "$work/2-sound.case"
conform 1 "$mistaken" "$work/1-dies.case" "$work/2-sound.case"
says '^differs .*1-dies.case$'
says '^crashed   signal 6 (SIGABRT), in op 4$'
says '^said      kernel harness: no such function in the harness: wake_up_process$'
says '^1 agree, 1 differ, 0 skipped$'
conform 1 "$mistaken" --json "$work/1-dies.case"
says '"crashed": "signal 6 (SIGABRT), in op 4"'
says '"model": "4 map c0 8+4 0 read write = 0"'
says '"real_code": "4 map c0 8+4 0 read write = -EFAULT"'

# A case that is the same run is not played twice, and its outcome is not lost.
cp "$work/1-dies.case" "$work/3-again.case"
conform 1 "$mistaken" "$work"/{1-dies,3-again}.case
says 'the same run as'
says '^0 agree, 2 differ, 0 skipped$'

# Memory that is used after it was freed is noticed, also where nothing else differs.
conform 0 "$build" --as-built corpus/litmus/v6.12+last-group+unset-container.case
conform 1 "$spoilt" --as-built corpus/litmus/v6.12+last-group+unset-container.case
says '^crashed   signal 6 (SIGABRT), in op 6$'
printf '%s\n' 'register i0' 'set-container 0 c0' 'unset-container 0' |
  a_case 1-written "${amd[@]}"
conform 0 "$build" "$work/1-written.case"
conform 1 "$spoilt" "$work/1-written.case" "$work/1-leaks.case"
says '^1 agree, 1 differ, 0 skipped$'

# Inputs of kernel_ioctl that come to one mistake each: start and shape, then ops of six bytes.
# notices SENTENCE INPUT
notices() {
  local status=0
  printf '%b' "${2// /}" >"$work/input"
  IOMMUCHECK_KERNEL_BUILD=$build "$ioctl" "$work/input" >"$work/out" 2>&1 || fail "no mistake, but $1"
  IOMMUCHECK_KERNEL_BUILD=$beyond "$ioctl" "$work/input" >"$work/out" 2>&1 || status=$?
  ((status == 134)) || fail "expected an abort, found exit status $status"
  says "^SUMMARY: iommucheck: kernel_ioctl: $1\$"
}
# bind dev3; store its group's type
notices "a group's default domain changes under a driver" \
  '\x01\0\0 \x17\x03\0\0\0\0 \x1f\x03\0\0\0\0'
# a group in a container with a mapping; hand over to the other task
notices 'references are left after the teardown' '\x04\0\0 \x28\x01\0\0\0\0'
# register iommu0; configure dev0 while the seventh thing in sysfs cannot be made
notices 'memory is left after the teardown' '\0\0\0 \x03\0\0\0\0\0 \x06\0\0\0\0\xa7'
# a group in a container; VFIO_IOMMU_GET_INFO
notices 'the kernel gives user space memory of its stack that it never set' \
  '\x02\0\0 \x0c\x10\0\0\0\0'

# The checks that come to one mistake each.
# check_notices CHECK SENTENCE
check_notices() {
  local status=0
  IOMMUCHECK_KERNEL_BUILD=$build "$checks" "$1" >"$work/out" 2>&1 || fail "no mistake, but $1"
  IOMMUCHECK_KERNEL_BUILD=$beyond "$checks" "$1" >"$work/out" 2>&1 || status=$?
  ((status == 1)) || fail "expected exit status 1 of kernel_checks '$1', found $status"
  says "$2"
}
check_notices 'release domain of the driver' \
  '^a device whose attach was deferred is attached to be released: '
check_notices 'containers in short' '^objects left: expected 0, found '
check_notices 'tracking of neighbours' '^both: bitmap: '
exit "$failed"
