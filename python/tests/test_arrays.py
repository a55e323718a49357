"""Arrays of every kind get what a user of NumPy expects."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse

import widedict


def numbers(x):
    fields = widedict.solve(x, 0.2, width=3, bound="fast", seed=1).to_dict()
    return {key: value for key, value in fields.items() if not key.startswith("seconds")}


def strided(x):
    wide = np.full((2 * x.shape[0], 3 * x.shape[1]), np.nan, dtype=x.dtype)
    wide[::2, 1::3] = x
    return wide[::2, 1::3]


def reversed_rows(x):
    return x[::-1].copy()[::-1]


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


def unaligned(x):
    buffer = np.zeros(x.nbytes + 1, dtype=np.uint8)
    view = buffer[1:].view(x.dtype).reshape(x.shape)
    view[...] = x
    assert not view.flags.aligned
    return view


LAYOUTS = [
    np.asfortranarray,
    strided,
    reversed_rows,
    read_only,
    unaligned,
    lambda x: x.astype(x.dtype.newbyteorder()),
    lambda x: x.tolist(),
    lambda x: x.astype(object),
    lambda x: np.ma.MaskedArray(x),
]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_layouts(points, layout, dtype):
    x = points.astype(dtype)
    assert numbers(layout(x)) == numbers(np.ascontiguousarray(x, dtype=np.float64))


@pytest.mark.parametrize("dtype", [np.float16, np.int8, np.int64, np.uint16, bool, np.longdouble])
def test_other_numbers_are_converted(points, dtype):
    x = (4 * np.abs(points)).astype(dtype)
    assert numbers(x) == numbers(x.astype(np.float64))


def test_what_is_no_copy_is_not_changed(points):
    before = points.copy()
    widedict.solve(points, 0.2, center=True)
    assert np.array_equal(points, before)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_a_row_that_is_not_finite_is_named(points, value, dtype):
    x = points.astype(dtype)
    x[17, 3] = value
    with pytest.raises(ValueError, match=r"X.*row 17.*column 3"):
        widedict.solve(x, 0.2)


def test_a_value_that_is_too_large_is_named(points):
    points[17, 3] = 1e200
    with pytest.raises(ValueError, match=r"X: datapoint 17, coordinate 3: 1e200"):
        widedict.solve(points, 0.2)
    weights = np.ones(len(points))
    weights[2] = 0.0
    with pytest.raises(ValueError, match=r"X: datapoint 17"):
        widedict.solve(points, 0.2, weights=weights)


@pytest.mark.parametrize(
    "x, match",
    [
        (np.zeros((0, 4)), "0 datapoints"),
        (np.zeros((4, 0)), "dimension 0"),
        (np.zeros(4), r"2D.*shape \(4,\).*reshape"),
        (np.zeros((2, 2, 2)), r"2D.*shape \(2, 2, 2\)"),
        (np.float64(1.0), r"2D.*shape \(\)"),
        (np.ones((3, 2), dtype=complex), "Complex data not supported"),
        (np.array([["a", "b"]]), "expected numbers"),
        (np.array([["a", "b"]], dtype=object), "could not convert"),
        ([[1.0, 2.0], [3.0]], "X: "),
        (None, "X"),
    ],
)
def test_what_is_no_data(x, match):
    with pytest.raises((ValueError, TypeError), match=match):
        widedict.solve(x, 0.2)


def test_sparse_data_are_refused_with_the_way_out(points):
    with pytest.raises(TypeError, match=r"X\.toarray\(\)"):
        widedict.solve(scipy.sparse.csr_array(points), 0.2)


@pytest.mark.parametrize(
    "call, match",
    [
        (lambda x: widedict.solve(x, -1.0), "lambda_.*-1"),
        (lambda x: widedict.solve(x, np.nan), "lambda_.*nan"),
        (lambda x: widedict.solve(x, "1"), "lambda_.*'1'"),
        (lambda x: widedict.solve(x, 0.0), "."),
        (lambda x: widedict.solve(x, 0.1, tolerance=0.0), "tolerance.*0"),
        (lambda x: widedict.solve(x, 0.1, width=0), "width.*0"),
        (lambda x: widedict.solve(x, 0.1, width=2.5), "width.*2.5"),
        (lambda x: widedict.solve(x, 0.1, width=True), "width.*True"),
        (lambda x: widedict.solve(x, 0.1, width=2, method="conic"), "method"),
        (lambda x: widedict.solve(x, 0.1, method="magic"), "magic"),
        (lambda x: widedict.solve(x, 0.1, gamma=0.1, method="closed-form"), "closed-form.*gamma 0"),
        (lambda x: widedict.solve(x, 0.1, bound="magic"), "bound.*magic"),
        (lambda x: widedict.solve(x, 0.1, seed=-1), "seed.*-1"),
        (lambda x: widedict.solve(x, 0.1, restarts=2), "width"),
        (lambda x: widedict.solve(x, 0.1, gamma=0.1, width=2, participation="auto"), "participation.*0.1"),
        (lambda x: widedict.solve(x, 0.1, width=2, participation=1.5), "participation.*1.5"),
        (lambda x: widedict.solve(x, 0.1, threads=0), "threads.*0"),
        (lambda x: widedict.solve(x, 0.1, threads=10**6), "threads.*1024"),
        (lambda x: widedict.solve(x, 0.1, max_seconds=-1), "max_seconds.*-1"),
        (lambda x: widedict.solve(x, 0.1, callback=3), "callback.*3"),
        (lambda x: widedict.solve(x, 0.1, weights=np.ones(3)), "weights: expected one a row of X, 60, found 3"),
        (lambda x: widedict.solve(x, 0.1, weights=-np.ones(60)), "weight 0.*-1"),
        (lambda x: widedict.solve(x, 0.1, weights=np.zeros(60)), "every weight is 0"),
        (lambda x: widedict.encode(x, np.ones((4, 5)), 0.1), r"dimension 6, found shape \(4, 5\)"),
        (lambda x: widedict.encode(x, np.ones((6, 4)), 0.1), "transposed"),
        (lambda x: widedict.encode(x, np.zeros((4, 6)), 0.1), "length 0"),
        (lambda x: widedict.encode(x, np.full((4, 6), np.nan), 0.1), "(?i)nan"),
        (lambda x: widedict.encode(x, np.ones((4, 6))), "lambda_"),
        (lambda x: widedict.encode(x, np.ones((4, 6)), 0.1, center=np.ones(5)), "center.*6.*5"),
        (lambda x: widedict.encode(x, np.ones((4, 6)), 0.1, exact=True), "exact"),
        (lambda x: widedict.certify(x, np.ones((4, 6)), np.ones((60, 3)), 0.1), r"codes: expected shape \(60, 4\)"),
        (lambda x: widedict.certify(x, np.ones((4, 6)), -np.ones((60, 4)), 0.1), "codes.*-1"),
        (lambda x: widedict.certify(x, np.ones((4, 6)), None, 0.1), "codes"),
        (lambda x: widedict.path(x, 0.1), "gammas or ratios"),
        (lambda x: widedict.path(x, 0.1, gammas=[]), "no point"),
        (lambda x: widedict.path(x, 0.1, gammas=[0.1, -1.0]), "gammas.*-1"),
        (lambda x: widedict.diagnose(x, np.ones((4, 6))), "lambda_"),
        (lambda x: widedict.diagnose(x, np.ones((4, 6)), match_l0=True), "codes"),
        (lambda x: widedict.diagnose(x, np.ones((4, 6)), 0.1, nested=1.5), "nested.*1.5"),
        (lambda x: widedict.solve(x, 10**400), "lambda_"),
        (lambda x: widedict.solve(x, True), "lambda_.*True"),
        (lambda x: widedict.solve(x, 0.1, width=2**64), "width.*18446744073709551616"),
        (lambda x: widedict.solve(x, 0.1, width=2, restarts=2**64), "restarts"),
        (lambda x: widedict.solve(x, 0.1, width=2, participation="half"), "participation.*half"),
        (lambda x: widedict.solve(x, 0.1, start=np.ones(3)), "start.*ndarray"),
        (lambda x: widedict.solve(x, 0.1, center=x[0]), "center: expected True or False.*certify"),
        (lambda x: widedict.solve(x, 0.1, center=list(x[0])), "center: expected True or False"),
        (lambda x: widedict.solve(x, 0.1, center="no"), "center.*'no'"),
        (lambda x: widedict.solve(x, 0.1, width=2, local="none"), "local.*'none'"),
        (lambda x: widedict.solve(x, 0.1, width=2, global_="x"), "global_.*'x'"),
        (lambda x: widedict.solve(x, 0.1, skip_nonfinite="no"), "skip_nonfinite.*'no'"),
        (lambda x: widedict.solve(x, 0.1, progress="no"), "progress.*'no'"),
        (lambda x: widedict.certify(x, np.eye(6), x, 0.1, local="none"), "local.*'none'"),
        (lambda x: widedict.certify(x, np.eye(6), x, 0.1, centered=1), "centered.*1"),
        (lambda x: widedict.certify(x, np.zeros((4, 6)), np.ones((60, 4)), 0.1, "x"), "gamma.*'x'"),
        (lambda x: widedict.encode(x, np.eye(6), 0.1, exact="yes"), "exact.*'yes'"),
        (lambda x: widedict.encode(x, np.eye(6), 0.1, center=np.full(6, 1e300)), r"center: coordinate 0.*1e\+300"),
        (lambda x: widedict.encode(x, widedict.wide(x, 0.1), 0.1), "dictionary"),
        (lambda x: widedict.encode(x, widedict.solve(x, 0.1), 0.1), "dictionary.*Solution"),
        (lambda x: widedict.wide(x, 0.0), "lambda_.*0"),
        (lambda x: widedict.wide(x, 0.1, center=1), "center.*1"),
        (lambda x: widedict.path(x, 0.1, gammas=0.1), "gammas.*0.1"),
        (lambda x: widedict.path(x, 0.1, ratios=np.float64(0.1)), "ratios.*0.1"),
        (lambda x: widedict.diagnose(x, np.eye(6), 0.1, compare=np.eye(3)), "compare: expected atoms of dimension 6"),
        (lambda x: widedict.diagnose(x, np.eye(6), 0.1, compare_absolute=True), "compare_absolute"),
        (lambda x: widedict.diagnose(x, np.eye(6), 0.1, max_pairs=2**64), "max_pairs"),
        (lambda x: widedict.diagnose(x, np.eye(6), 0.1, fixed_center="no"), "fixed_center.*'no'"),
        (lambda x: widedict.load_sae("none", dim=2**64), "dim"),
        (lambda x: widedict.certify(x, np.eye(6), scipy.sparse.coo_array(np.ones(60)), 0.1), r"codes: .*shape \(60,\)"),
    ],
)
def test_arguments_that_make_no_sense(points, call, match):
    with pytest.raises(ValueError, match=match):
        call(points)


def test_codes_of_every_kind(points):
    atoms = np.eye(6)[:4]
    codes = np.abs(points[:, :4])
    expected = widedict.certify(points, atoms, codes, 0.2).objective
    unsorted = scipy.sparse.csr_array(codes)
    unsorted.indices = unsorted.indices.reshape(-1, 4)[:, ::-1].ravel()
    unsorted.data = unsorted.data.reshape(-1, 4)[:, ::-1].ravel()
    unsorted.has_sorted_indices = False
    halves = scipy.sparse.coo_array(
        (np.tile(codes.ravel() / 2, 2), (np.tile(np.repeat(np.arange(60), 4), 2), np.tile(np.tile(np.arange(4), 60), 2))),
        shape=codes.shape,
    )
    for kind in (scipy.sparse.csr_matrix(codes), scipy.sparse.csc_array(codes), unsorted, halves, codes.tolist()):
        assert widedict.certify(points, atoms, kind, 0.2).objective == pytest.approx(expected, rel=1e-14)


def test_tensors(points):
    torch = pytest.importorskip("torch")
    x = torch.tensor(points, requires_grad=True)
    assert numbers(x) == numbers(points)
    assert numbers(torch.tensor(points).float()) == numbers(points.astype(np.float32))
    half = torch.tensor(points).bfloat16()
    assert numbers(half) == numbers(half.double().numpy())


class Lent:
    """What is lent through DLPack alone, as a tensor is."""

    def __init__(self, x):
        self._x = x

    def __dlpack__(self, **options):
        return self._x.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._x.__dlpack_device__()


class Convertible:
    def __init__(self, x):
        self._x = x

    def __array__(self, dtype=None, copy=None):
        return self._x if dtype is None else self._x.astype(dtype)


@pytest.mark.parametrize("wrap", [Lent, Convertible])
def test_protocols(points, wrap):
    assert numbers(wrap(points)) == numbers(points)


PEAK = """
import pathlib, sys
import numpy as np
import widedict
N, n = 100_000, 64
x = np.random.default_rng(0).random((N, n), dtype=sys.argv[1])
atoms = np.eye(n)[:2]
def memory(key):
    status = pathlib.Path("/proc/self/status").read_text()
    return 1024 * int(status.split(key + ":")[1].split()[0])
