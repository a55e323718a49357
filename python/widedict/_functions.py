"""The functions: the command's, on arrays. Defaults are the command's."""

from __future__ import annotations

import os
from contextlib import contextmanager

from . import _arrays as arrays
from . import _widedict
from ._progress import Bar, Both
from ._results import (
    Diagnosis,
    Encoding,
    Grid,
    Improved,
    Interrupted,
    SavedSolution,
    Solution,
    Verification,
    WideLimit,
)

__all__ = ["Sae", "certify", "diagnose", "digits", "encode", "load_sae", "path", "solve", "verify", "wide"]

MAX_THREADS = 1024
"""The command's own limit."""

_RUN = """
    max_seconds : float, optional
        Ends the run after so long, with what it has by then.
    threads : int, optional
        Threads of the run; all cores without it. The answer does not depend on them.
    callback : callable, optional
        Called with a dict of where the run stands: ``seconds``, ``phase``, ``iteration``,
        ``objective``, ``lower_bound``, ``estimated_lower_bound``, ``atoms``, ``rows``, ``of``. Every
        key is always there, None where it is not known. The objective and bounds are of the phase's
        own problem, which need not be the one that is asked. The run does not wait for it: events
        that it is too slow for are left out, but for the newest one. Where it returns true the run
        ends and is returned with ``stop == "cancelled"``; after the run's end that changes nothing.
    progress : bool
        Show a bar, where tqdm is installed.
"""

_DATA = """
    weights : array-like (N,), optional
        Weights of the datapoints, normalized to sum 1; a weight of 0 masks its row.
    skip_nonfinite : bool
        Mask rows that hold NaN or infinity, which are an error otherwise.
    max_norm_multiple : float, optional
        Mask rows whose norm is above this many times the median norm.
"""

_RAISES = """
    Raises
    ------
    ValueError
        Naming the argument, and the row and value where there is one.
    MemoryError
        Where there is none for a copy of what was given.
    Interrupted
        After Ctrl-C: its ``solution`` is the best answer so far. A second Ctrl-C raises
        `KeyboardInterrupt` at once.
"""


def _documented(function):
    """Fills in what the functions share."""
    for name, text in (("{data}", _DATA), ("{run}", _RUN), ("{raises}", _RAISES)):
        function.__doc__ = function.__doc__.replace(f"    {name}\n", text.strip("\n") + "\n")
    return function


@contextmanager
def _run(max_seconds, threads, callback, progress):
    if max_seconds is not None:
        max_seconds = min(arrays.nonnegative("max_seconds", max_seconds), 3e13)
    if threads is not None:
        threads = arrays.whole("threads", threads, most=MAX_THREADS)
    if callback is not None and not callable(callback):
        raise ValueError(f"callback: expected a function, found {callback!r}")
    bar = Bar() if arrays.flag("progress", progress) else None
    if bar is not None:
        callback = bar if callback is None else Both(callback, bar)
    try:
        yield {"max_seconds": max_seconds, "threads": threads, "callback": callback, "answers": []}
    finally:
        if bar is not None:
            bar.close()


def _call(wrap, run, native, *arguments, **options):
    """The answer of a run, or the exception that ended it, with the answer as its `solution`.

    A run puts its answer into a list before it returns: a signal that comes in between takes what
    is returned, and not what is in there.
    """
    signal = None
    try:
        native(*arguments, **options)
    except KeyboardInterrupt as error:
        if not run["answers"]:
            raise
        signal = error
    while True:
        try:
            made, raised, notes, stop = run["answers"][0]
            answer = wrap(made, notes, stop)
            break
        except KeyboardInterrupt as error:
            if signal is not None or raised is not None:
                raise
            signal = error
    raised = signal if raised is None else raised
    if raised is None:
        return answer
    if type(raised) is KeyboardInterrupt:
        raise Interrupted(answer) from None
    try:
        raised.solution = answer
    except Exception:
        # One that takes no attribute, such as a frozen dataclass.
        raise Interrupted(answer) from raised
    raise raised


def _subject(dictionary, name="dictionary"):
    if isinstance(dictionary, Sae):
        return dictionary._native
    if isinstance(dictionary, (Solution, SavedSolution, Improved)):
        found = type(dictionary).__name__
        raise ValueError(f"{name}: expected atoms or an Sae, found a {found}; its .dictionary has the atoms")
    return arrays.dictionary(dictionary, name)


