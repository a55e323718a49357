# What CI runs.
ci:
    .ci/run

# The tests, as the README says.
test:
    cargo test --release --features full

# Every test with random inputs under many seeds (a release build).
soak seeds="100":
    tests/soak.sh {{seeds}}

# The Python package in the environment that is active, and its tests.
python:
    maturin develop --release --manifest-path python/Cargo.toml --extras test,notebooks
    cd python && pytest

# The README's picture.
picture:
    cargo run --release --features cli -- solve --dataset digits --lambda 0.3 --gamma 0.15 --plot docs/atoms.svg

lint:
    cargo fmt --check
    cargo clippy --all-targets --features full -- -D warnings

# Maths is rendered by KaTeX, which the reader's browser fetches.
doc:
    RUSTDOCFLAGS="-D warnings --html-in-header docs/katex-header.html" cargo doc --no-deps --features full

# The machine-checked proofs: installs Coq where it is missing (Debian, as root).
proofs:
    command -v coqc >/dev/null || proofs/rocq/install.sh
    make -C proofs/rocq check

# Instructions of three fixed jobs against the recorded ones (valgrind).
instructions:
    benches/instructions.sh

# Every fuzz target for so many seconds (cargo-fuzz, a nightly toolchain).
fuzz seconds="480":
    for target in arrays sae problem solution; do cargo +nightly fuzz run -s none "$target" -- -max_total_time={{seconds}} || exit 1; done

# Changes of src/trusted that no test notices: a sample, one mutant in `of` (cargo-mutants).
mutants of="36" shard="0":
    # A failure that one mutant leaves behind would be taken for the next one's.
    PROPTEST_DISABLE_FAILURE_PERSISTENCE=true cargo mutants --shard {{shard}}/{{of}} --sharding round-robin
