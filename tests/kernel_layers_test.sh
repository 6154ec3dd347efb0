#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Of the harness's own files, each calls those before it and none after it: kernel/process/internal.h
# has the order. kernel/fake calls back what its host supplies.
#   kernel_layers_test.sh BUILD
set -euo pipefail
cd "$1/plain" 2>/dev/null || { echo "SKIPPED: there is no $1: run ./dev kernel first"; exit 77; }
files=(host.o fake/{calls,faults,machine,domains,claims,driver}.o
  process/{shim,memory,sysfs,files,events,functions,buses,drivers,devices,vfio_driver,groups,ops}.o
  process/{promises,core_promises_{groups,maps,attach,defaults,probe},vfio_promises,promise_list}.o
  process/{extra,harness}.o)
nm -A "${files[@]}" | awk '
  { file = $1; sub(/:.*/, "", file) }
  !(file in place) { place[file] = ++count }
  $(NF - 1) == "U" { uses[file, $NF] }
  $(NF - 1) ~ /^[TDBR]$/ { home[$NF] = file }
  END {
    for (use in uses) {
      split(use, of, SUBSEP)
      if (!(of[2] in home) || place[home[of[2]]] < place[of[1]]) continue
      if (of[1] ~ /^fake/ && of[2] ~ /^(host_|table_|pci_bus_type$)/) continue
      if (of[1] ~ /^host/ && of[2] ~ /^shim_(mutex|semaphore)_words$/) continue
      if (of[1] ~ /claims/ && of[2] == "driver_ops") continue
      print of[1] " calls " of[2] "() of " home[of[2]] ", which comes after it"
      failed = 1
    }
    exit failed
  }'
