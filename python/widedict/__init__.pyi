"""Types of `widedict`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin

__version__: str

Callback = Callable[[dict[str, Any]], object]
Bound = Literal["auto", "none", "fast", "nuclear", "relaxation", "exact"]
Path = str | PathLike[str]
Floats = NDArray[np.float64]

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
    dictionary: Floats
    codes: csr_array
    center: Floats | None
    certificate: Certificate
    objective: float
    lower_bound: float
    relative_gap: float
    verdict: str
    stop: str
    def reconstruction(self) -> Floats: ...
    def save(self, folder: Path) -> None: ...
    @staticmethod
    def load(folder: Path) -> SavedSolution: ...

class SavedSolution:
    folder: str
    dictionary: Floats
    codes: csr_array
    center: Floats | None
    claimed: dict[str, Any]
    def __init__(self, folder: Path) -> None: ...
    def to_dict(self) -> dict[str, Any]: ...
    def verify(self, X: ArrayLike, **options: Any) -> Verification: ...

load = SavedSolution

class Encoding(_Answer):
    codes: csr_array
    objectives: Floats | None
    gaps: Floats | None
    def save(self, path: Path) -> None: ...
    @staticmethod
    def load(path: Path) -> csr_array: ...

class WideLimit(_Answer):
    value: float
    lower_bound: float
    boundary_gamma: float | None
    stop: str
    def save(self, folder: Path) -> None: ...
    @staticmethod
    def load(folder: Path) -> tuple[Floats, csr_array, Floats]: ...

class Grid(_Answer):
    solutions: list[Solution]
    wide_limit: float
    excess_estimate: Mapping[str, Any] | None
    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Solution: ...
    def __iter__(self) -> Iterator[Solution]: ...
    def save(self, folder: Path) -> None: ...
    @staticmethod
    def load(folder: Path) -> list[SavedSolution]: ...

class Diagnosis(_Answer):
    exact_codes: csr_array
    given_codes: csr_array | None
    codes: dict[str, Any]
    dictionary: dict[str, Any]
    def save(self, folder: Path) -> None: ...
    @staticmethod
    def load(folder: Path) -> dict[str, Any]: ...

@dataclass(frozen=True)
class Claim:
    claim: str
    holds: bool
    reason: str | None

class Verification:
    verified: bool
    verdict: str | None
    claims: list[Claim]
    not_checked: tuple[str, ...]
    notes: tuple[str, ...]
    @property
    def failed(self) -> list[Claim]: ...
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
    def dictionary(self) -> Floats: ...
    @property
    def center(self) -> Floats | None: ...
    def to_dict(self) -> dict[str, Any]: ...

def solve(
    X: ArrayLike,
    lambda_: float,
    gamma: float = 0.0,
    *,
    width: int | None = None,
    center: bool = False,
    method: Literal["auto", "proximal", "conic", "closed-form"] = "auto",
    tolerance: float = 5e-3,
    bound: Bound = "auto",
    local: bool = True,
    global_: bool = False,
    seed: int = 0,
    restarts: int | None = None,
    participation: float | Literal["auto"] | None = None,
    start: Solution | SavedSolution | Path | None = None,
    weights: ArrayLike | None = None,
    skip_nonfinite: bool = False,
    max_norm_multiple: float | None = None,
    max_seconds: float | None = None,
    threads: int | None = None,
    callback: Callback | None = None,
    progress: bool = False,
) -> Solution: ...
def encode(
    X: ArrayLike,
    dictionary: ArrayLike | Sae,
    lambda_: float | None = None,
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
    callback: Callback | None = None,
    progress: bool = False,
) -> Encoding: ...
def certify(
    X: ArrayLike,
    dictionary: ArrayLike | Sae,
    codes: ArrayLike | csr_array | None = None,
    lambda_: float | None = None,
    gamma: float = 0.0,
    *,
    center: ArrayLike | None = None,
    centered: bool = False,
    tolerance: float = 5e-3,
    bound: Bound = "auto",
    local: bool = True,
    participation: float | Literal["auto"] | None = None,
    per_batch: bool = False,
    weights: ArrayLike | None = None,
    skip_nonfinite: bool = False,
    max_norm_multiple: float | None = None,
    max_seconds: float | None = None,
    threads: int | None = None,
    callback: Callback | None = None,
    progress: bool = False,
) -> Solution: ...
def wide(
    X: ArrayLike,
    lambda_: float,
    *,
    center: bool = False,
    weights: ArrayLike | None = None,
    skip_nonfinite: bool = False,
    max_norm_multiple: float | None = None,
    max_seconds: float | None = None,
    threads: int | None = None,
    callback: Callback | None = None,
    progress: bool = False,
) -> WideLimit: ...
def path(
    X: ArrayLike,
    lambda_: float,
    *,
    gammas: Sequence[float] | None = None,
    ratios: Sequence[float] | None = None,
    gamma: float = 0.0,
    center: bool = False,
    tolerance: float = 5e-3,
    bound: Bound = "auto",
    seed: int = 0,
    restarts: int | None = None,
    weights: ArrayLike | None = None,
    skip_nonfinite: bool = False,
    max_norm_multiple: float | None = None,
    max_seconds: float | None = None,
    threads: int | None = None,
    callback: Callback | None = None,
    progress: bool = False,
) -> Grid: ...
def diagnose(
    X: ArrayLike,
    dictionary: ArrayLike | Sae,
    lambda_: float | None = None,
    *,
    match_l0: bool = False,
    codes: ArrayLike | csr_array | None = None,
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
    callback: Callback | None = None,
    progress: bool = False,
) -> Diagnosis: ...
def verify(
    folder: Path,
    X: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    skip_nonfinite: bool = False,
    max_norm_multiple: float | None = None,
    max_seconds: float | None = None,
    threads: int | None = None,
    callback: Callback | None = None,
    progress: bool = False,
) -> Verification: ...
def load_sae(
    path: Path,
    *,
    dim: int | None = None,
    atoms: Literal["rows", "columns"] | None = None,
) -> Sae: ...
def digits() -> Floats: ...

class _Coder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    components_: Floats
    center_: Floats | None
    n_features_in_: int
    def transform(self, X: ArrayLike) -> Floats | csr_array: ...
    def inverse_transform(self, X: ArrayLike | csr_array) -> Floats: ...
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
        bound: Bound = "fast",
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
