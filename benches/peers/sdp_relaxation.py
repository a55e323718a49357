#!/usr/bin/env python3
"""The doubly nonnegative relaxation of the first digits, by cvxpy with Clarabel and
by the `widedict` command, in one run: both bounds and the ratio of the times.

    python -m pip install -r benches/peers/requirements.txt
    cargo build --release --features full,sdp
    python benches/peers/sdp_relaxation.py [--points 40]

The command is asked for the bound of the empty dictionary, so that its time is that
of the relaxation and of proving it; cvxpy's is that of compiling and solving the
model, whose bound is as the solver says, not proved.
"""

import argparse
import pathlib
import tempfile
import time
import zipfile

import cvxpy as cp
import numpy as np

import common


def relaxation(rows, lam, gamma):
    """max <X, R> - 1/2 |R|^2 over [[I, R], [R', A - T]] >= 0, T >= 0."""
    x = rows.T / np.sqrt(len(rows))
    n, points = x.shape
    a = np.full((points, 1), 1 / np.sqrt(points))
    metric = lam**2 * (a @ a.T) + gamma**2 * np.eye(points)
    r = cp.Variable((n, points))
    t = cp.Variable((points, points), symmetric=True)
    block = cp.bmat([[np.eye(n), r], [r.T, metric - t]])
    problem = cp.Problem(
        cp.Maximize(cp.sum(cp.multiply(x, r)) - 0.5 * cp.sum_squares(r)),
        [block >> 0, t >= 0],
    )
    started = time.perf_counter()
    problem.solve(solver=cp.CLARABEL)
    return problem.value, time.perf_counter() - started, problem.status


def empty_codes(path, points, atoms):
    """scipy's sparse .npz without scipy: codes that are all zero."""
    parts = {
        "format": np.array(b"csr"),
        "shape": np.array([points, atoms]),
        "data": np.zeros(0),
        "indices": np.zeros(0, dtype=np.int32),
        "indptr": np.zeros(points + 1, dtype=np.int32),
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in parts.items():
            with archive.open(name + ".npy", "w") as member:
                np.lib.format.write_array(member, value)


def command(rows, lam, gamma, binary):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        np.save(folder / "x.npy", rows)
        np.save(folder / "d.npy", np.eye(rows.shape[1])[:1])
        empty_codes(folder / "z.npz", len(rows), 1)
        started = time.perf_counter()
        row = common.widedict(
            binary, "certify", "--data", folder / "x.npy", "--dictionary", folder / "d.npy",
            "--codes", folder / "z.npz", "--lambda", lam, "--gamma", gamma, "--bound", "sdp")
        seconds = time.perf_counter() - started
    return row["lower_bound"], seconds, row["bound_kind"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=40)
    parser.add_argument("--lambda", dest="lam", type=float, default=0.3)
    parser.add_argument("--gamma", type=float, default=0.1)
    parser.add_argument("--binary", default=common.BINARY)
    args = parser.parse_args()
    rows = np.ascontiguousarray(common.digits(args.points).T)
    ours, our_seconds, kind = command(rows, args.lam, args.gamma, args.binary)
    print(f"widedict  bound {ours:.9f} ({kind}, proved)  {our_seconds:.2f} s")
    theirs, their_seconds, status = relaxation(rows, args.lam, args.gamma)
    print(f"cvxpy     bound {theirs:.9f} ({status})  {their_seconds:.2f} s")
    print(f"relative difference of the bounds {(theirs - ours) / theirs:.2e}")
    print(f"time, widedict / cvxpy: {our_seconds / their_seconds:.3f}")


if __name__ == "__main__":
    main()
