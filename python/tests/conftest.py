import json
import os
import pathlib
import subprocess

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def planted(n_points=60, dim=6, atoms=4, seed=0):
    """Data of a few unit atoms with sparse codes and noise."""
    rng = np.random.default_rng(seed)
    dictionary = rng.normal(size=(atoms, dim))
    dictionary /= np.linalg.norm(dictionary, axis=1, keepdims=True)
    codes = rng.uniform(0.5, 2.0, size=(n_points, atoms)) * (rng.random((n_points, atoms)) < 0.4)
    return codes @ dictionary + 0.02 * rng.normal(size=(n_points, dim))


@pytest.fixture
def points():
    return planted()


def program():
    """The command, as it was built last: WIDEDICT names another."""
    if "WIDEDICT" in os.environ:
        return os.environ["WIDEDICT"]
    built = [ROOT / "target" / profile / "widedict" for profile in ("release", "debug")]
    built = [path for path in built if path.exists()]
    assert built, "the command is not built: cargo build --release --features full"
    return str(max(built, key=lambda path: path.stat().st_mtime))


@pytest.fixture
def command(tmp_path):
    """Runs the command on arrays that are saved first, and reads its JSON."""

    def run(name, *options, **arrays):
        words = [program(), name]
        for option, array in arrays.items():
            path = tmp_path / f"{option}.npy"
            np.save(path, array)
            words += [f"--{option.replace('_', '-')}", str(path)]
        words += [str(option) for option in options] + ["--json", "--quiet"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1), done.stderr
        return json.loads(done.stdout)

    return run
