#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds a kernel with all mutants of its files in one library, of which each run chooses one:
#   build.sh BUILD SCHEMA
# BUILD is a folder of kernel/build.sh, and the result BUILD+mutants. SCHEMA is the program
# kernel_schema. Nothing is done if nothing has changed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(realpath -- "${1:?"expected a build"}")
schema=$(realpath -- "${2:?"expected kernel_schema"}")
out=$build+mutants
overlay=$out/overlay

say() { printf '%s\n' "$*" >&2; }
die() { say "kernel/mutate/build.sh: $*"; exit 2; }
if [[ -f $build/sandboxed ]]; then
  die "$build was built in a sandbox; its code is mutated outside of one"
fi
name=$(sed -n 's/^#define HARNESS_TREE_NAME "\(.*\)"$/\1/p' "$build/tree.h")
tree=$(sed -n 's/^kflags = .* -I\([^ ]*\) -I[^ ]*\/kernel -I.*/\1/p' "$build/build.ninja")
[[ -f $tree/Makefile ]] || die "cannot see in $build/build.ninja where the tree is"

# command OBJECT: how the build compiles one of our files, up to its output.
command_of() {
  ninja -C "$build" -f "$build/build.ninja" -t commands "$build/plain/$1.o" | tail -n 1 |
    sed 's/ -MMD -MF .*//'
}
# clang OBJECT ARGS...: compiles with files of the overlay in place of the tree's.
clang() {
  local words
  # The command is ours, with quotes inside of words, so a shell has to split it.
  words=$(command_of "$1")
  words=${words/ -I$tree / -I$overlay -I$tree }
  (cd "$build" && eval "$words" '"${@:2}"')
}

# file OBJECT BASE LIST: the file with its mutants goes into the overlay, and their list into LIST.
mutate_file() {
  local file=$1 object=$2 base=$3 list=$4 source=$here/../$2.c round
  say "$name: mutating $file"
  clang "$object" -Xclang -ast-dump=json -fsyntax-only "$source" |
    "$schema" places "$file" "$tree/$file" "$base" "$list" || die "$file has no syntax tree"
  mkdir -p "$overlay/${file%/*}"
  "$schema" apply "$list" "$tree/$file" "$overlay/$file"
  for ((round = 1; round <= 20; round++)); do
    if clang "$object" -fsyntax-only -ferror-limit=0 -fno-color-diagnostics \
      -fno-caret-diagnostics "$source" 2>"$out/errors"; then return; fi
    "$schema" apply "$list" "$tree/$file" "$overlay/$file" "$out/errors" || break
  done
  tail -n 20 "$out/errors" >&2
  die "$file does not compile with its mutants, see $out/errors"
}

mapfile -t files < <(grep -v '^#' "$here/files")
stamp=$out/mutants.stamp
wanted=$({
  cat "$schema" "$here"/{files,mutant.h,build.sh} "$build/build.ninja" "$build/tree.h"
  for file in "${files[@]}"; do cat "$tree/${file%% *}"; done
} | sha256sum)
if [[ ! -f $stamp || $(<"$stamp") != "$wanted" ]]; then
  rm -rf "$out"
  mkdir -p "$overlay"
  lists=() base=0
  for file in "${files[@]}"; do
    read -r file object <<<"$file"
    list=$out/${file##*/}.json
    mutate_file "$file" "$object" "$base" "$list"
    lists+=("$list")
    base=$((base + $(grep -c '"number":' "$list")))
  done
  "$schema" join "$overlay/mutants.json" "${lists[@]}"
  ln -sfn "../${build##*/}/headers" "$out/headers"
  cp "$build/headers.log" "$out/headers.log"
fi
"$here/../build.sh" "$tree" "$name with mutants" "$out" "" "$overlay"
printf '%s' "$wanted" >"$stamp"
