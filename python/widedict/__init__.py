"""Sparse dictionaries with certificates.

The problem that sparse autoencoders solve by gradient descent, solved and proved: every answer comes
with a certificate, in which what is proved and what is estimated are kept apart. Functions are those
of the ``widedict`` command, on arrays:

`solve`, `encode`, `certify`, `wide`, `path`, `diagnose`, `verify`, `load_sae`

and two estimators for scikit-learn, `DictionaryLearning` and `SparseCoder`.
"""

from importlib.util import find_spec as _find_spec

from ._functions import Sae, certify, diagnose, digits, encode, load_sae, path, solve, verify, wide
from ._results import (
    Certificate,
    Certified,
    Claim,
    Diagnosis,
    Encoding,
    Estimated,
    Grid,
    Improved,
    Interrupted,
    SavedSolution,
    Solution,
    Verification,
    WideLimit,
)
from ._widedict import __version__

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
    "Sae",
    "SavedSolution",
    "Solution",
    "Verification",
    "WideLimit",
    "__version__",
    "certify",
    "diagnose",
    "digits",
    "encode",
    "load",
    "load_sae",
    "path",
    "solve",
    "verify",
    "wide",
]

load = SavedSolution

# The estimators are there where scikit-learn is.
_ESTIMATORS = ("DictionaryLearning", "SparseCoder")
if _find_spec("sklearn") is not None:
    __all__ = sorted([*__all__, *_ESTIMATORS])


def __getattr__(name):
    # scikit-learn is needed by its estimators alone.
    if name in _ESTIMATORS:
        try:
            from . import _sklearn
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "sklearn":
                raise
            raise AttributeError(f"widedict.{name} needs scikit-learn: pip install scikit-learn") from error
        return getattr(_sklearn, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
