"""Numbers are those of the command, bit for bit."""

import filecmp

import numpy as np
import pytest
import scipy.sparse
from conftest import planted

import widedict

CLOCK = {"seconds", "seconds_certify", "points_per_second"}
NAMES = {"source"}


def same(found, expected):
    """Equal, but for clocks and the names of files."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key in expected.keys() - CLOCK - NAMES:
            same(found[key], expected[key])
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected):
            same(one, other)
    else:
        # Exactly: no tolerance, and 0.0 is not -0.0.
        assert repr(found) == repr(expected)


SOLVES = [
    ({}, []),
    ({"center": True}, ["--center"]),
    ({"gamma": 0.1}, ["--gamma", 0.1]),
    ({"gamma": 0.1, "method": "conic"}, ["--gamma", 0.1, "--method", "conic"]),
    ({"gamma": 0.05, "center": True, "bound": "nuclear"}, ["--gamma", 0.05, "--center", "--bound", "nuclear"]),
    ({"width": 3}, ["--width", 3]),
    ({"width": 3, "seed": 7, "restarts": 2}, ["--width", 3, "--seed", 7, "--restarts", 2]),
    ({"width": 4, "local": False, "bound": "fast"}, ["--width", 4, "--local", "none", "--bound", "fast"]),
    ({"width": 3, "participation": "auto"}, ["--width", 3, "--participation", "auto"]),
    ({"width": 3, "participation": 0.2}, ["--width", 3, "--participation", 0.2]),
    ({"width": 3, "tolerance": 1e-4, "threads": 1}, ["--width", 3, "--tolerance", 1e-4, "--threads", 2]),
]


@pytest.mark.parametrize("options, words", SOLVES, ids=[" ".join(map(str, words)) or "plain" for _, words in SOLVES])
def test_solve(points, command, options, words):
    found = widedict.solve(points, 0.2, **options)
    same(found.to_dict(), command("solve", "--lambda", 0.2, *words, data=points))


@pytest.mark.parametrize("width", [None, 3])
def test_solve_writes_the_same_files(points, command, tmp_path, width):
    words = [] if width is None else ["--width", width]
    command("solve", "--lambda", 0.2, *words, "--out", tmp_path / "out", data=points)
    widedict.solve(points, 0.2, width=width).save(tmp_path / "saved")
    names = sorted(path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert names == sorted(
        path.relative_to(tmp_path / "saved") for path in (tmp_path / "saved").rglob("*") if path.is_file()
    )
    arrays = [name for name in names if name.suffix in (".npy", ".npz", ".safetensors")]
    assert len(arrays) >= 4
    for name in arrays:
        if name.suffix == ".npz":
            one, other = (scipy.sparse.load_npz(tmp_path / at / name) for at in ("out", "saved"))
            assert (one != other).nnz == 0
        else:
            assert filecmp.cmp(tmp_path / "out" / name, tmp_path / "saved" / name, shallow=False), name


def test_a_start_is_that_of_the_command(points, command, tmp_path):
    first = widedict.solve(points, 0.3, 0.1)
    first.save(tmp_path / "first")
    words = ["--lambda", 0.2, "--gamma", 0.1, "--start", tmp_path / "first"]
    expected = command("solve", *words, data=points)
    for start in (first, tmp_path / "first", widedict.load(tmp_path / "first")):
        same(widedict.solve(points, 0.2, 0.1, start=start).to_dict(), expected)


def test_masked_rows(points, command):
    points[5, 2], points[9] = np.nan, 1e3
    weights = np.ones(len(points))
    weights[11] = 0.0
    found = widedict.solve(points, 0.2, weights=weights, skip_nonfinite=True, max_norm_multiple=20.0)
    words = ["--skip-nonfinite", "--max-norm-multiple", 20]
    same(found.to_dict(), command("solve", "--lambda", 0.2, *words, data=points, weights=weights))
    assert found.masked["rows"] == 3
    assert found.codes.shape == (len(points), len(found.dictionary))
    assert found.codes[[5, 9, 11]].nnz == 0


@pytest.mark.parametrize("center", [False, True])
def test_encode(points, command, tmp_path, center):
    atoms = np.random.default_rng(1).normal(size=(9, 6))
    atoms[4] = 0.0
    b = points.mean(axis=0)
    options = {"center": b} if center else {}
    files = {"center_file": b} if center else {}
    found = widedict.encode(points, atoms, 0.1, **options)
    out = tmp_path / "codes.npz"
    expected = command("encode", "--lambda", 0.1, "--out", out, data=points, dictionary=atoms, **files)
    same(found.to_dict(), expected)
    codes = scipy.sparse.load_npz(out)
    assert np.array_equal(found.codes.toarray(), codes.toarray())
    found.save(tmp_path / "saved.npz")
    assert np.array_equal(widedict.Encoding.load(tmp_path / "saved.npz").toarray(), codes.toarray())


@pytest.mark.parametrize("centered", [False, True])
def test_certify(points, command, tmp_path, centered):
    rng = np.random.default_rng(2)
    atoms = rng.normal(size=(5, 6)) * [[2.0], [1.0], [0.5], [3.0], [0.0]]
    codes = scipy.sparse.csr_array(rng.random((len(points), 5)) * (rng.random((len(points), 5)) < 0.3))
    scipy.sparse.save_npz(tmp_path / "codes.npz", codes)
    b = 0.1 * points.mean(axis=0)
    found = widedict.certify(points, atoms, codes, 0.2, center=b, centered=centered)
    words = ["--lambda", 0.2, "--codes", tmp_path / "codes.npz", *(["--center"] if centered else [])]
    same(found.to_dict(), command("certify", *words, data=points, dictionary=atoms, center_file=b))


@pytest.mark.parametrize("center", [False, True])
def test_wide(points, command, center):
    words = ["--center"] if center else []
    same(widedict.wide(points, 0.3, center=center).to_dict(), command("wide", "--lambda", 0.3, *words, data=points))


@pytest.mark.parametrize(
    "options, words",
    [
        ({"gammas": [0.0, 0.1, 0.3]}, ["--gammas", "0,0.1,0.3"]),
        ({"ratios": [0.05, 0.1], "restarts": 2}, ["--ratios", "0.05,0.1", "--restarts", 2]),
    ],
)
def test_path(points, command, tmp_path, options, words):
    found = widedict.path(points, 0.2, **options)
    out = tmp_path / "out"
    same(found.to_dict(), command("path", "--lambda", 0.2, *words, "--out", out, data=points))
    found.save(tmp_path / "saved")
    assert (out / "path.csv").read_text() == (tmp_path / "saved" / "path.csv").read_text()
    for one, other in zip(found, widedict.Grid.load(out), strict=True):
        assert np.array_equal(one.dictionary, other.dictionary)


def test_the_optimum_of_a_width_in_the_plane(command):
    points = planted(30, dim=2, atoms=3)
    found = widedict.solve(points, 0.3, width=2, global_=True)
    same(found.to_dict(), command("solve", "--lambda", 0.3, "--width", 2, "--global", data=points))
    assert found.verdict == "global-width"
    with pytest.raises(ValueError, match="(?i)rank|plane|dimension"):
        widedict.solve(planted(30, dim=4), 0.3, width=2, global_=True)
    with pytest.raises(ValueError, match="gamma"):
        widedict.solve(points, 0.3, 0.1, width=2, global_=True)


def test_what_an_earlier_run_left_is_not_taken_for_this_ones(points, tmp_path):
    first = widedict.solve(points, 0.3, 0.1)
    first.save(tmp_path / "out")
    # A checkpoint has the files of a solution and no autoencoder.
    widedict.certify(points, first.dictionary, first.codes, 0.3, 0.1).save(tmp_path / "out" / "checkpoint")
    assert (tmp_path / "out" / "sae" / "cfg.json").exists()
    (tmp_path / "out" / "mine.txt").write_text("kept")
    certified = widedict.certify(points, first.dictionary, first.codes * 0.5, 0.3, 0.1)
    certified.save(tmp_path / "out")
    assert not (tmp_path / "out" / "sae").exists() and not (tmp_path / "out" / "checkpoint").exists()
    assert (tmp_path / "out" / "mine.txt").read_text() == "kept"
    widedict.path(points, 0.2, gammas=[0.1, 0.2, 0.3], bound="fast").save(tmp_path / "grid")
    widedict.path(points, 0.2, gammas=[0.1], bound="fast").save(tmp_path / "grid")
    assert len(widedict.Grid.load(tmp_path / "grid")) == 1


@pytest.mark.parametrize("width", [None, 3])
def test_verify(points, command, tmp_path, width):
    widedict.solve(points, 0.2, width=width).save(tmp_path / "out")
    expected = command("verify", tmp_path / "out", data=points)
    found = widedict.verify(tmp_path / "out", points)
    same(found.to_dict(), expected)
    assert found and not found.failed


def test_diagnose(points, command, tmp_path):
    solution = widedict.solve(points, 0.2, width=4)
    codes = solution.codes * 0.9
    scipy.sparse.save_npz(tmp_path / "codes.npz", codes)
    other = planted(seed=3)[:5]
    np.save(tmp_path / "other.npy", other)
    found = widedict.diagnose(points, solution.dictionary, 0.2, codes=codes, refit=True, compare=other)
    words = ["--lambda", 0.2, "--codes", tmp_path / "codes.npz", "--refit", "--compare", tmp_path / "other.npy"]
    out = tmp_path / "out"
    expected = command("diagnose", *words, "--out", out, data=points, dictionary=solution.dictionary)
    same(found.to_dict(), expected)
    found.save(tmp_path / "saved")
    assert {path.name for path in out.iterdir()} == {path.name for path in (tmp_path / "saved").iterdir()}
    for table in out.glob("*.csv"):
        assert table.read_text() == (tmp_path / "saved" / table.name).read_text()


@pytest.mark.parametrize("exact", [False, True])
def test_an_autoencoder(points, command, tmp_path, exact):
    # `save` writes the dictionary as SAELens reads it: an autoencoder with a λ of its own.
    widedict.solve(points, 0.2, width=4).save(tmp_path / "out")
    sae = widedict.load_sae(tmp_path / "out" / "sae")
    assert (sae.atoms, sae.dim) == sae.dictionary.shape
    words = ["--sae", tmp_path / "out" / "sae"] + (["--exact"] if exact else [])
    same(widedict.encode(points, sae, exact=exact).to_dict(), command("encode", *words, data=points))
    same(widedict.certify(points, sae).to_dict(), command("certify", *words[:2], data=points))
    found = widedict.diagnose(points, sae, match_l0=True)
    same(found.to_dict(), command("diagnose", *words[:2], "--match-l0", data=points))


def test_the_digits_are_those_of_the_command(command):
    same(widedict.wide(widedict.digits(), 1.0).to_dict(), command("wide", "--dataset", "digits", "--lambda", 1.0))


def test_a_wide_limit_replaces_what_was_there(points, tmp_path):
    widedict.solve(points, 0.3, 0.1).save(tmp_path / "out")
    assert (tmp_path / "out" / "sae").is_dir()
    widedict.wide(points, 0.3).save(tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"dictionary.npy", "codes.npz", "center.npy"}


def lines(text):
    """The lines that tell no time, and that the command and Python word alike."""
    skipped = ("seed", "certify", "this is the wide limit", "wrote", "estimated")
    return [line for line in text.splitlines() if line.strip() and not any(word in line for word in skipped)]


@pytest.mark.parametrize(
    "options, words",
    [({}, []), ({"participation": "auto"}, ["--participation", "auto"])],
)
def test_a_solution_is_told_as_the_command_tells_it(points, tmp_path, options, words):
    import subprocess

    from conftest import program

    np.save(tmp_path / "x.npy", points)
    line = [program(), "solve", "--data", tmp_path / "x.npy", "--lambda", "0.2", "--width", "3", *words, "--quiet"]
    told = subprocess.run(list(map(str, line)), capture_output=True, text=True, check=False).stdout
    solution = widedict.solve(points, 0.2, width=3, **options)
    assert lines(repr(solution)) == lines(told)
    assert "width bound" in repr(solution.certificate)
    assert ("participation bound" in repr(solution.certificate)) == bool(options)


def test_a_certificate_tells_of_the_hull(points):
    solution = widedict.solve(points, 0.2, width=3)
    found = widedict.certify(points, solution.dictionary, solution.codes, 0.2)
    assert "of the codes    largest distance" in repr(found.certificate) and "width bound" in repr(found)


def test_options_of_codes_that_are_not_searched_for(points, tmp_path):
    widedict.solve(points, 0.2, width=4).save(tmp_path / "out")
    sae = widedict.load_sae(tmp_path / "out" / "sae")
    with pytest.raises(ValueError, match="tolerance.*exact"):
        widedict.encode(points, sae, tolerance=0.1)
    widedict.encode(points, sae, tolerance=0.1, exact=True)
    with pytest.raises(ValueError, match="folder of a solution.*sae"):
        widedict.load_sae(tmp_path / "out")
    with pytest.raises(ValueError, match="dim.*6.*7"):
        widedict.load_sae(tmp_path / "out" / "sae", dim=7)
    with pytest.raises(ValueError, match="sae"):
        widedict.diagnose(points[:, :5], sae)