widedict.encode(x[:100], atoms, 100.0, threads=1)
pathlib.Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
before = memory("VmRSS")
# Codes are empty at this price: what is left is the data.
widedict.encode(x, atoms, 100.0, threads=1)
print(memory("VmHWM") - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_data_are_copied_once(dtype):
    done = subprocess.run([sys.executable, "-c", PEAK, dtype], capture_output=True, text=True, check=True)
    one = 100_000 * 64 * np.dtype(dtype).itemsize
    told = 100_000 * 64 * 2
    added = int(done.stdout)
    print(f"{dtype}: {added / 1e6:.1f} MB beyond the input, which has {one / 1e6:.1f} MB")
    # The copy, and 128 bytes for what is told of every datapoint.
    assert 0.9 * one < added < one + told


@pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1, 2**63 - 1])
def test_integers_that_no_double_holds_are_refused(value):
    x = np.ones((3, 2), dtype=np.int64)
    x[2, 1] = 2**53
    widedict.wide(x, 0.1)
    x[1, 0] = value
    with pytest.raises(ValueError, match=rf"X\[1, 0\].*{value}"):
        widedict.wide(x, 0.1)
    with pytest.raises(ValueError, match="18446744073709551615"):
        widedict.wide(np.array([[2**64 - 1, 2**63]], dtype=np.uint64), 0.1)


