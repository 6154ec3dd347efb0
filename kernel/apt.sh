# SPDX-License-Identifier: Apache-2.0
# Apt beside the machine's own, with lists, state and cache in a folder of ours: for kernel/package.sh
# and kernel/dtbs.sh, which source this. They set before
#   apt            the folder, absolute
#   log            where apt's words go
#   wanted         what is to be had, for messages
#   architectures  whose packages are looked up
#   suites, security_suites
# and define `served`, which prints something where the lists are there. Exit status 77: it cannot be
# had. Apt checks the signatures by the machine's keyring of Debian. The mirror and the proxy are those
# that the machine's own apt has.
# shellcheck shell=bash disable=SC2154

keyring=/usr/share/keyrings/debian-archive-keyring.gpg

say() { printf '%s\n' "$*" >&2; }
cannot() { say "$wanted cannot be had: $*"; exit 77; }

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
    "${architectures[*]}" "$keyring"
}

configure_apt() {
  local mirrors archive security
  mirrors=$(machine_mirrors)
  archive=$(awk '$2 !~ /-security$/ { print $1; exit }' <<<"$mirrors")
  security=$(awk '$2 ~ /-security$/ { print $1; exit }' <<<"$mirrors")
  [[ -n $archive ]] || cannot "the machine's apt names no mirror of Debian"
  mkdir -p "$apt"/{sources,lists/partial,cache/archives/partial}
  {
    source_of "$archive" "${suites[@]}"
    [[ -z $security ]] || source_of "$security" "${security_suites[@]}"
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
APT::Architecture "${architectures[0]}";
#clear APT::Architectures;
APT::Architectures { $(printf '"%s"; ' "${architectures[@]}")};
END_CONF
  tried="$archive${security:+ and $security}"
}

# our COMMAND ARGS...: a program of apt, over our lists.
our() { "$1" -c "$apt/apt.conf" "${@:2}"; }

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

has_apt() {
  type apt-get dpkg-deb >/dev/null 2>&1 ||
    cannot "it is taken from Debian by apt-get and dpkg-deb, and this machine lacks them"
  [[ -f $keyring ]] ||
    cannot "there is no $keyring (package debian-archive-keyring) to check Debian's signature by"
}
