//! Dense and sparse kernels: products of a dense matrix with atoms and codes,
//! parallel and with the same result for any thread count.
//!
//! Work is cut into chunks whose size depends on the problem alone; partial
//! sums are combined in order. faer does the dense factorizations, always with
//! its sequential mode (its threaded results depend on the thread count).

mod dense;
mod kernels;
mod panel;
pub mod psd;
mod sparse;
mod tiles;

pub use dense::Matrix;
pub(crate) use dense::{
    Cholesky, lanczos_largest, orthonormal_columns, symmetric_eigen, symmetric_eigenvalues,
};
pub(crate) use kernels::{
    LANES, chunk_columns, combine, correlate, largest_magnitude, opaque, replace_outer, simd,
};
pub use kernels::{axpy, distance_sq, dot, norm, norm_sq};
pub(crate) use panel::{Panel, add_rows, correlate_rows, products_of_rows, times_rows};
pub use sparse::{Row, rows_of, subtract_product};
pub(crate) use tiles::fold_tiles;