def _start(start):
    """A solution that is there, or the folder of one that is saved."""
    if start is None:
        return None
    if isinstance(start, (Solution, Improved)):
        return start._native
    if isinstance(start, SavedSolution):
        return start._unchanged()
    try:
        return os.fspath(start)
    except TypeError:
        found = type(start).__name__
        raise ValueError(f"start: expected a solution or the folder of one, found {found}") from None


def _optional(check, name, value, **limits):
    return None if value is None else check(name, value, **limits)


def _text(name, value, of):
    if isinstance(value, str) and value in of:
        return value
    raise ValueError(f"{name}: expected one of {', '.join(of)}; found {value!r}")


def _learnt(center):
    """Whether a center is learnt."""
    if isinstance(center, (str, bytes)) or not hasattr(center, "__len__"):
        return arrays.flag("center", center)
    raise ValueError(
        "center: expected True or False, whether one is learnt; certify and encode take a given one, "
        "and X - center leaves it out of the data"
    )


def _bound(bound):
    return _text("bound", bound, _widedict.BOUNDS)


def _participation(value):
    if value is None or value == "auto":
        return value
    return repr(arrays._number("participation", value, lambda p: 0 < p <= 1, "'auto' or a number above 0 and at most 1"))


@_documented
def solve(
    X,
    lambda_,
    gamma=0.0,
    *,
    width=None,
    center=False,
    method="auto",
    tolerance=5e-3,
    bound="auto",
    local=True,
    global_=False,
    seed=0,
    restarts=None,
    participation=None,
    start=None,
    weights=None,
    skip_nonfinite=False,
    max_norm_multiple=None,
    max_seconds=None,
    threads=None,
    callback=None,
    progress=False,
):
    """Learn a dictionary and prove how good it is.

    Minimizes ``sum_i w_i ½‖x_i − b − D z_i‖² + sum_k sqrt(λ² (sum_i w_i z_ki)² + γ² sum_i w_i z_ki²)``
    over unit atoms, codes at least 0 and, with ``center``, b. Weights are 1/N and sum to 1.

    Parameters
    ----------
    X : array-like (N, n)
        Data, a datapoint a row, float64 or float32 of any strides: copied once, in its type. Other
        types of numbers are converted first.
    lambda_ : float
        Price of a unit of code: half an SAE's L1 coefficient where its loss has no ½;
        scikit-learn's ``alpha``.
    gamma : float
        Price of holding an atom, per unit of its RMS activation. 0 is the vanilla SAE: without a
        width the answer is then the wide limit, an atom for each active datapoint.
    width : int, optional
        Number of atoms of the joint problem; without it the convex problem, of any number.
    center : bool
        Learn a center too, an SAE's decoder bias.
    method : {"auto", "proximal", "conic", "closed-form"}
        ``auto`` is ``closed-form`` where gamma is 0, else ``proximal``. Not with ``width``.
    tolerance : float
        Relative gap at which the run stops, and at which a point counts as global.
    bound : {"auto", "none", "fast", "nuclear", "quartic", "relaxation", "exact"}
        How the solution is bounded.
    local : bool
        With ``width``, test whether it is a local optimum, and lower it where it is none.
    global_ : bool
        With ``width``, prove the best dictionary of it among all: data of rank two at most,
        ``gamma`` 0, no learnt center. The verdict is then ``global-width`` within the tolerance.
    seed : int
        Seed of every random choice.
    restarts : int, optional
        With ``width``, starts of which the best is kept.
    participation : "auto" or float, optional
        With ``width``, bound every dictionary whose atoms have at least this participation, or
        that of the atoms returned. Takes a minute or two at some hundred datapoints.
    start : Solution, SavedSolution, path or Improved, optional
        Where to start: a solution, the folder of one, or the lower point `Solution.improved` that
        refutes one.
    {data}
    {run}

    Returns
    -------
    Solution

    {raises}
    Notes
    -----
    A solution that the local test refutes, and cannot lower in time, has a lower point: `Solution.improved`.
    Numbers are those of ``widedict solve``, bit for bit. Theory: `docs/` and `proofs/` of the project.

    Examples
    --------
    >>> import widedict
    >>> solution = widedict.solve(widedict.digits()[:100], 0.5)
    >>> solution.certificate.verdict
    'global'
    """
    method = _text("method", method, ("auto", "proximal", "conic", "closed-form"))
    if width is None and (restarts is not None or participation is not None or arrays.flag("global_", global_)):
        raise ValueError("restarts, participation and global_ need a width")
    if arrays.flag("global_", global_) and _learnt(center):
        raise ValueError("global_ is for a center that is not learnt")
    if width is not None and method != "auto":
        raise ValueError("method is for the convex problem, which has no width")
    start = _start(start)
    data = arrays.data(X, weights, skip_nonfinite, max_norm_multiple)
    with _run(max_seconds, threads, callback, progress) as run:
        return _call(
            Solution,
            run,
            _widedict.solve,
            data,
            run,
            lambda_=arrays.nonnegative("lambda_", lambda_),
            gamma=arrays.nonnegative("gamma", gamma),
            center=_learnt(center),
            width=_optional(arrays.whole, "width", width),
            method=method,
            tolerance=arrays.positive("tolerance", tolerance),
            bound=_bound(bound),
            local=arrays.flag("local", local),
            global_=arrays.flag("global_", global_),
            seed=arrays.whole("seed", seed, least=0, most=2**64 - 1),
            restarts=_optional(arrays.whole, "restarts", restarts),
            participation=_participation(participation),
            start=start,
        )


