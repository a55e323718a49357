//! λ from the coefficients of other programs.

use crate::gauge::PenaltyError;

/// The penalty λ of `½‖x − b − Dz‖² + λ Σ_k ‖d_k‖z_k`, averaged over datapoints, from
/// the coefficient of a program whose loss is scaled otherwise.
///
/// Each constructor multiplies that program's loss by the constant that turns its
/// squared error into the mean over datapoints of ½‖x − x̂‖² (a sum over coordinates),
/// which leaves the minimizers as they are; what then stands before `Σ_k‖d_k‖z_k` is
/// λ. The formulas were read in the sources named. λ has the unit of the data: where
/// a program normalized the activations, see [`Lambda::in_units_before`].
///
/// # Examples
/// ```
/// use widedict::problem::Lambda;
/// let lambda = Lambda::from_saelens(1.5)?;
/// assert_eq!(lambda.get(), 0.75);
/// # Ok::<(), widedict::gauge::PenaltyError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[doc(alias = "l1_coefficient")]
pub struct Lambda(f64);

impl Lambda {
    /// λ itself.
    ///
    /// # Errors
    /// [`PenaltyError`] unless it is finite and at least 0.
    pub fn new(lambda: f64) -> Result<Self, PenaltyError> {
        if lambda.is_finite() && lambda >= 0.0 {
            Ok(Self(lambda + 0.0))
        } else {
            Err(PenaltyError::NotANonnegativeNumber { name: "lambda", value: lambda })
        }
    }

    /// SAELens, `l1_coefficient`: its loss is
    /// `mean over the batch of ‖x − x̂‖² + l1_coefficient · Σ_k ‖d_k‖f_k`, so λ is
    /// half of it.
    ///
    /// Source: `sae_lens/saes/standard_sae.py`, `calculate_aux_loss`, with the squared
    /// error summed over coordinates (`training_forward_pass` of `sae_lens/saes/sae.py`);
    /// `lp_norm` must be 1, its default, and in versions before 6
    /// `mse_loss_normalization` none.
    ///
    /// # Errors
    /// As [`Lambda::new`].
    ///
    /// # Examples
    /// ```
    /// # use widedict::problem::Lambda;
    /// assert_eq!(Lambda::from_saelens(5.0)?.get(), 2.5);
    /// # Ok::<(), widedict::gauge::PenaltyError>(())
    /// ```
    pub fn from_saelens(l1_coefficient: f64) -> Result<Self, PenaltyError> {
        Self::new(0.5 * l1_coefficient)
    }

    /// `dictionary_learning`, `l1_penalty`: its loss is
    /// `mean over the batch of ‖x − x̂‖² + l1_penalty · Σ_k f_k` over unit atoms
    /// (times `‖d_k‖` in `StandardTrainerAprilUpdate`), so λ is half of it.
    ///
    /// Source: `dictionary_learning/trainers/standard.py`, `loss`: `recon_loss`. Earlier
    /// versions took `mean of ‖x − x̂‖`, not squared, and then no λ has the same minimizers.
    ///
    /// # Errors
    /// As [`Lambda::new`].
    ///
    /// # Examples
    /// ```
    /// # use widedict::problem::Lambda;
    /// assert_eq!(Lambda::from_dictionary_learning(0.1)?.get(), 0.05);
    /// # Ok::<(), widedict::gauge::PenaltyError>(())
    /// ```
    pub fn from_dictionary_learning(l1_penalty: f64) -> Result<Self, PenaltyError> {
        Self::new(0.5 * l1_penalty)
    }

    /// scikit-learn's `DictionaryLearning` and `MiniBatchDictionaryLearning`, `alpha`:
    /// `½‖X − UV‖²_F + alpha‖U‖₁`, so λ is alpha.
    ///
    /// Source: the objective in the documentation of `sklearn.decomposition.DictionaryLearning`.
    /// Its codes are nonnegative only with `positive_code=True`.
    ///
    /// # Errors
    /// As [`Lambda::new`].
    ///
    /// # Examples
    /// ```
    /// # use widedict::problem::Lambda;
    /// assert_eq!(Lambda::from_sklearn_dictionary_learning(0.3)?.get(), 0.3);
    /// # Ok::<(), widedict::gauge::PenaltyError>(())
    /// ```
    pub fn from_sklearn_dictionary_learning(alpha: f64) -> Result<Self, PenaltyError> {
        Self::new(alpha)
    }

