//! The wide limit: closed forms with an atom per datapoint.

mod centre;
mod closed_form;

pub use centre::{Location, location};
pub use closed_form::{closed_form, closed_form_centered};
