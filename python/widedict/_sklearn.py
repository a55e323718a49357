"""Estimators for scikit-learn."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from . import _arrays as arrays
from ._functions import encode, lambda_of_sklearn, solve

__all__ = ["DictionaryLearning", "SparseCoder"]


class _Coder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """What both have: exact codes over `components_`."""

    def transform(self, X):
        """The best codes of X over `components_`, each within a relative duality gap of 1e-10.

        They minimize ``½‖x − center_ − z @ components_‖² + alpha sum_k z_k ‖d_k‖`` for every datapoint
        alone: a ``gamma`` is a price of the atoms, not of a datapoint's code, and has no part in it.

        Parameters
        ----------
        X : array-like (N, n_features)

        Returns
        -------
        codes : ndarray or scipy.sparse.csr_array (N, n_components)
            At least 0; sparse with ``sparse_output``.
        """
        sparse = arrays.flag("sparse_output", self.sparse_output)
        codes = self._encode(X).codes
        return codes if sparse else codes.toarray()

    def inverse_transform(self, X):
        """The reconstruction ``X @ components_ + center_``.

        Parameters
        ----------
        X : array-like or sparse (N, n_components)
            Codes.

        Returns
        -------
        ndarray (N, n_features)
        """
        fitted = self._fitted()
        components, center, found = fitted.components_, fitted.center_, np.shape(X)
        if len(found) != 2 or found[1] != len(components):
            raise ValueError(f"X: expected codes of {len(components)} components, found shape {found}")
        product = X @ components
        return product if center is None else product + center

    def score(self, X, y=None):
        """Minus the mean of what `transform` minimizes: larger is better, within one `alpha`.

        A ``gamma`` has no part in it: at ``gamma > 0`` it is not minus ``objective_`` of the training data,
        whose codes are not these either.

        Parameters
        ----------
        X : array-like (N, n_features)
        y : ignored

        Returns
        -------
        float
        """
        return -self._encode(X).mean_objective

    def _encode(self, X):
        fitted = self._fitted()
        X = validate_data(fitted, X, reset=False, dtype=[np.float64, np.float32])
        return encode(
            X, fitted.components_, lambda_of_sklearn(self.alpha), center=fitted.center_, threads=self.threads
        )

    def _fitted(self):
        check_is_fitted(self)
        return self

    @property
    def _n_features_out(self):
        return len(self._fitted().components_)


class DictionaryLearning(_Coder):
    """Dictionary learning with nonnegative codes and a certificate.

    Minimizes ``½‖X − Z D‖² + alpha ‖Z‖₁`` over unit atoms and codes at least 0, as scikit-learn's own
    ``DictionaryLearning(positive_code=True)``. The library's λ is `alpha`, the same number: its
    objective is that sum divided by the number of datapoints N. With ``gamma`` the price of an atom's
    codes z_k is ``sqrt((alpha ‖z_k‖₁)² + N (gamma ‖z_k‖₂)²)`` in place of ``alpha ‖z_k‖₁``: what `fit` minimizes
    and `objective_` is. `transform` and `score` are of single datapoints and leave gamma out.

    Parameters
    ----------
    n_components : int or "auto", optional
        Number of atoms; without it n_features. ``"auto"`` solves the convex problem, which chooses:
        with ``gamma=0`` it is the wide limit, an atom for every datapoint longer than alpha.
    alpha : float
        Price of a unit of code.
    gamma : float
        Price of holding an atom, per unit of its RMS activation.
    fit_center : bool
        Learn a center, which is subtracted from the data.
    tol : float
        Relative stationarity (``"auto"``: relative gap) at which the run stops.
    bound : str
        How the solution is bounded: ``"fast"`` takes one eigenvalue; ``"auto"`` takes minutes at some
        thousand datapoints, and proves more.
    restarts : int
        Starts of which the best is kept.
    max_seconds : float, optional
        Ends the fit after so long, with its best solution.
    sparse_output : bool
        Codes as a ``scipy.sparse.csr_array``.
    random_state : int, RandomState or None
        An int is the seed of the library and of the command's ``--seed``.
    threads : int, optional
        Threads; all cores without it. Nothing depends on them.

    Attributes
    ----------
    components_ : ndarray (n_components_, n_features)
        Unit atoms. A fit may end with fewer than were asked for: unused ones are left out.
    center_ : ndarray (n_features,) or None
    certificate_ : Certificate
        What is proved, and what is estimated, of the fit.
    objective_ : float
        Objective of the fit divided by N, gamma's part with it.
    stop_ : str
        Why the fit ended.
    n_components_ : int
    n_features_in_ : int

    Examples
    --------
    >>> import widedict
    >>> learning = widedict.DictionaryLearning(8, alpha=1.0, random_state=0)
    >>> codes = learning.fit_transform(widedict.digits()[:200])
    >>> codes.shape[0], bool((codes >= 0).all())
    (200, True)
    """

    def __init__(
        self,
        n_components=None,
        alpha=1.0,
        *,
        gamma=0.0,
        fit_center=False,
        tol=5e-3,
        bound="fast",
        restarts=1,
        max_seconds=None,
        sparse_output=False,
        random_state=None,
        threads=None,
    ):
        self.n_components = n_components
        self.alpha = alpha
        self.gamma = gamma
        self.fit_center = fit_center
        self.tol = tol
        self.bound = bound
        self.restarts = restarts
        self.max_seconds = max_seconds
        self.sparse_output = sparse_output
        self.random_state = random_state
        self.threads = threads

    def fit(self, X, y=None):
        """Learn a dictionary.

        Parameters
        ----------
        X : array-like (N, n_features)
        y : ignored

        Returns
        -------
        self
        """
        X = validate_data(self, X, dtype=[np.float64, np.float32])
        tol, alpha = arrays.positive("tol", self.tol), lambda_of_sklearn(self.alpha)
        convex = isinstance(self.n_components, str) and self.n_components == "auto"
        if convex:
            width, restarts = None, None
        else:
            count = X.shape[1] if self.n_components is None else self.n_components
            width, restarts = arrays.whole("n_components", count), self.restarts
        solution = solve(
            X,
            alpha,
            self.gamma,
            width=width,
            center=arrays.flag("fit_center", self.fit_center),
            tolerance=tol,
            bound=self.bound,
            seed=_seed(self.random_state),
            restarts=restarts,
            max_seconds=self.max_seconds,
            threads=self.threads,
        )
        self.components_ = solution.dictionary
        self.center_ = solution.center
        self.certificate_ = solution.certificate
        self.objective_ = solution.objective
        self.stop_ = solution.stop
        self.n_components_ = len(self.components_)
        if self.stop_ == "time-limit":
            warnings.warn("max_seconds ended the fit before it met tol", ConvergenceWarning, stacklevel=2)
        return self


class SparseCoder(_Coder):
    """Exact nonnegative codes over a dictionary that is given, which needs no fit.

    For every datapoint the z ≥ 0 of least ``½‖x − b − zD‖² + alpha sum_k z_k ‖d_k‖``: scikit-learn's
    ``SparseCoder(transform_algorithm="lasso_cd", positive_code=True)`` where atoms have length 1. The
    library's λ is `alpha`, the same number.

    Parameters
    ----------
    dictionary : array-like (n_components, n_features), optional
        Atoms of any length. Without it every datapoint of `fit` is one, as in the wide limit.
    alpha : float
        Price of a unit of code times the length of its atom.
    center : array-like (n_features,), optional
        Subtracted from the data.
    sparse_output : bool
        Codes as a ``scipy.sparse.csr_array``.
    threads : int, optional
        Threads; all cores without it.

    Attributes
    ----------
    components_ : ndarray (n_components, n_features)
        The atoms as they are given.
    center_ : ndarray (n_features,) or None
    n_features_in_ : int
    """

    def __init__(self, dictionary=None, alpha=1.0, *, center=None, sparse_output=False, threads=None):
        self.dictionary = dictionary
        self.alpha = alpha
        self.center = center
        self.sparse_output = sparse_output
        self.threads = threads

    def fit(self, X, y=None):
        """Checks the dictionary against the data, or takes the data as the dictionary.

        Parameters
        ----------
        X : array-like (N, n_features)
        y : ignored

        Returns
        -------
        self
        """
        X = validate_data(self, X, dtype=[np.float64, np.float32])
        lambda_of_sklearn(self.alpha)
        components = X if self.dictionary is None else arrays.dictionary(self.dictionary)
        for place in np.argwhere(~np.isfinite(components))[:1]:
            row, column = place
            found = components[row, column]
            raise ValueError(f"dictionary: row {row}, column {column}: expected a finite number, found {found}")
        if components.shape[1] != X.shape[1]:
            raise ValueError(
                f"dictionary: expected atoms of dimension {X.shape[1]}, found shape {components.shape}"
            )
        self.components_ = np.array(components)
        self.center_ = None if self.center is None else np.array(arrays.center(self.center))
        if self.center_ is not None and len(self.center_) != X.shape[1]:
            raise ValueError(f"center: expected a vector of dimension {X.shape[1]}, found {len(self.center_)}")
        return self

    def _fitted(self):
        """This one, or one that is fitted: a dictionary that is given is all there is to learn."""
        if self.dictionary is None or hasattr(self, "components_"):
            return super()._fitted()
        return clone(self).fit(arrays.dictionary(self.dictionary))


def _seed(random_state):
    """An int is the seed itself; anything else draws one."""
    if isinstance(random_state, (bool, np.bool_)):
        raise ValueError(f"random_state: expected an int, a RandomState or None, found {random_state!r}")
    if isinstance(random_state, (int, np.integer)):
        return arrays.whole("random_state", random_state, least=0)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
