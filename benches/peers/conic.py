#!/usr/bin/env python3
"""Codes at gamma > 0 over a fixed dictionary, a second-order cone programme, by cvxpy
with Clarabel and with SCS, and those that the `widedict` command found together with
the dictionary: objectives, gaps and times, in one run.

    python -m pip install -r benches/peers/requirements.txt
    cargo build --release --features full
    python benches/peers/conic.py [--points 40] [--lambda 0.3] [--gamma 0.15]

The command solves the convex problem of the first digits with its conic master; over
the dictionary it returns, cvxpy solves
min over Z >= 0 of sum w 1/2 |x - D z|^2 + sum_k sqrt(lambda^2 (sum w z_k)^2 + gamma^2 sum w z_k^2).

The problems differ, and so do the times: the command's (the key `seconds`) covers the
whole of column generation, dictionary included, tens of such programmes; cvxpy's is
that of compiling the model and solving this one programme, and the solver's own part
of it. The `ratio` says how many of the latter the former is worth, no more.

Objectives are computed here from the codes (negative ones set to zero), and so are
their gaps over this dictionary: the residual, scaled until no atom's polar exceeds 1,
gives a lower bound of the programme (theorem `coding-gap`). Each objective may exceed
the least of them by its gap and no more, which is checked.
"""

import argparse
import pathlib
import tempfile
import time
import warnings

import cvxpy as cp
import numpy as np

import common

THREADS = 2
SOLVERS = ("CLARABEL", "SCS")
# Rounding of an objective, relatively.
ROUNDING = 1e-12


def polar(v, a, lam, gamma):
    """max v'z over z >= 0 with g(z) <= 1 (theorem `gauge-calculus`): its tau by sorting."""
    order = np.argsort(-v / a)
    v, a = v[order], a[order]
    c = (lam / gamma) ** 2
    # tau if the first k entries are positive; it is largest for the right k.
    tau = max((c * np.cumsum(a * v) / (1 + c * np.cumsum(a * a))).max(), 0.0)
    z = np.maximum(v - tau * a, 0)
    gauge = np.sqrt((lam * (a @ z)) ** 2 + gamma**2 * (z @ z))
    return v @ z / gauge if gauge > 0 else 0.0


def evaluate(x, atoms, codes, lam, gamma):
    """Objective and gap of codes over these atoms, all weights 1/N."""
    codes = np.maximum(codes, 0)
    a = np.full(x.shape[1], np.sqrt(1 / x.shape[1]))
    whitened, rows = x * a, codes * a
    residual = whitened - atoms @ rows
    penalty = np.sqrt((lam * (rows @ a)) ** 2 + gamma**2 * (rows**2).sum(axis=1)).sum()
    objective = 0.5 * (residual**2).sum() + penalty
    largest = max(polar(residual.T @ atom, a, lam, gamma) for atom in atoms.T)
    inner, square = (whitened * residual).sum(), (residual**2).sum()
    t = max(min(inner / square, 1 / max(largest, 1e-300)), 0.0)
    return objective, objective - (t * inner - 0.5 * t**2 * square)


def ours(binary, x, lam, gamma, tolerance):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        common.save(folder / "x.npy", x)
        answer = common.widedict(
            binary, "solve", "--data", folder / "x.npy", "--lambda", lam, "--gamma", gamma, "--method", "conic",
            "--tolerance", tolerance, "--bound", "none", "--threads", THREADS, "--out", folder / "out")
        return common.read_dictionary(folder / "out"), common.read_codes(folder / "out"), answer["seconds"]


def peer(solver, x, atoms, lam, gamma):
    """Codes, seconds of compiling and solving, seconds of the solver, its status."""
    a = np.full(x.shape[1], np.sqrt(1 / x.shape[1]))
    started = time.perf_counter()
    rows = cp.Variable((atoms.shape[1], x.shape[1]), nonneg=True)
    mass = cp.reshape(lam * (rows @ a), (1, atoms.shape[1]), order="C")
    gauges = cp.norm(cp.vstack([mass, gamma * rows.T]), 2, axis=0)
    problem = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(x * a - atoms @ rows) + cp.sum(gauges)))
    with warnings.catch_warnings():
        # An inaccurate solution shows in its status and its gap.
        warnings.simplefilter("ignore")
        problem.solve(solver=solver)
    seconds = time.perf_counter() - started
    if rows.value is None:
        raise SystemExit(f"{solver}: {problem.status}")
    return rows.value / a, seconds, problem.solver_stats.solve_time, problem.status


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=40)
    parser.add_argument("--lambda", dest="lam", type=float, default=0.3)
    parser.add_argument("--gamma", type=float, default=0.15)
    parser.add_argument("--tolerance", type=float, default=1e-2, help="of the command, for the convex problem")
    parser.add_argument("--binary", default=common.BINARY)
    args = parser.parse_args()
    x = common.digits(args.points)
    atoms, codes, seconds = ours(args.binary, x, args.lam, args.gamma, args.tolerance)
    print(f"{args.points} digits, {atoms.shape[1]} atoms")
    print("program     objective       relative gap  seconds  of the solver  ratio to widedict's  status")
    objective, gap = evaluate(x, atoms, codes, args.lam, args.gamma)
    print(f"widedict    {objective:.9f}  {gap / objective:14.1e}  {seconds:7.2f}  {'':13}  {'':19}  convex problem", flush=True)
    found = {"widedict": (objective, gap)}
    for solver in SOLVERS:
        codes, their_seconds, own, status = peer(solver, x, atoms, args.lam, args.gamma)
        objective, gap = found[solver] = evaluate(x, atoms, codes, args.lam, args.gamma)
        print(f"{solver.lower():10}  {objective:.9f}  {gap / objective:14.1e}  {their_seconds:7.2f}  {own:13.2f}"
              f"  {their_seconds / seconds:19.3f}  {status}", flush=True)
    least = min(objective for objective, _ in found.values())
    for name, (objective, gap) in found.items():
        above = objective - least
        fits = above <= gap + ROUNDING * objective
        print(f"{name.lower():10} above the least by {above / least:.1e}: {'within its gap' if fits else 'MORE THAN ITS GAP'}")
        if not fits:
            raise SystemExit(1)


if __name__ == "__main__":
    main()
