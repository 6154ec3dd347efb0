# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Virtual machines that boot a kernel of Debian's, for record.sh and programs.sh. A folder `tree` has
# what packages unpack to, and the machine's initrd in tree/initrd. The caller's `unknown MESSAGE` ends
# with exit status 3.

depends() { apt-cache depends "$1" | sed -n 's/^ *Depends: //p'; }

# fetch_packages TREE PACKAGE..: downloads them to TREE/debs, and unpacks them under TREE alone.
fetch_packages() {
  local tree=$1 deb
  shift
  rm -rf "$tree"
  mkdir -p "$tree/debs"
  (cd "$tree/debs" && apt-get download -qq "$@") >"$tree/download.log" 2>&1 || {
    cat "$tree/download.log" >&2
    unknown "apt-get could not download $*"
  }
  for deb in "$tree"/debs/*.deb; do dpkg -x "$deb" "$tree"; done
}

# begin_initrd TREE
begin_initrd() {
  rm -rf "$1/initrd"
  mkdir -p "$1/initrd/modules"
  : >"$1/initrd/modules/list"
}

# add_module TREE NAME [OPTIONS]: adds a module of the tree, or of ours in TREE/module, to those that the
# machine loads, after the modules it needs.
add_module() {
  local tree=$1 name=${2//[-_]/[-_]} options=${3:-} file needed
  ! grep -q "^$name\.ko" "$tree/initrd/modules/list" || return 0
  file=$(find "$tree" \( -path "$tree/lib/modules/*" -o -path "$tree/module/*" \) \
    \( -name "$name.ko" -o -name "$name.ko.xz" \) | head -n 1)
  [[ -n $file ]] || return 0 # built in
  for needed in $(modinfo -F depends "$file" | tr , ' '); do add_module "$tree" "$needed"; done
  name=$(basename "$file" .xz)
  case $file in
    *.xz) xz -dc "$file" >"$tree/initrd/modules/$name" ;;
    *) cp "$file" "$tree/initrd/modules/$name" ;;
  esac
  echo "$name${options:+ $options}" >>"$tree/initrd/modules/list"
}

# run_machine TREE SECONDS OUT PARAMETERS QEMU-ARGUMENT..: boots the tree with its initrd and the kernel's
# PARAMETERS. OUT gets what the machine writes to /dev/ttyS1. Its last line has to show whether the
# machine finished: QEMU's exit status is good after a panic, too.
run_machine() {
  local tree=$1 seconds=$2 out=$3 parameters=$4
  shift 4
  rm -f "$out"
  (cd "$tree/initrd" && find . | cpio -o -H newc --quiet | gzip -1) >"$tree/initrd.gz"
  timeout "$seconds" qemu-system-x86_64 -accel tcg -cpu qemu64 -m 512 -nodefaults -nic none \
    -display none -no-reboot "$@" -kernel "$tree"/boot/vmlinuz-* -initrd "$tree/initrd.gz" \
    -append "console=ttyS0 loglevel=4 panic=-1 $parameters" \
    -serial "file:$tree/console" -serial "file:$out" </dev/null || true
  touch "$out"
}
