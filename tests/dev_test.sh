#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The arguments that ./dev refuses before it builds anything, each with its exit status.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
failed=0
# expect STATUS SAYS ARGS...
expect() {
  local out status=0
  out=$(./dev "${@:3}" 2>&1) || status=$?
  if ((status != $1)) || ! grep -q -- "$2" <<<"$out"; then
    echo "FAILED: ./dev ${*:3}: expected exit status $1 and '$2', found $status and:"
    printf '%s\n' "$out"
    failed=1
  fi
}
for target in attach case_parser snapshot; do
  for number in 1h abc -5 0 '' 1.5 0x10 99999999999999999999; do
    expect 2 '--seconds: expected a number' fuzz "$target" --seconds "$number"
  done
done
expect 2 '--seconds wants a number' fuzz --seconds
expect 2 '--seconds: expected a number' fuzz kernel_ioctl --seconds 1h
expect 2 "there is no rule 'type1.same_opz'" fuzz --drop type1.same_opz
expect 2 'there is no rule' fuzz --drop iommu_group_claim_dma_owner
expect 2 'there is no rule' fuzz kernel_attach --drop 'type1?same_ops'
expect 2 'there is no rule' conform-fuzz --drop nope
expect 2 'it has no model' fuzz snapshot --drop type1.same_ops
expect 2 'unknown option --nope' fuzz --nope
expect 2 'found nope' fuzz nope
expect 2 'found nope' fuzz --forever --target nope
expect 2 'found --nope' fuzz --forever --nope
expect 2 '--jobs: expected a number' fuzz --forever --jobs 0
expect 2 '--dir wants a folder' fuzz --forever --dir
expect 2 '--dir: expected a path of' fuzz --forever --dir '/tmp/two words'
expect 2 'there is no rule' fuzz --forever --drop nope
expect 2 'there is no /no/such/folder' fuzz status --dir /no/such/folder
expect 2 'expected --dir, found all' fuzz status all
expect 2 '--cases: expected a number' conform-fuzz --cases 1e6
expect 2 '--seed: expected a number' conform-fuzz --seed -1
expect 77 'SKIPPED: there is no ' fuzz kernel_attach --package no-such-package
expect 77 'SKIPPED: there is no ' fuzz kernel_ioctl --package no-such-package
expect 77 'SKIPPED: there is no ' conform-fuzz --package no-such-package
expect 2 'is no kernel tree' kernel --tree /
expect 2 'no name of a package' kernel --package ../evil
expect 2 'found --oldest' kernel --newest --oldest
expect 2 '--package wants a name' kernel --package
expect 2 'there is no ' fuzz kernel_attach --tree /no/such/tree
expect 2 'expected a number' bench kernel ten
expect 2 '--count: expected a number' kernel record --count many
expect 2 'kernel mutate: expected' kernel mutate --nope
expect 2 '--rounds: expected a number' kernel mutate --rounds many
expect 77 'SKIPPED: there is no ' kernel mutate --package no-such-package
expect 2 'expected a patch' review
expect 2 'there is no option --nope' review --nope
expect 2 '--cases: expected a number' review --cases many x.patch
expect 5 'expected a file with a patch' review /no/such.patch
expect 2 '--git wants the clone' review --git v1..v2
expect 2 'is no clone' review --tree / --git v1
clone=$(mktemp -d)
trap 'rm -rf "$clone"' EXIT
git -C "$clone" -c init.defaultBranch=main init -q
git -C "$clone" -c user.name=A -c user.email=a@example.org commit -q --allow-empty -m base
expect 2 'has no revision v1' review --tree "$clone" --git v1..v2
expect 2 'has no revision -x' review --tree "$clone" --git -x..HEAD
expect 5 'expected revisions that change a file' review --tree "$clone" --git HEAD..HEAD
expect 2 'is no kernel tree' review --tree / LICENSE
expect 2 'expected a command, found nope' nope
for command in fuzz review test build conform-fuzz bench kernel coverage sanitize package format tidy; do
  expect 0 "^./dev $command" "$command" --help
done
expect 0 '^./dev fuzz kernel_ioctl' fuzz --help
if ./dev help | grep -E '.{76}'; then
  echo "FAILED: ./dev help is wider than 75 columns"
  failed=1
fi
exit "$failed"
