# What CI runs.
ci:
    .ci/run

# The tests, as the README says.
test:
    cargo test --release --features full

# The README's picture.
picture:
    cargo run --release --features cli -- solve --dataset digits --lambda 0.3 --gamma 0.15 --plot docs/atoms.svg

lint:
    cargo fmt --check
    cargo clippy --all-targets --features full -- -D warnings

doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --features full
