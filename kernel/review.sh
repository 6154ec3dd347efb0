#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Applies and builds the patches of `./dev review`:
#   review.sh TREE NAME BASE --each|--together --sandbox|"" PATCH...
# BASE is the build of TREE, which has the name NAME. Prints what `iommucheck review` takes: a line
# `BUILD CHANGES` for the patches together, or for each one on those before it. Nothing is written in
# TREE; a build has the name of what is in it, so that the same patch is built once.
# Exit status: 5: a patch is no diff, does not apply, or does not compile; 3: the harness cannot
# follow it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=${1:?"expected a kernel tree"} name=${2:?"expected its name"} base=${3:?"expected its build"}
how=${4:?"expected --each or --together"} sandbox=$5
shift 5

say() { printf '%s\n' "$*" >&2; }
# Shows on a terminal that a command is under way; its output goes to a file.
ticking() {
  local text=$1 log=$2 started=$SECONDS status=0
  shift 2
  if [[ ! -t 2 ]]; then "$@" >"$log" 2>&1; return; fi
  "$@" >"$log" 2>&1 &
  local work=$!
  while kill -0 "$work" 2>/dev/null; do
    printf '\r%s, %d s' "$text" "$((SECONDS - started))" >&2
    sleep 0.3
  done
  printf '\r\033[K' >&2
  wait "$work" || status=$?
  return "$status"
}

work=build/review/$(cat -- "$base/build.ninja" "$@" | sha256sum | cut -c -16)
rm -rf "$work"
mkdir -p "$work"
"$here/mails.sh" "$work/patches" "$@"
patches=("$work"/patches/*)

# step N BEFORE PATCH...: applies and builds.
step() {
  local out=$work/$1 before=$2 hash build log
  shift 2
  "$here/overlay.sh" "$tree" "$base" "$before" "$out" "$@"
  hash=$(cd "$out/overlay" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum | sha256sum | cut -c -16)
  build=$base+review-$hash
  log=$out/build.log
  mkdir -p "$build/overlay"
  cp -ru "$out/overlay/." "$build/overlay"
  ln -sfn "$(realpath --relative-to "$build" "$base/headers")" "$build/headers"
  cp "$base/headers.log" "$build/headers.log"
  if ! ticking "building ${*##*/}" "$log" "$here/build.sh" "$tree" "$name" "$build" "$sandbox" "$build/overlay" "$base"; then
    say_errors "$build"
  fi
  printf '%s %s\n' "$build" "$out/changes"
}

# What the compiler said, with the paths of the tree; then the exit status.
say_errors() {
  local overlay
  overlay=$(realpath -- "$1/overlay")
  if [[ ! -f $1/build.log ]]; then cat "$log" >&2; exit 3; fi
  grep -E -A 3 'error: |undefined ' "$1/build.log" | head -n 40 |
    sed "s|$overlay/||g; s|$(realpath -- "$tree")/||g; s|$here/|kernel/|g" | LC_ALL=C tr -cd '\n\t -~' >&2
  # A mistake in a file of the tree is the patch's; elsewhere it may be that the harness does not
  # know what the patch made of the tree.
  if grep -q "^$overlay/[^ ]* error: " "$1/build.log"; then
    say "review: the patched tree does not compile"
    exit 5
  fi
  say "review: unknown: the harness does not build with the patched tree, see $1/build.log"
  exit 3
}

if [[ $how == --each ]]; then
  before=''
  for ((n = 1; n <= ${#patches[@]}; n++)); do
    step "$n" "$before" "${patches[n - 1]}"
    before=$work/$n
  done
else
  step 1 '' "${patches[@]}"
fi
