//! A diagnosis as text, as a page, and as tables. Nothing is computed here.

#[cfg(feature = "io")]
mod html;
#[cfg(feature = "io")]
mod pictures;
#[cfg(feature = "io")]
mod tables;
mod text;
