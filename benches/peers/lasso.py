#!/usr/bin/env python3
"""Codes over a fixed dictionary (the nonnegative lasso), by SPAMS' lasso and by the
`widedict` command, alternating in one run: throughput, its ratio, and the gaps.

    python -m pip install -r benches/peers/requirements.txt
    cargo build --release --features full
    python benches/peers/lasso.py [--rounds 5] [--sizes 64x256x8000,...]

The dictionary has normalised Gaussian atoms; a datapoint is a sum of 8 of them with
coefficients uniform in [0.5, 1.5], and noise of deviation 0.02. Both times cover the
coding alone, with a gap for every datapoint in ours: neither reading nor start. The
ratio is that of the medians over the rounds; beside it the smallest and largest of
one round. The gaps of SPAMS' codes are computed here, by the same formula.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

import numpy as np
import spams

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAMBDA = 0.1
THREADS = 2
ACTIVE = 8
NOISE = 0.02
SIZES = "64x256x8000,64x1024x4000,384x2048x1000"


def instance(n, m, count, seed):
    rng = np.random.default_rng(seed)
    atoms = rng.standard_normal((n, m))
    atoms /= np.linalg.norm(atoms, axis=0)
    codes = np.zeros((m, count))
    for i in range(count):
        codes[rng.choice(m, ACTIVE, replace=False), i] = rng.uniform(0.5, 1.5, ACTIVE)
    return np.asfortranarray(atoms), np.asfortranarray(atoms @ codes + NOISE * rng.standard_normal((n, count)))


def relative_gap(points, atoms, codes):
    """The largest gap of a datapoint relative to its objective."""
    residual = points - atoms @ codes
    energy = (residual**2).sum(axis=0)
    objective = 0.5 * energy + LAMBDA * np.asarray(codes.sum(axis=0)).ravel()
    largest = (atoms.T @ residual).max(axis=0)
    scale = np.where(largest > LAMBDA, LAMBDA / np.maximum(largest, LAMBDA), 1.0)
    dual = scale * (points * residual).sum(axis=0) - 0.5 * scale**2 * energy
    return float(((objective - dual) / objective).max())


def peer(points, atoms):
    started = time.perf_counter()
    codes = spams.lasso(points, D=atoms, lambda1=LAMBDA, mode=2, pos=True, cholesky=True, numThreads=THREADS)
    return points.shape[1] / (time.perf_counter() - started), codes


def ours(binary, folder):
    command = [binary, "encode", "--data", folder / "points.npy", "--dictionary", folder / "atoms.npy",
               "--lambda", str(LAMBDA), "--threads", str(THREADS), "--json", "--quiet"]
    answer = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    return answer["points_per_second"], answer["max_relative_gap"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", default=SIZES)
    parser.add_argument("--binary", default=ROOT / "target/release/widedict")
    args = parser.parse_args()
    print("                    points a second                                    largest relative gap")
    print("    n     M      N    widedict      spams   ratio (of a round)          widedict     spams")
    for size in args.sizes.split(","):
        n, m, count = map(int, size.split("x"))
        atoms, points = instance(n, m, count, seed=1)
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            # A datapoint or an atom a row.
            np.save(folder / "points.npy", np.ascontiguousarray(points.T))
            np.save(folder / "atoms.npy", np.ascontiguousarray(atoms.T))
            rates, their_rates, gap, codes = [], [], 0.0, None
            for _ in range(args.rounds):
                rate, gap = ours(args.binary, folder)
                their_rate, codes = peer(points, atoms)
                rates.append(rate)
                their_rates.append(their_rate)
        ratios = [a / b for a, b in zip(rates, their_rates)]
        rate, their_rate = statistics.median(rates), statistics.median(their_rates)
        print(f"{n:5} {m:5} {count:6}  {rate:10.0f} {their_rate:10.0f}   {rate / their_rate:5.2f}"
              f" ({min(ratios):.2f} to {max(ratios):.2f})  {gap:18.1e}  {relative_gap(points, atoms, codes):8.1e}",
              flush=True)


if __name__ == "__main__":
    main()
