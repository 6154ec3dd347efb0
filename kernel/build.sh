#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the harness of one kernel tree:
#   build.sh TREE NAME OUT [--sandbox|""] [OVERLAY [BASE]]
# Generates headers by running the tree's own makefiles, probes the tree for features, and links
# OUT/kernel.so and OUT/kernel-fuzz.so. Files of the folder OVERLAY replace those of the tree; where
# they have mutants (kernel/mutate), there is no kernel-fuzz.so. A second run builds only the parts
# whose inputs have changed. IOMMUCHECK_KERNEL_ONLY=kernel.so builds that library alone.
#
# BASE is the build of the tree without the overlay. Objects that do not depend on the overlay are
# taken from there; the others count which of their lines run (LLVM_PROFILE_FILE). There is no
# kernel-fuzz.so.
#
# With --sandbox, everything that runs programs of the tree, or compiles its code, runs by
# sandbox.sh, and the file OUT/sandboxed warns programs that load the library. With or without it,
# only known options of the compiler are accepted from the output of the tree's makefiles.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

say() { printf '%s\n' "$*" >&2; }
die() { say "kernel/build.sh: $*"; exit 2; }
# The end of a log, made safe for a terminal.
end_of() { tail -n "$1" "$2" | LC_ALL=C tr -cd '\n\t -~' >&2; }

# ninja, make and a shell read these paths, and quote in different ways.
plain_path() {
  local LC_ALL=C
  [[ $1 != *[!A-Za-z0-9/._+@~$'\x80'-$'\xff'-]* ]] ||
    die "$(printf '%q' "$1"): expected a path of letters, digits and /._+@~-"
}
tree=$(realpath -- "${1:?"expected a kernel tree"}")
name=$(LC_ALL=C tr -cd 'A-Za-z0-9 ._+:~@-' <<<"${2:?"expected a name for the build"}")
plain_path "$here"
plain_path "$tree"
plain_path "${3:?"expected an output folder"}"
mkdir -p -- "$3"
out=$(realpath -- "$3")
plain_path "$out"
sandbox=${4:-}
overlay=${5:-}
if [[ -n $overlay ]]; then
  overlay=$(realpath -- "$overlay")
  plain_path "$overlay"
fi
base=${6:+$(realpath -- "$6")}
[[ -z $base ]] || plain_path "$base"
# A file of the tree as a patch that is reviewed leaves it.
reviewed() {
  if [[ -n $base && -f $overlay/$1 ]]; then echo "$overlay/$1"; else echo "$tree/$1"; fi
}

core=drivers/iommu/iommu.c
type1=drivers/vfio/vfio_iommu_type1.c
container=drivers/vfio/container.c
firmware=drivers/iommu/of_iommu.c
for file in Makefile include/linux/iommu.h "$core" "$firmware" "$type1"; do
  [[ -f $tree/$file ]] || die "$tree has no $file; it cannot be built"
done
# Up to and including 6.0 containers, groups and devices are in one file.
whole=''
if [[ ! -f $tree/$container ]]; then
  for file in drivers/vfio/vfio_main.c drivers/vfio/vfio.c; do
    [[ ! -f $tree/$file ]] || { whole=$file; break; }
  done
  [[ -n $whole ]] || die "$tree has no $container, vfio_main.c or vfio.c; it cannot be built"

fi

# --- headers ---

headers=$out/headers
log=$out/headers.log
# contained [--ro PATH | --rw PATH]... -- COMMAND...
contained() {
  if [[ $sandbox == --sandbox ]]; then
    "$here/sandbox.sh" --ro "$here" --ro "$tree" ${base:+--ro "$base"} "$@"
    return
  fi
  while [[ $1 != -- ]]; do shift; done
  "${@:2}"
}
# Before 5.18 LLVM= takes no version. Their assembler must not be clang's own, which rejects the lines
# that the makefiles read offsets from.
tools=(LLVM=-19)
if ! grep -q '^LLVM_SUFFIX := ' "$tree/Makefile"; then
  tools=(LLVM=1 LLVM_IAS=0 CROSS_COMPILE=x86_64-linux-gnu- "CC=clang-19 -no-integrated-as"
    HOSTCC=clang-19 HOSTCXX=clang++-19 LD=ld.lld-19 HOSTLD=ld.lld-19 HOSTAR=llvm-ar-19)
  for tool in ar nm objcopy objdump readelf strip; do tools+=("${tool^^}=llvm-$tool-19"); done
