#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# forever.sh DIR JOBS SLICE MERGE_EVERY ROUNDS RUNS TARGET[=KERNEL_BUILD]...
#
# Fuzzes the targets in turn, each for SLICE seconds by JOBS workers of libFuzzer's -fork mode, and
# begins again with the first, until it is stopped or has done ROUNDS of them (0: no end). A slice
# also ends after RUNS executions (0: no end). Every MERGE_EVERY slices libFuzzer's -merge throws out
# of the corpus what the rest makes superfluous. ./dev fuzz --forever builds, and calls this.
#
# A worker leaves a finding in DIR/TARGET/inbox, whole or not at all (fuzz/finding.h), and
# fuzz_findings puts it into DIR/findings. A crash that no check of ours noticed (a sanitizer, a
# timeout) is an input that the engine wrote: it is run again, for its report. Whoever kills this
# script, or a worker, or the machine: the next start goes on with what is in DIR.
#
# Environment: IOMMUCHECK_DROP, for tests: rules that the targets are to miss.
# Exit status: 0 after ROUNDS or when it was stopped, 2 usage, or another such script has DIR.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
bin=$PWD/build/fuzz/bin
dir=$1 jobs=$2 slice=$3 merge_every=$4 rounds=$5 runs=$6
shift 6

# Seconds for an input. A machine that is busy for a while must not make findings.
patience=60

say() { printf '%s\n' "$*" >&2; }

mkdir -p "$dir" || exit 2
dir=$(realpath -- "$dir")
exec 9>"$dir/lock" || exit 2
# A process that a killed script was waiting for may have the lock for some seconds more.
if ! flock -w 10 9; then
  say "another ./dev fuzz --forever has $dir: process $(cat "$dir/process" 2>/dev/null)"
  exit 2
fi
echo $$ >"$dir/process"

# Workers of a script that was killed go on until somebody ends them. They carry the name of DIR.
end_workers() {
  local environment
  for environment in /proc/[0-9]*/environ; do
    if grep -qzxF "IOMMUCHECK_FOREVER=$dir" "$environment" 2>/dev/null; then
      environment=${environment%/environ}
      kill -KILL "${environment#/proc/}" 2>/dev/null
    fi
  done
}
end_workers

stopped='' worker=''
stop() {
  stopped=yes
  [[ -z $worker ]] || kill -INT -- "-$worker" 2>/dev/null
}
trap stop INT TERM HUP

# nap SECONDS: a sleep that does not keep the lock.
nap() { sleep "$1" 9>&-; }

# become NAME=VALUE... COMMAND...: the command takes the place of this (sub)shell, with the
# variables of a target. It dies with the shell above, if that is killed.
become() {
  exec env ${kernel_build:+IOMMUCHECK_KERNEL_BUILD="$kernel_build"} TMPDIR="$home/tmp" \
    IOMMUCHECK_FOREVER="$dir" setsid setpriv --pdeathsig KILL env "$@" 9>&-
}

# What a start finds: the corpus is where `corpus` points. A merge that was cut off is thrown away.
prepare() {
  local folder
  mkdir -p "$home/inbox" "$home/crashes" "$home/tmp"
  rm -rf "${home:?}/tmp"/*
  if [[ ! -L $home/corpus || ! -d $home/corpus ]]; then
    mkdir -p "$home/corpus.0"
    ln -sfn corpus.0 "$home/corpus"
  fi
  for folder in "$home"/corpus.*; do
    [[ ${folder##*/} == "$(readlink "$home/corpus")" ]] || rm -rf "$folder"
  done
  rm -f "$home"/inbox/.new-*
  # A full disk leaves empty files.
  find "$home/corpus/" -type f -empty -delete
}

# Runs each crash that the engine wrote again, for its report, and puts both into the inbox.
rerun_crashes() {
  local crash name # hides the target's
  for crash in "$home"/crashes/*; do
    [[ -f $crash ]] || continue
    name=$(basename "$crash")
    if [[ ! -s $crash ]]; then rm -f "$crash"; continue; fi
    # IOMMUCHECK_INBOX is not set: the report goes where we say.
    (become timeout -k 5 $((2 * patience)) "$bin/$target" -timeout="$patience" \
      -artifact_prefix="$home/tmp/" "$crash") >"$home/inbox/.new-$name" 2>&1
    sync "$home/inbox/.new-$name" "$crash" 2>/dev/null || continue
    mv "$home/inbox/.new-$name" "$home/inbox/$name.txt" && mv "$crash" "$home/inbox/$name.input"
  done
}

# Counts the findings since the start in `found`.
found=0
take_findings() {
  local fresh
  rerun_crashes
  compgen -G "$home/inbox/*.input" >/dev/null || return 0
  fresh=$("$bin/fuzz_findings" take "$dir" "$name" 9>&-) || return 1
  ((fresh == 0)) || say "$name: $fresh new, see $dir/findings/index.jsonl"
  ((found += fresh))
}

# The last line of the engine about its progress: executions, edges, features.
progress() {
  sed -n 's/^#\([0-9]*\): cov: \([0-9]*\) ft: \([0-9]*\) .*/\1\t\2\t\3/p' "$home/log" | tail -n 1
}

