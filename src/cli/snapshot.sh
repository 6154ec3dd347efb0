#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What iommucheck reads of a running system, as a tar: sh snapshot.sh OUT.tar.gz, as root. No serial
# numbers and no addresses of network devices are among it.
# $ROOT: the folder that has sys and proc in it, else /.
set -eu
[ "$(id -u)" = 0 ] || [ -n "${ROOT:-}" ] || { echo "snapshot.sh: only root can read the ACPI tables" >&2; exit 1; }
case ${1:?OUT.tar.gz} in /*) out=$1 ;; *) out=$PWD/$1 ;; esac
beside=$(mktemp -d)
trap 'rm -rf "$beside"' EXIT
mkdir "$beside/proc"
# tar alone would store it empty; the rest of the line says who built the kernel.
sed 's/^\(Linux version [^ ]*\).*/\1/' "${ROOT:-}/proc/version" >"$beside/proc/version"
cd "${ROOT:-/}"
{
  find sys/class/iommu sys/kernel/iommu_groups
  for bus in platform pci amba fsl-mc host1x-context cdx; do find "sys/bus/$bus/devices"; done
} >"$beside/links" 2>/dev/null || true
{
  cat "$beside/links"
  for table in DMAR IORT IVRS RIMT VIOT FACP; do ls "sys/firmware/acpi/tables/$table"; done
  find sys/firmware/devicetree/base -type d -o -name compatible -o -name status -o -name phandle \
    -o -name '*iommu*' -o -name 'dma-*coherent' -o -name device_type -o -name mmu-masters -o -name model
  while read -r link; do
    [ -L "$link" ] && device=$(realpath --relative-to=. "$link") && [ -d "$device" ] || continue
    echo "$device"
    find "$device/iommu" "$device/devices" "$device/intel-iommu" -maxdepth 1
    # The driver of an IOMMU may be that of a folder above it.
    while [ "$device" != sys ] && [ "$device" != . ]; do
      for name in device driver iommu iommu_group of_node; do
        [ ! -L "$device/$name" ] || echo "$device/$name"
      done
      device=$(dirname "$device")
    done
  done <"$beside/links"
} 2>/dev/null | sort -u | tar --no-recursion -czf "$out" -T - -C "$beside" proc/version || [ $? = 1 ]  # 1: files are shorter than they say
