"""Arrays as the library takes them: checked, and copied only where their type demands it."""

from __future__ import annotations

import math
import numbers

import numpy as np
import scipy.sparse

__all__ = [
    "center",
    "codes",
    "data",
    "dictionary",
    "flag",
    "nonnegative",
    "positive",
    "several",
    "share",
    "to_csr",
    "vector",
    "whole",
]


def _array(name, values):
    """A NumPy array of anything that is one: nested lists, `__array__`, DLPack (torch, jax)."""
    if isinstance(values, np.ma.MaskedArray):
        _unmasked(name, values)
    if isinstance(values, np.ndarray):
        return np.asarray(values)
    if scipy.sparse.issparse(values):
        raise TypeError(f"{name}: expected a dense array, found a sparse one; use {name}.toarray()")
    try:
        if hasattr(values, "__dlpack__") and not hasattr(values, "__array_interface__"):
            return _tensor(name, values)
        return np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ValueError(error if str(error).startswith(f"{name}:") else f"{name}: {error}") from None


def _unmasked(name, values):
    """A mask says that there is no number: no number is made up."""
    for place in np.argwhere(np.ma.getmaskarray(values))[:1]:
        at = " ".join(f"{axis} {index}," for axis, index in zip(("row", "column"), place)).rstrip(",")
        way = "with skip_nonfinite=True X.astype(float).filled(numpy.nan) leaves such rows out" if name == "X" else "fill it"
        raise ValueError(f"{name}: {at} is masked; {way}")


def _tensor(name, values):
    # A tensor that needs a gradient, or lies on another device, is not shared as it is.
    tensor = values.detach() if hasattr(values, "detach") else values
    tensor = tensor.cpu() if hasattr(tensor, "cpu") else tensor
    if hasattr(tensor, "is_complex") and tensor.is_complex():
        raise ValueError(f"{name}: Complex data not supported, found {tensor.dtype}")
    try:
        return np.from_dlpack(tensor)
    except (TypeError, RuntimeError, BufferError, AttributeError):
        # Types NumPy has no name for, such as bfloat16.
        if hasattr(tensor, "float"):
            return np.asarray(tensor.float())
        return np.asarray(tensor)


def _numbers(name, values, keep_single):
    """Float64 of it, or float32 as it is: other types of numbers are converted."""
    array = _array(name, values)
    if array.dtype.kind == "c":
        raise ValueError(f"{name}: Complex data not supported, found {array.dtype}")
    if array.dtype.kind == "O":
        array = _of_objects(name, array)
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


def _of_objects(name, given):
    """As NumPy does: numbers in objects are numbers, and what is none says so itself."""
    try:
        array = given.astype(np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{name}: {error}") from None
    for place in np.argwhere(np.abs(array) >= 2.0**53):
        value, found = given[tuple(place)], array[tuple(place)]
        if isinstance(value, numbers.Integral) and int(found) != int(value):
            at = ", ".join(map(str, place))
            raise ValueError(f"{name}[{at}]: no float64 holds {value}; convert it first")
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
        "skip_nonfinite": flag("skip_nonfinite", skip_nonfinite),
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


def center(values):
    """A center that can be taken off data."""
    array = vector("center", values)
    for place in np.flatnonzero(~(np.abs(array) <= LARGEST))[:1]:
        raise ValueError(f"center: coordinate {place}: expected a number up to {LARGEST:g}, found {array[place]}")
    return array


LARGEST = 1e140
"""The library's own limit: squares of larger numbers overflow."""


def codes(values):
    """Codes (N, M), sparse or dense, as the parts of a CSR."""
    if scipy.sparse.issparse(values):
        matrix = _sparse(values)
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


def _sparse(values):
    """A CSR of what scipy holds, whose parts are what they should be: its own code trusts them."""
    if values.ndim != 2:
        raise ValueError(f"codes: expected a 2D array, a datapoint a row, found shape {values.shape}")
    if values.dtype.kind not in "fiub":
        raise ValueError(f"codes: expected numbers, found {values.dtype}")
    try:
        if values.format in ("csr", "csc", "bsr"):
            values.check_format(full_check=True)
        elif values.format == "coo":
            for index, size, what in ((values.row, values.shape[0], "row"), (values.col, values.shape[1], "column")):
                if len(index) != len(values.data):
                    raise ValueError(f"{len(index)} {what} indices of {len(values.data)} numbers")
                if len(index) and not (0 <= index.min() and index.max() < size):
                    raise ValueError(f"a {what} index is not below {size}")
    except ValueError as error:
        raise ValueError(f"codes: {error}") from None
    if values.dtype.kind in "iu" and values.dtype.itemsize == 8 and hasattr(values, "data"):
        held = np.asarray(values.tocoo().data)
        _exact("codes.data", held, held.astype(np.float64))
    return scipy.sparse.csr_array(values)


def to_csr(parts):
    """`scipy.sparse.csr_array` of data, indices, indptr and shape."""
    values, indices, indptr, shape = parts
    return scipy.sparse.csr_array((values, indices, indptr), shape=shape)


def _scalar(value):
    """The number in an array or tensor of no dimension."""
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        return value.item()
    return value


def _number(name, value, accepts, expected):
    number = _scalar(value)
    if isinstance(number, numbers.Real) and not isinstance(number, bool):
        try:
            number = float(number)
        except OverflowError:
            number = math.inf
        if math.isfinite(number) and accepts(number):
            return number
    raise ValueError(f"{name}: expected {expected}, found {_shown(value)}")


def _shown(value):
    """What was found, on a line."""
    try:
        text = repr(value)
    except ValueError:
        # An integer of thousands of digits.
        text = f"one of type {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:60]}… ({type(value).__name__})"


def positive(name, value):
    return _number(name, value, lambda v: v > 0, "a positive finite number")


def nonnegative(name, value):
    return _number(name, value, lambda v: v >= 0, "a finite number at least 0")


def share(name, value, low=0.0):
    return _number(name, value, lambda v: low <= v <= 1, f"a number from {low:g} to 1")


def several(name, values, check):
    """A list of numbers."""
    try:
        values = list(values)
    except TypeError:
        raise ValueError(f"{name}: expected a sequence of numbers, found {_shown(values)}") from None
    return [check(name, value) for value in values]


def whole(name, value, least=1, most=2**64 - 1):
    """A whole number, of Python's or NumPy's."""
    number = _scalar(value)
    if isinstance(number, numbers.Integral) and not isinstance(number, bool) and least <= number <= most:
        return int(number)
    upto = f" to {most}" if most < 2**64 - 1 else " or more, below 2**64"
    raise ValueError(f"{name}: expected a whole number, {least}{upto}, found {_shown(value)}")


def flag(name, value):
    """True or False, of Python's or NumPy's: a word such as "none" would be true."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise ValueError(f"{name}: expected True or False, found {_shown(value)}")
