#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Applies descriptions of kernel/patches to copies of the files that they name:
#   patch.sh TREE OUT NAME...
# TREE is not changed. OUT gets only the edited files, as an overlay for build.sh, and OUT/dropped,
# the rules of the model that the patches drop.
#
# Each line of a description is a keyword and a text: `rule`, `file`, `line` (the one line to
# change, without the white space around it), `becomes`, and `absent` (the message if there is no
# such line).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=${1:?"expected a kernel tree"}
out=${2:?"expected an output folder"}
shift 2

die() { printf 'kernel/patch.sh: %s\n' "$*" >&2; exit 2; }
said() { sed -n "s/^$1 //p" "$description"; }

rm -rf "$out"
mkdir -p "$out"
for name in "$@"; do
  description=$here/patches/$name
  [[ -f $description ]] ||
    die "there is no patch '$name'; there are: $(cd "$here/patches" && echo *)"
  file=$(said file)
  [[ -f $tree/$file ]] || die "$name: $tree has no $file"
  if [[ ! -f $out/$file ]]; then
    mkdir -p "$out/$(dirname "$file")"
    cp "$tree/$file" "$out/$file"
  fi
  line=$(said line) becomes=$(said becomes) awk '
    { text = $0; gsub(/^[ \t]+|[ \t]+$/, "", text) }
    text == ENVIRON["line"] { found++; sub(/[^ \t].*$/, ""); print $0 ENVIRON["becomes"]; next }
    { print }
    END { exit found == 1 ? 0 : found ? 4 : 3 }' "$out/$file" >"$out/edited" || {
    case $? in
      3) die "$name: $file has no line '$(said line)': $(said absent)" ;;
      4) die "$name: $file has the line '$(said line)' more than once" ;;
      *) die "$name: awk failed on $file" ;;
    esac
  }
  mv "$out/edited" "$out/$file"
  said rule >>"$out/dropped"
done
