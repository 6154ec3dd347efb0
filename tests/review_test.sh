#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Reviews of patches whose right answer is known, on the kernel of Debian that ./dev test has built:
#   review_test.sh IOMMUCHECK BUILD
# The patches are made here from the installed source, so that no kernel text is kept. Exit status 77:
# there is no such build, since the package cannot be had, or nobody built it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
iommucheck=$1 build=$2 tree=build/kernel/src/linux-source-6.12
if [[ ! -f $build/kernel.so || ! -f $tree/Makefile ]]; then
  echo "SKIPPED: there is no $build/kernel.so; ./dev kernel builds it"
  exit 77
fi
name=$(sed -n 's/^#define HARNESS_TREE_NAME "\(.*\)"$/\1/p' "$build/tree.h")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
type1=drivers/vfio/vfio_iommu_type1.c core=drivers/iommu/iommu.c
failed=0
fail() { echo "FAILED: $*"; failed=1; }

# change NAME FILE SED: the patch NAME, by which sed -E makes another file of FILE.
change() {
  local a=$work/a/$2 b=$work/b/$2
  rm -rf "$work/a" "$work/b"
  mkdir -p "${a%/*}" "${b%/*}"
  cp "$tree/$2" "$a"
  sed -E "$3" "$a" >"$b"
  (cd "$work" && git diff --no-index --no-prefix a b >"$1") || true
  grep -q '^@@' "$work/$1" || fail "$1: sed has changed nothing"
}

# review HOW PATCH...: sets `out` and `status`.
review() {
  local how=$1 steps builds=(--kernel-build "$build") changes=() built file
  shift
  status=0
  steps=$(kernel/review.sh "$tree" "$name" "$build" "$how" "" "${@/#/$work/}" 2>"$work/said") || status=$?
  out=$(<"$work/said")
  ((status == 0)) || return 0
  while read -r built file; do builds+=(--kernel-build "$built") changes+=("$file"); done <<<"$steps"
  out=$("$iommucheck" review "${builds[@]}" --lines kernel/lines.sh --case corpus/litmus --case corpus/bugs \
    --cases 10000 --out "$work/out" "${changes[@]}" 2>&1) || status=$?
}
# expect STATUS WHAT...: of the last review, each a regular expression.
expect() {
  local wanted=$1 what
  shift
  # shellcheck disable=SC2053 # a pattern
  [[ $status == $wanted ]] || fail "expected exit status $wanted, found $status"
  # Lines are wrapped in a reply.
  for what in "$@"; do
    tr -s '\n ' '  ' <<<"$out" | grep -Eq -- "$what" || fail "$what: not in the reply"
  done
  # The verdict line and a kernel's line stay whole.
  if ((status != 5)) && grep -E '.{76}' <<<"$out" | grep -Ev '^(Review|kernel) |^ *[^ ]+$'; then fail "wider than 75 columns"; fi
  ((failed == 0)) || { printf "%s\n" "$out"; echo "See FAILED above."; exit 1; }
}
say() { echo "$SECONDS s: $*"; }

say "rules that are taken away"
change same_ops "$type1" 's/if \(d->domain->ops == domain->domain->ops &&/if (/'
review --together same_ops
expect 0 '^Review changed v6.12.y,-type1.same_ops ' 'without type1.same_ops: .*2022 patch' \
  'no-cross-driver-attach on v6.12.y \(which promises it\) before holds for every size after holds for every size patch because of it: no' \
  'vfio_iommu_type1_attach_group\(\), drivers/vfio/vfio_iommu_type1.c: 1 of 1 changed line ran'
[[ -s $work/out/reply.txt && -s $work/out/difference-01.case ]] || fail "--out has written nothing"

change no_owner "$core" 's/^(\tif \(!dev_has_iommu\(dev\)) \|\| dev_iommu_ops\(dev\) != domain->owner\)$/\1)/'
review --together no_owner
expect 0 '^Review changed v6.12.y,-core.owner_first ' \
  'worse: .* accepts a domain of another driver .* but only without assume.tables_not_shared'
review --together same_ops no_owner
expect 1 '^Review worse v6.12.y,-core.owner_first,-type1.same_ops ' 'because of it: yes' \
  'now accepts a domain of another driver'

change no_coherency "$type1" 's/^(\t\t    )d(->enforce_cache_coherency ==)$/\1domain\2/'
review --together no_coherency
expect '[01]' 'v6.12.y,-type1.same_coherency '

change blocked "$core" 's/if \(dev->iommu->require_direct &&/if (0 \&\&/'
review --together blocked
expect 1 '^Review worse v6.12.y,-core.require_direct ' 'handed to user space'

say "nothing changes"
change comment "$core" 's/^static int __iommu_attach_group\(struct/\/* A comment. *\/\n&/'
review --together comment
expect 0 '^Review none v6.12.y differences=0,' 'no difference in 1[0-9]{4} cases'
change rename "$type1" 's/\bis_empty\b/nothing_there/; s/\bvfio_iommu_unmap_unpin_reaccount\b/unmap_all_again/'
review --together rename
expect 0 '^Review none ' 'differ none'

