#!/usr/bin/env python3
"""Dictionaries of a given width on the digits at gamma = 0, by SPAMS' trainDL and by
the `widedict` command, alternating in one run: objectives with exact codes, times
and their ratio.

    python -m pip install -r benches/peers/requirements.txt
    cargo build --release --features full
    python benches/peers/train_dl.py [--widths 56,224,449,898] [--rounds 2] [--iterations K]

SPAMS learns online for a number of passes; it is given the passes after which its
objective changes by less than a thousandth. Its objective is evaluated with its own
exact coder, and the time of that is not counted. The command's time is that of
solving (the key `seconds`); certifying and the local test come after it.
"""

import argparse
import json
import pathlib
import subprocess
import time

import numpy as np
import spams

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAMBDA = 0.3
THREADS = 2
BATCH = 256
# Iterations (of a batch each) for each width: see the head of this file.
ITERATIONS = {56: 1000, 224: 3000, 449: 6000, 898: 3000}


def digits():
    pixels = np.fromfile(ROOT / "data" / "digits.u8", dtype=np.uint8).reshape(-1, 64)
    return np.asfortranarray((pixels / 16.0).T)


def objective(x, dictionary):
    codes = spams.lasso(x, D=dictionary, lambda1=LAMBDA, pos=True, mode=2, numThreads=THREADS)
    residual = x - dictionary @ codes
    return (0.5 * (residual**2).sum() + LAMBDA * codes.sum()) / x.shape[1]


def peer(x, width, iterations):
    started = time.perf_counter()
    dictionary = spams.trainDL(
        x, K=width, lambda1=LAMBDA, mode=2, posAlpha=True, iter=iterations or ITERATIONS.get(width, 2000),
        batchsize=BATCH, numThreads=THREADS, verbose=False,
    )
    seconds = time.perf_counter() - started
    return objective(x, dictionary), seconds


def ours(width):
    command = [ROOT / "target/release/widedict", "solve", "--dataset", "digits", "--lambda", str(LAMBDA),
               "--width", str(width), "--threads", str(THREADS), "--json", "--quiet"]
    answer = json.loads(subprocess.run(command, capture_output=True, check=False, text=True).stdout)
    return answer["objective"], answer["seconds"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--widths", default="56,224,449,898")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--iterations", type=int, help="of SPAMS, for every width")
    args = parser.parse_args()
    x = digits()
    print("width  objective: widedict    spams     seconds: widedict   spams   ratio")
    for width in map(int, args.widths.split(",")):
        for _ in range(args.rounds):
            value, seconds = ours(width)
            theirs, their_seconds = peer(x, width, args.iterations)
            print(f"{width:5}            {value:.6f} {theirs:.6f}           {seconds:8.2f} {their_seconds:7.2f}"
                  f" {their_seconds / seconds:7.1f}", flush=True)


if __name__ == "__main__":
    main()
