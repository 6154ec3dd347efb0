#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts the IOMMU drivers of device trees a second time, by a reader of its own.

    survey_count.py IOMMUCHECK PATH...

Reads the flattened form by the specification alone, neither by libfdt nor by the catalogue, and
holds `iommucheck survey --format json` of v7.3 to it: which drivers have an IOMMU that is switched
on, and which of them a device. PATH is a folder of .dtb files. A line for each that differs; exit
status 1 then.
"""
import json
import os
import re
import struct
import subprocess
import sys

# The driver of an IOMMU by what it is compatible with.
DRIVERS = [
    (r"arm,smmu-v3", "arm-smmu-v3"),
    (r"(arm,(smmu-v[12]|mmu-(400|401|500))|cavium,smmu-v2|nvidia,smmu-500|qcom,smmu-v2)", "arm-smmu"),
    (r"apple,.*dart", "apple-dart"),
    (r"samsung,exynos-sysmmu", "exynos"),
    (r"renesas,(ipmmu-.*|rcar-gen4-ipmmu-vmsa)", "ipmmu-vmsa"),
    (r"qcom,apq8064-iommu", "msm"),
    (r"mediatek,mt2701-m4u", "mtk_v1"),
    (r"mediatek,mt[0-9]+-(m4u|iommu-.*)", "mtk"),
    (r"ti,(omap[24]|dra7|dra7-dsp)-iommu", "omap"),
    (r"qcom,msm-iommu-v[12]", "qcom_iommu"),
    (r"rockchip,(rk3568-)?iommu", "rockchip"),
    (r"verisilicon,iommu-1.2", "vsi"),
    (r"sprd,iommu-v1", "sprd"),
    (r"allwinner,sun50i-h6(16)?-iommu", "sun50i"),
    (r"nvidia,tegra(30|114|124|132|210)-mc", "tegra-smmu"),
    (r"riscv,iommu|riscv,pci-iommu", "riscv"),
    (r"virtio,mmio|virtio,pci-iommu", "virtio-iommu"),
]


def nodes_of(blob):
    """The nodes, as [parent, properties], parents first."""
    magic, _, off, strings, _, _, _, _, _, size = struct.unpack(">10I", blob[:40])
    assert magic == 0xD00DFEED
    nodes, above, at = [], [], off
    while at < off + size:
        (tag,) = struct.unpack_from(">I", blob, at)
        at += 4
        if tag == 1:
            end = blob.index(b"\0", at)
            nodes.append([above[-1] if above else None, {}])
            above.append(len(nodes) - 1)
            at = (end + 4) & ~3
        elif tag == 2:
            above.pop()
        elif tag == 3:
            length, name = struct.unpack_from(">2I", blob, at)
            name = blob[strings + name : blob.index(b"\0", strings + name)].decode()
            nodes[above[-1]][1][name] = blob[at + 8 : at + 8 + length]
            at = (at + 8 + length + 3) & ~3
        elif tag == 9:
            return nodes
    raise ValueError("no end")


def cells(value):
    return struct.unpack(">%dI" % (len(value) // 4), value)


def driver_of(properties):
    for text in properties.get("compatible", b"").decode("latin1").split("\0"):
        for pattern, driver in DRIVERS:
            if re.fullmatch(pattern, text):
                return driver
    return None


def drivers_of(blob):
    """The drivers with an IOMMU that is on, and those of them with a device."""
    nodes = nodes_of(blob)

    def is_on(n):
        while n is not None:
            parent, properties = nodes[n]
            if "status" in properties and properties["status"].split(b"\0")[0] not in (b"ok", b"okay"):
                return False
            n = parent
        return True

    by_phandle = {cells(p["phandle"])[0]: n for n, (_, p) in enumerate(nodes) if "phandle" in p}
    on = {n: driver_of(p) for n, (_, p) in enumerate(nodes) if "#iommu-cells" in p and is_on(n)}
    drivers, serving = {d for d in on.values() if d}, set()
    for n, (parent, properties) in enumerate(nodes):
        if not is_on(n):
            continue
        if parent is not None and nodes[parent][1].get("device_type", b"")[:3] == b"pci":
            continue
        # Each cell that is a phandle of an IOMMU is taken for one where the widths say so.
        value, at = cells(properties.get("iommus", b"")), 0
        while at < len(value):
            target = by_phandle[value[at]]
            # A device gets none after one that is off (of_iommu_xlate()).
            if target not in on:
                break
            serving.add(on[target])
            at += 1 + cells(nodes[target][1]["#iommu-cells"])[0]
        value = cells(properties.get("iommu-map", b""))
        if value:
            width = 4 if len(value) % 4 == 0 and all(v in by_phandle for v in value[1::4]) else 5
            serving.update(on[by_phandle[v]] for v in value[1::width] if by_phandle[v] in on)
    return drivers, serving - {None}


def main():
    tool, paths = sys.argv[1], sys.argv[2:]
    run = subprocess.run([tool, "survey", *paths, "--format", "json", "--kernel", "v7.3"],
                         stdout=subprocess.PIPE, check=False)
    if run.returncode not in (0, 1, 3):
        sys.exit("survey: exit status %d" % run.returncode)
    machines = {}
    for machine in json.loads(run.stdout)["machines"]:
        machines.setdefault(machine["name"], []).append(machine["verdicts"][0])
    read = differ = several = 0
    for path in paths:
        for folder, _, names in os.walk(path):
            for name in sorted(names):
                if not name.endswith(".dtb"):
                    continue
                read += 1
                with open(os.path.join(folder, name), "rb") as file:
                    drivers, serving = drivers_of(file.read())
                several += len(serving) > 1
                short = os.path.basename(folder) + "/" + name
                expected = ("+".join(sorted(drivers)), "+".join(sorted(serving)))
                found = [(v["drivers"], v["serving"]) for v in machines.get(short, [])]
                if expected not in found:
                    differ += 1
                    print("%s: counted %s, survey has %s" % (short, expected, found))
    print("%d device trees, %d with devices of several drivers, %d differ" % (read, several, differ))
    sys.exit(1 if differ or not read or read != sum(map(len, machines.values())) else 0)


main()