    /// SPAMS' `trainDL` and `lasso` in mode 2, `lambda1`: `½‖x − Dα‖² + lambda1‖α‖₁`
    /// a datapoint, so λ is lambda1.
    ///
    /// Source: the documentation of SPAMS, `trainDL`, mode `PENALTY` (2). Its codes are
    /// nonnegative only with `posAlpha=True`.
    ///
    /// # Errors
    /// As [`Lambda::new`].
    ///
    /// # Examples
    /// ```
    /// # use widedict::problem::Lambda;
    /// assert_eq!(Lambda::from_spams(0.15)?.get(), 0.15);
    /// # Ok::<(), widedict::gauge::PenaltyError>(())
    /// ```
    pub fn from_spams(lambda1: f64) -> Result<Self, PenaltyError> {
        Self::new(lambda1)
    }

    /// scikit-learn's `Lasso` for one datapoint at a time, `alpha`:
    /// `‖y − Xw‖²/(2 n_samples) + alpha‖w‖₁` with the dictionary for `X` and the
    /// datapoint for `y`, so `n_samples` is the dimension n and λ is `alpha · n`.
    ///
    /// Source: the objective in the documentation of `sklearn.linear_model.Lasso`;
    /// `positive=True` and `fit_intercept=False` are needed.
    ///
    /// # Errors
    /// As [`Lambda::new`].
    ///
    /// # Examples
    /// ```
    /// # use widedict::problem::Lambda;
    /// assert_eq!(Lambda::from_sklearn_lasso(0.01, 64)?.get(), 0.64);
    /// # Ok::<(), widedict::gauge::PenaltyError>(())
    /// ```
    #[expect(clippy::cast_precision_loss, reason = "dimensions are far below 2^53")]
    pub fn from_sklearn_lasso(alpha: f64, dim: usize) -> Result<Self, PenaltyError> {
        Self::new(alpha * dim as f64)
    }

    /// overcomplete's `mse_l1`, `penalty`: the mean over the B · n numbers of a batch of
    /// `(x − x̂)²` plus `penalty` times the **sum** of all codes of the batch, so λ is
    /// `penalty · B · n / 2`. It depends on the batch size B.
    ///
    /// Source: `overcomplete/sae/losses.py`, `_mse_with_penalty`, and
    /// `overcomplete/metrics.py`, `l1` without `dims`. The first versions averaged the
    /// codes over B and the M atoms instead: there λ is `penalty · n / (2M)`.
    ///
    /// # Errors
    /// As [`Lambda::new`].
    ///
    /// # Examples
    /// ```
    /// # use widedict::problem::Lambda;
    /// assert_eq!(Lambda::from_overcomplete(1e-4, 1024, 384)?.get(), 1e-4 * 1024.0 * 384.0 / 2.0);
    /// # Ok::<(), widedict::gauge::PenaltyError>(())
    /// ```
    #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
    pub fn from_overcomplete(penalty: f64, batch_size: usize, dim: usize) -> Result<Self, PenaltyError> {
        Self::new(penalty * batch_size as f64 * dim as f64 / 2.0)
    }

    /// λ for the activations as they were before a program multiplied them by `scale`
    /// (for SAELens' `expected_average_only_in` √n over the mean norm): the same
    /// minimizers with `x/scale` and `z/scale` have the penalty `λ/scale`.
    ///
    /// # Errors
    /// [`PenaltyError`] unless the scale is finite and positive and so is the result finite.
    ///
    /// # Examples
    /// ```
    /// # use widedict::problem::Lambda;
    /// assert_eq!(Lambda::from_saelens(5.0)?.in_units_before(0.5)?.get(), 5.0);
    /// # Ok::<(), widedict::gauge::PenaltyError>(())
    /// ```
    pub fn in_units_before(self, scale: f64) -> Result<Self, PenaltyError> {
        if !(scale.is_finite() && scale > 0.0) {
            return Err(PenaltyError::Scale { value: scale });
        }
        Self::new(self.0 / scale)
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl From<Lambda> for f64 {
    fn from(lambda: Lambda) -> Self {
        lambda.0
    }
}