@_documented
def encode(
    X,
    dictionary,
    lambda_=None,
    *,
    center=None,
    tolerance=None,
    exact=False,
    per_batch=False,
    weights=None,
    skip_nonfinite=False,
    max_norm_multiple=None,
    max_seconds=None,
    threads=None,
    callback=None,
    progress=False,
):
    """Compute the codes of data over a given dictionary.

    For every datapoint the z ≥ 0 of least ``½‖x − b − Dz‖² + λ sum_k z_k ‖d_k‖``, with its duality gap.

    Parameters
    ----------
    X : array-like (N, n)
        Data, a datapoint a row.
    dictionary : array-like (M, n) or Sae
        Atoms of any length. Of an `Sae` the codes are those of its own encoder, unless ``exact``.
    lambda_ : float
        Price of a unit of code times the length of its atom; that of the configuration without it.
    center : array-like (n,), optional
        Subtracted from the data; an Sae has its own.
    tolerance : float, optional
        Relative gap at which a datapoint's code is done: 1e-10 without it.
    exact : bool
        The best codes over the dictionary of an `Sae`, not those of its encoder.
    per_batch : bool
        An encoder that selects among datapoints does so among all of X.
    {data}
    {run}

    Returns
    -------
    Encoding

    {raises}
    """
    if not isinstance(dictionary, Sae):
        if arrays.flag("exact", exact) or arrays.flag("per_batch", per_batch):
            raise ValueError("exact and per_batch are about an Sae")
        if lambda_ is None:
            raise ValueError("lambda_ is needed")
    elif center is not None:
        raise ValueError("center: an Sae has its own")
    elif tolerance is not None and not arrays.flag("exact", exact):
        raise ValueError("tolerance is for codes that are searched for: give exact=True too")
    data = arrays.data(X, weights, skip_nonfinite, max_norm_multiple)
    with _run(max_seconds, threads, callback, progress) as run:
        return _call(
            Encoding,
            run,
            _widedict.encode,
            data,
            run,
            _subject(dictionary),
            lambda_=_optional(arrays.nonnegative, "lambda_", lambda_),
            center=_optional(lambda _, value: arrays.center(value), "center", center),
            tolerance=_optional(arrays.positive, "tolerance", tolerance),
            exact=arrays.flag("exact", exact),
            per_batch=arrays.flag("per_batch", per_batch),
        )


