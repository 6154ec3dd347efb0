#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Reports which lines and branches of the kernel's files are reached, by function.
#   coverage.sh BUILD PROGRAMS CORPORA
# BUILD is a folder of kernel/build.sh, PROGRAMS has the programs that play cases and inputs.
# CORPORA/TARGET-NAME are the inputs that fuzzers found; if there are none, random inputs are used.
set -euo pipefail
build=$(realpath "${1:?"expected a build"}")
programs=$(realpath "${2:?"expected a folder of programs"}")
corpora=$3
name=${build##*/}
if [[ -f $build/sandboxed ]]; then
  echo "kernel/coverage.sh: $build was built in a sandbox; what it reaches is counted outside of one" >&2
  exit 2
fi
cases=${IOMMUCHECK_COVERAGE_CASES:-300000}
inputs=${IOMMUCHECK_COVERAGE_INPUTS:-500000}

ninja -C "$build" -f "$build/build.ninja" -j 2 "$build/coverage/kernel.so" >"$build/coverage.log" 2>&1 ||
  { tail -n 40 "$build/coverage.log" >&2; exit 2; }
raw=$build/coverage/raw
rm -rf "$raw"
mkdir -p "$raw"
export IOMMUCHECK_KERNEL_BUILD=$build/coverage LLVM_PROFILE_FILE=$raw/%m-%p.profraw
say() { printf '%s\n' "$*" >&2; }
play() {
  echo "${*/$programs/..}" >&2
  # A program that finds something fails, but this is not the place to report it.
  "$@" >"$build/coverage/played.log" 2>&1 || say "$(tail -n 3 "$build/coverage/played.log")"
}
found() { if [[ -d $corpora/$1-$name ]]; then echo "$corpora/$1-$name"; fi; }
attach=$(found kernel_attach) ioctl=$(found kernel_ioctl)
play "$programs/bin/kernel_cases" --cases="$cases" --seed=1 "$programs/seeds/attach" ${attach:+"$attach"}
play "$programs/bin/kernel_ioctl" --rounds="$inputs" --seed=1 ${ioctl:+"$ioctl"}

llvm-profdata-19 merge -o "$build/coverage/merged" "$raw"/*.profraw
tree=$(sed -n 's/.* -I\(.*\) -I.*\/kernel -I.*/\1/p' "$build/build.ninja" | head -n 1)
tree=${tree##* -I}
for file in drivers/iommu/iommu.c drivers/vfio/vfio_iommu_type1.c; do
  llvm-cov-19 report "$build/coverage/kernel.so" -instr-profile="$build/coverage/merged" \
    -show-functions "$tree/$file" | awk -v file="$file" '
    # A name, then three numbers each for regions, lines and branches.
    NF == 10 && $5 ~ /^[0-9]+$/ {
      sub(/^.*:/, "", $1)
      row = sprintf("%-47s %5d %7s %5d %7s", substr($1, 1, 47), $5, $7, $8, $8 ? $10 : "-")
      if ($1 == "TOTAL") total = row
      else print (($5 == $6) ? "2" : "1") "\t" row
    }
    END { print "3\t" total }' | sort -s -k 1,1 |
    { printf '%s\n%-47s %5s %7s %5s %7s\n' "$file" function lines reached "br." reached
      # Functions that are not reached at all come last.
      cut -f 2-
      echo; }
done
