#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Turns every symbol that kernel code needs and nobody defines into a function that stops and prints
# its name. So an unknown tree links at once, and shows at run time what it really needs.
#   stubs.sh OUT HOST_OBJECT KERNEL_OBJECT...
set -euo pipefail
out=$1
host=$2
shift 2
# Functions of libc that have the same meaning in the kernel.
libc='memcmp memcpy memmove memset snprintf sprintf strchr strcmp strcpy strlen strncasecmp strncmp'
{
  echo "/* SPDX-License-Identifier: GPL-2.0-only */"
  echo '#include "process/internal.h"'
  comm -23 \
    <(nm --undefined-only "$@" | awk 'NF == 2 { print $2 }' |
      grep -Ev '^(__asan_|__sanitizer_|__llvm_profile_|__sancov|__ubsan_|_GLOBAL_OFFSET_TABLE_|__st(art|op)_)' |
      sort -u) \
    <({ nm --defined-only "$host" "$@" | awk 'NF == 3 { print $3 }'
        tr ' ' '\n' <<<"$libc"; } | sort -u) |
    while read -r symbol; do
      echo "void $symbol(void) { host_die(\"no such function in the harness\", \"$symbol\"); }"
    done
} >"$out"
