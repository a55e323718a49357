//! Searches, judged by what is proved of their witnesses.

mod nuclear;
mod quartic;
#[cfg(feature = "sdp")]
mod semidefinite;
mod squares;
