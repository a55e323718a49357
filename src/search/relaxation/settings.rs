//! What a search for a split may take.

/// The search for a split `A − RᵀR = S + T` with its limits.
///
/// # Guarantees
/// Any proposal certifies a bound ([`split-certificate`](crate::proofs::split_certificate)),
/// the limit that of the relaxation ([`dnn-bound`](crate::proofs::dnn_bound)),
/// which in general is below the optimum. Nothing is proved here: the certificate
/// computes its own bound from the witness.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Relaxation {
    /// Most iterations: each a few products with an N × N matrix, or its
    /// eigendecomposition where a quarter of N eigenvalues or more are positive.
    pub max_iterations: usize,
    /// Stop when the proposed polar κ is within this of 1.
    pub polar_tolerance: f64,
    /// Stop when an estimate of the relative gap is at most this.
    pub gap_tolerance: f64,
    /// Stop when this many iterations took less than a fiftieth off the gap.
    pub patience: usize,
    /// Largest N accepted: memory is some ten N × N matrices.
    pub max_datapoints: usize,
}

impl Default for Relaxation {
    /// 300 iterations reach the relaxation's value to 1e-4 or so; 4000 datapoints
    /// need 1.3 GB.
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