fi
# The tree's makefiles are untrusted programs. Contained, they can write only their own folder.
tree_make() {
  contained --rw "$headers" -- \
    make -C "$tree" O="$headers" ARCH=um "${tools[@]}" -j "$(nproc)" "$@"
}
if [[ $sandbox == --sandbox ]]; then
  "$here/sandbox.sh" --check || die "--sandbox: there can be none here"
  : >"$out/sandboxed"
else
  rm -f "$out/sandboxed"
fi
stamp=$out/headers.stamp
wanted="$tree $name $sandbox $(sha256sum <"$here/config")"
# With an overlay, the caller has already put the headers of the unpatched tree here.
if [[ -z $overlay && (! -f $stamp || $(<"$stamp") != "$wanted" || $tree/Makefile -nt $stamp) ]]; then
  say "$name: generating headers; this runs the makefiles of $tree${sandbox:+ in a sandbox}"
  rm -rf "$headers"
  mkdir "$headers"
  # The last one shows how the tree compiles a file without special options.
  {
    tree_make KCONFIG_ALLCONFIG="$here/config" allnoconfig &&
      tree_make prepare &&
      tree_make V=1 lib/rbtree.o
  } >"$log" 2>&1 || { end_of 30 "$log"; die "the tree's makefiles failed, see $log"; }
  printf '%s' "$wanted" >"$stamp"
fi
headers=$(realpath -- "$headers")