def test_numbers_of_other_kinds(points):
    from fractions import Fraction

    expected = widedict.wide(points, 0.25).to_dict()["value"]
    for number in (Fraction(1, 4), np.float32(0.25), np.array(0.25)):
        assert widedict.wide(points, number).value == expected


def test_flags_of_numpy(points):
    assert widedict.solve(points, 0.2, width=2, local=np.bool_(False), bound="none").local is None


def test_masked_entries_are_no_data(points):
    masked = np.ma.MaskedArray(points, mask=np.zeros_like(points, dtype=bool))
    masked[7, 2] = np.ma.masked
    with pytest.raises(ValueError, match="X: row 7, column 2 is masked.*skip_nonfinite"):
        widedict.solve(masked, 0.2)
    found = widedict.wide(masked.astype(float).filled(np.nan), 0.2, skip_nonfinite=True)
    assert found.masked["rows"] == 1
    weights = np.ma.MaskedArray(np.ones(60), mask=np.arange(60) == 3)
    with pytest.raises(ValueError, match="weights: row 3 is masked"):
        widedict.solve(points, 0.2, weights=weights)


def test_integers_in_objects_and_sparse_codes():
    x = np.ones((3, 2), dtype=object)
    x[1, 0] = 2**53 + 1
    with pytest.raises(ValueError, match=rf"X\[1, 0\].*{2**53 + 1}"):
        widedict.wide(x, 0.1)
    x[1, 0] = 10**400
    with pytest.raises(ValueError, match="X: "):
        widedict.wide(x, 0.1)
    x[1, 0] = 1 + 2j
    with pytest.raises(ValueError, match="X: "):
        widedict.wide(x, 0.1)
    codes = scipy.sparse.csr_array(np.full((3, 2), 2**53 + 1))
    with pytest.raises(ValueError, match="codes"):
        widedict.certify(np.ones((3, 2)), np.eye(2), codes, 0.1)


@pytest.mark.parametrize("kind", ["csr", "csc", "coo"])
def test_sparse_codes_with_a_broken_structure(points, kind):
    codes = scipy.sparse.csr_array(np.ones((60, 6))).asformat(kind)
    if kind == "coo":
        codes.coords[0][5] = 10**6
    else:
        codes.indptr[5] = 10**6
    with pytest.raises(ValueError, match="codes"):
        widedict.certify(points, np.eye(6), codes, 0.1)


def test_errors_speak_python(points):
    points[3, 2] = np.nan
    with pytest.raises(ValueError, match=r"skip_nonfinite=True masks them") as raised:
        widedict.solve(points, 0.2)
    assert "--" not in str(raised.value)


def test_complex_tensors_are_refused(points):
    torch = pytest.importorskip("torch")
    t = torch.tensor(points)
    for tensor in (torch.complex(t, t), torch.complex(t, t).conj()):
        with pytest.raises(ValueError, match="Complex"):
            widedict.solve(tensor, 0.2)
