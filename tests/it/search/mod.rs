//! Searches, judged by what is proved of their witnesses.

#[cfg(feature = "sdp")]
mod semidefinite;
