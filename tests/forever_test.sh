#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# forever_test.sh [KILLS [FOLDER]]: fuzz/forever.sh with rules dropped, so that it finds something
# all the time, while this script kills workers and the script itself at random, and fills the disk.
# Every finding that was ever whole, in an inbox or among the findings, must be there at the end;
# the corpus must be one that the target reads; each start goes on where the last one ended; and
# two at once do not clash. It waits for events and not for a clock; KILLS (default 4) says how long
# that takes: some 10 seconds each. FOLDER: of a file system that may be filled up; default: a small
# tmpfs where this may mount one, else the disk is not filled.
#
# Exit status 77: ./dev fuzz has built no targets.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
kills=${1:-4} folder=${2:-}
bin=$PWD/build/fuzz/bin
for need in attach fuzz_findings make_seeds; do
  [[ -x $bin/$need ]] || { echo "SKIPPED: there is no $bin/$need: ./dev test builds it"; exit 77; }
done

work=$(mktemp -d)
mounted=''
tidy() {
  end_all
  [[ -z $mounted ]] || umount "$folder"
  rm -rf "$work"
}
trap tidy EXIT
fail() { echo "FAILED: $*"; failed=yes; }
failed=''
if [[ -z $folder ]]; then
  folder=$work/small
  mkdir "$folder"
  if mount -t tmpfs -o size=48m forever_test "$folder" 2>/dev/null; then
    mounted=yes
  else
    echo "no full disk: a small tmpfs cannot be mounted here"
  fi
fi
dir=$folder/state
export IOMMUCHECK_DROP=type1.same_ops,assume.bus_ops_not_replaced,core.dma_owner
mkdir -p build/fuzz/seeds/attach
"$bin/make_seeds" build/fuzz/seeds/attach corpus/litmus/*.case >/dev/null

# The processes of a run: the engine and its workers carry the name of the folder.
workers() {
  local environment
  for environment in /proc/[0-9]*/environ; do
    if grep -qzxF "IOMMUCHECK_FOREVER=$dir" "$environment" 2>/dev/null; then
      environment=${environment%/environ}
      echo "${environment#/proc/}"
    fi
  done
}
script=''
end_all() {
  local each
  [[ -z $script ]] || kill -KILL "$script" 2>/dev/null
  for each in $(workers); do kill -KILL "$each" 2>/dev/null; done
  wait 2>/dev/null
}

# start ROUNDS RUNS: a run in the background; its process is `script`.
start() {
  fuzz/forever.sh "$dir" 2 20 1 "$1" "$2" attach >>"$work/said" 2>&1 &
  script=$!
}

