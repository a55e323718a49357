"""Arrays as the library takes them: checked, and copied only where their type demands it."""

from __future__ import annotations

import numbers

import numpy as np
import scipy.sparse

__all__ = ["to_csr", "codes", "data", "dictionary", "positive", "share", "vector", "whole"]


def _array(name, values):
    """A NumPy array of anything that is one: nested lists, `__array__`, DLPack (torch, jax)."""
    if isinstance(values, np.ndarray):
        return np.asarray(values)
    if scipy.sparse.issparse(values):
        raise TypeError(f"{name}: expected a dense array, found a sparse one; use {name}.toarray()")
    if hasattr(values, "__dlpack__") and not hasattr(values, "__array_interface__"):
        # A tensor that needs a gradient, or lies on another device, is not shared as it is.
        tensor = values.detach() if hasattr(values, "detach") else values
        tensor = tensor.cpu() if hasattr(tensor, "cpu") else tensor
        try:
            return np.from_dlpack(tensor)
        except (TypeError, RuntimeError, BufferError, AttributeError):
            # Types NumPy has no name for, such as bfloat16.
            if hasattr(tensor, "float"):
                return np.asarray(tensor.float())
            return np.asarray(tensor)
    try:
        return np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _numbers(name, values, keep_single):
    """Float64 of it, or float32 as it is: other types of numbers are converted."""
    array = _array(name, values)
    if array.dtype.kind == "c":
        raise ValueError(f"{name}: Complex data not supported, found {array.dtype}")
    if array.dtype.kind == "O":
        # As NumPy does: numbers in objects are numbers, and what is none says so itself.
        array = array.astype(np.float64)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name}: expected numbers, found {array.dtype}")
    if keep_single and array.dtype == np.float32:
        wanted = np.dtype(np.float32)
    else:
        wanted = np.dtype(np.float64)
    # Native byte order and alignment; strides and write protection are the array's own.
    if array.dtype != wanted or not array.flags.aligned:
        given, array = array, array.astype(wanted)
        if given.dtype.kind in "iu" and given.dtype.itemsize == 8:
            _exact(name, given, array)
    return array


def _exact(name, given, converted):
    """Refuses integers of eight bytes that no double holds, as the command does."""
    if converted.size == 0 or max(converted.max(), -converted.min()) < 2.0**53:
        return
    # What was rounded up to the end of the type's range has no way back.
    beyond = converted > np.iinfo(given.dtype).max - 1024
    inexact = beyond | (np.where(beyond, 0.0, converted).astype(given.dtype) != given)
    for place in np.argwhere(inexact)[:1]:
        at = ", ".join(map(str, place))
        raise ValueError(f"{name}[{at}]: no float64 holds {given[tuple(place)]}; convert it first")


def _matrix(name, values, rows, keep_single=True):
    array = _numbers(name, values, keep_single)
    if array.ndim != 2:
        hint = f"; reshape it with {name}.reshape(-1, 1) or {name}.reshape(1, -1)" if array.ndim == 1 else ""
        raise ValueError(f"{name}: expected a 2D array, {rows} a row, found shape {array.shape}{hint}")
    return array


def data(x, weights, skip_nonfinite, max_norm_multiple):
    """What the library's functions take as data."""
    x = _matrix("X", x, "a datapoint")
    if 0 in x.shape:
        raise ValueError(f"X: found {x.shape[0]} datapoints of dimension {x.shape[1]}; one of each is needed")
    if weights is not None:
        weights = vector("weights", weights)
    if max_norm_multiple is not None:
        max_norm_multiple = positive("max_norm_multiple", max_norm_multiple)
    return {
        "x": x,
        "weights": weights,
        "skip_nonfinite": bool(skip_nonfinite),
        "max_norm_multiple": max_norm_multiple,
    }


def dictionary(atoms, name="dictionary"):
    """Atoms (M, n) in any precision."""
    return _matrix(name, atoms, "an atom")


def vector(name, values):
    """A float64 vector."""
    array = _numbers(name, values, keep_single=False)
    if array.ndim != 1:
        raise ValueError(f"{name}: expected a vector, found shape {array.shape}")
    return array


def codes(values):
    """Codes (N, M), sparse or dense, as the parts of a CSR."""
    if scipy.sparse.issparse(values):
        matrix = scipy.sparse.csr_array(values)
        if matrix.dtype.kind not in "fiub":
            raise ValueError(f"codes: expected numbers, found {matrix.dtype}")
    else:
        matrix = scipy.sparse.csr_array(_matrix("codes", values, "a datapoint", keep_single=False))
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    return {
        "atoms": int(matrix.shape[1]),
        "indptr": matrix.indptr.astype(np.int64),
        "indices": matrix.indices.astype(np.int64),
        "values": matrix.data.astype(np.float64),
    }


def to_csr(parts):
    """`scipy.sparse.csr_array` of data, indices, indptr and shape."""
    values, indices, indptr, shape = parts
    return scipy.sparse.csr_array((values, indices, indptr), shape=shape)


def _number(name, value, accepts, expected):
    if isinstance(value, numbers.Real) and np.isfinite(value) and accepts(value):
        return float(value)
    raise ValueError(f"{name}: expected {expected}, found {value!r}")


def positive(name, value):
    return _number(name, value, lambda v: v > 0, "a positive finite number")


def nonnegative(name, value):
    return _number(name, value, lambda v: v >= 0, "a finite number at least 0")


def share(name, value, low=0.0):
    return _number(name, value, lambda v: low <= v <= 1, f"a number from {low:g} to 1")


def whole(name, value, least=1, most=None):
    """A whole number, of Python's or NumPy's."""
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        if value >= least and (most is None or value <= most):
            return int(value)
    upto = f" to {most}" if most is not None else " or more"
    raise ValueError(f"{name}: expected a whole number, {least}{upto}, found {value!r}")
