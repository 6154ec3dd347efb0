#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The README on a bare Debian: a chroot of the base system alone, in which the two commands are run
# from a clone. It says how long the first verdict took, and how much was installed. It needs root
# and a Debian mirror, takes some ten minutes and 2 GB, and is therefore skipped unless
# IOMMUCHECK_BARE is set:
#
#   IOMMUCHECK_BARE=1 ./dev test -L bare
#
#   bare_test.sh SOURCE
set -euo pipefail
skip() { echo "SKIPPED: $*"; exit 77; }
fail() { echo "FAILED: $*"; exit 1; }
[[ -n ${IOMMUCHECK_BARE:-} ]] || skip "IOMMUCHECK_BARE is not set"
[[ $(id -u) == 0 ]] || skip "only root can make a chroot"
command -v debootstrap >/dev/null || skip "there is no debootstrap"
# The mirror of this machine, and its configuration of apt.
# shellcheck disable=SC2016 # a format of apt
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' | head -n 1)
[[ -n $mirror ]] || skip "apt knows no mirror of bookworm"

root=$(mktemp -d)
trap 'umount "$root/proc" 2>/dev/null; rm -rf --one-file-system "$root"' EXIT
debootstrap --variant=minbase bookworm "$root" "$mirror" >"$root.log" 2>&1 ||
  { tail "$root.log"; skip "debootstrap failed"; }
rm -f "$root.log"
cp -r /etc/apt/. "$root/etc/apt"
cp -L /etc/resolv.conf /etc/hosts "$root/etc"
mount -t proc proc "$root/proc"
git clone -q "$1" "$root/iommucheck"
inside() { chroot "$root" env -i HOME=/root PATH="$PATH" LC_ALL=C.UTF-8 "$@"; }
# shellcheck disable=SC2016 # a format of dpkg
packages() { inside dpkg-query -f '${Package}\n' -W | sort; }
# seconds COMMAND...: sets `wall` and `processor` (of this machine's processors together), in seconds.
seconds() {
  local before after start=$SECONDS
  before=$(times | awk 'NR == 2 { print }')
  "$@"
  after=$(times | awk 'NR == 2 { print }')
  wall=$((SECONDS - start))
  processor=$(printf '%s\n%s\n' "$before" "$after" | tr 'ms' '  ' |
    awk '{ t[NR] = $1 * 60 + $2 + $3 * 60 + $4 } END { print int(t[2] - t[1]) }')
}

packages >"$root/before"
question=(query no-cross-driver-reuse --kernel "v6.0,-type1.same_ops")
first() { inside /iommucheck/dev run "${question[@]}" >"$root/answer" 2>"$root/said" || [[ $? == 1 ]]; }
seconds first || { cat "$root/said"; fail "./dev run"; }
[[ $(tail -n 1 "$root/answer") == "Verdict no-cross-driver-reuse v6.0,-type1.same_ops violated "* ]] ||
  { cat "$root/said" "$root/answer"; fail "the first verdict"; }
packages >"$root/after"
installed=$(comm -13 "$root/before" "$root/after" | wc -l)
echo "first verdict: $wall s ($processor s of processors), $installed packages installed"
((installed <= 100)) || fail "./dev run installs more than a build needs"
! comm -13 "$root/before" "$root/after" | grep -E 'qt|poco|mariadb|clang|qemu' ||
  fail "./dev run installs what a build does not need"
# The tour violates a property on purpose, and then says that all is as expected.
inside /iommucheck/dev run >"$root/tour" 2>&1 || { cat "$root/tour"; fail "the tour"; }
inside /iommucheck/dev test -LE 'kernel|forever' -R '^unit[.](case|cli|rows)_test$' >"$root/tests" 2>&1 ||
  { tail -n 60 "$root/tests"; fail "./dev test"; }
grep -E '^100% tests passed' "$root/tests"
[[ -z $(git -C "$root/iommucheck" status --porcelain) ]] || fail "the checkout is not clean after a build"
