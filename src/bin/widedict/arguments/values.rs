//! Values that a type of the standard library does not describe: ranges and names.

use std::num::NonZeroUsize;
use std::sync::LazyLock;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use widedict::Bounding;
use widedict::trusted::local;

/// Most threads that may be asked for. More than a machine has cores gain nothing, and
/// the system refuses or hangs at some tens of thousands.
const MAX_THREADS: usize = 1024;

/// A bound by its name: the library's choices, and the one that only a build with the
/// feature sdp has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BoundChoice {
    Known(Bounding),
    #[cfg(not(feature = "sdp"))]
    Sdp,
}

impl BoundChoice {
    pub(crate) const AUTO: Self = Self::Known(Bounding::Auto);
    #[cfg(feature = "sdp")]
    pub(crate) const SDP: Self = Self::Known(Bounding::Sdp);
    #[cfg(not(feature = "sdp"))]
    pub(crate) const SDP: Self = Self::Sdp;

    /// The library's choice; `None` where this build has it not.
    pub(crate) fn bounding(self) -> Option<Bounding> {
        match self {
            Self::Known(bounding) => Some(bounding),
            #[cfg(not(feature = "sdp"))]
            Self::Sdp => None,
        }
    }
}

impl ValueEnum for BoundChoice {
    fn value_variants<'a>() -> &'a [Self] {
        static ALL: LazyLock<Vec<BoundChoice>> = LazyLock::new(|| {
            let mut all: Vec<BoundChoice> = Bounding::ALL.iter().copied().map(BoundChoice::Known).collect();
            if !all.contains(&BoundChoice::SDP) {
                all.push(BoundChoice::SDP);
            }
            all
        });
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Known(bounding) => PossibleValue::new(bounding.as_str()).help(bounding.about()),
            #[cfg(not(feature = "sdp"))]
            Self::Sdp => PossibleValue::new("sdp").help("Only in a build with the feature sdp"),
        })
    }
}

/// Whether a point is tested as a local optimum of its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LocalChoice {
    /// Tested, and by solve lowered where it is none
    Auto,
    /// Not tested
    None,
}

impl LocalChoice {
    /// What the checker is asked.
    pub(crate) fn limits(self) -> Option<local::Limits> {
        (self == Self::Auto).then(local::Limits::default)
    }
}

fn number(text: &str, accepts: impl Fn(f64) -> bool, expected: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && accepts(value) => Ok(value),
        _ => Err(format!("expected {expected}")),
    }
}

pub(super) fn nonnegative(text: &str) -> Result<f64, String> {
    number(text, |v| v >= 0.0, "a finite number at least 0")
}

pub(super) fn share(text: &str) -> Result<f64, String> {
    number(text, |v| (0.0..=1.0).contains(&v), "a number from 0 to 1")
}

pub(super) fn cosine(text: &str) -> Result<f64, String> {
    number(text, |v| (-1.0..=1.0).contains(&v), "a number from -1 to 1")
}

pub(super) fn positive(text: &str) -> Result<f64, String> {
    number(text, |v| v > 0.0, "a positive finite number")
}

/// Beyond a million years a clock overflows.
pub(super) fn seconds(text: &str) -> Result<f64, String> {
    number(text, |v| (0.0..=3e13).contains(&v), "a number of seconds at least 0")
}

pub(super) fn count(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "expected a whole number above 0".to_owned())
}

/// A number of threads that a machine may have.
pub(super) fn threads(text: &str) -> Result<NonZeroUsize, String> {
    match text.parse::<NonZeroUsize>() {
        Ok(count) if count.get() <= MAX_THREADS => Ok(count),
        _ => Err(format!("expected a number from 1 to {MAX_THREADS}")),
    }
}
