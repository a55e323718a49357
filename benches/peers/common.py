"""What the scripts of this folder share: the data, the `widedict` command and its
JSON, scipy's sparse files, the gap of a nonnegative lasso, ratios over rounds.

Arrays have a datapoint or an atom a column, as in the formulas; files a row each.
"""

import json
import os
import pathlib
import statistics
import subprocess

import numpy as np

# OpenMP's threads (of SPAMS, of Numba) wait without spinning: on a machine that does
# anything else, spinning makes SPAMS' learner four times slower, on an idle one no
# faster. It is read when OpenMP is loaded: import this module before theirs.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = ROOT / "target" / "release" / "widedict"
# Exit codes of a run that answers: 1 where it did not meet its tolerance.
ANSWERED = (0, 1)


def digits(points=None):
    """The first digits (all 1797 by default), pixels from 0 to 1."""
    pixels = np.fromfile(ROOT / "data" / "digits.u8", dtype=np.uint8).reshape(-1, 64)
    return np.asfortranarray((pixels[:points] / 16.0).T)


def parse(done, command):
    """The JSON of a finished run; a run without answer ends the script."""
    if done.returncode not in ANSWERED:
        raise SystemExit(f"{command[0]}: exit {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def widedict(binary, *arguments):
    """Runs the command with `--json --quiet`."""
    command = [str(part) for part in (binary, *arguments, "--json", "--quiet")]
    return parse(subprocess.run(command, capture_output=True, check=False, text=True), command)


def save(path, columns):
    """Saves columns as the command reads them, a row each."""
    np.save(path, np.ascontiguousarray(columns.T))


def read_dictionary(folder):
    """The dictionary that `--out folder` left, an atom a column."""
    return np.asfortranarray(np.load(folder / "dictionary.npy").T)


def read_codes(folder):
    """The codes that `--out folder` left, dense, a datapoint a column."""
    with np.load(folder / "codes.npz") as parts:
        points, atoms = parts["shape"]
        codes = np.zeros((atoms, points))
        rows = np.repeat(np.arange(points), np.diff(parts["indptr"]))
        codes[parts["indices"], rows] = parts["data"]
    return codes


def lasso_objective(points, atoms, codes, lam):
    """1/2 |x - D z|^2 + lam 1'z of each datapoint."""
    residual = points - atoms @ codes
    return 0.5 * (residual**2).sum(axis=0) + lam * np.asarray(codes.sum(axis=0)).ravel()


def relative_gap(points, atoms, codes, lam):
    """The largest gap of a datapoint relative to its objective (theorem `coding-gap`).

    The codes must be nonnegative; the dual point is the residual, scaled to where
    no atom exceeds lam.
    """
    if codes.min() < 0:
        raise ValueError(f"a code of {codes.min():.1e}")
    residual = points - atoms @ codes
    energy = (residual**2).sum(axis=0)
    objective = 0.5 * energy + lam * np.asarray(codes.sum(axis=0)).ravel()
    largest = (atoms.T @ residual).max(axis=0)
    scale = np.where(largest > lam, lam / np.maximum(largest, lam), 1.0)
    dual = scale * (points * residual).sum(axis=0) - 0.5 * scale**2 * energy
    return float(((objective - dual) / objective).max())


def over_rounds(numerators, denominators):
    """Ratio of the medians, then the smallest and the largest ratio of one round."""
    single = [a / b for a, b in zip(numerators, denominators, strict=True)]
    return statistics.median(numerators) / statistics.median(denominators), min(single), max(single)


def ratio(numerators, denominators):
    """The same as a column of text."""
    middle, least, most = over_rounds(numerators, denominators)
    return f"{middle:7.2f} ({least:.2f} to {most:.2f})"
