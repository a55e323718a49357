//! What must be believed, in one folder: the numbers of a certificate come from here.
//!
//! A solver may be wrong in any way it likes; what it returns passes through this folder,
//! which recomputes every number from the problem, the factorization and the
//! [`Witness`], with every rounding counted. So this is what a skeptic reads:
//!
//! | file | what it proves | theorem |
//! |---|---|---|
//! | `direction` | nothing: the types [`Lower`] and [`Upper`], which only this folder makes | |
//! | `residuals`, `subject` | what all checks share, computed once | |
//! | `objective` | primal and dual value, enclosed | `rounding` |
//! | `first_order` | stationarity residuals, as computed, with what rounding may have made of them | `stationarity` |
//! | `bounds` | lower bounds of the convex problem | `copositive-duality`, `wide-limit`, `centre`, `nuclear-bound` |
//! | `quartic` | the polar from a quartic form, few dimensions | `quartic-bound` |
//! | `copositive` | the polar from a split | `split-certificate` |
//! | `squares` | the polar from a split of squares | `square-split` |
//! | `exact` | the polar to any accuracy, few dimensions or datapoints | `cone-branching` |
//! | `coding` | codes over a fixed dictionary | `coding-gap` |
//! | `hull` | that codes are none of a stationary point, whatever the data | `hull-condition` |
//! | `nesting` | exchanges of nested atoms | `no-nesting` |
//! | `boundary` | up to which γ one atom per datapoint is optimal | `regime-boundary` |
//! | `local` | a local minimum within a radius | `local-radius` |
//! | `lens` | how much of a datapoint's excess one atom can take | `lens-bound` |
//! | `payment` | the most that one atom can take, few dimensions | `width-bound` |
//! | `width` | a lower bound for a given number of atoms | `width-bound` |
//! | `planar` | the least cost of a given number of atoms, data in a plane | `planar-optimum` |
//! | `participation` | the price γ that a participation allows | `participation-bound` |
//! | `witness` | nothing: what a search hands over | |
//!
//! It imports only what lies below it (problem, gauge, atoms, linalg, num, observer), and a test
//! reads the sources and fails on an import that goes up.
//!
//! Nobody else makes a bound:
//!
//! ```compile_fail
//! let forged = widedict::Lower::proved(2.0); // private
//! ```
//! ```compile_fail
//! let forged = widedict::Lower(2.0); // the field is private
//! ```
//! ```compile_fail
//! let forged: widedict::Lower = serde_json::from_str("2.0").unwrap(); // not Deserialize
//! ```
//! ```compile_fail
//! fn is_read<T: for<'de> serde::Deserialize<'de>>() {}
//! is_read::<widedict::Upper>();
//! ```

pub mod boundary;
pub mod bounds;
pub mod coding;
pub mod copositive;
mod direction;
pub mod exact;
pub mod first_order;
pub mod hull;
mod lens;
pub mod local;
pub mod nesting;
pub mod objective;
pub mod participation;
mod payment;
pub mod planar;
pub mod quartic;
mod residuals;
pub mod squares;
mod subject;
pub mod width;
mod witness;

pub use bounds::{Bound, BoundKind};
pub use coding::Coding;
pub use copositive::{Origin, Split};
pub use direction::{Lower, Upper, gap};
pub use first_order::{Kkt, Residual};
pub use objective::Objective;
pub use planar::{Goal, PlanarBound};
pub use quartic::QuarticForm;
pub use residuals::{Residuals, check_shapes};
pub use squares::Squares;
pub use subject::{CertifyError, Subject};
pub use width::WidthLine;
pub use witness::{Curvature, Part, WidthSplit, Witness, WitnessError};
