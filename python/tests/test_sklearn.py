"""Estimators of scikit-learn."""

import pickle

import numpy as np
import pytest
import scipy.sparse
from conftest import planted
from sklearn.decomposition import sparse_encode
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import widedict

FAST = {"tol": 1e-2, "random_state": 0}


@parametrize_with_checks(
    [
        widedict.DictionaryLearning(n_components=3, alpha=0.1, **FAST),
        widedict.DictionaryLearning(n_components="auto", alpha=0.1, **FAST),
        widedict.SparseCoder(alpha=0.1),
    ]
)
def test_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def test_a_fit_is_a_solve(points):
    learning = widedict.DictionaryLearning(3, alpha=0.2, random_state=5).fit(points)
    solution = widedict.solve(points, 0.2, width=3, seed=5, restarts=1, bound="fast")
    assert np.array_equal(learning.components_, solution.dictionary)
    assert learning.certificate_.certified == solution.certificate.certified
    assert learning.certificate_.certified.lower_bound <= learning.objective_
    assert learning.n_components_ == len(learning.components_)


def test_alpha_is_that_of_scikit_learn(points):
    learning = widedict.DictionaryLearning(4, alpha=0.2, random_state=0).fit(points)
    codes = learning.transform(points)
    theirs = sparse_encode(
        points, learning.components_, algorithm="lasso_cd", alpha=0.2, positive=True, max_iter=100_000
    )

    def cost(z):
        return 0.5 * ((points - z @ learning.components_) ** 2).sum() + 0.2 * np.abs(z).sum()

    assert cost(codes) <= cost(theirs) * (1 + 1e-9)
    # Their solver stops at a tolerance of 1e-4 of its own.
    assert cost(theirs) <= cost(codes) * (1 + 1e-2)
    # The mean over datapoints is the library's objective.
    assert -learning.score(points) == pytest.approx(cost(codes) / len(points), rel=1e-9)


def test_a_coder_codes_over_what_it_is_given(points):
    atoms = np.random.default_rng(0).normal(size=(7, 6))
    coder = widedict.SparseCoder(atoms, alpha=0.3, sparse_output=True).fit(points)
    codes = coder.transform(points)
    assert scipy.sparse.issparse(codes)
    assert np.array_equal(codes.toarray(), widedict.encode(points, atoms, 0.3).codes.toarray())
    assert np.allclose(coder.inverse_transform(codes), codes @ atoms)
    with pytest.raises(ValueError, match="dimension 6"):
        widedict.SparseCoder(atoms[:, :5]).fit(points)


def test_a_center_is_learnt_and_taken_off(points):
    learning = widedict.DictionaryLearning(3, alpha=0.2, fit_center=True, random_state=0).fit(points + 5.0)
    codes = learning.transform(points + 5.0)
    assert np.allclose(learning.inverse_transform(codes), codes @ learning.components_ + learning.center_)
    assert np.all(learning.center_ > 3.0)


def test_a_grid_search_in_two_processes():
    points = planted(90)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), widedict.DictionaryLearning(alpha=0.2, random_state=0)),
        {"dictionarylearning__n_components": [1, 2, 4]},
        n_jobs=2,
        cv=3,
    )
    search.fit(points)
    scores = search.cv_results_["mean_test_score"]
    assert np.all(np.isfinite(scores)) and scores[0] < scores[2]
    assert search.best_params_["dictionarylearning__n_components"] != 1


def test_a_fit_is_pickled(points):
    learning = widedict.DictionaryLearning(3, alpha=0.2, random_state=0).fit(points)
    again = pickle.loads(pickle.dumps(learning))
    assert np.array_equal(again.transform(points), learning.transform(points))
    assert again.certificate_.certified == learning.certificate_.certified


@pytest.mark.parametrize(
    "options, match",
    [
        ({"alpha": -1.0}, "alpha.*-1"),
        ({"n_components": 0}, "n_components.*0"),
        ({"n_components": "many"}, "n_components.*many"),
        ({"bound": "magic"}, "bound.*magic"),
        ({"random_state": "magic"}, "magic"),
        ({"tol": 0.0}, "tol:"),
        ({"random_state": True}, "random_state.*True"),
        ({"random_state": 2**64}, "random_state"),
        ({"fit_center": "no"}, "fit_center.*'no'"),
    ],
)
def test_parameters_that_make_no_sense(points, options, match):
    with pytest.raises(ValueError, match=match):
        widedict.DictionaryLearning(**options).fit(points)


def test_a_coder_with_a_dictionary_needs_no_fit(points):
    atoms = np.random.default_rng(0).normal(size=(7, 6))
    coder = widedict.SparseCoder(atoms, alpha=0.3)
    fitted = widedict.SparseCoder(atoms, alpha=0.3).fit(points)
    codes = coder.transform(points)
    assert np.array_equal(codes, fitted.transform(points))
    assert np.array_equal(coder.inverse_transform(codes), fitted.inverse_transform(codes))
    assert coder.score(points) == fitted.score(points)
    assert not hasattr(coder, "components_")
    atoms[2, 1] = np.nan
    with pytest.raises(ValueError, match="dictionary.*row 2, column 1"):
        widedict.SparseCoder(atoms).fit(points)


def test_what_gamma_is_to_a_fit_and_to_a_score(points):
    alpha, gamma, n = 0.2, 0.1, len(points)
    learning = widedict.DictionaryLearning(3, alpha=alpha, gamma=gamma, random_state=0).fit(points)
    solution = widedict.solve(points, alpha, gamma, width=3, seed=0, restarts=1, bound="fast")
    z = solution.codes.toarray()
    price = np.sqrt((alpha * np.abs(z).sum(axis=0)) ** 2 + n * (gamma**2) * (z**2).sum(axis=0)).sum()
    by_hand = (0.5 * ((points - z @ solution.dictionary) ** 2).sum() + price) / n
    assert learning.objective_ == pytest.approx(by_hand, rel=1e-12)
    codes = learning.transform(points)
    cost = 0.5 * ((points - codes @ learning.components_) ** 2).sum() + alpha * codes.sum()
    assert -learning.score(points) == pytest.approx(cost / n, rel=1e-9)


def test_a_fit_that_the_clock_ended_warns(points):
    from sklearn.exceptions import ConvergenceWarning

    with pytest.warns(ConvergenceWarning, match="max_seconds"):
        widedict.DictionaryLearning(3, alpha=0.01, tol=1e-12, max_seconds=0, random_state=0).fit(points)
