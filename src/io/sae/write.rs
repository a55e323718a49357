//! Writing a dictionary as SAELens reads it.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::super::json::write_json;
use super::super::tensors::{Named, write};
use super::super::{FileError, FileProblem};
use crate::atoms::Dictionary;
use crate::linalg::Matrix;

/// Writes a dictionary as a SAELens folder (`sae_weights.safetensors` and `cfg.json`,
/// as version 6 has them), creating it: `W_dec` (M × n) and `b_dec`, F64, read back bit
/// for bit by [`Sae::read`](super::Sae::read), loaded by SAELens'
/// `SAE.load_from_disk`.
///
/// SAELens asks for an encoder: `W_enc = W_decᵀ` and `b_enc = −λ`, so that its codes
/// are `(d_kᵀ(x − b) − λ)₊`, one thresholding step. They are **not** the codes of a
/// solution, which [`Coder`](crate::coder::Coder) computes; only where at most one
/// atom is active and no other comes close are they the same.
///
/// # Errors
/// [`FileError`] when a file cannot be written, for a center of another dimension or
/// a dictionary without atoms.
#[doc(alias = "SAELens")]
pub fn write_saelens(
    folder: &Path,
    dictionary: &Dictionary,
    center: Option<&[f64]>,
    lambda: f64,
) -> Result<(), FileError> {
    let (n, m) = (dictionary.dim(), dictionary.len());
    let fail = |problem| Err(FileError::new(folder, problem));
    if m == 0 || n == 0 {
        return fail(FileProblem::Empty { found: vec![m as u64, n as u64] });
    }
    let center = center.map_or_else(|| vec![0.0; n], <[f64]>::to_vec);
    if center.len() != n {
        return fail(FileProblem::Count { expected: n, found: center.len() });
    }
    fs::create_dir_all(folder).map_err(|e| FileError::new(folder, e.into()))?;
    let atoms = dictionary.matrix();
    // Row after row: n rows of M.
    let transposed = Matrix::from_fn(m, n, |k, i| atoms.get(i, k));
    let bias = vec![-lambda; m];
    write(
        &folder.join("sae_weights.safetensors"),
        &[
            Named { name: "W_dec", shape: vec![m, n], values: atoms.as_slice() },
            Named { name: "W_enc", shape: vec![n, m], values: transposed.as_slice() },
            Named { name: "b_dec", shape: vec![n], values: &center },
            Named { name: "b_enc", shape: vec![m], values: &bias },
        ],
    )?;
    let config = json!({
        "architecture": "standard",
        "d_in": n,
        "d_sae": m,
        "dtype": "float64",
        "device": "cpu",
        "apply_b_dec_to_input": true,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {
            "written_by": concat!("widedict ", env!("CARGO_PKG_VERSION")),
            "lambda": lambda,
            "l1_coefficient": 2.0 * lambda,
            "training_architecture": "standard",
            "training_architecture_details": {"l1_coefficient": 2.0 * lambda, "lp_norm": 1.0},
            "encoder": "W_enc is W_dec transposed, b_enc is -lambda: one thresholding step, not exact codes",
        },
    });
    write_json(&folder.join("cfg.json"), &config)
}
