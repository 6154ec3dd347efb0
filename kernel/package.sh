#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Brings the sources of a kernel that Debian serves, and installs nothing:
#   package.sh PACKAGE     unpacks it into build/kernel/src/PACKAGE, writes PACKAGE.version beside it
#   package.sh --newest    prints the name of the newest source package
# Run it in the project's folder. Exit status 77: it cannot be had, and stderr says why.
#
# A package that the machine has installed is taken as it is. Other packages are looked up in all
# of Debian's suites by apt, with lists, state and cache of its own (build/kernel/apt), once a day.
# Apt checks the signatures by the machine's keyring of Debian. The mirror and the proxy are those
# that the machine's own apt has.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
wanted=${1:?"expected a package or --newest"}
apt=$(pwd -P)/build/kernel/apt
sources=build/kernel/src
log=$apt/log

# Debian's releases with kernels from 5.10 on; apt leaves out those that have gone or are yet to come.
# Not experimental, which has release candidates.
releases=(forky trixie bookworm bullseye)
architectures=("$(dpkg --print-architecture 2>/dev/null || true)")
suites=(sid "${releases[@]}" "${releases[@]/%/-backports}")
security_suites=("${releases[@]/%/-security}")
# shellcheck source=kernel/apt.sh
. "$(dirname "${BASH_SOURCE[0]}")/apt.sh"

# The names of the source packages that there are, oldest first.
served() {
  our apt-cache pkgnames linux-source- 2>>"$log" | grep -Ex 'linux-source-[0-9]+[.][0-9]+' | sort -V
}

# --- the package ---

# unpack VERSION TARBALL
unpack() {
  say "Unpacking $wanted $1 ..."
  rm -rf "${sources:?}/$wanted" "$sources/$wanted.version"
  mkdir -p "$sources"
  local parts
  mapfile -t parts < <(grep -v '^#' "$here/parts")
  tar -xJf "$2" -C "$sources" --wildcards --wildcards-match-slash "${parts[@]/#/$wanted/}"
  printf '%s' "$1" >"$sources/$wanted.version"
}

# An older package.sh may have unpacked fewer parts.
is_unpacked() {
  [[ -f $sources/$wanted.version && $(<"$sources/$wanted.version") == "$1" ]] &&
    [[ -f $sources/$wanted/drivers/base/dd.c && -f $sources/$wanted/drivers/acpi/scan.c ]]
}

take_installed() {
  local version
  version=$(dpkg-query -W -f='${db:Status-Abbrev}${Version}' "$wanted" 2>/dev/null) || return 1
  [[ $version == 'ii '* && -f /usr/src/$wanted.tar.xz ]] || return 1
  is_unpacked "${version#ii }" || unpack "${version#ii }" "/usr/src/$wanted.tar.xz"
}

take_served() {
  local version names
  version=$(our apt-cache show --no-all-versions "$wanted" 2>>"$log" |
    sed -n '/^Version: /{s///p;q}') || true
  if [[ -z $version ]]; then
    names=$(served | tr '\n' ' ')
    cannot "Debian has no such package (any more); it has ${names% }"
  fi
  is_unpacked "$version" && return
  say "Fetching $wanted $version ..."
  (cd "$apt/cache/archives" && our apt-get download -q "$wanted=$version" >>"$log" 2>&1) || {
    tail -n 3 "$log" >&2
    cannot "fetching it failed (see $log)"
  }
  # The package is only a wrapping of the tarball, which is not written anywhere else.
  rm -rf "$apt/package"
  dpkg-deb -x "$apt/cache/archives/${wanted}_"*.deb "$apt/package"
  rm -f "$apt/cache/archives/${wanted}_"*.deb
  unpack "$version" "$apt/package/usr/src/$wanted.tar.xz"
  rm -r "$apt/package"
}

mkdir -p "$apt"
exec 9>"$apt/.lock"
flock 9
if [[ $wanted == --newest ]]; then
  has_apt
  update_lists
  served | tail -n 1
  exit
fi
[[ $wanted =~ ^[a-z0-9][a-z0-9.+-]+$ ]] || { say "no name of a package: $wanted"; exit 2; }
take_installed || { has_apt && update_lists && take_served; }