# A line of stats.tsv; the dot at its end says that it is whole.
write_stats() {
  local seconds=$1 line terms=$'0\t0\t0' count
  line=$(progress)
  [[ -n $line ]] || return 0
  case $target in attach | diff_profiles | judges | kernel_attach | mutants)
    terms=$("$bin/fuzz_findings" terms "$home/corpus/" 9>&-) || terms=$'0\t0\t0' ;;
  esac
  count=$(find "$home/corpus/" -type f | wc -l)
  # A line that was cut off must not have this one at its end.
  [[ ! -s $home/stats.tsv || -z $(tail -c 1 "$home/stats.tsv") ]] || echo >>"$home/stats.tsv"
  printf '%d\t%d\t%s\t%s\t%d\t.\n' "$(date +%s)" "$seconds" "$line" "$terms" "$count" >>"$home/stats.tsv" ||
    say "$name: $home/stats.tsv cannot be written"
}

# The smaller corpus takes the place of the other in one step.
merge() {
  local old new
  old=$(readlink "$home/corpus")
  new=corpus.$((${old#corpus.} + 1))
  rm -rf "${home:?}/$new"
  mkdir -p "$home/$new" || return
  # The inbox is not set: a finding that the corpus may lead to is there already.
  become "$bin/$target" -merge=1 "${options[@]}" -timeout="$patience" \
    -artifact_prefix="$home/tmp/" "$home/$new" "$home/$old" >"$home/merge.log" 2>&1 &
  worker=$!
  local status=0
  wait_for_worker || status=$?
  if ((status != 0)) || [[ -z $(ls -A "$home/$new") ]]; then
    rm -rf "${home:?}/$new"
    [[ -n $stopped ]] || say "$name: the corpus stays as it is, see $home/merge.log"
    return
  fi
  sync -f "$home/$new" && ln -sfn "$new" "$home/.corpus" &&
    mv -T "$home/.corpus" "$home/corpus" && rm -rf "${home:?}/$old"
  rm -rf "${home:?}/tmp"/*
}

# Waits for the process `worker`, and for findings; returns its exit status.
wait_for_worker() {
  while kill -0 "$worker" 2>/dev/null; do
    nap 1
    take_findings
  done
  wait "$worker"
  local status=$?
  worker=''
  return "$status"
}

fuzz_slice() {
  local started=$SECONDS limit=()
  prepare
  take_findings
  ((runs == 0)) || limit=(-runs="$runs")
  : >"$home/log"
  become IOMMUCHECK_INBOX="$home/inbox" "$bin/$target" -fork="$jobs" -ignore_crashes=1 \
    -ignore_ooms=1 -ignore_timeouts=1 -max_total_time="$slice" -timeout="$patience" \
    "${options[@]}" "${limit[@]}" -artifact_prefix="$home/crashes/" \
    "$home/corpus/" "build/fuzz/seeds/$seeds" >"$home/log" 2>&1 &
  worker=$!
  [[ -z $stopped ]] || stop
  wait_for_worker
  take_findings
  write_stats $((SECONDS - started))
  # An engine that cannot even start would fill the log of whoever looks after this.
  if [[ -z $(progress) && -z $stopped ]]; then
    say "$name: no execution, see $home/log"
    nap 10
  fi
}

for ((round = 1; rounds == 0 || round <= rounds; round++)); do
  for each in "$@"; do
    [[ -z $stopped ]] || break 2
    target=${each%%=*} kernel_build='' name=${each%%=*} seeds=attach
    if [[ $each == *=* ]]; then
      kernel_build=$(realpath -- "${each#*=}")
      name=$target-${each##*/}
    fi
    case $target in acpi | case_parser | device_tree | listing | snapshot | kernel_ioctl) seeds=$target ;; esac
    home=$dir/$name
    mapfile -t options < <(fuzz/engine_options.sh "$target" "$bin")
    fuzz_slice
    [[ -n $stopped ]] || ((round % merge_every != 0)) || merge
  done
done
say "$found new findings; ./dev fuzz status --dir $(printf '%q' "$dir")"
