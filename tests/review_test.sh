#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Reviews of patches whose right answer is known, on the kernel of Debian that ./dev test has built:
#   review_test.sh IOMMUCHECK BUILD PART
# PART is `patches`, `kernels` or `commands`. The patches are made here from the installed source, so
# that no kernel text is kept. Exit status 77: there is no such build, since the package cannot be had,
# or nobody built it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
iommucheck=$1 builds=${2%/*} part=$3
# on PACKAGE: the kernel of the reviews that follow; false if nobody built it.
on() {
  build=$(realpath -m "$builds/$1") # `newest` is the name of another
  tree=build/kernel/src/${build##*/}
  [[ -f $build/kernel.so && -f $tree/Makefile ]] || return 1
  name=$(sed -n 's/^#define HARNESS_TREE_NAME "\(.*\)"$/\1/p' "$build/tree.h")
}
if ! on "${2##*/}"; then
  echo "SKIPPED: there is no $build/kernel.so; ./dev kernel builds it"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
type1=drivers/vfio/vfio_iommu_type1.c core=drivers/iommu/iommu.c container=drivers/vfio/container.c
cases=10000 # random ones
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
  local how=$1 steps both=(--kernel-build "$build") changes=() built file
  shift
  status=0
  steps=$(kernel/review.sh "$tree" "$name" "$build" "$how" "" "${@/#/$work/}" 2>"$work/said") || status=$?
  out=$(<"$work/said")
  ((status == 0)) || return 0
  while read -r built file; do both+=(--kernel-build "$built") changes+=("$file"); done <<<"$steps"
  out=$("$iommucheck" review "${both[@]}" --lines kernel/lines.sh --case corpus/litmus --case corpus/bugs \
    --cases "$cases" --out "$work/out" "${changes[@]}" 2>&1) || status=$?
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

change same_ops "$type1" 's/if \(d->domain->ops == domain->domain->ops &&/if (/'
change comment "$core" 's/^static int __iommu_attach_group\(struct/\/* A comment. *\/\n&/'

rules_taken_away() {
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

  change owner_every "$core" '/^static int __iommu_device_set_domain\(struct iommu_group \*group,$/,/^\}/ s/^\tret = __iommu_attach_device\(new_domain, dev\);/\tif (new_domain->owner != dev_iommu_ops(dev) \&\&\n\t    new_domain != dev_iommu_ops(dev)->identity_domain \&\&\n\t    new_domain != dev_iommu_ops(dev)->blocked_domain)\n\t\treturn -EINVAL;\n&/'
  review --together owner_every
  expect 0 '^Review changed v6.12.y,[+]core.owner_every ' 'better: .* no longer accepts a domain of another driver' \
    'where assume.homogeneous_groups does not hold: now a WARN'
}

