#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# engine_options.sh TARGET [FOLDER]: prints libFuzzer's options for the target, one a line, from
# its .options file, which is in the form of the fleets. FOLDER has the dictionaries.
set -euo pipefail
name=${1/kernel_attach/attach}
file=$(dirname "${BASH_SOURCE[0]}")/$name.options
if [[ -f $file ]]; then
  sed -n -e "s:^dict = :-dict=${2:-build/fuzz/bin}/:p" -e '/^dict/!s/^\([a-z_]*\) = /-\1=/p' "$file"
else
  echo -max_len=65536
fi