@_documented
def certify(
    X,
    dictionary,
    codes=None,
    lambda_=None,
    gamma=0.0,
    *,
    center=None,
    centered=False,
    tolerance=5e-3,
    bound="auto",
    local=True,
    participation=None,
    per_batch=False,
    weights=None,
    skip_nonfinite=False,
    max_norm_multiple=None,
    max_seconds=None,
    threads=None,
    callback=None,
    progress=False,
):
    """Certify a dictionary and codes made elsewhere.

    Where the verdict is ``refuted``, the lower point is `Solution.improved`, and `solve` can start
    there. Of an `Sae` that normalizes its data the certificate is of the normalized data, as its
    objective is, and so is what `save` writes: `verify` wants those data.

    Parameters
    ----------
    X : array-like (N, n)
        Data, a datapoint a row.
    dictionary : array-like (M, n) or Sae
        Atoms of any length: brought to length 1, their codes with them.
    codes : array-like or sparse (N, M)
        Codes of the atoms as they are given; of an `Sae` its encoder's without them.
    lambda_, gamma : float
        Prices, as in `solve`; that of an Sae's configuration without ``lambda_``.
    center : array-like (n,), optional
        Subtracted from the data, unless ``centered`` makes it a variable.
    centered : bool
        The center is a variable: its stationarity is checked, the bound is for any center.
    tolerance, bound, local, participation
        As in `solve`.
    per_batch : bool
        As in `encode`.
    {data}
    {run}

    Returns
    -------
    Solution

    {raises}
    """
    if not isinstance(dictionary, Sae):
        if arrays.flag("per_batch", per_batch):
            raise ValueError("per_batch is about an Sae")
        if codes is None:
            raise ValueError("codes are needed")
        if lambda_ is None:
            raise ValueError("lambda_ is needed")
    elif center is not None:
        raise ValueError("center: an Sae has its own")
    data = arrays.data(X, weights, skip_nonfinite, max_norm_multiple)
    with _run(max_seconds, threads, callback, progress) as run:
        return _call(
            Solution,
            run,
            _widedict.certify,
            data,
            run,
            _subject(dictionary),
            codes=_optional(lambda _, value: arrays.codes(value), "codes", codes),
            lambda_=_optional(arrays.nonnegative, "lambda_", lambda_),
            gamma=arrays.nonnegative("gamma", gamma),
            center=_optional(lambda _, value: arrays.center(value), "center", center),
            centered=arrays.flag("centered", centered),
            tolerance=arrays.positive("tolerance", tolerance),
            bound=_bound(bound),
            local=arrays.flag("local", local),
            participation=_participation(participation),
            per_batch=arrays.flag("per_batch", per_batch),
        )


@_documented
def wide(
    X,
    lambda_,
    *,
    center=False,
    weights=None,
    skip_nonfinite=False,
    max_norm_multiple=None,
    max_seconds=None,
    threads=None,
    callback=None,
    progress=False,
):
    """The wide limit, an atom a datapoint, and up to which gamma it is optimal.

    Parameters
    ----------
    X : array-like (N, n)
        Data, a datapoint a row.
    lambda_ : float
        Price of a unit of code.
    center : bool
        Learn a center too.
    {data}
    {run}

    Returns
    -------
    WideLimit

    {raises}
    """
    data = arrays.data(X, weights, skip_nonfinite, max_norm_multiple)
    with _run(max_seconds, threads, callback, progress) as run:
        return _call(
            WideLimit,
            run,
            _widedict.wide,
            data,
            run,
            lambda_=arrays.positive("lambda_", lambda_),
            center=_learnt(center),
        )


@_documented
def path(
    X,
    lambda_,
    *,
    gammas=None,
    ratios=None,
    gamma=0.0,
    center=False,
    tolerance=5e-3,
    bound="auto",
    seed=0,
    restarts=None,
    weights=None,
    skip_nonfinite=False,
    max_norm_multiple=None,
    max_seconds=None,
    threads=None,
    callback=None,
    progress=False,
):
    """A grid of gammas or of widths, each point warm-started from its neighbors.

    Parameters
    ----------
    X : array-like (N, n)
        Data, a datapoint a row.
    lambda_ : float
        Price of a unit of code.
    gammas : sequence of float
        Atom prices of the convex problem.
    ratios : sequence of float
        Widths of the joint problem, as atoms per datapoint. One of both is needed.
    gamma : float
        Price of holding an atom, with ``ratios``.
    center, tolerance, bound, seed, restarts
        As in `solve`.
    {data}
    {run}

    Returns
    -------
    Grid

    {raises}
    """
    if (gammas is None) == (ratios is None):
        raise ValueError("gammas or ratios are needed, not both")
    if gammas is not None and (arrays.nonnegative("gamma", gamma) != 0.0 or restarts is not None):
        raise ValueError("gamma and restarts go with ratios")
    gammas = [] if gammas is None else arrays.several("gammas", gammas, arrays.nonnegative)
    ratios = [] if ratios is None else arrays.several("ratios", ratios, arrays.positive)
    if not gammas and not ratios:
        raise ValueError("gammas or ratios: the grid has no point")
    data = arrays.data(X, weights, skip_nonfinite, max_norm_multiple)
    with _run(max_seconds, threads, callback, progress) as run:
        return _call(
            Grid,
            run,
            _widedict.path,
            data,
            run,
            lambda_=arrays.nonnegative("lambda_", lambda_),
            gammas=gammas,
            ratios=ratios,
            gamma=arrays.nonnegative("gamma", gamma),
            center=_learnt(center),
            tolerance=arrays.positive("tolerance", tolerance),
            bound=_bound(bound),
            seed=arrays.whole("seed", seed, least=0, most=2**64 - 1),
            restarts=_optional(arrays.whole, "restarts", restarts),
        )