# fixed RULE STATUS FILE SED [SAYS]: the patch that takes a fix of docs/bugs.md out.
fixed() {
  change "$1" "$3" "$4"
  review --together "$1"
  expect "$2" "^Review .*,-$1 " "without $1: " "${5:-differ}"
}
fixes_taken_out() {
  cases=2000
  fixed core.attach_rollback 1 "$core" '/^static int __iommu_group_set_domain_internal\(struct iommu_group \*group,$/,/^\}/ s/^\t\tif \(group->domain\)$/\t\tif (0)/' \
    'worse: .* a domain is now freed that a device is still on'
  fixed core.claim_blocking 1 "$core" '/^static int __iommu_take_dma_ownership\(/,/^\}/ { s/= __iommu_group_alloc_blocking_domain\(group\)/= 0/; s/^\tret = __iommu_group_set_domain\(group, group->blocking_domain\);/\tgroup->domain = NULL;/ }'
  fixed vfio.claim_real 1 "$container" 's/^\tif \(group->type == VFIO_IOMMU\) \{/\tif (1) {/' 'worse: now a wild pointer in set-container'
  fixed type1.fgsp_in_list 1 "$type1" '/^static void vfio_test_domain_fgsp\(/,/^\}/ { s/list_for_each_entry\(region, regions, list\)/for (start = 0;;)/; /^\t\tstart = ALIGN/d; /^\t\tif \(start >= region/d; /^\t\t\tcontinue;/d }' \
    'a played case breaks attach-maps-nothing-reserved with the patch alone'
  fixed type1.replay_unwind 1 "$type1" '/^static int vfio_iommu_replay\(/,/^\}/ s/^\tfor \(; n; n = rb_prev\(n\)\) \{/\tfor (; 0;) {/' \
    'worse: now left after the teardown: pinned pages'
  fixed type1.vaddr_busy 0 "$type1" '/^static int vfio_iommu_type1_attach_group\(/,/^\}/ s/^\tif \(iommu->vaddr_invalid_count\)$/\tif (0)/' \
    'set-container: taken now, was refused with -EBUSY'
  fixed type1.vaddr_no_emulated 1 "$type1" '/^static int vfio_dma_do_unmap\(/,/^\}/ s/if \(invalidate_vaddr && !list_empty.*/if (0) {/' \
    'unmap: taken now, was refused with -EBUSY'
  # No case can come to this one, since the two before it stand before it.
  change pin_vaddr_busy "$type1" '/^static int vfio_iommu_type1_pin_pages\(/,/^\}/ s/WARN_ONCE\(iommu->vaddr_invalid_count,/WARN_ONCE(0,/'
  review --together pin_vaddr_busy
  expect 0 '^Review none ' 'unseen .*type1.pin_vaddr_busy'
  if on newest; then
    fixed core.pasid_static 1 "$core" '/^static bool domain_iommu_ops_compatible\(/,/^\}/ s/if \(domain == ops->blocked_domain .*/if (0)/' \
      'breaks own-pasid-domain-is-accepted'
    fixed core.reset_must_succeed 1 "$core" '/^static int __iommu_group_set_domain_internal\(struct iommu_group \*group,$/,/^\}/ s/if \(group->recovery_cnt && !\(flags & IOMMU_SET_DOMAIN_MUST_SUCCEED\)\)/if (group->recovery_cnt)/' \
      'now a WARN in __iommu_group_set_domain_nofail\(\)'
  fi
  if on linux-source-6.1; then
    fixed core.rollback_reattach 1 "$core" '/struct iommu_domain \*old_domain = group->domain;/,/^\t\}/ { s/^\t\tgroup->domain = NULL;/\t\t(void)old_domain;/; /^\t\tWARN\(/,/;$/d }' \
      'worse: .* a domain is now freed that a device is still on'
  fi
}

other_kernels() {
  local each
  for each in linux-source-5.10 linux-source-6.1 newest; do
    on "$each" || { echo "there is no $each"; continue; }
    change "same_ops-$each" "$type1" 's/if \(d->domain->ops == domain->domain->ops &&/if (/'
    review --together "same_ops-$each"
    case $each in
      *-5.10) expect 1 '^Review worse v5.10.y,-type1.same_ops ' 'after VIOLATED: 2 devices, 5 steps patch because of it: yes' ;;
      # There is one driver at a time, and nobody sees the difference.
      *-6.1) expect 0 '^Review none v6.1.y ' 'type1.same_ops: no-cross-driver-attach holds for every size without it' ;;
      *) expect 0 '^Review changed .*,-type1.same_ops ' 'after holds for every size patch because of it: no' ;;
    esac
  done
}

nothing_changes() {
  review --together comment
  expect 0 '^Review none v6.12.y differences=0,' 'no difference in 1[0-9]{4} cases'
  change rename "$type1" 's/\bis_empty\b/nothing_there/; s/\bvfio_iommu_unmap_unpin_reaccount\b/unmap_all_again/'
  review --together rename
  expect 0 '^Review none ' 'differ none'
  change reorder "$type1" '/^static int vfio_dma_do_map\(/,/^\}/ { /^\tdma->iova = iova;$/d; s/^\tdma->vaddr = vaddr;$/&\n\tdma->iova = iova;/ }'
  review --together reorder
  expect 0 '^Review none ' 'differ none' '2 of 2 changed lines ran'
}

