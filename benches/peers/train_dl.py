#!/usr/bin/env python3
"""Dictionaries of a given width at gamma = 0, by online learners and by the
`widedict` command, alternating in one run: objectives with exact codes, times and
their ratio.

    python -m pip install -r benches/peers/requirements.txt
    cargo build --release --features full
    python benches/peers/train_dl.py [--widths 56,224,449,898] [--rounds 2] [--iterations K]
    python benches/peers/train_dl.py --peers spams,sklearn --factor 1,5
    python benches/peers/train_dl.py --data X.npy --lambda 0.75 --widths 1024 --factor 1,5

All minimise the mean over the datapoints of 1/2 |x - D z|^2 + lambda 1'z, z >= 0,
over dictionaries of unit atoms:

- spams: `trainDL`, with threads;
- sklearn: `MiniBatchDictionaryLearning`, codes by coordinate descent, a batch at a
  time by `partial_fit` from random datapoints; its alpha is lambda. On one thread but
  for its BLAS.

They learn online, in batches of 256, and how long is for the caller to say:

- by default, the digits: for the iterations after which SPAMS' objective changes by
  less than a thousandth (--iterations K: K of them, each a batch);
- --factor 1,5: for so many times what the command took in the same round, and
  --seconds 10,60: for so long. SPAMS is run from the start with growing numbers of
  iterations until one lasts that long; the time and the iterations are those of the
  last run alone, the dictionary is the best of all runs, for more iterations of it
  are not always better. scikit-learn stops after the first batch past that time.

A learner's objective is evaluated here: atoms normalised, codes by SPAMS' exact
coder; the time of that is not counted. The command's dictionary is evaluated in the
same way, and has to give what the command says to a millionth. The command's time is
that of solving (the key `seconds`); certifying and the local test come after it.
"""

import argparse
import math
import pathlib
import statistics
import tempfile
import time

import numpy as np

import common  # before spams: it says how OpenMP waits
import spams

LAMBDA = 0.3
THREADS = 2
BATCH = 256
# Iterations (of a batch each) for each width: see the head of this file.
ITERATIONS = {56: 1000, 224: 3000, 449: 6000, 898: 3000}
OTHER_ITERATIONS = 2000
# SPAMS' first run under a time limit, and the share of the limit a run has to fill.
FIRST_ITERATIONS = 20
FILLED = 0.9
# What the two evaluations of the command's dictionary may differ by, relatively.
AGREEMENT = 1e-6


def objective(x, dictionary, lam):
    lengths = np.linalg.norm(dictionary, axis=0)
    atoms = np.asfortranarray(dictionary[:, lengths > 0] / lengths[lengths > 0])
    codes = spams.lasso(x, D=atoms, lambda1=lam, pos=True, mode=2, numThreads=THREADS)
    return float(common.lasso_objective(x, atoms, codes, lam).mean())


def spams_run(x, width, lam, iterations):
    started = time.perf_counter()
    dictionary = spams.trainDL(
        x, K=width, lambda1=lam, mode=2, posAlpha=True, iter=iterations, batchsize=BATCH,
        numThreads=THREADS, verbose=False,
    )
    return dictionary, time.perf_counter() - started


def spams_learner(x, width, lam, limits, _seed):
    """Yields the dictionary, the seconds and the iterations of every limit."""
    guess, best = FIRST_ITERATIONS, (math.inf, None)
    for kind, limit in limits:
        if kind == "iterations":
            yield *spams_run(x, width, lam, limit), limit
            continue
        seconds = 0.0
        while seconds < FILLED * limit:
            if seconds > 0.0:
                # At most tenfold: the first iterations are not like the later ones.
                guess = math.ceil(guess * min(max(limit / seconds, 1.1), 10.0))
            dictionary, seconds = spams_run(x, width, lam, guess)
            best = min(best, (objective(x, dictionary, lam), dictionary), key=lambda pair: pair[0])
        yield best[1], seconds, guess


