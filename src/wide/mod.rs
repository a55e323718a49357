//! The wide limit: closed forms with an atom per datapoint, what they say about
//! the data, up to which atom price they hold, and what fewer atoms cost.
//!
//! At γ = 0 and with as many atoms as wanted, the joint problem has its optimum in
//! closed form ([`closed_form`]). It is the least any dictionary can reach, so it says
//! what a width costs, and it answers at once where a solver would search. It is not a
//! dictionary to use: every active direction has its own atom. For fewer atoms run
//! [`Finite`](crate::Finite), for γ > 0 beyond the [`boundary`]
//! [`ColumnGeneration`](crate::ColumnGeneration).

mod boundary;
mod center;
mod closed_form;
mod excess;
mod population;

pub use boundary::{atom_each, boundary, regime};
pub use center::{Location, location};
pub use closed_form::{closed_form, closed_form_at, closed_form_with};
pub use excess::{
    CircleExcess, PowerLaw, circle_excess, excess_bounds, fit_power_law, sphere_excess_lower,
    sphere_excess_upper,
};
pub use population::{Population, population, population_observed};

pub use crate::trusted::boundary::{Boundary, Regime};
