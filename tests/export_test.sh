#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# export_test.sh IOMMUCHECK SOURCE: every case of the corpus that is a program compiles without a
# warning, in each form, and so do the programs in the mails of docs/reports; a program refuses wrong
# arguments, skips where the machine is not that of the case, and reports what the kernel answers, here
# a kernel that a library of ours plays. Tests for the kernel's selftests compile with headers of ours
# (tests/kselftest), and with those of kernel trees that are there.
set -eu

iommucheck=$1 source=$2 corpus=$2/corpus
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() {
  echo "$*"
  exit 1
}

"$iommucheck" export --out "$folder/all" "$corpus/litmus" "$corpus/bugs" >"$folder/said"
tail -n 1 "$folder/said"
programs=("$folder"/all/*.c)
((${#programs[@]} >= 30)) || fail "only ${#programs[@]} programs"
for program in "${programs[@]}"; do
  cc -std=gnu11 -Wall -Wextra -Werror -fsyntax-only "$program" || fail "$program does not compile"
done
"$iommucheck" export --to kselftest --out "$folder/kselftest" "$corpus/litmus" "$corpus/bugs" \
  >"$folder/said-kselftest"
tail -n 1 "$folder/said-kselftest"
selftests=("$folder/kselftest"/*_test.c)
((${#selftests[@]} >= 30)) || fail "only ${#selftests[@]} tests for the kernel's selftests"
for program in "${selftests[@]}"; do
  cc -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Wno-unused-parameter -Werror -fsyntax-only -I "$source/tests/kselftest" \
    "$program" || fail "$program does not compile"
done
for include in "$source"/build/kernel/src/*/tools/testing/selftests/vfio/lib/include; do
  [[ -f $include/libvfio.h ]] || continue
  tree=${include%/tools/testing/*}
  for program in "${selftests[@]}"; do
    cc -std=gnu11 -D_GNU_SOURCE= -Wall -Werror -fsyntax-only -I "$include" \
      -I "$tree/tools/testing/selftests" -I "$tree/tools/include" -idirafter "$tree/include/uapi" \
      "$program" || fail "$program does not compile in ${tree##*/}"
  done
  echo "they compile in ${tree##*/}"
done

mailed=0
for mail in "$source"/docs/reports/*.txt; do
  awk 'p { print } /^-- >8 -- .*\.c$/ { p = 1 }' "$mail" >"$folder/mail.c"
  [[ -s $folder/mail.c ]] || continue
  mailed=$((mailed + 1))
  cc -std=gnu11 -Wall -Wextra -Werror -fsyntax-only "$folder/mail.c" ||
    fail "the program in $mail does not compile"
done
((mailed >= 2)) || fail "only $mailed programs in docs/reports"

grep -q "expected a system call of one user, found 'unregister" "$folder/said" ||
  fail "a driver that goes is a program"

cat >"$folder/x.case" <<'END'
kernel v6.12
driver drvA
instance i0 drvA
device nic pci i0
device disk pci i0
register i0
set-container 0 c0 -> ok
set-iommu c0 -> ok
map c0 0+1 0 read write -> ok
map c0 0+1 0 read write -> -EEXIST
get-device nic -> ok
put-device nic -> ok
unmap c0 0+1 -> ok
END
"$iommucheck" export "$folder/x.case" >"$folder/x.c"
cc -Wall -Wextra -Werror -o "$folder/x" "$folder/x.c"

status=0
"$folder/x" spoon=1 2>"$folder/err" || status=$?
((status == 2)) || fail "status $status of a device that the case has not"
status=0
"$folder/x" nic=none disk=none >"$folder/out" || status=$?
{ ((status == 4)) && grep -q '^1\.\.0 # SKIP this device has no group: none$' "$folder/out"; } ||
  fail "status $status without groups: $(<"$folder/out")"

# Every open and ioctl succeeds, but a mapping whose place is taken.
cat >"$folder/kernel.c" <<'END'
#define _GNU_SOURCE
#include <errno.h>
#include <linux/vfio.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
static int mapped;
ssize_t readlink(const char *path, char *buffer, size_t size) {
  return snprintf(buffer, size, "../groups/%d", strstr(path, "nic0") ? 7 : 8);
}
int access(const char *path, int mode) {
  (void)path, (void)mode;
  return 0;
}
/* A mapping is of the container that is open. */
int open(const char *path, int flags, ...) {
  (void)flags;
  if (strcmp(path, "/dev/vfio/vfio") == 0 || strcmp(path, "/dev/iommu") == 0)
    mapped = 0;
  else if (strcmp(path, "/dev/vfio/7") != 0)
    return -1;
  return dup(1);
}
int ioctl(int fd, unsigned long request, ...) {
  (void)fd;
  if (request == VFIO_GROUP_GET_DEVICE_FD) return dup(1);
  if (request != VFIO_IOMMU_MAP_DMA || getenv("NO_TEST") != NULL || !mapped++) return 0;
  errno = EEXIST;
  return -1;
}
END
sed -i '1a #include <unistd.h>' "$folder/kernel.c"
cc -shared -fPIC -o "$folder/kernel.so" "$folder/kernel.c"
LD_PRELOAD=$folder/kernel.so "$folder/x" nic=nic0 disk=disk0 >"$folder/out" ||
  fail "not as expected: $(<"$folder/out")"
grep -q '^ok 4 map c0 0+1 0 read write$' "$folder/out" || fail "$(<"$folder/out")"
status=0
NO_TEST=1 LD_PRELOAD=$folder/kernel.so "$folder/x" nic=nic0 disk=disk0 >"$folder/out" || status=$?
{ ((status == 1)) && grep -q '^not ok 4 map c0 0+1 0 read write$' "$folder/out"; } ||
  fail "status $status of a kernel without the test: $(<"$folder/out")"

# The same as a test for the kernel's selftests, on the same kernel.
"$iommucheck" export --to kselftest "$folder/x.case" >"$folder/x_test.c"
cc -D_GNU_SOURCE -Wall -Wextra -Wno-unused-parameter -Werror -I "$source/tests/kselftest" -o "$folder/x_test" \
  "$folder/x_test.c"
# selftest STATUS EXPECTED-LINE... : of a run with the devices in $devices.
selftest() {
  local status=0 line
  # shellcheck disable=SC2086 # several words
  LD_PRELOAD=$folder/kernel.so "$folder/x_test" $devices >"$folder/out" || status=$?
  ((status == $1)) || fail "status $status of the selftest: $(<"$folder/out")"
  for line in "${@:2}"; do
    grep -q "^$line\$" "$folder/out" || fail "no line $line in $(<"$folder/out")"
  done
}
devices='nic0 disk0'
selftest 0 'TAP version 13' '1\.\.5' 'ok 1 vfio_type1_iommu\.x' 'ok 2 vfio_type1v2_iommu\.x' \
  'ok 5 iommufd\.x # SKIP the mode has no containers'
NO_TEST=1 selftest 1 '# map c0 0+1 0 read write: expected -17, got 0 .*' \
  'not ok 2 vfio_type1v2_iommu\.x' \
  'ok 4 iommufd_compat_type1v2\.x # SKIP iommufd answered 1 calls in another way'
devices=nic0
selftest 0 'ok 1 vfio_type1_iommu\.x # SKIP the case has more devices than were named'
