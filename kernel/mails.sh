#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Brings patches as people send them into one diff a file:
#   mails.sh OUT FILE...
# A FILE is a unified diff, a mail, or an mbox (gzipped, too), as git format-patch, b4 and lore make
# them; `-` is standard input. Of an mbox, replies and mails without a diff are left out, and the
# patches are in the order of their numbers ("[PATCH v2 3/7]"), those of the newest version alone.
# Writes OUT/0001-NAME and so on. Exit status 5: a FILE has no diff.
set -euo pipefail
mkdir -p -- "${1:?"expected an output folder"}"
out=$(realpath -- "$1")
shift
export GIT_CEILING_DIRECTORIES=$out GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
bad() { printf 'review: %s\n' "$*" | LC_ALL=C tr -cd '\n\t -~' >&2; exit 5; }
most=$((16 << 20)) # bytes; the largest series of lore is smaller

count=0
# keep NAME FILE: the diff in FILE is the next patch.
keep() {
  local name
  name=$(LC_ALL=C tr -cs 'A-Za-z0-9._\n' '-' <<<"$1" | cut -c -52 | sed 's/^-*//; s/-*$//')
  count=$((count + 1))
  cp "$2" "$out/$(printf '%04d' "$count")-${name:-patch}"
}
has_diff() { LC_ALL=C grep -aq '^--- ' "$1" && LC_ALL=C grep -aq '^@@ ' "$1"; }

# The patches of an mbox or of a mail, in order.
take_mails() {
  local mails=$out/mails each subject version number of newest=1 rows=''
  rm -rf "$mails"
  mkdir "$mails"
  git -C "$out" mailsplit -b --mboxrd -o"$mails" "$1" >/dev/null 2>&1 || bad "$2: expected a mail or an mbox of them"
  for each in "$mails"/*; do
    (cd "$mails" && git mailinfo -k "$each.text" "$each.diff" <"$each" >"$each.info" 2>/dev/null) || continue
    has_diff "$each.diff" || continue
    subject=$(sed -n 's/^Subject: //p' "$each.info" | head -n 1)
    [[ ! $subject =~ ^[Rr][Ee]: ]] || continue
    version=1 number=0 of=0
    if [[ $subject =~ ^\[([^]]*)\] ]]; then
      of=${BASH_REMATCH[1]}
      [[ ! $of =~ [vV]([0-9]{1,3}) ]] || version=$((10#${BASH_REMATCH[1]}))
      [[ ! $of =~ ([0-9]{1,4})/[0-9]+ ]] || number=$((10#${BASH_REMATCH[1]}))
      subject=${subject#*] }
    fi
    ((version <= newest)) || newest=$version
    rows+="$version"$'\t'"$number"$'\t'"$each"$'\t'"$subject"$'\n'
  done
  while IFS=$'\t' read -r version number each subject; do
    [[ -z $each ]] || ((version != newest)) || keep "$subject.patch" "$each.diff"
  done < <(sort -s -t $'\t' -k 2,2n <<<"$rows")
  rm -rf "$mails"
}

for file in "$@"; do
  name=${file##*/}
  [[ $file != - ]] || name=standard-input
  { if [[ $file == - ]]; then cat; else cat -- "$file"; fi; } 2>/dev/null | head -c $((most + 1)) >"$out/.read" ||
    bad "$name: cannot be read"
  [[ $file == - || -f $file || -p $file || -c $file ]] || bad "$name: expected a file with a patch"
  if [[ $(head -c 2 "$out/.read" | od -An -tx1) == ' 1f 8b' ]]; then
    { gzip -dc "$out/.read" 2>/dev/null || true; } | head -c $((most + 1)) >"$out/.unzipped"
    mv "$out/.unzipped" "$out/.read"
  fi
  (($(wc -c <"$out/.read") <= most)) || bad "$name: expected at most $most bytes, found more"
  before=$count
  if head -n 60 "$out/.read" | LC_ALL=C grep -aqE '^(From |Subject: |Message-I[dD]: )'; then
    take_mails "$out/.read" "$name"
  elif has_diff "$out/.read"; then
    # As git mailsplit does: mail turns the ends of lines into CR LF.
    sed 's/\r$//' "$out/.read" >"$out/.diff"
    keep "$name" "$out/.diff"
  fi
  ((count > before)) || bad "$name:1:1: expected a unified diff, or mails with one, found none"
done
rm -f "$out"/.read "$out"/.diff
