#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Prints how often the lines of a patch's files ran:
#   lines.sh BUILD PROFILES
# BUILD is a build of kernel/build.sh with a BASE, PROFILES has the .profraw files that it counted
# into. Prints `FILE LINE COUNT` for each line of code of each file of the overlay.
set -euo pipefail
build=$(realpath -- "${1:?"expected a build"}")
profiles=${2:?"expected a folder of profiles"}
llvm-profdata-19 merge -o "$profiles/merged" "$profiles"/*.profraw
(cd "$build/overlay" && find . -type f -printf '%P\n' | sort) | while IFS= read -r file; do
  llvm-cov-19 export -format=lcov -instr-profile="$profiles/merged" "$build/kernel.so" \
    "$build/overlay/$file" 2>/dev/null |
    awk -v file="$file" -F '[:,]' '$1 == "DA" { print file, $2, $3 }'
done
