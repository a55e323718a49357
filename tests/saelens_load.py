"""Checks that SAELens loads what widedict writes, and computes the same codes.

    pip install sae-lens
    cargo run --release --features cli -- solve --dataset digits --lambda 2 --width 24 --max-seconds 5 --out out
    python tests/saelens_load.py out

Not part of `cargo test`: it needs the real package.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from sae_lens import SAE

out = Path(sys.argv[1])
sae = SAE.load_from_disk(out / "sae")
dictionary = np.load(out / "dictionary.npy")
center = np.load(out / "center.npy")
lam = json.loads((out / "sae" / "cfg.json").read_text())["metadata"]["lambda"]

assert sae.cfg.architecture() == "standard" and sae.W_dec.dtype == torch.float64
assert tuple(sae.W_dec.shape) == dictionary.shape == (sae.cfg.d_sae, sae.cfg.d_in)
# Bit for bit.
assert np.array_equal(sae.W_dec.detach().numpy(), dictionary)
assert np.array_equal(sae.b_dec.detach().numpy(), center)
# The encoder is one thresholding step.
x = torch.from_numpy(np.random.default_rng(0).normal(size=(50, sae.cfg.d_in)) + 3 * dictionary[np.arange(50) % len(dictionary)])
with torch.no_grad():
    codes, back = sae.encode(x).numpy(), sae(x).numpy()
expected = np.maximum((x.numpy() - center) @ dictionary.T - lam, 0)
assert np.abs(codes - expected).max() < 1e-12 and (codes > 0).any()
assert np.abs(back - (codes @ dictionary + center)).max() < 1e-12
print(f"SAELens loads it: {sae.cfg.d_sae} atoms of dimension {sae.cfg.d_in}, codes agree")
