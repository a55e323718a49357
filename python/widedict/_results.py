"""What the functions return."""

from __future__ import annotations

import json
import keyword
import os
from dataclasses import dataclass

from . import _widedict
from ._arrays import to_csr

__all__ = [
    "Certificate",
    "Certified",
    "Claim",
    "Diagnosis",
    "Encoding",
    "Estimated",
    "Grid",
    "Improved",
    "Interrupted",
    "SavedSolution",
    "Solution",
    "Verification",
    "WideLimit",
]


class Interrupted(KeyboardInterrupt):
    """Ctrl-C ended a run. What it had by then is its `solution`, certified like any other.

    A `KeyboardInterrupt`: a notebook shows it as one, and ``except Exception`` lets it pass. Also
    raised in place of an exception of a callback that takes no attribute, which is its ``__cause__``.
    A script that does not catch it ends with code 1, not by the signal.
    """

    def __init__(self, solution):
        super().__init__("the run was interrupted; its best answer so far is .solution of this exception")
        self.solution = solution


@dataclass(frozen=True)
class Certified:
    """What is proved of a solution, every rounding counted."""

    lower_bound: float | None
    """No dictionary of any width has a lower objective."""
    upper_bound: float | None
    """The objective of this one is at most that."""
    relative_gap: float | None
    """(objective - lower_bound) / objective."""
    bound_kind: str
    """How the bound is proved."""
    width_lower_bound: float | None
    """No dictionary of so many atoms has a lower objective; None unless it is above `lower_bound`."""
    width_bound_kind: str | None


@dataclass(frozen=True)
class Estimated:
    """What a search suggests, and nothing proves."""

    lower_bound: float | None
    relative_gap: float | None


class _Answer:
    """An answer with the fields of the command's JSON as attributes."""

    def __init__(self, native, notes=(), stop="tolerance-met"):
        self._native = native
        self._fields = json.loads(native.json())
        self.notes = tuple(notes)
        """What is no error and should be known."""

    def __getattr__(self, name):
        if not name.startswith("_"):
            fields = self.__dict__.get("_fields", {})
            # `lambda` is a word of Python.
            for key in (name, name.removesuffix("_")):
                if key in fields and (key == name or keyword.iskeyword(key)):
                    return fields[key]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __dir__(self):
        fields = {f"{name}_" if keyword.iskeyword(name) else name for name in self._fields}
        return sorted(set(super().__dir__()) | fields)

    def to_dict(self):
        """The fields of the command's ``--json``: dictionaries, lists, numbers, strings, None."""
        return json.loads(self._native.json())

    def __repr__(self):
        return self._native.text().rstrip("\n")

    def __reduce__(self):
        raise TypeError(f"{type(self).__name__} is not pickled: use save(), and load() what it wrote")


class Certificate:
    """What is known of a solution: proved (`certified`), and estimated (`estimated`).

    Attributes
    ----------
    objective : float
        The objective of the solution, in floating point.
    certified : Certified
        Bounds that are proved.
    estimated : Estimated
        Bounds that are not.
    verdict : str
        What follows. ``global``: the gap is within the tolerance, for any number of atoms;
        ``global-width``: for this number of atoms, among all dictionaries; ``local``: a local optimum is
        proved within a stated radius of it, no higher than it; ``refuted``: a better one is known, or it
        is not stationary; ``feasible``: nothing else was asked; ``undecided``: none of these.
    verdict_reason : str or None

    Notes
    -----
    ``certified.bound_kind`` says what proves the lower bound: ``closed-form``, ``wide-limit``, ``fast``,
    ``nuclear``, ``quartic``, ``squares``, ``relaxation``, ``sdp``, ``exact``, or ``none``. The ``kkt`` of a solution
    has for ``codes``, ``dictionary`` and ``center`` how far each is from stationary: ``value``, in the
    units of the objective's gradient, and ``scale``, what it is measured by; their ratio is the relative
    residual.
    """

    def __init__(self, fields, upper, text):
        self._text = text
        self.objective = fields["objective"]
        self.verdict = fields["verdict"]
        self.verdict_reason = fields["verdict_reason"]
        self.certified = Certified(
            lower_bound=fields["lower_bound"],
            upper_bound=upper,
            relative_gap=fields["relative_gap"],
            bound_kind=fields["bound_kind"],
            width_lower_bound=fields["width_lower_bound"],
            width_bound_kind=fields["width_bound_kind"],
        )
        self.estimated = Estimated(
            lower_bound=fields["estimated_lower_bound"],
            relative_gap=fields["estimated_relative_gap"],
        )

    def __repr__(self):
        return self._text.rstrip("\n")


