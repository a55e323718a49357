//! The wide limit: closed forms with an atom per datapoint, what they say about
//! the data, up to which atom price they hold, and what fewer atoms cost.

mod boundary;
mod center;
mod closed_form;
mod excess;
mod population;

pub use boundary::{Boundary, Regime, atom_each, boundary, regime};
pub use center::{Location, location};
pub use closed_form::{closed_form, closed_form_with};
pub use excess::{
    CircleExcess, PowerLaw, circle_excess, excess_bounds, fit_power_law, sphere_excess_lower,
    sphere_excess_upper,
};
pub use population::{Population, population};
