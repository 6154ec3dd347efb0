#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# CPU seconds (user and system) of bounded answers at the default bounds: the search; CaDiCaL
# solving the certificate's formulas and writing proofs; checking these. Ratios are relative to the
# search.
. bench/measure.sh
folder=$work/certificate
mkdir "$folder"

printf '%7s %8s %7s %7s %7s %9s  %s\n' search CaDiCaL ratio check ratio proofs query
slots='--add assume.bus_ops_not_replaced'
groups='--add assume.homogeneous_groups'
while read -r query; do
  rm -rf "${folder:?}"/*
  # shellcheck disable=SC2086  # a query is several words
  search=$(cpu "$tool" query $query --bounded) all=$(cpu "$tool" query $query --certificate "$folder")
  check=$(cpu "$tool" check-certificate "$folder")
  bytes=$(cat "$folder"/*.drat | wc -c)
  # Writing a certificate runs the search, CaDiCaL and the checker.
  awk -v search="$search" -v all="$all" -v check="$check" -v bytes="$bytes" -v query="$query" 'BEGIN {
    solve = all - search - check
    printf "%7.2f %8.2f %7.2f %7.2f %7.2f %6.1f MB  %s\n", search, solve, solve / search, check,
           check / search, bytes / 1e6, query }'
done <<END
no-cross-driver-reuse --kernel v5.15 $slots
no-cross-driver-reuse --kernel v6.0 $slots
no-cross-driver-reuse --kernel v6.1
no-cross-driver-reuse --kernel v6.8 $groups
no-cross-driver-reuse --kernel v6.12 $groups
no-cross-driver-reuse --kernel v7.1 $groups
no-cross-driver-attach --kernel v6.1
no-cross-driver-attach --kernel v7.1 $groups
END
