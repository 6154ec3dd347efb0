#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Which packages kernel/dtbs.sh takes the device trees from: here apt-get and apt-cache are ours, so
# that it needs no network. Exit status 77: this is no Debian.
set -euo pipefail
script=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/kernel/dtbs.sh
if ! command -v dpkg-deb >/dev/null || [[ ! -f /usr/share/keyrings/debian-archive-keyring.gpg ]]; then
  echo "SKIPPED: there is no dpkg-deb, or no keyring of Debian; nothing was tested"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
failed=0
fail() { echo "FAILED: $*"; failed=1; }

mkdir bin
cat >bin/apt-get <<'END_APT'
#!/usr/bin/env bash
while [[ $1 == -* ]]; do shift; [[ $1 != *apt.conf ]] || shift; done
echo "$*" >>"$WORK/asked"
case $1 in
  indextargets) echo 'Packages main http://mirror.example/deb/ bookworm Debian' ;;
  update)
    [[ ! -e $WORK/offline ]] || { echo "Err:1 Temporary failure resolving"; exit 100; }
    touch "$WORK/lists" ;;
  download)
    [[ ! -e $WORK/offline ]] || { echo "E: Failed to fetch"; exit 100; }
    name=${3%%:*}
    cp "$WORK/package.deb" "${name}_1_x.deb" ;;
esac
END_APT
# Debian's: 6.1 without riscv64, 6.12 in the image, 7.2 in the base.
cat >bin/apt-cache <<'END_CACHE'
#!/usr/bin/env bash
while [[ $1 == -* ]]; do shift; [[ $1 != *apt.conf ]] || shift; done
[[ -f $WORK/lists ]] || exit 100
flavour=${2#linux-image-}
case $1:$flavour in
  madison:*)
    for version in 7.2.13-1 6.12.117-1 6.1.176-1; do
      [[ $flavour != riscv64:* || $version != 6.1.* ]] || continue
      echo " $2 | $version | http://mirror.example/deb x/main Packages"
    done ;;
  show:*=7.2*) echo "Depends: linux-base-${flavour%%:*} (= 7.2.13-1), linux-image-7.2.13+deb14-${flavour%%:*} (= 7.2.13-1)" ;;
  show:*=6.12*) echo "Depends: linux-image-6.12.117+deb13-${flavour%%:*} (= 6.12.117-1)" ;;
  show:*=6.1.*) echo "Depends: linux-image-6.1.0-50-${flavour%%:*} (= 6.1.176-1)" ;;
esac
END_CACHE
chmod +x bin/*
export WORK=$work PATH=$work/bin:$PATH
mkdir -p deb/DEBIAN deb/usr/lib/linux-image-x/qcom
echo tree >deb/usr/lib/linux-image-x/qcom/a.dtb
echo other >deb/usr/lib/linux-image-x/vmlinuz
printf 'Package: x\nVersion: 1\nArchitecture: all\nMaintainer: nobody\nDescription: none\n' >deb/DEBIAN/control
dpkg-deb --root-owner-group -b deb package.deb >/dev/null

# brings VERSION STATUS OUTPUT PACKAGES: the release that is printed, and what was downloaded.
brings() {
  local out status=0 packages
  : >asked
  out=$("$script" "$1" 2>err) || status=$?
  packages=$(sed -n 's/^download -q //p' asked | tr '\n' ' ')
  [[ $status == "$2" && $out == "$3" && ${packages% } == "$4" ]] ||
    fail "dtbs.sh $1: found $status, '$out', '$packages' and: $(<err)"
}
touch offline
brings 6.12 77 '' ''
grep -q 'no list of packages came from http://mirror.example/deb/' err || fail "found $(<err)"
rm offline
brings 6.1 0 6.1 'linux-image-6.1.0-50-arm64:arm64=6.1.176-1 linux-image-6.1.0-50-armmp:armhf=6.1.176-1'
brings 6.12 0 6.12 'linux-image-6.12.117+deb13-arm64:arm64=6.12.117-1 linux-image-6.12.117+deb13-armmp:armhf=6.12.117-1 linux-image-6.12.117+deb13-riscv64:riscv64=6.12.117-1'
brings newest 0 7.2 'linux-base-7.2.13+deb14-arm64:arm64=7.2.13-1 linux-base-7.2.13+deb14-armmp:armhf=7.2.13-1 linux-base-7.2.13+deb14-riscv64:riscv64=7.2.13-1'
[[ $(find build/survey/7.2 -name '*.dtb' | wc -l) == 3 && -z $(find build/survey -name vmlinuz -o -name '*.deb') ]] ||
  fail "expected the device trees alone, found $(find build/survey -type f)"
brings newest 0 7.2 '' # once
brings 5.10 77 '' ''
grep -q 'no such kernel (any more); it has 6.1.176-1' err || fail "found $(<err)"
exit "$failed"