# Keeps the include path and the options that change the meaning of code; not the warnings, and not
# UML's code model. The makefiles could print anything, so only these options are accepted, and only
# folders of the tree and of its headers.
flags=()
take_folder() {
  local path=$2
  [[ $path == /* ]] || path=$headers/$path
  path=$(realpath -ms -- "$path")
  plain_path "$path"
  case $path/ in
    "$tree"/lib/ | "$headers"/lib/) [[ $1 != -I ]] || return 0 ;;
    "$tree"/* | "$headers"/*) ;;
    *) die "the tree's makefiles have the compiler look in $path, outside of the tree" ;;
  esac
  if [[ -n $base && $path == "$tree"/* && -e $overlay/${path#"$tree"/} ]]; then
    [[ $1 == -I ]] && flags+=("-I$overlay/${path#"$tree"/}") || path=$overlay/${path#"$tree"/}
  fi
  [[ $1 == -I ]] && flags+=("-I$path") || flags+=("$1" "$path")
}
take_flags() {
  local words at word
  read -ra words < <(LC_ALL=C grep -a -m 1 -o 'clang-19 .*-c -o lib/rbtree[.]o' "$log") || true
  ((${#words[@]})) || die "cannot see in $log how the tree compiles"
  for ((at = 0; at < ${#words[@]}; at++)); do
    word=${words[at]}
    case $word in
      -include) take_folder -include "${words[++at]}" ;;
      -I?*) take_folder -I "${word#-I}" ;;
      # The compiler's own headers, up to and including 5.15.
      -isystem) flags+=(-isystem "$(clang-19 -print-file-name=include)") ;;
      # Before 5.18; ours are of a later standard, and the tree's mean the same by it.
      -std=gnu89) flags+=(-std=gnu11 -fgnu89-inline) ;;
      *)
        if [[ $word =~ ^(-std=gnu[0-9]+|-f(ms-extensions|short-wchar|unsigned-char|no-common|no-strict-aliasing|no-delete-null-pointer-checks|strict-flex-arrays=[0-3]|no-strict-overflow)|-m64|-D__arch_um__|-D__KERNEL__|-nostdinc|--target=[a-z0-9_-]+|-D[a-z_0-9]+=kernel_[a-z_0-9]+|-D_LARGEFILE64_SOURCE)$ ]]; then
          flags+=("$word")
        fi ;;
    esac
  done
}
take_flags

# --- what the tree has ---

iommu_h=$(reviewed include/linux/iommu.h)
vfio_h=$(reviewed include/linux/vfio.h)
features=()
config=()
probes=$(
  has() { grep -Eq -- "$1" "${@:2}" 2>/dev/null; }
  has 'iommu_ops \*iommu_ops;' "$tree/include/linux/device/bus.h" && echo BUS_OPS
  has 'iommu_ops \*owner;' "$iommu_h" && echo DOMAIN_OWNER
  has '^struct iommu_domain \*iommu_paging_domain_alloc(_flags)?\(' "$iommu_h" && echo ALLOC_BY_DEV
  has '\(\*domain_alloc_paging\)\(struct device' "$iommu_h" && echo ALLOC_PAGING
  has '\(\*detach_dev\)' "$iommu_h" && echo DETACH_DEV
  has '\(\*set_platform_dma_ops\)' "$iommu_h" && echo SET_PLATFORM_DMA
  has '\(\*capable\)\(struct device' "$iommu_h" && echo CAPABLE_BY_DEV
  has 'generic_single_device_group' "$iommu_h" && echo SINGLE_GROUP
  has 'dma_configure\(' "$tree/$core" && echo DMA_CONFIGURE
  grep -A 2 '^int iommu_fwspec_init' "$iommu_h" | grep 'iommu_ops' >/dev/null && echo FWSPEC_OPS
  has 'iommu_ops \*of_iommu_configure' "$tree/include/linux/of_iommu.h" && echo OF_RETURNS_OPS
  # Stable trees that go back to the old domain when a device fails to attach.
  sed -n '/^static int __iommu_attach_group/,/^}/p' "$tree/$core" | grep 'old_domain' >/dev/null &&
    echo REATTACH
  # Trees that set the failing device back before they come to the end of the way back.
  sed -n '/last_gdev = gdev;/,/^}/p' "$tree/$core" |
    grep -m 1 -E 'gdev == last_gdev|__iommu_device_set_domain' | grep set_domain >/dev/null &&
    echo ROLLBACK_FAILING
  has 'of_map_iommu_id' "$tree/$firmware" && echo MAP_IOMMU_ID
  has '^static .* \*kmem_cache_alloc_trace\(' "$tree/include/linux/slab.h" && echo KMALLOC_BY_CACHE
  has 'struct kmem_cache_args' "$tree/include/linux/slab.h" && echo CACHE_ARGS
  [[ -f $tree/drivers/iommu/iommu-priv.h ]] && echo IOMMU_PRIV
  has 'iommu_probe_device_lock' "$iommu_h" "$tree/drivers/iommu/iommu-priv.h" && echo PROBE_LOCK
  has 'is_zero_page\(' "$tree/include/linux/mm.h" && echo ZERO_UNPINNED
  has '[[:space:]]locked_vm;' "$tree/$type1" && echo LOCKED_VM
  has 'iommu_map_atomic' "$iommu_h" || echo MAP_GFP
  has 'iommu_device_claim_dma_owner' "$iommu_h" && echo DEVICE_CLAIM
  has 'iommu_attach_device_pasid' "$iommu_h" && echo PASID
  has 'struct iommu_attach_handle' "$iommu_h" && echo PASID_HANDLE
  has '\(\*remove_dev_pasid\)' "$iommu_h" && echo REMOVE_DEV_PASID
  has 'pci_dev_reset_iommu_prepare' "$iommu_h" && echo RESETS
  has '\(\*domain_alloc_identity\)' "$iommu_h" && echo ALLOC_IDENTITY
  sed -n '/^struct iommu_ops {/,/^};/p' "$iommu_h" | grep pgsize_bitmap >/dev/null && echo OPS_PGSIZE
  has 'iommu_domain \*identity_domain;' "$iommu_h" && echo IDENTITY_DOMAIN
  has 'bus_set_iommu\(' "$iommu_h" && echo BUS_SET_IOMMU
  has 'ready_to_probe' "$tree/include/linux/device.h" && echo READY_TO_PROBE
  has 'acs_capabilities;' "$tree/include/linux/pci.h" && echo ACS_CAPABILITIES
  has '^struct iommu_domain_ops [{]' "$iommu_h" && echo DOMAIN_OPS || echo OPS_PER_DRIVER
  has 'VFIO_DMA_MAP_FLAG_VADDR' "$tree/include/uapi/linux/vfio.h" && echo UPDATE_VADDR
  has '^static int vfio_bus_type' "$tree/$type1" && echo SAME_BUS
  has 'iommu_group_claim_dma_owner' "$iommu_h" && echo DMA_OWNER
  has '\(\*enforce_cache_coherency\)' "$iommu_h" && echo ENFORCE_COHERENCY
  has '\(\*map_pages\)' "$iommu_h" && echo MAP_PAGES
  has '\(\*put_resv_regions\)' "$iommu_h" && echo PUT_RESV_REGIONS
  grep -A 2 '^iommu_alloc_resv_region' "$iommu_h" | grep gfp_t >/dev/null && echo RESV_GFP
  sed -n '/^int iommu_device_use_default_domain/,/^}/p' "$tree/$core" | grep EPROBE_DEFER >/dev/null &&
    echo DEFER_UNSET
  has 'IOMMU_CAP_INTR_REMAP' "$iommu_h" && echo CAP_INTR_REMAP
  has 'IOMMU_CAP_ENFORCE_CACHE_COHERENCY' "$iommu_h" && echo CAP_ENFORCE
  has 'define vfio_alloc_device\(' "$vfio_h" && echo ALLOC_DEVICE
  has 'vfio_register_emulated_iommu_dev' "$vfio_h" && echo REGISTER_EMULATED
  has '\(\*dma_unmap\)' "$vfio_h" && echo DMA_UNMAP
  has 'vfio_pin_pages\(.*unsigned long \*' "$vfio_h" && echo PIN_PFNS
  has 'vfio_pin_pages\(struct device ' "$vfio_h" && echo PIN_BY_DEV
  has 'vfio_dma_rw\(struct vfio_group' "$vfio_h" && echo RW_BY_GROUP
  has '\(\*open\)\(void \*device_data' "$vfio_h" && echo OPEN_BY_DATA
  has 'symbol_get\(mdev_bus_type' "$tree/$type1" && echo MDEV_BUS
  [[ -z $whole ]] || ! has ' device_create\(' "$tree/$whole" || echo DEVICE_CREATE
  has 'vfio_free_device' "$vfio_h" && echo FREE_DEVICE
  has '^struct fd fdget\(' "$tree/include/linux/file.h" && echo FDGET
  has '\(\*enable_nesting\)' "$iommu_h" && echo ENABLE_NESTING
  has 'dma_iommu:1;|[[:space:]]dma_iommu[ :;]' "$tree/include/linux/device.h" && echo DMA_IOMMU
  has '^(extern )?struct iommu_domain \*iommu_domain_alloc\(' "$iommu_h" && echo DOMAIN_ALLOC_BUS
  has 'iommu_domain \*release_domain;' "$iommu_h" && echo RELEASE_DOMAIN
  has 'iommu_domain \*default_domain;' "$iommu_h" && echo DEFAULT_DOMAIN
  has '\(\*dev_enable_feat\)' "$iommu_h" && has 'IOMMU_DEV_FEAT_SVA' "$iommu_h" && echo DEV_FEATURES
  has 'iommu_group_replace_domain\(' "$tree/drivers/iommu/iommu-priv.h" && echo REPLACE_DOMAIN
  has '\(\*set_pgtable_quirks\)' "$iommu_h" && echo PGTABLE_QUIRKS
  has 'int \(\*iotlb_sync_map\)' "$iommu_h" && echo SYNC_MAP_FAILS
  has '\(\*migration_get_data_size\)' "$vfio_h" && echo MIGRATION
  has '\(\*domain_set_attr\)' "$iommu_h" && echo SET_ATTR
  has '__iommu_device_set_ops' "$iommu_h" && echo DEVICE_SET_OPS
  has 'if \(err > 0\)' "$tree/drivers/base/bus.c" && echo ATTACH_COUNTS
  has 'acpi_iommu_configure_id\(' "$tree/drivers/acpi/scan.c" && echo ACPI_CONFIGURE
  [[ -f $tree/drivers/acpi/viot.c ]] && echo VIOT
  has 'fwnode_init\(' "$tree/include/linux/fwnode.h" && echo FWNODE_INIT
  has 'iommu_deferred_attach\(' "$iommu_h" "$tree/drivers/iommu/dma-iommu.h" && echo DEFERRED_ATTACH
  has '[[:space:]]f_count;' "$tree/include/linux/fs.h" && echo F_COUNT
  has 'follow_pfnmap_start' "$tree/include/linux/mm.h" && echo FOLLOW_PFNMAP
  has 'unsigned long addr_mask;' "$tree/include/linux/mm.h" && echo PFNMAP_MASK
  has 'CONFIG_ARM_AMBA' "$tree/$core" && echo AMBA
  has 'CONFIG_FSL_MC_BUS' "$tree/$core" && echo FSL_MC
  has 'CONFIG_TEGRA_HOST1X_CONTEXT_BUS' "$tree/$core" && echo HOST1X
  has 'CONFIG_CDX_BUS' "$tree/$core" && echo CDX
  true
)
# ARCH=um of 5.10 has no PCI. Layouts depend on it, so all files are told.
has_pci() { grep -q '^CONFIG_PCI=y' "$headers/.config"; }
has_pci || config+=(-DCONFIG_PCI=1)
for feature in $probes; do
  # The features that are part of the interface of harness.h.
  if grep -q "^  HARNESS_$feature = 1 << " "$here/harness.h"; then features+=("HARNESS_$feature"); fi
  case $feature in
    AMBA) config+=(-DCONFIG_ARM_AMBA=1) ;;
    FSL_MC) config+=(-DCONFIG_FSL_MC_BUS=1) ;;
    HOST1X) config+=(-DCONFIG_TEGRA_HOST1X_CONTEXT_BUS=1) ;;
    CDX) config+=(-DCONFIG_CDX_BUS=1) ;;
    # Devices may have ATS. Layouts depend on it, so all files are told.
    RESETS) config+=(-DCONFIG_PCI_ATS=1) ;;
  esac
done

# The file of the overlay, if it has one.
overlaid() {
  if [[ -n $overlay && -f $overlay/$1 ]]; then echo "$overlay/$1"; else echo "$tree/$1"; fi
}

write_if_changed() {
  local text
  text=$(cat)
  [[ -f $1 && $(<"$1") == "$text" ]] || printf '%s\n' "$text" >"$1"
}
{
  echo "/* SPDX-License-Identifier: Apache-2.0 */"
  echo "/* What kernel/build.sh found in $name. */"
  for feature in $probes; do echo "#define HARNESS_HAVE_$feature 1"; done
  printf '#define HARNESS_FEATURES (0'
  printf ' | %s' "${features[@]}"
  printf ')\n#define HARNESS_TREE_NAME "%s"\n' "$name"
  [[ -z $whole ]] || printf '#define HARNESS_WHOLE_FILE "%s"\n' "$whole"
} | write_if_changed "$out/tree.h"

# The release of the tree, which may have no profile of its own.
number() { sed -n "/^$1 *= */{s///p;q}" "$tree/Makefile" | LC_ALL=C tr -cd '0-9A-Za-z.+-'; }
printf '%s.%s.%s%s\n' "$(number VERSION)" "$(number PATCHLEVEL)" "$(number SUBLEVEL)" \
  "$(number EXTRAVERSION)" | write_if_changed "$out/release"

# --- compile and link ---

exports=$here/process/exports host_flags="" targets="$out/kernel.so $out/kernel-fuzz.so"
if [[ -n $overlay && -f $overlay/mutants.json ]]; then
  exports=$here/mutate/exports host_flags=-DHARNESS_HAS_MUTANTS targets=$out/kernel.so
  config+=(-DHARNESS_HAS_MUTANTS)
fi

# The tree's own files that those of IOMMU and VFIO need: a group lives by the reference count of its
# kobject, and the wiring of PCI decides who shares it.
lib_files=(rbtree interval_tree xarray radix-tree idr kobject refcount bitmap find_bit hweight
  scatterlist kstrtox)
pci_files=(search pci access host-bridge)
[[ $probes != *RESETS* ]] || pci_files+=(ats)
ours=(fake/{calls,faults,machine,domains,claims,driver}
  process/{shim,memory,sysfs,files,events,iommu_core,of_iommu,pci_driver,platform,driver_core,iort}
  process/{vfio_main,vfio_type1,vfio_driver,acpi_tables,firmware}
  process/{functions,buses,drivers,devices,groups,ops,extra,harness})
# They call much that no case does, and that a patch may take away.
[[ -n $base ]] || ours+=(
  process/{promises,core_promises_{groups,maps,attach,defaults,probe},vfio_promises,promise_list})
# Up to and including 5.13 iort.c is all that ACPI has of IOMMUs.
[[ $probes != *ACPI_CONFIGURE* ]] || ours+=(process/acpi_scan)
[[ $probes != *VIOT* ]] || ours+=(process/viot)
# Up to and including 6.0 vfio_main.c, or vfio.c, has containers and groups, too; in 6.1 groups.
[[ -n $whole ]] || ours+=(process/vfio_container)
[[ ! -f $tree/drivers/vfio/group.c ]] || ours+=(process/vfio_group)

# The objects of the base that the overlay leaves as they are, by their names in build.ninja.
same=' '
if [[ -n $base ]] && cmp -s "$out/tree.h" "$base/tree.h"; then
  changed=$(cd "$overlay" && find . -type f -printf '%P\n' | while IFS= read -r file; do
    cmp -s "$file" "$tree/$file" || printf '%s\n' "$tree/$file"
  done)
  same=" $(ninja -C "$base" -f "$base/build.ninja" -t deps | changed=$changed awk -v folder="$base/plain/" '
    BEGIN { count = split(ENVIRON["changed"], list, "\n"); for (i = 1; i <= count; i++) is[list[i]] }
    /^[^ ].*: #deps/ { name = $1; sub(/:$/, "", name); touched[name] = 0; next }
    NF == 1 && ($1 in is) { touched[name] = 1 }
    END { for (name in touched)
            if (!touched[name] && index(name, folder) == 1) print substr(name, length(folder) + 1) }' |
    tr '\n' ' ')"
fi
# base_object FLAVOUR NAME: adds it to `objects` if it is the base's.
base_object() {
  [[ $1 == plain && $same == *" $2 "* ]] || return 1
  objects+=("$base/plain/$2")
}
flavours=(plain fuzz coverage)
overlaid_folders=${overlay:+-I$overlay}
# A WARN names its file as the tree does, wherever that lies.
names="-fmacro-prefix-map=$tree/=${overlay:+ -fmacro-prefix-map=$overlay/=}"
if [[ -n $base ]]; then
  flavours=(plain) targets=$out/kernel.so
  for folder in iommu vfio pci base acpi; do overlaid_folders+=" -I$overlay/drivers/$folder"; done
fi
{
  cat <<END
builddir = $out
kflags = -I$here/process/include ${flags[*]} -include $here/process/once.h -include $out/tree.h $overlaid_folders -I$tree -I$here -I$tree/drivers/iommu $
  -I$tree/drivers/vfio -I$tree/drivers/pci -I$tree/drivers/base -I$tree/drivers/acpi -I$tree/drivers/acpi/arm64 -I$tree/lib $
  -O2 -g1 $names -fPIC -fno-builtin -fwrapv -fno-stack-protector -fno-omit-frame-pointer ${config[*]} $
  -DCONFIG_IOMMU_DMA=1 -DCONFIG_IOMMU_DEFAULT_DMA_STRICT=1 -D__DISABLE_EXPORTS -DKBUILD_MODNAME="\"iommucheck\"" -DKBUILD_MODFILE="\"iommucheck\"" $
  -DKBUILD_BASENAME="\"iommucheck\"" -D__KBUILD_MODNAME=kmod_iommucheck -w
rule kernel
  command = clang-19 \$kflags \$flavour -MMD -MF \$out.d -c \$in -o \$out
  depfile = \$out.d
  deps = gcc
  description = CC \$out
rule host
  command = clang-19 -O2 -g1 -fPIC -fno-builtin -Wall -Wno-incompatible-library-redeclaration $
    -Werror \$flavour $host_flags -I$here -MMD -MF \$out.d -c \$in -o \$out
  depfile = \$out.d
  deps = gcc
  description = CC \$out
rule stubs
  command = $here/stubs.sh \$out \$host \$in
  description = STUBS \$out
rule link
  command = clang-19 -shared \$flavour -fuse-ld=lld -Wl,-Bsymbolic -Wl,--version-script=$exports -o \$out \$in
  description = LINK \$out
END
  for flavour in "${flavours[@]}"; do
    objects=()
    # The harness itself is instrumented neither for the fuzzer nor for coverage.
    case $flavour in
      # Counts in a file that all processes share, so that a crash loses none.
      plain) sanitize="${base:+-fprofile-instr-generate=/dev/null -fcoverage-mapping -mllvm -runtime-counter-relocation}"
        so=kernel.so ;;
      fuzz) sanitize="-fsanitize=address,fuzzer-no-link" so=kernel-fuzz.so ;;
      # In its own folder, so that programs that play cases can use that folder as a build.
      coverage) sanitize="-fprofile-instr-generate -fcoverage-mapping" so=coverage/kernel.so ;;
    esac
    unseen=${sanitize/,fuzzer-no-link/}
    [[ $flavour == coverage || -n $base ]] && unseen=
    counted=
    for file in "${ours[@]}"; do
      ! base_object "$flavour" "$file.o" || continue
      echo "build $out/$flavour/$file.o: kernel $here/$file.c"
      # ARCH=um has no device trees, but these files see one. No layout depends on this.
      of=
      case $file in
        */iommu_core | */of_iommu | */firmware | */pci_driver | */platform)
          of=" -DCONFIG_OF=1 -DCONFIG_OF_DYNAMIC=1 -DCONFIG_OF_IOMMU=1" ;;
        # The bitmaps of logged DMA.
        */vfio_main | */vfio_driver) of=" -DCONFIG_IOMMUFD_DRIVER=1" ;;
        */acpi_scan | */acpi_tables | */iort | */viot)
          of=" -DCONFIG_ACPI=1 -DCONFIG_ACPI_IORT=1 -DCONFIG_ACPI_VIOT=1"
          of+=" -DCONFIG_ARM_SMMU_V3=1 -DCONFIG_VIRTIO_IOMMU=1" ;;
      esac
      case $file in
        */iommu_core | */of_iommu | */pci_driver | */platform | */driver_core | */acpi_scan | */iort | */viot | */vfio_main | */vfio_group | */vfio_container | */vfio_type1)
          # process/memory.c complains if user space is given what nobody set.
          counted=$sanitize
          echo "  flavour = $sanitize$of -ftrivial-auto-var-init=pattern" ;;
        *) echo "  flavour = $unseen -DHARNESS_FLAVOUR=\"\\\"$flavour\\\"\"$of" ;;
      esac
      objects+=("$out/$flavour/$file.o")
    done
    for file in "${pci_files[@]}"; do
      ! base_object "$flavour" "pci_$file.o" || continue
      counted=$sanitize
      echo "build $out/$flavour/pci_$file.o: kernel $(overlaid "drivers/pci/$file.c")"
      echo "  flavour = $sanitize"
      objects+=("$out/$flavour/pci_$file.o")
    done
    for file in "${lib_files[@]}"; do
      ! base_object "$flavour" "lib_$file.o" || continue
      echo "build $out/$flavour/lib_$file.o: kernel $(reviewed "lib/$file.c")"
      echo "  flavour = $unseen"
      objects+=("$out/$flavour/lib_$file.o")
    done
    echo "build $out/$flavour/host.o: host $here/process/host.c"
    echo "  flavour = $unseen"
    echo "build $out/$flavour/stubs.c: stubs ${objects[*]} | $out/$flavour/host.o $here/stubs.sh"
    echo "  host = $out/$flavour/host.o"
    echo "build $out/$flavour/stubs.o: host $out/$flavour/stubs.c"
    echo "build $out/$so: link ${objects[*]} $out/$flavour/host.o $out/$flavour/stubs.o"
    # A library without code that counts has no counters to share.
    echo "  flavour = $counted"
  done
  # ./dev kernel coverage builds the third flavour.
  echo "default $targets"
} | write_if_changed "$out/build.ninja"

contained --rw "$out" --ro "$headers" ${overlay:+--ro "$overlay"} -- \
  ninja -C "$out" -f "$out/build.ninja" -j 2 ${IOMMUCHECK_KERNEL_ONLY:+"$out/$IOMMUCHECK_KERNEL_ONLY"} >"$out/build.log" 2>&1 ||
  { end_of 40 "$out/build.log"; die "$name does not compile, see $out/build.log"; }
say "$name: $out/kernel.so, features: ${probes//$'\n'/ }"
if [[ -n $sandbox ]]; then
  say "$name: its code runs in the process that loads it; ./dev runs what loads it in a sandbox, too"
fi
