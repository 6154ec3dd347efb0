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
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# Debian's releases with kernels from 5.10 on; apt leaves out those that have gone or are yet to come.
# Not experimental, which has release candidates.
releases=(forky trixie bookworm bullseye)

say() { printf '%s\n' "$*" >&2; }
cannot() { say "$wanted cannot be had: $*"; exit 77; }

# --- apt, beside the machine's own ---

# What the machine's apt names: lines of address and suite. Before its first update apt does not
# know who a mirror belongs to; a mirror of Debian then shows by its path.
machine_mirrors() {
  # shellcheck disable=SC2016 # apt fills these in
  apt-get indextargets --format '$(CREATED_BY) $(COMPONENT) $(REPO_URI) $(RELEASE) $(ORIGIN)' |
    awk '$1 == "Packages" && $2 == "main" &&
         ($5 == "Debian" || ($5 ~ /^[$]/ && $3 ~ /\/debian(-security)?\/$/)) { print $3, $4 }'
}

# source_of ADDRESS SUITE...: for a file of apt's.
source_of() {
  printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n' "$1" "${*:2}"
  printf 'Targets: Packages\nArchitectures: %s\nSigned-By: %s\n\n' \
    "$(dpkg --print-architecture)" "$keyring"
}

configure_apt() {
  local mirrors archive security
  mirrors=$(machine_mirrors)
  archive=$(awk '$2 !~ /-security$/ { print $1; exit }' <<<"$mirrors")
  security=$(awk '$2 ~ /-security$/ { print $1; exit }' <<<"$mirrors")
  [[ -n $archive ]] || cannot "the machine's apt names no mirror of Debian"
  mkdir -p "$apt"/{sources,lists/partial,cache/archives/partial}
  {
    source_of "$archive" sid "${releases[@]}" "${releases[@]/%/-backports}"
    [[ -z $security ]] || source_of "$security" "${releases[@]/%/-security}"
  } >"$apt/sources/debian.sources"
  # Read after the machine's own configuration, of which proxies and the like remain. Its hooks
  # would work on the machine's own lists.
  cat >"$apt/apt.conf" <<END_CONF
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$apt/sources";
Dir::State "$apt";
Dir::State::lists "$apt/lists";
Dir::State::status "/dev/null";
Dir::Cache "$apt/cache";
Dir::Cache::archives "$apt/cache/archives";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "srcpkgcache.bin";
Acquire::Languages "none";
END_CONF
  tried="$archive${security:+ and $security}"
}

# our COMMAND ARGS...: a program of apt, over our lists.
our() { "$1" -c "$apt/apt.conf" "${@:2}"; }

# The names of the source packages that there are, oldest first.
served() {
  our apt-cache pkgnames linux-source- 2>>"$log" | grep -Ex 'linux-source-[0-9]+[.][0-9]+' | sort -V
}

update_lists() {
  local names
  configure_apt
  if [[ -z $(find "$apt/updated" -mmin -1440 2>/dev/null) ]]; then
    say "Looking up which kernels Debian has ..."
    # Apt reports a suite that there is not as an error; the others are there all the same.
    our apt-get update >"$log" 2>&1 || true
    names=$(served) || true
    # Without a network it may still have the lists of another day.
    [[ -n $names ]] || {
      grep -E '^[EW]:' "$log" | tail -n 5 >&2 || true
      cannot "no list of packages came from $tried (see $log)"
    }
    grep -q '^Err:.*\(Temporary failure\|Could not\|Cannot initiate\)' "$log" || touch "$apt/updated"
  fi
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

has_apt() {
  type apt-get dpkg-deb >/dev/null 2>&1 ||
    cannot "it is taken from Debian by apt-get and dpkg-deb, and this machine lacks them"
  [[ -f $keyring ]] ||
    cannot "there is no $keyring (package debian-archive-keyring) to check Debian's signature by"
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