# Notes what is whole now: findings, and reports whose input is beside them. A report that is being
# moved meanwhile is noted next time, or is a finding by then.
declare -A seen_ids=() seen_reports=()
note() {
  local each
  for each in "$dir"/findings/*/finding.json; do
    [[ -f $each ]] && seen_ids[$(basename "$(dirname "$each")")]=1
  done
  for each in "$dir"/attach/inbox/*.input; do
    [[ -f $each && -f ${each%.input}.txt ]] || continue
    cp "${each%.input}.txt" "$work/report" 2>/dev/null &&
      seen_reports[$(head -n 1 "$work/report" | sed 's/.*`\(.*\)'"'.*/\1/")]=1
  done
}
events() {
  local files=("$dir"/findings/*/finding.json "$dir"/attach/inbox/*.input "$dir"/attach/corpus/*)
  echo "${#files[@]}"
}
# until_more: waits until there are more findings, reports or inputs than before, or the run ends.
until_more() {
  local before more=$((1 + RANDOM % 5))
  before=$(events)
  while kill -0 "$script" 2>/dev/null && (($(events) < before + more)); do
    note
    sleep 0.1
  done
}

if [[ -n $mounted ]]; then
  # One worker alone, with a finding and no room for it: it waits, and loses nothing.
  mkdir -p "$dir/attach/inbox"
  head -c 1G /dev/zero >"$folder/ballast" 2>/dev/null
  while echo >>"$folder/ballast2" 2>/dev/null; do :; done
  IOMMUCHECK_FOREVER=$dir IOMMUCHECK_INBOX=$dir/attach/inbox "$bin/attach" -max_len=481 \
    build/fuzz/seeds/attach/* >"$work/worker" 2>&1 &
  worker=$!
  touch "$work/worker"
  while kill -0 "$worker" 2>/dev/null && ! grep -q 'a finding waits' "$work/worker"; do sleep 0.1; done
  kill -0 "$worker" 2>/dev/null || fail "a worker with a full disk did not wait"
  compgen -G "$dir/attach/inbox/*" >/dev/null && fail "there is a file in part in the inbox"
  rm -f "$folder"/ballast*
  wait "$worker"
  compgen -G "$dir/attach/inbox/*.input" >/dev/null || fail "a full disk lost a finding"
  note
fi

for ((n = 1; n <= kills; n++)); do
  start 1 0
  until_more
  if ((n == 1)); then
    fuzz/forever.sh "$dir" 1 20 1 1 100 attach >"$work/second" 2>&1 && fail "two at once have one folder"
    grep -q '^another ./dev fuzz --forever has ' "$work/second" || fail "the second start says nothing of the first"
  fi
  case $((n % 4)) in
    0) # the disk is full for a while
      if [[ -n $mounted ]]; then
        head -c 1G /dev/zero >"$folder/ballast" 2>/dev/null
        sleep 3
        note
        rm -f "$folder/ballast"
        until_more
      fi
      kill -KILL "$script" 2>/dev/null ;;
    1) kill -KILL "$script" 2>/dev/null ;;
    2) # a worker, and then everything at once
      mapfile -t running < <(workers)
      ((${#running[@]} == 0)) || kill -KILL "${running[RANDOM % ${#running[@]}]}" 2>/dev/null
      until_more
      end_all ;;
    3) # the end that a user asks for
      kill -TERM "$script" 2>/dev/null ;;
  esac
  wait "$script" 2>/dev/null
  note
done

# The last run takes what is left, and says what it had.
start 1 20000
wait "$script" || fail "the last run ended with $?"
script=''
note
[[ -z $(workers) ]] || fail "workers are left"
compgen -G "$dir/attach/inbox/*.input" >/dev/null && fail "a report is still in the inbox"

index=$dir/findings/index.jsonl
"$bin/fuzz_findings" index "$dir" || fail "the index cannot be made"
for id in "${!seen_ids[@]}"; do
  grep -q "\"id\":\"$id\"" "$index" || fail "the finding $id is lost"
  for part in input report.txt finding.json; do
    [[ -s $dir/findings/$id/$part ]] || fail "$id has no $part"
  done
done
for what in "${!seen_reports[@]}"; do
  grep -qF "\"what\":\"$what\"" "$index" || fail "the report '$what' is lost"
done
grep -q '"what":"damaged"' "$index" && fail "a finding is damaged"
((${#seen_ids[@]} > 0)) || fail "nothing was ever found, so that nothing could be lost"
inputs=$(find "$dir/attach/corpus/" -type f | wc -l)
((inputs > 0)) || fail "there is no corpus"
IOMMUCHECK_DROP='' "$bin/attach" -runs=0 -max_len=481 "$dir/attach/corpus/" >"$work/read" 2>&1 ||
  fail "the corpus cannot be read: $(tail -n 3 "$work/read")"

# An index that is damaged comes again from the folders.
cp "$index" "$work/index"
echo '{"id":' >"$index"
"$bin/fuzz_findings" index "$dir"
cmp -s "$index" "$work/index" || fail "the index did not come again"

echo "$kills kills; ${#seen_ids[@]} findings and ${#seen_reports[@]} kinds of reports seen, none lost; $inputs inputs"
[[ -z $failed ]] || { tail -n 20 "$work/said"; exit 1; }