@_documented
def diagnose(
    X,
    dictionary,
    lambda_=None,
    *,
    match_l0=False,
    codes=None,
    center=None,
    fixed_center=False,
    refit=False,
    compare=None,
    compare_absolute=False,
    max_pairs=1 << 27,
    min_uses=3,
    nested=0.9,
    absorption=0.5,
    antipodal=-0.7,
    duplicate=0.9,
    per_batch=False,
    weights=None,
    skip_nonfinite=False,
    max_norm_multiple=None,
    max_seconds=None,
    threads=None,
    callback=None,
    progress=False,
):
    """Diagnose a sparse autoencoder: how far its codes and dictionary are from optimal, and what they show.

    Parameters
    ----------
    X : array-like (N, n)
        Data, a datapoint a row.
    dictionary : array-like (M, n) or Sae
        Atoms of any length, or an autoencoder with its encoder.
    lambda_ : float
        Price of a unit of code; that of an Sae's configuration without it.
    match_l0 : bool
        Take the price at which exact codes use as many atoms a point as the codes given: for
        autoencoders without an L1 coefficient.
    codes : array-like or sparse (N, M), optional
        Codes of the atoms as they are given; of an Sae its encoder's without them.
    center : array-like (n,), optional
        Center of a plain dictionary; an Sae has its own.
    fixed_center : bool
        The center is fixed, not a variable: the bound is for this center alone.
    refit : bool
        Split the amortisation gap: keep the atoms of the codes given, and find their best values.
    compare : array-like (M', n) or Sae, optional
        Another dictionary to compare with.
    compare_absolute : bool
        Compare by |cosine|.
    max_pairs : int
        Most cosines the comparison may hold in memory, 8 bytes each.
    min_uses, nested, absorption, antipodal, duplicate
        What counts as what: fewest uses of an atom in a nested pair, share of a child's points,
        and cosines.
    per_batch : bool
        As in `encode`.
    {data}
    {run}

    Returns
    -------
    Diagnosis

    {raises}
    """
    if isinstance(dictionary, Sae):
        if center is not None:
            raise ValueError("center: an Sae has its own")
    elif arrays.flag("per_batch", per_batch):
        raise ValueError("per_batch is about an Sae")
    if compare is None and arrays.flag("compare_absolute", compare_absolute):
        raise ValueError("compare_absolute is about a dictionary to compare with: compare")
    if arrays.flag("match_l0", match_l0) and lambda_ is not None:
        raise ValueError("lambda_ and match_l0 exclude each other")
    data = arrays.data(X, weights, skip_nonfinite, max_norm_multiple)
    with _run(max_seconds, threads, callback, progress) as run:
        return _call(
            Diagnosis,
            run,
            _widedict.diagnose,
            data,
            run,
            _subject(dictionary),
            lambda_=_optional(arrays.positive, "lambda_", lambda_),
            match_l0=arrays.flag("match_l0", match_l0),
            codes=_optional(lambda _, value: arrays.codes(value), "codes", codes),
            center=_optional(lambda _, value: arrays.center(value), "center", center),
            fixed_center=arrays.flag("fixed_center", fixed_center),
            refit=arrays.flag("refit", refit),
            compare=_optional(lambda name, value: _subject(value, name), "compare", compare),
            compare_absolute=arrays.flag("compare_absolute", compare_absolute),
            max_pairs=arrays.whole("max_pairs", max_pairs, least=0),
            min_uses=arrays.whole("min_uses", min_uses, least=0),
            nested=arrays.share("nested", nested),
            absorption=arrays.share("absorption", absorption, low=-1.0),
            antipodal=arrays.share("antipodal", antipodal, low=-1.0),
            duplicate=arrays.share("duplicate", duplicate, low=-1.0),
            per_batch=arrays.flag("per_batch", per_batch),
        )


