#!/usr/bin/env python3
"""Codes over a fixed dictionary (the nonnegative lasso), by other programs and by the
`widedict` command, alternating in one run: throughput, its ratio, and the gaps.

    python -m pip install -r benches/peers/requirements.txt
    cargo build --release --features full
    python benches/peers/lasso.py [--peers spams,sklearn,celer,skglm] [--rounds 5] [--sizes 64x256x8000,...]

The dictionary has normalised Gaussian atoms; a datapoint is a sum of 8 of them with
coefficients uniform in [0.5, 1.5], and noise of deviation 0.02. All solve, for each
datapoint, min over z >= 0 of 1/2 |x - D z|^2 + lambda 1'z:

- spams: `spams.lasso`, by LARS, with threads;
- sklearn: `sparse_encode` by LARS ("lars"), and the coordinate descent behind its
  "lasso_cd" ("cd": `Lasso`, where its tolerance can be set), given the Gram matrix;
- celer, skglm: their `Lasso`, a datapoint at a time.

scikit-learn's, celer's and skglm's `Lasso` have the fit divided by n, so that their
alpha is lambda / n; `sparse_encode` takes lambda. All but SPAMS code the first
--points-slow datapoints alone, on one thread but for their BLAS; ask for --threads 1
to compare one with one.

Every time covers the coding alone, with a gap for every datapoint in ours: neither
reading nor start, nor compiling, for which each peer first codes two datapoints, nor
the Gram matrix of scikit-learn, which is given it.
The ratio is that of the medians over the rounds; beside it the smallest and largest
of one round. The gaps of all peers' codes are computed here, by one formula, and
their tolerances are set for gaps below 1e-8.
"""

import argparse
import pathlib
import statistics
import tempfile
import time

import numpy as np

import common

LAMBDA = 0.1
ACTIVE = 8
NOISE = 0.02
SIZES = "64x256x8000,64x1024x4000,384x2048x1000"
# Limits no run should meet.
ITERATIONS = 100_000
# Each in its program's own sense: of the gap for scikit-learn and celer, of the
# gradient's violation, in units of alpha, for skglm. Ten times more leaves gaps
# above 1e-8 somewhere.
SKLEARN_TOLERANCE = 1e-10
CELER_TOLERANCE = 1e-10
SKGLM_TOLERANCE = 2e-9


def instance(n, m, count, seed):
    rng = np.random.default_rng(seed)
    atoms = rng.standard_normal((n, m))
    atoms /= np.linalg.norm(atoms, axis=0)
    codes = np.zeros((m, count))
    for i in range(count):
        codes[rng.choice(m, ACTIVE, replace=False), i] = rng.uniform(0.5, 1.5, ACTIVE)
    return np.asfortranarray(atoms), np.asfortranarray(atoms @ codes + NOISE * rng.standard_normal((n, count)))


def spams_lasso(atoms, threads):
    import spams

    def code(points):
        return spams.lasso(points, D=atoms, lambda1=LAMBDA, mode=2, pos=True, cholesky=True, numThreads=threads)

    return {"spams": code}


def sklearn_lassos(atoms, _threads):
    from sklearn.decomposition import sparse_encode
    from sklearn.linear_model import Lasso

    gram = np.ascontiguousarray(atoms.T @ atoms)

    def lars(points):
        return sparse_encode(points.T, atoms.T, gram=gram, algorithm="lasso_lars", alpha=LAMBDA, positive=True,
                             max_iter=ITERATIONS).T

    def cd(points):
        model = Lasso(alpha=LAMBDA / len(atoms), positive=True, fit_intercept=False, max_iter=ITERATIONS,
                      tol=SKLEARN_TOLERANCE, precompute=gram)
        return model.fit(atoms, points).coef_.T

    return {"sklearn lars": lars, "sklearn cd": cd}


def one_by_one(model, atoms):
    def code(points):
        codes = np.empty((atoms.shape[1], points.shape[1]))
        for i in range(points.shape[1]):
            codes[:, i] = model.fit(atoms, points[:, i]).coef_
        return codes

    return code


def celer_lasso(atoms, _threads):
    import celer

    model = celer.Lasso(alpha=LAMBDA / len(atoms), positive=True, fit_intercept=False, tol=CELER_TOLERANCE,
                        max_iter=ITERATIONS)
    return {"celer": one_by_one(model, atoms)}


def skglm_lasso(atoms, _threads):
    import skglm

    alpha = LAMBDA / len(atoms)
    model = skglm.Lasso(alpha=alpha, positive=True, fit_intercept=False, tol=SKGLM_TOLERANCE * alpha,
                        max_iter=ITERATIONS)
    return {"skglm": one_by_one(model, atoms)}


# A name of --peers, what makes its coders, and whether it is given all datapoints.
PEERS = {
    "spams": (spams_lasso, True),
    "sklearn": (sklearn_lassos, False),
    "celer": (celer_lasso, False),
    "skglm": (skglm_lasso, False),
}


def peer(code, points):
    started = time.perf_counter()
    codes = code(points)
    return points.shape[1] / (time.perf_counter() - started), codes


def ours(binary, folder, threads):
    answer = common.widedict(
        binary, "encode", "--data", folder / "points.npy", "--dictionary", folder / "atoms.npy",
        "--lambda", LAMBDA, "--threads", threads)
    return answer["points_per_second"], answer["max_relative_gap"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", default="spams", help=f"of {','.join(PEERS)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", default=SIZES)
    parser.add_argument("--points-slow", type=int, default=100, help="datapoints for all peers but spams")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--binary", default=common.BINARY)
    args = parser.parse_args()
    names = args.peers.split(",")
    for name in names:
        if name not in PEERS:
            parser.error(f"{name} is none of {','.join(PEERS)}")
    print("                                      points a second                           largest relative gap")
    print("    n     M      N  peer            widedict       peer   ratio (of a round)     widedict      peer")
    for size in args.sizes.split(","):
        n, m, count = map(int, size.split("x"))
        atoms, points = instance(n, m, count, seed=1)
        coders, shares = {}, {}
        for name in names:
            build, fast = PEERS[name]
            for label, code in build(atoms, args.threads).items():
                coders[label] = code
                shares[label] = points if fast else np.asfortranarray(points[:, : args.points_slow])
                code(np.asfortranarray(points[:, :2]))
        rates, their_rates, gap, codes = [], {label: [] for label in coders}, 0.0, {}
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            common.save(folder / "points.npy", points)
            common.save(folder / "atoms.npy", atoms)
            for _ in range(args.rounds):
                rate, gap = ours(args.binary, folder, args.threads)
                rates.append(rate)
                for label, code in coders.items():
                    their_rate, codes[label] = peer(code, shares[label])
                    their_rates[label].append(their_rate)
        for label in coders:
            their_gap = common.relative_gap(shares[label], atoms, codes[label], LAMBDA)
            print(f"{n:5} {m:5} {count:6}  {label:12}  {statistics.median(rates):10.0f}"
                  f" {statistics.median(their_rates[label]):10.0f} {common.ratio(rates, their_rates[label]):23}"
                  f"  {gap:10.1e}  {their_gap:8.1e}", flush=True)


if __name__ == "__main__":
    main()
