#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds the fuzz targets for a fleet: ClusterFuzzLite, OSS-Fuzz, or one's own. It takes what their
# base-builder sets, and needs no network:
#
#   CC CXX CFLAGS CXXFLAGS   the compiler with its sanitizer, its C++ library being libc++ or not
#   LIB_FUZZING_ENGINE       what links an engine: -fsanitize=fuzzer, or a library
#   FUZZING_ENGINE           its name (default libfuzzer)
#   SRC                      its folder abseil-cpp has Abseil's sources
#   WORK OUT                 for files in between, and for what the fleet takes
#
# In OUT then are, for each target, the binary, NAME.options, NAME_seed_corpus.zip, and where the
# target reads text NAME.dict. The binaries need nothing but libc.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${CXX:?}" "${LIB_FUZZING_ENGINE:?}" "${SRC:?}" "${WORK:?}" "${OUT:?}"
absl=$SRC/abseil-cpp
[[ -f $absl/CMakeLists.txt ]] || { echo "fuzz/build.sh: expected Abseil's sources in $absl" >&2; exit 2; }
build=$WORK/iommucheck
mkdir -p "$WORK" "$OUT"

# The C++ library goes into the binaries. Some have the part below it (libc++abi) in one archive
# with the rest, others apart.
static=-static-libstdc++
read -ra flags <<<"${CXXFLAGS:-}"
echo 'int main() { throw 1; }' >"$WORK/probe.cc"
"$CXX" "${flags[@]}" $static "$WORK/probe.cc" -o "$WORK/probe" 2>/dev/null || static+=' -l:libc++abi.a'

# Other engines have their own way to look for coverage.
own=OFF
[[ ${FUZZING_ENGINE:-libfuzzer} != libfuzzer ]] || own=ON
# The optimisation comes after that of CXXFLAGS, which is -O1.
cmake -G Ninja -S . -B "$build" -DIOMMUCHECK_FLEET=ON -DIOMMUCHECK_ABSL="$absl" \
  -DIOMMUCHECK_FUZZ=$own -DIOMMUCHECK_WERROR=OFF -DBUILD_TESTING=OFF \
  -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE=-O2 -DCMAKE_CXX_STANDARD_LIBRARIES="$static"
cmake --build "$build"
cmake --install "$build" --component fleet --prefix "$OUT"

seeds=$build/seeds
rm -rf "$seeds"
mkdir -p "$seeds"
"$build/bin/make_seeds" "$seeds" corpus/{litmus,bugs}/*.case fuzz/seeds/*.case >/dev/null
for target in attach diff_profiles mutants; do
  rm -f "$OUT/${target}_seed_corpus.zip"
  find "$seeds" -type f -print | sort | zip -q -j "$OUT/${target}_seed_corpus.zip" -@
done
rm -f "$OUT/case_parser_seed_corpus.zip"
zip -q -j "$OUT/case_parser_seed_corpus.zip" corpus/{litmus,bugs}/*.case fuzz/seeds/*.case