say "mistakes that no rule names"
change leak "$type1" '/^out_domain:/,/^}/ s/^\tiommu_domain_free\(domain->domain\);$/\t;/'
review --together leak
expect 1 '^Review worse v6.12.y ' 'now left after the teardown: domains' 'nothing that the model has a rule for'
change errno "$type1" '/^static int vfio_dma_do_map\(/,/^}/ s/ret = -EEXIST/ret = -EINVAL/'
review --together errno
expect 3 '^Review unknown v6.12.y ' 'map: -EINVAL now, was -EEXIST' 'whether it is worse is for you to judge'
change unreached "$core" '/^static int __iommu_attach_group\(struct iommu_domain \*domain,$/,/^}/ s/return -EBUSY/return -EPERM/'
review --together unreached
expect 3 '^Review unknown v6.12.y differences=0' 'no case reached a line that the patch changes' \
  'not reached: line [0-9]+: return -EPERM;'

say "patches that cannot be looked at"
change not_built drivers/iommu/intel/iommu.c 's/^static int __init intel_iommu_setup/\/* . *\/\n&/'
review --together not_built
expect 3 '^Review unknown ' 'drivers/iommu/intel/iommu.c: the harness is not built from it' \
  'no file of the patch is one that the harness is built from'
change other_ops "$type1" 's/if \(d->domain->ops == domain->domain->ops &&/if (1 \&\&/'
review --together same_ops other_ops
expect 5 '0002-other_ops: drivers/vfio/vfio_iommu_type1.c: hunk 1 does not apply'
change wrong "$core" '/^static int __iommu_attach_group\(struct iommu_domain \*domain,$/,/^}/ s/return -EBUSY/return -ENOSUCH/'
review --together wrong
expect 5 'drivers/iommu/iommu.c:[0-9]+:[0-9]+: error: .*ENOSUCH' 'the patched tree does not compile'
echo "no patch" >"$work/garbage"
review --together garbage
expect 5 'garbage:1:1: expected a unified diff, or mails with one, found none'
head -c 300 "$work/same_ops" >"$work/cut"
review --together cut
expect 5 'cut.*: expected a unified diff, found: corrupt patch'
: >"$work/empty"
review --together empty
expect 5 'empty:1:1: expected'

say "a series in an mbox, whose second patch is at fault"
(
  cd "$work"
  rm -rf series && mkdir -p "series/${type1%/*}" "series/${core%/*}"
  cp "$OLDPWD/$tree/$type1" "series/$type1" && cp "$OLDPWD/$tree/$core" "series/$core"
  cd series
  git -c init.defaultBranch=a init -q . && git config user.email a@example.org && git config user.name A
  git add . && git commit -qm base
  for patch in comment leak; do git apply -p1 "$work/$patch" && git commit -qam "$patch"; done
  git revert --no-edit HEAD >/dev/null
  # An answer, and an older version: neither is a patch to review.
  git format-patch -q --stdout -3 >"$work/series.mbox"
  printf 'From a Thu Jan  1 00:00:00 1970\nFrom: A <a@example.org>\nSubject: Re: [PATCH 2/3] leak\n\n> --- a/x\n> +++ b/x\n> @@ -1 +1 @@\nNo.\n' >>"$work/series.mbox"
)
review --each series.mbox
expect 1 'The series, .* 1 of 3 0001-comment.patch: none: .* 2 of 3 0002-leak.patch: worse: .* 3 of 3 .*and takes away what was worse'
[[ $(grep -c '^Review ' <<<"$out") == 3 ]] || fail "expected three replies"
review --together series.mbox
expect 0 '^Review none '

say "the text alone"
status=0
out=$("$iommucheck" review --rules --kernel v6.0 "$work/same_ops" 2>&1) || status=$?
expect 3 '^Review worse v6.0 guess,' 'type1.same_ops, vfio_iommu_type1_attach_group\(\)' 'each taken away alone'

# The documents show what ./dev prints, which uses the release build.
if [[ $iommucheck -ef build/release/bin/iommucheck ]]; then
  say "the documents"
  for document in README.md docs/review.md; do
    awk '/^```/ { inside = $0 == "```console"; ours = 0; next }
      inside && /^\$ / { ours = /^\$ [.]\/dev review /; if (ours) print substr($0, 3) >command; next }
      ours { print >shown }' command="$work/command" shown="$work/shown" "$document"
    command=$(<"$work/command")
    # One run does for all documents, some of which show its beginning.
    [[ -f $work/whole ]] || bash -c "${command% | head *}" >"$work/whole" 2>/dev/null || true
    cp "$work/whole" "$work/printed"
    # Versions of the package, and each new case of the corpus, change numbers and which kinds there
    # are, and with them how many lines a beginning has; the rest stays.
    for file in shown printed; do
      sed -Ei '/^played /,/^is /{/^is /!d}; s/^tool .*/tool/; s/sha256 [0-9a-f]+/sha256/; s/[0-9]+/N/g' "$work/$file"
      tr -s '\n ' '  ' <"$work/$file" >"$work/$file.line"
    done
    if [[ $command == *" | head "* ]]; then
      truncate -s "$(wc -c <"$work/shown.line")" "$work/printed.line"
    fi
    for file in shown printed; do sed 's/[,:] /&\n/g' "$work/$file.line" >"$work/$file"; done
    diff "$work/shown" "$work/printed" || fail "$document shows something else"
  done
fi
((failed == 0)) || exit 1
echo "all as expected, $SECONDS s"
