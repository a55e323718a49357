#!/usr/bin/env python3
"""The convex problem (gamma > 0, any number of atoms), by a plain column generation
in NumPy and Numba and by the `widedict` command, alternating in one run: times, their
ratio, objectives and estimated gaps.

    python -m pip install -r benches/peers/requirements.txt
    cargo build --release --features full
    python benches/peers/convex.py [--points 1797] [--lambda 0.3] [--gamma 0.15] [--rounds 3]
    python benches/peers/convex.py --scaling [--sizes 10000,100000]
    python benches/peers/convex.py --million [--sizes 1000000]

The plain one is what the formulas of `gauge-calculus` and `global-criterion` give
when written down: block descent over the atoms, each by the prox of its code row and
the best direction for it; new atoms from ascents on the polar. Both run on the first
digits with two threads (the plain one descends on one) and stop at an estimated
relative gap of half a percent, which both confirm by eight times the ascents and one
from every atom. Both times cover the solve alone: neither reading nor start, nor
compiling; the command's includes its polishing of the codes once the gap is closed,
which the plain one leaves out. The ratio is that of the medians over the rounds;
beside it the smallest and largest of one round. Objectives and gaps are computed here
for both, from the dictionary and the codes, the gaps with ascents from every residual
and every atom; that is not timed.

The other two modes run the command alone, by the number of datapoints, at one lambda
and gamma: --scaling on digits, then on synthetic data of dimension 64; --million on
synthetic data of dimension 16 in an f32 file. A synthetic datapoint is a combination
of random unit directions, three for every four dimensions, each active with the same
probability and then with a coefficient uniform in [0.5, 1.5], and noise of deviation
0.05. The estimated gap is here the command's; the memory is its peak, reading and the
fast bound included.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

import common  # before numba: it says how OpenMP waits
import numba
import scipy.linalg  # whose BLAS Numba calls: loaded before it is told its threads
import threadpoolctl

THREADS = 2
SEED = 0
# Ascents a round, the factor on them that confirms a stop, and their steps.
STARTS = 60
CONFIRM = 8
STEPS = 60
# Relative rise below which an ascent ends.
RISE = 1e-8
# New atoms a round, and the cosine from which on two of them are one.
NEW_ATOMS = 30
NEW_COSINE = 0.98
# Rounds, the sweeps of one, and the share of the tolerance a sweep has to gain to be
# followed by another.
ROUNDS = 200
SWEEPS = 60
SWEEP_SHARE = 1e-3
# Newton's steps for the root of a prox: it takes about five.
ROOT_STEPS = 60
# --scaling: digits, then synthetic points.
DIGITS = (225, 449, 898, 1797)
SYNTHETIC = "10000,100000"
MILLION = "1000000"
NOISE = 0.05
# Points of a block of synthetic data, so that making them takes no memory to speak of.
BLOCK = 10_000


@numba.njit
def polar(v, a, lam, gamma, z):
    """max v'z over z >= 0 with g(z) <= 1; leaves the maximiser in z.

    tau solves tau = c sum a (v - tau a)+ with c = lam^2 / gamma^2. On the set where
    v > tau a that is linear, and from below the steps rise to the root.
    """
    c = (lam / gamma) ** 2
    tau = 0.0
    while True:
        along, square = 0.0, 0.0
        for i in range(v.size):
            if v[i] > tau * a[i]:
                along += a[i] * v[i]
                square += a[i] * a[i]
        following = c * along / (1.0 + c * square)
        if not following > tau * (1.0 + 1e-15):
            break
        tau = following
    inner, along, square = 0.0, 0.0, 0.0
    for i in range(v.size):
        z[i] = max(v[i] - tau * a[i], 0.0)
        inner += v[i] * z[i]
        along += a[i] * z[i]
        square += z[i] * z[i]
    gauge = np.sqrt((lam * along) ** 2 + gamma**2 * square)
    if gauge == 0.0:
        return 0.0
    for i in range(v.size):
        z[i] /= gauge
    return inner / gauge


@numba.njit
def prox(v, a, lam, gamma, z):
    """argmin over z >= 0 of 1/2 |z - v|^2 + g(z), left in z; returns g of it.

    With p = (v - tau a)+, u = a'p, P = g(p): the root of tau - lam^2 u / P, which
    rises with tau, by Newton's method inside an enclosure; then p (1 - gamma^2 / P).
    """
    below, above = 0.0, 0.0
    for i in range(v.size):
        above = max(above, v[i] / a[i])
    above = min(above, lam)
    tau = 0.0
    for _ in range(ROOT_STEPS):
        along, square, active = 0.0, 0.0, 0.0
        for i in range(v.size):
            p = v[i] - tau * a[i]
            if p > 0.0:
                along += a[i] * p
                square += p * p
                active += a[i] * a[i]
        gauge = np.sqrt((lam * along) ** 2 + gamma**2 * square)
        if gauge == 0.0:
            above = tau
            following = 0.5 * (below + above)
        else:
            value = tau - lam**2 * along / gauge
            if value <= 0.0:
                below = tau
            else:
                above = tau
            # P P' = -(lam^2 u sum a^2 + gamma^2 u).
            falls = -(lam**2) * along * active - gamma**2 * along
            slope = 1.0 + lam**2 * (active * gauge + along * falls / gauge) / gauge**2
            following = tau - value / slope
            if not (below <= following <= above):
                following = 0.5 * (below + above)
        moved = abs(following - tau)
        tau = following
        if moved <= 1e-14 * lam:
            break
    along, square = 0.0, 0.0
    for i in range(v.size):
        z[i] = max(v[i] - tau * a[i], 0.0)
        along += a[i] * z[i]
        square += z[i] * z[i]
    gauge = np.sqrt((lam * along) ** 2 + gamma**2 * square)
    if gauge <= gamma**2:
        z[:] = 0.0
        return 0.0
    z *= 1.0 - gamma**2 / gauge
    return gauge - gamma**2


@numba.njit
def sweep(residual, atoms, codes, a, lam, gamma):
    """Every atom once: code row, direction, code row. Returns the objective.

    A datapoint a row of `residual`; an atom a row of `atoms` and of `codes`.
    """
    penalty = 0.0
    fresh = np.empty(residual.shape[0])
    for k in range(len(atoms)):
        old, old_codes = atoms[k].copy(), codes[k].copy()
        direction = old
        # The residual without atom k is residual + old_codes old'.
        gauge = prox(residual @ old + old_codes, a, lam, gamma, fresh)
        if gauge > 0.0:
            image = fresh @ residual + (fresh @ old_codes) * old
            direction = image / np.sqrt(image @ image)
            gauge = prox(residual @ direction + (direction @ old) * old_codes, a, lam, gamma, fresh)
        for i in range(residual.shape[0]):
            before, after = old_codes[i], fresh[i]
            if before != 0.0 or after != 0.0:
                for j in range(residual.shape[1]):
                    residual[i, j] += before * old[j] - after * direction[j]
        atoms[k], codes[k] = direction, fresh
        penalty += gauge
    return 0.5 * (residual**2).sum() + penalty


@numba.njit
def climb(residual, transposed, directions, a, lam, gamma):
    """Ascents from unit `directions`, a row each, left where they end; the polars there."""
    values = np.zeros(len(directions))
    rising = np.arange(len(directions))
    maximiser = np.empty(len(residual))
    for _ in range(STEPS):
        codes = directions[rising] @ transposed
        kept = 0
        for s in range(len(rising)):
            value, best = polar(codes[s], a, lam, gamma, maximiser), values[rising[s]]
            values[rising[s]] = max(value, best)
            if value > best * (1 + RISE):
                codes[kept], rising[kept] = maximiser, rising[s]
                kept += 1
        rising = rising[:kept]
        images = codes[:kept] @ residual
        for s in range(kept):
            directions[rising[s]] = images[s] / np.sqrt(images[s] @ images[s])
        if kept == 0:
            break
    return values


@numba.njit(parallel=True)
def climb_in_threads(residual, directions, a, lam, gamma):
    transposed = np.ascontiguousarray(residual.T)
    values = np.empty(len(directions))
    for part in numba.prange(THREADS):
        first, last = part * len(directions) // THREADS, (part + 1) * len(directions) // THREADS
        values[first:last] = climb(residual, transposed, directions[first:last], a, lam, gamma)
    return values


def ascend(residual, starts, a, lam, gamma):
    """Directions and polars where ascents from `starts` (a row each) end, best first."""
    lengths = np.linalg.norm(starts, axis=1)
    directions = starts[lengths > 0] / lengths[lengths > 0, None]
    values = climb_in_threads(residual, directions, a, lam, gamma)
    order = np.argsort(-values)
    return directions[order], values[order]


def gauges(codes, a, lam, gamma):
    return np.sqrt((lam * (codes @ a)) ** 2 + gamma**2 * (codes**2).sum(axis=1))


def gap(x, residual, objective, polar_value):
    """The relative gap if the largest polar were `polar_value`."""
    inner, square = (x * residual).sum(), (residual**2).sum()
    t = max(min(inner / square, 1 / polar_value if polar_value > 0 else np.inf), 0.0)
    return (objective - (t * inner - 0.5 * t**2 * square)) / objective


def plain(points, lam, gamma, tolerance):
    """Column generation; a datapoint a row. Returns atoms, codes, seconds."""
    started = time.perf_counter()
    count = len(points)
    a = np.full(count, np.sqrt(1 / count))
    x = np.ascontiguousarray(points * a[:, None])
    residual = x.copy()
    atoms, codes = np.empty((0, x.shape[1])), np.empty((0, count))
    objective = 0.5 * (x**2).sum()
    rng = np.random.default_rng(SEED)
    for _ in range(ROUNDS):
        starts = residual[rng.choice(count, min(STARTS, count), replace=False)]
        directions, values = ascend(residual, starts, a, lam, gamma)
        if gap(x, residual, objective, values[0]) <= tolerance:
            starts = residual[rng.choice(count, min(CONFIRM * STARTS, count), replace=False)]
            directions, values = ascend(residual, np.vstack([starts, atoms]), a, lam, gamma)
            if gap(x, residual, objective, values[0]) <= tolerance:
                break
        fresh = []
        for direction, value in zip(directions, values):
            if value <= 1 or len(fresh) == NEW_ATOMS:
                break
            if all(direction @ other < NEW_COSINE for other in fresh):
                fresh.append(direction)
        atoms = np.vstack([atoms, *fresh])
        codes = np.vstack([codes, np.zeros((len(fresh), count))])
        for _ in range(SWEEPS):
            before, objective = objective, sweep(residual, atoms, codes, a, lam, gamma)
            if before - objective <= SWEEP_SHARE * tolerance * objective:
                break
        used = codes.any(axis=1)
        atoms, codes = np.ascontiguousarray(atoms[used]), np.ascontiguousarray(codes[used])
        # Rank-one changes add up rounding.
        residual = x - codes.T @ atoms
    return atoms, codes / a, time.perf_counter() - started


def ours(binary, points, lam, gamma, tolerance):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        np.save(folder / "x.npy", points)
        answer = common.widedict(
            binary, "solve", "--data", folder / "x.npy", "--lambda", lam, "--gamma", gamma,
            "--tolerance", tolerance, "--bound", "none", "--threads", THREADS, "--out", folder / "out")
        atoms = common.read_dictionary(folder / "out").T
        codes = common.read_codes(folder / "out")
    return np.ascontiguousarray(atoms), codes, answer["seconds"]


def evaluate(points, atoms, codes, lam, gamma):
    """Objective and estimated relative gap of any point with unit atoms."""
    count = len(points)
    a = np.full(count, np.sqrt(1 / count))
    x, whitened = points * a[:, None], codes * a
    residual = x - whitened.T @ atoms
    objective = 0.5 * (residual**2).sum() + gauges(whitened, a, lam, gamma).sum()
    _, values = ascend(residual, np.vstack([residual, atoms]), a, lam, gamma)
    return objective, gap(x, residual, objective, values[0])


def compare(args):
    points = np.ascontiguousarray(common.digits(args.points).T)
    # Compiles.
    plain(points[:3], args.lam, args.gamma, args.tolerance)
    solvers = {
        "widedict": lambda: ours(args.binary, points, args.lam, args.gamma, args.tolerance),
        "plain": lambda: plain(points, args.lam, args.gamma, args.tolerance),
    }
    seconds = {name: [] for name in solvers}
    print("program      seconds  objective  estimated gap  atoms")
    for _ in range(args.rounds):
        for name, solve in solvers.items():
            atoms, codes, took = solve()
            seconds[name].append(took)
            objective, relative = evaluate(points, atoms, codes, args.lam, args.gamma)
            print(f"{name:10} {took:9.2f}  {objective:9.6f}  {relative:13.2e}  {len(atoms):5}", flush=True)
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"medians: widedict {middle['widedict']:.2f} s, plain {middle['plain']:.2f} s;"
          f" plain / widedict{common.ratio(seconds['plain'], seconds['widedict'])}")


def synthetic(path, count, dim, active):
    """Writes `count` planted datapoints, a row each, in f32."""
    rng = np.random.default_rng(SEED)
    directions = rng.standard_normal((3 * dim // 4, dim))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    rows = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(count, dim))
    for first in range(0, count, BLOCK):
        size = min(BLOCK, count - first)
        codes = rng.uniform(0.5, 1.5, (size, len(directions)))
        codes *= rng.random(codes.shape) < active / len(directions)
        rows[first : first + size] = codes @ directions + NOISE * rng.standard_normal((size, dim))
    rows.flush()


# A child's peak memory counts that of the process it was forked from until it runs
# its own program: so a fresh, small one starts the command, and reports on it.
MEASURE = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps([done.returncode, done.stdout, done.stderr, peak]))
"""


