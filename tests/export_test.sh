#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# export_test.sh IOMMUCHECK CORPUS: every case of the corpus that is a program compiles without a
# warning; a program refuses wrong arguments, skips where the machine is not that of the case, and
# reports what the kernel answers, here a kernel that a library of ours plays.
set -eu

iommucheck=$1 corpus=$2
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
int open(const char *path, int flags, ...) {
  (void)flags;
  return strcmp(path, "/dev/vfio/7") == 0 || strcmp(path, "/dev/vfio/vfio") == 0 ? dup(1) : -1;
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
