//! Dense and sparse kernels: products of a dense matrix with atoms and codes,
//! parallel and with the same result for any thread count.
//!
//! Work is cut into chunks whose size depends on the problem alone, and partial
//! sums are combined in order. faer does the dense factorizations, always in
//! its sequential mode, because its threaded results depend on the thread count.
//!
//! This is no general linear algebra: it holds what the solvers need. For anything
//! else, lend a [`Matrix`] to ndarray or nalgebra.

mod datapoints;
mod decompositions;
mod dense;
#[cfg(any(feature = "ndarray", feature = "nalgebra"))]
mod interchange;
mod kernels;
mod panel;
pub mod psd;
mod residual;
mod sparse;
mod tiles;
mod triangle;

pub use datapoints::{Columns, Datapoints, Float};
pub(crate) use decompositions::{
    Cholesky, lanczos_largest, lanczos_smallest, orthonormal_columns, symmetric_eigen,
    symmetric_eigen_single, symmetric_eigenvalues,
};
pub use dense::{EntryCount, Matrix};
pub(crate) use kernels::{
    LANES, axpy_lanes, axpys, chunk_columns, combine, combine_all, correlate, distance, dot_all, dots,
    exact_midpoint, largest_magnitude, opaque, replace_outer, simd, sum_of_squares, weighted_mean,
};
pub use kernels::{axpy, distance_sq, dot, norm, norm_sq};
pub(crate) use panel::{
    CodeRows, Panel, SPARSE, Term, add_terms, column_runs, correlate_rows, is_sparse, products_of_rows,
    rows_together, times_panel, times_rows,
};
pub(crate) use residual::{HELD, Precision, Residual, fits_single};
pub use sparse::{Row, rows_of, subtract_product};
pub(crate) use tiles::fold_tiles;
pub(crate) use triangle::{Factored, Square, Strip, Triangle};