class Solution(_Answer):
    """A dictionary with codes and a certificate: what `solve` and `certify` return.

    The fields of the command's ``--json`` are attributes: ``objective``, ``stop``, ``verdict``,
    ``kkt``, …; `to_dict` has them all.

    Attributes
    ----------
    dictionary : ndarray (M, n)
        Unit atoms.
    codes : scipy.sparse.csr_array (N, M)
        Nonnegative codes; rows of masked datapoints are empty.
    center : ndarray (n,) or None
        What is subtracted from the data.
    certificate : Certificate
    stop : str
        Why the run ended: ``tolerance-met``, ``iteration-limit``, ``time-limit``, ``stalled``,
        ``cancelled``; ``none`` where nothing ran.
    lambda_ : float
        The field ``lambda``, which is a word of Python.
    """

    def __init__(self, native, notes=(), stop="tolerance-met"):
        super().__init__(native, notes)
        self.dictionary = native.dictionary()
        self.codes = to_csr(native.codes())
        self.center = native.center()
        self.certificate = Certificate(self._fields, native.upper_bound(), native.proved())

    @property
    def improved(self):
        """The lower point that refutes it, an `Improved`, or None. `save` writes it to ``improved/``."""
        native = self._native.improved()
        return None if native is None else Improved(native)

    def reconstruction(self):
        """``codes @ dictionary + center``, (N, n): of data that an Sae normalizes, of these."""
        product = self.codes @ self.dictionary
        return product if self.center is None else product + self.center

    def save(self, folder):
        """Writes what ``--out`` writes: dictionary.npy, codes.npz, center.npy, certificate.json."""
        self._native.save(os.fspath(folder))

    @staticmethod
    def load(folder):
        """Reads what `save` or ``--out`` wrote: a `SavedSolution`."""
        return SavedSolution(folder)


class Improved:
    """A point that is proved to be lower than a solution, which it refutes: `Solution.improved`.

    Nothing else is proved of it. `solve` and `certify` go on from it: ``solve(X, …, start=improved)``.

    Attributes
    ----------
    dictionary, codes, center
        As those of `Solution`.
    objective : float
    """

    def __init__(self, native):
        self._native = native
        self.dictionary = native.dictionary()
        self.codes = to_csr(native.codes())
        self.center = native.center()
        self.objective = native.objective()

    def __repr__(self):
        atoms, dim = self.dictionary.shape
        return f"a lower point: {atoms} atoms of dimension {dim}, objective {self.objective}"

    def __reduce__(self):
        raise TypeError("Improved is not pickled: save() of its solution writes it to improved/")


class SavedSolution:
    """A solution as it is read from a folder: nothing in it is proved before `verify`.

    Attributes
    ----------
    dictionary, codes, center
        As those of `Solution`.
    claimed : dict
        All of certificate.json.
    """

    def __init__(self, folder):
        self.folder = os.fspath(folder)
        fields = _widedict.load(self.folder)
        self.dictionary = fields["dictionary"]
        self.codes = to_csr(fields["codes"])
        self.center = fields["center"]
        self.claimed = json.loads(fields["certificate"])

    def to_dict(self):
        """certificate.json."""
        return json.loads(json.dumps(self.claimed))

    def verify(self, X, **options):
        """`widedict.verify` of this folder, which must be as it was when it was loaded."""
        from ._functions import verify

        return verify(self._unchanged(), X, **options)

    def _unchanged(self):
        """The folder, where it says what it said."""
        if json.loads(_widedict.description(self.folder)) != self.claimed:
            raise ValueError(f"{self.folder}: was written again since it was loaded; load it again")
        return self.folder

    def __repr__(self):
        (atoms, dim), points = self.dictionary.shape, self.codes.shape[0]
        claimed = {key: self.claimed.get(key) for key in ("objective", "lower_bound", "verdict")}
        words = ", ".join(f"{key} {value}" for key, value in claimed.items() if value is not None)
        return (
            f"{self.folder}: {atoms} atoms of dimension {dim}, codes of {points} points\n"
            f"claimed, not verified here: {words or 'nothing'}"
        )


class Encoding(_Answer):
    """Codes of data: what `encode` returns.

    Attributes
    ----------
    codes : scipy.sparse.csr_array (N, M)
        Codes of the atoms as they were given, of any length.
    objectives : ndarray or None
        The objective of every datapoint that is not masked; None for an encoder's codes.
    gaps : ndarray or None
        How far each objective is at most above its least value: duality gaps in floating point.
    """

    def __init__(self, native, notes=(), stop="tolerance-met"):
        super().__init__(native, notes)
        self.codes = to_csr(native.codes())
        self.objectives = native.objectives()
        self.gaps = native.gaps()

    def save(self, path):
        """Writes the codes as scipy's sparse .npz to this very name, as ``--out`` does."""
        self._native.save(os.fspath(path))

    @staticmethod
    def load(path):
        """The codes of such a file: ``scipy.sparse.load_npz``."""
        import scipy.sparse

        return scipy.sparse.csr_array(scipy.sparse.load_npz(path))


