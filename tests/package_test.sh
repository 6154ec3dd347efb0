#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# How kernel/package.sh brings the sources of a kernel: here apt-get and apt-cache are ours, so that
# it needs no network and gets what Debian has or has not.
# Exit status 77: this is no Debian.
set -euo pipefail
script=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/kernel/package.sh
if ! command -v dpkg-deb >/dev/null || [[ ! -f /usr/share/keyrings/debian-archive-keyring.gpg ]]; then
  echo "SKIPPED: there is no dpkg-deb, or no keyring of Debian; nothing was tested"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
failed=0

# --- Debian and the machine, as files of $work: served (lines of name and version), mirrors,
# installed (name and version), offline ---

mkdir bin
cat >bin/apt-get <<'END_APT'
#!/usr/bin/env bash
while [[ $1 == -* ]]; do shift; [[ $1 != *apt.conf ]] || shift; done
echo "$*" >>"$WORK/asked"
case $1 in
  indextargets) cat "$WORK/mirrors" ;;
  update)
    [[ ! -e $WORK/offline ]] || { echo "Err:1 Temporary failure resolving"; exit 100; }
    cp "$WORK/served" "$WORK/lists" ;;
  download)
    [[ ! -e $WORK/offline ]] || { echo "E: Failed to fetch"; exit 100; }
    cp "$WORK/package.deb" "${3%%=*}_${3#*=}_all.deb" ;;
esac
END_APT
cat >bin/apt-cache <<'END_CACHE'
#!/usr/bin/env bash
while [[ $1 == -* ]]; do shift; [[ $1 != *apt.conf ]] || shift; done
[[ -f $WORK/lists ]] || exit 100
case $1 in
  pkgnames) cut -d' ' -f1 "$WORK/lists" ;;
  show) sed -n "s/^$3 /Version: /p" "$WORK/lists" ;;
esac
END_CACHE
cat >bin/dpkg-query <<'END_QUERY'
#!/usr/bin/env bash
exit 1
END_QUERY
chmod +x bin/*
export WORK=$work PATH=$work/bin:$PATH

# A package as Debian makes them: a tarball of the tree. `drivers/gpu` is nothing that we need.
make_package() {
  local tree=$work/make/$1
  rm -rf "$work/make" "$work/deb"
  mkdir -p "$tree"/{drivers/iommu,drivers/gpu,include} "$work/deb/DEBIAN" "$work/deb/usr/src"
  echo "VERSION = $2" >"$tree/Makefile"
  touch "$tree"/{Kbuild,Kconfig,drivers/iommu/iommu.c,drivers/gpu/gpu.c,include/a.h}
  mkdir -p "$tree"/{scripts,lib,tools/include,tools/testing/selftests,kernel,arch/um,arch/x86,drivers/vfio,drivers/pci,drivers/base,drivers/acpi}
  for folder in scripts lib tools/include kernel arch/um arch/x86 drivers/vfio drivers/pci drivers/base drivers/acpi; do
    touch "$tree/$folder"/{Makefile,file}
  done
  touch "$tree/drivers/base/dd.c" "$tree/drivers/acpi/scan.c" "$tree/tools/testing/selftests/a.h"
  tar -cJf "$work/deb/usr/src/$1.tar.xz" -C "$work/make" "$1"
  printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: nobody\nDescription: none\n' \
    "$1" "$2" >"$work/deb/DEBIAN/control"
  dpkg-deb --root-owner-group -b "$work/deb" "$work/package.deb" >/dev/null
}

# expect STATUS SAYS ARGS...
expect() {
  local out status=0
  : >"$work/asked"
  out=$("$script" "${@:3}" 2>&1) || status=$?
  if ((status != $1)) || ! grep -q -- "$2" <<<"$out"; then
    fail "package.sh ${*:3}: expected exit status $1 and '$2', found $status and: $out"
  fi
}
fail() { echo "FAILED: $*"; failed=1; }
# asked COMMAND: whether apt-get was asked for it in the last `expect`.
asked() { grep -q "^$1" "$work/asked"; }
a_day_later() { touch -d '2 days ago' build/kernel/apt/updated; }

printf '%s\n' 'linux-source-5.10 5.10.2-1' 'linux-source-6.9 6.9.1-1' 'linux-source-6.12 6.12.3-1' \
  'linux-source-6.12-rt 6.12.3-1' 'linux-source-6 6.12' >served
printf '%s\n' \
  'Packages main http://elsewhere.example/apt/ cloud-bookworm Other' \
  'Packages main http://mirror.example/deb/ bookworm Debian' \
  'Packages main http://mirror.example/sec/ bookworm-security Debian' >mirrors
make_package linux-source-6.9 6.9.1-1

# 1. No network, and never was: which mirrors were tried.
touch offline
expect 77 'no list of packages came from http://mirror.example/deb/ and http://mirror.example/sec/' \
  linux-source-6.9
expect 77 'cannot be had' --newest
rm offline

# 2. The newest by number; other packages whose names begin alike are none.
expect 0 '^linux-source-6.12$' --newest
asked update || fail "expected the first call to update the lists"
expect 0 '^linux-source-6.12$' --newest
asked update && fail "expected one update of the lists a day"

# 3. One that Debian does not have, and one whose name is none.
expect 77 'it has linux-source-5.10 linux-source-6.9 linux-source-6.12$' linux-source-6.0
expect 2 'no name of a package' '../evil'

# 4. One that it has: unpacked, the parts that are needed, once.
tree=build/kernel/src/linux-source-6.9
expect 0 'Unpacking linux-source-6.9 6.9.1-1' linux-source-6.9
[[ $(<"$tree.version") == 6.9.1-1 && -f $tree/drivers/iommu/iommu.c && ! -e $tree/drivers/gpu ]] ||
  fail "expected the parts of the tree that are needed, found $(find "$tree" -type f)"
[[ -z $(find build/kernel -name '*.deb' -o -name '*.tar.xz') ]] ||
  fail "expected no package and no tarball to be left"
expect 0 '' linux-source-6.9
asked download && fail "expected what was unpacked to be used again"

# 5. Another day, a newer version; then no network, and the tree of before.
sed -i 's/6[.]9[.]1/6.9.2/' served
make_package linux-source-6.9 6.9.2-1
a_day_later
expect 0 'Unpacking linux-source-6.9 6.9.2-1' linux-source-6.9
a_day_later
touch offline
expect 0 '' linux-source-6.9
[[ $(<"$tree.version") == 6.9.2-1 ]] || fail "expected the tree of before to stay"
expect 77 'fetching it failed' linux-source-6.12
rm offline

# 6. A machine whose apt names no mirror of Debian. Before its first update apt cannot say whose a
# mirror is.
sources=build/kernel/apt/sources/debian.sources
echo 'Packages main http://elsewhere.example/apt/ cloud-bookworm Other' >mirrors
a_day_later
expect 77 'names no mirror of Debian' --newest
# shellcheck disable=SC2016
echo 'Packages main http://mirror.example/debian/ trixie $(ORIGIN)' >mirrors
expect 0 '' --newest
grep -q '^URIs: http://mirror.example/debian/$' $sources ||
  fail "expected the machine's mirror, found $(grep URIs $sources)"
exit "$failed"
