//! Searches, judged by what is proved of their witnesses.

mod nuclear;
#[cfg(feature = "sdp")]
mod semidefinite;
mod squares;
