#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# CPU seconds (user and system, process start included) of queries, the median of five runs each,
# and of a process that only starts.
. bench/measure.sh

# shellcheck disable=SC2046  # five numbers
median_cpu() { median $(for _ in 1 2 3 4 5; do cpu "$@"; done); }

printf '%8s  %s\n' CPU-s query
printf '%8s  %s\n' "$(median_cpu "$tool" --version)" "(start alone: iommucheck --version)"
slots='--add assume.bus_ops_not_replaced'
groups='--add assume.homogeneous_groups'
while read -r query; do
  # shellcheck disable=SC2086  # a query is several words
  printf '%8s  %s\n' "$(median_cpu "$tool" query $query)" "$query"
done <<END
no-cross-driver-reuse --kernel v5.15 --drop type1.same_ops $slots
no-cross-driver-reuse --kernel v5.18 --drop type1.same_ops $slots
no-cross-driver-reuse --kernel v6.0 --drop type1.same_ops $slots
no-cross-driver-attach --kernel v6.0
no-cross-driver-reuse --kernel v6.1 --drop type1.same_ops --drop register.single_driver
no-cross-driver-reuse --kernel v6.8 --drop type1.same_ops --drop core.owner_first $groups
no-cross-driver-reuse --kernel v6.12 --drop type1.same_ops --drop core.owner_first $groups
no-cross-driver-reuse --kernel v7.1 --drop type1.same_ops --drop core.owner_first $groups
no-cross-driver-reuse --kernel v6.12
no-cross-driver-reuse --kernel v5.15 --bounded --devices 3 --steps 5 $slots
no-cross-driver-reuse --kernel v6.0 --bounded --devices 3 --steps 5 $slots
no-cross-driver-reuse --kernel v6.1 --bounded --devices 3 --steps 5
no-cross-driver-reuse --kernel v6.8 --bounded --devices 3 --steps 5 $groups
no-cross-driver-reuse --kernel v6.12 --bounded --devices 3 --steps 5 $groups
no-cross-driver-reuse --kernel v7.1 --bounded --devices 3 --steps 5 $groups
no-cross-driver-attach --kernel v7.1 --bounded --devices 3 --steps 5 $groups
END