mistakes() {
  change leak "$type1" '/^out_domain:/,/^}/ s/^\tiommu_domain_free\(domain->domain\);$/\t;/'
  review --together leak
  expect 1 '^Review worse v6.12.y ' 'now left after the teardown: domains' 'nothing that the model has a rule for'
  change errno "$type1" '/^static int vfio_dma_do_map\(/,/^}/ s/ret = -EEXIST/ret = -EINVAL/'
  review --together errno
  expect 3 '^Review unknown v6.12.y ' 'map: -EINVAL now, was -EEXIST' 'whether that is worse is for you to judge'
  change unwind "$type1" '/^static int vfio_iommu_type1_attach_group\(/,/^\}/ { /^\tiommu_detach_group\(domain->domain, group->iommu_group\);$/d; s/^\tiommu_domain_free\(domain->domain\);$/&\n\tiommu_detach_group(domain->domain, group->iommu_group);/ }'
  review --together unwind
  expect 1 '^Review worse v6.12.y ' 'worse: set-iommu: a domain is now freed that a device is still on' 'nothing that the model has a rule for'
  change unreached "$core" '/^static int __iommu_attach_group\(struct iommu_domain \*domain,$/,/^}/ s/return -EBUSY/return -EPERM/'
  review --together unreached
  expect 3 '^Review unknown v6.12.y differences=0' 'no case reached a line that the patch changes' \
    'not reached: line [0-9]+: return -EPERM;'
}

cannot_be_looked_at() {
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
}

series() {
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
}

text_alone() {
  status=0
  out=$("$iommucheck" review --rules --kernel v6.0 "$work/same_ops" 2>&1) || status=$?
  expect 3 '^Review worse v6.0 guess,' 'type1.same_ops, vfio_iommu_type1_attach_group\(\)' 'each taken away alone'
}

# Trees that are no package, by ./dev. The commits are the same each time, so that the base of a run
# before this one serves again.
clones() {
  local clone=$work/clone contained=()
  mkdir "$clone"
  cp -a "$tree/." "$clone"
  (
    export GIT_AUTHOR_DATE='2000-01-01T00:00:00Z' GIT_COMMITTER_DATE='2000-01-01T00:00:00Z'
    cd "$clone"
    git -c init.defaultBranch=main init -q . && git config user.email a@example.org && git config user.name A
    git add -f . && git commit -qm base
    for patch in same_ops comment; do git apply -p1 "$work/$patch" && git commit -qam "$patch"; done
    # Settings that would make another diff.
    git config diff.noprefix true && git config diff.external false && git config format.attach true
  )
  # from FOLDER ARGS...: a user in this folder asks.
  from() {
    status=0
    out=$(cd "$1" && "$OLDPWD/dev" review "${@:2}" --cases 500 2>"$work/said") || { status=$?; out+=$(<"$work/said"); }
  }
  ! kernel/sandbox.sh --check 2>/dev/null || contained=(--sandbox)
  from "$clone" --tree . --git main~2.. "${contained[@]}" --out "$work/out2"
  expect 0 '^Review changed v6.12.y,-type1.same_ops ' 'on git-[0-9a-f]{12} 6.12' '1 of 1 changed line ran'
  [[ -s $work/out2/reply.txt ]] || fail "--out has written nothing"
  base=$(git -C "$clone" rev-parse main~2) base=build/kernel/git-${base:0:12}
  ((!${#contained[@]})) || [[ -f $base/sandboxed ]] || fail "$base was not built in a sandbox"
  from "$clone" --tree "$clone" --git main~2..main --each
  expect 0 '1 of 2 0001-same_ops: changed: .* 2 of 2 0002-comment: none: ' 'on git-[0-9a-f]{12} 6.12[0-9.]* with the patch before it'
  from "$work" --tree clone --git main~2 same_ops
  expect 0 '^Review changed v6.12.y,-type1.same_ops ' 'patch 0001-same_ops'
  # A build that was made in a sandbox stays in one, asked or not.
  ((!${#contained[@]})) || [[ -f $base/sandboxed ]] || fail "$base has left the sandbox"
  from "$work" --tree "$PWD/build/kernel/src/${base##*/}" same_ops
  expect 0 '^Review changed v6.12.y,-type1.same_ops ' 'on git-[0-9a-f]{12} 6.12'
  [[ -z $(git -C "$clone" status --porcelain) ]] || fail "$clone was written to"
}

documents() {
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
}

case $part in
  patches) parts=(rules_taken_away nothing_changes mistakes cannot_be_looked_at series text_alone) ;;
  kernels) parts=(fixes_taken_out other_kernels) ;;
  commands)
    parts=(clones documents)
    # ./dev uses the release build.
    [[ $iommucheck -ef build/release/bin/iommucheck ]] || { echo "SKIPPED: not the release build"; exit 77; } ;;
  *) echo "no such part: $part" >&2; exit 2 ;;
esac
for each in "${parts[@]}"; do
  say "${each//_/ }"
  "$each"
done
((failed == 0)) || exit 1
echo "all as expected, $SECONDS s"