class WideLimit(_Answer):
    """The wide limit: what `wide` returns. ``value``, ``lower_bound``, ``boundary_gamma``, ``stop``, …"""

    def save(self, folder):
        """Writes the solution with an atom a datapoint, as ``--out`` does."""
        self._native.save(os.fspath(folder))

    @staticmethod
    def load(folder):
        """Dictionary, codes and center of such a folder; nothing is claimed of them."""
        import numpy
        import scipy.sparse

        at = [os.path.join(folder, name) for name in ("dictionary.npy", "codes.npz", "center.npy")]
        codes = scipy.sparse.csr_array(scipy.sparse.load_npz(at[1]))
        return numpy.load(at[0]), codes, numpy.load(at[2])


class Grid(_Answer):
    """A grid: what `path` returns. A sequence of `Solution`; ``wide_limit``, ``excess_estimate``.

    Attributes
    ----------
    stop : str
        ``time-limit`` or ``cancelled`` where that ended the run, which may leave rows out; else
        that of the first row that met no tolerance, or ``tolerance-met``.
    """

    def __init__(self, native, notes=(), stop="tolerance-met"):
        super().__init__(native, notes)
        self.solutions = [Solution(row) for row in native.rows()]
        stops = [stop, *(solution.stop for solution in self.solutions)]
        self.stop = next((stop for stop in stops if stop != "tolerance-met"), "tolerance-met")

    def __len__(self):
        return len(self.solutions)

    def __getitem__(self, index):
        return self.solutions[index]

    def save(self, folder):
        """Writes what ``--out`` writes: path.json, path.csv and a folder a row."""
        self._native.save(os.fspath(folder))

    @staticmethod
    def load(folder):
        """The `SavedSolution` of every row."""
        names = sorted(name for name in os.listdir(folder) if name.startswith("row-"))
        return [SavedSolution(os.path.join(folder, name)) for name in names]


class Diagnosis(_Answer):
    """What codes and atoms show: what `diagnose` returns.

    The parts of the command's ``--json`` are attributes: ``codes``, ``dictionary``, ``residuals``, …

    Attributes
    ----------
    exact_codes, given_codes : scipy.sparse.csr_array (N, M) or None
        The best codes, and those that were given, of the atoms as they were given.
    stop : str
        ``time-limit`` or ``cancelled`` where that ended the run: ``unfinished`` names the parts that are
        missing; else ``tolerance-met``.
    """

    def __init__(self, native, notes=(), stop="tolerance-met"):
        super().__init__(native, notes)
        self.stop = stop
        self.exact_codes = to_csr(native.exact_codes())
        given = native.given_codes()
        self.given_codes = None if given is None else to_csr(given)

    def save(self, folder):
        """Writes what ``--out`` writes: diagnosis.json, diagnosis.html, tables and codes."""
        self._native.save(os.fspath(folder))

    @staticmethod
    def load(folder):
        """diagnosis.json of such a folder."""
        with open(os.path.join(folder, "diagnosis.json"), encoding="utf-8") as file:
            return json.load(file)


@dataclass(frozen=True)
class Claim:
    """A claim of a folder, and whether it holds."""

    claim: str
    holds: bool
    checked: bool
    """False where the run ended before it was: it neither holds nor fails."""
    reason: str | None


class Verification:
    """Every claim of a folder, proved again or not: what `verify` returns. True where all hold.

    Attributes
    ----------
    verified : bool
    verdict : str or None
        The verdict that was claimed.
    stop : str
        ``tolerance-met``, or ``time-limit`` or ``cancelled`` where that ended the run.
    claims : list of Claim
    not_checked : tuple of str
        Fields that nothing in the files can show, and only the checksum covers.
    """

    def __init__(self, native, notes=(), stop="tolerance-met"):
        text_json, self._text = native
        self._fields = json.loads(text_json)
        self.notes = tuple(notes)
        self.verified = self._fields["verified"]
        self.verdict = self._fields["verdict"]
        self.stop = self._fields["stop"]
        self.claims = [Claim(**claim) for claim in self._fields["claims"]]
        self.not_checked = tuple(self._fields["not_checked"])

    @property
    def failed(self):
        """The claims that do not hold."""
        return [claim for claim in self.claims if claim.checked and not claim.holds]

    @property
    def unchecked(self):
        """The claims that a run had no time for: they neither hold nor fail."""
        return [claim for claim in self.claims if not claim.checked]

    def __bool__(self):
        return self.verified

    def to_dict(self):
        """The fields of the command's ``--json``."""
        return json.loads(json.dumps(self._fields))

    def __repr__(self):
        return self._text.rstrip("\n")
