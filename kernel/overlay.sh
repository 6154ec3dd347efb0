#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Applies the diffs of one patch to copies of the files that the harness of a tree is built from:
#   overlay.sh TREE BUILD BEFORE OUT PATCH...
# TREE is not changed. BUILD is its build by kernel/build.sh, which knows the files. BEFORE is the
# OUT of the patch before this one in a series, or "". Writes
#   OUT/overlay   the changed files, as build.sh takes them
#   OUT/changes   for `iommucheck review`: lines `patch SHA256 NAME` and `not-built FILE`, then a
#                 diff without context between the files before and after, with their exact lines
# Exit status: 5: what is in PATCH, and the place; 3: the harness cannot follow the patch.
set -euo pipefail
tree=$(realpath -- "${1:?"expected a kernel tree"}")
build=$(realpath -- "${2:?"expected a build"}")
before=${3:+$(realpath -- "$3")}
mkdir -p -- "${4:?"expected an output folder"}"
out=$(realpath -- "$4")
shift 4

say() { printf '%s\n' "$*" >&2; }
bad() { say "review: $*"; exit 5; }
unknown() { say "review: unknown: $*"; exit 3; }
printable() { LC_ALL=C tr -cd '\n\t -~'; }

# git works on the copies alone: neither the project's repository nor the user's settings matter.
export GIT_CEILING_DIRECTORIES=$out GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE

overlay=$out/overlay
rm -rf "$overlay" "$out/changes"
mkdir "$overlay"
[[ -z $before ]] || cp -r "$before/overlay/." "$overlay"
previous() { if [[ -n $before && -f $before/overlay/$1 ]]; then echo "$before/overlay/$1"; else echo "$tree/$1"; fi; }

# The files of the tree that any part of the harness is compiled from.
built=$(ninja -C "$build" -f "$build/build.ninja" -t deps | sed -n "s|^ *$tree/||p" | sort -u)
[[ -n $built ]] || unknown "$build does not say which files it was built from; build it anew"
is_built() {
  grep -Fqx -- "$1" <<<"$built" && return
  # A new header may be included by a file that the patch changes.
  [[ ! -e $tree/$1 && $1 == *.h ]] && grep -Fq -- "${1%/*}/" <<<"$built"
}

# diff --numstat separates by tabs and ends a name by NUL; a rename has two names after an empty one.
for patch in "$@"; do
  patch=$(realpath -- "$patch")
  name=$(printable <<<"${patch##*/}")
  printf 'patch %s %s\n' "$(sha256sum <"$patch" | cut -d ' ' -f 1)" "$name" >>"$out/changes"
  git -C "$overlay" apply --numstat -z "$patch" >"$out/files" 2>"$out/error" ||
    bad "$name: expected a unified diff, found: $(sed -n '1s/^error: //p' "$out/error" | printable)"
  summary=$(git -C "$overlay" apply --summary "$patch")
  include=()
  while IFS= read -r -d '' row; do
    file=${row#*$'\t'*$'\t'}
    if [[ -z $file ]]; then # a rename or a copy: from, to
      IFS= read -r -d '' file
      IFS= read -r -d '' to
      is_built "$file" && unknown "$name: renames $(printable <<<"$file"), which the harness names"
      file=$to
    fi
    if ! is_built "$file"; then
      printf 'not-built %s\n' "$(printable <<<"$file")" >>"$out/changes"
      continue
    fi
    [[ $summary != *"delete mode "*" $file"* ]] ||
      unknown "$name: removes $(printable <<<"$file"), which the harness names"
    include+=("--include=$file")
    mkdir -p "$overlay/$(dirname "$file")"
    [[ -f $overlay/$file || ! -f $tree/$file ]] || cp "$tree/$file" "$overlay/$file"
  done <"$out/files"
  ((${#include[@]})) || continue
  git -C "$overlay" apply --verbose --reject "${include[@]}" "$patch" >"$out/applied" 2>&1 || {
    # "Applying patch FILE with N rejects...", then a line for each hunk.
    awk -v name="$name" '
      /^Applying patch / { file = $3 }
      /^Rejected hunk / { gsub(/[#.]/, "", $3); print "review: " name ": " file ": hunk " $3 " does not apply" ; found = 1 }
      /^error: / && !/patch failed|while searching for/ { text = $0 }
      /^error: patch failed: / { at = $4 }
      END { if (!found && at != "")
              print "review: " name ": expected the lines that the hunk for " at " names, found others"
            else if (!found) print "review: " name ": " text }' <"$out/applied" | printable >&2
    exit 5
  }
done

# A header that a file includes by its bare name is looked for beside that file first.
for folder in $(cd "$overlay" && find drivers -name '*.h' -printf '%h\n' 2>/dev/null | sort -u); do
  while IFS= read -r file; do
    [[ -f $overlay/$file ]] || cp "$tree/$file" "$overlay/$file"
  done < <(grep -E "^$folder/[^/]*$" <<<"$built" || true)
done

(cd "$overlay" && find . -type f -printf '%P\n' | sort) | while IFS= read -r file; do
  # With names that begin with a/ and b/ whatever the folders are.
  old=$(previous "$file")
  [[ -f $old ]] || old=/dev/null
  git diff --no-index --no-color --no-ext-diff -U0 --src-prefix= --dst-prefix= "$old" "$overlay/$file" |
    sed -n '/^@@/,$p' >"$out/hunks" || true
  [[ -s $out/hunks ]] || continue
  printf -- '--- a/%s\n+++ b/%s\n' "$file" "$file"
  cat "$out/hunks"
done >>"$out/changes"
rm -f "$out"/{files,error,applied,hunks}
