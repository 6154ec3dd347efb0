#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Kernel trees that try to do more than to be built. None of their code runs outside of the sandbox,
# and no path is taken for a command.
# Exit status 77: bubblewrap cannot make a sandbox here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if ! kernel/sandbox.sh --check; then
  echo "SKIPPED: no sandbox can be made here; nothing was tested"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
fail() { echo "FAILED: $*"; sed 's/^/  | /' "$work/log"; failed=1; }

# A tree that has the files that are asked for, and the Makefile that comes by stdin.
tree() {
  local file
  mkdir -p "$1"/{include/linux,drivers/iommu,drivers/vfio,lib}
  for file in include/linux/iommu.h drivers/iommu/{iommu,of_iommu}.c drivers/vfio/{vfio_iommu_type1,container}.c \
    lib/{rbtree,xarray,radix-tree,idr,kobject,refcount,bitmap,find_bit,hweight}.c; do
    echo >"$1/$file"
  done
  cat >"$1/Makefile"
}
# build STATUS SAYS TREE OUT ARGS...: every one of these fails.
build() {
  local status=0
  kernel/build.sh "$3" evil "$4" "${@:5}" >"$work/log" 2>&1 || status=$?
  ((status == $1)) || fail "expected exit status $1 of $3, found $status"
  grep -q -- "$2" "$work/log" || fail "expected '$2' of $3"
}
untouched() { [[ ! -e $work/$1 ]] || fail "$1 was written: $2"; }
makefile() { # of which lib/rbtree.o prints $1, and the others run $2
  printf 'allnoconfig prepare:\n\t@%s\nlib/rbtree.o:\n\t@printf "%%s\\\\n" %s\n' "$2" "'$1'"
}

# 1. A command among the options of the compiler.
makefile "clang-19 -I;touch	$work/PWNED; -c -o lib/rbtree.o" "touch $work/DIRECT || true" |
  tree "$work/flags"
for how in --sandbox ''; do
  rm -f "$work/DIRECT"
  build 2 'expected a path of letters\|outside of the tree' "$work/flags" "$work/out1" "$how"
  untouched PWNED "options of the makefile became a command (${how:-no sandbox})"
  [[ -z $how ]] || untouched DIRECT "a makefile wrote outside of the sandbox"
done

# 2. Options that load code, or read what is not the tree's.
makefile "clang-19 -fplugin=$work/evil.so -Xclang -load -B$work -DX=\`id\` -std=gnu11\$(id) -m64 -c -o lib/rbtree.o" true |
  tree "$work/plugin"
build 2 'does not compile' "$work/plugin" "$work/out2" --sandbox
# shellcheck disable=SC2016
if grep -q 'fplugin\|Xclang\|`id`\|[$](id)' "$work/out2/build.ninja"; then
  cp "$work/out2/build.ninja" "$work/log"
  fail "an option that is not known reached the compiler"
fi
makefile "clang-19 -I/etc -c -o lib/rbtree.o" true | tree "$work/etc"
build 2 'outside of the tree' "$work/etc" "$work/out3" --sandbox
makefile "clang-19 -I$work/up/../../etc -c -o lib/rbtree.o" true | tree "$work/up"
build 2 'outside of the tree' "$work/up" "$work/out4" --sandbox

# 3. The files that a makefile sees and can write.
echo secret >"$work/secret"
makefile "clang-19 -c -o lib/rbtree.o" \
  "cat $work/secret; ls /home /root /etc/passwd; touch $work/out5/build.ninja; ln -s $work/victim $work/out5/headers/iommucheck.config; echo \$\$HOME; false" |
  tree "$work/looks"
HOME=/nobody/is/here build 2 'makefiles failed' "$work/looks" "$work/out5" --sandbox
if grep -q 'secret$\|/nobody/is/here' <(grep -v 'cannot\|No such' "$work/out5/headers.log"); then
  cp "$work/out5/headers.log" "$work/log"
  fail "a makefile read what is not the tree's"
fi
untouched out5/build.ninja "by a makefile, for ninja to run"
HOME=/nobody/is/here build 2 'makefiles failed' "$work/looks" "$work/out5" --sandbox
untouched victim "through a link that the makefile left behind"

# 4. Escape sequences of a makefile are not sent to the terminal.
makefile x "printf '\\\\033[31mred\\\\n'; false" | tree "$work/red"
build 2 'makefiles failed' "$work/red" "$work/out6" --sandbox
if LC_ALL=C grep -q $'\033' "$work/log"; then fail "an escape sequence came through"; fi

# 5. Paths: refused, and never run.
# shellcheck disable=SC2016
odd=('t;touch PW4;#' 'with blank' "quo'te" 'dou"ble' 'dol$HOME' 'back`touch PW4`' $'new\nline' 'a:b'
  'a,b' '$(touch PW4)' 'a&b' 'a|b' 'a>b' '*' '-rf')
for name in "${odd[@]}"; do
  mkdir "$work/odd"
  makefile x true | tree "$work/odd/$name"
  case $name in
    -rf) build 2 'lib/rbtree\|how the tree compiles' "$work/odd/$name" "$work/odd/out" --sandbox ;;
    *) build 2 'expected a path of letters' "$work/odd/$name" "$work/odd/out" --sandbox ;;
  esac
  (cd "$work/odd" && [[ -z $(find . .. -name PW4 -print -quit) ]]) || fail "the path $name was run"
  rm -rf "$work/odd"
done
[[ ! -e PW4 ]] || { fail "a path was run here"; rm -f PW4; }

# 6. A command in the sandbox gets its arguments whole, no network, and nothing to write to.
kernel/sandbox.sh --ro "$work/secret" -- cat "$work/secret" >"$work/log" || fail "--ro shows nothing"
mkdir "$work/mine"
kernel/sandbox.sh --rw "$work/mine" -- touch "$work/mine/a b" || fail "--rw writes nothing"
[[ -e "$work/mine/a b" ]] || fail "--rw writes elsewhere"
if kernel/sandbox.sh --ro "$work/mine" -- touch "$work/mine/c" 2>"$work/log"; then fail "--ro writes"; fi
if kernel/sandbox.sh -- bash -c 'exec 3<>/dev/tcp/127.0.0.1/1 || grep -v lo: /proc/net/dev | grep :' \
  >"$work/log" 2>&1; then
  fail "there is a network"
fi
exit "$failed"
