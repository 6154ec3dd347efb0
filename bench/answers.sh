#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# answers.sh [KIND]...: how long one waits for an answer, as a multiple of the CPU time (user and
# system) of a process that only starts. The kinds are found, none, proof, on, diff, all, bounded-map
# and map; without any, all but the maps. Each question is asked RUNS times (3), of which the median
# counts, and each line says whether it is within its bar.
. bench/measure.sh
tool=${IOMMUCHECK_TOOL:-$tool}
runs=${RUNS:-3}
kinds=("$@")
((${#kinds[@]})) || kinds=(found none proof on diff all)

of() {  # COMMAND...: its median
  local seconds=()
  for ((n = 0; n < runs; n++)); do seconds+=("$(cpu "$@")"); done
  median "${seconds[@]}"
}

# bash counts milliseconds, of which a start takes few.
twenty() { for _ in {1..20}; do "$tool" --version; done; }
start=$(of twenty | awk '{ printf "%.5f", $1 / 20 }')
printf 'bare start: %s s (iommucheck --version)\n' "$start"
printf '%-11s %8s %7s %5s %-6s  %s\n' kind CPU-s times bar '' question
line() {  # KIND BAR SECONDS QUESTION
  awk -v kind="$1" -v bar="$2" -v s="$3" -v start="$start" -v question="$4" 'BEGIN {
    printf "%-11s %8.3f %7.1f %5d %-6s  %s\n", kind, s, s / start, bar, s <= bar * start ? "" : "missed", question }'
}

# The assumptions under which a kernel promises a property, as options.
promise() {
  "$tool" query "$1" --kernel "$2" --json --bounded --steps 2 2>/dev/null |
    tr -d '\n' | sed -n 's/.*"assumptions_not_made": \[\([^]]*\)\].*/\1/p' |
    tr -d '",' | xargs -rn1 echo --add | xargs
}

# Rules without which a kernel that keeps the property by itself violates it.
dropped() {
  case $1:$2 in
    *-reuse:v6.1 | *-reuse:v6.1.y | *-reuse:v6.6) echo --drop type1.same_ops --drop register.single_driver ;;
    *-reuse:v6.8) echo --drop type1.same_ops --drop core.owner_first --add assume.homogeneous_groups ;;
    *-attach:v6.1 | *-attach:v6.1.y | *-attach:v6.6) echo --drop register.single_driver ;;
  esac
}

# shellcheck disable=SC2046,SC2086  # options are several words
for kind in "${kinds[@]}"; do
  previous=
  for property in no-cross-driver-reuse no-cross-driver-attach; do
    for kernel in $(profiles); do
      question="$property --kernel $kernel"
      case $kind in
        found)
          question+=" $(dropped "$property" "$kernel")"
          line found 5 "$(of "$tool" query $question)" "$question"
          ;;
        none)
          question+=" --bounded $(promise "$property" "$kernel")"
          line none 30 "$(of "$tool" query $question)" "$question"
          ;;
        proof)
          question+=" $(promise "$property" "$kernel")"
          line proof 10 "$(of "$tool" query $question)" "$question"
          ;;
        on)
          [[ -f $work/large.case ]] || machine >"$work/large.case"
          line on 60 "$(of "$tool" query $property --on "$work/large.case" --kernel $kernel --bounded)" \
            "$question --bounded --on a machine of 64 devices"
          ;;
        diff)
          if [[ -n $previous ]]; then
            line diff 60 "$(of "$tool" diff $property --kernel "$previous" --kernel $kernel)" "$question --kernel $previous"
          fi
          previous=$kernel
          ;;
        all)
          question+=" $(dropped "$property" "$kernel")"
          line all 100 "$(of "$tool" query $question --all)" "$question --all"
          ;;
        bounded-map) line bounded-map 100 "$(cpu "$tool" guards $question --bounded)" "guards $question --bounded" ;;
        map)
          map=$(cpu "$tool" guards $question --json)
          proved=$(grep -c '"every_size": true' "$work/out" || true)/$(grep -c '"every_size"' "$work/out" || true)
          line map 1000 "$map" "guards $question: $proved proved"
          ;;
        *) echo "answers.sh: no questions of kind $kind" >&2; exit 2 ;;
      esac
    done
    previous=
  done
done
