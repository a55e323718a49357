//! Solvers: the convex problem, a given width, grids.

mod column_generation;
mod finite;
mod participation;
mod path;
mod planar;