def sklearn_learner(x, width, lam, limits, seed):
    """The same; one run passes all limits."""
    from sklearn.decomposition import MiniBatchDictionaryLearning

    started = time.perf_counter()
    rng = np.random.default_rng(seed)
    rows = np.ascontiguousarray(x.T[rng.permutation(x.shape[1])])
    start = rows[rng.choice(len(rows), width, replace=width > len(rows))]
    start /= np.maximum(np.linalg.norm(start, axis=1, keepdims=True), np.finfo(float).tiny)
    model = MiniBatchDictionaryLearning(
        n_components=width, alpha=lam, fit_algorithm="cd", positive_code=True, batch_size=BATCH,
        dict_init=start, random_state=seed,
    )
    step, seconds = 0, time.perf_counter() - started
    for kind, limit in limits:
        while (step if kind == "iterations" else seconds) < limit:
            started = time.perf_counter()
            first = step * BATCH % len(rows)
            model.partial_fit(rows[first : first + BATCH])
            step += 1
            seconds += time.perf_counter() - started
        yield model.components_.T.copy(), seconds, step


PEERS = {"spams": spams_learner, "sklearn": sklearn_learner}


def ours(binary, source, x, width, lam):
    """Objective and seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        answer = common.widedict(binary, "solve", *source, "--lambda", lam, "--width", width,
                                 "--threads", THREADS, "--out", folder)
        again = objective(x, common.read_dictionary(folder), lam)
    if abs(again - answer["objective"]) > AGREEMENT * answer["objective"]:
        raise SystemExit(f"the command's objective is {answer['objective']}, of its dictionary {again}")
    return answer["objective"], answer["seconds"]


def numbers(text):
    return [float(part) for part in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, help=".npy, a datapoint a row; default: the digits")
    parser.add_argument("--lambda", dest="lam", type=float, default=LAMBDA)
    parser.add_argument("--widths", default="56,224,449,898")
    parser.add_argument("--peers", default="spams", help=f"of {','.join(PEERS)}")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--iterations", type=int, help="of the peers, for every width")
    parser.add_argument("--factor", type=numbers, help="the peers' time in units of the command's")
    parser.add_argument("--seconds", type=numbers, help="the peers' time")
    parser.add_argument("--binary", default=common.BINARY)
    args = parser.parse_args()
    names = args.peers.split(",")
    for name in names:
        if name not in PEERS:
            parser.error(f"{name} is none of {','.join(PEERS)}")
    if args.data:
        x = np.asfortranarray(np.load(args.data).astype(np.float64).T)
        source = ("--data", args.data)
    else:
        x, source = common.digits(), ("--dataset", "digits")
    print("                               objective                          seconds")
    print("width  peer     limit       widedict       peer  peer above    widedict     peer  ratio (of a round)     iterations")
    for width in map(int, args.widths.split(",")):
        rows = {}
        for seed in range(args.rounds):
            value, seconds = ours(args.binary, source, x, width, args.lam)
            limits = {f"{factor:g} x": ("seconds", factor * seconds) for factor in sorted(args.factor or [])}
            limits |= {f"{limit:g} s": ("seconds", limit) for limit in sorted(args.seconds or [])}
            if not limits:
                count = args.iterations or ITERATIONS.get(width, OTHER_ITERATIONS)
                limits = {"iterations": ("iterations", count)}
            for name in names:
                learnt = PEERS[name](x, width, args.lam, list(limits.values()), seed)
                for label, (dictionary, their_seconds, count) in zip(limits, learnt, strict=True):
                    theirs = objective(x, dictionary, args.lam)
                    rows.setdefault((name, label), []).append((value, theirs, seconds, their_seconds))
                    print(f"{width:5}  {name:8} {label:10} {value:9.6f}  {theirs:9.6f}  {theirs / value - 1:9.3%}"
                          f"  {seconds:10.2f} {their_seconds:8.2f} {their_seconds / seconds:6.2f} {count:27}",
                          flush=True)
        for (name, label), row in rows.items():
            value, theirs, seconds, their_seconds = zip(*row)
            value, theirs = statistics.median(value), statistics.median(theirs)
            print(f"{width:5}  {name:8} {label:10} {value:9.6f}  {theirs:9.6f}  {theirs / value - 1:9.3%}"
                  f"  {statistics.median(seconds):10.2f} {statistics.median(their_seconds):8.2f}"
                  f"{common.ratio(their_seconds, seconds)}  medians", flush=True)


if __name__ == "__main__":
    main()
