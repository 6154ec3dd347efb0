#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes a tarball that runs on any x86-64 distribution, from a build: the installed tree with the
# libraries of the program and their loader, so that nothing but the kernel is the machine's.
#
#   portable.sh BUILD OUT.tar.xz
set -euo pipefail
build=$1
out=$(realpath -- "$2")
work=$(mktemp -d)
# shellcheck disable=SC2064 # the folder of now
trap "rm -rf '$work'" EXIT
name=$(basename "$out" .tar.xz)
top=$work/$name
cmake --install "$build" --prefix "$top" --strip >/dev/null
mkdir -p "$top/lib" "$top/libexec"
mv "$top/bin/iommucheck" "$top/libexec/iommucheck"
# Lines such as "libz3.so.4 => /usr/lib/x86_64-linux-gnu/libz3.so.4 (0x..)", and the loader's alone.
ldd "$top/libexec/iommucheck" | grep -o '/[^ ]*' | xargs cp -L -t "$top/lib"
loader=$(basename "$top"/lib/ld-linux-*)
cat >"$top/bin/iommucheck" <<END
#!/bin/sh
here=\$(dirname "\$(readlink -f "\$0")")/..
exec "\$here/lib/$loader" --library-path "\$here/lib" "\$here/libexec/iommucheck" "\$@"
END
chmod +x "$top/bin/iommucheck"
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner -cJf "$out" "$name"
