//! The machine-checked theorems of `proofs/rocq`, each run in exact rational arithmetic.
//!
//! A proof speaks of a statement; a statement can be mistyped. So every theorem that
//! `proofs/rocq/trace.tsv` lists has a test here that evaluates the same statement on random
//! rationals, counts how often its hypotheses hold, and, where the theorem is an equivalence
//! or a hypothesis looks removable, exhibits the counterexample on the other side.
//!
//! Each file of `proofs/rocq/theories` with theorems has a module here of the same name.
//!
//! Square roots: atoms are rational points of spheres and code rows rational points of the
//! gauge's quadric, so norms and gauges are rational. Where a root cannot be had, the squared
//! form or an enclosure by rationals is used. No number here is rounded.

mod copositive_duality;
mod dead_atoms;
mod fixed_dictionary;
mod gauge;
mod gauge_duality;
mod hull;
mod lens;
mod no_nesting;
mod nuclear;
mod participation;
mod radial;
mod regime_boundary;
mod residual_law;
mod support;
mod wide_limit;
mod width;
