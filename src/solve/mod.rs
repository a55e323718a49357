//! Solvers: column generation for the convex problem, descent at a given width, grids of
//! either.

pub mod column_generation;
pub mod finite;
pub mod participation;
pub mod path;
pub mod planar;
mod samples;
mod trivial;
pub mod width_bound;