def measured(binary, *arguments):
    """The command's answer and its peak memory in MiB (Linux counts it in KiB)."""
    command = [str(part) for part in (binary, *arguments, "--json", "--quiet")]
    report = subprocess.run([sys.executable, "-S", "-c", MEASURE, *command], capture_output=True, check=True, text=True)
    code, out, err, peak = json.loads(report.stdout)
    return common.parse(subprocess.CompletedProcess(command, code, out, err), command), peak / 1024


def alone(args, data):
    """Runs the command on each of `data`, pairs of a name and a maker of a file."""
    print("data           N    n    seconds  ms a datapoint  atoms  objective  estimated gap  peak MiB  stop")
    for name, make in data:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "x.npy"
            make(path)
            answer, peak = measured(
                args.binary, "solve", "--data", path, "--lambda", args.lam, "--gamma", args.gamma,
                "--tolerance", args.tolerance, "--bound", "fast", "--threads", THREADS)
        estimate = answer["estimated_relative_gap"]
        print(f"{name:9} {answer['points']:7} {answer['dim']:4} {answer['seconds']:10.2f}"
              f"  {1000 * answer['seconds'] / answer['points']:14.3f}  {answer['atoms']:5}  {answer['objective']:9.6f}"
              f"  {'none' if estimate is None else format(estimate, '.2e'):>13}  {peak:8.0f}  {answer['stop']}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--scaling", action="store_true", help="the command alone, by the number of datapoints")
    mode.add_argument("--million", action="store_true", help="the command alone on a million datapoints")
    parser.add_argument("--points", type=int, default=1797, help="of the digits, in the comparison")
    parser.add_argument("--sizes", help="numbers of synthetic datapoints")
    parser.add_argument("--lambda", dest="lam", type=float, default=0.3)
    parser.add_argument("--gamma", type=float, default=0.15)
    parser.add_argument("--tolerance", type=float, default=5e-3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--binary", default=common.BINARY)
    args = parser.parse_args()
    numba.set_num_threads(min(THREADS, numba.config.NUMBA_NUM_THREADS))
    # Their threads and Numba's would wait for each other.
    threadpoolctl.threadpool_limits(1, user_api="blas")
    if args.scaling:
        sizes = map(int, (args.sizes or SYNTHETIC).split(","))
        alone(args, [("digits", lambda path, n=n: common.save(path, common.digits(n))) for n in DIGITS]
              + [("synthetic", lambda path, n=n: synthetic(path, n, 64, 6)) for n in sizes])
    elif args.million:
        sizes = map(int, (args.sizes or MILLION).split(","))
        alone(args, [("synthetic", lambda path, n=n: synthetic(path, n, 16, 3)) for n in sizes])
    else:
        compare(args)


if __name__ == "__main__":
    main()
