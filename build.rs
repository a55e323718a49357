//! Two small jobs: linking a BLAS for the feature `sdp`, and the crate page's pictures.
//!
//! **BLAS.** The libraries are those of the environment variable `WIDEDICT_BLAS`, separated
//! by commas: `openblas` unless it is set, for instance `lapack,blas` or `mkl_rt`. Set to
//! nothing, no library is named: the program then links one by itself, as the features of
//! the crates `blas-src` and `lapack-src` do.
//!
//! **Pictures.** The README is also the crate's page, where its relative links lead
//! nowhere. It refers to pictures and documents by name; the definitions written here come
//! before its own and so take precedence: pictures as data, documents in the repository.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

/// Files that the README refers to by name: `[name]: path`.
const LINKED: [(&str, &str); 10] = [
    ("atoms.svg", "docs/atoms.svg"),
    ("digits_width.svg", "docs/digits_width.svg"),
    ("two_feature.svg", "docs/two_feature.svg"),
    ("docs/splitting_spheres.md", "docs/splitting_spheres.md"),
    ("docs/signed_dictionaries.md", "docs/signed_dictionaries.md"),
    ("docs/hierarchy.md", "docs/hierarchy.md"),
    ("docs/planted_truth.md", "docs/planted_truth.md"),
    ("docs/notation.md", "docs/notation.md"),
    ("docs/architecture.md", "docs/architecture.md"),
    ("docs/audit.md", "docs/audit.md"),
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=WIDEDICT_BLAS");
    let page = crate_page();
    let out = env::var("OUT_DIR").expect("cargo sets it for build scripts");
    fs::write(Path::new(&out).join("crate-page.md"), page).expect("the build folder is writable");
    if env::var_os("CARGO_FEATURE_SDP").is_none() {
        return;
    }
    let libraries = env::var("WIDEDICT_BLAS").unwrap_or_else(|_| "openblas".to_owned());
    for library in libraries.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        println!("cargo:rustc-link-lib={library}");
    }
}

/// One definition a line. A picture that is missing is left to the README's own.
fn crate_page() -> String {
    let repository = env::var("CARGO_PKG_REPOSITORY").unwrap_or_default();
    let mut page = String::new();
    for (name, path) in LINKED {
        println!("cargo:rerun-if-changed={path}");
        let target = if path.ends_with(".svg") {
            match fs::read(path) {
                Ok(picture) => format!("data:image/svg+xml,{}", percent_encoded(&picture)),
                Err(_) => continue,
            }
        } else {
            format!("{repository}/blob/main/{path}")
        };
        writeln!(page, "[{name}]: <{target}>").expect("a string takes any text");
    }
    page
}

/// Letters, digits and what needs no escape in a link stay as they are.
fn percent_encoded(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-_.~,;:=/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").expect("a string takes any text");
        }
    }
    text
}