@_documented
def verify(
    folder,
    X,
    *,
    weights=None,
    skip_nonfinite=False,
    max_norm_multiple=None,
    max_seconds=None,
    threads=None,
    callback=None,
    progress=False,
):
    """Prove again what `Solution.save` or ``--out`` wrote.

    Objective, bounds, gap, stationarity, local proof and verdict are computed again from the files
    and the data; a bound that is recorded above what is proved now does not hold.

    Parameters
    ----------
    folder : path
        Folder of a solution.
    X : array-like (N, n)
        The data it is of.
    {data}
    {run}

    Returns
    -------
    Verification
        True where every claim holds. Of a run that ended early, claims that it had no time for are
        `Verification.unchecked`, which do not fail, and it is not true.

    {raises}
    """
    data = arrays.data(X, weights, skip_nonfinite, max_norm_multiple)
    with _run(max_seconds, threads, callback, progress) as run:
        return _call(Verification, run, _widedict.verify, os.fspath(folder), data, run)


class Sae:
    """A sparse autoencoder as it is stored: what `load_sae` returns.

    Attributes
    ----------
    dictionary : ndarray (M, n)
        The decoder, in the units of the weights.
    center : ndarray (n,) or None
        The decoder bias, in the units of the weights.
    atoms, dim : int
    architecture, program : str
    encoder : str or None
        What the encoder does, in words; None where it is not used, and `no_encoder` says why.
    l1_coefficient : float or None
        In the program's own units.
    """

    def __init__(self, native):
        self._native = native
        self.path = native.path
        self.atoms = native.atoms
        self.dim = native.dim
        self.architecture = native.architecture
        self.program = native.program
        self.encoder = native.encoder
        self.no_encoder = native.no_encoder
        self.l1_coefficient = native.l1_coefficient

    @property
    def dictionary(self):
        return self._native.decoder()

    @property
    def center(self):
        return self._native.decoder_bias()

    def to_dict(self):
        """What it is, without its arrays."""
        names = ("path", "program", "architecture", "atoms", "dim", "encoder", "no_encoder", "l1_coefficient")
        return {name: getattr(self, name) for name in names}

    def __repr__(self):
        encoder = self.encoder or f"encoder not used: {self.no_encoder}"
        return (
            f"{self.path}: {self.program}, {self.architecture}\n"
            f"{self.atoms} atoms of dimension {self.dim}; {encoder}"
        )


def load_sae(path, *, dim=None, atoms=None):
    """Read a sparse autoencoder of another program: SAELens, dictionary_learning, sparsify, Gemma Scope, …

    Parameters
    ----------
    path : path
        Its folder, or its file of weights.
    dim : int, optional
        Dimension of the data, where nothing else tells which side of the decoder counts the atoms.
    atoms : {"rows", "columns"}, optional
        That, told.

    Returns
    -------
    Sae

    Raises
    ------
    OSError, ValueError
        Naming file, tensor and key; a `FileNotFoundError` where there is none.
    """
    if atoms is not None:
        atoms = _text("atoms", atoms, ("rows", "columns"))
    there = [os.path.isfile(os.path.join(os.fspath(path), name)) for name in ("certificate.json", "cfg.json")]
    if there == [True, False]:
        raise ValueError(f"{os.fspath(path)}: the folder of a solution; its autoencoder is the folder sae in it")
    return Sae(_widedict.load_sae(os.fspath(path), _optional(arrays.whole, "dim", dim), atoms))


def digits():
    """1797 handwritten digits of 8 × 8 pixels from 0 to 1, (1797, 64); they travel with the library."""
    return _widedict.digits()


def lambda_of_sklearn(alpha):
    """λ of scikit-learn's ``alpha``: the same number."""
    return _widedict.lambda_from_sklearn(arrays.nonnegative("alpha", alpha))
