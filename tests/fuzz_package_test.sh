#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# fuzz_package_test.sh [ABSEIL]: builds for a fleet what fuzz/build.sh builds there, in a clean
# folder, with the variables of ClusterFuzzLite's base-builder and without a network; then it looks
# at the result as the fleet does. ABSEIL, or IOMMUCHECK_ABSEIL_SOURCE: Abseil's sources. Takes some
# ten minutes of CPU time. IOMMUCHECK_FUZZ_PACKAGE=folder keeps what is built, for the next time.
#
# Exit status 77: no sources of Abseil, no clang-19 or no libc++.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
abseil=${1:-${IOMMUCHECK_ABSEIL_SOURCE:-}}
skip() { echo "SKIPPED: $*"; exit 77; }
[[ -n $abseil ]] || skip "IOMMUCHECK_ABSEIL_SOURCE names no sources of Abseil"
[[ -f $abseil/CMakeLists.txt ]] || skip "there is no $abseil/CMakeLists.txt"
command -v clang++-19 >/dev/null || skip "there is no clang++-19"
runtime=$(clang++-19 -print-resource-dir)/lib/linux/libclang_rt.fuzzer-x86_64.a
[[ -f $runtime ]] || skip "there is no $runtime"

work=${IOMMUCHECK_FUZZ_PACKAGE:-}
if [[ -z $work ]]; then
  work=$(mktemp -d)
  trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
fi
failed=''
fail() { echo "FAILED: $*"; failed=yes; }
say() { echo "== $*"; }

# The variables of base-builder (infra/base-images/base-builder, sanitizer address).
export SRC=$work/src WORK=$work/work OUT=$work/out
export CC=clang-19 CXX=clang++-19 FUZZING_ENGINE=libfuzzer SANITIZER=address ARCHITECTURE=x86_64
export CFLAGS="-O1 -fno-omit-frame-pointer -gline-tables-only -Wno-error=enum-constexpr-conversion \
-DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION -fsanitize=address -fsanitize-address-use-after-scope \
-fsanitize=fuzzer-no-link"
export CXXFLAGS="$CFLAGS -stdlib=libc++"
mkdir -p "$SRC" "$WORK"
[[ ! -d $OUT ]] || chmod -R u+w "$OUT"
rm -rf "$OUT" "$SRC/iommucheck"
mkdir -p "$OUT" "$SRC/iommucheck"
echo 'int main() { throw 1; }' >"$WORK/libc++.cc"
$CXX -stdlib=libc++ "$WORK/libc++.cc" -o "$WORK/libc++" 2>/dev/null || skip "there is no libc++ (libc++-19-dev, libc++abi-19-dev)"

# base-builder's engine needs no C++ library of the program. Debian's does, and another one than
# these programs have; so it gets its own inside, hidden from the program.
ld -r -o "$WORK/engine-all.o" --whole-archive "$runtime" --no-whole-archive "$(g++ -print-file-name=libstdc++.a)"
objcopy -w --remove-section=.group --keep-global-symbol=main --keep-global-symbol='LLVMFuzzer*' \
  --keep-global-symbol='__sanitizer*' "$WORK/engine-all.o" "$WORK/engine.o"
export LIB_FUZZING_ENGINE=$WORK/engine.o

ln -sfn "$(realpath "$abseil")" "$SRC/abseil-cpp"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$SRC/iommucheck" 2>/dev/null || true
without_network=()
if unshare -n true 2>/dev/null; then without_network=(unshare -n); else echo "the build may see the network: it cannot be taken away here"; fi
say "build"
(cd "$SRC/iommucheck" && "${without_network[@]}" .clusterfuzzlite/build.sh) >"$work/log" 2>&1 || { tail -n 40 "$work/log"; exit 1; }
chmod -R a-w "$OUT"

targets=()
for file in "$OUT"/*; do
  name=$(basename "$file")
  case $name in
    *_seed_corpus.zip | *.options | *.dict) continue ;;
  esac
  [[ $name =~ ^[A-Za-z0-9_-]+$ ]] || fail "a target's name: $name"
  [[ $(head -c 4 "$file") == $'\x7fELF' ]] || fail "$name is no program"
  targets+=("$name")
done
[[ "${targets[*]}" == "attach case_parser diff_profiles mutants" ]] || fail "targets: ${targets[*]}"

elsewhere=$(mktemp -d)
cd "$elsewhere"
for name in "${targets[@]}"; do
  say "$name"
  while read -r library _; do
    case $library in
      linux-vdso.so.* | libc.so.* | libm.so.* | libgcc_s.so.* | libresolv.so.* | libdl.so.* | librt.so.* | libpthread.so.* | /lib64/ld-linux-*) ;;
      *) fail "$name needs $library" ;;
    esac
  done < <(ldd "$OUT/$name")
  grep -q '^max_len = ' "$OUT/$name.options" || fail "$name has no options"
  seeds=$elsewhere/$name
  mkdir "$seeds"
  unzip -q -d "$seeds" "$OUT/${name}_seed_corpus.zip" || fail "$name has no seeds"
  env -i "$OUT/$name" -runs=4 "$seeds" >log 2>&1 || fail "$name -runs=4: $(tail -n 3 log)"
  edges=$(sed -n 's/^#[0-9]*.INITED cov: \([0-9]*\) .*/\1/p' log)
  ((${edges:-0} >= 100)) || fail "$name: ${edges:-no} edges from its seeds"
  echo "edges ${edges:-0}, seeds $(find "$seeds" -type f | wc -l)"
done
dictionary=$(sed -n 's/^dict = //p' "$OUT/case_parser.options")
env -i "$OUT/case_parser" -dict="$OUT/$dictionary" -runs=1 >log 2>&1 || fail "the dictionary: $(tail -n 3 log)"
grep -q '^Dictionary: [0-9]* entries' log || fail "the dictionary is not read"

say "two findings"
states=()
for dropped in v6.0:type1.same_ops v6.8:core.owner_first,type1.same_ops; do
  status=0
  IOMMUCHECK_KERNEL=${dropped%%:*} IOMMUCHECK_DROP=${dropped#*:} "$OUT/attach" -runs=200000 -max_len=481 \
    -artifact_prefix="$elsewhere/" "$elsewhere/attach" >log 2>&1 || status=$?
  ((status == 77)) || fail "$dropped: no crash, exit status $status"
  state=$(sed -n "s/^attach: [^ ]*: Assertion \`\(.*\)' failed\.\$/\1/p" log | head -n 1)
  echo "${state:-none}"
  states+=("$state")
done
[[ -n ${states[0]} && -n ${states[1]} && ${states[0]} != "${states[1]}" ]] || fail "the states are alike: ${states[*]}"

cd /
rm -rf "$elsewhere"
[[ -z $failed ]]
