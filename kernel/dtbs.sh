#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Brings the device trees that Debian compiles, and installs nothing:
#   dtbs.sh VERSION     of the newest kernel VERSION.*, such as 6.12, or of the newest one: newest
# into build/survey/RELEASE/ARCHITECTURE, and prints that folder's RELEASE. Run it in the project's
# folder. Exit status 77: they cannot be had, and stderr says why.
#
# Up to and including 7.1 they are in the packages linux-image-*, and from 7.2 on in linux-base-*.
set -euo pipefail

wanted=${1:?"expected a version, or newest"}
apt=$(pwd -P)/build/survey/apt
log=$apt/log
architectures=(arm64 armhf riscv64)
declare -A flavours=([arm64]=arm64 [armhf]=armmp [riscv64]=riscv64)
suites=(sid trixie bookworm)
security_suites=(trixie-security bookworm-security)
# shellcheck source=kernel/apt.sh
. "$(dirname "${BASH_SOURCE[0]}")/apt.sh"

# versions_of ARCHITECTURE: those of the package that names the newest kernel, oldest first.
versions_of() {
  our apt-cache madison "linux-image-${flavours[$1]}:$1" 2>>"$log" | awk -F' *[|] *' '{ print $2 }' |
    sort -Vu
}
served() { versions_of arm64; }

# package_of ARCHITECTURE VERSION: "linux-base-7.2.13+deb14-arm64 7.2.13-1", from what the package of
# this version depends on.
package_of() {
  our apt-cache show "linux-image-${flavours[$1]}:$1=$2" 2>>"$log" | awk '
    /^Depends: / {
      base = /(: |, )linux-base-/
      for (n = 2; n <= NF; ++n)
        if ($n ~ /^linux-image-[0-9]/) {
          name = $n
          gsub(/,/, "", name)
          version = $(n + 1) == "(=" ? $(n + 2) : ""
          gsub(/[),]/, "", version)
          if (base) sub(/^linux-image-/, "linux-base-", name)
          print name, version
          exit
        }
    }'
}

# bring ARCHITECTURE VERSION FOLDER
bring() {
  local name version package
  read -r name version < <(package_of "$1" "$2") || true
  [[ -n ${name:-} ]] || cannot "no package of linux-image-${flavours[$1]} $2 is known"
  version=${version:-$2}
  [[ ! -f $3/$1/.whole || $(<"$3/$1/.whole") != "$name $version" ]] || return 0
  say "Fetching $name $version for $1 ..."
  (cd "$apt/cache/archives" && our apt-get download -q "$name:$1=$version" >>"$log" 2>&1) || {
    tail -n 3 "$log" >&2
    cannot "fetching it failed (see $log)"
  }
  package=("$apt/cache/archives/${name}_"*.deb)
  rm -rf "${3:?}/$1"
  mkdir -p "$3/$1"
  dpkg-deb --fsys-tarfile "${package[0]}" | tar -x -C "$3/$1" --wildcards '*.dtb'
  rm -f "${package[@]}"
  printf '%s %s' "$name" "$version" >"$3/$1/.whole"
}

has_apt
mkdir -p "$apt"
exec 9>"$apt/.lock"
flock 9
update_lists
pattern=.
[[ $wanted == newest ]] || pattern="^${wanted//./[.]}[.]"
release=''
for architecture in "${architectures[@]}"; do
  version=$(versions_of "$architecture" | grep "$pattern" | tail -n 1) || true
  # Debian has no riscv64 before trixie.
  [[ -n $version ]] || continue
  [[ -n $release ]] || release=$(cut -d. -f1,2 <<<"$version")
  bring "$architecture" "$version" "build/survey/$release"
done
[[ -n $release ]] || cannot "Debian has no such kernel (any more); it has $(served | tr '\n' ' ')"
printf '%s\n' "$release"
