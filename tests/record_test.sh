#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A recording that fails leaves the traces of the last one as they were, and says so. Stand-ins play
# all programs that kernel/qemu/record.sh runs.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{kernel/qemu,kernel/fake,bin,build/release/bin,corpus/traces,traces}
cp "$(dirname "${BASH_SOURCE[0]}")"/../kernel/qemu/{record,machine}.sh "$work/kernel/qemu"
touch "$work"/kernel/{harness.h,fake/fake.h,qemu/{Kbuild,module.c,module.h,devices.c}}
cat >"$work/bin/stand-in" <<'STANDIN'
#!/usr/bin/env bash
case ${0##*/} in
  recording)
    case $1 in
      profile) echo "v${2%%-*}" ;;
      script) printf 'case x\nend\n' ;;
      *) echo new ;;
    esac ;;
  apt-get) touch a.deb; [[ $* != *"${BROKEN:-none}"* ]] ;;
  dpkg-deb) echo 1 ;;
  make) ;;
  gcc) [[ $* =~ -o\ ([^ ]*) ]] && touch "${BASH_REMATCH[1]}" ;;
  cpio) cat ;;
  qemu-system-x86_64) part=${!#}; printf 'case x\nend\ndone\n' >"${part#file:}" ;;
esac
STANDIN
chmod +x "$work/bin/stand-in"
for name in apt-get apt-cache dpkg-deb make gcc cpio qemu-system-x86_64; do
  ln -s stand-in "$work/bin/$name"
done
# Unpacks the folders that the script looks into.
cat >"$work/bin/dpkg" <<'DPKG'
#!/usr/bin/env bash
mkdir -p "$3"/{boot,lib/modules,usr/src/linux-headers-{6.1,6.12}-1}
touch "$3"/usr/src/linux-headers-{6.1,6.12}-1/Makefile
DPKG
chmod +x "$work/bin/dpkg"
ln -s "$work/bin/stand-in" "$work/build/release/bin/recording"

# record STATUS ARGS...: runs it, with the traces of an earlier recording.
record() {
  local status=0
  rm -rf "$work/traces"
  mkdir "$work/traces"
  echo old | tee "$work"/traces/{random.cases,v6.1.trace,v6.12.trace} >/dev/null
  PATH=$work/bin:$PATH "$work/kernel/qemu/record.sh" --package linux-image-6.1-1 \
    --package linux-image-6.12-1 --out "$work/traces" "${@:2}" >"$work/said" 2>&1 || status=$?
  ((status == $1)) || fail "expected exit status $1, found $status"
}
fail() { echo "FAILED: $*"; cat "$work/said"; exit 1; }
all_are() { [[ $(cat "$work"/traces/* | sort -u) == "$1" ]] || fail "not all traces are $1"; }

record 0 --seed 7
all_are new
BROKEN=linux-image-6.12 record 3 --seed 7
all_are old
grep -q "traces is as it was" "$work/said" || fail "expected that nothing has changed"
