"""Types of `widedict`."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, sparray, spmatrix
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin

__version__: str

_Callback = Callable[[dict[str, Any]], object]
_Bound = Literal["auto", "none", "fast", "nuclear", "quartic", "relaxation", "exact"]
_Path = str | PathLike[str]
_Floats = NDArray[np.float64]
_Sparse = sparray | spmatrix
_Number = float | np.number[Any] | NDArray[Any]

class Interrupted(KeyboardInterrupt):
    solution: Any
    def __init__(self, solution: Any) -> None: ...

@dataclass(frozen=True)
class Certified:
    lower_bound: float | None
    upper_bound: float | None
    relative_gap: float | None
    bound_kind: str
    width_lower_bound: float | None
    width_bound_kind: str | None

@dataclass(frozen=True)
class Estimated:
    lower_bound: float | None
    relative_gap: float | None

class Certificate:
    objective: float
    certified: Certified
    estimated: Estimated
    verdict: str
    verdict_reason: str | None

class _Answer:
    notes: tuple[str, ...]
    def to_dict(self) -> dict[str, Any]: ...
    # The other fields of the command's JSON.
    def __getattr__(self, name: str) -> Any: ...

class Solution(_Answer):
    dictionary: _Floats
    codes: csr_array
    center: _Floats | None
    certificate: Certificate
    objective: float
    lower_bound: float
    relative_gap: float
    verdict: str
    stop: str
    lambda_: float
    @property
    def improved(self) -> Improved | None: ...
    def reconstruction(self) -> _Floats: ...
    def save(self, folder: _Path) -> None: ...
    @staticmethod
    def load(folder: _Path) -> SavedSolution: ...

class Improved:
    dictionary: _Floats
    codes: csr_array
    center: _Floats | None
    objective: float

class SavedSolution:
    folder: str
    dictionary: _Floats
    codes: csr_array
    center: _Floats | None
    claimed: dict[str, Any]
    def __init__(self, folder: _Path) -> None: ...
    def to_dict(self) -> dict[str, Any]: ...
    def verify(self, X: ArrayLike, **options: Any) -> Verification: ...

load = SavedSolution

class Encoding(_Answer):
    codes: csr_array
    objectives: _Floats | None
    gaps: _Floats | None
    def save(self, path: _Path) -> None: ...
    @staticmethod
    def load(path: _Path) -> csr_array: ...

class WideLimit(_Answer):
    value: float
    lower_bound: float
    boundary_gamma: float | None
    stop: str
    def save(self, folder: _Path) -> None: ...
    @staticmethod
    def load(folder: _Path) -> tuple[_Floats, csr_array, _Floats]: ...

class Grid(_Answer):
    solutions: list[Solution]
    wide_limit: float
    excess_estimate: Mapping[str, Any] | None
    def __len__(self) -> int: ...
    stop: str
    @overload
    def __getitem__(self, index: int) -> Solution: ...
    @overload
    def __getitem__(self, index: slice) -> list[Solution]: ...
    def __iter__(self) -> Iterator[Solution]: ...
    def save(self, folder: _Path) -> None: ...
    @staticmethod
    def load(folder: _Path) -> list[SavedSolution]: ...

class Diagnosis(_Answer):
    exact_codes: csr_array
    given_codes: csr_array | None
    stop: str
    codes: dict[str, Any]
    dictionary: dict[str, Any]
    def save(self, folder: _Path) -> None: ...
    @staticmethod
    def load(folder: _Path) -> dict[str, Any]: ...

@dataclass(frozen=True)
class Claim:
    claim: str
    holds: bool
    checked: bool
    reason: str | None

class Verification:
    verified: bool
    verdict: str | None
    stop: str
    claims: list[Claim]
    not_checked: tuple[str, ...]
    notes: tuple[str, ...]
    @property
    def failed(self) -> list[Claim]: ...
    @property
    def unchecked(self) -> list[Claim]: ...
    def __bool__(self) -> bool: ...
    def to_dict(self) -> dict[str, Any]: ...

class Sae:
    path: str
    atoms: int
    dim: int
    architecture: str
    program: str
    encoder: str | None
    no_encoder: str | None
    l1_coefficient: float | None
    @property
    def dictionary(self) -> _Floats: ...
    @property
    def center(self) -> _Floats | None: ...
    def to_dict(self) -> dict[str, Any]: ...

def solve(
    X: ArrayLike,
    lambda_: _Number,
    gamma: _Number = 0.0,
    *,
    width: int | None = None,
    center: bool = False,
    method: Literal["auto", "proximal", "conic", "closed-form"] = "auto",
    tolerance: float = 5e-3,
    bound: _Bound = "auto",
    local: bool = True,
    global_: bool = False,
    seed: int = 0,
    restarts: int | None = None,
    participation: float | Literal["auto"] | None = None,
    start: Solution | SavedSolution | Improved | _Path | None = None,
    weights: ArrayLike | None = None,
    skip_nonfinite: bool = False,
    max_norm_multiple: float | None = None,
    max_seconds: float | None = None,
    threads: int | None = None,
    callback: _Callback | None = None,
    progress: bool = False,
) -> Solution: ...
def encode(
    X: ArrayLike,
    dictionary: ArrayLike | Sae,
    lambda_: _Number | None = None,
    *,
    center: ArrayLike | None = None,
    tolerance: float | None = None,
    exact: bool = False,
    per_batch: bool = False,
    weights: ArrayLike | None = None,
    skip_nonfinite: bool = False,
    max_norm_multiple: float | None = None,
    max_seconds: float | None = None,
    threads: int | None = None,
    callback: _Callback | None = None,
    progress: bool = False,
) -> Encoding: ...
def certify(
    X: ArrayLike,
    dictionary: ArrayLike | Sae,
    codes: ArrayLike | _Sparse | None = None,
    lambda_: _Number | None = None,
    gamma: _Number = 0.0,
    *,
    center: ArrayLike | None = None,
    centered: bool = False,
    tolerance: float = 5e-3,
    bound: _Bound = "auto",
    local: bool = True,
    participation: float | Literal["auto"] | None = None,
    per_batch: bool = False,
    weights: ArrayLike | None = None,
    skip_nonfinite: bool = False,
    max_norm_multiple: float | None = None,
    max_seconds: float | None = None,
    threads: int | None = None,
    callback: _Callback | None = None,
    progress: bool = False,
) -> Solution: ...
def wide(
    X: ArrayLike,
    lambda_: _Number,
    *,
    center: bool = False,
    weights: ArrayLike | None = None,
    skip_nonfinite: bool = False,
    max_norm_multiple: float | None = None,
    max_seconds: float | None = None,
    threads: int | None = None,
    callback: _Callback | None = None,
    progress: bool = False,
) -> WideLimit: ...
def path(
    X: ArrayLike,
    lambda_: _Number,
    *,
    gammas: Iterable[float] | NDArray[Any] | None = None,
    ratios: Iterable[float] | NDArray[Any] | None = None,
    gamma: float = 0.0,
    center: bool = False,
    tolerance: float = 5e-3,
    bound: _Bound = "auto",
    seed: int = 0,
    restarts: int | None = None,
    weights: ArrayLike | None = None,
    skip_nonfinite: bool = False,
    max_norm_multiple: float | None = None,
    max_seconds: float | None = None,
    threads: int | None = None,
    callback: _Callback | None = None,
    progress: bool = False,
) -> Grid: ...
def diagnose(
    X: ArrayLike,
    dictionary: ArrayLike | Sae,
    lambda_: _Number | None = None,
    *,
    match_l0: bool = False,
    codes: ArrayLike | _Sparse | None = None,
    center: ArrayLike | None = None,
    fixed_center: bool = False,
    refit: bool = False,
    compare: ArrayLike | Sae | None = None,
    compare_absolute: bool = False,
    max_pairs: int = ...,
    min_uses: int = 3,
    nested: float = 0.9,
    absorption: float = 0.5,
    antipodal: float = -0.7,
    duplicate: float = 0.9,
    per_batch: bool = False,
    weights: ArrayLike | None = None,
    skip_nonfinite: bool = False,
    max_norm_multiple: float | None = None,
    max_seconds: float | None = None,
    threads: int | None = None,
    callback: _Callback | None = None,
    progress: bool = False,
) -> Diagnosis: ...
def verify(
    folder: _Path,
    X: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    skip_nonfinite: bool = False,
    max_norm_multiple: float | None = None,
    max_seconds: float | None = None,
    threads: int | None = None,
    callback: _Callback | None = None,
    progress: bool = False,
) -> Verification: ...
def load_sae(
    path: _Path,
    *,
    dim: int | None = None,
    atoms: Literal["rows", "columns"] | None = None,
) -> Sae: ...
def digits() -> _Floats: ...

class _Coder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    components_: _Floats
    center_: _Floats | None
    n_features_in_: int
    def transform(self, X: ArrayLike) -> _Floats | csr_array: ...
    def inverse_transform(self, X: ArrayLike | _Sparse) -> _Floats: ...
    def score(self, X: ArrayLike, y: object = None) -> float: ...

class DictionaryLearning(_Coder):
    certificate_: Certificate
    objective_: float
    stop_: str
    n_components_: int
    def __init__(
        self,
        n_components: int | Literal["auto"] | None = None,
        alpha: float = 1.0,
        *,
        gamma: float = 0.0,
        fit_center: bool = False,
        tol: float = 5e-3,
        bound: _Bound = "fast",
        restarts: int = 1,
        max_seconds: float | None = None,
        sparse_output: bool = False,
        random_state: int | np.random.RandomState | None = None,
        threads: int | None = None,
    ) -> None: ...
    def fit(self, X: ArrayLike, y: object = None) -> DictionaryLearning: ...

class SparseCoder(_Coder):
    def __init__(
        self,
        dictionary: ArrayLike | None = None,
        alpha: float = 1.0,
        *,
        center: ArrayLike | None = None,
        sparse_output: bool = False,
        threads: int | None = None,
    ) -> None: ...
    def fit(self, X: ArrayLike, y: object = None) -> SparseCoder: ...
