#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs an untrusted command in bubblewrap:
#   sandbox.sh [--ro PATH | --rw PATH]... [--chdir PATH] -- COMMAND...
#   sandbox.sh --check       whether this works here; prints the reason if not
# The command has no network, sees no other processes, and gets no environment but IOMMUCHECK_*. It
# can read the programs and libraries of the system and the given paths, and write only the --rw
# paths and its own /tmp. Later paths are mounted over earlier ones.
set -euo pipefail

die() { printf 'kernel/sandbox.sh: %s\n' "$*" >&2; exit 2; }

command -v bwrap >/dev/null || die "there is no bubblewrap (bwrap) here"
options=(--unshare-all --die-with-parent --new-session --cap-drop ALL --clearenv
  --setenv PATH /usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin --setenv HOME /tmp
  --setenv LANG C.UTF-8 --setenv IOMMUCHECK_SANDBOX 1 --tmpfs /tmp --proc /proc --dev /dev)
for path in /usr /bin /sbin /lib /lib32 /lib64 /libx32; do
  if [[ -L $path ]]; then
    options+=(--symlink "$(readlink "$path")" "$path")
  elif [[ -d $path ]]; then
    options+=(--ro-bind "$path" "$path")
  fi
done
for path in /etc/alternatives /etc/ld.so.cache /etc/ld.so.conf /etc/ld.so.conf.d; do
  [[ ! -e $path ]] || options+=(--ro-bind "$path" "$path")
done

if [[ ${1:-} == --check ]]; then
  bwrap "${options[@]}" true || die "bubblewrap cannot make a sandbox here"
  exit 0
fi
while (($#)); do
  case $1 in
    --ro | --rw)
      path=$(realpath -- "${2:?"$1 wants a path"}")
      [[ $1 == --ro ]] && options+=(--ro-bind "$path" "$path") || options+=(--bind "$path" "$path")
      shift 2 ;;
    --chdir) options+=(--chdir "$(realpath -- "${2:?"--chdir wants a path"}")"); shift 2 ;;
    --) shift; break ;;
    *) die "expected --ro, --rw, --chdir or --, found $1" ;;
  esac
done
(($#)) || die "expected a command"
for name in "${!IOMMUCHECK_@}"; do options+=(--setenv "$name" "${!name}"); done
exec bwrap "${options[@]}" -- "$@" </dev/null
