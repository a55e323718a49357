//! Links a BLAS with LAPACK for the feature `sdp`, and does nothing without it.
//!
//! The libraries are those of the environment variable `WIDEDICT_BLAS`, separated by
//! commas: `openblas` unless it is set, for instance `lapack,blas` or `mkl_rt`. Set
//! to nothing, no library is named: the program then links one by itself, as the
//! features of the crates `blas-src` and `lapack-src` do.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=WIDEDICT_BLAS");
    if std::env::var_os("CARGO_FEATURE_SDP").is_none() {
        return;
    }
    let libraries = std::env::var("WIDEDICT_BLAS").unwrap_or_else(|_| "openblas".to_owned());
    for library in libraries.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        println!("cargo:rustc-link-lib={library}");
    }
}
