//! The limits of a search for a split.

/// The search for a split `A − RᵀR = S + T` with its limits.
///
/// # Guarantees
/// Every proposal certifies a bound ([`split-certificate`](crate::proofs::split_certificate)). The
/// limit certifies the bound of the relaxation ([`dnn-bound`](crate::proofs::dnn_bound)), which in
/// general is below the optimum. The search proves nothing: the certificate computes its own bound
/// from the witness.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Relaxation {
    /// Most iterations. An iteration takes a few products with an N × N matrix, or an
    /// eigendecomposition where a quarter of the N eigenvalues or more are positive.
    pub max_iterations: usize,
    /// The search stops when the proposed polar κ is at most 1 plus this.
    pub polar_tolerance: f64,
    /// The search stops when the estimated relative gap is at most this.
    pub gap_tolerance: f64,
    /// The search stops when this many iterations reduced the gap by less than a fiftieth.
    pub patience: usize,
    /// Largest N accepted. The search holds about ten N × N matrices.
    pub max_datapoints: usize,
}

impl Default for Relaxation {
    /// 300 iterations reach the value of the relaxation to about 1e-4. 4000 datapoints need 1.3 GB.
    fn default() -> Self {
        Self {
            max_iterations: 300,
            polar_tolerance: 1e-6,
            gap_tolerance: 0.0,
            patience: 50,
            max_datapoints: 4000,
        }
    }
}
