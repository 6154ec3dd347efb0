#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` leaves works from anywhere: the program finds its data, the completions
# complete, and the man page is one.
#
#   install_test.sh BUILD
set -euo pipefail
work=$(mktemp -d)
# shellcheck disable=SC2064 # the folder of now
trap "rm -rf '$work'" EXIT
failed=0
# expect WHAT FOUND PATTERN
expect() {
  # shellcheck disable=SC2053 # a pattern
  [[ $2 == $3 ]] || { echo "FAILED: $1: expected $3, found: $2"; failed=1; }
}

cmake --install "$1" --prefix "$work/prefix" >"$work/log"
cd /
iommucheck=$work/prefix/bin/iommucheck
share=$work/prefix/share
expect "the corpus of tour" "$("$iommucheck" tour --help)" "*$share/iommucheck/corpus*"
for claim in 02-one-driver 08-which-systems; do
  expect "claim $claim" "$("$iommucheck" judge "$share/iommucheck/corpus/claims/$claim.claim" 2>&1 | tail -n 1)" \
    "1 judged, 1 as written, 0 not"
done
status=0
"$iommucheck" tour --timeout 1s >"$work/tour" 2>&1 || status=$?
expect "tour from anywhere" "$status" "[03]" # 0 on a fast machine
expect "tour's first line" "$(head -n 1 "$work/tour")" '"vfio/iommu_type1: Remove the domain->ops comparison"'

# completes EXPECTED WORD...: what bash makes of the command line, the last word to be completed.
completes() {
  local found
  found=$(bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _iommucheck; echo "${COMPREPLY[*]}"' \
    bash "$share/bash-completion/completions/iommucheck" "${@:2}")
  expect "completion of '${*:2}'" "$found" "$1"
}
completes judge iommucheck ju
completes 'no-cross-driver-attach no-cross-driver-reuse' iommucheck query no-
completes 'type1.same_bus type1.same_ops type1.same_coherency' iommucheck query no-cross-driver-reuse --drop type1.same
completes --color iommucheck query --co
completes 'always' iommucheck judge --color al
completes 'v6.12 v6.12.y' iommucheck diff no-cross-driver-reuse --kernel v6.12
completes '--kernel --kernel-source' iommucheck query no-cross-driver-reuse --ke
completes /etc/hostname iommucheck replay /etc/hostnam
for shell in zsh fish; do
  ! command -v "$shell" >/dev/null || "$shell" -n "$share/$shell"/vendor*/*iommucheck* ||
    { echo "FAILED: $shell does not read its completions"; failed=1; }
done
if [[ -f $share/man/man1/iommucheck.1 ]]; then
  expect "the man page" "$(grep '^\.TH' "$share/man/man1/iommucheck.1")" '.TH "iommucheck" "1" *'
fi
exit "$failed"
