#!/bin/bash
# Counts the instructions of three small jobs of the release binary, by callgrind on
# one thread, and compares them with the record in instructions.tsv: a measure that a
# busy machine does not disturb.
#
#   benches/instructions.sh [--allow PERCENT]   exits 1 if a job takes over PERCENT (3) more
#   benches/instructions.sh --record            writes the record
#
# Builds the binary, unless BINARY names one. Needs valgrind. The jobs, of a tenth to a
# quarter of a second each, on rows of data/tokens_512.npy:
#
#   encode  codes of 512 tokens over the first 256 of them
#   convex  column generation on the first 32 tokens, gamma = 1, to a gap of 2 %
#   finite  22 atoms for the first 128 tokens, gamma = 0, and the local test
#
# Counts are of one compiler and one kind of processor: the kernels choose their
# instructions by what the processor has, of which valgrind shows AVX2 at most. Where
# either differs from the record, that is said, and the comparison means little.
set -euo pipefail

usage() {
    echo "usage: $0 [--record | --allow PERCENT]" >&2
    exit 2
}

root=$(cd "$(dirname "$0")/.." && pwd)
record_file=$root/benches/instructions.tsv
record=false
allow=3
while [ $# -gt 0 ]; do
    case $1 in
        --record) record=true ;;
        --allow)
            allow=${2:-}
            [[ $allow =~ ^[0-9]+(\.[0-9]+)?$ ]] || usage
            shift
            ;;
        *) usage ;;
    esac
    shift
done
command -v valgrind >/dev/null || { echo "$0: needs valgrind" >&2; exit 2; }

if [ -z "${BINARY:-}" ]; then
    (cd "$root" && cargo build --release --features full)
    BINARY=$root/target/release/widedict
fi

# The compiler a binary names, else the one at hand.
compiler() {
    local found
    found=$(readelf -p .comment "$BINARY" 2>/dev/null | grep -o 'rustc version [0-9][^ ]*' | head -n 1) || true
    echo "${found:-$(rustc --version 2>/dev/null || echo unknown)}" | sed 's/^rustc version /rustc /; s/ (.*//'
}

processor() {
    if grep -qsw avx512f /proc/cpuinfo; then
        echo avx512
    elif grep -qsw avx2 /proc/cpuinfo; then
        echo avx2
    else
        uname -m
    fi
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tokens=$root/data/tokens_512.npy

# The first rows of the tokens: a header of 128 bytes, then 384 f16 a row.
first() {
    printf '\223NUMPY\001\000\166\000%-117s\n' "{'descr': '<f2', 'fortran_order': False, 'shape': ($1, 384), }"
    head -c $((128 + $1 * 768)) "$tokens" | tail -c +129
}

for rows in 32 128 256; do
    first $rows >"$work/tokens_$rows.npy"
done

count() {
    local log=$work/log
    if ! RAYON_NUM_THREADS=1 valgrind --tool=callgrind --callgrind-out-file=/dev/null \
        "$BINARY" "$@" --threads 1 --json --quiet >/dev/null 2>"$log"; then
        cat "$log" >&2
        echo "$0: failed: $BINARY $*" >&2
        exit 2
    fi
    sed -n 's/^==[0-9]*== Collected : \([0-9]*\)$/\1/p' "$log" | grep . || { cat "$log" >&2; echo "$0: no count" >&2; exit 2; }
}

jobs=(encode convex finite)
declare -A counted
counted[encode]=$(count encode --data "$tokens" --dictionary "$work/tokens_256.npy" --lambda 0.75)
counted[convex]=$(count solve --data "$work/tokens_32.npy" --lambda 0.75 --gamma 1 --tolerance 2e-2 --bound none)
counted[finite]=$(count solve --data "$work/tokens_128.npy" --lambda 0.75 --width 22 --bound none)
compiler=$(compiler)
processor=$(processor)

if $record; then
    {
        printf 'job\tinstructions\trustc\tcpu\n'
        for job in "${jobs[@]}"; do
            printf '%s\t%s\t%s\t%s\n' "$job" "${counted[$job]}" "$compiler" "$processor"
        done
    } >"$record_file"
    column -t -s "$(printf '\t')" "$record_file" 2>/dev/null || cat "$record_file"
    exit 0
fi

status=0
printf '%-8s %15s %15s  %s\n' job instructions recorded ratio
for job in "${jobs[@]}"; do
    row=$(awk -F '\t' -v job="$job" '$1 == job' "$record_file" 2>/dev/null || true)
    if [ -z "$row" ]; then
        printf '%-8s %15d %15s\n' "$job" "${counted[$job]}" none
        status=2
        continue
    fi
    IFS=$'\t' read -r _ before their_compiler their_processor <<<"$row"
    over=$(awk -v a="${counted[$job]}" -v b="$before" -v p="$allow" 'BEGIN { print (a > b * (1 + p / 100)) ? "over" : "" }')
    printf '%-8s %15d %15d  %s %s\n' "$job" "${counted[$job]}" "$before" \
        "$(awk -v a="${counted[$job]}" -v b="$before" 'BEGIN { printf "%.4f", a / b }')" \
        "${over:+more than $allow % over the record}"
    if [ -n "$over" ] && [ $status -eq 0 ]; then
        status=1
    fi
done
if [ $status -eq 2 ]; then
    echo "$0: no record of some job in $record_file: make one with --record" >&2
elif [ "$their_compiler" != "$compiler" ] || [ "$their_processor" != "$processor" ]; then
    echo "$0: the record is of $their_compiler on $their_processor, this is $compiler on $processor: the ratios may differ for that reason alone" >&2
fi
exit $status
