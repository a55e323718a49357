#!/usr/bin/env bash
# Runs every test with random inputs under many seeds: tests/soak.sh [seeds] [first].
#
# Only files with `proptest!` draw at random; the other tests of the suite, and the long ones
# in these files outside `proptest!`, do the same every time and are left to `cargo test`. A
# failure is printed with its seed, and the rest still runs: PROPTEST_RNG_SEED=<seed> cargo
# test ... <test> repeats it.
set -euo pipefail
cd "$(dirname "$0")/.."

seeds=${1:-100}
first=${2:-1}

# tests/it/exact/polar.rs is the module exact::polar of its binary, src/num/root.rs
# num::root of the library; a mod.rs is its folder's module.
filters() {
    grep -rl 'proptest!' "$1" --include='*.rs' | sort | sed -e "s#^$1/##" -e 's#\.rs$##' -e 's#/mod$##' -e 's#/#::#g' -e 's#$#::#'
}
mapfile -t integration < <(filters tests/it)
mapfile -t unit < <(filters src)
# Tests within `proptest!` are indented.
mapfile -t fixed < <(grep -rhoE '^fn slow_[a-z0-9_]+' tests/it --include='*.rs' | sed 's/^fn /--skip=/')

test=(cargo test --release --features full --quiet)
"${test[@]}" --lib --test it --no-run

log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=()
for ((seed = first; seed < first + seeds; seed++)); do
    export PROPTEST_RNG_SEED=$seed
    if ! { "${test[@]}" --lib -- "${unit[@]}" && "${test[@]}" --test it -- "${fixed[@]}" "${integration[@]}"; } >"$log" 2>&1; then
        failed+=("$seed")
        echo "seed $seed:"
        grep -E '^(test .* FAILED|---- |Test failed|minimal failing input)' "$log" || tail -n 20 "$log"
    fi
done
echo "${#failed[@]} of $seeds seeds failed${failed:+: ${failed[*]}}"
((${#failed[@]} == 0))
